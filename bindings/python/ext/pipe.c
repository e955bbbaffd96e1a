#include "data.h"
#include "transfer.h"

typedef struct pipe_object {
    ilpy_handle handle;
    int codec;
    uint32_t end;
} pipe_object;

static PyTypeObject *pipe_type;

static pipe_object *pipe_of(PyObject *self) { return (pipe_object *)self; }

/* ---- making --------------------------------------------------------------------------------------- */

static il_status close_pipe(void *object) { return il_pipe_close(object); }

static uint32_t traits(ilpy_handle *handle) { return (uint32_t)((pipe_object *)handle)->codec; }

static int adopted(ilpy_handle *handle, const il_ticket *ticket, uint32_t codec) {
    ((pipe_object *)handle)->end = ticket->end;
    ((pipe_object *)handle)->codec = (int)codec;
    return ilpy_codec_check((int)codec);
}

static const struct ilpy_kind kind = {.number = IL_KIND_PIPE,
                                      .name = "pipe",
                                      .close = close_pipe,
                                      .remove = il_pipe_delete,
                                      .traits = traits,
                                      .adopted = adopted};

static PyObject *wrap(PyTypeObject *type, ilpy_domain *domain, PyObject *name, void *native,
                      uint32_t end, int codec) {
    ilpy_handle *handle = ilpy_handle_new(type, domain, &kind, name, native, ILPY_NATIVE);
    if (handle) {
        ((pipe_object *)handle)->codec = codec;
        ((pipe_object *)handle)->end = end;
    }
    return (PyObject *)handle;
}

static int options_of(int duplex, PyObject *max_bytes, il_pipe_options *options) {
    options->struct_bytes = sizeof *options;
    options->flags = duplex ? 0 : IL_PIPE_ONE_WAY;
    return max_bytes ? ilpy_u64(max_bytes, "max_bytes", &options->max_bytes) : 0;
}

static PyObject *pipe_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"domain", "name", "end", "duplex", "max_bytes", "codec", NULL};
    PyObject *domain_object, *name_object, *max_bytes = NULL;
    il_pipe_options options = {0};
    int duplex = 1, codec = ILPY_JSON;
    const char *name, *end;
    size_t bytes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OUs|$pOi:Pipe", names, &domain_object,
                                     &name_object, &end, &duplex, &max_bytes, &codec)) {
        return NULL;
    }
    if ((end[0] != 'a' && end[0] != 'b') || end[1]) {
        return PyErr_Format(PyExc_ValueError, "end: expected 'a' or 'b', got '%s'", end);
    }
    ilpy_domain *domain = ilpy_domain_of(domain_object);
    if (!domain || ilpy_name(name_object, &name, &bytes) != 0) return NULL;
    if (ilpy_codec_check(codec) != 0 || options_of(duplex, max_bytes, &options) != 0) return NULL;
    bool plain = duplex && options.max_bytes == 0;
    uint32_t number = end[0] == 'a' ? IL_PIPE_A : IL_PIPE_B;
    il_pipe *native = NULL;
    il_status status;
    ILPY_OPEN(status, domain,
              il_pipe_open(domain->domain, name, bytes, plain ? NULL : &options, number, &native));
    if (status != IL_OK) return ilpy_raise(status);
    return wrap(type, domain, name_object, native, number, codec);
}

static PyObject *pipe_pair(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"domain", "duplex", "max_bytes", "codec", NULL};
    PyObject *domain_object, *max_bytes = NULL;
    il_pipe_options options = {0};
    int duplex = 1, codec = ILPY_JSON;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$pOi:pipe_pair", names, &domain_object,
                                     &duplex, &max_bytes, &codec)) {
        return NULL;
    }
    ilpy_domain *domain = ilpy_domain_of(domain_object);
    if (!domain || ilpy_codec_check(codec) != 0) return NULL;
    if (options_of(duplex, max_bytes, &options) != 0) return NULL;
    il_pipe *a = NULL, *b = NULL;
    il_status status;
    ILPY_OPEN(status, domain, il_pipe_open_pair(domain->domain, &options, &a, &b));
    if (status != IL_OK) return ilpy_raise(status);
    PyObject *first = wrap(pipe_type, domain, NULL, a, IL_PIPE_A, codec);
    PyObject *second = wrap(pipe_type, domain, NULL, b, IL_PIPE_B, codec);
    PyObject *pair = first && second ? PyTuple_Pack(2, first, second) : NULL;
    Py_XDECREF(first);
    Py_XDECREF(second);
    return pair;
}

