#include "session/session_info.h"

#include <string.h>

#include "arena/names.h"
#include "arena/open_table.h"
#include "base/text.h"

#define GRANTS_MOST 64 /* of one object */

bool ili_session_info(const struct ili_arena *arena, uint32_t slot, struct ili_session_info *info) {
    if (slot >= arena->regions.slots) return false;
    const struct ili_slot *s = &arena->slots[slot];
    uint32_t state = atomic_load_explicit(&s->state, memory_order_acquire);
    if (state != ILI_SLOT_LIVE && state != ILI_SLOT_DEAD) return false;
    info->slot = slot;
    info->generation = atomic_load_explicit(&s->generation, memory_order_relaxed);
    info->pid = atomic_load_explicit(&s->pid, memory_order_relaxed);
    info->uid = atomic_load_explicit(&s->uid, memory_order_relaxed);
    info->flags = atomic_load_explicit(&s->flags, memory_order_relaxed);
    info->since_seconds = s->since_seconds;
    memcpy(info->label, s->label, sizeof info->label);
    memcpy(info->command, s->command, sizeof info->command);
    info->label[sizeof info->label - 1] = 0;
    info->command[sizeof info->command - 1] = 0;
    return true;
}

void ili_held_describe(const struct ili_arena *arena, ili_off at, const struct ili_grant *grant,
                       struct ili_held *held) {
    const struct ili_object *object = ili_at(arena, at, sizeof *object);
    held->kind = object ? ili_once32(&object->kind) : 0;
    held->object = at;
    held->grant = *grant;
    held->name[0] = 0;
    held->name_bytes = object ? (uint32_t)ili_object_name(arena, object, held->name) : 0;
}

/* Adds what SLOT holds of the object at AT. Returns how much there is now. */
static size_t add_held(struct ili_member *m, uint32_t slot, ili_off at, struct ili_held *held,
                       size_t count, size_t room) {
    struct ili_grant grants[GRANTS_MOST];
    struct ili_object *object = ili_at(&m->arena, at, sizeof *object);
    const struct ili_kind *kind = object ? ili_kind_of(ili_once32(&object->kind)) : NULL;
    if (!kind || !kind->grants || !ili_object_at(&m->arena, at, kind->number)) return count;
    for (size_t k = 0; k < count && k < room; k++) {
        if (held[k].object == at) return count; /* one object may be open several times */
    }
    size_t found = kind->grants(m, object, grants, GRANTS_MOST);
    for (size_t g = 0; g < found && g < GRANTS_MOST; g++) {
        if (ili_agent_slot(&m->arena, grants[g].owner) != slot) continue;
        if (count < room) ili_held_describe(&m->arena, at, &grants[g], &held[count]);
        count++;
    }
    return count;
}

size_t ili_session_held(struct ili_member *member, uint32_t slot, struct ili_held *held,
                        size_t room) {
    const struct ili_arena *arena = &member->arena;
    size_t count = 0;
    struct ili_open_walk walk = ili_open_walk_of(&arena->slots[slot]);
    struct ili_open_page *page;
    while ((page = ili_open_walk_next(arena, &walk))) {
        for (unsigned i = 0; i < ILI_OPEN_PAGE_ENTRIES; i++) {
            ili_off object = atomic_load_explicit(&page->entries[i], memory_order_acquire);
            if (object) count = add_held(member, slot, object, held, count, room);
        }
    }
    return count;
}
