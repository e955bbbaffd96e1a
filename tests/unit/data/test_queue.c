#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "data/queue.h"
#include "support/member.h"

#define MIB (UINT64_C(1) << 20)

static struct ili_queue *queue;

static void open_queue(uint64_t arena_bytes, uint64_t maxsize) {
    il_queue_options options = {sizeof options, 0, maxsize};
    cr_assert(test_enter(arena_bytes));
    queue = test_object(&ili_queue_kind, "it", &options);
    cr_assert_not_null(queue);
}

static void check(void) {
    struct ili_agent *self = test_self();
    cr_assert_eq(ili_guard_lock(&test_member, self, &queue->tail_guard), IL_OK);
    cr_assert_eq(ili_guard_lock(&test_member, self, &queue->head_guard), IL_OK);
    il_status status = ili_queue_check(&test_member, queue);
    ili_guard_unlock(&test_member, self, &queue->head_guard);
    ili_guard_unlock(&test_member, self, &queue->tail_guard);
    cr_assert_eq(status, IL_OK);
}

static uint8_t data[IL_MESSAGE_MAX_BYTES], got_data[IL_MESSAGE_MAX_BYTES];

static il_status put(const void *from, uint64_t bytes, uint32_t type) {
    size_t done;
    struct ili_payload message = {from, bytes, type};
    return ili_queue_try_put(&test_member, queue, &message, 1, &done);
}

static il_status get(struct ili_taken *taken) {
    size_t done;
    *taken = (struct ili_taken){.data = got_data, .room = sizeof got_data};
    return ili_queue_try_get(&test_member, queue, taken, 1, &done);
}

/* A message that names its number: the first bytes, as many as there are. */
static void fill(uint8_t *room, uint64_t bytes, uint64_t number) {
    for (uint64_t i = 0; i < bytes && i < 64; i++) room[i] = (uint8_t)(number >> (i % 8 * 8));
    if (bytes >= 72) memcpy(room + bytes - 8, &number, 8);
}

static bool is_filled(const uint8_t *room, uint64_t bytes, uint64_t number) {
    uint8_t expected[64];
    fill(expected, bytes < 64 ? bytes : 64, number);
    if (memcmp(room, expected, bytes < 64 ? bytes : 64) != 0) return false;
    return bytes < 72 || memcmp(room + bytes - 8, &number, 8) == 0;
}

/* ---- against a model ---------------------------------------------------------------------------- */

struct model {
    uint64_t bytes[4096], number[4096];
    uint64_t sequence[4096];
    unsigned head, tail; /* modulo 4096 */
};

static uint64_t some_size(uint64_t *random) {
    uint64_t r = test_random(random);
    switch (r % 16) {
    case 0: return 0;
    case 1: return 8180 + (r >> 8) % 30;
    case 2: return (r >> 8) % 30000;
    case 3: return (r >> 20) % 64 ? 200 : (r >> 30) % (2 * MIB);
    default: return (r >> 8) % 200;
    }
}

Test(data_queue, behaves_as_its_model, .timeout = 120) {
    static struct model m;
    uint64_t random = test_seed(21), number = 0;
    unsigned steps = test_torture() ? 3000000 : 60000;
    open_queue(256 * MIB, 1000);
    cr_assert_eq(test_close(queue), IL_OK); /* the name keeps it */
    queue = test_object(&ili_queue_kind, "it", NULL);
    for (unsigned step = 0; step < steps; step++) {
        unsigned size = m.tail - m.head;
        struct ili_taken taken;
        uint64_t bias = step / 2000 % 2 ? 60 : 40; /* it grows, it shrinks */
        if (test_random(&random) % 100 < bias) {
            uint64_t bytes = some_size(&random);
            fill(data, bytes, number);
            il_status status = put(data, bytes, (uint32_t)(number % 3));
            cr_assert_eq(status, size == 1000 ? IL_ETIMEOUT : IL_OK);
            if (status == IL_OK) {
                m.bytes[m.tail % 4096] = bytes;
                m.number[m.tail++ % 4096] = number++;
            }
        } else {
            il_status status = get(&taken);
            cr_assert_eq(status, size == 0 ? IL_ETIMEOUT : IL_OK);
            if (status == IL_OK) {
                unsigned i = m.head++ % 4096;
                cr_assert_eq(taken.bytes, m.bytes[i]);
                cr_assert_eq(taken.type, m.number[i] % 3);
                cr_assert(is_filled(got_data, taken.bytes, m.number[i]));
            }
        }
        cr_assert_eq(ili_queue_size(queue), m.tail - m.head);
        if (step % 1000 == 0) check();
    }
    check();
    test_leave();
}

