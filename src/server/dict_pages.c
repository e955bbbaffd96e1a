/*
 * Pages of a dict's entries, keys or values: ?limit=N&cursor=…; of entries also &max_bytes=N, what their keys and
 * values may have in all, and &values=false, for how long the values are in place of them.
 *
 * A cursor is where the walk stands, which only the dict can make sense of, with a seal: one that this server did
 * not give for this dict is refused. A page ends early once it has PAGE_BYTES, so that no answer has much more than
 * this and one entry.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "server/dict_entry.h"
#include "server/dicts.h"
#include "server/limits.h"
#include "server/page.h"
#include "server/params.h"
#include "server/payloads.h"
#include "server/pin.h"
#include "server/query.h"
#include "server/reply.h"
#include "server/server.h"

#define PAGE_BYTES (UINT64_C(16) << 20)
#define ROOM_AT_FIRST (UINT64_C(256) << 10)
#define AT_ONCE 256                              /* entries of one step */
#define MAX_BYTES_MOST INT64_C(9007199254740991) /* what every JSON reader takes as it is */
#define CURSOR_BYTES 64

struct paging {
    const char *member; /* "items" */
    uint32_t what;      /* IL_KEYS, IL_VALUES */
    void (*write)(struct ili_out *out, const struct ili_dict_entry *entry);

    struct ili_dict *dict; /* pinned */
    il_cursor cursor;
    uint64_t limit, written, bytes, max_bytes;
    uint64_t needed; /* of IL_ETOOBIG: what the next entry has */
    void *buffer;    /* owned */
    uint64_t room;
    struct ili_dict_entry entries[AT_ONCE];
};

/* ---- entries -------------------------------------------------------------------------------------- */

static void write_item(struct ili_out *out, const struct ili_dict_entry *entry) {
    ili_dict_entry_write(out, &(struct ili_key){entry->key, entry->key_bytes}, &entry->item);
    ili_out_close(out, '}');
}

/* The entry without its value. */
static void write_head(struct ili_out *out, const struct ili_dict_entry *entry) {
    static const char *const types[] = {
        [IL_BYTES] = "bytes", [IL_TEXT] = "text", [IL_JSON] = "json"};
    ili_out_open(out, '{');
    ili_key_write(out, &(struct ili_key){entry->key, entry->key_bytes});
    ili_out_key(out, "type");
    ili_out_string(out, types[entry->item.type <= IL_JSON ? entry->item.type : IL_BYTES]);
    ili_out_key(out, "bytes");
    ili_out_number(out, entry->item.bytes);
    ili_limits_write_version(out, "version", entry->item.version);
    ili_out_close(out, '}');
}

static void write_key(struct ili_out *out, const struct ili_dict_entry *entry) {
    ili_out_text(out, entry->key, entry->key_bytes);
}

static void write_value(struct ili_out *out, const struct ili_dict_entry *entry) {
    ili_out_open(out, '{');
    ili_payload_write_item(out, &entry->item);
    ili_out_close(out, '}');
}

/* ---- cursors -------------------------------------------------------------------------------------- */

static uint32_t seal_of(const struct ili_request *request, const il_cursor *cursor) {
    struct {
        uint64_t after, hint;
        char name[IL_NAME_MAX_BYTES + 1];
    } sealed;
    memset(&sealed, 0, sizeof sealed);
    sealed.after = cursor->after;
    sealed.hint = cursor->hint;
    memcpy(sealed.name, request->name, request->name_bytes);
    return (uint32_t)ili_siphash(request->server->idempotency.hash_key, &sealed, sizeof sealed);
}

static void write_cursor(struct ili_out *out, const struct ili_request *request,
                         const il_cursor *cursor) {
    char text[CURSOR_BYTES];
    ili_out_key(out, "cursor");
    if (cursor->finished) {
        ili_out_null(out);
        return;
    }
    snprintf(text, sizeof text, "%" PRIx64 "-%" PRIx64 "-%" PRIx32, cursor->after, cursor->hint,
             seal_of(request, cursor));
    ili_out_string(out, text);
}

/* Hexadecimal digits up to END. */
static bool read_part(const char **at, char end, uint64_t *part) {
    static const char hex[] = "0123456789abcdef";
    unsigned digits = 0;
    for (*part = 0; **at && **at != end; ++*at) {
        const char *digit = strchr(hex, **at);
        if (!digit || ++digits > 16) return false;
        *part = *part << 4 | (uint64_t)(digit - hex);
    }
    return digits > 0 && *(*at)++ == end;
}

static il_status read_cursor(const struct ili_request *request, const char *text, il_cursor *cursor,
                             struct ili_fault *fault) {
    uint64_t seal;
    if (read_part(&text, '-', &cursor->after) && read_part(&text, '-', &cursor->hint) &&
        read_part(&text, 0, &seal) && seal == seal_of(request, cursor)) {
        return IL_OK;
    }
    return ili_page_bad_cursor(fault);
}

