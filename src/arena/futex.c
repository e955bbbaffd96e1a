#include "arena/futex.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static int system_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns) {
    struct timespec until, *timeout = NULL;
    if (deadline_ns != ILI_NEVER) {
        until.tv_sec = deadline_ns / 1000000000;
        until.tv_nsec = deadline_ns % 1000000000;
        timeout = &until;
    }
    return (int)syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, timeout, NULL,
                        FUTEX_BITSET_MATCH_ANY);
}

static void system_wake(_Atomic uint32_t *word, uint32_t count) {
    syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

struct ili_system_calls ili_system = {system_wait, system_wake, fallocate};

int ili_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns) {
    return ili_system.futex_wait(word, expected, deadline_ns) == 0 ? 0 : errno;
}

void ili_futex_wake(_Atomic uint32_t *word, uint32_t count) { ili_system.futex_wake(word, count); }
