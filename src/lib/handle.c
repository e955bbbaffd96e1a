/* handle.c - the part of opening, closing and deleting that all kinds of object share. */
#include <stdlib.h>

#include "arena/open_table.h"
#include "base/text.h"
#include "lib/domain.h"
#include "session/deadlock.h"

il_status ili_report(il_status status, const char *what) {
    switch (status) {
    case IL_OK:
    case IL_EOWNERDEAD: return status;
    case IL_ENOMEM:
        return ili_fail(status, "%s: the domain's arena is full, or %s has its share of it", what,
                        what);
    case IL_ELIMIT:
        return ili_fail(status, "%s: too many threads or processes wait in this domain", what);
    case IL_EDEADLK: return ili_fail(status, "%s: %s", what, ili_deadlock_text());
    default: return ili_fail(status, "%s", what);
    }
}

il_status ili_check_name(const char *name, size_t name_bytes, bool anonymous) {
    const char *why;
    if (!name && anonymous) return IL_OK;
    if (!name) return ili_fail(IL_EINVAL, "name: expected a string, got NULL");
    il_status status = ili_name_check(name, name_bytes, &why);
    return status == IL_OK ? IL_OK : ili_fail(status, "name: %s", why);
}

/* ---- handles that are closed while something is held by them ----------------------------------------- */

/* A stack of the member, without a mutex since a fork may come at any time. */
struct kept {
    struct kept *next;
    struct ili_handle handle;
};

#define GRANTS_LOOKED_AT 64

/* Whether nobody can open the object again, or has it open elsewhere: nobody can release what is held either. A
 * ticket for it is void once it is closed. */
static bool is_last_of_anonymous(const struct ili_object *object) {
    return object->name_bytes == 0 &&
           atomic_load_explicit(&object->refs, memory_order_relaxed) == 1;
}

/* Whether the object must stay open, since this process holds a grant of it; in doubt, it must. A lease names
 * its object until it has ended. */
static bool holds(const struct ili_handle *handle) {
    struct ili_member *m = handle->member;
    struct ili_grant grants[GRANTS_LOOKED_AT];
    void *object = ili_object_at(&m->arena, handle->object, handle->kind->number);
    if (!object || !handle->kind->grants || ili_member_check(m) != IL_OK) return false;
    size_t count = handle->kind->grants(m, object, grants, GRANTS_LOOKED_AT);
    bool last = is_last_of_anonymous(object);
    for (size_t i = 0; i < count && i < GRANTS_LOOKED_AT; i++) {
        if (last && grants[i].lease == 0) continue;
        if (ili_agent_slot(&m->arena, grants[i].owner) == m->slot) return true;
    }
    return count > GRANTS_LOOKED_AT;
}

static void push(struct kept *one) {
    _Atomic(void *) *stack = &one->handle.member->kept;
    void *top = atomic_load_explicit(stack, memory_order_relaxed);
    do {
        one->next = top;
        /* release: pairs with the exchange that takes the stack */
    } while (!atomic_compare_exchange_weak_explicit(stack, &top, one, memory_order_release,
                                                    memory_order_relaxed));
}

static il_status close_now(struct ili_handle *handle) {
    struct ili_member *m = handle->member;
    struct ili_agent *self;
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) {
        status = ili_names_close(m, self, handle->object, ili_open_entry(m, handle->entry));
        if (status == IL_OK) ili_open_release(m, handle->entry);
    }
    /* nothing is left to close where the arena is gone, or is the parent's */
    return status == IL_EGONE || status == IL_EFORKED ? IL_OK : status;
}

/* Closes those that have become free. */
static void close_kept(struct ili_member *member) {
    if (!atomic_load_explicit(&member->kept, memory_order_relaxed)) return;
    struct kept *one = atomic_exchange_explicit(&member->kept, NULL, memory_order_acquire);
    while (one) {
        struct kept *next = one->next;
        if (holds(&one->handle)) {
            push(one);
        } else {
            (void)close_now(&one->handle);
            free(one);
        }
        one = next;
    }
}

