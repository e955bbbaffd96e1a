#include "client/message.h"

#include "base/base64.h"
#include "base/text.h"
#include "client/host.h"

static void write_base64(struct ili_buffer *out, const void *data, size_t bytes) {
    size_t length = ili_base64_length(bytes);
    ili_buffer_add_text(out, "\"base64\":\"");
    char *room = ili_buffer_reserve(out, length);
    if (!room) return;
    ili_base64_encode(room, data, bytes);
    out->bytes += length;
    ili_buffer_add_text(out, "\"");
}

il_status ili_message_write(struct ili_buffer *out, const void *data, size_t bytes, uint32_t type) {
    struct ili_json value;
    if (!data) data = "";
    if (bytes > IL_MESSAGE_MAX_BYTES) {
        return ili_remote_fail(IL_ETOOBIG, "a message of %zu bytes, at most %d are allowed", bytes,
                               IL_MESSAGE_MAX_BYTES);
    }
    switch (type) {
    case IL_TEXT:
        if (!ili_utf8_valid(data, bytes)) {
            return ili_remote_fail(IL_EINVAL, "a message of type text must be UTF-8");
        }
        ili_buffer_add_text(out, "\"text\":");
        ili_json_quote(out, data, bytes);
        return IL_OK;
    case IL_JSON:
        if (!ili_json_load(data, bytes, ILI_MESSAGE_JSON_DEPTH, &value)) {
            return ili_remote_fail(IL_EINVAL,
                                   "a message of type JSON must be one JSON value in UTF-8, "
                                   "nested at most %d deep",
                                   ILI_MESSAGE_JSON_DEPTH);
        }
        ili_buffer_add_text(out, "\"json\":");
        ili_buffer_add(out, value.at, value.bytes);
        ili_json_free(&value);
        return IL_OK;
    default: write_base64(out, data, bytes); return IL_OK;
    }
}

static bool read_base64(struct ili_json value, struct ili_buffer *out) {
    if (!json_is_string(value.json)) return false;
    size_t length = value.bytes - 2, bytes;
    char *room = ili_buffer_reserve(out, ili_base64_room(length) + 1);
    if (!room || !ili_base64_decode(room, &bytes, value.at + 1, length)) return false;
    out->bytes += bytes;
    return true;
}

bool ili_message_read(struct ili_json item, struct ili_buffer *out, uint32_t *type) {
    struct ili_json kind = ili_json_member(item, "type");
    if (ili_json_is(kind, "\"text\"")) {
        *type = IL_TEXT;
        return ili_json_string(ili_json_member(item, "text"), out);
    }
    if (ili_json_is(kind, "\"bytes\"")) {
        *type = IL_BYTES;
        return read_base64(ili_json_member(item, "base64"), out);
    }
    struct ili_json value = ili_json_member(item, "json");
    if (!ili_json_is(kind, "\"json\"") || !value.at) return false;
    *type = IL_JSON;
    ili_buffer_add(out, value.at, value.bytes);
    return !out->failed;
}

/* A control character of a text becomes \u00XX. */
size_t ili_message_spread(size_t bytes) { return 6 * bytes + 64; }
