/*
 * names.c - see names.h.
 *
 * A stripe's guard protects its buckets' chains and, in their objects, next, deleted and refs.
 * intent[0] is an operation and, from bit 8, the reference count before it:
 *   SEGMENT  [1] block    [2] directory index   published if the directory names the block
 *   LINK     [1] object   [2] names before      published if its bucket's chain reaches it
 *   OPEN     [1] object   [2] entry             happened if the entry names the object
 *   CLOSE    [1] object   [2] entry             always finished: entry 0, count one less
 *   UNLINK   [1] object   [2] names before      always finished
 * Each step is written so that doing it again is harmless: the keeper may die as well.
 * An object that nobody refers to any more is left in pending[1] of the agent that found it so; what
 * hangs on it is freed without the guard (ili_names_reap).
 */
#include "arena/names.h"

#include <string.h>

#include "arena/alloc.h"
#include "arena/guard.h"
#include "base/clock.h"
#include "base/point.h"
#include "base/siphash.h"

enum { SEGMENT = 1, LINK, OPEN, CLOSE, UNLINK };

#define OPERATION(intent) ((intent)&0xff)
#define REFS_BEFORE(intent) ((uint32_t)((intent) >> 8))
#define PAGE_BUCKETS 16384u
#define CHAIN_MOST 1000000u /* a longer chain is a corrupt one */

const struct ili_kind *(*ili_kind_of)(uint32_t number);

static ili_off load_off(const _Atomic ili_off *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}

void *ili_object_at(const struct ili_arena *arena, ili_off at, uint32_t kind) {
    const struct ili_kind *k = ili_kind_of(kind);
    struct ili_object *object = k ? ili_at(arena, at, k->bytes) : NULL;
    return object && at % 64 == 0 && ili_once32(&object->kind) == kind ? object : NULL;
}

size_t ili_object_name(const struct ili_arena *arena, const struct ili_object *object, char *room) {
    uint32_t at = ili_once32(&object->name_at), bytes = ili_once32(&object->name_bytes);
    const char *name = ili_at(arena, ili_off_of(arena, object) + at, bytes);
    memset(room, 0, IL_NAME_MAX_BYTES + 1);
    if (!name || bytes > IL_NAME_MAX_BYTES) return 0;
    memcpy(room, name, bytes);
    return bytes;
}

const char *ili_kind_word(uint32_t kind) {
    const struct ili_kind *k = ili_kind_of(kind);
    return k ? k->word : "unknown";
}

/* The object at AT, with its kind in *KIND (may be NULL), as which all of it lies in the arena. */
static struct ili_object *any_object_at(const struct ili_arena *arena, ili_off at,
                                        const struct ili_kind **kind) {
    struct ili_object *object = ili_at(arena, at, sizeof *object);
    const struct ili_kind *k = object ? ili_kind_of(ili_once32(&object->kind)) : NULL;
    if (!k || at % 64 || !ili_at(arena, at, k->bytes)) return NULL;
    if (kind) *kind = k;
    return object;
}

uint64_t ili_name_hash(const struct ili_arena *arena, uint32_t kind, const char *name,
                       size_t name_bytes) {
    uint64_t key[2] = {arena->hash_key[0] ^ kind, arena->hash_key[1]};
    return ili_siphash(key, name, name_bytes);
}

static uint32_t bucket_of(const struct ili_arena *a, uint64_t hash) {
    return (uint32_t)(hash % a->regions.buckets);
}

static struct ili_stripe *stripe_of(const struct ili_arena *a, uint64_t hash) {
    return &a->stripes[bucket_of(a, hash) % ILI_STRIPES];
}

/* The bucket's place, or NULL if its segment does not exist (or the arena is corrupt). */
static _Atomic ili_off *bucket_at(const struct ili_arena *a, uint32_t bucket) {
    ili_off segment = load_off(&a->directory[bucket / ILI_SEGMENT_BUCKETS]);
    _Atomic ili_off *buckets = ili_at(a, segment, ILI_SEGMENT_BUCKETS * sizeof(ili_off));
    return buckets ? &buckets[bucket % ILI_SEGMENT_BUCKETS] : NULL;
}

