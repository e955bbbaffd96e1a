/*
 * map.c - see map.h.
 *
 * A request holds up to PART_BYTES of items; what does not fit follows in the next, once the one
 * before is through. Its answer is NDJSON, a line for each item as it ends. Lines are cut out of what
 * arrives, wherever that is broken. A connection that ends early cancels the server's map: the caller
 * is told, and nothing is submitted twice.
 */
#include "client/map.h"

#include <string.h>

#include "client/task.h"

#define PART_BYTES ((size_t)8 * 1024 * 1024)
#define PART_ITEMS 100000u

struct stream {
    const struct ili_remote_map *map;
    size_t first, count, told; /* the items of this request */
    struct ili_buffer line;    /* the part of one that has come */
    bool stopped;              /* by the caller's function */
    bool nonsense;
};

/* ---- results ------------------------------------------------------------------------------------ */

/* False: enough. */
static bool tell(struct stream *s, struct ili_json line) {
    struct ili_task_view view;
    uint64_t index;
    s->nonsense = !ili_json_number(ili_json_member(line, "index"), &index) || index >= s->count ||
                  !ili_task_view_read(line, &view) || view.state < IL_TASK_SUCCEEDED;
    if (s->nonsense) return false;
    il_status status = ili_task_end(view.state);
    struct ili_json what = status == IL_OK ? view.result : view.error;
    il_map_result result = {.struct_bytes = sizeof result,
                            .status = status,
                            .index = s->first + index,
                            .data = what.at ? what.at : "",
                            .bytes = what.bytes};
    s->told++;
    s->stopped = s->map->each(s->map->context, &result) != 0;
    return !s->stopped;
}

static bool read_line(struct stream *s, const char *text, size_t bytes) {
    struct ili_json line;
    s->nonsense = !ili_json_load(text, bytes, ILI_JSON_DEPTH, &line);
    if (s->nonsense) return false;
    bool more = tell(s, line);
    ili_json_free(&line);
    return more;
}

static bool take(void *context, const char *data, size_t bytes) {
    struct stream *s = context;
    while (bytes > 0) {
        const char *end = memchr(data, '\n', bytes);
        size_t part = end ? (size_t)(end - data) : bytes;
        bool more = true;
        if (end && s->line.bytes == 0) {
            more = part == 0 || read_line(s, data, part);
        } else {
            if (part > ILI_TASK_ANSWER_BYTES - s->line.bytes) s->line.failed = true;
            ili_buffer_add(&s->line, data, part);
            if (s->line.failed) return false;
            if (end) {
                more = read_line(s, s->line.data, s->line.bytes);
                s->line.bytes = 0;
            }
        }
        if (!more) return false;
        data += part + (end ? 1 : 0);
        bytes -= part + (end ? 1 : 0);
    }
    return true;
}

/* ---- requests ----------------------------------------------------------------------------------- */

/* Adds items from FROM on; how many. */
static size_t write_items(struct ili_call *call, const struct ili_remote_map *map, size_t from) {
    size_t at = from;
    ili_call_field(call, "items");
    while (at < map->count && at - from < PART_ITEMS &&
           (at == from || call->body.bytes + map->items[at].bytes < PART_BYTES)) {
        ili_buffer_add_text(&call->body, at == from ? "[" : ",");
        ili_buffer_add(&call->body, map->items[at].data, map->items[at].bytes);
        at++;
    }
    ili_buffer_add_text(&call->body, "]");
    return at - from;
}

static il_status run(struct ili_remote_workers *workers, struct stream *s,
                     const struct ili_wait *wait) {
    const struct ili_remote_map *map = s->map;
    struct ili_call call;
    ili_remote_workers_begin(&call, workers, "POST", "map");
    ili_remote_work_write(&call, &map->work);
    if (map->flags & IL_MAP_STAR) ili_call_field_bool(&call, "star", true);
    if (map->flags & IL_MAP_ORDERED) ili_call_field_bool(&call, "ordered", true);
    if (map->chunk) {
        ili_call_field(&call, "chunk");
        ili_buffer_add_number(&call.body, map->chunk);
    }
    s->count = write_items(&call, map, s->first);
    call.header = "Accept: application/x-ndjson";
    call.sink = take;
    call.sink_context = s;
    il_status status = ili_call_stream(&call, wait);
    if (s->stopped) {
        status = ili_remote_fail(IL_ECANCELLED, "the caller's function said that it is enough");
    } else if (s->nonsense || (status == IL_OK && s->told != s->count)) {
        status = ili_call_nonsense(&call, "lines that are not the results of the map");
    } else if (s->line.failed) {
        status = ili_remote_fail(IL_ENOMEM, "no memory for a result");
    }
    ili_call_end(&call);
    return status;
}

il_status ili_remote_workers_map(struct ili_remote_workers *workers,
                                 const struct ili_remote_map *map, int64_t timeout_ns) {
    struct ili_wait wait;
    struct stream s = {.map = map};
    il_status status = ili_remote_domain_check(workers->domain);
    ili_wait_begin(&wait, timeout_ns);
    while (status == IL_OK && s.first < map->count) {
        s.told = 0;
        status = run(workers, &s, &wait);
        s.first += s.count;
    }
    ili_buffer_free(&s.line);
    return status;
}
