/*
 * idempotency.h - what requests with an Idempotency-Key were answered, kept for their repeats.
 *
 * A store of records: a key, a fingerprint of the request, and once it was answered, the answer. At
 * most `most_records` and `most_bytes`, for `keep_ns`; the oldest answers go first. Records of requests
 * that still run are not dropped. repeat.h puts it to use.
 */
#ifndef ILI_SERVER_IDEMPOTENCY_H
#define ILI_SERVER_IDEMPOTENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ili_request;

struct ili_record {
    struct ili_record *next;          /* in its bucket */
    struct ili_record *older, *newer; /* among those that are answered */
    uint64_t hash, fingerprint[2];
    int64_t answered_ns;
    struct ili_request *runner;  /* whose answer it is or will be; NULL: completed */
    struct ili_request *repeats; /* that wait for it, by next_repeat */
    char *body;                  /* owned; NULL: not answered yet */
    size_t body_bytes;
    unsigned http_status;
    bool replayed; /* somebody was told the answer a second time */
    char key[];
};

struct ili_idempotency {
    struct ili_record **buckets;
    struct ili_record *oldest, *newest;
    size_t records, bytes;
    size_t most_records, most_bytes;
    int64_t keep_ns;
    uint64_t hash_key[2];
    /* an answered record whose runner still wants it goes: it must forget it */
    void (*dropped)(struct ili_record *record);
};

void ili_idempotency_open(struct ili_idempotency *store);
void ili_idempotency_close(struct ili_idempotency *store);

/* The record of KEY; NULL: none. Drops what is too old first. */
struct ili_record *ili_idempotency_find(struct ili_idempotency *store, const char *key,
                                        int64_t now_ns);

/* Adds a record for KEY, which has none. NULL: no memory, or too many requests with keys run. */
struct ili_record *ili_idempotency_add(struct ili_idempotency *store, const char *key,
                                       const uint64_t fingerprint[2]);

/* Keeps the answer in RECORD, which has none; BODY is copied. False: no memory. */
bool ili_idempotency_answer(struct ili_idempotency *store, struct ili_record *record,
                            unsigned http_status, const char *body, size_t body_bytes,
                            int64_t now_ns);

/* Takes RECORD out and frees it. */
void ili_idempotency_forget(struct ili_idempotency *store, struct ili_record *record);

#endif
