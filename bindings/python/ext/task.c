#include <stdlib.h>

#include "workers.h"

#define TEXT_BYTES 4096 /* the first buffer of a result */

static PyTypeObject *task_type;

static ilpy_remote *remote_of(PyObject *self) { return (ilpy_remote *)self; }

/* ---- what workers and tasks share ----------------------------------------------------------------- */

PyObject *ilpy_remote_new(PyTypeObject *type, ilpy_domain *domain, void *native,
                          il_status (*close)(void *native)) {
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    ilpy_remote *self = (ilpy_remote *)alloc(type, 0);
    if (!self) {
        (void)close(native);
        return NULL;
    }
    self->native = native;
    self->close = close;
    self->domain = (ilpy_domain *)Py_NewRef((PyObject *)domain);
    domain->native++;
    return (PyObject *)self;
}

static void shut(ilpy_remote *self) {
    self->closing = true;
    if (!self->native || self->users) return;
    (void)self->close(self->native);
    self->native = NULL;
    ilpy_domain_object_closed(self->domain);
}

int ilpy_remote_begin(ilpy_remote *self) {
    if (!self->native || self->closing) {
        ilpy_raise_text(IL_ECLOSED, "this handle is closed");
        return -1;
    }
    self->users++;
    Py_INCREF((PyObject *)self);
    return 0;
}

void ilpy_remote_end(ilpy_remote *self) {
    self->users--;
    if (self->closing) shut(self);
    Py_DECREF((PyObject *)self);
}

PyObject *ilpy_remote_close(PyObject *self, PyObject *unused) {
    (void)unused;
    shut(remote_of(self));
    Py_RETURN_NONE;
}

void ilpy_remote_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    shut(remote_of(self));
    Py_CLEAR(remote_of(self)->domain);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

int ilpy_remote_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)remote_of(self)->domain);
    return 0;
}

/* ---- a task's calls ------------------------------------------------------------------------------- */

static il_status close_task(void *native) { return il_task_close(native); }

PyObject *ilpy_task_new(ilpy_domain *domain, il_task *native) {
    return ilpy_remote_new(task_type, domain, native, close_task);
}

struct asking {
    il_task *task;
    il_status (*ask)(il_task *task, void *buffer, size_t capacity, size_t *bytes,
                     int64_t timeout_ns); /* NULL: a wait */
    char *buffer;
    size_t capacity, bytes;
    uint32_t state;
};

static il_status ask_call(void *context, int64_t timeout_ns) {
    struct asking *a = context;
    if (!a->ask) return il_task_wait(a->task, timeout_ns);
    return a->ask(a->task, a->buffer, a->capacity, &a->bytes, timeout_ns);
}

static il_status state_call(void *context, int64_t unused) {
    struct asking *a = context;
    (void)unused;
    return il_task_state(a->task, &a->state);
}

static il_status cancel_call(void *context, int64_t unused) {
    struct asking *a = context;
    (void)unused;
    return il_task_cancel(a->task);
}

/* CALL with the task; a status, or ILPY_RAISED. */
static il_status with_task(PyObject *self, struct asking *a, ilpy_waiting_call call,
                           int64_t timeout_ns) {
    ilpy_remote *task = remote_of(self);
    if (ilpy_remote_begin(task) != 0) return ILPY_RAISED;
    a->task = task->native;
    il_status status = ilpy_wait_free(call, a, timeout_ns);
    ilpy_remote_end(task);
    return status;
}

static PyObject *failed(il_status status) {
    return status == ILPY_RAISED ? NULL : ilpy_raise(status);
}

static int timeout_of(const char *function, PyObject *const *args, Py_ssize_t count,
                      PyObject *kwnames, int64_t *timeout_ns) {
    static const char *const names[] = {"timeout", NULL};
    PyObject *value;
    if (ilpy_arguments(function, names, 1, 0, args, count, kwnames, &value) != 0) return -1;
    return ilpy_timeout(value, false, timeout_ns);
}

static PyObject *task_wait(PyObject *self, PyObject *const *args, Py_ssize_t count,
                           PyObject *kwnames) {
    struct asking a = {0};
    int64_t timeout_ns;
    if (timeout_of("wait", args, count, kwnames, &timeout_ns) != 0) return NULL;
    il_status status = with_task(self, &a, ask_call, timeout_ns);
    if (status == IL_OK || status == IL_ETIMEOUT) return PyBool_FromLong(status == IL_OK);
    return failed(status);
}

