/* list.c - il_list_… : checks, and which door. What is about many items is in list_many.c. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/content.h"

static il_status no_list(void) { return ili_fail(IL_EINVAL, "list: expected a list, got NULL"); }

/* ---- open and close ------------------------------------------------------------------------------- */

static il_status open_local(il_list *list, il_domain *domain, const char *name, size_t name_bytes,
                            const il_data_options *options) {
    struct ili_limits limits = ili_data_limits(domain, options);
    il_status status = ili_handle_open(domain, &ili_list_kind, name, name_bytes,
                                       options ? &limits : NULL, &list->handle);
    if (status == IL_OK) {
        list->list = ili_object_at(&domain->member.arena, list->handle.object, ILI_KIND_LIST);
    }
    return status;
}

il_status il_list_open(il_domain *domain, const char *name, size_t name_bytes,
                       const il_data_options *options, il_list **out) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the list, got NULL");
    il_status status = ili_check_name(name, name_bytes, true);
    if (status == IL_OK) status = ili_check_data_options(options);
    if (status != IL_OK) return status;
    il_list *list = calloc(1, sizeof *list);
    if (!list) return ili_fail(IL_ENOMEM, "this process has no memory");
    if (domain->remote_ops) {
        list->remote_ops = domain->remote_ops;
        status =
            list->remote_ops->list_open(domain->remote, name, name_bytes, options, &list->remote);
    } else {
        status = open_local(list, domain, name, name_bytes, options);
    }
    if (status != IL_OK) {
        free(list);
        return status;
    }
    *out = list;
    return IL_OK;
}

il_status il_list_close(il_list *list) {
    if (!list) return IL_OK;
    il_status status;
    if (list->list) {
        status = ili_handle_close(&list->handle);
    } else {
        status = list->remote_ops->list_close(list->remote);
    }
    free(list);
    return status == IL_OK ? IL_OK : ili_report(status, "list");
}

il_status il_list_delete(il_domain *domain, const char *name, size_t name_bytes) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status != IL_OK) return status;
    if (domain->remote_ops) {
        return domain->remote_ops->list_delete(domain->remote, name, name_bytes);
    }
    return ili_handle_delete(domain, &ili_list_kind, name, name_bytes);
}

/* ---- one item ------------------------------------------------------------------------------------- */

#define WHOM_BYTES 40

static il_status refused(il_status status, const struct ili_refusal *refusal, int64_t index) {
    char whom[WHOM_BYTES];
    if (status == IL_OK) return IL_OK;
    snprintf(whom, sizeof whom, "index %lld", (long long)index);
    return ili_refused(status, "list", refusal, whom);
}

/* The end of a call that copies the item at INDEX. */
static il_status got(il_status status, const struct ili_item *from, il_item *item,
                     const struct ili_refusal *refusal, int64_t index) {
    if (status == IL_OK) {
        *item = ili_item_told(from);
        return IL_OK;
    }
    if (status == IL_ETOOBIG) {
        item->bytes = from->bytes;
        return ili_no_room(from->bytes);
    }
    return refused(status, refusal, index);
}

il_status il_list_get(il_list *list, int64_t index, void *buffer, size_t capacity, il_item *item) {
    if (!list) return no_list();
    if (!item) return ili_no_place("item");
    if (!list->list) {
        return list->remote_ops->list_get(list->remote, index, buffer, capacity, item);
    }
    struct ili_item found = ili_item_room(buffer, capacity);
    struct ili_refusal refusal = {0};
    il_status status = ili_list_get(list->handle.member, list->list, index, &found, &refusal);
    return got(status, &found, item, &refusal, index);
}

/* A version that an item, which is there, must have. */
static il_status check_version(uint64_t version) {
    if (version != IL_VERSION_NONE) return IL_OK;
    return ili_fail(IL_EINVAL, "version: expected IL_VERSION_ANY or a version of an item");
}

il_status il_list_set(il_list *list, int64_t index, const void *data, size_t bytes, uint32_t type,
                      uint64_t *version) {
    if (!list) return no_list();
    uint64_t asked = version ? *version : IL_VERSION_ANY;
    il_status status = ili_check_content(NULL, 0, data, bytes, type);
    if (status == IL_OK) status = check_version(asked);
    if (status != IL_OK) return status;
    if (!list->list) {
        il_message message = {data, bytes, type, 0};
        return list->remote_ops->list_set(list->remote, index, &message, version);
    }
    struct ili_payload message = {data, bytes, type};
    struct ili_refusal refusal = {0};
    status =
        ili_list_set(list->handle.member, list->list, index, &message, asked, version, &refusal);
    return refused(status, &refusal, index);
}

il_status il_list_remove_at(il_list *list, int64_t index, uint64_t version) {
    if (!list) return no_list();
    il_status status = check_version(version);
    if (status != IL_OK) return status;
    if (!list->list) return list->remote_ops->list_remove_at(list->remote, index, version);
    struct ili_refusal refusal = {0};
    status = ili_list_pop(list->handle.member, list->list, index, version, NULL, &refusal);
    return refused(status, &refusal, index);
}

il_status il_list_pop(il_list *list, int64_t index, void *buffer, size_t capacity, il_item *item) {
    if (!list) return no_list();
    if (!item) return ili_no_place("item");
    if (!list->list) {
        return list->remote_ops->list_pop(list->remote, index, buffer, capacity, item);
    }
    struct ili_item popped = ili_item_room(buffer, capacity);
    struct ili_refusal refusal = {0};
    il_status status =
        ili_list_pop(list->handle.member, list->list, index, IL_VERSION_ANY, &popped, &refusal);
    return got(status, &popped, item, &refusal, index);
}

/* ---- by value ------------------------------------------------------------------------------------- */

static il_status found(il_status status) {
    if (status == IL_OK) return IL_OK;
    return ili_refused(status, "list", NULL, "no item of the list equals that value");
}

il_status il_list_remove(il_list *list, const void *data, size_t bytes, uint32_t type) {
    if (!list) return no_list();
    il_status status = ili_check_content(NULL, 0, data, bytes, type);
    if (status != IL_OK) return status;
    if (!list->list) {
        il_message message = {data, bytes, type, 0};
        return list->remote_ops->list_remove(list->remote, &message);
    }
    struct ili_payload message = {data, bytes, type};
    uint64_t index;
    return found(
        ili_list_find(list->handle.member, list->list, &message, 0, INT64_MAX, true, &index));
}

il_status il_list_index(il_list *list, const void *data, size_t bytes, uint32_t type, int64_t start,
                        int64_t stop, uint64_t *index) {
    if (!list) return no_list();
    if (!index) return ili_no_place("index");
    il_status status = ili_check_content(NULL, 0, data, bytes, type);
    if (status != IL_OK) return status;
    if (!list->list) {
        il_message message = {data, bytes, type, 0};
        return list->remote_ops->list_index(list->remote, &message, start, stop, index);
    }
    struct ili_payload message = {data, bytes, type};
    return found(
        ili_list_find(list->handle.member, list->list, &message, start, stop, false, index));
}

il_status il_list_count(il_list *list, const void *data, size_t bytes, uint32_t type,
                        uint64_t *count) {
    if (!list) return no_list();
    if (!count) return ili_no_place("count");
    il_status status = ili_check_content(NULL, 0, data, bytes, type);
    if (status != IL_OK) return status;
    if (!list->list) {
        il_message message = {data, bytes, type, 0};
        return list->remote_ops->list_count(list->remote, &message, count);
    }
    struct ili_payload message = {data, bytes, type};
    return ili_report(ili_list_count(list->handle.member, list->list, &message, count), "list");
}
