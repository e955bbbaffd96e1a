#include "interlock_py.h"

static PyObject *thread_self(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    uint64_t self = il_thread_self();
    return self ? PyLong_FromUnsignedLongLong(self) : PyErr_NoMemory();
}

static PyObject *interrupt(PyObject *module, PyObject *number) {
    (void)module;
    uint64_t thread;
    if (ilpy_u64(number, "thread", &thread) != 0) return NULL;
    if (PySet_Add(ilpy.interrupted, number) != 0) return NULL;
    il_status status = il_interrupt(thread);
    if (status == IL_OK) Py_RETURN_NONE;
    (void)PySet_Discard(ilpy.interrupted, number);
    return ilpy_raise(status);
}

static PyObject *cancel(PyObject *module, PyObject *number) {
    (void)module;
    uint64_t thread;
    if (ilpy_u64(number, "thread", &thread) != 0) return NULL;
    return ilpy_result(il_cancel(thread));
}

static PyObject *cancel_clear(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return ilpy_result(il_cancel_clear());
}

static PyObject *cancelled(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyBool_FromLong(il_cancelled());
}

static PyMethodDef functions[] = {
    {"thread_self", thread_self, METH_NOARGS, "A number for the calling thread, for interrupt()."},
    {"interrupt", interrupt, METH_O,
     "End the wait that THREAD is in, or its next, with Interrupted."},
    {"cancel", cancel, METH_O, "Ask THREAD to stop: its waits raise Cancelled from now on."},
    {"cancel_clear", cancel_clear, METH_NOARGS, "The calling thread is no longer asked to stop."},
    {"cancelled", cancelled, METH_NOARGS, "Whether the calling thread was asked to stop."},
    {0},
};

int ilpy_add_threads(PyObject *module) {
    ilpy.interrupted = PySet_New(NULL);
    return ilpy.interrupted ? PyModule_AddFunctions(module, functions) : -1;
}
