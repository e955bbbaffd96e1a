#include "interlock_py.h"

typedef struct ilpy_process {
    PyObject_HEAD il_process *process; /* NULL: closed */
    unsigned users;                    /* threads in join() */
    unsigned forks;                    /* a forked child has no part in it */
    bool closing;
    uint32_t pid;
    PyObject *weakrefs;
} ilpy_process;

static ilpy_process *process_of(PyObject *self) { return (ilpy_process *)self; }

/* ---- arguments ------------------------------------------------------------------------------------ */

/* The strings of a program's start, all owned: bytes objects, and pointers into them. */
struct words {
    PyObject *list;
    const char **text;
    Py_ssize_t count;
};

static void words_free(struct words *words) {
    PyMem_Free(words->text);
    Py_CLEAR(words->list);
}

/* From LIST, of str, bytes and paths. */
static int words_read(PyObject *list, const char *argument, struct words *out) {
    *out = (struct words){0};
    Py_ssize_t count = PyList_Size(list);
    out->list = PyList_New(count);
    out->text = PyMem_Calloc((size_t)count + 1, sizeof *out->text);
    if (!out->list || !out->text) {
        words_free(out);
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *bytes = NULL;
        if (!PyUnicode_FSConverter(PyList_GetItem(list, i), &bytes)) {
            if (PyErr_ExceptionMatches(PyExc_TypeError)) {
                PyErr_Format(PyExc_TypeError, "%s: expected str or bytes, got %R", argument,
                             (PyObject *)Py_TYPE(PyList_GetItem(list, i)));
            }
            words_free(out);
            return -1;
        }
        out->text[i] = PyBytes_AsString(bytes);
        PyList_SetItem(out->list, i, bytes);
    }
    out->count = count;
    return 0;
}

static int words_of(PyObject *sequence, const char *argument, struct words *out) {
    *out = (struct words){0};
    if (PyUnicode_Check(sequence) || PyBytes_Check(sequence)) {
        PyErr_Format(PyExc_TypeError, "%s: expected a list of words, got one word", argument);
        return -1;
    }
    PyObject *list = PySequence_List(sequence);
    int result = list ? words_read(list, argument, out) : -1;
    Py_XDECREF(list);
    return result;
}

/* NAME=value of a mapping. */
static int environment_of(PyObject *mapping, struct words *out) {
    PyObject *lines = PyList_New(0), *items = NULL;
    int result = -1;
    *out = (struct words){0};
    if (lines) items = PyMapping_Items(mapping);
    for (Py_ssize_t i = 0; items && i < PyList_Size(items); i++) {
        PyObject *name, *value, *line = NULL;
        if (PyArg_ParseTuple(PyList_GetItem(items, i), "UU", &name, &value)) {
            line = PyUnicode_FromFormat("%U=%U", name, value);
        }
        if (!line || PyList_Append(lines, line) != 0) Py_CLEAR(items);
        Py_XDECREF(line);
    }
    if (items) result = words_read(lines, "environment", out);
    Py_XDECREF(items);
    Py_XDECREF(lines);
    return result;
}

static int stream_of(PyObject *object, const char *argument, bool may_be_stdout, uint32_t *mode,
                     int32_t *fd) {
    if (!object || object == Py_None) {
        *mode = IL_STDIO_INHERIT;
        return 0;
    }
    if (PyLong_Check(object)) {
        long number = PyLong_AsLong(object);
        if (number == -1 && PyErr_Occurred()) return -1;
        *mode = IL_STDIO_FD;
        *fd = (int32_t)number;
        if (number >= 0 && number <= INT32_MAX) return 0;
    } else if (PyUnicode_Check(object)) {
        *mode = IL_STDIO_NULL;
        if (PyUnicode_CompareWithASCIIString(object, "null") == 0) return 0;
        *mode = IL_STDIO_PIPE;
        if (PyUnicode_CompareWithASCIIString(object, "pipe") == 0) return 0;
        *mode = IL_STDIO_STDOUT;
        if (may_be_stdout && PyUnicode_CompareWithASCIIString(object, "stdout") == 0) return 0;
    }
    PyErr_Format(PyExc_ValueError, "%s: expected a descriptor, 'null', 'pipe'%s or None, got %R",
                 argument, may_be_stdout ? ", 'stdout'" : "", object);
    return -1;
}

/* ---- starting ------------------------------------------------------------------------------------- */

struct start {
    PyObject *arguments, *domain, *program, *environment, *directory, *in, *out, *err;
    int daemon, own_group;
};

static il_status start_it(ilpy_domain *domain, const il_process_options *options,
                          il_process **out) {
    if (domain) domain->native++; /* a close() meanwhile leaves the rest to this call */
    PyThreadState *thread = PyEval_SaveThread();
    il_status status = il_process_start(domain ? domain->domain : NULL, options, out);
    PyEval_RestoreThread(thread);
    if (domain) ilpy_domain_object_closed(domain);
    return status;
}

