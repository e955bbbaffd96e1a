#include "server/processes.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "server/page.h"
#include "server/process.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/task_view.h"

#define PROCESSES_MOST 10000u
#define START_NS INT64_C(30000000000) /* how long a request waits for its start */

/* NULL: there is none, and the request was answered. */
static struct ili_process *process_of_path(struct ili_request *request) {
    struct ili_named *named =
        ili_roster_find(&request->server->processes, request->name, request->name_bytes);
    if (!named) ili_reply_problem(request, IL_ENOTFOUND, NULL);
    return (struct ili_process *)named;
}

/* ---- the view ------------------------------------------------------------------------------------- */

static void write_options(struct ili_out *out, const struct ili_process_options *options) {
    ili_out_key(out, "command");
    ili_out_open(out, '[');
    for (char **text = options->command; *text; text++) ili_out_string(out, *text);
    ili_out_close(out, ']');
    ili_out_key(out, "directory");
    ili_out_string(out, options->directory ? options->directory : "/");
    ili_out_key(out, "daemon");
    ili_out_bool(out, options->daemon);
    ili_out_key(out, "session");
    ili_out_string(out, options->daemon ? options->session : NULL);
}

static void write_signal(struct ili_out *out, int signal) {
    char text[32];
    const char *name = sigabbrev_np(signal);
    if (name) {
        snprintf(text, sizeof text, "SIG%s", name);
    } else {
        snprintf(text, sizeof text, "SIG%d", signal); /* a real-time one */
    }
    ili_out_string(out, text);
}

/* How it has ended; while it has not, what is not known yet is null. */
static void write_end(struct ili_out *out, const struct ili_process *p) {
    bool ended = p->state == ILI_PROCESS_ENDED;
    ili_out_key(out, "exit_code");
    if (ended) {
        ili_out_signed(out, ili_process_exit_code(p));
    } else {
        ili_out_null(out);
    }
    ili_out_key(out, "signal");
    if (ended && WIFSIGNALED(p->wait_status)) {
        write_signal(out, WTERMSIG(p->wait_status));
    } else {
        ili_out_null(out);
    }
    ili_out_key(out, "cpu_time");
    if (ended) {
        ili_out_seconds(out, (int64_t)p->cpu_ns);
    } else {
        ili_out_null(out);
    }
    ili_out_key(out, "memory");
    if (ended) {
        ili_out_number(out, p->memory_bytes);
    } else {
        ili_out_null(out);
    }
}

/* WHOLE: with its output. */
static void write_process(struct ili_out *out, const struct ili_process *p, bool whole) {
    static const char *const states[] = {"created", "started", "started", "ended"};
    ili_out_open(out, '{');
    ili_out_key(out, "name");
    ili_out_text(out, p->named.name, p->named.name_bytes);
    ili_out_key(out, "state");
    ili_out_string(out, states[p->state]);
    ili_out_key(out, "is_alive");
    ili_out_bool(out, ili_process_is_alive(p));
    ili_out_key(out, "pid");
    if (p->pid > 0) {
        ili_out_number(out, (uint64_t)p->pid);
    } else {
        ili_out_null(out);
    }
    write_options(out, &p->options);
    ili_out_key(out, "trouble");
    ili_out_string(out, p->trouble[0] ? p->trouble : NULL);
    write_end(out, p);
    ili_write_time(out, "started", p->started_ns);
    ili_write_time(out, "ended", p->ended_ns);
    if (whole) {
        ili_capture_write(out, "stdout", &p->out);
        ili_capture_write(out, "stderr", &p->err);
    }
    ili_out_close(out, '}');
}

static void reply(struct ili_request *request, unsigned http_status, const struct ili_process *p) {
    struct ili_out out = {0};
    write_process(&out, p, true);
    ili_reply(request, http_status, &out);
}

void ili_processes_get(struct ili_request *request) {
    const struct ili_process *p = process_of_path(request);
    if (p) reply(request, 200, p);
}

static const void *after(struct ili_server *server, const char *name, size_t name_bytes) {
    return ili_roster_after(&server->processes, name, name_bytes);
}

static void view(struct ili_out *out, struct ili_server *server, const void *thing) {
    (void)server;
    write_process(out, thing, false);
}

void ili_processes_list(struct ili_request *request) {
    static const struct ili_page_walk walk = {"processes", after, ili_named_name, view};
    ili_page_reply(request, &walk);
}

/* ---- making and removing -------------------------------------------------------------------------- */

static void put_again(struct ili_request *request, const struct ili_process *p,
                      const struct ili_process_options *options) {
    char detail[sizeof request->name + 80];
    const char *field = options->command ? ili_process_options_differ(&p->options, options) : NULL;
    if (!field) {
        reply(request, 200, p);
        return;
    }
    snprintf(detail, sizeof detail, "the process \"%.*s\" exists with another %s",
             request->name_bytes, request->name, field);
    ili_reply_problem(request, IL_ECONFLICT, detail);
}

