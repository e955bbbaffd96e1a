#include "client/host.h"

#include <stdarg.h>
#include <stdio.h>

const struct ili_remote_host *ili_host;

il_status ili_remote_fail(il_status status, const char *format, ...) {
    char text[512];
    if (!format) return ili_host->fail(status, NULL);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return ili_host->fail(status, text);
}
