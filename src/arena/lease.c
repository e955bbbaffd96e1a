/*
 * lease.c - see lease.h.
 *
 * holder   0 -> owner (claim) -> owner and stamp (arm) -> 0 (end), each by compare-and-swap. The owner is a
 *          slot's index + 1, the stamp tells the grants apart that an entry is used for, one after the
 *          other. One word, so that who comes late - a timekeeper, a holder or an operator that was stopped
 *          on the way, repair - never ends the entry's next lease, nor half of it. An entry whose claimer
 *          died stays unarmed until its session is recovered.
 * The other fields are written while the entry is claimed and unarmed. Who reads them without knowing whose
 * they are looks at `holder` before and after (ili_lease_read).
 */
#include "arena/lease.h"

#include "arena/bits.h"
#include "arena/doorbell.h"
#include "base/clock.h"
#include "base/point.h"

/* Never 0. */
static uint32_t stamp_of(ili_off object, uint64_t token) {
    uint64_t mixed = (object ^ token * UINT64_C(0x9E3779B97F4A7C15)) * UINT64_C(0xD6E8FEB86659FD93);
    return (uint32_t)(mixed >> 32) | 1;
}

static uint64_t word_of(uint32_t owner, uint32_t stamp) { return owner | (uint64_t)stamp << 32; }

static uint32_t owner_in(uint64_t word) { return (uint32_t)word; }

static uint32_t stamp_in(uint64_t word) { return (uint32_t)(word >> 32); }

static uint64_t load_word(const struct ili_lease *lease) {
    return atomic_load_explicit(&lease->holder, memory_order_acquire); /* pairs with arming */
}

