/* targets.h - the objects of a call that takes several. */
#ifndef ILPY_TARGETS_H
#define ILPY_TARGETS_H

#include "interlock_py.h"

struct ilpy_targets {
    size_t count;
    ilpy_handle *handles[IL_TARGETS_MAX]; /* owned */
    il_target targets[IL_TARGETS_MAX];
    struct ilpy_use uses[IL_TARGETS_MAX];
};

/* Reads a sequence of handles, (rwlock, "shared" or "exclusive") and (semaphore, permits). -1: exception. */
int ilpy_targets_read(PyObject *sequence, struct ilpy_targets *out);
void ilpy_targets_free(struct ilpy_targets *targets);

/* What target I's object has been granted or has given back: its handle is told. -1: the warning that the owner
 * before has died was made an exception; it is still held. */
int ilpy_target_granted(struct ilpy_targets *targets, size_t i);
void ilpy_target_released(struct ilpy_targets *targets, size_t i);

#endif
