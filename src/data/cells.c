/*
 * cells.c - see cells.h; bytes and text: cells_fixed.c. This file is about the object, its memory, and watching.
 *
 * flags, who changes what:
 *   DELETED    set under the guard, never cleared
 *   WATCHED    as the queue of watchers says, under the guard; set before the watcher looks at the value
 * block: 0, until the memory of the elements, zeroed, is published under the guard by one store. It was in pending[2]
 *   of who made it; repair sees by `block` whether it still is.
 * version, seen: under the guard. A death between their stores makes one more version of the same state.
 *
 * A change of a number is not made under the guard: change, then WATCHED is looked at; who watches sets WATCHED,
 * then looks at the number. All of it is sequentially consistent, so one sees the other. One who dies in between
 * has the object open: recover() tells everybody to look.
 * Invariants, whenever the guard is free (ili_cells_check):
 * 1. WATCHED is set exactly if the queue is not empty, and it is empty when the object is deleted.
 * 2. Type, room, length and block make sense together (ili_cells_look), and so do the words of bytes and text.
 * Lock order: this guard is taken alone, or inside a stripe of names; inside it the allocator's.
 */
#include "data/cells.h"

#include <string.h>

#include "arena/alloc.h"
#include "base/point.h"
#include "data/cell.h"
#include "data/cells_fixed.h"

/* ---- types and sizes ------------------------------------------------------------------------------ */

static const char *const type_words[] = {
    [IL_I8] = "i8",   [IL_I16] = "i16", [IL_I32] = "i32",           [IL_I64] = "i64",
    [IL_U8] = "u8",   [IL_U16] = "u16", [IL_U32] = "u32",           [IL_U64] = "u64",
    [IL_F32] = "f32", [IL_F64] = "f64", [IL_FIXED_BYTES] = "bytes", [IL_FIXED_TEXT] = "text",
};
#define TYPES (sizeof type_words / sizeof *type_words)

const char *ili_cells_type_word(uint32_t type) { return type < TYPES ? type_words[type] : NULL; }

uint32_t ili_cells_type_named(const char *word) {
    for (uint32_t type = 1; type < TYPES; type++) {
        if (strcmp(type_words[type], word) == 0) return type;
    }
    return 0;
}

/* Bytes from one element to the next; 0: there is no such type, or not with that room. */
static uint32_t step_of(uint32_t type, uint32_t room) {
    if (ili_cells_is_number(type)) return room == 0 ? ili_cell_bytes(type) : 0;
    if (type != IL_FIXED_BYTES && type != IL_FIXED_TEXT) return 0;
    return room >= 1 && room <= IL_ROOM_MAX_BYTES ? ili_fixed_step(room) : 0;
}

uint64_t ili_cells_bytes(const struct ili_cells_options *options) {
    uint64_t bytes, step = step_of(options->type, options->room);
    return __builtin_mul_overflow(step, options->length, &bytes) ? UINT64_MAX : bytes;
}

/* Whether the elements are the number in the object. */
static bool is_inside(uint32_t kind, uint32_t type) {
    return kind == ILI_KIND_VALUE && ili_cells_is_number(type);
}

/* ---- the kinds ------------------------------------------------------------------------------------ */

static void init(struct ili_member *member, void *object, const void *options) {
    struct ili_cells *cells = object;
    const struct ili_cells_options *o = options;
    (void)member;
    cells->guard.kind = ILI_GUARD_CELLS;
    cells->type = o ? o->type : IL_I64;
    cells->room = o ? o->room : 0;
    cells->length = o ? o->length : 1;
}

static bool same(const void *object, const void *options) {
    const struct ili_cells *cells = object;
    const struct ili_cells_options *o = options;
    return cells->type == o->type && cells->room == o->room && cells->length == o->length;
}

/* ---- memory --------------------------------------------------------------------------------------- */

il_status ili_cells_prepare(struct ili_member *member, const struct ili_cells_options *options,
                            ili_off *spare) {
    struct ili_agent *self;
    ili_off block;
    uint64_t bytes = ili_cells_bytes(options);
    if (bytes > ili_arena_share(&member->arena)) return IL_ENOMEM;
    il_status status = ili_agent_current(member, &self);
    if (status == IL_OK) status = ili_alloc(member, self, 2, bytes, &block);
    if (status != IL_OK) return status;
    void *memory = ili_at(&member->arena, block, bytes);
    if (!memory) return IL_ECORRUPT;
    memset(memory, 0, bytes);
    *spare = block;
    return IL_OK;
}

