/* Which programs may be started, and what environment they get. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/programs.h"

static struct ili_programs allowing(const char *paths, const char *names) {
    struct ili_programs programs = {0};
    struct ili_fault fault;
    json_t *json = json_loads(paths, 0, NULL);
    cr_assert_eq(ili_programs_read_paths(&programs, json, &fault), IL_OK, "%s", fault.detail);
    json_decref(json);
    json = json_loads(names, 0, NULL);
    cr_assert_eq(ili_programs_read_names(&programs, json, &fault), IL_OK, "%s", fault.detail);
    json_decref(json);
    return programs;
}

static il_status command(const struct ili_programs *programs, const char *text, char ***out,
                         struct ili_fault *fault) {
    json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    il_status status = ili_command_read("command", json, programs, out, fault);
    json_decref(json);
    return status;
}

Test(server_programs, a_plain_path_is_absolute_and_has_no_dots) {
    static const char *const plain[] = {"/", "/bin/sh", "//bin//sh", "/a.b/..c/...", "/bin/"};
    static const char *const others[] = {"",        "bin/sh",     "./sh",    "/./sh", "/bin/.",
                                         "/bin/..", "/bin/../sh", "/../bin", "..",    "/."};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        cr_assert(ili_path_is_plain(plain[i]), "%s", plain[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        cr_assert_not(ili_path_is_plain(others[i]), "%s", others[i]);
    }
}

Test(server_programs, only_what_is_listed_may_be_started) {
    struct ili_programs none = {0}, some = allowing("[\"/bin/echo\",\"/opt/x.so\"]", "[]");
    struct ili_fault fault;
    cr_assert_eq(ili_programs_check(&none, "command[0]", "/bin/echo", &fault), IL_EPROGRAM);
    cr_assert_str_eq(fault.field, "command[0]");
    cr_assert_eq(ili_programs_check(&some, "command[0]", "/bin/echo", &fault), IL_OK);
    cr_assert_eq(ili_programs_check(&some, "module", "/opt/x.so", &fault), IL_OK);
    cr_assert_eq(ili_programs_check(&some, "command[0]", "/bin/ech", &fault), IL_EPROGRAM);
    cr_assert_eq(ili_programs_check(&some, "command[0]", "/bin//echo", &fault), IL_EPROGRAM);
    ili_programs_drop(&some);
}

Test(server_programs, a_command_is_an_array_of_strings) {
    struct ili_programs some = allowing("[\"/bin/echo\"]", "[]");
    struct ili_fault fault;
    char **out = NULL;
    cr_assert_eq(command(&some, "[\"/bin/echo\",\"a b\",\"\"]", &out, &fault), IL_OK);
    cr_assert_str_eq(out[1], "a b");
    cr_assert_str_eq(out[2], "");
    cr_assert_null(out[3]);
    ili_texts_free(out);
    out = NULL;
    cr_assert_eq(command(NULL, "[\"/bin/sh\"]", &out, &fault), IL_OK); /* of the file */
    ili_texts_free(out);
    out = NULL;
    static const char *const wrong[] = {"[]",
                                        "\"/bin/echo\"",
                                        "{}",
                                        "[1]",
                                        "[\"/bin/echo\",null]",
                                        "[\"echo\"]",
                                        "[\"/bin/echo\",\"a\\u0000b\"]"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(command(&some, wrong[i], &out, &fault), IL_EINVAL, "%s", wrong[i]);
        cr_assert_null(out);
    }
    cr_assert_eq(command(&some, "[\"/bin/sh\"]", &out, &fault), IL_EPROGRAM);
    cr_assert_null(out);
    ili_programs_drop(&some);
}

Test(server_programs, a_long_command_is_refused) {
    struct ili_fault fault;
    char **out = NULL;
    json_t *json = json_array();
    json_array_append_new(json, json_string("/bin/echo"));
    char *text = malloc(300000);
    cr_assert_not_null(text);
    memset(text, 'x', 299999);
    text[299999] = 0;
    json_array_append_new(json, json_string(text));
    cr_assert_eq(ili_command_read("command", json, NULL, &out, &fault), IL_ETOOBIG);
    json_decref(json);
    free(text);
}

static bool has(char *const *whole, const char *text) {
    for (size_t i = 0; whole[i]; i++) {
        if (strcmp(whole[i], text) == 0) return true;
    }
    return false;
}

Test(server_programs, the_environment_is_what_is_listed_and_given) {
    struct ili_programs some = allowing("[]", "[\"GREETING\",\"OTHER\"]");
    struct ili_fault fault;
    char **given = NULL;
    setenv("GREETING", "hello", 1);
    setenv("OTHER", "own", 1);
    setenv("SECRET", "x", 1);
    setenv("TZ", "UTC", 1);
    json_t *json = json_loads("{\"OTHER\":\"given\"}", 0, NULL);
    cr_assert_eq(ili_environment_read("environment", json, &some, &given, &fault), IL_OK);
    json_decref(json);
    char **whole = ili_environment_make(&some, given);
    cr_assert(has(whole, "GREETING=hello"));
    cr_assert(has(whole, "OTHER=given"));
    cr_assert(has(whole, "TZ=UTC"));
    cr_assert_not(has(whole, "OTHER=own"));
    cr_assert_not(has(whole, "SECRET=x"));
    ili_texts_free(whole);
    ili_texts_free(given);
    ili_programs_drop(&some);
}

Test(server_programs, a_variable_that_is_not_listed_is_refused) {
    struct ili_programs some = allowing("[]", "[\"GREETING\"]");
    static const struct {
        const char *text;
        il_status status;
    } cases[] = {{"{\"LD_PRELOAD\":\"x\"}", IL_EACCESS},
                 {"{\"greeting\":\"x\"}", IL_EACCESS},
                 {"{\"INTERLOCK_X\":\"x\"}", IL_EINVAL},
                 {"{\"GREETING\":1}", IL_EINVAL},
                 {"{\"\":\"x\"}", IL_EINVAL},
                 {"{\"A=B\":\"x\"}", IL_EINVAL},
                 {"{\"1A\":\"x\"}", IL_EINVAL},
                 {"[]", IL_EINVAL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ili_fault fault;
        char **given = NULL;
        json_t *json = json_loads(cases[i].text, 0, NULL);
        cr_assert_eq(ili_environment_read("environment", json, &some, &given, &fault),
                     cases[i].status, "%s", cases[i].text);
        cr_assert_null(given);
        json_decref(json);
    }
    ili_programs_drop(&some);
}
