/* dict.c - il_dict_… : checks, and which door. What is about many entries is in dict_walk.c. */
#include <stdlib.h>

#include "lib/content.h"

static il_status no_dict(void) { return ili_fail(IL_EINVAL, "dict: expected a dict, got NULL"); }

/* ---- open and close ------------------------------------------------------------------------------- */

static il_status open_local(il_dict *dict, const char *name, size_t name_bytes,
                            const il_data_options *options) {
    struct ili_limits limits = ili_data_limits(dict->domain, options);
    il_status status = ili_handle_open(dict->domain, &ili_dict_kind, name, name_bytes,
                                       options ? &limits : NULL, &dict->handle);
    if (status == IL_OK) {
        dict->dict = ili_object_at(&dict->domain->member.arena, dict->handle.object, ILI_KIND_DICT);
    }
    return status;
}

il_status il_dict_open(il_domain *domain, const char *name, size_t name_bytes,
                       const il_data_options *options, il_dict **out) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the dict, got NULL");
    il_status status = ili_check_name(name, name_bytes, true);
    if (status == IL_OK) status = ili_check_data_options(options);
    if (status != IL_OK) return status;
    il_dict *dict = calloc(1, sizeof *dict);
    if (!dict) return ili_fail(IL_ENOMEM, "this process has no memory");
    dict->domain = domain;
    if (domain->remote_ops) {
        dict->remote_ops = domain->remote_ops;
        status =
            dict->remote_ops->dict_open(domain->remote, name, name_bytes, options, &dict->remote);
    } else {
        status = open_local(dict, name, name_bytes, options);
    }
    if (status != IL_OK) {
        free(dict);
        return status;
    }
    *out = dict;
    return IL_OK;
}

il_status il_dict_close(il_dict *dict) {
    if (!dict) return IL_OK;
    il_status status;
    if (dict->dict) {
        status = ili_handle_close(&dict->handle);
    } else {
        status = dict->remote_ops->dict_close(dict->remote);
    }
    free(dict);
    return status == IL_OK ? IL_OK : ili_report(status, "dict");
}

il_status il_dict_delete(il_domain *domain, const char *name, size_t name_bytes) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status != IL_OK) return status;
    if (domain->remote_ops) {
        return domain->remote_ops->dict_delete(domain->remote, name, name_bytes);
    }
    return ili_handle_delete(domain, &ili_dict_kind, name, name_bytes);
}

/* ---- one entry ------------------------------------------------------------------------------------ */

static il_status refused(il_status status, const struct ili_refusal *refusal, const char *key,
                         size_t key_bytes) {
    char room[ILI_KEY_WORDS_BYTES];
    if (status == IL_OK) return IL_OK;
    return ili_refused(status, "dict", refusal, ili_key_words(room, key, key_bytes));
}

/* The end of a call that copies the entry of KEY. */
static il_status got(il_status status, const struct ili_item *from, il_item *item,
                     const struct ili_refusal *refusal, const char *key, size_t key_bytes) {
    if (status == IL_OK) {
        *item = ili_item_told(from);
        return IL_OK;
    }
    if (status == IL_ETOOBIG) {
        item->bytes = from->bytes;
        return ili_no_room(from->bytes);
    }
    return refused(status, refusal, key, key_bytes);
}

il_status il_dict_get(il_dict *dict, const char *key, size_t key_bytes, void *buffer,
                      size_t capacity, il_item *item) {
    if (!dict) return no_dict();
    if (!item) return ili_no_place("item");
    il_status status = ili_check_key(NULL, 0, key, key_bytes);
    if (status != IL_OK) return status;
    if (!dict->dict) {
        return dict->remote_ops->dict_get(dict->remote, key, key_bytes, buffer, capacity, item);
    }
    struct ili_item found = ili_item_room(buffer, capacity);
    status = ili_dict_get(dict->handle.member, dict->dict, key, key_bytes, &found);
    return got(status, &found, item, NULL, key, key_bytes);
}

il_status il_dict_contains(il_dict *dict, const char *key, size_t key_bytes, int32_t *found) {
    if (!dict) return no_dict();
    if (!found) return ili_no_place("found");
    il_status status = ili_check_key(NULL, 0, key, key_bytes);
    if (status != IL_OK) return status;
    if (!dict->dict) {
        return dict->remote_ops->dict_contains(dict->remote, key, key_bytes, found);
    }
    struct ili_item item = ili_item_room(NULL, 0);
    status = ili_dict_get(dict->handle.member, dict->dict, key, key_bytes, &item);
    bool is = status == IL_OK || status == IL_ETOOBIG;
    if (!is && status != IL_ENOKEY) return ili_report(status, "dict");
    *found = is;
    return IL_OK;
}

