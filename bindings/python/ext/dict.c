#include "dict.h"

#include <string.h>

#include "big.h"
#include "transfer.h"

#define TRIES 64 /* of reading a big value that is changed meanwhile */

static PyTypeObject *dict_type;

/* ---- making --------------------------------------------------------------------------------------- */

static il_status close_dict(void *object) { return il_dict_close(object); }

static uint32_t traits(ilpy_handle *handle) { return (uint32_t)((ilpy_dict *)handle)->codec; }

static int adopted(ilpy_handle *handle, const il_ticket *ticket, uint32_t codec) {
    (void)ticket;
    ((ilpy_dict *)handle)->codec = (int)codec;
    return ilpy_codec_check((int)codec);
}

static const struct ilpy_kind kind = {.number = IL_KIND_DICT,
                                      .name = "dict",
                                      .close = close_dict,
                                      .remove = il_dict_delete,
                                      .traits = traits,
                                      .adopted = adopted};

static PyObject *dict_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    struct ilpy_data_arguments a;
    il_dict *native = NULL;
    il_status status;
    if (ilpy_data_arguments(args, kwargs, "O|O$iOOO:Dict", &a) != 0) return NULL;
    ILPY_OPEN(status, a.domain,
              il_dict_open(a.domain->domain, a.name, a.name_bytes, a.options, &native));
    if (status != IL_OK) return ilpy_raise(status);
    ilpy_handle *handle =
        ilpy_handle_new(type, a.domain, &kind, a.name_object, native, ILPY_NATIVE);
    if (handle) ((ilpy_dict *)handle)->codec = a.codec;
    return (PyObject *)handle;
}

/* ---- reading one entry ---------------------------------------------------------------------------- */

PyObject *ilpy_dict_failed(il_status status, PyObject *key) {
    if (status == ILPY_RAISED) return NULL;
    if (status != IL_ENOKEY) return ilpy_raise(status);
    PyErr_SetObject(PyTuple_GetItem(ilpy.errors, -IL_ENOKEY), key);
    return NULL;
}

int ilpy_dict_entry(ilpy_dict *dict, const char *text, size_t text_bytes, const char *data,
                    const il_item *item, bool taken, PyObject **key, PyObject **value) {
    PyObject *beside = NULL, *object = NULL, *whole;
    size_t bytes = item->bytes;
    uint32_t type = item->type;
    if (ilpy_big_in(&dict->handle, dict->codec, taken, &data, &bytes, &type, &whole) != 0)
        return -1;
    Py_ssize_t head = ilpy_entry_key(dict->codec, data, bytes, type, key ? &beside : NULL);
    if (head >= 0 && key && !beside) beside = ilpy_key_decode(dict->codec, text, text_bytes);
    if (head >= 0 && value && (beside || !key)) {
        object = ilpy_decode(dict->codec, data + head, bytes - (size_t)head, type,
                             head == 0 ? whole : NULL);
    }
    Py_XDECREF(whole);
    if (head < 0 || (key && !beside) || (value && !object)) {
        Py_XDECREF(beside);
        Py_XDECREF(object);
        return -1;
    }
    if (key) *key = beside;
    if (value) *value = object;
    return 0;
}

/* The value of what was received. */
static PyObject *received(ilpy_dict *dict, bool taken, struct ilpy_receiving *r) {
    PyObject *value = NULL;
    if (LIKELY(r->whole == NULL || dict->codec == ILPY_PICKLE)) {
        il_item item = {.bytes = r->bytes, .type = r->type};
        (void)ilpy_dict_entry(dict, NULL, 0, r->buffer, &item, taken, NULL, &value);
    } else {
        value = ilpy_decode(dict->codec, r->buffer, r->bytes, r->type,
                            r->capacity == r->bytes ? r->whole : NULL);
    }
    ilpy_receiving_clear(r);
    return value;
}

/* A big value is gone if the entry was changed between the two reads: then it is read again. */
static bool was_changed(PyObject *value) {
    if (value || !PyErr_ExceptionMatches(PyTuple_GetItem(ilpy.errors, -IL_ENOTFOUND))) return false;
    PyErr_Clear();
    return true;
}

