/* keys.h - keys of dicts, in a path and in bodies: 0 to 1,024 bytes of UTF-8. */
#ifndef ILI_SERVER_KEYS_H
#define ILI_SERVER_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"
#include "base/out.h"
#include "work/value.h"

struct ili_request;

struct ili_key {
    const char *at; /* borrowed */
    size_t bytes;
};

/* The key that REQUEST's path ends with, decoded into ROOM (IL_KEY_MAX_BYTES). A path has no empty one.
 * IL_EINVAL with *FAULT. */
il_status ili_key_of_path(const struct ili_request *request, char *room, struct ili_key *key,
                          struct ili_fault *fault);

/* The key that VALUE (its json NULL: it is missing) is, which is decoded in its text. FIELD names it in *FAULT. */
il_status ili_key_read(const struct ili_value *value, const char *field, struct ili_key *key,
                       struct ili_fault *fault);

/* Whether KEY is one. FIELD and *FAULT as above. */
il_status ili_key_check(const struct ili_key *key, const char *field, struct ili_fault *fault);

/* Writes the member "key". */
void ili_key_write(struct ili_out *out, const struct ili_key *key);

#endif
