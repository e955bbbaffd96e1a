#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/doors.h"

#define DOORS EACH_DOOR

static il_barrier *open_barrier(struct door *door, const char *name, uint32_t parties) {
    il_barrier *barrier = NULL;
    cr_assert_eq(il_barrier_open(door->domain, name, strlen(name), &parties, &barrier), IL_OK, "%s",
                 il_error_message());
    return barrier;
}

static il_barrier_info info_of(il_barrier *barrier) {
    il_barrier_info info = {.struct_bytes = sizeof info};
    cr_assert_eq(il_barrier_info_get(barrier, &info), IL_OK, "%s", il_error_message());
    return info;
}

/* A thread that waits once. */
struct party {
    pthread_t thread;
    il_barrier *barrier;
    int64_t timeout_ns;
    il_status status;
    uint32_t index;
    _Atomic uint64_t id;
};

static void *wait_at_barrier(void *argument) {
    struct party *p = argument;
    atomic_store(&p->id, il_thread_self());
    p->status = il_barrier_wait(p->barrier, p->timeout_ns, &p->index);
    return NULL;
}

struct wanted_parties {
    il_barrier *barrier;
    uint32_t count;
};

static bool are_waiting(void *context) {
    struct wanted_parties *w = context;
    return info_of(w->barrier).waiting >= w->count;
}

/* COUNT of them, each waiting before the next one starts. */
static void start(struct party *parties, il_barrier *barrier, uint32_t count, double s) {
    for (uint32_t i = 0; i < count; i++) {
        struct wanted_parties wanted = {barrier, i + 1};
        parties[i] = (struct party){.barrier = barrier, .timeout_ns = seconds(s), .index = 99};
        cr_assert_eq(pthread_create(&parties[i].thread, NULL, wait_at_barrier, &parties[i]), 0);
        cr_assert(test_wait(are_waiting, &wanted, DOOR_SECONDS), "party %u does not come", i);
    }
}

static void join(struct party *parties, uint32_t count, il_status status) {
    for (uint32_t i = 0; i < count; i++) {
        pthread_join(parties[i].thread, NULL);
        cr_assert_eq(parties[i].status, status, "%s", il_status_name(parties[i].status));
        if (status != IL_OK) cr_assert_eq(parties[i].index, 99);
    }
}

DOORS(abi_barrier, lets_all_parties_go_on_together) {
    il_barrier *barrier = open_barrier(door, "it", 3);
    struct party parties[2];
    cr_assert_eq(info_of(barrier).parties, 3);
    for (int round = 0; round < 3; round++) {
        uint32_t index = 99;
        start(parties, barrier, 2, DOOR_SECONDS);
        /* also the last one may say that it does not want to wait: it does not have to */
        cr_assert_eq(il_barrier_wait(barrier, round ? seconds(1) : IL_NOWAIT, &index), IL_OK);
        cr_assert_eq(index, 0);
        join(parties, 2, IL_OK);
        cr_assert_eq(parties[0].index, 2);
        cr_assert_eq(parties[1].index, 1);
        cr_assert_eq(info_of(barrier).waiting, 0);
        cr_assert_eq(info_of(barrier).broken, 0);
    }
    cr_assert_eq(il_barrier_close(barrier), IL_OK);
}

DOORS(abi_barrier, is_broken_by_abort_until_reset) {
    il_barrier *barrier = open_barrier(door, "it", 3);
    struct party parties[2];
    uint32_t index = 99;
    start(parties, barrier, 2, DOOR_SECONDS);
    cr_assert_eq(il_barrier_abort(barrier), IL_OK);
    join(parties, 2, IL_EBROKEN);
    cr_assert_eq(info_of(barrier).broken, 1);
    cr_assert_eq(il_barrier_wait(barrier, IL_FOREVER, &index), IL_EBROKEN);
    cr_assert_eq(index, 99);
    cr_assert_eq(il_barrier_reset(barrier), IL_OK);
    cr_assert_eq(info_of(barrier).broken, 0);
    start(parties, barrier, 2, DOOR_SECONDS);
    cr_assert_eq(il_barrier_wait(barrier, seconds(1), &index), IL_OK);
    join(parties, 2, IL_OK);
    il_barrier_close(barrier);
}

DOORS(abi_barrier, reset_ends_the_waits) {
    il_barrier *barrier = open_barrier(door, "it", 3);
    struct party parties[2];
    start(parties, barrier, 2, DOOR_SECONDS);
    cr_assert_eq(il_barrier_reset(barrier), IL_OK);
    join(parties, 2, IL_EBROKEN);
    cr_assert_eq(info_of(barrier).broken, 0);
    il_barrier_close(barrier);
}

DOORS(abi_barrier, is_broken_by_a_wait_that_ends_alone) {
    il_barrier *barrier = open_barrier(door, "it", 3);
    struct party parties[1];
    start(parties, barrier, 1, DOOR_SECONDS);
    cr_assert_eq(il_barrier_wait(barrier, seconds(0.02), NULL), IL_ETIMEOUT);
    join(parties, 1, IL_EBROKEN);
    cr_assert_eq(info_of(barrier).broken, 1);
    il_barrier_reset(barrier);
    start(parties, barrier, 1, DOOR_SECONDS);
    cr_assert_eq(il_barrier_wait(barrier, IL_NOWAIT, NULL), IL_ETIMEOUT);
    join(parties, 1, IL_EBROKEN);
    il_barrier_reset(barrier);
    start(parties, barrier, 1, DOOR_SECONDS);
    cr_assert_eq(il_interrupt(atomic_load(&parties[0].id)), IL_OK);
    join(parties, 1, IL_EINTR);
    cr_assert_eq(info_of(barrier).broken, 1);
    il_barrier_close(barrier);
}

