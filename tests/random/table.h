/* table.h - keys with values in the order in which the keys were first set: a dict in ordinary memory. */
#ifndef TESTS_RANDOM_TABLE_H
#define TESTS_RANDOM_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#define TABLE_BUCKETS 8192u

struct entry {
    struct entry *next_in_bucket, *before, *after; /* the latter in order */
    uint64_t key_bytes, bytes, version;
    uint32_t type;
    char *key, *data; /* owned */
};

struct table {
    struct entry *buckets[TABLE_BUCKETS];
    struct entry *first, *last;
    uint64_t count, version;
};

struct entry *table_find(const struct table *table, const char *key, uint64_t bytes);
/* Sets it, as the table's version says. */
struct entry *table_set(struct table *table, const char *key, uint64_t key_bytes, uint32_t type,
                        const char *data, uint64_t bytes);
void table_remove(struct table *table, struct entry *entry);
void table_clear(struct table *table); /* the version stays */

#endif
