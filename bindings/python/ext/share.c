/* share.c - share() and adopt(): an object's ticket as bytes, and the object again in another process. */
#include "data.h"

#include <string.h>

#define KINDS_END 16

static struct {
    const struct ilpy_kind *kind;
    PyTypeObject *type;
} kinds[KINDS_END];

void ilpy_adoptable(const struct ilpy_kind *kind, PyTypeObject *type) {
    kinds[kind->number].kind = kind;
    kinds[kind->number].type = type;
}

static PyObject *share(PyObject *module, PyObject *object) {
    (void)module;
    ilpy_handle *handle = (ilpy_handle *)object;
    if (!PyObject_TypeCheck(object, ilpy.handle_type)) {
        return PyErr_Format(PyExc_TypeError, "share: expected an object of a domain, got %R",
                            (PyObject *)Py_TYPE(object));
    }
    if (ilpy_handle_check(handle) != 0) return NULL;
    struct ilpy_shared shared = {.flavour = (uint32_t)handle->flavour};
    if (handle->kind->traits) shared.traits = handle->kind->traits(handle);
    il_status status = il_share(handle->kind->number, handle->object, &shared.ticket);
    if (status != IL_OK) return ilpy_raise(status);
    return PyBytes_FromStringAndSize((const char *)&shared, sizeof shared);
}

/* As TYPE. */
static PyObject *adopted_as(PyTypeObject *type, ilpy_domain *domain, void *native,
                            const struct ilpy_shared *shared) {
    const struct ilpy_kind *kind = kinds[shared->ticket.kind].kind;
    ilpy_handle *handle = ilpy_handle_new(type, domain, kind, NULL, native, (int)shared->flavour);
    if (handle && kind->adopted && kind->adopted(handle, &shared->ticket, shared->traits) != 0) {
        Py_CLEAR(handle);
    }
    return (PyObject *)handle;
}

PyObject *ilpy_adopted(ilpy_domain *domain, void *native, const struct ilpy_shared *shared) {
    return adopted_as(kinds[shared->ticket.kind].type, domain, native, shared);
}

/* The class that adopt() was asked for; it must be KIND's or a subclass. NULL: exception set. */
static PyTypeObject *class_of(PyObject *object, uint32_t kind) {
    PyTypeObject *type = kinds[kind].type;
    if (object == Py_None) return type;
    if (PyType_Check(object) && PyType_IsSubtype((PyTypeObject *)object, type)) {
        return (PyTypeObject *)object;
    }
    PyErr_Format(PyExc_TypeError, "cls: expected a subclass of %R, got %R", (PyObject *)type,
                 object);
    return NULL;
}

static PyObject *adopt(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"ticket", "domain", "cls", NULL};
    PyObject *domain_object = Py_None, *class_object = Py_None, *object = NULL;
    Py_buffer data;
    struct ilpy_shared shared;
    void *native = NULL;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*|OO:adopt", names, &data, &domain_object,
                                     &class_object)) {
        return NULL;
    }
    Py_ssize_t bytes = data.len;
    if (bytes == sizeof shared) memcpy(&shared, data.buf, sizeof shared);
    PyBuffer_Release(&data);
    if (bytes != sizeof shared) {
        return ilpy_raise_text(IL_EINVAL, "ticket: expected the %zu bytes of share(), got %zd",
                               sizeof shared, bytes);
    }
    if (shared.ticket.kind >= KINDS_END || !kinds[shared.ticket.kind].type ||
        shared.flavour > ILPY_PROCESS) {
        return ilpy_raise_text(IL_EINVAL, "ticket: it is not one of share()");
    }
    PyTypeObject *type = class_of(class_object, shared.ticket.kind);
    if (!type) return NULL;
    PyObject *opened = domain_object == Py_None ? ilpy_default_domain() : Py_NewRef(domain_object);
    ilpy_domain *domain = opened ? ilpy_domain_of(opened) : NULL;
    if (domain) {
        il_status status = il_adopt(domain->domain, &shared.ticket, &native);
        if (status == IL_OK)
            object = adopted_as(type, domain, native, &shared);
        else
            ilpy_raise(status);
    }
    Py_XDECREF(opened);
    return object;
}

static PyMethodDef functions[] = {
    {"share", share, METH_O,
     "A ticket for an object of a domain on this host, good while any process has the object "
     "open."},
    {"adopt", FAST(adopt), METH_VARARGS | METH_KEYWORDS,
     "adopt(ticket, domain=None, cls=None)\n--\n\nOpens what share() gave a ticket for, as CLS if "
     "that is a "
     "subclass of its class. Raises NotFound."},
    {0},
};

int ilpy_add_share(PyObject *module) { return PyModule_AddFunctions(module, functions); }

#define PART_ADDED(part) ilpy_add_##part,

int ilpy_add_data(PyObject *module) {
    static int (*const parts[])(PyObject *) = {ILPY_DATA_PARTS(PART_ADDED)};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i](module) != 0) return -1;
    }
    return 0;
}
