#include "interlock_py.h"

#include <string.h>

struct ilpy_state ilpy;

#define PART_ADDED(part) ilpy_add_##part,
static int (*const parts[])(PyObject *module) = {ILPY_PARTS(PART_ADDED)};

PyTypeObject *ilpy_add_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base) {
    PyObject *bases = base ? PyTuple_Pack(1, (PyObject *)base) : NULL;
    if (base && !bases) return NULL;
    PyObject *type = PyType_FromModuleAndSpec(module, spec, bases);
    Py_XDECREF(bases);
    if (!type) return NULL;
    if (PyModule_AddObjectRef(module, strrchr(spec->name, '.') + 1, type) != 0) Py_CLEAR(type);
    return (PyTypeObject *)type;
}

static int add_constants(PyObject *module) {
    if (PyModule_AddIntConstant(module, "NATIVE", ILPY_NATIVE) != 0 ||
        PyModule_AddIntConstant(module, "THREAD", ILPY_THREAD) != 0 ||
        PyModule_AddIntConstant(module, "PROCESS", ILPY_PROCESS) != 0 ||
        PyModule_AddIntConstant(module, "IL_ABI_VERSION", IL_ABI_VERSION) != 0) {
        return -1;
    }
    return PyModule_AddStringConstant(module, "version", il_version());
}

static int module_exec(PyObject *module) {
    if (ilpy.module) {
        PyErr_SetString(PyExc_ImportError,
                        "interlock._core can be used by one interpreter of a process");
        return -1;
    }
    if (il_abi_version() < IL_ABI_VERSION) {
        PyErr_Format(PyExc_ImportError, "libinterlock has ABI version %u, expected %u or more",
                     (unsigned)il_abi_version(), (unsigned)IL_ABI_VERSION);
        return -1;
    }
    if (add_constants(module) != 0) return -1;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i](module) != 0) return -1;
    }
    ilpy.module = module;
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, module_exec}, {0}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "interlock._core",
    .m_doc = "Interlock's objects, on libinterlock's ABI.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__core(void);
PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
