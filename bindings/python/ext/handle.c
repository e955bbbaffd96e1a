#include "interlock_py.h"

static ilpy_handle *handle_of(PyObject *self) { return (ilpy_handle *)self; }

/* ---- life ----------------------------------------------------------------------------------------- */

static void enlist(ilpy_handle *handle) {
    ilpy_domain *domain = handle->domain;
    handle->next = domain->handles;
    handle->link = &domain->handles;
    if (handle->next) handle->next->link = &handle->next;
    domain->handles = handle;
}

static void delist(ilpy_handle *handle) {
    *handle->link = handle->next;
    if (handle->next) handle->next->link = handle->link;
    handle->next = NULL;
    handle->link = NULL;
}

ilpy_handle *ilpy_handle_new(PyTypeObject *type, ilpy_domain *domain, const struct ilpy_kind *kind,
                             PyObject *name, void *object, int flavour) {
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    ilpy_handle *handle = (ilpy_handle *)alloc(type, 0);
    if (!handle) {
        (void)kind->close(object);
        return NULL;
    }
    handle->object = object;
    handle->domain = (ilpy_domain *)Py_NewRef((PyObject *)domain);
    handle->kind = kind;
    handle->name = name && name != Py_None ? Py_NewRef(name) : NULL;
    handle->flavour = flavour;
    domain->native++;
    enlist(handle);
    return handle;
}

/* Closes OBJECT, which the handle no longer has, or leaves it to those that are in a call with it. */
static void let_go(ilpy_handle *handle, void *object) {
    bool used = false;
    for (struct ilpy_use *use = handle->uses; use; use = use->next) {
        if (use->object != object) continue;
        used = true;
        (void)il_interrupt(use->thread);
    }
    if (used) return;
    (void)handle->kind->close(object);
    ilpy_domain_object_closed(handle->domain);
}

void ilpy_handle_replace(ilpy_handle *handle, void *another) {
    void *old = handle->object;
    handle->object = another;
    handle->domain->native++;
    let_go(handle, old);
}

void ilpy_handle_close(ilpy_handle *handle) {
    void *object = handle->object;
    if (!object) return;
    handle->object = NULL;
    delist(handle);
    let_go(handle, object);
}

static int check_guard(ilpy_handle *handle) {
    int32_t held = 0;
    if (handle->guard->object && il_lock_locked(handle->guard->object, &held) == IL_OK && held)
        return 0;
    PyObject *result = PyObject_CallNoArgs(handle->guard_failed);
    if (result) {
        Py_DECREF(result);
        ilpy_raise_text(IL_ECLOSED, "the guard of this %s is gone", handle->kind->name);
    }
    return -1;
}

int ilpy_handle_check_slowly(ilpy_handle *handle) {
    if (handle->object) return handle->guard ? check_guard(handle) : 0;
    ilpy_raise_text(IL_ECLOSED, "this handle of a %s is closed", handle->kind->name);
    return -1;
}

int ilpy_handle_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)handle_of(self)->domain);
    Py_VISIT((PyObject *)handle_of(self)->guard);
    Py_VISIT(handle_of(self)->guard_failed);
    return 0;
}

