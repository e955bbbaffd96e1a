/*
 * dict.c - a dict, and its model. Variants: without limits; the same again; of at most 60 entries of 300 bytes.
 *
 * Keys come from a pool: the empty one, long ones, some with characters that a URL must encode.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random/kind.h"
#include "random/table.h"
#include "support/world.h"

enum {
    GET_ITEM = KIND_CODES,
    SET_ITEM,
    SET_DEFAULT,
    REMOVE_KEY,
    POP,
    POP_ITEM,
    CONTAINS,
    LENGTH,
    CLEAR,
    COPY,
    UPDATE,
    ITEMS
};

#define KEYS 6000
#define CHANGES_MOST 150
#define ITEMS_MOST 100
#define SMALL 2 /* the variant with limits */
#define SMALL_ENTRIES 60
#define SMALL_BYTES 300
#define NO_NUMBER UINT64_C(0) /* no version yet */

static void *make_model(unsigned variant) {
    (void)variant;
    return calloc(1, sizeof(struct table));
}

static void free_model(void *model) {
    table_clear(model);
    free(model);
}

static il_status open_dict(il_domain *domain, const struct object *object, void **handle) {
    il_data_options options = {.struct_bytes = sizeof options};
    if (object->variant == SMALL) {
        options.max_entries = SMALL_ENTRIES;
        options.max_entry_bytes = SMALL_BYTES;
    }
    return il_dict_open(domain, object->name, strlen(object->name), &options, (il_dict **)handle);
}

static void close_dict(void *handle) { il_dict_close(handle); }

/* ---- drawing ------------------------------------------------------------------------------------ */

static void draw_key(struct cargo *cargo, struct piece *piece, const struct table *table,
                     uint64_t *random) {
    static char key[IL_KEY_MAX_BYTES + 64];
    uint32_t number = draw_below(random, KEYS);
    size_t length = 0;
    const struct entry *entry = table->first;
    if (entry && draw_below(random, 3) > 0) { /* one that is there */
        bool near_end = draw_below(random, 2) == 0;
        if (near_end) entry = table->last;
        for (uint32_t hops = draw_below(random, 60); hops > 0; hops--) {
            const struct entry *next = near_end ? entry->before : entry->after;
            if (!next) break;
            entry = next;
        }
        cargo_add_key(cargo, piece, entry->key, entry->key_bytes);
        return;
    }
    if (number % 100 == 1) {
        length = (size_t)sprintf(key, "a/b?c=%%%u \xc3\xa4", number);
    } else if (number % 100 == 2) {
        length = (size_t)sprintf(key, "%0*u", number % 1000 == 2 ? IL_KEY_MAX_BYTES : 300, number);
    } else if (number > 0) {
        length = (size_t)sprintf(key, "key %u", number);
    }
    cargo_add_key(cargo, piece, key, length);
}

static uint64_t draw_version(const struct entry *entry, uint64_t *random) {
    uint32_t chance = draw_below(random, 10);
    if (chance < 6) return IL_VERSION_ANY;
    if (chance < 7) return IL_VERSION_NONE;
    if (chance < 8) return 1 + draw_below(random, 1000);
    return entry ? entry->version : IL_VERSION_NONE;
}

static struct piece *draw_entry(const struct object *object, struct cargo *cargo,
                                uint64_t *random) {
    const struct table *table = object->model;
    uint64_t bytes = draw_bytes(random), left = (ROOM - cargo->used) / 8;
    if (object->variant == SMALL) bytes = draw_below(random, SMALL_BYTES + SMALL_BYTES / 30);
    struct piece *piece =
        draw_value(cargo, draw_below(random, 3), bytes < left ? bytes : left, random);
    draw_key(cargo, piece, table, random);
    piece->version =
        draw_version(table_find(table, cargo_key(cargo, piece), piece->key_bytes), random);
    return piece;
}

