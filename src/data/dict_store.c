/*
 * dict_store.c - see dict_store.h.
 *
 * A change is a plan first: which words of the arena get which values. Nobody but the guard's holder sees the plan
 * (`writes`). The guard's intent is the commit; then the stores are made. After a death before the intent nothing
 * has happened; after it repair makes all of them, again if need be.
 *
 *   intent[0]  bits 0-7 the step, 8-15 a place of pending[] plus 1 (0: none), 16-63 how many writes
 *   intent[1]  what pending[place] becomes: a block that leaves the dict, to be freed without the guard; or 0,
 *              since what was there is the dict's now
 *   intent[2]  ILI_DICT_SETS: the new entry. ILI_DICT_QUIET: a block with the writes, if they are too many for
 *              `writes`; it is in pending[2] of whoever commits, so it is there as long as repair may need it
 *
 * ILI_DICT_VALUE is another kind of step: a new value, not larger than the old one's block, is written where the
 * old one is. intent[1] the entry, intent[2] the value's bytes and from bit 32 its type; the version is in
 * writes[0], the value itself in the room of the others.
 *
 * Invariants (ili_dict_check), whenever the guard is free:
 * 1. From first to last the entries' serials rise; `before` is the reverse of `after`; there are `length` of them,
 *    and each is found by its key.
 * 2. used_bytes is what all entries and the table take.
 * 3. Nobody's version is above the dict's.
 *
 * In pending[0]: an entry on its way in or out. In pending[1]: a scratch (dict_many.c). In pending[2]: a part of
 * the table.
 */
#include "data/dict_store.h"

#include <string.h>

#include "arena/alloc.h"
#include "base/point.h"
#include "data/dict_table.h"

#define CHAIN_MOST 100000u /* a longer chain is a corrupt one */
#define MORE_WRITES_MOST (CHAIN_MOST + ILI_DICT_WRITES)
#define OVERWRITE_MOST ((ILI_DICT_WRITES - 1) * sizeof(struct ili_dict_write))

#define load ili_dict_load
#define store ili_dict_store

static uint32_t load32(const _Atomic uint32_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}
static void store32(_Atomic uint32_t *p, uint32_t v) {
    atomic_store_explicit(p, v, memory_order_relaxed);
}

static struct ili_dict_node *node_at(const struct ili_member *m, ili_off at) {
    return ili_at(&m->arena, at, sizeof(struct ili_dict_node));
}

/* ---- entries ---------------------------------------------------------------------------------- */

bool ili_dict_see(const struct ili_member *member, ili_off at, struct ili_dict_seen *seen) {
    struct ili_dict_node *node = node_at(member, at);
    if (!node) return false;
    uint32_t key_bytes = load32(&node->key_bytes);
    uint64_t bytes = load(&node->value_bytes);
    if (key_bytes > IL_KEY_MAX_BYTES || bytes > IL_MESSAGE_MAX_BYTES ||
        !ili_at(&member->arena, at, sizeof *node + key_bytes + bytes)) {
        return false;
    }
    const char *key = (const char *)(node + 1);
    *seen = (struct ili_dict_seen){.at = at,
                                   .node = node,
                                   .key = key,
                                   .key_bytes = key_bytes,
                                   .data = key + key_bytes,
                                   .bytes = bytes,
                                   .version = load(&node->version),
                                   .serial = load(&node->serial),
                                   .type = load32(&node->type)};
    return true;
}

uint64_t ili_dict_node_size(uint64_t key_bytes, uint64_t value_bytes) {
    return ili_alloc_size(sizeof(struct ili_dict_node) + key_bytes + value_bytes);
}

uint64_t ili_dict_hash(const struct ili_member *member, const char *key, uint64_t key_bytes) {
    return ili_name_hash(&member->arena, ILI_KIND_DICT, key, key_bytes);
}

il_status ili_dict_make_node(struct ili_member *member, struct ili_agent *self,
                             const struct ili_dict_change *change, uint64_t hash, ili_off *out) {
    bool sets = change->what == IL_CHANGE_SET;
    uint64_t value_bytes = sets ? change->bytes : 0;
    uint64_t bytes = sizeof(struct ili_dict_node) + change->key_bytes + value_bytes;
    il_status status = ili_alloc(member, self, 0, bytes, out);
    if (status != IL_OK) return status;
    struct ili_dict_node *node = ili_at(&member->arena, *out, bytes);
    if (!node) return IL_ECORRUPT;
    char *key = (char *)(node + 1);
    store(&node->hash, hash);
    store(&node->value_bytes, value_bytes);
    store32(&node->key_bytes, (uint32_t)change->key_bytes);
    store32(&node->type, sets ? change->type : ILI_DICT_REMOVES);
    if (change->key_bytes) memcpy(key, change->key, change->key_bytes);
    if (value_bytes) memcpy(key + change->key_bytes, change->data, value_bytes);
    return IL_OK;
}

