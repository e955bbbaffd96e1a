/*
 * alloc.c - see alloc.h.
 *
 * chunk.state     meaning                               set under the allocator's guard by
 *   FREE          in nobody's use; its bitmap bit is 1   free, repair
 *   PIECES        cut into pieces of `class`             alloc of a piece when no list has one
 *   HEAD          a run of `free` chunks starts here     alloc of a run: the commit, after bodies
 *   BODY          belongs to the head before it          alloc of a run
 *
 * A piece chunk begins with a map of 16 words: bit set means taken.
 * Invariants (ili_alloc_check(), in alloc_check.c):
 * 1. A bitmap bit is 1 exactly for FREE chunks, and free_chunks counts them.
 * 2. A PIECES chunk's `free` is the number of its map's clear bits; it is in partial[class] exactly
 *    if that is not 0; it is not 0 for all pieces (such a chunk becomes FREE).
 * 3. Every BODY is covered by the HEAD before it.
 * Truth is state, class, a head's length and the maps. All else is derived; repair rebuilds it.
 *
 * intent   what: TAKE or GIVE, and above WHAT_BITS what the word holds without the block (0; or of a chain the
 *          rest of it, with ILI_ALLOC_CHAIN); [1] the block; [2] where the word lies
 */
#include "arena/alloc.h"

#include <string.h>

#include "arena/alloc_inside.h"
#include "arena/guard.h"
#include "base/point.h"

#define IDLE_MOST 64u /* free chunks that stay committed */
#define TAKE 1u
#define GIVE 2u
#define WHAT_BITS 8
#define GIVES_AT_ONCE 64u /* of a chain, before others may have the guard */

#define PIECE_MOST 16384u

static uint32_t load32(const _Atomic uint32_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}
static void store32(_Atomic uint32_t *p, uint32_t v) {
    atomic_store_explicit(p, v, memory_order_relaxed);
}
static uint8_t load8(const _Atomic uint8_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}
static void store8(_Atomic uint8_t *p, unsigned v) {
    atomic_store_explicit(p, (uint8_t)v, memory_order_relaxed);
}

static unsigned class_of(uint64_t bytes) {
    unsigned c = 0;
    while (ili_class_bytes[c] < bytes) c++;
    return c;
}

uint64_t ili_alloc_size(uint64_t bytes) {
    if (bytes <= PIECE_MOST) return ili_class_bytes[class_of(bytes)];
    return (bytes + ILI_CHUNK_BYTES - 1) / ILI_CHUNK_BYTES * ILI_CHUNK_BYTES;
}

uint64_t ili_alloc_available(const struct ili_member *member) {
    const struct ili_header *h = member->arena.header;
    return (uint64_t)load32(&h->free_chunks) * ILI_CHUNK_BYTES +
           atomic_load_explicit(&h->free_piece_bytes, memory_order_relaxed);
}

/* ---- derived state: bitmap, lists, counts -------------------------------------------------- */

static void mark_free(struct ili_arena *a, uint32_t index, bool is_free) {
    _Atomic uint64_t *word = &a->bitmap[index / 64];
    uint64_t bit = UINT64_C(1) << (index % 64);
    uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
    if (((old & bit) != 0) == is_free) return;
    atomic_store_explicit(word, old ^ bit, memory_order_relaxed);
    uint32_t count = load32(&a->header->free_chunks);
    store32(&a->header->free_chunks, is_free ? count + 1 : count - 1);
    if (load8(&a->chunks[index].committed)) {
        uint32_t idle = load32(&a->header->idle_chunks);
        store32(&a->header->idle_chunks, is_free ? idle + 1 : idle - 1);
    }
    if (is_free && index < load32(&a->header->low_chunk)) store32(&a->header->low_chunk, index);
}

static struct ili_chunk *listed(struct ili_arena *a, uint32_t index_plus_one) {
    if (index_plus_one == 0 || index_plus_one > a->regions.chunks) return NULL;
    return &a->chunks[index_plus_one - 1];
}

