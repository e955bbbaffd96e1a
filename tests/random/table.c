#include "random/table.h"

#include <stdlib.h>
#include <string.h>

static struct entry **bucket_of(const struct table *table, const char *key, uint64_t bytes) {
    uint64_t hash = 5381;
    for (uint64_t i = 0; i < bytes; i++) hash = hash * 33 + (unsigned char)key[i];
    return (struct entry **)&table->buckets[hash % TABLE_BUCKETS];
}

struct entry *table_find(const struct table *table, const char *key, uint64_t bytes) {
    struct entry *entry = *bucket_of(table, key, bytes);
    while (entry && (entry->key_bytes != bytes || memcmp(entry->key, key, bytes) != 0)) {
        entry = entry->next_in_bucket;
    }
    return entry;
}

static char *copy(const char *data, uint64_t bytes) {
    char *to = malloc(bytes + 1);
    if (bytes > 0) memcpy(to, data, bytes);
    return to;
}

struct entry *table_set(struct table *table, const char *key, uint64_t key_bytes, uint32_t type,
                        const char *data, uint64_t bytes) {
    struct entry *entry = table_find(table, key, key_bytes);
    if (!entry) {
        struct entry **bucket = bucket_of(table, key, key_bytes);
        entry = calloc(1, sizeof *entry);
        entry->key = copy(key, key_bytes);
        entry->key_bytes = key_bytes;
        entry->next_in_bucket = *bucket;
        *bucket = entry;
        entry->before = table->last;
        if (table->last) {
            table->last->after = entry;
        } else {
            table->first = entry;
        }
        table->last = entry;
        table->count++;
    }
    char *fresh = copy(data, bytes);
    free(entry->data);
    entry->data = fresh;
    entry->bytes = bytes;
    entry->type = type;
    entry->version = table->version;
    return entry;
}

void table_remove(struct table *table, struct entry *entry) {
    struct entry **at = bucket_of(table, entry->key, entry->key_bytes);
    while (*at != entry) at = &(*at)->next_in_bucket;
    *at = entry->next_in_bucket;
    *(entry->before ? &entry->before->after : &table->first) = entry->after;
    *(entry->after ? &entry->after->before : &table->last) = entry->before;
    table->count--;
    free(entry->key);
    free(entry->data);
    free(entry);
}

void table_clear(struct table *table) {
    while (table->first) table_remove(table, table->first);
}
