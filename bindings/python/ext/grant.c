/* What the calls on grants take, and other things that several kinds do alike. */
#include "interlock_py.h"

int ilpy_renew_arguments(ilpy_handle *handle, PyObject *const *args, Py_ssize_t count,
                         PyObject *kwnames, struct ilpy_grant *grant) {
    static const char *const names[] = {"lease", "token", NULL};
    PyObject *values[2];
    *grant = (struct ilpy_grant){0};
    if (ilpy_handle_check(handle) != 0 ||
        ilpy_arguments("renew", names, 2, 1, args, count, kwnames, values) != 0 ||
        ilpy_duration(values[0], "lease", &grant->lease_ns) != 0) {
        return -1;
    }
    return values[1] ? ilpy_u64(values[1], "token", &grant->token) : 0;
}

int ilpy_break_arguments(ilpy_handle *handle, PyObject *const *args, Py_ssize_t count,
                         PyObject *kwnames, struct ilpy_grant *grant) {
    static const char *const names[] = {"reason", "token", NULL};
    PyObject *values[2];
    *grant = (struct ilpy_grant){.reason = ""};
    if (ilpy_handle_check(handle) != 0 ||
        ilpy_arguments("break_", names, 2, 0, args, count, kwnames, values) != 0) {
        return -1;
    }
    if (values[0] && !(grant->reason = PyUnicode_AsUTF8AndSize(values[0], NULL))) return -1;
    return values[1] ? ilpy_u64(values[1], "token", &grant->token) : 0;
}

int ilpy_flavour(int flavour) {
    if (flavour >= ILPY_NATIVE && flavour <= ILPY_PROCESS) return 0;
    PyErr_Format(PyExc_ValueError, "flavour: expected NATIVE, THREAD or PROCESS, got %d", flavour);
    return -1;
}

int ilpy_anonymous(ilpy_handle *handle) {
    if (ilpy_handle_check(handle) != 0) return -1;
    if (!handle->name) return 0;
    PyErr_Format(PyExc_ValueError, "_at_fork_reinit: expected an anonymous %s, got %R",
                 handle->kind->name, handle->name);
    return -1;
}

PyObject *ilpy_waited(ilpy_handle *handle, ilpy_waiting_call call, int64_t timeout_ns) {
    bool remote = handle->domain->remote;
    il_status status = remote ? IL_ETIMEOUT : call(handle->object, IL_NOWAIT);
    if (status == IL_ETIMEOUT && (timeout_ns != IL_NOWAIT || remote)) {
        status = ilpy_wait(handle, call, handle->object, timeout_ns);
    }
    if (status == IL_OK) Py_RETURN_TRUE;
    if (status == IL_ETIMEOUT) Py_RETURN_FALSE;
    return status == ILPY_RAISED ? NULL : ilpy_raise(status);
}