/* BYTES: owned by the caller, what the options point to. */
static int read_path(PyObject *object, PyObject **bytes, const char **path) {
    if (!object || object == Py_None) return 0;
    if (!PyUnicode_FSConverter(object, bytes)) return -1;
    *path = PyBytes_AsString(*bytes);
    return 0;
}

static int start(ilpy_process *self, const struct start *s, ilpy_domain *domain) {
    il_process_options options = {.struct_bytes = sizeof options};
    struct words arguments = {0}, environment = {0};
    PyObject *program = NULL, *directory = NULL;
    int result = -1;
    if (words_of(s->arguments, "arguments", &arguments) != 0 ||
        (s->environment != Py_None && environment_of(s->environment, &environment) != 0) ||
        read_path(s->program, &program, &options.program) != 0 ||
        read_path(s->directory, &directory, &options.directory) != 0 ||
        stream_of(s->in, "stdin", false, &options.stdin_mode, &options.stdin_fd) != 0 ||
        stream_of(s->out, "stdout", false, &options.stdout_mode, &options.stdout_fd) != 0 ||
        stream_of(s->err, "stderr", true, &options.stderr_mode, &options.stderr_fd) != 0) {
        goto cleanup;
    }
    options.arguments = arguments.text;
    options.argument_count = (uint64_t)arguments.count;
    options.environment = s->environment != Py_None ? environment.text : NULL;
    options.environment_count = (uint64_t)environment.count;
    if (s->daemon) options.flags |= IL_PROCESS_DAEMON;
    if (s->own_group) options.flags |= IL_PROCESS_OWN_GROUP;
    il_status status = start_it(domain, &options, &self->process);
    if (status == IL_OK) status = il_process_pid(self->process, &self->pid);
    if (status == IL_OK)
        result = 0;
    else
        ilpy_raise(status);
cleanup:
    words_free(&arguments);
    words_free(&environment);
    Py_XDECREF(program);
    Py_XDECREF(directory);
    return result;
}

static int process_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"arguments", "domain", "program", "environment", "directory", "daemon",
                            "own_group", "stdin",  "stdout",  "stderr",      NULL};
    struct start s = {.domain = Py_None, .environment = Py_None};
    ilpy_domain *domain = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OOOOppOOO:Process", names, &s.arguments,
                                     &s.domain, &s.program, &s.environment, &s.directory, &s.daemon,
                                     &s.own_group, &s.in, &s.out, &s.err)) {
        return -1;
    }
    if (process_of(self)->process || process_of(self)->closing) {
        PyErr_SetString(PyExc_RuntimeError, "Process.__init__: it was started already");
        return -1;
    }
    if (s.domain != Py_None && !(domain = ilpy_domain_of(s.domain))) return -1;
    process_of(self)->forks = ilpy.forks;
    return start(process_of(self), &s, domain);
}

/* ---- its end -------------------------------------------------------------------------------------- */

static int check(ilpy_process *self) {
    bool closed = !self->process || self->closing;
    if (!closed && self->forks == ilpy.forks) return 0;
    ilpy_raise_text(closed ? IL_ECLOSED : IL_EFORKED,
                    closed ? "this handle of a process is closed"
                           : "the process was started by this one's parent");
    return -1;
}

/* Threads in join() are the last to use it. */
static void shut(ilpy_process *self) {
    il_process *process = self->process;
    self->closing = true;
    if (!process || self->users) return;
    self->process = NULL;
    if (self->forks != ilpy.forks) return; /* a daemon is its starter's to kill */
    PyThreadState *thread = PyEval_SaveThread();
    (void)il_process_close(process);
    PyEval_RestoreThread(thread);
}

struct joining {
    il_process *process;
    int32_t code;
};

static il_status join_waiting(void *context, int64_t timeout_ns) {
    struct joining *j = context;
    return il_process_join(j->process, timeout_ns, &j->code);
}

static PyObject *code_or_none(il_status status, int32_t code) {
    if (status == IL_OK) return PyLong_FromLong(code);
    if (status == IL_ETIMEOUT) Py_RETURN_NONE;
    return status == ILPY_RAISED ? NULL : ilpy_raise(status);
}

static PyObject *process_poll(PyObject *self, PyObject *unused) {
    (void)unused;
    int32_t code = 0;
    if (check(process_of(self)) != 0) return NULL;
    il_status status = il_process_poll(process_of(self)->process, &code);
    return code_or_none(status, code);
}

