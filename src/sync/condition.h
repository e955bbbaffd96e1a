/*
 * condition.h - waiting until something that a lock protects has changed (Python's Condition).
 *
 * Bound to a lock or an rlock of the domain, by the name of that (by its place, if it has none: then the
 * condition has none either). Who has the condition open has the lock open too; the core is given both.
 *
 * A wait stands in the condition's queue before it gives the lock up, so no notify by a later holder of the
 * lock is missed. It returns with the lock held again, whether it was notified or not. A notify is for those
 * who wait at that moment, the longest waiting first. One that reached a waiter whose process then dies is
 * gone with it.
 */
#ifndef ILI_SYNC_CONDITION_H
#define ILI_SYNC_CONDITION_H

#include "sync/rlock.h"
#include "sync/waiting.h"

struct ili_condition {
    struct ili_object object;
    struct ili_guard guard; /* kind CONDITION */
    struct ili_waitq waiters;
    uint32_t lock_kind; /* ILI_KIND_LOCK, ILI_KIND_RLOCK; as made */
    uint32_t lock_name_bytes;
    _Atomic ili_off lock; /* where it lies, for glances: of the last one who waited */
    _Atomic uint32_t deleted;
    uint32_t lock_birth; /* of a lock without a name */
    char lock_name[256];
    uint64_t reserved2[7];
};
_Static_assert(sizeof(struct ili_condition) == 448, "shared layout");

/* For the kind's init and same. */
struct ili_condition_options {
    const struct ili_lock *lock; /* an object of the arena, of kind LOCK or RLOCK */
    ili_off lock_at;
};

extern const struct ili_kind ili_condition_kind;

/* Waits for the calling thread, which holds LOCK (a plain one: its session does), until DEADLINE_NS (0: gives
 * the lock up and takes it again). With *TOKEN the lock is held again: IL_OK: notified; IL_EOWNERDEAD:
 * notified, and the lock's owner before died; IL_ETIMEOUT, IL_EINTR: not notified.
 * Without: IL_ENOTHELD, IL_EDELETED, IL_EBUSY, or why the member may not act. */
il_status ili_condition_wait(struct ili_member *member, struct ili_condition *condition,
                             struct ili_lock *lock, int64_t deadline_ns, uint64_t *token);

/* Lets up to COUNT of those that wait go on; *NOTIFIED (may be NULL): how many. OWNER (an agent number)
 * holds LOCK. IL_ENOTHELD, IL_EDELETED, IL_EBUSY. */
il_status ili_condition_notify(struct ili_member *member, struct ili_condition *condition,
                               const struct ili_lock *lock, uint32_t owner, uint32_t count,
                               uint32_t *notified);

/* ---- waiting without a thread --------------------------------------------------------------------- */

/* Queues WAITER on behalf of OWNER, which holds LOCK by TOKEN, and gives the lock up; *DEPTH acquires of it,
 * to be given to ili_rlock_deepen() later. IL_ETIMEOUT: done; ili_waiting_poll() tells when it is notified,
 * and then the caller gets the lock again by ili_lock_enqueue(). */
il_status ili_condition_enqueue(struct ili_member *member, struct ili_condition *condition,
                                struct ili_lock *lock, struct ili_agent *waiter, uint32_t owner,
                                uint64_t token, uint32_t *depth);

/* As ili_waiting_withdraw(): the lock is not held then. */
il_status ili_condition_withdraw(struct ili_member *member, struct ili_condition *condition,
                                 struct ili_agent *waiter);

/* Whether OWNER (a plain lock: its session) holds LOCK, by TOKEN unless that is 0. Codes as of
 * ili_lock_release(). */
il_status ili_condition_holds(const struct ili_member *member, const struct ili_lock *lock,
                              uint32_t owner, uint64_t token);

/* A dead agent holds the guard. */
void ili_condition_repair(struct ili_member *member, struct ili_agent *self,
                          struct ili_condition *condition);

/* Under the guard: IL_ECORRUPT if the queue is not sound. */
il_status ili_condition_check(const struct ili_member *member,
                              const struct ili_condition *condition);

#endif
