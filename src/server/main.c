/*
 * main.c - interlockd: reads its configuration, opens the doors, runs the loop, and leaves in order.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/alarms.h"
#include "server/connection.h"
#include "server/granting.h"
#include "server/pin.h"
#include "server/processes.h"
#include "server/returns.h"
#include "server/server.h"
#include "server/stream.h"
#include "server/threads.h"
#include "work/spawner.h"

#define SWEEP_NS INT64_C(1000000000)
#define FAREWELL_NS INT64_C(5000000000) /* how long answers may take to get out at the end */

struct signals {
    struct ili_source source;
    int caught; /* SIGTERM or SIGINT; 0: none yet */
};

static void signal_ready(struct ili_source *source, uint32_t events, void *context) {
    struct signals *signals = (struct signals *)source;
    struct signalfd_siginfo info;
    (void)events, (void)context;
    if (read(source->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        signals->caught = (int)info.ssi_signo;
    }
}

static il_status watch_signals(struct ili_server *server, struct signals *signals) {
    sigset_t wanted;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    pthread_sigmask(SIG_BLOCK, &wanted, NULL); /* before the keeper's thread is made */
    int fd = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) return IL_ESYSTEM;
    signals->source = (struct ili_source){.fd = fd, .ready = signal_ready};
    return ili_loop_add(&server->loop, &signals->source, EPOLLIN);
}

static void raise_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* An answered record whose request has not ended yet is dropped for room. */
static void record_dropped(struct ili_record *record) { record->runner->record = NULL; }

static il_status open_pools(struct ili_server *server, struct ili_fault *fault) {
    il_status status = ili_pools_open(&server->pools, &server->loop, &server->timers,
                                      server->domain.epoch, server->config.socket);
    if (status != IL_OK) {
        return ili_fault_set(fault, status, NULL, NULL, "cannot open the pools: %s",
                             strerror(errno));
    }
    server->pools_open = true;
    return ili_config_pools_make(server, fault);
}

static il_status open_server(struct ili_server *server, struct signals *signals,
                             struct ili_fault *fault) {
    ili_log_set_level(server->config.log_level);
    tzset(); /* cron by local time */
    if (ili_spawner_start(&server->pools.spawner) !=
        IL_OK) { /* with the limits that programs get */
        return ili_fault_set(fault, IL_ESYSTEM, NULL, NULL, "cannot start programs: %s",
                             strerror(errno));
    }
    server->spawner_runs = true;
    raise_file_limit();
    server->now_ns = ili_now_ns();
    ili_sessions_open(&server->sessions);
    ili_idempotency_open(&server->idempotency);
    server->idempotency.dropped = record_dropped;
    if (ili_loop_open(&server->loop) != IL_OK || watch_signals(server, signals) != IL_OK) {
        return ili_fault_set(fault, IL_ESYSTEM, NULL, NULL, "cannot start: %s", strerror(errno));
    }
    il_status status = ili_accept_open(server, fault);
    if (status == IL_OK) status = ili_domain_start(server, fault);
    return status == IL_OK ? open_pools(server, fault) : status;
}

static void close_server(struct ili_server *server, struct signals *signals) {
    ili_accept_close(server);
    ili_stream_wake_all(server);
    ili_front_close(&server->front);
    ili_park_lay_ghosts(server);
    ili_watches_close(server);
    ili_readies_free(&server->readies);
    ili_idempotency_close(&server->idempotency);
    ili_returns_close(server);
    ili_alarms_close(server);
    ili_threads_close(server);
    ili_processes_close(server);
    if (server->pools_open) ili_pools_close(&server->pools);
    if (server->spawner_runs) ili_spawner_stop(&server->pools.spawner);
    if (server->domain.entered) {
        ili_granting_close(server);
        ili_client_sessions_close(server);
        ili_stakes_close(server);
        ili_owners_close(server);
    }
    ili_pin_close(server);
    ili_domain_stop(server);
    ili_park_close(server);
    ili_sessions_close(&server->sessions);
    ili_timers_free(&server->timers);
    if (signals->source.fd > 0) close(signals->source.fd);
    ili_loop_close(&server->loop);
}

