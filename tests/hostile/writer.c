/*
 * writer SOCKET SECONDS SEED [PLACE...]: attaches to the server at SOCKET as libinterlock does, and then
 * writes nonsense all over its arena: random words, plausible offsets, numbers of agents, small integers,
 * flipped bits and copies of other words, at the places named (all, if none is): header, slots, chunks,
 * names, agents, leases, losses, bells, objects, messages, data.
 *
 * Most words are put back after a moment: an arena that is ruined as a whole refuses every call at the
 * first check, and what lies behind the checks would never be reached. Ends without saying goodbye, so that
 * the server repairs what it left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/relax.h"
#include "data/dict.h"
#include "data/queue.h"
#include "session/attach.h"
#include "session/kinds.h"

#define OBJECTS_MOST 256u
#define LOOK_NS INT64_C(20000000) /* how often to look for objects anew */
#define LINGER_MOST 2000          /* pauses until a word is put back */

enum place {
    HEADER,
    SLOTS,
    CHUNKS,
    NAMES,
    AGENTS,
    LEASES,
    LOSSES,
    BELLS,
    OBJECTS,
    MESSAGES,
    DATA,
    PLACES
};

static const char *const place_names[PLACES] = {"header",  "slots",    "chunks", "names",
                                                "agents",  "leases",   "losses", "bells",
                                                "objects", "messages", "data"};

static struct ili_arena arena;
static uint64_t objects[OBJECTS_MOST];
static size_t object_count;
static uint64_t state; /* of the random numbers */