/* Many keys at once, most of them new while the dict grows. Conditions are few, or they would never hold. */
static void draw_update(struct object *object, struct operation *op, bool grow, uint64_t *random) {
    const struct table *table = object->model;
    op->count = 1 + draw_below(random, object->variant == SMALL ? 6 : CHANGES_MOST);
    for (uint64_t i = 0; i < op->count; i++) {
        struct piece *piece = draw_entry(object, &op->cargo, random);
        const struct entry *entry =
            table_find(table, cargo_key(&op->cargo, piece), piece->key_bytes);
        piece->what = IL_CHANGE_SET;
        if (object->variant != SMALL && entry && draw_below(random, grow ? 10 : 2) == 0)
            piece->what = IL_CHANGE_REMOVE;
        if (draw_below(random, 20) == 0) piece->what = IL_CHANGE_EXPECT;
        bool holds = draw_below(random, 200) > 0;
        if (piece->what == IL_CHANGE_REMOVE && piece->version == IL_VERSION_NONE) holds = true;
        if (piece->what == IL_CHANGE_EXPECT && piece->version == IL_VERSION_ANY) holds = true;
        if (holds) piece->version = entry ? entry->version : IL_VERSION_NONE;
        if (holds && draw_below(random, 2) && piece->what != IL_CHANGE_EXPECT)
            piece->version = IL_VERSION_ANY;
    }
}

static void draw(struct object *object, struct operation *op, uint64_t *random) {
    const struct table *table = object->model;
    bool grow = table->count < object->target;
    uint32_t chance = draw_below(random, 1000);
    op->capacity = draw_capacity(random);
    op->code = chance < 300   ? (grow == (chance < 250) ? SET_ITEM : REMOVE_KEY)
               : chance < 380 ? SET_DEFAULT
               : chance < 440 ? POP
               : chance < 500 ? POP_ITEM
               : chance < 700 ? GET_ITEM
               : chance < 760 ? CONTAINS
               : chance < 800 ? LENGTH
               : chance < 940 ? UPDATE
               : chance < 995 ? ITEMS
               : chance < 998 ? COPY
                              : CLEAR;
    if (op->code == UPDATE) {
        draw_update(object, op, grow, random);
    } else if (op->code == ITEMS) {
        op->count = 1 + draw_below(random, ITEMS_MOST);
        op->start = draw_below(random, 4); /* pages to pass over */
        op->end = draw_below(random, 3) ? IL_KEYS | IL_VALUES : IL_KEYS;
        op->capacity = ROOM / 2;
    } else if (op->code == COPY) {
        op->flags = WITH_OTHER;
    } else {
        draw_entry(object, &op->cargo, random);
        /* which of two limits is told first is nobody's promise */
        if (object->variant == SMALL && op->code == SET_DEFAULT) op->capacity = ROOM;
    }
    if (op->code == SET_ITEM && draw_below(random, 50) == 0) { /* not UTF-8 */
        cargo_clear(&op->cargo);
        struct piece *piece = cargo_add(&op->cargo, IL_TEXT, "\xff", 1);
        cargo_add_key(&op->cargo, piece, "key", 3);
        piece->version = IL_VERSION_ANY;
    }
}

/* ---- through a door ----------------------------------------------------------------------------- */

static void took_item(struct answer *answer, const il_item *item) {
    answer->bytes = item->bytes;
    if (answer->status == IL_OK) {
        cargo_took(&answer->cargo, item->type, item->bytes, item->version);
    }
}

static void took_entry(struct answer *answer, const il_entry *entry) {
    const char *room = answer->cargo.room;
    struct piece *piece = &answer->cargo.pieces[answer->cargo.count++];
    *piece = (struct piece){.type = entry->item.type,
                            .version = entry->item.version,
                            .key_at = (uint64_t)(entry->key - room),
                            .key_bytes = entry->key_bytes};
    if (!entry->data) return;
    piece->at = (uint64_t)((const char *)entry->data - room);
    piece->bytes = entry->item.bytes;
}

static void perform_update(il_dict *dict, const struct operation *op, struct answer *answer) {
    static il_dict_change changes[CHANGES_MOST];
    for (uint64_t i = 0; i < op->count; i++) {
        const struct piece *piece = &op->cargo.pieces[i];
        bool sets = piece->what == IL_CHANGE_SET;
        changes[i] = (il_dict_change){.what = piece->what,
                                      .type = sets ? piece->type : 0,
                                      .key = cargo_key(&op->cargo, piece),
                                      .key_bytes = piece->key_bytes,
                                      .data = sets ? cargo_data(&op->cargo, piece) : NULL,
                                      .bytes = sets ? piece->bytes : 0,
                                      .version = piece->version};
    }
    answer->status = il_dict_update(dict, changes, op->count, &answer->version);
}

