#include "server/maps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/call_fields.h"
#include "server/map_results.h"
#include "server/params.h"
#include "server/pools.h"
#include "server/repeat.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/submit.h"
#include "server/task_options.h"
#include "server/task_view.h"
#include "server/tasks.h"
#include "server/vigil.h"

struct ili_map *ili_maps_of_path(struct ili_request *request) {
    struct ili_map *map = ili_map_find(&request->server->pools, ili_tasks_id(request));
    if (!map) ili_reply_problem(request, IL_ENOTFOUND, NULL);
    return map;
}

void ili_maps_reply(struct ili_request *request, unsigned http_status, const struct ili_map *map) {
    struct ili_out out = {0};
    ili_map_write(&out, map);
    ili_reply(request, http_status, &out);
}

void ili_maps_get(struct ili_request *request) {
    const struct ili_map *map = ili_maps_of_path(request);
    if (map) ili_maps_reply(request, 200, map);
}

void ili_maps_cancel(struct ili_request *request) {
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_map *map = ili_maps_of_path(request);
    if (!map) return;
    ili_map_cancel(map);
    ili_maps_reply(request, 200, map);
}

void ili_maps_delete(struct ili_request *request) {
    struct ili_map *map = ili_maps_of_path(request);
    if (!map) return;
    if (ili_map_forget(map) == IL_OK) {
        ili_reply_empty(request, 0);
    } else {
        ili_reply_problem(request, IL_ECONFLICT, "the map has not ended: cancel it first");
    }
}

/* ---- waiting -------------------------------------------------------------------------------------- */

struct awaiting {
    struct ili_vigil vigil;
    struct ili_map_watch watch;
    struct ili_map *map; /* valid while it is watched */
    unsigned late;
};

static void unwatch(struct ili_vigil *vigil) {
    struct awaiting *a = (struct awaiting *)vigil;
    ili_map_unwatch(a->map, &a->watch);
}

static void keep_for_repeats(struct ili_request *request, const struct ili_map *map) {
    struct ili_out out = {0};
    ili_map_write(&out, map);
    ili_repeat_leave(request, 202, &out);
}

static void reply_ended(struct ili_request *request, const struct ili_map *map, unsigned late) {
    if (late) {
        ili_map_results_reply(request, map);
    } else {
        ili_maps_reply(request, 200, map);
    }
}

static void answer(struct ili_request *request, il_status status) {
    const struct awaiting *a = (struct awaiting *)request->work;
    if (status == IL_OK) {
        reply_ended(request, a->map, a->late);
    } else if (status == IL_EGONE) {
        if (request->record && a->late) keep_for_repeats(request, a->map);
    } else if (status == IL_ETIMEOUT && a->late) {
        ili_maps_reply(request, a->late, a->map);
    } else {
        ili_reply_problem(request, status, NULL);
    }
}

static void element_ended(struct ili_map_watch *watch, struct ili_map *map, struct ili_task *task) {
    struct awaiting *a = (struct awaiting *)((char *)watch - offsetof(struct awaiting, watch));
    (void)task;
    if (map->ended < map->count) return;
    ili_map_unwatch(map, watch);
    ili_vigil_met(&a->vigil);
}

void ili_maps_await(struct ili_request *request, struct ili_map *map, int64_t deadline_ns,
                    unsigned late) {
    if (map->ended == map->count) {
        reply_ended(request, map, late);
        return;
    }
    struct awaiting *a = ili_vigil_new(request, sizeof *a, unwatch, answer);
    if (!a) return;
    a->watch.element = element_ended;
    a->map = map;
    a->late = late;
    il_status status =
        deadline_ns > ili_now_ns() ? ili_vigil_park(request, &a->vigil, deadline_ns) : IL_ETIMEOUT;
    if (status == IL_OK) {
        ili_map_watch(map, &a->watch);
    } else if (late) {
        ili_maps_reply(request, late, map);
    } else {
        ili_reply_problem(request, status, NULL);
    }
}

void ili_maps_wait(struct ili_request *request) {
    int64_t timeout_ns = request->server->config.long_poll_ns;
    const struct ili_param params[] = {ILI_PARAM_SECONDS("timeout", &timeout_ns, 0, timeout_ns)};
    if (!ili_request_read(request, params, 1)) return;
    struct ili_map *map = ili_maps_of_path(request);
    if (map) ili_maps_await(request, map, ili_now_ns() + timeout_ns, 0);
}

/* ---- submission ------------------------------------------------------------------------------------- */

struct mapping {
    struct ili_value function, items, kwargs; /* borrowed from the body */
    struct ili_task_fields fields;
    bool star, ordered;
    uint64_t chunk;
    struct ili_map_item *each; /* owned */
    char *texts;               /* owned: of the items that are not arguments as they are */
    uint32_t count;
};

static il_status read_fields(const struct ili_pool *pool, const struct ili_value *body,
                             struct mapping *m, struct ili_fault *fault) {
    const struct ili_param params[] = {
        ILI_PARAM_VALUE("function", &m->function),
        {"items", ILI_PARAM_IS_VALUE, &m->items, 0, 0, true},
        ILI_PARAM_BOOL("star", &m->star),
        ILI_PARAM_VALUE("kwargs", &m->kwargs),
        ILI_PARAM_COUNT("chunk", &m->chunk, 0, ILI_MAP_ITEMS_MOST),
        ILI_PARAM_BOOL("ordered", &m->ordered),
        ILI_DELAY_PARAM(&m->fields),
        ILI_TASK_FIELD_PARAMS(&m->fields),
    };
    ili_task_fields_begin(&m->fields, &ili_pool_options(pool)->defaults);
    il_status status = ili_params_read_value(body, params, sizeof params / sizeof *params, fault);
    json_decref(m->function.json);
    json_decref(m->items.json);
    json_decref(m->kwargs.json);
    return status;
}

