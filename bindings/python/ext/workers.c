#include "workers.h"

#include <stdlib.h>
#include <string.h>

static ilpy_remote *remote_of(PyObject *self) { return (ilpy_remote *)self; }

static il_status close_workers(void *native) { return il_workers_close(native); }

/* ---- making --------------------------------------------------------------------------------------- */

static PyObject *workers_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"domain", "name", NULL};
    PyObject *domain_object, *name_object;
    const char *name;
    size_t bytes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OU:Workers", names, &domain_object,
                                     &name_object)) {
        return NULL;
    }
    ilpy_domain *domain = ilpy_domain_of(domain_object);
    if (!domain || ilpy_name(name_object, &name, &bytes) != 0) return NULL;
    il_workers *native = NULL;
    domain->native++; /* a server is asked, also of a unix: domain */
    PyThreadState *thread = PyEval_SaveThread();
    il_status status = il_workers_open(domain->domain, name, bytes, &native);
    PyEval_RestoreThread(thread);
    PyObject *self =
        status == IL_OK ? ilpy_remote_new(type, domain, native, close_workers) : ilpy_raise(status);
    ilpy_domain_object_closed(domain);
    return self;
}

/* ---- options -------------------------------------------------------------------------------------- */

struct options {
    il_task_options task;
    bool given;
};

/* One option by its name. 1: there is none of that name. */
static int option(struct options *o, const char *name, PyObject *value) {
    const struct {
        const char *name;
        int64_t *ns;
    } durations[] = {
        {"delay", &o->task.delay_ns},
        {"deadline", &o->task.deadline_ns},
        {"time_limit", &o->task.time_limit_ns},
        {"backoff", &o->task.backoff_ns},
        {"backoff_max", &o->task.backoff_max_ns},
        {"keep", &o->task.keep_ns},
    };
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        if (strcmp(name, durations[i].name) == 0)
            return ilpy_duration(value, name, durations[i].ns);
    }
    if (strcmp(name, "retries") == 0) return ilpy_u32(value, "retries", &o->task.retries);
    if (strcmp(name, "priority") == 0) {
        long priority = PyLong_AsLong(value);
        if (priority == -1 && PyErr_Occurred()) return -1;
        if (priority < -IL_PRIORITY_MAX || priority > IL_PRIORITY_MAX) {
            PyErr_Format(PyExc_ValueError, "priority: expected -100 to 100, got %ld", priority);
            return -1;
        }
        o->task.priority = (int32_t)priority;
        return 0;
    }
    if (strcmp(name, "explicit") == 0) {
        int explicit = PyObject_IsTrue(value);
        if (explicit > 0) o->task.flags |= IL_TASK_EXPLICIT;
        return explicit < 0 ? -1 : 0;
    }
    return 1;
}

/* Reads what is an option; *REST: what is not, for the parser, a new dict. -1: exception. */
static int options_of(PyObject *kwargs, const char *const *others, struct options *o,
                      PyObject **rest) {
    Py_ssize_t at = 0;
    PyObject *key, *value;
    *o = (struct options){.task = {.struct_bytes = sizeof o->task}};
    *rest = PyDict_New();
    int failed = *rest ? 0 : -1;
    while (!failed && kwargs && PyDict_Next(kwargs, &at, &key, &value)) {
        bool other = false;
        for (int i = 0; others[i]; i++) {
            other = other || PyUnicode_CompareWithASCIIString(key, others[i]) == 0;
        }
        if (other) {
            failed = PyDict_SetItem(*rest, key, value);
            continue;
        }
        const char *name = PyUnicode_AsUTF8AndSize(key, NULL);
        failed = name ? option(o, name, value) : -1;
        o->given = true;
        if (failed > 0) PyErr_Format(PyExc_TypeError, "unexpected option %R", key);
    }
    if (failed) Py_CLEAR(*rest);
    return failed ? -1 : 0;
}

/* ---- submit and apply ----------------------------------------------------------------------------- */

struct submitting {
    il_workers *workers;
    const char *function, *args, *kwargs;
    Py_ssize_t function_bytes, args_bytes, kwargs_bytes;
    const il_task_options *options;
    il_task *task;
};

static il_status submit_call(void *context, int64_t unused) {
    struct submitting *s = context;
    (void)unused;
    return il_workers_submit(s->workers, s->function, (size_t)s->function_bytes, s->args,
                             (size_t)s->args_bytes, s->kwargs, (size_t)s->kwargs_bytes, s->options,
                             &s->task);
}

