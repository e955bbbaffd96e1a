/*
 * list.c - a list, and its model: an array of items. Variants: of anything; of numbers, many of them equal; of
 * short texts, many of them equal; of anything with at most 60 items of 300 bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random/kind.h"
#include "support/world.h"

enum {
    APPEND = KIND_CODES,
    EXTEND,
    INSERT,
    GET_ITEM,
    SET_ITEM,
    REMOVE_AT,
    POP,
    REMOVE_VALUE,
    INDEX,
    COUNT,
    REVERSE,
    SORT,
    CLEAR,
    LENGTH,
    SLICE,
    SPLICE
};

enum { MIXED, NUMBERS, TEXTS, SMALL };

#define MANY 150
#define SMALL_ENTRIES 60
#define SMALL_BYTES 300

struct item {
    char *data; /* owned */
    uint64_t bytes, version;
    uint32_t type;
};

struct model {
    struct item *items;
    uint64_t count, room, version;
};

static void *make_model(unsigned variant) {
    (void)variant;
    return calloc(1, sizeof(struct model));
}

static void cut(struct model *model, uint64_t start, uint64_t stop) {
    for (uint64_t i = start; i < stop; i++) free(model->items[i].data);
    if (stop > start) {
        memmove(model->items + start, model->items + stop,
                (model->count - stop) * sizeof *model->items);
    }
    model->count -= stop - start;
}

static void free_model(void *pointer) {
    struct model *model = pointer;
    cut(model, 0, model->count);
    free(model->items);
    free(model);
}

static il_status open_list(il_domain *domain, const struct object *object, void **handle) {
    il_data_options options = {.struct_bytes = sizeof options};
    if (object->variant == SMALL) {
        options.max_entries = SMALL_ENTRIES;
        options.max_entry_bytes = SMALL_BYTES;
    }
    return il_list_open(domain, object->name, strlen(object->name), &options, (il_list **)handle);
}

static void close_list(void *handle) { il_list_close(handle); }

/* ---- drawing ------------------------------------------------------------------------------------ */

static void draw_item(const struct object *object, struct cargo *cargo, uint64_t *random) {
    const struct model *model = object->model;
    char text[40];
    uint64_t bytes = draw_bytes(random), left = (ROOM - cargo->used) / 8;
    int number = (int)draw_below(random, 500);
    if (model->count > 0 && object->variant == MIXED && draw_below(random, 8) == 0) {
        const struct item *item = &model->items[draw_below(random, (uint32_t)model->count)];
        if (item->bytes < left) cargo_add(cargo, item->type, item->data, item->bytes);
        if (item->bytes < left) return;
    }
    if (object->variant == NUMBERS) {
        static const char *const fractions[] = {"", ".5", ".0"};
        const char *fraction = fractions[number % 5 ? 0 : 1 + number % 2];
        int length = snprintf(text, sizeof text, "%d%s", number / 2 - 100, fraction);
        cargo_add(cargo, IL_JSON, text, (uint64_t)length);
    } else if (object->variant == TEXTS) {
        int length = snprintf(text, sizeof text, "%s%d", number % 7 ? "t" : "\xc3\xa4", number);
        cargo_add(cargo, IL_TEXT, text, (uint64_t)(number % 50 ? length : 0));
    } else {
        if (object->variant == SMALL) bytes = draw_below(random, SMALL_BYTES + SMALL_BYTES / 30);
        draw_value(cargo, draw_below(random, 3), bytes < left ? bytes : left, random);
    }
}

static uint64_t draw_version(uint64_t version, uint64_t *random) {
    uint32_t chance = draw_below(random, 10);
    return chance < 6 ? IL_VERSION_ANY : chance < 7 ? 1 + draw_below(random, 1000) : version;
}

/* From START to before STOP: few items, so that the list does not vanish at once. */
static void draw_slice(struct operation *op, uint64_t count, uint64_t *random) {
    op->start = (int64_t)draw_below(random, (uint32_t)count + 3);
    op->stop = op->start + (int64_t)draw_below(random, MANY) - 5;
    if (draw_below(random, 10) == 0) {
        op->start = count > 20 ? (int64_t)count - 20 : 0;
        op->stop = INT64_MAX;
    }
    if (draw_below(random, 4) == 0) { /* the same from the end */
        op->start -= (int64_t)count + 2;
        if (op->stop != INT64_MAX) op->stop -= (int64_t)count + 2;
    }
}

