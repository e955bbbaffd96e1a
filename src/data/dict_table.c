/*
 * dict_table.c - see dict_table.h.
 *
 * Linear hashing: with `buckets` in use and h the largest power of two up to that, a hash is in bucket
 * hash % 2h, or if there is none such, hash % h. The next bucket to be made, number `buckets`, gets what is its
 * own from bucket `buckets` - h alone, and goes back into it. So the table grows and shrinks by one bucket at a
 * time, and no call moves more than one bucket's entries for each.
 *
 *   buckets               lie in
 *   0 ... 7               least[], in the dict itself
 *   8 ... 4,095           segments[k], from 8 << k on: 8 << k of them
 *   4,096 ...             segments of 8,192 each, which the directory (a block) names
 *
 * Invariants (ili_dict_table_check), whenever the guard is free:
 * 1. Every segment that has buckets in use is there, and no other; so is the directory, or it lags behind.
 * 2. Every entry is in the chain of its bucket, and in no other.
 * The length rules how many buckets there are: growing at more entries than buckets, shrinking below a quarter;
 * but memory may lack, or the one who died did not come to it. Nothing depends on that but the time a look-up takes.
 */
#include "data/dict_table.h"

#include <string.h>

#include "arena/alloc.h"
#include "base/point.h"
#include "data/dict_store.h"

#define SMALL_BUCKETS 4096u
#define LARGE_BUCKETS 8192u
#define LARGE_SEGMENTS (ILI_DICT_DIRECTORY_BYTES / sizeof(ili_off))
#define BUCKETS_MOST (SMALL_BUCKETS + LARGE_BUCKETS * LARGE_SEGMENTS)
#define DIRECTORY_LEAST (SMALL_BUCKETS - 256) /* with fewer buckets the directory goes */
#define MERGES 8
#define CHAIN_MOST 100000u /* a longer chain is a corrupt one */

#define load ili_dict_load
#define store ili_dict_store

static uint64_t high_bit(uint64_t n) { return UINT64_C(1) << (63 - __builtin_clzll(n)); }

static uint64_t buckets_of(const struct ili_dict *d) {
    uint64_t n = load(&d->buckets);
    if (n < ILI_DICT_BUCKETS_LEAST) return ILI_DICT_BUCKETS_LEAST;
    return n < BUCKETS_MOST ? n : BUCKETS_MOST;
}

/* The word that names the segment of bucket B (8 or more), and how many buckets it has. NULL: no directory. */
static _Atomic ili_off *segment_word(const struct ili_member *m, const struct ili_dict *d,
                                     uint64_t b, uint64_t *count, uint64_t *index) {
    if (b < SMALL_BUCKETS) {
        *count = high_bit(b);
        *index = b - *count;
        return (_Atomic ili_off *)&d->segments[63 - __builtin_clzll(b) - 3];
    }
    _Atomic ili_off *directory = ili_at(&m->arena, load(&d->directory), ILI_DICT_DIRECTORY_BYTES);
    *count = LARGE_BUCKETS;
    *index = (b - SMALL_BUCKETS) % LARGE_BUCKETS;
    return directory ? &directory[(b - SMALL_BUCKETS) / LARGE_BUCKETS] : NULL;
}

static _Atomic ili_off *bucket_at(const struct ili_member *m, const struct ili_dict *d,
                                  uint64_t b) {
    uint64_t count, index;
    if (b < ILI_DICT_BUCKETS_LEAST) return (_Atomic ili_off *)&d->least[b];
    _Atomic ili_off *word = segment_word(m, d, b, &count, &index);
    _Atomic ili_off *segment = word ? ili_at(&m->arena, load(word), count * sizeof *segment) : NULL;
    return segment ? &segment[index] : NULL;
}

static uint64_t number_of(uint64_t buckets, uint64_t hash) {
    uint64_t h = high_bit(buckets), b = hash & (2 * h - 1);
    return b < buckets ? b : b - h;
}

_Atomic ili_off *ili_dict_bucket(const struct ili_member *member, const struct ili_dict *dict,
                                 uint64_t hash) {
    return bucket_at(member, dict, number_of(buckets_of(dict), hash));
}

static struct ili_dict_node *node_at(const struct ili_member *m, ili_off at) {
    return ili_at(&m->arena, at, sizeof(struct ili_dict_node));
}

/* ---- growing ---------------------------------------------------------------------------------- */

