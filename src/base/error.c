#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/status.h"

static _Thread_local char text[ILI_ERROR_TEXT_BYTES];

il_status ili_fail(il_status status, const char *format, ...) {
    const struct ili_status_info *info = ili_status_info(status);
    int length = snprintf(text, sizeof text, "%s%s", info ? info->text : "unknown failure",
                          format ? ": " : "");
    if (format && length > 0 && (size_t)length < sizeof text) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
        va_end(arguments);
    }
    return status;
}

const char *ili_error_text(void) { return text; }
