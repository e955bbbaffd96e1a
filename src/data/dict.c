/*
 * dict.c - see dict.h: one entry, and the kind. How a change is made so that a death leaves the old or the new
 * state: dict_store.c. The table: dict_table.c. Many entries at once: dict_many.c. Reading on: dict_walk.c.
 * Watching: dict_watch.c.
 *
 * A large new entry is made before the guard is taken, a small one under it, since it is seldom needed: most new
 * values are written over the old ones. What leaves the dict is freed after the guard.
 * Lock order: a stripe of names, this guard, the allocator.
 */
#include "data/dict.h"

#include <stdlib.h>
#include <string.h>

#include "arena/alloc.h"
#include "base/point.h"
#include "data/dict_many.h"
#include "data/dict_store.h"
#include "data/dict_table.h"

#define LARGE_BYTES 512u /* values from here on are copied into the arena without the guard */

#define load ili_dict_load
#define store ili_dict_store

/* ---- the kind --------------------------------------------------------------------------------- */

static void init(struct ili_member *member, void *object, const void *options) {
    struct ili_dict *dict = object;
    dict->guard.kind = ILI_GUARD_DICT;
    dict->limits = ili_limits_of(member, options);
    store(&dict->buckets, ILI_DICT_BUCKETS_LEAST);
    store(&dict->serial, 1);
}

static bool same(const void *object, const void *options) {
    return ili_limits_same(&((const struct ili_dict *)object)->limits, options);
}

static il_status end(struct ili_member *member, struct ili_agent *self, void *object) {
    struct ili_dict *dict = object;
    struct ili_waiting waiting = ili_dict_waiting(dict);
    il_status status = ili_guard_lock(member, self, &dict->guard);
    if (status != IL_OK) return status;
    atomic_store_explicit(&dict->state, ILI_DICT_DELETED, memory_order_release);
    ILI_POINT("dict.end.marked");
    ili_waiting_tell_all(member, self, &waiting, IL_EDELETED);
    ili_dict_leave(member, self, dict);
    return IL_OK;
}

static il_status dispose(struct ili_member *member, struct ili_agent *self, struct ili_agent *owner,
                         void *object) {
    return ili_dict_store_dispose(member, self, owner, object);
}

static il_status recover(struct ili_member *member, struct ili_agent *self, void *object,
                         uint32_t slot) {
    struct ili_waiting waiting = ili_dict_waiting(object);
    return ili_waiting_recover(member, self, &waiting, slot);
}

static struct ili_waitq *waiters(void *object, unsigned which) {
    return which == 0 ? &((struct ili_dict *)object)->changes.watchers : NULL;
}

/* ---- what calls share --------------------------------------------------------------------------- */

il_status ili_dict_enter(struct ili_member *member, struct ili_dict *dict,
                         struct ili_agent **self) {
    il_status status = ili_agent_current(member, self);
    if (status == IL_OK) status = ili_guard_lock(member, *self, &dict->guard);
    if (status != IL_OK) return status;
    if (atomic_load_explicit(&dict->state, memory_order_relaxed) == ILI_DICT_OPEN) return IL_OK;
    ili_guard_unlock(member, *self, &dict->guard);
    return IL_EDELETED;
}

void ili_dict_leave(struct ili_member *member, struct ili_agent *self, struct ili_dict *dict) {
    ili_waiting_unlock(member, self, &dict->guard);
}

void ili_dict_changed_now(struct ili_member *member, struct ili_agent *self,
                          struct ili_dict *dict) {
    struct ili_waiting waiting = ili_dict_waiting(dict);
    ili_dict_tend(member, self, dict);
    if (ili_waitq_count(&dict->changes.watchers)) ili_changes_tell(member, self, &waiting);
}

il_status ili_dict_refuse(struct ili_refusal *refusal, const char *what, uint64_t limit,
                          uint64_t which) {
    if (refusal) {
        *refusal = (struct ili_refusal){.which = which, .limit = limit, .what = what};
    }
    return IL_EOVERFLOW;
}

il_status ili_dict_expect(uint64_t version, const struct ili_dict_found *found, uint64_t which,
                          struct ili_refusal *refusal) {
    uint64_t has = found ? found->entry.version : IL_VERSION_NONE;
    if (version == IL_VERSION_ANY || version == has) return IL_OK;
    if (refusal) *refusal = (struct ili_refusal){.which = which, .version = has};
    return IL_ECHANGED;
}

