/*
 * list_call.h - how the calls on a list begin and end. Internal to data/.
 */
#ifndef ILI_DATA_LIST_CALL_H
#define ILI_DATA_LIST_CALL_H

#include "data/list_change.h"

/* Takes the guard of LIST, which is not deleted, for the calling thread: *SELF. */
il_status ili_list_enter(struct ili_member *member, struct ili_list *list, struct ili_agent **self);
/* Frees it. */
void ili_list_leave(struct ili_member *member, struct ili_agent *self, struct ili_list *list);

/* Both for a call that changes the list. BATCH, of MESSAGES, may be NULL; if it fails there is nothing to end. */
il_status ili_list_begin(struct ili_member *member, struct ili_list *list,
                         const struct ili_payload *messages, size_t count,
                         struct ili_list_batch *batch, struct ili_agent **self,
                         struct ili_refusal *refusal);
/* Frees the guard, but not yet what came out of the list; watchers look. */
void ili_list_changed_now(struct ili_member *member, struct ili_agent *self, struct ili_list *list);
/* Frees what came out, or what did not get in. */
void ili_list_clean(struct ili_member *member, struct ili_agent *self, struct ili_list *list,
                    struct ili_list_batch *batch);

/* The list's length and version. Under the guard. */
uint64_t ili_list_length_now(const struct ili_list *list);
uint64_t ili_list_version_now(const struct ili_list *list);

/* START and STOP as Python has them: 0 <= *START <= *STOP <= LENGTH afterwards. */
void ili_list_clip(int64_t *start, int64_t *stop, uint64_t length);
/* *INDEX is there, and counts from 0 afterwards; IL_ERANGE. */
il_status ili_list_index_of(int64_t *index, uint64_t length, struct ili_refusal *refusal);
/* WANTED is IL_VERSION_ANY or HAS; IL_ECHANGED. */
il_status ili_list_expect(uint64_t wanted, uint64_t has, struct ili_refusal *refusal);

/* The notes of a change that puts COUNT items in the place of those from START to before STOP; how many. With ALL,
 * it was asked to remove all. */
size_t ili_list_notes(struct ili_list_note notes[2], uint64_t start, uint64_t stop, uint64_t count,
                      bool all);

#endif
