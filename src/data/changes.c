/*
 * changes.c - see changes.h.
 *
 * The ring's places are counted from its first byte ever written, so they only grow; a place modulo
 * ILI_CHANGES_BYTES is where it lies. A record is a header and the key, rounded up to 8 bytes; it may lie around
 * the ring's end.
 *
 *   begin <= end <= written <= begin + ILI_CHANGES_BYTES
 *
 *   word           who changes it, under the object's guard
 *   ring           start(): the commit, after all else was set; dispose
 *   missing        grows before `begin` does, and when a version is larger than the ring
 *   begin          note(), for room: by whole records
 *   written        note(): after a record was written behind it; back to `end` when a version is given up
 *   end            note(): to `written` with the last record of a version: the commit of all its records
 *   last_version   note(), after `end`; repair reads it out of the ring
 *
 * Invariants, whenever the guard is free (ili_changes_check):
 * 1. The order above, all of them multiples of 8, and written is end.
 * 2. From begin to end there are whole records, of versions that do not fall.
 * 3. The last record's version is last_version; all of a version above `missing` is in the ring.
 * The newest version that is known of is the larger of last_version and missing.
 */
#include "data/changes.h"

#include <string.h>

#include "arena/alloc.h"
#include "base/point.h"

struct record {
    uint64_t version;
    int64_t index;
    uint64_t count;
    uint32_t what; /* IL_CHANGED_..., and MORE */
    uint32_t key_bytes;
};
_Static_assert(sizeof(struct record) == 32, "shared layout");

#define MORE UINT32_C(0x80000000) /* another record of the same version follows */

/* All under the guard, which orders it: relaxed. */
static uint64_t load(const _Atomic uint64_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}
/* release: repair, which finds a later store, finds those before it */
static void store(_Atomic uint64_t *p, uint64_t v) {
    atomic_store_explicit(p, v, memory_order_release);
}

static uint64_t newest(const struct ili_changes *changes) {
    uint64_t last = load(&changes->last_version), missing = load(&changes->missing);
    return last > missing ? last : missing;
}

static uint64_t record_bytes(uint32_t key_bytes) {
    return sizeof(struct record) + (key_bytes + UINT64_C(7)) / 8 * 8;
}

/* ---- the ring ------------------------------------------------------------------------------- */

/* What was read of the words, once. */
struct bounds {
    uint8_t *ring;
    uint64_t begin, end, written;
};

/* False: there is no ring, or no sense in it. */
static bool read_bounds(const struct ili_member *member, const struct ili_changes *changes,
                        struct bounds *b) {
    ili_off at = atomic_load_explicit(&changes->ring, memory_order_relaxed);
    b->ring = at ? ili_at(&member->arena, at, ILI_CHANGES_BYTES) : NULL;
    b->begin = load(&changes->begin);
    b->end = load(&changes->end);
    b->written = load(&changes->written);
    return b->ring && b->begin <= b->end && b->end <= b->written &&
           b->written - b->begin <= ILI_CHANGES_BYTES && (b->begin | b->end | b->written) % 8 == 0;
}

static void copy_in(uint8_t *ring, uint64_t at, const void *from, uint64_t bytes) {
    uint64_t place = at % ILI_CHANGES_BYTES, first = ILI_CHANGES_BYTES - place;
    if (first > bytes) first = bytes;
    memcpy(ring + place, from, first);
    memcpy(ring, (const uint8_t *)from + first, bytes - first);
}

static void copy_out(const uint8_t *ring, uint64_t at, void *to, uint64_t bytes) {
    uint64_t place = at % ILI_CHANGES_BYTES, first = ILI_CHANGES_BYTES - place;
    if (first > bytes) first = bytes;
    memcpy(to, ring + place, first);
    memcpy((uint8_t *)to + first, ring, bytes - first);
}

