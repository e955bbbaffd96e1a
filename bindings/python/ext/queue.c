#include "data.h"
#include "transfer.h"

typedef struct queue_object {
    ilpy_handle handle;
    int codec;
} queue_object;

static PyTypeObject *queue_type;

static queue_object *queue_of(PyObject *self) { return (queue_object *)self; }
static il_queue *native_of(ilpy_handle *handle) { return handle->object; }

/* queue's Full or Empty, by its name; always NULL. */
static PyObject *raise_of_queue(const char *name) {
    PyObject *module = PyImport_ImportModule("queue");
    PyObject *class = module ? PyObject_GetAttrString(module, name) : NULL;
    if (class) PyErr_SetNone(class);
    Py_XDECREF(class);
    Py_XDECREF(module);
    return NULL;
}

static PyObject *put_failed(il_status status) {
    if (status == ILPY_RAISED) return NULL;
    return status == IL_ETIMEOUT ? raise_of_queue("Full") : ilpy_raise(status);
}

static PyObject *get_failed(il_status status) {
    if (status == ILPY_RAISED) return NULL;
    return status == IL_ETIMEOUT ? raise_of_queue("Empty") : ilpy_raise(status);
}

/* ---- making --------------------------------------------------------------------------------------- */

static il_status close_queue(void *object) { return il_queue_close(object); }

static uint32_t traits(ilpy_handle *handle) { return (uint32_t)((queue_object *)handle)->codec; }

static int adopted(ilpy_handle *handle, const il_ticket *ticket, uint32_t codec) {
    (void)ticket;
    ((queue_object *)handle)->codec = (int)codec;
    return ilpy_codec_check((int)codec);
}

static const struct ilpy_kind kind = {.number = IL_KIND_QUEUE,
                                      .name = "queue",
                                      .close = close_queue,
                                      .remove = il_queue_delete,
                                      .traits = traits,
                                      .adopted = adopted};

static PyObject *queue_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"domain", "name", "maxsize", "codec", NULL};
    PyObject *domain_object, *name_object = NULL;
    Py_ssize_t maxsize = 0;
    int codec = ILPY_JSON;
    const char *name;
    size_t bytes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$ni:Queue", names, &domain_object,
                                     &name_object, &maxsize, &codec)) {
        return NULL;
    }
    ilpy_domain *domain = ilpy_domain_of(domain_object);
    if (!domain || ilpy_name(name_object, &name, &bytes) != 0) return NULL;
    if (ilpy_codec_check(codec) != 0) return NULL;
    il_queue_options options = {.struct_bytes = sizeof options};
    if (maxsize > 0) options.maxsize = (uint64_t)maxsize;
    il_queue *native = NULL;
    il_status status;
    ILPY_OPEN(status, domain,
              il_queue_open(domain->domain, name, bytes, maxsize > 0 ? &options : NULL, &native));
    if (status != IL_OK) return ilpy_raise(status);
    ilpy_handle *handle = ilpy_handle_new(type, domain, &kind, name_object, native, ILPY_NATIVE);
    if (handle) ((queue_object *)handle)->codec = codec;
    return (PyObject *)handle;
}

/* ---- put ------------------------------------------------------------------------------------------ */

/* The block and timeout arguments, VALUES[0] and [1], as Python's queues have them. */
static int wait_of(PyObject *const *values, int64_t *timeout_ns) {
    int block = values[0] ? PyObject_IsTrue(values[0]) : 1;
    if (block < 0) return -1;
    *timeout_ns = IL_NOWAIT;
    return block ? ilpy_timeout(values[1], false, timeout_ns) : 0;
}

static il_status put_call(void *object, const void *data, size_t bytes, uint32_t type,
                          int64_t timeout_ns) {
    return il_queue_put(object, data, bytes, type, timeout_ns);
}