static void list_push(struct ili_arena *a, uint32_t index) {
    struct ili_chunk *c = &a->chunks[index];
    _Atomic uint32_t *head = &a->header->partial[load8(&c->class) % ILI_PIECE_CLASSES];
    struct ili_chunk *first = listed(a, load32(head));
    store32(&c->prev, 0);
    store32(&c->next, load32(head));
    if (first) store32(&first->prev, index + 1);
    store32(head, index + 1);
}

static void list_remove(struct ili_arena *a, uint32_t index) {
    struct ili_chunk *c = &a->chunks[index];
    struct ili_chunk *next = listed(a, load32(&c->next));
    struct ili_chunk *prev = listed(a, load32(&c->prev));
    if (prev) {
        store32(&prev->next, load32(&c->next));
    } else {
        store32(&a->header->partial[load8(&c->class) % ILI_PIECE_CLASSES], load32(&c->next));
    }
    if (next) store32(&next->prev, load32(&c->prev));
}

static void add_piece_bytes(struct ili_arena *a, int64_t bytes) {
    uint64_t now = atomic_load_explicit(&a->header->free_piece_bytes, memory_order_relaxed);
    atomic_store_explicit(&a->header->free_piece_bytes, now + (uint64_t)bytes,
                          memory_order_relaxed);
}

/* ---- chunks --------------------------------------------------------------------------------- */

/* The lowest place of COUNT free chunks in a row; chunks if there is none. */
static uint32_t find_run(struct ili_arena *a, uint32_t count) {
    uint32_t length = 0, i = load32(&a->header->low_chunk);
    bool lowest = true; /* no free chunk met yet */
    while (i < a->regions.chunks) {
        uint64_t word = atomic_load_explicit(&a->bitmap[i / 64], memory_order_relaxed);
        if (i % 64 == 0 && word == 0) {
            length = 0;
            i += 64;
            continue;
        }
        if (word >> (i % 64) & 1) {
            if (lowest) store32(&a->header->low_chunk, i);
            lowest = false;
            if (++length == count) return i + 1 - count;
        } else {
            length = 0;
        }
        i++;
    }
    return a->regions.chunks;
}

static il_status commit_chunks(struct ili_arena *a, uint32_t index, uint32_t count) {
    bool missing = false;
    for (uint32_t i = index; i < index + count; i++) missing |= !load8(&a->chunks[i].committed);
    if (!missing) return IL_OK;
    return ili_arena_commit(a, ili_chunk_at(a, index), (uint64_t)count * ILI_CHUNK_BYTES);
}

static void free_chunk(struct ili_arena *a, uint32_t index) {
    struct ili_chunk *c = &a->chunks[index];
    store8(&c->state, ILI_CHUNK_FREE);
    if (load8(&c->committed) && load32(&a->header->idle_chunks) >= IDLE_MOST) {
        /* not committed first: dying in between leaves memory that is committed again for nothing */
        store8(&c->committed, 0);
        ili_arena_decommit(a, ili_chunk_at(a, index), ILI_CHUNK_BYTES);
    }
    mark_free(a, index, true);
}

/* What WORD holds once a chain's block is out of it. */
static ili_off without(ili_off rest) { return rest == ILI_ALLOC_CHAIN ? 0 : rest; }

/* The block AT was taken: WORD names it, in front of REST if that is a chain. */
static void name_block(const struct ili_arena *a, _Atomic ili_off *word, ili_off at, ili_off rest) {
    if (rest & ILI_ALLOC_CHAIN) {
        _Atomic ili_off *next = (_Atomic ili_off *)(a->base + at);
        atomic_store_explicit(next, rest & ~ILI_ALLOC_CHAIN, memory_order_relaxed);
        ILI_POINT("alloc.chain.linked");
        at |= ILI_ALLOC_CHAIN;
    }
    atomic_store_explicit(word, at, memory_order_release);
}