static bool has_name(const struct ili_arena *a, const struct ili_object *object, const char *name,
                     size_t bytes) {
    uint32_t at = ili_once32(&object->name_at), length = ili_once32(&object->name_bytes);
    if (length != bytes) return false;
    const char *own = ili_at(a, ili_off_of(a, object) + at, length);
    return own && memcmp(own, name, bytes) == 0;
}

/* ---- chains --------------------------------------------------------------------------------- */

/* A chain rises: one that does not is corrupt, and ends there, so that none leads in a circle. */

/* The place that holds, or would hold, the object at AT: the link of the last one below it. */
static _Atomic ili_off *link_for(const struct ili_arena *a, _Atomic ili_off *bucket, ili_off at) {
    _Atomic ili_off *link = bucket;
    ili_off last = 0;
    for (uint32_t steps = 0; steps < CHAIN_MOST; steps++) {
        ili_off next = load_off(link);
        struct ili_object *object = next > last && next < at ? any_object_at(a, next, NULL) : NULL;
        if (!object) return link;
        last = next;
        link = &object->next;
    }
    return link;
}

static struct ili_object *find(const struct ili_arena *a, _Atomic ili_off *bucket, uint32_t kind,
                               uint64_t hash, const char *name, size_t bytes) {
    ili_off at = bucket ? load_off(bucket) : 0, last = 0;
    for (uint32_t steps = 0; at > last && steps < CHAIN_MOST; steps++) {
        const struct ili_kind *its;
        struct ili_object *object = any_object_at(a, at, &its);
        if (!object) return NULL;
        if (object->hash == hash && its->number == kind && has_name(a, object, name, bytes)) {
            return object;
        }
        last = at;
        at = load_off(&object->next);
    }
    return NULL;
}

static uint64_t stripe_count(const struct ili_stripe *stripe) {
    return atomic_load_explicit(&stripe->names, memory_order_relaxed);
}

static void set_stripe_count(struct ili_stripe *stripe, uint64_t count) {
    atomic_store_explicit(&stripe->names, count, memory_order_relaxed);
}

uint64_t ili_names_count(const struct ili_member *member) {
    uint64_t count = 0;
    for (unsigned i = 0; i < ILI_STRIPES; i++) count += stripe_count(&member->arena.stripes[i]);
    return count;
}

/* Makes the bucket's segment, in pending[0] until the directory names it. */
static il_status make_segment(struct ili_member *m, struct ili_agent *self, struct ili_guard *guard,
                              uint32_t bucket) {
    ili_off block, none = 0;
    uint32_t index = bucket / ILI_SEGMENT_BUCKETS;
    size_t bytes = ILI_SEGMENT_BUCKETS * sizeof(ili_off);
    il_status status = ili_alloc(m, self, 0, bytes, &block);
    if (status != IL_OK) return status;
    memset(ili_at(&m->arena, block, bytes), 0, bytes);
    ili_guard_intend(guard, SEGMENT, block, index);
    /* release: who finds the segment finds it cleared. Stripes share segments: another may win */
    bool won = atomic_compare_exchange_strong_explicit(&m->arena.directory[index], &none, block,
                                                       memory_order_acq_rel, memory_order_acquire);
    ILI_POINT("names.segment");
    if (won) ili_alloc_published(self, 0);
    ili_guard_done(guard);
    return won ? IL_OK : ili_alloc_free(m, self, 0);
}

/* ---- references ------------------------------------------------------------------------------ */

/* An anonymous object is in pending[0] of SELF until its entry names it. */
static void refer(struct ili_guard *guard, const struct ili_arena *a, struct ili_agent *self,
                  struct ili_object *object, _Atomic ili_off *entry) {
    uint32_t refs = atomic_load_explicit(&object->refs, memory_order_relaxed);
    ili_off at = ili_off_of(a, object);
    ili_guard_intend(guard, OPEN | (uint64_t)refs << 8, at, entry ? ili_off_of(a, entry) : 0);
    atomic_store_explicit(&object->refs, refs + 1, memory_order_relaxed);
    ILI_POINT("names.open.counted");
    if (entry) atomic_store_explicit(entry, at, memory_order_release);
    ILI_POINT("names.open.entered");
    ili_alloc_published(self, 0);
    ILI_POINT("names.open.published");
    ili_guard_done(guard);
}

