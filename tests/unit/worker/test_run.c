/* What a function of a module may ask and say, and what comes of it. */
#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/run.h"

static char reported[128];

static il_status report(struct worker_run *run, const char *json, size_t bytes) {
    (void)run;
    memcpy(reported, json, bytes);
    reported[bytes] = '\0';
    return IL_OK;
}

static struct worker_run run;

/* Runs FUNCTION with those arguments; its code. */
static int code_of(il_status (*function)(il_call *), const char *args, const char *kwargs) {
    struct worker_request request = {.function = "f", .task = "12", .attempt = 2};
    request.args = (struct ili_json_span){args, strlen(args)};
    request.kwargs = (struct ili_json_span){kwargs, strlen(kwargs)};
    run.report = report;
    worker_run(&run, function, &request);
    return run.code;
}

#define IS(out, text)                                                                              \
    do {                                                                                           \
        cr_assert_eq((out).bytes, strlen(text), "%.*s", (int)(out).bytes, (out).data);             \
        cr_assert_arr_eq((out).data, text, (out).bytes);                                           \
    } while (0)

static il_status sum(il_call *call) {
    int64_t a, b;
    if (il_call_integer(call, 0, &a) != IL_OK || il_call_named_integer(call, "b", &b) != IL_OK) {
        return IL_EINVAL;
    }
    return il_call_return_integer(call, a + b);
}

Test(worker_run, arguments_are_found_by_place_and_by_name) {
    cr_assert_eq(code_of(sum, "[-40]", "{\"a\":1,\"b\":2}"), 0);
    IS(run.result, "-38");
    cr_assert_eq(code_of(sum, "[9223372036854775806]", "{\"\\u0062\":1}"), 0);
    IS(run.result, "9223372036854775807");
    worker_run_end(&run);
}

Test(worker_run, arguments_that_do_not_fit_are_named) {
    static const char *const table[][3] = {
        {"[]", "{}", "argument 1 is missing"},
        {"[1]", "{\"a\":2}", "argument \"b\" is missing"},
        {"[\"1\"]", "{}", "argument 1 is to be a number"},
        {"[1.5]", "{}", "argument 1 is to be a whole number of 64 bits"},
        {"[9223372036854775808]", "{}", "argument 1 is to be a whole number of 64 bits"},
        {"[1]", "{\"b\":null}", "argument \"b\" is to be a number"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        cr_assert_eq(code_of(sum, table[i][0], table[i][1]), WORKER_BAD_ARGUMENTS);
        IS(run.message, table[i][2]);
        IS(run.type, "TypeError");
    }
    worker_run_end(&run);
}

static il_status text(il_call *call) {
    const char *bytes_text, *plain;
    size_t bytes;
    if (il_call_text(call, 0, &bytes_text, &bytes) != IL_OK ||
        il_call_named_text(call, "plain", &plain, NULL) != IL_OK) {
        return IL_EINVAL;
    }
    cr_assert_str_eq(plain, "a\xc3\xa9");
    return il_call_return_text(call, bytes_text, bytes);
}

Test(worker_run, texts_come_without_escapes_and_go_with_them) {
    cr_assert_eq(code_of(text, "[\"q\\\"\\u0000\\u00e9\"]", "{\"plain\":\"a\\u00e9\"}"), 0);
    IS(run.result, "\"q\\\"\\u0000\xc3\xa9\"");
    cr_assert_eq(code_of(text, "[7]", "{}"), WORKER_BAD_ARGUMENTS);
    IS(run.message, "argument 1 is to be a string");
    cr_assert_eq(code_of(text, "[\"\"]", "{\"plain\":\"a\\u0000\"}"), WORKER_BAD_ARGUMENTS);
    IS(run.message, "argument \"plain\" must not contain NUL");
    worker_run_end(&run);
}

static il_status back(il_call *call) {
    double number;
    if (il_call_number(call, 0, &number) != IL_OK) return IL_EINVAL;
    return il_call_return_number(call, number);
}

Test(worker_run, numbers_keep_their_value_in_any_locale) {
    static const char *const numbers[] = {
        "0.1", "-1.5", "1e+300", "123456789012345680", "5e-324", "0.30000000000000004"};
    static const char *const locales[] = {"C", "de_DE.UTF-8"}; /* the other: if it is installed */
    for (size_t l = 0; l < 2; l++) {
        setlocale(LC_ALL, locales[l]);
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            char args[64], *end;
            snprintf(args, sizeof args, "[%s]", numbers[i]);
            cr_assert_eq(code_of(back, args, "{}"), 0);
            setlocale(LC_ALL, "C");
            char *result = strndup(run.result.data, run.result.bytes);
            cr_assert_eq(strtod(result, &end), strtod(numbers[i], NULL), "%s", result);
            cr_assert_eq(*end, '\0');
            free(result);
        }
    }
    cr_assert_eq(code_of(back, "[1e999]", "{}"), WORKER_BAD_ARGUMENTS);
    worker_run_end(&run);
}

