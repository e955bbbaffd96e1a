/* list_many.c - il_list_… about many items: what is put in somewhere, slices, the list as a whole. */
#include <stdlib.h>

#include "lib/content.h"

#define FEW 64 /* items on the stack */

static il_status no_list(void) { return ili_fail(IL_EINVAL, "list: expected a list, got NULL"); }

static il_status refused(il_status status, const struct ili_refusal *refusal) {
    return status == IL_OK ? IL_OK : ili_refused(status, "list", refusal, "the list");
}

/* ---- splices -------------------------------------------------------------------------------------- */

static il_status splice_local(il_list *list, int64_t start, int64_t stop,
                              const il_message *messages, size_t count, uint64_t *version) {
    struct ili_payload few[FEW] = {{0}}, *all = few;
    struct ili_refusal refusal = {0};
    if (count > FEW) all = malloc(count * sizeof *all);
    if (!all) return ili_fail(IL_ENOMEM, "this process has no memory");
    for (size_t i = 0; i < count; i++) {
        all[i] = (struct ili_payload){messages[i].data, messages[i].bytes, messages[i].type};
    }
    il_status status = ili_list_splice(list->handle.member, list->list, start, stop, all, count,
                                       version ? *version : IL_VERSION_ANY, version, &refusal);
    if (all != few) free(all);
    return refused(status, &refusal);
}

static il_status splice(il_list *list, int64_t start, int64_t stop, const il_message *messages,
                        size_t count, uint64_t *version) {
    if (!list->list) {
        return list->remote_ops->list_splice(list->remote, start, stop, messages, count, version);
    }
    return splice_local(list, start, stop, messages, count, version);
}

il_status il_list_append(il_list *list, const void *data, size_t bytes, uint32_t type) {
    return il_list_insert(list, INT64_MAX, data, bytes, type);
}

il_status il_list_insert(il_list *list, int64_t index, const void *data, size_t bytes,
                         uint32_t type) {
    if (!list) return no_list();
    il_status status = ili_check_content(NULL, 0, data, bytes, type);
    if (status != IL_OK) return status;
    il_message message = {data, bytes, type, 0};
    return splice(list, index, index, &message, 1, NULL);
}

il_status il_list_extend(il_list *list, const il_message *messages, size_t count) {
    return il_list_splice(list, INT64_MAX, INT64_MAX, messages, count, NULL);
}

il_status il_list_splice(il_list *list, int64_t start, int64_t stop, const il_message *messages,
                         size_t count, uint64_t *version) {
    if (!list) return no_list();
    if (count > IL_ENTRIES_MAX) {
        return ili_fail(IL_EOVERFLOW, "count: max_entries is at most %d, got %zu", IL_ENTRIES_MAX,
                        count);
    }
    il_status status = ili_check_contents(messages, count);
    return status == IL_OK ? splice(list, start, stop, messages, count, version) : status;
}

il_status il_list_clear(il_list *list) {
    if (!list) return no_list();
    return splice(list, 0, INT64_MAX, NULL, 0, NULL);
}

/* ---- slices --------------------------------------------------------------------------------------- */

static il_status slice_local(il_list *list, int64_t start, int64_t stop, struct ili_item room,
                             il_list_item *items, size_t count, size_t *done, uint64_t *version) {
    struct ili_item few[FEW] = {{0}}, *all = few;
    size_t n = 0;
    uint64_t now = 0;
    if (count > IL_ENTRIES_MAX) count = IL_ENTRIES_MAX;
    if (count > FEW) all = malloc(count * sizeof *all);
    if (!all) return ili_fail(IL_ENOMEM, "this process has no memory");
    il_status status = ili_list_slice(list->handle.member, list->list, start, stop, room.data,
                                      room.room, all, count, &n, &now);
    for (size_t i = 0; status == IL_OK && i < n; i++) {
        items[i] = (il_list_item){all[i].bytes ? all[i].data : NULL, ili_item_told(&all[i])};
    }
    if (all != few) free(all);
    if (status == IL_ETOOBIG) {
        *done = n;
        return ili_no_room(n);
    }
    if (status != IL_OK) return ili_report(status, "list");
    *done = n;
    if (version) *version = now;
    return IL_OK;
}

il_status il_list_slice(il_list *list, int64_t start, int64_t stop, void *buffer, size_t capacity,
                        il_list_item *items, size_t count, size_t *done, uint64_t *version) {
    if (!list) return no_list();
    if (!done) return ili_no_place("done");
    if (!items || count == 0) {
        return ili_fail(IL_EINVAL, "items: expected room for at least one");
    }
    if (!list->list) {
        return list->remote_ops->list_slice(list->remote, start, stop, buffer, capacity, items,
                                            count, done, version);
    }
    return slice_local(list, start, stop, ili_item_room(buffer, capacity), items, count, done,
                       version);
}

/* ---- the list as a whole -------------------------------------------------------------------------- */

static il_status check_live(const il_list *list) {
    il_status status = ili_member_check(list->handle.member);
    /* relaxed: a delete that is under way may be seen or not */
    if (status == IL_OK && atomic_load_explicit(&list->list->deleted, memory_order_relaxed)) {
        status = IL_EDELETED;
    }
    return ili_report(status, "list");
}

il_status il_list_length(il_list *list, uint64_t *length, uint64_t *version) {
    if (!list) return no_list();
    if (!length) return ili_no_place("length");
    if (!list->list) return list->remote_ops->list_length(list->remote, length, version);
    struct ili_list_view view;
    il_status status = check_live(list);
    if (status != IL_OK) return status;
    ili_list_look(list->list, &view);
    *length = view.length;
    if (version) *version = view.version;
    return IL_OK;
}

il_status il_list_reverse(il_list *list) {
    if (!list) return no_list();
    if (!list->list) return list->remote_ops->list_reverse(list->remote);
    return ili_report(ili_list_reverse(list->handle.member, list->list), "list");
}

il_status il_list_sort(il_list *list, uint32_t flags) {
    if (!list) return no_list();
    if (flags & ~IL_DESCENDING) {
        return ili_fail(IL_EINVAL, "flags: expected 0 or IL_DESCENDING, got %u", flags);
    }
    if (!list->list) return list->remote_ops->list_sort(list->remote, flags);
    struct ili_refusal refusal = {0};
    il_status status =
        ili_list_sort(list->handle.member, list->list, flags & IL_DESCENDING, &refusal);
    return refused(status, &refusal);
}
