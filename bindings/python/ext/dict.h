/* dict.h - a Dict's own parts: single entries in dict.c, many of them in dict_many.c. */
#ifndef ILPY_DICT_H
#define ILPY_DICT_H

#include "big.h"
#include "data.h"
#include "keys.h"

typedef struct ilpy_dict {
    ilpy_handle handle;
    int codec;
} ilpy_dict;

static inline ilpy_dict *ilpy_dict_of(PyObject *self) { return (ilpy_dict *)self; }
static inline il_dict *ilpy_dict_native(const ilpy_dict *dict) { return dict->handle.object; }

/* An entry's value, and its key, of TEXT, unless that is NULL; -1: exception set. TAKEN: it is not in the dict any
 * longer, so what a big value lies in is removed. */
int ilpy_dict_entry(ilpy_dict *dict, const char *text, size_t text_bytes, const char *data,
                    const il_item *item, bool taken, PyObject **key, PyObject **value);
/* Whether the key's value is a big one now. Of two that set it at once one may go unseen: its parts stay. */
bool ilpy_dict_big(ilpy_dict *dict, const struct ilpy_key *text, struct ilpy_big *big);
/* Removes all entries with big values. -1: exception set. */
int ilpy_dict_drop_big(ilpy_dict *dict);
/* KeyError, or what else STATUS says; always NULL. */
PyObject *ilpy_dict_failed(il_status status, PyObject *key);

/* Methods. */
PyObject *ilpy_dict_keys(PyObject *self, PyObject *unused);
PyObject *ilpy_dict_values(PyObject *self, PyObject *unused);
PyObject *ilpy_dict_items(PyObject *self, PyObject *unused);
PyObject *ilpy_dict_copy(PyObject *self, PyObject *unused);
PyObject *ilpy_dict_iterate(PyObject *self);
PyObject *ilpy_dict_update(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *ilpy_dict_change(PyObject *self, PyObject *const *args, Py_ssize_t count,
                           PyObject *kwnames);

#endif
