#include "client/item.h"

#include <stdio.h>
#include <string.h>

#include "client/host.h"
#include "client/message.h"

void ili_item_options(struct ili_call *call, const il_data_options *options) {
    const struct {
        const char *name;
        uint64_t limit;
    } limits[] = {
        {"max_entries", options->max_entries},
        {"max_entry_bytes", options->max_entry_bytes},
        {"max_bytes", options->max_bytes},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        if (limits[i].limit == 0) continue; /* the default */
        ili_call_field(call, limits[i].name);
        ili_buffer_add_number(&call->body, limits[i].limit);
    }
}

void ili_item_fits(struct ili_call *call, size_t capacity) {
    bool any_fits = capacity >= IL_MESSAGE_MAX_BYTES;
    call->answer_max += ili_message_spread(any_fits ? IL_MESSAGE_MAX_BYTES : capacity) +
                        ili_message_spread(IL_KEY_MAX_BYTES);
    if (any_fits) return;
    ili_call_field(call, "max_bytes");
    ili_buffer_add_number(&call->body, capacity);
}

il_status ili_item_write(struct ili_call *call, const il_message *value) {
    if (call->body.bytes > 1) ili_buffer_add_text(&call->body, ",");
    return ili_message_write(&call->body, value->data, value->bytes, value->type);
}

void ili_item_expect(struct ili_buffer *body, uint64_t version) {
    if (version == IL_VERSION_ANY) return;
    ili_buffer_add_text(body, ",\"version\":");
    if (version == IL_VERSION_NONE) {
        ili_buffer_add_text(body, "null");
        return;
    }
    ili_buffer_add_text(body, "\"");
    ili_buffer_add_number(body, version);
    ili_buffer_add_text(body, "\"");
}

bool ili_item_read(struct ili_json from, struct ili_buffer *out, il_item *item) {
    size_t before = out->bytes;
    *item = (il_item){0};
    bool read = ili_message_read(from, out, &item->type) &&
                ili_json_number_text(ili_json_member(from, "version"), &item->version);
    item->bytes = out->bytes - before;
    return read;
}

il_status ili_item_no_room(uint64_t needed, size_t capacity) {
    return ili_remote_fail(IL_ETOOBIG, "%llu bytes are needed, the buffer has %zu",
                           (unsigned long long)needed, capacity);
}

uint64_t ili_item_needed(const struct ili_call *call) {
    uint64_t needed;
    bool told = ili_json_number(ili_json_member(call->object, "bytes"), &needed);
    return told ? needed : IL_MESSAGE_MAX_BYTES;
}

il_status ili_item_deliver(struct ili_call *call, il_status status, void *buffer, size_t capacity,
                           il_item *item) {
    struct ili_buffer data = {0};
    il_item read;
    if (status == IL_ETOOBIG) {
        item->bytes = ili_item_needed(call);
        return ili_item_no_room(item->bytes, capacity);
    }
    if (status != IL_OK) return status;
    if (!ili_item_read(call->object, &data, &read)) {
        status = data.failed ? ili_remote_fail(IL_ENOMEM, "no memory for a value")
                             : ili_call_nonsense(call, "what is not a value with its version");
    } else if (read.bytes > capacity) {
        item->bytes = read.bytes;
        status = ili_item_no_room(read.bytes, capacity);
    } else {
        if (read.bytes) memcpy(buffer, data.data, read.bytes);
        *item = read;
    }
    ili_buffer_free(&data);
    return status;
}

il_status ili_item_version(struct ili_call *call, uint64_t *version) {
    struct ili_json member = ili_json_member(call->object, "version");
    uint64_t told = 0;
    if (!ili_json_is(member, "null") && !ili_json_number_text(member, &told)) {
        return ili_call_nonsense(call, "something that lacks a version");
    }
    if (version) *version = told;
    return IL_OK;
}

il_status ili_item_length(struct ili_call *call, il_status status, uint64_t *length,
                          uint64_t *version) {
    uint64_t told, now = 0;
    if (status == IL_OK) status = ili_item_version(call, &now);
    if (status != IL_OK) return status;
    if (!ili_json_number(ili_json_member(call->object, "length"), &told)) {
        return ili_call_nonsense(call, "something that lacks a length");
    }
    *length = told;
    if (version) *version = now;
    return IL_OK;
}

long long ili_item_index(int64_t index) {
    const int64_t most = INT64_C(9007199254740991);
    return index > most ? most : index < -most ? -most : index;
}

void ili_item_add_index(struct ili_buffer *body, int64_t index) {
    char text[24];
    snprintf(text, sizeof text, "%lld", ili_item_index(index));
    ili_buffer_add_text(body, text);
}