static il_status read_values(const struct ili_query_param *param, struct paging *p,
                             struct ili_fault *fault) {
    if (strcmp(param->room, "true") == 0) return IL_OK;
    if (strcmp(param->room, "false") != 0) {
        return ili_fault_set(fault, IL_EINVAL, param->name, "true or false",
                             "values: expected true or false");
    }
    p->what = IL_KEYS;
    p->write = write_head;
    return IL_OK;
}

/* KEYS and VALUES have only the first two. */
static il_status read_query(struct ili_request *request, struct paging *p,
                            struct ili_fault *fault) {
    char limit[24], cursor[CURSOR_BYTES], max_bytes[24], values[8];
    struct ili_query_param params[] = {ILI_QUERY("limit", limit), ILI_QUERY("cursor", cursor),
                                       ILI_QUERY("max_bytes", max_bytes),
                                       ILI_QUERY("values", values)};
    size_t count = p->write == write_item ? 4 : 2;
    p->max_bytes = MAX_BYTES_MOST;
    il_status status = ili_query_read(request, params, count, fault);
    if (status == IL_OK) status = ili_page_limit(&params[0], &p->limit, fault);
    if (status == IL_OK && params[2].given) {
        status = ili_params_count("max_bytes", max_bytes, params[2].bytes, 0, MAX_BYTES_MOST,
                                  &p->max_bytes, fault);
    }
    if (status == IL_OK && params[3].given) status = read_values(&params[3], p, fault);
    if (status != IL_OK || !params[1].given) return status;
    if (strlen(cursor) != params[1].bytes) return ili_page_bad_cursor(fault);
    return read_cursor(request, cursor, &p->cursor, fault);
}

/* ---- the page ------------------------------------------------------------------------------------- */

/* The next entries, into the buffer, which grows for one that does not fit. IL_ETOOBIG: it has more than
 * max_bytes leaves. */
static il_status step(struct ili_request *request, struct paging *p, size_t *done) {
    uint64_t count = p->limit - p->written, left = p->max_bytes - p->bytes;
    for (;;) {
        il_status status = ili_dict_items(ili_server_member(request->server), p->dict, &p->cursor,
                                          p->what, p->buffer, p->room < left ? p->room : left,
                                          p->entries, count < AT_ONCE ? count : AT_ONCE, done);
        if (status != IL_ETOOBIG) return status;
        p->needed = *done;
        if (*done > left) return status;
        void *larger = realloc(p->buffer, *done);
        if (!larger) return IL_ENOMEM;
        p->buffer = larger;
        p->room = *done;
    }
}

static il_status write_entries(struct ili_request *request, struct paging *p, struct ili_out *out) {
    while (!p->cursor.finished && p->written < p->limit && p->bytes < PAGE_BYTES) {
        size_t done = 0;
        il_status status = step(request, p, &done);
        if (status == IL_ETOOBIG && p->written > 0) break;
        if (status != IL_OK) return status;
        for (size_t i = 0; i < done; i++) {
            p->write(out, &p->entries[i]);
            p->bytes += p->entries[i].key_bytes;
            if (p->what & IL_VALUES) p->bytes += p->entries[i].item.bytes;
        }
        p->written += done;
        if (done == 0) break;
    }
    return IL_OK;
}

static void reply_page(struct ili_request *request, struct paging *p) {
    struct ili_out out = {0};
    p->dict = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!p->dict) return;
    ili_out_open(&out, '{');
    ili_out_key(&out, p->member);
    ili_out_open(&out, '[');
    il_status status = write_entries(request, p, &out);
    ili_unpin(request->server, p->dict);
    if (status != IL_OK) {
        ili_out_free(&out);
        if (status == IL_ETOOBIG) {
            ili_reply_problem_done(request, status, "the next entry is longer than max_bytes",
                                   "bytes", p->needed);
        } else {
            ili_reply_problem(request, status, NULL);
        }
        return;
    }
    ili_out_close(&out, ']');
    write_cursor(&out, request, &p->cursor);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

static void page(struct ili_request *request, const char *member, uint32_t what,
                 void (*write)(struct ili_out *out, const struct ili_dict_entry *entry)) {
    struct ili_fault fault;
    struct paging *p = calloc(1, sizeof *p);
    if (p) p->buffer = malloc(ROOM_AT_FIRST);
    if (!p || !p->buffer) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the page");
    } else {
        p->member = member;
        p->what = what;
        p->write = write;
        p->room = ROOM_AT_FIRST;
        if (read_query(request, p, &fault) != IL_OK) {
            ili_reply_fault(request, &fault);
        } else {
            reply_page(request, p);
        }
    }
    if (p) free(p->buffer);
    free(p);
}

void ili_dict_page_items(struct ili_request *request) {
    page(request, "items", IL_KEYS | IL_VALUES, write_item);
}

void ili_dict_page_keys(struct ili_request *request) { page(request, "keys", IL_KEYS, write_key); }

void ili_dict_page_values(struct ili_request *request) {
    page(request, "values", IL_KEYS | IL_VALUES, write_value);
}
