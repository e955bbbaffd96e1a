#include "cells.h"

#include <stdlib.h>
#include <string.h>

static PyTypeObject *array_type;

static ilpy_cells *cells_of(PyObject *self) { return (ilpy_cells *)self; }
static il_array *native_of(const ilpy_cells *cells) { return cells->handle.object; }

/* ---- making --------------------------------------------------------------------------------------- */

static il_status close_array(void *object) { return il_array_close(object); }

/* What it holds. */
static int look(ilpy_handle *handle) {
    ilpy_cells *cells = (ilpy_cells *)handle;
    il_status status = il_array_type(handle->object, &cells->type, &cells->room);
    if (status == IL_OK) status = il_array_length(handle->object, &cells->length);
    if (status == IL_OK) return 0;
    ilpy_raise(status);
    return -1;
}

static int adopted(ilpy_handle *handle, const il_ticket *ticket, uint32_t traits) {
    (void)ticket, (void)traits;
    return look(handle);
}

static const struct ilpy_kind kind = {.number = IL_KIND_ARRAY,
                                      .name = "array",
                                      .close = close_array,
                                      .remove = il_array_delete,
                                      .adopted = adopted};

static PyObject *array_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"domain", "name", "type", "length", "room", NULL};
    PyObject *domain_object, *name_object = NULL, *room = NULL, *length = NULL;
    il_array_options options = {.struct_bytes = sizeof options};
    const char *name, *type_name = NULL;
    size_t bytes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OzO$O:Array", names, &domain_object,
                                     &name_object, &type_name, &length, &room)) {
        return NULL;
    }
    ilpy_domain *domain = ilpy_domain_of(domain_object);
    if (!domain || ilpy_name(name_object, &name, &bytes) != 0) return NULL;
    if (type_name && ilpy_cell_type_of(type_name, &options.type) != 0) return NULL;
    if (room && ilpy_u32(room, "room", &options.room) != 0) return NULL;
    bool sized = length && length != Py_None;
    if (sized && ilpy_u64(length, "length", &options.length) != 0) return NULL;
    if (sized != (type_name != NULL)) {
        PyErr_SetString(PyExc_ValueError,
                        "length: a type and a length are given together, or neither");
        return NULL;
    }
    il_array *native = NULL;
    il_status status;
    ILPY_OPEN(status, domain,
              il_array_open(domain->domain, name, bytes, type_name ? &options : NULL, &native));
    if (status != IL_OK) return ilpy_raise(status);
    ilpy_handle *self = ilpy_handle_new(type, domain, &kind, name_object, native, ILPY_NATIVE);
    if (self && look(self) != 0) Py_CLEAR(self);
    return (PyObject *)self;
}

/* ---- one element ---------------------------------------------------------------------------------- */

static PyObject *load_fixed(ilpy_cells *cells, int64_t index) {
    size_t bytes = 0;
    il_status status;
    char *buffer = malloc(cells->room ? cells->room : 1);
    if (!buffer) return PyErr_NoMemory();
    ILPY_CALL(status, &cells->handle,
              il_array_get(native_of(cells), index, buffer, cells->room, &bytes));
    PyObject *value =
        status == IL_OK ? ilpy_fixed_to(buffer, bytes, cells->type) : ilpy_raise(status);
    free(buffer);
    return value;
}

static int store_fixed(ilpy_cells *cells, int64_t index, PyObject *value) {
    Py_buffer view;
    const char *data;
    size_t bytes;
    il_status status;
    if (ilpy_fixed_from(value, cells->type, &view, &data, &bytes) != 0) return -1;
    ILPY_CALL(status, &cells->handle, il_array_set(native_of(cells), index, data, bytes));
    if (view.obj) PyBuffer_Release(&view);
    if (status == IL_OK) return 0;
    ilpy_raise(status);
    return -1;
}

static PyObject *load(ilpy_cells *cells, int64_t index) {
    union ilpy_cell cell;
    il_status status;
    if (ilpy_handle_check(&cells->handle) != 0) return NULL;
    if (ilpy_cells_fixed(cells)) return load_fixed(cells, index);
    ILPY_CALL(status, &cells->handle, il_array_load(native_of(cells), index, cells->type, &cell));
    return LIKELY(status == IL_OK) ? ilpy_cell_to(&cell, cells->type) : ilpy_raise(status);
}

