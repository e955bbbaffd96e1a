/*
 * names.h - the name table: from (kind, name) to an object, and how long an object lives.
 *
 * A hash table whose buckets are committed in segments as names come, chains of objects by rising
 * offset. 64 stripes of buckets, each under a guard that also protects the reference counts of the
 * objects in it, so a count and the open-table entry that accounts for it change together even if
 * the process dies between the two.
 *
 * An object lives as long as its name or an open handle refers to it. Deleting removes the name: who
 * has it open gets IL_EDELETED from then on. An anonymous object has no name to begin with.
 */
#ifndef ILI_ARENA_NAMES_H
#define ILI_ARENA_NAMES_H

#include "arena/agent.h"
#include "arena/waitq.h"

enum ili_kind_number {
    ILI_KIND_LOCK = IL_KIND_LOCK,
    ILI_KIND_QUEUE = IL_KIND_QUEUE,
    ILI_KIND_RLOCK = IL_KIND_RLOCK,
    ILI_KIND_RWLOCK = IL_KIND_RWLOCK,
    ILI_KIND_SEMAPHORE = IL_KIND_SEMAPHORE,
    ILI_KIND_EVENT = IL_KIND_EVENT,
    ILI_KIND_CONDITION = IL_KIND_CONDITION,
    ILI_KIND_BARRIER = IL_KIND_BARRIER,
    ILI_KIND_LATCH = IL_KIND_LATCH,
    ILI_KIND_PIPE = IL_KIND_PIPE,
    ILI_KIND_VALUE = IL_KIND_VALUE,
    ILI_KIND_ARRAY = IL_KIND_ARRAY,
    ILI_KIND_DICT = IL_KIND_DICT,
    ILI_KIND_LIST = IL_KIND_LIST,
    ILI_KINDS_END,
};

/* A grant that stands, as a glance sees it. */
struct ili_grant {
    uint32_t owner; /* agent index + 1 */
    uint32_t mode;  /* rwlock: IL_SHARED, IL_EXCLUSIVE; else 0 */
    uint32_t count; /* permits; how often a reentrant one was acquired; else 1 */
    uint32_t lease; /* number of its lease (lease.h); 0: none */
    uint64_t token;
    int64_t since_ns; /* monotonic; 0: not noted, see ili_kind.grants */
};

/* What keeps a wait from being granted: it can be once `have`, and what those of `holders` release that
 * can go on, reach `need`, and all of `ahead` have gone. */
struct ili_gate {
    uint64_t need, have; /* 0, 0: open, anybody may end the wait */
    size_t holder_count, holder_room;
    struct ili_gate_holder {
        uint32_t owner; /* agent index + 1 */
        uint32_t count; /* of what is needed */
    } * holders;        /* the caller's, holder_room of them */
    /* Those before it in its queue matter: it is served in order. */
    bool behind;
    bool report;   /* IL_DEADLOCK_REPORT */
    bool overflow; /* there were more holders than room */
};

/* What the name table and repair must know of a kind of object. Each has one row in
 * session/kinds.c. */
struct ili_kind {
    uint32_t number;
    uint32_t bytes;   /* of the struct, which begins with a struct ili_object */
    const char *word; /* "lock": for messages */
    /* Fills in a zeroed object nobody sees yet. OPTIONS NULL: defaults. */
    void (*init)(struct ili_member *member, void *object, const void *options);
    /* Whether the object was made with OPTIONS. */
    bool (*same)(const void *object, const void *options);
    /* The name is being removed: every later call and every waiter gets IL_EDELETED. May be called
     * again after a death. IL_EBUSY: nothing was changed. */
    il_status (*end)(struct ili_member *member, struct ili_agent *self, void *object);
    /* Frees what hangs on the object, to which nobody refers any more, by pending[0] and pending[2] of
     * OWNER: SELF, or a dead agent whose work SELF goes on with. What an earlier call that failed, or
     * died, left there is put right first. IL_EBUSY: call again. */
    il_status (*dispose)(struct ili_member *member, struct ili_agent *self, struct ili_agent *owner,
                         void *object);
    /* The session of SLOT ended that had the object open: withdraws its waits and voids its grants. May
     * be called again after a death. IL_EBUSY: call again. */
    il_status (*recover)(struct ili_member *member, struct ili_agent *self, void *object,
                         uint32_t slot);

    /* What the session of PARENT_SLOT has of the object, the member, a forked child of it which has just
     * opened it too, has as well. NULL: nothing has to be done. */
    il_status (*inherit)(struct ili_member *member, struct ili_agent *self, void *object,
                         uint32_t parent_slot);
    /* Whether the session of SLOT has something of it, beside grants, that its end gives up (recover); in
     * doubt it has. NULL: there is nothing such. */
    bool (*claimed)(struct ili_member *member, struct ili_agent *self, void *object, uint32_t slot);

    /* The queue WHICH of those who wait, from 0; NULL: there are no more queues. NULL: nobody waits. */
    struct ili_waitq *(*waiters)(void *object, unsigned which);

    /* The rest is NULL for kinds that have no owners. */

