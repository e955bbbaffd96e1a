#include "client/buffer.h"

#include <criterion/criterion.h>
#include <string.h>

static void check(struct ili_buffer *buffer, const char *expected) {
    cr_assert_str_eq(ili_buffer_text(buffer), expected);
    ili_buffer_free(buffer);
}

Test(client_buffer, grows_over_its_first_room) {
    struct ili_buffer buffer = {0};
    for (unsigned i = 0; i < 1000; i++) ili_buffer_add_number(&buffer, i % 10);
    cr_assert_eq(buffer.bytes, 1000);
    for (unsigned i = 0; i < 1000; i++) cr_assert_eq(buffer.data[i], (char)('0' + i % 10));
    ili_buffer_free(&buffer);
}

Test(client_buffer, what_cannot_be_allocated_is_remembered) {
    struct ili_buffer buffer = {0};
    ili_buffer_add_text(&buffer, "a");
    cr_assert_null(ili_buffer_reserve(&buffer, SIZE_MAX - 4));
    ili_buffer_add_text(&buffer, "b");
    cr_assert(buffer.failed);
    cr_assert_null(ili_buffer_text(&buffer));
    ili_buffer_free(&buffer);
}

Test(client_buffer, seconds_are_exact) {
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {
        {0, "0"},          {1, "0.000000001"},    {1500000000, "1.5"},
        {1000000000, "1"}, {100000000000, "100"}, {INT64_MAX, "9223372036.854775807"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ili_buffer buffer = {0};
        ili_buffer_add_seconds(&buffer, cases[i].ns);
        check(&buffer, cases[i].text);
    }
}

Test(client_buffer, only_unreserved_bytes_stay_in_a_path) {
    struct ili_buffer buffer = {0};
    ili_buffer_add_percent(&buffer, "AZaz09-._~", 10);
    ili_buffer_add_percent(&buffer, "/:?#%+ ä\x01", 10);
    check(&buffer, "AZaz09-._~%2F%3A%3F%23%25%2B%20%C3%A4%01");
    ili_buffer_add_percent(&buffer, "\0", 1);
    check(&buffer, "%00");
}