static int store(ilpy_cells *cells, int64_t index, PyObject *value) {
    union ilpy_cell cell;
    il_status status;
    if (ilpy_handle_check(&cells->handle) != 0) return -1;
    if (ilpy_cells_fixed(cells)) return store_fixed(cells, index, value);
    if (ilpy_cell_from(value, "value", cells->type, false, &cell) != 0) return -1;
    ILPY_CALL(status, &cells->handle, il_array_store(native_of(cells), index, cells->type, &cell));
    if (LIKELY(status == IL_OK)) return 0;
    ilpy_raise(status);
    return -1;
}

/* ---- slices --------------------------------------------------------------------------------------- */

struct slice {
    Py_ssize_t start, step, count;
    Py_ssize_t low, span; /* the range that contains it */
};

static int slice_of(ilpy_cells *cells, PyObject *key, struct slice *slice) {
    Py_ssize_t stop;
    if (PySlice_Unpack(key, &slice->start, &stop, &slice->step) != 0) return -1;
    slice->count =
        PySlice_AdjustIndices((Py_ssize_t)cells->length, &slice->start, &stop, slice->step);
    Py_ssize_t last = slice->start + (slice->count - 1) * slice->step;
    slice->low = slice->step > 0 ? slice->start : last;
    slice->span = slice->count ? (slice->step > 0 ? last : slice->start) - slice->low + 1 : 0;
    return 0;
}

struct moving {
    ilpy_cells *cells;
    il_array *native;
    const struct slice *slice;
    char *data;
    bool write;
};

static il_status move(void *context, int64_t unused) {
    const struct moving *m = context;
    (void)unused;
    int64_t low = m->slice->low;
    uint64_t span = (uint64_t)m->slice->span;
    return m->write ? il_array_write(m->native, low, span, m->cells->type, m->data)
                    : il_array_read(m->native, low, span, m->cells->type, m->data);
}

static PyObject *read_slice(ilpy_cells *cells, const struct slice *slice) {
    size_t each = ilpy_cell_types[cells->type].bytes;
    PyObject *list = PyList_New(slice->count);
    char *data = malloc((size_t)slice->span * each + 1);
    struct moving m = {cells, native_of(cells), slice, data, false};
    if (!data) PyErr_NoMemory();
    il_status status =
        list && data && slice->span ? ilpy_wait(&cells->handle, move, &m, IL_NOWAIT) : IL_OK;
    if (status != IL_OK && status != ILPY_RAISED) ilpy_raise(status);
    if (!data || status != IL_OK) Py_CLEAR(list);
    for (Py_ssize_t i = 0; list && i < slice->count; i++) {
        Py_ssize_t at = slice->start + i * slice->step - slice->low;
        PyObject *value = ilpy_cell_to(data + (size_t)at * each, cells->type);
        if (!value || PyList_SetItem(list, i, value) != 0) Py_CLEAR(list);
    }
    free(data);
    return list;
}

static PyObject *array_slice(ilpy_cells *cells, PyObject *key) {
    struct slice slice;
    if (slice_of(cells, key, &slice) != 0 || ilpy_handle_check(&cells->handle) != 0) return NULL;
    if (!ilpy_cells_fixed(cells)) return read_slice(cells, &slice);
    PyObject *list = PyList_New(slice.count);
    for (Py_ssize_t i = 0; list && i < slice.count; i++) {
        PyObject *value = load(cells, slice.start + i * slice.step);
        if (!value || PyList_SetItem(list, i, value) != 0) Py_CLEAR(list);
    }
    return list;
}

/* All values are looked at before any is written. */
static int write_numbers(ilpy_cells *cells, const struct slice *slice, PyObject *values) {
    size_t each = ilpy_cell_types[cells->type].bytes;
    union ilpy_cell cell;
    il_status status = IL_OK;
    char *data = malloc((size_t)slice->count * each + 1);
    int failed = data ? 0 : -1;
    if (!data) PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < slice->count && !failed; i++) {
        failed = ilpy_cell_from(PyList_GetItem(values, i), "value", cells->type, false, &cell);
        memcpy(data + (size_t)i * each, &cell, each);
    }
    if (!failed && ilpy_handle_check(&cells->handle) != 0) failed = -1;
    if (!failed && slice->step == 1 && slice->count) {
        struct moving m = {cells, native_of(cells), slice, data, true};
        status = ilpy_wait(&cells->handle, move, &m, IL_NOWAIT);
    }
    for (Py_ssize_t i = 0; !failed && slice->step != 1 && i < slice->count && status == IL_OK;
         i++) {
        memcpy(&cell, data + (size_t)i * each, each);
        ILPY_CALL(
            status, &cells->handle,
            il_array_store(native_of(cells), slice->start + i * slice->step, cells->type, &cell));
    }
    free(data);
    if (status != IL_OK && status != ILPY_RAISED) ilpy_raise(status);
    return failed || status != IL_OK ? -1 : 0;
}