static bool has_spare(const struct ili_agent *self, ili_off spare) {
    return spare && atomic_load_explicit(&self->pending[2], memory_order_relaxed) == spare;
}

void ili_cells_give_up(struct ili_member *member, ili_off spare) {
    struct ili_agent *self;
    if (!spare || ili_agent_current(member, &self) != IL_OK) return;
    /* what cannot be freed now is freed by the next who needs the place */
    if (has_spare(self, spare)) (void)ili_alloc_free(member, self, 2);
}

il_status ili_cells_look(struct ili_member *member, struct ili_cells *object,
                         struct ili_cells_place *place) {
    uint32_t kind = ili_once32(&object->object.kind), type = ili_once32(&object->type);
    uint32_t room = ili_once32(&object->room), step = step_of(type, room);
    uint64_t length = *(volatile uint64_t *)&object->length, bytes;
    if (step == 0 || length == 0 || __builtin_mul_overflow(step, length, &bytes)) {
        return IL_ECORRUPT;
    }
    if (kind == ILI_KIND_VALUE && length != 1) return IL_ECORRUPT;
    uint8_t *first = (uint8_t *)&object->number;
    if (!is_inside(kind, type)) {
        /* acquire: pairs with give_memory(): the elements are zeroed */
        ili_off block = atomic_load_explicit(&object->block, memory_order_acquire);
        if (block == 0) return IL_EBUSY;
        first = ili_at(&member->arena, block, bytes);
        if (!first) return IL_ECORRUPT;
    }
    *place = (struct ili_cells_place){object, first, length, type, room, step, 0};
    return IL_OK;
}

/* Gives CELLS, which had no memory, the block SPARE, or another if that is gone. */
static il_status give_memory(struct ili_member *m, struct ili_cells *cells, ili_off *spare) {
    struct ili_agent *self;
    struct ili_cells_options o = {ili_once32(&cells->type), ili_once32(&cells->room),
                                  *(volatile uint64_t *)&cells->length};
    il_status status = ili_agent_current(m, &self);
    /* it may have been freed since, by who needed the place */
    if (status == IL_OK && !has_spare(self, *spare)) status = ili_cells_prepare(m, &o, spare);
    if (status == IL_OK) status = ili_guard_lock(m, self, &cells->guard);
    if (status != IL_OK) return status;
    if (atomic_load_explicit(&cells->block, memory_order_relaxed) == 0) {
        /* release: who finds the elements finds them zeroed */
        atomic_store_explicit(&cells->block, *spare, memory_order_release);
        ILI_POINT("cells.block.published");
        ili_alloc_published(self, 2);
    }
    ili_guard_unlock(m, self, &cells->guard);
    return IL_OK;
}

il_status ili_cells_ready(struct ili_member *member, struct ili_cells *object, ili_off spare,
                          struct ili_cells_place *place) {
    il_status status = ili_cells_look(member, object, place);
    if (status == IL_EBUSY) {
        status = give_memory(member, object, &spare);
        if (status == IL_OK) status = ili_cells_look(member, object, place);
    }
    ili_cells_give_up(member, spare);
    return status;
}

static il_status dispose(struct ili_member *member, struct ili_agent *self, struct ili_agent *owner,
                         void *object) {
    struct ili_cells *cells = object;
    (void)owner;
    return ili_alloc_free_word(member, self, &cells->block);
}

/* ---- watching -------------------------------------------------------------------------------------- */

/* WATCHED as the queue says. Under the guard. */
static void mark(struct ili_cells *cells) {
    if (ili_waitq_count(&cells->watchers)) {
        atomic_fetch_or(&cells->flags, ILI_CELLS_WATCHED);
    } else {
        atomic_fetch_and(&cells->flags, ~ILI_CELLS_WATCHED);
    }
}

static void left_queue(struct ili_member *member, struct ili_agent *self, void *object) {
    (void)member, (void)self;
    mark(object);
}

static struct ili_waiting waiting_at(struct ili_cells *cells) {
    return (struct ili_waiting){
        .guard = &cells->guard, .queue = &cells->watchers, .object = cells, .left = left_queue};
}

