#include "server/limits.h"

#include <inttypes.h>
#include <stdio.h>

#include "server/params.h"
#include "server/reply.h"
#include "server/server.h"

#define BYTES_MOST INT64_C(9007199254740991) /* what every JSON reader takes as it is */

bool ili_limits_read(struct ili_request *request, union ili_object_options *room,
                     const void **options) {
    struct ili_limits *limits = &room->limits;
    const struct ili_param params[] = {
        ILI_PARAM_COUNT("max_entries", &limits->max_entries, 0, IL_ENTRIES_MAX),
        ILI_PARAM_COUNT("max_entry_bytes", &limits->max_entry_bytes, 0, IL_MESSAGE_MAX_BYTES),
        ILI_PARAM_COUNT("max_bytes", &limits->max_bytes, 0, BYTES_MOST)};
    if (!ili_request_read(request, params, 3)) return false;
    bool given = limits->max_entries || limits->max_entry_bytes || limits->max_bytes;
    *limits = ili_limits_of(ili_server_member(request->server), limits);
    *options = given ? limits : NULL;
    return true;
}

il_status ili_limits_defaults(struct ili_request *request, union ili_object_options *room) {
    room->limits = ili_limits_of(ili_server_member(request->server), &room->limits);
    return IL_OK;
}

static void say(char *room, size_t room_bytes, const struct ili_limits *limits) {
    snprintf(room, room_bytes,
             "max_entries=%" PRIu64 ", max_entry_bytes=%" PRIu64 ", max_bytes=%" PRIu64,
             limits->max_entries, limits->max_entry_bytes, limits->max_bytes);
}

void ili_limits_differ(const struct ili_limits *has, const struct ili_limits *asked,
                       struct ili_difference *difference) {
    say(difference->has, sizeof difference->has, has);
    say(difference->asked, sizeof difference->asked, asked);
}

void ili_limits_write_version(struct ili_out *out, const char *key, uint64_t version) {
    ili_out_key(out, key);
    if (version) {
        ili_out_token(out, version);
    } else {
        ili_out_null(out);
    }
}

void ili_limits_write_view(struct ili_out *out, const struct ili_data_view *view) {
    ili_out_key(out, "max_entries");
    ili_out_number(out, view->limits->max_entries);
    ili_out_key(out, "max_entry_bytes");
    ili_out_number(out, view->limits->max_entry_bytes);
    ili_out_key(out, "max_bytes");
    ili_out_number(out, view->limits->max_bytes);
    ili_out_key(out, "length");
    ili_out_number(out, view->length);
    ili_limits_write_version(out, "version", view->version);
    ili_out_key(out, "bytes");
    ili_out_number(out, view->used_bytes);
    ili_out_key(out, "watchers");
    ili_out_number(out, view->watchers);
}

void ili_limits_reply_length(struct ili_request *request, uint64_t length, uint64_t version) {
    struct ili_out out = {0};
    ili_out_open(&out, '{');
    ili_out_key(&out, "length");
    ili_out_number(&out, length);
    ili_limits_write_version(&out, "version", version);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}
