/*
 * held.h - what an object needs that several owners hold at once: a list of holdings, and changes of
 * several steps that a death cannot tear. Shared by rwlock and semaphore, which give it a word.
 *
 * word    high half: the sequence of grants (token.h). ILI_HELD_SLOW in the low half: whoever set it, and
 *         every other bit while it is set, is changed only under the guard. The other bits are the kind's.
 * holding a line of memory that says who holds what. The first one lies in the object, the others in
 *         pages of ILI_HELD_PAGE bytes, which stay until the object is freed.
 *
 * A change under the guard is written down whole (struct ili_change), announced by the guard's intent, and
 * then made: a holding, the word, the value, and one waiter that is told. Every step may be made again, so
 * repair makes them all again; but for a change whose waiter was told already, which was the last step.
 */
#ifndef ILI_SYNC_HELD_H
#define ILI_SYNC_HELD_H

#include "arena/guard.h"
#include "arena/names.h"
#include "arena/waitq.h"
#include "sync/token.h"
#include "sync/waiting.h"

#define ILI_HELD_SLOW UINT64_C(0x80000000)
#define ILI_HELD_LOW UINT64_C(0xffffffff)
#define ILI_HELD_PAGE 512u
#define ILI_HELD_PAGE_PLACES 7u

struct ili_holding {
    _Atomic uint32_t owner; /* agent index + 1; 0: nobody's */
    _Atomic uint32_t count; /* permits; rwlock: acquires beyond the first */
    _Atomic uint64_t token; /* 0: nothing is held */
    _Atomic uint32_t lease; /* number of its lease (lease.h); 0: none */
    _Atomic uint32_t kept;  /* the kind's; changed under the guard only */
    /* the beginning of the grant noted_token, noted when it was first looked at */
    _Atomic int64_t noted_since_ns;
    _Atomic uint64_t noted_token;
    uint64_t reserved2[3];
};
_Static_assert(sizeof(struct ili_holding) == 64, "a cache line of its own");

struct ili_held_page {
    _Atomic ili_off next;
    uint64_t reserved[7];
    struct ili_holding at[ILI_HELD_PAGE_PLACES];
};
_Static_assert(sizeof(struct ili_held_page) == ILI_HELD_PAGE, "shared layout");

/* What a change leads to. */
struct ili_change {
    _Atomic ili_off holding; /* 0: none changes */
    _Atomic uint64_t token;
    _Atomic uint32_t owner, count, lease;
    _Atomic uint32_t used; /* of the object, afterwards */
    _Atomic uint64_t word, value;
    _Atomic uint32_t waiter; /* agent index + 1 that is told; 0: none */
    _Atomic int32_t result;  /* what it is told */
    _Atomic uint64_t told;   /* and with which token */
};
_Static_assert(sizeof(struct ili_change) == 64, "shared layout");

/* What such an object begins with. */
struct ili_holders {
    struct ili_object object;
    _Atomic uint64_t word;
    _Atomic uint64_t last_token;  /* RECENT of token.h */
    _Atomic uint64_t value;       /* the kind's */
    uint32_t flags;               /* as made */
    uint32_t start;               /* semaphore: permits at the start */
    _Atomic uint64_t noted_token; /* of a grant in the word whose beginning was noted */
    _Atomic int64_t noted_since_ns;
    _Atomic ili_off pages;       /* the newest */
    _Atomic uint32_t used, room; /* holdings with an owner, and all; rebuilt by repair */
    struct ili_guard guard;      /* protects all but what the word says without SLOW */
    struct ili_waitq waiters;
    _Atomic uint32_t gone; /* 1: deleted, all calls fail; SLOW is set for ever */
    uint32_t reserved[3];
    struct ili_change change;
    struct ili_holding first;
};
_Static_assert(sizeof(struct ili_holders) == 320, "shared layout");
_Static_assert(offsetof(struct ili_holders, first) % 64 == 0, "a cache line of its own");

void ili_held_init(struct ili_member *member, struct ili_holders *held, uint32_t guard_kind);

static inline uint64_t ili_held_word(const struct ili_holders *held) {
    return atomic_load_explicit(&held->word, memory_order_relaxed);
}

static inline bool ili_held_is_gone(const struct ili_holders *held) {
    return atomic_load_explicit(&held->gone, memory_order_relaxed) != 0;
}

/* The token of the newest grant. */
static inline uint64_t ili_held_newest(const struct ili_holders *held) {
    return ili_token_whole(&held->last_token, ili_token_sequence(ili_held_word(held)));
}

/* ---- holdings ---------------------------------------------------------------------------------- */

/* Where a walk over all holdings stands. {0} to begin. Pages that lead in a circle end it after two or
 * three rounds, as in open_table.h. */
struct ili_held_walk {
    ili_off page, anchor;
    uint32_t steps, pages, lap;
};

/* The next holding, used or not; NULL at the end. Safe without the guard: pages do not go. */
struct ili_holding *ili_held_next(const struct ili_member *member, struct ili_holders *held,
                                  struct ili_held_walk *walk);

/* The one with TOKEN; one that is nobody's. NULL: none. Under the guard. */
struct ili_holding *ili_held_by_token(const struct ili_member *member, struct ili_holders *held,
                                      uint64_t token);
struct ili_holding *ili_held_unused(const struct ili_member *member, struct ili_holders *held);

