/*
 * message.c - most lines are {"jsonrpc":"2.0","id":"7","result":VALUE}. Those are told by their bytes, and what
 * is a value is only checked: a large result costs no memory. Everything else is given to jansson.
 */
#include "work/message.h"

#include <string.h>

#include "base/fault.h"
#include "base/json_check.h"
#include "work/value.h"

static const char result_start[] = "{\"jsonrpc\":\"2.0\",\"id\":\"";
static const char result_middle[] = "\",\"result\":";

/* Ids are what the server sent: up to 19 digits without a zero in front. Returns how many bytes it is
 * long; 0: it is none. */
static size_t read_id(const char *text, size_t bytes, uint64_t *id) {
    size_t length = 0;
    uint64_t number = 0;
    while (length < bytes && length < 19 && text[length] >= '0' && text[length] <= '9') {
        number = number * 10 + (uint64_t)(text[length++] - '0');
    }
    if (length > 1 && text[0] == '0') return 0;
    *id = number;
    return length;
}

/* A result as most workers write it. False: it is to be read as any line. */
static bool read_result(char *line, size_t bytes, struct ili_message *message) {
    const size_t start = sizeof result_start - 1, middle = sizeof result_middle - 1;
    if (bytes < start + middle + 2 || memcmp(line, result_start, start) != 0) return false;
    size_t digits = read_id(line + start, bytes - start, &message->id);
    size_t at = start + digits;
    if (digits == 0 || bytes < at + middle + 2 || line[bytes - 1] != '}') return false;
    if (memcmp(line + at, result_middle, middle) != 0) return false;
    at += middle;
    message->kind = ILI_MESSAGE_RESULT;
    message->value = ili_json_span(line + at, bytes - at - 1);
    /* more members may follow: then what is between is no value */
    return ili_json_check(line + at, bytes - at - 1);
}

static bool bad(struct ili_message *message, const char *why) {
    message->kind = ILI_MESSAGE_BAD;
    message->why = why;
    return false;
}

static bool is_text(const json_t *json, const char *text) {
    return json_is_string(json) && strcmp(json_string_value(json), text) == 0;
}

/* The id of an answer, or of a call that a progress is about. */
static bool find_id(const json_t *json, struct ili_message *message) {
    const char *text = json_string_value(json);
    size_t bytes = json_string_length(json);
    if (text && bytes > 0 && read_id(text, bytes, &message->id) == bytes) return true;
    return bad(message, "an id that is not a string of digits");
}

/* value.h makes all numbers reals. False: JSON is not a whole number that a double holds. */
static bool is_whole(const json_t *json, int64_t *number) {
    double value = json_number_value(json);
    if (!json_is_number(json) || value < -9e15 || value > 9e15) return false;
    *number = (int64_t)value;
    return (double)*number == value;
}

static void read_error(const json_t *error, struct ili_message *message) {
    const json_t *code = json_object_get(error, "code");
    const json_t *data = json_object_get(error, "data");
    message->text = json_object_get(error, "message");
    if (!is_whole(code, &message->code) || !json_is_string(message->text)) {
        bad(message, "an error without a whole number `code` and a text `message`");
        return;
    }
    message->kind = ILI_MESSAGE_ERROR;
    message->type = json_object_get(data, "type");
    message->traceback = json_object_get(data, "traceback");
    if (!json_is_string(message->type)) message->type = NULL;
    if (!json_is_string(message->traceback)) message->traceback = NULL;
    message->no_retry = json_is_false(json_object_get(data, "retry"));
}

/* The member NAME of OF, as it is written. */
static bool find_span(const struct ili_value *of, const char *name, struct ili_value *out) {
    struct ili_value_walk walk = {0};
    while (ili_value_next(of, &walk, out)) {
        if (strcmp(walk.key, name) == 0) return true;
    }
    return false;
}

static void read_answer(const struct ili_value *line, const json_t *id,
                        struct ili_message *message) {
    const json_t *error = json_object_get(line->json, "error");
    struct ili_value result;
    bool has_result = find_span(line, "result", &result);
    message->init = is_text(id, "init");
    if (!message->init && !find_id(id, message)) return;
    if (has_result == (error != NULL)) {
        bad(message, "an answer that has not one of `result` and `error`");
    } else if (has_result) {
        message->kind = ILI_MESSAGE_RESULT;
        message->value = (struct ili_json_span){result.at, result.bytes};
    } else {
        read_error(error, message);
    }
}

