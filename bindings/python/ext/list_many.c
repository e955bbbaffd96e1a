/* list_many.c - slices of a List, looking for values, sorting. */
#include <stdlib.h>
#include <string.h>

#include "list.h"

#define PAGE_BYTES 65536
#define PAGE_ITEMS 256
#define TRIES 64 /* of what needs the list unchanged meanwhile */

/* ---- reading -------------------------------------------------------------------------------------- */

struct page {
    il_list *native;
    int64_t start, stop;
    char *buffer;
    size_t capacity, done;
    uint64_t version;
    il_list_item items[PAGE_ITEMS];
};

static il_status slice_call(void *context, int64_t unused) {
    struct page *p = context;
    (void)unused;
    return il_list_slice(p->native, p->start, p->stop, p->buffer, p->capacity, p->items, PAGE_ITEMS,
                         &p->done, &p->version);
}

static int grow(struct page *p, size_t capacity) {
    char *buffer = realloc(p->buffer, capacity);
    if (!buffer) {
        PyErr_NoMemory();
        return -1;
    }
    p->buffer = buffer;
    p->capacity = capacity;
    return 0;
}

static int read_page(ilpy_list *list, struct page *p) {
    for (;;) {
        if (ilpy_handle_check(&list->handle) != 0) return -1;
        p->native = ilpy_list_native(list);
        il_status status = list->handle.domain->remote
                               ? ilpy_wait(&list->handle, slice_call, p, IL_NOWAIT)
                               : slice_call(p, IL_NOWAIT);
        if (status == IL_OK) return 0;
        if (status != IL_ETOOBIG) {
            ilpy_list_failed(status);
            return -1;
        }
        if (grow(p, p->done) != 0) return -1;
    }
}

static int add_items(ilpy_list *list, const struct page *p, PyObject *into) {
    for (size_t i = 0; i < p->done; i++) {
        const il_list_item *one = &p->items[i];
        const char *data = one->data;
        size_t bytes = one->item.bytes;
        uint32_t type = one->item.type;
        PyObject *whole, *object = NULL;
        if (ilpy_big_in(&list->handle, list->codec, false, &data, &bytes, &type, &whole) == 0) {
            object = ilpy_decode(list->codec, data, bytes, type, whole);
        }
        Py_XDECREF(whole);
        if (!object || PyList_Append(into, object) != 0) {
            Py_XDECREF(object);
            return -1;
        }
        Py_DECREF(object);
    }
    return 0;
}

/* 1: read; 0: the list was changed between two pages; -1: exception. */
static int read_pages(ilpy_list *list, struct page *p, PyObject *into) {
    uint64_t first = 0;
    for (bool begun = false;; begun = true) {
        if (read_page(list, p) != 0) return -1;
        if (begun && p->version != first) return 0;
        first = p->version;
        if (p->done == 0) return 1;
        if (add_items(list, p, into) != 0) return -1;
        p->start += (int64_t)p->done;
        if (p->start >= p->stop) return 1;
    }
}

PyObject *ilpy_list_read(ilpy_list *list, int64_t start, int64_t stop, uint64_t *version) {
    struct page *p = calloc(1, sizeof *p);
    PyObject *into = NULL;
    if (!p) return PyErr_NoMemory();
    int got = grow(p, PAGE_BYTES);
    for (int i = 0; got == 0 && i < TRIES; i++) {
        Py_XDECREF(into);
        into = PyList_New(0);
        p->start = start;
        p->stop = stop;
        got = into ? read_pages(list, p, into) : -1;
    }
    if (got == 0) {
        ilpy_raise_text(IL_EBUSY,
                        "the list is changed all the time: it could not be read at one moment");
    }
    if (got != 1) Py_CLEAR(into);
    if (version) *version = p->version;
    free(p->buffer);
    free(p);
    return into;
}

static int add_bigs(const struct page *p, PyObject *texts) {
    for (size_t i = 0; i < p->done; i++) {
        const il_list_item *one = &p->items[i];
        if (one->item.type != IL_TEXT || !ilpy_big_is(one->data, one->item.bytes)) continue;
        PyObject *text = PyBytes_FromStringAndSize(one->data, (Py_ssize_t)one->item.bytes);
        int failed = text ? PyList_Append(texts, text) : -1;
        Py_XDECREF(text);
        if (failed) return -1;
    }
    return 0;
}