static il_status take_run(struct ili_arena *a, struct ili_guard *guard, uint64_t bytes,
                          _Atomic ili_off *pending, ili_off rest, ili_off *out) {
    uint64_t wanted = (bytes + ILI_CHUNK_BYTES - 1) / ILI_CHUNK_BYTES;
    if (wanted > a->regions.chunks) return IL_ENOMEM;
    uint32_t count = (uint32_t)wanted, index = find_run(a, count);
    if (index >= a->regions.chunks) return IL_ENOMEM;
    il_status status = commit_chunks(a, index, count);
    if (status != IL_OK) return status;
    ili_guard_intend(guard, TAKE | rest << WHAT_BITS, ili_chunk_at(a, index),
                     ili_off_of(a, pending));
    for (uint32_t i = index; i < index + count; i++) {
        mark_free(a, i, false);
        store8(&a->chunks[i].committed, 1);
        if (i > index) store8(&a->chunks[i].state, ILI_CHUNK_BODY);
    }
    ILI_POINT("alloc.run.bodies");
    store32(&a->chunks[index].free, count);
    atomic_store_explicit(&a->chunks[index].state, ILI_CHUNK_HEAD, memory_order_release);
    name_block(a, pending, ili_chunk_at(a, index), rest);
    ILI_POINT("alloc.run.taken");
    ili_guard_done(guard);
    *out = ili_chunk_at(a, index);
    return IL_OK;
}

static void give_run(struct ili_arena *a, uint32_t index) {
    uint32_t count = load32(&a->chunks[index].free);
    if (count > a->regions.chunks - index) count = a->regions.chunks - index;
    atomic_store_explicit(&a->chunks[index].state, ILI_CHUNK_FREE, memory_order_release);
    ILI_POINT("alloc.run.given");
    for (uint32_t i = index; i < index + count; i++) {
        if (i == index || load8(&a->chunks[i].state) == ILI_CHUNK_BODY) free_chunk(a, i);
    }
}

/* ---- pieces --------------------------------------------------------------------------------- */

static il_status new_piece_chunk(struct ili_arena *a, unsigned class) {
    uint32_t index = find_run(a, 1);
    if (index >= a->regions.chunks) return IL_ENOMEM;
    il_status status = commit_chunks(a, index, 1);
    if (status != IL_OK) return status;
    struct ili_chunk *c = &a->chunks[index];
    mark_free(a, index, false);
    store8(&c->committed, 1);
    memset(a->base + ili_chunk_at(a, index), 0, ILI_CHUNK_HEADER_BYTES);
    store8(&c->class, class);
    store32(&c->free, ili_pieces_of(class));
    ILI_POINT("alloc.pieces.prepared");
    atomic_store_explicit(&c->state, ILI_CHUNK_PIECES, memory_order_release);
    list_push(a, index);
    add_piece_bytes(a, (int64_t)ili_pieces_of(class) * ili_class_bytes[class]);
    return IL_OK;
}

