#include "support/peers.h"

#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/measure.h"
#include "support/wire.h"

/* ---- libmicrohttpd ------------------------------------------------------------------------------ */

static const char constant[] =
    "{\"name\":\"bench-0\",\"token\":\"1927849664485261313\",\"lease\":60.0,\"owner_died\":false}";

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **request) {
    static int seen;
    (void)url, (void)method, (void)version, (void)upload;
    if (!*request) { /* the headers: the body comes next */
        *request = &seen;
        return MHD_YES;
    }
    if (*upload_bytes) {
        *upload_bytes = 0;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, context);
}

static _Noreturn void serve_constant(int announce) {
    struct MHD_Response *response = MHD_create_response_from_buffer(
        sizeof constant - 1, (void *)(uintptr_t)constant, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, "Content-Type", "application/json");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    int port = bench_free_port();
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_SUPPRESS_DATE_NO_CLOCK, (uint16_t)port, NULL, NULL,
                         answer, response, MHD_OPTION_CONNECTION_LIMIT, 15000u, MHD_OPTION_END);
    if (!daemon) _exit(2);
    struct pollfd ready = {.fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
                           .events = POLLIN};
    if (write(announce, &port, sizeof port) != sizeof port) _exit(2);
    for (;;) {
        MHD_UNSIGNED_LONG_LONG wait_ms;
        int timeout = MHD_get_timeout(daemon, &wait_ms) == MHD_YES ? (int)wait_ms : -1;
        poll(&ready, 1, timeout);
        MHD_run(daemon);
    }
}

void bench_constant_start(struct bench_peer *peer) {
    int ends[2];
    if (pipe(ends) != 0) bench_die("pipe");
    peer->pid = fork();
    if (peer->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve_constant(ends[1]);
    }
    if (read(ends[0], &peer->port, sizeof peer->port) != sizeof peer->port) bench_die("read");
    close(ends[0]);
    close(ends[1]);
}

/* ---- Redis -------------------------------------------------------------------------------------- */

void bench_redis_start(struct bench_peer *peer) {
    char port[16];
    peer->port = bench_free_port();
    snprintf(port, sizeof port, "%d", peer->port);
    peer->pid = fork();
    if (peer->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!freopen("/dev/null", "w", stdout)) _exit(127);
        execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
               "--appendonly", "no", (char *)NULL);
        _exit(127);
    }
    for (int tries = 0; tries < 100; tries++) {
        int how;
        usleep(50000);
        if (waitpid(peer->pid, &how, WNOHANG) == peer->pid)
            bench_die("redis-server does not start");
        if (bench_listens(peer->port)) return;
    }
    bench_die("redis-server does not listen");
}

void bench_peer_stop(const struct bench_peer *peer) {
    kill(peer->pid, SIGTERM);
    waitpid(peer->pid, NULL, 0);
}
