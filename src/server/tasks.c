#include "server/tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/page.h"
#include "server/params.h"
#include "server/query.h"
#include "server/repeat.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/task_view.h"
#include "server/vigil.h"

/* Tasks that are looked at for one page, which may therefore be short. */
#define LOOKED_AT_MOST 100000u

uint64_t ili_tasks_id(const struct ili_request *request) {
    struct ili_fault unused;
    uint64_t id = 0;
    (void)ili_params_count("id", request->name, request->name_bytes, 1, UINT64_MAX, &id, &unused);
    return id;
}

/* NULL: the request was answered. */
static struct ili_task *task_of_path(struct ili_request *request) {
    struct ili_task *task = ili_task_find(&request->server->pools, ili_tasks_id(request));
    if (!task) ili_reply_problem(request, IL_ENOTFOUND, NULL);
    return task;
}

void ili_tasks_reply(struct ili_request *request, unsigned http_status,
                     const struct ili_task *task) {
    struct ili_out out = {0};
    ili_task_write(&out, task, true);
    ili_reply(request, http_status, &out);
}

void ili_tasks_get(struct ili_request *request) {
    const struct ili_task *task = task_of_path(request);
    if (task) ili_tasks_reply(request, 200, task);
}

void ili_tasks_cancel(struct ili_request *request) {
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_task *task = task_of_path(request);
    if (!task) return;
    ili_task_cancel(task);
    ili_tasks_reply(request, 200, task);
}

void ili_tasks_delete(struct ili_request *request) {
    char detail[96];
    struct ili_task *task = task_of_path(request);
    if (!task) return;
    const struct ili_map *map = task->map;
    if (map) {
        snprintf(detail, sizeof detail, "the task is part of the map \"%llu\", and goes with it",
                 (unsigned long long)map->id);
        ili_reply_problem(request, IL_ECONFLICT, detail);
    } else if (ili_task_forget(task) != IL_OK) {
        ili_reply_problem(request, IL_ECONFLICT, "the task has not ended: cancel it first");
    } else {
        ili_reply_empty(request, 0);
    }
}

/* ---- waiting -------------------------------------------------------------------------------------- */

struct awaiting {
    struct ili_vigil vigil;
    struct ili_task_watch watch;
    struct ili_task *task; /* valid while it is watched */
    unsigned late;
};

static void unwatch(struct ili_vigil *vigil) {
    struct awaiting *a = (struct awaiting *)vigil;
    ili_task_unwatch(a->task, &a->watch);
}

/* Nobody is left to be answered, but the request may be repeated. */
static void keep_for_repeats(struct ili_request *request, const struct ili_task *task) {
    struct ili_out out = {0};
    ili_task_write(&out, task, true);
    ili_repeat_leave(request, 202, &out);
}

static void answer(struct ili_request *request, il_status status) {
    const struct awaiting *a = (struct awaiting *)request->work;
    if (status == IL_OK) {
        ili_tasks_reply(request, 200, a->task);
    } else if (status == IL_EGONE) {
        if (request->record && a->late) keep_for_repeats(request, a->task);
    } else if (status == IL_ETIMEOUT && a->late) {
        ili_tasks_reply(request, a->late, a->task);
    } else {
        ili_reply_problem(request, status, NULL);
    }
}

static void task_ended(struct ili_task_watch *watch, struct ili_task *task) {
    struct awaiting *a = (struct awaiting *)((char *)watch - offsetof(struct awaiting, watch));
    (void)task;
    ili_vigil_met(&a->vigil);
}

void ili_tasks_await(struct ili_request *request, struct ili_task *task, int64_t deadline_ns,
                     unsigned late) {
    if (ili_task_has_ended(task)) {
        ili_tasks_reply(request, 200, task);
        return;
    }
    struct awaiting *a = ili_vigil_new(request, sizeof *a, unwatch, answer);
    if (!a) return;
    a->watch.ended = task_ended;
    a->task = task;
    a->late = late;
    il_status status =
        deadline_ns > ili_now_ns() ? ili_vigil_park(request, &a->vigil, deadline_ns) : IL_ETIMEOUT;
    if (status == IL_OK) {
        ili_task_watch(task, &a->watch);
    } else if (late) {
        ili_tasks_reply(request, late, task); /* it was submitted, whatever becomes of the wait */
    } else {
        ili_reply_problem(request, status, NULL);
    }
}

void ili_tasks_wait(struct ili_request *request) {
    int64_t timeout_ns = request->server->config.long_poll_ns;
    const struct ili_param params[] = {ILI_PARAM_SECONDS("timeout", &timeout_ns, 0, timeout_ns)};
    if (!ili_request_read(request, params, 1)) return;
    struct ili_task *task = task_of_path(request);
    if (task) ili_tasks_await(request, task, ili_now_ns() + timeout_ns, 0);
}