/* result() and error(): a text, in a buffer that is big enough. */
static PyObject *text(PyObject *self, struct asking *a, int64_t timeout_ns) {
    int64_t start = ilpy_now_ns();
    PyObject *result = NULL;
    for (a->capacity = TEXT_BYTES;; a->capacity = a->bytes) {
        char *buffer = realloc(a->buffer, a->capacity);
        if (!buffer) {
            PyErr_NoMemory();
            break;
        }
        a->buffer = buffer;
        il_status status = with_task(self, a, ask_call, ilpy_left(start, timeout_ns));
        if (status == IL_ETOOBIG) continue;
        if (status == IL_OK) {
            result = PyUnicode_DecodeUTF8(a->buffer, (Py_ssize_t)a->bytes, NULL);
        } else {
            failed(status);
        }
        break;
    }
    free(a->buffer);
    return result;
}

static PyObject *task_result(PyObject *self, PyObject *const *args, Py_ssize_t count,
                             PyObject *kwnames) {
    struct asking a = {.ask = il_task_result};
    int64_t timeout_ns;
    if (timeout_of("result", args, count, kwnames, &timeout_ns) != 0) return NULL;
    return text(self, &a, timeout_ns);
}

static PyObject *task_error(PyObject *self, PyObject *const *args, Py_ssize_t count,
                            PyObject *kwnames) {
    struct asking a = {.ask = il_task_error};
    int64_t timeout_ns;
    if (timeout_of("error", args, count, kwnames, &timeout_ns) != 0) return NULL;
    return text(self, &a, timeout_ns);
}

static PyObject *task_state(PyObject *self, PyObject *unused) {
    static const char *const names[] = {"unknown", "queued",    "delayed",   "running", "succeeded",
                                        "failed",  "cancelled", "timed_out", "lost"};
    struct asking a = {0};
    (void)unused;
    il_status status = with_task(self, &a, state_call, IL_NOWAIT);
    if (status != IL_OK) return failed(status);
    return PyUnicode_FromString(names[a.state <= IL_TASK_LOST ? a.state : 0]);
}

static PyObject *task_cancel(PyObject *self, PyObject *unused) {
    struct asking a = {0};
    (void)unused;
    il_status status = with_task(self, &a, cancel_call, IL_NOWAIT);
    if (status != IL_OK) return failed(status);
    Py_RETURN_NONE;
}

static PyObject *task_id(PyObject *self, void *unused) {
    ilpy_remote *task = remote_of(self);
    uint64_t id;
    (void)unused;
    if (ilpy_remote_begin(task) != 0) return NULL;
    il_status status = il_task_id(task->native, &id);
    ilpy_remote_end(task);
    return status == IL_OK ? PyLong_FromUnsignedLongLong(id) : ilpy_raise(status);
}

static PyMethodDef methods[] = {
    {"wait", FAST(task_wait), ARGUMENTS,
     "wait(timeout=None)\n--\n\nWhether it has ended, however it did, within TIMEOUT seconds."},
    {"state", task_state, METH_NOARGS,
     "\"queued\", \"delayed\", \"running\", \"succeeded\", \"failed\", \"cancelled\", "
     "\"timed_out\" or \"lost\"."},
    {"result", FAST(task_result), ARGUMENTS,
     "result(timeout=None)\n--\n\nWait, and get the result as JSON text. Raises Failed, Cancelled, "
     "Lost, Timeout."},
    {"error", FAST(task_error), ARGUMENTS,
     "error(timeout=None)\n--\n\nWait, and get why it did not succeed as JSON text. Raises "
     "NotFound if it did."},
    {"cancel", task_cancel, METH_NOARGS, "Ask it to end."},
    {"close", ilpy_remote_close, METH_NOARGS, "Close the handle only; again: a no-op."},
    {0},
};

static PyGetSetDef attributes[] = {{"id", task_id, NULL, "Its number on the server.", NULL}, {0}};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, ilpy_remote_dealloc},
    {Py_tp_traverse, ilpy_remote_traverse},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, "One call of a function by a pool of the server."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Task",
    .basicsize = sizeof(ilpy_remote),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

int ilpy_add_task(PyObject *module) {
    task_type = ilpy_add_type(module, &spec, NULL);
    return task_type ? 0 : -1;
}
