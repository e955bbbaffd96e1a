#include "session/fork.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "arena/open_table.h"
#include "session/warden.h"

#define JOIN_MS 5000

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A pipe over which nothing is sent: the parent's fork() returns when the child has closed the other end,
 * or is dead, or was never made. Until then the child reads what its parent has open; a parent that ended
 * at once (to put its child in the background) would take that away. Under the list's lock. */
static int joined[2];

static void lock_table(struct ili_member *m, void *unused) {
    (void)unused;
    pthread_mutex_lock(&m->open_mutex);
}

static void unlock_table(struct ili_member *m, void *unused) {
    (void)unused;
    pthread_mutex_unlock(&m->open_mutex);
}

static void look_if_private(struct ili_member *m, void *shared) {
    if (!m->served && atomic_load_explicit(&m->self, memory_order_relaxed) != 0)
        *(bool *)shared = true;
}

/* All locks are kept over the fork, the list's first: two threads may fork at once. */
static void before(void) {
    bool shared = false;
    ili_members_lock();
    ili_members_each_held(lock_table, NULL);
    ili_members_each_held(look_if_private, &shared);
    joined[0] = joined[1] = -1;
    if (shared && pipe2(joined, O_CLOEXEC) != 0) joined[0] = joined[1] = -1;
}

static void close_end(int fd) {
    if (fd >= 0) close(fd);
}

static void in_parent(void) {
    struct pollfd polled = {joined[0], POLLIN, 0};
    close_end(joined[1]);
    ili_members_each_held(unlock_table, NULL);
    ili_members_unlock();
    int before_fork = errno;
    while (polled.fd >= 0 && poll(&polled, 1, JOIN_MS) < 0 && errno == EINTR) {
    }
    close_end(polled.fd);
    errno = before_fork;
}

static void join_anew(struct ili_member *m) {
    struct ili_agent *self;
    uint32_t slot, parent_slot = m->slot;
    uint64_t one = 1;
    atomic_store_explicit(&m->self, 0, memory_order_relaxed);
    il_status status = ili_slot_claim(&m->arena, (uint32_t)getpid(), getuid(), NULL, &slot);
    if (status == IL_OK) {
        m->slot = slot;
        m->id = ili_member_new_id();
        atomic_store_explicit(&m->agent_hint, 0, memory_order_relaxed);
        atomic_store_explicit(&m->self, slot + 1, memory_order_release);
        status = ili_agent_current(m, &self);
        if (status == IL_OK) status = ili_open_inherit(m, self, parent_slot);
        ssize_t ignored = write(m->doorbell_fd, &one, sizeof one); /* the keeper looks anew */
        (void)ignored;
    }
    if (status != IL_OK) ili_member_stop(m, status);
}

static void renew(struct ili_member *m, void *unused) {
    (void)unused;
    pthread_mutex_unlock(&m->open_mutex); /* of before(): this thread took it */
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
    ili_thread_after_fork();
    ili_members_each_held(renew, NULL);
    ili_members_unlock();
    close_end(joined[0]);
    close_end(joined[1]);
}

static void install(void) { pthread_atfork(before, in_parent, in_child); }

void ili_fork_prepare(void) { pthread_once(&once, install); }
