/*
 * mutex.h - the peer of the lock: a mutex of pthreads that processes share.
 */
#ifndef BENCH_MUTEX_H
#define BENCH_MUTEX_H

#include <pthread.h>

enum bench_mutex { BENCH_PLAIN, BENCH_ROBUST };

/* In shared memory of its own, with a cache line to itself. */
pthread_mutex_t *bench_mutex_make(enum bench_mutex sort);

#endif