il_status il_dict_set(il_dict *dict, const char *key, size_t key_bytes, const void *data,
                      size_t bytes, uint32_t type, uint64_t *version) {
    if (!dict) return no_dict();
    il_status status = ili_check_key(NULL, 0, key, key_bytes);
    if (status == IL_OK) status = ili_check_content(NULL, 0, data, bytes, type);
    if (status != IL_OK) return status;
    struct ili_dict_change change = {.what = IL_CHANGE_SET,
                                     .type = type,
                                     .key = key,
                                     .key_bytes = key_bytes,
                                     .data = data,
                                     .bytes = bytes,
                                     .version = version ? *version : IL_VERSION_ANY};
    if (!dict->dict) {
        il_message message = {data, bytes, type, 0};
        return dict->remote_ops->dict_set(dict->remote, key, key_bytes, &message, version);
    }
    struct ili_refusal refusal = {0};
    status = ili_dict_update(dict->handle.member, dict->dict, &change, 1, version, &refusal);
    return refused(status, &refusal, key, key_bytes);
}

il_status il_dict_set_default(il_dict *dict, const char *key, size_t key_bytes, const void *data,
                              size_t bytes, uint32_t type, void *buffer, size_t capacity,
                              il_item *item, int32_t *created) {
    if (!dict) return no_dict();
    if (!item) return ili_no_place("item");
    il_status status = ili_check_key(NULL, 0, key, key_bytes);
    if (status == IL_OK) status = ili_check_content(NULL, 0, data, bytes, type);
    if (status != IL_OK) return status;
    if (!dict->dict) {
        il_message message = {data, bytes, type, 0};
        return dict->remote_ops->dict_set_default(dict->remote, key, key_bytes, &message, buffer,
                                                  capacity, item, created);
    }
    struct ili_dict_change change = {.what = IL_CHANGE_SET,
                                     .type = type,
                                     .key = key,
                                     .key_bytes = key_bytes,
                                     .data = data,
                                     .bytes = bytes,
                                     .version = IL_VERSION_ANY};
    struct ili_item found = ili_item_room(buffer, capacity);
    struct ili_refusal refusal = {0};
    bool was_set = false;
    status =
        ili_dict_set_default(dict->handle.member, dict->dict, &change, &found, &was_set, &refusal);
    status = got(status, &found, item, &refusal, key, key_bytes);
    if (status == IL_OK && created) *created = was_set;
    return status;
}

/* A version that what is there must have. */
static il_status check_version(uint64_t version) {
    if (version != IL_VERSION_NONE) return IL_OK;
    return ili_fail(IL_EINVAL, "version: expected IL_VERSION_ANY or a version: what is not there "
                               "cannot be removed");
}

il_status il_dict_remove(il_dict *dict, const char *key, size_t key_bytes, uint64_t version) {
    if (!dict) return no_dict();
    il_status status = ili_check_key(NULL, 0, key, key_bytes);
    if (status == IL_OK) status = check_version(version);
    if (status != IL_OK) return status;
    if (!dict->dict) {
        return dict->remote_ops->dict_remove(dict->remote, key, key_bytes, version);
    }
    struct ili_dict_change change = {
        .what = IL_CHANGE_REMOVE, .key = key, .key_bytes = key_bytes, .version = version};
    struct ili_refusal refusal = {0};
    status = ili_dict_update(dict->handle.member, dict->dict, &change, 1, NULL, &refusal);
    return refused(status, &refusal, key, key_bytes);
}

il_status il_dict_pop(il_dict *dict, const char *key, size_t key_bytes, void *buffer,
                      size_t capacity, il_item *item) {
    if (!dict) return no_dict();
    if (!item) return ili_no_place("item");
    il_status status = ili_check_key(NULL, 0, key, key_bytes);
    if (status != IL_OK) return status;
    if (!dict->dict) {
        return dict->remote_ops->dict_pop(dict->remote, key, key_bytes, buffer, capacity, item);
    }
    struct ili_item popped = ili_item_room(buffer, capacity);
    struct ili_refusal refusal = {0};
    status = ili_dict_pop(dict->handle.member, dict->dict, key, key_bytes, IL_VERSION_ANY, &popped,
                          &refusal);
    return got(status, &popped, item, &refusal, key, key_bytes);
}