static il_status take_piece(struct ili_arena *a, struct ili_guard *guard, unsigned class,
                            _Atomic ili_off *pending, ili_off rest, ili_off *out) {
    if (!listed(a, load32(&a->header->partial[class]))) {
        il_status status = new_piece_chunk(a, class);
        if (status != IL_OK) return status;
    }
    uint32_t index = load32(&a->header->partial[class]) - 1;
    if (index >= a->regions.chunks) return IL_ECORRUPT;
    struct ili_chunk *c = &a->chunks[index];
    _Atomic uint64_t *map = ili_chunk_map(a, index);
    uint32_t count = ili_pieces_of(class);
    if (load8(&c->state) != ILI_CHUNK_PIECES || load8(&c->class) != class) return IL_ECORRUPT;
    for (uint32_t w = 0; w * 64 < count; w++) {
        uint64_t clear = ~atomic_load_explicit(&map[w], memory_order_relaxed);
        if (clear == 0) continue;
        uint32_t piece = w * 64 + (uint32_t)__builtin_ctzll(clear);
        if (piece >= count) break;
        ili_off at = ili_chunk_at(a, index) + ILI_CHUNK_HEADER_BYTES +
                     (ili_off)piece * ili_class_bytes[class];
        ili_guard_intend(guard, TAKE | rest << WHAT_BITS, at, ili_off_of(a, pending));
        atomic_store_explicit(&map[w], ~clear | UINT64_C(1) << (piece % 64), memory_order_release);
        ILI_POINT("alloc.piece.taken");
        name_block(a, pending, at, rest);
        store32(&c->free, load32(&c->free) - 1);
        if (load32(&c->free) == 0) list_remove(a, index);
        add_piece_bytes(a, -(int64_t)ili_class_bytes[class]);
        ILI_POINT("alloc.piece.pending");
        ili_guard_done(guard);
        *out = at;
        return IL_OK;
    }
    return IL_ECORRUPT;
}

/* The place of the piece AT in its chunk; false if there is no such piece. */
static bool piece_at(const struct ili_arena *a, uint32_t index, ili_off at, uint32_t *piece) {
    uint64_t inside = at - ili_chunk_at(a, index);
    unsigned class = load8(&a->chunks[index].class) % ILI_PIECE_CLASSES;
    if (inside < ILI_CHUNK_HEADER_BYTES) return false;
    inside -= ILI_CHUNK_HEADER_BYTES;
    *piece = (uint32_t)(inside / ili_class_bytes[class]);
    return inside % ili_class_bytes[class] == 0 && *piece < ili_pieces_of(class);
}

static void give_piece(struct ili_arena *a, uint32_t index, uint32_t piece) {
    struct ili_chunk *c = &a->chunks[index];
    unsigned class = load8(&c->class) % ILI_PIECE_CLASSES;
    _Atomic uint64_t *map = ili_chunk_map(a, index);
    uint64_t word = atomic_load_explicit(&map[piece / 64], memory_order_relaxed);
    uint64_t bit = UINT64_C(1) << (piece % 64);
    if (!(word & bit)) return; /* it is free: the arena is corrupt */
    atomic_store_explicit(&map[piece / 64], word & ~bit, memory_order_release);
    ILI_POINT("alloc.piece.given");
    uint32_t now_free = load32(&c->free) + 1;
    store32(&c->free, now_free);
    add_piece_bytes(a, ili_class_bytes[class]);
    if (now_free == ili_pieces_of(class)) {
        if (now_free > 1) list_remove(a, index);
        add_piece_bytes(a, -(int64_t)now_free * ili_class_bytes[class]);
        free_chunk(a, index);
    } else if (now_free == 1) {
        list_push(a, index);
    }
}

/* ---- calls ---------------------------------------------------------------------------------- */

static il_status take(struct ili_member *member, struct ili_agent *self, _Atomic ili_off *pending,
                      uint64_t bytes, ili_off rest, ili_off *out) {
    struct ili_arena *a = &member->arena;
    struct ili_guard *guard = &a->header->alloc;
    il_status status = ili_guard_lock(member, self, guard);
    if (status != IL_OK) return status;
    if (bytes <= PIECE_MOST) {
        status = take_piece(a, guard, class_of(bytes), pending, rest, out);
    } else {
        status = take_run(a, guard, bytes, pending, rest, out);
    }
    ili_guard_unlock(member, self, guard);
    return status;
}

il_status ili_alloc(struct ili_member *member, struct ili_agent *self, unsigned place,
                    uint64_t bytes, ili_off *out) {
    il_status status = ili_alloc_free_word(member, self, &self->pending[place]);
    return status == IL_OK ? take(member, self, &self->pending[place], bytes, 0, out) : status;
}

