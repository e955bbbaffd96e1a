/*
 * dict_many.c - see dict_many.h: update of many, copy, clear.
 *
 * They use a scratch: a dict without a name in pending[1] of the agent, as if its last handle had just been closed.
 * So whatever hangs on it is freed after a death, or by ili_names_reap() when all is done, without any guard.
 *
 * An update of many makes all its entries in the scratch's batch first: a block of pairs of words, each of which
 * may own an entry. The first is the new one (for a removal one with the key alone), the second gets what it
 * replaces. Under the dict's guard the conditions are looked at; then `updating` names the scratch: that is the
 * commit. Now the entries are put in one after the other, each by a commit of its own (dict_store.c) that also moves
 * batch_done on and clears or fills the pair. After a death repair goes on from batch_done. Nobody sees the dict in
 * between: the guard is held throughout.
 *
 * Clearing moves all entries and the table to a scratch by one commit.
 */
#include "data/dict_many.h"

#include <stdlib.h>
#include <string.h>

#include "arena/alloc.h"
#include "base/point.h"
#include "data/dict_table.h"

#define load ili_dict_load
#define store ili_dict_store

/* ---- scratch ---------------------------------------------------------------------------------- */

#define PAIR 2u

/* Makes a scratch with a batch of COUNT pairs (0: none). On failure there is none. */
static il_status make_scratch(struct ili_member *m, struct ili_agent *self, uint64_t count,
                              struct ili_dict **out) {
    ili_off at;
    il_status status = ili_names_reap(m, self, self); /* one that could not be freed */
    if (status == IL_OK) status = ili_alloc(m, self, 0, sizeof **out, &at);
    if (status != IL_OK) return status;
    struct ili_dict *scratch = ili_at(&m->arena, at, sizeof *scratch);
    if (!scratch) return IL_ECORRUPT;
    memset((void *)scratch, 0, sizeof *scratch);
    scratch->object.kind = ILI_KIND_DICT;
    store(&scratch->buckets, ILI_DICT_BUCKETS_LEAST);
    ILI_POINT("dict.scratch.prepared");
    ili_alloc_adopt(self, 1, at);
    ILI_POINT("dict.scratch.adopted");
    ili_alloc_published(self, 0);
    uint64_t words = count * PAIR, bytes = words * sizeof(ili_off);
    if (count) status = ili_alloc(m, self, 0, bytes, &at);
    void *batch = count && status == IL_OK ? ili_at(&m->arena, at, bytes) : NULL;
    if (batch) {
        memset(batch, 0, bytes);
        store(&scratch->batch_count, words);
        ILI_POINT("dict.scratch.batch");
        store(&scratch->batch, at);
        ili_alloc_published(self, 0);
    }
    if (status != IL_OK) (void)ili_names_reap(m, self, self);
    *out = scratch;
    return status;
}

static _Atomic ili_off *batch_of(const struct ili_member *m, const struct ili_dict *scratch,
                                 uint64_t *count) {
    *count = load(&scratch->batch_count);
    if (*count > m->arena.bytes / sizeof(ili_off)) return NULL;
    return ili_at(&m->arena, load(&scratch->batch), *count * sizeof(ili_off));
}

/* ---- an update that is committed ------------------------------------------------------------------ */

static void note_batch(struct ili_member *m, struct ili_dict *d, struct ili_dict *scratch) {
    uint64_t count;
    _Atomic ili_off *batch = batch_of(m, scratch, &count);
    if (load(&d->changes.ring) == 0) return;
    for (uint64_t i = 0; batch && i < count; i += PAIR) {
        struct ili_dict_seen seen;
        if (!ili_dict_see(m, load(&batch[i]), &seen)) return;
        struct ili_changed change = {
            .version = load(&scratch->batch_version), .key = seen.key, .key_bytes = seen.key_bytes};
        change.what = seen.type & ILI_DICT_REMOVES ? IL_CHANGED_REMOVED : IL_CHANGED_SET;
        ili_changes_note(m, &d->changes, &change, i + PAIR < count);
    }
}

