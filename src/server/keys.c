#include "server/keys.h"

#include "base/text.h"
#include "server/path.h"
#include "server/request.h"

_Static_assert(IL_KEY_MAX_BYTES == 1024, "what the words below say");
static const char in_path[] = "1 to 1024 bytes of UTF-8, percent-encoded";
static const char in_body[] = "a string of at most 1024 bytes";

il_status ili_key_of_path(const struct ili_request *request, char *room, struct ili_key *key,
                          struct ili_fault *fault) {
    size_t bytes;
    if (request->part_bytes > 0 &&
        ili_percent_decode(request->part, request->part_bytes, room, IL_KEY_MAX_BYTES, &bytes) &&
        ili_utf8_valid(room, bytes)) {
        *key = (struct ili_key){room, bytes};
        return IL_OK;
    }
    return ili_fault_expected(fault, "key", in_path);
}

il_status ili_key_check(const struct ili_key *key, const char *field, struct ili_fault *fault) {
    if (key->bytes <= IL_KEY_MAX_BYTES) return IL_OK;
    return ili_fault_expected(fault, field, in_body);
}

il_status ili_key_read(const struct ili_value *value, const char *field, struct ili_key *key,
                       struct ili_fault *fault) {
    if (!value->json) {
        return ili_fault_set(fault, IL_EINVAL, field, "to be given", "%s: is missing", field);
    }
    if (!json_is_string(value->json)) {
        return ili_fault_expected(fault, field, in_body);
    }
    size_t bytes = json_string_length(value->json);
    *key = (struct ili_key){value->at + 1, bytes};
    il_status status = ili_key_check(key, field, fault);
    if (status == IL_OK) key->at = ili_value_text(value, &key->bytes);
    return status;
}

void ili_key_write(struct ili_out *out, const struct ili_key *key) {
    ili_out_key(out, "key");
    ili_out_text(out, key->at, key->bytes);
}