DOORS(abi_barrier, needs_parties_to_be_made) {
    il_barrier *barrier = NULL, *again = NULL;
    uint32_t three = 3, four = 4;
    cr_assert_eq(il_barrier_open(door->domain, "it", 2, NULL, &barrier), IL_EINVAL);
    SAYS("parties");
    cr_assert_null(barrier);
    barrier = open_barrier(door, "it", 3);
    cr_assert_eq(il_barrier_open(door->domain, "it", 2, &four, &again), IL_ECONFLICT);
    cr_assert_null(again);
    cr_assert_eq(il_barrier_open(door->domain, "it", 2, &three, &again), IL_OK);
    il_barrier_close(again);
    cr_assert_eq(il_barrier_open(door->domain, "it", 2, NULL, &again), IL_OK);
    cr_assert_eq(info_of(again).parties, 3);
    il_barrier_close(again);
    il_barrier_close(barrier);
}

DOORS(abi_barrier, tells_everyone_of_its_end) {
    il_barrier *barrier = open_barrier(door, "it", 4);
    struct party parties[2];
    il_barrier_info info = {.struct_bytes = sizeof info};
    cr_assert_eq(il_barrier_delete(door->domain, "no such", 7), IL_ENOTFOUND);
    start(parties, barrier, 2, DOOR_SECONDS);
    cr_assert_eq(il_barrier_delete(door->domain, "it", 2), IL_OK);
    join(parties, 2, IL_EDELETED);
    if (door->local) {
        cr_assert_eq(il_barrier_wait(barrier, IL_FOREVER, NULL), IL_EDELETED);
        cr_assert_eq(il_barrier_reset(barrier), IL_EDELETED);
        cr_assert_eq(il_barrier_abort(barrier), IL_EDELETED);
        cr_assert_eq(il_barrier_info_get(barrier, &info), IL_EDELETED);
    }
    cr_assert_eq(il_barrier_delete(door->domain, "it", 2), IL_ENOTFOUND);
    il_barrier_close(barrier);
}

DOORS(abi_barrier, lives_without_a_name_until_it_is_closed) {
    il_barrier *barrier = NULL;
    uint32_t one = 1;
    il_status status = il_barrier_open(door->domain, NULL, 0, &one, &barrier);
    if (!door->local) {
        cr_assert_eq(status, IL_EUNSUPPORTED);
        return;
    }
    cr_assert_eq(status, IL_OK);
    cr_assert_eq(il_barrier_wait(barrier, IL_FOREVER, NULL), IL_OK);
    cr_assert_eq(il_barrier_close(barrier), IL_OK);
}

DOORS(abi_barrier, names_the_bad_argument) {
    il_barrier *barrier = open_barrier(door, "it", 2), *out = NULL;
    il_barrier_info info = {.struct_bytes = 2};
    uint32_t none = 0, many = IL_BARRIER_MAX + 1, most = IL_BARRIER_MAX;
    cr_assert_eq(il_barrier_open(NULL, "it", 2, NULL, &out), IL_EINVAL);
    SAYS("domain");
    cr_assert_eq(il_barrier_open(door->domain, "it", 2, NULL, NULL), IL_EINVAL);
    SAYS("out");
    cr_assert_eq(il_barrier_open(door->domain, "", 0, NULL, &out), IL_EINVAL);
    SAYS("name");
    cr_assert_eq(il_barrier_open(door->domain, "x", 1, &none, &out), IL_EINVAL);
    SAYS("parties");
    cr_assert_eq(il_barrier_open(door->domain, "x", 1, &many, &out), IL_EINVAL);
    SAYS("parties");
    cr_assert_eq(il_barrier_open(door->domain, NULL, 0, NULL, &out), IL_EINVAL);
    SAYS("parties");
    cr_assert_eq(il_barrier_delete(NULL, "it", 2), IL_EINVAL);
    SAYS("domain");
    cr_assert_eq(il_barrier_delete(door->domain, NULL, 0), IL_EINVAL);
    SAYS("name");
    cr_assert_eq(il_barrier_wait(NULL, 0, NULL), IL_EINVAL);
    SAYS("barrier");
    cr_assert_eq(il_barrier_wait(barrier, -2, NULL), IL_EINVAL);
    SAYS("timeout_ns");
    cr_assert_eq(il_barrier_reset(NULL), IL_EINVAL);
    SAYS("barrier");
    cr_assert_eq(il_barrier_abort(NULL), IL_EINVAL);
    SAYS("barrier");
    cr_assert_eq(il_barrier_info_get(NULL, &info), IL_EINVAL);
    SAYS("barrier");
    cr_assert_eq(il_barrier_info_get(barrier, NULL), IL_EINVAL);
    SAYS("info");
    cr_assert_eq(il_barrier_info_get(barrier, &info), IL_EINVAL);
    SAYS("struct_bytes");
    cr_assert_null(out);
    cr_assert_eq(il_barrier_close(NULL), IL_OK);
    /* an older program's struct is shorter: nothing behind it is written */
    memset(&info, 0x55, sizeof info);
    info.struct_bytes = offsetof(il_barrier_info, waiting);
    cr_assert_eq(il_barrier_info_get(barrier, &info), IL_OK);
    cr_assert_eq(info.parties, 2);
    cr_assert_eq(info.broken, 0x55555555);
    cr_assert_eq(il_barrier_open(door->domain, "most", 4, &most, &out), IL_OK);
    il_barrier_close(out);
    il_barrier_close(barrier);
}
