#include "data.h"

typedef struct watch_object {
    PyObject_HEAD il_watch *watch; /* NULL: closed */
    ilpy_handle *target;           /* which `use` keeps open */
    struct ilpy_use use;
    uint64_t thread; /* that is in next(); 0: none */
    bool closing;    /* by that thread, when it returns */
} watch_object;

static watch_object *watch_of(PyObject *self) { return (watch_object *)self; }

static PyObject *watch_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"target", "after", NULL};
    PyObject *target, *after_object = NULL;
    uint64_t after = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:Watch", names, &target, &after_object)) {
        return NULL;
    }
    if (after_object && ilpy_u64(after_object, "after", &after) != 0) return NULL;
    if (!PyObject_TypeCheck(target, ilpy.handle_type)) {
        return PyErr_Format(PyExc_TypeError, "target: expected an object of a domain, got %R",
                            (PyObject *)Py_TYPE(target));
    }
    ilpy_handle *handle = (ilpy_handle *)target;
    if (ilpy_handle_check(handle) != 0) return NULL;
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    watch_object *self = (watch_object *)alloc(type, 0);
    if (!self) return NULL;
    ilpy_use_begin(handle, &self->use, 0);
    self->target = handle;
    il_watch *watch = NULL;
    il_status status;
    ILPY_CALL(status, handle, il_watch_open(handle->kind->number, self->use.object, after, &watch));
    self->watch = watch;
    if (status == IL_OK) return (PyObject *)self;
    ilpy_raise(status);
    Py_DECREF((PyObject *)self);
    return NULL;
}

static void shut(watch_object *self) {
    if (self->watch && self->thread) {
        __atomic_store_n(&self->closing, true, __ATOMIC_RELAXED);
        (void)il_interrupt(self->thread);
        return;
    }
    if (self->watch) (void)il_watch_close(self->watch);
    self->watch = NULL;
    ilpy_handle *target = self->target;
    self->target = NULL;
    if (target) ilpy_use_end(target, &self->use);
}

static PyObject *watch_close(PyObject *self, PyObject *unused) {
    (void)unused;
    shut(watch_of(self));
    Py_RETURN_NONE;
}

static void watch_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    shut(watch_of(self));
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static int watch_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)watch_of(self)->target);
    return 0;
}

struct waiting {
    il_watch *watch;
    const bool *closing;
    il_changed changed;
};

static il_status next_call(void *context, int64_t timeout_ns) {
    struct waiting *w = context;
    /* relaxed: whoever sets it interrupts this thread after that */
    if (__atomic_load_n(w->closing, __ATOMIC_RELAXED)) return IL_ETIMEOUT;
    return il_watch_next(w->watch, &w->changed, timeout_ns);
}

static PyObject *dict_of(const il_changed *changed) {
    static const char *const what[] = {"",        "set",   "removed", "inserted",
                                       "cleared", "order", "state",   "missed"};
    const char *word = changed->what < sizeof what / sizeof what[0] ? what[changed->what] : "";
    return Py_BuildValue("{s:s,s:K,s:L,s:K,s:K,s:N,s:O}", "what", word, "id",
                         (unsigned long long)changed->id, "index", (long long)changed->index,
                         "count", (unsigned long long)changed->count, "token",
                         (unsigned long long)changed->token, "key",
                         PyUnicode_DecodeUTF8(changed->key, changed->key_bytes, NULL), "more",
                         changed->more ? Py_True : Py_False);
}

static PyObject *watch_next(PyObject *object, PyObject *const *args, Py_ssize_t count,
                            PyObject *kwnames) {
    static const char *const names[] = {"timeout", NULL};
    watch_object *self = watch_of(object);
    PyObject *value;
    int64_t timeout_ns;
    if (ilpy_arguments("next", names, 1, 0, args, count, kwnames, &value) != 0 ||
        ilpy_timeout(value, false, &timeout_ns) != 0) {
        return NULL;
    }
    if (!self->watch || self->closing) return ilpy_raise_text(IL_ECLOSED, "this watch is closed");
    if (self->thread) {
        PyErr_SetString(PyExc_RuntimeError,
                        "another thread is in next(): a watch is one thread's at a time");
        return NULL;
    }
    struct waiting w = {self->watch, &self->closing, {.struct_bytes = sizeof w.changed}};
    self->thread = il_thread_self();
    Py_INCREF(object);
    il_status status = ilpy_wait_free(next_call, &w, timeout_ns);
    self->thread = 0;
    if (self->closing) {
        shut(self);
        if (status == IL_ETIMEOUT) {
            ilpy_raise_text(IL_ECLOSED, "the watch was closed while a thread waited for it");
            status = ILPY_RAISED;
        }
    }
    Py_DECREF(object);
    if (status == IL_OK) return dict_of(&w.changed);
    return status == ILPY_RAISED ? NULL : ilpy_raise(status);
}

static PyMethodDef methods[] = {
    {"next", FAST(watch_next), ARGUMENTS,
     "next(timeout=None)\n--\n\nThe next change, a dict: what (\"set\", \"removed\", \"inserted\", "
     "\"cleared\", "
     "\"order\", \"state\", \"missed\"), id, index, count, token, key, more. Raises Timeout."},
    {"close", watch_close, METH_NOARGS, "End it; again: a no-op."},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_new, watch_new},
    {Py_tp_dealloc, watch_dealloc},
    {Py_tp_traverse, watch_traverse},
    {Py_tp_methods, methods},
    {Py_tp_doc, "Watch(target, after=0)\n--\n\nWhat changes in a Dict, List, Value, Queue or lock, "
                "from the change "
                "AFTER on (0: the next one). One thread's at a time."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Watch",
    .basicsize = sizeof(watch_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_watch(PyObject *module) {
    PyTypeObject *type = ilpy_add_type(module, &spec, NULL);
    Py_XDECREF((PyObject *)type);
    return type ? 0 : -1;
}
