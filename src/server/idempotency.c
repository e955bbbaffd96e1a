#include "server/idempotency.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/siphash.h"

#define BUCKETS 16384u

void ili_idempotency_open(struct ili_idempotency *store) {
    memset(store, 0, sizeof *store);
    store->most_records = 10000;
    store->most_bytes = (size_t)64 << 20;
    store->keep_ns = INT64_C(600000000000);
    /* without randomness, clients can slow down each other's look-ups, no more */
    ssize_t ignored = getrandom(store->hash_key, sizeof store->hash_key, GRND_NONBLOCK);
    (void)ignored;
}

static void unlink_bucket(struct ili_idempotency *store, struct ili_record *record) {
    struct ili_record **at = &store->buckets[record->hash % BUCKETS];
    while (*at != record) at = &(*at)->next;
    *at = record->next;
}

static size_t cost(const struct ili_record *record) {
    return sizeof *record + strlen(record->key) + 1 + record->body_bytes;
}

void ili_idempotency_forget(struct ili_idempotency *store, struct ili_record *record) {
    unlink_bucket(store, record);
    if (record->older || store->oldest == record) { /* it is among the answered ones */
        *(store->oldest == record ? &store->oldest : &record->older->newer) = record->newer;
        *(store->newest == record ? &store->newest : &record->newer->older) = record->older;
    }
    store->records--;
    store->bytes -= cost(record);
    free(record->body);
    free(record);
}

static void drop_oldest(struct ili_idempotency *store) {
    struct ili_record *record = store->oldest;
    if (record->runner && store->dropped) store->dropped(record);
    ili_idempotency_forget(store, record);
}

void ili_idempotency_close(struct ili_idempotency *store) {
    for (size_t i = 0; store->buckets && i < BUCKETS; i++) {
        while (store->buckets[i]) ili_idempotency_forget(store, store->buckets[i]);
    }
    free(store->buckets);
    store->buckets = NULL;
}

struct ili_record *ili_idempotency_find(struct ili_idempotency *store, const char *key,
                                        int64_t now_ns) {
    uint64_t hash = ili_siphash(store->hash_key, key, strlen(key));
    while (store->oldest && store->oldest->answered_ns <= now_ns - store->keep_ns) {
        drop_oldest(store);
    }
    struct ili_record *record = store->buckets ? store->buckets[hash % BUCKETS] : NULL;
    while (record && (record->hash != hash || strcmp(record->key, key) != 0)) record = record->next;
    return record;
}

struct ili_record *ili_idempotency_add(struct ili_idempotency *store, const char *key,
                                       const uint64_t fingerprint[2]) {
    size_t length = strlen(key);
    if (!store->buckets) store->buckets = calloc(BUCKETS, sizeof *store->buckets);
    if (!store->buckets) return NULL;
    while (store->records >= store->most_records && store->oldest) drop_oldest(store);
    if (store->records >= store->most_records) return NULL;
    struct ili_record *record = calloc(1, sizeof *record + length + 1);
    if (!record) return NULL;
    memcpy(record->key, key, length + 1);
    memcpy(record->fingerprint, fingerprint, sizeof record->fingerprint);
    record->hash = ili_siphash(store->hash_key, key, length);
    struct ili_record **bucket = &store->buckets[record->hash % BUCKETS];
    record->next = *bucket;
    *bucket = record;
    store->records++;
    store->bytes += cost(record);
    return record;
}

bool ili_idempotency_answer(struct ili_idempotency *store, struct ili_record *record,
                            unsigned http_status, const char *body, size_t body_bytes,
                            int64_t now_ns) {
    char *copy = malloc(body_bytes + 1);
    if (!copy) return false;
    memcpy(copy, body, body_bytes);
    while (store->oldest && store->bytes + body_bytes > store->most_bytes) drop_oldest(store);
    record->body = copy;
    record->body_bytes = body_bytes;
    record->http_status = http_status;
    record->answered_ns = now_ns;
    record->older = store->newest;
    record->newer = NULL;
    *(store->newest ? &store->newest->newer : &store->oldest) = record;
    store->newest = record;
    store->bytes += body_bytes;
    return true;
}
