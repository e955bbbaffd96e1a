/*
 * codec.h - how objects become messages and back.
 *
 * JSON is for every language: a str is a text, what has a buffer is bytes, all else is JSON text.
 * PICKLE is Python's own: a message of bytes that begins with one of the marks below, or is a pickle (whose
 * first byte is 0x80). None of these bytes begins a text in UTF-8, so what others put is told apart.
 */
#ifndef ILPY_CODEC_H
#define ILPY_CODEC_H

#include "interlock_py.h"

#define ILPY_JSON 0
#define ILPY_PICKLE 1

#define ILPY_ROOM 4096 /* bytes on the stack in which small messages are made and received */

/* An object as a message. */
struct ilpy_message {
    const char *data;
    size_t bytes;
    uint32_t type;
    PyObject *owner; /* of data; NULL: the caller's room */
    Py_buffer view;  /* of data, if it has an obj */
};

/* 0, or -1 with an exception set and nothing to clear. ROOM has ILPY_ROOM bytes and outlives MESSAGE. */
int ilpy_encode(int codec, PyObject *object, char *room, struct ilpy_message *message);
/* The bytes of DATA, whatever has a buffer. */
int ilpy_encode_bytes(PyObject *data, struct ilpy_message *message);
void ilpy_message_clear(struct ilpy_message *message);

/* The object again. WHOLE: a bytes object that is DATA[0..BYTES), or NULL. */
PyObject *ilpy_decode(int codec, const char *data, size_t bytes, uint32_t type, PyObject *whole);

/* ValueError unless it is one of the two. */
int ilpy_codec_check(int codec);

/* ---- json_codec.c */

int ilpy_json_encode(PyObject *object, char *room, struct ilpy_message *message);
PyObject *ilpy_json_decode(const char *data, size_t bytes);

#endif