/* An entry that is read, and with what. */
struct reading {
    struct ilpy_key key;
    const struct ilpy_message *otherwise; /* setdefault() */
    int32_t created;
};

static void note(struct ilpy_receiving *r, const il_item *item) {
    r->bytes = item->bytes;
    r->type = item->type;
    r->version = item->version;
}

static il_status get_call(struct ilpy_receiving *r, int64_t unused) {
    const struct reading *reading = r->context;
    il_item item = {0};
    (void)unused;
    il_status status = il_dict_get(r->object, reading->key.text, reading->key.bytes, r->buffer,
                                   r->capacity, &item);
    note(r, &item);
    return status;
}

static il_status pop_call(struct ilpy_receiving *r, int64_t unused) {
    const struct reading *reading = r->context;
    il_item item = {0};
    (void)unused;
    il_status status = il_dict_pop(r->object, reading->key.text, reading->key.bytes, r->buffer,
                                   r->capacity, &item);
    note(r, &item);
    return status;
}

static il_status default_call(struct ilpy_receiving *r, int64_t unused) {
    struct reading *reading = (struct reading *)r->context;
    const struct ilpy_message *message = reading->otherwise;
    il_item item = {0};
    (void)unused;
    il_status status = il_dict_set_default(r->object, reading->key.text, reading->key.bytes,
                                           message->data, message->bytes, message->type, r->buffer,
                                           r->capacity, &item, &reading->created);
    note(r, &item);
    return status;
}

typedef il_status (*receive_call)(struct ilpy_receiving *r, int64_t timeout_ns);

/* The value of KEY by CALL; if it is not there OTHERWISE, or KeyError. */
static PyObject *read_with(PyObject *self, PyObject *key, receive_call call, PyObject *otherwise,
                           uint64_t *version) {
    char room[ILPY_ROOM];
    ilpy_dict *dict = ilpy_dict_of(self);
    struct reading reading;
    struct ilpy_receiving r = {
        .receive = call, .context = &reading, .buffer = room, .capacity = sizeof room};
    if (ilpy_key_encode(dict->codec, key, &reading.key) != 0) return NULL;
    il_status status;
    PyObject *value = NULL;
    int tries = 0;
    do {
        r.buffer = room;
        r.capacity = sizeof room;
        status = ilpy_receive(&dict->handle, &r, IL_NOWAIT);
        if (status == IL_OK) value = received(dict, call == pop_call, &r);
    } while (UNLIKELY(status == IL_OK && !value) && call == get_call && tries++ < TRIES &&
             was_changed(value));
    ilpy_key_clear(&reading.key);
    if (LIKELY(status == IL_OK)) {
        if (version) *version = r.version;
        return value;
    }
    ilpy_receiving_clear(&r);
    if (status == IL_ENOKEY && otherwise) return Py_NewRef(otherwise);
    return ilpy_dict_failed(status, key);
}

static PyObject *dict_getitem(PyObject *self, PyObject *key) {
    return read_with(self, key, get_call, NULL, NULL);
}

static PyObject *dict_get(PyObject *self, PyObject *const *args, Py_ssize_t count,
                          PyObject *kwnames) {
    static const char *const names[] = {"key", "default", NULL};
    PyObject *values[2];
    if (ilpy_arguments("get", names, 2, 1, args, count, kwnames, values) != 0) return NULL;
    return read_with(self, values[0], get_call, values[1] ? values[1] : Py_None, NULL);
}

static PyObject *dict_get_version(PyObject *self, PyObject *key) {
    uint64_t version;
    PyObject *value = read_with(self, key, get_call, NULL, &version);
    return value ? Py_BuildValue("(NK)", value, (unsigned long long)version) : NULL;
}

static PyObject *dict_pop(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    if (count < 1 || count > 2) {
        return PyErr_Format(PyExc_TypeError, "pop expected 1 or 2 arguments, got %zd", count);
    }
    return read_with(self, args[0], pop_call, count == 2 ? args[1] : NULL, NULL);
}