static PyObject *submit(PyObject *self, PyObject *args, PyObject *kwargs, PyObject **timeout) {
    static char *names[] = {"function", "args", "kwargs", "timeout", NULL};
    static char *submit_names[] = {"function", "args", "kwargs", NULL};
    ilpy_remote *workers = remote_of(self);
    struct options options;
    struct submitting s = {0};
    PyObject *function, *args_text, *kwargs_text, *rest;
    if (options_of(kwargs, (const char *const *)(timeout ? names : submit_names), &options,
                   &rest) != 0) {
        return NULL;
    }
    int parsed = timeout ? PyArg_ParseTupleAndKeywords(args, rest, "UUU|O:apply", names, &function,
                                                       &args_text, &kwargs_text, timeout)
                         : PyArg_ParseTupleAndKeywords(args, rest, "UUU:submit", submit_names,
                                                       &function, &args_text, &kwargs_text);
    Py_DECREF(rest); /* the caller still has what was in it */
    if (!parsed) return NULL;
    s.function = PyUnicode_AsUTF8AndSize(function, &s.function_bytes);
    s.args = s.function ? PyUnicode_AsUTF8AndSize(args_text, &s.args_bytes) : NULL;
    s.kwargs = s.args ? PyUnicode_AsUTF8AndSize(kwargs_text, &s.kwargs_bytes) : NULL;
    if (!s.kwargs || ilpy_remote_begin(workers) != 0) return NULL;
    s.workers = workers->native;
    s.options = options.given ? &options.task : NULL;
    il_status status = ilpy_wait_free(submit_call, &s, IL_NOWAIT);
    PyObject *task = NULL;
    if (status == IL_OK)
        task = ilpy_task_new(workers->domain, s.task);
    else if (status != ILPY_RAISED)
        ilpy_raise(status);
    ilpy_remote_end(workers);
    return task;
}

static PyObject *workers_submit(PyObject *self, PyObject *args, PyObject *kwargs) {
    return submit(self, args, kwargs, NULL);
}

/* A submit and a wait, so that a signal's handler may run without the task being done again. */
static PyObject *workers_apply(PyObject *self, PyObject *args, PyObject *kwargs) {
    PyObject *timeout = NULL;
    PyObject *task = submit(self, args, kwargs, &timeout);
    if (!task) return NULL;
    PyObject *ended = PyObject_CallMethod(task, "wait", "O", timeout ? timeout : Py_None);
    if (ended == Py_True) {
        Py_DECREF(ended);
        return task;
    }
    if (ended) ilpy_raise_text(IL_ETIMEOUT, "the task has not ended in time, and is cancelled");
    Py_XDECREF(ended);
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *done = PyObject_CallMethod(task, "cancel", NULL);
    if (!done) PyErr_Clear();
    Py_XDECREF(done);
    PyErr_Restore(type, value, traceback);
    Py_DECREF(task);
    return NULL;
}

/* ---- map ------------------------------------------------------------------------------------------ */

struct mapping {
    il_workers *workers;
    const char *function;
    Py_ssize_t function_bytes;
    il_map_item *items;
    size_t count, told;
    il_map_options options;
    PyObject *each;
};

/* Calls EACH; what it raises stays set, and ends the map. */
static int32_t told(void *context, const il_map_result *result) {
    struct mapping *m = context;
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *go_on = NULL;
    int truth = -1;
    m->told++;
    if (PyErr_CheckSignals() == 0) {
        PyObject *text = PyUnicode_DecodeUTF8(result->data, (Py_ssize_t)result->bytes, NULL);
        if (text) {
            go_on = PyObject_CallFunction(m->each, "KiN", (unsigned long long)result->index,
                                          (int)result->status, text);
        }
        if (go_on) truth = PyObject_IsTrue(go_on);
    }
    Py_XDECREF(go_on);
    PyGILState_Release(state);
    return truth != 1;
}

static int items_of(PyObject *list, struct mapping *m) {
    m->count = (size_t)PyList_Size(list);
    m->items = calloc(m->count + 1, sizeof *m->items);
    if (!m->items) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < m->count; i++) {
        Py_ssize_t bytes;
        PyObject *item = PyList_GetItem(list, (Py_ssize_t)i);
        if (!PyUnicode_Check(item)) {
            PyErr_Format(PyExc_TypeError, "items: expected JSON texts, got %R",
                         (PyObject *)Py_TYPE(item));
            return -1;
        }
        m->items[i].data = PyUnicode_AsUTF8AndSize(item, &bytes);
        if (!m->items[i].data) return -1;
        m->items[i].bytes = (uint64_t)bytes;
    }
    return 0;
}

