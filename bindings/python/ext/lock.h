/* lock.h - Lock and RLock are one struct and one set of methods, over the calls of either kind. */
#ifndef ILPY_LOCK_H
#define ILPY_LOCK_H

#include "interlock_py.h"

struct lock_calls {
    struct ilpy_kind kind;
    il_status (*open)(il_domain *domain, const char *name, size_t bytes,
                      const il_lock_options *options, void **out);
    il_status (*acquire)(void *lock, int64_t timeout_ns, uint64_t *token);
    il_status (*acquire_leased)(void *lock, int64_t timeout_ns, int64_t lease_ns, uint64_t *token);
    il_status (*release)(void *lock, uint64_t token);
    il_status (*renew)(void *lock, uint64_t token, int64_t lease_ns);
    il_status (*check)(void *lock, uint64_t token);
    il_status (*break_)(void *lock, uint64_t token, const char *reason);
    il_status (*locked)(void *lock, int32_t *locked);
    il_status (*owner)(void *lock, il_owner *owner);
};

typedef struct ilpy_lock {
    ilpy_handle handle;
    const struct lock_calls *calls;
    uint64_t token; /* of the newest grant by this handle */
    uint64_t held;  /* the same until it is released by this handle; 0: none */
    uint32_t depth; /* of that grant */
    bool owner_died;
    bool reported; /* options, to make it anew */
    bool fair;
    uint32_t saved;      /* before a fork: how deep the child shall have it */
    unsigned long owner; /* Python's number of the thread that was granted it last */
    int64_t lock_delay_ns;
} ilpy_lock;

extern const struct lock_calls ilpy_lock_calls, ilpy_rlock_calls;

/* The common tail of every grant: STATUS is IL_OK or IL_EOWNERDEAD. -1: the warning was an exception, and the
 * lock is free again. */
int ilpy_lock_granted(ilpy_lock *lock, il_status status, uint64_t token);
/* The same, but it is kept then. */
int ilpy_lock_noted(ilpy_lock *lock, il_status status, uint64_t token);
/* A condition's wait has it again, TOKEN, DEPTH times as before. */
void ilpy_lock_regranted(ilpy_lock *lock, uint64_t token, uint32_t depth);
/* Py_tp_new of both. */
PyObject *ilpy_lock_make(PyTypeObject *type, PyObject *args, PyObject *kwargs,
                         const struct lock_calls *calls);
/* acquire(), release() as the methods are; for conditions. */
PyObject *ilpy_lock_acquire(PyObject *self, PyObject *const *args, Py_ssize_t count,
                            PyObject *kwnames);
PyObject *ilpy_lock_release(PyObject *self, PyObject *const *args, Py_ssize_t count,
                            PyObject *kwnames);
/* A new anonymous object with the lock's options. */
il_status ilpy_lock_renewed(ilpy_lock *lock, void **out);

#endif
