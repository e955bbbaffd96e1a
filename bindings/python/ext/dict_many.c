/* dict_many.c - walks over a Dict, page by page, and changes of many entries in one. */
#include <stdlib.h>

#include "dict.h"

#define PAGE_BYTES 65536
#define PAGE_ENTRIES 256
#define CHANGES_MAX 65536 /* of one call */

/* ---- walking -------------------------------------------------------------------------------------- */

enum what { KEYS, VALUES, PAIRS };

struct walk {
    il_dict *native;
    il_cursor cursor;
    uint32_t what;
    char *buffer;
    size_t capacity, done;
    il_entry entries[PAGE_ENTRIES];
};

static il_status next_page(void *context, int64_t unused) {
    struct walk *w = context;
    (void)unused;
    return il_dict_items(w->native, &w->cursor, w->what, w->buffer, w->capacity, w->entries,
                         PAGE_ENTRIES, &w->done);
}

static int grow(struct walk *w, size_t capacity) {
    char *buffer = realloc(w->buffer, capacity);
    if (!buffer) {
        PyErr_NoMemory();
        return -1;
    }
    w->buffer = buffer;
    w->capacity = capacity;
    return 0;
}

static PyObject *entry_of(ilpy_dict *dict, const il_entry *entry, enum what what) {
    PyObject *key, *value;
    il_item item = entry->item;
    if (ilpy_dict_entry(dict, entry->key, entry->key_bytes, entry->data, &item, false,
                        what == VALUES ? NULL : &key, what == KEYS ? NULL : &value) != 0) {
        return NULL;
    }
    return what == KEYS ? key : what == VALUES ? value : Py_BuildValue("(NN)", key, value);
}

static int add_page(ilpy_dict *dict, const struct walk *w, enum what what, PyObject *list) {
    for (size_t i = 0; i < w->done; i++) {
        PyObject *one = entry_of(dict, &w->entries[i], what);
        if (!one || PyList_Append(list, one) != 0) {
            Py_XDECREF(one);
            return -1;
        }
        Py_DECREF(one);
    }
    return 0;
}

/* One page, into a buffer that is big enough. */
static int read_page(ilpy_dict *dict, struct walk *w) {
    for (;;) {
        if (ilpy_handle_check(&dict->handle) != 0) return -1;
        w->native = ilpy_dict_native(dict);
        il_status status = dict->handle.domain->remote
                               ? ilpy_wait(&dict->handle, next_page, w, IL_NOWAIT)
                               : next_page(w, IL_NOWAIT);
        if (status == IL_OK) return 0;
        if (status != IL_ETOOBIG) {
            if (status != ILPY_RAISED) ilpy_raise(status);
            return -1;
        }
        if (grow(w, w->done) != 0) return -1;
    }
}

static PyObject *walk(PyObject *self, enum what what) {
    ilpy_dict *dict = ilpy_dict_of(self);
    PyObject *list = PyList_New(0);
    struct walk *w = calloc(1, sizeof *w);
    if (!list || !w) {
        Py_XDECREF(list);
        free(w);
        return PyErr_NoMemory();
    }
    /* with PICKLE a key may lie beside its value */
    w->what = what == KEYS && dict->codec == ILPY_JSON ? IL_KEYS : IL_KEYS | IL_VALUES;
    int failed = grow(w, PAGE_BYTES);
    while (!failed && !w->cursor.finished) {
        failed = read_page(dict, w) != 0 || add_page(dict, w, what, list) != 0;
    }
    free(w->buffer);
    free(w);
    if (failed) Py_CLEAR(list);
    return list;
}

