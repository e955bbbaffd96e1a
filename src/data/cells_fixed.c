/*
 * cells_fixed.c - bytes and text of a fixed room: see cells.h, cells_fixed.h.
 *
 * Who changes an element holds the guard, writes the slot that is not read, and stores the word. A reader holds
 * nothing: it copies the slot that the word names, and has it whole if the word is still the same. While it copied,
 * the slot may have been written for the change after next; then it tries again, TRIES times, and then takes the
 * guard.
 * Slots are copied by atomic words: each load acquires, each store releases. So a reader that met a word of a
 * later change also meets the later word of the element.
 */
#include "data/cells_fixed.h"

#include <stdlib.h>
#include <string.h>

#include "base/point.h"

#define TRIES 8

static _Atomic uint64_t *slot_of(const struct ili_cells_place *place, const void *element,
                                 uint64_t which) {
    uint64_t at = 8 + which * ili_fixed_slot_bytes(place->room);
    return (_Atomic uint64_t *)((uintptr_t)element + at);
}

/* ---- copies -------------------------------------------------------------------------------------- */

static void copy_out(const _Atomic uint64_t *slot, void *to, uint64_t bytes) {
    char *out = to;
    for (uint64_t at = 0; at < bytes; at += 8, slot++) {
        uint64_t word = atomic_load_explicit(slot, memory_order_acquire);
        memcpy(out + at, &word, bytes - at < 8 ? bytes - at : 8);
    }
}

static void copy_in(_Atomic uint64_t *slot, const void *from, uint64_t bytes) {
    const char *in = from;
    for (uint64_t at = 0; at < bytes; at += 8, slot++) {
        uint64_t word = 0;
        memcpy(&word, in + at, bytes - at < 8 ? bytes - at : 8);
        atomic_store_explicit(slot, word, memory_order_release);
        ILI_POINT("cells.set.writing");
    }
}

static bool equals(const _Atomic uint64_t *slot, const void *data, uint64_t bytes) {
    const char *with = data;
    for (uint64_t at = 0; at < bytes; at += 8, slot++) {
        uint64_t word = atomic_load_explicit(slot, memory_order_relaxed);
        if (memcmp(with + at, &word, bytes - at < 8 ? bytes - at : 8) != 0) return false;
    }
    return true;
}

/* ---- reading ------------------------------------------------------------------------------------- */

/* Copies what WORD names into ITEM, whose memory is there or, from ALLOCATED, made. */
static il_status take(const struct ili_cells_place *place, const void *element, uint64_t word,
                      struct ili_item *item, void **allocated) {
    uint64_t bytes = ili_fixed_length(word);
    if (bytes > place->room) return IL_ECORRUPT;
    item->bytes = bytes;
    if (bytes > item->room) return IL_ETOOBIG;
    if (!item->data && !*allocated) *allocated = malloc((size_t)place->room + 1);
    void *to = item->data ? item->data : *allocated;
    if (!to) return IL_ENOMEM;
    copy_out(slot_of(place, element, word & ILI_FIXED_SLOT), to, bytes);
    return IL_OK;
}

/* One look. False: somebody changed it meanwhile. */
static bool look(const struct ili_cells_place *place, const void *element, struct ili_item *item,
                 void **allocated, il_status *status) {
    uint64_t word = ili_fixed_word(element);
    *status = take(place, element, word, item, allocated);
    item->version = word >> ILI_FIXED_CHANGE_SHIFT;
    return ili_fixed_word(element) == word;
}

/* STATUS of a read, with what it allocated. */
static il_status finish(il_status status, struct ili_item *item, void *allocated) {
    if (status == IL_OK && allocated) {
        item->data = allocated;
    } else {
        free(allocated);
    }
    return status;
}