/* Makes the change of the PAIR that ends before word DONE of the batch. */
static il_status make_pair(struct ili_member *m, struct ili_agent *owner, struct ili_dict *d,
                           struct ili_dict *scratch, _Atomic ili_off pair[PAIR], uint64_t done) {
    struct ili_dict_plan plan = {.member = m, .dict = d};
    struct ili_dict_seen seen;
    struct ili_dict_found found;
    if (!ili_dict_see(m, load(&pair[0]), &seen)) return IL_ECORRUPT;
    uint64_t hash = load(&seen.node->hash), version = load(&scratch->batch_version);
    il_status status = ili_dict_find(m, d, hash, seen.key, seen.key_bytes, &found);
    const struct ili_dict_found *old = status == IL_OK ? &found : NULL;
    if (status != IL_OK && status != IL_ENOKEY) return status;
    if (seen.type & ILI_DICT_REMOVES) {
        status = old ? ili_dict_plan_remove(&plan, old, version) : IL_ECORRUPT;
    } else {
        status = ili_dict_plan_put(&plan, seen.at, old, version);
        ili_dict_plan(&plan, &pair[0], 0);
    }
    if (status != IL_OK) return status;
    if (old) ili_dict_plan(&plan, &pair[1], old->entry.at);
    ili_dict_plan(&plan, &scratch->batch_done, done);
    ili_dict_commit(&plan, owner, ILI_DICT_QUIET, ILI_DICT_NO_PLACE, 0, 0);
    return IL_OK;
}

/* Goes on with SCRATCH's changes. SELF: NULL in repair, which leaves the table as it is. */
static il_status make_batch(struct ili_member *m, struct ili_agent *owner, struct ili_agent *self,
                            struct ili_dict *d, struct ili_dict *scratch) {
    uint64_t count, done = load(&scratch->batch_done);
    _Atomic ili_off *batch = batch_of(m, scratch, &count);
    il_status status = batch ? IL_OK : IL_ECORRUPT;
    if (done == 0) note_batch(m, d, scratch);
    ILI_POINT("dict.batch.noted");
    for (; status == IL_OK && done + PAIR <= count; done += PAIR) {
        status = make_pair(m, owner, d, scratch, &batch[done], done + PAIR);
        ILI_POINT("dict.batch.made");
        if (self) ili_dict_tend(m, self, d);
    }
    atomic_store_explicit(&d->updating, 0, memory_order_release);
    ILI_POINT("dict.batch.done");
    return status;
}

void ili_dict_many_repair(struct ili_member *member, struct ili_agent *dead,
                          struct ili_dict *dict) {
    ili_off at = load(&dict->updating);
    struct ili_dict *scratch = at ? ili_object_at(&member->arena, at, ILI_KIND_DICT) : NULL;
    if (scratch && at == load(&dead->pending[1])) {
        (void)make_batch(member, dead, NULL, dict, scratch);
    }
    store(&dict->updating, 0);
}

/* ---- update of many ----------------------------------------------------------------------------- */

/* What is known of COUNT changes before the guard is taken. */
struct batch {
    const struct ili_dict_change *changes;
    size_t count, kept; /* KEPT: those that are no mere expectations */
    uint64_t *hashes;
    uint32_t
        *earlier; /* number + 1 of the change before it with the same key that is kept; 0: none */
};

static bool same_key(const struct ili_dict_change *a, const struct ili_dict_change *b) {
    return a->key_bytes == b->key_bytes &&
           (a->key_bytes == 0 || memcmp(a->key, b->key, a->key_bytes) == 0);
}