/* The page behind op->start others. */
static void perform_items(il_dict *dict, const struct operation *op, struct answer *answer) {
    static il_entry entries[ITEMS_MOST];
    il_cursor cursor = {0};
    size_t done = 0;
    for (int64_t page = 0; page <= op->start; page++) {
        answer->status = il_dict_items(dict, &cursor, op->end, answer->cargo.room, op->capacity,
                                       entries, op->count, &done);
        if (answer->status != IL_OK) return;
    }
    for (size_t i = 0; i < done; i++) took_entry(answer, &entries[i]);
}

static void perform(void *handle, void *other, const struct operation *op, struct answer *answer) {
    il_dict *dict = handle;
    const struct piece *piece = op->cargo.pieces;
    const char *key = cargo_key(&op->cargo, piece), *data = cargo_data(&op->cargo, piece);
    size_t key_bytes = piece->key_bytes;
    char *room = answer->cargo.room;
    il_item item = {.bytes = UNTOUCHED};
    il_entry entry = {.key_bytes = UNTOUCHED};
    int32_t flag = -1;
    uint64_t version = piece->version;
    switch (op->code) {
    case GET_ITEM:
        answer->status = il_dict_get(dict, key, key_bytes, room, op->capacity, &item);
        took_item(answer, &item);
        break;
    case SET_ITEM:
        answer->status =
            il_dict_set(dict, key, key_bytes, data, piece->bytes, piece->type, &version);
        if (answer->status == IL_OK) answer->version = version;
        break;
    case SET_DEFAULT:
        answer->status = il_dict_set_default(dict, key, key_bytes, data, piece->bytes, piece->type,
                                             room, op->capacity, &item, &flag);
        if (answer->status == IL_OK) answer->number = (uint64_t)flag;
        took_item(answer, &item);
        break;
    case REMOVE_KEY: answer->status = il_dict_remove(dict, key, key_bytes, piece->version); break;
    case POP:
        answer->status = il_dict_pop(dict, key, key_bytes, room, op->capacity, &item);
        took_item(answer, &item);
        break;
    case POP_ITEM:
        answer->status = il_dict_pop_item(dict, room, op->capacity, &entry);
        if (answer->status == IL_OK) took_entry(answer, &entry);
        if (answer->status == IL_ETOOBIG) answer->bytes = entry.key_bytes + entry.item.bytes;
        break;
    case CONTAINS:
        answer->status = il_dict_contains(dict, key, key_bytes, &flag);
        answer->number = (uint64_t)flag;
        break;
    case LENGTH: answer->status = il_dict_length(dict, &answer->number, &answer->version); break;
    case CLEAR: answer->status = il_dict_clear(dict); break;
    case COPY: answer->status = il_dict_copy(dict, other); break;
    case UPDATE: perform_update(dict, op, answer); break;
    default: perform_items(dict, op, answer);
    }
}

/* ---- on the model ------------------------------------------------------------------------------- */

static void show(struct answer *answer, const struct entry *entry, bool key, bool value) {
    struct piece *piece =
        cargo_add(&answer->cargo, entry->type, entry->data, value ? entry->bytes : 0);
    if (key) cargo_add_key(&answer->cargo, piece, entry->key, entry->key_bytes);
    piece->version = entry->version;
}

static bool is_wrong_text(const struct operation *op, const struct piece *piece) {
    return piece->type == IL_TEXT && piece->bytes == 1 && *cargo_data(&op->cargo, piece) == '\xff';
}

static bool has_version(const struct entry *entry, uint64_t version) {
    return version == IL_VERSION_ANY || version == (entry ? entry->version : IL_VERSION_NONE);
}

static struct entry *set(struct table *table, const struct operation *op,
                         const struct piece *piece) {
    return table_set(table, cargo_key(&op->cargo, piece), piece->key_bytes, piece->type,
                     cargo_data(&op->cargo, piece), piece->bytes);
}

static bool is_beyond(const struct object *object, const struct piece *piece, uint64_t count) {
    return object->variant == SMALL && (piece->bytes > SMALL_BYTES || count > SMALL_ENTRIES);
}