il_status ili_cells_get(struct ili_member *member, const struct ili_cells_place *place,
                        const void *element, struct ili_item *item) {
    struct ili_agent *self;
    void *allocated = NULL;
    il_status status = ili_cells_check_live(member, place->cells);
    if (status != IL_OK) return status;
    item->type = place->type;
    for (int i = 0; i < TRIES; i++) {
        if (look(place, element, item, &allocated, &status)) {
            return finish(status, item, allocated);
        }
    }
    status = ili_agent_current(member, &self);
    if (status == IL_OK) status = ili_guard_lock(member, self, &place->cells->guard);
    if (status == IL_OK) {
        (void)look(place, element, item, &allocated, &status);
        ili_guard_unlock(member, self, &place->cells->guard);
    }
    return finish(status, item, allocated);
}

/* ---- changing ------------------------------------------------------------------------------------ */

/* Under the guard. */
static void write_element(struct ili_member *m, struct ili_agent *self,
                          const struct ili_cells_place *place, void *element, const void *data,
                          uint64_t bytes) {
    uint64_t word = ili_fixed_word(element), next = (word & ILI_FIXED_SLOT) ^ ILI_FIXED_SLOT;
    copy_in(slot_of(place, element, next), data, bytes);
    ILI_POINT("cells.set.written");
    next |= bytes << ILI_FIXED_LENGTH_SHIFT;
    next |= ((word >> ILI_FIXED_CHANGE_SHIFT) + 1) << ILI_FIXED_CHANGE_SHIFT;
    atomic_store((_Atomic uint64_t *)element, next);
    ILI_POINT("cells.set.published");
    ili_cells_tell_guarded(m, self, place->cells);
}

static il_status begin(struct ili_member *m, struct ili_agent **self, struct ili_cells *cells) {
    il_status status = ili_member_check(m);
    if (status == IL_OK) status = ili_agent_current(m, self);
    if (status == IL_OK) status = ili_guard_lock(m, *self, &cells->guard);
    if (status != IL_OK) return status;
    status = ili_cells_check_live(m, cells);
    if (status != IL_OK) ili_guard_unlock(m, *self, &cells->guard);
    return status;
}

il_status ili_cells_set(struct ili_member *member, const struct ili_cells_place *place,
                        void *element, const void *data, uint64_t bytes) {
    struct ili_agent *self;
    if (bytes > place->room) return IL_ETOOBIG;
    il_status status = begin(member, &self, place->cells);
    if (status != IL_OK) return status;
    write_element(member, self, place, element, data, bytes);
    ili_waiting_unlock(member, self, &place->cells->guard);
    return IL_OK;
}

il_status ili_cells_compare_set(struct ili_member *member, const struct ili_cells_place *place,
                                void *element, const void *expected, uint64_t expected_bytes,
                                const void *desired, uint64_t desired_bytes, bool *swapped) {
    struct ili_agent *self;
    if (desired_bytes > place->room) return IL_ETOOBIG;
    il_status status = begin(member, &self, place->cells);
    if (status != IL_OK) return status;
    uint64_t word = ili_fixed_word(element);
    *swapped = ili_fixed_length(word) == expected_bytes && expected_bytes <= place->room &&
               equals(slot_of(place, element, word & ILI_FIXED_SLOT), expected, expected_bytes);
    if (*swapped) write_element(member, self, place, element, desired, desired_bytes);
    ili_waiting_unlock(member, self, &place->cells->guard);
    return IL_OK;
}

il_status ili_cells_exchange(struct ili_member *member, const struct ili_cells_place *place,
                             void *element, const void *data, uint64_t bytes,
                             struct ili_item *item) {
    struct ili_agent *self;
    void *allocated = NULL;
    if (bytes > place->room) return IL_ETOOBIG;
    il_status status = begin(member, &self, place->cells);
    if (status != IL_OK) return status;
    item->type = place->type;
    (void)look(place, element, item, &allocated, &status);
    if (status == IL_OK) write_element(member, self, place, element, data, bytes);
    ili_waiting_unlock(member, self, &place->cells->guard);
    return finish(status, item, allocated);
}
