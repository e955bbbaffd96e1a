#include "list.h"

#include <string.h>

#include "transfer.h"

static PyTypeObject *list_type;

/* ---- making --------------------------------------------------------------------------------------- */

static il_status close_list(void *object) { return il_list_close(object); }

static uint32_t traits(ilpy_handle *handle) { return (uint32_t)((ilpy_list *)handle)->codec; }

static int adopted(ilpy_handle *handle, const il_ticket *ticket, uint32_t codec) {
    (void)ticket;
    ((ilpy_list *)handle)->codec = (int)codec;
    return ilpy_codec_check((int)codec);
}

static const struct ilpy_kind kind = {.number = IL_KIND_LIST,
                                      .name = "list",
                                      .close = close_list,
                                      .remove = il_list_delete,
                                      .traits = traits,
                                      .adopted = adopted};

static PyObject *list_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    struct ilpy_data_arguments a;
    il_list *native = NULL;
    il_status status;
    if (ilpy_data_arguments(args, kwargs, "O|O$iOOO:List", &a) != 0) return NULL;
    ILPY_OPEN(status, a.domain,
              il_list_open(a.domain->domain, a.name, a.name_bytes, a.options, &native));
    if (status != IL_OK) return ilpy_raise(status);
    ilpy_handle *handle =
        ilpy_handle_new(type, a.domain, &kind, a.name_object, native, ILPY_NATIVE);
    if (handle) ((ilpy_list *)handle)->codec = a.codec;
    return (PyObject *)handle;
}

PyObject *ilpy_list_failed(il_status status) {
    return status == ILPY_RAISED ? NULL : ilpy_raise(status);
}

/* ---- one item ------------------------------------------------------------------------------------- */

static int index_of(PyObject *object, int64_t *index) {
    Py_ssize_t value = PyNumber_AsSsize_t(object, PyExc_IndexError);
    if (value == -1 && PyErr_Occurred()) return -1;
    *index = value;
    return 0;
}

static il_status get_call(struct ilpy_receiving *r, int64_t unused) {
    il_item item = {0};
    (void)unused;
    il_status status =
        il_list_get(r->object, *(const int64_t *)r->context, r->buffer, r->capacity, &item);
    r->bytes = item.bytes;
    r->type = item.type;
    return status;
}

static il_status pop_call(struct ilpy_receiving *r, int64_t unused) {
    il_item item = {0};
    (void)unused;
    il_status status =
        il_list_pop(r->object, *(const int64_t *)r->context, r->buffer, r->capacity, &item);
    r->bytes = item.bytes;
    r->type = item.type;
    return status;
}

static PyObject *read_with(PyObject *self, int64_t index,
                           il_status (*call)(struct ilpy_receiving *r, int64_t timeout_ns)) {
    char room[ILPY_ROOM];
    ilpy_list *list = ilpy_list_of(self);
    struct ilpy_receiving r = {
        .receive = call, .context = &index, .buffer = room, .capacity = sizeof room};
    il_status status = ilpy_receive(&list->handle, &r, IL_NOWAIT);
    if (LIKELY(status == IL_OK)) {
        return ilpy_received(&list->handle, list->codec, false, call == pop_call, &r);
    }
    ilpy_receiving_clear(&r);
    return ilpy_list_failed(status);
}

static PyObject *list_item(PyObject *self, Py_ssize_t index) {
    return read_with(self, index, get_call);
}

static PyObject *list_getitem(PyObject *self, PyObject *key) {
    int64_t index;
    if (PySlice_Check(key)) return ilpy_list_get_slice(ilpy_list_of(self), key);
    return index_of(key, &index) == 0 ? read_with(self, index, get_call) : NULL;
}

static PyObject *list_pop(PyObject *self, PyObject *const *args, Py_ssize_t count,
                          PyObject *kwnames) {
    static const char *const names[] = {"index", NULL};
    PyObject *value;
    int64_t index = -1;
    if (ilpy_arguments("pop", names, 1, 0, args, count, kwnames, &value) != 0) return NULL;
    if (value && index_of(value, &index) != 0) return NULL;
    return read_with(self, index, pop_call);
}

