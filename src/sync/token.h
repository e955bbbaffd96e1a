/*
 * token.h - 64-bit tokens of which a word holds only the low half, the sequence of grants.
 *
 * RECENT, of the object, is the token of some recent grant: it supplies the bits above the sequence. It is
 * written now and then only, since just its distance to the sequence must stay below 2^31.
 */
#ifndef ILI_SYNC_TOKEN_H
#define ILI_SYNC_TOKEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ILI_TOKEN_STEP 65536u               /* grants between two updates of RECENT */
#define ILI_TOKEN_GRANT (UINT64_C(1) << 32) /* one more grant, in a word */

static inline uint32_t ili_token_sequence(uint64_t word) { return (uint32_t)(word >> 32); }

/* The whole token whose low half is SEQUENCE. */
static inline uint64_t ili_token_whole(const _Atomic uint64_t *recent, uint32_t sequence) {
    uint64_t last = atomic_load_explicit(recent, memory_order_relaxed);
    return last + (uint64_t)(int64_t)(int32_t)(sequence - (uint32_t)last);
}

/* The same after a grant of SEQUENCE was made. */
static inline uint64_t ili_token_granted(_Atomic uint64_t *recent, uint32_t sequence) {
    uint64_t token = ili_token_whole(recent, sequence);
    /* relaxed: any recent value serves, also an older one that overtakes */
    if (sequence % ILI_TOKEN_STEP == 0) {
        atomic_store_explicit(recent, token, memory_order_relaxed);
    }
    return token;
}

/* Whether TOKEN is so close to the object's tokens that its low half tells it from all of them. */
static inline bool ili_token_is_near(const _Atomic uint64_t *recent, uint64_t token) {
    uint64_t last = atomic_load_explicit(recent, memory_order_relaxed);
    return token - last + (UINT64_C(1) << 31) < UINT64_C(1) << 32;
}

#endif