static PyObject *process_join(PyObject *self, PyObject *const *args, Py_ssize_t count,
                              PyObject *kwnames) {
    static const char *const names[] = {"timeout", NULL};
    struct joining j = {process_of(self)->process, 0};
    PyObject *value;
    int64_t timeout_ns;
    if (check(process_of(self)) != 0 ||
        ilpy_arguments("join", names, 1, 0, args, count, kwnames, &value) != 0 ||
        ilpy_timeout(value, true, &timeout_ns) != 0) {
        return NULL;
    }
    process_of(self)->users++;
    il_status status = ilpy_wait_free(join_waiting, &j, timeout_ns);
    process_of(self)->users--;
    if (process_of(self)->closing) shut(process_of(self));
    return code_or_none(status, j.code);
}

static PyObject *process_signal(PyObject *self, PyObject *number) {
    long signal = PyLong_AsLong(number);
    if ((signal == -1 && PyErr_Occurred()) || check(process_of(self)) != 0) return NULL;
    if (signal < 0 || signal > INT32_MAX) {
        return PyErr_Format(PyExc_ValueError, "number: expected a signal's, got %ld", signal);
    }
    return ilpy_result(il_process_signal(process_of(self)->process, (int32_t)signal));
}

static PyObject *process_terminate(PyObject *self, PyObject *unused) {
    (void)unused;
    if (check(process_of(self)) != 0) return NULL;
    return ilpy_result(il_process_terminate(process_of(self)->process));
}

static PyObject *process_kill(PyObject *self, PyObject *unused) {
    (void)unused;
    if (check(process_of(self)) != 0) return NULL;
    return ilpy_result(il_process_kill(process_of(self)->process));
}

/* ---- descriptors ---------------------------------------------------------------------------------- */

static PyObject *process_pipe(PyObject *self, PyObject *number) {
    uint32_t stream;
    int fd = -1;
    if (check(process_of(self)) != 0 || ilpy_u32(number, "stream", &stream) != 0) return NULL;
    il_status status = il_process_pipe(process_of(self)->process, stream, &fd);
    return status == IL_OK ? PyLong_FromLong(fd) : ilpy_raise(status);
}

static PyObject *process_close_pipe(PyObject *self, PyObject *number) {
    uint32_t stream;
    if (check(process_of(self)) != 0 || ilpy_u32(number, "stream", &stream) != 0) return NULL;
    return ilpy_result(il_process_pipe_close(process_of(self)->process, stream));
}

static PyObject *process_fileno(PyObject *self, PyObject *unused) {
    (void)unused;
    int fd = -1;
    if (check(process_of(self)) != 0) return NULL;
    il_status status = il_process_fd(process_of(self)->process, &fd);
    return status == IL_OK ? PyLong_FromLong(fd) : ilpy_raise(status);
}

static PyObject *process_close(PyObject *self, PyObject *unused) {
    (void)unused;
    shut(process_of(self));
    Py_RETURN_NONE;
}

static void process_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    if (process_of(self)->weakrefs) PyObject_ClearWeakRefs(self);
    shut(process_of(self));
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *process_pid(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLong(process_of(self)->pid);
}

static PyMethodDef methods[] = {
    {"poll", process_poll, METH_NOARGS, "Its exit code, -N if signal N ended it; None: it runs."},
    {"join", ILPY_METHOD(process_join), ILPY_KEYWORDS,
     "join(timeout=None)\n--\n\nWait for its end; as poll()."},
    {"terminate", process_terminate, METH_NOARGS, "Send SIGTERM."},
    {"kill", process_kill, METH_NOARGS, "Send SIGKILL."},
    {"signal", process_signal, METH_O, "Send a signal."},
    {"pipe", process_pipe, METH_O, "This process's end of the pipe to STREAM (0, 1, 2); borrowed."},
    {"close_pipe", process_close_pipe, METH_O, "Close that end."},
    {"fileno", process_fileno, METH_NOARGS, "A descriptor that is readable once it has ended."},
    {"close", process_close, METH_NOARGS,
     "Close the handle; the program goes on, a daemon is killed."},
    {0},
};

static PyGetSetDef attributes[] = {
    {"pid", process_pid, NULL, "Its number.", NULL},
    {0},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(ilpy_process, weakrefs), READONLY, NULL},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_init, process_init},
    {Py_tp_dealloc, process_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
    {Py_tp_doc,
     "Process(arguments, *, domain=None, program=None, environment=None, directory=None, "
     "daemon=False, own_group=False, stdin=None, stdout=None, stderr=None)\n--\n\n"
     "A program that was started."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Process",
    .basicsize = sizeof(ilpy_process),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};

int ilpy_add_process(PyObject *module) {
    PyTypeObject *type = ilpy_add_type(module, &spec, NULL);
    Py_XDECREF((PyObject *)type);
    return type ? 0 : -1;
}
