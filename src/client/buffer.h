/*
 * buffer.h - bytes that grow at the end; how request bodies and paths are written.
 *
 * A failed allocation is remembered, so that a writer appends what it has to and looks once at
 * `failed` at the end. All zero is an empty buffer; ili_buffer_free() makes it one again.
 */
#ifndef ILI_CLIENT_BUFFER_H
#define ILI_CLIENT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ili_buffer {
    char *data; /* owned; not ended by NUL but by ili_buffer_text() */
    size_t bytes, room;
    bool failed;
};

/* Room for BYTES more at the end, not yet counted; NULL if there is no memory. */
char *ili_buffer_reserve(struct ili_buffer *buffer, size_t bytes);

void ili_buffer_add(struct ili_buffer *buffer, const void *data, size_t bytes);
void ili_buffer_add_text(struct ili_buffer *buffer, const char *text);
void ili_buffer_add_number(struct ili_buffer *buffer, uint64_t number);

/* Nanoseconds as decimal seconds, exactly: 1500000000 becomes 1.5. */
void ili_buffer_add_seconds(struct ili_buffer *buffer, uint64_t ns);

/* DATA, every byte that is not unreserved (RFC 3986) written as %XX. */
void ili_buffer_add_percent(struct ili_buffer *buffer, const void *data, size_t bytes);

/* The content with a NUL behind it; NULL if memory failed. Borrowed until the next change. */
const char *ili_buffer_text(struct ili_buffer *buffer);

void ili_buffer_free(struct ili_buffer *buffer);

#endif