static PyObject *queue_put(PyObject *self, PyObject *const *args, Py_ssize_t count,
                           PyObject *kwnames) {
    static const char *const names[] = {"obj", "block", "timeout", NULL};
    PyObject *values[3];
    int64_t timeout_ns = IL_FOREVER;
    if (LIKELY(count == 1 && !kwnames)) {
        values[0] = args[0];
    } else if (ilpy_arguments("put", names, 3, 1, args, count, kwnames, values) != 0 ||
               wait_of(values + 1, &timeout_ns) != 0) {
        return NULL;
    }
    il_status status = ilpy_send_object(&queue_of(self)->handle, queue_of(self)->codec, put_call,
                                        values[0], timeout_ns);
    if (UNLIKELY(status != IL_OK)) return put_failed(status);
    Py_RETURN_NONE;
}

static PyObject *queue_put_bytes(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                 PyObject *kwnames) {
    static const char *const names[] = {"data", "block", "timeout", NULL};
    PyObject *values[3];
    int64_t timeout_ns;
    if (ilpy_arguments("put_bytes", names, 3, 1, args, count, kwnames, values) != 0 ||
        wait_of(values + 1, &timeout_ns) != 0) {
        return NULL;
    }
    il_status status = ilpy_send_bytes(&queue_of(self)->handle, queue_of(self)->codec, put_call,
                                       values[0], timeout_ns);
    if (status != IL_OK) return put_failed(status);
    Py_RETURN_NONE;
}

/* ---- get ------------------------------------------------------------------------------------------ */

static il_status get_call(struct ilpy_receiving *r, int64_t timeout_ns) {
    return il_queue_get(r->object, r->buffer, r->capacity, &r->bytes, &r->type, timeout_ns);
}

static il_status peek_call(struct ilpy_receiving *r, int64_t timeout_ns) {
    (void)timeout_ns;
    return il_queue_peek(r->object, r->buffer, r->capacity, &r->bytes, &r->type);
}

static PyObject *take(queue_object *queue, bool raw, int64_t timeout_ns) {
    char room[ILPY_ROOM];
    struct ilpy_receiving r = {.receive = get_call, .buffer = room, .capacity = sizeof room};
    il_status status = ilpy_receive(&queue->handle, &r, timeout_ns);
    if (LIKELY(status == IL_OK)) return ilpy_received(&queue->handle, queue->codec, raw, true, &r);
    ilpy_receiving_clear(&r);
    return get_failed(status);
}

static PyObject *queue_get(PyObject *self, PyObject *const *args, Py_ssize_t count,
                           PyObject *kwnames) {
    static const char *const names[] = {"block", "timeout", NULL};
    PyObject *values[2];
    int64_t timeout_ns = IL_FOREVER;
    if (UNLIKELY(count != 0 || kwnames) &&
        (ilpy_arguments("get", names, 2, 0, args, count, kwnames, values) != 0 ||
         wait_of(values, &timeout_ns) != 0)) {
        return NULL;
    }
    return take(queue_of(self), false, timeout_ns);
}

static PyObject *queue_get_bytes(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                 PyObject *kwnames) {
    static const char *const names[] = {"block", "timeout", NULL};
    PyObject *values[2];
    int64_t timeout_ns;
    if (ilpy_arguments("get_bytes", names, 2, 0, args, count, kwnames, values) != 0 ||
        wait_of(values, &timeout_ns) != 0) {
        return NULL;
    }
    return take(queue_of(self), true, timeout_ns);
}

static PyObject *queue_peek(PyObject *self, PyObject *unused) {
    char room[ILPY_ROOM];
    queue_object *queue = queue_of(self);
    struct ilpy_receiving r = {.receive = peek_call, .buffer = room, .capacity = sizeof room};
    (void)unused;
    il_status status = ilpy_receive(&queue->handle, &r, IL_NOWAIT);
    if (status == IL_OK) return ilpy_received(&queue->handle, queue->codec, false, false, &r);
    ilpy_receiving_clear(&r);
    return get_failed(status);
}

/* ---- many ----------------------------------------------------------------------------------------- */