/* Makes sure that ITEM has room for a value of BYTES; *MADE: it was allocated. */
static il_status take_room(struct ili_item *item, uint64_t bytes, bool *made) {
    item->bytes = bytes;
    *made = false;
    if (bytes > item->room) return IL_ETOOBIG;
    if (item->data) return IL_OK;
    item->data = malloc(bytes + 1);
    *made = item->data != NULL;
    return item->data ? IL_OK : IL_ENOMEM;
}

static void describe(struct ili_item *item, const struct ili_dict_seen *entry) {
    item->bytes = entry->bytes;
    item->version = entry->version;
    item->type = entry->type;
}

/* ---- get ---------------------------------------------------------------------------------------- */

il_status ili_dict_get(struct ili_member *member, struct ili_dict *dict, const char *key,
                       uint64_t key_bytes, struct ili_item *item) {
    struct ili_agent *self;
    struct ili_dict_found found;
    uint64_t hash = ili_dict_hash(member, key, key_bytes);
    bool made;
    il_status status = ili_dict_enter(member, dict, &self);
    if (status != IL_OK) return status;
    status = ili_dict_find(member, dict, hash, key, key_bytes, &found);
    if (status == IL_OK) {
        describe(item, &found.entry);
        status = take_room(item, found.entry.bytes, &made);
    }
    if (status == IL_OK && found.entry.bytes) {
        memcpy(item->data, found.entry.data, found.entry.bytes);
    }
    ili_guard_unlock(member, self, &dict->guard);
    return status;
}

/* ---- one change --------------------------------------------------------------------------------- */

/* Whether the dict may have GROWTH more entries and from now on USED bytes. */
il_status ili_dict_fits(const struct ili_dict *dict, uint64_t length, uint64_t used, uint64_t which,
                        struct ili_refusal *refusal) {
    const struct ili_limits *limits = &dict->limits;
    if (length > load(&dict->length) && length > limits->max_entries) {
        return ili_dict_refuse(refusal, "max_entries", limits->max_entries, which);
    }
    if (used > load(&dict->used_bytes) && used > limits->max_bytes) {
        return ili_dict_refuse(refusal, "max_bytes", limits->max_bytes, which);
    }
    return IL_OK;
}

/* Puts CHANGE in the place of OLD, or at the end. NODE: its entry, if it is made already. */
static il_status set(struct ili_member *m, struct ili_agent *self, struct ili_dict *d,
                     const struct ili_dict_change *change, uint64_t hash, ili_off node,
                     const struct ili_dict_found *old, struct ili_refusal *refusal) {
    struct ili_dict_plan plan = {.member = m, .dict = d};
    uint64_t version = load(&d->version) + 1;
    if (old && !node && ili_dict_overwrite(m, self, d, old, change, version)) return IL_OK;
    uint64_t used = load(&d->used_bytes) + ili_dict_node_size(change->key_bytes, change->bytes);
    if (old) used -= ili_dict_node_size(old->entry.key_bytes, old->entry.bytes);
    il_status status = ili_dict_fits(d, load(&d->length) + !old, used, 0, refusal);
    if (status == IL_OK && !node) status = ili_dict_make_node(m, self, change, hash, &node);
    if (status == IL_OK) status = ili_dict_plan_put(&plan, node, old, version);
    if (status == IL_OK) {
        ili_dict_commit(&plan, self, ILI_DICT_SETS, 0, old ? old->entry.at : 0, node);
    }
    return status;
}

static il_status remove_found(struct ili_member *m, struct ili_agent *self, struct ili_dict *d,
                              const struct ili_dict_found *old) {
    struct ili_dict_plan plan = {.member = m, .dict = d};
    il_status status = ili_dict_plan_remove(&plan, old, load(&d->version) + 1);
    if (status == IL_OK) ili_dict_commit(&plan, self, ILI_DICT_REMOVED, 0, old->entry.at, 0);
    return status;
}

/* Makes CHANGE under the guard. */
static il_status change_one(struct ili_member *m, struct ili_agent *self, struct ili_dict *d,
                            const struct ili_dict_change *change, uint64_t hash, ili_off node,
                            struct ili_refusal *refusal) {
    struct ili_dict_found found;
    il_status status = ili_dict_find(m, d, hash, change->key, change->key_bytes, &found);
    const struct ili_dict_found *old = status == IL_OK ? &found : NULL;
    if (status != IL_OK && status != IL_ENOKEY) return status;
    if (!old && change->what == IL_CHANGE_REMOVE) return IL_ENOKEY;
    status = ili_dict_expect(change->version, old, 0, refusal);
    if (status != IL_OK || change->what == IL_CHANGE_EXPECT) return status;
    status = old && change->what == IL_CHANGE_REMOVE
                 ? remove_found(m, self, d, old)
                 : set(m, self, d, change, hash, node, old, refusal);
    if (status == IL_OK) ili_dict_changed_now(m, self, d);
    return status;
}