static int array_set_slice(ilpy_cells *cells, PyObject *key, PyObject *value) {
    struct slice slice;
    PyObject *values = PySequence_List(value);
    int failed = values ? slice_of(cells, key, &slice) : -1;
    if (!failed && PyList_Size(values) != slice.count) {
        PyErr_Format(PyExc_ValueError,
                     "an array keeps its length: expected %zd values for the slice, got %zd",
                     slice.count, PyList_Size(values));
        failed = -1;
    }
    if (!failed && !ilpy_cells_fixed(cells)) failed = write_numbers(cells, &slice, values);
    for (Py_ssize_t i = 0; !failed && ilpy_cells_fixed(cells) && i < slice.count; i++) {
        failed = store(cells, slice.start + i * slice.step, PyList_GetItem(values, i));
    }
    Py_XDECREF(values);
    return failed;
}

/* ---- as a sequence -------------------------------------------------------------------------------- */

static int index_of(PyObject *key, int64_t *index) {
    Py_ssize_t value = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (value == -1 && PyErr_Occurred()) return -1;
    *index = value;
    return 0;
}

static PyObject *array_get(PyObject *self, PyObject *key) {
    int64_t index;
    if (PySlice_Check(key)) return array_slice(cells_of(self), key);
    if (index_of(key, &index) != 0) return NULL;
    return load(cells_of(self), index);
}

static int array_set(PyObject *self, PyObject *key, PyObject *value) {
    int64_t index;
    if (!value) {
        PyErr_SetString(PyExc_TypeError, "an array keeps its length: its items cannot be deleted");
        return -1;
    }
    if (PySlice_Check(key)) return array_set_slice(cells_of(self), key, value);
    if (index_of(key, &index) != 0) return -1;
    return store(cells_of(self), index, value);
}

static PyObject *array_item(PyObject *self, Py_ssize_t index) {
    return load(cells_of(self), index);
}

static Py_ssize_t array_length(PyObject *self) { return (Py_ssize_t)cells_of(self)->length; }

/* ---- atomic changes ------------------------------------------------------------------------------- */

static PyObject *change(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames,
                        bool add) {
    static const char *const add_names[] = {"index", "delta", NULL};
    static const char *const names[] = {"index", "value", NULL};
    ilpy_cells *cells = cells_of(self);
    PyObject *values[2];
    union ilpy_cell cell, before;
    int64_t index;
    il_status status;
    if (ilpy_arguments(add ? "add" : "exchange", add ? add_names : names, 2, 2, args, count,
                       kwnames, values) != 0 ||
        index_of(values[0], &index) != 0 || ilpy_handle_check(&cells->handle) != 0) {
        return NULL;
    }
    if (ilpy_cells_fixed(cells)) {
        return ilpy_raise_text(IL_ETYPE, "the array holds %s, the call is for numbers",
                               ilpy_cell_types[cells->type].name);
    }
    if (ilpy_cell_from(values[1], add ? "delta" : "value", cells->type, add, &cell) != 0) {
        return NULL;
    }
    ILPY_CALL(status, &cells->handle,
              (add ? il_array_add : il_array_exchange)(native_of(cells), index, cells->type, &cell,
                                                       &before));
    return status == IL_OK ? ilpy_cell_to(&before, cells->type) : ilpy_raise(status);
}

static PyObject *array_add(PyObject *self, PyObject *const *args, Py_ssize_t count,
                           PyObject *kwnames) {
    return change(self, args, count, kwnames, true);
}

static PyObject *array_exchange(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                PyObject *kwnames) {
    return change(self, args, count, kwnames, false);
}

static PyObject *compare_fixed(ilpy_cells *cells, int64_t index, PyObject *const *values) {
    Py_buffer views[2];
    const char *data[2];
    size_t bytes[2];
    int32_t swapped = 0;
    il_status status;
    if (ilpy_fixed_from(values[0], cells->type, &views[0], &data[0], &bytes[0]) != 0) return NULL;
    if (ilpy_fixed_from(values[1], cells->type, &views[1], &data[1], &bytes[1]) != 0) {
        if (views[0].obj) PyBuffer_Release(&views[0]);
        return NULL;
    }
    ILPY_CALL(status, &cells->handle,
              il_array_compare_set(native_of(cells), index, data[0], bytes[0], data[1], bytes[1],
                                   &swapped));
    for (int i = 0; i < 2; i++) {
        if (views[i].obj) PyBuffer_Release(&views[i]);
    }
    return status == IL_OK ? PyBool_FromLong(swapped) : ilpy_raise(status);
}

