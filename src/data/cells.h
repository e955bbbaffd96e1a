/*
 * cells.h - numbers, and bytes or text of a fixed room: what values (one of them) and arrays (many) hold.
 *
 * Each call on one element is atomic and sequentially consistent. Numbers are plain atomics (cell.h). Bytes and
 * text lie in two slots, of which a word names the one to be read: a new content is written where nobody reads,
 * under the guard, and published by one store. A death therefore leaves the old content or the new one.
 *
 * A value's number lies in the object; everything else in a block of its own, which an object may lack until it
 * is opened for use (ili_cells_ready). Who uses an object does so by a struct ili_cells_place: what the arena said
 * of it once, checked, and not read again.
 *
 * Sharing: any number of processes and threads. Those who watch a value are told after a change; a change of
 * a number is made without the guard, so who made it and died before telling is found by the recovery.
 */
#ifndef ILI_DATA_CELLS_H
#define ILI_DATA_CELLS_H

#include "data/item.h"
#include "sync/waiting.h"

#define ILI_CELLS_DELETED 1u /* the name is gone: all calls fail */
#define ILI_CELLS_WATCHED 2u /* somebody is in `watchers` */

struct ili_cells {
    struct ili_object object;

    /* what every call reads, and a value's number */
    _Atomic uint64_t number; /* a value's, unless it is bytes or text */
    _Atomic uint32_t flags;  /* ILI_CELLS_… */
    uint32_t type;           /* IL_I8 … IL_FIXED_TEXT */
    uint32_t room;           /* IL_FIXED_…: bytes; else 0 */
    uint32_t reserved;
    uint64_t length;       /* elements */
    _Atomic ili_off block; /* where they lie, but for a value's number; 0: it has no memory yet */
    /* an rlock without a name that goes with an object without one; 0: not known yet */
    _Atomic ili_off lock;
    _Atomic uint32_t lock_birth;
    uint32_t reserved2[3];

    /* watching, and changes of bytes and text */
    struct ili_guard guard; /* kind CELLS; protects the rest */
    struct ili_waitq watchers;
    _Atomic uint64_t version; /* how many states were observed, from 1 */
    _Atomic uint64_t seen;    /* what the newest of them was: see ili_cells_observe() */
};
_Static_assert(sizeof(struct ili_cells) == 192, "shared layout");
_Static_assert(offsetof(struct ili_cells, number) == 64, "a line of its own");

struct ili_cells_options {
    uint32_t type, room;
    uint64_t length; /* a value's: 1 */
};

/* Options: struct ili_cells_options; NULL: an IL_I64, of length 1. */
extern const struct ili_kind ili_value_kind, ili_array_kind;

/* What is known of an object, for as long as it is open. */
struct ili_cells_place {
    struct ili_cells *cells;
    uint8_t *first;  /* element */
    uint64_t length; /* elements */
    uint32_t type, room;
    uint32_t step; /* bytes from one element to the next */
    uint32_t reserved;
};

/* "i64" … "f64", "bytes", "text"; NULL: there is no such type. */
const char *ili_cells_type_word(uint32_t type);

/* The type of that word; 0: none. */
uint32_t ili_cells_type_named(const char *word);

static inline bool ili_cells_is_number(uint32_t type) { return type >= IL_I8 && type <= IL_F64; }

/* Bytes that elements as OPTIONS (a type and room that exist) say take in the arena; UINT64_MAX: too many to
 * be counted. */
uint64_t ili_cells_bytes(const struct ili_cells_options *options);

/* Sets memory aside, *SPARE, in pending[2] of the calling thread, for an object that is about to be made with
 * OPTIONS, so that none is made in vain. IL_ENOMEM, IL_EBUSY, or why the member may not act. */
il_status ili_cells_prepare(struct ili_member *member, const struct ili_cells_options *options,
                            ili_off *spare);

/* OBJECT was opened: gives it memory if it has none, SPARE (0: none was prepared) if that is still there, and looks
 * at it. What is not needed is freed. IL_ENOMEM, IL_EBUSY, IL_ECORRUPT, or why the member may not act. */
il_status ili_cells_ready(struct ili_member *member, struct ili_cells *object, ili_off spare,
                          struct ili_cells_place *place);

/* It was not opened: frees SPARE. */
void ili_cells_give_up(struct ili_member *member, ili_off spare);

/* Looks at OBJECT without a change. IL_ECORRUPT; IL_EBUSY: it has no memory yet. */
il_status ili_cells_look(struct ili_member *member, struct ili_cells *object,
                         struct ili_cells_place *place);