void ilpy_handle_dealloc(PyObject *self) {
    ilpy_handle *handle = handle_of(self);
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (handle->weakrefs) PyObject_ClearWeakRefs(self);
    if (handle->domain) ilpy_handle_close(handle);
    Py_CLEAR(handle->domain);
    Py_CLEAR(handle->name);
    Py_CLEAR(handle->guard);
    Py_CLEAR(handle->guard_failed);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

ilpy_handle *ilpy_handle_of(PyObject *object, const char *argument, uint32_t kind) {
    if (!PyObject_TypeCheck(object, ilpy.handle_type) || handle_of(object)->kind->number != kind) {
        PyErr_Format(PyExc_TypeError, "%s: unexpected %R", argument, (PyObject *)Py_TYPE(object));
        return NULL;
    }
    return ilpy_handle_check(handle_of(object)) == 0 ? handle_of(object) : NULL;
}

/* ---- methods -------------------------------------------------------------------------------------- */

static PyObject *handle_close(PyObject *self, PyObject *unused) {
    (void)unused;
    ilpy_handle_close(handle_of(self));
    Py_RETURN_NONE;
}

static PyObject *handle_delete(PyObject *self, PyObject *unused) {
    (void)unused;
    ilpy_handle *handle = handle_of(self);
    const char *name;
    size_t bytes;
    struct ilpy_call call;
    if (ilpy_handle_check(handle) != 0) return NULL;
    if (!handle->name) {
        PyErr_SetString(PyExc_ValueError, "delete: an anonymous object has no name to remove");
        return NULL;
    }
    if (ilpy_name(handle->name, &name, &bytes) != 0) return NULL;
    ilpy_call_begin(handle, &call);
    il_status status = handle->kind->remove(handle->domain->domain, name, bytes);
    ilpy_call_end(handle, &call);
    return ilpy_result(status);
}

static PyObject *handle_guard(PyObject *self, PyObject *args) {
    ilpy_handle *handle = handle_of(self);
    PyObject *lock, *failed;
    if (!PyArg_ParseTuple(args, "OO:_guard", &lock, &failed)) return NULL;
    ilpy_handle *guard = ilpy_handle_of(lock, "lock", IL_KIND_LOCK);
    if (!guard) return NULL;
    if (!PyCallable_Check(failed)) {
        return PyErr_Format(PyExc_TypeError, "failed: expected a function, got %R", failed);
    }
    PyObject *old_guard = (PyObject *)handle->guard, *old_failed = handle->guard_failed;
    handle->guard = (ilpy_handle *)Py_NewRef(lock);
    handle->guard_failed = Py_NewRef(failed);
    Py_XDECREF(old_guard);
    Py_XDECREF(old_failed);
    Py_RETURN_NONE;
}

static PyObject *handle_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)args, (void)kwargs;
    return PyErr_Format(PyExc_TypeError, "cannot create %R: it is only a base", (PyObject *)type);
}

static PyObject *handle_domain(PyObject *self, void *unused) {
    (void)unused;
    return Py_NewRef((PyObject *)handle_of(self)->domain);
}

static PyObject *handle_name(PyObject *self, void *unused) {
    (void)unused;
    return Py_NewRef(handle_of(self)->name ? handle_of(self)->name : Py_None);
}

static PyObject *handle_kind(PyObject *self, void *unused) {
    (void)unused;
    return PyUnicode_FromString(handle_of(self)->kind->name);
}

static PyObject *handle_flavour(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromLong(handle_of(self)->flavour);
}

static PyObject *handle_closed(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(handle_of(self)->object == NULL);
}

static PyMethodDef methods[] = {
    {"close", handle_close, METH_NOARGS, "Close this handle; again: nothing happens."},
    {"delete", handle_delete, METH_NOARGS, "Remove the object's name, for everybody."},
    {"_guard", handle_guard, METH_VARARGS,
     "_guard(lock, failed)\n--\n\nFrom now on this handle's calls are made only while somebody "
     "holds LOCK; "
     "else they call FAILED(), which raises."},
    {0},
};

static PyGetSetDef attributes[] = {
    {"domain", handle_domain, NULL, "The domain.", NULL},
    {"name", handle_name, NULL, "None: anonymous.", NULL},
    {"kind", handle_kind, NULL, "\"lock\", \"queue\", ...", NULL},
    {"flavour", handle_flavour, NULL, "NATIVE, THREAD or PROCESS.", NULL},
    {"closed", handle_closed, NULL, "Whether this handle is closed.", NULL},
    {0},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(ilpy_handle, weakrefs), READONLY, NULL},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_new, handle_new},
    {Py_tp_dealloc, ilpy_handle_dealloc},
    {Py_tp_traverse, ilpy_handle_traverse},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
    {Py_tp_doc, "What all handles have."},
    {0},
};

static PyType_Spec spec = {
    .name = "interlock._core._Handle",
    .basicsize = sizeof(ilpy_handle),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int ilpy_add_handle(PyObject *module) {
    ilpy.handle_type = ilpy_add_type(module, &spec, NULL);
    return ilpy.handle_type ? 0 : -1;
}