static void draw(struct object *object, struct operation *op, uint64_t *random) {
    const struct model *model = object->model;
    bool grow = model->count < object->target;
    uint32_t chance = draw_below(random, 1000), length = (uint32_t)model->count;
    int64_t at;
    op->capacity = draw_capacity(random);
    op->code = chance < 150   ? (grow == (chance < 120) ? APPEND : POP)
               : chance < 250 ? (grow == (chance < 230) ? EXTEND : SPLICE)
               : chance < 350 ? (grow == (chance < 330) ? INSERT : REMOVE_AT)
               : chance < 500 ? GET_ITEM
               : chance < 650 ? SET_ITEM
               : chance < 700 ? REMOVE_VALUE
               : chance < 740 ? INDEX
               : chance < 780 ? COUNT
               : chance < 800 ? REVERSE
               : chance < 820 ? SORT
               : chance < 822 ? CLEAR
               : chance < 860 ? LENGTH
               : chance < 930 ? SLICE
                              : SPLICE;
    op->start = (int64_t)draw_below(random, 2 * length + 2) - length - 1; /* may be no index */
    op->stop = draw_below(random, 2) ? INT64_MAX : (int64_t)draw_below(random, length + 1);
    at = op->start < 0 ? op->start + length : op->start;
    bool there = at >= 0 && at < (int64_t)length;
    op->version = draw_version(there ? model->items[at].version : 1, random);
    op->end = draw_below(random, 2) ? IL_DESCENDING : 0;
    if (op->code == SLICE || op->code == SPLICE) {
        draw_slice(op, model->count, random);
        op->version = draw_version(model->version, random);
        op->capacity = ROOM / 2;
    }
    bool some = op->code == EXTEND || op->code == SLICE;
    op->count = some                 ? 1 + draw_below(random, MANY)
                : op->code == SPLICE ? draw_below(random, grow ? MANY : 20)
                                     : 1;
    if (object->variant == SMALL && op->count > 6 && op->code != SLICE) op->count = 6;
    for (uint64_t i = 0; op->code != SLICE && i < op->count; i++)
        draw_item(object, &op->cargo, random);
    if (op->code == APPEND && draw_below(random, 50) == 0) { /* not UTF-8 */
        cargo_clear(&op->cargo);
        cargo_add(&op->cargo, IL_TEXT, "\xff", 1);
    }
}

/* ---- through a door ----------------------------------------------------------------------------- */

static size_t fill_messages(const struct operation *op, il_message messages[MANY]) {
    for (uint64_t i = 0; i < op->count; i++) {
        const struct piece *piece = &op->cargo.pieces[i];
        messages[i] = (il_message){
            .data = cargo_data(&op->cargo, piece), .bytes = piece->bytes, .type = piece->type};
    }
    return op->count;
}

static void perform_slice(il_list *list, const struct operation *op, struct answer *answer) {
    static il_list_item items[MANY];
    char *room = answer->cargo.room;
    size_t done = 0;
    answer->status = il_list_slice(list, op->start, op->stop, room, op->capacity, items, op->count,
                                   &done, &answer->version);
    for (size_t i = 0; answer->status == IL_OK && i < done; i++) {
        struct piece *piece = &answer->cargo.pieces[answer->cargo.count++];
        *piece = (struct piece){.type = items[i].item.type,
                                .bytes = items[i].item.bytes,
                                .version = items[i].item.version};
        if (piece->bytes > 0) piece->at = (uint64_t)((const char *)items[i].data - room);
    }
}

static void perform_change(il_list *list, const struct operation *op, struct answer *answer) {
    il_message messages[MANY];
    const struct piece *piece = op->cargo.pieces;
    const char *data = cargo_data(&op->cargo, piece);
    uint64_t version = op->version;
    size_t count;
    switch (op->code) {
    case APPEND: answer->status = il_list_append(list, data, piece->bytes, piece->type); break;
    case EXTEND:
        count = fill_messages(op, messages);
        answer->status = il_list_extend(list, messages, count);
        break;
    case INSERT:
        answer->status = il_list_insert(list, op->start, data, piece->bytes, piece->type);
        break;
    case SET_ITEM:
        answer->status = il_list_set(list, op->start, data, piece->bytes, piece->type, &version);
        if (answer->status == IL_OK) answer->version = version;
        break;
    case REMOVE_AT: answer->status = il_list_remove_at(list, op->start, op->version); break;
    case REMOVE_VALUE:
        answer->status = il_list_remove(list, data, piece->bytes, piece->type);
        break;
    case REVERSE: answer->status = il_list_reverse(list); break;
    case SORT: answer->status = il_list_sort(list, op->end); break;
    case CLEAR: answer->status = il_list_clear(list); break;
    default:
        count = fill_messages(op, messages);
        answer->status = il_list_splice(list, op->start, op->stop, messages, count, &version);
        if (answer->status == IL_OK) answer->version = version;
    }
}

