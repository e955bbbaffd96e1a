#include "lock.h"

#include <pthread.h>
#include <time.h>

static ilpy_lock *lock_of(PyObject *self) { return (ilpy_lock *)self; }

static bool is_granted(il_status status) { return status == IL_OK || status == IL_EOWNERDEAD; }

/* ---- making --------------------------------------------------------------------------------------- */

static il_lock_options options_of(const ilpy_lock *lock, int flavour) {
    il_lock_options options = {.struct_bytes = sizeof options};
    if (lock->fair) options.flags |= IL_LOCK_FAIR;
    if (lock->reported) options.flags |= IL_DEADLOCK_REPORT;
    if (flavour == ILPY_PROCESS && lock->calls == &ilpy_lock_calls) {
        options.flags |= IL_LOCK_ANY_RELEASE;
    }
    options.lock_delay_ns = lock->lock_delay_ns;
    return options;
}

il_status ilpy_lock_renewed(ilpy_lock *lock, void **out) {
    il_lock_options options = options_of(lock, lock->handle.flavour);
    return lock->calls->open(lock->handle.domain->domain, NULL, 0, &options, out);
}

PyObject *ilpy_lock_make(PyTypeObject *type, PyObject *args, PyObject *kwargs,
                         const struct lock_calls *calls) {
    static char *names[] = {"domain",          "name", "flavour", "fair", "lock_delay",
                            "report_deadlock", NULL};
    PyObject *domain_object, *name_object = NULL, *delay = NULL;
    ilpy_lock wanted = {.calls = calls};
    int flavour = ILPY_NATIVE, fair = 0, report = 0;
    const char *name;
    size_t bytes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$ipOp:Lock", names, &domain_object,
                                     &name_object, &flavour, &fair, &delay, &report)) {
        return NULL;
    }
    ilpy_domain *domain = ilpy_domain_of(domain_object);
    if (!domain || ilpy_name(name_object, &name, &bytes) != 0) return NULL;
    if (delay && ilpy_duration(delay, "lock_delay", &wanted.lock_delay_ns) != 0) return NULL;
    if (ilpy_flavour(flavour) != 0) return NULL;
    wanted.fair = fair;
    wanted.reported = report;
    il_lock_options options = options_of(&wanted, flavour);
    bool plain = options.flags == 0 && options.lock_delay_ns == 0;
    void *object = NULL;
    PyThreadState *thread = ilpy_open_begin(domain);
    il_status status = calls->open(domain->domain, name, bytes, plain ? NULL : &options, &object);
    ilpy_open_end(domain, thread);
    if (status != IL_OK) return ilpy_raise(status);
    ilpy_lock *self =
        (ilpy_lock *)ilpy_handle_new(type, domain, &calls->kind, name_object, object, flavour);
    if (!self) return NULL;
    self->calls = calls;
    self->fair = wanted.fair;
    self->reported = wanted.reported;
    self->lock_delay_ns = wanted.lock_delay_ns;
    return (PyObject *)self;
}

static PyObject *lock_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    return ilpy_lock_make(type, args, kwargs, &ilpy_lock_calls);
}

/* ---- acquire -------------------------------------------------------------------------------------- */

int ilpy_lock_noted(ilpy_lock *lock, il_status status, uint64_t token) {
    if (lock->calls == &ilpy_rlock_calls) {
        if (token == lock->held) {
            lock->depth++;
            return 0;
        }
        lock->owner = (unsigned long)pthread_self();
    }
    lock->owner_died = status == IL_EOWNERDEAD;
    lock->depth = 1;
    lock->token = lock->held = token;
    if (LIKELY(!lock->owner_died) || lock->handle.flavour == ILPY_NATIVE) return 0;
    return ilpy_warn_owner_died(&lock->handle);
}

int ilpy_lock_granted(ilpy_lock *lock, il_status status, uint64_t token) {
    if (LIKELY(ilpy_lock_noted(lock, status, token) == 0)) return 0;
    (void)lock->calls->release(lock->handle.object, token);
    lock->held = 0;
    return -1;
}

void ilpy_lock_regranted(ilpy_lock *lock, uint64_t token, uint32_t depth) {
    lock->token = lock->held = token;
    lock->depth = depth ? depth : 1;
    lock->owner = (unsigned long)pthread_self();
}