static PyObject *array_compare_exchange(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                        PyObject *kwnames) {
    static const char *const names[] = {"index", "expected", "value", NULL};
    ilpy_cells *cells = cells_of(self);
    PyObject *values[3];
    union ilpy_cell expected, desired;
    int64_t index;
    int32_t swapped = 0;
    il_status status;
    if (ilpy_arguments("compare_exchange", names, 3, 3, args, count, kwnames, values) != 0 ||
        index_of(values[0], &index) != 0 || ilpy_handle_check(&cells->handle) != 0) {
        return NULL;
    }
    if (ilpy_cells_fixed(cells)) return compare_fixed(cells, index, values + 1);
    if (ilpy_cell_from(values[1], "expected", cells->type, false, &expected) != 0 ||
        ilpy_cell_from(values[2], "value", cells->type, false, &desired) != 0) {
        return NULL;
    }
    ILPY_CALL(status, &cells->handle,
              il_array_compare_exchange(native_of(cells), index, cells->type, &expected, &desired,
                                        &swapped));
    return status == IL_OK ? PyBool_FromLong(swapped) : ilpy_raise(status);
}

/* ---- its memory and lock -------------------------------------------------------------------------- */

static il_status lock_of(void *object, il_rlock **out) { return il_array_lock(object, out); }

static PyObject *array_lock(PyObject *self, PyObject *unused) {
    (void)unused;
    return ilpy_cells_lock(cells_of(self), lock_of, "array");
}

static int array_buffer(PyObject *self, Py_buffer *view, int flags) {
    ilpy_cells *cells = cells_of(self);
    void *memory;
    uint64_t bytes;
    view->obj = NULL;
    if (ilpy_handle_check(&cells->handle) != 0) return -1;
    il_status status = il_array_memory(native_of(cells), &memory, &bytes);
    if (status != IL_OK) {
        ilpy_raise(status);
        return -1;
    }
    return ilpy_cells_buffer(cells, memory, bytes, true, view, flags);
}

static PyObject *array_memory(PyObject *self, PyObject *unused) {
    (void)unused;
    return PyMemoryView_FromObject(self);
}

static PyObject *array_get_type(PyObject *self, void *unused) {
    (void)unused;
    return PyUnicode_FromString(ilpy_cell_types[cells_of(self)->type].name);
}

/* ---- the type ------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    {"add", FAST(array_add), ARGUMENTS,
     "add(index, delta)\n--\n\nAdd DELTA to an item; what it was before. Integers wrap around."},
    {"exchange", FAST(array_exchange), ARGUMENTS,
     "exchange(index, value)\n--\n\nMake an item VALUE; what it was before."},
    {"compare_exchange", FAST(array_compare_exchange), ARGUMENTS,
     "compare_exchange(index, expected, value)\n--\n\nMake an item VALUE if it is EXPECTED; "
     "whether it was."},
    {"lock", array_lock, METH_NOARGS, "Its own RLock, which the other calls do not care for."},
    {"memory", array_memory, METH_NOARGS, "Its live memory, as a memoryview; not over HTTP."},
    {0},
};

static PyGetSetDef attributes[] = {
    {"type", array_get_type, NULL,
     "\"i8\" to \"i64\", \"u8\" to \"u64\", \"f32\", \"f64\", \"bytes\", \"text\".", NULL},
    {0},
};

static PyMemberDef members[] = {WEAKREFS, {0}};

static PyType_Slot slots[] = {
    {Py_tp_new, array_new},
    {Py_tp_dealloc, ilpy_handle_dealloc},
    {Py_tp_traverse, ilpy_handle_traverse},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
    {Py_mp_length, array_length},
    {Py_mp_subscript, array_get},
    {Py_mp_ass_subscript, array_set},
    {Py_sq_length, array_length},
    {Py_sq_item, array_item},
    {Py_bf_getbuffer, array_buffer},
    {Py_bf_releasebuffer, ilpy_cells_release},
    {Py_tp_doc, "Array(domain, name=None, type=None, length=None, *, room=0)\n--\n\n"
                "LENGTH numbers, or bytes or texts of at most ROOM bytes each. Each call on one "
                "item is atomic."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Array",
    .basicsize = sizeof(ilpy_cells),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_array(PyObject *module) {
    array_type = ilpy_add_type(module, &spec, ilpy.handle_type);
    ilpy_adoptable(&kind, array_type);
    return array_type ? 0 : -1;
}
