#include "lib/content.h"

#include <stdio.h>
#include <string.h>

#include "base/json_check.h"
#include "base/json_order.h"
#include "base/text.h"

#define SHOWN_BYTES 60 /* of a key, in an error text */

/* ---- arguments ------------------------------------------------------------------------------------ */

#define PREFIX_BYTES 40

/* How the members of an argument are named: "messages[3].", or "". */
static const char *prefix(char room[PREFIX_BYTES], const char *array, size_t index) {
    room[0] = 0;
    if (array) snprintf(room, PREFIX_BYTES, "%s[%zu].", array, index);
    return room;
}

il_status ili_no_place(const char *argument) {
    return ili_fail(IL_EINVAL, "%s: expected a place for the answer, got NULL", argument);
}

il_status ili_check_data_options(const il_data_options *options) {
    if (!options) return IL_OK;
    if (options->struct_bytes < sizeof *options) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_data_options)");
    }
    if (options->reserved) return ili_fail(IL_EINVAL, "options.reserved: expected 0");
    if (options->max_entries > IL_ENTRIES_MAX) {
        return ili_fail(IL_EINVAL, "options.max_entries: expected 0 to %d, got %llu",
                        IL_ENTRIES_MAX, (unsigned long long)options->max_entries);
    }
    if (options->max_entry_bytes > IL_MESSAGE_MAX_BYTES) {
        return ili_fail(IL_EINVAL, "options.max_entry_bytes: expected 0 to %d, got %llu",
                        IL_MESSAGE_MAX_BYTES, (unsigned long long)options->max_entry_bytes);
    }
    return IL_OK;
}

struct ili_limits ili_data_limits(const struct il_domain *domain, const il_data_options *options) {
    if (!options) return ili_limits_of(&domain->member, NULL);
    const struct ili_limits asked = {options->max_entries, options->max_entry_bytes,
                                     options->max_bytes};
    return ili_limits_of(&domain->member, &asked);
}

il_status ili_check_content(const char *array, size_t index, const void *data, uint64_t bytes,
                            uint32_t type) {
    char room[PREFIX_BYTES];
    size_t where;
    if (!data && bytes) {
        return ili_fail(IL_EINVAL, "%sdata: expected %llu bytes, got NULL",
                        prefix(room, array, index), (unsigned long long)bytes);
    }
    if (type > IL_JSON) {
        return ili_fail(IL_EINVAL, "%stype: expected IL_BYTES, IL_TEXT or IL_JSON, got %u",
                        prefix(room, array, index), type);
    }
    if (bytes > IL_MESSAGE_MAX_BYTES) {
        return ili_fail(IL_EOVERFLOW, "%sbytes: max_entry_bytes is at most %d, got %llu",
                        prefix(room, array, index), IL_MESSAGE_MAX_BYTES,
                        (unsigned long long)bytes);
    }
    if (type != IL_BYTES && !ili_utf8_valid(data, bytes)) {
        return ili_fail(IL_EINVAL, "%sdata: expected UTF-8, since it is text or JSON",
                        prefix(room, array, index));
    }
    if (type == IL_JSON && !ili_json_check_at(data ? data : "", bytes, &where)) {
        return ili_fail(IL_EINVAL, "%sdata: expected one JSON value, which it is not at byte %zu",
                        prefix(room, array, index), where);
    }
    return IL_OK;
}

il_status ili_check_contents(const il_message *messages, size_t count) {
    if (!messages && count) {
        return ili_fail(IL_EINVAL, "messages: expected %zu messages, got NULL", count);
    }
    for (size_t i = 0; i < count; i++) {
        il_status status =
            ili_check_content("messages", i, messages[i].data, messages[i].bytes, messages[i].type);
        if (status != IL_OK) return status;
    }
    return IL_OK;
}

il_status ili_check_key(const char *array, size_t index, const char *key, uint64_t key_bytes) {
    char room[PREFIX_BYTES];
    if (!key && key_bytes) {
        return ili_fail(IL_EINVAL, "%skey: expected %llu bytes, got NULL",
                        prefix(room, array, index), (unsigned long long)key_bytes);
    }
    if (key_bytes > IL_KEY_MAX_BYTES) {
        return ili_fail(IL_EINVAL, "%skey_bytes: a key has at most %d, got %llu",
                        prefix(room, array, index), IL_KEY_MAX_BYTES,
                        (unsigned long long)key_bytes);
    }
    if (!ili_utf8_valid(key, key_bytes)) {
        return ili_fail(IL_EINVAL, "%skey: expected UTF-8", prefix(room, array, index));
    }
    return IL_OK;
}

/* ---- refusals ------------------------------------------------------------------------------------- */

const char *ili_key_words(char room[ILI_KEY_WORDS_BYTES], const char *key, uint64_t key_bytes) {
    size_t shown = key_bytes < SHOWN_BYTES ? (size_t)key_bytes : SHOWN_BYTES;
    /* not in the middle of a character */
    while (shown > 0 && shown < key_bytes && ((unsigned char)key[shown] & 0xC0) == 0x80) shown--;
    snprintf(room, ILI_KEY_WORDS_BYTES, "key \"%.*s%s\"", (int)shown, key ? key : "",
             shown < key_bytes ? "…" : "");
    return room;
}

il_status ili_no_room(uint64_t needed) {
    return ili_fail(IL_ETOOBIG, "capacity: %llu bytes are needed", (unsigned long long)needed);
}

il_status ili_refused(il_status status, const char *word, const struct ili_refusal *refusal,
                      const char *whom) {
    static const struct ili_refusal unexplained;
    if (!refusal) refusal = &unexplained;
    switch (status) {
    case IL_EOVERFLOW:
        return ili_fail(status, "%s: %s is %llu", word, refusal->what ? refusal->what : "a limit",
                        (unsigned long long)refusal->limit);
    case IL_ECHANGED:
        if (refusal->version == 0) return ili_fail(status, "%s is not there", whom);
        return ili_fail(status, "%s has version %llu", whom, (unsigned long long)refusal->version);
    case IL_ERANGE:
        return ili_fail(status, "%s: its length is %llu", whom, (unsigned long long)refusal->limit);
    case IL_ENOKEY: return ili_fail(status, "%s", whom);
    case IL_ETYPE:
        return ili_fail(status, "%s: %s and %s have no order", whom,
                        ili_order_type_name(refusal->has), ili_order_type_name(refusal->asked));
    default: return ili_report(status, word);
    }
}

/* ---- items ---------------------------------------------------------------------------------------- */

static char nothing; /* room of no bytes */

struct ili_item ili_item_room(void *buffer, size_t capacity) {
    return (struct ili_item){.data = buffer ? buffer : &nothing, .room = buffer ? capacity : 0};
}

il_item ili_item_told(const struct ili_item *item) {
    return (il_item){.bytes = item->bytes, .version = item->version, .type = item->type};
}
