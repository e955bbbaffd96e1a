/* list.h - a List's own parts: single items in list.c, many of them in list_many.c. */
#ifndef ILPY_LIST_H
#define ILPY_LIST_H

#include "big.h"
#include "data.h"

typedef struct ilpy_list {
    ilpy_handle handle;
    int codec;
} ilpy_list;

static inline ilpy_list *ilpy_list_of(PyObject *self) { return (ilpy_list *)self; }
static inline il_list *ilpy_list_native(const ilpy_list *list) { return list->handle.object; }

/* NULL after raising what STATUS says, unless it was raised. */
PyObject *ilpy_list_failed(il_status status);
int64_t ilpy_list_length(ilpy_list *list); /* -1: exception set */

/* The items from START to before STOP at one moment, a list of Python. *VERSION (may be NULL): of the List. */
PyObject *ilpy_list_read(ilpy_list *list, int64_t start, int64_t stop, uint64_t *version);

/* With PICKLE, whether the item at INDEX is a big one. */
bool ilpy_list_big(ilpy_list *list, int64_t index, struct ilpy_big *big);
/* The messages of the big values from START to before STOP, a list of bytes, new; NULL: exception. */
PyObject *ilpy_list_bigs(ilpy_list *list, int64_t start, int64_t stop);
/* They are no longer in the list: removes what they lie in. Takes TEXTS over. */
void ilpy_list_drop(ilpy_list *list, PyObject *texts);

/* Methods. */
PyObject *ilpy_list_get_slice(ilpy_list *list, PyObject *slice);
int ilpy_list_set_slice(ilpy_list *list, PyObject *slice, PyObject *values); /* NULL: delete */
PyObject *ilpy_list_extend(PyObject *self, PyObject *values);
PyObject *ilpy_list_sort(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *ilpy_list_copy(PyObject *self, PyObject *unused);
PyObject *ilpy_list_iterate(PyObject *self);
PyObject *ilpy_list_index(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *ilpy_list_count(PyObject *self, PyObject *value);
PyObject *ilpy_list_remove(PyObject *self, PyObject *value);
int ilpy_list_contains(PyObject *self, PyObject *value);

#endif
