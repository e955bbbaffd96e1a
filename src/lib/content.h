/*
 * content.h - what the calls of dicts and lists have in common: checks of what is put into them, buffers,
 * and why something was refused. Internal to lib/.
 */
#ifndef ILI_LIB_CONTENT_H
#define ILI_LIB_CONTENT_H

#include "data/item.h"
#include "lib/domain.h"

/* What returns a status writes the error text on failure. */

/* OPTIONS may be NULL. */
il_status ili_check_data_options(const il_data_options *options);

/* What those options mean in DOMAIN. */
struct ili_limits ili_data_limits(const struct il_domain *domain, const il_data_options *options);

/* One value: an argument of its own, or (ARRAY not NULL) number INDEX of the argument ARRAY. JSON must be
 * JSON, since it will be compared. */
il_status ili_check_content(const char *array, size_t index, const void *data, uint64_t bytes,
                            uint32_t type);

/* Likewise a key. */
il_status ili_check_key(const char *array, size_t index, const char *key, uint64_t key_bytes);

/* Messages of a list. */
il_status ili_check_contents(const il_message *messages, size_t count);

/* IL_EINVAL: ARGUMENT is NULL, where the answer should go. */
il_status ili_no_place(const char *argument);

/* IL_ETOOBIG: NEEDED bytes do not fit. */
il_status ili_no_room(uint64_t needed);

/* A key for an error text: in quotes, a long one shortened; "" for none. */
#define ILI_KEY_WORDS_BYTES 128
const char *ili_key_words(char room[ILI_KEY_WORDS_BYTES], const char *key, uint64_t key_bytes);

/* STATUS of an operation on a WORD ("dict"), which REFUSAL explains (NULL: nothing more to say); WHOM is what has a version or
 * is missing, in words. */
il_status ili_refused(il_status status, const char *word, const struct ili_refusal *refusal,
                      const char *whom);

/* Room for an item in the caller's BUFFER (NULL: none). */
struct ili_item ili_item_room(void *buffer, size_t capacity);

/* What is told of ITEM. */
il_item ili_item_told(const struct ili_item *item);

#endif
