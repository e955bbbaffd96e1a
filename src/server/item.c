#include "server/item.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/text.h"

static il_status refuse(struct ili_fault *fault, il_status status, const char *where,
                        const char *member, const char *expected) {
    char field[72];
    snprintf(field, sizeof field, "%s%s%s", where, *where && *member ? "." : "", member);
    return ili_fault_set(fault, status, *field ? field : "body", expected, "%s: expected %s",
                         *field ? field : "body", expected);
}

il_status ili_item_read(const struct ili_item_fields *fields, const char *where,
                        struct ili_payload *out, struct ili_fault *fault) {
    int count = (fields->json.type != ILI_VALUE_NONE) + (fields->text.type != ILI_VALUE_NONE) +
                (fields->base64.type != ILI_VALUE_NONE);
    size_t bytes;
    if (count != 1) {
        return refuse(fault, IL_EINVAL, where, "", "exactly one of json, text and base64");
    }
    if (fields->json.type != ILI_VALUE_NONE) {
        if (fields->json.bytes > ILI_VALUE_DEPTH &&
            ili_value_depth(&fields->json) > ILI_VALUE_DEPTH) {
            return refuse(fault, IL_EINVAL, where, "json", "at most 64 levels of nesting");
        }
        *out = (struct ili_payload){fields->json.at, fields->json.bytes, IL_JSON};
    } else if (fields->text.type != ILI_VALUE_NONE) {
        if (fields->text.type != ILI_VALUE_STRING) {
            return refuse(fault, IL_EINVAL, where, "text", "a string");
        }
        out->data = ili_value_unescape(&fields->text, &bytes);
        out->bytes = bytes;
        out->type = IL_TEXT;
    } else {
        char *text = fields->base64.type == ILI_VALUE_STRING
                         ? ili_value_unescape(&fields->base64, &bytes)
                         : NULL;
        if (!text || !ili_base64_decode(text, &bytes, text, bytes)) {
            return refuse(fault, IL_EINVAL, where, "base64",
                          "a string of padded base64 (RFC 4648)");
        }
        *out = (struct ili_payload){text, bytes, IL_BYTES};
    }
    if (out->bytes > IL_MESSAGE_MAX_BYTES) {
        const char *member = out->type == IL_JSON   ? "json"
                             : out->type == IL_TEXT ? "text"
                                                    : "base64";
        return refuse(fault, IL_ETOOBIG, where, member, "at most 16777216 bytes");
    }
    return IL_OK;
}

il_status ili_item_read_object(const struct ili_value *object, const char *where,
                               struct ili_payload *out, struct ili_fault *fault) {
    struct ili_item_fields fields = {0};
    struct ili_value key, value;
    char *at = NULL;
    if (object->type != ILI_VALUE_OBJECT) return refuse(fault, IL_EINVAL, where, "", "an object");
    while (ili_value_next(object, &at, &key, &value)) {
        size_t bytes;
        const char *name = ili_value_unescape(&key, &bytes);
        if (bytes == 4 && memcmp(name, "json", 4) == 0) {
            fields.json = value;
        } else if (bytes == 4 && memcmp(name, "text", 4) == 0) {
            fields.text = value;
        } else if (bytes == 6 && memcmp(name, "base64", 6) == 0) {
            fields.base64 = value;
        } else {
            char member[40];
            snprintf(member, sizeof member, "%.*s", (int)(bytes < 39 ? bytes : 39), name);
            return refuse(fault, IL_EINVAL, where, member,
                          "no other field than one of json, text and base64");
        }
    }
    return ili_item_read(&fields, where, out, fault);
}

static bool is_json(const struct ili_taken *message, struct ili_value *value) {
    struct ili_fault unused;
    return ili_value_parse(message->data, message->bytes, ILI_VALUE_DEPTH, value, &unused) == IL_OK;
}

void ili_item_write(struct ili_out *out, const struct ili_taken *message) {
    struct ili_value value;
    ili_out_key(out, "type");
    if (message->type == IL_JSON && is_json(message, &value)) {
        ili_out_string(out, "json");
        ili_out_key(out, "json");
        ili_out_json(out, value.at, value.bytes);
    } else if (message->type != IL_BYTES && ili_utf8_valid(message->data, message->bytes)) {
        ili_out_string(out, "text");
        ili_out_key(out, "text");
        ili_out_text(out, message->data, message->bytes);
    } else {
        ili_out_string(out, "bytes");
        ili_out_key(out, "base64");
        ili_out_base64(out, message->data, message->bytes);
    }
}
