#include "server/rwmode.h"

#include <string.h>

#include "server/reply.h"

il_status ili_mode_parse(const char *text, const char *field, uint32_t *mode,
                         struct ili_fault *fault) {
    static const char expected[] = "\"shared\" or \"exclusive\"";
    if (text && strcmp(text, "shared") == 0) {
        *mode = IL_SHARED;
    } else if (text && strcmp(text, "exclusive") == 0) {
        *mode = IL_EXCLUSIVE;
    } else {
        return ili_fault_expected(fault, field, expected);
    }
    return IL_OK;
}

bool ili_mode_read(struct ili_request *request, const struct ili_mode_text *text, uint32_t *mode) {
    struct ili_fault fault;
    if (ili_mode_parse(text->text, "mode", mode, &fault) == IL_OK) return true;
    ili_reply_fault(request, &fault);
    return false;
}
