#include "server/map_results.h"

#include <stdlib.h>
#include <string.h>

#include "server/maps.h"
#include "server/query.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/stream.h"
#include "server/task_view.h"

static const char ndjson_type[] = "application/x-ndjson";

/* ---- as one array --------------------------------------------------------------------------------- */

static void write_results(struct ili_out *out, const struct ili_map *map) {
    ili_out_key(out, "map");
    ili_out_token(out, map->id);
    ili_out_key(out, "results");
    ili_out_open(out, '[');
    for (uint32_t i = 0; i < map->count; i++) {
        const struct ili_task *task = map->tasks[i];
        if (task->state == ILI_TASK_SUCCEEDED && task->result) {
            ili_out_json(out, task->result, task->result_bytes);
        } else {
            ili_out_null(out);
        }
    }
    ili_out_close(out, ']');
}

/* The first element that did not succeed; NULL: all did. */
static const struct ili_task *first_failure(const struct ili_map *map) {
    for (uint32_t i = 0; i < map->count; i++) {
        if (map->tasks[i]->state != ILI_TASK_SUCCEEDED) return map->tasks[i];
    }
    return NULL;
}

void ili_map_results_reply(struct ili_request *request, const struct ili_map *map) {
    const struct ili_task *failure = first_failure(map);
    struct ili_out out = {0};
    if (!failure) {
        ili_out_open(&out, '{');
        write_results(&out, map);
        ili_out_close(&out, '}');
        ili_reply(request, 200, &out);
        return;
    }
    ili_out_key(&out, "index");
    ili_out_number(&out, failure->index);
    ili_out_key(&out, "state");
    ili_out_string(&out, ili_task_state_name((enum ili_task_state)failure->state));
    ili_write_json(&out, "error", failure->error, failure->error_bytes);
    write_results(&out, map);
    ili_reply_problem_with(request, IL_EFAILED, "an element of the map did not succeed", true,
                           &out);
}

/* ---- line by line --------------------------------------------------------------------------------- */

struct streaming {
    struct ili_stream stream;
    struct ili_map_watch watch;
    struct ili_pools *pools;
    uint64_t id;       /* of the map, which may be forgotten meanwhile */
    uint32_t position; /* of the next line */
    bool ordered, watching;
};

static struct streaming *of_watch(struct ili_map_watch *watch) {
    return (struct streaming *)((char *)watch - offsetof(struct streaming, watch));
}

/* What the next line is about. NULL: it has not come yet. */
static const struct ili_task *next_task(const struct streaming *s, const struct ili_map *map) {
    if (!s->ordered) {
        return s->position < map->ended ? map->tasks[map->order[s->position]] : NULL;
    }
    const struct ili_task *task = map->tasks[s->position];
    return ili_task_has_ended(task) ? task : NULL;
}

static void element_ended(struct ili_map_watch *watch, struct ili_map *map, struct ili_task *task) {
    struct streaming *s = of_watch(watch);
    (void)task;
    if (map->ended == map->count) {
        ili_map_unwatch(map, watch);
        s->watching = false;
    }
    if (s->position == map->count || next_task(s, map)) ili_stream_wake(&s->stream);
}

static enum ili_stream_next next_line(struct ili_stream *stream, struct ili_out *out) {
    struct streaming *s = (struct streaming *)stream;
    const struct ili_map *map = ili_map_find(s->pools, s->id);
    if (!map) return ILI_STREAM_BROKEN; /* deleted, or kept no longer */
    if (s->position == map->count) return ILI_STREAM_END;
    const struct ili_task *task = next_task(s, map);
    if (!task) return ILI_STREAM_LATER;
    ili_map_write_element(out, task);
    ili_out_line(out);
    s->position++;
    return ILI_STREAM_LINE;
}

static void free_streaming(struct ili_request *request) {
    struct streaming *s = (struct streaming *)request->work;
    struct ili_map *map = s->watching ? ili_map_find(s->pools, s->id) : NULL;
    if (map) ili_map_unwatch(map, &s->watch);
    ili_stream_free(&s->stream);
    request->work = NULL;
    free(s);
}

/* The client of a map of its own has left. */
static void cancel_map(struct ili_request *request) {
    struct streaming *s = (struct streaming *)request->work;
    struct ili_map *map = ili_map_find(s->pools, s->id);
    if (map) ili_map_cancel(map);
}

void ili_map_results_stream(struct ili_request *request, struct ili_map *map, bool ordered,
                            bool ours) {
    struct streaming *s = calloc(1, sizeof *s);
    if (!s) {
        if (ours) ili_map_cancel(map);
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the stream");
        return;
    }
    s->stream.work.free = free_streaming;
    s->stream.work.undo = ours ? cancel_map : NULL;
    s->stream.next = next_line;
    s->watch.element = element_ended;
    s->pools = &request->server->pools;
    s->id = map->id;
    s->ordered = ordered;
    request->work = &s->stream.work;
    if (map->ended < map->count) {
        ili_map_watch(map, &s->watch);
        s->watching = true;
    }
    ili_stream_begin(request, &s->stream, ndjson_type);
}

/* ---- GET ------------------------------------------------------------------------------------------ */

static il_status read_query(struct ili_request *request, bool *ordered, struct ili_fault *fault) {
    char text[8];
    struct ili_query_param param = ILI_QUERY("ordered", text);
    il_status status = ili_query_read(request, &param, 1, fault);
    if (status != IL_OK || !param.given) return status;
    *ordered = strcmp(text, "true") == 0;
    if (*ordered || strcmp(text, "false") == 0) return IL_OK;
    return ili_fault_expected(fault, "ordered", "true or false");
}

void ili_map_results_get(struct ili_request *request) {
    const struct ili_wishes *wishes = &request->wishes;
    struct ili_fault fault;
    bool ordered = false;
    if (read_query(request, &ordered, &fault) != IL_OK) {
        ili_reply_fault(request, &fault);
        return;
    }
    struct ili_map *map = ili_maps_of_path(request);
    if (!map) return;
    if (!request->answer && (wishes->ndjson || !wishes->json)) {
        ili_map_results_stream(request, map, ordered, false);
    } else if (map->ended < map->count) {
        ili_reply_problem(request, IL_ETIMEOUT, NULL);
    } else {
        ili_map_results_reply(request, map);
    }
}
