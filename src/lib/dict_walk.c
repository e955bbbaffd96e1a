/* dict_walk.c - il_dict_… about many entries: how many there are, all of them, several changes at once. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/content.h"

#define CHANGES_MAX 65536 /* of one update */
#define BATCH 64          /* entries or changes on the stack */

static il_status no_dict(void) { return ili_fail(IL_EINVAL, "dict: expected a dict, got NULL"); }

/* ---- the dict as a whole -------------------------------------------------------------------------- */

static il_status check_live(const il_dict *dict) {
    il_status status = ili_member_check(dict->handle.member);
    /* relaxed: a delete that is under way may be seen or not */
    if (status == IL_OK &&
        atomic_load_explicit(&dict->dict->state, memory_order_relaxed) == ILI_DICT_DELETED) {
        status = IL_EDELETED;
    }
    return ili_report(status, "dict");
}

il_status il_dict_length(il_dict *dict, uint64_t *length, uint64_t *version) {
    if (!dict) return no_dict();
    if (!length) return ili_no_place("length");
    if (!dict->dict) return dict->remote_ops->dict_length(dict->remote, length, version);
    struct ili_dict_view view;
    il_status status = check_live(dict);
    if (status != IL_OK) return status;
    ili_dict_look(dict->dict, &view);
    *length = view.length;
    if (version) *version = view.version;
    return IL_OK;
}

il_status il_dict_clear(il_dict *dict) {
    if (!dict) return no_dict();
    if (!dict->dict) return dict->remote_ops->dict_clear(dict->remote);
    return ili_report(ili_dict_clear(dict->handle.member, dict->dict), "dict");
}

il_status il_dict_copy(il_dict *dict, il_dict *into) {
    if (!dict) return no_dict();
    if (!into) return ili_fail(IL_EINVAL, "into: expected a dict, got NULL");
    if (into->domain != dict->domain) {
        return ili_fail(IL_EINVAL, "into: expected a dict of the same il_domain");
    }
    if (!dict->dict) return dict->remote_ops->dict_copy(dict->remote, into->remote);
    if (into->dict == dict->dict) return ili_fail(IL_EINVAL, "into: expected another dict");
    struct ili_refusal refusal = {0};
    il_status status = ili_dict_copy(dict->handle.member, dict->dict, into->dict, &refusal);
    return status == IL_OK ? IL_OK : ili_refused(status, "dict", &refusal, "into");
}

/* ---- walking -------------------------------------------------------------------------------------- */

il_status il_dict_pop_item(il_dict *dict, void *buffer, size_t capacity, il_entry *entry) {
    if (!dict) return no_dict();
    if (!entry) return ili_no_place("entry");
    if (!dict->dict) {
        return dict->remote_ops->dict_pop_item(dict->remote, buffer, capacity, entry);
    }
    struct ili_item room = ili_item_room(buffer, capacity);
    struct ili_dict_entry popped = {0};
    il_status status =
        ili_dict_pop_item(dict->handle.member, dict->dict, room.data, room.room, &popped);
    if (status == IL_ETOOBIG) {
        entry->key_bytes = popped.key_bytes;
        entry->item.bytes = popped.item.bytes;
        return ili_no_room(popped.key_bytes + popped.item.bytes);
    }
    if (status == IL_ENOKEY) return ili_fail(status, "the dict is empty");
    if (status != IL_OK) return ili_report(status, "dict");
    *entry =
        (il_entry){popped.key, popped.item.data, popped.key_bytes, ili_item_told(&popped.item)};
    return IL_OK;
}

/* BUFFER begins with all that was copied before. */
static il_status items_local(il_dict *dict, il_cursor *cursor, uint32_t what, char *buffer,
                             uint64_t room, il_entry *entries, size_t count, size_t *done) {
    struct ili_dict_entry batch[BATCH];
    il_cursor place = *cursor;
    il_status status = IL_OK;
    size_t total = 0, n = 0;
    while (total < count && !place.finished) {
        size_t most = count - total < BATCH ? count - total : BATCH;
        status = ili_dict_items(dict->handle.member, dict->dict, &place, what, buffer, room, batch,
                                most, &n);
        if (status != IL_OK) break;
        uint64_t used = 0;
        for (size_t i = 0; i < n; i++) {
            bool values = what & IL_VALUES;
            entries[total + i] = (il_entry){batch[i].key, values ? batch[i].item.data : NULL,
                                            batch[i].key_bytes, ili_item_told(&batch[i].item)};
            used += batch[i].key_bytes + (values ? batch[i].item.bytes : 0);
        }
        total += n;
        buffer += used;
        room -= used;
    }
    if (total == 0 && status == IL_ETOOBIG) {
        *done = n;
        return ili_no_room(n);
    }
    if (total == 0 && status != IL_OK) return ili_report(status, "dict");
    *cursor = place;
    *done = total;
    return IL_OK;
}