static PyObject *queue_put_many(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                PyObject *kwnames) {
    static const char *const names[] = {"objs", "timeout", NULL};
    PyObject *values[2];
    int64_t timeout_ns;
    if (ilpy_arguments("put_many", names, 2, 1, args, count, kwnames, values) != 0 ||
        ilpy_timeout(values[1], false, &timeout_ns) != 0) {
        return NULL;
    }
    PyObject *iterator = PyObject_GetIter(values[0]), *object;
    if (!iterator) return NULL;
    Py_ssize_t done = 0;
    int64_t start = ilpy_now_ns();
    il_status status = IL_OK;
    queue_object *queue = queue_of(self);
    while (status == IL_OK && (object = PyIter_Next(iterator))) {
        status = ilpy_send_object(&queue->handle, queue->codec, put_call, object,
                                  ilpy_left(start, timeout_ns));
        Py_DECREF(object);
        if (status == IL_OK) done++;
    }
    Py_DECREF(iterator);
    if (PyErr_Occurred()) return NULL;
    if (status == IL_ETIMEOUT && done > 0) status = IL_OK;
    return status == IL_OK ? PyLong_FromSsize_t(done) : put_failed(status);
}

static PyObject *queue_get_many(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                PyObject *kwnames) {
    static const char *const names[] = {"count", "timeout", NULL};
    PyObject *values[2];
    int64_t timeout_ns;
    if (ilpy_arguments("get_many", names, 2, 1, args, count, kwnames, values) != 0 ||
        ilpy_timeout(values[1], false, &timeout_ns) != 0) {
        return NULL;
    }
    Py_ssize_t wanted = PyNumber_AsSsize_t(values[0], PyExc_OverflowError);
    if (wanted == -1 && PyErr_Occurred()) return NULL;
    if (wanted < 1) {
        return PyErr_Format(PyExc_ValueError, "count: expected 1 or more, got %zd", wanted);
    }
    PyObject *list = PyList_New(0);
    for (Py_ssize_t i = 0; list && i < wanted; i++) {
        char room[ILPY_ROOM];
        struct ilpy_receiving r = {.receive = get_call, .buffer = room, .capacity = sizeof room};
        queue_object *queue = queue_of(self);
        il_status status = ilpy_receive(&queue->handle, &r, i == 0 ? timeout_ns : IL_NOWAIT);
        PyObject *object = NULL;
        if (status == IL_OK) {
            object = ilpy_received(&queue->handle, queue->codec, false, true, &r);
        } else {
            ilpy_receiving_clear(&r);
            if (i > 0 && status != ILPY_RAISED) break; /* what there is */
            get_failed(status);
        }
        if (!object || PyList_Append(list, object) != 0) Py_CLEAR(list);
        Py_XDECREF(object);
    }
    return list;
}

/* ---- glances -------------------------------------------------------------------------------------- */

static PyObject *queue_qsize(PyObject *self, PyObject *unused) {
    ilpy_handle *handle = &queue_of(self)->handle;
    uint64_t size;
    il_status status;
    (void)unused;
    if (ilpy_handle_check(handle) != 0) return NULL;
    ILPY_CALL(status, handle, il_queue_size(native_of(handle), &size));
    return status == IL_OK ? PyLong_FromUnsignedLongLong(size) : ilpy_raise(status);
}

static PyObject *queue_empty(PyObject *self, PyObject *unused) {
    ilpy_handle *handle = &queue_of(self)->handle;
    int32_t empty;
    il_status status;
    (void)unused;
    if (ilpy_handle_check(handle) != 0) return NULL;
    ILPY_CALL(status, handle, il_queue_empty(native_of(handle), &empty));
    return status == IL_OK ? PyBool_FromLong(empty) : ilpy_raise(status);
}

