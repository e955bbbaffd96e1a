/*
 * base64.h - RFC 4648 base64 with the standard alphabet and padding.
 *
 * Decoding is strict: a length that is a multiple of 4, padding where it belongs and nowhere else,
 * no line breaks, and no bits set that padding cuts off. So there is one text for each value.
 */
#ifndef ILI_BASE_BASE64_H
#define ILI_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Characters that BYTES bytes become, without a NUL. */
static inline size_t ili_base64_length(size_t bytes) { return (bytes + 2) / 3 * 4; }

/* Room that decoding CHARACTERS needs at most. */
static inline size_t ili_base64_room(size_t characters) { return characters / 4 * 3; }

/* Writes ili_base64_length(BYTES) characters to TEXT, no NUL. */
void ili_base64_encode(char *text, const void *data, size_t bytes);

/* Writes what TEXT stands for to DATA (ili_base64_room() bytes) and its length to *BYTES.
 * False: TEXT is not base64; DATA may have been written to then, *BYTES not. DATA may be TEXT. */
bool ili_base64_decode(void *data, size_t *bytes, const char *text, size_t characters);

#endif
