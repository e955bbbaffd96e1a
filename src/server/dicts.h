/*
 * dicts.h - /v1/dicts: dicts as objects, and what is done with them as a whole. One entry is dict_items.c, pages
 * of entries are dict_pages.c, several changes in one step dict_update.c.
 *
 * What sets an entry makes the dict if there is none; all else asks for one that exists.
 */
#ifndef ILI_SERVER_DICTS_H
#define ILI_SERVER_DICTS_H

#include "data/dict.h"
#include "server/objects.h"

extern const struct ili_collection ili_dicts;

void ili_dicts_length(struct ili_request *request);
void ili_dicts_clear(struct ili_request *request);
void ili_dicts_copy(struct ili_request *request);

/* dict_items.c: /v1/dicts/NAME/items/KEY */
void ili_dict_item_get(struct ili_request *request);
void ili_dict_item_put(struct ili_request *request);
void ili_dict_item_delete(struct ili_request *request);

/* dict_calls.c: the same with the key in the body, and what else there is to do with one entry */
void ili_dict_call_get(struct ili_request *request);
void ili_dict_call_set(struct ili_request *request);
void ili_dict_call_set_default(struct ili_request *request);
void ili_dict_call_pop(struct ili_request *request);
void ili_dict_call_pop_item(struct ili_request *request);
void ili_dict_call_contains(struct ili_request *request);
void ili_dict_call_remove(struct ili_request *request);

/* dict_pages.c */
void ili_dict_page_items(struct ili_request *request);
void ili_dict_page_keys(struct ili_request *request);
void ili_dict_page_values(struct ili_request *request);

/* dict_update.c */
void ili_dicts_update(struct ili_request *request);

#endif