il_status ili_dict_find(const struct ili_member *member, const struct ili_dict *dict, uint64_t hash,
                        const char *key, uint64_t key_bytes, struct ili_dict_found *found) {
    _Atomic ili_off *link = ili_dict_bucket(member, dict, hash);
    for (unsigned steps = 0; link && steps < CHAIN_MOST; steps++) {
        ili_off at = load(link);
        if (at == 0) return IL_ENOKEY;
        struct ili_dict_node *node = node_at(member, at);
        if (!node) break;
        if (load(&node->hash) == hash && load32(&node->key_bytes) == key_bytes) {
            if (!ili_dict_see(member, at, &found->entry)) break;
            found->link = link;
            if (found->entry.key_bytes == key_bytes &&
                (key_bytes == 0 || memcmp(found->entry.key, key, key_bytes) == 0)) {
                return IL_OK;
            }
        }
        link = &node->next;
    }
    return IL_ECORRUPT;
}

il_status ili_dict_find_at(const struct ili_member *member, const struct ili_dict *dict, ili_off at,
                           struct ili_dict_found *found) {
    if (!ili_dict_see(member, at, &found->entry)) return IL_ECORRUPT;
    _Atomic ili_off *link = ili_dict_bucket(member, dict, load(&found->entry.node->hash));
    for (unsigned steps = 0; link && steps < CHAIN_MOST; steps++) {
        found->link = link;
        if (load(link) == at) return IL_OK;
        struct ili_dict_node *node = node_at(member, load(link));
        link = node ? &node->next : NULL;
    }
    return IL_ECORRUPT;
}

/* ---- plans ------------------------------------------------------------------------------------ */

void ili_dict_plan(struct ili_dict_plan *plan, _Atomic uint64_t *word, uint64_t value) {
    struct ili_dict_write *writes = plan->more ? plan->more : plan->dict->writes;
    if (plan->count == (plan->more ? plan->room : ILI_DICT_WRITES)) {
        plan->full = true;
        return;
    }
    struct ili_dict_write *write = &writes[plan->count++];
    store(&write->at, ili_off_of(&plan->member->arena, word));
    store(&write->value, value);
}

bool ili_dict_plan_more(struct ili_dict_plan *plan, struct ili_agent *self, uint64_t count) {
    ili_off at;
    uint64_t bytes = count * sizeof *plan->more;
    struct ili_member *m = plan->member;
    if (ili_alloc(m, self, 2, bytes, &at) != IL_OK) return false;
    *plan = (struct ili_dict_plan){.member = m, .dict = plan->dict, .room = count};
    plan->more = ili_at(&m->arena, at, bytes);
    return plan->more != NULL;
}

/* Plans that those beside an entry name FORWARD behind, BACKWARD before them, where they named it. */
static bool plan_neighbours(struct ili_dict_plan *plan, ili_off before, ili_off after,
                            ili_off forward, ili_off backward) {
    struct ili_dict *d = plan->dict;
    struct ili_dict_node *front = before ? node_at(plan->member, before) : NULL;
    struct ili_dict_node *back = after ? node_at(plan->member, after) : NULL;
    if ((before && !front) || (after && !back)) return false;
    ili_dict_plan(plan, front ? &front->after : &d->first, forward);
    ili_dict_plan(plan, back ? &back->before : &d->last, backward);
    return true;
}

static uint64_t size_of(const struct ili_dict_seen *entry) {
    return ili_dict_node_size(entry->key_bytes, entry->bytes);
}