    /* The thread of ENDED, of the calling process, is about to end: voids what belongs to the thread;
     * what belongs to the session goes on as HOME's. */
    il_status (*thread_end)(struct ili_member *member, struct ili_agent *self, void *object,
                            struct ili_agent *ended, struct ili_agent *home);
    /* Voids the grant TOKEN, whoever has it, as if its owner had died, and notes the loss (loss.h) with
     * WHY (IL_ELEASE, IL_EREVOKED) and REASON (may be NULL). IL_ESTALE, IL_ENOTHELD: it does not stand;
     * IL_EBUSY, IL_EDELETED. */
    il_status (*revoke)(struct ili_member *member, struct ili_agent *self, void *object,
                        uint64_t token, il_status why, const char *reason);
    /* Copies up to ROOM of the grants that stand; returns how many there are. A glance, without the
     * guard: every field is checked, none is exact but in an arena at rest. A grant whose beginning was
     * not noted (it was made without a system call) begins when it is first looked at. */
    size_t (*grants)(struct ili_member *member, void *object, struct ili_grant *out, size_t room);
    /* What WAITER, which waits for the object, waits for. A glance, as above. */
    void (*gate)(struct ili_member *member, void *object, const struct ili_agent *waiter,
                 struct ili_gate *gate);
};

/* The kind's row; NULL if there is none. Set once by the session layer, before any other call. */
extern const struct ili_kind *(*ili_kind_of)(uint32_t number);

#define ILI_OPEN_EXISTING 1u /* IL_ENOTFOUND rather than make it */

/* Opens the object (KIND, NAME), making it if need be; NAME_BYTES 0 makes an anonymous one. Counts
 * one reference, written to *ENTRY together with it; ENTRY is a place in the open table of the
 * member's slot, or NULL for the server's own short use. OPTIONS NULL: whatever it is, or defaults.
 * *CREATED may be NULL. The name has been checked.
 * IL_ECONFLICT, IL_ENOTFOUND, IL_ENOMEM, IL_EBUSY, or why the member may not act. */
il_status ili_names_open(struct ili_member *member, struct ili_agent *self,
                         const struct ili_kind *kind, const char *name, size_t name_bytes,
                         const void *options, uint32_t flags, _Atomic ili_off *entry, ili_off *out,
                         bool *created);

/* Opens what the word FROM names, into *ENTRY: a forked child what its parent's entry names, the
 * timekeeper what a lease names. FROM changes before the object loses its last reference; if it has
 * changed, IL_ENOTFOUND. */
il_status ili_names_inherit(struct ili_member *member, struct ili_agent *self,
                            const _Atomic ili_off *from, _Atomic ili_off *entry);

/* Opens the object of KIND at an offset that somebody was told, into *ENTRY, if it is still the one of that
 * BIRTH. Any numbers are safe. IL_ENOTFOUND; IL_EDELETED: its name was deleted. */
il_status ili_names_adopt(struct ili_member *member, struct ili_agent *self, ili_off object,
                          uint32_t kind, uint32_t birth, _Atomic ili_off *entry);

/* Gives the reference back, clearing *ENTRY (NULL: none) together with it. */
il_status ili_names_close(struct ili_member *member, struct ili_agent *self, ili_off object,
                          _Atomic ili_off *entry);

/* Removes the name. IL_ENOTFOUND, IL_EBUSY. */
il_status ili_names_delete(struct ili_member *member, struct ili_agent *self,
                           const struct ili_kind *kind, const char *name, size_t name_bytes);

/* Where a listing stands. Zero to begin; `finished` says that there is no more. */
struct ili_names_cursor {
    uint32_t bucket;
    uint32_t finished;
    ili_off after; /* objects of the bucket up to here were seen */
};

/* Calls VISIT for up to LIMIT objects of KIND, each that exists throughout exactly once over all
 * pages. VISIT runs under a guard: it copies what it needs and calls nothing here. Looks at 16,384
 * buckets at most, so a page may be short, or empty, before the end. */
il_status ili_names_page(struct ili_member *member, struct ili_agent *self, uint32_t kind,
                         struct ili_names_cursor *cursor, size_t limit,
                         void (*visit)(const struct ili_object *object, const char *name,
                                       size_t name_bytes, void *context),
                         void *context);

/* How many names exist. A glance. */
uint64_t ili_names_count(const struct ili_member *member);

/* The object at an offset that may come from the arena: NULL unless it is one of KIND there. */
void *ili_object_at(const struct ili_arena *arena, ili_off at, uint32_t kind);

/* Copies the name of OBJECT into ROOM, which has IL_NAME_MAX_BYTES + 1, and ends it with NUL. Returns how
 * many bytes it has; 0: none. */
size_t ili_object_name(const struct ili_arena *arena, const struct ili_object *object, char *room);

/* The hash of a name, as in ili_object.hash. */
uint64_t ili_name_hash(const struct ili_arena *arena, uint32_t kind, const char *name,
                       size_t name_bytes);

/* The word for objects of KIND, which may be nonsense: "lock". */
const char *ili_kind_word(uint32_t kind);

/* Frees the object in pending[1] of OWNER, if there is one: nobody refers to it any more. OWNER is SELF,
 * or a dead agent. IL_EBUSY: it stays there, call again. */
il_status ili_names_reap(struct ili_member *member, struct ili_agent *self,
                         struct ili_agent *owner);

/* A stripe's guard is held by the dead agent DEAD: finishes or undoes what it was doing. An object to
 * which nobody refers any more is then in pending[1] of DEAD. IL_EBUSY: call again. */
il_status ili_names_repair(struct ili_member *member, struct ili_agent *self,
                           struct ili_guard *guard, struct ili_agent *dead);

#endif