il_status il_dict_items(il_dict *dict, il_cursor *cursor, uint32_t what, void *buffer,
                        size_t capacity, il_entry *entries, size_t count, size_t *done) {
    if (!dict) return no_dict();
    if (!cursor) return ili_fail(IL_EINVAL, "cursor: expected a cursor, got NULL");
    if (!done) return ili_no_place("done");
    if (what != IL_KEYS && what != (IL_KEYS | IL_VALUES)) {
        return ili_fail(IL_EINVAL, "what: expected IL_KEYS or IL_KEYS | IL_VALUES, got %u", what);
    }
    if (!entries || count == 0) {
        return ili_fail(IL_EINVAL, "entries: expected room for at least one");
    }
    if (cursor->finished) {
        *done = 0;
        return IL_OK;
    }
    if (!dict->dict) {
        return dict->remote_ops->dict_items(dict->remote, cursor, what, buffer, capacity, entries,
                                            count, done);
    }
    struct ili_item room = ili_item_room(buffer, capacity);
    return items_local(dict, cursor, what, room.data, room.room, entries, count, done);
}

/* ---- several changes ------------------------------------------------------------------------------ */

static il_status check_change(const il_dict_change *change, size_t i) {
    if (change->what < IL_CHANGE_SET || change->what > IL_CHANGE_EXPECT) {
        return ili_fail(IL_EINVAL,
                        "changes[%zu].what: expected IL_CHANGE_SET, IL_CHANGE_REMOVE or "
                        "IL_CHANGE_EXPECT, got %u",
                        i, change->what);
    }
    il_status status = ili_check_key("changes", i, change->key, change->key_bytes);
    if (status != IL_OK) return status;
    if (change->what == IL_CHANGE_SET) {
        return ili_check_content("changes", i, change->data, change->bytes, change->type);
    }
    if (change->what == IL_CHANGE_REMOVE && change->version == IL_VERSION_NONE) {
        return ili_fail(IL_EINVAL,
                        "changes[%zu].version: expected IL_VERSION_ANY or a version: what is not "
                        "there cannot be removed",
                        i);
    }
    if (change->what == IL_CHANGE_EXPECT && change->version == IL_VERSION_ANY) {
        return ili_fail(
            IL_EINVAL,
            "changes[%zu].version: expected IL_VERSION_NONE or a version, since nothing "
            "else is expected",
            i);
    }
    return IL_OK;
}

static struct ili_dict_change local_change(const il_dict_change *change) {
    return (struct ili_dict_change){.what = change->what,
                                    .type = change->type,
                                    .key = change->key,
                                    .key_bytes = change->key_bytes,
                                    .data = change->data,
                                    .bytes = change->bytes,
                                    .version = change->version};
}

static il_status update_local(il_dict *dict, const il_dict_change *changes, size_t count,
                              uint64_t *version) {
    struct ili_dict_change few[BATCH] = {{0}}, *all = few;
    struct ili_refusal refusal = {0};
    char key[ILI_KEY_WORDS_BYTES], whom[ILI_KEY_WORDS_BYTES + 40];
    if (count > BATCH) all = malloc(count * sizeof *all);
    if (!all) return ili_fail(IL_ENOMEM, "this process has no memory");
    for (size_t i = 0; i < count; i++) all[i] = local_change(&changes[i]);
    il_status status =
        ili_dict_update(dict->handle.member, dict->dict, all, count, version, &refusal);
    if (all != few) free(all);
    if (status == IL_OK) return IL_OK;
    size_t which = refusal.which < count ? (size_t)refusal.which : 0;
    ili_key_words(key, changes[which].key, changes[which].key_bytes);
    snprintf(whom, sizeof whom, "changes[%zu]: %s", which, key);
    return ili_refused(status, "dict", &refusal, whom);
}

il_status il_dict_update(il_dict *dict, const il_dict_change *changes, size_t count,
                         uint64_t *version) {
    uint64_t length, now;
    if (!dict) return no_dict();
    if (!changes && count) {
        return ili_fail(IL_EINVAL, "changes: expected %zu changes, got NULL", count);
    }
    if (count > CHANGES_MAX) {
        return ili_fail(IL_EINVAL, "count: expected at most %d changes, got %zu", CHANGES_MAX,
                        count);
    }
    for (size_t i = 0; i < count; i++) {
        il_status status = check_change(&changes[i], i);
        if (status != IL_OK) return status;
    }
    if (count == 0) return il_dict_length(dict, &length, version ? version : &now);
    if (!dict->dict) return dict->remote_ops->dict_update(dict->remote, changes, count, version);
    return update_local(dict, changes, count, version);
}
