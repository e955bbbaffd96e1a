#include "interlock_py.h"

typedef struct ilpy_semaphore {
    ilpy_handle handle;
    uint64_t token; /* of the newest grant by this handle */
    il_semaphore_options options;
    uint32_t saved; /* permits, before a fork */
} ilpy_semaphore;

static ilpy_semaphore *semaphore_of(PyObject *self) { return (ilpy_semaphore *)self; }

static il_semaphore *native(ilpy_semaphore *semaphore) { return semaphore->handle.object; }

/* ---- kind ----------------------------------------------------------------------------------------- */

static il_status kind_close(void *object) { return il_semaphore_close(object); }

static void before_fork(ilpy_handle *handle) {
    uint32_t value = 0;
    (void)il_semaphore_value(handle->object, &value);
    ((ilpy_semaphore *)handle)->saved = value;
}

/* One with a bound begins with that, and its value is made by acquiring. */
static il_status after_fork(ilpy_handle *handle, void **out) {
    ilpy_semaphore *self = (ilpy_semaphore *)handle;
    il_semaphore_options options = self->options;
    il_semaphore *made = NULL;
    uint32_t taken = 0;
    if (options.flags & IL_SEMAPHORE_BOUNDED)
        taken = options.value - self->saved;
    else
        options.value = self->saved;
    il_status status = il_semaphore_open(handle->domain->domain, NULL, 0, &options, &made);
    if (status == IL_OK && taken) {
        status = il_semaphore_acquire(made, taken, IL_NOWAIT, NULL);
    }
    if (status == IL_OK)
        *out = made;
    else if (made)
        (void)il_semaphore_close(made);
    return status;
}

/* For a release beyond the bound, which is an error of another kind. */
static uint32_t traits(ilpy_handle *handle) { return ((ilpy_semaphore *)handle)->options.flags; }

static int adopted(ilpy_handle *handle, const il_ticket *ticket, uint32_t flags) {
    (void)ticket;
    ((ilpy_semaphore *)handle)->options =
        (il_semaphore_options){.struct_bytes = sizeof(il_semaphore_options), .flags = flags};
    return 0;
}

static const struct ilpy_kind kind = {
    .number = IL_KIND_SEMAPHORE,
    .name = "semaphore",
    .close = kind_close,
    .remove = il_semaphore_delete,
    .before_fork = before_fork,
    .after_fork = after_fork,
    .traits = traits,
    .adopted = adopted,
};

/* ---- making --------------------------------------------------------------------------------------- */

static int read_value(PyObject *object, int flavour, uint32_t *value) {
    if (ilpy_u32(object, "value", value) == 0) return 0;
    if (flavour == ILPY_THREAD && PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyErr_Clear();
        PyErr_SetString(PyExc_ValueError, "semaphore initial value must be >= 0");
    }
    return -1;
}

static PyObject *semaphore_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"domain", "name",    "value",           "bounded",
                            "signal", "flavour", "report_deadlock", NULL};
    il_semaphore_options options = {.struct_bytes = sizeof options, .value = 1};
    PyObject *domain_object, *name_object = NULL, *value = NULL;
    int bounded = 0, is_signal = 0, flavour = ILPY_NATIVE, report = 0;
    const char *name;
    size_t bytes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$Oppip:Semaphore", names, &domain_object,
                                     &name_object, &value, &bounded, &is_signal, &flavour,
                                     &report)) {
        return NULL;
    }
    ilpy_domain *domain = ilpy_domain_of(domain_object);
    if (!domain || ilpy_name(name_object, &name, &bytes) != 0 || ilpy_flavour(flavour) != 0 ||
        (value && read_value(value, flavour, &options.value) != 0)) {
        return NULL;
    }
    bool nobodys = flavour == ILPY_THREAD || (flavour == ILPY_PROCESS && !bounded);
    if (bounded) options.flags |= IL_SEMAPHORE_BOUNDED;
    if (is_signal || nobodys) options.flags |= IL_SEMAPHORE_SIGNAL;
    if (report) options.flags |= IL_DEADLOCK_REPORT;
    il_semaphore *object = NULL;
    bool plain = !value && options.flags == 0;
    PyThreadState *thread = ilpy_open_begin(domain);
    il_status status =
        il_semaphore_open(domain->domain, name, bytes, plain ? NULL : &options, &object);
    ilpy_open_end(domain, thread);
    if (status != IL_OK) return ilpy_raise(status);
    ilpy_handle *self = ilpy_handle_new(type, domain, &kind, name_object, object, flavour);
    if (self) ((ilpy_semaphore *)self)->options = options;
    return (PyObject *)self;
}

/* ---- acquire -------------------------------------------------------------------------------------- */

struct acquiring {
    il_semaphore *object;
    uint32_t count;
    uint64_t token;
};

static il_status acquire_waiting(void *context, int64_t timeout_ns) {
    struct acquiring *a = context;
    return il_semaphore_acquire(a->object, a->count, timeout_ns, &a->token);
}

