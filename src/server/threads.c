#include "server/threads.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/daemons.h"
#include "server/deferred.h"
#include "server/joins.h"
#include "server/page.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/task_view.h"

#define THREADS_MOST 100000u

struct thread {
    struct ili_named named;
    struct ili_deferred call;
    struct ili_daemon daemon;
    struct ili_task *task; /* while it is alive */
    struct ili_task_watch watch;
    uint64_t task_id;            /* 0: it was not started */
    enum ili_task_state outcome; /* once it has ended */
    char *result, *error;        /* owned JSON, or NULL */
    size_t result_bytes, error_bytes;
    int64_t started_ns, ended_ns;
    struct ili_joins joins;
};

/* NULL: there is none, and the request was answered. */
static struct thread *thread_of_path(struct ili_request *request) {
    struct ili_named *named =
        ili_roster_find(&request->server->threads, request->name, request->name_bytes);
    if (!named) ili_reply_problem(request, IL_ENOTFOUND, NULL);
    return (struct thread *)named;
}

static void free_thread(struct thread *t) {
    if (t->task) ili_task_unwatch(t->task, &t->watch);
    ili_daemon_unbind(&t->daemon);
    ili_deferred_free(&t->call);
    free(t->result);
    free(t->error);
    free(t);
}

void ili_threads_close(struct ili_server *server) {
    struct ili_roster *all = &server->threads;
    for (size_t i = 0; i < all->count; i++) free_thread((struct thread *)all->sorted[i]);
    ili_roster_free(all);
}

/* ---- the view ------------------------------------------------------------------------------------- */

/* WHOLE: with what came of it. */
static void write_thread(struct ili_out *out, const struct thread *t, bool whole) {
    ili_out_open(out, '{');
    ili_out_key(out, "name");
    ili_out_text(out, t->named.name, t->named.name_bytes);
    ili_out_key(out, "state");
    ili_out_string(out, t->task ? "started" : t->task_id ? "ended" : "created");
    ili_out_key(out, "is_alive");
    ili_out_bool(out, t->task != NULL);
    ili_deferred_write(out, &t->call);
    ili_out_key(out, "daemon");
    ili_out_bool(out, t->daemon.id[0] != 0);
    ili_out_key(out, "session");
    ili_out_string(out, t->daemon.id[0] ? t->daemon.id : NULL);
    ili_out_key(out, "task");
    if (t->task_id) {
        ili_out_token(out, t->task_id);
    } else {
        ili_out_null(out);
    }
    ili_out_key(out, "outcome");
    ili_out_string(out, t->ended_ns ? ili_task_state_name(t->outcome) : NULL);
    if (whole) {
        ili_write_json(out, "result", t->result, t->result_bytes);
        ili_write_json(out, "error", t->error, t->error_bytes);
    }
    ili_write_time(out, "started", t->started_ns);
    ili_write_time(out, "ended", t->ended_ns);
    ili_out_close(out, '}');
}

static void reply(struct ili_request *request, unsigned http_status, const struct thread *t) {
    struct ili_out out = {0};
    write_thread(&out, t, true);
    ili_reply(request, http_status, &out);
}

void ili_threads_get(struct ili_request *request) {
    const struct thread *t = thread_of_path(request);
    if (t) reply(request, 200, t);
}

static const void *after(struct ili_server *server, const char *name, size_t name_bytes) {
    return ili_roster_after(&server->threads, name, name_bytes);
}

static void view(struct ili_out *out, struct ili_server *server, const void *thing) {
    (void)server;
    write_thread(out, thing, false);
}

void ili_threads_list(struct ili_request *request) {
    static const struct ili_page_walk walk = {"threads", after, ili_named_name, view};
    ili_page_reply(request, &walk);
}

/* ---- making and removing -------------------------------------------------------------------------- */

static void session_ended(struct ili_server *server, struct ili_daemon *daemon) {
    struct thread *t = (struct thread *)((char *)daemon - offsetof(struct thread, daemon));
    (void)server;
    if (t->task) ili_task_cancel(t->task);
}

static void put_again(struct ili_request *request, const struct thread *t,
                      const struct ili_deferred *call, const char *session) {
    char detail[sizeof request->name + 80];
    const char *field = ili_deferred_differ(&t->call, call);
    if (!field && strcmp(t->daemon.id, session) != 0) field = "daemon";
    if (!field) {
        reply(request, 200, t);
        return;
    }
    snprintf(detail, sizeof detail, "the thread \"%.*s\" exists with another %s",
             request->name_bytes, request->name, field);
    ili_reply_problem(request, IL_ECONFLICT, detail);
}

static il_status no_memory(struct ili_fault *fault) {
    return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "the server has no memory for the thread");
}

