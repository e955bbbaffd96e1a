/*
 * GET /v1/lists/NAME/items?start=&stop=&limit=&max_bytes=: a part of a list, as it is at one moment.
 *
 * What fits into the buffer is read in one step, which also tells the length and the version. More is read in further
 * steps for as long as the list keeps that version; else the page ends there. It ends too once it has PAGE_BYTES, so
 * that no answer has much more than this and one item.
 */
#include <stdlib.h>

#include "server/limits.h"
#include "server/lists.h"
#include "server/page.h"
#include "server/params.h"
#include "server/payloads.h"
#include "server/pin.h"
#include "server/query.h"
#include "server/reply.h"
#include "server/server.h"

#define PAGE_BYTES (UINT64_C(16) << 20)
#define ROOM_AT_FIRST (UINT64_C(256) << 10)
#define AT_ONCE ILI_PAGE_MOST /* items of one step */

struct paging {
    struct ili_list *list; /* pinned */
    int64_t start, stop;   /* as they were asked for */
    uint64_t limit, max_bytes;
    uint64_t needed;          /* of IL_ETOOBIG: what the next item has */
    uint64_t length, version; /* as the first step saw them */
    uint64_t at, end;         /* what is left, once there was a step */
    uint64_t written, bytes;
    void *buffer; /* owned */
    uint64_t room;
    struct ili_item items[AT_ONCE];
};

static il_status read_index(const struct ili_query_param *param, int64_t *index,
                            struct ili_fault *fault) {
    if (!param->given) return IL_OK;
    return ili_params_integer(param->name, param->room, param->bytes, -ILI_INDEX_MOST,
                              ILI_INDEX_MOST, index, fault);
}

static il_status read_query(struct ili_request *request, struct paging *p,
                            struct ili_fault *fault) {
    char limit[24], start[24], stop[24], max_bytes[24];
    struct ili_query_param params[] = {ILI_QUERY("start", start), ILI_QUERY("stop", stop),
                                       ILI_QUERY("limit", limit),
                                       ILI_QUERY("max_bytes", max_bytes)};
    p->start = 0;
    p->stop = INT64_MAX;
    p->max_bytes = ILI_INDEX_MOST;
    il_status status = ili_query_read(request, params, 4, fault);
    if (status == IL_OK) status = read_index(&params[0], &p->start, fault);
    if (status == IL_OK) status = read_index(&params[1], &p->stop, fault);
    if (status == IL_OK) status = ili_page_limit(&params[2], &p->limit, fault);
    if (status == IL_OK && params[3].given) {
        status = ili_params_count("max_bytes", max_bytes, params[3].bytes, 0, ILI_INDEX_MOST,
                                  &p->max_bytes, fault);
    }
    return status;
}

/* INDEX as Python clips it in a slice. */
static uint64_t clip(int64_t index, uint64_t length) {
    if (index >= 0) return (uint64_t)index < length ? (uint64_t)index : length;
    uint64_t back = (uint64_t)-index;
    return back < length ? length - back : 0;
}

/* The items from START to before STOP that fit into the buffer, which grows for one that does not. IL_ETOOBIG: it has
 * more than max_bytes leaves. */
static il_status step(struct ili_request *request, struct paging *p, int64_t start, int64_t stop,
                      size_t *done, uint64_t *version, uint64_t *length) {
    uint64_t count = p->limit - p->written, left = p->max_bytes - p->bytes;
    for (;;) {
        il_status status =
            ili_list_part(ili_server_member(request->server), p->list, start, stop, p->buffer,
                          p->room < left ? p->room : left, p->items, count, done, version, length);
        if (status != IL_ETOOBIG) return status;
        p->needed = *done;
        if (*done > left) return status;
        void *larger = realloc(p->buffer, *done);
        if (!larger) return IL_ENOMEM;
        p->buffer = larger;
        p->room = *done;
    }
}

static void write_items(struct paging *p, size_t count, struct ili_out *out) {
    for (size_t i = 0; i < count; i++) {
        ili_out_open(out, '{');
        ili_payload_write_item(out, &p->items[i]);
        ili_out_close(out, '}');
        p->bytes += p->items[i].bytes;
    }
    p->at += count;
    p->written += count;
}

static il_status write_steps(struct ili_request *request, struct paging *p, struct ili_out *out) {
    size_t done = 0;
    uint64_t version = 0, length = 0;
    il_status status = step(request, p, p->start, p->stop, &done, &p->version, &p->length);
    if (status != IL_OK) return status;
    p->at = clip(p->start, p->length);
    p->end = clip(p->stop, p->length);
    write_items(p, done, out);
    while (p->at < p->end && p->written < p->limit && p->bytes < PAGE_BYTES) {
        status = step(request, p, (int64_t)p->at, (int64_t)p->end, &done, &version, &length);
        if (status == IL_ETOOBIG) break; /* the next page has it */
        if (status != IL_OK) return status;
        if (version != p->version) break;
        write_items(p, done, out);
    }
    return IL_OK;
}

static void refuse(struct ili_request *request, il_status status, uint64_t needed) {
    if (status == IL_ETOOBIG) {
        ili_reply_problem_done(request, status, "the next item is longer than max_bytes", "bytes",
                               needed);
    } else {
        ili_reply_problem(request, status, NULL);
    }
}

static void reply_page(struct ili_request *request, struct paging *p) {
    struct ili_out out = {0};
    p->list = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!p->list) return;
    ili_out_open(&out, '{');
    ili_out_key(&out, "items");
    ili_out_open(&out, '[');
    il_status status = write_steps(request, p, &out);
    ili_unpin(request->server, p->list);
    if (status != IL_OK) {
        ili_out_free(&out);
        refuse(request, status, p->needed);
        return;
    }
    ili_out_close(&out, ']');
    ili_out_key(&out, "length");
    ili_out_number(&out, p->length);
    ili_limits_write_version(&out, "version", p->version);
    ili_out_key(&out, "next");
    if (p->at < p->end) {
        ili_out_number(&out, p->at);
    } else {
        ili_out_null(&out);
    }
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

void ili_list_page(struct ili_request *request) {
    struct ili_fault fault;
    struct paging *p = calloc(1, sizeof *p);
    if (p) p->buffer = malloc(ROOM_AT_FIRST);
    if (!p || !p->buffer) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the page");
    } else {
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
