/*
 * job_heap.h - jobs by priority: the highest first, equal ones in the order in which they were pushed. For
 * the few jobs that are more, or less, urgent than usual. Its user excludes the others.
 */
#ifndef ILI_RUN_JOB_HEAP_H
#define ILI_RUN_JOB_HEAP_H

#include <stddef.h>

#include "run/job_queue.h"

struct ili_job_entry {
    int32_t priority;
    uint64_t number; /* of the push */
    struct ili_job job;
};

struct ili_job_heap {
    struct ili_job_entry *entries; /* a binary heap: none before its parent */
    size_t count, capacity;
    uint64_t pushed;
};

/* IL_ENOMEM. */
il_status ili_job_heap_push(struct ili_job_heap *heap, struct ili_job job, int32_t priority);

/* False: there is none. */
bool ili_job_heap_pop(struct ili_job_heap *heap, struct ili_job *job);

void ili_job_heap_free(struct ili_job_heap *heap);

#endif
