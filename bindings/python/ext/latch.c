#include "interlock_py.h"

static ilpy_handle *handle_of(PyObject *self) { return (ilpy_handle *)self; }

static il_status kind_close(void *object) { return il_latch_close(object); }

static const struct ilpy_kind kind = {
    .number = IL_KIND_LATCH,
    .name = "latch",
    .close = kind_close,
    .remove = il_latch_delete,
};

static PyObject *latch_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"domain", "name", "count", NULL};
    PyObject *domain_object, *name_object = NULL, *number = Py_None;
    const char *name;
    size_t bytes;
    uint32_t count = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:Latch", names, &domain_object,
                                     &name_object, &number)) {
        return NULL;
    }
    ilpy_domain *domain = ilpy_domain_of(domain_object);
    if (!domain || ilpy_name(name_object, &name, &bytes) != 0 ||
        (number != Py_None && ilpy_u32(number, "count", &count) != 0)) {
        return NULL;
    }
    il_latch *object = NULL;
    PyThreadState *thread = ilpy_open_begin(domain);
    il_status status =
        il_latch_open(domain->domain, name, bytes, number == Py_None ? NULL : &count, &object);
    ilpy_open_end(domain, thread);
    if (status != IL_OK) return ilpy_raise(status);
    return (PyObject *)ilpy_handle_new(type, domain, &kind, name_object, object, ILPY_NATIVE);
}

static PyObject *latch_count_down(PyObject *self, PyObject *const *args, Py_ssize_t given,
                                  PyObject *kwnames) {
    static const char *const names[] = {"count", NULL};
    struct ilpy_call call;
    PyObject *value;
    uint32_t count = 1, left = 0;
    if (ilpy_handle_check(handle_of(self)) != 0 ||
        ilpy_arguments("count_down", names, 1, 0, args, given, kwnames, &value) != 0 ||
        (value && ilpy_u32(value, "count", &count) != 0)) {
        return NULL;
    }
    ilpy_call_begin(handle_of(self), &call);
    il_status status = il_latch_count_down(handle_of(self)->object, count, &left);
    ilpy_call_end(handle_of(self), &call);
    return status == IL_OK ? PyLong_FromUnsignedLong(left) : ilpy_raise(status);
}

static il_status wait_for_zero(void *object, int64_t timeout_ns) {
    return il_latch_wait(object, timeout_ns);
}

static PyObject *latch_wait(PyObject *self, PyObject *const *args, Py_ssize_t count,
                            PyObject *kwnames) {
    static const char *const names[] = {"timeout", NULL};
    PyObject *value;
    int64_t timeout_ns;
    if (ilpy_handle_check(handle_of(self)) != 0 ||
        ilpy_arguments("wait", names, 1, 0, args, count, kwnames, &value) != 0 ||
        ilpy_timeout(value, false, &timeout_ns) != 0) {
        return NULL;
    }
    return ilpy_waited(handle_of(self), wait_for_zero, timeout_ns);
}

static PyObject *latch_count(PyObject *self, PyObject *unused) {
    (void)unused;
    struct ilpy_call call;
    uint32_t count = 0;
    if (ilpy_handle_check(handle_of(self)) != 0) return NULL;
    ilpy_call_begin(handle_of(self), &call);
    il_status status = il_latch_count(handle_of(self)->object, &count);
    ilpy_call_end(handle_of(self), &call);
    return status == IL_OK ? PyLong_FromUnsignedLong(count) : ilpy_raise(status);
}

static PyMethodDef methods[] = {
    {"count_down", ILPY_METHOD(latch_count_down), ILPY_KEYWORDS,
     "count_down(count=1)\n--\n\nBy COUNT, not below 0; what is left."},
    {"wait", ILPY_METHOD(latch_wait), ILPY_KEYWORDS,
     "wait(timeout=None)\n--\n\nWhether it was 0 within TIMEOUT seconds."},
    {"count", latch_count, METH_NOARGS, "What is left; a glance."},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_new, latch_new},
    {Py_tp_dealloc, ilpy_handle_dealloc},
    {Py_tp_traverse, ilpy_handle_traverse},
    {Py_tp_methods, methods},
    {Py_tp_doc, "Latch(domain, name=None, count=None)\n--\n\n"
                "A count that only falls; who waits goes on when it is 0."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Latch",
    .basicsize = sizeof(ilpy_handle),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_latch(PyObject *module) {
    ilpy.latch_type = ilpy_add_type(module, &spec, ilpy.handle_type);
    ilpy_adoptable(&kind, ilpy.latch_type);
    return ilpy.latch_type ? 0 : -1;
}
