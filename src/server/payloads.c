#include "server/payloads.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/limits.h"

typedef il_status read_each(const struct ili_value *value, const char *where,
                            struct ili_payload *out, struct ili_fault *fault);

static il_status read_list(const struct ili_value *list, const char *field, const char *what,
                           size_t least, size_t most, read_each *each, struct ili_payloads *out,
                           struct ili_fault *fault) {
    struct ili_value_walk walk = {0};
    struct ili_value value;
    char expected[80], where[48];
    size_t count = json_array_size(list->json); /* 0 also if it is no array */
    if (!json_is_array(list->json) || count < least || count > most) {
        snprintf(expected, sizeof expected, "an array of %zu to %zu %s", least, most, what);
        return ili_fault_expected(fault, field, expected);
    }
    out->at = calloc(count ? count : 1, sizeof *out->at);
    if (!out->at) {
        return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "the server has no memory for the %s",
                             field);
    }
    while (ili_value_next(list, &walk, &value)) {
        snprintf(where, sizeof where, "%s[%zu]", field, out->count);
        il_status status = each(&value, where, &out->at[out->count], fault);
        if (status != IL_OK) return status;
        out->count++;
    }
    return IL_OK;
}

il_status ili_payloads_read(const struct ili_value *list, const char *field, size_t least,
                            size_t most, struct ili_payloads *out, struct ili_fault *fault) {
    return read_list(list, field, "items", least, most, ili_item_read_object, out, fault);
}

il_status ili_payloads_read_values(const struct ili_value *list, const char *field, size_t least,
                                   size_t most, struct ili_payloads *out, struct ili_fault *fault) {
    return read_list(list, field, "values", least, most, ili_item_read_json, out, fault);
}

void ili_payloads_free(struct ili_payloads *payloads) {
    free(payloads->at);
    *payloads = (struct ili_payloads){0};
}

void ili_payload_write_item(struct ili_out *out, const struct ili_item *item) {
    const struct ili_taken message = {.data = item->data, .bytes = item->bytes, .type = item->type};
    ili_item_write(out, &message);
    ili_limits_write_version(out, "version", item->version);
}
