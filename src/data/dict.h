/*
 * dict.h - keys with values, in the order in which the keys were first set.
 *
 * Entries are blocks of the arena, found by a hash table that grows a bucket at a time, and linked in their order.
 * One guard. Every change is prepared outside of it: the entries to be put in, all in blocks of their own. Under
 * the guard the conditions are looked at, then the guard's intent names what was prepared: that is the commit. The
 * steps that follow may each be made again, so after a death repair makes them all.
 */
#ifndef ILI_DATA_DICT_H
#define ILI_DATA_DICT_H

#include "data/changes.h"
#include "data/item.h"

enum ili_dict_state { ILI_DICT_OPEN = 0, ILI_DICT_DELETED };

#define ILI_DICT_BUCKETS_LEAST 8u /* they lie in the dict itself */
#define ILI_DICT_SEGMENTS 9u      /* of 8, 16, ... 2,048 buckets; beyond those the directory's */
#define ILI_DICT_WRITES 48u

/* One store of a change that is committed. */
struct ili_dict_write {
    _Atomic ili_off at;
    _Atomic uint64_t value;
};

struct ili_dict {
    struct ili_object object;
    struct ili_guard guard;   /* kind DICT; all that follows is under it */
    struct ili_limits limits; /* fixed */
    _Atomic uint32_t state;   /* enum ili_dict_state */
    uint32_t reserved;

    _Atomic uint64_t length, version;
    _Atomic uint64_t used_bytes; /* of the arena: entries and table */
    _Atomic uint64_t serial;     /* of the next new entry */
    _Atomic ili_off first, last; /* in order */
    _Atomic uint64_t buckets;    /* in use: see dict_table.c */
    _Atomic ili_off directory;   /* of the large segments */
    _Atomic ili_off least[ILI_DICT_BUCKETS_LEAST];
    _Atomic ili_off segments[ILI_DICT_SEGMENTS];

    _Atomic ili_off
        updating; /* the scratch of the update of many that is committed: see dict_many.c */
    /* of a scratch: the entries of an update */
    _Atomic ili_off batch;
    _Atomic uint64_t batch_count, batch_done, batch_version;
    uint64_t reserved2[2];

    struct ili_changes changes;
    struct ili_dict_write writes[ILI_DICT_WRITES]; /* see dict_store.c */
};
_Static_assert(sizeof(struct ili_dict) == 1216, "shared layout");

extern const struct ili_kind ili_dict_kind; /* options: struct ili_limits */

struct ili_dict_change {
    uint32_t what; /* IL_CHANGE_SET, _REMOVE, _EXPECT */
    uint32_t type;
    const char *key;
    uint64_t key_bytes;
    const void *data;
    uint64_t bytes;
    uint64_t version; /* what the entry must have before all changes; IL_VERSION_ANY */
};

/* An entry that was read. KEY and item.data lie in one piece: ROOM bytes at BUFFER, or allocated (BUFFER NULL; then
 * owned by the caller: free(entry->key)). */
struct ili_dict_entry {
    char *key;
    uint64_t key_bytes;
    struct ili_item item;
};

/* All of these never wait but for the guard: IL_EBUSY, or why the member may not act; IL_EDELETED. Arguments
 * have been checked (lengths, UTF-8, types). REFUSAL may be NULL. */

/* IL_ENOKEY, IL_ETOOBIG, IL_ENOMEM. */
il_status ili_dict_get(struct ili_member *member, struct ili_dict *dict, const char *key,
                       uint64_t key_bytes, struct ili_item *item);
/* All of COUNT changes, or none. IL_ECHANGED, IL_ENOKEY, IL_EOVERFLOW, IL_ENOMEM. *VERSION (may be NULL): of the
 * last entry that was set, or of the dict. */
il_status ili_dict_update(struct ili_member *member, struct ili_dict *dict,
                          const struct ili_dict_change *changes, size_t count, uint64_t *version,
                          struct ili_refusal *refusal);
il_status ili_dict_set_default(struct ili_member *member, struct ili_dict *dict,
                               const struct ili_dict_change *change, struct ili_item *item,
                               bool *created, struct ili_refusal *refusal);
/* Removes KEY, whose value goes to ITEM. */
il_status ili_dict_pop(struct ili_member *member, struct ili_dict *dict, const char *key,
                       uint64_t key_bytes, uint64_t version, struct ili_item *item,
                       struct ili_refusal *refusal);
/* Removes the last. ROOM bytes at BUFFER, or NULL: allocated. IL_ENOKEY: empty. */
il_status ili_dict_pop_item(struct ili_member *member, struct ili_dict *dict, void *buffer,
                            uint64_t room, struct ili_dict_entry *entry);
il_status ili_dict_clear(struct ili_member *member, struct ili_dict *dict);
il_status ili_dict_copy(struct ili_member *member, struct ili_dict *dict, struct ili_dict *into,
                        struct ili_refusal *refusal);

/* As il_dict_items(): up to COUNT entries behind CURSOR, one behind the other in ROOM bytes at BUFFER. *DONE of them
 * are in ENTRIES. IL_ETOOBIG: not even one fits; *DONE: the bytes it needs. */
il_status ili_dict_items(struct ili_member *member, struct ili_dict *dict, il_cursor *cursor,
                         uint32_t what, void *buffer, uint64_t room, struct ili_dict_entry *entries,
                         size_t count, size_t *done);

struct ili_dict_view {
    struct ili_limits limits;
    uint64_t length, version, used_bytes; /* of the arena */
    uint32_t watchers;
};
void ili_dict_look(const struct ili_dict *dict, struct ili_dict_view *view); /* a glance */

/* ---- watching: the next change behind *PLACE ------------------------------------------------------ */

/* Makes the dict note its changes; *PLACE (version 0) begins with what comes next. */
il_status ili_dict_watch(struct ili_member *member, struct ili_dict *dict,
                         struct ili_changes_place *place);
/* As ili_changes_next(), waiting with the calling thread until DEADLINE_NS. */
il_status ili_dict_changed(struct ili_member *member, struct ili_dict *dict,
                           struct ili_changes_place *place, struct ili_changed *out, char *key,
                           int64_t deadline_ns);
/* Without a thread: IL_ETIMEOUT: WAITER (of ili_agent_claim_bell()) waits until there may be a change, then the
 * doorbell rings; IL_OK: look now. Poll and withdraw as ili_waiting_poll(), ili_waiting_withdraw(). */
il_status ili_dict_enqueue(struct ili_member *member, struct ili_dict *dict,
                           const struct ili_changes_place *place, struct ili_agent *waiter);
il_status ili_dict_withdraw(struct ili_member *member, struct ili_dict *dict,
                            struct ili_agent *waiter);

/* ---- repair --------------------------------------------------------------------------------------- */

void ili_dict_repair(struct ili_member *member, struct ili_agent *self, struct ili_dict *dict,
                     struct ili_agent *dead);

/* With nobody at work: IL_ECORRUPT if an invariant of dict.c does not hold. */
il_status ili_dict_check(const struct ili_member *member, const struct ili_dict *dict);

#endif
