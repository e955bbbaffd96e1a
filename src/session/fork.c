#include "session/fork.h"

#include <pthread.h>
#include <unistd.h>

#include "arena/open_table.h"
#include "session/warden.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void lock_table(struct ili_member *m, void *unused) {
    (void)unused;
    pthread_mutex_lock(&m->open_mutex);
}

static void unlock_table(struct ili_member *m, void *unused) {
    (void)unused;
    pthread_mutex_unlock(&m->open_mutex);
}

/* ili_members_each() takes the list's lock itself, and the handlers must keep it over the fork: they
 * take the tables' locks first, one by one, then the list's. Nobody takes a table's lock while holding
 * the list's, so the order does not matter. */
static void before(void) {
    ili_members_each(lock_table, NULL);
    ili_members_lock();
}

static void in_parent(void) {
    ili_members_unlock();
    ili_members_each(unlock_table, NULL);
}

static void join_anew(struct ili_member *m) {
    struct ili_agent *self;
    uint32_t slot;
    uint64_t one = 1;
    atomic_store_explicit(&m->self, 0, memory_order_relaxed);
    il_status status = ili_slot_claim(&m->arena, (uint32_t)getpid(), getuid(), NULL, &slot);
    if (status == IL_OK) {
        m->slot = slot;
        m->id = ili_member_new_id();
        atomic_store_explicit(&m->agent_hint, 0, memory_order_relaxed);
        atomic_store_explicit(&m->self, slot + 1, memory_order_release);
        status = ili_agent_current(m, &self);
        if (status == IL_OK) status = ili_open_inherit(m, self);
        ssize_t ignored = write(m->doorbell_fd, &one, sizeof one); /* the keeper looks anew */
        (void)ignored;
    }
    if (status != IL_OK) ili_member_stop(m, status);
}

static void renew(struct ili_member *m, void *unused) {
    (void)unused;
    pthread_mutex_init(&m->open_mutex, NULL);
    ili_warden_after_fork(m);
    if (atomic_load_explicit(&m->self, memory_order_relaxed) == 0) return;
    if (m->served) {
        /* not ili_member_stop(): the agents are the parent's */
        atomic_store_explicit(&m->trouble, IL_EFORKED, memory_order_release);
        atomic_store_explicit(&m->self, 0, memory_order_release);
    } else {
        join_anew(m);
    }
}

static void in_child(void) {
    ili_members_unlock();
    ili_thread_after_fork();
    ili_members_each(renew, NULL);
}

static void install(void) { pthread_atfork(before, in_parent, in_child); }

void ili_fork_prepare(void) { pthread_once(&once, install); }