/* Makes a block of BYTES what WORD names. */
static bool add_block(struct ili_member *m, struct ili_agent *self, struct ili_dict *d,
                      _Atomic ili_off *word, uint64_t bytes) {
    struct ili_dict_plan plan = {.member = m, .dict = d};
    uint64_t used = load(&d->used_bytes), takes = ili_alloc_size(bytes);
    ili_off at;
    if (used + takes > d->limits.max_bytes) return false;
    if (ili_alloc(m, self, 2, bytes, &at) != IL_OK) return false;
    void *block = ili_at(&m->arena, at, bytes);
    if (!block) return false;
    memset(block, 0, bytes);
    ILI_POINT("dict.table.prepared");
    ili_dict_plan(&plan, word, at);
    ili_dict_plan(&plan, &d->used_bytes, used + takes);
    ili_dict_commit(&plan, self, ILI_DICT_QUIET, 2, 0, 0);
    return true;
}

/* The place of the bucket B that is to be made; NULL: there is no memory for it. */
static _Atomic ili_off *make_bucket(struct ili_member *m, struct ili_agent *self,
                                    struct ili_dict *d, uint64_t b) {
    uint64_t count, index;
    _Atomic ili_off *bucket = bucket_at(m, d, b);
    if (bucket) return bucket;
    if (b >= SMALL_BUCKETS && !load(&d->directory) &&
        !add_block(m, self, d, &d->directory, ILI_DICT_DIRECTORY_BYTES)) {
        return NULL;
    }
    _Atomic ili_off *word = segment_word(m, d, b, &count, &index);
    if (!word || index != 0 || load(word) ||
        !add_block(m, self, d, word, count * sizeof(ili_off))) {
        return NULL;
    }
    return bucket_at(m, d, b);
}

/* Plans that the entries of the chain at *OURS whose hash has the bit H go to *THEIRS. Returns how many entries there
 * are; more than CHAIN_MOST: the arena is corrupt. */
static uint64_t plan_split(struct ili_dict_plan *plan, _Atomic ili_off *ours,
                           _Atomic ili_off *theirs, uint64_t h) {
    uint64_t length = 0;
    for (ili_off at = load(ours); at; length++) {
        struct ili_dict_node *node = node_at(plan->member, at);
        if (!node || length >= CHAIN_MOST) return UINT64_MAX;
        _Atomic ili_off **tail = load(&node->hash) & h ? &theirs : &ours;
        if (load(*tail) != at) ili_dict_plan(plan, *tail, at);
        *tail = &node->next;
        at = load(&node->next);
    }
    if (load(ours)) ili_dict_plan(plan, ours, 0);
    if (load(theirs)) ili_dict_plan(plan, theirs, 0);
    return length;
}

/* Makes the next bucket out of the one that has had its entries. */
static void split(struct ili_member *m, struct ili_agent *self, struct ili_dict *d) {
    struct ili_dict_plan plan = {.member = m, .dict = d};
    uint64_t n = buckets_of(d), h = high_bit(n);
    if (n >= BUCKETS_MOST) return;
    _Atomic ili_off *theirs = make_bucket(m, self, d, n), *ours = bucket_at(m, d, n - h);
    if (!theirs || !ours) return;
    uint64_t length = plan_split(&plan, ours, theirs, h);
    if (length > CHAIN_MOST) return;
    ili_dict_plan(&plan, &d->buckets, n + 1);
    if (plan.full) { /* there was no memory for buckets for a long time */
        if (!ili_dict_plan_more(&plan, self, length + 4)) return;
        (void)plan_split(&plan, ours, theirs, h);
        ili_dict_plan(&plan, &d->buckets, n + 1);
    }
    if (!plan.full) ili_dict_commit(&plan, self, ILI_DICT_QUIET, ILI_DICT_NO_PLACE, 0, 0);
    if (plan.more) (void)ili_alloc_free(m, self, 2);
}

/* ---- shrinking -------------------------------------------------------------------------------- */

/* Puts the last bucket's entries back. False: no more of this now. */
static bool merge(struct ili_member *m, struct ili_agent *self, struct ili_dict *d) {
    struct ili_dict_plan plan = {.member = m, .dict = d};
    uint64_t last = buckets_of(d) - 1, count, index, used = load(&d->used_bytes);
    if (ili_alloc_free(m, self, 2) != IL_OK) return false;
    _Atomic ili_off *from = bucket_at(m, d, last), *to = bucket_at(m, d, last - high_bit(last));
    _Atomic ili_off *word = segment_word(m, d, last, &count, &index);
    if (!from || !to || !word) return false;
    for (unsigned steps = 0; load(to); steps++) {
        struct ili_dict_node *node = node_at(m, load(to));
        if (!node || steps >= CHAIN_MOST) return false; /* corrupt */
        to = &node->next;
    }
    ili_off segment = index == 0 ? load(word) : 0;
    if (load(from)) ili_dict_plan(&plan, to, load(from));
    if (segment) {
        ili_dict_plan(&plan, word, 0);
        ili_dict_plan(&plan, &d->used_bytes, used - ili_alloc_size(count * sizeof(ili_off)));
    } else {
        ili_dict_plan(&plan, from, 0);
    }
    ili_dict_plan(&plan, &d->buckets, last);
    ili_dict_commit(&plan, self, ILI_DICT_QUIET, segment ? 2 : ILI_DICT_NO_PLACE, segment, 0);
    return ili_alloc_free(m, self, 2) == IL_OK;
}