/* Finds the earlier changes of one key, by a table of the newest one of each. */
static bool link_earlier(struct batch *b) {
    size_t room = 16;
    while (room < b->count * 2) room *= 2;
    uint32_t *newest = calloc(room, sizeof *newest);
    if (!newest) return false;
    for (size_t i = 0; i < b->count; i++) {
        size_t at = b->hashes[i] & (room - 1);
        while (newest[at] && !(b->hashes[newest[at] - 1] == b->hashes[i] &&
                               same_key(&b->changes[newest[at] - 1], &b->changes[i]))) {
            at = (at + 1) & (room - 1);
        }
        b->earlier[i] = newest[at];
        if (b->changes[i].what != IL_CHANGE_EXPECT) newest[at] = (uint32_t)i + 1;
    }
    free(newest);
    return true;
}

static void free_batch(struct batch *b) {
    free(b->hashes);
    free(b->earlier);
}

static il_status read_batch(struct ili_member *m, const struct ili_dict *d, struct batch *b,
                            struct ili_refusal *refusal) {
    b->hashes = calloc(b->count + 1, sizeof *b->hashes);
    b->earlier = calloc(b->count + 1, sizeof *b->earlier);
    if (!b->hashes || !b->earlier || b->count >= UINT32_MAX) return IL_ENOMEM;
    for (size_t i = 0; i < b->count; i++) {
        const struct ili_dict_change *c = &b->changes[i];
        if (c->what == IL_CHANGE_SET && c->bytes > d->limits.max_entry_bytes) {
            return ili_dict_refuse(refusal, "max_entry_bytes", d->limits.max_entry_bytes, i);
        }
        b->hashes[i] = ili_dict_hash(m, c->key, c->key_bytes);
        b->kept += c->what != IL_CHANGE_EXPECT;
    }
    return link_earlier(b) ? IL_OK : IL_ENOMEM;
}

/* Makes the entries of all changes in a scratch's batch. */
static il_status fill_scratch(struct ili_member *m, struct ili_agent *self, const struct batch *b,
                              struct ili_dict **scratch) {
    uint64_t words, at = 0;
    il_status status = make_scratch(m, self, b->kept, scratch);
    if (status != IL_OK || b->kept == 0) return status;
    _Atomic ili_off *batch = batch_of(m, *scratch, &words);
    if (!batch) status = IL_ECORRUPT;
    for (size_t i = 0; i < b->count && status == IL_OK && at < words; i++) {
        ili_off node;
        if (b->changes[i].what == IL_CHANGE_EXPECT) continue;
        status = ili_dict_make_node(m, self, &b->changes[i], b->hashes[i], &node);
        if (status != IL_OK) break;
        store(&batch[at], node);
        ILI_POINT("dict.scratch.filled");
        ili_alloc_published(self, 0);
        at += PAIR;
    }
    if (status != IL_OK) (void)ili_names_reap(m, self, self);
    return status;
}

/* Under the guard: whether all of B may happen. */
static il_status look_at_batch(struct ili_member *m, struct ili_dict *d, const struct batch *b,
                               struct ili_refusal *refusal) {
    uint64_t length = load(&d->length), used = load(&d->used_bytes), last = 0;
    for (size_t i = 0; i < b->count; i++) {
        const struct ili_dict_change *c = &b->changes[i];
        struct ili_dict_found found;
        il_status status = ili_dict_find(m, d, b->hashes[i], c->key, c->key_bytes, &found);
        if (status != IL_OK && status != IL_ENOKEY) return status;
        const struct ili_dict_found *old = status == IL_OK ? &found : NULL;
        /* what the changes before this one leave */
        const struct ili_dict_change *earlier =
            b->earlier[i] ? &b->changes[b->earlier[i] - 1] : NULL;
        bool there = earlier ? earlier->what == IL_CHANGE_SET : old != NULL;
        if (c->what == IL_CHANGE_REMOVE && !there) {
            if (refusal) *refusal = (struct ili_refusal){.which = i};
            return IL_ENOKEY;
        }
        status = ili_dict_expect(c->version, old, i, refusal);
        if (status != IL_OK) return status;
        if (c->what == IL_CHANGE_EXPECT) continue;
        if (there) {
            used -= ili_dict_node_size(c->key_bytes, earlier ? earlier->bytes : old->entry.bytes);
            length--;
        }
        if (c->what == IL_CHANGE_REMOVE) continue;
        used += ili_dict_node_size(c->key_bytes, c->bytes);
        length++;
        last = i;
    }
    return ili_dict_fits(d, length, used, last, refusal);
}