/* The timeout argument with the meaning that it has for threading.Lock. */
static int timeout_of_thread(PyObject *timeout, bool blocking, int64_t *ns) {
    double seconds = timeout ? PyFloat_AsDouble(timeout) : -1.0;
    if (seconds == -1.0 && PyErr_Occurred()) return -1;
    if (!blocking && seconds != -1.0) {
        PyErr_SetString(PyExc_ValueError, "can't specify a timeout for a non-blocking call");
        return -1;
    }
    if (seconds < 0.0 && seconds != -1.0) {
        PyErr_SetString(PyExc_ValueError, "timeout value must be a non-negative number");
        return -1;
    }
    if (seconds > (double)PY_TIMEOUT_MAX / 1e6) {
        PyErr_SetString(PyExc_OverflowError, "timeout value is too large");
        return -1;
    }
    if (!blocking)
        *ns = IL_NOWAIT;
    else if (seconds == -1.0)
        *ns = IL_FOREVER;
    else
        return ilpy_timeout(timeout, false, ns);
    return 0;
}

static int read_arguments(ilpy_lock *lock, PyObject *const *args, Py_ssize_t count,
                          PyObject *kwnames, int64_t *timeout_ns) {
    static const char *const names[] = {"blocking", "timeout", NULL};
    static const char *const process_names[] = {"block", "timeout", NULL};
    PyObject *values[2];
    int flavour = lock->handle.flavour;
    if (ilpy_arguments("acquire", flavour == ILPY_PROCESS ? process_names : names, 2, 0, args,
                       count, kwnames, values) != 0) {
        return -1;
    }
    int blocking = values[0] ? PyObject_IsTrue(values[0]) : 1;
    if (blocking < 0) return -1;
    if (flavour == ILPY_THREAD) return timeout_of_thread(values[1], blocking, timeout_ns);
    *timeout_ns = IL_NOWAIT;
    if (!blocking && flavour == ILPY_PROCESS) return 0;
    if (!blocking && values[1] && values[1] != Py_None) {
        PyErr_SetString(PyExc_ValueError, "timeout: a call that does not block takes none");
        return -1;
    }
    return blocking ? ilpy_timeout(values[1], flavour == ILPY_PROCESS, timeout_ns) : 0;
}

struct acquiring {
    const struct lock_calls *calls;
    void *object;
    int64_t lease_ns;
    uint64_t token;
    bool patient; /* in a deadlock, a wait with a timeout ends with that, as Python's does */
};

#define LOOK_AGAIN_NS 2000000

static il_status acquire_waiting(void *context, int64_t timeout_ns) {
    struct acquiring *a = context;
    struct timespec a_little = {.tv_nsec = LOOK_AGAIN_NS};
    if (a->lease_ns != 0) {
        return a->calls->acquire_leased(a->object, timeout_ns, a->lease_ns, &a->token);
    }
    il_status status = a->calls->acquire(a->object, timeout_ns, &a->token);
    if (status != IL_EDEADLK || !a->patient || timeout_ns == IL_FOREVER) return status;
    nanosleep(&a_little, NULL);
    return IL_EINTR; /* so it goes on with what is left of the timeout */
}

/* 1: granted, 0: not in time, -1: exception. STATUS is that of a try; IL_ETIMEOUT: to be waited for. */
static int acquire_slow(ilpy_lock *lock, int64_t timeout_ns, il_status status) {
    struct acquiring a = {.calls = lock->calls, .object = lock->handle.object};
    a.patient = lock->handle.flavour != ILPY_NATIVE;
    if (status == IL_ETIMEOUT && (timeout_ns != IL_NOWAIT || lock->handle.domain->remote)) {
        status = ilpy_wait(&lock->handle, acquire_waiting, &a, timeout_ns);
    }
    if (is_granted(status)) return ilpy_lock_granted(lock, status, a.token) == 0 ? 1 : -1;
    if (status == IL_ETIMEOUT) return 0;
    if (status != ILPY_RAISED) ilpy_raise(status);
    return -1;
}

static inline int acquire(ilpy_lock *lock, int64_t timeout_ns) {
    uint64_t token;
    il_status status = IL_ETIMEOUT;
    if (ilpy_handle_check(&lock->handle) != 0) return -1;
    if (LIKELY(!lock->handle.domain->remote)) {
        status = lock->calls->acquire(lock->handle.object, IL_NOWAIT, &token);
        if (LIKELY(is_granted(status))) {
            return ilpy_lock_granted(lock, status, token) == 0 ? 1 : -1;
        }
    }
    return acquire_slow(lock, timeout_ns, status);
}