Test(data_queue, ten_million_messages_leave_free_space_where_it_was, .timeout = 300) {
    struct ili_taken taken;
    size_t done;
    open_queue(16 * MIB, 0);
    for (int i = 0; i < 5000; i++) put(data, 100, IL_BYTES);
    while (get(&taken) == IL_OK) {
    }
    uint64_t free_at_first = ili_alloc_available(&test_member);
    struct ili_payload batch[8];
    for (int i = 0; i < 8; i++) batch[i] = (struct ili_payload){data, 64, IL_BYTES};
    for (int i = 0; i < TEST_ROUNDS(10000000) / 8; i++) {
        if (ili_queue_try_put(&test_member, queue, batch, 8, &done) != IL_OK || done != 8)
            cr_assert_fail("put %d", i);
        struct ili_taken eight[8] = {{.data = got_data, .room = sizeof got_data}};
        if (ili_queue_try_get(&test_member, queue, eight, 8, &done) != IL_OK || done != 8)
            cr_assert_fail("get %d", i);
    }
    cr_assert_eq(ili_alloc_available(&test_member), free_at_first);
    check();
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_queue_kind, "it", 2), IL_OK);
    cr_assert_eq(test_close(queue), IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
    test_leave();
}

Test(data_queue, is_no_larger_than_its_share_and_goes_on, .timeout = 60) {
    static const uint64_t sizes[] = {10, 5000, 60000, MIB};
    struct ili_taken taken;
    open_queue(16 * MIB, 0);
    uint64_t free_at_first = 0;
    for (int round = 0; round < 8; round++) {
        unsigned count = 0;
        uint64_t bytes = sizes[round % 4];
        while (put(data, bytes, IL_BYTES) == IL_OK) count++;
        cr_assert_eq(put(data, bytes, IL_BYTES), IL_ENOMEM);
        cr_assert(count * bytes > 2 * MIB, "%u of %llu", count, (unsigned long long)bytes);
        cr_assert(ili_alloc_available(&test_member) > 6 * MIB, "the other half is not its own");
        check();
        for (unsigned i = 0; i < count; i++) cr_assert_eq(get(&taken), IL_OK);
        cr_assert_eq(get(&taken), IL_ETIMEOUT);
        if (round == 3) free_at_first = ili_alloc_available(&test_member);
    }
    cr_assert_eq(ili_alloc_available(&test_member), free_at_first);
    test_leave();
}

