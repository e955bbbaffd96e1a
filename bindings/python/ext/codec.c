/*
 * codec.c - PICKLE's own forms, and which codec does what.
 *
 * A form is a mark, then: INT 8 bytes, FLOAT 8 bytes, STR and BYTES 4 bytes of length and the data, TUPLE one byte
 * of length and its items. Numbers are little endian. OTHER: what the pickler made, if that does not begin with
 * 0x80 as pickles do.
 */
#include "codec.h"

#include "data.h"

#include <string.h>

#define MARK_NONE '\xf5'
#define MARK_FALSE '\xf6'
#define MARK_TRUE '\xf7'
#define MARK_INT '\xf8'
#define MARK_FLOAT '\xf9'
#define MARK_STR '\xfa'
#define MARK_BYTES '\xfb'
#define MARK_TUPLE '\xfc'
#define MARK_OTHER '\xfd'
#define PICKLE_FIRST '\x80'
#define PICKLE_LAST '.'

#define TUPLE_MAX 255
#define DEPTH_MAX 4 /* of tuples in tuples */

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the forms are little endian"
#endif

static PyObject *pickle_dumps, *pickle_loads;

static int load_pickler(void) {
    if (pickle_loads) return 0;
    PyObject *module = PyImport_ImportModule("pickle");
    if (!module) return -1;
    if (!pickle_dumps) pickle_dumps = PyObject_GetAttrString(module, "dumps");
    if (pickle_dumps) pickle_loads = PyObject_GetAttrString(module, "loads");
    Py_DECREF(module);
    return pickle_loads ? 0 : -1;
}

/* ---- packing -------------------------------------------------------------------------------------- */

struct room {
    char *at, *end;
};

static bool pack_bytes(char mark, const char *data, Py_ssize_t bytes, struct room *room) {
    if (room->end - room->at < bytes + 5) return false;
    uint32_t length = (uint32_t)bytes;
    room->at[0] = mark;
    memcpy(room->at + 1, &length, 4);
    memcpy(room->at + 5, data, (size_t)bytes);
    room->at += 5 + bytes;
    return true;
}

static bool pack_word(char mark, const void *word, struct room *room) {
    if (room->end - room->at < 9) return false;
    room->at[0] = mark;
    memcpy(room->at + 1, word, 8);
    room->at += 9;
    return true;
}

static bool pack_text(PyObject *object, struct room *room) {
    Py_ssize_t bytes;
    if (PyUnicode_GetLength(object) > room->end - room->at) return false;
    const char *data = PyUnicode_AsUTF8AndSize(object, &bytes);
    if (data) return pack_bytes(MARK_STR, data, bytes, room);
    PyErr_Clear(); /* surrogates: the pickler can */
    return false;
}

/* Whether OBJECT has a form, and there was room for it. */
static bool pack(PyObject *object, struct room *room, int depth) {
    PyTypeObject *type = Py_TYPE(object);
    if (type == &PyLong_Type) {
        int overflow;
        long long number = PyLong_AsLongLongAndOverflow(object, &overflow);
        return !overflow && pack_word(MARK_INT, &number, room);
    }
    if (type == &PyUnicode_Type) return pack_text(object, room);
    if (type == &PyBytes_Type) {
        return pack_bytes(MARK_BYTES, PyBytes_AsString(object), PyBytes_Size(object), room);
    }
    if (type == &PyFloat_Type) {
        double number = PyFloat_AsDouble(object);
        return pack_word(MARK_FLOAT, &number, room);
    }
    if (room->end == room->at) return false;
    if (object == Py_None) return *room->at++ = MARK_NONE, true;
    if (object == Py_True) return *room->at++ = MARK_TRUE, true;
    if (object == Py_False) return *room->at++ = MARK_FALSE, true;
    if (type != &PyTuple_Type || depth == DEPTH_MAX) return false;
    Py_ssize_t count = PyTuple_Size(object);
    if (count > TUPLE_MAX || room->end - room->at < 2) return false;
    *room->at++ = MARK_TUPLE;
    *room->at++ = (char)count;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!pack(PyTuple_GetItem(object, i), room, depth + 1)) return false;
    }
    return true;
}

/* ---- unpacking ------------------------------------------------------------------------------------ */

static PyObject *torn(void) {
    return ilpy_raise_text(
        IL_EINVAL, "the message is not one that Python put with the codec PICKLE, or is torn");
}

struct rest {
    const char *at, *end;
};

static const char *take(struct rest *rest, size_t bytes) {
    if ((size_t)(rest->end - rest->at) < bytes) return NULL;
    const char *data = rest->at;
    rest->at += bytes;
    return data;
}

static PyObject *unpack(struct rest *rest, int depth);

