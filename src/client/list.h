/*
 * list.h - lists of an http: domain; the calls of interlock_data.h, as lib/remote.h has them.
 */
#ifndef ILI_CLIENT_LIST_H
#define ILI_CLIENT_LIST_H

#include "client/object.h"
#include "lib/remote.h"

struct ili_remote_list {
    struct ili_remote_object object;
};

il_status ili_remote_list_open(struct ili_remote_domain *domain, const char *name,
                               size_t name_bytes, const il_data_options *options,
                               struct ili_remote_list **out);
il_status ili_remote_list_close(struct ili_remote_list *list);
il_status ili_remote_list_delete(struct ili_remote_domain *domain, const char *name,
                                 size_t name_bytes);
il_status ili_remote_list_get(struct ili_remote_list *list, int64_t index, void *buffer,
                              size_t capacity, il_item *item);
il_status ili_remote_list_set(struct ili_remote_list *list, int64_t index,
                              const il_message *message, uint64_t *version);
il_status ili_remote_list_remove_at(struct ili_remote_list *list, int64_t index, uint64_t version);
il_status ili_remote_list_pop(struct ili_remote_list *list, int64_t index, void *buffer,
                              size_t capacity, il_item *item);
il_status ili_remote_list_remove(struct ili_remote_list *list, const il_message *message);
il_status ili_remote_list_index(struct ili_remote_list *list, const il_message *message,
                                int64_t start, int64_t stop, uint64_t *index);
il_status ili_remote_list_count(struct ili_remote_list *list, const il_message *message,
                                uint64_t *count);

/* list_many.c */
il_status ili_remote_list_reverse(struct ili_remote_list *list);
il_status ili_remote_list_sort(struct ili_remote_list *list, uint32_t flags);
il_status ili_remote_list_length(struct ili_remote_list *list, uint64_t *length, uint64_t *version);
il_status ili_remote_list_slice(struct ili_remote_list *list, int64_t start, int64_t stop,
                                void *buffer, size_t capacity, il_list_item *items, size_t count,
                                size_t *done, uint64_t *version);
il_status ili_remote_list_splice(struct ili_remote_list *list, int64_t start, int64_t stop,
                                 const il_message *messages, size_t count, uint64_t *version);

#endif
