#include "interlock_py.h"

#include <stdlib.h>
#include <string.h>

static ilpy_domain *domain_of(PyObject *self) { return (ilpy_domain *)self; }

/* ---- opening -------------------------------------------------------------------------------------- */

/* How ADDRESS is reached; "inherited:" as the program was started: il_process_start(). */
static void note_kind(ilpy_domain *self, const char *address) {
    if (strcmp(address, "inherited:") == 0) {
        const char *from = getenv("INTERLOCK_DOMAIN");
        self->private = getenv("INTERLOCK_INHERIT") != NULL;
        if (self->private || !from) return;
        address = from;
    }
    self->remote = strncmp(address, "http", 4) == 0;
    self->private = strncmp(address, "private", 7) == 0;
}

static PyObject *domain_open(PyTypeObject *type, PyObject *address,
                             const il_domain_options *options) {
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    const char *text = PyUnicode_AsUTF8AndSize(address, NULL);
    if (!text) return NULL;
    ilpy_domain *self = (ilpy_domain *)alloc(type, 0);
    if (!self) return NULL;
    self->next = ilpy.domains;
    self->link = &ilpy.domains;
    if (self->next) self->next->link = &self->next;
    ilpy.domains = self;
    self->address = Py_NewRef(address);
    note_kind(self, text);
    PyThreadState *thread = PyEval_SaveThread();
    il_status status = il_domain_open(text, options, &self->domain);
    PyEval_RestoreThread(thread);
    if (status == IL_OK) return (PyObject *)self;
    ilpy_raise(status);
    Py_DECREF(self);
    return NULL;
}

static PyObject *domain_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"address", "arena_bytes", "label", NULL};
    il_domain_options options = {.struct_bytes = sizeof options};
    PyObject *address = NULL, *arena = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|U$Oz:Domain", names, &address, &arena,
                                     &options.label)) {
        return NULL;
    }
    if (arena && ilpy_u64(arena, "arena_bytes", &options.arena_bytes) != 0) return NULL;
    if (address) return domain_open(type, address, &options);
    address = PyUnicode_FromString("private:");
    PyObject *self = address ? domain_open(type, address, &options) : NULL;
    Py_XDECREF(address);
    return self;
}

PyObject *ilpy_default_domain(void) {
    if (ilpy.default_domain) return Py_NewRef(ilpy.default_domain);
    const char *other = getenv("INTERLOCK_PYTHON_DOMAIN");
    PyObject *address = PyUnicode_FromString("inherited:");
    PyObject *domain = address ? domain_open(ilpy.domain_type, address, NULL) : NULL;
    Py_XDECREF(address);
    if (!domain && PyErr_ExceptionMatches(PyTuple_GetItem(ilpy.errors, -IL_ENOTFOUND))) {
        PyErr_Clear();
        address = PyUnicode_DecodeFSDefault(other && *other ? other : "private:");
        domain = address ? domain_open(ilpy.domain_type, address, NULL) : NULL;
        Py_XDECREF(address);
    }
    if (!domain) return NULL;
    if (ilpy.default_domain) { /* another thread was first, while this one opened */
        Py_DECREF(domain);
        return Py_NewRef(ilpy.default_domain);
    }
    ilpy.default_domain = Py_NewRef(domain);
    return domain;
}

/* ---- closing -------------------------------------------------------------------------------------- */

static void close_native(ilpy_domain *self) {
    il_domain *domain = self->domain;
    self->domain = NULL;
    if (!domain) return;
    PyThreadState *thread = PyEval_SaveThread();
    (void)il_domain_close(domain);
    PyEval_RestoreThread(thread);
}

void ilpy_domain_object_closed(ilpy_domain *self) {
    self->native--;
    if (self->closing && self->native == 0) close_native(self);
}

PyThreadState *ilpy_open_begin(ilpy_domain *self) {
    self->native++; /* a close() meanwhile leaves the rest to this call */
    return self->remote ? PyEval_SaveThread() : NULL;
}

void ilpy_open_end(ilpy_domain *self, PyThreadState *thread) {
    if (thread) PyEval_RestoreThread(thread);
    self->native--;
}

/* The handles first; what threads still are in a call with keeps the native domain until they return. */
static void domain_shut(ilpy_domain *self) {
    if (self->closing) return;
    while (self->handles) ilpy_handle_close(self->handles);
    self->closing = true;
    if (self->native == 0) close_native(self);
}

static void domain_dealloc(PyObject *object) {
    ilpy_domain *self = domain_of(object);
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (self->weakrefs) PyObject_ClearWeakRefs(object);
    domain_shut(self);
    if (self->link) {
        *self->link = self->next;
        if (self->next) self->next->link = self->link;
    }
    Py_CLEAR(self->address);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static int domain_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    return 0;
}

ilpy_domain *ilpy_domain_of(PyObject *object) {
    if (!PyObject_TypeCheck(object, ilpy.domain_type)) {
        PyErr_Format(PyExc_TypeError, "domain: expected a Domain, got %R",
                     (PyObject *)Py_TYPE(object));
        return NULL;
    }
    if (domain_of(object)->closing) {
        ilpy_raise_text(IL_ECLOSED, "domain: it is closed");
        return NULL;
    }
    return domain_of(object);
}

