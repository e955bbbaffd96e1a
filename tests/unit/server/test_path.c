/* Percent-decoding, and names taken from paths. */
#include <criterion/criterion.h>
#include <string.h>

#include "server/path.h"

static il_status name_of(const char *segment, char *name, size_t *bytes, struct ili_fault *fault) {
    return ili_path_name(segment, strlen(segment), name, bytes, fault);
}

Test(server_path, is_split_before_it_is_decoded) {
    struct ili_path path;
    cr_assert(ili_path_split("/v1/locks/a%2Fb/acquire", &path));
    cr_assert_eq(path.count, 4);
    cr_assert_eq(path.segment[2].bytes, strlen("a%2Fb"));
    cr_assert(ili_path_split("/v1/locks/", &path));
    cr_assert_eq(path.count, 3);
    cr_assert_eq(path.segment[2].bytes, 0);
    cr_assert(ili_path_split("/a/b/c/d/e/f", &path));
    cr_assert_eq(path.count, ILI_PATH_SEGMENTS + 1);
    cr_assert_not(ili_path_split("*", &path));
    cr_assert_not(ili_path_split("", &path));
}

Test(server_path, names_may_hold_any_character_but_nul) {
    static const struct {
        const char *segment, *name;
    } good[] = {{"a", "a"},     {"a%2Fb", "a/b"},       {"%2e%2E", ".."},    {"%25", "%"},
                {"a+b", "a+b"}, {"%c3%a9", "\xc3\xa9"}, {"x:y;z=", "x:y;z="}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char name[IL_NAME_MAX_BYTES];
        size_t bytes = 0;
        struct ili_fault fault;
        cr_assert_eq(name_of(good[i].segment, name, &bytes, &fault), IL_OK, "%s", good[i].segment);
        cr_assert_eq(bytes, strlen(good[i].name));
        cr_assert_eq(memcmp(name, good[i].name, bytes), 0, "%s", good[i].segment);
    }
}

Test(server_path, what_is_no_name_is_refused_by_its_field) {
    static const char *const bad[] = {"",     "%",      "%4",          "%4g",    "%g4",
                                      "a%",   "%00",    "%ff",         "%c0%80", "%ed%a0%80",
                                      "a%%2", "%u0041", "%f4%90%80%80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char name[IL_NAME_MAX_BYTES];
        size_t bytes = 77;
        struct ili_fault fault;
        cr_assert_eq(name_of(bad[i], name, &bytes, &fault), IL_EINVAL, "%s", bad[i]);
        cr_assert_str_eq(fault.field, "name");
        cr_assert_eq(bytes, 77, "an out parameter was touched");
    }
}

Test(server_path, length_counts_after_decoding) {
    char segment[3 * 256 + 1] = "", name[IL_NAME_MAX_BYTES];
    size_t bytes = 0;
    struct ili_fault fault;
    for (int i = 0; i < 255; i++) strcat(segment, "%41");
    cr_assert_eq(name_of(segment, name, &bytes, &fault), IL_OK);
    cr_assert_eq(bytes, 255);
    strcat(segment, "%41");
    cr_assert_eq(name_of(segment, name, &bytes, &fault), IL_EINVAL);
}
