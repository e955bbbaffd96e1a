/* cells_fixed.h - how an element of bytes or text lies in memory. Internal to data/. */
#ifndef ILI_DATA_CELLS_FIXED_H
#define ILI_DATA_CELLS_FIXED_H

#include "data/cells.h"

/* word: bit 0 which slot is read, bits 1 to 17 its length, from bit 18 a number that grows with each change */
#define ILI_FIXED_SLOT UINT64_C(1)
#define ILI_FIXED_LENGTH_SHIFT 1
#define ILI_FIXED_LENGTH UINT64_C(0x1ffff)
#define ILI_FIXED_CHANGE_SHIFT 18

/* An element: its word, then two slots of whole words. */
static inline uint32_t ili_fixed_slot_bytes(uint32_t room) { return (room + 7) / 8 * 8; }
static inline uint32_t ili_fixed_step(uint32_t room) { return 8 + 2 * ili_fixed_slot_bytes(room); }

static inline uint64_t ili_fixed_word(const void *element) {
    return atomic_load((const _Atomic uint64_t *)element);
}

static inline uint64_t ili_fixed_length(uint64_t word) {
    return word >> ILI_FIXED_LENGTH_SHIFT & ILI_FIXED_LENGTH;
}

/* Under the guard: as ili_cells_tell(). */
void ili_cells_tell_guarded(struct ili_member *member, struct ili_agent *self,
                            struct ili_cells *cells);

#endif
