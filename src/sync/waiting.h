/*
 * waiting.h - a wait in a queue that others end by telling the waiter its outcome: what rwlock, semaphore,
 * event, condition, barrier and latch share.
 *
 * Whoever changes the object under its guard tells those waiters whom the change lets go on. A waiter that
 * was told is out of the queue and has its outcome, whatever happens to the teller; one that gives up
 * (timeout, interruption, deadlock) takes the guard, and if it was told meanwhile, that counts.
 *
 * Telling is: wake-up announced, unlinked, outcome written, state GRANTED (the commit), woken. Repair
 * (ili_waiting_repair) puts back those that a dead teller had unlinked and not told; the object's own
 * repair, by the guard's intent, then tells them anew.
 *
 * A waiter without a thread is told in the same way; the server learns it by the doorbell.
 *
 * Telling a thread that sleeps costs the object the time until it runs. Where that would be paid again and
 * again, a waiter that is not due yet is nudged instead: it wakes up and looks under the guard whether it
 * can go on, by `left`; until then others may be faster. It keeps its place, and is due once it has waited
 * for ILI_WAITING_PATIENCE_NS.
 */
#ifndef ILI_SYNC_WAITING_H
#define ILI_SYNC_WAITING_H

#include "arena/guard.h"
#include "arena/names.h"
#include "arena/waitq.h"

#define ILI_WAITING_PATIENCE_NS 1000000

/* One queue of one object. A waiter that gives up: `leaving` is called under the guard before it is taken
 * out of the queue, so that a death in between leaves it to be found; `left` after that: those behind it
 * may be able to go on now. `left` is also called for one that woke up since it was nudged: it tells those
 * who can go on. Both may be NULL, `left` if nobody is nudged. */
struct ili_waiting {
    struct ili_guard *guard;
    struct ili_waitq *queue;
    void *object;   /* begins with a struct ili_object */
    unsigned which; /* the queue's number within the object */
    void (*left)(struct ili_member *member, struct ili_agent *self, void *object);
    void (*leaving)(struct ili_member *member, struct ili_agent *self, void *object);
    bool awake; /* stay awake for a moment before sleeping: the wait is likely to end soon */
};

/* Under the guard: puts WAITER at the end. FOR_OWNER, WANT as in struct ili_agent; FOR_OWNER 0: itself. */
void ili_waiting_begin(struct ili_member *member, const struct ili_waiting *waiting,
                       struct ili_agent *waiter, uint32_t for_owner, uint32_t want);

/* Under the guard: tells WAITER, which is in the queue, RESULT (IL_OK, IL_EOWNERDEAD, IL_EDELETED,
 * IL_EBROKEN …) and TOKEN. It is woken by the next ili_waiting_tell() of SELF or by
 * ili_waiting_wake(), which the caller owes after it has freed the guard. */
void ili_waiting_tell(struct ili_member *member, struct ili_agent *self,
                      const struct ili_waiting *waiting, struct ili_agent *waiter, il_status result,
                      uint64_t token);

/* Under the guard: whether WAITER, which is in the queue, is in a state to be there and to be told. */
static inline bool ili_waiting_is_in(const struct ili_agent *waiter) {
    uint32_t state = ili_agent_state(waiter);
    return state == ILI_PARK_WAITING || state == ILI_PARK_NOTIFIED;
}

/* Under the guard: whether WAITER, which is in the queue, is to be told at once rather than nudged: it has
 * no thread, has waited long enough, or is awake and looks. */
bool ili_waiting_is_due(const struct ili_agent *waiter);

/* Under the guard: whether WAITER, which is in the queue, was nudged and is not due: it is going to look. */
static inline bool ili_waiting_is_coming(const struct ili_agent *waiter) {
    return ili_agent_state(waiter) == ILI_PARK_NOTIFIED && !ili_waiting_is_due(waiter);
}

/* Under the guard: nudges WAITER, which is in the queue, unless it has been and is on its way. Wakes as
 * ili_waiting_tell(). */
void ili_waiting_nudge(struct ili_member *member, struct ili_agent *self, struct ili_agent *waiter);

/* Pays the last wake-up. After the guard was freed. */
static inline void ili_waiting_wake(struct ili_member *member, struct ili_agent *self) {
    ili_agent_wake_now(member, self);
}

/* Frees GUARD, and pays the last wake-up. */
static inline void ili_waiting_unlock(struct ili_member *member, struct ili_agent *self,
                                      struct ili_guard *guard) {
    ili_guard_unlock(member, self, guard);
    ili_waiting_wake(member, self);
}

/* Under the guard: tells everyone RESULT. */
void ili_waiting_tell_all(struct ili_member *member, struct ili_agent *self,
                          const struct ili_waiting *waiting, il_status result);

/* SELF, which is in the queue, sleeps until it is told, or DEADLINE_NS. What it was told, with *TOKEN; or
 * IL_ETIMEOUT, IL_EINTR, IL_EDEADLK and it is out of the queue; or why the member may not act. */
il_status ili_waiting_sleep(struct ili_member *member, struct ili_agent *self,
                            const struct ili_waiting *waiting, int64_t deadline_ns,
                            uint64_t *token);

/* What WAITER was told, which is then free again. IL_ETIMEOUT: it still waits. */
il_status ili_waiting_poll(struct ili_agent *waiter, uint64_t *token);

/* Takes WAITER out. IL_ETIMEOUT: done. IL_EBUSY: it still waits. Else what it had been told. */
il_status ili_waiting_withdraw(struct ili_member *member, const struct ili_waiting *waiting,
                               struct ili_agent *waiter, uint64_t *token);

/* Repair, under the guard: the queue is as its links say, without waiters of SLOT (index). With UINT32_MAX
 * the guard's holder died: without waiters of none, but with those that it had unlinked and not told. */
void ili_waiting_repair(struct ili_member *member, const struct ili_waiting *waiting,
                        uint32_t slot);

/* Takes the guard: the session of SLOT (index) ended, its waiters leave, and `left` is told. For a kind's
 * `recover`, where nothing else is to be done. */
il_status ili_waiting_recover(struct ili_member *member, struct ili_agent *self,
                              const struct ili_waiting *waiting, uint32_t slot);

#endif
