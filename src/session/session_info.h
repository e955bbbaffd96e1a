/* session_info.h - an attached process, and what it holds, as shown to people. */
#ifndef ILI_SESSION_SESSION_INFO_H
#define ILI_SESSION_SESSION_INFO_H

#include "arena/names.h"

struct ili_session_info {
    uint32_t slot, generation;
    uint32_t pid, uid;
    uint32_t flags;        /* ILI_SLOT_… */
    int64_t since_seconds; /* wall clock */
    char label[64], command[64];
};

/* A grant that a process held when it ended. */
struct ili_held {
    uint32_t kind; /* enum ili_kind_number */
    uint32_t name_bytes;
    ili_off object;
    struct ili_grant grant;
    char name[IL_NAME_MAX_BYTES + 1]; /* ends with NUL; empty: anonymous */
};

/* Copies what slot SLOT (index) says of itself. False: no process is there. */
bool ili_session_info(const struct ili_arena *arena, uint32_t slot, struct ili_session_info *info);

/* Copies up to ROOM grants that the process of SLOT holds; returns how many it holds. A glance, exact
 * only for a process that is no more. */
size_t ili_session_held(struct ili_member *member, uint32_t slot, struct ili_held *held,
                        size_t room);

/* Fills HELD in for GRANT of the object at AT. */
void ili_held_describe(const struct ili_arena *arena, ili_off at, const struct ili_grant *grant,
                       struct ili_held *held);

#endif
