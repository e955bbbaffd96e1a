#include "lock.h"

typedef struct ilpy_condition {
    ilpy_handle handle;
    PyObject *lock; /* a Lock or RLock; NULL: whatever it is bound to in the domain */
    uint64_t token; /* of the last grant of that */
} ilpy_condition;

static ilpy_condition *condition_of(PyObject *self) { return (ilpy_condition *)self; }

static il_condition *native(ilpy_condition *condition) { return condition->handle.object; }

/* ---- kind and making ------------------------------------------------------------------------------ */

static il_status kind_close(void *object) { return il_condition_close(object); }

static il_status open_on(ilpy_domain *domain, const char *name, size_t bytes, ilpy_lock *lock,
                         il_condition **out) {
    il_condition_options options = {.struct_bytes = sizeof options};
    if (lock && lock->calls == &ilpy_lock_calls)
        options.lock = lock->handle.object;
    else if (lock)
        options.rlock = lock->handle.object;
    return il_condition_open(domain->domain, name, bytes, lock ? &options : NULL, out);
}

static il_status after_fork(ilpy_handle *handle, void **out) {
    ilpy_lock *lock = (ilpy_lock *)((ilpy_condition *)handle)->lock;
    il_condition *made = NULL;
    if (!lock->handle.object) return IL_ECLOSED;
    il_status status = open_on(handle->domain, NULL, 0, lock, &made);
    if (status == IL_OK) *out = made;
    return status;
}

static const struct ilpy_kind kind = {
    .number = IL_KIND_CONDITION,
    .name = "condition",
    .close = kind_close,
    .remove = il_condition_delete,
    .after_fork = after_fork,
};

static PyObject *condition_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"domain", "name", "lock", NULL};
    PyObject *domain_object, *name_object = NULL, *lock = Py_None;
    const char *name;
    size_t bytes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$O:Condition", names, &domain_object,
                                     &name_object, &lock)) {
        return NULL;
    }
    ilpy_domain *domain = ilpy_domain_of(domain_object);
    if (!domain || ilpy_name(name_object, &name, &bytes) != 0) return NULL;
    if (lock != Py_None && !PyObject_TypeCheck(lock, ilpy.lock_type)) {
        return PyErr_Format(PyExc_TypeError, "lock: expected a Lock, RLock or None, got %R",
                            (PyObject *)Py_TYPE(lock));
    }
    ilpy_lock *its = lock == Py_None ? NULL : (ilpy_lock *)lock;
    if (its && ilpy_handle_check(&its->handle) != 0) return NULL;
    il_condition *object = NULL;
    PyThreadState *thread = ilpy_open_begin(domain);
    il_status status = open_on(domain, name, bytes, its, &object);
    ilpy_open_end(domain, thread);
    if (status != IL_OK) return ilpy_raise(status);
    ilpy_handle *self = ilpy_handle_new(type, domain, &kind, name_object, object,
                                        its ? its->handle.flavour : ILPY_NATIVE);
    if (self && its) ((ilpy_condition *)self)->lock = Py_NewRef(lock);
    return (PyObject *)self;
}

static int condition_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(condition_of(self)->lock);
    return ilpy_handle_traverse(self, visit, arg);
}

static int condition_clear(PyObject *self) {
    ilpy_handle_close(&condition_of(self)->handle); /* without its lock it could not be made anew */
    Py_CLEAR(condition_of(self)->lock);
    return 0;
}

static void condition_dealloc(PyObject *self) {
    PyObject *lock = condition_of(self)->lock;
    condition_of(self)->lock = NULL;
    ilpy_handle_dealloc(self);
    Py_XDECREF(lock);
}

/* ---- its lock ------------------------------------------------------------------------------------- */

struct taking {
    il_condition *object;
    uint64_t token;
};

static il_status acquire_waiting(void *context, int64_t timeout_ns) {
    struct taking *t = context;
    return il_condition_acquire(t->object, timeout_ns, &t->token);
}

