/*
 * list_compare.c - the calls on a list (list.h) that look at what its values are, and those that only put them in
 * another order.
 *
 * Another process may write anything into a value at any time: JSON is compared in a copy.
 * A sort copies the values under the guard, sorts without it, and puts the items in their new order under the guard
 * again if the list is still what it was. If it never is, the last try keeps the guard.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json_order.h"
#include "data/list_call.h"

#define SORT_TRIES 3
#define SORT_AT_ONCE 64u /* so few are sorted under the guard */
#define POOL_BYTES (UINT64_C(1) << 20)

/* ---- finding -------------------------------------------------------------------------------------- */

/* What is looked for, and room for a copy of what it is compared with. */
struct search {
    struct ili_order_key wanted;
    char *copy;
    uint64_t room;
};

static il_status copy_value(struct search *s, const void *value, uint64_t bytes) {
    if (bytes > s->room) {
        char *copy = realloc(s->copy, bytes * 2);
        if (!copy) return IL_ENOMEM;
        s->copy = copy;
        s->room = bytes * 2;
    }
    if (bytes) memcpy(s->copy, value, bytes);
    return IL_OK;
}

static il_status is_equal(const struct ili_arena *a, struct search *s, uint64_t slot, bool *equal) {
    uint64_t bytes;
    const struct ili_list_item *item = ili_list_item_of(a, slot, &bytes);
    if (!item) return IL_ECORRUPT;
    *equal = false;
    uint32_t type = atomic_load_explicit(&item->type, memory_order_relaxed);
    if (type != s->wanted.value_type) return IL_OK;
    *equal = bytes == s->wanted.bytes && (!bytes || memcmp(item + 1, s->wanted.data, bytes) == 0);
    if (*equal || type != IL_JSON) return IL_OK;
    il_status status = copy_value(s, item + 1, bytes);
    if (status != IL_OK) return status;
    struct ili_order_key has = ili_order_key(type, s->copy, bytes);
    return ili_order_equal_keys(&has, &s->wanted, equal);
}

/* Under the guard: the first that is equal, from START to before STOP; or IL_ENOKEY. COUNT (may be NULL): all that
 * are, and IL_ENOKEY. */
static il_status search(const struct ili_member *m, const struct ili_list *list,
                        const struct ili_payload *message, uint64_t start, uint64_t stop,
                        uint64_t *index, uint64_t *count) {
    struct search s = {.wanted = ili_order_key(message->type, message->data, message->bytes)};
    struct ili_list_place place;
    il_status status = IL_OK;
    if (start < stop) status = ili_list_find_place(&m->arena, list, start, &place);
    for (uint64_t i = start; status == IL_OK && i < stop; i++) {
        uint64_t slot;
        bool equal = false;
        status = ili_list_walk(&m->arena, &place, &slot);
        if (status == IL_ENOKEY) status = IL_ECORRUPT;
        if (status == IL_OK) status = is_equal(&m->arena, &s, slot, &equal);
        if (status != IL_OK || !equal) continue;
        if (!count) {
            *index = i;
            free(s.copy);
            return IL_OK;
        }
        ++*count;
    }
    free(s.copy);
    return status == IL_OK ? IL_ENOKEY : status;
}

/* Under the guard. */
static il_status remove_one(struct ili_member *m, struct ili_agent *self, struct ili_list *list,
                            uint64_t index) {
    struct ili_list_note note = {IL_CHANGED_REMOVED, index, 1};
    struct ili_list_edit edit = {
        .start = index, .stop = index + 1, .notes = &note, .note_count = 1};
    return ili_list_apply(m, self, list, &edit, NULL);
}

il_status ili_list_find(struct ili_member *member, struct ili_list *list,
                        const struct ili_payload *message, int64_t start, int64_t stop, bool remove,
                        uint64_t *index) {
    struct ili_agent *self;
    uint64_t at = 0;
    il_status status = remove ? ili_list_begin(member, list, NULL, 0, NULL, &self, NULL)
                              : ili_list_enter(member, list, &self);
    if (status != IL_OK) return status;
    ili_list_clip(&start, &stop, ili_list_length_now(list));
    status = search(member, list, message, (uint64_t)start, (uint64_t)stop, &at, NULL);
    if (status == IL_OK && remove) status = remove_one(member, self, list, at);
    if (status == IL_OK && index) *index = at;
    if (!remove) {
        ili_list_leave(member, self, list);
        return status;
    }
    ili_list_changed_now(member, self, list);
    ili_list_clean(member, self, list, NULL);
    return status;
}