static void apply_set(struct object *object, const struct operation *op, struct answer *answer,
                      struct entry *entry) {
    struct table *table = object->model;
    const struct piece *piece = op->cargo.pieces;
    bool is_default = op->code == SET_DEFAULT;
    if (is_wrong_text(op, piece)) {
        answer->status = IL_EINVAL;
    } else if (!is_default && !is_beyond(object, piece, 0) && !has_version(entry, piece->version)) {
        answer->status = IL_ECHANGED; /* too long a value is refused before anybody looks */
    } else if ((!is_default || !entry) && is_beyond(object, piece, table->count + !entry)) {
        answer->status = IL_EOVERFLOW;
    } else if (is_default) {
        uint64_t bytes = entry ? entry->bytes : piece->bytes;
        answer->bytes = bytes;
        if (bytes > op->capacity) { /* and nothing is set */
            answer->status = IL_ETOOBIG;
            return;
        }
        answer->number = !entry;
        if (!entry) {
            table->version++;
            entry = set(table, op, piece);
        }
        show(answer, entry, false, true);
    } else {
        table->version++;
        answer->version = set(table, op, piece)->version;
    }
}

/* Where several changes are refused, any of them may be told about. */
static il_status worse(il_status first, il_status next, il_status got) {
    return first == IL_OK || next == got ? next : first;
}

/* Conditions are about what was before all of it. */
static il_status may_update(struct object *object, const struct operation *op, il_status got) {
    const struct table *table = object->model;
    uint64_t count = table->count;
    il_status status = IL_OK;
    for (uint64_t i = 0; i < op->count; i++) {
        const struct piece *piece = &op->cargo.pieces[i];
        if (piece->what == IL_CHANGE_SET && is_beyond(object, piece, 0)) return IL_EOVERFLOW;
    }
    for (uint64_t i = 0; i < op->count; i++) {
        const struct piece *piece = &op->cargo.pieces[i];
        const char *key = cargo_key(&op->cargo, piece);
        const struct entry *entry = table_find(table, key, piece->key_bytes);
        if (!has_version(entry, piece->version)) status = worse(status, IL_ECHANGED, got);
        bool there = entry != NULL, new = !entry;
        for (uint64_t k = 0; k < i; k++) { /* what those before it did to the key */
            const struct piece *old = &op->cargo.pieces[k];
            if (old->key_bytes != piece->key_bytes || old->what == IL_CHANGE_EXPECT ||
                memcmp(cargo_key(&op->cargo, old), key, piece->key_bytes) != 0)
                continue;
            there = old->what == IL_CHANGE_SET;
            new = new && !there;
        }
        if (piece->what == IL_CHANGE_REMOVE && !there) status = worse(status, IL_ENOKEY, got);
        if (piece->what != IL_CHANGE_SET) continue;
        count += new;
        if (is_beyond(object, piece, count)) status = worse(status, IL_EOVERFLOW, got);
    }
    return status;
}

static void apply_update(struct object *object, const struct operation *op, struct answer *answer) {
    struct table *table = object->model;
    bool changes = false;
    answer->status = may_update(object, op, answer->got);
    if (answer->status != IL_OK) return;
    for (uint64_t i = 0; i < op->count; i++)
        changes |= op->cargo.pieces[i].what != IL_CHANGE_EXPECT;
    table->version += changes;
    for (uint64_t i = 0; i < op->count; i++) {
        const struct piece *piece = &op->cargo.pieces[i];
        if (piece->what == IL_CHANGE_SET) set(table, op, piece);
        if (piece->what == IL_CHANGE_REMOVE)
            table_remove(table, table_find(table, cargo_key(&op->cargo, piece), piece->key_bytes));
    }
    answer->version = table->version;
}

static void apply_copy(struct object *object, struct answer *answer) {
    const struct table *from = object->model;
    struct table *into = object->other->model;
    uint64_t count = into->count;
    struct piece piece = {0};
    for (const struct entry *entry = from->first; entry; entry = entry->after) {
        count += !table_find(into, entry->key, entry->key_bytes);
        piece.bytes = entry->bytes > piece.bytes ? entry->bytes : piece.bytes;
    }
    if (is_beyond(object->other, &piece, count)) {
        answer->status = IL_EOVERFLOW;
        return;
    }
    into->version += from->count > 0;
    for (const struct entry *entry = from->first; entry; entry = entry->after) {
        table_set(into, entry->key, entry->key_bytes, entry->type, entry->data, entry->bytes);
    }
}

static void apply_items(const struct table *table, const struct operation *op,
                        struct answer *answer) {
    const struct entry *entry = table->first;
    for (int64_t page = 0; page <= op->start; page++) {
        uint64_t bytes = 0, count = 0;
        for (; entry && count < op->count; entry = entry->after, count++) {
            bytes += entry->key_bytes + (op->end & IL_VALUES ? entry->bytes : 0);
            if (bytes > op->capacity) break;
            if (page == op->start) show(answer, entry, true, op->end & IL_VALUES);
        }
    }
}