/* acquire and release: an end happens before the next claim, and arming after what is written before it */
static bool change_word(struct ili_lease *lease, uint64_t from, uint64_t to) {
    return atomic_compare_exchange_strong_explicit(&lease->holder, &from, to, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

static uint32_t committed(const struct ili_arena *a) {
    uint32_t count = atomic_load_explicit(&a->header->leases_committed, memory_order_acquire);
    return count < a->regions.leases ? count : a->regions.leases;
}

struct ili_lease *ili_lease_at(const struct ili_arena *arena, uint32_t number) {
    if (number == 0 || number > committed(arena)) return NULL;
    return &arena->leases[number - 1];
}

/* Two processes may commit the same step at once, which is harmless. */
static il_status commit_more(struct ili_member *m) {
    struct ili_arena *a = &m->arena;
    uint32_t count = committed(a);
    if (count + ILI_LEASES_STEP > a->regions.leases) return IL_ELIMIT;
    il_status status =
        ili_arena_commit(a, a->regions.leases_at + (uint64_t)count * sizeof(struct ili_lease),
                         ILI_LEASES_STEP * sizeof(struct ili_lease));
    if (status != IL_OK) return status;
    atomic_compare_exchange_strong_explicit(&a->header->leases_committed, &count,
                                            count + ILI_LEASES_STEP, memory_order_release,
                                            memory_order_relaxed);
    return IL_OK;
}

static struct ili_lease *claim_committed(struct ili_member *m, uint32_t owner) {
    uint32_t count = committed(&m->arena);
    uint32_t start = atomic_load_explicit(&m->lease_hint, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        struct ili_lease *lease = &m->arena.leases[(start + i) % count];
        if (atomic_load_explicit(&lease->holder, memory_order_relaxed) == 0 &&
            change_word(lease, 0, word_of(owner, 0))) {
            atomic_store_explicit(&m->lease_hint, (start + i) % count + 1, memory_order_relaxed);
            return lease;
        }
    }
    return NULL;
}

static void tell(struct ili_member *m, uint32_t number) {
    ili_bits_add(m->arena.changed, m->arena.regions.leases, number - 1);
    ili_doorbell_write(m);
}

il_status ili_lease_claim(struct ili_member *member, uint32_t slot, ili_off object, uint64_t token,
                          int64_t duration_ns, uint32_t *number) {
    struct ili_lease *lease;
    if (member->before_wait) member->before_wait(member); /* somebody must keep the time */
    do {
        while (!(lease = claim_committed(member, slot + 1))) {
            il_status status = commit_more(member);
            if (status != IL_OK) return status;
        }
        ILI_POINT("lease.claimed");
        atomic_store_explicit(&lease->object, object, memory_order_relaxed);
        atomic_store_explicit(&lease->token, token, memory_order_relaxed);
        atomic_store_explicit(&lease->duration_ns, duration_ns, memory_order_relaxed);
        atomic_store_explicit(&lease->end_ns, ili_deadline_in(duration_ns), memory_order_relaxed);
        /* fails if the session of SLOT has just ended, which took the entry back */
    } while (!change_word(lease, word_of(slot + 1, 0), word_of(slot + 1, stamp_of(object, token))));
    uint32_t mine = (uint32_t)(lease - member->arena.leases) + 1;
    ILI_POINT("lease.armed");
    tell(member, mine);
    /* a private domain: somebody must be there who keeps time */
    if (member->before_wait) member->before_wait(member);
    *number = mine;
    return IL_OK;
}

struct ili_lease *ili_lease_of(const struct ili_arena *arena, uint32_t number, ili_off object,
                               uint64_t token) {
    struct ili_lease *lease = ili_lease_at(arena, number);
    if (!lease || stamp_in(load_word(lease)) != stamp_of(object, token) ||
        atomic_load_explicit(&lease->object, memory_order_relaxed) != object ||
        atomic_load_explicit(&lease->token, memory_order_relaxed) != token) {
        return NULL;
    }
    return lease;
}

void ili_lease_extend(struct ili_member *member, struct ili_lease *lease, int64_t duration_ns) {
    int64_t end = ili_deadline_in(duration_ns);
    int64_t before = atomic_load_explicit(&lease->end_ns, memory_order_relaxed);
    atomic_store_explicit(&lease->duration_ns, duration_ns, memory_order_relaxed);
    atomic_store_explicit(&lease->end_ns, end, memory_order_release);
    if (end < before) tell(member, (uint32_t)(lease - member->arena.leases) + 1);
}

bool ili_lease_read(struct ili_lease *lease, struct ili_lease_copy *copy) {
    uint64_t word = load_word(lease);
    copy->slot = owner_in(word) - 1;
    copy->armed = false;
    if (word == 0) return false;
    if (stamp_in(word) == 0) return true;
    copy->object = atomic_load_explicit(&lease->object, memory_order_relaxed);
    copy->token = atomic_load_explicit(&lease->token, memory_order_relaxed);
    copy->end_ns = atomic_load_explicit(&lease->end_ns, memory_order_relaxed);
    /* a read-modify-write that changes nothing, so that the reads above stay above it: see loss.c */
    if (atomic_fetch_add_explicit(&lease->holder, 0, memory_order_acq_rel) != word) return true;
    if (stamp_in(word) != stamp_of(copy->object, copy->token)) { /* corrupt */
        (void)change_word(lease, word, 0);
        return false;
    }
    copy->armed = true;
    return true;
}

void ili_lease_end(struct ili_lease *lease, ili_off object, uint64_t token) {
    uint64_t word = load_word(lease);
    if (stamp_in(word) == stamp_of(object, token)) (void)change_word(lease, word, 0);
}

void ili_lease_free(struct ili_lease *lease) {
    ili_lease_end(lease, atomic_load_explicit(&lease->object, memory_order_relaxed),
                  atomic_load_explicit(&lease->token, memory_order_relaxed));
}

void ili_lease_end_all_of(struct ili_member *member, uint32_t slot) {
    for (uint32_t number = 1; number <= committed(&member->arena); number++) {
        struct ili_lease *lease = &member->arena.leases[number - 1];
        uint64_t word = load_word(lease);
        while (owner_in(word) == slot + 1 && !change_word(lease, word, 0)) word = load_word(lease);
    }
}

void ili_lease_collect(struct ili_member *member, bool sweep,
                       void (*heard)(uint32_t number, void *context), void *context) {
    ili_bits_take(member->arena.changed, member->arena.regions.leases, sweep, heard, context);
}

void ili_lease_each(struct ili_member *member, void (*heard)(uint32_t number, void *context),
                    void *context) {
    for (uint32_t number = 1; number <= committed(&member->arena); number++) {
        struct ili_lease *lease = &member->arena.leases[number - 1];
        if (atomic_load_explicit(&lease->holder, memory_order_relaxed) != 0) heard(number, context);
    }
}
