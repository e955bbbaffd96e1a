#include "run/job_heap.h"

#include <stdlib.h>

#define FEWEST 64

static bool goes_before(const struct ili_job_entry *a, const struct ili_job_entry *b) {
    return a->priority != b->priority ? a->priority > b->priority : a->number < b->number;
}

il_status ili_job_heap_push(struct ili_job_heap *heap, struct ili_job job, int32_t priority) {
    if (heap->count == heap->capacity) {
        size_t more = heap->capacity ? heap->capacity * 2 : FEWEST;
        struct ili_job_entry *entries = reallocarray(heap->entries, more, sizeof *entries);
        if (!entries) return IL_ENOMEM;
        heap->entries = entries;
        heap->capacity = more;
    }
    struct ili_job_entry entry = {priority, heap->pushed++, job};
    size_t at = heap->count++;
    while (at > 0 && goes_before(&entry, &heap->entries[(at - 1) / 2])) {
        heap->entries[at] = heap->entries[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->entries[at] = entry;
    return IL_OK;
}

bool ili_job_heap_pop(struct ili_job_heap *heap, struct ili_job *job) {
    if (heap->count == 0) return false;
    *job = heap->entries[0].job;
    struct ili_job_entry last = heap->entries[--heap->count];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < heap->count) {
        if (child + 1 < heap->count &&
            goes_before(&heap->entries[child + 1], &heap->entries[child])) {
            child++;
        }
        if (!goes_before(&heap->entries[child], &last)) break;
        heap->entries[at] = heap->entries[child];
        at = child;
    }
    heap->entries[at] = last;
    return true;
}

void ili_job_heap_free(struct ili_job_heap *heap) {
    free(heap->entries);
    *heap = (struct ili_job_heap){0};
}
