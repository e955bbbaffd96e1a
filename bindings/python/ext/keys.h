/*
 * keys.h - keys of a Dict as texts.
 *
 * JSON: a str as it is. PICKLE: a text that is the same for keys which are equal and have the same hash: "s" and a
 * str, "i" and a whole number (True, 1 and 1.0), "f" and another float, "n" for None, "b" and the digits of bytes,
 * "(" and the texts of a tuple's items, "{" and those of a frozenset, sorted, "p" and the digits of a pickle; of what
 * would be too long, "h" and its SHA-256. But for "s", "i" and "n" the key itself is kept beside the value.
 */
#ifndef ILPY_KEYS_H
#define ILPY_KEYS_H

#include "codec.h"

struct ilpy_key {
    const char *text;
    size_t bytes;
    bool beside;     /* the text does not tell the key */
    PyObject *owner; /* of the text; NULL: room, or the key */
    char room[32];
};

/* 0, or -1 with an exception set and nothing to clear. KEY outlives OUT. */
int ilpy_key_encode(int codec, PyObject *key, struct ilpy_key *out);
static inline void ilpy_key_clear(struct ilpy_key *key) { Py_CLEAR(key->owner); }

/* The value of an entry as a message: with the key before it where that is kept beside. As ilpy_encode(). */
int ilpy_entry_encode(int codec, PyObject *key, const struct ilpy_key *text, PyObject *value,
                      char *room, struct ilpy_message *message);
/* Parts the two: returns how many bytes the key takes; 0: it is not there. *KEY (may be NULL): the key. -1: exception. */
Py_ssize_t ilpy_entry_key(int codec, const char *data, size_t bytes, uint32_t type, PyObject **key);
/* The key that a text tells. */
PyObject *ilpy_key_decode(int codec, const char *text, size_t bytes);

#endif
