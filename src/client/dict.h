/*
 * dict.h - dicts of an http: domain; the calls of interlock_data.h, as lib/remote.h has them.
 */
#ifndef ILI_CLIENT_DICT_H
#define ILI_CLIENT_DICT_H

#include "client/object.h"
#include "lib/remote.h"

struct ili_remote_dict {
    struct ili_remote_object object;
};

il_status ili_remote_dict_open(struct ili_remote_domain *domain, const char *name,
                               size_t name_bytes, const il_data_options *options,
                               struct ili_remote_dict **out);
il_status ili_remote_dict_close(struct ili_remote_dict *dict);
il_status ili_remote_dict_delete(struct ili_remote_domain *domain, const char *name,
                                 size_t name_bytes);
il_status ili_remote_dict_get(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                              void *buffer, size_t capacity, il_item *item);
il_status ili_remote_dict_contains(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                                   int32_t *found);
il_status ili_remote_dict_set(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                              const il_message *message, uint64_t *version);
il_status ili_remote_dict_set_default(struct ili_remote_dict *dict, const char *key,
                                      size_t key_bytes, const il_message *message, void *buffer,
                                      size_t capacity, il_item *item, int32_t *created);
il_status ili_remote_dict_remove(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                                 uint64_t version);
il_status ili_remote_dict_pop(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                              void *buffer, size_t capacity, il_item *item);

/* dict_walk.c */
il_status ili_remote_dict_pop_item(struct ili_remote_dict *dict, void *buffer, size_t capacity,
                                   il_entry *entry);
il_status ili_remote_dict_length(struct ili_remote_dict *dict, uint64_t *length, uint64_t *version);
il_status ili_remote_dict_clear(struct ili_remote_dict *dict);
il_status ili_remote_dict_copy(struct ili_remote_dict *dict, struct ili_remote_dict *into);
il_status ili_remote_dict_update(struct ili_remote_dict *dict, const il_dict_change *changes,
                                 size_t count, uint64_t *version);
il_status ili_remote_dict_items(struct ili_remote_dict *dict, il_cursor *cursor, uint32_t what,
                                void *buffer, size_t capacity, il_entry *entries, size_t count,
                                size_t *done);

#endif