il_status ili_list_count(struct ili_member *member, struct ili_list *list,
                         const struct ili_payload *message, uint64_t *count) {
    struct ili_agent *self;
    uint64_t found = 0;
    il_status status = ili_list_enter(member, list, &self);
    if (status != IL_OK) return status;
    status = search(member, list, message, 0, ili_list_length_now(list), NULL, &found);
    ili_list_leave(member, self, list);
    if (status != IL_ENOKEY) return status;
    *count = found;
    return IL_OK;
}

/* ---- another order -------------------------------------------------------------------------------- */

/* Under the guard: the list's COUNT items, all of them, are those of SLOTS. */
static il_status put_in_order(struct ili_member *m, struct ili_agent *self, struct ili_list *list,
                              const uint64_t *slots, uint64_t count) {
    struct ili_list_note note = {IL_CHANGED_ORDER, 0, count};
    struct ili_list_edit edit = {.stop = count,
                                 .slots = slots,
                                 .count = count,
                                 .keeps = true,
                                 .notes = &note,
                                 .note_count = 1};
    return ili_list_apply(m, self, list, &edit, NULL);
}

/* Under the guard: *SLOTS of *COUNT items, owned. */
static il_status read_slots(const struct ili_member *m, const struct ili_list *list,
                            uint64_t **slots, uint64_t *count) {
    struct ili_list_place place;
    uint64_t n = ili_list_length_now(list);
    if (n > IL_ENTRIES_MAX) return IL_ECORRUPT;
    *slots = malloc((n + 1) * sizeof **slots);
    if (!*slots) return IL_ENOMEM;
    il_status status = n ? ili_list_find_place(&m->arena, list, 0, &place) : IL_OK;
    for (uint64_t i = 0; status == IL_OK && i < n; i++) {
        status = ili_list_walk(&m->arena, &place, &(*slots)[i]);
    }
    *count = n;
    return status == IL_ENOKEY ? IL_ECORRUPT : status;
}

il_status ili_list_reverse(struct ili_member *member, struct ili_list *list) {
    struct ili_agent *self;
    uint64_t *slots = NULL, count;
    il_status status = ili_list_begin(member, list, NULL, 0, NULL, &self, NULL);
    if (status != IL_OK) return status;
    status = read_slots(member, list, &slots, &count);
    if (status == IL_OK && count > 1) {
        for (uint64_t i = 0; i < count / 2; i++) {
            uint64_t slot = slots[i];
            slots[i] = slots[count - 1 - i];
            slots[count - 1 - i] = slot;
        }
        status = put_in_order(member, self, list, slots, count);
    }
    ili_list_changed_now(member, self, list);
    ili_list_clean(member, self, list, NULL);
    free(slots);
    return status;
}

/* ---- sorting -------------------------------------------------------------------------------------- */

/* Memory for copies of values, all freed together. */
struct pool {
    struct pool *next;
    char bytes[];
};

struct sort {
    bool descending;
    uint64_t version; /* of the list that was copied */
    uint64_t count;
    uint64_t *slots;
    struct ili_order_key *keys;
    uint32_t *order, *other; /* the items in order by their number; room for as many */
    struct pool *pools;
    uint64_t pool_left;
    char *pool_at;
    struct ili_order_clash clash;
};

static void forget(struct sort *s) {
    for (struct pool *next; s->pools; s->pools = next) {
        next = s->pools->next;
        free(s->pools);
    }
    free(s->slots);
    free(s->keys);
    free(s->order);
    free(s->other);
    *s = (struct sort){.descending = s->descending};
}

static char *keep(struct sort *s, const void *data, uint64_t bytes) {
    if (!s->pool_at || bytes > s->pool_left) { /* also for nothing: NULL would be a failure */
        uint64_t room = bytes > POOL_BYTES ? bytes : POOL_BYTES;
        struct pool *pool = malloc(sizeof *pool + room);
        if (!pool) return NULL;
        pool->next = s->pools;
        s->pools = pool;
        s->pool_at = pool->bytes;
        s->pool_left = room;
    }
    char *at = s->pool_at;
    if (bytes) memcpy(at, data, bytes);
    s->pool_at += bytes;
    s->pool_left -= bytes;
    return at;
}

/* Under the guard. */
static il_status copy_list(const struct ili_member *m, const struct ili_list *list,
                           struct sort *s) {
    forget(s);
    s->version = ili_list_version_now(list);
    il_status status = read_slots(m, list, &s->slots, &s->count);
    if (status != IL_OK) return status;
    s->keys = malloc((s->count + 1) * sizeof *s->keys);
    s->order = malloc((s->count + 1) * sizeof *s->order);
    s->other = malloc((s->count + 1) * sizeof *s->other);
    if (!s->keys || !s->order || !s->other) return IL_ENOMEM;
    for (uint64_t i = 0; i < s->count; i++) {
        uint64_t bytes;
        const struct ili_list_item *item = ili_list_item_of(&m->arena, s->slots[i], &bytes);
        const char *value = item ? keep(s, item + 1, bytes) : NULL;
        if (!value) return item ? IL_ENOMEM : IL_ECORRUPT;
        uint32_t type = atomic_load_explicit(&item->type, memory_order_relaxed);
        s->keys[i] = ili_order_key(type, value, bytes);
        s->order[i] = (uint32_t)i;
    }
    return IL_OK;
}

