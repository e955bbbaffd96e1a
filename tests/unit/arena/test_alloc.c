#include <criterion/criterion.h>

#include "support/member.h"

#define MIB (UINT64_C(1) << 20)

static ili_off take(uint64_t bytes) {
    ili_off at = 0;
    il_status status = ili_alloc(&test_member, test_self(), 0, bytes, &at);
    ili_alloc_published(test_self(), 0);
    return status == IL_OK ? at : 0;
}

static void give(ili_off at) {
    ili_alloc_adopt(test_self(), 0, at);
    cr_assert_eq(ili_alloc_free(&test_member, test_self(), 0), IL_OK);
}

Test(arena_alloc, tells_what_a_block_takes) {
    cr_assert_eq(ili_alloc_size(1), 64);
    cr_assert_eq(ili_alloc_size(64), 64);
    cr_assert_eq(ili_alloc_size(65), 128);
    cr_assert_eq(ili_alloc_size(16384), 16384);
    cr_assert_eq(ili_alloc_size(16385), 65536);
    cr_assert_eq(ili_alloc_size(65537), 131072);
}

/* Blocks filled with a number of their own: an overlap would show. */
Test(arena_alloc, random_blocks_do_not_overlap, .timeout = 120) {
    enum { BLOCKS = 500 };
    static struct {
        ili_off at;
        uint64_t bytes, fill;
    } blocks[BLOCKS];
    uint64_t random = test_seed(3), steps = test_torture() ? 2000000 : 60000;
    cr_assert(test_enter(32 * MIB));
    uint64_t free_at_first = ili_alloc_available(&test_member);
    for (uint64_t step = 0; step < steps; step++) {
        unsigned i = (unsigned)(test_random(&random) % BLOCKS);
        if (blocks[i].at) {
            uint64_t *words = ili_at(&test_member.arena, blocks[i].at, blocks[i].bytes);
            for (uint64_t w = 0; w < blocks[i].bytes / 8; w += 7) {
                cr_assert_eq(words[w], blocks[i].fill, "step %llu", (unsigned long long)step);
            }
            give(blocks[i].at);
            blocks[i].at = 0;
        } else {
            uint64_t r = test_random(&random);
            blocks[i].bytes = 1 + (r >> 8) % (r % 16 == 0 ? 300000 : r % 4 == 0 ? 20000 : 600);
            blocks[i].at = take(blocks[i].bytes);
            if (!blocks[i].at) continue; /* full, for now */
            cr_assert_eq(blocks[i].at % 64, 0);
            blocks[i].fill = test_random(&random);
            uint64_t *words = ili_at(&test_member.arena, blocks[i].at, blocks[i].bytes);
            cr_assert(words != NULL);
            for (uint64_t w = 0; w < blocks[i].bytes / 8; w++) words[w] = blocks[i].fill;
        }
        if (step % 500 == 0)
            cr_assert_eq(test_check_alloc(), IL_OK, "step %llu", (unsigned long long)step);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (blocks[i].at) give(blocks[i].at);
    }
    cr_assert_eq(test_check_alloc(), IL_OK);
    cr_assert_eq(ili_alloc_available(&test_member), free_at_first);
    test_leave();
}

Test(arena_alloc, when_full_refuses_and_serves_again_what_is_freed, .timeout = 60) {
    static const uint64_t sizes[] = {64, 500, 4096, 16384, 65536, 200000, MIB};
    static ili_off blocks[200000];
    cr_assert(test_enter(8 * MIB));
    uint64_t free_at_first = ili_alloc_available(&test_member);
    for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        unsigned count = 0, again = 0;
        while ((blocks[count] = take(sizes[s]))) count++;
        uint64_t left = ili_alloc_available(&test_member);
        cr_assert_eq(take(sizes[s]), 0);
        cr_assert_eq(ili_alloc_available(&test_member), left, "a refusal changes nothing");
        cr_assert_eq(test_check_alloc(), IL_OK);
        for (unsigned i = 0; i < count; i += 2) give(blocks[i]);
        for (unsigned i = 0; i < count; i += 2) again += (blocks[i] = take(sizes[s])) != 0;
        cr_assert_eq(again, (count + 1) / 2, "%llu: what was freed is used again",
                     (unsigned long long)sizes[s]);
        for (unsigned i = 0; i < count; i++) give(blocks[i]);
        cr_assert_eq(ili_alloc_available(&test_member), free_at_first);
    }
    cr_assert_eq(take(9 * MIB), 0);
    cr_assert_eq(take(UINT64_MAX / 2), 0);
    test_leave();
}

/* A shortage of memory (not of address space) is the error of one call, whichever call it hits. */
Test(arena_alloc, survives_any_failed_commit) {
    cr_assert(test_enter(32 * MIB));
    ili_system.fallocate = test_fallocate;
    for (int64_t n = 0; n < 40; n++) {
        ili_off blocks[64];
        unsigned count = 0, refused = 0;
        test_fallocate_left = n;
        uint64_t before = ili_alloc_available(&test_member);
        for (unsigned i = 0; i < 64; i++) {
            ili_off at = take(i % 3 == 0 ? 300000 : i % 3 == 1 ? 3000 : 16384);
            refused += at == 0;
            if (at) blocks[count++] = at;
        }
        test_fallocate_left = INT64_MAX;
        cr_assert_eq(test_check_alloc(), IL_OK);
        while (count > 0) give(blocks[--count]);
        cr_assert_eq(ili_alloc_available(&test_member), before);
        cr_assert(n > 0 || refused > 0, "nothing failed: the test tests nothing");
        /* at the next turn, chunks that stayed committed are not committed again: use others up */
        for (unsigned i = 0; i < 3; i++) (void)take(65536 * (1 + (uint64_t)n % 4));
    }
    test_leave();
}

