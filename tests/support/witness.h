/*
 * witness.h - who has what of a thing that may be shared, as its holders themselves say: see crew.h.
 *
 * A holder says it after its grant and takes it back before its release, so what is said is held, unless the
 * holder is dead: who is going to be killed is marked as doomed before, and counts no more from then on.
 */
#ifndef TESTS_SUPPORT_WITNESS_H
#define TESTS_SUPPORT_WITNESS_H

#include "support/crew.h"

/* The newest token that anybody has told of. Who acquires later must be granted a larger one. */
static inline uint64_t witness_newest(struct crew *c, unsigned number) {
    return atomic_load(&c->board->locks[number].last_token);
}

/* How much of it all the living have, at one moment. False: it changes all the time. */
static inline bool witness_sum(struct crew *c, unsigned number, uint64_t *sum) {
    struct crew_lock *l = &c->board->locks[number];
    for (int attempt = 0; attempt < 100; attempt++) {
        uint64_t changes = atomic_load(&l->changes);
        *sum = 0;
        for (unsigned i = 0; i < CREW_MOST; i++) {
            if (!atomic_load(&c->board->members[i].doomed)) *sum += atomic_load(&l->has[i]);
        }
        if (atomic_load(&l->changes) == changes) return true;
    }
    return false;
}

static inline void witness_set(struct crew *c, unsigned number, uint32_t has) {
    atomic_store(&c->board->locks[number].has[c->me], has);
    atomic_fetch_add(&c->board->locks[number].changes, 1);
}

/* A grant with TOKEN, which was asked for when BEFORE was the newest. */
static inline void witness_token(struct crew *c, unsigned number, uint64_t token, uint64_t before) {
    struct crew_lock *l = &c->board->locks[number];
    uint64_t newest = atomic_load(&l->last_token);
    if (token <= before) {
        crew_trouble(c, "%u: token %#llx after %#llx", number, (unsigned long long)token,
                     (unsigned long long)before);
    }
    while (newest < token && !atomic_compare_exchange_weak(&l->last_token, &newest, token)) {
    }
}

/* After such a grant of SHARE, of which there is MOST. */
static inline void witness_enter(struct crew *c, unsigned number, uint32_t share, uint32_t most,
                                 uint64_t token, uint64_t before) {
    uint64_t sum = 0;
    witness_token(c, number, token, before);
    witness_set(c, number, share);
    if (witness_sum(c, number, &sum) && sum > most) {
        crew_trouble(c, "%u: %llu are held, of %u", number, (unsigned long long)sum, most);
    }
    crew_note_grant(c, number);
    atomic_store(&c->board->members[c->me].holding, number + 1);
}

static inline void witness_leave(struct crew *c, unsigned number) {
    atomic_store(&c->board->members[c->me].holding, 0);
    witness_set(c, number, 0);
}

/* Before VICTIM is killed. */
static inline void witness_doom(struct crew *c, unsigned victim) {
    atomic_store(&c->board->members[victim].doomed, 1);
    for (unsigned i = 0; i < CREW_LOCKS; i++) {
        atomic_fetch_add(&c->board->locks[i].changes, 1);
    }
}

#endif
