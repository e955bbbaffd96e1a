#include "targets.h"

static il_status acquire_waiting(void *context, int64_t timeout_ns) {
    struct ilpy_targets *t = context;
    return il_acquire_all(t->targets, t->count, timeout_ns);
}

static bool is_granted(il_status status) { return status == IL_OK || status == IL_EOWNERDEAD; }

/* The tokens. On failure everything is released again. */
static PyObject *tokens_of(struct ilpy_targets *t) {
    PyObject *list = PyList_New((Py_ssize_t)t->count);
    for (size_t i = 0; list && i < t->count; i++) {
        PyObject *token = PyLong_FromUnsignedLongLong(t->targets[i].token);
        if (!token || PyList_SetItem(list, (Py_ssize_t)i, token) != 0) Py_CLEAR(list);
    }
    for (size_t i = 0; i < t->count; i++) {
        if (ilpy_target_granted(t, i) != 0) Py_CLEAR(list);
    }
    if (list) return list;
    (void)il_release_all(t->targets, t->count);
    for (size_t i = 0; i < t->count; i++) ilpy_target_released(t, i);
    return NULL;
}

static PyObject *acquire_all(PyObject *module, PyObject *const *args, Py_ssize_t count,
                             PyObject *kwnames) {
    (void)module;
    static const char *const names[] = {"targets", "timeout", NULL};
    struct ilpy_targets t;
    PyObject *values[2], *result = NULL;
    int64_t timeout_ns;
    if (ilpy_arguments("acquire_all", names, 2, 1, args, count, kwnames, values) != 0 ||
        ilpy_timeout(values[1], false, &timeout_ns) != 0 || ilpy_targets_read(values[0], &t) != 0) {
        return NULL;
    }
    il_status status =
        ilpy_wait_several(t.handles, t.uses, t.count, acquire_waiting, &t, timeout_ns);
    if (is_granted(status))
        result = tokens_of(&t);
    else if (status != ILPY_RAISED)
        ilpy_raise(status);
    ilpy_targets_free(&t);
    return result;
}

static il_status release_them(void *context, int64_t timeout_ns) {
    (void)timeout_ns;
    struct ilpy_targets *t = context;
    return il_release_all(t->targets, t->count);
}

static int read_tokens(PyObject *sequence, struct ilpy_targets *t) {
    PyObject *tokens = PySequence_List(sequence);
    int result = -1;
    if (!tokens) return -1;
    if (PyList_Size(tokens) == (Py_ssize_t)t->count) {
        result = 0;
        for (size_t i = 0; result == 0 && i < t->count; i++) {
            result =
                ilpy_u64(PyList_GetItem(tokens, (Py_ssize_t)i), "tokens", &t->targets[i].token);
        }
    } else {
        PyErr_Format(PyExc_ValueError, "tokens: expected %zu, one for each target, got %zd",
                     t->count, PyList_Size(tokens));
    }
    Py_DECREF(tokens);
    return result;
}

static PyObject *release_all(PyObject *module, PyObject *const *args, Py_ssize_t count,
                             PyObject *kwnames) {
    (void)module;
    static const char *const names[] = {"targets", "tokens", NULL};
    struct ilpy_targets t;
    PyObject *values[2], *result = NULL;
    if (ilpy_arguments("release_all", names, 2, 2, args, count, kwnames, values) != 0 ||
        ilpy_targets_read(values[0], &t) != 0) {
        return NULL;
    }
    if (read_tokens(values[1], &t) == 0) {
        il_status status =
            ilpy_wait_several(t.handles, t.uses, t.count, release_them, &t, IL_NOWAIT);
        for (size_t i = 0; i < t.count; i++) ilpy_target_released(&t, i);
        result = status == ILPY_RAISED ? NULL : ilpy_result(status);
    }
    ilpy_targets_free(&t);
    return result;
}

/* ---- the first of several ------------------------------------------------------------------------- */

struct first {
    struct ilpy_targets t;
    size_t index;
};

static il_status wait_for_first(void *context, int64_t timeout_ns) {
    struct first *f = context;
    return il_wait_any(f->t.targets, f->t.count, timeout_ns, &f->index);
}

static PyObject *wait_any(PyObject *module, PyObject *const *args, Py_ssize_t count,
                          PyObject *kwnames) {
    (void)module;
    static const char *const names[] = {"targets", "timeout", NULL};
    struct first f = {.index = 0};
    PyObject *values[2], *result = NULL;
    int64_t timeout_ns;
    if (ilpy_arguments("wait_any", names, 2, 1, args, count, kwnames, values) != 0 ||
        ilpy_timeout(values[1], false, &timeout_ns) != 0 ||
        ilpy_targets_read(values[0], &f.t) != 0) {
        return NULL;
    }
    il_status status =
        ilpy_wait_several(f.t.handles, f.t.uses, f.t.count, wait_for_first, &f, timeout_ns);
    if (is_granted(status)) {
        if (f.t.targets[f.index].token == 0 || ilpy_target_granted(&f.t, f.index) == 0) {
            result = PyLong_FromSize_t(f.index);
        } else {
            (void)il_release_all(&f.t.targets[f.index], 1);
            ilpy_target_released(&f.t, f.index);
        }
    } else if (status != ILPY_RAISED) {
        ilpy_raise(status);
    }
    ilpy_targets_free(&f.t);
    return result;
}

static PyMethodDef functions[] = {
    {"acquire_all", ILPY_METHOD(acquire_all), ILPY_KEYWORDS,
     "acquire_all(targets, timeout=None)\n--\n\n"
     "Acquire all, or none: the tokens. Holds nothing while it waits. Raises Timeout."},
    {"release_all", ILPY_METHOD(release_all), ILPY_KEYWORDS,
     "release_all(targets, tokens)\n--\n\nRelease what acquire_all() granted."},
    {"wait_any", ILPY_METHOD(wait_any), ILPY_KEYWORDS,
     "wait_any(targets, timeout=None)\n--\n\nThe index of the first that is ready; a lock or "
     "semaphore is "
     "then acquired. Raises Timeout."},
    {0},
};

int ilpy_add_several(PyObject *module) { return PyModule_AddFunctions(module, functions); }
