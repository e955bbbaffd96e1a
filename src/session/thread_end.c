#include "session/thread_end.h"

#include "arena/names.h"
#include "arena/open_table.h"

#define TRIES                                                                                      \
    1000 /* for a guard that somebody who does not move may hold; then the keeper's at the end */

static il_status end_at(struct ili_member *m, struct ili_agent *ended, struct ili_agent *home,
                        ili_off at) {
    struct ili_object *object = ili_at(&m->arena, at, sizeof *object);
    const struct ili_kind *kind = object ? ili_kind_of(ili_once32(&object->kind)) : NULL;
    if (!kind || !kind->thread_end || !ili_object_at(&m->arena, at, kind->number)) return IL_OK;
    return kind->thread_end(m, ended, object, ended, home);
}

/* On the thread that ends: its agent still acts. */
static void ending(struct ili_member *m, struct ili_agent *agent) {
    struct ili_agent *home;
    if (ili_agent_home(m, &home) != IL_OK) return;
    pthread_mutex_lock(&m->open_mutex);
    size_t pages = m->open_page_count;
    pthread_mutex_unlock(&m->open_mutex);
    for (uint32_t number = 0; number < pages * ILI_OPEN_PAGE_ENTRIES; number++) {
        ili_off at = atomic_load_explicit(ili_open_entry(m, number), memory_order_acquire);
        for (int i = 0; at && i < TRIES && end_at(m, agent, home, at) == IL_EBUSY; i++) {
        }
    }
}

void ili_thread_end_prepare(void) { ili_thread_ending = ending; }