/* Those of a page; with PICKLE only big values are texts. */
static void drop_page(ilpy_dict *dict, const struct walk *w) {
    for (size_t i = 0; i < w->done; i++) {
        struct ilpy_big big;
        struct ilpy_key key = {.text = w->entries[i].key, .bytes = w->entries[i].key_bytes};
        if (w->entries[i].item.type != IL_TEXT || !dict->handle.object) continue;
        if (!ilpy_dict_big(dict, &key, &big)) continue;
        (void)il_dict_remove(ilpy_dict_native(dict), key.text, key.bytes, IL_VERSION_ANY);
        ilpy_big_drop(&dict->handle, &big);
    }
}

int ilpy_dict_drop_big(ilpy_dict *dict) {
    struct walk *w = calloc(1, sizeof *w);
    if (!w) {
        PyErr_NoMemory();
        return -1;
    }
    w->what = IL_KEYS;
    int failed = grow(w, PAGE_BYTES);
    while (!failed && !w->cursor.finished) {
        failed = read_page(dict, w);
        if (!failed) drop_page(dict, w);
    }
    free(w->buffer);
    free(w);
    return failed;
}

PyObject *ilpy_dict_keys(PyObject *self, PyObject *unused) {
    (void)unused;
    return walk(self, KEYS);
}

PyObject *ilpy_dict_values(PyObject *self, PyObject *unused) {
    (void)unused;
    return walk(self, VALUES);
}

PyObject *ilpy_dict_items(PyObject *self, PyObject *unused) {
    (void)unused;
    return walk(self, PAIRS);
}

PyObject *ilpy_dict_iterate(PyObject *self) {
    PyObject *keys = walk(self, KEYS);
    PyObject *iterator = keys ? PyObject_GetIter(keys) : NULL;
    Py_XDECREF(keys);
    return iterator;
}

PyObject *ilpy_dict_copy(PyObject *self, PyObject *unused) {
    (void)unused;
    PyObject *pairs = walk(self, PAIRS);
    PyObject *copy = pairs ? PyDict_New() : NULL;
    if (copy && PyDict_MergeFromSeq2(copy, pairs, 1) != 0) Py_CLEAR(copy);
    Py_XDECREF(pairs);
    return copy;
}

/* ---- many changes --------------------------------------------------------------------------------- */

/* One change and what it points to. */
struct prepared {
    struct ilpy_key key;
    struct ilpy_message message;   /* of a SET */
    PyObject *object;              /* the key */
    struct ilpy_big *big, *before; /* what the message was put into; what is there now */
    bool set;
};

struct changes {
    ilpy_dict *dict;
    il_dict *native;
    size_t count, room;
    struct prepared *prepared;
    il_dict_change *changes;
    uint64_t version;
};

static void changes_free(struct changes *c) {
    for (size_t i = 0; i < c->count; i++) {
        ilpy_key_clear(&c->prepared[i].key);
        if (c->prepared[i].set) ilpy_message_clear(&c->prepared[i].message);
        if (c->prepared[i].big) ilpy_big_drop(&c->dict->handle, c->prepared[i].big);
        free(c->prepared[i].big);
        free(c->prepared[i].before);
        Py_DECREF(c->prepared[i].object);
    }
    free(c->prepared);
    free(c->changes);
}

static int make_room(struct changes *c) {
    if (c->count < c->room) return 0;
    size_t room = c->room ? 2 * c->room : 16;
    void *prepared = realloc(c->prepared, room * sizeof *c->prepared);
    if (prepared) c->prepared = prepared;
    void *changes = prepared ? realloc(c->changes, room * sizeof *c->changes) : NULL;
    if (changes) c->changes = changes;
    if (changes)
        c->room = room;
    else
        PyErr_NoMemory();
    return changes ? 0 : -1;
}

/* A message that is too long for one. */
static int put_big(struct changes *c, struct prepared *p) {
    if (c->dict->codec != ILPY_PICKLE || p->message.bytes <= IL_MESSAGE_MAX_BYTES) return 0;
    p->big = malloc(sizeof *p->big);
    if (!p->big) {
        PyErr_NoMemory();
        return -1;
    }
    il_status status = ilpy_big_out(&c->dict->handle, c->dict->codec, &p->message, p->big);
    if (status == IL_OK) return 0;
    free(p->big);
    ilpy_dict_failed(status, Py_None);
    return -1;
}

