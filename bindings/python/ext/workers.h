/* workers.h - handles to the server's pools and their tasks. */
#ifndef ILPY_WORKERS_H
#define ILPY_WORKERS_H

#include "data.h"

/* Both kinds: a native handle that is closed once nobody is in a call with it, and keeps the domain open. */
typedef struct ilpy_remote {
    PyObject_HEAD void *native; /* NULL: closed */
    ilpy_domain *domain;
    il_status (*close)(void *native);
    unsigned users; /* threads in a call */
    bool closing;
} ilpy_remote;

/* A Python object for NATIVE, which it takes over, also when it fails. */
PyObject *ilpy_remote_new(PyTypeObject *type, ilpy_domain *domain, void *native,
                          il_status (*close)(void *native));
/* Around a call: -1 and Closed if it is closed. */
int ilpy_remote_begin(ilpy_remote *self);
void ilpy_remote_end(ilpy_remote *self);
PyObject *ilpy_remote_close(PyObject *self, PyObject *unused);
void ilpy_remote_dealloc(PyObject *self);
int ilpy_remote_traverse(PyObject *self, visitproc visit, void *arg);

/* A Task for NATIVE, taken over. */
PyObject *ilpy_task_new(ilpy_domain *domain, il_task *native);

#endif
