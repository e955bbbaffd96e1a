#include "interlock_py.h"

static ilpy_handle *handle_of(PyObject *self) { return (ilpy_handle *)self; }

static il_status kind_close(void *object) { return il_rwlock_close(object); }

static const struct ilpy_kind kind = {
    .number = IL_KIND_RWLOCK,
    .name = "rwlock",
    .close = kind_close,
    .remove = il_rwlock_delete,
};

static PyObject *rwlock_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"domain", "name", "report_deadlock", NULL};
    il_rwlock_options options = {.struct_bytes = sizeof options};
    PyObject *domain_object, *name_object = NULL;
    const char *name;
    size_t bytes;
    int report = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$p:RWLock", names, &domain_object,
                                     &name_object, &report)) {
        return NULL;
    }
    ilpy_domain *domain = ilpy_domain_of(domain_object);
    if (!domain || ilpy_name(name_object, &name, &bytes) != 0) return NULL;
    if (report) options.flags = IL_DEADLOCK_REPORT;
    il_rwlock *object = NULL;
    PyThreadState *thread = ilpy_open_begin(domain);
    il_status status =
        il_rwlock_open(domain->domain, name, bytes, report ? &options : NULL, &object);
    ilpy_open_end(domain, thread);
    if (status != IL_OK) return ilpy_raise(status);
    return (PyObject *)ilpy_handle_new(type, domain, &kind, name_object, object, ILPY_NATIVE);
}

struct acquiring {
    il_rwlock *object;
    uint32_t mode;
    int64_t lease_ns;
    uint64_t token;
};

static il_status acquire_waiting(void *context, int64_t timeout_ns) {
    struct acquiring *a = context;
    if (a->lease_ns == 0) return il_rwlock_acquire(a->object, a->mode, timeout_ns, &a->token);
    return il_rwlock_acquire_leased(a->object, a->mode, timeout_ns, a->lease_ns, &a->token);
}

static PyObject *acquire(ilpy_handle *handle, uint32_t mode, const char *function,
                         PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"timeout", "lease", NULL};
    struct acquiring a = {handle->object, mode, 0, 0};
    PyObject *values[2];
    int64_t timeout_ns;
    bool remote = handle->domain->remote;
    if (ilpy_handle_check(handle) != 0 ||
        ilpy_arguments(function, names, 2, 0, args, count, kwnames, values) != 0 ||
        ilpy_timeout(values[0], false, &timeout_ns) != 0 ||
        (values[1] && ilpy_duration(values[1], "lease", &a.lease_ns) != 0)) {
        return NULL;
    }
    il_status status = remote ? IL_ETIMEOUT : acquire_waiting(&a, IL_NOWAIT);
    if (status == IL_ETIMEOUT && (timeout_ns != IL_NOWAIT || remote)) {
        status = ilpy_wait(handle, acquire_waiting, &a, timeout_ns);
    }
    if (status == ILPY_RAISED) return NULL;
    if (status != IL_OK && status != IL_EOWNERDEAD) return ilpy_raise(status);
    if (status == IL_EOWNERDEAD && ilpy_warn_owner_died(handle) != 0) {
        (void)il_rwlock_release(a.object, a.token);
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(a.token);
}

static PyObject *acquire_shared(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                PyObject *kwnames) {
    return acquire(handle_of(self), IL_SHARED, "acquire_shared", args, count, kwnames);
}

static PyObject *acquire_exclusive(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                   PyObject *kwnames) {
    return acquire(handle_of(self), IL_EXCLUSIVE, "acquire_exclusive", args, count, kwnames);
}

static PyObject *rwlock_release(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                PyObject *kwnames) {
    static const char *const names[] = {"token", NULL};
    struct ilpy_call call;
    PyObject *value;
    uint64_t token = 0;
    if (ilpy_handle_check(handle_of(self)) != 0 ||
        ilpy_arguments("release", names, 1, 0, args, count, kwnames, &value) != 0 ||
        (value && ilpy_u64(value, "token", &token) != 0)) {
        return NULL;
    }
    ilpy_call_begin(handle_of(self), &call);
    il_status status = il_rwlock_release(handle_of(self)->object, token);
    ilpy_call_end(handle_of(self), &call);
    return ilpy_result(status);
}

