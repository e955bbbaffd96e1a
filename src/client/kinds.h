/*
 * kinds.h - how the HTTP API writes the kinds of object (IL_KIND_…).
 */
#ifndef ILI_CLIENT_KINDS_H
#define ILI_CLIENT_KINDS_H

#include <stdbool.h>
#include <stdint.h>

#include "client/json_text.h"

/* "lock": in targets and losses. Borrowed for ever. */
const char *ili_remote_kind_word(uint32_t kind);

/* "locks": in paths. Borrowed for ever. */
const char *ili_remote_kind_collection(uint32_t kind);

/* The kind that the string VALUE names; 0: none. */
uint32_t ili_remote_kind_read(struct ili_json value);

/* Whether something of that kind can be acquired. */
bool ili_remote_kind_is_acquired(uint32_t kind);

/* Whether what is acquired belongs to the thread rather than to the process. */
bool ili_remote_kind_is_threads(uint32_t kind);

#endif
