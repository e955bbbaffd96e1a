/* The table of numbers. */
#include <criterion/criterion.h>

#include "support/wait.h"
#include "work/ids.h"

struct entry {
    struct entry *next;
    uint64_t id;
};

Test(work_ids, what_was_added_is_found_until_it_is_removed) {
    enum { COUNT = 5000 };
    static struct entry entries[COUNT];
    static bool in[COUNT];
    struct ili_ids ids;
    uint64_t seed = test_seed(9);
    size_t count = 0;
    cr_assert_eq(ili_ids_open(&ids, offsetof(struct entry, id), offsetof(struct entry, next)),
                 IL_OK);
    for (unsigned i = 0; i < COUNT; i++)
        entries[i].id = ((uint64_t)i << (i % 3 * 20)) + 1000000 * i;
    for (unsigned step = 0; step < 50000; step++) {
        unsigned i = (unsigned)(test_random(&seed) % COUNT);
        cr_assert_eq(ili_ids_find(&ids, entries[i].id), in[i] ? &entries[i] : NULL);
        if (in[i]) {
            ili_ids_remove(&ids, &entries[i]);
            ili_ids_remove(&ids, &entries[i]); /* nothing */
            count--;
        } else {
            ili_ids_add(&ids, &entries[i]);
            count++;
        }
        in[i] = !in[i];
        cr_assert_eq(ids.count, count);
    }
    ili_ids_free(&ids);
}
