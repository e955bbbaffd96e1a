/*
 * backoff.c - how soon workers that end are replaced: at once while they get something done; else after
 * 0.1 s, doubled with each round of failures up to 30 s.
 *
 * What ends the waiting is the first success of a worker, or if those that failed had come up (so it may be
 * the tasks that kill them), any success.
 *
 * Several workers that were started together and fail together are one round: it counts once. After a
 * round one worker is started as a probe, and the others when it has come up.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "work/engine.h"

#define FIRST_NS INT64_C(100000000)
#define MOST_NS INT64_C(30000000000)
#define TROUBLE_BYTES 1200u

static void clear_trouble(struct ili_pool *pool) {
    free(pool->trouble);
    pool->trouble = NULL;
}

void ili_pool_set_trouble(struct ili_pool *pool, bool stays, const char *format, ...) {
    va_list arguments;
    char text[TROUBLE_BYTES];
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *trouble = malloc(TROUBLE_BYTES);
    if (!trouble) return;
    ili_text_copy(trouble, TROUBLE_BYTES, text);
    clear_trouble(pool);
    pool->trouble = trouble;
    pool->trouble_stays = stays;
}

void ili_backoff_up(struct ili_pool *pool) {
    if (!pool->trouble_stays) clear_trouble(pool);
    pool->probing = false;
    ili_pool_attend(pool);
}

void ili_backoff_success(struct ili_pool *pool) {
    clear_trouble(pool);
    if (pool->failures == 0) return;
    pool->failures = 0;
    pool->failed_up = false;
    pool->probing = false;
    pool->start_ns = 0;
    ili_pool_attend(pool);
}

void ili_backoff_failure(struct ili_pool *pool, int64_t started_ns, bool was_up) {
    int64_t wait_ns = FIRST_NS;
    if (pool->failures && started_ns < pool->failed_ns) return; /* of the same round */
    pool->failed_ns = pool->engine->now_ns;
    pool->failures++;
    pool->failed_up = was_up;
    for (uint32_t i = 1; i < pool->failures && wait_ns < MOST_NS; i++) wait_ns *= 2;
    if (wait_ns > MOST_NS) wait_ns = MOST_NS;
    pool->start_ns = pool->engine->now_ns + wait_ns;
    pool->probing = true;
    ili_pool_attend(pool);
}