static PyObject *unpack_tuple(struct rest *rest, int depth) {
    const char *length = take(rest, 1);
    if (!length || depth == DEPTH_MAX) return torn();
    Py_ssize_t count = (unsigned char)*length;
    if (rest->end - rest->at < count) return torn();
    PyObject *tuple = PyTuple_New(count);
    for (Py_ssize_t i = 0; tuple && i < count; i++) {
        PyObject *item = unpack(rest, depth + 1);
        if (!item || PyTuple_SetItem(tuple, i, item) != 0) Py_CLEAR(tuple);
    }
    return tuple;
}

static PyObject *unpack_data(char mark, struct rest *rest) {
    uint32_t bytes;
    const char *data = take(rest, 4);
    if (!data) return torn();
    memcpy(&bytes, data, 4);
    data = take(rest, bytes);
    if (!data) return torn();
    if (mark == MARK_BYTES) return PyBytes_FromStringAndSize(data, bytes);
    return PyUnicode_DecodeUTF8(data, bytes, NULL);
}

static PyObject *unpack(struct rest *rest, int depth) {
    const char *mark = take(rest, 1), *data;
    switch (mark ? *mark : 0) {
    case MARK_NONE: Py_RETURN_NONE;
    case MARK_FALSE: Py_RETURN_FALSE;
    case MARK_TRUE: Py_RETURN_TRUE;
    case MARK_STR:
    case MARK_BYTES: return unpack_data(*mark, rest);
    case MARK_TUPLE: return unpack_tuple(rest, depth);
    case MARK_INT:
        if ((data = take(rest, 8))) {
            long long number;
            memcpy(&number, data, 8);
            return PyLong_FromLongLong(number);
        }
        break;
    case MARK_FLOAT:
        if ((data = take(rest, 8))) {
            double number;
            memcpy(&number, data, 8);
            return PyFloat_FromDouble(number);
        }
        break;
    default: break;
    }
    return torn();
}

static PyObject *unpickle(const char *data, size_t bytes, PyObject *whole) {
    if (load_pickler() != 0) return NULL;
    if (whole) return PyObject_CallFunctionObjArgs(pickle_loads, whole, NULL);
    PyObject *copy = PyBytes_FromStringAndSize(data, (Py_ssize_t)bytes);
    PyObject *object = copy ? PyObject_CallFunctionObjArgs(pickle_loads, copy, NULL) : NULL;
    Py_XDECREF(copy);
    return object;
}

static PyObject *pickle_decode(const char *data, size_t bytes, PyObject *whole) {
    if (bytes == 0) return torn();
    if (data[0] == PICKLE_FIRST) {
        return data[bytes - 1] == PICKLE_LAST ? unpickle(data, bytes, whole) : torn();
    }
    if (data[0] == MARK_OTHER) return unpickle(data + 1, bytes - 1, NULL);
    struct rest rest = {data, data + bytes};
    PyObject *object = unpack(&rest, 0);
    if (object && rest.at != rest.end) {
        Py_DECREF(object);
        return torn();
    }
    return object;
}

/* ---- encoding ------------------------------------------------------------------------------------- */

int ilpy_encode_bytes(PyObject *data, struct ilpy_message *message) {
    message->owner = NULL;
    message->view.obj = NULL;
    message->type = IL_BYTES;
    if (PyBytes_CheckExact(data)) {
        message->owner = Py_NewRef(data);
        message->data = PyBytes_AsString(data);
        message->bytes = (size_t)PyBytes_Size(data);
        return 0;
    }
    if (PyObject_GetBuffer(data, &message->view, PyBUF_SIMPLE) != 0) {
        message->view.obj = NULL;
        return -1;
    }
    message->data = message->view.buf;
    message->bytes = (size_t)message->view.len;
    return 0;
}

void ilpy_message_clear(struct ilpy_message *message) {
    if (message->view.obj) PyBuffer_Release(&message->view);
    Py_CLEAR(message->owner);
}

/* What a pickler of the caller's made, with a mark before it. */
static int mark_other(struct ilpy_message *message) {
    PyObject *marked = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)message->bytes + 1);
    if (marked) {
        char *to = PyBytes_AsString(marked);
        to[0] = MARK_OTHER;
        memcpy(to + 1, message->data, message->bytes);
        message->data = to;
        message->bytes++;
    }
    if (message->view.obj) PyBuffer_Release(&message->view);
    Py_XDECREF(message->owner);
    message->owner = marked;
    return marked ? 0 : -1;
}

static int pickle_encode(PyObject *object, char *room, struct ilpy_message *message) {
    struct room rest = {room, room + ILPY_ROOM};
    message->type = IL_BYTES;
    if (pack(object, &rest, 0)) {
        message->data = room;
        message->bytes = (size_t)(rest.at - room);
        return 0;
    }
    if (load_pickler() != 0) return -1;
    PyObject *pickled = PyObject_CallFunctionObjArgs(pickle_dumps, object, NULL);
    if (!pickled) return -1;
    int failed = ilpy_encode_bytes(pickled, message);
    Py_DECREF(pickled);
    if (failed) return -1;
    if (message->bytes && message->data[0] == PICKLE_FIRST &&
        message->data[message->bytes - 1] == PICKLE_LAST) {
        return 0;
    }
    return mark_other(message);
}

