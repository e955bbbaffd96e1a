/* rwmode.h - the field "mode" of what concerns an rwlock: "shared" or "exclusive". */
#ifndef ILI_SERVER_RWMODE_H
#define ILI_SERVER_RWMODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

struct ili_request;

struct ili_mode_text {
    char text[16];
};

#define ILI_MODE_PARAM(mode) ILI_PARAM_TEXT("mode", (mode)->text, 15)

/* IL_SHARED, IL_EXCLUSIVE. FIELD is for *FAULT. */
il_status ili_mode_parse(const char *text, const char *field, uint32_t *mode,
                         struct ili_fault *fault);

/* The same for a request. False: it was answered. */
bool ili_mode_read(struct ili_request *request, const struct ili_mode_text *text, uint32_t *mode);

#endif
