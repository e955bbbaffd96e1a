/* limits.h - the limits of dicts and lists: as options of a PUT, and as members of a view. */
#ifndef ILI_SERVER_LIMITS_H
#define ILI_SERVER_LIMITS_H

#include "data/item.h"
#include "server/objects.h"

/* As `read`, `defaults` and `differ` of a struct ili_collection whose options are limits. */
bool ili_limits_read(struct ili_request *request, union ili_object_options *room,
                     const void **options);
il_status ili_limits_defaults(struct ili_request *request, union ili_object_options *room);
void ili_limits_differ(const struct ili_limits *has, const struct ili_limits *asked,
                       struct ili_difference *difference);

/* What a dict and a list show. */
struct ili_data_view {
    const struct ili_limits *limits;
    uint64_t length, version, used_bytes;
    uint32_t watchers;
};
void ili_limits_write_view(struct ili_out *out, const struct ili_data_view *view);

/* Writes a member that is a version: null if there is none. */
void ili_limits_write_version(struct ili_out *out, const char *key, uint64_t version);

/* Answers with {"length", "version"}. */
void ili_limits_reply_length(struct ili_request *request, uint64_t length, uint64_t version);

#endif