PyObject *ilpy_list_bigs(ilpy_list *list, int64_t start, int64_t stop) {
    PyObject *texts = PyList_New(0);
    if (!texts || list->codec != ILPY_PICKLE || start >= stop) return texts;
    struct page *p = calloc(1, sizeof *p);
    int failed = p ? grow(p, PAGE_BYTES) : -1;
    if (!p) PyErr_NoMemory();
    if (p) p->start = start;
    if (p) p->stop = stop;
    while (!failed) {
        failed = read_page(list, p) != 0 || add_bigs(p, texts) != 0;
        if (failed || p->done == 0) break;
        p->start += (int64_t)p->done;
        if (p->start >= p->stop) break;
    }
    if (p) free(p->buffer);
    free(p);
    if (failed) Py_CLEAR(texts);
    return texts;
}

void ilpy_list_drop(ilpy_list *list, PyObject *texts) {
    for (Py_ssize_t i = 0; i < PyList_Size(texts); i++) {
        struct ilpy_big big = {{0}};
        PyObject *text = PyList_GetItem(texts, i);
        memcpy(big.text, PyBytes_AsString(text), (size_t)PyBytes_Size(text));
        ilpy_big_drop(&list->handle, &big);
    }
    Py_DECREF(texts);
}

PyObject *ilpy_list_copy(PyObject *self, PyObject *unused) {
    (void)unused;
    return ilpy_list_read(ilpy_list_of(self), 0, INT64_MAX, NULL);
}

PyObject *ilpy_list_iterate(PyObject *self) {
    PyObject *items = ilpy_list_copy(self, NULL);
    PyObject *iterator = items ? PyObject_GetIter(items) : NULL;
    Py_XDECREF(items);
    return iterator;
}

PyObject *ilpy_list_get_slice(ilpy_list *list, PyObject *key) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(key, &start, &stop, &step) != 0) return NULL;
    if (step == 1 && start >= 0 && stop >= 0) {
        return stop > start ? ilpy_list_read(list, start, stop, NULL) : PyList_New(0);
    }
    PyObject *all = ilpy_list_read(list, 0, INT64_MAX, NULL);
    PyObject *slice = all ? PyObject_GetItem(all, key) : NULL;
    Py_XDECREF(all);
    return slice;
}

/* ---- many values as messages ---------------------------------------------------------------------- */

struct batch {
    size_t count;
    struct ilpy_message *kept;
    il_message *messages;
    PyObject *bigs; /* texts of those that were put into lists of their own */
};

/* UNUSED: the list does not have them. */
static void batch_free(ilpy_list *list, struct batch *batch, bool unused) {
    for (size_t i = 0; i < batch->count; i++) ilpy_message_clear(&batch->kept[i]);
    if (unused && batch->bigs)
        ilpy_list_drop(list, batch->bigs);
    else
        Py_XDECREF(batch->bigs);
    free(batch->kept);
    free(batch->messages);
}

/* A message that is too long for one. */
static int put_big(ilpy_list *list, struct batch *batch, struct ilpy_message *m) {
    struct ilpy_big big;
    if (list->codec != ILPY_PICKLE || m->bytes <= IL_MESSAGE_MAX_BYTES) return 0;
    il_status status = ilpy_big_out(&list->handle, list->codec, m, &big);
    if (status != IL_OK) {
        ilpy_list_failed(status);
        return -1;
    }
    m->owner = PyBytes_FromStringAndSize(m->data, (Py_ssize_t)m->bytes);
    m->data = m->owner ? PyBytes_AsString(m->owner) : NULL;
    if (!batch->bigs) batch->bigs = PyList_New(0);
    if (m->data && batch->bigs && PyList_Append(batch->bigs, m->owner) == 0) return 0;
    ilpy_big_drop(&list->handle, &big);
    return -1;
}

/* Each value of VALUES, a list, as a message. -1: exception, and nothing to free. */
static int batch_of(ilpy_list *list, PyObject *values, struct batch *batch) {
    char room[ILPY_ROOM];
    size_t count = (size_t)PyList_Size(values);
    *batch = (struct batch){0, calloc(count + 1, sizeof *batch->kept),
                            calloc(count + 1, sizeof *batch->messages), NULL};
    int failed = batch->kept && batch->messages ? 0 : -1;
    if (failed) PyErr_NoMemory();
    for (size_t i = 0; i < count && !failed && i < (size_t)PyList_Size(values); i++) {
        struct ilpy_message *m = &batch->kept[i];
        failed = ilpy_encode(list->codec, PyList_GetItem(values, (Py_ssize_t)i), room, m);
        if (failed) break;
        batch->count++;
        if (m->data == room) { /* which the next needs */
            m->owner = PyBytes_FromStringAndSize(room, (Py_ssize_t)m->bytes);
            if (m->owner)
                m->data = PyBytes_AsString(m->owner);
            else
                failed = -1;
        }
        if (!failed) failed = put_big(list, batch, m);
        batch->messages[i] = (il_message){m->data, m->bytes, m->type, 0};
    }
    if (failed) batch_free(list, batch, true);
    return failed;
}