void ili_handles_forget(struct ili_member *member) {
    struct kept *one = atomic_exchange_explicit(&member->kept, NULL, memory_order_acquire);
    while (one) {
        struct kept *next = one->next;
        free(one);
        one = next;
    }
}

/* ---- open, close, delete -------------------------------------------------------------------------- */

/* Writes no error text. */
static il_status open_as(struct il_domain *domain, const struct ili_kind *kind, const char *name,
                         size_t name_bytes, const void *options, uint32_t flags,
                         struct ili_handle *out) {
    struct ili_member *m = &domain->member;
    struct ili_agent *self;
    struct ili_handle handle = {.member = m, .kind = kind};
    close_kept(m);
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) status = ili_open_claim(m, self, &handle.entry);
    if (status != IL_OK) return status;
    status = ili_names_open(m, self, kind, name, name ? name_bytes : 0, options, flags,
                            ili_open_entry(m, handle.entry), &handle.object, NULL);
    if (status != IL_OK) {
        ili_open_release(m, handle.entry);
        return status;
    }
    *out = handle;
    return IL_OK;
}

il_status ili_handle_open(struct il_domain *domain, const struct ili_kind *kind, const char *name,
                          size_t name_bytes, const void *options, struct ili_handle *out) {
    return ili_report(open_as(domain, kind, name, name_bytes, options, 0, out), kind->word);
}

il_status ili_handle_open_existing(struct il_domain *domain, const struct ili_kind *kind,
                                   const char *name, size_t name_bytes, struct ili_handle *out) {
    il_status status = open_as(domain, kind, name, name_bytes, NULL, ILI_OPEN_EXISTING, out);
    return status == IL_ENOTFOUND ? status : ili_report(status, kind->word);
}

il_status ili_handle_adopt(struct il_domain *domain, const struct ili_kind *kind, ili_off object,
                           uint32_t birth, struct ili_handle *out) {
    struct ili_member *m = &domain->member;
    struct ili_agent *self;
    struct ili_handle handle = {.member = m, .kind = kind, .object = object};
    close_kept(m);
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) status = ili_open_claim(m, self, &handle.entry);
    if (status != IL_OK) return ili_report(status, kind->word);
    status = ili_names_adopt(m, self, object, kind->number, birth, ili_open_entry(m, handle.entry));
    if (status != IL_OK) {
        ili_open_release(m, handle.entry);
        return ili_report(status, kind->word);
    }
    *out = handle;
    return IL_OK;
}

il_status ili_handle_again(const struct ili_handle *handle, struct ili_handle *out) {
    struct ili_member *m = handle->member;
    struct ili_agent *self;
    struct ili_handle again = *handle;
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) status = ili_open_claim(m, self, &again.entry);
    if (status != IL_OK) return ili_report(status, handle->kind->word);
    status = ili_names_inherit(m, self, ili_open_entry(m, handle->entry),
                               ili_open_entry(m, again.entry));
    if (status != IL_OK) {
        ili_open_release(m, again.entry);
        return ili_report(status, handle->kind->word);
    }
    *out = again;
    return IL_OK;
}

il_status ili_handle_close(struct ili_handle *handle) {
    struct ili_member *member = handle->member;
    il_status status = IL_OK;
    struct kept *one = holds(handle) ? malloc(sizeof *one) : NULL;
    if (one) {
        one->handle = *handle;
        push(one);
    } else {
        status = close_now(handle);
    }
    close_kept(member);
    return status;
}

il_status ili_handle_delete(struct il_domain *domain, const struct ili_kind *kind, const char *name,
                            size_t name_bytes) {
    struct ili_agent *self;
    il_status status = ili_agent_current(&domain->member, &self);
    if (status == IL_OK) {
        status = ili_names_delete(&domain->member, self, kind, name, name_bytes);
    }
    return ili_report(status, kind->word);
}
