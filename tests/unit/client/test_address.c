#include "client/address.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(client_address, becomes_a_base_without_a_slash) {
    static const char *const cases[][2] = {
        {"http://localhost:7717", "http://localhost:7717"},
        {"http://localhost:7717/", "http://localhost:7717"},
        {"https://example.org/locks//", "https://example.org/locks"},
        {"http://[::1]:7717", "http://[::1]:7717"},
        {"HTTP://127.0.0.1:80", "http://127.0.0.1:80"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *base = NULL;
        const char *why;
        cr_assert_eq(ili_address_parse(cases[i][0], &base, &why), IL_OK, "%s", cases[i][0]);
        cr_assert_str_eq(base, cases[i][1]);
        free(base);
    }
}

Test(client_address, what_has_no_meaning_is_refused) {
    static const char *const cases[] = {
        "http://",       "http://a:99999", "http://a:x", "http://user@a", "http://user:pw@a",
        "http://a/?q=1", "http://a#b",     "http://a b", "http://[::1",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *base = NULL;
        const char *why = NULL;
        cr_assert_eq(ili_address_parse(cases[i], &base, &why), IL_EINVAL, "%s", cases[i]);
        cr_assert_null(base);
        cr_assert_not_null(why);
    }
}