il_status ili_alloc_chained(struct ili_member *member, struct ili_agent *self, unsigned place,
                            uint64_t bytes, ili_off *out) {
    _Atomic ili_off *pending = &self->pending[place];
    ili_off chain = atomic_load_explicit(pending, memory_order_relaxed);
    if (chain && !(chain & ILI_ALLOC_CHAIN)) { /* a block that a failed free left there */
        il_status status = ili_alloc_free_word(member, self, pending);
        if (status != IL_OK) return status;
        chain = 0;
    }
    return take(member, self, pending, bytes, chain | ILI_ALLOC_CHAIN, out);
}

static void give(struct ili_arena *a, ili_off at) {
    if (!ili_at(a, at, 64)) return;
    uint32_t index = (uint32_t)((at - a->regions.data_at) / ILI_CHUNK_BYTES), piece;
    if (index >= a->regions.chunks) return;
    uint8_t state = load8(&a->chunks[index].state);
    if (state == ILI_CHUNK_PIECES && piece_at(a, index, at, &piece)) {
        give_piece(a, index, piece);
    } else if (state == ILI_CHUNK_HEAD && at == ili_chunk_at(a, index)) {
        give_run(a, index);
    }
}

il_status ili_alloc_free(struct ili_member *member, struct ili_agent *self, unsigned place) {
    return ili_alloc_free_of(member, self, self, place);
}

il_status ili_alloc_free_of(struct ili_member *member, struct ili_agent *self,
                            struct ili_agent *owner, unsigned place) {
    return ili_alloc_free_word(member, self, &owner->pending[place]);
}

/* Frees the block that WORD names, or the first of its chain. */
static void give_named(struct ili_arena *a, struct ili_guard *guard, _Atomic ili_off *word) {
    ili_off named = atomic_load_explicit(word, memory_order_relaxed), rest = 0;
    ili_off at = named & ~ILI_ALLOC_CHAIN;
    if (named & ILI_ALLOC_CHAIN) {
        const _Atomic ili_off *next = ili_at(a, at, sizeof *next);
        rest = next ? atomic_load_explicit(next, memory_order_relaxed) : 0;
        if (rest % 64 || rest >= ILI_ARENA_MAX_BYTES) rest = 0; /* corrupt */
        rest |= ILI_ALLOC_CHAIN;
    }
    ili_guard_intend(guard, GIVE | rest << WHAT_BITS, at, ili_off_of(a, word));
    give(a, at);
    ILI_POINT("alloc.free.given");
    atomic_store_explicit(word, without(rest), memory_order_relaxed);
    ili_guard_done(guard);
}

il_status ili_alloc_free_word(struct ili_member *member, struct ili_agent *self,
                              _Atomic ili_off *word) {
    struct ili_arena *a = &member->arena;
    struct ili_guard *guard = &a->header->alloc;
    uint64_t most = a->bytes / 64; /* a longer chain leads in a circle */
    while (atomic_load_explicit(word, memory_order_relaxed) != 0) {
        il_status status = ili_guard_lock(member, self, guard);
        if (status != IL_OK) return status;
        for (unsigned i = 0; i < GIVES_AT_ONCE && most > 0; i++, most--) {
            give_named(a, guard, word);
            if (atomic_load_explicit(word, memory_order_relaxed) == 0) break;
        }
        if (most == 0) atomic_store_explicit(word, 0, memory_order_relaxed);
        ili_guard_unlock(member, self, guard);
    }
    return IL_OK;
}

/* ---- repair --------------------------------------------------------------------------------- */