static PyObject *queue_full(PyObject *self, PyObject *unused) {
    ilpy_handle *handle = &queue_of(self)->handle;
    int32_t full;
    il_status status;
    (void)unused;
    if (ilpy_handle_check(handle) != 0) return NULL;
    ILPY_CALL(status, handle, il_queue_full(native_of(handle), &full));
    return status == IL_OK ? PyBool_FromLong(full) : ilpy_raise(status);
}

static PyObject *queue_shut(PyObject *self, PyObject *unused) {
    ilpy_handle *handle = &queue_of(self)->handle;
    il_status status;
    (void)unused;
    if (ilpy_handle_check(handle) != 0) return NULL;
    ILPY_CALL(status, handle, il_queue_shut(native_of(handle)));
    return ilpy_result(status);
}

static PyObject *queue_maxsize(PyObject *self, void *unused) {
    ilpy_handle *handle = &queue_of(self)->handle;
    uint64_t maxsize;
    il_status status;
    (void)unused;
    if (ilpy_handle_check(handle) != 0) return NULL;
    ILPY_CALL(status, handle, il_queue_maxsize(native_of(handle), &maxsize));
    return status == IL_OK ? PyLong_FromUnsignedLongLong(maxsize) : ilpy_raise(status);
}

static PyObject *queue_codec(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromLong(queue_of(self)->codec);
}

/* ---- the type ------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    {"put", FAST(queue_put), ARGUMENTS,
     "put(obj, block=True, timeout=None)\n--\n\nAppend it, waiting for room. Raises queue.Full, "
     "Closed."},
    {"get", FAST(queue_get), ARGUMENTS,
     "get(block=True, timeout=None)\n--\n\nTake the oldest, waiting for one. Raises queue.Empty; "
     "Closed: it "
     "was shut, and nothing is left."},
    {"put_bytes", FAST(queue_put_bytes), ARGUMENTS,
     "put_bytes(data, block=True, timeout=None)\n--\n\nAppend bytes as they are."},
    {"get_bytes", FAST(queue_get_bytes), ARGUMENTS,
     "get_bytes(block=True, timeout=None)\n--\n\nTake the oldest message as the bytes that it is."},
    {"put_many", FAST(queue_put_many), ARGUMENTS,
     "put_many(objs, timeout=None)\n--\n\nAppend them in order; how many were, within TIMEOUT "
     "seconds. "
     "Raises queue.Full if none was."},
    {"get_many", FAST(queue_get_many), ARGUMENTS,
     "get_many(count, timeout=None)\n--\n\nWait for one, then take those that are there, at most "
     "COUNT. "
     "Raises queue.Empty."},
    {"peek", queue_peek, METH_NOARGS, "The oldest, which stays. Raises queue.Empty."},
    {"qsize", queue_qsize, METH_NOARGS, "A glance at the number of messages."},
    {"empty", queue_empty, METH_NOARGS, "A glance."},
    {"full", queue_full, METH_NOARGS, "A glance; never, if maxsize is 0."},
    {"shut", queue_shut, METH_NOARGS,
     "No more puts, by anyone; gets take what is left. Again: a no-op."},
    {0},
};

static PyGetSetDef attributes[] = {
    {"maxsize", queue_maxsize, NULL, "Messages; a put beyond waits. 0: as the domain has room.",
     NULL},
    {"codec", queue_codec, NULL, "JSON or PICKLE.", NULL},
    {0},
};

static PyMemberDef members[] = {WEAKREFS, {0}};

static PyType_Slot slots[] = {
    {Py_tp_new, queue_new},
    {Py_tp_dealloc, ilpy_handle_dealloc},
    {Py_tp_traverse, ilpy_handle_traverse},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
    {Py_tp_doc, "Queue(domain, name=None, *, maxsize=0, codec=JSON)\n--\n\n"
                "First in, first out, for any number of producers and consumers in all processes."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Queue",
    .basicsize = sizeof(queue_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_queue(PyObject *module) {
    queue_type = ilpy_add_type(module, &spec, ilpy.handle_type);
    ilpy_adoptable(&kind, queue_type);
    return queue_type ? 0 : -1;
}