static PyObject *dict_setdefault(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                 PyObject *kwnames) {
    static const char *const names[] = {"key", "default", NULL};
    char room[ILPY_ROOM], value_room[ILPY_ROOM];
    ilpy_dict *dict = ilpy_dict_of(self);
    PyObject *values[2], *value = NULL;
    struct ilpy_message message;
    struct reading reading = {.otherwise = &message};
    struct ilpy_receiving r = {
        .receive = default_call, .context = &reading, .buffer = room, .capacity = sizeof room};
    if (ilpy_arguments("setdefault", names, 2, 1, args, count, kwnames, values) != 0) return NULL;
    if (!values[1]) values[1] = Py_None;
    if (ilpy_key_encode(dict->codec, values[0], &reading.key) != 0) return NULL;
    if (ilpy_entry_encode(dict->codec, values[0], &reading.key, values[1], value_room, &message) ==
        0) {
        struct ilpy_big big;
        il_status status = ilpy_big_out(&dict->handle, dict->codec, &message, &big);
        if (status == IL_OK) status = ilpy_receive(&dict->handle, &r, IL_NOWAIT);
        if (big.text[0] && (status != IL_OK || !reading.created))
            ilpy_big_drop(&dict->handle, &big);
        if (status == IL_OK) {
            value = received(dict, false, &r);
        } else {
            ilpy_receiving_clear(&r);
            ilpy_dict_failed(status, values[0]);
        }
        ilpy_message_clear(&message);
    }
    ilpy_key_clear(&reading.key);
    return value;
}

/* ---- popitem -------------------------------------------------------------------------------------- */

static il_status pop_item_call(struct ilpy_receiving *r, int64_t unused) {
    il_entry *entry = (il_entry *)r->context;
    (void)unused;
    il_status status = il_dict_pop_item(r->object, r->buffer, r->capacity, entry);
    r->bytes = entry->key_bytes + entry->item.bytes;
    return status;
}

static PyObject *dict_popitem(PyObject *self, PyObject *unused) {
    char room[ILPY_ROOM];
    ilpy_dict *dict = ilpy_dict_of(self);
    PyObject *key, *value, *pair = NULL;
    il_entry entry = {0};
    struct ilpy_receiving r = {
        .receive = pop_item_call, .context = &entry, .buffer = room, .capacity = sizeof room};
    (void)unused;
    il_status status = ilpy_receive(&dict->handle, &r, IL_NOWAIT);
    if (status == IL_OK && ilpy_dict_entry(dict, entry.key, entry.key_bytes, entry.data,
                                           &entry.item, true, &key, &value) == 0) {
        pair = Py_BuildValue("(NN)", key, value);
    }
    ilpy_receiving_clear(&r);
    if (status == IL_ENOKEY) {
        return ilpy_raise_text(status, "popitem(): the dict is empty");
    }
    return status == IL_OK ? pair : ilpy_dict_failed(status, Py_None);
}

/* ---- changing one entry --------------------------------------------------------------------------- */

bool ilpy_dict_big(ilpy_dict *dict, const struct ilpy_key *text, struct ilpy_big *big) {
    char room[ILPY_ROOM];
    struct ilpy_call call;
    il_item item;
    if (dict->codec != ILPY_PICKLE) return false;
    ilpy_call_begin(&dict->handle, &call);
    il_status status =
        il_dict_get(ilpy_dict_native(dict), text->text, text->bytes, room, sizeof room, &item);
    ilpy_call_end(&dict->handle, &call);
    if (LIKELY(status != IL_OK || item.type != IL_TEXT) || !ilpy_big_is(room, item.bytes)) {
        return false;
    }
    memcpy(big->text, room, item.bytes);
    big->text[item.bytes] = 0;
    return true;
}

