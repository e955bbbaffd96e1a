/* text.h - checks on text that comes from outside. */
#ifndef ILI_BASE_TEXT_H
#define ILI_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <interlock.h>

/* Whether DATA is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates). */
bool ili_utf8_valid(const void *data, size_t bytes);

/* IL_OK if NAME is 1 to 255 bytes of UTF-8 without NUL; else IL_EINVAL or IL_ETOOBIG, and *WHY
 * (may be NULL) is what is wrong: borrowed for ever. */
il_status ili_name_check(const char *name, size_t bytes, const char **why);

/* Copies at most ROOM-1 bytes of SOURCE (NULL counts as ""), not cutting a UTF-8 sequence, ends
 * with NUL and clears the rest. */
void ili_text_copy(char *room, size_t room_bytes, const char *source);

#endif