static int text_encode(PyObject *text, struct ilpy_message *message) {
    Py_ssize_t bytes;
    const char *data = PyUnicode_AsUTF8AndSize(text, &bytes);
    if (!data) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return -1;
        PyErr_SetString(
            PyExc_ValueError,
            "the text has a lone surrogate, which is no character: it cannot be sent as a text");
        return -1;
    }
    if (memchr(data, 0, (size_t)bytes)) {
        PyErr_SetString(PyExc_ValueError, "the text has a NUL in it: it cannot be sent as a text");
        return -1;
    }
    message->owner = Py_NewRef(text);
    message->data = data;
    message->bytes = (size_t)bytes;
    message->type = IL_TEXT;
    return 0;
}

int ilpy_encode(int codec, PyObject *object, char *room, struct ilpy_message *message) {
    message->owner = NULL;
    message->view.obj = NULL;
    if (codec == ILPY_PICKLE) return pickle_encode(object, room, message);
    if (PyUnicode_Check(object)) return text_encode(object, message);
    if (PyObject_CheckBuffer(object)) return ilpy_encode_bytes(object, message);
    message->type = IL_JSON;
    return ilpy_json_encode(object, room, message);
}

PyObject *ilpy_decode(int codec, const char *data, size_t bytes, uint32_t type, PyObject *whole) {
    if (codec == ILPY_PICKLE) return type == IL_BYTES ? pickle_decode(data, bytes, whole) : torn();
    switch (type) {
    case IL_TEXT: return PyUnicode_DecodeUTF8(data, (Py_ssize_t)bytes, NULL);
    case IL_JSON: return ilpy_json_decode(data, bytes);
    default: return whole ? Py_NewRef(whole) : PyBytes_FromStringAndSize(data, (Py_ssize_t)bytes);
    }
}

int ilpy_codec_check(int codec) {
    if (codec == ILPY_JSON || codec == ILPY_PICKLE) return 0;
    PyErr_Format(PyExc_ValueError, "codec: expected JSON or PICKLE, got %d", codec);
    return -1;
}

/* ---- the module's functions ----------------------------------------------------------------------- */

static PyObject *dumps(PyObject *module, PyObject *object) {
    (void)module;
    char room[ILPY_ROOM];
    struct ilpy_message message;
    if (ilpy_encode(ILPY_PICKLE, object, room, &message) != 0) return NULL;
    PyObject *bytes = message.owner && PyBytes_CheckExact(message.owner) && !message.view.obj
                          ? Py_NewRef(message.owner)
                          : PyBytes_FromStringAndSize(message.data, (Py_ssize_t)message.bytes);
    ilpy_message_clear(&message);
    return bytes;
}

static PyObject *loads(PyObject *module, PyObject *data) {
    (void)module;
    struct ilpy_message message;
    if (ilpy_encode_bytes(data, &message) != 0) return NULL;
    PyObject *object = pickle_decode(message.data, message.bytes, message.owner);
    ilpy_message_clear(&message);
    return object;
}

static PyObject *set_pickler(PyObject *module, PyObject *const *args, Py_ssize_t count,
                             PyObject *kwnames) {
    static const char *const names[] = {"dumps", "loads", NULL};
    PyObject *values[2];
    (void)module;
    if (ilpy_arguments("set_pickler", names, 2, 2, args, count, kwnames, values) != 0) return NULL;
    for (int i = 0; i < 2; i++) {
        if (!PyCallable_Check(values[i])) {
            return PyErr_Format(PyExc_TypeError, "%s: expected a callable, got %R", names[i],
                                (PyObject *)Py_TYPE(values[i]));
        }
    }
    PyObject *old_dumps = pickle_dumps, *old_loads = pickle_loads;
    pickle_dumps = Py_NewRef(values[0]);
    pickle_loads = Py_NewRef(values[1]);
    Py_XDECREF(old_dumps);
    Py_XDECREF(old_loads);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"dumps", dumps, METH_O, "The object in the form that the codec PICKLE gives it."},
    {"loads", loads, METH_O, "The object again."},
    {"set_pickler", FAST(set_pickler), ARGUMENTS,
     "What PICKLE uses for objects that have no form of their own; at first pickle's dumps and "
     "loads."},
    {0},
};

int ilpy_add_codec(PyObject *module) {
    if (PyModule_AddIntConstant(module, "JSON", ILPY_JSON) != 0 ||
        PyModule_AddIntConstant(module, "PICKLE", ILPY_PICKLE) != 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, functions);
}
