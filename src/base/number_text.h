/*
 * number_text.h - numbers of the types IL_I8 … IL_F64 (interlock_data.h) as JSON writes them, exactly both ways.
 *
 * Integers are written with all their digits. Floats are written so that they are read back as the same number;
 * what JSON has no number for is a word: nan, inf, -inf. Whatever locale the process has.
 */
#ifndef ILI_BASE_NUMBER_TEXT_H
#define ILI_BASE_NUMBER_TEXT_H

#include <interlock.h>
#include <stdbool.h>

#define ILI_NUMBER_TEXT_BYTES 40

/* Reads TEXT, which is a number as JSON has it, as TYPE into OUT (of that type). False: it does not fit, or is not
 * whole where it must be; *OUT is untouched. */
bool ili_number_read(uint32_t type, const char *text, size_t bytes, void *out);

/* The same for one of the words, of a float. */
bool ili_number_read_word(uint32_t type, const char *text, size_t bytes, void *out);

/* Writes NUMBER into ROOM, ends it with NUL, and returns its length. *WORD: it is one of the words. */
size_t ili_number_write(uint32_t type, const void *number, char room[ILI_NUMBER_TEXT_BYTES],
                        bool *word);

/* "an integer from -128 to 127": what ili_number_read() takes. */
const char *ili_number_range(uint32_t type);

#endif
