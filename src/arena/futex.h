/*
 * futex.h - sleeping on a word of shared memory, and the system calls that tests replace.
 *
 * Words are shared between processes, so the private flag is never used. Deadlines are absolute on
 * the monotonic clock (FUTEX_WAIT_BITSET's clock unless told otherwise: futex(2)).
 */
#ifndef ILI_ARENA_FUTEX_H
#define ILI_ARENA_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

/* Replaced by tests only, before other threads run. They behave as the calls they are named for. */
struct ili_system_calls {
    /* 0, or -1 and errno */
    int (*futex_wait)(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns);
    void (*futex_wake)(_Atomic uint32_t *word, uint32_t count);
    int (*fallocate)(int fd, int mode, off_t at, off_t bytes);
};

extern struct ili_system_calls ili_system;

/* Sleeps while *WORD is EXPECTED, until woken, DEADLINE_NS or a signal. Returns 0, ETIMEDOUT, EAGAIN
 * or EINTR; whatever it is, the caller looks at the word again. */
int ili_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns);

/* Wakes at most COUNT sleepers. */
void ili_futex_wake(_Atomic uint32_t *word, uint32_t count);

#endif
