/*
 * pool_options.c - what a pool is made of: defaults, checks, copies, and what differs.
 */
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "work/attempt.h"
#include "work/engine.h"

#define SECOND_NS INT64_C(1000000000)
#define WORKERS_MOST 1024u
#define OUTPUT_MOST (UINT64_C(16) << 20)

void ili_pool_options_init(struct ili_pool_options *options) {
    *options = (struct ili_pool_options){
        .output_bytes = 65536,
        .set_aside_after = 3,
        .grace_ns = 5 * SECOND_NS,
        .start_limit_ns = 30 * SECOND_NS,
        .defaults = {.backoff_ns = SECOND_NS / 10,
                     .backoff_most_ns = 30 * SECOND_NS,
                     .keep_ns = 300 * SECOND_NS},
    };
}

uint32_t ili_pool_options_workers(const struct ili_pool_options *options) {
    cpu_set_t cpus;
    if (options->workers) return options->workers;
    if (sched_getaffinity(0, sizeof cpus, &cpus) == 0) return (uint32_t)CPU_COUNT(&cpus);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 && online <= (long)WORKERS_MOST ? (uint32_t)online : 1;
}

il_status ili_pool_options_check(const struct ili_pool_options *o, struct ili_fault *fault) {
    if (!o->command || !o->command[0] || o->command[0][0] != '/') {
        return ili_fault_set(fault, IL_EINVAL, "command",
                             "an array that begins with an absolute path",
                             "the command does not begin with an absolute path");
    }
    if (o->workers > WORKERS_MOST) {
        return ili_fault_set(fault, IL_EINVAL, "workers", "a number from 1 to 1024",
                             "%u workers are too many", (unsigned)o->workers);
    }
    if (o->directory && o->directory[0] != '/') {
        return ili_fault_set(fault, IL_EINVAL, "directory", "an absolute path",
                             "the directory is no absolute path");
    }
    if (o->kind == ILI_POOL_EXEC && (o->initializer || o->max_tasks_per_worker)) {
        return ili_fault_set(fault, IL_EINVAL,
                             o->initializer ? "initializer" : "max_tasks_per_worker", "none",
                             "an exec pool has no workers: each task is a run of the command");
    }
    if (o->output_bytes > OUTPUT_MOST) {
        return ili_fault_set(fault, IL_EINVAL, "output", "at most 16777216 bytes",
                             "more output than the server keeps");
    }
    if (o->grace_ns < 0 || o->start_limit_ns < 0) {
        return ili_fault_set(fault, IL_EINVAL, o->grace_ns < 0 ? "grace" : "start_limit",
                             "a time that is not negative", "a negative time");
    }
    return ili_task_check_options(&o->defaults, fault);
}

/* ---- copies -------------------------------------------------------------------------------------- */

static void drop_texts(char *const *texts) {
    for (char *const *at = texts; at && *at; at++) free(*at);
    free((void *)(uintptr_t)texts);
}

/* NULL: no memory, or TEXTS is. */
static char **copy_texts(char *const *texts) {
    size_t count = 0;
    while (texts && texts[count]) count++;
    char **copy = texts ? calloc(count + 1, sizeof *copy) : NULL;
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = strdup(texts[i]);
        if (copy[i]) continue;
        drop_texts(copy);
        return NULL;
    }
    return copy;
}

static const char *copy_text(const char *text) { return text ? strdup(text) : NULL; }

bool ili_pool_options_copy(struct ili_pool_options *to, const struct ili_pool_options *from) {
    *to = *from;
    to->command = copy_texts(from->command);
    to->environment = copy_texts(from->environment);
    to->directory = copy_text(from->directory);
    to->initializer = copy_text(from->initializer);
    to->initializer_args = copy_text(from->initializer_args);
    if (to->command && !to->environment == !from->environment &&
        !to->directory == !from->directory && !to->initializer == !from->initializer &&
        !to->initializer_args == !from->initializer_args) {
        return true;
    }
    ili_pool_options_drop(to);
    return false;
}

void ili_pool_options_drop(struct ili_pool_options *options) {
    drop_texts(options->command);
    drop_texts(options->environment);
    free((void *)(uintptr_t)options->directory);
    free((void *)(uintptr_t)options->initializer);
    free((void *)(uintptr_t)options->initializer_args);
    *options = (struct ili_pool_options){0};
}

/* ---- the same? ----------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

static bool same_texts(char *const *a, char *const *b) {
    size_t i = 0;
    while (a && b && a[i] && b[i] && strcmp(a[i], b[i]) == 0) i++;
    return (a ? a[i] : NULL) == NULL && (b ? b[i] : NULL) == NULL;
}

static bool same_defaults(const struct ili_task_options *a, const struct ili_task_options *b) {
    return a->priority == b->priority && a->retries == b->retries && a->delay_ns == b->delay_ns &&
           a->deadline_ns == b->deadline_ns && a->time_limit_ns == b->time_limit_ns &&
           a->backoff_ns == b->backoff_ns && a->backoff_most_ns == b->backoff_most_ns &&
           a->keep_ns == b->keep_ns;
}

const char *ili_pool_options_differ(const struct ili_pool_options *a,
                                    const struct ili_pool_options *b) {
    if (a->kind != b->kind) return "kind";
    if (ili_pool_options_workers(a) != ili_pool_options_workers(b)) return "workers";
    if (!same_texts(a->command, b->command)) return "command";
    if (!same_texts(a->environment, b->environment)) return "environment";
    if (!same_text(a->directory, b->directory)) return "directory";
    if (!same_text(a->initializer, b->initializer)) return "initializer";
    if (!same_text(a->initializer_args, b->initializer_args)) return "initializer_args";
    if (a->max_tasks_per_worker != b->max_tasks_per_worker) return "max_tasks_per_worker";
    if (a->max_queued != b->max_queued) return "max_queued";
    if (a->limits.memory_bytes != b->limits.memory_bytes) return "memory";
    if (a->limits.cpu_seconds != b->limits.cpu_seconds) return "cpu_time";
    if (a->limits.open_files != b->limits.open_files) return "open_files";
    if (a->output_bytes != b->output_bytes) return "output";
    if (a->set_aside_after != b->set_aside_after) return "set_aside_after";
    if (a->grace_ns != b->grace_ns) return "grace";
    if (a->start_limit_ns != b->start_limit_ns) return "start_limit";
    return same_defaults(&a->defaults, &b->defaults) ? NULL : "defaults of its tasks";
}