static void perform(void *handle, void *other, const struct operation *op, struct answer *answer) {
    il_list *list = handle;
    const struct piece *piece = op->cargo.pieces;
    const char *data = cargo_data(&op->cargo, piece);
    il_item item = {.bytes = UNTOUCHED};
    (void)other;
    switch (op->code) {
    case GET_ITEM:
    case POP:
        answer->status =
            op->code == POP ? il_list_pop(list, op->start, answer->cargo.room, op->capacity, &item)
                            : il_list_get(list, op->start, answer->cargo.room, op->capacity, &item);
        answer->bytes = item.bytes;
        if (answer->status == IL_OK)
            cargo_took(&answer->cargo, item.type, item.bytes, item.version);
        break;
    case INDEX:
        answer->status = il_list_index(list, data, piece->bytes, piece->type, op->start, op->stop,
                                       &answer->number);
        break;
    case COUNT:
        answer->status = il_list_count(list, data, piece->bytes, piece->type, &answer->number);
        break;
    case LENGTH: answer->status = il_list_length(list, &answer->number, &answer->version); break;
    case SLICE: perform_slice(list, op, answer); break;
    default: perform_change(list, op, answer);
    }
}

/* ---- on the model ------------------------------------------------------------------------------- */

static bool is_number(uint32_t type, const char *data, uint64_t bytes) {
    return type == IL_JSON && bytes > 0 && (data[0] == '-' || (data[0] >= '0' && data[0] <= '9'));
}

static double number_of(const char *data, uint64_t bytes) {
    char text[64] = "";
    memcpy(text, data, bytes < 63 ? bytes : 63);
    return strtod(text, NULL);
}

static bool equals(const struct item *item, uint32_t type, const char *data, uint64_t bytes) {
    if (is_number(item->type, item->data, item->bytes) && is_number(type, data, bytes))
        return number_of(item->data, item->bytes) == number_of(data, bytes);
    return item->type == type && item->bytes == bytes && memcmp(item->data, data, bytes) == 0;
}

/* What can be compared with each other: numbers, texts and JSON strings, bytes, arrays. 0: nothing. */
static unsigned class_of(const struct item *item) {
    if (is_number(item->type, item->data, item->bytes)) return 1;
    if (item->type == IL_TEXT || (item->type == IL_JSON && item->data[0] == '"')) return 2;
    if (item->type == IL_BYTES) return 3;
    return item->type == IL_JSON && item->data[0] == '[' ? 4 : 0;
}

static int compare_arrays(const struct item *a, const struct item *b) {
    const char *x = a->data + 1, *y = b->data + 1;
    const char *x_end = a->data + a->bytes - 1, *y_end = b->data + b->bytes - 1;
    while (x < x_end && y < y_end) { /* of numbers below 1000 */
        char *x_next, *y_next;
        long m = strtol(x, &x_next, 10), n = strtol(y, &y_next, 10);
        if (m != n) return m < n ? -1 : 1;
        x = x_next + 1;
        y = y_next + 1;
    }
    return (x < x_end) - (y < y_end);
}

