#include "cells.h"

#include <stdlib.h>

static PyTypeObject *value_type;

static ilpy_cells *cells_of(PyObject *self) { return (ilpy_cells *)self; }
static il_value *native_of(PyObject *self) { return cells_of(self)->handle.object; }

/* ---- making --------------------------------------------------------------------------------------- */

static il_status close_value(void *object) { return il_value_close(object); }
/* What it holds. */
static int look(ilpy_handle *handle) {
    ilpy_cells *cells = (ilpy_cells *)handle;
    il_status status = il_value_type(handle->object, &cells->type, &cells->room);
    if (status == IL_OK) return 0;
    ilpy_raise(status);
    return -1;
}

static int adopted(ilpy_handle *handle, const il_ticket *ticket, uint32_t traits) {
    (void)ticket, (void)traits;
    return look(handle);
}

static const struct ilpy_kind kind = {.number = IL_KIND_VALUE,
                                      .name = "value",
                                      .close = close_value,
                                      .remove = il_value_delete,
                                      .adopted = adopted};

static PyObject *value_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"domain", "name", "type", "room", NULL};
    PyObject *domain_object, *name_object = NULL, *room = NULL;
    il_value_options options = {.struct_bytes = sizeof options};
    const char *name, *type_name = NULL;
    size_t bytes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|Oz$O:Value", names, &domain_object,
                                     &name_object, &type_name, &room)) {
        return NULL;
    }
    ilpy_domain *domain = ilpy_domain_of(domain_object);
    if (!domain || ilpy_name(name_object, &name, &bytes) != 0) return NULL;
    if (type_name && ilpy_cell_type_of(type_name, &options.type) != 0) return NULL;
    if (room && ilpy_u32(room, "room", &options.room) != 0) return NULL;
    il_value *native = NULL;
    il_status status;
    ILPY_OPEN(status, domain,
              il_value_open(domain->domain, name, bytes, type_name ? &options : NULL, &native));
    if (status != IL_OK) return ilpy_raise(status);
    ilpy_handle *self = ilpy_handle_new(type, domain, &kind, name_object, native, ILPY_NATIVE);
    if (self && look(self) != 0) Py_CLEAR(self);
    return (PyObject *)self;
}

/* ---- bytes and texts ------------------------------------------------------------------------------ */

static PyObject *load_fixed(PyObject *self) {
    ilpy_cells *cells = cells_of(self);
    size_t bytes = 0;
    il_status status;
    char *buffer = malloc(cells->room ? cells->room : 1);
    if (!buffer) return PyErr_NoMemory();
    ILPY_CALL(status, &cells->handle, il_value_get(native_of(self), buffer, cells->room, &bytes));
    PyObject *value =
        status == IL_OK ? ilpy_fixed_to(buffer, bytes, cells->type) : ilpy_raise(status);
    free(buffer);
    return value;
}

static PyObject *store_fixed(PyObject *self, PyObject *value) {
    ilpy_cells *cells = cells_of(self);
    Py_buffer view;
    const char *data;
    size_t bytes;
    il_status status;
    if (ilpy_fixed_from(value, cells->type, &view, &data, &bytes) != 0) return NULL;
    ILPY_CALL(status, &cells->handle, il_value_set(native_of(self), data, bytes));
    if (view.obj) PyBuffer_Release(&view);
    return ilpy_result(status);
}

static PyObject *compare_fixed(PyObject *self, PyObject *expected, PyObject *desired) {
    ilpy_cells *cells = cells_of(self);
    Py_buffer views[2];
    const char *data[2];
    size_t bytes[2];
    int32_t swapped = 0;
    il_status status;
    if (ilpy_fixed_from(expected, cells->type, &views[0], &data[0], &bytes[0]) != 0) return NULL;
    if (ilpy_fixed_from(desired, cells->type, &views[1], &data[1], &bytes[1]) != 0) {
        if (views[0].obj) PyBuffer_Release(&views[0]);
        return NULL;
    }
    ILPY_CALL(
        status, &cells->handle,
        il_value_compare_set(native_of(self), data[0], bytes[0], data[1], bytes[1], &swapped));
    for (int i = 0; i < 2; i++) {
        if (views[i].obj) PyBuffer_Release(&views[i]);
    }
    return status == IL_OK ? PyBool_FromLong(swapped) : ilpy_raise(status);
}

/* ---- calls ---------------------------------------------------------------------------------------- */

static PyObject *value_load(PyObject *self, PyObject *unused) {
    ilpy_cells *cells = cells_of(self);
    union ilpy_cell cell;
    il_status status;
    (void)unused;
    if (ilpy_handle_check(&cells->handle) != 0) return NULL;
    if (ilpy_cells_fixed(cells)) return load_fixed(self);
    ILPY_CALL(status, &cells->handle, il_value_load(native_of(self), cells->type, &cell));
    return status == IL_OK ? ilpy_cell_to(&cell, cells->type) : ilpy_raise(status);
}

static PyObject *value_store(PyObject *self, PyObject *value) {
    ilpy_cells *cells = cells_of(self);
    union ilpy_cell cell;
    il_status status;
    if (ilpy_handle_check(&cells->handle) != 0) return NULL;
    if (ilpy_cells_fixed(cells)) return store_fixed(self, value);
    if (ilpy_cell_from(value, "value", cells->type, false, &cell) != 0) return NULL;
    ILPY_CALL(status, &cells->handle, il_value_store(native_of(self), cells->type, &cell));
    return ilpy_result(status);
}