/* What a handle remembers of holdings, so that its threads find theirs without the guard. */
struct ili_held_near {
    _Atomic uint64_t last; /* some recent token */
    /* by owner: its number, and above ILI_HELD_NUMBER the offset of its holding / 64 */
    _Atomic uint64_t places[8];
};
#define ILI_HELD_NUMBER UINT64_C(0x1ffff)

static inline void ili_held_remember(const struct ili_member *member, struct ili_held_near *near,
                                     uint32_t owner, const struct ili_holding *holding) {
    uint64_t packed = ili_off_of(&member->arena, holding) / 64 << 17 | owner;
    atomic_store_explicit(&near->places[owner % 8], packed, memory_order_relaxed);
}

/* The holding of SELF, the calling thread, if it is known and has no lease. */
static inline struct ili_holding *ili_held_place(const struct ili_member *member,
                                                 const struct ili_held_near *near, uint32_t self) {
    uint64_t packed = atomic_load_explicit(&near->places[self % 8], memory_order_relaxed);
    if (self == 0 || (packed & ILI_HELD_NUMBER) != self) return NULL;
    struct ili_holding *h = (struct ili_holding *)(member->arena.base + (packed >> 17) * 64);
    /* relaxed, both: only the owner itself changes them while it is in no call, but for who voids its
     * grant, which clears the token and is then found out by it */
    bool plain = atomic_load_explicit(&h->owner, memory_order_relaxed) == self &&
                 atomic_load_explicit(&h->lease, memory_order_relaxed) == 0;
    return plain ? h : NULL;
}

/* Under the guard: sees to it that COUNT holdings are nobody's. IL_ENOMEM, IL_EBUSY. */
il_status ili_held_reserve(struct ili_member *member, struct ili_agent *self,
                           struct ili_holders *held, uint32_t count);

/* ---- changes ----------------------------------------------------------------------------------- */

/* A change, to be filled in: nothing changes yet. */
struct ili_plan {
    struct ili_holding *holding; /* NULL: none changes */
    bool uncounted;              /* it is one that no walk passes */
    uint32_t owner, count, lease;
    uint64_t token;
    uint64_t word, value;
    struct ili_agent *waiter; /* NULL: nobody is told */
    il_status result;
};

/* With the word and value as they are. */
struct ili_plan ili_held_plan(const struct ili_holders *held);

/* The same for HOLDING, with what it says now; its owner 0 gives it back. */
struct ili_plan ili_held_plan_for(const struct ili_holders *held, struct ili_holding *holding);

/* Under the guard, SLOW set before and after: makes it so. A waiter is told result and token. */
void ili_held_make(struct ili_member *member, struct ili_agent *self,
                   const struct ili_waiting *waiting, const struct ili_plan *plan);

/* ---- leases and losses --------------------------------------------------------------------------- */

/* The grant TOKEN of OWNER, whose lease's number is NUMBER, lasts DURATION_NS from now (0: without limit).
 * *NUMBER: of its lease, or 0. */
il_status ili_held_lease(struct ili_member *member, struct ili_holders *held, uint32_t owner,
                         uint64_t token, int64_t duration_ns, uint32_t *number);

/* The grant TOKEN with lease NUMBER is over. */
void ili_held_lease_over(struct ili_member *member, struct ili_holders *held, uint32_t number,
                         uint64_t token);

/* Why TOKEN is none of a grant that stands: what became of it (loss.h), IL_ESTALE, IL_ENOTHELD. */
il_status ili_held_why(const struct ili_member *member, struct ili_holders *held, uint64_t token);

/* Copies what H says, without the guard. False: nothing is held by it. A beginning that was not noted is
 * now. `mode` is left to the kind, `count` is as noted. */
bool ili_held_copy(struct ili_holding *h, struct ili_grant *grant);

/* When the grant TOKEN, of which the other two are kept, began: now, unless it was noted. */
int64_t ili_held_noted(_Atomic int64_t *since_ns, _Atomic uint64_t *noted, uint64_t token);

/* ---- the kinds' rows ------------------------------------------------------------------------------ */

/* The guard's holder DEAD died: links are right, its change is finished, its pages found. The kind then
 * looks who can go on. */
void ili_held_repair(struct ili_member *member, struct ili_agent *self,
                     const struct ili_waiting *waiting, struct ili_agent *dead);

/* Under the guard: tells those who wait on behalf of the ended session of SLOW's SLOT, and drops its own
 * waiters. */
void ili_held_drop_waiters(struct ili_member *member, struct ili_agent *self,
                           const struct ili_waiting *waiting, uint32_t slot);

/* Under the guard, SLOW set: the object is gone. Everyone who waits is told, and no object of its name that
 * is made later has a smaller token. */
void ili_held_end(struct ili_member *member, struct ili_agent *self,
                  const struct ili_waiting *waiting);

/* ili_kind.dispose */
il_status ili_held_dispose(struct ili_member *member, struct ili_agent *self,
                           struct ili_agent *owner, void *object);

/* Under the guard: IL_ECORRUPT if the counts do not match the holdings, or the queue is not sound. */
il_status ili_held_check(const struct ili_member *member, struct ili_holders *held);

/* Whether the lease NUMBER (0: there is none) of the grant TOKEN has ended, though it may not have been voided
 * yet: nobody need wait for its owner any more. */
bool ili_held_lease_has_ended(const struct ili_member *member, const struct ili_holders *held,
                              uint32_t number, uint64_t token);

/* Adds a holder to GATE. */
void ili_held_gate_add(struct ili_gate *gate, uint32_t owner, uint32_t count);

#endif
