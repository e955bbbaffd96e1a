#include "server/alarms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "server/alarm.h"
#include "server/page.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/task_options.h"
#include "server/task_view.h"

#define ALARMS_MOST 100000u
#define PERIOD_LEAST_NS INT64_C(1000000)

/* NULL: there is none, and the request was answered. */
static struct ili_alarm *alarm_of_path(struct ili_request *request) {
    struct ili_named *named =
        ili_roster_find(&request->server->alarms, request->name, request->name_bytes);
    if (!named) ili_reply_problem(request, IL_ENOTFOUND, NULL);
    return (struct ili_alarm *)named;
}

static void free_alarm(struct ili_alarm *a) {
    ili_timers_clear(&a->server->timers, &a->timer);
    ili_deferred_free(&a->options.call);
    free(a);
}

void ili_alarms_close(struct ili_server *server) {
    struct ili_roster *all = &server->alarms;
    for (size_t i = 0; i < all->count; i++) free_alarm((struct ili_alarm *)all->sorted[i]);
    ili_roster_free(all);
}

/* ---- the view ------------------------------------------------------------------------------------- */

static void write_when(struct ili_out *out, const struct ili_alarm_options *o) {
    static const char *const keys[] = {"after", "every"};
    if (o->kind == ILI_ALARM_CRON) {
        ili_out_key(out, "cron");
        ili_out_string(out, o->cron_text);
        ili_out_key(out, "time_zone");
        ili_out_string(out, o->local ? "local" : "UTC");
    } else {
        ili_out_key(out, keys[o->kind]);
        ili_out_seconds(out, o->period_ns);
    }
    ili_out_key(out, "repeat");
    if (o->repeat) {
        ili_out_number(out, o->repeat);
    } else {
        ili_out_null(out);
    }
    ili_out_key(out, "skip_if_running");
    ili_out_bool(out, o->skip_if_running);
}

static void write_error(struct ili_out *out, const struct ili_alarm *a) {
    const struct ili_status_info *info = ili_status_info(a->last_error.status);
    ili_out_key(out, "last_error");
    if (!a->last_error_ns) {
        ili_out_null(out);
        return;
    }
    ili_out_open(out, '{');
    ili_out_key(out, "code");
    ili_out_string(out, info ? info->code : "corrupt");
    ili_out_key(out, "detail");
    ili_out_string(out, a->last_error.detail);
    ili_write_time(out, "at", a->last_error_ns);
    ili_out_close(out, '}');
}

static void write_alarm(struct ili_out *out, const struct ili_alarm *a) {
    static const char *const states[] = {"created", "waiting", "done", "cancelled"};
    ili_out_open(out, '{');
    ili_out_key(out, "name");
    ili_out_text(out, a->named.name, a->named.name_bytes);
    ili_out_key(out, "state");
    ili_out_string(out, states[a->state]);
    ili_deferred_write(out, &a->options.call);
    write_when(out, &a->options);
    ili_out_key(out, "next");
    if (a->state == ILI_ALARM_WAITING) {
        ili_out_time_ms(out, ili_alarm_next_ms(a));
    } else {
        ili_out_null(out);
    }
    ili_out_key(out, "runs");
    ili_out_number(out, a->runs);
    ili_out_key(out, "skipped");
    ili_out_number(out, a->skipped);
    ili_out_key(out, "failed");
    ili_out_number(out, a->failed);
    ili_out_key(out, "last_task");
    if (a->last_task) {
        ili_out_token(out, a->last_task);
    } else {
        ili_out_null(out);
    }
    ili_write_time(out, "last_run", a->last_run_ns);
    write_error(out, a);
    ili_out_close(out, '}');
}

static void reply(struct ili_request *request, unsigned http_status, const struct ili_alarm *a) {
    struct ili_out out = {0};
    write_alarm(&out, a);
    ili_reply(request, http_status, &out);
}

void ili_alarms_get(struct ili_request *request) {
    const struct ili_alarm *a = alarm_of_path(request);
    if (a) reply(request, 200, a);
}

static const void *after(struct ili_server *server, const char *name, size_t name_bytes) {
    return ili_roster_after(&server->alarms, name, name_bytes);
}

static void view(struct ili_out *out, struct ili_server *server, const void *thing) {
    (void)server;
    write_alarm(out, thing);
}

void ili_alarms_list(struct ili_request *request) {
    static const struct ili_page_walk walk = {"timers", after, ili_named_name, view};
    ili_page_reply(request, &walk);
}

/* ---- making --------------------------------------------------------------------------------------- */

struct fields {
    struct ili_deferred_fields call;
    int64_t after_ns, every_ns; /* -1: not given */
    char cron[ILI_CRON_BYTES + 1], time_zone[8];
    uint64_t repeat;
    bool start, skip_if_running;
};

static il_status read_when(const struct fields *f, struct ili_alarm_options *out,
                           struct ili_fault *fault) {
    int given = (f->after_ns >= 0) + (f->every_ns >= 0) + (f->cron[0] != 0);
    if (given != 1) {
        const char *field = given == 0 ? "after" : f->cron[0] ? "cron" : "every";
        return ili_fault_expected(fault, field, "exactly one of after, every and cron");
    }
    out->local = strcmp(f->time_zone, "local") == 0;
    if (f->time_zone[0] && !out->local && strcmp(f->time_zone, "UTC") != 0) {
        return ili_fault_expected(fault, "time_zone", "UTC or local");
    }
    if (f->time_zone[0] && !f->cron[0]) {
        return ili_fault_expected(fault, "time_zone", "to be absent where there is no cron");
    }
    if (f->repeat && f->after_ns >= 0) {
        return ili_fault_expected(fault, "repeat", "to be absent where there is after");
    }
    out->kind = f->cron[0] ? ILI_ALARM_CRON : f->every_ns >= 0 ? ILI_ALARM_EVERY : ILI_ALARM_AFTER;
    out->period_ns = f->every_ns >= 0 ? f->every_ns : f->after_ns;
    out->repeat = f->repeat;
    out->skip_if_running = f->skip_if_running;
    if (!f->cron[0]) return IL_OK;
    memcpy(out->cron_text, f->cron, sizeof out->cron_text);
    return ili_cron_parse(&out->cron, f->cron, strlen(f->cron), fault);
}