/* add() and exchange(): STATUS is IL_ETYPE for bytes and texts, which have neither. */
static PyObject *change(PyObject *self, PyObject *operand, bool add) {
    ilpy_cells *cells = cells_of(self);
    union ilpy_cell cell, before;
    il_status status;
    if (ilpy_handle_check(&cells->handle) != 0) return NULL;
    if (ilpy_cells_fixed(cells)) {
        return ilpy_raise_text(IL_ETYPE, "the value holds %s, the call is for numbers",
                               ilpy_cell_types[cells->type].name);
    }
    if (ilpy_cell_from(operand, add ? "delta" : "value", cells->type, add, &cell) != 0) return NULL;
    ILPY_CALL(
        status, &cells->handle,
        (add ? il_value_add : il_value_exchange)(native_of(self), cells->type, &cell, &before));
    return status == IL_OK ? ilpy_cell_to(&before, cells->type) : ilpy_raise(status);
}

static PyObject *value_add(PyObject *self, PyObject *delta) { return change(self, delta, true); }

static PyObject *value_exchange(PyObject *self, PyObject *value) {
    return change(self, value, false);
}

static PyObject *value_compare_exchange(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                        PyObject *kwnames) {
    static const char *const names[] = {"expected", "value", NULL};
    ilpy_cells *cells = cells_of(self);
    PyObject *values[2];
    union ilpy_cell expected, desired;
    int32_t swapped = 0;
    il_status status;
    if (ilpy_arguments("compare_exchange", names, 2, 2, args, count, kwnames, values) != 0 ||
        ilpy_handle_check(&cells->handle) != 0) {
        return NULL;
    }
    if (ilpy_cells_fixed(cells)) return compare_fixed(self, values[0], values[1]);
    if (ilpy_cell_from(values[0], "expected", cells->type, false, &expected) != 0 ||
        ilpy_cell_from(values[1], "value", cells->type, false, &desired) != 0) {
        return NULL;
    }
    ILPY_CALL(
        status, &cells->handle,
        il_value_compare_exchange(native_of(self), cells->type, &expected, &desired, &swapped));
    return status == IL_OK ? PyBool_FromLong(swapped) : ilpy_raise(status);
}

static il_status lock_of(void *object, il_rlock **out) { return il_value_lock(object, out); }

static PyObject *value_lock(PyObject *self, PyObject *unused) {
    (void)unused;
    return ilpy_cells_lock(cells_of(self), lock_of, "value");
}

static int value_buffer(PyObject *self, Py_buffer *view, int flags) {
    ilpy_cells *cells = cells_of(self);
    void *memory;
    view->obj = NULL;
    if (ilpy_handle_check(&cells->handle) != 0) return -1;
    il_status status = il_value_memory(native_of(self), &memory);
    if (status != IL_OK) {
        ilpy_raise(status);
        return -1;
    }
    return ilpy_cells_buffer(cells, memory, ilpy_cell_types[cells->type].bytes, false, view, flags);
}

static PyObject *value_memory(PyObject *self, PyObject *unused) {
    (void)unused;
    return PyMemoryView_FromObject(self);
}

static PyObject *value_get_type(PyObject *self, void *unused) {
    (void)unused;
    return PyUnicode_FromString(ilpy_cell_types[cells_of(self)->type].name);
}

/* ---- the type ------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    {"load", value_load, METH_NOARGS, "What it is."},
    {"store", value_store, METH_O, "Make it VALUE."},
    {"add", value_add, METH_O, "Add DELTA; what it was before. Integers wrap around."},
    {"exchange", value_exchange, METH_O, "Make it VALUE; what it was before."},
    {"compare_exchange", FAST(value_compare_exchange), ARGUMENTS,
     "compare_exchange(expected, value)\n--\n\nMake it VALUE if it is EXPECTED; whether it was. "
     "Floats are "
     "compared by their bits."},
    {"lock", value_lock, METH_NOARGS, "Its own RLock, which the other calls do not care for."},
    {"memory", value_memory, METH_NOARGS, "Its live memory, as a memoryview; not over HTTP."},
    {0},
};

static PyGetSetDef attributes[] = {
    {"type", value_get_type, NULL,
     "\"i8\" to \"i64\", \"u8\" to \"u64\", \"f32\", \"f64\", \"bytes\", \"text\".", NULL},
    {0},
};

static PyMemberDef members[] = {WEAKREFS, {0}};

static PyType_Slot slots[] = {
    {Py_tp_new, value_new},
    {Py_tp_dealloc, ilpy_handle_dealloc},
    {Py_tp_traverse, ilpy_handle_traverse},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
    {Py_bf_getbuffer, value_buffer},
    {Py_bf_releasebuffer, ilpy_cells_release},
    {Py_tp_doc, "Value(domain, name=None, type=None, *, room=0)\n--\n\n"
                "One number, or bytes or a text of at most ROOM bytes. Without TYPE: one that "
                "exists, else an i64."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Value",
    .basicsize = sizeof(ilpy_cells),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_value(PyObject *module) {
    value_type = ilpy_add_type(module, &spec, ilpy.handle_type);
    ilpy_adoptable(&kind, value_type);
    return value_type ? 0 : -1;
}
