/*
 * list_change.h - puts items in the place of others: which blocks that takes, and how it is published.
 *
 * Internal to data/. A list's items are prepared without its guard, all else is done under it.
 */
#ifndef ILI_DATA_LIST_CHANGE_H
#define ILI_DATA_LIST_CHANGE_H

#include "data/list_store.h"

#define ILI_LIST_FEW 8

/* Items that were prepared: their slots, and the bytes of the arena that they take. */
struct ili_list_batch {
    uint64_t *slots;
    size_t count;
    uint64_t bytes;
    uint64_t few[ILI_LIST_FEW];
};

/* Without the guard: copies MESSAGES into items, in a chain in pending[2] of SELF, on top of what is there. BATCH is
 * owned: ili_list_batch_end(). IL_EOVERFLOW, IL_ENOMEM, IL_EBUSY: what pending[2] has is to be freed. */
il_status ili_list_prepare(struct ili_member *member, struct ili_agent *self,
                           const struct ili_list *list, const struct ili_payload *messages,
                           size_t count, struct ili_list_batch *batch, struct ili_refusal *refusal);
void ili_list_batch_end(struct ili_list_batch *batch);

/* Fills in REFUSAL (may be NULL). IL_EOVERFLOW. */
il_status ili_list_overflow(struct ili_refusal *refusal, const char *what, uint64_t limit,
                            uint64_t which);

/* SLOTS come in the place of the items from `start` to before `stop`. */
struct ili_list_edit {
    uint64_t start, stop;
    const uint64_t *slots;
    uint64_t count;
    const struct ili_list_batch *batch; /* the new ones among them; NULL: none */
    /* Whether the items that are replaced are among SLOTS again, but for REMOVED, which go, and STILLBORN of the
     * batch, which are not among them. */
    bool keeps;
    const uint64_t *removed, *stillborn;
    uint64_t removed_count, stillborn_count;
    const struct ili_list_note *notes;
    size_t note_count;
};

/* Makes it: the list's next version. What came out is then in pending[2] of SELF. IL_EOVERFLOW, IL_ENOMEM, IL_EBUSY,
 * IL_ECORRUPT: nothing changed, and pending[2] has what was prepared. */
il_status ili_list_apply(struct ili_member *member, struct ili_agent *self, struct ili_list *list,
                         const struct ili_list_edit *edit, struct ili_refusal *refusal);

#endif
