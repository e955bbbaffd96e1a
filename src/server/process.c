#include "server/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/programs.h"
#include "server/server.h"

static void shut_input(struct ili_process *p) {
    if (p->input.fd < 0) return;
    ili_loop_remove(&p->server->loop, &p->input);
    close(p->input.fd);
    p->input.fd = -1;
}

static void shut_all(struct ili_process *p) {
    shut_input(p);
    ili_capture_close(&p->out);
    ili_capture_close(&p->err);
}

/* There is room in its stdin, or nobody reads it any more. */
static void input_ready(struct ili_source *source, uint32_t events, void *context) {
    struct ili_process *p =
        (struct ili_process *)((char *)source - offsetof(struct ili_process, input));
    (void)events, (void)context;
    while (source->fd >= 0 && p->input_sent < p->options.input_bytes) {
        ssize_t sent = write(source->fd, p->options.input + p->input_sent,
                             p->options.input_bytes - p->input_sent);
        if (sent > 0) {
            p->input_sent += (size_t)sent;
        } else if (errno != EINTR) {
            if (errno != EAGAIN) shut_input(p);
            return;
        }
    }
    shut_input(p);
}

/* A pipe for its stdin; *FD is the end to read from. */
static il_status open_input(struct ili_process *p, int *fd) {
    int ends[2];
    if (p->options.input_bytes == 0) return IL_OK; /* it gets /dev/null */
    if (pipe2(ends, O_CLOEXEC) != 0) return IL_ESYSTEM;
    p->input = (struct ili_source){.fd = ends[1], .ready = input_ready};
    p->input_sent = 0;
    il_status status = fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0
                           ? ili_loop_add(&p->server->loop, &p->input, EPOLLOUT)
                           : IL_ESYSTEM;
    if (status == IL_OK) {
        *fd = ends[0];
        return IL_OK;
    }
    close(ends[0]);
    close(ends[1]);
    p->input.fd = -1;
    return status;
}

/* ---- its end -------------------------------------------------------------------------------------- */

static void log_process(const char *event, const struct ili_process *p) {
    struct ili_log_line line;
    char name[IL_NAME_MAX_BYTES + 1];
    memcpy(name, p->named.name, p->named.name_bytes);
    name[p->named.name_bytes] = 0;
    ili_log_begin(&line, ILI_LOG_INFO, event);
    ili_log_text(&line, "process", name);
    ili_log_number(&line, "pid", p->pid);
    if (p->state == ILI_PROCESS_ENDED) {
        ili_log_number(&line, "exit_code", ili_process_exit_code(p));
    }
    ili_log_end(&line);
}

