#include "interlock_py.h"

static int index_of(const char *const *names, PyObject *name) {
    for (int i = 0; names[i]; i++) {
        if (PyUnicode_CompareWithASCIIString(name, names[i]) == 0) return i;
    }
    return -1;
}

static int take_keywords(const char *function, const char *const *names, PyObject *const *args,
                         PyObject *kwnames, PyObject **values) {
    Py_ssize_t count = kwnames ? PyTuple_Size(kwnames) : 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GetItem(kwnames, i);
        int at = index_of(names, name);
        if (at < 0) {
            PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument %R", function,
                         name);
            return -1;
        }
        if (values[at]) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%s'", function,
                         names[at]);
            return -1;
        }
        values[at] = args[i];
    }
    return 0;
}

int ilpy_arguments(const char *function, const char *const *names, int positional, int required,
                   PyObject *const *args, Py_ssize_t count, PyObject *kwnames, PyObject **values) {
    for (int i = 0; names[i]; i++) values[i] = i < count ? args[i] : NULL;
    if (count > positional) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %d positional arguments (%zd given)",
                     function, positional, count);
        return -1;
    }
    if (take_keywords(function, names, args + count, kwnames, values) != 0) return -1;
    for (int i = 0; i < required; i++) {
        if (!values[i]) {
            PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s'", function,
                         names[i]);
            return -1;
        }
    }
    return 0;
}

int ilpy_name(PyObject *object, const char **name, size_t *bytes) {
    *name = NULL;
    *bytes = 0;
    if (!object || object == Py_None) return 0;
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "name: expected str or None, got %R",
                     (PyObject *)Py_TYPE(object));
        return -1;
    }
    Py_ssize_t length;
    *name = PyUnicode_AsUTF8AndSize(object, &length);
    *bytes = *name ? (size_t)length : 0;
    return *name ? 0 : -1;
}

int ilpy_u64(PyObject *object, const char *argument, uint64_t *out) {
    PyObject *number = PyNumber_Index(object);
    if (!number) return -1;
    uint64_t value = PyLong_AsUnsignedLongLong(number);
    Py_DECREF(number);
    if (value == UINT64_MAX && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return -1;
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "%s: expected 0 to 2**64 - 1, got %R", argument, object);
        return -1;
    }
    *out = value;
    return 0;
}

int ilpy_u32(PyObject *object, const char *argument, uint32_t *out) {
    uint64_t value;
    if (ilpy_u64(object, argument, &value) != 0) {
        if (PyErr_ExceptionMatches(PyExc_ValueError))
            value = UINT64_MAX;
        else
            return -1;
    }
    if (value > INT32_MAX) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "%s: expected 0 to %d, got %R", argument, INT32_MAX, object);
        return -1;
    }
    *out = (uint32_t)value;
    return 0;
}