/* The big values that the changes from FROM on take the place of. */
static void note_before(struct changes *c, size_t from, size_t count) {
    struct ilpy_big big;
    for (size_t i = from; i < from + count && c->dict->handle.object; i++) {
        struct prepared *p = &c->prepared[i];
        struct ilpy_key key = {.text = c->changes[i].key, .bytes = c->changes[i].key_bytes};
        if (c->changes[i].what == IL_CHANGE_EXPECT || !ilpy_dict_big(c->dict, &key, &big)) continue;
        p->before = malloc(sizeof *p->before);
        if (p->before) *p->before = big;
    }
}

/* Once they are made: the dict has the new ones, and the old ones are gone. */
static void drop_before(struct changes *c, size_t from, size_t count) {
    for (size_t i = from; i < from + count; i++) {
        struct prepared *p = &c->prepared[i];
        if (p->before) ilpy_big_drop(&c->dict->handle, p->before);
        free(p->big);
        p->big = NULL;
    }
}

/* What the message has in ROOM, which is about to go, is copied. */
static int keep(struct ilpy_message *message, const char *room) {
    if (message->data != room) return 0;
    message->owner = PyBytes_FromStringAndSize(message->data, (Py_ssize_t)message->bytes);
    if (message->owner) message->data = PyBytes_AsString(message->owner);
    return message->owner ? 0 : -1;
}

static int add(struct changes *c, uint32_t what, PyObject *key, PyObject *value, uint64_t version) {
    char room[ILPY_ROOM];
    if (make_room(c) != 0) return -1;
    struct prepared *p = &c->prepared[c->count];
    if (ilpy_key_encode(c->dict->codec, key, &p->key) != 0) return -1;
    p->set = what == IL_CHANGE_SET;
    p->big = p->before = NULL;
    if (p->set) {
        if (ilpy_entry_encode(c->dict->codec, key, &p->key, value, room, &p->message) != 0) {
            ilpy_key_clear(&p->key);
            return -1;
        }
        if (keep(&p->message, room) != 0 || put_big(c, p) != 0) {
            ilpy_message_clear(&p->message);
            ilpy_key_clear(&p->key);
            return -1;
        }
    }
    p->object = Py_NewRef(key);
    c->changes[c->count++] = (il_dict_change){.what = what, .version = version};
    return 0;
}

/* The pointers, once nothing moves any longer. */
static void point(struct changes *c) {
    for (size_t i = 0; i < c->count; i++) {
        struct prepared *p = &c->prepared[i];
        il_dict_change *change = &c->changes[i];
        /* a key in its own room has moved with it */
        bool inside =
            !p->key.owner && p->key.bytes <= sizeof p->key.room && (c->dict->codec == ILPY_PICKLE);
        change->key = inside ? p->key.room : p->key.text;
        change->key_bytes = p->key.bytes;
        if (!p->set) continue;
        change->type = p->message.type;
        change->data = p->message.data;
        change->bytes = p->message.bytes;
    }
}

/* (key, value) of a pair. */
static int part(PyObject *pair, PyObject **key, PyObject **value) {
    PyObject *both = PySequence_Tuple(pair);
    if (both && PyTuple_Size(both) != 2) {
        PyErr_Format(PyExc_ValueError, "expected pairs of key and value, got one of length %zd",
                     PyTuple_Size(both));
        Py_CLEAR(both);
    }
    if (!both) return -1;
    *key = Py_NewRef(PyTuple_GetItem(both, 0));
    *value = Py_NewRef(PyTuple_GetItem(both, 1));
    Py_DECREF(both);
    return 0;
}

