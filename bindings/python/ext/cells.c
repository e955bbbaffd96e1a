#include "cells.h"

#include <stdlib.h>
#include <string.h>

const struct ilpy_cell_type ilpy_cell_types[IL_FIXED_TEXT + 1] = {
    [IL_I8] = {"i8", "b", 1},
    [IL_I16] = {"i16", "h", 2},
    [IL_I32] = {"i32", "i", 4},
    [IL_I64] = {"i64", "q", 8},
    [IL_U8] = {"u8", "B", 1},
    [IL_U16] = {"u16", "H", 2},
    [IL_U32] = {"u32", "I", 4},
    [IL_U64] = {"u64", "Q", 8},
    [IL_F32] = {"f32", "f", 4},
    [IL_F64] = {"f64", "d", 8},
    [IL_FIXED_BYTES] = {"bytes", NULL, 0},
    [IL_FIXED_TEXT] = {"text", NULL, 0},
};

int ilpy_cell_type_of(const char *name, uint32_t *type) {
    for (uint32_t i = IL_I8; i <= IL_FIXED_TEXT; i++) {
        if (strcmp(name, ilpy_cell_types[i].name) == 0) {
            *type = i;
            return 0;
        }
    }
    PyErr_Format(
        PyExc_ValueError,
        "type: expected \"i8\" to \"i64\", \"u8\" to \"u64\", \"f32\", \"f64\", \"bytes\" or "
        "\"text\", got \"%s\"",
        name);
    return -1;
}

/* ---- numbers -------------------------------------------------------------------------------------- */

static int out_of_range(PyObject *object, const char *argument, uint32_t type) {
    PyErr_Clear();
    PyErr_Format(PyExc_OverflowError, "%s: %R does not fit into %s", argument, object,
                 ilpy_cell_types[type].name);
    return -1;
}

static int signed_from(PyObject *number, const char *argument, uint32_t type, int64_t *out) {
    int overflow, bits = (int)ilpy_cell_types[type].bytes * 8;
    int64_t value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow || value < -(INT64_C(1) << (bits - 1)) || value > INT64_MAX >> (64 - bits)) {
        return out_of_range(number, argument, type);
    }
    *out = value;
    return 0;
}

static int unsigned_from(PyObject *number, const char *argument, uint32_t type, uint64_t *out) {
    uint64_t value = PyLong_AsUnsignedLongLong(number);
    if ((value == UINT64_MAX && PyErr_Occurred()) ||
        value > UINT64_MAX >> (64 - ilpy_cell_types[type].bytes * 8)) {
        return out_of_range(number, argument, type);
    }
    *out = value;
    return 0;
}

static int float_from(PyObject *object, const char *argument, uint32_t type,
                      union ilpy_cell *cell) {
    double value = PyFloat_AsDouble(object);
    if (value == -1.0 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Format(PyExc_TypeError, "%s: expected a number, got %R", argument,
                         (PyObject *)Py_TYPE(object));
        }
        return -1;
    }
    if (type == IL_F32)
        cell->f32 = (float)value;
    else
        cell->f64 = value;
    return 0;
}

int ilpy_cell_from(PyObject *object, const char *argument, uint32_t type, bool delta,
                   union ilpy_cell *cell) {
    if (type == IL_F32 || type == IL_F64) return float_from(object, argument, type, cell);
    if (!PyIndex_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s: expected an int, got %R", argument,
                     (PyObject *)Py_TYPE(object));
        return -1;
    }
    PyObject *number = PyNumber_Index(object);
    if (!number) return -1;
    int failed = 0;
    if (delta)
        cell->u64 = PyLong_AsUnsignedLongLongMask(number);
    else if (type <= IL_I64)
        failed = signed_from(number, argument, type, &cell->i64);
    else
        failed = unsigned_from(number, argument, type, &cell->u64);
    Py_DECREF(number);
    return failed; /* little endian: the narrower types are the word's first bytes */
}

PyObject *ilpy_cell_to(const void *data, uint32_t type) {
    union ilpy_cell cell;
    memcpy(&cell, data, ilpy_cell_types[type].bytes);
    switch (type) {
    case IL_I8: return PyLong_FromLong(cell.i8);
    case IL_I16: return PyLong_FromLong(cell.i16);
    case IL_I32: return PyLong_FromLong(cell.i32);
    case IL_I64: return PyLong_FromLongLong(cell.i64);
    case IL_U8: return PyLong_FromLong(cell.u8);
    case IL_U16: return PyLong_FromLong(cell.u16);
    case IL_U32: return PyLong_FromUnsignedLong(cell.u32);
    case IL_U64: return PyLong_FromUnsignedLongLong(cell.u64);
    case IL_F32: return PyFloat_FromDouble(cell.f32);
    default: return PyFloat_FromDouble(cell.f64);
    }
}