/* Takes CALL. NULL: it is not made, and *FAULT says why. */
static struct thread *make(struct ili_request *request, struct ili_deferred *call,
                           const char *session, struct ili_fault *fault) {
    struct ili_server *server = request->server;
    if (server->threads.count >= THREADS_MOST) {
        ili_fault_set(fault, IL_ELIMIT, NULL, NULL, "there are %u threads: delete some",
                      THREADS_MOST);
        return NULL;
    }
    il_status status = IL_OK;
    struct thread *t = calloc(1, sizeof *t);
    if (!t) {
        no_memory(fault);
        return NULL;
    }
    ili_named_set(&t->named, request->name, request->name_bytes);
    if (*session) status = ili_daemon_bind(server, &t->daemon, session, session_ended, fault);
    if (status == IL_OK && !ili_roster_add(&server->threads, &t->named)) {
        status = no_memory(fault);
    }
    if (status != IL_OK) {
        free_thread(t);
        return NULL;
    }
    t->call = *call;
    *call = (struct ili_deferred){.text = NULL};
    return t;
}

static void put(struct ili_request *request, struct ili_deferred *call, const char *session) {
    struct ili_fault fault;
    struct thread *t = (struct thread *)ili_roster_find(&request->server->threads, request->name,
                                                        request->name_bytes);
    if (t) {
        put_again(request, t, call, session);
        return;
    }
    t = make(request, call, session, &fault);
    if (t) {
        reply(request, 201, t);
    } else {
        ili_reply_fault(request, &fault);
    }
}

void ili_threads_put(struct ili_request *request) {
    struct ili_deferred_fields fields = {0};
    struct ili_deferred call = {0};
    struct ili_fault fault;
    bool daemon = false;
    char session[ILI_SESSION_ID_BYTES + 1] = "";
    const struct ili_param params[] = {
        ILI_DEFERRED_PARAMS(&fields),
        ILI_PARAM_BOOL("daemon", &daemon),
        {"session", ILI_PARAM_IS_TEXT, session, 1, ILI_SESSION_ID_BYTES, false},
    };
    il_status status = ili_params_read(request->body, request->body_bytes, params,
                                       sizeof params / sizeof *params, &fault);
    if (status == IL_OK) status = ili_deferred_make(&fields, &call, &fault);
    if (status == IL_OK) status = ili_daemon_check(daemon, session, &fault);
    ili_deferred_fields_drop(&fields);
    if (status == IL_OK) {
        put(request, &call, session);
    } else {
        ili_reply_fault(request, &fault);
    }
    ili_deferred_free(&call);
}

void ili_threads_delete(struct ili_request *request) {
    struct thread *t = thread_of_path(request);
    if (!t) return;
    if (t->task) {
        ili_reply_problem(request, IL_ECONFLICT,
                          "the thread is alive: cancel its task, or join it first");
        return;
    }
    ili_roster_remove(&request->server->threads, &t->named);
    free_thread(t);
    ili_reply_empty(request, 0);
}

/* ---- its life ------------------------------------------------------------------------------------- */

/* NULL also if there is no memory for it. */
static char *copy_of(const char *text, size_t bytes) {
    char *copy = text ? malloc(bytes + 1) : NULL;
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

static void answer(struct ili_request *request, void *thing) { reply(request, 200, thing); }

static void task_ended(struct ili_task_watch *watch, struct ili_task *task) {
    struct thread *t = (struct thread *)((char *)watch - offsetof(struct thread, watch));
    t->task = NULL;
    t->outcome = (enum ili_task_state)task->state;
    t->ended_ns = task->ended_ns ? task->ended_ns : ili_now_ns();
    t->result = copy_of(task->result, task->result_bytes);
    t->result_bytes = task->result_bytes;
    t->error = copy_of(task->error, task->error_bytes);
    t->error_bytes = task->error_bytes;
    ili_joins_tell(&t->joins);
}

void ili_threads_start(struct ili_request *request) {
    struct ili_fault fault;
    if (!ili_request_read(request, NULL, 0)) return;
    struct thread *t = thread_of_path(request);
    if (!t) return;
    if (t->task_id) {
        ili_reply_problem(request, IL_ESTARTED, NULL);
    } else if (ili_daemon_is_over(&t->daemon)) {
        ili_reply_problem(request, IL_ESESSION, "the session that the daemon ends with has ended");
    } else if (ili_deferred_submit(request->server, &t->call, &t->task, &fault) == IL_OK) {
        t->task_id = t->task->id;
        t->started_ns = ili_now_ns();
        t->watch.ended = task_ended;
        ili_task_watch(t->task, &t->watch);
        reply(request, 200, t);
    } else {
        ili_reply_fault(request, &fault);
    }
}

void ili_threads_join(struct ili_request *request) {
    struct ili_join_fields fields;
    if (!ili_join_read(request, &fields)) return;
    struct thread *t = thread_of_path(request);
    if (!t) return;
    if (!t->task_id) {
        ili_reply_problem(request, IL_ENOTSTARTED, NULL);
    } else if (!t->task) {
        reply(request, 200, t);
    } else {
        ili_join_wait(request, &t->joins, t, fields.timeout_ns, answer);
    }
}
