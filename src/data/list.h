/*
 * list.h - values in an order.
 *
 * Items are blocks of the arena. Their offsets lie in chunks of up to ILI_LIST_CHUNK, and the chunks' offsets, with
 * how many items each has, in one directory. What changes more than one word is made as a copy beside (a chunk, or
 * the directory and some chunks) and published by one store. One guard.
 */
#ifndef ILI_DATA_LIST_H
#define ILI_DATA_LIST_H

#include "data/changes.h"
#include "data/item.h"
#include "data/queue.h"

/* What a commit changes, written before it: see list_store.c. */
struct ili_list_plan {
    _Atomic ili_off word_at;
    _Atomic uint64_t now, garbage, trash;
    _Atomic uint64_t length, version, used_bytes;
    _Atomic uint64_t what, index, count; /* the change, for watchers */
    uint64_t reserved;
};

struct ili_list {
    struct ili_object object;

    /* seldom written */
    struct ili_limits limits;
    _Atomic uint32_t deleted;
    uint32_t reserved;
    uint64_t reserved2[4];

    struct ili_guard guard; /* kind LIST */
    /* under the guard; see list_store.c */
    _Atomic uint64_t root, length, version, used_bytes;
    _Atomic uint64_t trash;
    struct ili_list_plan plan;
    uint64_t reserved3[4];
    struct ili_changes changes;
};
_Static_assert(sizeof(struct ili_list) == 384, "shared layout");

extern const struct ili_kind ili_list_kind; /* options: struct ili_limits */

/* As dict.h has it: IL_EBUSY, IL_EDELETED, or why the member may not act. START, STOP and INDEX as Python has them:
 * below 0 from the end; slices are clipped, an index must be there: IL_ERANGE, refusal->limit is the length.
 * VERSION: what the item (splice: the list) must have, or IL_VERSION_ANY; IL_ECHANGED. */

/* Puts MESSAGES in the place of the items from START to before STOP: append, extend, insert, clear, delete of a slice
 * are all this. *LIST_VERSION (may be NULL): of the list afterwards. IL_EOVERFLOW, IL_ENOMEM. */
il_status ili_list_splice(struct ili_member *member, struct ili_list *list, int64_t start,
                          int64_t stop, const struct ili_payload *messages, size_t count,
                          uint64_t version, uint64_t *list_version, struct ili_refusal *refusal);
il_status ili_list_get(struct ili_member *member, struct ili_list *list, int64_t index,
                       struct ili_item *item, struct ili_refusal *refusal);
il_status ili_list_set(struct ili_member *member, struct ili_list *list, int64_t index,
                       const struct ili_payload *message, uint64_t version, uint64_t *now,
                       struct ili_refusal *refusal);
/* Removes the item, which goes to ITEM (NULL: it is not wanted). */
il_status ili_list_pop(struct ili_member *member, struct ili_list *list, int64_t index,
                       uint64_t version, struct ili_item *item, struct ili_refusal *refusal);
/* The first that equals MESSAGE from START to before STOP: *INDEX. IL_ENOKEY. REMOVE: and removes it. */
il_status ili_list_find(struct ili_member *member, struct ili_list *list,
                        const struct ili_payload *message, int64_t start, int64_t stop, bool remove,
                        uint64_t *index);
il_status ili_list_count(struct ili_member *member, struct ili_list *list,
                         const struct ili_payload *message, uint64_t *count);
il_status ili_list_reverse(struct ili_member *member, struct ili_list *list);
/* IL_ETYPE: refusal->has and asked. */
il_status ili_list_sort(struct ili_member *member, struct ili_list *list, bool descending,
                        struct ili_refusal *refusal);
/* The items from START to before STOP, at most COUNT, one behind the other in ROOM bytes at BUFFER. IL_ETOOBIG: not
 * even one fits; *DONE: the bytes it needs. */
il_status ili_list_slice(struct ili_member *member, struct ili_list *list, int64_t start,
                         int64_t stop, void *buffer, uint64_t room, struct ili_item *items,
                         size_t count, size_t *done, uint64_t *list_version);
/* The same; *LENGTH is the list's at that moment. */
il_status ili_list_part(struct ili_member *member, struct ili_list *list, int64_t start,
                        int64_t stop, void *buffer, uint64_t room, struct ili_item *items,
                        size_t count, size_t *done, uint64_t *list_version, uint64_t *length);

/* Several changes in one step, all or none, in order; each sees what those before it did. */
struct ili_list_change {
    int64_t start, stop; /* splice; an index and the one behind it for set and remove */
    bool exact;          /* the items must be there: IL_ERANGE */
    const struct ili_payload *messages;
    size_t count;
    uint64_t
        version; /* that the first of the items must have before all changes; or IL_VERSION_ANY */
};
il_status ili_list_update(struct ili_member *member, struct ili_list *list,
                          const struct ili_list_change *changes, size_t count, uint64_t version,
                          uint64_t *list_version, struct ili_refusal *refusal);

struct ili_list_view {
    struct ili_limits limits;
    uint64_t length, version, used_bytes;
    uint32_t watchers;
};
void ili_list_look(const struct ili_list *list, struct ili_list_view *view);

/* ---- watching: as in dict.h ----------------------------------------------------------------------- */

il_status ili_list_watch(struct ili_member *member, struct ili_list *list,
                         struct ili_changes_place *place);
il_status ili_list_changed(struct ili_member *member, struct ili_list *list,
                           struct ili_changes_place *place, struct ili_changed *out, char *key,
                           int64_t deadline_ns);
il_status ili_list_enqueue(struct ili_member *member, struct ili_list *list,
                           const struct ili_changes_place *place, struct ili_agent *waiter);
il_status ili_list_withdraw(struct ili_member *member, struct ili_list *list,
                            struct ili_agent *waiter);

void ili_list_repair(struct ili_member *member, struct ili_agent *self, struct ili_list *list,
                     struct ili_agent *dead);
il_status ili_list_check(const struct ili_member *member, const struct ili_list *list);

#endif