/* 1: granted, 0: not in time, -1: exception. */
static int acquire(ilpy_semaphore *self, uint32_t count, int64_t timeout_ns) {
    struct acquiring a = {native(self), count, 0};
    bool remote = self->handle.domain->remote;
    il_status status = IL_ETIMEOUT;
    if (ilpy_handle_check(&self->handle) != 0) return -1;
    if (LIKELY(!remote)) status = acquire_waiting(&a, IL_NOWAIT);
    if (status == IL_ETIMEOUT && (timeout_ns != IL_NOWAIT || remote)) {
        status = ilpy_wait(&self->handle, acquire_waiting, &a, timeout_ns);
    }
    if (LIKELY(status == IL_OK || status == IL_EOWNERDEAD)) {
        self->token = a.token;
        return 1;
    }
    if (status == IL_ETIMEOUT) return 0;
    if (status != ILPY_RAISED) ilpy_raise(status);
    return -1;
}

static int read_arguments(ilpy_semaphore *self, PyObject *const *args, Py_ssize_t given,
                          PyObject *kwnames, uint32_t *count, int64_t *timeout_ns) {
    static const char *const names[] = {"blocking", "timeout", "count", NULL};
    static const char *const process_names[] = {"block", "timeout", "count", NULL};
    int flavour = self->handle.flavour;
    PyObject *values[3];
    if (ilpy_arguments("acquire", flavour == ILPY_PROCESS ? process_names : names, 2, 0, args,
                       given, kwnames, values) != 0) {
        return -1;
    }
    int blocking = values[0] ? PyObject_IsTrue(values[0]) : 1;
    if (blocking < 0 || (values[2] && ilpy_u32(values[2], "count", count) != 0)) return -1;
    if (!blocking && flavour != ILPY_PROCESS && values[1] && values[1] != Py_None) {
        PyErr_SetString(PyExc_ValueError, "can't specify timeout for non-blocking acquire");
        return -1;
    }
    *timeout_ns = IL_NOWAIT;
    return blocking ? ilpy_timeout(values[1], flavour != ILPY_NATIVE, timeout_ns) : 0;
}

static PyObject *semaphore_acquire(PyObject *self, PyObject *const *args, Py_ssize_t given,
                                   PyObject *kwnames) {
    int64_t timeout_ns = IL_FOREVER;
    uint32_t count = 1;
    if ((given != 0 || kwnames) &&
        read_arguments(semaphore_of(self), args, given, kwnames, &count, &timeout_ns) != 0) {
        return NULL;
    }
    int got = acquire(semaphore_of(self), count, timeout_ns);
    return got < 0 ? NULL : PyBool_FromLong(got);
}

/* ---- release -------------------------------------------------------------------------------------- */

static PyObject *release(ilpy_semaphore *self, uint32_t count, uint64_t token) {
    struct ilpy_call call;
    if (ilpy_handle_check(&self->handle) != 0) return NULL;
    ilpy_call_begin(&self->handle, &call);
    il_status status = il_semaphore_release(native(self), count, token);
    ilpy_call_end(&self->handle, &call);
    if (LIKELY(status == IL_OK)) Py_RETURN_NONE;
    if (status != IL_EOVERFLOW || self->handle.flavour == ILPY_NATIVE) return ilpy_raise(status);
    PyErr_SetString(PyExc_ValueError, self->handle.flavour == ILPY_THREAD
                                          ? "Semaphore released too many times"
                                          : "semaphore or lock released too many times");
    return NULL;
}

static PyObject *semaphore_release(PyObject *self, PyObject *const *args, Py_ssize_t given,
                                   PyObject *kwnames) {
    static const char *const names[] = {"n", "token", NULL};
    PyObject *values[2] = {NULL, NULL};
    uint32_t count = 1;
    uint64_t token = 0;
    if (given != 0 || kwnames) {
        if (ilpy_arguments("release", names, 2, 0, args, given, kwnames, values) != 0) return NULL;
        if (values[0] && ilpy_u32(values[0], "n", &count) != 0) return NULL;
        if (values[1] && ilpy_u64(values[1], "token", &token) != 0) return NULL;
        if (count < 1) {
            PyErr_SetString(PyExc_ValueError, "n must be one or more");
            return NULL;
        }
    }
    return release(semaphore_of(self), count, token);
}

static PyObject *semaphore_enter(PyObject *self, PyObject *unused) {
    (void)unused;
    if (acquire(semaphore_of(self), 1, IL_FOREVER) < 0) return NULL;
    Py_RETURN_TRUE;
}

static PyObject *semaphore_exit(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)args, (void)count;
    return release(semaphore_of(self), 1, 0);
}

/* ---- grants --------------------------------------------------------------------------------------- */

static PyObject *semaphore_renew(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                 PyObject *kwnames) {
    ilpy_handle *handle = &semaphore_of(self)->handle;
    struct ilpy_grant grant;
    struct ilpy_call call;
    if (ilpy_renew_arguments(handle, args, count, kwnames, &grant) != 0) return NULL;
    ilpy_call_begin(handle, &call);
    il_status status = il_semaphore_renew(handle->object, grant.token, grant.lease_ns);
    ilpy_call_end(handle, &call);
    return ilpy_result(status);
}