Test(data_queue, any_failed_commit_is_an_error_that_changes_nothing, .timeout = 120) {
    uint64_t random = test_seed(22), put_number = 0, got_number = 0;
    static uint64_t sizes[100000];
    unsigned refused = 0;
    struct ili_taken taken;
    open_queue(64 * MIB, 0);
    ili_system.fallocate = test_fallocate;
    for (int round = 0; round < 200; round++) {
        test_fallocate_left = round % 5;
        for (int i = 0; i < 40; i++) {
            uint64_t bytes = i % 5 == 0 ? 70000 : some_size(&random) % 20000,
                     size = ili_queue_size(queue);
            fill(data, bytes, put_number);
            il_status status = put(data, bytes, IL_BYTES);
            cr_assert(status == IL_OK || status == IL_ENOMEM, "%d", status);
            cr_assert_eq(ili_queue_size(queue), size + (status == IL_OK));
            refused += status != IL_OK;
            if (status == IL_OK) sizes[put_number++] = bytes;
        }
        test_fallocate_left = INT64_MAX;
        check();
        cr_assert_eq(test_check_alloc(), IL_OK);
        while (ili_queue_size(queue) > (round % 10 ? 30 : 0)) {
            cr_assert_eq(get(&taken), IL_OK);
            cr_assert_eq(taken.bytes, sizes[got_number]);
            cr_assert(is_filled(got_data, taken.bytes, got_number++));
        }
        /* so that chunks are given back to the system, and need to be committed again */
        (void)ili_alloc_available(&test_member);
    }
    cr_assert(refused > 0, "nothing failed: the test tests nothing");
    test_leave();
}

Test(data_queue, message_given_back_leaves_first_in_its_old_order) {
    struct ili_taken taken[6];
    open_queue(8 * MIB, 0);
    for (uint8_t i = 0; i < 8; i++) cr_assert_eq(put(&i, 1, IL_TEXT), IL_OK);
    uint8_t values[6];
    for (int i = 0; i < 6; i++) {
        size_t done;
        taken[i] = (struct ili_taken){.data = &values[i], .room = 1};
        cr_assert_eq(ili_queue_try_get(&test_member, queue, &taken[i], 1, &done), IL_OK);
    }
    static const int order[] = {3, 1, 4, 0};
    for (int i = 0; i < 4; i++) {
        struct ili_payload message = {&values[order[i]], 1, IL_TEXT};
        cr_assert_eq(ili_queue_give_back(&test_member, queue, &message, taken[order[i]].sequence),
                     IL_OK);
        check();
    }
    cr_assert_eq(ili_queue_size(queue), 6);
    static const uint8_t expected[] = {0, 1, 3, 4, 6, 7};
    for (int i = 0; i < 6; i++) {
        struct ili_taken again;
        cr_assert_eq(get(&again), IL_OK);
        cr_assert_eq(got_data[0], expected[i]);
        cr_assert_eq(again.type, IL_TEXT);
        cr_assert_eq(again.sequence, expected[i]);
        check();
    }
    cr_assert_eq(ili_queue_size(queue), 0);
    test_leave();
}

Test(data_queue, messages_given_back_go_with_the_queue) {
    open_queue(8 * MIB, 0);
    queue = NULL;
    uint64_t free_at_first = ili_alloc_available(&test_member);
    for (int round = 0; round < 3; round++) {
        queue = test_object(&ili_queue_kind, round % 2 ? "other" : "another", NULL);
        for (int i = 0; i < 10; i++) put(data, i % 2 ? 10 : 100000, IL_BYTES);
        for (int i = 0; i < 5; i++) {
            struct ili_taken taken;
            cr_assert_eq(get(&taken), IL_OK);
            struct ili_payload message = {got_data, taken.bytes, taken.type};
            if (i % 2)
                cr_assert_eq(ili_queue_give_back(&test_member, queue, &message, taken.sequence),
                             IL_OK);
        }
        cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_queue_kind,
                                      round % 2 ? "other" : "another", round % 2 ? 5 : 7),
                     IL_OK);
        struct ili_taken taken;
        cr_assert_eq(get(&taken), IL_EDELETED);
        cr_assert_eq(test_close(queue), IL_OK);
        if (round == 1)
            free_at_first = ili_alloc_available(&test_member); /* the table's segments */
    }
    cr_assert_eq(ili_alloc_available(&test_member), free_at_first);
    cr_assert_eq(test_check_alloc(), IL_OK);
    test_leave();
}

