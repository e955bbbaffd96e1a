/*
 * list.c - see list.h; the calls about many items are in list_many.c.
 *
 * What sets or removes one item under a condition is an update of one change: its version is then the item's,
 * since a change gives both the same.
 */
#include "client/list.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/item.h"
#include "client/message.h"

il_status ili_remote_list_open(struct ili_remote_domain *domain, const char *name,
                               size_t name_bytes, const il_data_options *options,
                               struct ili_remote_list **out) {
    struct ili_remote_list *list = NULL;
    il_status status =
        ili_remote_object_new(domain, IL_KIND_LIST, name, name_bytes, sizeof *list, (void **)&list);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_remote_object_begin(&call, &list->object, "PUT", NULL);
    if (options) ili_item_options(&call, options);
    status = ili_remote_object_open(&call, !options);
    if (status == IL_OK) {
        *out = list;
    } else {
        free(list);
    }
    return status;
}

il_status ili_remote_list_close(struct ili_remote_list *list) {
    free(list);
    return IL_OK;
}

il_status ili_remote_list_delete(struct ili_remote_domain *domain, const char *name,
                                 size_t name_bytes) {
    return ili_remote_object_delete(domain, IL_KIND_LIST, name, name_bytes);
}

static void begin(struct ili_call *call, const struct ili_remote_list *list,
                  const char *operation) {
    ili_remote_object_begin(call, &list->object, "POST", operation);
    call->keyed = true;
}

/* Sends CALL, whose body was written with STATUS. */
static il_status run(struct ili_call *call, il_status status) {
    if (status == IL_OK) status = ili_remote_domain_check(call->domain);
    return status == IL_OK ? ili_remote_object_gone(ili_call_run(call)) : status;
}

/* ---- by index ------------------------------------------------------------------------------------- */

il_status ili_remote_list_get(struct ili_remote_list *list, int64_t index, void *buffer,
                              size_t capacity, il_item *item) {
    struct ili_call call;
    char operation[40];
    if (!buffer) capacity = 0;
    snprintf(operation, sizeof operation, "items/%lld", ili_item_index(index));
    ili_remote_object_begin(&call, &list->object, "GET", operation);
    call.answer_max += ili_message_spread(IL_MESSAGE_MAX_BYTES);
    il_status status = run(&call, IL_OK);
    status = ili_item_deliver(&call, status, buffer, capacity, item);
    ili_call_end(&call);
    return status;
}

/* Begins an update whose one change is the WORD of INDEX; it lacks its end, "}]". */
static void begin_change(struct ili_call *call, const struct ili_remote_list *list,
                         const char *word, int64_t index) {
    begin(call, list, "update");
    ili_call_field(call, "changes");
    ili_buffer_add_text(&call->body, "[{\"");
    ili_buffer_add_text(&call->body, word);
    ili_buffer_add_text(&call->body, "\":");
    ili_item_add_index(&call->body, index);
}

il_status ili_remote_list_set(struct ili_remote_list *list, int64_t index,
                              const il_message *message, uint64_t *version) {
    struct ili_call call;
    begin_change(&call, list, "set", index);
    il_status status = ili_item_write(&call, message);
    if (version) ili_item_expect(&call.body, *version);
    ili_buffer_add_text(&call.body, "}]");
    status = run(&call, status);
    if (status == IL_OK) status = ili_item_version(&call, version);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_list_remove_at(struct ili_remote_list *list, int64_t index, uint64_t version) {
    struct ili_call call;
    begin_change(&call, list, "remove", index);
    ili_item_expect(&call.body, version);
    ili_buffer_add_text(&call.body, "}]");
    il_status status = run(&call, IL_OK);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_list_pop(struct ili_remote_list *list, int64_t index, void *buffer,
                              size_t capacity, il_item *item) {
    struct ili_call call;
    if (!buffer) capacity = 0;
    begin(&call, list, "pop");
    ili_call_field(&call, "index");
    ili_item_add_index(&call.body, index);
    ili_item_fits(&call, capacity);
    il_status status = run(&call, IL_OK);
    status = ili_item_deliver(&call, status, buffer, capacity, item);
    ili_call_end(&call);
    return status;
}

/* ---- by value ------------------------------------------------------------------------------------- */

il_status ili_remote_list_remove(struct ili_remote_list *list, const il_message *message) {
    struct ili_call call;
    begin(&call, list, "remove");
    il_status status = run(&call, ili_item_write(&call, message));
    ili_call_end(&call);
    return status;
}

/* Sends CALL, and reads the number that MEMBER of the answer is. */
static il_status ask_number(struct ili_call *call, il_status status, const char *member,
                            uint64_t *number) {
    call->keyed = false; /* nothing changes */
    status = run(call, status);
    if (status == IL_OK && !ili_json_number(ili_json_member(call->object, member), number)) {
        status = ili_call_nonsense(call, "something that lacks a number");
    }
    ili_call_end(call);
    return status;
}

il_status ili_remote_list_index(struct ili_remote_list *list, const il_message *message,
                                int64_t start, int64_t stop, uint64_t *index) {
    struct ili_call call;
    begin(&call, list, "index");
    il_status status = ili_item_write(&call, message);
    ili_call_field(&call, "start");
    ili_item_add_index(&call.body, start);
    if (stop != INT64_MAX) {
        ili_call_field(&call, "stop");
        ili_item_add_index(&call.body, stop);
    }
    return ask_number(&call, status, "index", index);
}

il_status ili_remote_list_count(struct ili_remote_list *list, const il_message *message,
                                uint64_t *count) {
    struct ili_call call;
    begin(&call, list, "count");
    il_status status = ili_item_write(&call, message);
    return ask_number(&call, status, "count", count);
}