static PyObject *semaphore_check(PyObject *self, PyObject *number) {
    ilpy_handle *handle = &semaphore_of(self)->handle;
    struct ilpy_call call;
    uint64_t token;
    if (ilpy_handle_check(handle) != 0 || ilpy_u64(number, "token", &token) != 0) return NULL;
    ilpy_call_begin(handle, &call);
    il_status status = il_semaphore_check(handle->object, token);
    ilpy_call_end(handle, &call);
    return ilpy_result(status);
}

static PyObject *semaphore_break(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                 PyObject *kwnames) {
    ilpy_handle *handle = &semaphore_of(self)->handle;
    struct ilpy_grant grant;
    struct ilpy_call call;
    if (ilpy_break_arguments(handle, args, count, kwnames, &grant) != 0) return NULL;
    ilpy_call_begin(handle, &call);
    il_status status = il_semaphore_break(handle->object, grant.token, grant.reason);
    ilpy_call_end(handle, &call);
    return ilpy_result(status);
}

/* -1: exception. */
static int64_t value_of(ilpy_semaphore *self) {
    struct ilpy_call call;
    uint32_t value = 0;
    if (ilpy_handle_check(&self->handle) != 0) return -1;
    ilpy_call_begin(&self->handle, &call);
    il_status status = il_semaphore_value(native(self), &value);
    ilpy_call_end(&self->handle, &call);
    if (status == IL_OK) return value;
    ilpy_raise(status);
    return -1;
}

static PyObject *semaphore_get_value(PyObject *self, PyObject *unused) {
    (void)unused;
    int64_t value = value_of(semaphore_of(self));
    return value < 0 ? NULL : PyLong_FromLongLong(value);
}

static PyObject *semaphore_reinit(PyObject *self, PyObject *unused) {
    (void)unused;
    ilpy_semaphore *semaphore = semaphore_of(self);
    void *object = NULL;
    int64_t value = value_of(semaphore);
    if (value < 0 || ilpy_anonymous(&semaphore->handle) != 0) return NULL;
    semaphore->saved = (uint32_t)value;
    il_status status = after_fork(&semaphore->handle, &object);
    if (status != IL_OK) return ilpy_raise(status);
    ilpy_handle_replace(&semaphore->handle, object);
    Py_RETURN_NONE;
}

static PyObject *semaphore_repr(PyObject *self) {
    PyObject *type = PyType_GetName(Py_TYPE(self)), *text = NULL;
    bool open = semaphore_of(self)->handle.object != NULL;
    int64_t value = open ? value_of(semaphore_of(self)) : 0;
    if (type && value >= 0) {
        text = open ? PyUnicode_FromFormat("<%U at %p: value=%lld>", type, self, (long long)value)
                    : PyUnicode_FromFormat("<closed %U at %p>", type, self);
    }
    Py_XDECREF(type);
    return text;
}

static PyObject *semaphore_token(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(semaphore_of(self)->token);
}

static PyMethodDef methods[] = {
    {"acquire", ILPY_METHOD(semaphore_acquire), ILPY_KEYWORDS,
     "acquire(blocking=True, timeout=None, *, count=1)\n--\n\n"
     "Whether COUNT permits were granted within TIMEOUT seconds."},
    {"release", ILPY_METHOD(semaphore_release), ILPY_KEYWORDS,
     "release(n=1, token=0)\n--\n\nGive N permits back."},
    {"renew", ILPY_METHOD(semaphore_renew), ILPY_KEYWORDS,
     "renew(lease, token=0)\n--\n\nThe grant lasts LEASE seconds from now."},
    {"check", semaphore_check, METH_O, "Raises unless the grant TOKEN stands."},
    {"break_", ILPY_METHOD(semaphore_break), ILPY_KEYWORDS,
     "break_(reason='', token=0)\n--\n\nTake permits from who holds them."},
    {"get_value", semaphore_get_value, METH_NOARGS, "Permits that are there; a glance."},
    {"__enter__", semaphore_enter, METH_NOARGS, NULL},
    {"__exit__", ILPY_METHOD(semaphore_exit), METH_FASTCALL, NULL},
    {"_at_fork_reinit", semaphore_reinit, METH_NOARGS, "Make it anew, with its value."},
    {0},
};

static PyGetSetDef attributes[] = {
    {"token", semaphore_token, NULL, "Of this handle's newest grant.", NULL},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_new, semaphore_new},
    {Py_tp_dealloc, ilpy_handle_dealloc},
    {Py_tp_traverse, ilpy_handle_traverse},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_repr, semaphore_repr},
    {Py_tp_doc, "Semaphore(domain, name=None, *, value=1, bounded=False, signal=False, "
                "flavour=NATIVE, report_deadlock=False)\n--\n\nA number of permits."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Semaphore",
    .basicsize = sizeof(ilpy_semaphore),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_semaphore(PyObject *module) {
    ilpy.semaphore_type = ilpy_add_type(module, &spec, ilpy.handle_type);
    ilpy_adoptable(&kind, ilpy.semaphore_type);
    return ilpy.semaphore_type ? 0 : -1;
}
