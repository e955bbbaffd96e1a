/* Captured output: of any amount the last part is kept. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "support/wait.h"
#include "work/output.h"

Test(work_output, the_last_bytes_are_kept) {
    static char all[200000];
    uint64_t seed = test_seed(3);
    for (size_t i = 0; i < sizeof all; i++) all[i] = (char)test_random(&seed);
    for (size_t most = 0; most < 3000; most += most < 5 ? 1 : 997) {
        struct ili_output output = {0};
        size_t added = 0;
        while (added < sizeof all) {
            size_t bytes = test_random(&seed) % 2000;
            if (bytes > sizeof all - added) bytes = sizeof all - added;
            ili_output_add(&output, all + added, bytes, most);
            added += bytes;
            cr_assert_geq(output.bytes, added < most ? added : most);
            cr_assert_leq(output.room, 2 * most + 512);
            cr_assert_eq(
                memcmp(output.data ? output.data : "", all + added - output.bytes, output.bytes),
                0);
        }
        cr_assert_eq(output.total, sizeof all);
        ili_output_trim(&output, most);
        cr_assert_eq(output.bytes, most);
        cr_assert(output.truncated);
        ili_output_free(&output);
    }
}

Test(work_output, nothing_is_truncated_that_fits) {
    struct ili_output output = {0};
    for (int i = 0; i < 100; i++) ili_output_add(&output, "0123456789", 10, 1000);
    ili_output_trim(&output, 1000);
    cr_assert_eq(output.bytes, 1000);
    cr_assert_not(output.truncated);
    ili_output_add(&output, "x", 1, 1000);
    ili_output_trim(&output, 1000);
    cr_assert(output.truncated);
    cr_assert_eq(memcmp(output.data, "123", 3), 0);
    ili_output_free(&output);
}

Test(work_output, a_pipe_is_read_until_it_has_no_more_or_ends) {
    struct ili_output output = {0};
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    cr_assert(ili_output_read(&output, ends[0], 100));
    cr_assert_eq(write(ends[1], "some", 4), 4);
    cr_assert(ili_output_read(&output, ends[0], 100));
    cr_assert_eq(output.bytes, 4);
    close(ends[1]);
    cr_assert_not(ili_output_read(&output, ends[0], 100));
    close(ends[0]);
    ili_output_free(&output);
}
