/*
 * dict_store.h - a dict's entries: finding them, and changing dict, order and table in one step.
 *
 * Internal to data/. Everything is called under the dict's guard unless it says otherwise. SELF is the calling
 * agent, OWNER the one whose pending[] is meant: SELF, or a dead agent whose work is gone on with.
 */
#ifndef ILI_DATA_DICT_STORE_H
#define ILI_DATA_DICT_STORE_H

#include "data/dict.h"

/* An entry: a block, the key and the value behind this. */
struct ili_dict_node {
    _Atomic ili_off next;          /* in its bucket */
    _Atomic ili_off before, after; /* in order */
    _Atomic uint64_t hash;         /* of the key */
    _Atomic uint64_t serial;       /* rises with the order; a new value keeps it */
    _Atomic uint64_t version;
    _Atomic uint64_t value_bytes;
    _Atomic uint32_t key_bytes;
    _Atomic uint32_t type; /* IL_BYTES ...; in a batch ILI_DICT_REMOVES: the key is to be removed */
};
_Static_assert(sizeof(struct ili_dict_node) == 64, "shared layout");

#define ILI_DICT_REMOVES UINT32_C(0x80000000)

/* What was read of an entry, once and checked. */
struct ili_dict_seen {
    ili_off at;
    struct ili_dict_node *node;
    const char *key;
    const void *data;
    uint64_t bytes, version, serial;
    uint32_t key_bytes, type;
};

/* False: there is no entry at AT. */
bool ili_dict_see(const struct ili_member *member, ili_off at, struct ili_dict_seen *seen);

/* Bytes of the arena that an entry takes. */
uint64_t ili_dict_node_size(uint64_t key_bytes, uint64_t value_bytes);

uint64_t ili_dict_hash(const struct ili_member *member, const char *key, uint64_t key_bytes);

/* Makes an entry in pending[0] of SELF. With or without the guard. IL_ENOMEM, IL_EBUSY. */
il_status ili_dict_make_node(struct ili_member *member, struct ili_agent *self,
                             const struct ili_dict_change *change, uint64_t hash, ili_off *out);

struct ili_dict_found {
    _Atomic ili_off *link; /* that leads to it */
    struct ili_dict_seen entry;
};

/* IL_ENOKEY; IL_ECORRUPT. */
il_status ili_dict_find(const struct ili_member *member, const struct ili_dict *dict, uint64_t hash,
                        const char *key, uint64_t key_bytes, struct ili_dict_found *found);
/* The entry at AT, which is in the dict. IL_ECORRUPT. */
il_status ili_dict_find_at(const struct ili_member *member, const struct ili_dict *dict, ili_off at,
                           struct ili_dict_found *found);

/* ---- changes: a plan of stores, then its commit ------------------------------------------------ */

/* What a plan's commit is, for whoever watches. */
enum ili_dict_step {
    ILI_DICT_QUIET = 1,
    ILI_DICT_SETS,
    ILI_DICT_REMOVED,
    ILI_DICT_CLEARS,
    ILI_DICT_VALUE
};

struct ili_dict_plan {
    struct ili_member *member;
    struct ili_dict *dict;
    struct ili_dict_write
        *more; /* NULL: the dict's own; else a block in pending[2], see ili_dict_plan_more() */
    uint64_t count, room; /* room 0: that of the dict's own */
    bool full;            /* there were too many */
};

void ili_dict_plan(struct ili_dict_plan *plan, _Atomic uint64_t *word, uint64_t value);

/* Begins PLAN, empty, with room for COUNT writes in a block in pending[2] of SELF, which is the caller's to free after
 * the commit. Such a plan is ILI_DICT_QUIET, without a place. False: no memory. */
bool ili_dict_plan_more(struct ili_dict_plan *plan, struct ili_agent *self, uint64_t count);

/* Plans that the entry NODE, which nobody else sees yet, gets into the dict, in the place of OLD or (NULL) at the
 * end, with VERSION. */
il_status ili_dict_plan_put(struct ili_dict_plan *plan, ili_off node,
                            const struct ili_dict_found *old, uint64_t version);
/* Plans that OLD leaves the dict, with VERSION. */
il_status ili_dict_plan_remove(struct ili_dict_plan *plan, const struct ili_dict_found *old,
                               uint64_t version);

/* Makes all stores of PLAN, or after a death repair does. PLACE below ILI_AGENT_PENDING: with them pending[PLACE] of
 * OWNER becomes ADOPTED. PUBLISHED: the new entry of ILI_DICT_SETS. */
#define ILI_DICT_NO_PLACE ILI_AGENT_PENDING
void ili_dict_commit(struct ili_dict_plan *plan, struct ili_agent *owner, enum ili_dict_step step,
                     unsigned place, ili_off adopted, ili_off published);

/* Whether a value of BYTES can be written where that of OLD is, and writes it there. */
bool ili_dict_overwrite(struct ili_member *member, struct ili_agent *owner, struct ili_dict *dict,
                        const struct ili_dict_found *old, const struct ili_dict_change *change,
                        uint64_t version);

/* Makes what is committed and not done, after a death. */
void ili_dict_store_repair(struct ili_member *member, struct ili_agent *dead,
                           struct ili_dict *dict);

/* No guard: nobody refers to DICT. As ili_kind.dispose. */
il_status ili_dict_store_dispose(struct ili_member *member, struct ili_agent *self,
                                 struct ili_agent *owner, struct ili_dict *dict);

static inline uint64_t ili_dict_load(const _Atomic uint64_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed); /* under the guard, or not published */
}
static inline void ili_dict_store(_Atomic uint64_t *p, uint64_t v) {
    atomic_store_explicit(p, v, memory_order_relaxed);
}

static inline struct ili_waiting ili_dict_waiting(struct ili_dict *dict) {
    return (struct ili_waiting){
        .guard = &dict->guard, .queue = &dict->changes.watchers, .object = dict};
}

#endif