/* Raises what came of it; where all was told, a failed item is no failure of the map. */
static PyObject *mapped(il_status status, bool all_told) {
    if (PyErr_Occurred()) return NULL;
    if (status == IL_EINTR && PyErr_CheckSignals() != 0) return NULL;
    if (status == IL_OK || status == IL_ECANCELLED || all_told) Py_RETURN_NONE;
    return ilpy_raise(status);
}

static PyObject *workers_map(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"function", "items",  "each",    "star", "ordered",
                            "chunk",    "kwargs", "timeout", NULL};
    ilpy_remote *workers = remote_of(self);
    struct options options;
    struct mapping m = {.options = {.struct_bytes = sizeof m.options}};
    PyObject *function, *items, *chunk = NULL, *words = NULL, *timeout = NULL, *rest;
    int star = 0, ordered = 0;
    int64_t timeout_ns;
    Py_ssize_t bytes = 0;
    if (options_of(kwargs, (const char *const *)names, &options, &rest) != 0) return NULL;
    int parsed = PyArg_ParseTupleAndKeywords(args, rest, "UOO|$ppOUO:map", names, &function, &items,
                                             &m.each, &star, &ordered, &chunk, &words, &timeout);
    Py_DECREF(rest); /* the caller still has what was in it */
    if (!parsed || ilpy_timeout(timeout, false, &timeout_ns) != 0 ||
        (chunk && ilpy_u32(chunk, "chunk", &m.options.chunk) != 0)) {
        return NULL;
    }
    m.function = PyUnicode_AsUTF8AndSize(function, &m.function_bytes);
    if (m.function && words) m.options.kwargs = PyUnicode_AsUTF8AndSize(words, &bytes);
    if (!m.function || (words && !m.options.kwargs)) return NULL;
    m.options.kwargs_bytes = (uint32_t)bytes;
    m.options.flags = (star ? IL_MAP_STAR : 0) | (ordered ? IL_MAP_ORDERED : 0);
    m.options.task = options.given ? &options.task : NULL;
    PyObject *list = PySequence_List(items), *result = NULL;
    if (list && items_of(list, &m) == 0 && ilpy_remote_begin(workers) == 0) {
        PyThreadState *thread = PyEval_SaveThread();
        il_status status = il_workers_map(workers->native, m.function, (size_t)m.function_bytes,
                                          m.items, m.count, &m.options, told, &m, timeout_ns);
        PyEval_RestoreThread(thread);
        result = mapped(status, m.told == m.count);
        ilpy_remote_end(workers);
    }
    free(m.items);
    Py_XDECREF(list);
    return result;
}

/* ---- the type ------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    {"submit", FAST(workers_submit), METH_VARARGS | METH_KEYWORDS,
     "submit(function, args, kwargs, **options)\n--\n\nAsk for one call; a Task. Options: "
     "priority, retries, delay, "
     "deadline, time_limit, backoff, backoff_max, keep (seconds), explicit (0 is no default)."},
    {"apply", FAST(workers_apply), METH_VARARGS | METH_KEYWORDS,
     "apply(function, args, kwargs, timeout=None, **options)\n--\n\nSubmit it and wait; a Task "
     "that has ended. Raises "
     "Timeout, and it is cancelled."},
    {"map", FAST(workers_map), METH_VARARGS | METH_KEYWORDS,
     "map(function, items, each, *, star=False, ordered=False, chunk=0, kwargs='{}', timeout=None, "
     "**options)\n--\n\n"
     "Call FUNCTION for each item and EACH(index, status, text) with what came of it, until that "
     "returns False. "
     "A signal that a handler takes ends it, with Interrupted if the handler does not raise."},
    {"close", ilpy_remote_close, METH_NOARGS, "Close the handle only; again: a no-op."},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_new, workers_new},
    {Py_tp_dealloc, ilpy_remote_dealloc},
    {Py_tp_traverse, ilpy_remote_traverse},
    {Py_tp_methods, methods},
    {Py_tp_doc,
     "Workers(domain, name)\n--\n\nA pool of the server. Arguments and results are JSON texts."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Workers",
    .basicsize = sizeof(ilpy_remote),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_workers(PyObject *module) {
    PyTypeObject *type = ilpy_add_type(module, &spec, NULL);
    Py_XDECREF((PyObject *)type);
    return type ? 0 : -1;
}