il_status ili_dict_plan_put(struct ili_dict_plan *plan, ili_off node,
                            const struct ili_dict_found *old, uint64_t version) {
    struct ili_dict *d = plan->dict;
    struct ili_dict_seen own;
    if (!ili_dict_see(plan->member, node, &own)) return IL_ECORRUPT;
    uint64_t used = load(&d->used_bytes) + size_of(&own);
    ili_off before, after;
    store(&own.node->version, version);
    if (old) {
        before = load(&old->entry.node->before);
        after = load(&old->entry.node->after);
        used -= size_of(&old->entry);
        store(&own.node->serial, old->entry.serial);
        store(&own.node->next, load(&old->entry.node->next));
        ili_dict_plan(plan, old->link, node);
    } else {
        _Atomic ili_off *bucket = ili_dict_bucket(plan->member, d, load(&own.node->hash));
        if (!bucket) return IL_ECORRUPT;
        uint64_t serial = load(&d->serial);
        before = load(&d->last);
        after = 0;
        store(&own.node->serial, serial);
        store(&own.node->next, load(bucket));
        ili_dict_plan(plan, bucket, node);
        ili_dict_plan(plan, &d->serial, serial + 1);
        ili_dict_plan(plan, &d->length, load(&d->length) + 1);
    }
    store(&own.node->before, before);
    store(&own.node->after, after);
    if (!plan_neighbours(plan, before, after, node, node)) return IL_ECORRUPT;
    ili_dict_plan(plan, &d->used_bytes, used);
    ili_dict_plan(plan, &d->version, version);
    return IL_OK;
}

il_status ili_dict_plan_remove(struct ili_dict_plan *plan, const struct ili_dict_found *old,
                               uint64_t version) {
    struct ili_dict *d = plan->dict;
    struct ili_dict_node *node = old->entry.node;
    ili_off before = load(&node->before), after = load(&node->after);
    ili_dict_plan(plan, old->link, load(&node->next));
    if (!plan_neighbours(plan, before, after, after, before)) return IL_ECORRUPT;
    ili_dict_plan(plan, &d->length, load(&d->length) - 1);
    ili_dict_plan(plan, &d->used_bytes, load(&d->used_bytes) - size_of(&old->entry));
    ili_dict_plan(plan, &d->version, version);
    return IL_OK;
}

/* ---- commit ----------------------------------------------------------------------------------- */

static void note(struct ili_member *m, struct ili_dict *d, uint32_t what, ili_off entry) {
    struct ili_dict_seen seen = {0};
    if (load(&d->changes.ring) == 0) return;
    if (entry && !ili_dict_see(m, entry, &seen)) return;
    struct ili_changed change = {
        .what = what, .version = load(&d->version), .key = seen.key, .key_bytes = seen.key_bytes};
    ili_changes_note(m, &d->changes, &change, false);
}

/* Writes the value in `writes` over that of the entry at AT. */
static void write_value(struct ili_member *m, struct ili_dict *d, ili_off at, uint64_t word) {
    struct ili_dict_seen seen;
    uint64_t bytes = (uint32_t)word, version = load(&d->writes[0].value);
    if (!ili_dict_see(m, at, &seen) || bytes > OVERWRITE_MOST ||
        !ili_at(&m->arena, at, sizeof *seen.node + seen.key_bytes + bytes)) {
        return; /* corrupt */
    }
    store(&seen.node->value_bytes, bytes);
    store32(&seen.node->type, (uint32_t)(word >> 32));
    ILI_POINT("dict.value.writing");
    memcpy((char *)(seen.node + 1) + seen.key_bytes, (const void *)&d->writes[1], bytes);
    store(&seen.node->version, version);
    store(&d->version, version);
    ILI_POINT("dict.value.written");
    note(m, d, IL_CHANGED_SET, at);
}

/* Makes what the guard's intent says. */
static void make(struct ili_member *m, struct ili_agent *owner, struct ili_dict *d) {
    uint64_t intent = load(&d->guard.intent[0]);
    ili_off first = load(&d->guard.intent[1]), second = load(&d->guard.intent[2]);
    unsigned step = intent & 0xff, place = intent >> 8 & 0xff;
    uint64_t count = intent >> 16;
    if (step == ILI_DICT_VALUE) {
        write_value(m, d, first, second);
        ili_guard_done(&d->guard);
        return;
    }
    const struct ili_dict_write *writes = d->writes;
    if (step == ILI_DICT_QUIET && second) {
        writes =
            count <= MORE_WRITES_MOST ? ili_at(&m->arena, second, count * sizeof *writes) : NULL;
    } else if (count > ILI_DICT_WRITES) {
        writes = NULL;
    }
    for (uint64_t i = 0; writes && i < count; i++) {
        _Atomic uint64_t *word = ili_at(&m->arena, load(&writes[i].at), sizeof *word);
        if (word) store(word, load(&writes[i].value));
        ILI_POINT("dict.make.stored");
    }
    if (place > 0 && place <= ILI_AGENT_PENDING) ili_alloc_adopt(owner, place - 1, first);
    ILI_POINT("dict.make.made");
    if (step == ILI_DICT_SETS) note(m, d, IL_CHANGED_SET, second);
    if (step == ILI_DICT_REMOVED) note(m, d, IL_CHANGED_REMOVED, first);
    if (step == ILI_DICT_CLEARS) note(m, d, IL_CHANGED_CLEARED, 0);
    ILI_POINT("dict.make.noted");
    ili_guard_done(&d->guard);
}

