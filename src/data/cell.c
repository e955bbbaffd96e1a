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

void ili_cell_load(uint32_t type, const void *at, void *out) {
    uint64_t v8;
    uint32_t v4;
    uint16_t v2;
    uint8_t v1;
    switch (ili_cell_bytes(type)) {
    case 1:
        v1 = atomic_load((const _Atomic uint8_t *)at);
        memcpy(out, &v1, 1);
        break;
    case 2:
        v2 = atomic_load((const _Atomic uint16_t *)at);
        memcpy(out, &v2, 2);
        break;
    case 4:
        v4 = atomic_load((const _Atomic uint32_t *)at);
        memcpy(out, &v4, 4);
        break;
    default:
        v8 = atomic_load((const _Atomic uint64_t *)at);
        memcpy(out, &v8, 8);
        break;
    }
}

void ili_cell_store(uint32_t type, void *at, const void *in) {
    uint64_t v8;
    uint32_t v4;
    uint16_t v2;
    uint8_t v1;
    switch (ili_cell_bytes(type)) {
    case 1:
        memcpy(&v1, in, 1);
        atomic_store((_Atomic uint8_t *)at, v1);
        break;
    case 2:
        memcpy(&v2, in, 2);
        atomic_store((_Atomic uint16_t *)at, v2);
        break;
    case 4:
        memcpy(&v4, in, 4);
        atomic_store((_Atomic uint32_t *)at, v4);
        break;
    default:
        memcpy(&v8, in, 8);
        atomic_store((_Atomic uint64_t *)at, v8);
        break;
    }
}

void ili_cell_exchange(uint32_t type, void *at, const void *in, void *before) {
    uint64_t v8;
    uint32_t v4;
    uint16_t v2;
    uint8_t v1;
    switch (ili_cell_bytes(type)) {
    case 1:
        memcpy(&v1, in, 1);
        v1 = atomic_exchange((_Atomic uint8_t *)at, v1);
        if (before) memcpy(before, &v1, 1);
        break;
    case 2:
        memcpy(&v2, in, 2);
        v2 = atomic_exchange((_Atomic uint16_t *)at, v2);
        if (before) memcpy(before, &v2, 2);
        break;
    case 4:
        memcpy(&v4, in, 4);
        v4 = atomic_exchange((_Atomic uint32_t *)at, v4);
        if (before) memcpy(before, &v4, 4);
        break;
    default:
        memcpy(&v8, in, 8);
        v8 = atomic_exchange((_Atomic uint64_t *)at, v8);
        if (before) memcpy(before, &v8, 8);
        break;
    }
}

bool ili_cell_compare_exchange(uint32_t type, void *at, void *expected, const void *desired) {
    uint64_t e8, d8;
    uint32_t e4, d4;
    uint16_t e2, d2;
    uint8_t e1, d1;
    bool swapped;
    switch (ili_cell_bytes(type)) {
    case 1:
        memcpy(&e1, expected, 1);
        memcpy(&d1, desired, 1);
        swapped = atomic_compare_exchange_strong((_Atomic uint8_t *)at, &e1, d1);
        if (!swapped) memcpy(expected, &e1, 1);
        return swapped;
    case 2:
        memcpy(&e2, expected, 2);
        memcpy(&d2, desired, 2);
        swapped = atomic_compare_exchange_strong((_Atomic uint16_t *)at, &e2, d2);
        if (!swapped) memcpy(expected, &e2, 2);
        return swapped;
    case 4:
        memcpy(&e4, expected, 4);
        memcpy(&d4, desired, 4);
        swapped = atomic_compare_exchange_strong((_Atomic uint32_t *)at, &e4, d4);
        if (!swapped) memcpy(expected, &e4, 4);
        return swapped;
    default:
        memcpy(&e8, expected, 8);
        memcpy(&d8, desired, 8);
        swapped = atomic_compare_exchange_strong((_Atomic uint64_t *)at, &e8, d8);
        if (!swapped) memcpy(expected, &e8, 8);
        return swapped;
    }
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
    uint64_t v8;
    uint32_t v4;
    uint16_t v2;
    uint8_t v1;
    if (type == IL_F32) {
        add_f32(at, delta, before);
        return;
    }
    if (type == IL_F64) {
        add_f64(at, delta, before);
        return;
    }
    switch (ili_cell_bytes(type)) {
    case 1:
        memcpy(&v1, delta, 1);
        v1 = atomic_fetch_add((_Atomic uint8_t *)at, v1);
        if (before) memcpy(before, &v1, 1);
        break;
    case 2:
        memcpy(&v2, delta, 2);
        v2 = atomic_fetch_add((_Atomic uint16_t *)at, v2);
        if (before) memcpy(before, &v2, 2);
        break;
    case 4:
        memcpy(&v4, delta, 4);
        v4 = atomic_fetch_add((_Atomic uint32_t *)at, v4);
        if (before) memcpy(before, &v4, 4);
        break;
    default:
        memcpy(&v8, delta, 8);
        v8 = atomic_fetch_add((_Atomic uint64_t *)at, v8);
        if (before) memcpy(before, &v8, 8);
        break;
    }
}
