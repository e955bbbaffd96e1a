/*
 * interlock_py.h - what the files of the extension share.
 *
 * The GIL protects all of this: handles, their lists, the module's state. Calls that wait let it go
 * (ilpy_wait); calls that do not are made under it, unless they go over a network (ilpy_call_begin).
 *
 * A handle is the Python object of one object of a domain. It keeps its domain alive. While a thread is in
 * a call without the GIL, a struct ilpy_use on its stack is in the handle's list: whoever closes the handle
 * meanwhile leaves the closing to the last user, and interrupts those that wait.
 */
#ifndef INTERLOCK_PY_H
#define INTERLOCK_PY_H

#include <Python.h>
#include <structmember.h>

#include <interlock.h>
#include <stdbool.h>

#include "parts.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define ILPY_NATIVE 0
#define ILPY_THREAD 1
#define ILPY_PROCESS 2

/* A status of ilpy_wait() only: a signal's Python handler raised; the exception is set. */
#define ILPY_RAISED 1

struct ilpy_handle;

typedef struct ilpy_domain {
    PyObject_HEAD il_domain *domain; /* NULL: closed */
    PyObject *address;
    PyObject *weakrefs;
    struct ilpy_handle *handles; /* that are open */
    struct ilpy_domain *next, **link;
    unsigned native; /* handles' objects not closed yet, also of closed handles that are in use */
    bool closing;    /* the native domain goes with the last of them */
    bool remote;     /* calls go over a network */
    bool private;
} ilpy_domain;

/* One kind of object; `close` and `remove` as il_lock_close() and il_lock_delete(). */
struct ilpy_kind {
    uint32_t number; /* IL_KIND_... */
    const char *name;
    il_status (*close)(void *object);
    il_status (*remove)(il_domain *domain, const char *name, size_t name_bytes);
    /* Of THREAD handles, may be NULL. before_fork: remember the state in the handle. after_fork: *OUT is a new
     * object in the child that has that state. */
    void (*before_fork)(struct ilpy_handle *handle);
    il_status (*after_fork)(struct ilpy_handle *handle, void **out);
    /* For adopt(), may be NULL. traits: what the Python object needs to know beyond the native one and its flavour.
     * adopted: tells it to a new one; -1: exception set. */
    uint32_t (*traits)(struct ilpy_handle *handle);
    int (*adopted)(struct ilpy_handle *handle, const il_ticket *ticket, uint32_t traits);
};

/* A thread in a call without the GIL. */
struct ilpy_use {
    struct ilpy_use *next;
    void *object;
    uint64_t thread;
};

typedef struct ilpy_handle {
    PyObject_HEAD void *object; /* il_lock, ...; NULL: closed */
    ilpy_domain *domain;
    const struct ilpy_kind *kind;
    PyObject *name; /* NULL: anonymous */
    PyObject *weakrefs;
    struct ilpy_handle *next, **link; /* in the domain's list while open */
    struct ilpy_use *uses;
    int flavour;
    struct ilpy_handle *guard; /* a lock: calls fail once nobody holds it. NULL: none */
    PyObject *guard_failed;    /* called then, to raise */
} ilpy_handle;

struct ilpy_state {
    PyObject *module;
    PyObject *errors;     /* tuple: class of status -i */
    PyObject *base_error; /* InterlockError */
    PyObject *owner_died; /* the warning */
    PyTypeObject *domain_type, *handle_type, *lock_type, *rlock_type, *semaphore_type;
    PyTypeObject *event_type, *condition_type, *barrier_type, *latch_type, *rwlock_type;
    PyObject *default_domain; /* NULL: not opened yet */
    PyObject *interrupted;    /* set of threads that interrupt() was called for */
    ilpy_domain *domains;     /* all that exist */
    unsigned forks;           /* how often this process's line was forked */
};

/* One interpreter of a process can use the extension. */
extern struct ilpy_state ilpy;

/* ---- errors.c */