/* 1: granted, 0: not in time, -1: exception. */
static int acquire_own(ilpy_condition *self, int64_t timeout_ns) {
    struct taking t = {native(self), 0};
    if (ilpy_handle_check(&self->handle) != 0) return -1;
    il_status status = ilpy_wait(&self->handle, acquire_waiting, &t, timeout_ns);
    if (status == IL_OK || status == IL_EOWNERDEAD) {
        self->token = t.token;
        return 1;
    }
    if (status == IL_ETIMEOUT) return 0;
    if (status != ILPY_RAISED) ilpy_raise(status);
    return -1;
}

static PyObject *condition_acquire(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                   PyObject *kwnames) {
    static const char *const names[] = {"blocking", "timeout", NULL};
    PyObject *values[2];
    int64_t timeout_ns = IL_NOWAIT;
    if (condition_of(self)->lock) {
        return ilpy_lock_acquire(condition_of(self)->lock, args, count, kwnames);
    }
    if (ilpy_arguments("acquire", names, 2, 0, args, count, kwnames, values) != 0) return NULL;
    int blocking = values[0] ? PyObject_IsTrue(values[0]) : 1;
    if (blocking < 0 || (blocking && ilpy_timeout(values[1], false, &timeout_ns) != 0)) return NULL;
    int got = acquire_own(condition_of(self), timeout_ns);
    return got < 0 ? NULL : PyBool_FromLong(got);
}

static PyObject *condition_release(PyObject *self, PyObject *unused) {
    (void)unused;
    ilpy_condition *condition = condition_of(self);
    struct ilpy_call call;
    if (condition->lock) return ilpy_lock_release(condition->lock, NULL, 0, NULL);
    if (ilpy_handle_check(&condition->handle) != 0) return NULL;
    ilpy_call_begin(&condition->handle, &call);
    il_status status = il_condition_release(native(condition), 0);
    ilpy_call_end(&condition->handle, &call);
    return ilpy_result(status);
}

static PyObject *condition_enter(PyObject *self, PyObject *unused) {
    (void)unused;
    if (condition_of(self)->lock) {
        return ilpy_lock_acquire(condition_of(self)->lock, NULL, 0, NULL);
    }
    if (acquire_own(condition_of(self), IL_FOREVER) < 0) return NULL;
    Py_RETURN_TRUE;
}

static PyObject *condition_exit(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)args, (void)count;
    return condition_release(self, NULL);
}

/* ---- wait and notify ------------------------------------------------------------------------------ */

/* A wait that a signal ended is over, with the lock held again: a notify that came since found nobody waiting, so
 * to wait on would be to miss it. `cut`: it was so. */
struct waiting {
    il_condition *object;
    uint64_t token;
    bool cut;
};

static il_status wait_for_notify(void *context, int64_t timeout_ns) {
    struct waiting *w = context;
    if (w->cut) return IL_OK;
    il_status status = il_condition_wait(w->object, timeout_ns, &w->token);
    w->cut = status == IL_EINTR;
    return status;
}

static PyObject *not_held(il_status status, const char *verb) {
    if (status != IL_ENOTHELD) return ilpy_raise(status);
    return PyErr_Format(PyTuple_GetItem(ilpy.errors, -IL_ENOTHELD), "cannot %s on un-acquired lock",
                        verb);
}

static PyObject *condition_wait(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                PyObject *kwnames) {
    static const char *const names[] = {"timeout", NULL};
    ilpy_condition *condition = condition_of(self);
    ilpy_lock *lock = (ilpy_lock *)condition->lock;
    uint32_t depth = lock ? lock->depth : 0;
    struct waiting w = {.object = native(condition)};
    PyObject *value;
    int64_t timeout_ns;
    if (ilpy_handle_check(&condition->handle) != 0 ||
        ilpy_arguments("wait", names, 1, 0, args, count, kwnames, &value) != 0 ||
        ilpy_timeout(value, condition->handle.flavour != ILPY_NATIVE, &timeout_ns) != 0) {
        return NULL;
    }
    il_status status = ilpy_wait(&condition->handle, wait_for_notify, &w, timeout_ns);
    if (w.token) {
        condition->token = w.token;
        if (lock) ilpy_lock_regranted(lock, w.token, depth);
    }
    if (status == IL_OK) Py_RETURN_TRUE;
    if (status == IL_ETIMEOUT) Py_RETURN_FALSE;
    if (status == ILPY_RAISED) return NULL;
    if (status != IL_EOWNERDEAD) return not_held(status, "wait");
    if (ilpy_warn_owner_died(lock ? &lock->handle : &condition->handle) != 0) return NULL;
    Py_RETURN_TRUE;
}

