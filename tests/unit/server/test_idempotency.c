/* The store of answers: what is kept, for how long, and what goes first. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "server/idempotency.h"

static const uint64_t print[2] = {1, 2};

static struct ili_record *add(struct ili_idempotency *store, const char *key, const char *body,
                              int64_t now) {
    struct ili_record *record = ili_idempotency_add(store, key, print);
    cr_assert_not_null(record);
    if (body) cr_assert(ili_idempotency_answer(store, record, 200, body, strlen(body), now));
    return record;
}

Test(server_idempotency, an_answer_is_found_until_it_is_too_old) {
    struct ili_idempotency store;
    ili_idempotency_open(&store);
    store.keep_ns = 100;
    cr_assert_null(ili_idempotency_find(&store, "k", 0));
    add(&store, "k", "{}", 10);
    struct ili_record *record = ili_idempotency_find(&store, "k", 109);
    cr_assert_not_null(record);
    cr_assert_eq(record->http_status, 200);
    cr_assert_eq(memcmp(record->body, "{}", 2), 0);
    cr_assert_null(ili_idempotency_find(&store, "K", 109));
    cr_assert_null(ili_idempotency_find(&store, "k", 110));
    cr_assert_eq(store.bytes, 0);
    ili_idempotency_close(&store);
}

Test(server_idempotency, what_still_runs_is_not_dropped) {
    struct ili_idempotency store;
    ili_idempotency_open(&store);
    store.most_records = 3;
    add(&store, "runs", NULL, 0);
    add(&store, "old", "1", 1);
    add(&store, "new", "2", 2);
    add(&store, "newer", "3", 3);
    cr_assert_not_null(ili_idempotency_find(&store, "runs", 4));
    cr_assert_null(ili_idempotency_find(&store, "old", 4));
    cr_assert_not_null(ili_idempotency_find(&store, "new", 4));
    ili_idempotency_close(&store);
}

Test(server_idempotency, no_room_beside_those_that_run) {
    struct ili_idempotency store;
    ili_idempotency_open(&store);
    store.most_records = 2;
    add(&store, "a", NULL, 0);
    struct ili_record *b = add(&store, "b", NULL, 0);
    cr_assert_null(ili_idempotency_add(&store, "c", print));
    ili_idempotency_forget(&store, b);
    cr_assert_not_null(ili_idempotency_add(&store, "c", print));
    ili_idempotency_close(&store);
}

Test(server_idempotency, bytes_are_bounded_the_oldest_go) {
    struct ili_idempotency store;
    char body[1000], key[8];
    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = 0;
    ili_idempotency_open(&store);
    store.most_bytes = 10000;
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "k%d", i);
        add(&store, key, body, i);
        cr_assert(store.bytes <= store.most_bytes + 200);
    }
    cr_assert_null(ili_idempotency_find(&store, "k50", 100));
    cr_assert_not_null(ili_idempotency_find(&store, "k99", 100));
    ili_idempotency_close(&store);
}

static unsigned dropped;
static void count_dropped(struct ili_record *record) {
    (void)record;
    dropped++;
}

Test(server_idempotency, a_runner_is_told_when_its_record_goes) {
    struct ili_idempotency store;
    ili_idempotency_open(&store);
    store.dropped = count_dropped;
    store.keep_ns = 10;
    struct ili_record *record = add(&store, "k", "1", 0);
    record->runner = (struct ili_request *)record; /* any pointer: it is not followed */
    cr_assert_null(ili_idempotency_find(&store, "k", 10));
    cr_assert_eq(dropped, 1);
    ili_idempotency_close(&store);
}