Test(arena_alloc, gives_memory_back_to_the_system) {
    struct stat st;
    cr_assert(test_enter(64 * MIB));
    ili_off at = take(40 * MIB);
    cr_assert(at != 0);
    fstat(test_member.arena.fd, &st);
    int64_t used = st.st_blocks * 512;
    give(at);
    fstat(test_member.arena.fd, &st);
    cr_assert(st.st_blocks * 512 < used - (int64_t)(30 * MIB), "%lld of %lld bytes stay",
              (long long)st.st_blocks * 512, (long long)used);
    test_leave();
}

Test(arena_alloc, ten_million_cycles_leave_free_space_where_it_was, .timeout = 300) {
    uint64_t random = test_seed(5);
    cr_assert(test_enter(16 * MIB));
    uint64_t free_at_first = ili_alloc_available(&test_member);
    struct ili_agent *self = test_self();
    for (int i = 0; i < TEST_ROUNDS(10000000); i++) {
        ili_off at;
        uint64_t bytes = i % 64 ? 64 + (random += 37) % 2000 : 70000;
        if (ili_alloc(&test_member, self, 0, bytes, &at) != IL_OK ||
            ili_alloc_free(&test_member, self, 0) != IL_OK) {
            cr_assert_fail("cycle %d", i);
        }
    }
    cr_assert_eq(ili_alloc_available(&test_member), free_at_first);
    cr_assert_eq(test_check_alloc(), IL_OK);
    test_leave();
}

/* Whatever other processes write into the allocator's tables, calls end and stay within the arena. */
Test(arena_alloc, survives_nonsense_in_its_tables, .timeout = 300) {
    uint64_t random = test_seed(9);
    for (int round = 0; round < (test_torture() ? 3000 : 60); round++) {
        cr_assert(test_enter(4 * MIB));
        test_member.before_wait = NULL; /* no keeper: the member is left in disorder */
        const struct ili_arena *a = &test_member.arena;
        struct ili_agent *self = test_self();
        for (int i = 0; i < 300; i++) {
            ili_off at;
            if (i % 3 == 0) {
                uint64_t first = i % 2 ? a->regions.chunks_at : ili_off_of(a, &a->header->partial);
                uint64_t bytes = i % 2 ? a->regions.chunks * sizeof(struct ili_chunk) : 96;
                if (i % 9 == 0)
                    first = a->regions.data_at + (test_random(&random) % 8) * 65536, bytes = 256;
                a->base[first + test_random(&random) % bytes] = (uint8_t)test_random(&random);
            }
            atomic_store(&self->pending[0],
                         test_random(&random) % 2
                             ? 0
                             : a->regions.data_at + test_random(&random) % (MIB / 64) * 64);
            (void)ili_alloc_free(&test_member, self, 0);
            atomic_store(&self->pending[0], 0);
            if (ili_alloc(&test_member, self, 0, 1 + test_random(&random) % 100000, &at) == IL_OK) {
                cr_assert(at >= a->regions.data_at && at < a->bytes);
            }
            (void)test_check_alloc();
        }
        if (ili_guard_lock(&test_member, self, &a->header->alloc) == IL_OK) {
            atomic_store(&a->header->alloc.intent[0], 1 + test_random(&random) % 2);
            atomic_store(&a->header->alloc.intent[1], test_random(&random) % (8 * MIB));
            atomic_store(&a->header->alloc.intent[2], test_random(&random) % (8 * MIB));
            ili_alloc_repair(&test_member);
            cr_assert_eq(ili_alloc_check(&test_member), IL_OK, "repair makes sense of it");
            ili_guard_unlock(&test_member, self, &a->header->alloc);
        }
        ili_member_stop(&test_member, IL_ECLOSED);
        ili_member_leave(&test_member);
    }
}

Test(arena_alloc, a_chain_is_freed_as_a_whole, .timeout = 60) {
    enum { BLOCKS = 3000 };
    ili_off before = 0, at = 0;
    cr_assert(test_enter(32 * MIB));
    struct ili_agent *self = test_self();
    cr_assert_eq(ili_alloc(&test_member, self, 1, 64, &at), IL_OK);
    uint64_t free_at_first = ili_alloc_available(&test_member);
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < BLOCKS; i++) {
            uint64_t bytes = i % 100 ? 64 : 70000;
            cr_assert_eq(ili_alloc_chained(&test_member, self, 2, bytes, &at), IL_OK);
            ili_off *next = ili_at(&test_member.arena, at, sizeof *next);
            cr_assert_eq(*next, i ? before : 0);
            cr_assert_eq(self->pending[2], at | ILI_ALLOC_CHAIN);
            before = at;
        }
        if (round) { /* the same as it was published and unlinked again */
            ili_alloc_published(self, 2);
            ili_alloc_adopt_chain(self, 2, at);
        }
        cr_assert_eq(ili_alloc_free(&test_member, self, 2), IL_OK);
        cr_assert_eq(self->pending[2], 0);
        cr_assert_eq(ili_alloc_available(&test_member), free_at_first);
        cr_assert_eq(test_check_alloc(), IL_OK);
    }
    /* one that another process has bent to a circle comes to an end */
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(ili_alloc_chained(&test_member, self, 2, 64, &at), IL_OK);
        if (i == 0) before = at;
    }
    *(ili_off *)ili_at(&test_member.arena, before, 8) = at;
    cr_assert_eq(ili_alloc_free(&test_member, self, 2), IL_OK);
    cr_assert_eq(self->pending[2], 0);
    cr_assert_eq(test_check_alloc(), IL_OK);
    cr_assert_eq(ili_alloc_available(&test_member), free_at_first);
    test_leave();
}
