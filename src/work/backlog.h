/*
 * backlog.h - the tasks of a pool that are ready to run: the highest priority first, equal ones in order
 * of submission. A task that comes back (a retry, or its worker ended before it began) is therefore in
 * front of what was submitted after it.
 *
 * A binary heap; the order stands beside the pointers, so that to compare needs no look at a task.
 */
#ifndef ILI_WORK_BACKLOG_H
#define ILI_WORK_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ili_task;

struct ili_backlog_entry {
    uint64_t order; /* least first */
    struct ili_task *task;
};

/* All zero is an empty one. */
struct ili_backlog {
    struct ili_backlog_entry *heap; /* [1..count] */
    size_t count, room;
};

/* Makes room for COUNT tasks in all. False: no memory. */
bool ili_backlog_reserve(struct ili_backlog *backlog, size_t count);

/* There must be room. Sets task->place. */
void ili_backlog_add(struct ili_backlog *backlog, struct ili_task *task);

/* The first; NULL: it is empty. */
struct ili_task *ili_backlog_first(const struct ili_backlog *backlog);

/* TASK is in it. */
void ili_backlog_remove(struct ili_backlog *backlog, struct ili_task *task);

void ili_backlog_free(struct ili_backlog *backlog);

#endif