/* Item INDEX as it is: an array of arguments. */
static il_status check_starred(const struct ili_pool *pool, size_t index,
                               const struct ili_value *value, struct ili_fault *fault) {
    char where[32];
    snprintf(where, sizeof where, "items[%zu]", index);
    return ili_call_args(pool, where, value, fault);
}

/* Item INDEX as the one argument. */
static il_status check_alone(const struct ili_pool *pool, size_t index,
                             const struct ili_value *value, struct ili_fault *fault) {
    char where[32];
    snprintf(where, sizeof where, "items[%zu]", index);
    const char *text = json_string_value(value->json);
    bool plain = text && strlen(text) == json_string_length(value->json);
    if (ili_pool_options(pool)->kind == ILI_POOL_EXEC && !plain) {
        return ili_fault_expected(fault, where, "a string without NUL");
    }
    if (value->bytes >= ILI_VALUE_DEPTH && ili_value_depth(value) >= ILI_VALUE_DEPTH) {
        return ili_fault_expected(fault, where, "less than 64 levels of nesting");
    }
    return IL_OK;
}

/* Makes each item an array of arguments. */
static il_status read_items(const struct ili_pool *pool, struct mapping *m,
                            struct ili_fault *fault) {
    struct ili_value_walk walk = {0};
    struct ili_value value;
    char *text = m->texts;
    for (uint32_t i = 0; ili_value_next(&m->items, &walk, &value); i++) {
        il_status status =
            m->star ? check_starred(pool, i, &value, fault) : check_alone(pool, i, &value, fault);
        if (status != IL_OK) return status;
        if (m->star) {
            m->each[i] = (struct ili_map_item){value.at, value.bytes};
            continue;
        }
        m->each[i] = (struct ili_map_item){text, value.bytes + 2};
        *text++ = '[';
        memcpy(text, value.at, value.bytes);
        text += value.bytes;
        *text++ = ']';
    }
    return IL_OK;
}

static il_status read_all(const struct ili_pool *pool, const struct ili_value *body,
                          struct mapping *m, const char **function, size_t *function_bytes,
                          struct ili_fault *fault) {
    il_status status = read_fields(pool, body, m, fault);
    if (status == IL_OK) {
        status = ili_call_function(pool, &m->function, function, function_bytes, fault);
    }
    if (status == IL_OK) status = ili_call_kwargs(pool, &m->kwargs, fault);
    if (status != IL_OK) return status;
    size_t count = json_array_size(m->items.json);
    if (!json_is_array(m->items.json) || count > ILI_MAP_ITEMS_MOST) {
        return ili_fault_expected(fault, "items", "an array of at most 1000000 items");
    }
    ili_value_unbreak(&m->items);
    m->count = (uint32_t)count;
    m->each = calloc(count + 1, sizeof *m->each);
    m->texts = m->star ? NULL : malloc(m->items.bytes + 2 * count + 1);
    if (!m->each || (!m->star && !m->texts)) {
        return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "the server has no memory for the map");
    }
    return read_items(pool, m, fault);
}

/* A stream is not kept for a repeat. */
static il_status check_wishes(const struct ili_request *request, struct ili_fault *fault) {
    if (request->key && request->wishes.ndjson && !request->answer) {
        return ili_fault_set(fault, IL_EINVAL, "Idempotency-Key",
                             "to be absent where the answer is a stream",
                             "the answer of a request with an Idempotency-Key cannot be a stream");
    }
    return ili_wishes_check(&request->wishes, fault);
}

static void proceed(struct ili_request *request, struct ili_map *map, bool ordered) {
    if (request->answer) {
        ili_maps_reply(request, 202, map);
    } else if (request->wishes.ndjson) {
        ili_request_drop_body(request);
        ili_map_results_stream(request, map, ordered, true);
    } else if (request->wishes.waits) {
        request->waited = true;
        ili_maps_await(request, map, ili_submit_patience(request), 202);
    } else {
        ili_maps_reply(request, 202, map);
    }
}

void ili_maps_submit(struct ili_request *request) {
    struct mapping m = {0};
    struct ili_value body;
    struct ili_task_options options;
    struct ili_fault fault;
    struct ili_map *map = NULL;
    const char *function = NULL;
    size_t function_bytes = 0;
    struct ili_pool *pool = ili_pools_of_path(request);
    if (!pool || !ili_submit_load(request, &body)) return;
    il_status status = check_wishes(request, &fault);
    if (status == IL_OK) status = read_all(pool, &body, &m, &function, &function_bytes, &fault);
    if (status != IL_OK) {
        ili_reply_fault(request, &fault);
    } else {
        ili_task_fields_end(&m.fields, &options);
        ili_fault_set(&fault, IL_EINVAL, NULL, NULL, "the pool refuses the map");
        status = ili_map_submit(pool, function, function_bytes, m.each, m.count,
                                m.kwargs.json ? m.kwargs.at : NULL, m.kwargs.bytes,
                                (uint32_t)m.chunk, &options, &map, &fault);
        if (status != IL_OK) ili_submit_refuse(request, status, &fault);
    }
    free(m.each);
    free(m.texts);
    json_decref(body.json);
    if (map) proceed(request, map, m.ordered);
}
