#include "server/router.h"

#include <stdio.h>
#include <string.h>

#include "server/acquire.h"
#include "server/alarms.h"
#include "server/arrays.h"
#include "server/barriers.h"
#include "server/batch.h"
#include "server/cells.h"
#include "server/changes.h"
#include "server/client_sessions.h"
#include "server/condition_wait.h"
#include "server/conditions.h"
#include "server/deadlocks.h"
#include "server/dicts.h"
#include "server/events.h"
#include "server/grants.h"
#include "server/latches.h"
#include "server/lists.h"
#include "server/map_results.h"
#include "server/maps.h"
#include "server/objects.h"
#include "server/path.h"
#include "server/pipes.h"
#include "server/pools.h"
#include "server/processes.h"
#include "server/put.h"
#include "server/queues.h"
#include "server/sessions.h"
#include "server/several.h"
#include "server/submit.h"
#include "server/system.h"
#include "server/take.h"
#include "server/tasks.h"
#include "server/threads.h"
#include "server/wait_any.h"
#include "server/watch.h"

#define REPEATABLE ILI_ROUTE_IDEMPOTENT
#define WATCH_ROUTE(collection)                                                                    \
    { ILI_GET, ILI_ROUTE_QUERY | ILI_ROUTE_ALONE, collection, true, "watch", ili_watch }
#define LARGE (ILI_ROUTE_IDEMPOTENT | ILI_ROUTE_ITEMS)
#define WAITING (ILI_ROUTE_IDEMPOTENT | ILI_ROUTE_WAITS)

/* Of what is granted: what its holders do, then what all objects have. */
#define GRANT_ROUTES(collection)                                                                   \
    {ILI_POST, WAITING, collection, true, "acquire", ili_acquire},                                 \
        {ILI_POST, REPEATABLE, collection, true, "release", ili_grant_release},                    \
        {ILI_POST, 0, collection, true, "renew", ili_grant_renew},                                 \
        {ILI_POST, 0, collection, true, "check", ili_grant_check},                                 \
        {ILI_POST, REPEATABLE, collection, true, "break", ili_grant_break},                        \
        ILI_OBJECT_ROUTES(collection)

/* Of what holds elements of a type: what is done with one, then what all objects have. */
#define CELL_ROUTES(collection)                                                                    \
    {ILI_POST, 0, collection, true, "load", ili_cells_op_load},                                    \
        {ILI_POST, REPEATABLE | ILI_ROUTE_ITEMS, collection, true, "store", ili_cells_op_store},   \
        {ILI_POST, REPEATABLE, collection, true, "add", ili_cells_op_add},                         \
        {ILI_POST,   REPEATABLE | ILI_ROUTE_ITEMS, collection, true,                               \
         "exchange", ili_cells_op_exchange},                                                       \
        {ILI_POST, REPEATABLE | ILI_ROUTE_ITEMS, collection,                                       \
         true,     "compare_exchange",           ili_cells_op_compare_exchange},                   \
        {ILI_GET, 0, collection, true, NULL, ili_objects_get},                                     \
        {ILI_PUT, 0, collection, true, NULL, ili_objects_put},                                     \
        {ILI_DELETE, 0, collection, true, NULL, ili_cells_op_delete}, {                            \
        ILI_GET, ILI_ROUTE_QUERY, collection, false, NULL, ili_objects_list                        \
    }