/* ---- changing ------------------------------------------------------------------------------------- */

struct splicing {
    il_list *native;
    int64_t start, stop;
    const struct batch *batch;
    uint64_t *version;
};

static il_status splice_call(void *context, int64_t unused) {
    const struct splicing *s = context;
    (void)unused;
    return il_list_splice(s->native, s->start, s->stop, s->batch->messages, s->batch->count,
                          s->version);
}

static il_status splice(ilpy_list *list, int64_t start, int64_t stop, PyObject *values,
                        uint64_t *version) {
    struct batch batch;
    PyObject *before = ilpy_list_bigs(list, start, stop);
    if (!before) return ILPY_RAISED;
    if (batch_of(list, values, &batch) != 0) {
        Py_DECREF(before);
        return ILPY_RAISED;
    }
    il_status status = ILPY_RAISED;
    if (ilpy_handle_check(&list->handle) == 0) {
        struct splicing s = {ilpy_list_native(list), start, stop, &batch, version};
        status = list->handle.domain->remote ? ilpy_wait(&list->handle, splice_call, &s, IL_NOWAIT)
                                             : splice_call(&s, IL_NOWAIT);
    }
    batch_free(list, &batch, status != IL_OK);
    if (status == IL_OK)
        ilpy_list_drop(list, before);
    else
        Py_DECREF(before);
    return status;
}

PyObject *ilpy_list_extend(PyObject *self, PyObject *values) {
    PyObject *list = PySequence_List(values);
    if (!list) return NULL;
    il_status status = splice(ilpy_list_of(self), INT64_MAX, INT64_MAX, list, NULL);
    Py_DECREF(list);
    if (status != IL_OK) return ilpy_list_failed(status);
    Py_RETURN_NONE;
}

/* Reads all, has CHANGE change that, and puts it back unless the List was changed meanwhile: then again. */
static int rewrite(ilpy_list *list, int (*change)(PyObject *all, void *context), void *context) {
    for (int i = 0; i < TRIES; i++) {
        uint64_t version;
        PyObject *all = ilpy_list_read(list, 0, INT64_MAX, &version);
        if (!all) return -1;
        il_status status = ILPY_RAISED;
        if (change(all, context) == 0) status = splice(list, 0, INT64_MAX, all, &version);
        Py_DECREF(all);
        if (status == IL_OK) return 0;
        if (status == IL_ECHANGED) continue;
        ilpy_list_failed(status);
        return -1;
    }
    ilpy_raise_text(IL_EBUSY,
                    "the list is changed all the time: the change could not be made in one");
    return -1;
}

struct setting {
    PyObject *key, *values;
};

static int set_part(PyObject *all, void *context) {
    const struct setting *s = context;
    return s->values ? PyObject_SetItem(all, s->key, s->values) : PyObject_DelItem(all, s->key);
}

int ilpy_list_set_slice(ilpy_list *list, PyObject *key, PyObject *values) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(key, &start, &stop, &step) != 0) return -1;
    PyObject *own = values ? PySequence_List(values) : PyList_New(0);
    if (!own) return -1;
    int failed;
    if (step == 1 && start >= 0 && stop >= 0) {
        il_status status = splice(list, start, stop > start ? stop : start, own, NULL);
        if (status != IL_OK) ilpy_list_failed(status);
        failed = status == IL_OK ? 0 : -1;
    } else {
        struct setting s = {key, values ? own : NULL};
        failed = rewrite(list, set_part, &s);
    }
    Py_DECREF(own);
    return failed;
}

static int sort_part(PyObject *all, void *kwargs) {
    PyObject *sort = PyObject_GetAttrString(all, "sort"), *none = PyTuple_New(0);
    PyObject *result = sort && none ? PyObject_Call(sort, none, kwargs) : NULL;
    Py_XDECREF(sort);
    Py_XDECREF(none);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

PyObject *ilpy_list_sort(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"key", "reverse", NULL};
    ilpy_list *list = ilpy_list_of(self);
    PyObject *key = Py_None;
    int reverse = 0;
    il_status status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$Op:sort", names, &key, &reverse)) return NULL;
    if (key == Py_None && list->codec == ILPY_JSON) {
        if (ilpy_handle_check(&list->handle) != 0) return NULL;
        ILPY_CALL(status, &list->handle,
                  il_list_sort(ilpy_list_native(list), reverse ? IL_DESCENDING : 0));
        return ilpy_result(status);
    }
    if (rewrite(list, sort_part, kwargs) != 0) return NULL;
    Py_RETURN_NONE;
}

