/*
 * error.h - the calling thread's last failure in words.
 *
 * Only the layers that face a caller write it (lib/, client/): core code returns codes.
 */
#ifndef ILI_BASE_ERROR_H
#define ILI_BASE_ERROR_H

#include <interlock.h>

#define ILI_ERROR_TEXT_BYTES 512

/* Writes the thread's error text and returns STATUS, so that `return ili_fail(…)` is the one way
 * out. The sentence of STATUS is put before the text; a NULL FORMAT leaves it alone. */
il_status ili_fail(il_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

const char *ili_error_text(void);

#endif