/* ---- sending and receiving ------------------------------------------------------------------------ */

static il_status send_call(void *object, const void *data, size_t bytes, uint32_t type,
                           int64_t timeout_ns) {
    return il_pipe_send(object, data, bytes, type, timeout_ns);
}

static il_status receive_call(struct ilpy_receiving *r, int64_t timeout_ns) {
    return il_pipe_receive(r->object, r->buffer, r->capacity, &r->bytes, &r->type, timeout_ns);
}

static PyObject *failed(il_status status) {
    return status == ILPY_RAISED ? NULL : ilpy_raise(status);
}

static PyObject *put(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames,
                     bool raw) {
    static const char *const names[] = {"obj", "timeout", NULL};
    static const char *const raw_names[] = {"data", "timeout", NULL};
    PyObject *values[2];
    int64_t timeout_ns = IL_FOREVER;
    if (LIKELY(count == 1 && !kwnames)) {
        values[0] = args[0];
    } else if (ilpy_arguments(raw ? "send_bytes" : "send", raw ? raw_names : names, 2, 1, args,
                              count, kwnames, values) != 0 ||
               ilpy_timeout(values[1], false, &timeout_ns) != 0) {
        return NULL;
    }
    pipe_object *pipe = pipe_of(self);
    il_status status = (raw ? ilpy_send_bytes : ilpy_send_object)(&pipe->handle, pipe->codec,
                                                                  send_call, values[0], timeout_ns);
    if (UNLIKELY(status != IL_OK)) return failed(status);
    Py_RETURN_NONE;
}

static PyObject *pipe_send(PyObject *self, PyObject *const *args, Py_ssize_t count,
                           PyObject *kwnames) {
    return put(self, args, count, kwnames, false);
}

static PyObject *pipe_send_bytes(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                 PyObject *kwnames) {
    return put(self, args, count, kwnames, true);
}

/* The one argument, a timeout. */
static int timeout_of(const char *function, PyObject *const *args, Py_ssize_t count,
                      PyObject *kwnames, int64_t *timeout_ns) {
    static const char *const names[] = {"timeout", NULL};
    PyObject *value;
    if (LIKELY(count == 0 && !kwnames)) return 0;
    if (ilpy_arguments(function, names, 1, 0, args, count, kwnames, &value) != 0) return -1;
    return value ? ilpy_timeout(value, false, timeout_ns) : 0;
}

static PyObject *take(PyObject *self, bool raw, int64_t timeout_ns) {
    char room[ILPY_ROOM];
    pipe_object *pipe = pipe_of(self);
    struct ilpy_receiving r = {.receive = receive_call, .buffer = room, .capacity = sizeof room};
    il_status status = ilpy_receive(&pipe->handle, &r, timeout_ns);
    if (LIKELY(status == IL_OK)) return ilpy_received(&pipe->handle, pipe->codec, raw, true, &r);
    ilpy_receiving_clear(&r);
    return failed(status);
}

static PyObject *pipe_recv(PyObject *self, PyObject *const *args, Py_ssize_t count,
                           PyObject *kwnames) {
    int64_t timeout_ns = IL_FOREVER;
    if (timeout_of("recv", args, count, kwnames, &timeout_ns) != 0) return NULL;
    return take(self, false, timeout_ns);
}

static PyObject *pipe_recv_bytes(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                 PyObject *kwnames) {
    int64_t timeout_ns = IL_FOREVER;
    if (timeout_of("recv_bytes", args, count, kwnames, &timeout_ns) != 0) return NULL;
    return take(self, true, timeout_ns);
}

/* ---- poll ----------------------------------------------------------------------------------------- */

struct polling {
    void *object;
    int32_t ready;
};