static PyObject *condition_notify(PyObject *self, PyObject *const *args, Py_ssize_t given,
                                  PyObject *kwnames) {
    static const char *const names[] = {"n", NULL};
    ilpy_handle *handle = &condition_of(self)->handle;
    struct ilpy_call call;
    PyObject *value;
    uint32_t count = 1;
    if (ilpy_handle_check(handle) != 0 ||
        ilpy_arguments("notify", names, 1, 0, args, given, kwnames, &value) != 0 ||
        (value && ilpy_u32(value, "n", &count) != 0)) {
        return NULL;
    }
    ilpy_call_begin(handle, &call);
    il_status status = il_condition_notify(handle->object, count);
    ilpy_call_end(handle, &call);
    return status == IL_OK ? Py_NewRef(Py_None) : not_held(status, "notify");
}

static PyObject *condition_notify_all(PyObject *self, PyObject *unused) {
    (void)unused;
    ilpy_handle *handle = &condition_of(self)->handle;
    struct ilpy_call call;
    if (ilpy_handle_check(handle) != 0) return NULL;
    ilpy_call_begin(handle, &call);
    il_status status = il_condition_notify_all(handle->object);
    ilpy_call_end(handle, &call);
    return status == IL_OK ? Py_NewRef(Py_None) : not_held(status, "notify");
}

static PyObject *condition_waiters(PyObject *self, PyObject *unused) {
    (void)unused;
    ilpy_handle *handle = &condition_of(self)->handle;
    struct ilpy_call call;
    uint32_t waiters = 0;
    if (ilpy_handle_check(handle) != 0) return NULL;
    ilpy_call_begin(handle, &call);
    il_status status = il_condition_waiters(handle->object, &waiters);
    ilpy_call_end(handle, &call);
    return status == IL_OK ? PyLong_FromUnsignedLong(waiters) : ilpy_raise(status);
}

static PyObject *condition_lock(PyObject *self, void *unused) {
    (void)unused;
    return Py_NewRef(condition_of(self)->lock ? condition_of(self)->lock : Py_None);
}

static PyMethodDef methods[] = {
    {"acquire", ILPY_METHOD(condition_acquire), ILPY_KEYWORDS,
     "acquire(blocking=True, timeout=None)\n--\n\nAcquire its lock."},
    {"release", condition_release, METH_NOARGS, "Release its lock."},
    {"wait", ILPY_METHOD(condition_wait), ILPY_KEYWORDS,
     "wait(timeout=None)\n--\n\nWhether it was notified within TIMEOUT seconds. A signal ends it "
     "too."},
    {"notify", ILPY_METHOD(condition_notify), ILPY_KEYWORDS,
     "notify(n=1)\n--\n\nLet N that wait go on, the longest waiting first."},
    {"notify_all", condition_notify_all, METH_NOARGS, "Let all go on."},
    {"waiters", condition_waiters, METH_NOARGS, "How many wait; a glance."},
    {"__enter__", condition_enter, METH_NOARGS, NULL},
    {"__exit__", ILPY_METHOD(condition_exit), METH_FASTCALL, NULL},
    {0},
};

static PyGetSetDef attributes[] = {
    {"lock", condition_lock, NULL, "What it was made on; None: what it is bound to in the domain.",
     NULL},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_new, condition_new},
    {Py_tp_dealloc, condition_dealloc},
    {Py_tp_traverse, condition_traverse},
    {Py_tp_clear, condition_clear},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc,
     "Condition(domain, name=None, *, lock=None)\n--\n\n"
     "To wait for a change of what a lock protects; without LOCK on a recursive one of its own."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Condition",
    .basicsize = sizeof(ilpy_condition),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_condition(PyObject *module) {
    ilpy.condition_type = ilpy_add_type(module, &spec, ilpy.handle_type);
    ilpy_adoptable(&kind, ilpy.condition_type);
    return ilpy.condition_type ? 0 : -1;
}
