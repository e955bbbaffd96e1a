/*
 * cell.h - one number in memory that all share, as a C11 atomic of its type.
 *
 * AT is aligned to the number's size, TYPE is one of IL_I8 … IL_F64. What is passed and returned is of that type,
 * by address, of any alignment. All operations are sequentially consistent; integers wrap around; floats are
 * stored, exchanged and compared by their bits.
 */
#ifndef ILI_DATA_CELL_H
#define ILI_DATA_CELL_H

#include <interlock.h>
#include <stdbool.h>

/* Bytes of a number of TYPE; 0: it is none. */
uint32_t ili_cell_bytes(uint32_t type);

void ili_cell_load(uint32_t type, const void *at, void *out);
void ili_cell_store(uint32_t type, void *at, const void *in);
/* BEFORE may be NULL. */
void ili_cell_add(uint32_t type, void *at, const void *delta, void *before);
void ili_cell_exchange(uint32_t type, void *at, const void *in, void *before);
/* False: *EXPECTED is what it is instead. */
bool ili_cell_compare_exchange(uint32_t type, void *at, void *expected, const void *desired);

#endif
