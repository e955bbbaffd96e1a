/*
 * member.h - this process's membership in one arena: its slot, and whether it may still act.
 *
 * `self` is the word that every fast path reads: the number that stands in lock words for this
 * process, or 0 once it must not touch the arena any more; `trouble` then says why.
 */
#ifndef ILI_ARENA_MEMBER_H
#define ILI_ARENA_MEMBER_H

#include <pthread.h>
#include <stdbool.h>

#include "arena/arena.h"

struct ili_agent;

#define ILI_STUCK_GUARDS 64

struct ili_member {
    _Atomic uint32_t self;   /* slot index + 1, or 0 */
    _Atomic int32_t trouble; /* the il_status of calls while self is 0 */
    uint64_t id;             /* never used twice in a process */
    struct ili_arena arena;
    uint32_t slot;       /* index */
    int doorbell_fd;     /* eventfd that the keeper listens to; -1: none */
    int64_t patience_ns; /* longest wait for a guard: the server must not hang on a client */
    /* Once waits for guards took this long together, they are short ones; 0: no limit. Who sets it sets
     * `waited_ns` back to 0 from time to time. */
    int64_t turn_patience_ns;
    _Atomic int64_t waited_ns;
    _Atomic uint64_t stuck[ILI_STUCK_GUARDS]; /* guard.c: guards that were waited for in vain */
    _Atomic uint32_t agent_hint, lease_hint;  /* where to look for a free one */

    /* Called when the process is about to wait for others: the session layer makes sure that
     * somebody is there who repairs after a death. May be NULL. */
    void (*before_wait)(struct ili_member *member);
    /* Called for AGENT, which is in a queue and about to sleep, and again from time to time: IL_OK, or
     * IL_EDEADLK if its wait can never end. Set by the session layer; may be NULL. */
    il_status (*check_wait)(struct ili_member *member, struct ili_agent *agent);
    _Atomic(void *)
        kept;     /* lib/handle.c: handles that were closed while something was held by them */
    void *warden; /* the session layer's */
    bool served;  /* an interlockd is the keeper */

    /* open_table.c; under open_mutex */
    pthread_mutex_t open_mutex;
    ili_off *open_pages; /* by rising entry number */
    size_t open_page_count;
    uint32_t *open_free; /* entry numbers that are free */
    size_t open_free_count;

    struct ili_member *next; /* all members of the process; member.c */
};

/* Takes SLOT (index) of ARENA, which becomes the member's, and enters the process's list.
 * OUT is initialised in place and must not move. LABEL may be NULL. */
void ili_member_enter(struct ili_member *member, const struct ili_arena *arena, uint32_t slot,
                      int doorbell_fd);

/* Leaves the process's list and unmaps. No thread may be inside a call. */
void ili_member_leave(struct ili_member *member);

/* From now on every call fails with TROUBLE, and every sleeping thread of this process wakes. */
void ili_member_stop(struct ili_member *member, il_status trouble);

/* IL_OK, or why this process may not act. */
static inline il_status ili_member_check(const struct ili_member *member) {
    if (atomic_load_explicit(&member->self, memory_order_relaxed) != 0) return IL_OK;
    /* relaxed: trouble is written before self becomes 0, with release there */
    return atomic_load_explicit(&member->trouble, memory_order_acquire);
}

static inline struct ili_slot *ili_member_slot(const struct ili_member *member) {
    return &member->arena.slots[member->slot];
}

/* Claims a free slot for process PID and fills it in; *SLOT is its index. LABEL and COMMAND may be
 * NULL: then the program's name and command line are read from /proc. IL_ELIMIT: none is free. */
il_status ili_slot_claim(struct ili_arena *arena, uint32_t pid, uint32_t uid, const char *label,
                         uint32_t *slot);

/* The same for a session made over HTTP, which has no process: ILI_SLOT_CLIENT. LABEL may be NULL. */
il_status ili_slot_claim_client(struct ili_arena *arena, const char *label, uint32_t *slot);

/* Gives a repaired or never used slot back. */
void ili_slot_free(struct ili_arena *arena, uint32_t slot);

/* Field 22 of /proc/PID/stat, which tells two processes with one pid apart; 0 if unknown. */
uint64_t ili_process_start_time(uint32_t pid);

/* Runs VISIT for each member of this process, under the list's lock; the second form for who holds it. */
void ili_members_each(void (*visit)(struct ili_member *member, void *context), void *context);
void ili_members_each_held(void (*visit)(struct ili_member *member, void *context), void *context);

/* A number for ili_member.id. Under the list's lock. */
uint64_t ili_member_new_id(void);

/* The list's lock, for fork handlers; see session/fork.c. */
void ili_members_lock(void);
void ili_members_unlock(void);

#endif
