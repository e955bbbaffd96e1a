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

static il_status check_length(const struct ili_payload *message, const char *where,
                              const char *member, struct ili_fault *fault) {
    if (message->bytes <= IL_MESSAGE_MAX_BYTES) return IL_OK;
    return refuse(fault, IL_ETOOBIG, where, member, "at most 16777216 bytes");
}

static il_status read_json(const struct ili_value *json, const char *where, const char *member,
                           struct ili_payload *out, struct ili_fault *fault) {
    if (json->bytes > ILI_VALUE_DEPTH && ili_value_depth(json) > ILI_VALUE_DEPTH) {
        return refuse(fault, IL_EINVAL, where, member, "at most 64 levels of nesting");
    }
    *out = (struct ili_payload){json->at, json->bytes, IL_JSON};
    return check_length(out, where, member, fault);
}

il_status ili_item_read(const struct ili_item_fields *fields, const char *where,
                        struct ili_payload *out, struct ili_fault *fault) {
    const struct ili_value *json = &fields->json, *text = &fields->text, *base64 = &fields->base64;
    const char *member;
    if (!!json->json + !!text->json + !!base64->json != 1) {
        return refuse(fault, IL_EINVAL, where, "", "exactly one of json, text and base64");
    }
    if (json->json) {
        return read_json(json, where, "json", out, fault);
    } else if (text->json) {
        member = "text";
        if (!json_is_string(text->json)) {
            return refuse(fault, IL_EINVAL, where, member, "a string");
        }
        size_t bytes;
        const char *data = ili_value_text(text, &bytes);
        *out = (struct ili_payload){data, bytes, IL_TEXT};
    } else {
        member = "base64";
        const char *digits = json_string_value(base64->json); /* NULL: no string */
        size_t bytes = json_string_length(base64->json);
        if (!digits || !ili_base64_decode(base64->at, &bytes, digits, bytes)) {
            return refuse(fault, IL_EINVAL, where, member, "a string of padded base64 (RFC 4648)");
        }
        *out = (struct ili_payload){base64->at, bytes, IL_BYTES};
    }
    return check_length(out, where, member, fault);
}

il_status ili_item_read_json(const struct ili_value *value, const char *where,
                             struct ili_payload *out, struct ili_fault *fault) {
    return read_json(value, where, "", out, fault);
}

void ili_item_drop(struct ili_item_fields *fields) {
    json_decref(fields->json.json);
    json_decref(fields->text.json);
    json_decref(fields->base64.json);
}

il_status ili_item_read_object(const struct ili_value *object, const char *where,
                               struct ili_payload *out, struct ili_fault *fault) {
    struct ili_item_fields fields = {0};
    struct ili_value_walk walk = {0};
    struct ili_value value;
    if (!json_is_object(object->json)) return refuse(fault, IL_EINVAL, where, "", "an object");
    while (ili_value_next(object, &walk, &value)) {
        if (strcmp(walk.key, "json") == 0) {
            fields.json = value;
        } else if (strcmp(walk.key, "text") == 0) {
            fields.text = value;
        } else if (strcmp(walk.key, "base64") == 0) {
            fields.base64 = value;
        } else {
            char member[40];
            ili_text_copy(member, sizeof member, walk.key);
            return refuse(fault, IL_EINVAL, where, member,
                          "no other field than one of json, text and base64");
        }
    }
    return ili_item_read(&fields, where, out, fault);
}

/* Whether MESSAGE may go out as JSON; *VALUE is then how it is written, its json_t gone. */
static bool is_json(const struct ili_taken *message, struct ili_value *value) {
    struct ili_fault unused;
    if (ili_value_load(message->data, message->bytes, value, &unused) != IL_OK) return false;
    json_decref(value->json);
    value->json = NULL;
    return ili_value_depth(value) <= ILI_VALUE_DEPTH;
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
