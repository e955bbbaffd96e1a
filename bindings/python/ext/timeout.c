#include "interlock_py.h"

#include <math.h>

#define NS_PER_S 1e9
#define LONGEST_S 9.2e9 /* what fits into int64_t nanoseconds */

static int seconds_of(PyObject *object, const char *argument, double *out) {
    double seconds = PyFloat_AsDouble(object);
    if (seconds == -1.0 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Format(PyExc_TypeError, "%s: expected seconds as a number, got %R", argument,
                         (PyObject *)Py_TYPE(object));
        }
        return -1;
    }
    if (isnan(seconds)) {
        PyErr_Format(PyExc_ValueError, "%s: expected seconds, got NaN (not a number)", argument);
        return -1;
    }
    *out = seconds;
    return 0;
}

/* Not longer than fits: that is 290 years, and as good as without limit. */
static int64_t ns_of(double seconds) {
    return seconds >= LONGEST_S ? INT64_MAX : (int64_t)ceil(seconds * NS_PER_S);
}

int ilpy_timeout(PyObject *object, bool negative_is_zero, int64_t *ns) {
    double seconds;
    if (!object || object == Py_None) {
        *ns = IL_FOREVER;
        return 0;
    }
    if (seconds_of(object, "timeout", &seconds) != 0) return -1;
    if (seconds < 0.0) {
        if (!negative_is_zero) {
            PyErr_Format(PyExc_ValueError, "timeout: expected 0 or more seconds, got %R", object);
            return -1;
        }
        seconds = 0.0;
    }
    *ns = ns_of(seconds);
    return 0;
}

int ilpy_duration(PyObject *object, const char *argument, int64_t *ns) {
    double seconds;
    if (seconds_of(object, argument, &seconds) != 0) return -1;
    if (seconds < 0.0) {
        PyErr_Format(PyExc_ValueError, "%s: expected 0 or more seconds, got %R", argument, object);
        return -1;
    }
    *ns = ns_of(seconds);
    return 0;
}
