/*
 * list_many.c - lists over HTTP as a whole: see list.h.
 *
 * A slice may take several pages. They are of one moment only if all have the same version of the list: the
 * first page of another one is dropped, and what came before is the answer.
 */
#include <stdio.h>
#include <string.h>

#include "client/item.h"
#include "client/list.h"
#include "client/message.h"

#define PAGE_ITEMS 1000u /* at most, by the HTTP API */

/* ---- the list as a whole -------------------------------------------------------------------------- */

il_status ili_remote_list_length(struct ili_remote_list *list, uint64_t *length,
                                 uint64_t *version) {
    struct ili_call call;
    il_status status = ili_remote_object_view(&call, &list->object);
    status = ili_item_length(&call, status, length, version);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_list_reverse(struct ili_remote_list *list) {
    struct ili_call call;
    il_status status = ili_remote_object_do(&call, &list->object, "reverse");
    ili_call_end(&call);
    return status;
}

il_status ili_remote_list_sort(struct ili_remote_list *list, uint32_t flags) {
    struct ili_call call;
    il_status status = ili_remote_domain_check(list->object.domain);
    if (status != IL_OK) return status;
    ili_remote_object_begin(&call, &list->object, "POST", "sort");
    call.keyed = true;
    ili_call_field_bool(&call, "descending", flags & IL_DESCENDING);
    status = ili_remote_object_gone(ili_call_run(&call));
    ili_call_end(&call);
    return status;
}

/* ---- splices -------------------------------------------------------------------------------------- */

static il_status write_messages(struct ili_call *call, const il_message *messages, size_t count) {
    il_status status = IL_OK;
    ili_call_field(call, "messages");
    ili_buffer_add_text(&call->body, "[");
    for (size_t i = 0; i < count && status == IL_OK; i++) {
        const il_message *message = messages + i;
        ili_buffer_add_text(&call->body, i ? ",{" : "{");
        status = ili_message_write(&call->body, message->data, message->bytes, message->type);
        ili_buffer_add_text(&call->body, "}");
    }
    ili_buffer_add_text(&call->body, "]");
    return status;
}

il_status ili_remote_list_splice(struct ili_remote_list *list, int64_t start, int64_t stop,
                                 const il_message *messages, size_t count, uint64_t *version) {
    struct ili_call call;
    uint64_t asked = version ? *version : IL_VERSION_ANY;
    il_status status = ili_remote_domain_check(list->object.domain);
    if (status != IL_OK) return status;
    bool extends = start == INT64_MAX && asked == IL_VERSION_ANY;
    ili_remote_object_begin(&call, &list->object, "POST", extends ? "extend" : "splice");
    call.keyed = true;
    if (!extends) {
        ili_call_field(&call, "start");
        ili_item_add_index(&call.body, start);
    }
    if (!extends && stop != INT64_MAX) {
        ili_call_field(&call, "stop");
        ili_item_add_index(&call.body, stop);
    }
    status = write_messages(&call, messages, count);
    ili_item_expect(&call.body, asked);
    if (status == IL_OK) status = ili_remote_object_gone(ili_call_run(&call));
    if (status == IL_OK) status = ili_item_version(&call, version);
    ili_call_end(&call);
    return status;
}

/* ---- slices --------------------------------------------------------------------------------------- */

/* Where a slice stands. */
struct slice {
    int64_t start, stop;
    char *to;
    size_t room, done;
    uint64_t version;
    bool ended; /* the last page was the last, or did not fit whole */
};

static il_status ask_page(struct ili_call *call, const struct ili_remote_list *list,
                          const struct slice *s, size_t most) {
    char query[160];
    size_t useful = most * (size_t)IL_MESSAGE_MAX_BYTES;
    size_t bytes = s->room < useful ? s->room : useful;
    int length = snprintf(query, sizeof query, "?start=%lld&limit=%zu&max_bytes=%zu",
                          ili_item_index(s->start), most, bytes);
    if (s->stop != INT64_MAX) {
        snprintf(query + length, sizeof query - (size_t)length, "&stop=%lld",
                 ili_item_index(s->stop));
    }
    ili_remote_object_begin(call, &list->object, "GET", "items");
    ili_buffer_add_text(&call->path, query);
    call->answer_max += ili_message_spread(bytes) + 256 * most;
    return ili_remote_object_gone(ili_call_run(call));
}

/* Copies the page that CALL brought. */
static il_status read_page(struct ili_call *call, struct ili_buffer *room, struct slice *s,
                           il_list_item *items, size_t most) {
    struct ili_json list = ili_json_member(call->object, "items"), item;
    struct ili_json next = ili_json_member(call->object, "next");
    struct ili_json_walk walk = {0};
    uint64_t version, start = 0;
    size_t n = 0;
    il_status status = ili_item_version(call, &version);
    if (status != IL_OK) return status;
    s->ended = ili_json_is(next, "null");
    if (s->done && version != s->version) {
        s->ended = true;
        return IL_OK;
    }
    for (item = ili_json_next(list, &walk); item.at; item = ili_json_next(list, &walk)) {
        il_item *told = &items[n].item;
        if (n == most || !ili_item_read(item, room, told) || room->bytes > s->room) {
            return room->failed ? ili_remote_fail(IL_ENOMEM, "no memory for items")
                                : ili_call_nonsense(call, "items that were not asked for");
        }
        n++;
    }
    if (!s->ended && (n == 0 || !ili_json_number(next, &start) || start > INT64_MAX)) {
        return ili_call_nonsense(call, "no items, and no end");
    }
    if (room->bytes) memcpy(s->to, room->data, room->bytes);
    for (size_t i = 0; i < n; i++) {
        items[i].data = items[i].item.bytes ? s->to : NULL;
        s->to += items[i].item.bytes;
    }
    s->room -= room->bytes;
    s->done += n;
    s->version = version;
    s->start = (int64_t)start;
    return IL_OK;
}

il_status ili_remote_list_slice(struct ili_remote_list *list, int64_t start, int64_t stop,
                                void *buffer, size_t capacity, il_list_item *items, size_t count,
                                size_t *done, uint64_t *version) {
    char nothing;
    struct slice s = {.start = start,
                      .stop = stop,
                      .to = buffer ? buffer : &nothing,
                      .room = buffer ? capacity : 0};
    il_status status = ili_remote_domain_check(list->object.domain);
    while (status == IL_OK && s.done < count && !s.ended) {
        struct ili_call call;
        struct ili_buffer room = {0};
        size_t most = count - s.done < PAGE_ITEMS ? count - s.done : PAGE_ITEMS;
        status = ask_page(&call, list, &s, most);
        if (status == IL_OK) status = read_page(&call, &room, &s, items + s.done, most);
        if (status == IL_ETOOBIG && s.done == 0) {
            *done = (size_t)ili_item_needed(&call);
            status = ili_item_no_room(*done, capacity);
        }
        ili_buffer_free(&room);
        ili_call_end(&call);
    }
    if (status != IL_OK && s.done == 0) return status;
    *done = s.done;
    if (version) *version = s.version;
    return IL_OK;
}