PyObject *ilpy_lock_acquire(PyObject *self, PyObject *const *args, Py_ssize_t count,
                            PyObject *kwnames) {
    int64_t timeout_ns = IL_FOREVER;
    if (UNLIKELY(count != 0 || kwnames)) {
        if (count == 1 && !kwnames && args[0] == Py_False)
            timeout_ns = IL_NOWAIT;
        else if (count == 1 && !kwnames && args[0] == Py_True)
            timeout_ns = IL_FOREVER;
        else if (read_arguments(lock_of(self), args, count, kwnames, &timeout_ns) != 0)
            return NULL;
    }
    int got = acquire(lock_of(self), timeout_ns);
    if (UNLIKELY(got < 0)) return NULL;
    return PyBool_FromLong(got);
}

static PyObject *lock_acquire_leased(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                     PyObject *kwnames) {
    static const char *const names[] = {"lease", "timeout", NULL};
    ilpy_lock *lock = lock_of(self);
    struct acquiring a = {.calls = lock->calls, .object = lock->handle.object};
    PyObject *values[2];
    int64_t timeout_ns;
    if (ilpy_handle_check(&lock->handle) != 0 ||
        ilpy_arguments("acquire_leased", names, 2, 1, args, count, kwnames, values) != 0 ||
        ilpy_duration(values[0], "lease", &a.lease_ns) != 0 ||
        ilpy_timeout(values[1], false, &timeout_ns) != 0) {
        return NULL;
    }
    il_status status = ilpy_wait(&lock->handle, acquire_waiting, &a, timeout_ns);
    if (status == ILPY_RAISED) return NULL;
    if (!is_granted(status)) return ilpy_raise(status);
    if (ilpy_lock_granted(lock, status, a.token) != 0) return NULL;
    return PyLong_FromUnsignedLongLong(a.token);
}

/* ---- release -------------------------------------------------------------------------------------- */

/* The exceptions that Python's locks have for a release by who does not hold it. */
static PyObject *not_held(ilpy_lock *lock, il_status status) {
    bool recursive = lock->calls == &ilpy_rlock_calls;
    if (lock->handle.flavour == ILPY_NATIVE || status != IL_ENOTHELD) return ilpy_raise(status);
    if (lock->handle.flavour == ILPY_THREAD) {
        PyErr_SetString(PyExc_RuntimeError,
                        recursive ? "cannot release un-acquired lock" : "release unlocked lock");
    } else if (recursive) {
        PyErr_SetString(PyExc_AssertionError,
                        "attempt to release recursive lock not owned by thread");
    } else {
        PyErr_SetString(PyExc_ValueError, "semaphore or lock released too many times");
    }
    return NULL;
}

static il_status release_call(ilpy_lock *lock, uint64_t token) {
    struct ilpy_call call;
    ilpy_call_begin(&lock->handle, &call);
    il_status status = lock->calls->release(lock->handle.object, token);
    ilpy_call_end(&lock->handle, &call);
    return status;
}

/* The grant that this handle knows need not be the one that stands: another handle's or process's was
 * granted since, which this one may release as well. */
static PyObject *release_any(ilpy_lock *lock) {
    il_status status = release_call(lock, 0);
    if (status != IL_OK) return not_held(lock, status);
    lock->held = 0;
    Py_RETURN_NONE;
}

static inline PyObject *release(ilpy_lock *lock) {
    if (ilpy_handle_check(&lock->handle) != 0) return NULL;
    if (UNLIKELY(lock->held == 0)) return release_any(lock);
    il_status status = release_call(lock, lock->held);
    if (LIKELY(status == IL_OK)) {
        if (--lock->depth == 0) lock->held = 0;
        Py_RETURN_NONE;
    }
    if (status == IL_ELEASE || status == IL_EREVOKED) lock->held = 0;
    if (status == IL_ESTALE || status == IL_ENOTHELD) return release_any(lock);
    return not_held(lock, status);
}

