/*
 * An input is what a worker sends, line by line. Whatever it is, each line is read as one kind of message, and
 * what the message says of it lies within the line and is JSON.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_check.h"
#include "work/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);

static void check_value(const struct ili_json_span *value, const char *line, size_t bytes) {
    if (value->at < line || value->at + value->bytes > line + bytes) abort();
    if (!ili_json_check(value->at, value->bytes)) abort();
}

static void check(const struct ili_message *message, const char *line, size_t bytes) {
    switch (message->kind) {
    case ILI_MESSAGE_BAD:
        if (!message->why) abort();
        break;
    case ILI_MESSAGE_RESULT:
    case ILI_MESSAGE_PROGRESS:
    case ILI_MESSAGE_REQUEST: check_value(&message->value, line, bytes); break;
    case ILI_MESSAGE_ERROR:
        if (!json_is_string(message->text)) abort();
        break;
    case ILI_MESSAGE_HELLO:
        if (message->slots < 1 || message->slots > ILI_SLOTS_MOST) abort();
        break;
    case ILI_MESSAGE_NOTIFICATION: break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes) {
    while (bytes > 0) {
        const uint8_t *end = memchr(input, '\n', bytes);
        size_t length = end ? (size_t)(end - input) : bytes;
        char *line = malloc(length ? length : 1); /* so that a byte too far is seen */
        struct ili_message message;
        if (!line) return 0;
        memcpy(line, input, length);
        ili_message_read(line, length, &message);
        check(&message, line, length);
        ili_message_free(&message);
        free(line);
        size_t used = length + (end ? 1 : 0);
        input += used;
        bytes -= used;
    }
    return 0;
}