static void apply(struct object *object, const struct operation *op, struct answer *answer) {
    struct table *table = object->model;
    const struct piece *piece = op->cargo.pieces;
    if (op->code == REMOVE_KEY && piece->version == IL_VERSION_NONE) {
        answer->status = IL_EINVAL;
        return;
    }
    struct entry *entry = op->code == POP_ITEM ? table->last
                          : op->cargo.count > 0
                              ? table_find(table, cargo_key(&op->cargo, piece), piece->key_bytes)
                              : NULL;
    bool takes = op->code == GET_ITEM || op->code == POP || op->code == POP_ITEM;
    if (!entry && (takes || op->code == REMOVE_KEY)) {
        answer->status = IL_ENOKEY;
        return;
    }
    switch (op->code) {
    case GET_ITEM:
    case POP:
    case POP_ITEM: {
        uint64_t bytes = entry->bytes + (op->code == POP_ITEM ? entry->key_bytes : 0);
        if (bytes > op->capacity) answer->status = IL_ETOOBIG;
        if (bytes > op->capacity || op->code != POP_ITEM) answer->bytes = bytes;
        if (bytes > op->capacity) return;
        show(answer, entry, op->code == POP_ITEM, true);
        if (op->code == GET_ITEM) return;
        table->version++;
        table_remove(table, entry);
        break;
    }
    case SET_ITEM:
    case SET_DEFAULT: apply_set(object, op, answer, entry); break;
    case REMOVE_KEY:
        if (!has_version(entry, piece->version)) {
            answer->status = IL_ECHANGED;
            return;
        }
        table->version++;
        table_remove(table, entry);
        break;
    case CONTAINS: answer->number = entry != NULL; break;
    case LENGTH:
        answer->number = table->count;
        answer->version = table->version;
        break;
    case CLEAR:
        table->version += table->count > 0;
        table_clear(table);
        break;
    case COPY: apply_copy(object, answer); break;
    case UPDATE: apply_update(object, op, answer); break;
    default: apply_items(table, op, answer);
    }
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static bool same(struct object *object, void *handle, char why[WHY]) {
    const struct table *table = object->model;
    const struct entry *entry = table->first;
    static char room[ROOM];
    static il_entry entries[1000];
    il_cursor cursor = {0};
    uint64_t length = UNTOUCHED, version = UNTOUCHED, at = 0;
    size_t done;
    il_status status = il_dict_length(handle, &length, &version);
    if (status != IL_OK || length != table->count || version != table->version) {
        snprintf(why, WHY, "%s, %lld entries and version %lld, not %lld and %lld",
                 il_status_name(status), (long long)length, (long long)version,
                 (long long)table->count, (long long)table->version);
        return false;
    }
    while (!cursor.finished) {
        status = il_dict_items(handle, &cursor, IL_KEYS | IL_VALUES, room, sizeof room, entries,
                               1000, &done);
        if (status != IL_OK) {
            snprintf(why, WHY, "%s: %.300s", il_status_name(status), il_error_message());
            return false;
        }
        for (size_t i = 0; i < done; i++, at++, entry = entry->after) {
            const il_entry *found = &entries[i];
            if (entry && found->key_bytes == entry->key_bytes &&
                memcmp(found->key, entry->key, entry->key_bytes) == 0 &&
                found->item.type == entry->type && found->item.version == entry->version &&
                found->item.bytes == entry->bytes &&
                memcmp(found->data, entry->data, entry->bytes) == 0)
                continue;
            snprintf(why, WHY, "entry %llu, %.*s of version %llu, is another",
                     (unsigned long long)at, found->key_bytes < 40 ? (int)found->key_bytes : 40,
                     found->key, (unsigned long long)found->item.version);
            return false;
        }
    }
    if (entry) snprintf(why, WHY, "a walk ends after %llu entries", (unsigned long long)at);
    return !entry;
}

static il_status check(il_domain *domain, void *handle) {
    return ili_dict_check(&domain->member, ((il_dict *)handle)->dict);
}

const struct random_kind random_dict = {
    "dict",         30,   3,       make_model, free_model, open_dict, close_dict,
    il_dict_delete, draw, perform, apply,      NULL,       same,      check};