/* Sets MESSAGE; a big value that was there before is removed. */
static il_status set_message(ilpy_dict *dict, const struct ilpy_key *text,
                             struct ilpy_message *message, uint64_t *version) {
    struct ilpy_big big, before;
    il_status status = ilpy_big_out(&dict->handle, dict->codec, message, &big);
    if (status != IL_OK) return status;
    if (ilpy_handle_check(&dict->handle) != 0) return ILPY_RAISED;
    bool had = ilpy_dict_big(dict, text, &before);
    if (UNLIKELY(dict->handle.domain->remote && ilpy_handle_check(&dict->handle) != 0)) {
        return ILPY_RAISED;
    }
    ILPY_CALL(status, &dict->handle,
              il_dict_set(ilpy_dict_native(dict), text->text, text->bytes, message->data,
                          message->bytes, message->type, version));
    if (UNLIKELY(status == IL_OK && had)) ilpy_big_drop(&dict->handle, &before);
    if (UNLIKELY(status != IL_OK && big.text[0])) ilpy_big_drop(&dict->handle, &big);
    return status;
}

static int set(PyObject *self, PyObject *key, PyObject *value, uint64_t *version) {
    char room[ILPY_ROOM];
    ilpy_dict *dict = ilpy_dict_of(self);
    struct ilpy_key text;
    struct ilpy_message message;
    il_status status = ILPY_RAISED;
    if (ilpy_key_encode(dict->codec, key, &text) != 0) return -1;
    if (ilpy_entry_encode(dict->codec, key, &text, value, room, &message) == 0) {
        status = set_message(dict, &text, &message, version);
        if (UNLIKELY(status != IL_OK)) ilpy_dict_failed(status, key);
        ilpy_message_clear(&message);
    }
    ilpy_key_clear(&text);
    return status == IL_OK ? 0 : -1;
}

static int del(PyObject *self, PyObject *key) {
    ilpy_dict *dict = ilpy_dict_of(self);
    struct ilpy_key text;
    struct ilpy_big before;
    il_status status;
    if (ilpy_key_encode(dict->codec, key, &text) != 0) return -1;
    bool had = ilpy_handle_check(&dict->handle) == 0 && ilpy_dict_big(dict, &text, &before);
    if (ilpy_handle_check(&dict->handle) != 0) {
        ilpy_key_clear(&text);
        return -1;
    }
    ILPY_CALL(status, &dict->handle,
              il_dict_remove(ilpy_dict_native(dict), text.text, text.bytes, IL_VERSION_ANY));
    ilpy_key_clear(&text);
    if (status == IL_OK && had) ilpy_big_drop(&dict->handle, &before);
    if (status == IL_OK) return 0;
    ilpy_dict_failed(status, key);
    return -1;
}

static int dict_setitem(PyObject *self, PyObject *key, PyObject *value) {
    return value ? set(self, key, value, NULL) : del(self, key);
}

