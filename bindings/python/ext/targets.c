#include "targets.h"

#include "lock.h"

static int read_mode(PyObject *mode, il_target *target) {
    if (PyUnicode_Check(mode)) {
        target->mode = IL_EXCLUSIVE;
        if (PyUnicode_CompareWithASCIIString(mode, "exclusive") == 0) return 0;
        target->mode = IL_SHARED;
        if (PyUnicode_CompareWithASCIIString(mode, "shared") == 0) return 0;
    }
    PyErr_Format(PyExc_ValueError, "targets: expected 'shared' or 'exclusive', got %R", mode);
    return -1;
}

static int read_one(PyObject *item, ilpy_handle **handle, il_target *target) {
    PyObject *object = item, *more = NULL;
    if (PyTuple_Check(item) && PyTuple_Size(item) == 2) {
        object = PyTuple_GetItem(item, 0);
        more = PyTuple_GetItem(item, 1);
    }
    if (!PyObject_TypeCheck(object, ilpy.handle_type)) {
        PyErr_Format(PyExc_TypeError, "targets: expected an object of Interlock, got %R",
                     (PyObject *)Py_TYPE(object));
        return -1;
    }
    *handle = (ilpy_handle *)object;
    if (ilpy_handle_check(*handle) != 0) return -1;
    *target = (il_target){.kind = (*handle)->kind->number, .object = (*handle)->object};
    if (target->kind == IL_KIND_RWLOCK) {
        target->mode = IL_EXCLUSIVE;
        return more ? read_mode(more, target) : 0;
    }
    if (target->kind == IL_KIND_SEMAPHORE)
        return more ? ilpy_u32(more, "targets", &target->count) : 0;
    if (!more) return 0;
    PyErr_Format(PyExc_TypeError, "targets: a %s takes no mode or count", (*handle)->kind->name);
    return -1;
}

int ilpy_targets_read(PyObject *sequence, struct ilpy_targets *out) {
    PyObject *items = PySequence_List(sequence);
    out->count = 0;
    if (!items) return -1;
    Py_ssize_t count = PyList_Size(items);
    if (count < 1 || count > (Py_ssize_t)IL_TARGETS_MAX) {
        PyErr_Format(PyExc_ValueError, "targets: expected 1 to %d, got %zd", (int)IL_TARGETS_MAX,
                     count);
        goto failed;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (read_one(PyList_GetItem(items, i), &out->handles[i], &out->targets[i]) != 0)
            goto failed;
        Py_INCREF((PyObject *)out->handles[i]);
        out->count++;
    }
    Py_DECREF(items);
    return 0;
failed:
    Py_DECREF(items);
    ilpy_targets_free(out);
    return -1;
}

void ilpy_targets_free(struct ilpy_targets *targets) {
    for (size_t i = 0; i < targets->count; i++) Py_DECREF((PyObject *)targets->handles[i]);
    targets->count = 0;
}

int ilpy_target_granted(struct ilpy_targets *targets, size_t i) {
    ilpy_handle *handle = targets->handles[i];
    const il_target *target = &targets->targets[i];
    if (PyObject_TypeCheck((PyObject *)handle, ilpy.lock_type)) {
        return ilpy_lock_noted((ilpy_lock *)handle, target->status, target->token);
    }
    if (target->status == IL_EOWNERDEAD) return ilpy_warn_owner_died(handle);
    return 0;
}

void ilpy_target_released(struct ilpy_targets *targets, size_t i) {
    ilpy_handle *handle = targets->handles[i];
    if (!PyObject_TypeCheck((PyObject *)handle, ilpy.lock_type)) return;
    ilpy_lock *lock = (ilpy_lock *)handle;
    if (lock->held == targets->targets[i].token && --lock->depth == 0) lock->held = 0;
}