static il_status poll_waiting(void *context, int64_t timeout_ns) {
    struct polling *p = context;
    return il_pipe_poll(p->object, timeout_ns, &p->ready);
}

static PyObject *pipe_poll(PyObject *self, PyObject *const *args, Py_ssize_t count,
                           PyObject *kwnames) {
    ilpy_handle *handle = &pipe_of(self)->handle;
    int64_t timeout_ns = IL_NOWAIT;
    if (timeout_of("poll", args, count, kwnames, &timeout_ns) != 0) return NULL;
    if (ilpy_handle_check(handle) != 0) return NULL;
    struct polling p = {handle->object, 0};
    il_status status = IL_OK;
    if (!handle->domain->remote) status = poll_waiting(&p, IL_NOWAIT);
    if (status == IL_OK && !p.ready && (timeout_ns != IL_NOWAIT || handle->domain->remote)) {
        status = ilpy_wait(handle, poll_waiting, &p, timeout_ns);
    }
    return status == IL_OK ? PyBool_FromLong(p.ready) : failed(status);
}

/* ---- the type ------------------------------------------------------------------------------------- */

static PyObject *pipe_end(PyObject *self, void *unused) {
    (void)unused;
    return PyUnicode_FromString(pipe_of(self)->end == IL_PIPE_A ? "a" : "b");
}

static PyObject *pipe_codec(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromLong(pipe_of(self)->codec);
}

static PyObject *pipe_enter(PyObject *self, PyObject *unused) {
    (void)unused;
    return Py_NewRef(self);
}

static PyObject *pipe_exit(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)args, (void)count;
    ilpy_handle_close(&pipe_of(self)->handle);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"send", FAST(pipe_send), ARGUMENTS,
     "send(obj, timeout=None)\n--\n\nSend it, waiting for room. Raises BrokenPipe, Timeout."},
    {"recv", FAST(pipe_recv), ARGUMENTS,
     "recv(timeout=None)\n--\n\nThe next object, waiting for it. Raises EndOfFile, Timeout."},
    {"send_bytes", FAST(pipe_send_bytes), ARGUMENTS,
     "send_bytes(data, timeout=None)\n--\n\nSend bytes as they are."},
    {"recv_bytes", FAST(pipe_recv_bytes), ARGUMENTS,
     "recv_bytes(timeout=None)\n--\n\nThe next message as the bytes that it is."},
    {"poll", FAST(pipe_poll), ARGUMENTS,
     "poll(timeout=0.0)\n--\n\nWhether a recv() would not wait, after at most TIMEOUT seconds."},
    {"__enter__", pipe_enter, METH_NOARGS, NULL},
    {"__exit__", FAST(pipe_exit), METH_FASTCALL, NULL},
    {0},
};

static PyGetSetDef attributes[] = {
    {"end", pipe_end, NULL, "\"a\" or \"b\".", NULL},
    {"codec", pipe_codec, NULL, "JSON or PICKLE.", NULL},
    {0},
};

static PyMemberDef members[] = {WEAKREFS, {0}};

static PyType_Slot slots[] = {
    {Py_tp_new, pipe_new},
    {Py_tp_dealloc, ilpy_handle_dealloc},
    {Py_tp_traverse, ilpy_handle_traverse},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
    {Py_tp_doc,
     "Pipe(domain, name, end, *, duplex=True, max_bytes=0, codec=JSON)\n--\n\n"
     "One end of a pipe, \"a\" or \"b\"; of a one-way pipe b sends and a receives. Closed for good "
     "once no process has it open."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Pipe",
    .basicsize = sizeof(pipe_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

static PyMethodDef functions[] = {
    {"pipe_pair", FAST(pipe_pair), METH_VARARGS | METH_KEYWORDS,
     "pipe_pair(domain, *, duplex=True, max_bytes=0, codec=JSON)\n--\n\nBoth ends of a pipe "
     "without a name."},
    {0},
};

int ilpy_add_pipe(PyObject *module) {
    pipe_type = ilpy_add_type(module, &spec, ilpy.handle_type);
    ilpy_adoptable(&kind, pipe_type);
    return pipe_type ? PyModule_AddFunctions(module, functions) : -1;
}