static int compare(const struct item *a, const struct item *b) {
    unsigned class = class_of(a);
    if (class == 1) {
        double x = number_of(a->data, a->bytes), y = number_of(b->data, b->bytes);
        return (x > y) - (x < y);
    }
    if (class == 4) return compare_arrays(a, b);
    unsigned a_quotes = a->type == IL_JSON, b_quotes = b->type == IL_JSON;
    uint64_t a_bytes = a->bytes - 2 * a_quotes, b_bytes = b->bytes - 2 * b_quotes;
    int order =
        memcmp(a->data + a_quotes, b->data + b_quotes, a_bytes < b_bytes ? a_bytes : b_bytes);
    return order ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static void merge(struct item *items, struct item *room, uint64_t count, bool descending) {
    uint64_t half = count / 2, i = 0, k = half, at = 0;
    if (count < 2) return;
    merge(items, room, half, descending);
    merge(items + half, room, count - half, descending);
    while (i < half && k < count) {
        int order = compare(&items[i], &items[k]);
        room[at++] = (descending ? order >= 0 : order <= 0) ? items[i++] : items[k++];
    }
    while (i < half) room[at++] = items[i++];
    while (k < count) room[at++] = items[k++];
    memcpy(items, room, count * sizeof *items);
}

/* *CHANGED: the order was another one. */
static il_status sort(struct model *model, bool descending, bool *changed) {
    for (uint64_t i = 0; i < model->count && model->count > 1; i++) {
        unsigned class = class_of(&model->items[i]);
        if (class == 0 || class != class_of(&model->items[0])) return IL_ETYPE;
    }
    struct item *room = malloc((model->count + 1) * sizeof *room);
    char **before = malloc((model->count + 1) * sizeof *before);
    for (uint64_t i = 0; i < model->count; i++) before[i] = model->items[i].data;
    merge(model->items, room, model->count, descending);
    for (uint64_t i = 0; i < model->count; i++) *changed |= before[i] != model->items[i].data;
    free(before);
    free(room);
    return IL_OK;
}

/* What is wrong with the values, whatever there is in the list: that is seen first. */
static il_status values_are_wrong(const struct object *object, const struct operation *op) {
    for (uint64_t i = 0; i < op->cargo.count; i++) {
        const struct piece *piece = &op->cargo.pieces[i];
        if (piece->type == IL_TEXT && piece->bytes == 1 && *cargo_data(&op->cargo, piece) == '\xff')
            return IL_EINVAL;
        if (object->variant == SMALL && piece->bytes > SMALL_BYTES) return IL_EOVERFLOW;
    }
    return IL_OK;
}

/* Puts the operation's items in the place of those from START to before STOP. */
static il_status splice(const struct object *object, const struct operation *op, uint64_t start,
                        uint64_t stop) {
    struct model *model = object->model;
    uint64_t count = op->cargo.count, all = model->count - (stop - start) + count;
    if (object->variant == SMALL && all > SMALL_ENTRIES && count > 0) return IL_EOVERFLOW;
    model->version += count > 0 || stop > start;
    cut(model, start, stop);
    if (all > model->room) {
        model->room = 2 * all;
        model->items = realloc(model->items, model->room * sizeof *model->items);
    }
    if (count > 0) {
        memmove(model->items + start + count, model->items + start,
                (model->count - start) * sizeof *model->items);
    }
    model->count = all;
    for (uint64_t i = 0; i < count; i++) {
        const struct piece *piece = &op->cargo.pieces[i];
        struct item *item = &model->items[start + i];
        *item = (struct item){malloc(piece->bytes + 1), piece->bytes, model->version, piece->type};
        memcpy(item->data, cargo_data(&op->cargo, piece), piece->bytes);
    }
    return IL_OK;
}

static uint64_t clip(int64_t index, uint64_t count) {
    if (index < 0) index += (int64_t)count;
    return index < 0 ? 0 : (uint64_t)index > count ? count : (uint64_t)index;
}

static void show(struct answer *answer, const struct item *item) {
    struct piece *piece = cargo_add(&answer->cargo, item->type, item->data, item->bytes);
    piece->version = item->version;
}

/* Of one item, which must be there. */
static il_status apply_at(struct object *object, const struct operation *op,
                          struct answer *answer) {
    struct model *model = object->model;
    int64_t at = op->start < 0 ? op->start + (int64_t)model->count : op->start;
    if (at < 0 || at >= (int64_t)model->count) return IL_ERANGE;
    struct item *item = &model->items[at];
    if ((op->code == SET_ITEM || op->code == REMOVE_AT) && op->version != IL_VERSION_ANY &&
        op->version != item->version)
        return IL_ECHANGED;
    if (op->code == SET_ITEM) {
        il_status status = splice(object, op, (uint64_t)at, (uint64_t)at + 1);
        if (status == IL_OK) answer->version = model->version;
        return status;
    }
    if (op->code == GET_ITEM || op->code == POP) {
        answer->bytes = item->bytes;
        if (item->bytes > op->capacity) return IL_ETOOBIG;
        show(answer, item);
    }
    if (op->code == GET_ITEM) return IL_OK;
    model->version++;
    cut(model, (uint64_t)at, (uint64_t)at + 1);
    return IL_OK;
}

static il_status apply_find(struct model *model, const struct operation *op,
                            struct answer *answer) {
    const struct piece *piece = op->cargo.pieces;
    const char *data = cargo_data(&op->cargo, piece);
    uint64_t start = op->code == INDEX ? clip(op->start, model->count) : 0, count = 0;
    uint64_t stop = op->code == INDEX ? clip(op->stop, model->count) : model->count;
    for (uint64_t i = start; i < stop; i++) {
        if (!equals(&model->items[i], piece->type, data, piece->bytes)) continue;
        count++;
        if (op->code == COUNT) continue;
        if (op->code == INDEX) answer->number = i;
        if (op->code == REMOVE_VALUE) {
            model->version++;
            cut(model, i, i + 1);
        }
        return IL_OK;
    }
    if (op->code != COUNT) return IL_ENOKEY;
    answer->number = count;
    return IL_OK;
}

static void apply_order(struct model *model, const struct operation *op, struct answer *answer) {
    bool changed = op->code == REVERSE && model->count > 1;
    if (op->code == SORT) answer->status = sort(model, op->end, &changed);
    model->version += changed;
    for (uint64_t i = 0; op->code == REVERSE && i < model->count / 2; i++) {
        struct item item = model->items[i];
        model->items[i] = model->items[model->count - 1 - i];
        model->items[model->count - 1 - i] = item;
    }
}

static void apply(struct object *object, const struct operation *op, struct answer *answer) {
    struct model *model = object->model;
    uint64_t start = clip(op->start, model->count), stop = clip(op->stop, model->count);
    bool changes = op->code < GET_ITEM || op->code == SET_ITEM || op->code == SPLICE;
    if (stop < start) stop = start;
    if (changes) answer->status = values_are_wrong(object, op);
    if (answer->status != IL_OK) return;
    switch (op->code) {
    case APPEND:
    case EXTEND: answer->status = splice(object, op, model->count, model->count); break;
    case INSERT: answer->status = splice(object, op, start, start); break;
    case REMOVE_VALUE:
    case INDEX:
    case COUNT: answer->status = apply_find(model, op, answer); break;
    case REVERSE:
    case SORT: apply_order(model, op, answer); break;
    case CLEAR:
        model->version += model->count > 0;
        cut(model, 0, model->count);
        break;
    case LENGTH:
        answer->number = model->count;
        answer->version = model->version;
        break;
    case SLICE:
        answer->version = model->version;
        for (uint64_t i = start; i < stop && i - start < op->count; i++) {
            if (answer->cargo.used + model->items[i].bytes > op->capacity) break;
            show(answer, &model->items[i]);
        }
        break;
    case SPLICE:
        if (op->version != IL_VERSION_ANY && op->version != model->version) {
            answer->status = IL_ECHANGED;
            return;
        }
        answer->status = splice(object, op, start, stop);
        if (answer->status == IL_OK) answer->version = model->version;
        break;
    default: answer->status = apply_at(object, op, answer);
    }
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static bool same(struct object *object, void *handle, char why[200]) {
    const struct model *model = object->model;
    static char room[ROOM];
    static il_list_item items[1000];
    uint64_t length = UNTOUCHED, version = UNTOUCHED, at = 0;
    size_t done;
    il_status status = il_list_length(handle, &length, &version);
    if (status != IL_OK || length != model->count || version != model->version) {
        snprintf(why, 200, "%s, %lld items and version %lld, not %lld and %lld",
                 il_status_name(status), (long long)length, (long long)version,
                 (long long)model->count, (long long)model->version);
        return false;
    }
    while (at < length) {
        status = il_list_slice(handle, (int64_t)at, INT64_MAX, room, sizeof room, items, 1000,
                               &done, NULL);
        if (status != IL_OK || done == 0) {
            snprintf(why, 200, "%s at %llu: %.150s", il_status_name(status), (unsigned long long)at,
                     il_error_message());
            return false;
        }
        for (size_t i = 0; i < done; i++, at++) {
            const struct item *item = &model->items[at];
            const il_list_item *found = &items[i];
            if (found->item.type == item->type && found->item.version == item->version &&
                found->item.bytes == item->bytes &&
                memcmp(found->data, item->data, item->bytes) == 0)
                continue;
            snprintf(why, 200, "item %llu is another: version %llu, not %llu",
                     (unsigned long long)at, (unsigned long long)found->item.version,
                     (unsigned long long)item->version);
            return false;
        }
    }
    return true;
}

static il_status check(il_domain *domain, void *handle) {
    return ili_list_check(&domain->member, ((il_list *)handle)->list);
}

const struct random_kind random_list = {
    "list",         28,   4,       make_model, free_model, open_list, close_list,
    il_list_delete, draw, perform, apply,      NULL,       same,      check};
