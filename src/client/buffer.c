#include "client/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *ili_buffer_reserve(struct ili_buffer *buffer, size_t bytes) {
    if (buffer->failed) return NULL;
    if (bytes <= buffer->room - buffer->bytes) return buffer->data + buffer->bytes;
    size_t room = buffer->room ? buffer->room : 128;
    while (room - buffer->bytes < bytes && room <= SIZE_MAX / 2) room *= 2;
    char *data = room - buffer->bytes < bytes ? NULL : realloc(buffer->data, room);
    if (!data) {
        buffer->failed = true;
        return NULL;
    }
    buffer->data = data;
    buffer->room = room;
    return data + buffer->bytes;
}

void ili_buffer_add(struct ili_buffer *buffer, const void *data, size_t bytes) {
    char *end = bytes ? ili_buffer_reserve(buffer, bytes) : NULL;
    if (!end) return;
    memcpy(end, data, bytes);
    buffer->bytes += bytes;
}

void ili_buffer_add_text(struct ili_buffer *buffer, const char *text) {
    ili_buffer_add(buffer, text, strlen(text));
}

void ili_buffer_add_number(struct ili_buffer *buffer, uint64_t number) {
    char text[24];
    int length = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    ili_buffer_add(buffer, text, (size_t)length);
}

void ili_buffer_add_seconds(struct ili_buffer *buffer, uint64_t ns) {
    char text[40];
    int length = snprintf(text, sizeof text, "%llu.%09llu", (unsigned long long)(ns / 1000000000),
                          (unsigned long long)(ns % 1000000000));
    while (text[length - 1] == '0') length--;
    if (text[length - 1] == '.') length--;
    ili_buffer_add(buffer, text, (size_t)length);
}

void ili_buffer_add_percent(struct ili_buffer *buffer, const void *data, size_t bytes) {
    static const char digits[] = "0123456789ABCDEF";
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-._~";
    const unsigned char *from = data;
    for (size_t i = 0; i < bytes; i++) {
        if (from[i] && strchr(unreserved, from[i])) {
            ili_buffer_add(buffer, from + i, 1);
        } else {
            ili_buffer_add(buffer, (char[]){'%', digits[from[i] >> 4], digits[from[i] & 15]}, 3);
        }
    }
}

const char *ili_buffer_text(struct ili_buffer *buffer) {
    char *end = ili_buffer_reserve(buffer, 1);
    if (!end) return NULL;
    *end = 0;
    return buffer->data;
}

void ili_buffer_free(struct ili_buffer *buffer) {
    free(buffer->data);
    *buffer = (struct ili_buffer){0};
}
