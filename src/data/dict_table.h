/* dict_table.h - a dict's hash table. Internal to data/; everything under the guard. */
#ifndef ILI_DATA_DICT_TABLE_H
#define ILI_DATA_DICT_TABLE_H

#include "data/dict.h"

#define ILI_DICT_DIRECTORY_BYTES 16384u

/* The bucket of HASH; NULL if the arena is corrupt. */
_Atomic ili_off *ili_dict_bucket(const struct ili_member *member, const struct ili_dict *dict,
                                 uint64_t hash);

/* Grows or shrinks the table by a few buckets, if its length asks for that. By pending[2] of SELF. What cannot be
 * done now (memory) is done later. */
void ili_dict_tend(struct ili_member *member, struct ili_agent *self, struct ili_dict *dict);

/* No guard: frees the table. */
il_status ili_dict_table_dispose(struct ili_member *member, struct ili_agent *self,
                                 struct ili_dict *dict);

/* *BYTES: what the table takes; *ENTRIES: how many entries its chains have. IL_ECORRUPT: one is in the wrong bucket. */
il_status ili_dict_table_check(const struct ili_member *member, const struct ili_dict *dict,
                               uint64_t *bytes, uint64_t *entries);

#endif
