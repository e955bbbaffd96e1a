/* What the server keeps by name: finding, the order of a walk, coming and going meanwhile. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/roster.h"

static void name_it(struct ili_named *named, const char *name) {
    ili_named_set(named, name, strlen(name));
}

static struct ili_named *find(const struct ili_roster *roster, const char *name) {
    return ili_roster_find(roster, name, strlen(name));
}

Test(server_roster, what_was_added_is_found_until_it_is_removed) {
    struct ili_roster roster = {0};
    struct ili_named b, a, ab;
    cr_assert_null(find(&roster, "a"));
    name_it(&b, "b"), name_it(&a, "a"), name_it(&ab, "ab");
    cr_assert(ili_roster_add(&roster, &b));
    cr_assert(ili_roster_add(&roster, &a));
    cr_assert(ili_roster_add(&roster, &ab));
    cr_assert_eq(find(&roster, "a"), &a);
    cr_assert_eq(find(&roster, "ab"), &ab);
    cr_assert_eq(find(&roster, "b"), &b);
    cr_assert_null(find(&roster, "abc"));
    ili_roster_remove(&roster, &ab);
    cr_assert_null(find(&roster, "ab"));
    cr_assert_eq(roster.count, 2u);
    ili_roster_free(&roster);
}

Test(server_roster, a_walk_is_in_the_order_of_bytes) {
    static const char *const names[] = {"\xc3\xa9", "a", "B", "ab", "a/", "z"};
    static const char *const sorted[] = {"B", "a", "a/", "ab", "z", "\xc3\xa9"};
    enum { COUNT = sizeof names / sizeof *names };
    struct ili_roster roster = {0};
    struct ili_named things[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        name_it(&things[i], names[i]);
        cr_assert(ili_roster_add(&roster, &things[i]));
    }
    const struct ili_named *at = ili_roster_after(&roster, NULL, 0);
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert_not_null(at);
        cr_assert_eq(at->name_bytes, strlen(sorted[i]));
        cr_assert_eq(memcmp(at->name, sorted[i], at->name_bytes), 0);
        at = ili_roster_after(&roster, at->name, at->name_bytes);
    }
    cr_assert_null(at);
    ili_roster_free(&roster);
}

Test(server_roster, a_walk_goes_on_behind_a_name_that_is_gone) {
    struct ili_roster roster = {0};
    enum { COUNT = 1000 };
    struct ili_named *things = calloc(COUNT, sizeof *things);
    cr_assert_not_null(things);
    for (size_t i = 0; i < COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "%03zu", i * 7 % COUNT);
        name_it(&things[i], name);
        cr_assert(ili_roster_add(&roster, &things[i]));
    }
    ili_roster_remove(&roster, find(&roster, "500"));
    const struct ili_named *next = ili_roster_after(&roster, "500", 3);
    cr_assert_eq(memcmp(next->name, "501", 3), 0);
    ili_roster_free(&roster);
    free(things);
}