/* Takes one of REFS references away. The last one leaves the object in pending[1] of OWNER. */
static void drop(struct ili_member *m, struct ili_guard *guard, struct ili_object *object,
                 _Atomic ili_off *entry, uint32_t refs, struct ili_agent *owner) {
    const struct ili_arena *a = &m->arena;
    ili_off at = ili_off_of(a, object);
    ili_guard_intend(guard, CLOSE | (uint64_t)refs << 8, at, entry ? ili_off_of(a, entry) : 0);
    if (entry) atomic_store_explicit(entry, 0, memory_order_relaxed);
    ILI_POINT("names.close.entry");
    atomic_store_explicit(&object->refs, refs - 1, memory_order_relaxed);
    ILI_POINT("names.close.counted");
    if (refs == 1) ili_alloc_adopt(owner, 1, at);
    ILI_POINT("names.close.adopted");
    ili_guard_done(guard);
}

il_status ili_names_reap(struct ili_member *member, struct ili_agent *self,
                         struct ili_agent *owner) {
    const struct ili_kind *kind;
    struct ili_object *object = any_object_at(&member->arena, load_off(&owner->pending[1]), &kind);
    il_status status = object ? kind->dispose(member, self, owner, object) : IL_OK;
    ILI_POINT("names.reap.disposed");
    return status == IL_OK ? ili_alloc_free_of(member, self, owner, 1) : status;
}

