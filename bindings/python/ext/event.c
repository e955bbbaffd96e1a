#include "interlock_py.h"

typedef struct ilpy_event {
    ilpy_handle handle;
    int32_t saved; /* before a fork */
} ilpy_event;

static ilpy_handle *handle_of(PyObject *self) { return (ilpy_handle *)self; }

/* ---- kind ----------------------------------------------------------------------------------------- */

static il_status kind_close(void *object) { return il_event_close(object); }

static void before_fork(ilpy_handle *handle) {
    int32_t set = 0;
    (void)il_event_is_set(handle->object, &set);
    ((ilpy_event *)handle)->saved = set;
}

static il_status anew(ilpy_handle *handle, bool set, void **out) {
    il_event *made = NULL;
    il_status status = il_event_open(handle->domain->domain, NULL, 0, &made);
    if (status == IL_OK && set) status = il_event_set(made);
    if (status == IL_OK)
        *out = made;
    else if (made)
        (void)il_event_close(made);
    return status;
}

static il_status after_fork(ilpy_handle *handle, void **out) {
    return anew(handle, ((ilpy_event *)handle)->saved, out);
}

static const struct ilpy_kind kind = {
    .number = IL_KIND_EVENT,
    .name = "event",
    .close = kind_close,
    .remove = il_event_delete,
    .before_fork = before_fork,
    .after_fork = after_fork,
};

static PyObject *event_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"domain", "name", "flavour", NULL};
    PyObject *domain_object, *name_object = NULL;
    int flavour = ILPY_NATIVE;
    const char *name;
    size_t bytes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$i:Event", names, &domain_object,
                                     &name_object, &flavour)) {
        return NULL;
    }
    ilpy_domain *domain = ilpy_domain_of(domain_object);
    if (!domain || ilpy_name(name_object, &name, &bytes) != 0 || ilpy_flavour(flavour) != 0) {
        return NULL;
    }
    il_event *object = NULL;
    PyThreadState *thread = ilpy_open_begin(domain);
    il_status status = il_event_open(domain->domain, name, bytes, &object);
    ilpy_open_end(domain, thread);
    if (status != IL_OK) return ilpy_raise(status);
    return (PyObject *)ilpy_handle_new(type, domain, &kind, name_object, object, flavour);
}

/* ---- methods -------------------------------------------------------------------------------------- */

static PyObject *event_set(PyObject *self, PyObject *unused) {
    (void)unused;
    struct ilpy_call call;
    if (ilpy_handle_check(handle_of(self)) != 0) return NULL;
    ilpy_call_begin(handle_of(self), &call);
    il_status status = il_event_set(handle_of(self)->object);
    ilpy_call_end(handle_of(self), &call);
    return ilpy_result(status);
}

static PyObject *event_clear(PyObject *self, PyObject *unused) {
    (void)unused;
    struct ilpy_call call;
    if (ilpy_handle_check(handle_of(self)) != 0) return NULL;
    ilpy_call_begin(handle_of(self), &call);
    il_status status = il_event_clear(handle_of(self)->object);
    ilpy_call_end(handle_of(self), &call);
    return ilpy_result(status);
}

/* -1: exception. */
static int is_set(ilpy_handle *self) {
    struct ilpy_call call;
    int32_t set = 0;
    if (ilpy_handle_check(self) != 0) return -1;
    ilpy_call_begin(self, &call);
    il_status status = il_event_is_set(self->object, &set);
    ilpy_call_end(self, &call);
    if (status == IL_OK) return set;
    ilpy_raise(status);
    return -1;
}

static PyObject *event_is_set(PyObject *self, PyObject *unused) {
    (void)unused;
    int set = is_set(handle_of(self));
    return set < 0 ? NULL : PyBool_FromLong(set);
}

static il_status wait_for_set(void *object, int64_t timeout_ns) {
    return il_event_wait(object, timeout_ns);
}

static PyObject *event_wait(PyObject *self, PyObject *const *args, Py_ssize_t count,
                            PyObject *kwnames) {
    static const char *const names[] = {"timeout", NULL};
    ilpy_handle *handle = handle_of(self);
    PyObject *value;
    int64_t timeout_ns;
    if (ilpy_handle_check(handle) != 0 ||
        ilpy_arguments("wait", names, 1, 0, args, count, kwnames, &value) != 0 ||
        ilpy_timeout(value, handle->flavour != ILPY_NATIVE, &timeout_ns) != 0) {
        return NULL;
    }
    return ilpy_waited(handle, wait_for_set, timeout_ns);
}

static PyObject *event_reinit(PyObject *self, PyObject *unused) {
    (void)unused;
    void *object = NULL;
    int set = is_set(handle_of(self));
    if (set < 0 || ilpy_anonymous(handle_of(self)) != 0) return NULL;
    il_status status = anew(handle_of(self), set, &object);
    if (status != IL_OK) return ilpy_raise(status);
    ilpy_handle_replace(handle_of(self), object);
    Py_RETURN_NONE;
}

static PyObject *event_repr(PyObject *self) {
    PyObject *type = PyType_GetName(Py_TYPE(self)), *text = NULL;
    int set = handle_of(self)->object ? is_set(handle_of(self)) : 0;
    const char *state = !handle_of(self)->object ? "closed" : set ? "set" : "unset";
    if (type && set >= 0) text = PyUnicode_FromFormat("<%U at %p: %s>", type, self, state);
    Py_XDECREF(type);
    return text;
}

static PyMethodDef methods[] = {
    {"set", event_set, METH_NOARGS, "Let all go on that wait, and that come until clear()."},
    {"clear", event_clear, METH_NOARGS, "From now on who comes waits."},
    {"is_set", event_is_set, METH_NOARGS, "Whether it is set."},
    {"wait", ILPY_METHOD(event_wait), ILPY_KEYWORDS,
     "wait(timeout=None)\n--\n\nWhether it was set within TIMEOUT seconds."},
    {"_at_fork_reinit", event_reinit, METH_NOARGS, "Make it anew, as it is."},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_new, event_new},
    {Py_tp_dealloc, ilpy_handle_dealloc},
    {Py_tp_traverse, ilpy_handle_traverse},
    {Py_tp_methods, methods},
    {Py_tp_repr, event_repr},
    {Py_tp_doc, "Event(domain, name=None, *, flavour=NATIVE)\n--\n\nA flag to wait for."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Event",
    .basicsize = sizeof(ilpy_event),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_event(PyObject *module) {
    ilpy.event_type = ilpy_add_type(module, &spec, ilpy.handle_type);
    ilpy_adoptable(&kind, ilpy.event_type);
    return ilpy.event_type ? 0 : -1;
}
