#include "linear/drive/worker.h"

extern const struct linear_kind linear_kind_lock, linear_kind_rlock, linear_kind_queue,
    linear_kind_event, linear_kind_latch, linear_kind_barrier, linear_kind_condition,
    linear_kind_rwlock, linear_kind_semaphore;

const struct linear_kind *const linear_kinds[] = {
    &linear_kind_lock,      &linear_kind_queue,  &linear_kind_rlock,
    &linear_kind_event,     &linear_kind_latch,  &linear_kind_barrier,
    &linear_kind_condition, &linear_kind_rwlock, &linear_kind_semaphore};
const size_t linear_kinds_count = sizeof linear_kinds / sizeof linear_kinds[0];

const struct linear_kind *linear_kind(unsigned kind) {
    for (size_t i = 0; i < linear_kinds_count; i++) {
        if (linear_kinds[i]->kind == kind) return linear_kinds[i];
    }
    return NULL;
}
