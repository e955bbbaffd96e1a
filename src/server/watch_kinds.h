/*
 * watch_kinds.h - what watching means for each kind of object: one row each.
 *
 * Either an object keeps its changes (`begin`, `next`), or its newest state is told (`look`, `observe`).
 */
#ifndef ILI_SERVER_WATCH_KINDS_H
#define ILI_SERVER_WATCH_KINDS_H

#include "base/out.h"
#include "data/changes.h"
#include "server/watched.h"

struct ili_watch_kind {
    const char *collection;

    /* Copies what is compared, of objects that are looked at. NULL: the doorbell tells. */
    void (*look)(const struct ili_watched *watched, struct ili_sample *sample);
    /* As ili_dict_enqueue() and _withdraw(); VERSION is the newest that was seen. NULL: it is looked at. */
    il_status (*enqueue)(struct ili_member *member, void *object, uint64_t version,
                         struct ili_agent *waiter);
    il_status (*withdraw)(struct ili_member *member, void *object, struct ili_agent *waiter);

    /* As ili_cells_observe(): of an object whose newest state is told, and the doorbell says that there is another. */
    il_status (*observe)(struct ili_member *member, void *object, uint64_t *version);

    /* As ili_dict_watch(), and ili_dict_changed() without waiting. NULL: only its newest state is told. */
    il_status (*begin)(struct ili_member *member, void *object, struct ili_changes_place *place);
    il_status (*next)(struct ili_member *member, void *object, struct ili_changes_place *place,
                      struct ili_changed *out, char *key);
    /* Writes the members of what was set, if it still is as CHANGE says. */
    void (*item)(struct ili_member *member, void *object, const struct ili_changed *change,
                 struct ili_out *out);

    /* Whether SAMPLE says that nothing will come any more. NULL: never. */
    bool (*is_over)(const struct ili_sample *sample);
    bool has_ids;    /* word[0] of a sample is the id of its event */
    bool has_tokens; /* and the token of the newest grant */
    bool has_keys;   /* its changes are of keys, not of indexes */
};

/* The row of COLLECTION; NULL: there is none. */
const struct ili_watch_kind *ili_watch_kind_of(const char *collection);

/* Writes the members of CHANGE, of an object of KIND: key or index, count, version. */
void ili_watch_write_change(struct ili_out *out, const struct ili_watch_kind *kind,
                            const struct ili_changed *change);

/* The word for it: "set". */
const char *ili_watch_word(uint32_t what);

#endif
