#include "keys.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MARK_KEYED '\xfe' /* then 4 bytes: the length of the key, the key, the value */
#define HEAD 5

/* ---- texts ---------------------------------------------------------------------------------------- */

static PyObject *text_of(PyObject *key);

static PyObject *joined(const char *open, PyObject *texts) {
    PyObject *text = PyUnicode_FromString(open);
    for (Py_ssize_t i = 0; text && i < PyList_Size(texts); i++) {
        PyObject *item = PyList_GetItem(texts, i);
        PyObject *more = PyUnicode_FromFormat("%U%zd:%U", text, PyUnicode_GetLength(item), item);
        Py_DECREF(text);
        text = more;
    }
    return text;
}

/* Of a tuple or a frozenset. */
static PyObject *text_of_items(PyObject *key, const char *open, bool sorted) {
    if (Py_EnterRecursiveCall(" in a key") != 0) return NULL;
    PyObject *texts = PySequence_List(key);
    for (Py_ssize_t i = 0; texts && i < PyList_Size(texts); i++) {
        PyObject *text = text_of(PyList_GetItem(texts, i));
        if (!text || PyList_SetItem(texts, i, text) != 0) Py_CLEAR(texts);
    }
    if (texts && sorted && PyList_Sort(texts) != 0) Py_CLEAR(texts);
    PyObject *text = texts ? joined(open, texts) : NULL;
    Py_XDECREF(texts);
    Py_LeaveRecursiveCall();
    return text;
}

static PyObject *digits_of(const char *mark, PyObject *bytes) {
    PyObject *digits = bytes ? PyObject_CallMethod(bytes, "hex", NULL) : NULL;
    PyObject *text = digits ? PyUnicode_FromFormat("%s%U", mark, digits) : NULL;
    Py_XDECREF(digits);
    return text;
}

static PyObject *text_of_float(PyObject *key) {
    double number = PyFloat_AsDouble(key);
    PyObject *plain = PyFloat_FromDouble(number);
    PyObject *text = NULL;
    if (!plain) return NULL;
    if (isfinite(number) && floor(number) == number) {
        PyObject *whole = PyNumber_Long(plain);
        text = whole ? text_of(whole) : NULL;
        Py_XDECREF(whole);
    } else {
        text = PyUnicode_FromFormat("f%R", plain);
    }
    Py_DECREF(plain);
    return text;
}

static PyObject *text_of_int(PyObject *key) {
    PyObject *digits = PyNumber_ToBase(key, 10);
    PyObject *text = digits ? PyUnicode_FromFormat("i%U", digits) : NULL;
    Py_XDECREF(digits);
    return text;
}

static PyObject *text_of_other(PyObject *key) {
    char room[ILPY_ROOM];
    struct ilpy_message message;
    if (PyObject_Hash(key) == -1) return NULL; /* TypeError: unhashable */
    if (ilpy_encode(ILPY_PICKLE, key, room, &message) != 0) return NULL;
    PyObject *bytes = PyBytes_FromStringAndSize(message.data, (Py_ssize_t)message.bytes);
    ilpy_message_clear(&message);
    PyObject *text = digits_of("p", bytes);
    Py_XDECREF(bytes);
    return text;
}

static PyObject *text_of(PyObject *key) {
    if (PyUnicode_Check(key)) return PyUnicode_FromFormat("s%U", key);
    if (PyLong_Check(key)) return text_of_int(key);
    if (PyFloat_Check(key)) return text_of_float(key);
    if (key == Py_None) return PyUnicode_FromString("n");
    if (PyBytes_Check(key)) return digits_of("b", key);
    if (PyTuple_Check(key)) return text_of_items(key, "(", false);
    if (Py_IS_TYPE(key, &PyFrozenSet_Type)) return text_of_items(key, "{", true);
    return text_of_other(key);
}

/* "h" and the SHA-256 of TEXT, encoded. */
static PyObject *hashed(PyObject *encoded) {
    PyObject *module = PyImport_ImportModule("hashlib");
    PyObject *hash = module ? PyObject_CallMethod(module, "sha256", "O", encoded) : NULL;
    PyObject *digits = hash ? PyObject_CallMethod(hash, "hexdigest", NULL) : NULL;
    PyObject *text = digits ? PyUnicode_FromFormat("h%U", digits) : NULL;
    Py_XDECREF(module);
    Py_XDECREF(hash);
    Py_XDECREF(digits);
    return text;
}

/* ---- keys ----------------------------------------------------------------------------------------- */

static int key_from_text(PyObject *text, struct ilpy_key *out) {
    /* surrogates, which a str may have and UTF-8 has not, are told apart by their bytes */
    PyObject *encoded = text ? PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass") : NULL;
    Py_XDECREF(text);
    if (!encoded) return -1;
    PyObject *owner = NULL;
    Py_ssize_t bytes;
    if (PyBytes_Size(encoded) <= IL_KEY_MAX_BYTES) {
        owner = PyUnicode_DecodeUTF8(PyBytes_AsString(encoded), PyBytes_Size(encoded), NULL);
        if (!owner) PyErr_Clear();
    }
    if (!owner) {
        owner = hashed(encoded);
        out->beside = true;
    }
    Py_DECREF(encoded);
    out->text = owner ? PyUnicode_AsUTF8AndSize(owner, &bytes) : NULL;
    out->bytes = out->text ? (size_t)bytes : 0;
    out->owner = owner;
    if (out->text) return 0;
    Py_CLEAR(out->owner);
    return -1;
}

