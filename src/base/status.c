#include "base/status.h"

#include <string.h>

#define ROW(constant, number, code, http, text) {constant, #constant, code, http, text},

static const struct ili_status_info table[] = {ILI_STATUS_TABLE(ROW)};

#define ROWS (sizeof table / sizeof table[0])

const struct ili_status_info *ili_status_info(il_status status) {
    /* The codes are 0, -1, -2 … without a gap, in the table's order. */
    if (status > 0 || status <= -(il_status)ROWS) return NULL;
    return &table[-status];
}

const struct ili_status_info *ili_status_by_code(const char *code) {
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(table[i].code, code) == 0) return &table[i];
    }
    return NULL;
}
