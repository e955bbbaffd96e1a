#include "server/watch.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "server/connection.h"
#include "server/objects.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/query.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/stream.h"
#include "server/task_view.h"
#include "server/tasks.h"
#include "server/watch_kinds.h"

#define ATTEMPTS 4 /* to find nothing new, before others have their turn */

static const char events_type[] = "text/event-stream";
static const char beat[] = ":\n\n";

struct watching {
    struct ili_stream stream;
    struct ili_watcher watcher;
    struct ili_watched *watched;
    const struct ili_watch_kind *kind;
    const struct ili_collection *collection; /* NULL: a task */
    struct ili_changes_place place;          /* of one that keeps changes */
    struct ili_sample told;                  /* of one that does not */
    uint64_t id;                             /* that the client saw last */
    bool resumes;                            /* it says which */
    bool begun, over;
    char key[IL_KEY_MAX_BYTES + 1];
};

/* ---- one event ------------------------------------------------------------------------------------ */

static void begin_event(struct ili_out *out, const char *word, bool has_id, uint64_t id) {
    char text[64];
    int bytes = has_id ? snprintf(text, sizeof text, "id: %" PRIu64 "\n", id) : 0;
    bytes += snprintf(text + bytes, sizeof text - (size_t)bytes, "event: %s\ndata: ", word);
    ili_out_plain(out, text, (size_t)bytes);
}

/* Takes DATA, which is JSON: its line breaks, which can only stand between its parts, would end the event's line. */
static enum ili_stream_next end_event(struct ili_out *out, struct ili_out *data) {
    for (size_t i = 0; i < data->bytes; i++) {
        if (data->data[i] == '\n' || data->data[i] == '\r') data->data[i] = ' ';
    }
    if (data->failed) out->failed = true;
    ili_out_plain(out, data->data, data->bytes);
    ili_out_plain(out, "\n\n", 2);
    ili_out_free(data);
    return ILI_STREAM_LINE;
}

/* The last one. */
static enum ili_stream_next write_ended(struct watching *w, struct ili_out *out, const char *code) {
    struct ili_out data = {0};
    w->over = true;
    begin_event(out, "ended", false, 0);
    ili_out_open(&data, '{');
    ili_out_key(&data, "code");
    ili_out_string(&data, code);
    ili_out_close(&data, '}');
    return end_event(out, &data);
}

static enum ili_stream_next write_failed(struct watching *w, struct ili_out *out,
                                         il_status status) {
    const struct ili_status_info *info = ili_status_info(status);
    return write_ended(w, out, info ? info->code : "corrupt");
}

/* ---- the newest state ----------------------------------------------------------------------------- */

static void write_view(struct watching *w, struct ili_out *data) {
    const struct ili_watched *watched = w->watched;
    if (w->collection) {
        char name[IL_NAME_MAX_BYTES + 1];
        size_t bytes =
            ili_object_name(&ili_server_member(watched->server)->arena, watched->object, name);
        ili_objects_write(data, watched->server, w->collection, watched->object, name, bytes,
                          false);
    } else {
        ili_task_write(data, ili_task_find(&watched->server->pools, watched->task), true);
    }
}

/* How many grants there were between the one that was told and that of NOW. */
static uint64_t skipped(const struct watching *w, const struct ili_sample *now) {
    uint64_t before = w->begun ? w->told.word[0] : w->resumes ? w->id : now->word[0];
    return now->word[0] > before + 1 ? now->word[0] - before - 1 : 0;
}

static enum ili_stream_next write_state(struct watching *w, struct ili_out *out,
                                        const struct ili_sample *now, bool has_id, uint64_t id) {
    struct ili_out data = {0};
    begin_event(out, "state", has_id, id);
    write_view(w, &data);
    if (w->kind->has_tokens && !data.failed) {
        data.bytes--; /* the view's bracket: one member more */
        ili_out_key(&data, "skipped");
        ili_out_number(&data, skipped(w, now));
        ili_out_close(&data, '}');
    }
    w->told = *now;
    w->begun = true;
    return end_event(out, &data);
}

/* There is nothing to tell, or STATUS says why it cannot be told. */
static enum ili_stream_next rest(struct watching *w, struct ili_out *out, il_status status) {
    if (status == IL_ETIMEOUT) return ILI_STREAM_LATER;
    if (status == IL_OK || status == IL_EBUSY || status == IL_ELIMIT || status == IL_ENOMEM) {
        ili_watched_retry(w->watched);
        return ILI_STREAM_LATER;
    }
    return write_failed(w, out, status);
}

static il_status newest(struct watching *w, struct ili_sample *now) {
    struct ili_watched *watched = w->watched;
    if (w->kind->observe) {
        return w->kind->observe(ili_server_member(watched->server), watched->object, &now->word[0]);
    }
    w->kind->look(watched, now);
    return IL_OK;
}

static enum ili_stream_next next_state(struct watching *w, struct ili_out *out) {
    il_status status = IL_OK;
    if (ili_watched_is_gone(w->watched)) return write_failed(w, out, IL_EDELETED);
    if (w->begun && w->kind->is_over && w->kind->is_over(&w->told)) {
        return write_ended(w, out, "finished");
    }
    for (int i = 0; i < ATTEMPTS && status == IL_OK; i++) {
        struct ili_sample now = {{0}};
        status = newest(w, &now);
        if (status == IL_OK && (!w->begun || memcmp(&now, &w->told, sizeof now) != 0)) {
            return write_state(w, out, &now, w->kind->has_ids, now.word[0]);
        }
        if (status == IL_OK) status = ili_watched_arm(w->watched, now.word[0]);
    }
    return rest(w, out, status);
}

