/* Wait: wait_any() for event loops. */
#include "targets.h"

typedef struct ilpy_later {
    PyObject_HEAD il_wait *wait; /* NULL: closed */
    struct ilpy_targets t;
    unsigned forks; /* a forked child has no part in it */
} ilpy_later;

static ilpy_later *later_of(PyObject *self) { return (ilpy_later *)self; }

static int later_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"targets", NULL};
    ilpy_later *later = later_of(self);
    PyObject *targets;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Wait", names, &targets)) return -1;
    if (later->wait) {
        PyErr_SetString(PyExc_RuntimeError, "Wait.__init__: it has begun already");
        return -1;
    }
    if (ilpy_targets_read(targets, &later->t) != 0) return -1;
    il_status status = il_wait_start(later->t.targets, later->t.count, &later->wait);
    if (status != IL_OK) {
        ilpy_targets_free(&later->t);
        ilpy_raise(status);
        return -1;
    }
    later->forks = ilpy.forks;
    for (size_t i = 0; i < later->t.count; i++) {
        ilpy_use_begin(later->t.handles[i], &later->t.uses[i], 0);
    }
    return 0;
}

static void shut(ilpy_later *later) {
    il_wait *wait = later->wait;
    if (!wait) return;
    later->wait = NULL;
    if (later->forks == ilpy.forks) (void)il_wait_close(wait);
    for (size_t i = 0; i < later->t.count; i++) {
        ilpy_use_end(later->t.handles[i], &later->t.uses[i]);
    }
    ilpy_targets_free(&later->t);
}

static int check(ilpy_later *later) {
    if (later->wait && later->forks == ilpy.forks) return 0;
    ilpy_raise_text(later->wait ? IL_EFORKED : IL_ECLOSED,
                    later->wait ? "the wait belongs to the process before the fork"
                                : "the wait is closed");
    return -1;
}

static PyObject *later_fileno(PyObject *self, PyObject *unused) {
    (void)unused;
    int fd = -1;
    if (check(later_of(self)) != 0) return NULL;
    il_status status = il_wait_fd(later_of(self)->wait, &fd);
    return status == IL_OK ? PyLong_FromLong(fd) : ilpy_raise(status);
}

static PyObject *later_finish(PyObject *self, PyObject *unused) {
    (void)unused;
    ilpy_later *later = later_of(self);
    size_t index = 0;
    uint64_t token = 0;
    if (check(later) != 0) return NULL;
    il_status status = il_wait_finish(later->wait, &index, &token);
    if (status == IL_ETIMEOUT) Py_RETURN_NONE;
    if (status != IL_OK && status != IL_EOWNERDEAD) return ilpy_raise(status);
    later->t.targets[index].token = token;
    later->t.targets[index].status = status;
    if (token && ilpy_target_granted(&later->t, index) != 0) {
        (void)il_release_all(&later->t.targets[index], 1);
        ilpy_target_released(&later->t, index);
        return NULL;
    }
    return Py_BuildValue("(nK)", (Py_ssize_t)index, (unsigned long long)token);
}

static PyObject *later_close(PyObject *self, PyObject *unused) {
    (void)unused;
    shut(later_of(self));
    Py_RETURN_NONE;
}

static void later_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    shut(later_of(self));
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"fileno", later_fileno, METH_NOARGS,
     "A descriptor that is readable once finish() has an answer."},
    {"finish", later_finish, METH_NOARGS, "(index, token), or None: not yet. Never waits."},
    {"close", later_close, METH_NOARGS, "End the wait; a grant that was not fetched is released."},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_init, later_init},
    {Py_tp_dealloc, later_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_doc, "Wait(targets)\n--\n\nA wait for the first of TARGETS that an event loop watches."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Wait",
    .basicsize = sizeof(ilpy_later),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};

int ilpy_add_later(PyObject *module) {
    PyTypeObject *type = ilpy_add_type(module, &spec, NULL);
    Py_XDECREF((PyObject *)type);
    return type ? 0 : -1;
}