static int json_key(PyObject *key, struct ilpy_key *out) {
    Py_ssize_t bytes;
    if (!PyUnicode_Check(key)) {
        PyErr_Format(PyExc_TypeError, "key: expected str, as JSON has it, got %R",
                     (PyObject *)Py_TYPE(key));
        return -1;
    }
    out->text = PyUnicode_AsUTF8AndSize(key, &bytes);
    out->bytes = out->text ? (size_t)bytes : 0;
    return out->text ? 0 : -1;
}

int ilpy_key_encode(int codec, PyObject *key, struct ilpy_key *out) {
    out->owner = NULL;
    out->beside = false;
    if (codec == ILPY_JSON) return json_key(key, out);
    if (PyLong_CheckExact(key)) {
        int overflow;
        long long number = PyLong_AsLongLongAndOverflow(key, &overflow);
        if (!overflow) {
            out->bytes = (size_t)snprintf(out->room, sizeof out->room, "i%lld", number);
            out->text = out->room;
            return 0;
        }
    }
    if (PyUnicode_CheckExact(key)) { /* short ASCII texts without an object in between */
        Py_ssize_t bytes;
        if (PyUnicode_GetLength(key) < (Py_ssize_t)sizeof out->room) {
            const char *text = PyUnicode_AsUTF8AndSize(key, &bytes);
            if (!text) PyErr_Clear();
            if (text && bytes < (Py_ssize_t)sizeof out->room) {
                out->room[0] = 's';
                memcpy(out->room + 1, text, (size_t)bytes);
                out->text = out->room;
                out->bytes = (size_t)bytes + 1;
                return 0;
            }
        }
    }
    out->beside = !(PyUnicode_CheckExact(key) || PyLong_CheckExact(key) || key == Py_None);
    return key_from_text(text_of(key), out);
}

PyObject *ilpy_key_decode(int codec, const char *text, size_t bytes) {
    if (codec == ILPY_JSON) return PyUnicode_DecodeUTF8(text, (Py_ssize_t)bytes, NULL);
    if (bytes == 1 && text[0] == 'n') Py_RETURN_NONE;
    if (bytes && text[0] == 's') {
        return PyUnicode_DecodeUTF8(text + 1, (Py_ssize_t)bytes - 1, NULL);
    }
    char digits[IL_KEY_MAX_BYTES + 1], *end;
    if (bytes > 1 && bytes <= IL_KEY_MAX_BYTES && text[0] == 'i') {
        memcpy(digits, text + 1, bytes - 1);
        digits[bytes - 1] = 0;
        PyObject *number = PyLong_FromString(digits, &end, 10);
        if (number) return number;
        PyErr_Clear();
    }
    return ilpy_raise_text(IL_EINVAL,
                           "the dict has a key that Python did not set with the codec PICKLE");
}

/* ---- entries -------------------------------------------------------------------------------------- */

/* MESSAGE with the packed key before it. */
static int put_beside(PyObject *key, struct ilpy_message *message) {
    char room[ILPY_ROOM];
    struct ilpy_message packed;
    if (ilpy_encode(ILPY_PICKLE, key, room, &packed) != 0) return -1;
    uint32_t length = (uint32_t)packed.bytes;
    PyObject *whole =
        PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(HEAD + packed.bytes + message->bytes));
    if (whole) {
        char *to = PyBytes_AsString(whole);
        to[0] = MARK_KEYED;
        memcpy(to + 1, &length, 4);
        memcpy(to + HEAD, packed.data, packed.bytes);
        memcpy(to + HEAD + packed.bytes, message->data, message->bytes);
        message->data = to;
        message->bytes += HEAD + packed.bytes;
        if (message->view.obj) PyBuffer_Release(&message->view);
        Py_XDECREF(message->owner);
        message->owner = whole;
    }
    ilpy_message_clear(&packed);
    return whole ? 0 : -1;
}

int ilpy_entry_encode(int codec, PyObject *key, const struct ilpy_key *text, PyObject *value,
                      char *room, struct ilpy_message *message) {
    if (ilpy_encode(codec, value, room, message) != 0) return -1;
    if (!text->beside || put_beside(key, message) == 0) return 0;
    ilpy_message_clear(message);
    return -1;
}

Py_ssize_t ilpy_entry_key(int codec, const char *data, size_t bytes, uint32_t type,
                          PyObject **key) {
    uint32_t length;
    if (codec != ILPY_PICKLE || type != IL_BYTES || bytes == 0 || data[0] != MARK_KEYED) return 0;
    if (bytes >= HEAD) memcpy(&length, data + 1, 4);
    if (bytes < HEAD || bytes - HEAD < length) {
        ilpy_raise_text(IL_EINVAL, "the dict has a value that Python did not set, or it is torn");
        return -1;
    }
    if (key) {
        *key = ilpy_decode(ILPY_PICKLE, data + HEAD, length, IL_BYTES, NULL);
        if (!*key) return -1;
    }
    return (Py_ssize_t)(HEAD + length);
}
