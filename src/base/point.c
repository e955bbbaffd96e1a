#include "base/point.h"

#ifdef IL_POINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *armed_name;
static _Atomic uint32_t armed_count;
static _Atomic int environment_read;

void (*ili_point_passed)(const char *name);

void ili_point_arm(const char *name, uint32_t count) {
    armed_name = name;
    atomic_store_explicit(&environment_read, 1, memory_order_relaxed);
    /* release: a thread that sees the count also sees the name */
    atomic_store_explicit(&armed_count, name ? count : 0, memory_order_release);
}

static void read_environment(void) {
    static char name[64];
    if (atomic_exchange_explicit(&environment_read, 1, memory_order_relaxed)) return;
    const char *value = getenv("INTERLOCK_KILL_AT");
    if (!value) return;
    const char *colon = strchr(value, ':');
    size_t length = colon ? (size_t)(colon - value) : strlen(value);
    if (length >= sizeof name) return;
    memcpy(name, value, length);
    ili_point_arm(name, colon ? (uint32_t)strtoul(colon + 1, NULL, 10) : 1);
}

void ili_point_hit(const char *name) {
    read_environment();
    if (ili_point_passed) ili_point_passed(name);
    /* acquire: pairs with ili_point_arm() */
    if (atomic_load_explicit(&armed_count, memory_order_acquire) == 0) return;
    if (strcmp(name, armed_name) != 0) return;
    if (atomic_fetch_sub_explicit(&armed_count, 1, memory_order_relaxed) == 1) {
        kill(getpid(), SIGKILL);
        pause(); /* the signal reaches the process before this returns */
    }
}

#else
typedef int ili_point_unused; /* a translation unit has at least one declaration */
#endif
