/* What a worker's line is read as. */
#include <criterion/criterion.h>
#include <string.h>

#include "work/message.h"

static char room[200000];

static struct ili_message *read_line(const char *line) {
    static struct ili_message message;
    ili_message_free(&message);
    snprintf(room, sizeof room, "%s", line);
    ili_message_read(room, strlen(line), &message);
    return &message;
}

#define ANSWER(rest) "{\"jsonrpc\":\"2.0\",\"id\":\"7\"," rest "}"

Test(work_message, results_in_any_shape) {
    static const struct {
        const char *line, *value;
    } all[] = {
        {ANSWER("\"result\":3"), "3"},
        {ANSWER("\"result\":-12"), "-12"},
        {ANSWER("\"result\":0"), "0"},
        {ANSWER("\"result\":null"), "null"},
        {ANSWER("\"result\":true"), "true"},
        {ANSWER("\"result\":1.50"), "1.50"},
        {ANSWER("\"result\": [1, {\"a\":2}] "), "[1, {\"a\":2}]"},
        {ANSWER("\"result\":\"}\""), "\"}\""},
        {ANSWER("\"result\":12345678901234567890123"), "12345678901234567890123"},
        {"{ \"result\" : 3 , \"id\" : \"7\" , \"jsonrpc\" : \"2.0\" }\r", "3"},
        {ANSWER("\"result\":3,\"more\":4"), "3"},
        {"{\"jsonrpc\":\"2.0\",\"result\":{\"id\":\"8\"},\"id\":\"7\"}", "{\"id\":\"8\"}"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const struct ili_message *message = read_line(all[i].line);
        cr_assert_eq(message->kind, ILI_MESSAGE_RESULT, "%s: %s", all[i].line, message->why);
        cr_assert_eq(message->id, 7);
        cr_assert_not(message->init);
        cr_assert_eq(message->value.bytes, strlen(all[i].value), "%s", all[i].line);
        cr_assert_eq(memcmp(message->value.at, all[i].value, message->value.bytes), 0);
    }
    cr_assert(read_line("{\"jsonrpc\":\"2.0\",\"id\":\"init\",\"result\":null}")->init);
    cr_assert_eq(read_line("{\"jsonrpc\":\"2.0\",\"id\":\"9223372036854775807\",\"result\":1}")->id,
                 INT64_MAX);
}

Test(work_message, what_is_none_is_bad) {
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "3",
        "not JSON",
        ANSWER("\"result\":"),
        ANSWER("\"result\":03"),
        ANSWER("\"result\":-"),
        ANSWER("\"result\":1 2"),
        ANSWER("\"result\":nul"),
        ANSWER("\"result\":1}{"),
        ANSWER("\"result\":1,\"result\":2"),
        ANSWER("\"result\":1,\"error\":{\"code\":1,\"message\":\"m\"}"),
        ANSWER("\"other\":1"),
        ANSWER("\"error\":1"),
        ANSWER("\"error\":{\"code\":1.5,\"message\":\"m\"}"),
        ANSWER("\"error\":{\"code\":1}"),
        ANSWER("\"result\":\"\xff\""),
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"07\",\"result\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"\",\"result\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"7x\",\"result\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"99999999999999999999\",\"result\":1}",
        "{\"jsonrpc\":\"2.0\",\"result\":1}",
        "{\"id\":\"7\",\"result\":1}",
        "{\"jsonrpc\":\"1.0\",\"id\":\"7\",\"result\":1}",
        "{\"jsonrpc\":\"2.0\",\"method\":7}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":[1]}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":\"1\"}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":1,\"slots\":0}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":1,\"slots\":1025}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":1,\"name\":1}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":1,\"batch\":1}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":1,\"functions\":{}}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":1,\"functions\":[\"\"]}"
        "}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":1,\"functions\":["
        "\"a\\u0000\"]}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"progress\",\"params\":{\"id\":\"7\"}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"progress\",\"params\":{\"value\":7}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"progress\",\"params\":[]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct ili_message *message = read_line(bad[i]);
        cr_assert_eq(message->kind, ILI_MESSAGE_BAD, "%s", bad[i]);
        cr_assert_neq(message->why, NULL);
    }
}