PyObject *ilpy_lock_release(PyObject *self, PyObject *const *args, Py_ssize_t count,
                            PyObject *kwnames) {
    static const char *const names[] = {"token", NULL};
    ilpy_lock *lock = lock_of(self);
    PyObject *value;
    uint64_t token = 0;
    if (LIKELY(count == 0 && !kwnames)) return release(lock);
    if (ilpy_arguments("release", names, 1, 0, args, count, kwnames, &value) != 0 ||
        (value && ilpy_u64(value, "token", &token) != 0)) {
        return NULL;
    }
    if (token == 0 || token == lock->held) return release(lock);
    if (ilpy_handle_check(&lock->handle) != 0) return NULL;
    il_status status = release_call(lock, token);
    return status == IL_OK ? Py_NewRef(Py_None) : not_held(lock, status);
}

static PyObject *lock_enter(PyObject *self, PyObject *unused) {
    (void)unused;
    if (UNLIKELY(acquire(lock_of(self), IL_FOREVER) < 0)) return NULL;
    if (lock_of(self)->handle.flavour != ILPY_NATIVE) Py_RETURN_TRUE;
    return PyLong_FromUnsignedLongLong(lock_of(self)->token);
}

static PyObject *lock_exit(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)args, (void)count;
    return release(lock_of(self));
}

/* ---- grants --------------------------------------------------------------------------------------- */

static PyObject *lock_renew(PyObject *self, PyObject *const *args, Py_ssize_t count,
                            PyObject *kwnames) {
    ilpy_lock *lock = lock_of(self);
    struct ilpy_grant grant;
    struct ilpy_call call;
    if (ilpy_renew_arguments(&lock->handle, args, count, kwnames, &grant) != 0) return NULL;
    ilpy_call_begin(&lock->handle, &call);
    il_status status = lock->calls->renew(lock->handle.object, grant.token, grant.lease_ns);
    ilpy_call_end(&lock->handle, &call);
    return ilpy_result(status);
}

static PyObject *lock_check(PyObject *self, PyObject *number) {
    ilpy_lock *lock = lock_of(self);
    struct ilpy_call call;
    uint64_t token;
    if (ilpy_handle_check(&lock->handle) != 0 || ilpy_u64(number, "token", &token) != 0) {
        return NULL;
    }
    ilpy_call_begin(&lock->handle, &call);
    il_status status = lock->calls->check(lock->handle.object, token);
    ilpy_call_end(&lock->handle, &call);
    return ilpy_result(status);
}

static PyObject *lock_break(PyObject *self, PyObject *const *args, Py_ssize_t count,
                            PyObject *kwnames) {
    ilpy_lock *lock = lock_of(self);
    struct ilpy_grant grant;
    struct ilpy_call call;
    if (ilpy_break_arguments(&lock->handle, args, count, kwnames, &grant) != 0) return NULL;
    ilpy_call_begin(&lock->handle, &call);
    il_status status = lock->calls->break_(lock->handle.object, grant.token, grant.reason);
    ilpy_call_end(&lock->handle, &call);
    return ilpy_result(status);
}

/* 1, 0, -1: exception. */
static int is_locked(ilpy_lock *lock) {
    struct ilpy_call call;
    int32_t locked = 0;
    if (ilpy_handle_check(&lock->handle) != 0) return -1;
    ilpy_call_begin(&lock->handle, &call);
    il_status status = lock->calls->locked(lock->handle.object, &locked);
    ilpy_call_end(&lock->handle, &call);
    if (status == IL_OK) return locked;
    ilpy_raise(status);
    return -1;
}

static PyObject *lock_locked(PyObject *self, PyObject *unused) {
    (void)unused;
    int locked = is_locked(lock_of(self));
    return locked < 0 ? NULL : PyBool_FromLong(locked);
}

static PyObject *lock_owner(PyObject *self, PyObject *unused) {
    (void)unused;
    ilpy_lock *lock = lock_of(self);
    il_owner owner = {.struct_bytes = sizeof owner};
    struct ilpy_call call;
    if (ilpy_handle_check(&lock->handle) != 0) return NULL;
    ilpy_call_begin(&lock->handle, &call);
    il_status status = lock->calls->owner(lock->handle.object, &owner);
    ilpy_call_end(&lock->handle, &call);
    if (status != IL_OK) return ilpy_raise(status);
    if (owner.token == 0) Py_RETURN_NONE;
    return Py_BuildValue("{sIsKsIsOss}", "pid", (unsigned)owner.pid, "token",
                         (unsigned long long)owner.token, "waiters", (unsigned)owner.waiters,
                         "mine", owner.mine ? Py_True : Py_False, "label", owner.label);
}

