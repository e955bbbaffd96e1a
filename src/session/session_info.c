#include "session/session_info.h"

#include <string.h>

#include "arena/names.h"
#include "arena/open_table.h"
#include "base/text.h"
#include "sync/lock.h"

#define PAGES_MOST 1000000u

bool ili_session_info(const struct ili_arena *arena, uint32_t slot, struct ili_session_info *info) {
    if (slot >= arena->regions.slots) return false;
    const struct ili_slot *s = &arena->slots[slot];
    uint32_t state = atomic_load_explicit(&s->state, memory_order_acquire);
    if (state != ILI_SLOT_LIVE && state != ILI_SLOT_DEAD) return false;
    info->slot = slot;
    info->generation = atomic_load_explicit(&s->generation, memory_order_relaxed);
    info->pid = atomic_load_explicit(&s->pid, memory_order_relaxed);
    info->uid = atomic_load_explicit(&s->uid, memory_order_relaxed);
    info->since_seconds = s->since_seconds;
    memcpy(info->label, s->label, sizeof info->label);
    memcpy(info->command, s->command, sizeof info->command);
    info->label[sizeof info->label - 1] = 0;
    info->command[sizeof info->command - 1] = 0;
    return true;
}

static bool describe(const struct ili_arena *arena, ili_off at, uint32_t slot,
                     struct ili_held *held) {
    struct ili_lock_view view;
    const struct ili_lock *lock = ili_object_at(arena, at, ILI_KIND_LOCK);
    if (!lock) return false;
    ili_lock_look(lock, &view);
    if (view.owner != slot + 1) return false;
    uint32_t bytes = lock->object.name_bytes;
    const char *name = ili_at(arena, at + lock->object.name_at, bytes);
    if (!name || bytes > IL_NAME_MAX_BYTES) bytes = 0;
    held->kind = ILI_KIND_LOCK;
    held->object = at;
    held->token = view.token;
    held->name_bytes = bytes;
    memset(held->name, 0, sizeof held->name);
    if (bytes) memcpy(held->name, name, bytes);
    return true;
}

size_t ili_session_held(const struct ili_arena *arena, uint32_t slot, struct ili_held *held,
                        size_t room) {
    size_t count = 0;
    ili_off at = atomic_load_explicit(&arena->slots[slot].open_pages, memory_order_acquire);
    for (uint32_t pages = 0; at && pages < PAGES_MOST; pages++) {
        struct ili_open_page *page = ili_open_page_at(arena, at);
        if (!page) break;
        for (unsigned i = 0; i < ILI_OPEN_PAGE_ENTRIES; i++) {
            struct ili_held one;
            ili_off object = atomic_load_explicit(&page->entries[i], memory_order_acquire);
            if (!object || !describe(arena, object, slot, &one)) continue;
            bool twice = false; /* one object may be open several times */
            for (size_t k = 0; k < count && k < room; k++) twice |= held[k].object == object;
            if (twice) continue;
            if (count < room) held[count] = one;
            count++;
        }
        at = atomic_load_explicit(&page->next, memory_order_relaxed);
    }
    return count;
}
