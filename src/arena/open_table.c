#include "arena/open_table.h"

#include <stdlib.h>
#include <string.h>

#include "arena/alloc.h"
#include "arena/names.h"
#include "base/point.h"

struct ili_open_page *ili_open_page_at(const struct ili_arena *arena, ili_off at) {
    return ili_at(arena, at, sizeof(struct ili_open_page));
}

struct ili_open_walk ili_open_walk_of(const struct ili_slot *slot) {
    ili_off first = atomic_load_explicit(&slot->open_pages, memory_order_acquire);
    return (struct ili_open_walk){.next = first, .lap = 1};
}

struct ili_open_page *ili_open_walk_next(const struct ili_arena *arena,
                                         struct ili_open_walk *walk) {
    struct ili_open_page *page =
        walk->next && walk->next != walk->anchor ? ili_open_page_at(arena, walk->next) : NULL;
    if (!page) return NULL;
    if (++walk->steps == walk->lap) {
        walk->anchor = walk->next;
        walk->lap *= 2;
        walk->steps = 0;
    }
    walk->next = atomic_load_explicit(&page->next, memory_order_relaxed);
    return page;
}

/* Makes an empty page, in pending[0] until the slot names it. A death in between: the keeper compares
 * the two (session/recover.c). */
static il_status make_page(struct ili_member *m, struct ili_agent *self, ili_off *out) {
    struct ili_slot *slot = ili_member_slot(m);
    ili_off at;
    il_status status = ili_alloc(m, self, 0, sizeof(struct ili_open_page), &at);
    if (status != IL_OK) return status;
    struct ili_open_page *page = ili_open_page_at(&m->arena, at);
    memset((void *)page, 0, sizeof *page);
    atomic_store_explicit(&page->next,
                          atomic_load_explicit(&slot->open_pages, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(&slot->open_pages, at, memory_order_release);
    ILI_POINT("open_table.page");
    ili_alloc_published(self, 0);
    *out = at;
    return IL_OK;
}

/* Under open_mutex. The stack of free numbers has room for every entry there is. */
static il_status add_page(struct ili_member *m, struct ili_agent *self) {
    size_t pages = m->open_page_count + 1;
    ili_off at, *places = realloc(m->open_pages, pages * sizeof *places);
    if (!places) return IL_ENOMEM;
    m->open_pages = places;
    uint32_t *numbers = realloc(m->open_free, pages * ILI_OPEN_PAGE_ENTRIES * sizeof *numbers);
    if (!numbers) return IL_ENOMEM;
    m->open_free = numbers;
    il_status status = make_page(m, self, &at);
    if (status != IL_OK) return status;
    places[pages - 1] = at;
    m->open_page_count = pages;
    for (uint32_t i = ILI_OPEN_PAGE_ENTRIES; i-- > 0;) {
        numbers[m->open_free_count++] = (uint32_t)(pages - 1) * ILI_OPEN_PAGE_ENTRIES + i;
    }
    return IL_OK;
}

il_status ili_open_claim(struct ili_member *member, struct ili_agent *self, uint32_t *number) {
    il_status status = IL_OK;
    pthread_mutex_lock(&member->open_mutex);
    if (member->open_free_count == 0) status = add_page(member, self);
    if (status == IL_OK) *number = member->open_free[--member->open_free_count];
    pthread_mutex_unlock(&member->open_mutex);
    return status;
}

void ili_open_release(struct ili_member *member, uint32_t number) {
    pthread_mutex_lock(&member->open_mutex);
    member->open_free[member->open_free_count++] = number;
    pthread_mutex_unlock(&member->open_mutex);
}

_Atomic ili_off *ili_open_entry(struct ili_member *member, uint32_t number) {
    pthread_mutex_lock(&member->open_mutex);
    ili_off at = member->open_pages[number / ILI_OPEN_PAGE_ENTRIES];
    pthread_mutex_unlock(&member->open_mutex);
    return &ili_open_page_at(&member->arena, at)->entries[number % ILI_OPEN_PAGE_ENTRIES];
}

/* As FROM, an entry of the parent, so TO. One that the parent has closed since is left empty. */
static il_status inherit(struct ili_member *m, struct ili_agent *self, uint32_t parent_slot,
                         const _Atomic ili_off *from, _Atomic ili_off *to) {
    il_status status = ili_names_inherit(m, self, from, to);
    if (status != IL_OK) return status == IL_ENOTFOUND ? IL_OK : status;
    struct ili_object *object =
        ili_at(&m->arena, atomic_load_explicit(to, memory_order_relaxed), sizeof *object);
    const struct ili_kind *kind = object ? ili_kind_of(ili_once32(&object->kind)) : NULL;
    return kind && kind->inherit ? kind->inherit(m, self, object, parent_slot) : IL_OK;
}

il_status ili_open_inherit(struct ili_member *member, struct ili_agent *self,
                           uint32_t parent_slot) {
    for (size_t p = 0; p < member->open_page_count; p++) {
        const struct ili_open_page *from = ili_open_page_at(&member->arena, member->open_pages[p]);
        ili_off at;
        il_status status = make_page(member, self, &at);
        if (status != IL_OK) return status;
        struct ili_open_page *to = ili_open_page_at(&member->arena, at);
        for (unsigned i = 0; i < ILI_OPEN_PAGE_ENTRIES; i++) {
            if (atomic_load_explicit(&from->entries[i], memory_order_relaxed) == 0) continue;
            status = inherit(member, self, parent_slot, &from->entries[i], &to->entries[i]);
            if (status != IL_OK) return status;
        }
        member->open_pages[p] = at;
    }
    return IL_OK;
}