int ili_process_exit_code(const struct ili_process *process) {
    int status = process->wait_status;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void ended(struct ili_process *p, const struct ili_spawner_event *event) {
    p->state = ILI_PROCESS_ENDED;
    p->ended_ns = ili_now_ns();
    p->wait_status = event->wait_status;
    p->cpu_ns = event->cpu_ns;
    p->memory_bytes = event->memory_bytes;
    shut_all(p);
    ili_timers_clear(&p->server->timers, &p->grace);
    log_process("process.ended", p);
    ili_joins_tell(&p->starts);
    ili_joins_tell(&p->joins);
}

static void failed(struct ili_process *p, const struct ili_spawner_event *event) {
    p->state = ILI_PROCESS_CREATED;
    snprintf(p->trouble, sizeof p->trouble, "%s: %s", event->what ? event->what : "start",
             strerror(event->error));
    shut_all(p);
    ili_capture_free(&p->out);
    ili_capture_free(&p->err);
    ili_timers_clear(&p->server->timers, &p->grace);
    ili_joins_tell(&p->starts);
    ili_joins_tell(&p->joins);
}

static void heard(struct ili_program *program, const struct ili_spawner_event *event) {
    struct ili_process *p =
        (struct ili_process *)((char *)program - offsetof(struct ili_process, program));
    switch (event->what_happened) {
    case ILI_SPAWNER_STARTED:
        p->state = ILI_PROCESS_RUNNING;
        p->pid = event->pid;
        p->started_ns = ili_now_ns();
        log_process("process.started", p);
        ili_joins_tell(&p->starts);
        break;
    case ILI_SPAWNER_FAILED: failed(p, event); break;
    case ILI_SPAWNER_ENDED: ended(p, event); break;
    }
}

void ili_process_signal(struct ili_process *process, int signal) {
    if (!ili_process_is_alive(process)) return;
    ili_spawner_kill(&process->server->pools.spawner, process->program.id, signal);
}

static void grace_is_over(struct ili_timer *timer, void *context) {
    struct ili_process *p =
        (struct ili_process *)((char *)timer - offsetof(struct ili_process, grace));
    (void)context;
    ili_process_signal(p, SIGKILL);
}

static void session_ended(struct ili_server *server, struct ili_daemon *daemon) {
    struct ili_process *p =
        (struct ili_process *)((char *)daemon - offsetof(struct ili_process, daemon));
    if (!ili_process_is_alive(p)) return;
    p->grace.fire = grace_is_over;
    if (p->options.grace_ns > 0 &&
        ili_timers_set(&server->timers, &p->grace, ili_now_ns() + p->options.grace_ns)) {
        ili_process_signal(p, SIGTERM);
    } else {
        ili_process_signal(p, SIGKILL);
    }
}

/* ---- its start ------------------------------------------------------------------------------------ */

il_status ili_process_make(struct ili_server *server, const char *name, size_t name_bytes,
                           struct ili_process_options *options, struct ili_process **out,
                           struct ili_fault *fault) {
    il_status status = IL_OK;
    struct ili_process *p = calloc(1, sizeof *p);
    if (!p) {
        return ili_fault_set(fault, IL_ENOMEM, NULL, NULL,
                             "the server has no memory for the process");
    }
    p->server = server;
    p->program.event = heard;
    p->input.fd = -1;
    ili_named_set(&p->named, name, name_bytes);
    ili_capture_init(&p->out, options->output_bytes);
    ili_capture_init(&p->err, options->output_bytes);
    if (options->daemon) {
        status = ili_daemon_bind(server, &p->daemon, options->session, session_ended, fault);
    }
    if (status != IL_OK) {
        free(p);
        return status;
    }
    p->options = *options;
    *options = (struct ili_process_options){0};
    *out = p;
    return IL_OK;
}

/* What it is told of the server. NULL: no memory. */
static char *domain_variable(const struct ili_server *server) {
    char *text = NULL;
    return asprintf(&text, "INTERLOCK_DOMAIN=unix:%s", server->config.socket) < 0 ? NULL : text;
}

/* GIVEN and DOMAIN with what is passed on of the server's own. NULL: no memory. */
static char **make_environment(const struct ili_server *server, char **given, char *domain) {
    size_t count = 0;
    while (given && given[count]) count++;
    char **all = calloc(count + 2, sizeof *all); /* borrows its texts */
    if (!all) return NULL;
    if (count > 0) memcpy(all, given, count * sizeof *all);
    all[count] = domain;
    char **whole = ili_environment_make(&server->config.pools.programs, all);
    free(all);
    return whole;
}

/* Hands it to the spawner, with its ends of the pipes. */
static il_status spawn(struct ili_process *p, const int *fds, char **environment) {
    struct ili_spawn spawn = {
        .program = p->options.command[0],
        .arguments = p->options.command,
        .environment = environment,
        .directory = p->options.directory ? p->options.directory : "/",
        .limits = p->options.limits,
        .own_group = true,
    };
    for (int i = 0; i < ILI_SPAWN_FDS; i++) spawn.fds[i] = i < 3 ? fds[i] : -1;
    ili_program_register(&p->server->pools, &p->program);
    il_status status = ili_spawner_spawn(&p->server->pools.spawner, p->program.id, &spawn);
    if (status != IL_OK) ili_program_forget(&p->server->pools, &p->program);
    return status;
}

il_status ili_process_start(struct ili_process *process) {
    struct ili_server *server = process->server;
    int fds[3] = {-1, -1, -1};
    char *domain = domain_variable(server);
    char **environment = domain ? make_environment(server, process->options.given, domain) : NULL;
    process->trouble[0] = 0;
    il_status status = environment ? open_input(process, &fds[0]) : IL_ENOMEM;
    if (status == IL_OK) status = ili_capture_open(&process->out, &server->loop, &fds[1]);
    if (status == IL_OK) status = ili_capture_open(&process->err, &server->loop, &fds[2]);
    if (status == IL_OK) status = spawn(process, fds, environment);
    if (status == IL_OK) {
        process->state = ILI_PROCESS_STARTING;
    } else {
        shut_all(process);
    }
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0) close(fds[i]);
    }
    ili_texts_free(environment);
    free(domain);
    return status;
}

void ili_process_free(struct ili_process *process) {
    if (ili_process_is_alive(process)) {
        ili_program_forget(&process->server->pools, &process->program);
    }
    ili_daemon_unbind(&process->daemon);
    ili_timers_clear(&process->server->timers, &process->grace);
    shut_input(process);
    ili_capture_free(&process->out);
    ili_capture_free(&process->err);
    ili_process_options_drop(&process->options);
    free(process);
}
