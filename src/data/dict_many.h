/* dict_many.h - many entries of a dict in one step; and what all its calls share. Internal to data/. */
#ifndef ILI_DATA_DICT_MANY_H
#define ILI_DATA_DICT_MANY_H

#include "data/dict_store.h"

/* Takes the guard for the calling thread's agent. IL_EDELETED; or why the member may not act: then it is not held. */
il_status ili_dict_enter(struct ili_member *member, struct ili_dict *dict, struct ili_agent **self);
/* Frees it, and wakes who was told. */
void ili_dict_leave(struct ili_member *member, struct ili_agent *self, struct ili_dict *dict);

/* After a change, under the guard: sees to the table, and tells who watches. */
void ili_dict_changed_now(struct ili_member *member, struct ili_agent *self, struct ili_dict *dict);

/* IL_EOVERFLOW, and *REFUSAL (may be NULL) says why. */
il_status ili_dict_refuse(struct ili_refusal *refusal, const char *what, uint64_t limit,
                          uint64_t which);
/* Whether an entry, FOUND or NULL, has VERSION: IL_OK, or IL_ECHANGED and *REFUSAL (may be NULL). */
il_status ili_dict_expect(uint64_t version, const struct ili_dict_found *found, uint64_t which,
                          struct ili_refusal *refusal);
/* Whether the dict may have LENGTH entries and USED bytes from now on. IL_EOVERFLOW, and *REFUSAL (may be NULL). */
il_status ili_dict_fits(const struct ili_dict *dict, uint64_t length, uint64_t used, uint64_t which,
                        struct ili_refusal *refusal);

/* As ili_dict_update(), for any number. */
il_status ili_dict_update_many(struct ili_member *member, struct ili_dict *dict,
                               const struct ili_dict_change *changes, size_t count,
                               uint64_t *version, struct ili_refusal *refusal);

/* Goes on with an update of many that DEAD has committed. */
void ili_dict_many_repair(struct ili_member *member, struct ili_agent *dead, struct ili_dict *dict);

#endif