/* The record at AT, of which there may be no more than up to END. False: there is none that makes sense. */
static bool read_record(const uint8_t *ring, uint64_t at, uint64_t end, struct record *record) {
    if (end - at < sizeof *record) return false;
    copy_out(ring, at, record, sizeof *record);
    uint32_t what = record->what & ~MORE;
    return what >= IL_CHANGED_SET && what <= IL_CHANGED_ORDER &&
           record->key_bytes <= IL_KEY_MAX_BYTES && record_bytes(record->key_bytes) <= end - at;
}

/* Nothing is kept of what VERSION or an older one changed. */
static void drop_all(struct ili_changes *changes, uint64_t version) {
    uint64_t end = load(&changes->end) & ~UINT64_C(7);
    if (end > UINT64_MAX / 2) end = 0; /* corrupt */
    if (version > load(&changes->missing)) store(&changes->missing, version);
    store(&changes->begin, end);
    store(&changes->end, end);
    store(&changes->written, end);
}

/* ---- noting --------------------------------------------------------------------------------- */

/* Room for BYTES behind what was written. False: even without all others they do not fit, or the ring is
 * corrupt. */
static bool make_room(struct ili_changes *changes, struct bounds *b, uint64_t bytes) {
    struct record oldest;
    while (b->written + bytes - b->begin > ILI_CHANGES_BYTES) {
        if (!read_record(b->ring, b->begin, b->end, &oldest)) return false;
        if (oldest.version > load(&changes->missing)) store(&changes->missing, oldest.version);
        ILI_POINT("changes.note.missing");
        b->begin += record_bytes(oldest.key_bytes);
        store(&changes->begin, b->begin);
    }
    return true;
}

void ili_changes_note(struct ili_member *member, struct ili_changes *changes,
                      const struct ili_changed *change, bool more) {
    struct bounds b;
    struct record record = {.version = change->version,
                            .index = change->index,
                            .count = change->count,
                            .what = change->what | (more ? MORE : 0),
                            .key_bytes = change->key_bytes};
    if (atomic_load_explicit(&changes->ring, memory_order_relaxed) == 0) return;
    if (change->version <= newest(changes)) return; /* noted before, or given up */
    if (!read_bounds(member, changes, &b) ||
        !make_room(changes, &b, record_bytes(record.key_bytes))) {
        drop_all(changes, change->version);
        return;
    }
    copy_in(b.ring, b.written, &record, sizeof record);
    if (record.key_bytes) {
        copy_in(b.ring, b.written + sizeof record, change->key, record.key_bytes);
    }
    b.written += record_bytes(record.key_bytes);
    ILI_POINT("changes.note.prepared");
    store(&changes->written, b.written);
    if (more) return;
    ILI_POINT("changes.note.written");
    store(&changes->end, b.written);
    ILI_POINT("changes.note.counts");
    store(&changes->last_version, change->version);
}

void ili_changes_tell(struct ili_member *member, struct ili_agent *self,
                      const struct ili_waiting *waiting) {
    if (ili_waitq_count(waiting->queue)) ili_waiting_tell_all(member, self, waiting, IL_OK);
}

il_status ili_changes_start(struct ili_member *member, struct ili_agent *self,
                            struct ili_changes *changes, uint64_t version) {
    ili_off ring = atomic_load_explicit(&changes->ring, memory_order_relaxed);
    if (ring) return ili_at(&member->arena, ring, ILI_CHANGES_BYTES) ? IL_OK : IL_ECORRUPT;
    il_status status = ili_alloc(member, self, 0, ILI_CHANGES_BYTES, &ring);
    if (status != IL_OK) return status;
    store(&changes->begin, 0);
    store(&changes->end, 0);
    store(&changes->written, 0);
    store(&changes->last_version, version);
    store(&changes->missing, version);
    ILI_POINT("changes.start.prepared");
    atomic_store_explicit(&changes->ring, ring, memory_order_release);
    ILI_POINT("changes.start.published");
    ili_alloc_published(self, 0);
    return IL_OK;
}

