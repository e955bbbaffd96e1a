/*
 * target.h - any object that can be waited for together with others, whatever its kind: a lock, rlock,
 * rwlock or semaphore to be acquired; an event that is set, a latch at 0, a queue that has a message or is
 * closed, an end of a pipe that has a message or its end of file, of which nothing is taken.
 *
 * The core's calls by kind, for il_acquire_all, il_wait_any and their HTTP counterparts.
 */
#ifndef ILI_SESSION_TARGET_H
#define ILI_SESSION_TARGET_H

#include "arena/names.h"

struct ili_target {
    uint32_t kind;    /* enum ili_kind_number */
    uint32_t mode;    /* rwlock: IL_SHARED, IL_EXCLUSIVE; pipe: IL_PIPE_A, IL_PIPE_B */
    uint32_t count;   /* semaphore: permits, 1 or more */
    il_status status; /* of the grant: IL_OK, IL_EOWNERDEAD; written with it */
    void *object;
    uint64_t token; /* of the grant; written with it */
};

/* Whether objects of KIND are acquired; whether they can be waited for at all. */
bool ili_target_is_acquired(uint32_t kind);
bool ili_target_can_wait(uint32_t kind);

/* Acquires for OWNER (an agent number), or sees whether it is ready, without waiting. IL_OK,
 * IL_EOWNERDEAD; IL_ETIMEOUT: not now; or why not. */
il_status ili_target_try(struct ili_member *member, struct ili_target *target, uint32_t owner);

/* The same; if it is not to be had now, WAITER (with ILI_AGENT_BELL) stands in the object's queue on behalf
 * of OWNER: IL_ETIMEOUT. */
il_status ili_target_enqueue(struct ili_member *member, struct ili_target *target,
                             struct ili_agent *waiter, uint32_t owner);

/* What became of WAITER. IL_OK, IL_EOWNERDEAD, IL_EDELETED: it is out of the queue. IL_ETIMEOUT: it waits.
 * IL_EBUSY: it was told, ask again. */
il_status ili_target_poll(struct ili_member *member, struct ili_target *target,
                          struct ili_agent *waiter);

/* Takes WAITER out. IL_ETIMEOUT: done. IL_EBUSY: it still waits. Else as ili_target_poll(): it was granted
 * before. */
il_status ili_target_withdraw(struct ili_member *member, struct ili_target *target,
                              struct ili_agent *waiter);

/* Gives the grant that TARGET says back, as if it had not been: what its result told is told to the next.
 * IL_EBUSY: try again. Nothing for what is not acquired. */
il_status ili_target_give_back(struct ili_member *member, const struct ili_target *target,
                               uint32_t owner);

#endif
