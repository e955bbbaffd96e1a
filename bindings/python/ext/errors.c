#include "interlock_py.h"

#include <stdarg.h>

static PyObject *class_of(il_status status) {
    if (status < 0 && -(Py_ssize_t)status < PyTuple_Size(ilpy.errors)) {
        return PyTuple_GetItem(ilpy.errors, -(Py_ssize_t)status);
    }
    return ilpy.base_error;
}

PyObject *ilpy_raise(il_status status) {
    const char *message = il_error_message();
    PyErr_SetString(class_of(status), *message ? message : il_status_text(status));
    return NULL;
}

PyObject *ilpy_raise_text(il_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    PyErr_FormatV(class_of(status), format, arguments);
    va_end(arguments);
    return NULL;
}

PyObject *ilpy_result(il_status status) {
    if (status != IL_OK) return ilpy_raise(status);
    Py_RETURN_NONE;
}

int ilpy_warn_owner_died(ilpy_handle *handle) {
    if (handle->name) {
        return PyErr_WarnFormat(ilpy.owner_died, 1, "the owner of %s %R died holding it",
                                handle->kind->name, handle->name);
    }
    return PyErr_WarnFormat(ilpy.owner_died, 1, "the owner of a %s died holding it",
                            handle->kind->name);
}

/* The classes by their status, from the table of interlock.errors. */
static PyObject *classes(PyObject *errors) {
    PyObject *tuple = NULL, *table = PyObject_GetAttrString(errors, "STATUS");
    if (!table) return NULL;
    Py_ssize_t count = PyObject_Size(table) + 1;
    if (count > 0) tuple = PyTuple_New(count);
    for (Py_ssize_t i = 0; tuple && i < count; i++) {
        PyObject *class;
        if (i == 0) {
            class = Py_NewRef(ilpy.base_error);
        } else {
            PyObject *number = PyLong_FromSsize_t(-i);
            class = number ? PyObject_GetItem(table, number) : NULL;
            Py_XDECREF(number);
        }
        if (!class || PyTuple_SetItem(tuple, i, class) != 0) Py_CLEAR(tuple);
    }
    Py_DECREF(table);
    return tuple;
}

static PyObject *status_name(PyObject *module, PyObject *number) {
    (void)module;
    int overflow;
    long status = PyLong_AsLongAndOverflow(number, &overflow);
    if (status == -1 && PyErr_Occurred()) return NULL;
    return PyUnicode_FromString(il_status_name(overflow ? 1 : (il_status)status));
}

static PyObject *status_text(PyObject *module, PyObject *number) {
    (void)module;
    int overflow;
    long status = PyLong_AsLongAndOverflow(number, &overflow);
    if (status == -1 && PyErr_Occurred()) return NULL;
    return PyUnicode_FromString(il_status_text(overflow ? 1 : (il_status)status));
}

static PyMethodDef functions[] = {
    {"status_name", status_name, METH_O, "The constant of a status: \"IL_ETIMEOUT\"."},
    {"status_text", status_text, METH_O, "One sentence about a status."},
    {0},
};

int ilpy_add_errors(PyObject *module) {
    PyObject *errors = PyImport_ImportModule("interlock.errors");
    if (!errors) return -1;
    ilpy.base_error = PyObject_GetAttrString(errors, "InterlockError");
    ilpy.owner_died = PyObject_GetAttrString(errors, "OwnerDied");
    ilpy.errors = ilpy.base_error && ilpy.owner_died ? classes(errors) : NULL;
    Py_DECREF(errors);
    return ilpy.errors ? PyModule_AddFunctions(module, functions) : -1;
}
