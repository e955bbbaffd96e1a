#include "base/base64.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void both_ways(const char *plain, const char *text) {
    char encoded[64] = {0}, decoded[64] = {0};
    size_t bytes = 99;
    ili_base64_encode(encoded, plain, strlen(plain));
    cr_assert_str_eq(encoded, text);
    cr_assert_eq(strlen(encoded), ili_base64_length(strlen(plain)));
    cr_assert(ili_base64_decode(decoded, &bytes, text, strlen(text)));
    cr_assert_eq(bytes, strlen(plain));
    cr_assert(bytes <= ili_base64_room(strlen(text)));
    cr_assert_str_eq(decoded, plain);
}

Test(base_base64, test_vectors_of_rfc_4648) {
    both_ways("", "");
    both_ways("f", "Zg==");
    both_ways("fo", "Zm8=");
    both_ways("foo", "Zm9v");
    both_ways("foob", "Zm9vYg==");
    both_ways("fooba", "Zm9vYmE=");
    both_ways("foobar", "Zm9vYmFy");
}

Test(base_base64, every_length_and_byte_survives) {
    srandom(7);
    for (size_t length = 0; length < 600; length++) {
        unsigned char plain[600], back[602];
        char text[804];
        size_t bytes;
        for (size_t i = 0; i < length; i++) plain[i] = (unsigned char)random();
        ili_base64_encode(text, plain, length);
        cr_assert(ili_base64_decode(back, &bytes, text, ili_base64_length(length)));
        cr_assert_eq(bytes, length);
        cr_assert_arr_eq(back, plain, length);
        /* in its place */
        cr_assert(ili_base64_decode(text, &bytes, text, ili_base64_length(length)));
        cr_assert_arr_eq(text, plain, length);
    }
}

Test(base_base64, refuses_what_is_not_strict) {
    static const char *const wrong[] = {
        "Z",    "Zg",    "Zg=",  "Zm9",   "Zg==Zg==", "=Zg=",     "====",
        "Z===", "Zm9v=", "Zh==", "Zm9=",  "Zm9v\n",   "Zm 9vYg=", "Zm9-",
        "Zm9_", "Zm=v",  "Zg=v", "Zm9vY", "Zm9\x80",  "Zm9vZ===", "\xff\xff\xff\xff",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char room[16];
        size_t bytes = 99;
        cr_assert_not(ili_base64_decode(room, &bytes, wrong[i], strlen(wrong[i])), "%s", wrong[i]);
        cr_assert_eq(bytes, 99);
    }
    char room[4];
    size_t bytes;
    cr_assert_not(ili_base64_decode(room, &bytes, "Zm\0v", 4));
}