/* IL_OK, IL_EDELETED, or why the member may not act. */
static inline il_status ili_cells_check_live(const struct ili_member *member,
                                             const struct ili_cells *cells) {
    il_status status = ili_member_check(member);
    if (status != IL_OK) return status;
    /* acquire: the end of the object happens before what its users do next */
    uint32_t flags = atomic_load_explicit(&cells->flags, memory_order_acquire);
    return flags & ILI_CELLS_DELETED ? IL_EDELETED : IL_OK;
}

/* The element of INDEX, which may count from the end; NULL: there is none. */
static inline void *ili_cells_at(const struct ili_cells_place *place, int64_t index) {
    uint64_t at = index < 0 ? (uint64_t)index + place->length : (uint64_t)index;
    return at < place->length ? place->first + at * place->step : NULL;
}

/* A number of the object was changed by an atomic of cell.h: tells those who watch, if anybody does. */
void ili_cells_tell(struct ili_member *member, struct ili_cells *cells);
static inline void ili_cells_changed(struct ili_member *member, struct ili_cells *cells) {
    /* seq_cst, as the change before it: this sees WATCHED, or who set it sees the change */
    if (atomic_load(&cells->flags) & ILI_CELLS_WATCHED) ili_cells_tell(member, cells);
}

/* ---- bytes and text: ELEMENT of ili_cells_at() ---------------------------------------------------- */

/* Never wait but for the guard: IL_EBUSY, or why the member may not act; IL_EDELETED. BYTES up to room. */

/* IL_ETOOBIG (item->bytes is what it has), IL_ENOMEM. */
il_status ili_cells_get(struct ili_member *member, const struct ili_cells_place *place,
                        const void *element, struct ili_item *item);
il_status ili_cells_set(struct ili_member *member, const struct ili_cells_place *place,
                        void *element, const void *data, uint64_t bytes);
/* Stores DESIRED if EXPECTED is what is there; *SWAPPED says whether. */
il_status ili_cells_compare_set(struct ili_member *member, const struct ili_cells_place *place,
                                void *element, const void *expected, uint64_t expected_bytes,
                                const void *desired, uint64_t desired_bytes, bool *swapped);
/* Stores DATA; ITEM is what was there. IL_ETOOBIG, IL_ENOMEM: then nothing is stored. */
il_status ili_cells_exchange(struct ili_member *member, const struct ili_cells_place *place,
                             void *element, const void *data, uint64_t bytes,
                             struct ili_item *item);

/* ---- watching a value ------------------------------------------------------------------------------ */

/* *VERSION: a number, from 1, that grows with each state of the value that somebody finds here to be another than
 * the one before. Who has read the value after a call knows the state of that version, or a newer one.
 * IL_EDELETED, IL_EBUSY, or why the member may not act. */
il_status ili_cells_observe(struct ili_member *member, struct ili_cells *value, uint64_t *version);

/* Waits with the calling thread until the value's version is not *VERSION, which it becomes, or DEADLINE_NS.
 * IL_ETIMEOUT, IL_EINTR, IL_ECANCELLED, IL_EDELETED, or why the member may not act. */
il_status ili_cells_watch(struct ili_member *member, struct ili_cells *value, uint64_t *version,
                          int64_t deadline_ns);

/* Without a thread. IL_OK: the version is not VERSION. IL_ETIMEOUT: WAITER waits until it may be another; then
 * ask again. IL_EDELETED, or why the guard was not to be had. */
il_status ili_cells_enqueue(struct ili_member *member, struct ili_cells *value, uint64_t version,
                            struct ili_agent *waiter);

/* IL_OK: the version may be another. IL_ETIMEOUT: WAITER still waits. IL_EDELETED. */
il_status ili_cells_poll(struct ili_agent *waiter);

/* Takes WAITER out. IL_ETIMEOUT: done; IL_EBUSY: it still waits; else what it had been told. */
il_status ili_cells_withdraw(struct ili_member *member, struct ili_cells *value,
                             struct ili_agent *waiter);

/* ---- repair ---------------------------------------------------------------------------------------- */

/* The dead agent DEAD holds the guard. */
void ili_cells_repair(struct ili_member *member, struct ili_agent *self, struct ili_cells *cells,
                      struct ili_agent *dead);

/* With nobody at work: IL_ECORRUPT if an invariant of cells.c does not hold. */
il_status ili_cells_check(struct ili_member *member, struct ili_cells *cells);

#endif
