/*
 * out.h - writing JSON: the answers' bodies, from parts whose shapes are fixed.
 *
 *     ili_out_open(out, '{');
 *     ili_out_key(out, "name");
 *     ili_out_text(out, name, name_bytes);
 *     ili_out_close(out, '}');
 *
 * Commas are put where they belong. A failed allocation is remembered; look at `failed` once, at the
 * end. Text is always made valid: what is not UTF-8 becomes U+FFFD.
 */
#ifndef ILI_BASE_OUT_H
#define ILI_BASE_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty one. */
struct ili_out {
    char *data; /* owned */
    size_t bytes, room;
    bool failed;
};

/* BRACKET is { or [; as a member's value or an array's element it separates itself. */
void ili_out_open(struct ili_out *out, char bracket);
void ili_out_close(struct ili_out *out, char bracket);

/* KEY is ASCII that needs no escape. */
void ili_out_key(struct ili_out *out, const char *key);

/* Values. */
void ili_out_text(struct ili_out *out, const char *text, size_t bytes);
void ili_out_string(struct ili_out *out, const char *text); /* up to its NUL; NULL: null */
void ili_out_number(struct ili_out *out, uint64_t number);
void ili_out_signed(struct ili_out *out, int64_t number);
void ili_out_token(struct ili_out *out, uint64_t token); /* a decimal string */
void ili_out_bool(struct ili_out *out, bool value);
void ili_out_null(struct ili_out *out);
void ili_out_seconds(struct ili_out *out, int64_t ns);        /* 60.0 */
void ili_out_time(struct ili_out *out, int64_t wall_seconds); /* RFC 3339, UTC */
void ili_out_time_ms(struct ili_out *out, int64_t wall_ms);   /* the same with milliseconds */
void ili_out_base64(struct ili_out *out, const void *data, size_t bytes);
void ili_out_json(struct ili_out *out, const char *text, size_t bytes); /* as it is */

/* TEXT as it is, where no comma belongs: beside what is JSON. */
void ili_out_plain(struct ili_out *out, const char *text, size_t bytes);

/* Ends a line; what follows is a text of its own. */
void ili_out_line(struct ili_out *out);

void ili_out_free(struct ili_out *out);

#endif
