/*
 * dict_walk.c - dicts over HTTP as a whole: see dict.h.
 *
 * The server's cursor is a text of three numbers, which a struct il_cursor holds for the caller. A page has the
 * entries that fit into what is left of the buffer, so it ends where the next one goes on.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/dict.h"
#include "client/item.h"
#include "client/message.h"

#define PAGE_ENTRIES 1000u /* at most, by the HTTP API */

/* ---- the dict as a whole ------------------------------------------------------------------------- */

il_status ili_remote_dict_length(struct ili_remote_dict *dict, uint64_t *length,
                                 uint64_t *version) {
    struct ili_call call;
    il_status status = ili_remote_object_view(&call, &dict->object);
    status = ili_item_length(&call, status, length, version);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_dict_clear(struct ili_remote_dict *dict) {
    struct ili_call call;
    il_status status = ili_remote_object_do(&call, &dict->object, "clear");
    ili_call_end(&call);
    return status;
}

il_status ili_remote_dict_copy(struct ili_remote_dict *dict, struct ili_remote_dict *into) {
    struct ili_call call;
    il_status status = ili_remote_domain_check(dict->object.domain);
    if (status != IL_OK) return status;
    ili_remote_object_begin(&call, &dict->object, "POST", "copy");
    call.keyed = true;
    ili_call_field_text(&call, "to", into->object.name, into->object.name_bytes);
    status = ili_remote_object_gone(ili_call_run(&call));
    ili_call_end(&call);
    return status;
}

/* ---- several changes ------------------------------------------------------------------------------ */

static il_status write_change(struct ili_call *call, const il_dict_change *change) {
    static const char *const words[] = {[IL_CHANGE_SET] = "{\"set\":",
                                        [IL_CHANGE_REMOVE] = "{\"remove\":",
                                        [IL_CHANGE_EXPECT] = "{\"expect\":"};
    il_status status = IL_OK;
    ili_buffer_add_text(&call->body, words[change->what]);
    ili_json_quote(&call->body, change->key ? change->key : "", change->key_bytes);
    if (change->what == IL_CHANGE_SET) {
        il_message message = {change->data, change->bytes, change->type, 0};
        status = ili_item_write(call, &message);
    }
    ili_item_expect(&call->body, change->version);
    ili_buffer_add_text(&call->body, "}");
    return status;
}

il_status ili_remote_dict_update(struct ili_remote_dict *dict, const il_dict_change *changes,
                                 size_t count, uint64_t *version) {
    struct ili_call call;
    il_status status = ili_remote_domain_check(dict->object.domain);
    if (status != IL_OK) return status;
    ili_remote_object_begin(&call, &dict->object, "POST", "update");
    call.keyed = true;
    ili_call_field(&call, "changes");
    ili_buffer_add_text(&call.body, "[");
    for (size_t i = 0; i < count && status == IL_OK; i++) {
        if (i) ili_buffer_add_text(&call.body, ",");
        status = write_change(&call, &changes[i]);
    }
    ili_buffer_add_text(&call.body, "]");
    if (status == IL_OK) status = ili_remote_object_gone(ili_call_run(&call));
    if (status == IL_OK) status = ili_item_version(&call, version);
    ili_call_end(&call);
    return status;
}

/* ---- entries -------------------------------------------------------------------------------------- */

/* Reads {"key", a value} and appends both to ROOM. */
static bool read_entry(struct ili_json from, struct ili_buffer *room, bool values,
                       il_entry *entry) {
    size_t before = room->bytes;
    if (!ili_json_string(ili_json_member(from, "key"), room)) return false;
    *entry = (il_entry){.key_bytes = room->bytes - before};
    if (values) return ili_item_read(from, room, &entry->item);
    struct ili_json type = ili_json_member(from, "type");
    entry->item.type = ili_json_is(type, "\"text\"")    ? IL_TEXT
                       : ili_json_is(type, "\"bytes\"") ? IL_BYTES
                                                        : IL_JSON;
    return ili_json_number(ili_json_member(from, "bytes"), &entry->item.bytes) &&
           ili_json_number_text(ili_json_member(from, "version"), &entry->item.version);
}

/* Lets ENTRY point to where its key and value lie: at AT. */
static char *place_entry(il_entry *entry, bool values, char *at) {
    entry->key = at;
    at += entry->key_bytes;
    if (!values) return at;
    entry->data = at;
    return at + entry->item.bytes;
}

il_status ili_remote_dict_pop_item(struct ili_remote_dict *dict, void *buffer, size_t capacity,
                                   il_entry *entry) {
    struct ili_call call;
    struct ili_buffer room = {0};
    il_entry read;
    il_status status = ili_remote_domain_check(dict->object.domain);
    if (status != IL_OK) return status;
    if (!buffer) capacity = 0;
    ili_remote_object_begin(&call, &dict->object, "POST", "popitem");
    call.keyed = true;
    ili_item_fits(&call, capacity);
    status = ili_remote_object_gone(ili_call_run(&call));
    if (status == IL_ETOOBIG) {
        uint64_t needed = ili_item_needed(&call);
        entry->key_bytes = 0; /* the server tells the sum alone */
        entry->item.bytes = needed;
        status = ili_item_no_room(needed, capacity);
    } else if (status == IL_OK && !read_entry(call.object, &room, true, &read)) {
        status = room.failed ? ili_remote_fail(IL_ENOMEM, "no memory for a value")
                             : ili_call_nonsense(&call, "what is not an entry of a dict");
    } else if (status == IL_OK && room.bytes > capacity) {
        status = ili_call_nonsense(&call, "more than was asked for");
    } else if (status == IL_OK) {
        if (room.bytes) memcpy(buffer, room.data, room.bytes);
        place_entry(&read, true, buffer);
        *entry = read;
    }
    ili_buffer_free(&room);
    ili_call_end(&call);
    return status;
}

/* Asks for a page of at most MOST entries, which take at most CAPACITY bytes. */
static il_status ask_page(struct ili_call *call, const struct ili_remote_dict *dict,
                          const il_cursor *cursor, bool values, size_t capacity, size_t most) {
    char query[160];
    size_t useful = most * ((size_t)IL_KEY_MAX_BYTES + (values ? IL_MESSAGE_MAX_BYTES : 0));
    size_t bytes = capacity < useful ? capacity : useful;
    int length = snprintf(query, sizeof query, "?limit=%zu&max_bytes=%zu%s", most, bytes,
                          values ? "" : "&values=false");
    if (cursor->after || cursor->hint || cursor->reserved) {
        snprintf(query + length, sizeof query - (size_t)length,
                 "&cursor=%" PRIx64 "-%" PRIx64 "-%" PRIx32, cursor->after, cursor->hint,
                 cursor->reserved);
    }
    ili_remote_object_begin(call, &dict->object, "GET", "items");
    ili_buffer_add_text(&call->path, query);
    call->answer_max += ili_message_spread(bytes) + 256 * most;
    return ili_remote_object_gone(ili_call_run(call));
}

/* Reads a number of hexadecimal digits that ends with END. */
static bool read_part(const char **at, char end, uint64_t most, uint64_t *part) {
    char *behind;
    if (!isxdigit((unsigned char)**at)) return false;
    errno = 0;
    *part = strtoull(*at, &behind, 16);
    *at = behind + 1;
    return errno == 0 && *behind == end && *part <= most;
}

/* Reads the server's cursor, null at the end. */
static bool read_cursor(struct ili_json told, il_cursor *cursor) {
    const char *text = json_string_value(told.json);
    uint64_t after, hint, seal;
    if (ili_json_is(told, "null")) {
        cursor->finished = 1;
        return true;
    }
    if (!text || !read_part(&text, '-', UINT64_MAX, &after) ||
        !read_part(&text, '-', UINT64_MAX, &hint) || !read_part(&text, 0, UINT32_MAX, &seal)) {
        return false;
    }
    *cursor = (il_cursor){.after = after, .hint = hint, .reserved = (uint32_t)seal};
    return true;
}

/* Copies the page that CALL brought. */
static il_status read_page(struct ili_call *call, struct ili_buffer *room, il_cursor *cursor,
                           bool values, char *buffer, size_t capacity, il_entry *entries,
                           size_t most, size_t *done) {
    struct ili_json items = ili_json_member(call->object, "items"), item;
    struct ili_json_walk walk = {0};
    size_t n = 0;
    il_cursor next = *cursor;
    for (item = ili_json_next(items, &walk); item.at; item = ili_json_next(items, &walk)) {
        if (n == most || !read_entry(item, room, values, &entries[n]) || room->bytes > capacity) {
            return room->failed ? ili_remote_fail(IL_ENOMEM, "no memory for entries")
                                : ili_call_nonsense(call, "entries that were not asked for");
        }
        n++;
    }
    if (!read_cursor(ili_json_member(call->object, "cursor"), &next) ||
        (n == 0 && !next.finished)) {
        return ili_call_nonsense(call, "no entries, and no end");
    }
    if (room->bytes) memcpy(buffer, room->data, room->bytes);
    for (size_t i = 0; i < n; i++) buffer = place_entry(&entries[i], values, buffer);
    *cursor = next;
    *done = n;
    return IL_OK;
}

il_status ili_remote_dict_items(struct ili_remote_dict *dict, il_cursor *cursor, uint32_t what,
                                void *buffer, size_t capacity, il_entry *entries, size_t count,
                                size_t *done) {
    il_status status = ili_remote_domain_check(dict->object.domain);
    if (status != IL_OK) return status;
    if (!buffer) capacity = 0;
    char nothing, *to = buffer ? buffer : &nothing;
    il_cursor place = *cursor;
    size_t total = 0;
    while (total < count && !place.finished) {
        struct ili_call call;
        struct ili_buffer room = {0};
        size_t most = count - total < PAGE_ENTRIES ? count - total : PAGE_ENTRIES, n = 0;
        status = ask_page(&call, dict, &place, what & IL_VALUES, capacity, most);
        if (status == IL_OK) {
            status = read_page(&call, &room, &place, what & IL_VALUES, to, capacity,
                               entries + total, most, &n);
        } else if (status == IL_ETOOBIG && total == 0) {
            *done = (size_t)ili_item_needed(&call);
            status = ili_item_no_room(*done, capacity);
        }
        to += room.bytes;
        capacity -= status == IL_OK ? room.bytes : 0;
        ili_buffer_free(&room);
        ili_call_end(&call);
        if (status != IL_OK) break;
        total += n;
    }
    if (total == 0 && status != IL_OK) return status;
    *cursor = place;
    *done = total;
    return IL_OK;
}