/* ---- bytes and texts ------------------------------------------------------------------------------ */

int ilpy_fixed_from(PyObject *object, uint32_t type, Py_buffer *view, const char **data,
                    size_t *bytes) {
    Py_ssize_t length;
    view->obj = NULL;
    if (type == IL_FIXED_TEXT) {
        if (!PyUnicode_Check(object)) {
            PyErr_Format(PyExc_TypeError, "value: expected str, got %R",
                         (PyObject *)Py_TYPE(object));
            return -1;
        }
        *data = PyUnicode_AsUTF8AndSize(object, &length);
        if (!*data) return -1;
        *bytes = (size_t)length;
        return 0;
    }
    if (PyObject_GetBuffer(object, view, PyBUF_SIMPLE) != 0) {
        view->obj = NULL;
        return -1;
    }
    *data = view->buf;
    *bytes = (size_t)view->len;
    return 0;
}

PyObject *ilpy_fixed_to(const char *data, size_t bytes, uint32_t type) {
    if (type == IL_FIXED_TEXT) return PyUnicode_DecodeUTF8(data, (Py_ssize_t)bytes, NULL);
    return PyBytes_FromStringAndSize(data, (Py_ssize_t)bytes);
}

/* ---- buffers -------------------------------------------------------------------------------------- */

struct exported {
    struct ilpy_use use; /* as if a thread were in a call: closing is left to the release */
    Py_ssize_t shape, stride;
};

int ilpy_cells_buffer(ilpy_cells *cells, void *memory, uint64_t bytes, bool array, Py_buffer *view,
                      int flags) {
    const struct ilpy_cell_type *type = &ilpy_cell_types[cells->type];
    struct exported *exported = calloc(1, sizeof *exported);
    if (!exported) {
        PyErr_NoMemory();
        return -1;
    }
    exported->shape = (Py_ssize_t)(bytes / type->bytes);
    exported->stride = type->bytes;
    ilpy_use_begin(&cells->handle, &exported->use, 0);
    view->buf = memory;
    view->obj = Py_NewRef((PyObject *)cells);
    view->len = (Py_ssize_t)bytes;
    view->itemsize = type->bytes;
    view->readonly = 0;
    view->ndim = array ? 1 : 0;
    view->format = flags & PyBUF_FORMAT ? (char *)type->format : NULL;
    view->shape = array && (flags & PyBUF_ND) ? &exported->shape : NULL;
    view->strides = array && (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? &exported->stride : NULL;
    view->suboffsets = NULL;
    view->internal = exported;
    return 0;
}

void ilpy_cells_release(PyObject *self, Py_buffer *view) {
    struct exported *exported = view->internal;
    ilpy_use_end((ilpy_handle *)self, &exported->use);
    free(exported);
}

/* ---- the lock ------------------------------------------------------------------------------------- */

/* Over HTTP, where objects have names but no tickets. */
static PyObject *lock_by_name(ilpy_cells *cells, const char *prefix) {
    PyObject *name = PyUnicode_FromFormat("%s:%U", prefix, cells->handle.name);
    PyObject *lock =
        name ? PyObject_CallFunctionObjArgs((PyObject *)ilpy.rlock_type,
                                            (PyObject *)cells->handle.domain, name, NULL)
             : NULL;
    Py_XDECREF(name);
    return lock;
}

PyObject *ilpy_cells_lock(ilpy_cells *cells, il_status (*lock_of)(void *object, il_rlock **out),
                          const char *prefix) {
    ilpy_handle *handle = &cells->handle;
    il_rlock *borrowed;
    struct ilpy_shared shared = {0};
    void *own;
    if (ilpy_handle_check(handle) != 0) return NULL;
    if (handle->domain->remote) return lock_by_name(cells, prefix);
    il_status status = lock_of(handle->object, &borrowed);
    if (status == IL_OK) status = il_share(IL_KIND_RLOCK, borrowed, &shared.ticket);
    if (status == IL_OK) status = il_adopt(handle->domain->domain, &shared.ticket, &own);
    if (status != IL_OK) return ilpy_raise(status);
    return ilpy_adopted(handle->domain, own, &shared);
}