static void say_ready(const struct ili_server *server) {
    const struct ili_config *c = &server->config;
    const char *colon = strrchr(c->listen, ':');
    char host[80];
    snprintf(host, sizeof host, "%.*s", (int)(colon - c->listen), c->listen);
    if (strcmp(host, "localhost") == 0) strcpy(host, "127.0.0.1");
    printf("interlockd ready http=%s:%u socket=%s\n", host, server->accept.port, c->socket);
    if (c->hints || isatty(STDOUT_FILENO)) {
        printf("  take a lock   curl -X POST http://%s:%u/v1/locks/deploy/acquire\n"
               "  look at it    curl http://%s:%u/v1/locks/deploy\n"
               "  wait for it   interlock --domain unix:%s lock deploy -- echo mine\n",
               host, server->accept.port, host, server->accept.port, c->socket);
    }
    fflush(stdout);
    struct ili_log_line line;
    char address[100];
    snprintf(address, sizeof address, "%s:%u", host, server->accept.port);
    ili_log_begin(&line, ILI_LOG_INFO, "server.ready");
    ili_log_number(&line, "pid", getpid());
    ili_log_text(&line, "http", address);
    ili_log_text(&line, "socket", c->socket);
    ili_log_number(&line, "epoch", (int64_t)server->domain.epoch);
    ili_log_end(&line);
}

/* One turn: sleep, hear events, fire timers, let libmicrohttpd work. */
static void turn(struct ili_server *server, int64_t latest_ns) {
    int64_t next = ili_timers_next(&server->timers);
    int64_t lease_ns = ili_expiry_next(&server->domain.expiry);
    if (lease_ns < next) next = lease_ns;
    if (latest_ns < next) next = latest_ns;
    int64_t wait = next == ILI_NEVER ? -1 : ili_ns_between(ili_now_ns(), next);
    if (ili_front_patience(&server->front) == 0) wait = 0;
    /* departures are told first, then the doorbell and the rest; see loop.h */
    (void)ili_loop_wait(&server->loop, wait, server);
    server->now_ns = ili_now_ns();
    atomic_store_explicit(&server->domain.member.waited_ns, 0, memory_order_relaxed);
    ili_timers_run(&server->timers, server->now_ns, server);
    ili_expiry_run(&server->domain.expiry, ili_server_member(server), server->domain.self,
                   server->now_ns);
    ili_client_sessions_tell(server);
    ili_pools_run(&server->pools, server->now_ns); /* what has ended is answered */
    ili_front_run(&server->front);
    ili_pools_run(&server->pools, server->now_ns); /* what was submitted goes to workers */
    ili_connection_poke_all(server);
}

static void run(struct ili_server *server, const struct signals *signals) {
    int64_t sweep_ns = server->now_ns + SWEEP_NS;
    while (!signals->caught) {
        turn(server, sweep_ns);
        if (server->now_ns < sweep_ns) continue;
        ili_front_sweep(server);
        if (server->parking.parked || server->watches.first) ili_park_listen(server);
        ili_accept_sweep(server);
        sweep_ns = server->now_ns + SWEEP_NS;
    }
}

/* No new work: what waits is answered, and what was answered gets out. */
static void say_farewell(struct ili_server *server) {
    int64_t until = ili_now_ns() + FAREWELL_NS;
    ili_log_event(ILI_LOG_INFO, "server.stopping", NULL);
    server->stopping = true;
    ili_accept_close(server);
    ili_park_end_all(server); /* before the tasks end for which they wait */
    ili_pools_end_all(&server->pools);
    ili_watches_end_all(server);
    do {
        ili_park_end_all(server);
        turn(server, server->now_ns + INT64_C(10000000));
    } while ((ili_front_busy(&server->front) || server->parking.parked) && server->now_ns < until);
    struct ili_connection *connection = server->front.connections;
    for (; connection; connection = connection->next) ili_connection_cut(connection);
}

int main(int count, char **arguments) {
    if (ili_spawner_asked(arguments)) return ili_spawner_main();
    static struct ili_server server; /* zero; too large for a stack */
    struct signals signals = {0};
    struct ili_fault fault;
    int result = EXIT_FAILURE;
    enum ili_config_outcome outcome = ili_config_read(&server.config, count, arguments, &fault);
    if (outcome == ILI_CONFIG_RUN) {
        if (open_server(&server, &signals, &fault) == IL_OK) {
            say_ready(&server);
            run(&server, &signals);
            say_farewell(&server);
            result = EXIT_SUCCESS;
        }
        close_server(&server, &signals);
        if (result == EXIT_SUCCESS) ili_log_event(ILI_LOG_INFO, "server.stopped", NULL);
    }
    if (outcome == ILI_CONFIG_SHOWN) result = EXIT_SUCCESS;
    if (result != EXIT_SUCCESS) fprintf(stderr, "interlockd: %s\n", fault.detail);
    ili_config_free(&server.config);
    return result;
}