/* Raises STATUS's exception with the library's message; always NULL. */
PyObject *ilpy_raise(il_status status);
/* The same with a message as PyErr_Format(). */
PyObject *ilpy_raise_text(il_status status, const char *format, ...);
/* None, or the exception. */
PyObject *ilpy_result(il_status status);
/* OwnerDied for HANDLE; -1: the warning was made an exception. */
int ilpy_warn_owner_died(ilpy_handle *handle);

/* ---- timeout.c */

/* Seconds to nanoseconds, rounded up. None: IL_FOREVER. What is negative is refused, or if NEGATIVE_IS_ZERO, 0.
 * -1: exception set. */
int ilpy_timeout(PyObject *seconds, bool negative_is_zero, int64_t *ns);
/* The same without a meaning of None, for leases and delays: ARGUMENT names it. */
int ilpy_duration(PyObject *seconds, const char *argument, int64_t *ns);

/* ---- arguments.c */

/* Up to LIMIT arguments of a METH_FASTCALL | METH_KEYWORDS call into VALUES (borrowed, NULL: not given), of
 * which the first POSITIONAL may be given by position. NAMES ends with NULL. -1: TypeError that names it. */
int ilpy_arguments(const char *function, const char *const *names, int positional, int required,
                   PyObject *const *args, Py_ssize_t count, PyObject *kwnames, PyObject **values);
/* NULL or None: *NAME NULL; else its UTF-8, borrowed from OBJECT. -1: exception set. */
int ilpy_name(PyObject *object, const char **name, size_t *bytes);
int ilpy_u32(PyObject *object, const char *argument, uint32_t *out);
int ilpy_u64(PyObject *object, const char *argument, uint64_t *out);

/* ---- handle.c */

/* A handle of TYPE for OBJECT, which it takes over, also when it fails. NAME: a str, None or NULL. */
ilpy_handle *ilpy_handle_new(PyTypeObject *type, ilpy_domain *domain, const struct ilpy_kind *kind,
                             PyObject *name, void *object, int flavour);
/* Puts ANOTHER object into it; the old is closed. */
void ilpy_handle_replace(ilpy_handle *handle, void *another);
/* Closes it; again: nothing. */
void ilpy_handle_close(ilpy_handle *handle);
/* -1 and Closed if it is closed, or what its guard's owner raises if nobody holds its guard. */
int ilpy_handle_check_slowly(ilpy_handle *handle);
static inline int ilpy_handle_check(ilpy_handle *handle) {
    return LIKELY(handle->object && !handle->guard) ? 0 : ilpy_handle_check_slowly(handle);
}
/* For types with a weakref list and a base of ilpy_handle: Py_tp_dealloc and Py_tp_traverse. */
void ilpy_handle_dealloc(PyObject *self);
int ilpy_handle_traverse(PyObject *self, visitproc visit, void *arg);
/* OBJECT as a handle of KIND; TypeError that names ARGUMENT. NULL: exception set. */
ilpy_handle *ilpy_handle_of(PyObject *object, const char *argument, uint32_t kind);

/* ---- grant.c */

/* Arguments of renew(lease, token=0) and break_(reason='', token=0). -1: exception, also of a closed handle. */
struct ilpy_grant {
    uint64_t token;
    int64_t lease_ns;
    const char *reason; /* borrowed from the arguments */
};
int ilpy_renew_arguments(ilpy_handle *handle, PyObject *const *args, Py_ssize_t count,
                         PyObject *kwnames, struct ilpy_grant *grant);
int ilpy_break_arguments(ilpy_handle *handle, PyObject *const *args, Py_ssize_t count,
                         PyObject *kwnames, struct ilpy_grant *grant);
/* -1: ValueError. */
int ilpy_flavour(int flavour);
/* -1: it is closed, or has a name. */
int ilpy_anonymous(ilpy_handle *handle);

/* ---- share.c */