/* COUNT_BEFORE: the stripe's names while this one was still linked. */
static void unlink_name(struct ili_member *m, struct ili_object *object, uint64_t count_before) {
    const struct ili_arena *a = &m->arena;
    ili_off at = ili_off_of(a, object);
    _Atomic ili_off *bucket = bucket_at(a, bucket_of(a, object->hash));
    _Atomic ili_off *link = bucket ? link_for(a, bucket, at) : NULL;
    if (link && load_off(link) == at) {
        atomic_store_explicit(link, load_off(&object->next), memory_order_release);
    }
    ILI_POINT("names.unlink.unlinked");
    set_stripe_count(stripe_of(a, object->hash), count_before - 1);
    atomic_store_explicit(&object->deleted, 1, memory_order_release);
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* Makes the object in pending[0]; nobody sees it yet. */
static il_status make_object(struct ili_member *m, struct ili_agent *self,
                             const struct ili_kind *kind, uint64_t hash, const char *name,
                             size_t name_bytes, const void *options, struct ili_object **out) {
    ili_off at;
    il_status status = ili_alloc(m, self, 0, kind->bytes + name_bytes, &at);
    if (status != IL_OK) return status;
    struct ili_object *object = ili_at(&m->arena, at, kind->bytes + name_bytes);
    memset((void *)object, 0, kind->bytes);
    object->kind = kind->number;
    object->hash = hash;
    object->name_at = kind->bytes;
    object->name_bytes = (uint32_t)name_bytes;
    object->created_seconds = ili_wall_seconds();
    /* relaxed: a number that no other object has, whatever the order */
    object->birth =
        atomic_fetch_add_explicit(&m->arena.header->births, 1, memory_order_relaxed) + 1;
    if (name_bytes) memcpy((char *)object + kind->bytes, name, name_bytes);
    kind->init(m, object, options);
    *out = object;
    return IL_OK;
}

static il_status link_object(struct ili_member *m, struct ili_agent *self, struct ili_guard *guard,
                             struct ili_object *object) {
    const struct ili_arena *a = &m->arena;
    uint32_t number = bucket_of(a, object->hash);
    _Atomic ili_off *bucket = bucket_at(a, number);
    if (!bucket) return IL_ECORRUPT;
    ili_off at = ili_off_of(a, object);
    _Atomic ili_off *link = link_for(a, bucket, at);
    atomic_store_explicit(&object->next, load_off(link), memory_order_relaxed);
    atomic_store_explicit(&object->refs, 1, memory_order_relaxed); /* the name's */
    struct ili_stripe *stripe = stripe_of(a, object->hash);
    uint64_t count = stripe_count(stripe);
    ili_guard_intend(guard, LINK, at, count);
    atomic_store_explicit(link, at, memory_order_release);
    ILI_POINT("names.link.linked");
    ili_alloc_published(self, 0);
    set_stripe_count(stripe, count + 1);
    ili_guard_done(guard);
    return IL_OK;
}

static il_status open_anonymous(struct ili_member *m, struct ili_agent *self,
                                const struct ili_kind *kind, const void *options,
                                _Atomic ili_off *entry, ili_off *out) {
    struct ili_object *object;
    /* its offset spreads it over the stripes */
    il_status status = make_object(m, self, kind, 0, NULL, 0, options, &object);
    if (status != IL_OK) return status;
    ili_off at = ili_off_of(&m->arena, object);
    object->hash = at / 64;
    atomic_store_explicit(&object->deleted, 1, memory_order_relaxed);
    struct ili_guard *guard = &stripe_of(&m->arena, object->hash)->guard;
    status = ili_guard_lock(m, self, guard);
    if (status != IL_OK) {
        ili_alloc_free(m, self, 0);
        return status;
    }
    refer(guard, &m->arena, self, object, entry);
    ili_guard_unlock(m, self, guard);
    *out = at;
    return IL_OK;
}

il_status ili_names_open(struct ili_member *member, struct ili_agent *self,
                         const struct ili_kind *kind, const char *name, size_t name_bytes,
                         const void *options, uint32_t flags, _Atomic ili_off *entry, ili_off *out,
                         bool *created) {
    if (name_bytes == 0) return open_anonymous(member, self, kind, options, entry, out);
    const struct ili_arena *a = &member->arena;
    uint64_t hash = ili_name_hash(a, kind->number, name, name_bytes);
    uint32_t bucket = bucket_of(a, hash);
    struct ili_guard *guard = &stripe_of(a, hash)->guard;
    il_status status = ili_guard_lock(member, self, guard);
    if (status != IL_OK) return status;
    bool made = false;
    struct ili_object *object = find(a, bucket_at(a, bucket), kind->number, hash, name, name_bytes);
    if (object) {
        if (options && !kind->same(object, options)) status = IL_ECONFLICT;
    } else if (flags & ILI_OPEN_EXISTING) {
        status = IL_ENOTFOUND;
    } else {
        if (!bucket_at(a, bucket)) status = make_segment(member, self, guard, bucket);
        if (status == IL_OK) {
            status = make_object(member, self, kind, hash, name, name_bytes, options, &object);
        }
        if (status == IL_OK) {
            status = link_object(member, self, guard, object);
            made = status == IL_OK;
            if (!made) ili_alloc_free(member, self, 0);
        }
    }
    if (status == IL_OK) {
        refer(guard, a, self, object, entry);
        *out = ili_off_of(a, object);
        if (created) *created = made;
    }
    ili_guard_unlock(member, self, guard);
    return status;
}

il_status ili_names_inherit(struct ili_member *member, struct ili_agent *self,
                            const _Atomic ili_off *from, _Atomic ili_off *entry) {
    ili_off at = load_off(from);
    struct ili_object *o = at ? any_object_at(&member->arena, at, NULL) : NULL;
    if (!o) return IL_ENOTFOUND;
    struct ili_guard *guard = &stripe_of(&member->arena, o->hash)->guard;
    il_status status = ili_guard_lock(member, self, guard);
    if (status != IL_OK) return status;
    /* the stripe again: the object may be another one by now */
    bool same = load_off(from) == at && &stripe_of(&member->arena, o->hash)->guard == guard;
    if (same && atomic_load_explicit(&o->refs, memory_order_relaxed) > 0) {
        refer(guard, &member->arena, self, o, entry);
    } else {
        status = IL_ENOTFOUND; /* closed since: an entry changes under this guard only */
    }
    ili_guard_unlock(member, self, guard);
    return status;
}

il_status ili_names_adopt(struct ili_member *member, struct ili_agent *self, ili_off object,
                          uint32_t kind, uint32_t birth, _Atomic ili_off *entry) {
    struct ili_object *o = ili_object_at(&member->arena, object, kind);
    if (!o) return IL_ENOTFOUND;
    struct ili_guard *guard = &stripe_of(&member->arena, o->hash)->guard;
    il_status status = ili_guard_lock(member, self, guard);
    if (status != IL_OK) return status;
    /* all of it again: under this guard the object cannot go, if it is still the one that was meant */
    bool same = ili_once32(&o->kind) == kind && ili_once32(&o->birth) == birth &&
                &stripe_of(&member->arena, o->hash)->guard == guard;
    if (!same || atomic_load_explicit(&o->refs, memory_order_relaxed) == 0) {
        status = IL_ENOTFOUND;
    } else if (o->name_bytes && atomic_load_explicit(&o->deleted, memory_order_relaxed)) {
        status = IL_EDELETED;
    } else {
        refer(guard, &member->arena, self, o, entry);
    }
    ili_guard_unlock(member, self, guard);
    return status;
}

il_status ili_names_close(struct ili_member *member, struct ili_agent *self, ili_off object,
                          _Atomic ili_off *entry) {
    struct ili_object *o = any_object_at(&member->arena, object, NULL);
    if (!o) return IL_ECORRUPT;
    struct ili_guard *guard = &stripe_of(&member->arena, o->hash)->guard;
    il_status status =
        ili_names_reap(member, self, self); /* one that an earlier call had to leave */
    if (status == IL_OK) status = ili_guard_lock(member, self, guard);
    if (status != IL_OK) return status;
    uint32_t refs = atomic_load_explicit(&o->refs, memory_order_relaxed);
    if (refs == 0) {
        status = IL_ECORRUPT;
    } else {
        drop(member, guard, o, entry, refs, self);
    }
    ili_guard_unlock(member, self, guard);
    il_status reaped = ili_names_reap(member, self, self);
    return status == IL_OK ? reaped : status;
}

il_status ili_names_delete(struct ili_member *member, struct ili_agent *self,
                           const struct ili_kind *kind, const char *name, size_t name_bytes) {
    const struct ili_arena *a = &member->arena;
    uint64_t hash = ili_name_hash(a, kind->number, name, name_bytes);
    struct ili_guard *guard = &stripe_of(a, hash)->guard;
    il_status status =
        ili_names_reap(member, self, self); /* one that an earlier call had to leave */
    if (status == IL_OK) status = ili_guard_lock(member, self, guard);
    if (status != IL_OK) return status;
    struct ili_object *object =
        find(a, bucket_at(a, bucket_of(a, hash)), kind->number, hash, name, name_bytes);
    if (!object) {
        status = IL_ENOTFOUND;
    } else {
        uint32_t refs = atomic_load_explicit(&object->refs, memory_order_relaxed);
        uint64_t count = stripe_count(stripe_of(a, hash));
        ili_guard_intend(guard, UNLINK | (uint64_t)refs << 8, ili_off_of(a, object), count);
        status = kind->end(member, self, object);
        ILI_POINT("names.delete.ended");
        if (status == IL_OK) {
            unlink_name(member, object, count);
            drop(member, guard, object, NULL, refs, self);
        } else {
            ili_guard_done(guard);
        }
    }
    ili_guard_unlock(member, self, guard);
    il_status reaped = ili_names_reap(member, self, self);
    return status == IL_OK ? reaped : status;
}

/* Visits the bucket's objects of KIND behind cursor->after; returns how many, at most LIMIT. */
static size_t visit_bucket(const struct ili_arena *a, uint32_t kind,
                           struct ili_names_cursor *cursor, size_t limit,
                           void (*visit)(const struct ili_object *object, const char *name,
                                         size_t name_bytes, void *context),
                           void *context) {
    _Atomic ili_off *bucket = bucket_at(a, cursor->bucket);
    ili_off at = bucket ? load_off(bucket) : 0, last = 0;
    size_t seen = 0;
    for (uint32_t steps = 0; at > last && steps < CHAIN_MOST; steps++) {
        const struct ili_kind *its;
        const struct ili_object *object = any_object_at(a, at, &its);
        if (!object) break;
        if (at > cursor->after && its->number == kind) {
            if (seen == limit) return seen;
            uint32_t bytes = ili_once32(&object->name_bytes);
            const char *name = ili_at(a, at + ili_once32(&object->name_at), bytes);
            if (name && bytes <= IL_NAME_MAX_BYTES) visit(object, name, bytes, context);
            cursor->after = at;
            seen++;
        }
        last = at;
        at = load_off(&object->next);
    }
    cursor->bucket++;
    cursor->after = 0;
    return seen;
}

il_status ili_names_page(struct ili_member *member, struct ili_agent *self, uint32_t kind,
                         struct ili_names_cursor *cursor, size_t limit,
                         void (*visit)(const struct ili_object *object, const char *name,
                                       size_t name_bytes, void *context),
                         void *context) {
    const struct ili_arena *a = &member->arena;
    size_t seen = 0;
    uint32_t looked = 0;
    while (cursor->bucket < a->regions.buckets && seen < limit && looked < PAGE_BUCKETS) {
        if (!bucket_at(a, cursor->bucket)) {
            cursor->bucket += ILI_SEGMENT_BUCKETS - cursor->bucket % ILI_SEGMENT_BUCKETS;
            cursor->after = 0;
            continue;
        }
        struct ili_guard *guard = &a->stripes[cursor->bucket % ILI_STRIPES].guard;
        il_status status = ili_guard_lock(member, self, guard);
        if (status != IL_OK) return status;
        seen += visit_bucket(a, kind, cursor, limit - seen, visit, context);
        ili_guard_unlock(member, self, guard);
        looked++;
    }
    cursor->finished = cursor->bucket >= a->regions.buckets;
    return IL_OK;
}

/* ---- repair ---------------------------------------------------------------------------------- */

static void repair_link(struct ili_member *m, struct ili_agent *dead, struct ili_object *object,
                        uint64_t count_before) {
    const struct ili_arena *a = &m->arena;
    ili_off at = ili_off_of(a, object);
    _Atomic ili_off *bucket = bucket_at(a, bucket_of(a, object->hash));
    if (!bucket || load_off(link_for(a, bucket, at)) != at) return; /* pending[0] is freed later */
    if (load_off(&dead->pending[0]) == at) ili_alloc_published(dead, 0);
    set_stripe_count(stripe_of(a, object->hash), count_before + 1);
}

static void repair_open(struct ili_member *m, struct ili_agent *dead, struct ili_object *object,
                        ili_off entry_at, uint32_t refs) {
    const _Atomic ili_off *entry = ili_at(&m->arena, entry_at, sizeof *entry);
    ili_off at = ili_off_of(&m->arena, object);
    bool entered = entry && load_off(entry) == at;
    atomic_store_explicit(&object->refs, entered ? refs + 1 : refs, memory_order_relaxed);
    /* an anonymous object is published by its entry */
    if (entered && load_off(&dead->pending[0]) == at) ili_alloc_published(dead, 0);
}

il_status ili_names_repair(struct ili_member *member, struct ili_agent *self,
                           struct ili_guard *guard, struct ili_agent *dead) {
    const struct ili_arena *a = &member->arena;
    uint64_t intent = atomic_load_explicit(&guard->intent[0], memory_order_acquire);
    ili_off first = atomic_load_explicit(&guard->intent[1], memory_order_relaxed);
    uint64_t second = atomic_load_explicit(&guard->intent[2], memory_order_relaxed);
    uint32_t refs = REFS_BEFORE(intent);
    if (intent == 0) return IL_OK;
    if (OPERATION(intent) == SEGMENT) {
        if (second < a->regions.buckets / ILI_SEGMENT_BUCKETS &&
            load_off(&a->directory[second]) == first && load_off(&dead->pending[0]) == first) {
            ili_alloc_published(dead, 0);
        }
        ili_guard_done(guard);
        return IL_OK;
    }
    const struct ili_kind *kind;
    struct ili_object *object = any_object_at(a, first, &kind);
    if (!object) {
        ili_guard_done(guard);
        return IL_OK;
    }
    il_status status;
    _Atomic ili_off *entry = ili_at(a, second, sizeof *entry);
    switch (OPERATION(intent)) {
    case LINK: repair_link(member, dead, object, second); break;
    case OPEN: repair_open(member, dead, object, second, refs); break;
    case UNLINK:
        status = kind->end(member, self, object);
        if (status == IL_EBUSY) return status; /* undone, it is the dead one's still */
        unlink_name(member, object, second);
        if (refs) drop(member, guard, object, NULL, refs, dead);
        break;
    case CLOSE:
        if (refs) drop(member, guard, object, entry, refs, dead);
        break;
    default: break;
    }
    ili_guard_done(guard);
    return IL_OK;
}
