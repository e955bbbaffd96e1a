/*
 * world.h - a domain for tests that look inside it: a private one, or one that this process serves.
 *
 * world_open() makes it; a forked child calls world_join() to get a domain of its own: it shares the
 * private one, or attaches. Only for tests that link interlock_lib.
 */
#ifndef TESTS_SUPPORT_WORLD_H
#define TESTS_SUPPORT_WORLD_H

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "arena/alloc.h"
#include "arena/guard.h"
#include "lib/domain.h"
#include "session/expiry.h"
#include "session/fork.h"
#include "session/keeper.h"
#include "session/kinds.h"
#include "support/wait.h"

struct world {
    bool served;
    il_domain *domain; /* this process's */
    char address[120];
    /* served */
    struct ili_member server;
    struct ili_keeper *keeper;
    int listen_fd;
    pthread_t acceptor, timekeeper;
    _Atomic bool closing;
    _Atomic uint64_t turns; /* of who keeps the time */
};

static inline void *world_accept(void *argument) {
    struct world *w = argument;
    int fd;
    while ((fd = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        ili_keeper_adopt(w->keeper, fd);
    }
    return NULL;
}

/* Ends leases, as a server's loop does. It does not listen to the doorbell, which is the tests' own to hear:
 * so it looks every millisecond. */
static inline void *world_keep_time(void *argument) {
    struct world *w = argument;
    struct ili_expiry expiry = {0};
    struct ili_agent *self;
    if (ili_agent_current(&w->server, &self) != IL_OK) return NULL;
    while (!atomic_load(&w->closing)) {
        ili_expiry_collect(&expiry, &w->server, false);
        ili_expiry_run(&expiry, &w->server, self, test_now_ns());
        atomic_fetch_add(&w->turns, 1);
        poll(NULL, 0, 1);
    }
    ili_expiry_free(&expiry);
    return NULL;
}

/* The threads of a served world allocate at any time, and the address sanitizer's allocator (clang 14) has
 * no fork handlers: a child may find it locked for ever. Then served worlds are left to the other builds. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WORLD_CANNOT_FORK_SERVED 1
#endif
#endif
#ifdef WORLD_CANNOT_FORK_SERVED
#define WORLD_SKIP_SERVED() cr_skip("the address sanitizer's allocator does not survive fork()")
#else
#define WORLD_SKIP_SERVED() ((void)0)
#endif

/* The server's half: an arena of BYTES, a keeper, a socket. */
static inline bool world_serve(struct world *w, uint64_t bytes) {
    static unsigned number;
    struct ili_arena arena;
    uint32_t slot;
    struct ili_keeper_events events = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    ili_kinds_register();
    ili_fork_prepare();
    if (ili_arena_create(bytes, true, UINT64_C(1) << 40, &arena) != IL_OK) return false;
    if (ili_slot_claim(&arena, (uint32_t)getpid(), getuid(), "server", &slot) != IL_OK)
        return false;
    ili_member_enter(&w->server, &arena, slot, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/interlock-test-%d-%u.sock",
             (int)getpid(), number++);
    snprintf(w->address, sizeof w->address, "unix:%s", address.sun_path);
    unlink(address.sun_path);
    w->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return bind(w->listen_fd, (struct sockaddr *)&address, sizeof address) == 0 &&
           listen(w->listen_fd, 64) == 0 &&
           ili_keeper_serve(&w->server, &events, &w->keeper) == IL_OK &&
           pthread_create(&w->acceptor, NULL, world_accept, w) == 0 &&
           pthread_create(&w->timekeeper, NULL, world_keep_time, w) == 0;
}

/* SERVED: this process is the server, and attached to itself as well. */
static inline bool world_open(struct world *w, bool served, uint64_t bytes) {
    il_domain_options options = {.struct_bytes = sizeof options, .label = "test"};
    memset(w, 0, sizeof *w);
    w->served = served;
    if (served) {
        if (!world_serve(w, bytes)) return false;
    } else {
        strcpy(w->address, "private:");
        options.arena_bytes = bytes;
    }
    return il_domain_open(w->address, &options, &w->domain) == IL_OK;
}

/* In a forked child. The parent's domain is of no use to it in a served world. */
static inline bool world_join(struct world *w) {
    return !w->served || il_domain_open(w->address, NULL, &w->domain) == IL_OK;
}

/* No thread and no child may use it any more. */
static inline void world_close(struct world *w) {
    il_domain_close(w->domain);
    if (!w->served) return;
    atomic_store(&w->closing, true);
    pthread_join(w->timekeeper, NULL);
    shutdown(w->listen_fd, SHUT_RDWR);
    pthread_join(w->acceptor, NULL);
    close(w->listen_fd);
    unlink(w->address + 5);
    ili_keeper_stop(w->keeper);
    ili_member_stop(&w->server, IL_ECLOSED);
    ili_member_leave(&w->server);
}

/* Sees to it that somebody repairs after deaths, though this process does not wait for anybody. */
static inline void world_watch(struct world *w) {
    if (w->domain->member.before_wait) w->domain->member.before_wait(&w->domain->member);
}

struct world_turns {
    struct world *world;
    uint64_t until;
};

static inline bool world_has_turned(void *context) {
    struct world_turns *t = context;
    return atomic_load(&t->world->turns) >= t->until;
}

/* Until the server is through with all leases that are over by now, and has closed their objects. */
static inline bool world_await_time(struct world *w) {
    struct world_turns turns = {w, atomic_load(&w->turns) + 2};
    return !w->served || test_wait(world_has_turned, &turns, 10);
}

static inline uint64_t world_free_bytes(struct world *w) {
    return ili_alloc_available(&w->domain->member);
}

/* How many other processes the domain knows, dead ones that are not recovered included. */
static inline unsigned world_others(struct world *w) {
    unsigned count = 0;
    const struct ili_arena *a = &w->domain->member.arena;
    for (uint32_t i = w->served; i < a->regions.slots; i++) {
        count += i != w->domain->member.slot &&
                 atomic_load_explicit(&a->slots[i].state, memory_order_acquire) != ILI_SLOT_FREE;
    }
    return count;
}

struct world_bytes {
    struct world *world;
    uint64_t free;
};

static inline bool world_has_bytes(void *context) {
    struct world_bytes *b = context;
    return world_free_bytes(b->world) == b->free;
}

/* Whether FREE bytes are free, perhaps in a moment: who keeps the time may have an object open. */
static inline bool world_gets_back(struct world *w, uint64_t free, double seconds) {
    struct world_bytes bytes = {w, free};
    return test_wait(world_has_bytes, &bytes, seconds);
}

static inline bool world_is_alone(void *world) { return world_others(world) == 0; }

/* The allocator's invariants, under its guard. */
static inline il_status world_check_alloc(struct world *w) {
    struct ili_member *m = &w->domain->member;
    struct ili_agent *self;
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) status = ili_guard_lock(m, self, &m->arena.header->alloc);
    if (status != IL_OK) return status;
    status = ili_alloc_check(m);
    ili_guard_unlock(m, self, &m->arena.header->alloc);
    return status;
}

static inline il_status world_check_lock(struct world *w, il_lock *lock) {
    struct ili_member *m = &w->domain->member;
    struct ili_agent *self;
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) status = ili_guard_lock(m, self, &lock->lock->guard);
    if (status != IL_OK) return status;
    status = ili_lock_check(m, lock->lock);
    ili_guard_unlock(m, self, &lock->lock->guard);
    return status;
}

static inline il_status world_check_queue(struct world *w, il_queue *queue) {
    struct ili_member *m = &w->domain->member;
    struct ili_agent *self;
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) status = ili_guard_lock(m, self, &queue->queue->tail_guard);
    if (status != IL_OK) return status;
    status = ili_guard_lock(m, self, &queue->queue->head_guard);
    if (status == IL_OK) {
        status = ili_queue_check(m, queue->queue);
        ili_guard_unlock(m, self, &queue->queue->head_guard);
    }
    ili_guard_unlock(m, self, &queue->queue->tail_guard);
    return status;
}

#endif
