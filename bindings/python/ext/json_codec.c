/* json_codec.c - JSON texts: numbers and names here, all else by the json module. */
#include "codec.h"

#include <stdio.h>
#include <string.h>

#define DIGITS_MAX 18 /* of what surely fits into 64 bits */

static struct {
    PyObject *encode; /* JSONEncoder(...).encode */
    PyObject *scan;   /* JSONDecoder().scan_once */
    PyObject *decode; /* JSONDecoder().decode, for what is no JSON, and says so */
} json;

static int load(void) {
    if (json.decode) return 0;
    PyObject *module = PyImport_ImportModule("json");
    PyObject *encoder = NULL, *decoder = NULL, *none = PyTuple_New(0);
    PyObject *options = Py_BuildValue("{s:O,s:O,s:(ss)}", "ensure_ascii", Py_False, "allow_nan",
                                      Py_False, "separators", ",", ":");
    PyObject *class = module ? PyObject_GetAttrString(module, "JSONEncoder") : NULL;
    if (class && options && none) encoder = PyObject_Call(class, none, options);
    if (encoder) decoder = PyObject_CallMethod(module, "JSONDecoder", NULL);
    if (decoder && !json.encode) json.encode = PyObject_GetAttrString(encoder, "encode");
    if (json.encode && !json.scan) json.scan = PyObject_GetAttrString(decoder, "scan_once");
    if (json.scan) json.decode = PyObject_GetAttrString(decoder, "decode");
    Py_XDECREF(class);
    Py_XDECREF(options);
    Py_XDECREF(none);
    Py_XDECREF(encoder);
    Py_XDECREF(decoder);
    Py_XDECREF(module);
    return json.decode ? 0 : -1;
}

static int constant(const char *text, size_t bytes, struct ilpy_message *message) {
    message->data = text;
    message->bytes = bytes;
    return 0;
}

/* 1: done, 0: the module has to do it. */
static int encode_simple(PyObject *object, char *room, struct ilpy_message *message) {
    if (object == Py_None) return constant("null", 4, message) == 0;
    if (object == Py_True) return constant("true", 4, message) == 0;
    if (object == Py_False) return constant("false", 5, message) == 0;
    if (!PyLong_CheckExact(object)) return 0;
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow) return 0;
    int length = snprintf(room, ILPY_ROOM, "%lld", number);
    return constant(room, (size_t)length, message) == 0;
}

int ilpy_json_encode(PyObject *object, char *room, struct ilpy_message *message) {
    if (encode_simple(object, room, message)) return 0;
    if (load() != 0) return -1;
    Py_ssize_t bytes;
    PyObject *text = PyObject_CallFunctionObjArgs(json.encode, object, NULL);
    const char *data = text ? PyUnicode_AsUTF8AndSize(text, &bytes) : NULL;
    if (!data) {
        if (text && PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
            PyErr_SetString(PyExc_ValueError,
                            "a text in it has a lone surrogate, which is no character: "
                            "it cannot be sent as JSON");
        }
        Py_XDECREF(text);
        return -1;
    }
    message->owner = text;
    message->data = data;
    message->bytes = (size_t)bytes;
    return 0;
}

/* A short whole number, or NULL without an exception. */
static PyObject *decode_number(const char *data, size_t bytes) {
    size_t sign = bytes && data[0] == '-', digits = bytes - sign;
    if (digits == 0 || digits > DIGITS_MAX || (data[sign] == '0' && digits > 1)) return NULL;
    long long number = 0;
    for (size_t i = sign; i < bytes; i++) {
        if (data[i] < '0' || data[i] > '9') return NULL;
        number = number * 10 + (data[i] - '0');
    }
    if (sign && number == 0) return NULL;
    return PyLong_FromLongLong(sign ? -number : number);
}

PyObject *ilpy_json_decode(const char *data, size_t bytes) {
    if (bytes <= DIGITS_MAX + 1) {
        if (bytes == 4 && memcmp(data, "null", 4) == 0) Py_RETURN_NONE;
        if (bytes == 4 && memcmp(data, "true", 4) == 0) Py_RETURN_TRUE;
        if (bytes == 5 && memcmp(data, "false", 5) == 0) Py_RETURN_FALSE;
        PyObject *number = decode_number(data, bytes);
        if (number || PyErr_Occurred()) return number;
    }
    if (load() != 0) return NULL;
    PyObject *text = PyUnicode_DecodeUTF8(data, (Py_ssize_t)bytes, NULL);
    if (!text) return NULL;
    PyObject *value = NULL;
    PyObject *pair = PyObject_CallFunction(json.scan, "Oi", text, 0);
    if (pair && PyLong_AsSsize_t(PyTuple_GetItem(pair, 1)) == PyUnicode_GetLength(text)) {
        value = Py_NewRef(PyTuple_GetItem(pair, 0));
    } else { /* blanks around it, or an error that it words better */
        PyErr_Clear();
        value = PyObject_CallFunctionObjArgs(json.decode, text, NULL);
    }
    Py_XDECREF(pair);
    Py_DECREF(text);
    return value;
}
