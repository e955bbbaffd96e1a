/*
 * parts.h - what the module is made of, in the order in which it is added. A file that adds types or functions
 * has `int ilpy_add_PART(PyObject *module)`, which returns 0, or -1 with an exception set.
 */
#ifndef ILPY_PARTS_H
#define ILPY_PARTS_H

#define ILPY_PARTS(X)                                                                              \
    X(errors)                                                                                      \
    X(domain)                                                                                      \
    X(handle)                                                                                      \
    X(fork)                                                                                        \
    X(signals)                                                                                     \
    X(threads)                                                                                     \
    X(data)                                                                                        \
    X(lock)                                                                                        \
    X(rlock)                                                                                       \
    X(semaphore)                                                                                   \
    X(event)                                                                                       \
    X(condition)                                                                                   \
    X(barrier)                                                                                     \
    X(latch)                                                                                       \
    X(rwlock)                                                                                      \
    X(several)                                                                                     \
    X(later)                                                                                       \
    X(process)

#endif