const struct ili_route ili_routes[] = {
    /* method, flags, collection, named, operation, handler */
    GRANT_ROUTES("locks"),
    GRANT_ROUTES("rlocks"),
    GRANT_ROUTES("rwlocks"),
    GRANT_ROUTES("semaphores"),

    {ILI_POST, WAITING | ILI_ROUTE_ITEMS, "queues", true, "put", ili_put_one},
    {ILI_POST, WAITING, "queues", true, "get", ili_take_one},
    {ILI_POST, WAITING | ILI_ROUTE_ITEMS, "queues", true, "put_many", ili_put_many},
    {ILI_POST, WAITING, "queues", true, "get_many", ili_take_many},
    {ILI_POST, 0, "queues", true, "peek", ili_take_peek},
    {ILI_POST, 0, "queues", true, "close", ili_queues_close},
    ILI_OBJECT_ROUTES("queues"),

    {ILI_GET, ILI_ROUTE_PART, "dicts", true, "items", ili_dict_item_get},
    {ILI_PUT, LARGE | ILI_ROUTE_PART, "dicts", true, "items", ili_dict_item_put},
    {ILI_DELETE, ILI_ROUTE_PART, "dicts", true, "items", ili_dict_item_delete},
    {ILI_POST, 0, "dicts", true, "get", ili_dict_call_get},
    {ILI_POST, LARGE, "dicts", true, "set", ili_dict_call_set},
    {ILI_POST, LARGE, "dicts", true, "setdefault", ili_dict_call_set_default},
    {ILI_POST, LARGE, "dicts", true, "pop", ili_dict_call_pop},
    {ILI_POST, REPEATABLE, "dicts", true, "popitem", ili_dict_call_pop_item},
    {ILI_POST, REPEATABLE, "dicts", true, "remove", ili_dict_call_remove},
    {ILI_POST, 0, "dicts", true, "contains", ili_dict_call_contains},
    {ILI_POST, LARGE, "dicts", true, "update", ili_dicts_update},
    {ILI_POST, REPEATABLE, "dicts", true, "clear", ili_dicts_clear},
    {ILI_POST, REPEATABLE, "dicts", true, "copy", ili_dicts_copy},
    {ILI_POST, 0, "dicts", true, "length", ili_dicts_length},
    {ILI_GET, ILI_ROUTE_QUERY, "dicts", true, "items", ili_dict_page_items},
    {ILI_GET, ILI_ROUTE_QUERY, "dicts", true, "keys", ili_dict_page_keys},
    {ILI_GET, ILI_ROUTE_QUERY, "dicts", true, "values", ili_dict_page_values},
    ILI_OBJECT_ROUTES("dicts"),

    {ILI_GET, ILI_ROUTE_PART, "lists", true, "items", ili_list_item_get},
    {ILI_PUT, LARGE | ILI_ROUTE_PART, "lists", true, "items", ili_list_item_put},
    {ILI_DELETE, ILI_ROUTE_PART, "lists", true, "items", ili_list_item_delete},
    {ILI_POST, LARGE, "lists", true, "append", ili_list_call_append},
    {ILI_POST, LARGE, "lists", true, "extend", ili_list_call_extend},
    {ILI_POST, LARGE, "lists", true, "insert", ili_list_call_insert},
    {ILI_POST, LARGE, "lists", true, "splice", ili_list_call_splice},
    {ILI_POST, REPEATABLE, "lists", true, "pop", ili_list_call_pop},
    {ILI_POST, LARGE, "lists", true, "remove", ili_list_call_remove},
    {ILI_POST, ILI_ROUTE_ITEMS, "lists", true, "index", ili_list_call_index},
    {ILI_POST, ILI_ROUTE_ITEMS, "lists", true, "count", ili_list_call_count},
    {ILI_POST, LARGE, "lists", true, "update", ili_lists_update},
    {ILI_POST, REPEATABLE, "lists", true, "reverse", ili_lists_reverse},
    {ILI_POST, REPEATABLE, "lists", true, "sort", ili_lists_sort},
    {ILI_POST, REPEATABLE, "lists", true, "clear", ili_lists_clear},
    {ILI_POST, 0, "lists", true, "length", ili_lists_length},
    {ILI_GET, ILI_ROUTE_QUERY, "lists", true, "items", ili_list_page},
    ILI_OBJECT_ROUTES("lists"),
    {ILI_POST, REPEATABLE, "pipes", true, "claim", ili_pipes_claim},
    {ILI_POST, REPEATABLE, "pipes", true, "close", ili_pipes_close},
    {ILI_POST, WAITING | ILI_ROUTE_ITEMS, "pipes", true, "send", ili_put_sent},
    {ILI_POST, WAITING, "pipes", true, "receive", ili_take_received},
    {ILI_POST, ILI_ROUTE_WAITS, "pipes", true, "poll", ili_pipes_poll},
    ILI_OBJECT_ROUTES("pipes"),

    {ILI_POST, REPEATABLE, "events", true, "set", ili_events_set},
    {ILI_POST, REPEATABLE, "events", true, "clear", ili_events_clear},
    {ILI_POST, WAITING, "events", true, "wait", ili_events_wait},
    ILI_OBJECT_ROUTES("events"),

    {ILI_POST, REPEATABLE, "latches", true, "count_down", ili_latches_count_down},
    {ILI_POST, WAITING, "latches", true, "wait", ili_latches_wait},
    ILI_OBJECT_ROUTES("latches"),

    {ILI_POST, WAITING, "barriers", true, "wait", ili_barriers_wait},
    {ILI_POST, REPEATABLE, "barriers", true, "reset", ili_barriers_reset},
    {ILI_POST, REPEATABLE, "barriers", true, "abort", ili_barriers_abort},
    ILI_OBJECT_ROUTES("barriers"),

    {ILI_POST, WAITING, "conditions", true, "acquire", ili_acquire},
    {ILI_POST, REPEATABLE, "conditions", true, "release", ili_conditions_release},
    {ILI_POST, WAITING | ILI_ROUTE_ALONE, "conditions", true, "wait", ili_conditions_wait},
    {ILI_POST, REPEATABLE, "conditions", true, "notify", ili_conditions_notify},
    {ILI_POST, REPEATABLE, "conditions", true, "notify_all", ili_conditions_notify_all},
    ILI_OBJECT_ROUTES("conditions"),

    CELL_ROUTES("values"),
    {ILI_GET, ILI_ROUTE_QUERY, "arrays", true, "items", ili_arrays_items},
    {ILI_POST, REPEATABLE | ILI_ROUTE_ITEMS, "arrays", true, "write", ili_arrays_write},
    CELL_ROUTES("arrays"),

    {ILI_POST, REPEATABLE | ILI_ROUTE_ITEMS, "pools", true, "tasks", ili_submit},
    {ILI_POST, REPEATABLE | ILI_ROUTE_ITEMS, "pools", true, "map", ili_maps_submit},
    {ILI_POST, 0, "pools", true, "close", ili_pools_shut},
    {ILI_POST, 0, "pools", true, "terminate", ili_pools_terminate},
    {ILI_POST, ILI_ROUTE_WAITS, "pools", true, "join", ili_pools_join},
    {ILI_GET, 0, "pools", true, NULL, ili_pools_get},
    {ILI_PUT, 0, "pools", true, NULL, ili_pools_put},
    {ILI_DELETE, 0, "pools", true, NULL, ili_pools_delete},
    {ILI_GET, ILI_ROUTE_QUERY, "pools", false, NULL, ili_pools_list},

    {ILI_POST, ILI_ROUTE_WAITS, "tasks", true, "wait", ili_tasks_wait},
    {ILI_POST, 0, "tasks", true, "cancel", ili_tasks_cancel},
    {ILI_GET, 0, "tasks", true, NULL, ili_tasks_get},
    {ILI_DELETE, 0, "tasks", true, NULL, ili_tasks_delete},
    {ILI_GET, ILI_ROUTE_QUERY, "tasks", false, NULL, ili_tasks_list},

    {ILI_GET, ILI_ROUTE_QUERY, "maps", true, "results", ili_map_results_get},
    {ILI_POST, ILI_ROUTE_WAITS, "maps", true, "wait", ili_maps_wait},
    {ILI_POST, 0, "maps", true, "cancel", ili_maps_cancel},
    {ILI_GET, 0, "maps", true, NULL, ili_maps_get},
    {ILI_DELETE, 0, "maps", true, NULL, ili_maps_delete},

    {ILI_POST, REPEATABLE | ILI_ROUTE_ALONE, "processes", true, "start", ili_processes_start},
    {ILI_POST, ILI_ROUTE_WAITS, "processes", true, "join", ili_processes_join},
    {ILI_POST, REPEATABLE, "processes", true, "terminate", ili_processes_terminate},
    {ILI_POST, REPEATABLE, "processes", true, "kill", ili_processes_kill},
    {ILI_GET, 0, "processes", true, NULL, ili_processes_get},
    {ILI_PUT, ILI_ROUTE_ITEMS, "processes", true, NULL, ili_processes_put},
    {ILI_DELETE, 0, "processes", true, NULL, ili_processes_delete},
    {ILI_GET, ILI_ROUTE_QUERY, "processes", false, NULL, ili_processes_list},

    {ILI_POST, REPEATABLE, "threads", true, "start", ili_threads_start},
    {ILI_POST, ILI_ROUTE_WAITS, "threads", true, "join", ili_threads_join},
    {ILI_GET, 0, "threads", true, NULL, ili_threads_get},
    {ILI_PUT, ILI_ROUTE_ITEMS, "threads", true, NULL, ili_threads_put},
    {ILI_DELETE, 0, "threads", true, NULL, ili_threads_delete},
    {ILI_GET, ILI_ROUTE_QUERY, "threads", false, NULL, ili_threads_list},

    {ILI_POST, REPEATABLE, "timers", true, "start", ili_alarms_start},
    {ILI_POST, REPEATABLE, "timers", true, "cancel", ili_alarms_cancel},
    {ILI_GET, 0, "timers", true, NULL, ili_alarms_get},
    {ILI_PUT, ILI_ROUTE_ITEMS, "timers", true, NULL, ili_alarms_put},
    {ILI_DELETE, 0, "timers", true, NULL, ili_alarms_delete},
    {ILI_GET, ILI_ROUTE_QUERY, "timers", false, NULL, ili_alarms_list},

    {ILI_POST, REPEATABLE | ILI_ROUTE_ITEMS | ILI_ROUTE_ALONE, "batch", false, NULL, ili_batch},
    {ILI_GET, 0, "health", false, NULL, ili_system_health},
    {ILI_GET, 0, "version", false, NULL, ili_system_version},
    {ILI_GET, 0, "sessions", false, NULL, ili_sessions_list},
    {ILI_POST, REPEATABLE, "sessions", false, NULL, ili_client_sessions_make},
    {ILI_GET, 0, "sessions", true, NULL, ili_sessions_get},
    {ILI_DELETE, 0, "sessions", true, NULL, ili_client_sessions_end},
    {ILI_POST, 0, "sessions", true, "renew", ili_client_sessions_renew},
    {ILI_POST, ILI_ROUTE_WAITS, "sessions", true, "losses", ili_client_sessions_losses},
    {ILI_GET, 0, "deadlocks", false, NULL, ili_deadlocks_get},

    {ILI_POST, ILI_ROUTE_WAITS, "dicts", true, "changes", ili_changes},
    {ILI_POST, ILI_ROUTE_WAITS, "lists", true, "changes", ili_changes},
    WATCH_ROUTE("dicts"),
    WATCH_ROUTE("lists"),
    WATCH_ROUTE("values"),
    WATCH_ROUTE("queues"),
    WATCH_ROUTE("locks"),
    WATCH_ROUTE("rlocks"),
    WATCH_ROUTE("tasks"),

    {ILI_POST, WAITING, "acquire", false, NULL, ili_several_acquire},
    {ILI_POST, 0, "release", false, NULL, ili_several_release},
    {ILI_POST, WAITING, "wait", false, NULL, ili_wait_any},

    {ILI_GET, 0, "deaths", false, NULL, ili_sessions_deaths},
    {0, 0, NULL, false, NULL, NULL},
};

