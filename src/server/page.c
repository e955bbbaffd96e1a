#include "server/page.h"

#include <string.h>

#include "server/params.h"
#include "server/query.h"
#include "server/reply.h"

il_status ili_page_limit(const struct ili_query_param *param, uint64_t *limit,
                         struct ili_fault *fault) {
    *limit = ILI_PAGE_DEFAULT;
    if (!param->given) return IL_OK;
    return ili_params_count(param->name, param->room, param->bytes, 1, ILI_PAGE_MOST, limit, fault);
}

il_status ili_page_bad_cursor(struct ili_fault *fault) {
    return ili_fault_expected(fault, "cursor", "the cursor of an earlier page");
}

static int nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static il_status read_cursor(const struct ili_query_param *param, char *name, size_t *name_bytes,
                             struct ili_fault *fault) {
    *name_bytes = param->bytes / 2;
    if (param->bytes == 0 || param->bytes % 2 != 0) return ili_page_bad_cursor(fault);
    for (size_t i = 0; i < *name_bytes; i++) {
        int high = nibble(param->room[2 * i]), low = nibble(param->room[2 * i + 1]);
        if (high < 0 || low < 0) return ili_page_bad_cursor(fault);
        name[i] = (char)(high << 4 | low);
    }
    return IL_OK;
}

static void write_cursor(struct ili_out *out, const char *name, size_t name_bytes) {
    static const char hex[] = "0123456789abcdef";
    char text[2 * IL_NAME_MAX_BYTES];
    for (size_t i = 0; i < name_bytes; i++) {
        text[2 * i] = hex[(unsigned char)name[i] >> 4];
        text[2 * i + 1] = hex[name[i] & 15];
    }
    ili_out_text(out, text, 2 * name_bytes);
}

static void write_page(struct ili_request *request, const struct ili_page_walk *walk,
                       const void *thing, uint64_t limit) {
    struct ili_out out = {0};
    const char *name = NULL;
    size_t name_bytes = 0;
    ili_out_open(&out, '{');
    ili_out_key(&out, walk->member);
    ili_out_open(&out, '[');
    for (; thing && limit > 0; limit--) {
        name = walk->name(thing, &name_bytes);
        walk->view(&out, request->server, thing);
        thing = walk->after(request->server, name, name_bytes);
    }
    ili_out_close(&out, ']');
    ili_out_key(&out, "cursor");
    if (thing) {
        write_cursor(&out, name, name_bytes);
    } else {
        ili_out_null(&out);
    }
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

void ili_page_reply(struct ili_request *request, const struct ili_page_walk *walk) {
    char limit_text[24], cursor[2 * IL_NAME_MAX_BYTES + 1], name[IL_NAME_MAX_BYTES];
    struct ili_query_param params[] = {ILI_QUERY("limit", limit_text), ILI_QUERY("cursor", cursor)};
    struct ili_fault fault;
    uint64_t limit;
    size_t name_bytes = 0;
    il_status status = ili_query_read(request, params, 2, &fault);
    if (status == IL_OK) status = ili_page_limit(&params[0], &limit, &fault);
    if (status == IL_OK && params[1].given) {
        status = read_cursor(&params[1], name, &name_bytes, &fault);
    }
    if (status != IL_OK) {
        ili_reply_fault(request, &fault);
        return;
    }
    write_page(request, walk,
               walk->after(request->server, params[1].given ? name : NULL, name_bytes), limit);
}