static void rebuild(struct ili_arena *a) {
    struct ili_header *h = a->header;
    for (unsigned i = 0; i < ILI_PIECE_CLASSES; i++) store32(&h->partial[i], 0);
    store32(&h->free_chunks, 0);
    store32(&h->idle_chunks, 0);
    store32(&h->low_chunk, 0);
    atomic_store_explicit(&h->free_piece_bytes, 0, memory_order_relaxed);
    for (uint32_t w = 0; w * 64 < a->regions.chunks; w++) {
        atomic_store_explicit(&a->bitmap[w], 0, memory_order_relaxed);
    }
    uint32_t covered = 0; /* chunks below it belong to a run that was seen */
    for (uint32_t i = 0; i < a->regions.chunks; i++) {
        struct ili_chunk *c = &a->chunks[i];
        uint8_t state = load8(&c->state);
        if (i < covered) {
            if (state != ILI_CHUNK_BODY) store8(&c->state, ILI_CHUNK_BODY); /* corrupt */
        } else if (state == ILI_CHUNK_HEAD && load32(&c->free) > 0) {
            uint32_t length = load32(&c->free);
            covered = length <= a->regions.chunks - i ? i + length : a->regions.chunks;
        } else if (state == ILI_CHUNK_PIECES) {
            store8(&c->class, load8(&c->class) % ILI_PIECE_CLASSES); /* no-op, unless corrupt */
            uint32_t now_free = ili_pieces_free(a, i);
            store32(&c->free, now_free);
            if (now_free == ili_pieces_of(load8(&c->class) % ILI_PIECE_CLASSES)) {
                free_chunk(a, i);
            } else if (now_free) {
                list_push(a, i);
                add_piece_bytes(a, (int64_t)now_free *
                                       ili_class_bytes[load8(&c->class) % ILI_PIECE_CLASSES]);
            }
        } else {
            free_chunk(a, i);
        }
    }
}

/* What an interrupted change took or gave is free. Only the truth is touched: counts and lists may be
 * in the middle of the change, and are rebuilt. */
static void undo(struct ili_arena *a, ili_off at) {
    uint32_t index = (uint32_t)((at - a->regions.data_at) / ILI_CHUNK_BYTES), piece;
    if (!ili_at(a, at, 64) || index >= a->regions.chunks) return;
    uint8_t state = load8(&a->chunks[index].state);
    if (state == ILI_CHUNK_PIECES && piece_at(a, index, at, &piece)) {
        atomic_fetch_and_explicit(&ili_chunk_map(a, index)[piece / 64],
                                  ~(UINT64_C(1) << (piece % 64)), memory_order_relaxed);
    } else if (state == ILI_CHUNK_HEAD && at == ili_chunk_at(a, index)) {
        store8(&a->chunks[index].state, ILI_CHUNK_FREE);
    }
}

/* Takes the block AT out of the word at WORD_AT, if that names it, for a change of the allocator was about to put
 * it in or to take it out: REST is what stays. */
static void clear_word(struct ili_arena *a, ili_off word_at, ili_off at, ili_off rest) {
    if (word_at < a->regions.slots_at || word_at > a->bytes - sizeof(ili_off) || word_at % 8)
        return;
    _Atomic ili_off *word = (_Atomic ili_off *)(a->base + word_at);
    if ((atomic_load_explicit(word, memory_order_relaxed) & ~ILI_ALLOC_CHAIN) == at) {
        atomic_store_explicit(word, without(rest), memory_order_relaxed);
    }
}

void ili_alloc_repair(struct ili_member *member) {
    struct ili_arena *a = &member->arena;
    struct ili_guard *guard = &a->header->alloc;
    uint64_t what = atomic_load_explicit(&guard->intent[0], memory_order_acquire);
    if (what != 0) {
        /* A block that was being taken is not used yet, one being freed not any more. */
        ili_off at = atomic_load_explicit(&guard->intent[1], memory_order_relaxed);
        undo(a, at);
        ili_off word_at = atomic_load_explicit(&guard->intent[2], memory_order_relaxed);
        clear_word(a, word_at, at, what >> WHAT_BITS);
    }
    rebuild(a);
    ili_guard_done(guard);
}