static const struct {
    const char *name;
    uint16_t bit;
} methods_by_name[] = {{"POST", ILI_POST}, {"GET", ILI_GET},       {"PUT", ILI_PUT},
                       {"HEAD", ILI_HEAD}, {"DELETE", ILI_DELETE}, {"OPTIONS", ILI_OPTIONS}};

#define METHODS (sizeof methods_by_name / sizeof *methods_by_name)

uint16_t ili_method_named(const char *method) {
    for (size_t i = 0; i < METHODS; i++) {
        if (strcmp(method, methods_by_name[i].name) == 0) return methods_by_name[i].bit;
    }
    return 0;
}

static bool segment_is(const struct ili_path *path, unsigned i, const char *text) {
    /* most differ in their first characters; a segment is followed by a slash or a NUL */
    return path->segment[i].at[0] == text[0] && strlen(text) == path->segment[i].bytes &&
           memcmp(path->segment[i].at, text, path->segment[i].bytes) == 0;
}

/* The version, then the collection, then perhaps a name, then perhaps an operation, then perhaps a part. */
static bool matches(const struct ili_route *route, const struct ili_path *path) {
    unsigned count =
        2u + route->named + (route->operation != NULL) + !!(route->flags & ILI_ROUTE_PART);
    return path->count == count && segment_is(path, 1, route->collection) &&
           (!route->operation || segment_is(path, 3, route->operation));
}