static PyObject *dict_set_version(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                  PyObject *kwnames) {
    static const char *const names[] = {"key", "value", "version", NULL};
    PyObject *values[3];
    uint64_t version;
    if (ilpy_arguments("set_version", names, 3, 3, args, count, kwnames, values) != 0 ||
        ilpy_u64(values[2], "version", &version) != 0 ||
        set(self, values[0], values[1], &version) != 0) {
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(version);
}

/* ---- glances -------------------------------------------------------------------------------------- */

static int dict_contains(PyObject *self, PyObject *key) {
    ilpy_dict *dict = ilpy_dict_of(self);
    struct ilpy_key text;
    int32_t found;
    il_status status;
    if (ilpy_handle_check(&dict->handle) != 0) return -1;
    if (ilpy_key_encode(dict->codec, key, &text) != 0) return -1;
    ILPY_CALL(status, &dict->handle,
              il_dict_contains(ilpy_dict_native(dict), text.text, text.bytes, &found));
    ilpy_key_clear(&text);
    if (status == IL_OK) return found;
    ilpy_raise(status);
    return -1;
}

static Py_ssize_t dict_length(PyObject *self) {
    ilpy_dict *dict = ilpy_dict_of(self);
    uint64_t length;
    il_status status;
    if (ilpy_handle_check(&dict->handle) != 0) return -1;
    ILPY_CALL(status, &dict->handle, il_dict_length(ilpy_dict_native(dict), &length, NULL));
    if (status == IL_OK) return (Py_ssize_t)length;
    ilpy_raise(status);
    return -1;
}

static PyObject *dict_clear(PyObject *self, PyObject *unused) {
    ilpy_dict *dict = ilpy_dict_of(self);
    il_status status;
    (void)unused;
    if (dict->codec == ILPY_PICKLE && ilpy_dict_drop_big(dict) != 0) return NULL;
    if (ilpy_handle_check(&dict->handle) != 0) return NULL;
    ILPY_CALL(status, &dict->handle, il_dict_clear(ilpy_dict_native(dict)));
    return ilpy_result(status);
}

static PyObject *dict_codec(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromLong(ilpy_dict_of(self)->codec);
}

/* ---- the type ------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    {"get", FAST(dict_get), ARGUMENTS,
     "get(key, default=None)\n--\n\nThe key's value, or DEFAULT where it is not there."},
    {"get_version", dict_get_version, METH_O, "The key's value and its version."},
    {"set_version", FAST(dict_set_version), ARGUMENTS,
     "set_version(key, value, version)\n--\n\nSet it if it still has VERSION (0: is not there); "
     "its new version. "
     "Raises Changed."},
    {"pop", FAST(dict_pop), METH_FASTCALL, "Remove the key; its value."},
    {"popitem", dict_popitem, METH_NOARGS,
     "Remove the entry whose key was set last of all; (key, value)."},
    {"setdefault", FAST(dict_setdefault), ARGUMENTS,
     "setdefault(key, default=None)\n--\n\nThe key's value, which is set to DEFAULT where it is "
     "not there."},
    {"update", FAST(ilpy_dict_update), METH_VARARGS | METH_KEYWORDS,
     "Set what a mapping, or pairs, and keywords say: one change for all others, of up to 65,536 "
     "keys."},
    {"change", FAST(ilpy_dict_change), ARGUMENTS,
     "change(set=(), remove=(), expect=())\n--\n\nSet, remove, and only if the keys of EXPECT have "
     "those versions: "
     "all in one, or nothing. The dict's new version. Raises Changed, KeyError."},
    {"clear", dict_clear, METH_NOARGS, "Remove all."},
    {"copy", ilpy_dict_copy, METH_NOARGS, "As a dict of Python."},
    {"keys", ilpy_dict_keys, METH_NOARGS,
     "A list of the keys, in the order in which they were first set."},
    {"values", ilpy_dict_values, METH_NOARGS, "A list of the values, in the keys' order."},
    {"items", ilpy_dict_items, METH_NOARGS, "A list of (key, value)."},
    {0},
};

static PyGetSetDef attributes[] = {
    {"codec", dict_codec, NULL, "JSON or PICKLE.", NULL},
    {0},
};

static PyMemberDef members[] = {WEAKREFS, {0}};

static PyType_Slot slots[] = {
    {Py_tp_new, dict_new},
    {Py_tp_dealloc, ilpy_handle_dealloc},
    {Py_tp_traverse, ilpy_handle_traverse},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
    {Py_tp_iter, ilpy_dict_iterate},
    {Py_mp_length, dict_length},
    {Py_mp_subscript, dict_getitem},
    {Py_mp_ass_subscript, dict_setitem},
    {Py_sq_contains, dict_contains},
    {Py_tp_doc,
     "Dict(domain, name=None, *, codec=JSON, max_entries=0, max_entry_bytes=0, max_bytes=0)\n--\n\n"
     "A dict of the domain. Every call is one step for all others. With the codec PICKLE a key "
     "that is "
     "set again in another form (1, True) is kept in the newest."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Dict",
    .basicsize = sizeof(ilpy_dict),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_dict(PyObject *module) {
    dict_type = ilpy_add_type(module, &spec, ilpy.handle_type);
    ilpy_adoptable(&kind, dict_type);
    return dict_type ? 0 : -1;
}