/* What a change puts in: append, insert, set. */
enum putting { APPEND, INSERT, SET };

bool ilpy_list_big(ilpy_list *list, int64_t index, struct ilpy_big *big) {
    char room[ILPY_ROOM];
    il_item item;
    il_status status;
    if (list->codec != ILPY_PICKLE || ilpy_handle_check(&list->handle) != 0) {
        PyErr_Clear();
        return false;
    }
    ILPY_CALL(status, &list->handle,
              il_list_get(ilpy_list_native(list), index, room, sizeof room, &item));
    if (LIKELY(status != IL_OK || item.type != IL_TEXT) || !ilpy_big_is(room, item.bytes)) {
        return false;
    }
    memcpy(big->text, room, item.bytes);
    big->text[item.bytes] = 0;
    return true;
}

static int put(PyObject *self, enum putting how, int64_t index, PyObject *value) {
    char room[ILPY_ROOM];
    ilpy_list *list = ilpy_list_of(self);
    struct ilpy_message m;
    struct ilpy_big big, before;
    if (ilpy_encode(list->codec, value, room, &m) != 0) return -1;
    il_status status = ilpy_big_out(&list->handle, list->codec, &m, &big);
    bool had = status == IL_OK && how == SET && ilpy_list_big(list, index, &before);
    if (status == IL_OK && ilpy_handle_check(&list->handle) != 0) status = ILPY_RAISED;
    if (status == IL_OK) {
        il_list *native = ilpy_list_native(list);
        struct ilpy_call call;
        ilpy_call_begin(&list->handle, &call);
        if (how == APPEND)
            status = il_list_append(native, m.data, m.bytes, m.type);
        else if (how == INSERT)
            status = il_list_insert(native, index, m.data, m.bytes, m.type);
        else
            status = il_list_set(native, index, m.data, m.bytes, m.type, NULL);
        ilpy_call_end(&list->handle, &call);
        if (UNLIKELY(status == IL_OK && had)) ilpy_big_drop(&list->handle, &before);
        if (UNLIKELY(status != IL_OK && big.text[0])) ilpy_big_drop(&list->handle, &big);
    }
    if (UNLIKELY(status != IL_OK)) ilpy_list_failed(status);
    ilpy_message_clear(&m);
    return status == IL_OK ? 0 : -1;
}

