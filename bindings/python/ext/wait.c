#include "interlock_py.h"

#include <time.h>

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- uses: who is in a call of a handle without the GIL ------------------------------------------- */

void ilpy_use_begin(ilpy_handle *handle, struct ilpy_use *use, uint64_t thread) {
    use->object = handle->object;
    use->thread = thread;
    use->next = handle->uses;
    handle->uses = use;
    Py_INCREF((PyObject *)handle);
}

static bool is_used(const ilpy_handle *handle, const void *object) {
    for (const struct ilpy_use *use = handle->uses; use; use = use->next) {
        if (use->object == object) return true;
    }
    return false;
}

void ilpy_use_end(ilpy_handle *handle, struct ilpy_use *use) {
    struct ilpy_use **at = &handle->uses;
    while (*at && *at != use) at = &(*at)->next;
    if (*at) { /* else it was forgotten in a forked child */
        *at = use->next;
        if (use->object != handle->object && !is_used(handle, use->object)) {
            (void)handle->kind->close(use->object);
            ilpy_domain_object_closed(handle->domain);
        }
    }
    Py_DECREF((PyObject *)handle);
}

void ilpy_call_begin_remote(ilpy_handle *handle, struct ilpy_call *call) {
    ilpy_use_begin(handle, &call->use, 0);
    call->thread = PyEval_SaveThread();
}

void ilpy_call_end_remote(ilpy_handle *handle, struct ilpy_call *call) {
    PyEval_RestoreThread(call->thread);
    ilpy_use_end(handle, &call->use);
}

/* ---- why a wait ended ----------------------------------------------------------------------------- */

/* Whether interrupt() was called for this thread; once. -1: exception. */
static int take_interrupt(void) {
    if (PySet_Size(ilpy.interrupted) == 0) return 0;
    PyObject *self = PyLong_FromUnsignedLongLong(il_thread_self());
    int found = self ? PySet_Discard(ilpy.interrupted, self) : -1;
    Py_XDECREF(self);
    return found;
}

/* After IL_EINTR. IL_OK: go on waiting. */
static il_status look_why(void) {
    if (PyErr_CheckSignals() != 0) return ILPY_RAISED;
    int asked = take_interrupt();
    return asked < 0 ? ILPY_RAISED : asked ? IL_EINTR : IL_OK;
}

static int64_t left_of(int64_t timeout_ns, int64_t start_ns) {
    if (timeout_ns <= 0) return timeout_ns;
    int64_t passed = now_ns() - start_ns;
    return passed < timeout_ns ? timeout_ns - passed : IL_NOWAIT;
}

/* ---- waiting -------------------------------------------------------------------------------------- */

/* Whether a handle was closed, or made anew, while it was waited for. Then IL_ECLOSED was raised. */
static bool was_closed(ilpy_handle *const *handles, const struct ilpy_use *uses, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (handles[i]->object == uses[i].object) continue;
        ilpy_raise_text(IL_ECLOSED, "the %s was closed while a thread waited for it",
                        handles[i]->kind->name);
        return true;
    }
    return false;
}

il_status ilpy_wait_several(ilpy_handle *const *handles, struct ilpy_use *uses, size_t count,
                            ilpy_waiting_call call, void *context, int64_t timeout_ns) {
    int64_t start_ns = timeout_ns > 0 ? now_ns() : 0, left_ns = timeout_ns;
    uint64_t self = il_thread_self();
    il_status status;
    for (size_t i = 0; i < count; i++) ilpy_use_begin(handles[i], &uses[i], self);
    do {
        uint64_t outer;
        status = ilpy_signals_begin(self, &outer) == 0 ? IL_OK : ILPY_RAISED;
        if (status == IL_OK) {
            PyThreadState *thread = PyEval_SaveThread();
            status = call(context, left_ns);
            PyEval_RestoreThread(thread);
        }
        ilpy_signals_end(outer);
        if (status != IL_EINTR) break;
        status = was_closed(handles, uses, count) ? ILPY_RAISED : look_why();
        left_ns = left_of(timeout_ns, start_ns);
    } while (status == IL_OK);
    for (size_t i = 0; i < count; i++) ilpy_use_end(handles[i], &uses[i]);
    return status;
}

il_status ilpy_wait(ilpy_handle *handle, ilpy_waiting_call call, void *context,
                    int64_t timeout_ns) {
    struct ilpy_use use;
    return ilpy_wait_several(&handle, &use, 1, call, context, timeout_ns);
}

il_status ilpy_wait_free(ilpy_waiting_call call, void *context, int64_t timeout_ns) {
    return ilpy_wait_several(NULL, NULL, 0, call, context, timeout_ns);
}
