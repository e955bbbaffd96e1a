#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

il_status ili_fault_set(struct ili_fault *fault, il_status status, const char *field,
                        const char *expected, const char *format, ...) {
    char detail[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    fault->status = status;
    ili_text_copy(fault->field, sizeof fault->field, field);
    ili_text_copy(fault->expected, sizeof fault->expected, expected);
    ili_text_copy(fault->detail, sizeof fault->detail, detail);
    return status;
}

il_status ili_fault_expected(struct ili_fault *fault, const char *field, const char *expected) {
    return ili_fault_set(fault, IL_EINVAL, field, expected, "%s%sexpected %s", field ? field : "",
                         field ? ": " : "", expected);
}

void ili_fault_place(struct ili_fault *fault, const char *array, size_t index,
                     const char *expected) {
    struct ili_fault inner = *fault;
    char field[sizeof fault->field];
    snprintf(field, sizeof field, "%s[%zu]%s%.40s", array, index, *inner.field ? "." : "",
             inner.field);
    ili_fault_set(fault, inner.status, field, *inner.expected ? inner.expected : expected,
                  "%s[%zu]: %.400s", array, index, inner.detail);
}
