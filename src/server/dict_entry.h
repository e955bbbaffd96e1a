/* dict_entry.h - what the calls about one entry of a dict share: setting, removing, answering. */
#ifndef ILI_SERVER_DICT_ENTRY_H
#define ILI_SERVER_DICT_ENTRY_H

#include "data/dict.h"
#include "server/item.h"
#include "server/keys.h"
#include "server/preconditions.h"

struct ili_request;

/* Opens the request's dict, sets KEY to MESSAGE (in what CONDITION allows) and answers. */
void ili_dict_entry_set(struct ili_request *request, const struct ili_key *key,
                        const struct ili_payload *message,
                        const struct ili_precondition *condition);

/* Removes KEY. IL_ENOKEY; IL_ECHANGED with *REFUSAL if CONDITION does not hold. */
il_status ili_dict_entry_remove(struct ili_request *request, struct ili_dict *dict,
                                const struct ili_key *key, const struct ili_precondition *condition,
                                uint64_t *version, struct ili_refusal *refusal);

/* Answers why it could not be done. */
void ili_dict_entry_refuse(struct ili_request *request, il_status status,
                           const struct ili_refusal *refusal,
                           const struct ili_precondition *condition);

/* Writes {"key", the message, "version"; without the last bracket. */
void ili_dict_entry_write(struct ili_out *out, const struct ili_key *key,
                          const struct ili_item *item);

/* Answers with {"key", "version"}. */
void ili_dict_entry_reply_version(struct ili_request *request, const struct ili_key *key,
                                  uint64_t version);

#endif
