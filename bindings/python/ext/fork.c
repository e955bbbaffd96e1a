/*
 * What fork() does to handles. Those of flavour THREAD belong to one process: the child gets new objects with
 * the state that they had. All others it shares, as the library does it. Threads in calls exist in the parent only.
 */
#include "interlock_py.h"

static PyObject *before(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    for (ilpy_domain *domain = ilpy.domains; domain; domain = domain->next) {
        for (ilpy_handle *handle = domain->handles; handle; handle = handle->next) {
            if (handle->flavour == ILPY_THREAD && handle->kind->before_fork) {
                handle->kind->before_fork(handle);
            }
        }
    }
    Py_RETURN_NONE;
}

/* A handle whose object cannot be made anew keeps its parent's: the next call tells why. */
static void make_anew(ilpy_domain *domain, bool conditions) {
    for (ilpy_handle *handle = domain->handles; handle; handle = handle->next) {
        void *object = NULL;
        bool its_turn = (handle->kind->number == IL_KIND_CONDITION) == conditions;
        if (!its_turn || handle->flavour != ILPY_THREAD || handle->name) continue;
        if (!handle->kind->after_fork || handle->kind->after_fork(handle, &object) != IL_OK)
            continue;
        ilpy_handle_replace(handle, object);
    }
}

/* What is attached to a server is its parent's: the child has a session of its own for what is made anew. */
static void attach_anew(ilpy_domain *domain) {
    il_domain *attached = NULL;
    if (domain->private || domain->remote || domain->closing) return;
    const char *address = PyUnicode_AsUTF8AndSize(domain->address, NULL);
    if (address && il_domain_open(address, NULL, &attached) == IL_OK) domain->domain = attached;
}

static PyObject *in_child(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    ilpy.forks++;
    ilpy_signals_forked();
    if (PySet_Clear(ilpy.interrupted) != 0) return NULL;
    for (ilpy_domain *domain = ilpy.domains; domain; domain = domain->next) {
        domain->native = 0;
        for (ilpy_handle *handle = domain->handles; handle; handle = handle->next) {
            handle->uses = NULL;
            domain->native++;
        }
        attach_anew(domain);
        make_anew(domain, false);
        make_anew(domain, true); /* on locks that were made anew */
    }
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"_before_fork", before, METH_NOARGS, "Called by fork()."},
    {"_in_forked_child", in_child, METH_NOARGS, "Called by fork()."},
    {0},
};

int ilpy_add_fork(PyObject *module) {
    PyObject *os = NULL, *result = NULL, *hook = NULL, *keywords = NULL, *none = NULL;
    if (PyModule_AddFunctions(module, functions) != 0) return -1;
    PyObject *first = PyObject_GetAttrString(module, "_before_fork");
    PyObject *then = PyObject_GetAttrString(module, "_in_forked_child");
    if (first && then) {
        os = PyImport_ImportModule("os");
        hook = os ? PyObject_GetAttrString(os, "register_at_fork") : NULL;
        keywords = Py_BuildValue("{sOsO}", "before", first, "after_in_child", then);
        none = PyTuple_New(0);
    }
    if (hook && keywords && none) result = PyObject_Call(hook, none, keywords);
    Py_XDECREF(first);
    Py_XDECREF(then);
    Py_XDECREF(os);
    Py_XDECREF(hook);
    Py_XDECREF(keywords);
    Py_XDECREF(none);
    Py_XDECREF(result);
    return result ? 0 : -1;
}
