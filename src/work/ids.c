#include "work/ids.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_AT_FIRST 256

static uint64_t id_of(const struct ili_ids *ids, const void *entry) {
    uint64_t id;
    memcpy(&id, (const char *)entry + ids->id_at, sizeof id);
    return id;
}

static void *next_of(const struct ili_ids *ids, const void *entry) {
    void *next;
    memcpy(&next, (const char *)entry + ids->next_at, sizeof next);
    return next;
}

static void set_next(const struct ili_ids *ids, void *entry, void *next) {
    memcpy((char *)entry + ids->next_at, &next, sizeof next);
}

/* The numbers are handed out one after the other: their low bits spread best. */
static void **bucket(const struct ili_ids *ids, uint64_t id) {
    return &ids->buckets[id & (ids->room - 1)];
}

il_status ili_ids_open(struct ili_ids *ids, size_t id_at, size_t next_at) {
    void **buckets = calloc(ROOM_AT_FIRST, sizeof *buckets);
    if (!buckets) return IL_ENOMEM;
    *ids = (struct ili_ids){buckets, ROOM_AT_FIRST, 0, id_at, next_at};
    return IL_OK;
}

void ili_ids_free(struct ili_ids *ids) {
    free(ids->buckets);
    *ids = (struct ili_ids){0};
}

static void push(struct ili_ids *ids, void *entry) {
    void **at = bucket(ids, id_of(ids, entry));
    set_next(ids, entry, *at);
    *at = entry;
}

static void grow(struct ili_ids *ids) {
    struct ili_ids old = *ids;
    void **buckets = calloc(ids->room * 2, sizeof *buckets);
    if (!buckets) return;
    ids->buckets = buckets;
    ids->room *= 2;
    for (size_t i = 0; i < old.room; i++) {
        void *next;
        for (void *entry = old.buckets[i]; entry; entry = next) {
            next = next_of(ids, entry);
            push(ids, entry);
        }
    }
    free(old.buckets);
}

void ili_ids_add(struct ili_ids *ids, void *entry) {
    if (ids->count >= ids->room) grow(ids);
    push(ids, entry);
    ids->count++;
}

void *ili_ids_find(const struct ili_ids *ids, uint64_t id) {
    void *entry = *bucket(ids, id);
    while (entry && id_of(ids, entry) != id) entry = next_of(ids, entry);
    return entry;
}

void ili_ids_remove(struct ili_ids *ids, void *entry) {
    void **first = bucket(ids, id_of(ids, entry));
    void *before = NULL;
    for (void *here = *first; here; before = here, here = next_of(ids, here)) {
        if (here != entry) continue;
        if (before) {
            set_next(ids, before, next_of(ids, entry));
        } else {
            *first = next_of(ids, entry);
        }
        set_next(ids, entry, NULL);
        ids->count--;
        return;
    }
}
