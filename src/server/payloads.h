/* payloads.h - several messages of one body, as item.h has them. */
#ifndef ILI_SERVER_PAYLOADS_H
#define ILI_SERVER_PAYLOADS_H

#include "data/item.h"
#include "server/item.h"

struct ili_request;

struct ili_payloads {
    struct ili_payload *at; /* owned; what they point at lies in the body */
    size_t count;
};

/* Reads LIST, an array of LEAST to MOST objects that hold one message each. FIELD is its name. IL_EINVAL,
 * IL_ETOOBIG, IL_ENOMEM with *FAULT; free OUT in every case. */
il_status ili_payloads_read(const struct ili_value *list, const char *field, size_t least,
                            size_t most, struct ili_payloads *out, struct ili_fault *fault);

/* The same for an array of JSON values. */
il_status ili_payloads_read_values(const struct ili_value *list, const char *field, size_t least,
                                   size_t most, struct ili_payloads *out, struct ili_fault *fault);

void ili_payloads_free(struct ili_payloads *payloads);

/* Writes ITEM's message and its version into the object that is open. */
void ili_payload_write_item(struct ili_out *out, const struct ili_item *item);

#endif