/* NULL: it is not made, and *FAULT says why. */
static struct ili_process *make(struct ili_request *request, struct ili_process_options *options,
                                struct ili_fault *fault) {
    struct ili_server *server = request->server;
    struct ili_process *p = NULL;
    if (!options->command) {
        ili_fault_set(fault, IL_EINVAL, "command", "to be given",
                      "command: is missing, and there is no process \"%.*s\"", request->name_bytes,
                      request->name);
        return NULL;
    }
    if (server->processes.count >= PROCESSES_MOST) {
        ili_fault_set(fault, IL_ELIMIT, NULL, NULL, "there are %u processes: delete some",
                      PROCESSES_MOST);
        return NULL;
    }
    if (ili_process_make(server, request->name, request->name_bytes, options, &p, fault) != IL_OK) {
        return NULL;
    }
    if (ili_roster_add(&server->processes, &p->named)) return p;
    ili_process_free(p);
    ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "the server has no memory for the process");
    return NULL;
}

static void put(struct ili_request *request, struct ili_process_options *options) {
    struct ili_fault fault;
    struct ili_process *p = (struct ili_process *)ili_roster_find(
        &request->server->processes, request->name, request->name_bytes);
    if (p) {
        put_again(request, p, options);
        return;
    }
    p = make(request, options, &fault);
    if (p) {
        reply(request, 201, p);
    } else {
        ili_reply_fault(request, &fault);
    }
}

void ili_processes_put(struct ili_request *request) {
    struct ili_process_options options;
    struct ili_fault fault;
    const struct ili_programs *programs = &request->server->config.pools.programs;
    if (ili_process_options_read(request, programs, &options, &fault) == IL_OK) {
        put(request, &options);
    } else {
        ili_reply_fault(request, &fault);
    }
    ili_process_options_drop(&options);
}

void ili_processes_delete(struct ili_request *request) {
    struct ili_process *p = process_of_path(request);
    if (!p) return;
    if (ili_process_is_alive(p)) {
        ili_reply_problem(request, IL_ECONFLICT, "the process is alive: kill and join it first");
        return;
    }
    ili_roster_remove(&request->server->processes, &p->named);
    ili_process_free(p);
    ili_reply_empty(request, 0);
}

void ili_processes_close(struct ili_server *server) {
    struct ili_roster *all = &server->processes;
    for (size_t i = 0; i < all->count; i++) ili_process_free((struct ili_process *)all->sorted[i]);
    ili_roster_free(all);
}

/* ---- its life ------------------------------------------------------------------------------------- */

/* It runs, or has run, or could not be started. */
static void answer(struct ili_request *request, void *thing) {
    const struct ili_process *p = thing;
    char detail[sizeof p->trouble + 80];
    if (p->state != ILI_PROCESS_CREATED) {
        reply(request, 200, p);
        return;
    }
    snprintf(detail, sizeof detail, "the program cannot be started: %s", p->trouble);
    ili_reply_problem(request, IL_ESYSTEM, detail);
}

void ili_processes_start(struct ili_request *request) {
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_process *p = process_of_path(request);
    if (!p) return;
    il_status status = IL_OK;
    if (p->state != ILI_PROCESS_CREATED) {
        status = IL_ESTARTED;
    } else if (ili_daemon_is_over(&p->daemon)) {
        status = IL_ESESSION;
    } else {
        status = ili_process_start(p);
    }
    if (status == IL_OK) {
        ili_join_wait(request, &p->starts, p, START_NS, answer);
    } else {
        ili_reply_problem(request, status, NULL);
    }
}

void ili_processes_join(struct ili_request *request) {
    struct ili_join_fields fields;
    if (!ili_join_read(request, &fields)) return;
    struct ili_process *p = process_of_path(request);
    if (!p) return;
    if (p->state == ILI_PROCESS_CREATED) {
        ili_reply_problem(request, IL_ENOTSTARTED, NULL);
    } else if (p->state == ILI_PROCESS_ENDED) {
        reply(request, 200, p);
    } else {
        ili_join_wait(request, &p->joins, p, fields.timeout_ns, answer);
    }
}

static void send_signal(struct ili_request *request, int signal) {
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_process *p = process_of_path(request);
    if (!p) return;
    if (p->state == ILI_PROCESS_CREATED) {
        ili_reply_problem(request, IL_ENOTSTARTED, NULL);
        return;
    }
    ili_process_signal(p, signal);
    reply(request, 200, p);
}

void ili_processes_terminate(struct ili_request *request) { send_signal(request, SIGTERM); }

void ili_processes_kill(struct ili_request *request) { send_signal(request, SIGKILL); }