void ili_cells_tell_guarded(struct ili_member *member, struct ili_agent *self,
                            struct ili_cells *cells) {
    struct ili_waiting waiting = waiting_at(cells);
    if (!(atomic_load(&cells->flags) & ILI_CELLS_WATCHED)) return;
    ili_waiting_tell_all(member, self, &waiting, IL_OK);
    ILI_POINT("cells.tell.told");
    mark(cells);
}

void ili_cells_tell(struct ili_member *member, struct ili_cells *cells) {
    struct ili_agent *self;
    ILI_POINT("cells.tell.changed");
    /* if the guard is not to be had, WATCHED stays, and the next change tells */
    if (ili_agent_current(member, &self) != IL_OK) return;
    if (ili_guard_lock(member, self, &cells->guard) != IL_OK) return;
    ili_cells_tell_guarded(member, self, cells);
    ili_waiting_unlock(member, self, &cells->guard);
}

/* The state in one word: a number's bits, or the word of bytes and text, which no two states have in common. */
static uint64_t state_of(const struct ili_cells_place *place) {
    uint64_t state = 0;
    if (!ili_cells_is_number(place->type)) return ili_fixed_word(place->first);
    ili_cell_load(place->type, place->first, &state);
    return state;
}

/* Under the guard. */
static uint64_t observe(struct ili_cells *cells, const struct ili_cells_place *place) {
    uint64_t version = atomic_load_explicit(&cells->version, memory_order_relaxed);
    uint64_t state = state_of(place);
    if (version && state == atomic_load_explicit(&cells->seen, memory_order_relaxed)) {
        return version;
    }
    atomic_store_explicit(&cells->version, version + 1, memory_order_relaxed);
    ILI_POINT("cells.observe.counted");
    atomic_store_explicit(&cells->seen, state, memory_order_relaxed);
    return version + 1;
}

/* Takes the guard of a VALUE that is there. */
static il_status begin(struct ili_member *m, struct ili_agent **self, struct ili_cells *value,
                       struct ili_cells_place *place) {
    il_status status = ili_agent_current(m, self);
    if (status == IL_OK) status = ili_cells_look(m, value, place);
    if (status == IL_OK) status = ili_guard_lock(m, *self, &value->guard);
    if (status != IL_OK) return status;
    status = ili_cells_check_live(m, value);
    if (status != IL_OK) ili_guard_unlock(m, *self, &value->guard);
    return status;
}

il_status ili_cells_observe(struct ili_member *member, struct ili_cells *value, uint64_t *version) {
    struct ili_cells_place place;
    struct ili_agent *self;
    il_status status = begin(member, &self, value, &place);
    if (status != IL_OK) return status;
    *version = observe(value, &place);
    ili_guard_unlock(member, self, &value->guard);
    return IL_OK;
}

/* WAITER NULL: the calling thread. *VERSION becomes another one with IL_OK. */
static il_status enqueue(struct ili_member *m, struct ili_cells *value, uint64_t *version,
                         struct ili_agent *waiter) {
    struct ili_cells_place place;
    struct ili_agent *self;
    struct ili_waiting waiting = waiting_at(value);
    il_status status = begin(m, &self, value, &place);
    if (status != IL_OK) return status;
    atomic_fetch_or(&value->flags, ILI_CELLS_WATCHED); /* before the look: see above */
    ILI_POINT("cells.watch.marked");
    uint64_t now = observe(value, &place);
    if (now == *version) {
        ili_waiting_begin(m, &waiting, waiter ? waiter : self, 0, 0);
        status = IL_ETIMEOUT;
    } else {
        *version = now;
        mark(value);
    }
    ili_guard_unlock(m, self, &value->guard);
    return status;
}

il_status ili_cells_enqueue(struct ili_member *member, struct ili_cells *value, uint64_t version,
                            struct ili_agent *waiter) {
    return enqueue(member, value, &version, waiter);
}

il_status ili_cells_poll(struct ili_agent *waiter) { return ili_waiting_poll(waiter, NULL); }

il_status ili_cells_withdraw(struct ili_member *member, struct ili_cells *value,
                             struct ili_agent *waiter) {
    struct ili_waiting waiting = waiting_at(value);
    return ili_waiting_withdraw(member, &waiting, waiter, NULL);
}

