/*
 * deadlock.h - waits of an arena that can never end, found by whoever begins to wait.
 *
 * A thread that is about to sleep looks who holds what it waits for. Mostly that one runs, and the look
 * costs less than a microsecond; without contention nobody looks. If all that could end the wait wait
 * themselves, the graph of waits is put together (wait_graph.h) and solved (waitfor.h); a deadlock counts
 * if a second look finds everything as it was. Its victim is the wait that began last: it ends with
 * IL_EDEADLK, unless the object it is for was made with IL_DEADLOCK_REPORT. Who finds a deadlock whose
 * victim is somebody else pokes that one to look for itself.
 *
 * A wait of an owner for what it holds itself never fails, since another thread or client of the session
 * may release it; it is listed.
 *
 * Sharing: no guards are taken, no shared memory is changed but by pokes.
 */
#ifndef ILI_SESSION_DEADLOCK_H
#define ILI_SESSION_DEADLOCK_H

#include "arena/names.h"

/* An owner, for people, as it was then. */
struct ili_party {
    uint32_t agent; /* number */
    uint32_t slot;  /* index; UINT32_MAX: unknown */
    uint32_t generation, pid, tid;
    bool client;      /* acts over HTTP */
    char label[64];   /* the thread's name, the client's owner key */
    char session[64]; /* the session's label */
};

struct ili_deadlock_wait {
    struct ili_party owner;
    uint32_t agent; /* number: its place in the queue, often the owner's own */
    uint32_t kind;  /* enum ili_kind_number */
    ili_off object;
    uint32_t want; /* as in struct ili_agent */
    uint32_t name_bytes;
    uint64_t turn;
    int64_t since_ns;
    uint32_t holders,
        holder_count; /* its part of ili_deadlocks.holders, shared by all that wait for it */
    char name[IL_NAME_MAX_BYTES + 1]; /* ends with NUL; empty: anonymous */
};

struct ili_deadlock_holder {
    struct ili_party owner;
    struct ili_grant grant;
};

/* A wait of a cycle. The next one's owner holds what it waits for, or is `queued` ahead of it; the last
 * step leads to the first. */
struct ili_deadlock_step {
    uint32_t wait; /* index */
    bool queued;
};

/* From the wait that began last. */
struct ili_deadlock_cycle {
    uint32_t steps, step_count; /* its part of ili_deadlocks.steps */
    int64_t since_ns;
};

struct ili_deadlocks {
    struct ili_deadlock_wait *waits;
    struct ili_deadlock_holder *holders;
    struct ili_deadlock_step *steps;
    struct ili_deadlock_cycle *cycles;
    uint32_t wait_count, holder_count, step_count, cycle_count;
};

/* For ili_member.check_wait, and for whoever waits without a thread: to be called once WAITER is in its
 * queue, when it was poked, and from time to time. IL_OK: it may wait on. IL_EDEADLK: it must not, and
 * ili_deadlock_last() says why. */
il_status ili_deadlock_check(struct ili_member *member, struct ili_agent *waiter);

/* All waits, and the deadlocks that stand, self-made ones included. *OUT owned: ili_deadlocks_free(), on
 * success. IL_ENOMEM. */
il_status ili_deadlock_list(struct ili_member *member, struct ili_deadlocks *out);

void ili_deadlocks_free(struct ili_deadlocks *deadlocks);

/* The cycle by which the calling thread last got IL_EDEADLK; NULL: none. Borrowed until the next one. */
const struct ili_deadlocks *ili_deadlock_last(void);

/* The same in words: "thread worker (pid 12, tid 14) waits for lock "a", held by …; …". */
const char *ili_deadlock_text(void);

#endif
