/* Typed fields: what is taken, and that a refusal names the field and what was expected. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "server/params.h"

#define SECOND INT64_C(1000000000)

struct fields {
    bool fair;
    int64_t timeout_ns;
    uint64_t maxsize, token;
    char owner[8];
};

static il_status read_fields(const char *body, struct fields *f, struct ili_fault *fault) {
    char copy[512];
    const struct ili_param params[] = {
        ILI_PARAM_BOOL("fair", &f->fair),
        ILI_PARAM_SECONDS("timeout", &f->timeout_ns, 0, 300 * SECOND),
        ILI_PARAM_COUNT("maxsize", &f->maxsize, 0, 1000), ILI_PARAM_TEXT("owner", f->owner, 7)};
    strcpy(copy, body);
    return ili_params_read(copy, strlen(copy), params, 4, fault);
}

Test(server_params, what_is_absent_keeps_its_default) {
    struct fields f = {.timeout_ns = 7, .maxsize = 5};
    struct ili_fault fault;
    cr_assert_eq(read_fields("", &f, &fault), IL_OK);
    cr_assert_eq(read_fields(" {} ", &f, &fault), IL_OK);
    cr_assert_eq(f.timeout_ns, 7);
    cr_assert_eq(f.maxsize, 5);
}

Test(server_params, fields_are_read_by_type) {
    struct fields f = {0};
    struct ili_fault fault;
    cr_assert_eq(read_fields("{\"fair\":true,\"timeout\":0.25,\"maxsize\":1000,"
                             "\"o\\u0077ner\":\"caf\\u00e9\"}",
                             &f, &fault),
                 IL_OK);
    cr_assert(f.fair);
    cr_assert_eq(f.timeout_ns, SECOND / 4);
    cr_assert_eq(f.maxsize, 1000);
    cr_assert_str_eq(f.owner, "caf\xc3\xa9");
    cr_assert_eq(read_fields("{\"timeout\":3e2}", &f, &fault), IL_OK);
    cr_assert_eq(f.timeout_ns, 300 * SECOND);
}

Test(server_params, refusals_name_the_field_and_what_was_expected) {
    static const struct {
        const char *body, *field, *expected;
    } bad[] = {
        {"{\"fair\":1}", "fair", "true or false"},
        {"{\"timeout\":\"1\"}", "timeout", "a number of seconds from 0 to 300"},
        {"{\"timeout\":-1}", "timeout", "a number of seconds from 0 to 300"},
        {"{\"timeout\":300.1}", "timeout", "a number of seconds from 0 to 300"},
        {"{\"timeout\":1e999}", "timeout", "a number of seconds from 0 to 300"},
        {"{\"maxsize\":1.0}", "maxsize", "an integer from 0 to 1000"},
        {"{\"maxsize\":-1}", "maxsize", "an integer from 0 to 1000"},
        {"{\"maxsize\":1001}", "maxsize", "an integer from 0 to 1000"},
        {"{\"maxsize\":99999999999999999999999}", "maxsize", "an integer from 0 to 1000"},
        {"{\"owner\":\"12345678\"}", "owner", "a string of at most 7 bytes without NUL"},
        {"{\"owner\":\"a\\u0000\"}", "owner", "a string of at most 7 bytes without NUL"},
        {"{\"color\":1}", "color", "one of fair, timeout, maxsize, owner"},
        {"[]", "body", "a JSON object"},
        {"{\"fair\":true,\"fair\":true}", "body", "JSON (RFC 8259)"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fields f = {0};
        struct ili_fault fault = {0};
        cr_assert_eq(read_fields(bad[i].body, &f, &fault), IL_EINVAL, "%s", bad[i].body);
        cr_assert_str_eq(fault.field, bad[i].field);
        cr_assert_str_eq(fault.expected, bad[i].expected);
    }
}

Test(server_params, tokens_are_decimal_strings) {
    static const char *const bad[] = {"{}",
                                      "{\"token\":5}",
                                      "{\"token\":\"\"}",
                                      "{\"token\":\"0\"}",
                                      "{\"token\":\"05\"}",
                                      "{\"token\":\"-5\"}",
                                      "{\"token\":\"18446744073709551616\"}",
                                      "{\"token\":\"5 \"}"};
    uint64_t token = 0;
    struct ili_fault fault;
    char good[] = "{\"token\":\"18446744073709551615\"}";
    const struct ili_param params[] = {ILI_PARAM_TOKEN("token", &token)};
    cr_assert_eq(ili_params_read(good, strlen(good), params, 1, &fault), IL_OK);
    cr_assert_eq(token, UINT64_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char copy[64];
        snprintf(copy, sizeof copy, "%s", bad[i]);
        cr_assert_eq(ili_params_read(copy, strlen(copy), params, 1, &fault), IL_EINVAL, "%s",
                     bad[i]);
        cr_assert_str_eq(fault.field, "token");
    }
}
