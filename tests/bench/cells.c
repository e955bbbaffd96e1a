/*
 * cells.c - what an addition to a value and a store into an array cost, against atomics of the language: in line,
 * as a compiler makes them, and called, as any function of a library is.
 */
#include <stdatomic.h>
#include <stdint.h>

#include <interlock.h>

#include "support/door.h"
#include "support/measure.h"

#define SLICES 200
#define TIMES                                                                                      \
    20000 /* a slice: a tenth of a millisecond, so that what else runs on the machine hits only some */
#define LENGTH 1024

struct contest {
    il_value *value;
    il_array *array;
    _Atomic int64_t *number; /* in memory that is shared, too */
};

static void value_adds(const struct contest *c) {
    int64_t one = 1;
    for (int i = 0; i < TIMES; i++) {
        if (il_value_add(c->value, IL_I64, &one, NULL) != IL_OK) bench_die("il_value_add");
    }
}

static void atomic_adds(const struct contest *c) {
    for (int i = 0; i < TIMES; i++) (void)atomic_fetch_add(c->number, 1);
}

static void array_stores(const struct contest *c) {
    for (int64_t i = 0; i < TIMES; i++) {
        if (il_array_store(c->array, i % LENGTH, IL_I64, &i) != IL_OK) bench_die("il_array_store");
    }
}

static void atomic_stores(const struct contest *c) {
    for (int64_t i = 0; i < TIMES; i++) atomic_store(&c->number[i % LENGTH], i);
}

/* As a function of another library would be called, but with numbers by value. */
__attribute__((noinline)) static void add_one(_Atomic int64_t *number, int64_t delta) {
    (void)atomic_fetch_add(number, delta);
}

__attribute__((noinline)) static void store_one(_Atomic int64_t *number, int64_t in) {
    atomic_store(number, in);
}

static void called_adds(const struct contest *c) {
    for (int i = 0; i < TIMES; i++) add_one(c->number, 1);
}

static void called_stores(const struct contest *c) {
    for (int64_t i = 0; i < TIMES; i++) store_one(&c->number[i % LENGTH], i);
}

/* Nanoseconds a time: the median of the slices. */
static double measure(void (*times)(const struct contest *), const struct contest *c) {
    double slices[SLICES];
    for (int i = 0; i < SLICES; i++) {
        int64_t start = bench_now_ns();
        times(c);
        slices[i] = (double)(bench_now_ns() - start) / TIMES;
    }
    return bench_median(slices, SLICES);
}

static double add_value(void *context) { return measure(value_adds, context); }
static double add_atomic(void *context) { return measure(atomic_adds, context); }
static double add_through_a_call(void *context) { return measure(called_adds, context); }
static double store_array(void *context) { return measure(array_stores, context); }
static double store_atomic(void *context) { return measure(atomic_stores, context); }
static double store_through_a_call(void *context) { return measure(called_stores, context); }

int main(void) {
    struct bench_server server;
    struct contest c = {.number = bench_shared(LENGTH * sizeof *c.number)};
    il_array_options options = {.struct_bytes = sizeof options, .type = IL_I64, .length = LENGTH};
    if (!bench_server_start(&server)) return 1;
    il_domain *domain = bench_domain(bench_host_address(&server));
    if (il_value_open(domain, "bench", 5, NULL, &c.value) != IL_OK) bench_die("il_value_open");
    if (il_array_open(domain, "bench", 5, &options, &c.array) != IL_OK) bench_die("il_array_open");
    struct bench_pair pairs[] = {
        {"value.add.called", "ns", add_value, add_through_a_call, &c, BENCH_AT_MOST, 1.2},
        {"value.add.inline", "ns", add_value, add_atomic, &c, BENCH_AT_MOST, 1.2},
        {"array.store.called", "ns", store_array, store_through_a_call, &c, BENCH_AT_MOST, 1.5},
        {"array.store.inline", "ns", store_array, store_atomic, &c, BENCH_AT_MOST, 1.5},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) bench_compare(&pairs[i]);
    il_value_close(c.value);
    il_array_close(c.array);
    il_domain_close(domain);
    bench_server_stop(&server);
    return 0;
}
