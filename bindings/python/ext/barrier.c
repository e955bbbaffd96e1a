#include "interlock_py.h"

static ilpy_handle *handle_of(PyObject *self) { return (ilpy_handle *)self; }

static il_status kind_close(void *object) { return il_barrier_close(object); }

static const struct ilpy_kind kind = {
    .number = IL_KIND_BARRIER,
    .name = "barrier",
    .close = kind_close,
    .remove = il_barrier_delete,
};

static PyObject *barrier_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"domain", "name", "parties", NULL};
    PyObject *domain_object, *name_object = NULL, *number = Py_None;
    const char *name;
    size_t bytes;
    uint32_t parties = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:Barrier", names, &domain_object,
                                     &name_object, &number)) {
        return NULL;
    }
    ilpy_domain *domain = ilpy_domain_of(domain_object);
    if (!domain || ilpy_name(name_object, &name, &bytes) != 0 ||
        (number != Py_None && ilpy_u32(number, "parties", &parties) != 0)) {
        return NULL;
    }
    il_barrier *object = NULL;
    PyThreadState *thread = ilpy_open_begin(domain);
    il_status status =
        il_barrier_open(domain->domain, name, bytes, number == Py_None ? NULL : &parties, &object);
    ilpy_open_end(domain, thread);
    if (status != IL_OK) return ilpy_raise(status);
    return (PyObject *)ilpy_handle_new(type, domain, &kind, name_object, object, ILPY_NATIVE);
}

struct meeting {
    il_barrier *object;
    uint32_t index;
    bool cut;
};

/* What ends the wait breaks the barrier, also a signal: there is nothing to go on with. */
static il_status meet(void *context, int64_t timeout_ns) {
    struct meeting *m = context;
    if (m->cut) return IL_EBROKEN;
    il_status status = il_barrier_wait(m->object, timeout_ns, &m->index);
    m->cut = status == IL_EINTR;
    return status;
}

static PyObject *barrier_wait(PyObject *self, PyObject *const *args, Py_ssize_t count,
                              PyObject *kwnames) {
    static const char *const names[] = {"timeout", NULL};
    struct meeting m = {.object = handle_of(self)->object};
    PyObject *value;
    int64_t timeout_ns;
    if (ilpy_handle_check(handle_of(self)) != 0 ||
        ilpy_arguments("wait", names, 1, 0, args, count, kwnames, &value) != 0 ||
        ilpy_timeout(value, true, &timeout_ns) != 0) {
        return NULL;
    }
    il_status status = ilpy_wait(handle_of(self), meet, &m, timeout_ns);
    if (status == IL_OK) return PyLong_FromUnsignedLong(m.index);
    if (status == ILPY_RAISED) return NULL;
    if (m.cut && status == IL_EBROKEN)
        return ilpy_raise_text(IL_EBROKEN, "a signal ended the wait, which broke the barrier");
    if (status != IL_ETIMEOUT) return ilpy_raise(status);
    return ilpy_raise_text(IL_EBROKEN, "the timeout of the wait broke the barrier");
}

static PyObject *barrier_reset(PyObject *self, PyObject *unused) {
    (void)unused;
    struct ilpy_call call;
    if (ilpy_handle_check(handle_of(self)) != 0) return NULL;
    ilpy_call_begin(handle_of(self), &call);
    il_status status = il_barrier_reset(handle_of(self)->object);
    ilpy_call_end(handle_of(self), &call);
    return ilpy_result(status);
}

static PyObject *barrier_abort(PyObject *self, PyObject *unused) {
    (void)unused;
    struct ilpy_call call;
    if (ilpy_handle_check(handle_of(self)) != 0) return NULL;
    ilpy_call_begin(handle_of(self), &call);
    il_status status = il_barrier_abort(handle_of(self)->object);
    ilpy_call_end(handle_of(self), &call);
    return ilpy_result(status);
}

static int look(PyObject *self, il_barrier_info *info) {
    struct ilpy_call call;
    *info = (il_barrier_info){.struct_bytes = sizeof *info};
    if (ilpy_handle_check(handle_of(self)) != 0) return -1;
    ilpy_call_begin(handle_of(self), &call);
    il_status status = il_barrier_info_get(handle_of(self)->object, info);
    ilpy_call_end(handle_of(self), &call);
    if (status == IL_OK) return 0;
    ilpy_raise(status);
    return -1;
}

static PyObject *barrier_parties(PyObject *self, void *unused) {
    (void)unused;
    il_barrier_info info;
    return look(self, &info) == 0 ? PyLong_FromUnsignedLong(info.parties) : NULL;
}

static PyObject *barrier_waiting(PyObject *self, void *unused) {
    (void)unused;
    il_barrier_info info;
    return look(self, &info) == 0 ? PyLong_FromUnsignedLong(info.waiting) : NULL;
}

static PyObject *barrier_broken(PyObject *self, void *unused) {
    (void)unused;
    il_barrier_info info;
    return look(self, &info) == 0 ? PyBool_FromLong(info.broken) : NULL;
}

static PyMethodDef methods[] = {
    {"wait", ILPY_METHOD(barrier_wait), ILPY_KEYWORDS,
     "wait(timeout=None)\n--\n\nMeet the others; a number that each has once a round. Raises "
     "Broken.\n"
     "A timeout or a signal breaks the barrier."},
    {"reset", barrier_reset, METH_NOARGS, "To its first state; who waits gets Broken."},
    {"abort", barrier_abort, METH_NOARGS, "Break it."},
    {0},
};

static PyGetSetDef attributes[] = {
    {"parties", barrier_parties, NULL, "How many meet.", NULL},
    {"n_waiting", barrier_waiting, NULL, "How many wait.", NULL},
    {"broken", barrier_broken, NULL, "Whether it is broken.", NULL},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_new, barrier_new},
    {Py_tp_dealloc, ilpy_handle_dealloc},
    {Py_tp_traverse, ilpy_handle_traverse},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, "Barrier(domain, name=None, parties=None)\n--\n\n"
                "PARTIES waits meet and go on together, again and again."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Barrier",
    .basicsize = sizeof(ilpy_handle),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_barrier(PyObject *module) {
    ilpy.barrier_type = ilpy_add_type(module, &spec, ilpy.handle_type);
    ilpy_adoptable(&kind, ilpy.barrier_type);
    return ilpy.barrier_type ? 0 : -1;
}
