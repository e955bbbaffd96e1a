/*
 * several.h - the targets of a call that takes several objects. Internal to lib/.
 */
#ifndef ILI_LIB_SEVERAL_H
#define ILI_LIB_SEVERAL_H

#include "lib/domain.h"
#include "session/target.h"

struct ili_several {
    struct ili_member *member; /* NULL: remote */
    const struct ili_remote_ops *remote_ops;
    size_t count;
    struct ili_target local[IL_TARGETS_MAX];
    struct ili_remote_target remote[IL_TARGETS_MAX];
    uint64_t places[IL_TARGETS_MAX]; /* tell one object from another */
};

/* Checks TARGETS[0..COUNT), to be acquired or (not ACQUIRE) waited for. IL_EINVAL, with the error text. */
il_status ili_several_read(const il_target *targets, size_t count, bool acquire,
                           struct ili_several *s);

/* Waits for the first, by the calling thread. IL_OK, IL_EOWNERDEAD: *INDEX, and *TOKEN if it was acquired.
 * Writes no error text for local ones; *INDEX also names the target that failed. */
il_status ili_several_wait(struct ili_several *s, int64_t timeout_ns, size_t *index,
                           uint64_t *token);

/* Gives back what local target I was granted to OWNER. */
void ili_several_give_back(struct ili_several *s, uint32_t owner, size_t i);

#endif