static void drop_directory(struct ili_member *m, struct ili_agent *self, struct ili_dict *d) {
    struct ili_dict_plan plan = {.member = m, .dict = d};
    ili_off directory = load(&d->directory);
    if (ili_alloc_free(m, self, 2) != IL_OK) return;
    ili_dict_plan(&plan, &d->directory, 0);
    ili_dict_plan(&plan, &d->used_bytes,
                  load(&d->used_bytes) - ili_alloc_size(ILI_DICT_DIRECTORY_BYTES));
    ili_dict_commit(&plan, self, ILI_DICT_QUIET, 2, directory, 0);
    (void)ili_alloc_free(m, self, 2);
}

void ili_dict_tend(struct ili_member *member, struct ili_agent *self, struct ili_dict *dict) {
    uint64_t length = load(&dict->length), buckets = load(&dict->buckets);
    if (length > buckets) {
        split(member, self, dict);
        if (length > 2 * buckets) split(member, self, dict);
        return;
    }
    if (length >= buckets / 4 || buckets <= ILI_DICT_BUCKETS_LEAST) return;
    for (int i = 0; i < MERGES; i++) {
        buckets = load(&dict->buckets);
        if (buckets <= ILI_DICT_BUCKETS_LEAST || length >= buckets / 4) break;
        if (!merge(member, self, dict)) return;
    }
    if (buckets < DIRECTORY_LEAST && load(&dict->directory)) drop_directory(member, self, dict);
}

/* ---- end and check ---------------------------------------------------------------------------- */

il_status ili_dict_table_dispose(struct ili_member *member, struct ili_agent *self,
                                 struct ili_dict *dict) {
    il_status status = IL_OK;
    _Atomic ili_off *directory =
        ili_at(&member->arena, load(&dict->directory), ILI_DICT_DIRECTORY_BYTES);
    for (unsigned i = 0; directory && i < LARGE_SEGMENTS && status == IL_OK; i++) {
        status = ili_alloc_free_word(member, self, &directory[i]);
    }
    ILI_POINT("dict.dispose.directory");
    if (status == IL_OK) status = ili_alloc_free_word(member, self, &dict->directory);
    for (unsigned i = 0; i < ILI_DICT_SEGMENTS && status == IL_OK; i++) {
        status = ili_alloc_free_word(member, self, &dict->segments[i]);
    }
    return status;
}

/* Counts the segment's bytes; whether it is there exactly if it has buckets in use. */
static bool check_segment(const struct ili_member *m, const struct ili_dict *d, uint64_t begin,
                          uint64_t *bytes) {
    uint64_t count, index;
    _Atomic ili_off *word = segment_word(m, d, begin, &count, &index);
    bool there = word && load(word) != 0;
    if (there) *bytes += ili_alloc_size(count * sizeof(ili_off));
    return begin < load(&d->buckets) ? bucket_at(m, d, begin) != NULL : true;
}

il_status ili_dict_table_check(const struct ili_member *member, const struct ili_dict *dict,
                               uint64_t *bytes, uint64_t *entries) {
    uint64_t buckets = load(&dict->buckets);
    *bytes = load(&dict->directory) ? ili_alloc_size(ILI_DICT_DIRECTORY_BYTES) : 0;
    *entries = 0;
    if (buckets != buckets_of(dict)) return IL_ECORRUPT;
    for (uint64_t b = ILI_DICT_BUCKETS_LEAST; b < SMALL_BUCKETS; b *= 2) {
        if (!check_segment(member, dict, b, bytes)) return IL_ECORRUPT;
    }
    for (uint64_t b = SMALL_BUCKETS; b < BUCKETS_MOST; b += LARGE_BUCKETS) {
        if (!check_segment(member, dict, b, bytes)) return IL_ECORRUPT;
    }
    for (uint64_t b = 0; b < buckets; b++) {
        const _Atomic ili_off *link = bucket_at(member, dict, b);
        for (unsigned steps = 0; link && load(link); steps++) {
            const struct ili_dict_node *node = node_at(member, load(link));
            if (!node || steps >= CHAIN_MOST || number_of(buckets, load(&node->hash)) != b) {
                return IL_ECORRUPT;
            }
            link = &node->next;
            ++*entries;
        }
        if (!link) return IL_ECORRUPT;
    }
    return IL_OK;
}