/* ---- methods -------------------------------------------------------------------------------------- */

static PyObject *domain_close(PyObject *self, PyObject *unused) {
    (void)unused;
    if (ilpy.default_domain == self) Py_CLEAR(ilpy.default_domain);
    domain_shut(domain_of(self));
    Py_RETURN_NONE;
}

static PyObject *domain_info(PyObject *self, PyObject *unused) {
    (void)unused;
    il_domain_info info = {.struct_bytes = sizeof info};
    if (!ilpy_domain_of(self)) return NULL;
    il_status status = il_domain_info_get(domain_of(self)->domain, &info);
    if (status != IL_OK) return ilpy_raise(status);
    return Py_BuildValue("{sIsKsKsKsI}", "clients", (unsigned)info.clients, "arena_bytes",
                         (unsigned long long)info.arena_bytes, "free_bytes",
                         (unsigned long long)info.free_bytes, "objects",
                         (unsigned long long)info.objects, "handles", domain_of(self)->native);
}

struct loss_wait {
    il_domain *domain;
    il_loss loss;
};

static il_status loss_next(void *context, int64_t timeout_ns) {
    struct loss_wait *wait = context;
    return il_loss_next(wait->domain, &wait->loss, timeout_ns);
}

static PyObject *domain_next_loss(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                  PyObject *kwnames) {
    static const char *const names[] = {"timeout", NULL};
    struct loss_wait wait = {.loss = {.struct_bytes = sizeof wait.loss}};
    ilpy_domain *domain = ilpy_domain_of(self);
    PyObject *timeout;
    int64_t timeout_ns;
    if (!domain || ilpy_arguments("next_loss", names, 1, 0, args, count, kwnames, &timeout) != 0 ||
        ilpy_timeout(timeout, false, &timeout_ns) != 0) {
        return NULL;
    }
    wait.domain = domain->domain;
    domain->native++; /* a close() meanwhile leaves the rest to this call */
    il_status status = ilpy_wait_free(loss_next, &wait, timeout_ns);
    ilpy_domain_object_closed(domain);
    if (status == ILPY_RAISED) return NULL;
    if (status != IL_OK) return ilpy_raise(status);
    return Py_BuildValue(
        "{sIsisKsssNss}", "kind", (unsigned)wait.loss.kind, "why", (int)wait.loss.why, "token",
        (unsigned long long)wait.loss.token, "code", il_status_name(wait.loss.why), "name",
        wait.loss.name_bytes ? PyUnicode_FromStringAndSize(wait.loss.name, wait.loss.name_bytes)
                             : Py_NewRef(Py_None),
        "reason", wait.loss.reason);
}

static PyObject *domain_enter(PyObject *self, PyObject *unused) {
    (void)unused;
    return ilpy_domain_of(self) ? Py_NewRef(self) : NULL;
}

static PyObject *domain_exit(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)args, (void)count;
    return domain_close(self, NULL);
}

static PyObject *domain_repr(PyObject *self) {
    return PyUnicode_FromFormat("<%sDomain %R>", domain_of(self)->closing ? "closed " : "",
                                domain_of(self)->address);
}

static PyObject *domain_address(PyObject *self, void *unused) {
    (void)unused;
    return Py_NewRef(domain_of(self)->address);
}

static PyObject *domain_closed(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(domain_of(self)->closing);
}

static PyMethodDef methods[] = {
    {"close", domain_close, METH_NOARGS, "Close it, and every handle that is still open."},
    {"info", domain_info, METH_NOARGS, "A dict: clients, arena_bytes, free_bytes, objects."},
    {"next_loss", ILPY_METHOD(domain_next_loss), ILPY_KEYWORDS,
     "Wait for the next grant that this process has lost; raises Timeout."},
    {"__enter__", domain_enter, METH_NOARGS, NULL},
    {"__exit__", ILPY_METHOD(domain_exit), METH_FASTCALL, NULL},
    {0},
};

static PyGetSetDef attributes[] = {
    {"address", domain_address, NULL, "As it was opened.", NULL},
    {"closed", domain_closed, NULL, "Whether it is closed.", NULL},
    {0},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(ilpy_domain, weakrefs), READONLY, NULL},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_new, domain_new},
    {Py_tp_dealloc, domain_dealloc},
    {Py_tp_traverse, domain_traverse},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
    {Py_tp_repr, domain_repr},
    {Py_tp_doc, "Domain(address='private:', *, arena_bytes=0, label=None)\n--\n\n"
                "A session in a domain: this program's own, or a server's."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core.Domain",
    .basicsize = sizeof(ilpy_domain),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

static PyObject *default_domain(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return ilpy_default_domain();
}

static PyMethodDef functions[] = {
    {"default_domain", default_domain, METH_NOARGS,
     "The domain that the drop-in modules share, opened at first use."},
    {0},
};

int ilpy_add_domain(PyObject *module) {
    ilpy.domain_type = ilpy_add_type(module, &spec, NULL);
    return ilpy.domain_type ? PyModule_AddFunctions(module, functions) : -1;
}