il_status ili_dict_update_many(struct ili_member *member, struct ili_dict *dict,
                               const struct ili_dict_change *changes, size_t count,
                               uint64_t *version, struct ili_refusal *refusal) {
    struct ili_agent *self;
    struct ili_dict *scratch = NULL;
    struct batch batch = {.changes = changes, .count = count};
    if (refusal) *refusal = (struct ili_refusal){0};
    il_status status = ili_agent_current(member, &self);
    if (status == IL_OK) status = read_batch(member, dict, &batch, refusal);
    if (status == IL_OK) status = fill_scratch(member, self, &batch, &scratch);
    if (status != IL_OK) goto cleanup;
    status = ili_dict_enter(member, dict, &self);
    if (status == IL_OK) {
        status = look_at_batch(member, dict, &batch, refusal);
        if (status == IL_OK && batch.kept) {
            store(&scratch->batch_version, load(&dict->version) + 1);
            ILI_POINT("dict.batch.prepared");
            /* release: repair that sees the scratch sees its batch */
            atomic_store_explicit(&dict->updating, ili_off_of(&member->arena, scratch),
                                  memory_order_release);
            ILI_POINT("dict.batch.intended");
            status = make_batch(member, self, self, dict, scratch);
            ili_dict_changed_now(member, self, dict);
        }
        if (status == IL_OK && version) *version = load(&dict->version);
        ili_dict_leave(member, self, dict);
    }
    (void)ili_names_reap(member, self, self);
cleanup:
    free_batch(&batch);
    return status;
}

/* ---- clear -------------------------------------------------------------------------------------- */

/* Plans that WORD of the dict goes to the scratch, and becomes VALUE. */
static void plan_move(struct ili_dict_plan *plan, _Atomic uint64_t *word, _Atomic uint64_t *to,
                      uint64_t value) {
    if (load(word) == value) return;
    ili_dict_plan(plan, to, load(word));
    ili_dict_plan(plan, word, value);
}

static void clear(struct ili_member *m, struct ili_agent *self, struct ili_dict *d,
                  struct ili_dict *scratch) {
    struct ili_dict_plan plan = {.member = m, .dict = d};
    plan_move(&plan, &d->first, &scratch->first, 0);
    plan_move(&plan, &d->directory, &scratch->directory, 0);
    for (unsigned i = 0; i < ILI_DICT_SEGMENTS; i++) {
        plan_move(&plan, &d->segments[i], &scratch->segments[i], 0);
    }
    for (unsigned i = 0; i < ILI_DICT_BUCKETS_LEAST; i++) ili_dict_plan(&plan, &d->least[i], 0);
    ili_dict_plan(&plan, &d->buckets, ILI_DICT_BUCKETS_LEAST);
    ili_dict_plan(&plan, &d->last, 0);
    ili_dict_plan(&plan, &d->length, 0);
    ili_dict_plan(&plan, &d->used_bytes, 0);
    ili_dict_plan(&plan, &d->version, load(&d->version) + 1);
    ili_dict_commit(&plan, self, ILI_DICT_CLEARS, ILI_DICT_NO_PLACE, 0, 0);
}

il_status ili_dict_clear(struct ili_member *member, struct ili_dict *dict) {
    struct ili_agent *self;
    struct ili_dict *scratch = NULL;
    il_status status = ili_agent_current(member, &self);
    if (status == IL_OK) status = make_scratch(member, self, 0, &scratch);
    if (status != IL_OK) return status;
    status = ili_dict_enter(member, dict, &self);
    if (status == IL_OK) {
        if (load(&dict->length)) clear(member, self, dict, scratch);
        ili_dict_changed_now(member, self, dict);
        ili_dict_leave(member, self, dict);
    }
    (void)ili_names_reap(member, self, self);
    return status;
}