/* Whether item B belongs before A, which is before it now. */
static il_status is_before(struct sort *s, uint32_t b, uint32_t a, bool *before) {
    int order = 0;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what `s` keeps is freed by forget() */
    il_status status = ili_order_of_keys(&s->keys[a], &s->keys[b], &order, &s->clash);
    *before = s->descending ? order < 0 : order > 0;
    return status;
}

/* Merges the sorted parts [from, middle) and [middle, to) of `order` into `other`. */
static il_status merge(struct sort *s, uint64_t from, uint64_t middle, uint64_t to) {
    uint64_t left = from, right = middle;
    bool before = false;
    il_status status = IL_OK;
    if (middle < to) status = is_before(s, s->order[middle], s->order[middle - 1], &before);
    if (status != IL_OK) return status;
    if (middle >= to || !before) { /* they are in order */
        memcpy(s->other + from, s->order + from, (to - from) * sizeof *s->order);
        return IL_OK;
    }
    for (uint64_t i = from; i < to; i++) {
        before = left == middle;
        if (left < middle && right < to) {
            status = is_before(s, s->order[right], s->order[left], &before);
            if (status != IL_OK) return status;
        }
        s->other[i] = before ? s->order[right++] : s->order[left++];
    }
    return IL_OK;
}

static il_status sort_copy(struct sort *s) {
    for (uint64_t width = 1; width < s->count; width *= 2) {
        for (uint64_t from = 0; from < s->count; from += 2 * width) {
            uint64_t middle = from + width < s->count ? from + width : s->count;
            uint64_t to = middle + width < s->count ? middle + width : s->count;
            il_status status = merge(s, from, middle, to);
            if (status != IL_OK) return status;
        }
        uint32_t *sorted = s->other;
        s->other = s->order;
        s->order = sorted;
    }
    return IL_OK;
}

/* Under the guard, where the list is the one that was sorted. What is in order already does not change. */
static il_status put_sorted(struct ili_member *m, struct ili_agent *self, struct ili_list *list,
                            const struct sort *s) {
    bool same = true;
    for (uint64_t i = 0; i < s->count && same; i++) same = s->order[i] == i;
    if (same) return IL_OK;
    uint64_t *slots = malloc(s->count * sizeof *slots);
    if (!slots) return IL_ENOMEM;
    for (uint64_t i = 0; i < s->count; i++) slots[i] = s->slots[s->order[i]];
    il_status status = put_in_order(m, self, list, slots, s->count);
    free(slots);
    return status;
}

/* With the guard, before and afterwards. */
static il_status try_sort(struct ili_member *m, struct ili_agent *self, struct ili_list *list,
                          struct sort *s, bool keep_guard, bool *done, bool *held) {
    il_status status = copy_list(m, list, s);
    if (status != IL_OK) return status;
    if (!keep_guard && s->count > SORT_AT_ONCE) {
        ili_list_leave(m, self, list);
        *held = false;
        status = sort_copy(s);
        il_status entered = ili_list_enter(m, list, &self);
        *held = entered == IL_OK;
        if (entered != IL_OK) return entered;
    } else {
        status = sort_copy(s);
    }
    *done = ili_list_version_now(list) == s->version;
    if (!*done) return IL_OK;
    return status == IL_OK ? put_sorted(m, self, list, s) : status;
}

il_status ili_list_sort(struct ili_member *member, struct ili_list *list, bool descending,
                        struct ili_refusal *refusal) {
    struct ili_agent *self;
    struct sort s = {.descending = descending};
    bool done = false, held = true;
    il_status status = ili_list_begin(member, list, NULL, 0, NULL, &self, NULL);
    if (status != IL_OK) return status;
    for (int i = 1; status == IL_OK && held && !done; i++) {
        status = try_sort(member, self, list, &s, i == SORT_TRIES, &done, &held);
    }
    if (status == IL_ETYPE && refusal) {
        refusal->has = s.clash.has;
        refusal->asked = s.clash.asked;
    }
    if (held) {
        ili_list_changed_now(member, self, list);
        ili_list_clean(member, self, list, NULL);
    }
    forget(&s);
    return status;
}
