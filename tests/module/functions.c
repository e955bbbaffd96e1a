/*
 * A module for tests and benchmarks: functions that do little, or end badly.
 *   same(x)            x
 *   kwargs(...)        its kwargs, as an object
 *   sum(a, b)          a + b
 *   fail(text)         fails with a TestError
 *   fail_once(path)    fails unless the file PATH exists, which it makes
 *   sleep(s)           until so many seconds are over, or it is cancelled
 *   twice(us, x)       2 * x, after so many microseconds of work
 *   die()              kills its worker
 *   die_once(path, x)  kills its worker unless the file PATH exists, which it makes; then x
 *   die_at(n, x)       kills its worker if x is n; else x
 */
#include <fcntl.h>
#include <interlock_module.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static il_status return_argument(il_call *call, uint32_t index) {
    const char *value;
    size_t bytes;
    if (il_call_argument(call, index, &value, &bytes) != IL_OK) return IL_EINVAL;
    return il_call_return_json(call, value, bytes);
}

static il_status same(il_call *call) { return return_argument(call, 0); }

static il_status kwargs(il_call *call) {
    return il_call_return_json(call, call->kwargs, call->kwargs_bytes);
}

static il_status sum(il_call *call) {
    int64_t a, b;
    if (il_call_integer(call, 0, &a) != IL_OK || il_call_integer(call, 1, &b) != IL_OK) {
        return IL_EINVAL;
    }
    return il_call_return_integer(call, a + b);
}

static il_status fail(il_call *call) {
    const char *text;
    if (il_call_text(call, 0, &text, NULL) != IL_OK) return IL_EINVAL;
    return il_call_fail(call, "TestError", text, 1);
}

/* Whether this is the first call that asks for PATH. */
static int is_first(const char *path) {
    int fd = open(path, O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static il_status fail_once(il_call *call) {
    const char *path;
    if (il_call_text(call, 0, &path, NULL) != IL_OK) return IL_EINVAL;
    if (is_first(path)) return il_call_fail(call, "TestError", "the first time", 1);
    return il_call_return_text(call, "the second time", 15);
}

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static il_status sleep_for(il_call *call) {
    double seconds;
    struct timespec step = {0, 1000000};
    if (il_call_number(call, 0, &seconds) != IL_OK) return IL_EINVAL;
    int64_t end = now_us() + (int64_t)(seconds * 1e6);
    while (now_us() < end) {
        if (il_call_cancelled(call)) return IL_ECANCELLED;
        nanosleep(&step, NULL);
    }
    return IL_OK;
}

static il_status twice(il_call *call) {
    int64_t us, x;
    if (il_call_integer(call, 0, &us) != IL_OK || il_call_integer(call, 1, &x) != IL_OK) {
        return IL_EINVAL;
    }
    for (int64_t end = now_us() + us; now_us() < end;) {
    }
    return il_call_return_integer(call, 2 * x);
}

static il_status die(il_call *call) {
    (void)call;
    kill(getpid(), SIGKILL);
    return IL_OK;
}

static il_status die_once(il_call *call) {
    const char *path;
    if (il_call_text(call, 0, &path, NULL) != IL_OK) return IL_EINVAL;
    if (is_first(path)) return die(call);
    return return_argument(call, 1);
}

static il_status die_at(il_call *call) {
    int64_t n, x;
    if (il_call_integer(call, 0, &n) != IL_OK || il_call_integer(call, 1, &x) != IL_OK) {
        return IL_EINVAL;
    }
    return n == x ? die(call) : return_argument(call, 1);
}

static const il_module_function functions[] = {
    {"same", same},         {"twice", twice},         {"kwargs", kwargs},   {"sum", sum},
    {"fail", fail},         {"fail_once", fail_once}, {"sleep", sleep_for}, {"die", die},
    {"die_once", die_once}, {"die_at", die_at},
};

static const il_module module = {sizeof module, IL_MODULE_ABI_VERSION, "tests/module/functions.c",
                                 sizeof functions / sizeof *functions, functions};

const il_module *il_module_main(uint32_t abi_version) {
    (void)abi_version;
    return &module;
}