static bool are_names(const json_t *functions) {
    size_t i;
    const json_t *name;
    if (!json_is_array(functions)) return false;
    json_array_foreach(functions, i, name) {
        size_t bytes = json_string_length(name); /* 0 if it is none */
        if (bytes < 1 || bytes > 255 || strlen(json_string_value(name)) != bytes) return false;
    }
    return true;
}

static void read_hello(const json_t *params, struct ili_message *message) {
    const json_t *protocol = json_object_get(params, "protocol");
    const json_t *slots = json_object_get(params, "slots");
    const json_t *batch = json_object_get(params, "batch");
    message->name = json_object_get(params, "name");
    message->functions = json_object_get(params, "functions");
    message->kind = ILI_MESSAGE_HELLO;
    int64_t slot_count = 1;
    if (!is_whole(protocol, &message->protocol)) {
        bad(message, "a hello without a whole number `protocol`");
    } else if (message->name && !json_is_string(message->name)) {
        bad(message, "a hello whose `name` is no text");
    } else if (message->functions && !are_names(message->functions)) {
        bad(message, "a hello whose `functions` are not texts of 1 to 255 bytes");
    } else if (slots && (!is_whole(slots, &slot_count) || slot_count < 1 ||
                         slot_count > (int64_t)ILI_SLOTS_MOST)) {
        bad(message, "a hello whose `slots` are no number from 1 to 1024");
    } else if (batch && !json_is_boolean(batch)) {
        bad(message, "a hello whose `batch` is not true or false");
    } else {
        message->slots = (uint32_t)slot_count;
        message->batch = json_is_true(batch);
    }
}

static void read_progress(const struct ili_value *line, struct ili_message *message) {
    struct ili_value params, value;
    if (!find_span(line, "params", &params) || !json_is_object(params.json) ||
        !find_span(&params, "value", &value)) {
        bad(message, "a progress without `params` that have a `value`");
    } else if (value.bytes > ILI_PROGRESS_BYTES_MOST) {
        bad(message, "a progress of more than 64 KiB");
    } else if (find_id(json_object_get(params.json, "id"), message)) {
        message->kind = ILI_MESSAGE_PROGRESS;
        message->value = (struct ili_json_span){value.at, value.bytes};
    }
}

static void read_any(struct ili_value *line, struct ili_message *message) {
    const json_t *id = json_object_get(line->json, "id");
    const json_t *method = json_object_get(line->json, "method");
    struct ili_value span;
    if (!json_is_object(line->json) || !is_text(json_object_get(line->json, "jsonrpc"), "2.0")) {
        bad(message, "a line that is no JSON-RPC 2.0 message");
    } else if (!method) {
        read_answer(line, id, message);
    } else if (!json_is_string(method)) {
        bad(message, "a `method` that is no text");
    } else if (id) {
        (void)find_span(line, "id", &span);
        message->kind = ILI_MESSAGE_REQUEST;
        message->value = (struct ili_json_span){span.at, span.bytes};
        if (!json_is_string(id) && !json_is_number(id) && !json_is_null(id)) {
            bad(message, "an `id` that is no text and no number");
        }
    } else if (is_text(method, "hello")) {
        read_hello(json_object_get(line->json, "params"), message);
    } else if (is_text(method, "progress")) {
        read_progress(line, message);
    } else {
        message->kind = ILI_MESSAGE_NOTIFICATION;
    }
}

void ili_message_read(char *line, size_t bytes, struct ili_message *message) {
    struct ili_value value;
    struct ili_fault fault;
    *message = (struct ili_message){0};
    if (read_result(line, bytes, message)) return;
    *message = (struct ili_message){0};
    switch (ili_value_load(line, bytes, &value, &fault)) {
    case IL_OK:
        message->json = value.json;
        read_any(&value, message);
        return;
    case IL_ENOMEM: bad(message, "a line for which the server has no memory"); return;
    default: bad(message, "a line that is not JSON"); return;
    }
}

void ili_message_free(struct ili_message *message) {
    json_decref(message->json);
    message->json = NULL;
}