static il_status read_options(struct ili_request *request, struct ili_alarm_options *out,
                              bool *start, struct ili_fault *fault) {
    struct fields f = {.after_ns = -1, .every_ns = -1};
    const struct ili_param params[] = {
        ILI_DEFERRED_PARAMS(&f.call),
        ILI_PARAM_SECONDS("after", &f.after_ns, 0, ILI_YEAR_NS),
        ILI_PARAM_SECONDS("every", &f.every_ns, PERIOD_LEAST_NS, ILI_YEAR_NS),
        {"cron", ILI_PARAM_IS_TEXT, f.cron, 1, ILI_CRON_BYTES, false},
        {"time_zone", ILI_PARAM_IS_TEXT, f.time_zone, 1, sizeof f.time_zone - 1, false},
        ILI_PARAM_COUNT("repeat", &f.repeat, 1, INT32_MAX),
        ILI_PARAM_BOOL("start", &f.start),
        ILI_PARAM_BOOL("skip_if_running", &f.skip_if_running),
    };
    il_status status = ili_params_read(request->body, request->body_bytes, params,
                                       sizeof params / sizeof *params, fault);
    if (status == IL_OK) status = ili_deferred_make(&f.call, &out->call, fault);
    if (status == IL_OK) status = read_when(&f, out, fault);
    ili_deferred_fields_drop(&f.call);
    *start = f.start;
    return status;
}

static const char *differ(const struct ili_alarm_options *a, const struct ili_alarm_options *b) {
    const char *field = ili_deferred_differ(&a->call, &b->call);
    if (field) return field;
    if (a->kind != b->kind) return "kind (after, every or cron)";
    if (a->period_ns != b->period_ns) return a->kind == ILI_ALARM_EVERY ? "every" : "after";
    if (strcmp(a->cron_text, b->cron_text) != 0) return "cron";
    if (a->local != b->local) return "time_zone";
    if (a->repeat != b->repeat) return "repeat";
    return a->skip_if_running != b->skip_if_running ? "skip_if_running" : NULL;
}

/* Takes OPTIONS if it is made. */
static il_status make(struct ili_request *request, struct ili_alarm_options *options,
                      struct ili_alarm **out) {
    struct ili_server *server = request->server;
    if (server->alarms.count >= ALARMS_MOST) return IL_ELIMIT;
    struct ili_alarm *a = calloc(1, sizeof *a);
    if (!a) return IL_ENOMEM;
    a->server = server;
    ili_named_set(&a->named, request->name, request->name_bytes);
    if (!ili_roster_add(&server->alarms, &a->named)) {
        free(a);
        return IL_ENOMEM;
    }
    a->options = *options;
    options->call = (struct ili_deferred){.text = NULL};
    *out = a;
    return IL_OK;
}

static void put(struct ili_request *request, struct ili_alarm_options *options, bool start) {
    char detail[sizeof request->name + 80];
    struct ili_alarm *a = (struct ili_alarm *)ili_roster_find(&request->server->alarms,
                                                              request->name, request->name_bytes);
    bool existed = a != NULL;
    const char *field = a ? differ(&a->options, options) : NULL;
    if (field) {
        snprintf(detail, sizeof detail, "the timer \"%.*s\" exists with another %s",
                 request->name_bytes, request->name, field);
        ili_reply_problem(request, IL_ECONFLICT, detail);
        return;
    }
    il_status status = a ? IL_OK : make(request, options, &a);
    if (status == IL_OK && start && a->state == ILI_ALARM_CREATED) status = ili_alarm_start(a);
    if (status == IL_OK) {
        reply(request, existed ? 200 : 201, a);
        return;
    }
    if (a && !existed) {
        ili_roster_remove(&request->server->alarms, &a->named);
        free_alarm(a);
    }
    ili_reply_problem(request, status,
                      status == IL_ELIMIT ? "there are too many timers: delete some"
                                          : "the server has no memory for the timer");
}

void ili_alarms_put(struct ili_request *request) {
    struct ili_alarm_options options;
    struct ili_fault fault;
    bool start = false;
    memset(&options, 0, sizeof options);
    if (read_options(request, &options, &start, &fault) == IL_OK) {
        put(request, &options, start);
    } else {
        ili_reply_fault(request, &fault);
    }
    ili_deferred_free(&options.call);
}

void ili_alarms_delete(struct ili_request *request) {
    struct ili_alarm *a = alarm_of_path(request);
    if (!a) return;
    ili_roster_remove(&request->server->alarms, &a->named);
    free_alarm(a);
    ili_reply_empty(request, 0);
}

/* ---- its life ------------------------------------------------------------------------------------- */

void ili_alarms_start(struct ili_request *request) {
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_alarm *a = alarm_of_path(request);
    if (!a) return;
    il_status status = ili_alarm_start(a);
    if (status == IL_OK) {
        reply(request, 200, a);
    } else {
        ili_reply_problem(request, status,
                          status == IL_ECANCELLED ? "the timer was cancelled before its start"
                                                  : NULL);
    }
}

void ili_alarms_cancel(struct ili_request *request) {
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_alarm *a = alarm_of_path(request);
    if (!a) return;
    ili_alarm_cancel(a);
    reply(request, 200, a);
}
