/* share.c - il_share, il_adopt: from a handle to numbers that another process can open it by, and back. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "lib/cells.h"
#include "lib/share.h"

/* Where the handles of a kind have what all have. */
struct shape {
    const struct ili_kind *kind;
    size_t bytes, handle;
    size_t object; /* a pointer; NULL: remote */
};

#define SHAPE(type, kind, field)                                                                   \
    { &(kind), sizeof(struct type), offsetof(struct type, handle), offsetof(struct type, field) }
#define CELLS_SHAPE(type, kind)                                                                    \
    {                                                                                              \
        &(kind), sizeof(struct type), offsetof(struct type, h.handle),                             \
            offsetof(struct type, h.place.cells)                                                   \
    }

static const struct shape shapes[ILI_KINDS_END] = {
    [ILI_KIND_LOCK] = SHAPE(il_lock, ili_lock_kind, lock),
    [ILI_KIND_QUEUE] = SHAPE(il_queue, ili_queue_kind, queue),
    [ILI_KIND_RLOCK] = SHAPE(il_rlock, ili_rlock_kind, lock),
    [ILI_KIND_RWLOCK] = SHAPE(il_rwlock, ili_rwlock_kind, lock),
    [ILI_KIND_SEMAPHORE] = SHAPE(il_semaphore, ili_semaphore_kind, semaphore),
    [ILI_KIND_EVENT] = SHAPE(il_event, ili_event_kind, event),
    [ILI_KIND_CONDITION] = SHAPE(il_condition, ili_condition_kind, condition),
    [ILI_KIND_BARRIER] = SHAPE(il_barrier, ili_barrier_kind, barrier),
    [ILI_KIND_LATCH] = SHAPE(il_latch, ili_latch_kind, latch),
    [ILI_KIND_PIPE] = SHAPE(il_pipe, ili_pipe_kind, pipe),
    [ILI_KIND_VALUE] = CELLS_SHAPE(il_value, ili_value_kind),
    [ILI_KIND_ARRAY] = CELLS_SHAPE(il_array, ili_array_kind),
    [ILI_KIND_DICT] = SHAPE(il_dict, ili_dict_kind, dict),
    [ILI_KIND_LIST] = SHAPE(il_list, ili_list_kind, list),
};

static const struct shape *shape_of(uint32_t kind) {
    return kind < ILI_KINDS_END && shapes[kind].kind ? &shapes[kind] : NULL;
}

static il_status no_kind(const char *argument, uint32_t kind) {
    return ili_fail(IL_EINVAL, "%s: expected IL_KIND_LOCK (1) to IL_KIND_LIST (14), got %u",
                    argument, kind);
}

/* The high half of `check`; the low half is the object's birth. */
static uint32_t domain_mark(const struct ili_arena *arena) {
    return (uint32_t)ili_siphash(arena->hash_key, "ticket", 6);
}

static uint32_t end_of(uint32_t kind, const void *object) {
    return kind == ILI_KIND_PIPE ? ((const il_pipe *)object)->end : 0;
}

il_status il_share(uint32_t kind, void *object, il_ticket *ticket) {
    const struct shape *shape = shape_of(kind);
    if (!shape) return no_kind("kind", kind);
    if (!object) return ili_fail(IL_EINVAL, "object: expected a handle, got NULL");
    if (!ticket) return ili_fail(IL_EINVAL, "ticket: expected a place for it, got NULL");
    const struct ili_handle *handle = (const void *)((const char *)object + shape->handle);
    const struct ili_object *its;
    memcpy(&its, (const char *)object + shape->object, sizeof its);
    if (!its) {
        return ili_fail(IL_EUNSUPPORTED, "an http: domain has no tickets: open the %s by its name",
                        shape->kind->word);
    }
    il_status status = ili_member_check(handle->member);
    if (status == IL_OK && its->name_bytes &&
        atomic_load_explicit(&its->deleted, memory_order_relaxed)) {
        status = IL_EDELETED;
    }
    if (status != IL_OK) return ili_report(status, shape->kind->word);
    *ticket = (il_ticket){
        .object = handle->object,
        .check = (uint64_t)domain_mark(&handle->member->arena) << 32 | its->birth,
        .kind = kind,
        .end = end_of(kind, object),
    };
    return IL_OK;
}

static il_status finish(il_domain *domain, uint32_t kind, uint32_t end, void *made) {
    switch (kind) {
    case ILI_KIND_DICT: ((il_dict *)made)->domain = domain; return IL_OK;
    case ILI_KIND_PIPE: return ili_pipe_adopted(made, end);
    case ILI_KIND_CONDITION: return ili_condition_adopted(domain, made);
    case ILI_KIND_VALUE:
    case ILI_KIND_ARRAY: return ili_cells_adopted(domain, kind, made);
    default: return IL_OK;
    }
}

il_status ili_adopt(il_domain *domain, uint32_t kind, ili_off object, uint32_t birth, uint32_t end,
                    void **out) {
    const struct shape *shape = &shapes[kind];
    void *made = calloc(1, shape->bytes);
    if (!made) return ili_fail(IL_ENOMEM, "this process has no memory");
    struct ili_handle *handle = (void *)((char *)made + shape->handle);
    il_status status = ili_handle_adopt(domain, shape->kind, object, birth, handle);
    if (status == IL_OK) {
        void *its = ili_object_at(&domain->member.arena, object, kind);
        memcpy((char *)made + shape->object, &its, sizeof its);
        status = finish(domain, kind, end, made);
    }
    if (status != IL_OK) {
        free(made);
        return status;
    }
    *out = made;
    return IL_OK;
}

il_status il_adopt(il_domain *domain, const il_ticket *ticket, void **out) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!ticket) return ili_fail(IL_EINVAL, "ticket: expected a ticket, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the handle, got NULL");
    if (!shape_of(ticket->kind)) return no_kind("ticket.kind", ticket->kind);
    bool pipe = ticket->kind == ILI_KIND_PIPE;
    if (pipe ? ticket->end > IL_PIPE_B : ticket->end != 0) {
        return ili_fail(IL_EINVAL, "ticket.end: expected %s, got %u",
                        pipe ? "IL_PIPE_A or IL_PIPE_B" : "0", ticket->end);
    }
    if (domain->remote_ops) {
        return ili_fail(IL_EUNSUPPORTED, "an http: domain has no tickets: open the %s by its name",
                        shapes[ticket->kind].kind->word);
    }
    il_status status = ili_member_check(&domain->member);
    if (status != IL_OK) return ili_report(status, shapes[ticket->kind].kind->word);
    if ((uint32_t)(ticket->check >> 32) != domain_mark(&domain->member.arena)) {
        return ili_fail(IL_EINVAL, "ticket: it is not of this domain");
    }
    return ili_adopt(domain, ticket->kind, ticket->object, (uint32_t)ticket->check, ticket->end,
                     out);
}
