/*
 * cell.c - see cell.h. Everything is done by the unsigned integer of the number's size; only the sums of floats
 * are not, which are tried until nobody came between.
 */
#include "data/cell.h"

#include <stdatomic.h>
#include <string.h>

uint32_t ili_cell_bytes(uint32_t type) {
    static const uint8_t bytes[] = {
        [IL_I8] = 1,  [IL_I16] = 2, [IL_I32] = 4, [IL_I64] = 8, [IL_U8] = 1,
        [IL_U16] = 2, [IL_U32] = 4, [IL_U64] = 8, [IL_F32] = 4, [IL_F64] = 8};
    return type < sizeof bytes ? bytes[type] : 0;
}

/* DO with the unsigned integer of TYPE's size. */
#define BY_SIZE(type, DO)                                                                          \
    switch (ili_cell_bytes(type)) {                                                                \
    case 1: DO(uint8_t); break;                                                                    \
    case 2: DO(uint16_t); break;                                                                   \
    case 4: DO(uint32_t); break;                                                                   \
    default: DO(uint64_t); break;                                                                  \
    }

#define LOAD(integer)                                                                              \
    do {                                                                                           \
        integer value = atomic_load((const _Atomic(integer) *)at);                                 \
        memcpy(out, &value, sizeof value);                                                         \
    } while (0)

#define STORE(integer)                                                                             \
    do {                                                                                           \
        integer value;                                                                             \
        memcpy(&value, in, sizeof value);                                                          \
        atomic_store((_Atomic(integer) *)at, value);                                               \
    } while (0)

/* CALL is atomic_exchange or atomic_fetch_add. */
#define REPLACE(integer, from, CALL)                                                               \
    do {                                                                                           \
        integer value;                                                                             \
        memcpy(&value, from, sizeof value);                                                        \
        value = CALL((_Atomic(integer) *)at, value);                                               \
        if (before) memcpy(before, &value, sizeof value);                                          \
    } while (0)
#define EXCHANGE(integer) REPLACE(integer, in, atomic_exchange)
#define ADD(integer) REPLACE(integer, delta, atomic_fetch_add)

#define COMPARE_EXCHANGE(integer)                                                                  \
    do {                                                                                           \
        integer has, wanted;                                                                       \
        memcpy(&has, expected, sizeof has);                                                        \
        memcpy(&wanted, desired, sizeof wanted);                                                   \
        swapped = atomic_compare_exchange_strong((_Atomic(integer) *)at, &has, wanted);            \
        if (!swapped) memcpy(expected, &has, sizeof has);                                          \
    } while (0)

void ili_cell_load(uint32_t type, const void *at, void *out) { BY_SIZE(type, LOAD) }

void ili_cell_store(uint32_t type, void *at, const void *in) { BY_SIZE(type, STORE) }

void ili_cell_exchange(uint32_t type, void *at, const void *in, void *before) {
    BY_SIZE(type, EXCHANGE)
}

bool ili_cell_compare_exchange(uint32_t type, void *at, void *expected, const void *desired) {
    bool swapped;
    BY_SIZE(type, COMPARE_EXCHANGE)
    return swapped;
}

/* ---- sums --------------------------------------------------------------------------------------- */

static void add_f32(void *at, const void *delta, void *before) {
    float was, by;
    uint32_t bits, sum;
    memcpy(&by, delta, sizeof by);
    bits = atomic_load((_Atomic uint32_t *)at);
    do {
        memcpy(&was, &bits, sizeof was);
        float now = was + by;
        memcpy(&sum, &now, sizeof sum);
    } while (!atomic_compare_exchange_weak((_Atomic uint32_t *)at, &bits, sum));
    if (before) memcpy(before, &bits, sizeof bits);
}

static void add_f64(void *at, const void *delta, void *before) {
    double was, by;
    uint64_t bits, sum;
    memcpy(&by, delta, sizeof by);
    bits = atomic_load((_Atomic uint64_t *)at);
    do {
        memcpy(&was, &bits, sizeof was);
        double now = was + by;
        memcpy(&sum, &now, sizeof sum);
    } while (!atomic_compare_exchange_weak((_Atomic uint64_t *)at, &bits, sum));
    if (before) memcpy(before, &bits, sizeof bits);
}

void ili_cell_add(uint32_t type, void *at, const void *delta, void *before) {
    if (type == IL_F32) {
        add_f32(at, delta, before);
    } else if (type == IL_F64) {
        add_f64(at, delta, before);
    } else {
        BY_SIZE(type, ADD)
    }
}