/* ---- watching ------------------------------------------------------------------------------- */

bool ili_changes_due(const struct ili_changes *changes, const struct ili_changes_place *place) {
    return newest(changes) != place->version;
}

/* Nothing between PLACE and VERSION can be told. */
static il_status missed(struct ili_changes_place *place, struct ili_changed *out, uint64_t version,
                        uint64_t at) {
    *place = (struct ili_changes_place){.version = version, .at = at};
    *out = (struct ili_changed){.what = IL_CHANGED_MISSED, .version = version};
    return IL_OK;
}

il_status ili_changes_next(struct ili_member *member, const struct ili_changes *changes,
                           struct ili_changes_place *place, struct ili_changed *out, char *key) {
    struct bounds b;
    struct record record;
    uint64_t now = newest(changes), missing = load(&changes->missing);
    if (place->version == now) return IL_ETIMEOUT;
    if (!read_bounds(member, changes, &b) || place->version > now) {
        return missed(place, out, now, 0);
    }
    if (place->version < missing) return missed(place, out, missing, b.begin);
    uint64_t at = place->at >= b.begin && place->at <= b.end ? place->at : b.begin;
    for (; at < b.end; at += record_bytes(record.key_bytes)) {
        if (!read_record(b.ring, at, b.end, &record)) break;
        if (record.version <= place->version) continue;
        copy_out(b.ring, at + sizeof record, key, record.key_bytes);
        key[record.key_bytes] = '\0';
        *out = (struct ili_changed){.what = record.what & ~MORE,
                                    .version = record.version,
                                    .index = record.index,
                                    .count = record.count,
                                    .key = key,
                                    .key_bytes = record.key_bytes,
                                    .more = (record.what & MORE) != 0};
        place->at = at + record_bytes(record.key_bytes);
        if (!out->more) place->version = record.version;
        return IL_OK;
    }
    return missed(place, out, now, b.end); /* the ring is corrupt */
}

/* ---- end and repair ------------------------------------------------------------------------- */

il_status ili_changes_dispose(struct ili_member *member, struct ili_agent *self,
                              struct ili_changes *changes) {
    return ili_alloc_free_word(member, self, &changes->ring);
}

/* Whether there are whole records from begin to end; *LAST is the last one's version, or as it was. */
static bool walk(const struct bounds *b, uint64_t *last) {
    struct record record;
    uint64_t before = 0;
    for (uint64_t at = b->begin; at < b->end; at += record_bytes(record.key_bytes)) {
        if (!read_record(b->ring, at, b->end, &record) || record.version < before) return false;
        before = record.version;
    }
    if (before) *last = before;
    return true;
}

void ili_changes_repair(struct ili_member *member, struct ili_changes *changes,
                        struct ili_agent *dead, uint64_t version) {
    struct bounds b;
    ili_off ring = atomic_load_explicit(&changes->ring, memory_order_relaxed);
    if (ring == 0) return;
    if (atomic_load_explicit(&dead->pending[0], memory_order_relaxed) == ring) {
        ili_alloc_published(dead, 0);
    }
    uint64_t last = load(&changes->last_version);
    if (read_bounds(member, changes, &b) && walk(&b, &last)) {
        store(&changes->last_version, last);
        store(&changes->written, b.end);
    } else {
        drop_all(changes, version);
    }
}

il_status ili_changes_check(const struct ili_member *member, const struct ili_changes *changes) {
    struct bounds b;
    uint64_t last = load(&changes->last_version);
    if (!ili_waitq_sound(member, &changes->watchers)) return IL_ECORRUPT;
    if (atomic_load_explicit(&changes->ring, memory_order_relaxed) == 0) return IL_OK;
    if (!read_bounds(member, changes, &b) || b.written != b.end || !walk(&b, &last)) {
        return IL_ECORRUPT;
    }
    return last == load(&changes->last_version) ? IL_OK : IL_ECORRUPT;
}