const struct ili_route *ili_router_find(const struct ili_path *path, uint16_t method,
                                        uint16_t *methods) {
    const struct ili_route *found = NULL;
    uint16_t wanted = method == ILI_HEAD ? ILI_GET : method;
    uint16_t all = 0;
    if (path->count >= 2 && segment_is(path, 0, "v1")) {
        for (const struct ili_route *route = ili_routes; route->handle; route++) {
            if (!matches(route, path)) continue;
            all |= route->method;
            if (route->method == wanted) found = route;
        }
    }
    if (all & ILI_GET) all |= ILI_HEAD;
    if (all) all |= ILI_OPTIONS;
    *methods = all;
    return found;
}

void ili_router_allow(uint16_t methods, char *room, size_t room_bytes) {
    static const uint16_t order[] = {ILI_GET, ILI_HEAD, ILI_PUT, ILI_POST, ILI_DELETE, ILI_OPTIONS};
    size_t length = 0;
    *room = 0;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (!(methods & order[i])) continue;
        for (size_t k = 0; k < METHODS; k++) {
            if (methods_by_name[k].bit != order[i]) continue;
            snprintf(room + length, room_bytes - length, "%s%s", length ? ", " : "",
                     methods_by_name[k].name);
            length = strlen(room);
        }
    }
}
