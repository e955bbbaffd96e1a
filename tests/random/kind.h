/*
 * kind.h - what the random campaign knows of a kind of object: how an operation is drawn, made through a
 * door, and made on a plain model in ordinary memory.
 *
 * An operation and its answer lie in memory that the driver and one worker share. Both the worker
 * (from the library) and the model (by apply) fill in an answer, and the two must be equal, errors included.
 */
#ifndef TESTS_RANDOM_KIND_H
#define TESTS_RANDOM_KIND_H

#include <interlock.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIECES 1024
#define ROOM (4u << 20)
#define POINTS 64
#define WHY 500

/* Several keys or values, and the bytes of them. */
struct piece {
    uint32_t what; /* of a dict's change */
    uint32_t type;
    uint64_t key_at, key_bytes;
    uint64_t at, bytes;
    uint64_t version;
};

struct cargo {
    uint32_t count;
    uint64_t used; /* bytes of room */
    struct piece pieces[PIECES];
    char room[ROOM];
};

#define REMOVE_OBJECT 0u /* code: deletes the object; those of a kind are above */
#define LET_GO 1u        /* code: closes the worker's handle */
#define KIND_CODES 2u
#define CODES 32u

#define BY_DRIVER 1u /* flag: all workers close their handles, then the driver itself makes it */

#define WITH_OTHER 2u /* flag: object->other takes part; its generation is other_generation */

struct operation {
    uint32_t object, generation, code;
    uint32_t type, end, flags, other_generation;
    int64_t start, stop;
    uint64_t version, count, capacity;
    const char *point; /* not NULL: the worker is killed at its PASSAGEth passage */
    uint32_t passage;
    struct cargo cargo; /* the first piece: the key and the value, where there is one */
};

#define UNTOUCHED UINT64_C(0x5a5a5a5a5a5a5a5a) /* what out parameters hold before a call */

struct answer {
    il_status status;
    uint64_t number, bytes, version, type;
    struct cargo cargo;
    il_status
        got; /* apply(): what the door said, for where the contract leaves it open; IL_OK after a death */
    /* of the worker only */
    char message[400];
    _Atomic uint32_t done;
    uint32_t passed_count;
    const char *passed[POINTS]; /* points; the same addresses in driver and worker */
    uint32_t passages[POINTS];
};

struct object {
    const struct random_kind *kind;
    unsigned variant;
    char name[32];
    uint32_t number, generation;
    uint64_t target; /* the length that it grows or shrinks to */
    void *model;
    struct object *other; /* of the same kind, for a copy */
};

struct random_kind {
    const char *name;
    unsigned weight;   /* how often one of it is used */
    unsigned variants; /* objects of it, with different options */
    void *(*make_model)(unsigned variant);
    void (*free_model)(void *model);
    il_status (*open)(il_domain *domain, const struct object *object, void **handle);
    void (*close)(void *handle);
    il_status (*remove)(il_domain *domain, const char *name, size_t bytes);
    void (*draw)(struct object *object, struct operation *op, uint64_t *random);
    /* In a worker. OTHER: its handle of object->other. */
    void (*perform)(void *handle, void *other, const struct operation *op, struct answer *answer);
    /* On the model; what the answer must be. */
    void (*apply)(struct object *object, const struct operation *op, struct answer *answer);
    /* NULL: an operation is one step. Else makes PART (from 0) of what a death may leave half done; false: there
     * is no such part. */
    bool (*apply_part)(struct object *object, const struct operation *op, uint32_t part);
    /* Reads the whole object, with nobody at work, and compares it. False: WHY says what differs. What
     * cannot be read without taking it is put back; where that is impossible, a model that was equal is emptied
     * as well. */
    bool (*same)(struct object *object, void *handle, char why[WHY]);
    /* Whether the invariants hold, with nobody at work. */
    il_status (*check)(il_domain *domain, void *handle);
};

extern const struct random_kind random_queue, random_pipe, random_value, random_array, random_dict,
    random_list;

/* ---- drawing ------------------------------------------------------------------------------------ */

/* One of 0 … COUNT - 1. */
uint32_t draw_below(uint64_t *random, uint32_t count);
/* 0 bytes to 100 KiB, mostly few. */
uint64_t draw_bytes(uint64_t *random);
/* A value of about BYTES (0 to what one is) appended to CARGO as a piece. TYPE: IL_BYTES, IL_TEXT, IL_JSON. */
struct piece *draw_value(struct cargo *cargo, uint32_t type, uint64_t bytes, uint64_t *random);
/* Any type, any size; small enough for the rest of CARGO. */
struct piece *draw_any_value(struct cargo *cargo, uint64_t *random);
/* A buffer that is mostly large enough. */
uint64_t draw_capacity(uint64_t *random);

/* ---- pieces ------------------------------------------------------------------------------------- */

void cargo_clear(struct cargo *cargo);
struct piece *cargo_add(struct cargo *cargo, uint32_t type, const void *data, uint64_t bytes);
void cargo_add_key(struct cargo *cargo, struct piece *piece, const void *key, uint64_t bytes);
static inline const char *cargo_key(const struct cargo *cargo, const struct piece *piece) {
    return cargo->room + piece->key_at;
}
static inline const char *cargo_data(const struct cargo *cargo, const struct piece *piece) {
    return cargo->room + piece->at;
}
/* A piece for what a call wrote to the beginning of the room. */
void cargo_took(struct cargo *cargo, uint32_t type, uint64_t bytes, uint64_t version);

/* As before any call. */
void answer_begin(struct answer *answer);
/* False: WHY says what differs. */
bool answers_equal(const struct answer *got, const struct answer *expected, char why[WHY]);

#endif