/* ---- the list --------------------------------------------------------------------------------------- */

struct list_query {
    const struct ili_pool *pool; /* NULL: of all */
    enum ili_task_state state;   /* ILI_TASK_STATES: any */
    uint64_t before;             /* ids */
    uint64_t limit;
};

static il_status read_list_query(struct ili_request *request, struct list_query *q,
                                 struct ili_fault *fault) {
    char limit[24], cursor[24], pool[IL_NAME_MAX_BYTES + 1], state[16];
    struct ili_query_param params[] = {ILI_QUERY("pool", pool), ILI_QUERY("state", state),
                                       ILI_QUERY("limit", limit), ILI_QUERY("cursor", cursor)};
    *q = (struct list_query){.state = ILI_TASK_STATES, .before = UINT64_MAX};
    il_status status = ili_query_read(request, params, 4, fault);
    if (status == IL_OK) status = ili_page_limit(&params[2], &q->limit, fault);
    if (status != IL_OK) return status;
    if (params[1].given) {
        q->state = ili_task_state_named(state, params[1].bytes);
        if (q->state == ILI_TASK_STATES) {
            return ili_fault_set(fault, IL_EINVAL, "state", "a state of tasks, as \"queued\"",
                                 "state: there is no state \"%s\"", state);
        }
    }
    if (params[3].given && ili_params_count("cursor", cursor, params[3].bytes, 1, UINT64_MAX,
                                            &q->before, fault) != IL_OK) {
        return ili_page_bad_cursor(fault);
    }
    if (!params[0].given) return IL_OK;
    q->pool = ili_pool_find(&request->server->pools, pool, params[0].bytes);
    if (q->pool) return IL_OK;
    return ili_fault_set(fault, IL_ENOTFOUND, NULL, NULL, "there is no pool \"%s\"", pool);
}

/* The newest task of POOL whose id is less than BEFORE. */
static struct ili_task *newest_before(struct ili_server *server, struct ili_pool *pool,
                                      uint64_t before) {
    struct ili_task *task = before == UINT64_MAX ? NULL : ili_task_find(&server->pools, before);
    if (task && task->pool == pool) return task->older;
    task = ili_pool_newest(pool);
    while (task && task->id >= before) task = task->older;
    return task;
}

/* One pool after the other would not be in order: the newest of all pools' newest is next. */
struct merge {
    struct ili_task **next; /* owned, one a pool */
    size_t count;
};

static bool begin_merge(struct ili_server *server, const struct list_query *q, struct merge *m) {
    size_t room = 0;
    struct ili_pool *pool = NULL;
    const char *name = NULL;
    size_t bytes = 0;
    while ((pool = ili_pool_after(&server->pools, name, bytes))) {
        name = ili_pool_name(pool, &bytes);
        room++;
    }
    *m = (struct merge){calloc(room + 1, sizeof(struct ili_task *)), 0};
    if (!m->next) return false;
    name = NULL;
    while ((pool = ili_pool_after(&server->pools, name, bytes))) {
        name = ili_pool_name(pool, &bytes);
        if (q->pool && pool != q->pool) continue;
        m->next[m->count++] = newest_before(server, pool, q->before);
    }
    return true;
}

static struct ili_task *take_newest(struct merge *m) {
    struct ili_task **newest = NULL;
    for (size_t i = 0; i < m->count; i++) {
        if (m->next[i] && (!newest || m->next[i]->id > (*newest)->id)) newest = &m->next[i];
    }
    if (!newest) return NULL;
    struct ili_task *task = *newest;
    *newest = task->older;
    return task;
}

void ili_tasks_list(struct ili_request *request) {
    struct list_query q;
    struct merge merge;
    struct ili_fault fault;
    struct ili_out out = {0};
    if (read_list_query(request, &q, &fault) != IL_OK) {
        ili_reply_fault(request, &fault);
        return;
    }
    if (!begin_merge(request->server, &q, &merge)) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the list");
        return;
    }
    struct ili_task *task = take_newest(&merge);
    uint64_t last = q.before;
    ili_out_open(&out, '{');
    ili_out_key(&out, "tasks");
    ili_out_open(&out, '[');
    for (uint32_t looked = 0; task && q.limit > 0 && looked < LOOKED_AT_MOST; looked++) {
        last = task->id;
        if (q.state == ILI_TASK_STATES || task->state == q.state) {
            ili_task_write(&out, task, false);
            q.limit--;
        }
        task = take_newest(&merge);
    }
    free(merge.next);
    ili_out_close(&out, ']');
    ili_out_key(&out, "cursor");
    if (task) {
        ili_out_token(&out, last);
    } else {
        ili_out_null(&out);
    }
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}