/* ---- changes -------------------------------------------------------------------------------------- */

static enum ili_stream_next write_change(struct watching *w, struct ili_out *out,
                                         const struct ili_changed *change, uint64_t before) {
    struct ili_member *member = ili_server_member(w->watched->server);
    struct ili_out data = {0};
    begin_event(out, ili_watch_word(change->what), !change->more, change->version);
    ili_out_open(&data, '{');
    if (change->what == IL_CHANGED_MISSED) {
        ili_out_key(&data, "after");
        ili_out_token(&data, before);
        ili_out_key(&data, "kept_from");
        ili_out_token(&data, change->version + 1);
    } else {
        ili_watch_write_change(&data, w->kind, change);
        if (change->what == IL_CHANGED_SET) {
            w->kind->item(member, w->watched->object, change, &data);
        }
    }
    ili_out_close(&data, '}');
    return end_event(out, &data);
}

static enum ili_stream_next next_change(struct watching *w, struct ili_out *out) {
    struct ili_watched *watched = w->watched;
    struct ili_member *member = ili_server_member(watched->server);
    struct ili_sample none = {{0}};
    struct ili_changed change;
    il_status status = IL_OK;
    if (ili_watched_is_gone(watched)) return write_failed(w, out, IL_EDELETED);
    if (!w->begun && !w->resumes) return write_state(w, out, &none, true, w->place.version);
    for (int i = 0; i < ATTEMPTS && status == IL_OK; i++) {
        uint64_t before = w->place.version;
        status = w->kind->next(member, watched->object, &w->place, &change, w->key);
        if (status == IL_OK) return write_change(w, out, &change, before);
        if (status == IL_ETIMEOUT) status = ili_watched_arm(watched, before);
    }
    return rest(w, out, status);
}

static enum ili_stream_next next_event(struct ili_stream *stream, struct ili_out *out) {
    struct watching *w = (struct watching *)stream;
    if (w->over) return ILI_STREAM_END;
    if (w->watched->server->stopping) return write_failed(w, out, IL_ESHUTDOWN);
    if (w->watcher.beat) {
        w->watcher.beat = false;
        ili_out_plain(out, beat, sizeof beat - 1);
        return ILI_STREAM_LINE;
    }
    return w->kind->next ? next_change(w, out) : next_state(w, out);
}

/* ---- the request ---------------------------------------------------------------------------------- */

static void free_watching(struct ili_request *request) {
    struct watching *w = (struct watching *)request->work;
    if (w->watched) ili_watched_leave(w->watched, &w->watcher);
    ili_stream_free(&w->stream);
    request->work = NULL;
    free(w);
}

/* The id that the client saw last: the header, which a browser sends when it reconnects to the same address, before
 * the query. */
static il_status read_id(struct ili_request *request, struct watching *w, struct ili_fault *fault) {
    char text[24];
    struct ili_query_param param = ILI_QUERY("after", text);
    const char *header =
        MHD_lookup_connection_value(request->connection->wire, MHD_HEADER_KIND, "Last-Event-ID");
    il_status status = ili_query_read(request, &param, 1, fault);
    if (status != IL_OK) return status;
    if (header && *header) {
        w->resumes = true;
        return ili_params_count("Last-Event-ID", header, strlen(header), 0, UINT64_MAX, &w->id,
                                fault);
    }
    w->resumes = param.given;
    if (!param.given) return IL_OK;
    return ili_params_count("after", text, param.bytes, 0, UINT64_MAX, &w->id, fault);
}

/* Begins to watch OBJECT, which it takes, or the task. False: the request was answered. */
static bool begin(struct ili_request *request, struct watching *w, void *object, uint64_t task) {
    struct ili_server *server = request->server;
    if (w->kind->begin) {
        /* always from now on; a place of the client's own may lie before, or behind */
        il_status status = w->kind->begin(ili_server_member(server), object, &w->place);
        if (status != IL_OK) {
            ili_unpin(server, object);
            ili_reply_problem(request, status, NULL);
            return false;
        }
        if (w->resumes) w->place = (struct ili_changes_place){.version = w->id};
    }
    w->watcher.stream = &w->stream;
    w->watched = ili_watched_join(server, w->kind, object, task, &w->watcher);
    if (!w->watched)
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the watch");
    return w->watched != NULL;
}

void ili_watch(struct ili_request *request) {
    struct ili_fault fault;
    void *object = NULL;
    uint64_t task = 0;
    struct watching *w = calloc(1, sizeof *w);
    if (!w) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the watch");
        return;
    }
    w->stream.work.free = free_watching;
    w->stream.next = next_event;
    w->kind = ili_watch_kind_of(request->route->collection);
    w->collection = ili_collection_named(request->route->collection);
    request->work = &w->stream.work;
    if (read_id(request, w, &fault) != IL_OK) {
        ili_reply_fault(request, &fault);
        return;
    }
    if (w->collection) {
        object = ili_objects_pin(request, ILI_OPEN_EXISTING);
        if (!object) return;
    } else {
        task = ili_tasks_id(request);
        if (!ili_task_find(&request->server->pools, task)) {
            ili_reply_problem(request, IL_ENOTFOUND, NULL);
            return;
        }
    }
    if (begin(request, w, object, task)) ili_stream_begin(request, &w->stream, events_type);
}