/* ---- looking for values --------------------------------------------------------------------------- */

static PyObject *not_there(void) {
    PyErr_SetString(PyExc_ValueError, "the value is not in the list");
    return NULL;
}

/* What a search by the library looks for, and finds. */
struct search {
    il_list *native;
    const struct ilpy_message *message;
    int64_t start, stop;
    uint64_t found;
    enum { INDEX, COUNT, REMOVE } what;
};

static il_status search_call(void *context, int64_t unused) {
    struct search *s = context;
    const struct ilpy_message *m = s->message;
    (void)unused;
    if (s->what == COUNT) return il_list_count(s->native, m->data, m->bytes, m->type, &s->found);
    if (s->what == REMOVE) return il_list_remove(s->native, m->data, m->bytes, m->type);
    return il_list_index(s->native, m->data, m->bytes, m->type, s->start, s->stop, &s->found);
}

static il_status search(ilpy_list *list, PyObject *value, struct search *s) {
    char room[ILPY_ROOM];
    struct ilpy_message message;
    if (ilpy_encode(list->codec, value, room, &message) != 0) return ILPY_RAISED;
    il_status status = ILPY_RAISED;
    if (ilpy_handle_check(&list->handle) == 0) {
        s->native = ilpy_list_native(list);
        s->message = &message;
        status = list->handle.domain->remote ? ilpy_wait(&list->handle, search_call, s, IL_NOWAIT)
                                             : search_call(s, IL_NOWAIT);
    }
    ilpy_message_clear(&message);
    return status;
}

static PyObject *searched(il_status status, const struct search *s) {
    if (status == IL_ENOKEY) return not_there();
    if (status != IL_OK) return ilpy_list_failed(status);
    return PyLong_FromUnsignedLongLong(s->found);
}

PyObject *ilpy_list_count(PyObject *self, PyObject *value) {
    ilpy_list *list = ilpy_list_of(self);
    struct search s = {.what = COUNT};
    if (list->codec == ILPY_JSON) return searched(search(list, value, &s), &s);
    PyObject *all = ilpy_list_copy(self, NULL);
    Py_ssize_t count = all ? PySequence_Count(all, value) : -1;
    Py_XDECREF(all);
    return count < 0 ? NULL : PyLong_FromSsize_t(count);
}

int ilpy_list_contains(PyObject *self, PyObject *value) {
    ilpy_list *list = ilpy_list_of(self);
    struct search s = {.what = INDEX, .stop = INT64_MAX};
    if (list->codec == ILPY_JSON) {
        il_status status = search(list, value, &s);
        if (status == IL_OK || status == IL_ENOKEY) return status == IL_OK;
        ilpy_list_failed(status);
        return -1;
    }
    PyObject *all = ilpy_list_copy(self, NULL);
    int found = all ? PySequence_Contains(all, value) : -1;
    Py_XDECREF(all);
    return found;
}

PyObject *ilpy_list_index(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    ilpy_list *list = ilpy_list_of(self);
    struct search s = {.what = INDEX, .stop = INT64_MAX};
    if (count < 1 || count > 3) {
        return PyErr_Format(PyExc_TypeError, "index expected 1 to 3 arguments, got %zd", count);
    }
    if (count > 1) s.start = PyNumber_AsSsize_t(args[1], NULL);
    if (count > 2 && !PyErr_Occurred()) s.stop = PyNumber_AsSsize_t(args[2], NULL);
    if (PyErr_Occurred()) return NULL;
    if (list->codec == ILPY_JSON) return searched(search(list, args[0], &s), &s);
    PyObject *all = ilpy_list_copy(self, NULL);
    PyObject *index = all ? PyObject_CallMethod(all, "index", "OLL", args[0], (long long)s.start,
                                                (long long)s.stop)
                          : NULL;
    Py_XDECREF(all);
    return index;
}

static int remove_part(PyObject *all, void *value) {
    PyObject *done = PyObject_CallMethod(all, "remove", "O", (PyObject *)value);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

PyObject *ilpy_list_remove(PyObject *self, PyObject *value) {
    ilpy_list *list = ilpy_list_of(self);
    struct search s = {.what = REMOVE};
    if (list->codec == ILPY_JSON) {
        il_status status = search(list, value, &s);
        if (status == IL_ENOKEY) return not_there();
        if (status != IL_OK) return ilpy_list_failed(status);
    } else if (rewrite(list, remove_part, value) != 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}