static il_status update_one(struct ili_member *m, struct ili_dict *d,
                            const struct ili_dict_change *change, uint64_t *version,
                            struct ili_refusal *refusal) {
    struct ili_agent *self;
    ili_off node = 0;
    uint64_t hash = ili_dict_hash(m, change->key, change->key_bytes);
    bool sets = change->what == IL_CHANGE_SET;
    if (refusal) *refusal = (struct ili_refusal){0};
    il_status status = ili_agent_current(m, &self);
    if (status != IL_OK) return status;
    if (sets && change->bytes > d->limits.max_entry_bytes) {
        return ili_dict_refuse(refusal, "max_entry_bytes", d->limits.max_entry_bytes, 0);
    }
    if (sets && change->bytes >= LARGE_BYTES) {
        status = ili_dict_make_node(m, self, change, hash, &node);
    } else {
        status = ili_alloc_free(m, self, 0); /* what an earlier call could not free */
    }
    if (status != IL_OK) return status;
    status = ili_dict_enter(m, d, &self);
    if (status == IL_OK) {
        status = change_one(m, self, d, change, hash, node, refusal);
        if (status == IL_OK && version) *version = load(&d->version);
        ili_dict_leave(m, self, d);
    }
    (void)ili_alloc_free(m, self, 0); /* the old entry, or one that was not wanted */
    return status;
}

il_status ili_dict_update(struct ili_member *member, struct ili_dict *dict,
                          const struct ili_dict_change *changes, size_t count, uint64_t *version,
                          struct ili_refusal *refusal) {
    if (count == 1) return update_one(member, dict, changes, version, refusal);
    return ili_dict_update_many(member, dict, changes, count, version, refusal);
}

il_status ili_dict_set_default(struct ili_member *member, struct ili_dict *dict,
                               const struct ili_dict_change *change, struct ili_item *item,
                               bool *created, struct ili_refusal *refusal) {
    struct ili_dict_change own = *change;
    own.version = IL_VERSION_NONE;
    /* again if another process sets the key between the two, and yet another removes it */
    for (int tries = 0; tries < 100; tries++) {
        bool made;
        uint64_t version;
        il_status status = ili_dict_get(member, dict, own.key, own.key_bytes, item);
        if (created) *created = false;
        if (status != IL_ENOKEY) return status;
        status = take_room(item, own.bytes, &made);
        if (status != IL_OK) return status;
        status = update_one(member, dict, &own, &version, refusal);
        if (status == IL_OK) {
            if (own.bytes) memcpy(item->data, own.data, own.bytes);
            item->version = version;
            item->type = own.type;
            if (created) *created = true;
            return IL_OK;
        }
        if (made) free(item->data);
        if (made) item->data = NULL;
        if (status != IL_ECHANGED) return status;
    }
    return IL_EBUSY;
}

/* ---- pop ---------------------------------------------------------------------------------------- */

il_status ili_dict_pop(struct ili_member *member, struct ili_dict *dict, const char *key,
                       uint64_t key_bytes, uint64_t version, struct ili_item *item,
                       struct ili_refusal *refusal) {
    struct ili_agent *self;
    struct ili_dict_found found;
    uint64_t hash = ili_dict_hash(member, key, key_bytes);
    bool made = false;
    il_status status = ili_agent_current(member, &self);
    if (status == IL_OK) status = ili_alloc_free(member, self, 0);
    if (status == IL_OK) status = ili_dict_enter(member, dict, &self);
    if (status != IL_OK) return status;
    status = ili_dict_find(member, dict, hash, key, key_bytes, &found);
    if (status == IL_OK) status = ili_dict_expect(version, &found, 0, refusal);
    if (status == IL_OK) {
        describe(item, &found.entry);
        status = take_room(item, found.entry.bytes, &made);
    }
    if (status == IL_OK) status = remove_found(member, self, dict, &found);
    if (status == IL_OK) ili_dict_changed_now(member, self, dict);
    ili_dict_leave(member, self, dict);
    if (status == IL_OK) {
        /* the entry is in pending[0] now: nobody else's */
        if (found.entry.bytes) memcpy(item->data, found.entry.data, found.entry.bytes);
        (void)ili_alloc_free(member, self, 0);
    } else if (made) {
        free(item->data);
        item->data = NULL;
    }
    return status;
}

