#include "session/kinds.h"

#include "arena/alloc.h"
#include "data/cells.h"
#include "data/dict.h"
#include "data/list.h"
#include "data/pipe.h"
#include "data/queue.h"
#include "sync/barrier.h"
#include "sync/condition.h"
#include "sync/event.h"
#include "sync/latch.h"
#include "sync/rwlock.h"
#include "sync/semaphore.h"

static const struct ili_kind *const kinds[ILI_KINDS_END] = {
    [ILI_KIND_LOCK] = &ili_lock_kind,           [ILI_KIND_QUEUE] = &ili_queue_kind,
    [ILI_KIND_RLOCK] = &ili_rlock_kind,         [ILI_KIND_RWLOCK] = &ili_rwlock_kind,
    [ILI_KIND_SEMAPHORE] = &ili_semaphore_kind, [ILI_KIND_EVENT] = &ili_event_kind,
    [ILI_KIND_BARRIER] = &ili_barrier_kind,     [ILI_KIND_LATCH] = &ili_latch_kind,
    [ILI_KIND_CONDITION] = &ili_condition_kind, [ILI_KIND_VALUE] = &ili_value_kind,
    [ILI_KIND_ARRAY] = &ili_array_kind,         [ILI_KIND_DICT] = &ili_dict_kind,
    [ILI_KIND_LIST] = &ili_list_kind,           [ILI_KIND_PIPE] = &ili_pipe_kind,
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
        if (!object) object = object_of(a, guard, ILI_KIND_RLOCK, offsetof(struct ili_lock, guard));
        if (object) ili_lock_repair(member, self, object);
        break;
    case ILI_GUARD_CONDITION:
        object = object_of(a, guard, ILI_KIND_CONDITION, offsetof(struct ili_condition, guard));
        if (object) ili_condition_repair(member, self, object);
        break;
    case ILI_GUARD_QUEUE_HEAD:
        object = object_of(a, guard, ILI_KIND_QUEUE, offsetof(struct ili_queue, head_guard));
        if (object) ili_queue_repair_head(member, self, object, dead);
        break;
    case ILI_GUARD_QUEUE_TAIL:
        object = object_of(a, guard, ILI_KIND_QUEUE, offsetof(struct ili_queue, tail_guard));
        if (object) ili_queue_repair_tail(member, self, object, dead);
        break;
    case ILI_GUARD_RWLOCK:
        object = object_of(a, guard, ILI_KIND_RWLOCK, offsetof(struct ili_holders, guard));
        if (object) ili_rwlock_repair(member, self, object, dead);
        break;
    case ILI_GUARD_SEMAPHORE:
        object = object_of(a, guard, ILI_KIND_SEMAPHORE, offsetof(struct ili_holders, guard));
        if (object) ili_semaphore_repair(member, self, object, dead);
        break;
    case ILI_GUARD_EVENT:
        object = object_of(a, guard, ILI_KIND_EVENT, offsetof(struct ili_event, guard));
        if (object) ili_event_repair(member, self, object);
        break;
    case ILI_GUARD_BARRIER:
        object = object_of(a, guard, ILI_KIND_BARRIER, offsetof(struct ili_barrier, guard));
        if (object) ili_barrier_repair(member, self, object);
        break;
    case ILI_GUARD_LATCH:
        object = object_of(a, guard, ILI_KIND_LATCH, offsetof(struct ili_latch, guard));
        if (object) ili_latch_repair(member, self, object);
        break;
    case ILI_GUARD_CELLS:
        object = object_of(a, guard, ILI_KIND_VALUE, offsetof(struct ili_cells, guard));
        if (!object)
            object = object_of(a, guard, ILI_KIND_ARRAY, offsetof(struct ili_cells, guard));
        if (object) ili_cells_repair(member, self, object, dead);
        break;
    case ILI_GUARD_DICT:
        object = object_of(a, guard, ILI_KIND_DICT, offsetof(struct ili_dict, guard));
        if (object) ili_dict_repair(member, self, object, dead);
        break;
    case ILI_GUARD_LIST:
        object = object_of(a, guard, ILI_KIND_LIST, offsetof(struct ili_list, guard));
        if (object) ili_list_repair(member, self, object, dead);
        break;
    case ILI_GUARD_PIPE:
        object = object_of(a, guard, ILI_KIND_PIPE, offsetof(struct ili_pipe, guard));
        if (object) return ili_pipe_repair(member, self, object, dead);
        break;
    default: break;
    }
    return IL_OK;
}
