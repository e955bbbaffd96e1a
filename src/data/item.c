#include "data/item.h"

#include "arena/member.h"

struct ili_limits ili_limits_of(const struct ili_member *member, const struct ili_limits *options) {
    struct ili_limits limits = options ? *options : (struct ili_limits){0};
    if (!limits.max_entries) limits.max_entries = IL_ENTRIES_MAX;
    if (!limits.max_entry_bytes) limits.max_entry_bytes = IL_MESSAGE_MAX_BYTES;
    if (!limits.max_bytes) limits.max_bytes = ili_arena_share(&member->arena);
    return limits;
}

bool ili_limits_same(const struct ili_limits *limits, const struct ili_limits *others) {
    return limits->max_entries == others->max_entries &&
           limits->max_entry_bytes == others->max_entry_bytes &&
           limits->max_bytes == others->max_bytes;
}
