/*
 * lists.h - /v1/lists: lists as objects, and what is done with them as a whole. One item is list_items.c, searching
 * list_find.c, putting items in and out list_splice.c, several changes in one step list_update.c.
 *
 * What adds items makes the list if there is none; all else asks for one that exists.
 */
#ifndef ILI_SERVER_LISTS_H
#define ILI_SERVER_LISTS_H

#include "data/list.h"
#include "server/objects.h"

/* Indexes in requests: what every JSON reader takes as it is. */
#define ILI_INDEX_MOST INT64_C(9007199254740991)
#define ILI_PARAM_INDEX(name, out) ILI_PARAM_INTEGER(name, out, -ILI_INDEX_MOST, ILI_INDEX_MOST)

extern const struct ili_collection ili_lists;

void ili_lists_length(struct ili_request *request);
void ili_lists_clear(struct ili_request *request);
void ili_lists_reverse(struct ili_request *request);
void ili_lists_sort(struct ili_request *request);

/* list_items.c: /v1/lists/NAME/items/INDEX, and pop */
void ili_list_item_get(struct ili_request *request);
void ili_list_item_put(struct ili_request *request);
void ili_list_item_delete(struct ili_request *request);
void ili_list_call_pop(struct ili_request *request);

/* list_pages.c: /v1/lists/NAME/items */
void ili_list_page(struct ili_request *request);

/* list_find.c */
void ili_list_call_remove(struct ili_request *request);
void ili_list_call_index(struct ili_request *request);
void ili_list_call_count(struct ili_request *request);

/* list_splice.c */
void ili_list_call_append(struct ili_request *request);
void ili_list_call_extend(struct ili_request *request);
void ili_list_call_insert(struct ili_request *request);
void ili_list_call_splice(struct ili_request *request);

/* list_update.c */
void ili_lists_update(struct ili_request *request);

/* Answers with {"length", "version"} after a change that made VERSION of LIST, and lets go of it; or says why there
 * was none. */
void ili_list_reply_changed(struct ili_request *request, struct ili_list *list, il_status status,
                            uint64_t version, const struct ili_refusal *refusal);

#endif
