#include "server/listing.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/connection.h"
#include "server/params.h"
#include "server/path.h"
#include "server/reply.h"
#include "server/server.h"

#define PAGE_DEFAULT 100
#define PAGE_MOST 1000

struct query {
    uint64_t limit;
    struct ili_names_cursor cursor;
    unsigned limits, cursors;
    struct ili_fault fault;
    il_status status;
};

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

static enum MHD_Result read_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                     const char *value) {
    struct query *q = context;
    char decoded[64];
    size_t bytes = 0;
    (void)kind;
    if (q->status != IL_OK) return MHD_NO;
    bool limit = strcmp(name, "limit") == 0, cursor = strcmp(name, "cursor") == 0;
    if (!limit && !cursor) {
        q->status = ili_fault_set(&q->fault, IL_EINVAL, *name ? name : "query", "limit or cursor",
                                  "unknown query argument, expected limit or cursor");
    } else if ((limit ? q->limits++ : q->cursors++) > 0) {
        q->status = ili_fault_set(&q->fault, IL_EINVAL, name, "to be given once",
                                  "%s is given twice", name);
    } else if (!value ||
               !ili_percent_decode(value, strlen(value), decoded, sizeof decoded, &bytes)) {
        q->status = ili_fault_set(&q->fault, IL_EINVAL, name, "a value", "%s: bad value", name);
    } else if (limit) {
        q->status = ili_params_count(name, decoded, bytes, 1, PAGE_MOST, &q->limit, &q->fault);
    } else if (!read_cursor(decoded, bytes, &q->cursor)) {
        q->status = ili_fault_set(&q->fault, IL_EINVAL, name, "the cursor of an earlier page",
                                  "cursor: expected the cursor of an earlier page");
    }
    return MHD_YES;
}

void ili_listing_reply(struct ili_request *request, uint32_t kind, const char *member,
                       void (*visit)(const struct ili_object *object, const char *name,
                                     size_t name_bytes, void *context)) {
    struct ili_server *server = request->server;
    struct query query = {.limit = PAGE_DEFAULT, .status = IL_OK};
    struct ili_out out = {0};
    struct ili_listing listing = {.request = request, .out = &out};
    char cursor[40];
    MHD_get_connection_values(request->connection->wire, MHD_GET_ARGUMENT_KIND, read_argument,
                              &query);
    if (query.status != IL_OK) {
        ili_reply_fault(request, &query.fault);
        return;
    }
    ili_out_open(&out, '{');
    ili_out_key(&out, member);
    ili_out_open(&out, '[');
    il_status status = ili_names_page(ili_server_member(server), server->domain.self, kind,
                                      &query.cursor, query.limit, visit, &listing);
    if (status != IL_OK) {
        ili_out_free(&out);
        ili_reply_problem(request, status, NULL);
        return;
    }
    ili_out_close(&out, ']');
    ili_out_key(&out, "cursor");
    if (query.cursor.finished) {
        ili_out_null(&out);
    } else {
        snprintf(cursor, sizeof cursor, "%" PRIx32 "-%" PRIx64, query.cursor.bucket,
                 query.cursor.after);
        ili_out_string(&out, cursor);
    }
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}
