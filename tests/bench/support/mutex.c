#include "support/mutex.h"

#include "support/measure.h"

pthread_mutex_t *bench_mutex_make(enum bench_mutex sort) {
    pthread_mutexattr_t attributes;
    pthread_mutex_t *mutex = bench_shared(sizeof *mutex);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (sort == BENCH_ROBUST) pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    if (pthread_mutex_init(mutex, &attributes) != 0) bench_die("pthread_mutex_init");
    pthread_mutexattr_destroy(&attributes);
    return mutex;
}
