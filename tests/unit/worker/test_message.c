/* Lines of the server, cut apart. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/message.h"
#include "worker/unescape.h"

/* What TEXT is; the line is freed unless it went to the batch. */
static enum worker_message is(const char *text, struct worker_batch **batch, char *cancelled) {
    struct ili_json_span id;
    size_t bytes = strlen(text);
    char *line = malloc(bytes + 1);
    memcpy(line, text, bytes + 1);
    enum worker_message message = worker_message_read(line, bytes, batch, &id);
    if (message == WORKER_CANCEL) {
        memcpy(cancelled, id.at, id.bytes);
        cancelled[id.bytes] = '\0';
    }
    if (message != WORKER_REQUESTS) free(line);
    return message;
}

static struct worker_batch *batch_of(const char *text) {
    struct worker_batch *batch = NULL;
    cr_assert_eq(is(text, &batch, NULL), WORKER_REQUESTS, "%s", text);
    return batch;
}

#define CALL(id, params)                                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"call\",\"params\":" params "}"

Test(worker_message, a_call_has_its_texts_as_they_were_written) {
    struct worker_batch *batch =
        batch_of(CALL("\"7\"", "{\"function\":\"f\\u00e9\\n\",\"args\":[ 1.00,\"],\\\"kwargs\" ],"
                               "\"kwargs\":{ \"a\" : {} },\"task\":\"4611686018427387904\","
                               "\"attempt\":3}"));
    cr_assert_eq(batch->count, 1);
    struct worker_request *request = &batch->requests[0];
    cr_assert_eq(request->kind, WORKER_CALL);
    cr_assert_eq(request->id.bytes, 3);
    cr_assert_arr_eq(request->id.at, "\"7\"", 3);
    cr_assert_str_eq(request->function, "f\xc3\xa9\n");
    cr_assert_str_eq(request->args.at, "[ 1.00,\"],\\\"kwargs\" ]");
    cr_assert_eq(request->args.bytes, strlen(request->args.at));
    cr_assert_str_eq(request->kwargs.at, "{ \"a\" : {} }");
    cr_assert_str_eq(request->task, "4611686018427387904");
    cr_assert_eq(request->attempt, 3);
    cr_assert_not(request->cancelled);
    worker_batch_free(batch);
}

Test(worker_message, what_is_left_out_has_defaults) {
    struct worker_batch *batch =
        batch_of("{\"id\":\"init\",\"method\":\"initialize\",\"params\":{\"function\":\"f\"}}");
    struct worker_request *request = &batch->requests[0];
    cr_assert_str_eq(request->args.at, "[]");
    cr_assert_str_eq(request->kwargs.at, "{}");
    cr_assert_str_eq(request->task, "");
    cr_assert_eq(request->attempt, 1);
    worker_batch_free(batch);
}

Test(worker_message, members_may_come_in_any_order) {
    struct worker_batch *batch =
        batch_of(" { \"params\" : { \"args\":[1], \"x\":2, \"function\":\"f\" } , "
                 "\"method\":\"call\", \"id\":9 } ");
    cr_assert_str_eq(batch->requests[0].function, "f");
    cr_assert_str_eq(batch->requests[0].args.at, "[1]");
    cr_assert_arr_eq(batch->requests[0].id.at, "9", 1);
    worker_batch_free(batch);
}

Test(worker_message, params_that_are_none_do_not_fit) {
    static const char *const unfit[] = {"7",
                                        "[]",
                                        "{}",
                                        "{\"function\":7}",
                                        "{\"function\":\"f\",\"args\":{}}",
                                        "{\"function\":\"f\",\"kwargs\":[]}"};
    char line[256];
    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++) {
        snprintf(line, sizeof line, CALL("\"1\"", "%s"), unfit[i]);
        struct worker_batch *batch = batch_of(line);
        cr_assert_eq(batch->requests[0].kind, WORKER_UNFIT, "%s", line);
        worker_batch_free(batch);
    }
}

Test(worker_message, a_batch_has_its_requests_in_order) {
    struct worker_batch *batch = batch_of("[" CALL(
        "\"1\"", "{\"function\":\"a\",\"args\":[1]}") " , "
                                                      "{\"id\":\"2\",\"method\":\"juggle\"}," CALL(
                                                          "\"3\"", "{\"function\":\"c\"}") "]");
    cr_assert_eq(batch->count, 3);
    cr_assert_str_eq(batch->requests[0].function, "a");
    cr_assert_eq(batch->requests[1].kind, WORKER_UNKNOWN);
    cr_assert_arr_eq(batch->requests[1].id.at, "\"2\"", 3);
    cr_assert_str_eq(batch->requests[2].function, "c");
    worker_batch_free(batch);
}

Test(worker_message, a_cancel_names_a_request) {
    struct worker_batch *batch;
    char id[16];
    cr_assert_eq(is("{\"method\":\"cancel\",\"params\":{\"id\":\"12\"}}", &batch, id),
                 WORKER_CANCEL);
    cr_assert_str_eq(id, "\"12\"");
    cr_assert_eq(is("{\"method\":\"cancel\",\"params\":[]}", &batch, id), WORKER_IGNORED);
    cr_assert_eq(is("{\"method\":\"cancel\"}", &batch, id), WORKER_IGNORED);
}

Test(worker_message, other_notifications_are_ignored_and_nonsense_is_told) {
    static const char *const nonsense[] = {
        "",    "{",   "7",    "\"a\"",          "{}",
        "[]",  "[7]", "[{}]", "{\"id\":\"1\"}", "[{\"method\":\"cancel\"}]",
        "null"};
    struct worker_batch *batch;
    cr_assert_eq(is("{\"jsonrpc\":\"2.0\",\"method\":\"greet\"}", &batch, NULL), WORKER_IGNORED);
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        cr_assert_eq(is(nonsense[i], &batch, NULL), WORKER_NONSENSE, "%s", nonsense[i]);
    }
}

Test(worker_message, strings_are_unescaped) {
    static const struct {
        const char *string, *meaning;
        size_t bytes;
    } table[] = {
        {"\"\"", "", 0},
        {"\"plain\"", "plain", 5},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
        {"\"\\u0041\\u00E9\\u20ac\\ud83d\\ude00\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10},
        {"\"a\\u0000b\"", "a\0b", 3},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t given = strlen(table[i].string), bytes;
        char *room = malloc(given);
        worker_unescape(table[i].string, given, room, &bytes);
        cr_assert_eq(bytes, table[i].bytes, "%s", table[i].string);
        cr_assert_arr_eq(room, table[i].meaning, bytes + 1);
        free(room);
    }
}