il_status ili_cells_watch(struct ili_member *member, struct ili_cells *value, uint64_t *version,
                          int64_t deadline_ns) {
    struct ili_agent *self;
    struct ili_waiting waiting = waiting_at(value);
    uint64_t now = *version;
    il_status status;
    if (deadline_ns == 0) {
        status = ili_cells_observe(member, value, &now);
        if (status == IL_OK && now == *version) status = IL_ETIMEOUT;
    } else {
        status = ili_agent_current(member, &self);
        while (status == IL_OK && (status = enqueue(member, value, &now, NULL)) == IL_ETIMEOUT) {
            status = ili_waiting_sleep(member, self, &waiting, deadline_ns, NULL);
        }
    }
    if (status == IL_OK) *version = now;
    return status;
}

/* ---- end and repair --------------------------------------------------------------------------------- */

static il_status end(struct ili_member *member, struct ili_agent *self, void *object) {
    struct ili_cells *cells = object;
    struct ili_waiting waiting = waiting_at(cells);
    il_status status = ili_guard_lock(member, self, &cells->guard);
    if (status != IL_OK) return status;
    atomic_fetch_or(&cells->flags, ILI_CELLS_DELETED);
    ILI_POINT("cells.end.marked");
    ili_waiting_tell_all(member, self, &waiting, IL_EDELETED);
    mark(cells);
    ili_waiting_unlock(member, self, &cells->guard);
    return IL_OK;
}

/* Under the guard, after a death: everybody is to look. */
static void tell_after_death(struct ili_member *m, struct ili_agent *self,
                             struct ili_cells *cells) {
    struct ili_waiting waiting = waiting_at(cells);
    bool deleted = (atomic_load(&cells->flags) & ILI_CELLS_DELETED) != 0;
    ili_waiting_tell_all(m, self, &waiting, deleted ? IL_EDELETED : IL_OK);
    mark(cells);
}

void ili_cells_repair(struct ili_member *member, struct ili_agent *self, struct ili_cells *cells,
                      struct ili_agent *dead) {
    struct ili_waiting waiting = waiting_at(cells);
    ili_off block = atomic_load_explicit(&cells->block, memory_order_relaxed);
    if (block && atomic_load_explicit(&dead->pending[2], memory_order_relaxed) == block) {
        ili_alloc_published(dead, 2);
    }
    ili_waiting_repair(member, &waiting, UINT32_MAX);
    tell_after_death(member, self, cells);
}

static il_status recover(struct ili_member *member, struct ili_agent *self, void *object,
                         uint32_t slot) {
    struct ili_cells *cells = object;
    struct ili_waiting waiting = waiting_at(cells);
    il_status status = ili_guard_lock(member, self, &cells->guard);
    if (status != IL_OK) return status;
    ili_waiting_repair(member, &waiting, slot);
    tell_after_death(member, self, cells);
    ili_waiting_unlock(member, self, &cells->guard);
    return IL_OK;
}

static struct ili_waitq *waiters(void *object, unsigned which) {
    return which == 0 ? &((struct ili_cells *)object)->watchers : NULL;
}

il_status ili_cells_check(struct ili_member *member, struct ili_cells *cells) {
    struct ili_cells_place place;
    uint32_t flags = atomic_load(&cells->flags);
    bool watched = (flags & ILI_CELLS_WATCHED) != 0;
    if (!ili_waitq_sound(member, &cells->watchers)) return IL_ECORRUPT;
    if (watched != (ili_waitq_first(member, &cells->watchers) != NULL)) return IL_ECORRUPT;
    if (watched && flags & ILI_CELLS_DELETED) return IL_ECORRUPT;
    il_status status = ili_cells_look(member, cells, &place);
    if (status == IL_EBUSY) return IL_OK; /* it has no memory yet */
    if (status != IL_OK || ili_cells_is_number(place.type)) return status;
    for (uint64_t i = 0; i < place.length; i++) {
        uint64_t word = ili_fixed_word(place.first + i * place.step);
        if (ili_fixed_length(word) > place.room) return IL_ECORRUPT;
    }
    return IL_OK;
}

const struct ili_kind ili_value_kind = {
    .number = ILI_KIND_VALUE,
    .word = "value",
    .bytes = sizeof(struct ili_cells),
    .init = init,
    .same = same,
    .end = end,
    .dispose = dispose,
    .recover = recover,
    .waiters = waiters,
};

const struct ili_kind ili_array_kind = {
    .number = ILI_KIND_ARRAY,
    .word = "array",
    .bytes = sizeof(struct ili_cells),
    .init = init,
    .same = same,
    .end = end,
    .dispose = dispose,
    .recover = recover,
    .waiters = waiters,
};
