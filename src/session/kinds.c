#include "session/kinds.h"

#include "arena/alloc.h"
#include "data/queue.h"
#include "sync/lock.h"

static const struct ili_kind *const kinds[] = {
    [ILI_KIND_LOCK] = &ili_lock_kind,
    [ILI_KIND_QUEUE] = &ili_queue_kind,
};

static const struct ili_kind *kind_of(uint32_t number) {
    return number < ILI_KINDS_END ? kinds[number] : NULL;
}

void ili_kinds_register(void) { ili_kind_of = kind_of; }

/* The object of KIND whose guard, MEMBER_AT bytes into it, is GUARD; NULL if it is none. */
static void *object_of(const struct ili_arena *a, const struct ili_guard *guard, uint32_t kind,
                       size_t member_at) {
    ili_off at = ili_off_of(a, guard);
    return at > member_at ? ili_object_at(a, at - member_at, kind) : NULL;
}

il_status ili_kinds_repair(struct ili_member *member, struct ili_agent *self,
                           struct ili_guard *guard, struct ili_agent *dead) {
    const struct ili_arena *a = &member->arena;
    void *object;
    switch (guard->kind) {
    case ILI_GUARD_ALLOC:
        if (guard == &a->header->alloc) ili_alloc_repair(member);
        break;
    case ILI_GUARD_NAMES: return ili_names_repair(member, self, guard, dead);
    case ILI_GUARD_LOCK:
        object = object_of(a, guard, ILI_KIND_LOCK, offsetof(struct ili_lock, guard));
        if (object) ili_lock_repair(member, self, object);
        break;
    case ILI_GUARD_QUEUE_HEAD:
        object = object_of(a, guard, ILI_KIND_QUEUE, offsetof(struct ili_queue, head_guard));
        if (object) ili_queue_repair_head(member, self, object, dead);
        break;
    case ILI_GUARD_QUEUE_TAIL:
        object = object_of(a, guard, ILI_KIND_QUEUE, offsetof(struct ili_queue, tail_guard));
        if (object) ili_queue_repair_tail(member, self, object, dead);
        break;
    default: break;
    }
    return IL_OK;
}
