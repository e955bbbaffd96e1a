#include "lock.h"

static ilpy_lock *lock_of(PyObject *self) { return (ilpy_lock *)self; }

static PyObject *rlock_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    return ilpy_lock_make(type, args, kwargs, &ilpy_rlock_calls);
}

/* How often the calling thread has acquired it. -1: exception. */
static int64_t depth_of(ilpy_lock *lock) {
    struct ilpy_call call;
    uint32_t depth = 0;
    if (ilpy_handle_check(&lock->handle) != 0) return -1;
    ilpy_call_begin(&lock->handle, &call);
    il_status status = il_rlock_depth(lock->handle.object, &depth);
    ilpy_call_end(&lock->handle, &call);
    if (status == IL_OK) return depth;
    ilpy_raise(status);
    return -1;
}

static PyObject *rlock_depth(PyObject *self, PyObject *unused) {
    (void)unused;
    int64_t depth = depth_of(lock_of(self));
    return depth < 0 ? NULL : PyLong_FromLongLong(depth);
}

static PyObject *rlock_is_owned(PyObject *self, PyObject *unused) {
    (void)unused;
    int64_t depth = depth_of(lock_of(self));
    return depth < 0 ? NULL : PyBool_FromLong(depth > 0);
}

/* ---- for conditions: all acquires given up, and taken again --------------------------------------- */

static PyObject *rlock_release_save(PyObject *self, PyObject *unused) {
    (void)unused;
    ilpy_lock *lock = lock_of(self);
    int64_t depth = depth_of(lock);
    if (depth < 0) return NULL;
    unsigned long owner = PyThread_get_thread_ident();
    if (depth == 0) {
        PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
        return NULL;
    }
    for (int64_t i = 0; i < depth; i++) {
        PyObject *result = ilpy_lock_release(self, NULL, 0, NULL);
        if (!result) return NULL;
        Py_DECREF(result);
    }
    return Py_BuildValue("(Lk)", (long long)depth, owner);
}

struct restoring {
    const struct lock_calls *calls;
    void *object;
    uint64_t token;
};

/* Who gave a lock up to wait must have it again, whatever signals come. */
static il_status restore(void *context, int64_t timeout_ns) {
    struct restoring *r = context;
    il_status status;
    do status = r->calls->acquire(r->object, timeout_ns, &r->token);
    while (status == IL_EINTR);
    return status;
}

static PyObject *rlock_acquire_restore(PyObject *self, PyObject *state) {
    ilpy_lock *lock = lock_of(self);
    long long depth;
    unsigned long owner;
    if (!PyTuple_Check(state) || !PyArg_ParseTuple(state, "Lk", &depth, &owner)) {
        return PyErr_Format(PyExc_TypeError, "state: expected what _release_save() returned");
    }
    for (long long i = 0; i < depth; i++) {
        struct restoring r = {lock->calls, lock->handle.object, 0};
        if (ilpy_handle_check(&lock->handle) != 0) return NULL;
        il_status status = ilpy_wait(&lock->handle, restore, &r, IL_FOREVER);
        if (status != IL_OK && status != IL_EOWNERDEAD) {
            return status == ILPY_RAISED ? NULL : ilpy_raise(status);
        }
        if (ilpy_lock_granted(lock, status, r.token) != 0) return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"depth", rlock_depth, METH_NOARGS, "How often the calling thread has acquired it."},
    {"_is_owned", rlock_is_owned, METH_NOARGS, "Whether the calling thread owns it."},
    {"_recursion_count", rlock_depth, METH_NOARGS, "As depth()."},
    {"_release_save", rlock_release_save, METH_NOARGS,
     "Release all; what _acquire_restore() needs."},
    {"_acquire_restore", rlock_acquire_restore, METH_O, "Acquire as often as it was released."},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_new, rlock_new},
    {Py_tp_dealloc, ilpy_handle_dealloc},
    {Py_tp_traverse, ilpy_handle_traverse},
    {Py_tp_methods, methods},
    {Py_tp_doc,
     "RLock(domain, name=None, *, flavour=NATIVE, fair=False, lock_delay=0.0, "
     "report_deadlock=False)\n--\n\n"
     "A lock that its owner, a thread, may acquire again. It is recovered when the thread ends."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.RLock",
    .basicsize = sizeof(ilpy_lock),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_rlock(PyObject *module) {
    ilpy.rlock_type = ilpy_add_type(module, &spec, ilpy.lock_type);
    ilpy_adoptable(&ilpy_rlock_calls.kind, ilpy.rlock_type);
    return ilpy.rlock_type ? 0 : -1;
}
