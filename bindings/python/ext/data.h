/* data.h - small things that the types which carry data share. */
#ifndef ILPY_DATA_H
#define ILPY_DATA_H

#include "interlock_py.h"

#include <time.h>

#define FAST(function) ((PyCFunction)(void (*)(void))(function))
#define ARGUMENTS (METH_FASTCALL | METH_KEYWORDS)
#define WEAKREFS                                                                                   \
    { "__weaklistoffset__", T_PYSSIZET, offsetof(ilpy_handle, weakrefs), READONLY, NULL }

/* The opening of an object; where that goes over a network other threads run meanwhile. */
#define ILPY_OPEN(status, domain, call)                                                            \
    do {                                                                                           \
        PyThreadState *thread_ = ilpy_open_begin(domain);                                          \
        (status) = (call);                                                                         \
        ilpy_open_end(domain, thread_);                                                            \
    } while (0)

/* A call that does not wait. */
#define ILPY_CALL(status, handle, call)                                                            \
    do {                                                                                           \
        struct ilpy_call call_;                                                                    \
        ilpy_call_begin(handle, &call_);                                                           \
        (status) = (call);                                                                         \
        ilpy_call_end(handle, &call_);                                                             \
    } while (0)

/* Nanoseconds of the clock that timeouts count by. */
static inline int64_t ilpy_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What is left of TIMEOUT_NS, which began at START_NS. */
static inline int64_t ilpy_left(int64_t start_ns, int64_t timeout_ns) {
    if (timeout_ns <= 0) return timeout_ns;
    int64_t passed = ilpy_now_ns() - start_ns;
    return passed < timeout_ns ? timeout_ns - passed : IL_NOWAIT;
}

/* The parts that carry data, in the order in which ilpy_add_data() adds them. */
#define ILPY_DATA_PARTS(X)                                                                         \
    X(codec)                                                                                       \
    X(queue)                                                                                       \
    X(pipe)                                                                                        \
    X(value)                                                                                       \
    X(array)                                                                                       \
    X(dict)                                                                                        \
    X(list)                                                                                        \
    X(watch)                                                                                       \
    X(task)                                                                                        \
    X(workers)                                                                                     \
    X(share)

#define ILPY_DATA_PART_DECLARED(part) int ilpy_add_##part(PyObject *module);
ILPY_DATA_PARTS(ILPY_DATA_PART_DECLARED)

/* share.c: NATIVE, which it takes over, as the Python object of the kind and traits that SHARED says. */
struct ilpy_shared {
    il_ticket ticket;
    uint32_t traits, flavour;
};
PyObject *ilpy_adopted(ilpy_domain *domain, void *native, const struct ilpy_shared *shared);

/* What a Dict or List is made with. */
struct ilpy_data_arguments {
    ilpy_domain *domain; /* borrowed from the arguments, as the name is */
    PyObject *name_object;
    const char *name;
    size_t name_bytes;
    int codec;
    il_data_options limits;
    const il_data_options *options; /* NULL: whatever it is */
};
/* FORMAT: "O|O$iOOO:Dict". -1: exception set. */
int ilpy_data_arguments(PyObject *args, PyObject *kwargs, const char *format,
                        struct ilpy_data_arguments *a);

#endif