static PyObject *rwlock_renew(PyObject *self, PyObject *const *args, Py_ssize_t count,
                              PyObject *kwnames) {
    struct ilpy_grant grant;
    struct ilpy_call call;
    if (ilpy_renew_arguments(handle_of(self), args, count, kwnames, &grant) != 0) return NULL;
    ilpy_call_begin(handle_of(self), &call);
    il_status status = il_rwlock_renew(handle_of(self)->object, grant.token, grant.lease_ns);
    ilpy_call_end(handle_of(self), &call);
    return ilpy_result(status);
}

static PyObject *rwlock_check(PyObject *self, PyObject *number) {
    struct ilpy_call call;
    uint64_t token;
    if (ilpy_handle_check(handle_of(self)) != 0 || ilpy_u64(number, "token", &token) != 0) {
        return NULL;
    }
    ilpy_call_begin(handle_of(self), &call);
    il_status status = il_rwlock_check(handle_of(self)->object, token);
    ilpy_call_end(handle_of(self), &call);
    return ilpy_result(status);
}

static PyObject *rwlock_break(PyObject *self, PyObject *const *args, Py_ssize_t count,
                              PyObject *kwnames) {
    struct ilpy_grant grant;
    struct ilpy_call call;
    if (ilpy_break_arguments(handle_of(self), args, count, kwnames, &grant) != 0) return NULL;
    ilpy_call_begin(handle_of(self), &call);
    il_status status = il_rwlock_break(handle_of(self)->object, grant.token, grant.reason);
    ilpy_call_end(handle_of(self), &call);
    return ilpy_result(status);
}

static PyObject *rwlock_info(PyObject *self, PyObject *unused) {
    (void)unused;
    il_rwlock_info info = {.struct_bytes = sizeof info};
    struct ilpy_call call;
    if (ilpy_handle_check(handle_of(self)) != 0) return NULL;
    ilpy_call_begin(handle_of(self), &call);
    il_status status = il_rwlock_info_get(handle_of(self)->object, &info);
    ilpy_call_end(handle_of(self), &call);
    if (status != IL_OK) return ilpy_raise(status);
    return Py_BuildValue("{sIsIsI}", "shared", (unsigned)info.shared, "exclusive",
                         (unsigned)info.exclusive, "waiters", (unsigned)info.waiters);
}

static PyMethodDef methods[] = {
    {"acquire_shared", ILPY_METHOD(acquire_shared), ILPY_KEYWORDS,
     "acquire_shared(timeout=None, lease=0.0)\n--\n\nThe token of a grant to share. Raises "
     "Timeout."},
    {"acquire_exclusive", ILPY_METHOD(acquire_exclusive), ILPY_KEYWORDS,
     "acquire_exclusive(timeout=None, lease=0.0)\n--\n\nThe token of the only grant. Raises "
     "Timeout."},
    {"release", ILPY_METHOD(rwlock_release), ILPY_KEYWORDS,
     "release(token=0)\n--\n\nGive one acquire of this thread back."},
    {"renew", ILPY_METHOD(rwlock_renew), ILPY_KEYWORDS,
     "renew(lease, token=0)\n--\n\nThe grant lasts LEASE seconds from now."},
    {"check", rwlock_check, METH_O, "Raises unless the grant TOKEN stands."},
    {"break_", ILPY_METHOD(rwlock_break), ILPY_KEYWORDS,
     "break_(reason='', token=0)\n--\n\nTake it from who holds it; they are told REASON."},
    {"info", rwlock_info, METH_NOARGS, "A dict: shared, exclusive, waiters; a glance."},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_new, rwlock_new},
    {Py_tp_dealloc, ilpy_handle_dealloc},
    {Py_tp_traverse, ilpy_handle_traverse},
    {Py_tp_methods, methods},
    {Py_tp_doc, "RWLock(domain, name=None, *, report_deadlock=False)\n--\n\n"
                "Shared by many threads or exclusive to one."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.RWLock",
    .basicsize = sizeof(ilpy_handle),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_rwlock(PyObject *module) {
    ilpy.rwlock_type = ilpy_add_type(module, &spec, ilpy.handle_type);
    ilpy_adoptable(&kind, ilpy.rwlock_type);
    return ilpy.rwlock_type ? 0 : -1;
}
