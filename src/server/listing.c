#include "server/listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/page.h"
#include "server/query.h"
#include "server/reply.h"
#include "server/server.h"

/* BUCKET-AFTER in hexadecimal: opaque to clients, and whatever they make of it is harmless. */
static bool read_cursor(const char *text, size_t bytes, struct ili_names_cursor *cursor) {
    uint64_t parts[2] = {0, 0};
    unsigned part = 0, digits = 0;
    for (size_t i = 0; i < bytes; i++) {
        const char *hex = "0123456789abcdef";
        const char *at = text[i] ? strchr(hex, text[i]) : NULL;
        if (text[i] == '-' && part == 0 && digits > 0) {
            part = 1;
            digits = 0;
        } else if (at && digits < 16) {
            parts[part] = parts[part] << 4 | (uint64_t)(at - hex);
            digits++;
        } else {
            return false;
        }
    }
    if (part != 1 || digits == 0 || parts[0] > UINT32_MAX) return false;
    cursor->bucket = (uint32_t)parts[0];
    cursor->after = parts[1];
    return true;
}

static il_status read_query(struct ili_request *request, struct ili_names_cursor *cursor,
                            uint64_t *limit, struct ili_fault *fault) {
    char limit_text[64], cursor_text[64];
    struct ili_query_param params[] = {ILI_QUERY("limit", limit_text),
                                       ILI_QUERY("cursor", cursor_text)};
    il_status status = ili_query_read(request, params, 2, fault);
    if (status == IL_OK) status = ili_page_limit(&params[0], limit, fault);
    if (status != IL_OK || !params[1].given) return status;
    return read_cursor(cursor_text, params[1].bytes, cursor) ? IL_OK : ili_page_bad_cursor(fault);
}

void ili_listing_reply(struct ili_request *request, uint32_t kind, const char *member,
                       void (*visit)(const struct ili_object *object, const char *name,
                                     size_t name_bytes, void *context)) {
    struct ili_server *server = request->server;
    struct ili_names_cursor at = {0};
    struct ili_fault fault;
    uint64_t limit;
    struct ili_out out = {0};
    struct ili_listing listing = {.request = request, .out = &out};
    char cursor[40];
    if (read_query(request, &at, &limit, &fault) != IL_OK) {
        ili_reply_fault(request, &fault);
        return;
    }
    ili_out_open(&out, '{');
    ili_out_key(&out, member);
    ili_out_open(&out, '[');
    il_status status = ili_names_page(ili_server_member(server), server->domain.self, kind, &at,
                                      limit, visit, &listing);
    if (status != IL_OK) {
        ili_out_free(&out);
        ili_reply_problem(request, status, NULL);
        return;
    }
    ili_out_close(&out, ']');
    ili_out_key(&out, "cursor");
    if (at.finished) {
        ili_out_null(&out);
    } else {
        snprintf(cursor, sizeof cursor, "%" PRIx32 "-%" PRIx64, at.bucket, at.after);
        ili_out_string(&out, cursor);
    }
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}
