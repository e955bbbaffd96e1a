#include "base/text.h"

#include <stdint.h>
#include <string.h>

/* Length of the well-formed sequence at S, at most LEFT bytes; 0 if there is none.
 * Table 3-7 of the Unicode standard, "Well-Formed UTF-8 Byte Sequences". */
static size_t sequence_length(const unsigned char *s, size_t left) {
    unsigned char lead = s[0];
    if (lead < 0x80) return 1;
    size_t length = 0;
    unsigned char low = 0x80, high = 0xBF; /* range of the second byte */
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        if (lead == 0xE0) low = 0xA0;
        if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        if (lead == 0xF0) low = 0x90;
        if (lead == 0xF4) high = 0x8F;
    } else {
        return 0;
    }
    if (left < length || s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < length; i++) {
        if (s[i] < 0x80 || s[i] > 0xBF) return 0;
    }
    return length;
}

bool ili_utf8_valid(const void *data, size_t bytes) {
    const unsigned char *s = data;
    size_t at = 0;
    while (at < bytes) {
        size_t length = sequence_length(s + at, bytes - at);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

il_status ili_name_check(const char *name, size_t bytes, const char **why) {
    const char *unused;
    if (!why) why = &unused;
    if (bytes == 0) {
        *why = "a name has 1 to 255 bytes, this one is empty";
        return IL_EINVAL;
    }
    if (bytes > IL_NAME_MAX_BYTES) {
        *why = "a name has 1 to 255 bytes, this one is longer";
        return IL_ETOOBIG;
    }
    if (memchr(name, 0, bytes)) {
        *why = "a name must not contain NUL";
        return IL_EINVAL;
    }
    if (!ili_utf8_valid(name, bytes)) {
        *why = "a name must be UTF-8";
        return IL_EINVAL;
    }
    return IL_OK;
}

void ili_text_copy(char *room, size_t room_bytes, const char *source) {
    if (room_bytes == 0) return;
    if (!source) source = "";
    size_t length = strnlen(source, room_bytes);
    if (length == room_bytes) {
        /* back to the start of the sequence that would be cut */
        do length--;
        while (length > 0 && ((unsigned char)source[length] & 0xC0) == 0x80);
    }
    memset(room, 0, room_bytes);
    if (length) memcpy(room, source, length);
}