Test(data_queue, takes_what_fits_into_the_room) {
    size_t done;
    open_queue(8 * MIB, 0);
    for (int i = 1; i <= 5; i++) cr_assert_eq(put(data, (uint64_t)i, IL_BYTES), IL_OK);
    struct ili_taken taken[5] = {{.data = got_data, .room = 7}};
    cr_assert_eq(ili_queue_try_get(&test_member, queue, taken, 5, &done), IL_OK);
    cr_assert_eq(done, 3);
    memset(taken, 0, sizeof taken);
    taken[0] = (struct ili_taken){.data = got_data, .room = 3};
    cr_assert_eq(ili_queue_try_get(&test_member, queue, taken, 5, &done), IL_ETOOBIG);
    cr_assert_eq(taken[0].bytes, 4);
    cr_assert_eq(ili_queue_size(queue), 2);
    /* no room given: memory is allocated for each */
    memset(taken, 0, sizeof taken);
    taken[0].room = 100;
    cr_assert_eq(ili_queue_try_get(&test_member, queue, taken, 1, &done), IL_OK);
    cr_assert_eq(taken[0].bytes, 4);
    free(taken[0].data);
    test_leave();
}

/* ---- waiting ---------------------------------------------------------------------------------- */

struct getter {
    pthread_t thread;
    uint64_t room;
    il_status status;
    uint64_t bytes;
    _Atomic int done;
};

static void *wait_for_message(void *argument) {
    struct getter *g = argument;
    size_t done;
    static _Thread_local uint8_t room[4096];
    struct ili_taken taken = {.data = room, .room = g->room};
    g->status =
        ili_queue_get(&test_member, queue, &taken, 1, &done, ili_deadline_in(INT64_C(10000000000)));
    g->bytes = taken.bytes;
    atomic_store(&g->done, 1);
    return NULL;
}

static bool two_wait(void *unused) {
    (void)unused;
    return ili_waitq_count(&queue->getters) == 2;
}

static bool is_done(void *g) { return atomic_load(&((struct getter *)g)->done) != 0; }

/* Whoever is told, but has too small a buffer, must not keep the message from the other one. */
Test(data_queue, turn_that_is_not_used_passes_on, .timeout = 60) {
    open_queue(8 * MIB, 0);
    for (int round = 0; round < 20; round++) {
        struct getter small = {.room = 10}, large = {.room = 4096};
        struct getter *order[] = {round % 2 ? &small : &large, round % 2 ? &large : &small};
        for (int i = 0; i < 2; i++)
            pthread_create(&order[i]->thread, NULL, wait_for_message, order[i]);
        cr_assert(test_wait(two_wait, NULL, 10));
        cr_assert_eq(put(data, 1000, IL_BYTES), IL_OK);
        cr_assert(test_wait(is_done, &large, 5),
                  "round %d: the message lies there and nobody takes it", round);
        cr_assert_eq(large.status, IL_OK);
        cr_assert_eq(large.bytes, 1000);
        if (!test_wait(is_done, &small, 0.01)) cr_assert_eq(put(data, 5, IL_BYTES), IL_OK);
        cr_assert(test_wait(is_done, &small, 5));
        cr_assert(small.status == (small.bytes == 5 ? IL_OK : IL_ETOOBIG));
        for (int i = 0; i < 2; i++) pthread_join(order[i]->thread, NULL);
        struct ili_taken taken;
        while (get(&taken) == IL_OK) {
        }
        check();
    }
    test_leave();
}

struct worker {
    pthread_t thread;
    uint32_t number, count;
    uint64_t sum;
    il_status status;
};

static void *produce(void *argument) {
    struct worker *w = argument;
    for (uint32_t i = 1; i <= w->count && w->status == IL_OK; i++) {
        uint64_t value = (uint64_t)w->number << 32 | i;
        size_t done;
        struct ili_payload message = {&value, sizeof value, IL_BYTES};
        w->status = ili_queue_put(&test_member, queue, &message, 1, &done, ILI_NEVER);
        w->sum += value;
    }
    return NULL;
}