static il_status infinite(il_call *call) {
    il_call_return_number(call, INFINITY);
    return IL_OK;
}

static il_status no_json(il_call *call) {
    il_call_return_json(call, "{", 1);
    return IL_OK;
}

static il_status several_lines(il_call *call) { return il_call_return_json(call, "[1,\n\r 2]", 8); }

static il_status nothing(il_call *call) {
    (void)call;
    return IL_OK;
}

Test(worker_run, results_are_json_on_one_line) {
    cr_assert_eq(code_of(infinite, "[]", "{}"), WORKER_FAILED);
    IS(run.type, "ValueError");
    cr_assert_eq(code_of(no_json, "[]", "{}"), WORKER_FAILED);
    IS(run.message, "the function returned a text that is not JSON");
    cr_assert_eq(code_of(several_lines, "[]", "{}"), 0);
    IS(run.result, "[1,   2]");
    cr_assert_eq(code_of(nothing, "[]", "{}"), 0);
    cr_assert_eq(run.result.bytes, 0);
    worker_run_end(&run);
}

static il_status failing(il_call *call) {
    cr_assert_str_eq(call->function, "f");
    cr_assert_str_eq(call->task, "12");
    cr_assert_eq(call->attempt, 2);
    il_call_return_integer(call, 1);
    return il_call_fail(call, "DiskError", "no \"disk\"", 0);
}

static il_status in_silence(il_call *call) {
    (void)call;
    return IL_ENOMEM;
}

static il_status stopped(il_call *call) {
    il_call_fail(call, "Error", "half done", 1);
    return IL_ECANCELLED;
}

Test(worker_run, a_failure_has_words) {
    cr_assert_eq(code_of(failing, "[]", "{}"), WORKER_FAILED);
    IS(run.type, "DiskError");
    IS(run.message, "no \"disk\"");
    cr_assert(run.in_vain);
    cr_assert_eq(code_of(in_silence, "[]", "{}"), WORKER_FAILED);
    IS(run.type, "IL_ENOMEM");
    cr_assert_gt(run.message.bytes, 0);
    cr_assert_not(run.in_vain, "left over from the call before");
    cr_assert_eq(code_of(stopped, "[]", "{}"), WORKER_CANCELLED);
    cr_assert_eq(code_of(NULL, "[]", "{}"), WORKER_NO_FUNCTION);
    IS(run.message, "there is no function \"f\"");
    worker_run_end(&run);
}

static il_status reporting(il_call *call) {
    static char large[IL_PROGRESS_MAX_BYTES + 1];
    memset(large, '1', sizeof large);
    cr_assert_eq(il_call_progress(call, "{\"a\":\n1}", 8), IL_OK);
    cr_assert_eq(il_call_progress(call, "{", 1), IL_EINVAL);
    cr_assert_eq(il_call_progress(call, NULL, 0), IL_EINVAL);
    cr_assert_eq(il_call_progress(call, large, sizeof large), IL_ETOOBIG);
    return IL_OK;
}

Test(worker_run, progress_is_json_on_one_line_of_limited_size) {
    cr_assert_eq(code_of(reporting, "[]", "{}"), 0);
    cr_assert_str_eq(reported, "{\"a\": 1}");
    worker_run_end(&run);
}