static int add_pair(struct changes *c, uint32_t what, PyObject *pair) {
    PyObject *key, *value;
    uint64_t version = IL_VERSION_ANY;
    if (part(pair, &key, &value) != 0) return -1;
    int failed = what == IL_CHANGE_EXPECT ? ilpy_u64(value, "expect", &version) : 0;
    if (!failed) failed = add(c, what, key, value, version);
    Py_DECREF(key);
    Py_DECREF(value);
    return failed;
}

/* What is in SOURCE: a mapping or pairs; REMOVE: keys. */
static int add_all(struct changes *c, uint32_t what, PyObject *source) {
    bool mapping = what != IL_CHANGE_REMOVE && PyObject_HasAttrString(source, "keys");
    PyObject *pairs = mapping ? PyMapping_Items(source) : Py_NewRef(source);
    PyObject *iterator = pairs ? PyObject_GetIter(pairs) : NULL, *one;
    Py_XDECREF(pairs);
    if (!iterator) return -1;
    int failed = 0;
    while (!failed && (one = PyIter_Next(iterator))) {
        failed = what == IL_CHANGE_REMOVE ? add(c, what, one, NULL, IL_VERSION_ANY)
                                          : add_pair(c, what, one);
        Py_DECREF(one);
    }
    Py_DECREF(iterator);
    return failed || PyErr_Occurred() ? -1 : 0;
}

struct making {
    struct changes *c;
    size_t from, count;
};

static il_status make_call(void *context, int64_t unused) {
    struct making *m = context;
    (void)unused;
    return il_dict_update(m->c->native, m->c->changes + m->from, m->count, &m->c->version);
}

/* Makes COUNT changes from FROM on. */
static int make(struct changes *c, size_t from, size_t count) {
    struct making m = {c, from, count};
    if (c->dict->codec == ILPY_PICKLE) note_before(c, from, count);
    il_status status = ILPY_RAISED;
    if (ilpy_handle_check(&c->dict->handle) == 0) {
        c->native = ilpy_dict_native(c->dict);
        status = ilpy_wait(&c->dict->handle, make_call, &m, IL_NOWAIT);
    }
    if (status == IL_OK) drop_before(c, from, count);
    if (status == IL_OK) return 0;
    if (status != ILPY_RAISED) ilpy_raise(status);
    return -1;
}

PyObject *ilpy_dict_change(PyObject *self, PyObject *const *args, Py_ssize_t count,
                           PyObject *kwnames) {
    static const char *const names[] = {"set", "remove", "expect", NULL};
    static const uint32_t what[] = {IL_CHANGE_SET, IL_CHANGE_REMOVE, IL_CHANGE_EXPECT};
    struct changes c = {.dict = ilpy_dict_of(self)};
    PyObject *values[3];
    if (ilpy_arguments("change", names, 3, 0, args, count, kwnames, values) != 0) return NULL;
    int failed = 0;
    for (int i = 0; i < 3 && !failed; i++) {
        if (values[i]) failed = add_all(&c, what[i], values[i]);
    }
    if (!failed) {
        point(&c);
        failed = make(&c, 0, c.count);
    }
    changes_free(&c);
    return failed ? NULL : PyLong_FromUnsignedLongLong(c.version);
}

PyObject *ilpy_dict_update(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct changes c = {.dict = ilpy_dict_of(self)};
    PyObject *other = NULL;
    if (!PyArg_UnpackTuple(args, "update", 0, 1, &other)) return NULL;
    int failed = other ? add_all(&c, IL_CHANGE_SET, other) : 0;
    if (!failed && kwargs) failed = add_all(&c, IL_CHANGE_SET, kwargs);
    if (!failed) point(&c);
    for (size_t at = 0; at < c.count && !failed; at += CHANGES_MAX) {
        failed = make(&c, at, c.count - at < CHANGES_MAX ? c.count - at : CHANGES_MAX);
    }
    changes_free(&c);
    if (failed) return NULL;
    Py_RETURN_NONE;
}