il_status ili_dict_pop_item(struct ili_member *member, struct ili_dict *dict, void *buffer,
                            uint64_t room, struct ili_dict_entry *entry) {
    struct ili_agent *self;
    struct ili_dict_found found;
    char *to = NULL;
    il_status status = ili_agent_current(member, &self);
    if (status == IL_OK) status = ili_alloc_free(member, self, 0);
    if (status == IL_OK) status = ili_dict_enter(member, dict, &self);
    if (status != IL_OK) return status;
    ili_off last = load(&dict->last);
    status = last ? ili_dict_find_at(member, dict, last, &found) : IL_ENOKEY;
    uint64_t bytes = status == IL_OK ? found.entry.key_bytes + found.entry.bytes : 0;
    if (status == IL_OK) {
        describe(&entry->item, &found.entry);
        entry->key_bytes = found.entry.key_bytes;
        if (bytes > room) status = IL_ETOOBIG;
    }
    if (status == IL_OK) {
        to = buffer ? buffer : malloc(bytes + 1);
        status = to ? remove_found(member, self, dict, &found) : IL_ENOMEM;
    }
    if (status == IL_OK) ili_dict_changed_now(member, self, dict);
    ili_dict_leave(member, self, dict);
    if (status == IL_OK) {
        memcpy(to, found.entry.key, bytes); /* the value follows the key */
        entry->key = to;
        entry->item.data = to + found.entry.key_bytes;
        (void)ili_alloc_free(member, self, 0);
    } else if (!buffer) {
        free(to);
    }
    return status;
}

/* ---- repair and check --------------------------------------------------------------------------- */

void ili_dict_look(const struct ili_dict *dict, struct ili_dict_view *view) {
    view->limits = dict->limits;
    view->length = load(&dict->length);
    view->version = load(&dict->version);
    view->used_bytes = load(&dict->used_bytes);
    view->watchers = ili_waitq_count(&dict->changes.watchers);
}

void ili_dict_repair(struct ili_member *member, struct ili_agent *self, struct ili_dict *dict,
                     struct ili_agent *dead) {
    struct ili_waiting waiting = ili_dict_waiting(dict);
    ili_changes_repair(member, &dict->changes, dead, load(&dict->version));
    ili_waiting_repair(member, &waiting, UINT32_MAX);
    ili_dict_store_repair(member, dead, dict);
    ili_dict_many_repair(member, dead, dict);
    bool deleted = atomic_load_explicit(&dict->state, memory_order_relaxed) == ILI_DICT_DELETED;
    ili_waiting_tell_all(member, self, &waiting, deleted ? IL_EDELETED : IL_OK);
}

il_status ili_dict_check(const struct ili_member *member, const struct ili_dict *dict) {
    uint64_t table, chained, used = 0, length = 0, serial = 0;
    ili_off at = load(&dict->first), before = 0;
    il_status status = ili_dict_table_check(member, dict, &table, &chained);
    if (status != IL_OK) return status;
    if (load(&dict->guard.intent[0]) || load(&dict->updating)) return IL_ECORRUPT;
    while (at) {
        struct ili_dict_found found;
        if (ili_dict_find_at(member, dict, at, &found) != IL_OK) return IL_ECORRUPT;
        const struct ili_dict_seen *e = &found.entry;
        if (e->serial <= serial || e->serial >= load(&dict->serial) || e->version == 0 ||
            e->version > load(&dict->version) || load(&e->node->before) != before ||
            load(&e->node->hash) != ili_dict_hash(member, e->key, e->key_bytes)) {
            return IL_ECORRUPT;
        }
        used += ili_dict_node_size(e->key_bytes, e->bytes);
        serial = e->serial;
        before = at;
        at = load(&e->node->after);
        length++;
    }
    if (before != load(&dict->last) || length != load(&dict->length) || length != chained ||
        used + table != load(&dict->used_bytes)) {
        return IL_ECORRUPT;
    }
    return ili_changes_check(member, &dict->changes);
}

const struct ili_kind ili_dict_kind = {
    .number = ILI_KIND_DICT,
    .word = "dict",
    .bytes = sizeof(struct ili_dict),
    .init = init,
    .same = same,
    .end = end,
    .dispose = dispose,
    .recover = recover,
    .waiters = waiters,
};
