/*
 * pool_map.h - one function over many arguments, by the threads of a pool, for a caller that waits.
 *
 * Helpers, at most one for each thread, are queued as calls of the pool; each takes chunks until none is left.
 * A caller that is one of the pool's threads is a helper itself. When the call returns, nobody uses the
 * arrays any more.
 */
#ifndef ILI_RUN_POOL_MAP_H
#define ILI_RUN_POOL_MAP_H

#include "run/thread_pool.h"

struct ili_pool_map {
    void *(*function)(void *argument);
    void *const *arguments;
    void **results;      /* may be NULL */
    size_t count, chunk; /* CHUNK 0: a quarter of a thread's share */
    int32_t priority;
    int64_t time_limit_ns; /* of each; 0: none */
};

/* IL_ETIMEOUT, IL_EINTR, IL_ECANCELLED (also: the pool was terminated), IL_ECLOSED, IL_ENOMEM, IL_EFORKED. */
il_status ili_pool_map_run(struct ili_thread_pool *pool, const struct ili_pool_map *what,
                           int64_t deadline_ns);

#endif