static PyObject *lock_reinit(PyObject *self, PyObject *unused) {
    (void)unused;
    ilpy_lock *lock = lock_of(self);
    void *object = NULL;
    if (ilpy_anonymous(&lock->handle) != 0) return NULL;
    il_status status = ilpy_lock_renewed(lock, &object);
    if (status != IL_OK) return ilpy_raise(status);
    lock->held = 0;
    lock->depth = 0;
    ilpy_handle_replace(&lock->handle, object);
    Py_RETURN_NONE;
}

/* ---- attributes ----------------------------------------------------------------------------------- */

static PyObject *lock_token(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(lock_of(self)->token);
}

static PyObject *lock_owner_died(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(lock_of(self)->owner_died);
}

static PyObject *lock_repr(PyObject *self) {
    ilpy_lock *lock = lock_of(self);
    PyObject *type = PyType_GetName(Py_TYPE(self)), *text = NULL;
    int locked = lock->handle.object ? is_locked(lock) : 0;
    const char *state = !lock->handle.object ? "closed" : locked > 0 ? "locked" : "unlocked";
    if (type && locked >= 0 && lock->calls == &ilpy_rlock_calls) {
        text = PyUnicode_FromFormat("<%s %U object owner=%lu count=%lu at %p>", state, type,
                                    locked && lock->held ? lock->owner : 0UL,
                                    locked && lock->held ? (unsigned long)lock->depth : 0UL, self);
    } else if (type && locked >= 0) {
        text = PyUnicode_FromFormat("<%s %U object at %p>", state, type, self);
    }
    Py_XDECREF(type);
    return text;
}

static PyMethodDef methods[] = {
    {"acquire", ILPY_METHOD(ilpy_lock_acquire), ILPY_KEYWORDS,
     "acquire(blocking=True, timeout=None)\n--\n\nWhether it was granted within TIMEOUT seconds."},
    {"acquire_leased", ILPY_METHOD(lock_acquire_leased), ILPY_KEYWORDS,
     "acquire_leased(lease, timeout=None)\n--\n\nAcquire for LEASE seconds; the token. Raises "
     "Timeout."},
    {"release", ILPY_METHOD(ilpy_lock_release), ILPY_KEYWORDS,
     "release(token=0)\n--\n\nRelease the grant TOKEN; 0: whatever is held."},
    {"renew", ILPY_METHOD(lock_renew), ILPY_KEYWORDS,
     "renew(lease, token=0)\n--\n\nThe grant lasts LEASE seconds from now."},
    {"check", lock_check, METH_O, "Raises unless TOKEN is the grant that stands."},
    {"break_", ILPY_METHOD(lock_break), ILPY_KEYWORDS,
     "break_(reason='', token=0)\n--\n\nTake it from whoever holds it; the holder is told REASON."},
    {"locked", lock_locked, METH_NOARGS, "Whether anyone holds it."},
    {"owner", lock_owner, METH_NOARGS, "Who holds it, as a dict; None: nobody."},
    {"__enter__", lock_enter, METH_NOARGS, NULL},
    {"__exit__", ILPY_METHOD(lock_exit), METH_FASTCALL, NULL},
    {"_at_fork_reinit", lock_reinit, METH_NOARGS, "Make it anew, not locked."},
    {0},
};

static PyGetSetDef attributes[] = {
    {"token", lock_token, NULL, "Of this handle's newest grant.", NULL},
    {"owner_died", lock_owner_died, NULL, "Whether, at that grant, the owner before had died.",
     NULL},
    {0},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(ilpy_handle, weakrefs), READONLY, NULL},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_new, lock_new},
    {Py_tp_dealloc, ilpy_handle_dealloc},
    {Py_tp_traverse, ilpy_handle_traverse},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
    {Py_tp_repr, lock_repr},
    {Py_tp_doc, "Lock(domain, name=None, *, flavour=NATIVE, fair=False, lock_delay=0.0, "
                "report_deadlock=False)\n--\n\n"
                "A lock of the process that acquired it: any of its threads may release it."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Lock",
    .basicsize = sizeof(ilpy_lock),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_lock(PyObject *module) {
    ilpy.lock_type = ilpy_add_type(module, &spec, ilpy.handle_type);
    ilpy_adoptable(&ilpy_lock_calls.kind, ilpy.lock_type);
    return ilpy.lock_type ? 0 : -1;
}