/* Lets share() and adopt() take objects of KIND, which are of TYPE. */
void ilpy_adoptable(const struct ilpy_kind *kind, PyTypeObject *type);

/* ---- wait.c: calls without the GIL */

typedef il_status (*ilpy_waiting_call)(void *context, int64_t timeout_ns);

/* CALL(CONTEXT, what is left of TIMEOUT_NS) without the GIL, again when a signal's handler ended it. CONTEXT
 * must hold handle->object as it was. A status, or ILPY_RAISED. IL_ECLOSED: the handle was closed meanwhile
 * and the message is ours. Uninterruptible things (results) in CONTEXT are valid with granted statuses. */
il_status ilpy_wait(ilpy_handle *handle, ilpy_waiting_call call, void *context, int64_t timeout_ns);
/* True: CALL(object) ended well, False: not within TIMEOUT_NS, NULL: exception. (grant.c) */
PyObject *ilpy_waited(ilpy_handle *handle, ilpy_waiting_call call, int64_t timeout_ns);
/* The same without a handle. */
il_status ilpy_wait_free(ilpy_waiting_call call, void *context, int64_t timeout_ns);

/* Around a call that does not wait. Where it goes over a network other threads run meanwhile. */
struct ilpy_call {
    PyThreadState *thread;
    struct ilpy_use use;
};
void ilpy_call_begin_remote(ilpy_handle *handle, struct ilpy_call *call);
void ilpy_call_end_remote(ilpy_handle *handle, struct ilpy_call *call);
static inline void ilpy_call_begin(ilpy_handle *handle, struct ilpy_call *call) {
    call->thread = NULL;
    if (UNLIKELY(handle->domain->remote)) ilpy_call_begin_remote(handle, call);
}
static inline void ilpy_call_end(ilpy_handle *handle, struct ilpy_call *call) {
    if (UNLIKELY(call->thread != NULL)) ilpy_call_end_remote(handle, call);
}

/* The same for a call on COUNT handles; CLOSED among them is named in the exception. USES: room for COUNT. */
il_status ilpy_wait_several(ilpy_handle *const *handles, struct ilpy_use *uses, size_t count,
                            ilpy_waiting_call call, void *context, int64_t timeout_ns);
/* A use that lasts longer than a call; THREAD 0: nobody's wait. */
void ilpy_use_begin(ilpy_handle *handle, struct ilpy_use *use, uint64_t thread);
void ilpy_use_end(ilpy_handle *handle, struct ilpy_use *use);

/* ---- signals.c: around a call of THREAD without the GIL that a signal shall end. A handler may wait itself: *OUTER
 * is what ilpy_signals_end() needs. -1: a handler has raised already. */
int ilpy_signals_begin(uint64_t thread, uint64_t *outer);
void ilpy_signals_end(uint64_t outer);
void ilpy_signals_forked(void);

/* ---- domain.c */

/* Around the opening of an object. */
PyThreadState *ilpy_open_begin(ilpy_domain *domain);
void ilpy_open_end(ilpy_domain *domain, PyThreadState *thread);

/* OBJECT as an open domain; TypeError or Closed: NULL. Borrowed. */
ilpy_domain *ilpy_domain_of(PyObject *object);
/* The process's default domain, opened if need be. New reference. */
PyObject *ilpy_default_domain(void);
/* One native object of the domain was closed. */
void ilpy_domain_object_closed(ilpy_domain *domain);

/* ---- the types: each file adds its own to the module */

/* A type from SPEC under BASE (NULL: object), added to MODULE as what follows the last dot of its name. */
PyTypeObject *ilpy_add_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base);

#define ILPY_METHOD(function) ((PyCFunction)(void (*)(void))(function))
#define ILPY_KEYWORDS (METH_FASTCALL | METH_KEYWORDS)

#define ILPY_PART_DECLARED(part) int ilpy_add_##part(PyObject *module);
ILPY_PARTS(ILPY_PART_DECLARED)

#endif