/* splitmix64 */
static uint64_t any(void) {
    uint64_t z = (state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static uint64_t below(uint64_t limit) { return limit ? any() % limit : 0; }

static uint64_t word_at(uint64_t at) {
    return at + 8 <= arena.bytes
               ? atomic_load_explicit((_Atomic uint64_t *)(arena.base + at / 8 * 8),
                                      memory_order_relaxed)
               : 0;
}

/* Every object that the directory of names leads to. */
static void look_for_objects(void) {
    object_count = 0;
    for (uint32_t s = 0; s < arena.regions.buckets / ILI_SEGMENT_BUCKETS; s++) {
        uint64_t segment = atomic_load_explicit(&arena.directory[s], memory_order_relaxed);
        if (!ili_at(&arena, segment, ILI_SEGMENT_BUCKETS * 8)) continue;
        for (uint32_t b = 0; b < ILI_SEGMENT_BUCKETS && object_count < OBJECTS_MOST; b++) {
            uint64_t at = word_at(segment + b * 8);
            for (int steps = 0; steps < 8 && object_count < OBJECTS_MOST; steps++) {
                if (!ili_at(&arena, at, 512) || at % 64) break;
                objects[object_count++] = at;
                at = word_at(at + offsetof(struct ili_object, next));
            }
        }
    }
}

static uint64_t some_object(void) {
    return object_count ? objects[below(object_count)] : arena.regions.data_at;
}

/* A place in an entry or in the table of the dict at OBJECT; 0: there is none. */
static uint64_t some_entry(uint64_t object) {
    static const size_t fields[] = {
        offsetof(struct ili_dict, first), offsetof(struct ili_dict, last),
        offsetof(struct ili_dict, segments), offsetof(struct ili_dict, updating)};
    if (below(4) == 0) return object + below(sizeof(struct ili_dict));
    uint64_t at = word_at(object + fields[below(sizeof fields / sizeof fields[0])]) & ~63ull;
    return ili_at(&arena, at, 128) ? at + below(16) * 8 : 0;
}

/* A place in the segments of some queue, or in the entries of some dict. */
static uint64_t some_message(void) {
    static const size_t fields[] = {
        offsetof(struct ili_queue, first_segment), offsetof(struct ili_queue, tail_segment),
        offsetof(struct ili_queue, head_segment), offsetof(struct ili_queue, spare),
        offsetof(struct ili_queue, returned)};
    for (int i = 0; i < 8; i++) {
        uint64_t object = some_object();
        uint64_t entry = ili_object_at(&arena, object, ILI_KIND_DICT) ? some_entry(object) : 0;
        if (entry) return entry;
        if (!ili_object_at(&arena, object, ILI_KIND_QUEUE)) continue;
        uint64_t at = word_at(object + fields[below(sizeof fields / sizeof fields[0])]) & ~63ull;
        if (!ili_at(&arena, at, 4096)) continue;
        return at + (below(2) ? below(32) : below(512)) * 8; /* more often at its beginning */
    }
    return some_object();
}

static uint64_t some_place(enum place place) {
    const struct ili_regions *r = &arena.regions;
    uint32_t agents = (uint32_t)below(2) ? 16 : ILI_AGENTS_STEP;
    switch (place) {
    case HEADER: return below(4) ? 128 + below(sizeof(struct ili_header) - 128) : below(4096);
    case SLOTS: return r->slots_at + below(8 * sizeof(struct ili_slot));
    case CHUNKS: return (below(4) ? r->chunks_at : r->bitmap_at) + below(16 * 16);
    case NAMES:
        return below(2) ? r->stripes_at + below(ILI_STRIPES * sizeof(struct ili_stripe))
                        : r->directory_at + below(r->buckets / ILI_SEGMENT_BUCKETS) * 8;
    case AGENTS: return r->agents_at + below(agents * sizeof(struct ili_agent));
    case LEASES: return r->leases_at + below(64 * sizeof(struct ili_lease));
    case LOSSES: return r->losses_at + below(ILI_LOSSES * sizeof(struct ili_loss));
    case BELLS: return (below(2) ? r->rung_at : r->changed_at) + below(r->agents / 8);
    case OBJECTS: return some_object() + below(512);
    case MESSAGES: return some_message();
    default: return r->data_at + below((uint64_t)r->chunks * ILI_CHUNK_BYTES / 64);
    }
}

/* A word to write in place of OLD. */
static uint64_t some_word(uint64_t old) {
    static const uint64_t odd[] = {0,         UINT64_MAX, UINT32_MAX, INT64_MAX,
                                   INT64_MIN, UINT32_MAX, INT32_MAX,  UINT64_C(1) << 32};
    switch (below(12)) {
    case 0: return any();
    case 1: return old ^ UINT64_C(1) << below(64);
    case 2: return old + below(17) - 8;
    case 3: return below(17);
    case 4: return 1 + below(24) + (below(4) == 0 ? ILI_GUARD_WAITED : 0); /* an agent */
    case 5: return (1 + below(24)) << 32 | (1 + below(24));                /* two */
    case 6: return odd[below(sizeof odd / sizeof odd[0])];
    case 7: return some_object();
    case 8: return some_message() / 64 * 64;
    case 9: return some_place((enum place)below(PLACES)) / 8 * 8;
    case 10: return arena.bytes - below(9) * 64;
    default: return word_at(some_place((enum place)below(PLACES)));
    }
}

static void write_somewhere(const enum place *places, size_t count) {
    uint64_t at = some_place(places[below(count)]) / 4 * 4;
    if (at + 8 > arena.bytes) return;
    int64_t linger = (int64_t)below(LINGER_MOST);
    bool back = at < offsetof(struct ili_header, token_floor) || below(64) != 0;
    if (at % 8 == 0 && below(2)) {
        _Atomic uint64_t *word = (_Atomic uint64_t *)(arena.base + at);
        uint64_t old = atomic_load_explicit(word, memory_order_relaxed), now = some_word(old);
        atomic_store_explicit(word, now, memory_order_relaxed);
        while (back && linger-- > 0) ili_relax();
        if (back) {
            atomic_compare_exchange_strong_explicit(word, &now, old, memory_order_relaxed,
                                                    memory_order_relaxed);
        }
    } else {
        _Atomic uint32_t *word = (_Atomic uint32_t *)(arena.base + at);
        uint32_t old = atomic_load_explicit(word, memory_order_relaxed);
        uint32_t now = (uint32_t)some_word(old);
        atomic_store_explicit(word, now, memory_order_relaxed);
        while (back && linger-- > 0) ili_relax();
        if (back) {
            atomic_compare_exchange_strong_explicit(word, &now, old, memory_order_relaxed,
                                                    memory_order_relaxed);
        }
    }
}

int main(int count, char **arguments) {
    enum place places[PLACES * 4];
    size_t place_count = 0;
    uint32_t slot;
    int doorbell, life;
    if (count < 4) {
        fprintf(stderr, "usage: writer SOCKET SECONDS SEED [PLACE...]\n");
        return 2;
    }
    for (int i = 4; i < count && place_count < PLACES * 4; i++) {
        unsigned place = 0;
        while (place < PLACES && strcmp(place_names[place], arguments[i]) != 0) place++;
        if (place == PLACES) {
            fprintf(stderr, "writer: no such place: %s\n", arguments[i]);
            return 2;
        }
        places[place_count++] = (enum place)place;
    }
    if (place_count == 0) {
        for (unsigned place = 0; place < PLACES; place++) {
            places[place_count++] = (enum place)place;
        }
    }
    state = strtoull(arguments[3], NULL, 10);
    ili_kinds_register();
    il_status status = ili_attach(arguments[1], "writer", &arena, &slot, &doorbell, &life);
    if (status != IL_OK) {
        fprintf(stderr, "writer: cannot attach to %s: %d\n", arguments[1], status);
        return 3; /* also when the header is in ruins */
    }
    int64_t now = ili_now_ns(), end = now + (int64_t)(atof(arguments[2]) * 1e9), look = 0;
    uint64_t writes = 0;
    while ((now = ili_now_ns()) < end) {
        if (now >= look) {
            look_for_objects();
            look = now + LOOK_NS;
        }
        for (int i = 0; i < 64; i++) write_somewhere(places, place_count);
        writes += 64;
        if (below(8) == 0) usleep((useconds_t)below(2000)); /* others get to run */
    }
    printf("%llu\n", (unsigned long long)writes);
    fflush(stdout);
    _exit(0);
}