static void *consume(void *argument) {
    struct worker *w = argument;
    uint32_t last[8] = {0};
    for (;;) {
        uint64_t values[16];
        size_t done;
        struct ili_taken taken[16] = {{.data = values, .room = sizeof values}};
        w->status = ili_queue_get(&test_member, queue, taken, 1 + w->number % 16, &done, ILI_NEVER);
        if (w->status != IL_OK) return NULL;
        for (size_t i = 0; i < done; i++) {
            uint32_t producer = (uint32_t)(values[i] >> 32), number = (uint32_t)values[i];
            if (producer >= 8 || number <= last[producer]) w->status = IL_ECORRUPT;
            if (w->status != IL_OK) return NULL;
            last[producer] = number;
            w->sum += values[i];
        }
    }
}

static void everything_arrives(uint64_t maxsize) {
    struct worker producers[4] = {0}, consumers[4] = {0};
    uint64_t put_sum = 0, got_sum = 0;
    open_queue(64 * MIB, maxsize);
    for (uint32_t i = 0; i < 4; i++) {
        producers[i].number = consumers[i].number = i;
        producers[i].count = test_torture() ? 2000000 : 40000;
        pthread_create(&consumers[i].thread, NULL, consume, &consumers[i]);
        pthread_create(&producers[i].thread, NULL, produce, &producers[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(producers[i].thread, NULL);
        cr_assert_eq(producers[i].status, IL_OK);
        put_sum += producers[i].sum;
    }
    cr_assert_eq(ili_queue_shut(&test_member, queue), IL_OK);
    for (int i = 0; i < 4; i++) {
        pthread_join(consumers[i].thread, NULL);
        cr_assert_eq(consumers[i].status, IL_ECLOSED);
        got_sum += consumers[i].sum;
    }
    cr_assert_eq(put_sum, got_sum);
    check();
    test_leave();
}

Test(data_queue, everything_arrives_in_order_without_limit, .timeout = 120) {
    everything_arrives(0);
}
Test(data_queue, everything_arrives_in_order_through_one_place, .timeout = 120) {
    everything_arrives(1);
}
Test(data_queue, everything_arrives_in_order_through_ten_places, .timeout = 120) {
    everything_arrives(10);
}

Test(data_queue, survives_nonsense_in_its_structures, .timeout = 300) {
    uint64_t random = test_seed(31);
    for (int round = 0; round < (test_torture() ? 5000 : 150); round++) {
        open_queue(4 * MIB, round % 2 ? 100 : 0);
        test_member.before_wait = NULL;    /* no keeper: the member is left in disorder */
        test_member.patience_ns = 1000000; /* as a server's: a guard's word may be nonsense, too */
        for (int i = 0; i < 200; i++) {
            struct ili_taken taken;
            if (put(data, some_size(&random) % 20000, IL_BYTES) == IL_EBUSY) break;
            if (i % 3 == 0) (void)get(&taken);
            if (i < 50 || i % 10) continue;
            /* a byte of the queue itself, or of its first segment */
            uint8_t *base = (uint8_t *)queue;
            uint64_t bytes = sizeof *queue;
            void *segment = ili_at(&test_member.arena, atomic_load(&queue->head_segment), 4096);
            if (segment && test_random(&random) % 2) base = segment, bytes = 4096;
            uint64_t at = test_random(&random) % bytes;
            base[at] = (uint8_t)test_random(&random);
        }
        struct ili_agent *self = test_self();
        if (round % 3 == 0) {
            ili_queue_repair_tail(&test_member, self, queue, self);
            ili_queue_repair_head(&test_member, self, queue, self);
        }
        for (int i = 0; i < 300; i++) {
            struct ili_taken taken;
            if (get(&taken) == IL_EBUSY) break;
        }
        (void)ili_names_delete(&test_member, self, &ili_queue_kind, "it", 2);
        (void)test_close(queue);
        ili_member_stop(&test_member, IL_ECLOSED);
        ili_member_leave(&test_member);
    }
}