void ili_dict_commit(struct ili_dict_plan *plan, struct ili_agent *owner, enum ili_dict_step step,
                     unsigned place, ili_off adopted, ili_off published) {
    uint64_t where = place < ILI_AGENT_PENDING ? place + 1 : 0;
    if (plan->more) published = ili_off_of(&plan->member->arena, plan->more);
    ILI_POINT("dict.commit.planned");
    ili_guard_intend(&plan->dict->guard, step | where << 8 | plan->count << 16, adopted, published);
    ILI_POINT("dict.commit.intended");
    make(plan->member, owner, plan->dict);
}

bool ili_dict_overwrite(struct ili_member *member, struct ili_agent *owner, struct ili_dict *dict,
                        const struct ili_dict_found *old, const struct ili_dict_change *change,
                        uint64_t version) {
    const struct ili_dict_seen *entry = &old->entry;
    if (change->bytes > OVERWRITE_MOST ||
        ili_dict_node_size(entry->key_bytes, change->bytes) != size_of(entry)) {
        return false;
    }
    store(&dict->writes[0].value, version);
    if (change->bytes) memcpy((void *)&dict->writes[1], change->data, change->bytes);
    ili_guard_intend(&dict->guard, ILI_DICT_VALUE, entry->at,
                     change->bytes | (uint64_t)change->type << 32);
    ILI_POINT("dict.value.intended");
    make(member, owner, dict);
    return true;
}

void ili_dict_store_repair(struct ili_member *member, struct ili_agent *dead,
                           struct ili_dict *dict) {
    if (load(&dict->guard.intent[0])) make(member, dead, dict);
}

/* ---- end -------------------------------------------------------------------------------------- */

/* What an earlier call, or a death, left in pending[0] of OWNER, where DICT refers to it as well. */
static void settle(struct ili_member *m, struct ili_agent *owner, struct ili_dict *d) {
    ili_off pending = load(&owner->pending[0]);
    struct ili_dict_node *node = node_at(m, pending);
    if (pending == 0) return;
    if (pending == ili_off_of(&m->arena, d) || pending == load(&d->batch)) {
        ili_alloc_published(owner, 0);
    } else if (pending == load(&d->first) && node) {
        store(&d->first, load(&node->after)); /* it was about to be freed */
    }
}

static il_status dispose_batch(struct ili_member *m, struct ili_agent *self,
                               struct ili_agent *owner, struct ili_dict *d) {
    uint64_t count = load(&d->batch_count);
    _Atomic ili_off *batch = count <= m->arena.bytes / sizeof *batch
                                 ? ili_at(&m->arena, load(&d->batch), count * sizeof *batch)
                                 : NULL;
    for (uint64_t i = 0; batch && i < count; i++) {
        if (load(&batch[i]) == 0) continue;
        if (load(&owner->pending[0]) == load(&batch[i])) ili_alloc_published(owner, 0);
        il_status status = ili_alloc_free_word(m, self, &batch[i]);
        if (status != IL_OK) return status;
        ILI_POINT("dict.dispose.batch");
    }
    return ili_alloc_free_word(m, self, &d->batch);
}

il_status ili_dict_store_dispose(struct ili_member *member, struct ili_agent *self,
                                 struct ili_agent *owner, struct ili_dict *dict) {
    settle(member, owner, dict);
    il_status status = dispose_batch(member, self, owner, dict);
    if (status == IL_OK) status = ili_alloc_free_of(member, self, owner, 0);
    uint64_t least = 0; /* serials rise: a chain where they do not is corrupt, perhaps a circle */
    while (status == IL_OK && load(&dict->first)) {
        ili_off at = load(&dict->first);
        struct ili_dict_node *node = node_at(member, at);
        if (!node || load(&node->serial) < least) break; /* what cannot be reached is lost */
        least = load(&node->serial) + 1;
        ili_alloc_adopt(owner, 0, at);
        ILI_POINT("dict.dispose.adopted");
        store(&dict->first, load(&node->after));
        ILI_POINT("dict.dispose.unlinked");
        status = ili_alloc_free_of(member, self, owner, 0);
    }
    if (status == IL_OK) status = ili_dict_table_dispose(member, self, dict);
    if (status == IL_OK) status = ili_changes_dispose(member, self, &dict->changes);
    return status;
}