static PyObject *list_append(PyObject *self, PyObject *value) {
    if (put(self, APPEND, 0, value) != 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *list_insert(PyObject *self, PyObject *const *args, Py_ssize_t count,
                             PyObject *kwnames) {
    static const char *const names[] = {"index", "value", NULL};
    PyObject *values[2];
    if (ilpy_arguments("insert", names, 2, 2, args, count, kwnames, values) != 0) return NULL;
    Py_ssize_t index = PyNumber_AsSsize_t(values[0], NULL); /* clipped, as in Python */
    if (index == -1 && PyErr_Occurred()) return NULL;
    if (put(self, INSERT, index, values[1]) != 0) return NULL;
    Py_RETURN_NONE;
}

static int list_setitem(PyObject *self, PyObject *key, PyObject *value) {
    ilpy_list *list = ilpy_list_of(self);
    int64_t index;
    il_status status;
    if (PySlice_Check(key)) return ilpy_list_set_slice(list, key, value);
    if (index_of(key, &index) != 0) return -1;
    if (value) return put(self, SET, index, value);
    struct ilpy_big before;
    bool had = ilpy_list_big(list, index, &before);
    if (ilpy_handle_check(&list->handle) != 0) return -1;
    ILPY_CALL(status, &list->handle,
              il_list_remove_at(ilpy_list_native(list), index, IL_VERSION_ANY));
    if (status == IL_OK && had) ilpy_big_drop(&list->handle, &before);
    if (status == IL_OK) return 0;
    ilpy_raise(status);
    return -1;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

int64_t ilpy_list_length(ilpy_list *list) {
    uint64_t length;
    il_status status;
    if (ilpy_handle_check(&list->handle) != 0) return -1;
    ILPY_CALL(status, &list->handle, il_list_length(ilpy_list_native(list), &length, NULL));
    if (status == IL_OK) return (int64_t)length;
    ilpy_raise(status);
    return -1;
}

static Py_ssize_t list_length(PyObject *self) { return ilpy_list_length(ilpy_list_of(self)); }

static PyObject *list_reverse(PyObject *self, PyObject *unused) {
    ilpy_list *list = ilpy_list_of(self);
    il_status status;
    (void)unused;
    if (ilpy_handle_check(&list->handle) != 0) return NULL;
    ILPY_CALL(status, &list->handle, il_list_reverse(ilpy_list_native(list)));
    return ilpy_result(status);
}

static PyObject *list_clear(PyObject *self, PyObject *unused) {
    ilpy_list *list = ilpy_list_of(self);
    il_status status;
    (void)unused;
    PyObject *bigs = ilpy_list_bigs(list, 0, INT64_MAX);
    if (!bigs || ilpy_handle_check(&list->handle) != 0) {
        Py_XDECREF(bigs);
        return NULL;
    }
    ILPY_CALL(status, &list->handle, il_list_clear(ilpy_list_native(list)));
    if (status == IL_OK)
        ilpy_list_drop(list, bigs);
    else
        Py_DECREF(bigs);
    return ilpy_result(status);
}

static PyObject *list_codec(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromLong(ilpy_list_of(self)->codec);
}

/* ---- the type ------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    {"append", list_append, METH_O, "Put VALUE at the end."},
    {"extend", ilpy_list_extend, METH_O, "Put all of VALUES at the end, in one change."},
    {"insert", FAST(list_insert), ARGUMENTS, "insert(index, value)\n--\n\nPut VALUE before INDEX."},
    {"pop", FAST(list_pop), ARGUMENTS, "pop(index=-1)\n--\n\nRemove the item at INDEX; it."},
    {"remove", ilpy_list_remove, METH_O, "Remove the first that equals VALUE. ValueError."},
    {"reverse", list_reverse, METH_NOARGS, "Turn the order around."},
    {"sort", FAST(ilpy_list_sort), METH_VARARGS | METH_KEYWORDS,
     "sort(*, key=None, reverse=False)\n--\n\nSort it, stably, in one change."},
    {"count", ilpy_list_count, METH_O, "How many equal VALUE."},
    {"index", FAST(ilpy_list_index), METH_FASTCALL,
     "The first index, from START to before STOP, whose item equals VALUE. ValueError."},
    {"clear", list_clear, METH_NOARGS, "Remove all."},
    {"copy", ilpy_list_copy, METH_NOARGS, "As a list of Python."},
    {0},
};

static PyGetSetDef attributes[] = {
    {"codec", list_codec, NULL, "JSON or PICKLE.", NULL},
    {0},
};

static PyMemberDef members[] = {WEAKREFS, {0}};

static PyType_Slot slots[] = {
    {Py_tp_new, list_new},
    {Py_tp_dealloc, ilpy_handle_dealloc},
    {Py_tp_traverse, ilpy_handle_traverse},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
    {Py_tp_iter, ilpy_list_iterate},
    {Py_mp_length, list_length},
    {Py_mp_subscript, list_getitem},
    {Py_mp_ass_subscript, list_setitem},
    {Py_sq_length, list_length},
    {Py_sq_item, list_item},
    {Py_sq_contains, ilpy_list_contains},
    {Py_tp_doc,
     "List(domain, name=None, *, codec=JSON, max_entries=0, max_entry_bytes=0, max_bytes=0)\n--\n\n"
     "A list of the domain. Every call is one step for all others."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.List",
    .basicsize = sizeof(ilpy_list),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_list(PyObject *module) {
    list_type = ilpy_add_type(module, &spec, ilpy.handle_type);
    ilpy_adoptable(&kind, list_type);
    return list_type ? 0 : -1;
}