Test(work_message, errors) {
    const struct ili_message *message =
        read_line(ANSWER("\"error\":{\"code\":-32601,\"message\":\"a\",\"data\":{\"type\":\"T\","
                         "\"traceback\":\"t\",\"retry\":false}}"));
    cr_assert_eq(message->kind, ILI_MESSAGE_ERROR, "%s", message->why);
    cr_assert_eq(message->code, -32601);
    cr_assert_str_eq(json_string_value(message->text), "a");
    cr_assert_str_eq(json_string_value(message->type), "T");
    cr_assert_str_eq(json_string_value(message->traceback), "t");
    cr_assert(message->no_retry);
    message = read_line(ANSWER("\"error\":{\"code\":1,\"message\":\"\",\"data\":{\"type\":1}}"));
    cr_assert_eq(message->kind, ILI_MESSAGE_ERROR);
    cr_assert(!message->type && !message->traceback && !message->no_retry);
    message = read_line(ANSWER("\"error\":{\"code\":1,\"message\":\"\",\"data\":7}"));
    cr_assert_eq(message->kind, ILI_MESSAGE_ERROR);
}

Test(work_message, hellos) {
    const struct ili_message *message = read_line(
        "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":1,\"name\":\"w\","
        "\"functions\":[\"add\",\"mul\"],\"slots\":8,\"batch\":true}}");
    cr_assert_eq(message->kind, ILI_MESSAGE_HELLO, "%s", message->why);
    cr_assert_eq(message->protocol, 1);
    cr_assert_eq(json_array_size(message->functions), 2);
    cr_assert(message->slots == 8 && message->batch);
    message = read_line("{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":2}}");
    cr_assert_eq(message->kind, ILI_MESSAGE_HELLO);
    cr_assert(message->protocol == 2 && message->slots == 1 && !message->batch &&
              !message->functions && !message->name);
}

Test(work_message, progress_requests_and_notifications) {
    const struct ili_message *message =
        read_line("{\"jsonrpc\":\"2.0\",\"method\":\"progress\",\"params\":{\"value\":{\"a\":1.0},"
                  "\"id\":\"7\"}}");
    cr_assert_eq(message->kind, ILI_MESSAGE_PROGRESS, "%s", message->why);
    cr_assert_eq(message->id, 7);
    cr_assert_eq(memcmp(message->value.at, "{\"a\":1.0}", message->value.bytes), 0);
    message = read_line("{\"jsonrpc\":\"2.0\",\"method\":\"what\",\"id\": 12}");
    cr_assert_eq(message->kind, ILI_MESSAGE_REQUEST);
    cr_assert_eq(memcmp(message->value.at, "12", message->value.bytes), 0);
    message = read_line("{\"jsonrpc\":\"2.0\",\"method\":\"what\",\"params\":[]}");
    cr_assert_eq(message->kind, ILI_MESSAGE_NOTIFICATION);
}

Test(work_message, a_progress_has_a_limit) {
    static char line[ILI_PROGRESS_BYTES_MOST + 200];
    int bytes = sprintf(
        line, "{\"jsonrpc\":\"2.0\",\"method\":\"progress\",\"params\":{\"id\":\"7\",\"value\":\"");
    memset(line + bytes, 'x', ILI_PROGRESS_BYTES_MOST - 2);
    memcpy(line + bytes + ILI_PROGRESS_BYTES_MOST - 2, "\"}}", 4);
    cr_assert_eq(read_line(line)->kind, ILI_MESSAGE_PROGRESS);
    memcpy(line + bytes + ILI_PROGRESS_BYTES_MOST - 2, "x\"}}", 5);
    cr_assert_eq(read_line(line)->kind, ILI_MESSAGE_BAD);
}
