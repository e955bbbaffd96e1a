/*
 * keeper.c - see keeper.h.
 *
 * A peer is a connection that was adopted: HELLO until its hello is complete, then LIVE with a slot,
 * then DEAD until its slot is recovered. Recovery may have to be tried again (a guard held by another
 * process); then the thread wakes after a millisecond, two, four … until it is done.
 * Only this thread touches peers; other threads hand over descriptors by a socket pair.
 */
#include "session/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "session/attach.h"
#include "session/recover.h"

#define HELLO_NS INT64_C(5000000000)
#define RETRY_NS INT64_C(1000000)
#define RETRY_MOST_NS INT64_C(128000000) /* of what does not succeed again and again */
#define HELD_MOST 64

enum peer_state { HELLO, LIVE, DEAD };

struct peer {
    struct peer *next, *previous;
    enum peer_state state;
    int fd, pid_fd;
    uint32_t slot, pid, uid;
    int64_t since_ns;
    bool goodbye;
    size_t got;
    struct ili_attach_hello hello;
};

struct ili_keeper {
    struct ili_member *server;
    struct ili_keeper_events events;
    pthread_t thread;
    int epoll_fd;
    int adopt_read, adopt_write; /* a pipe of descriptor numbers; -1 ends the thread */
    struct peer *peers;
    unsigned hellos, dead;
    int64_t retry_ns, retry_at_ns; /* how soon to try again what is dead, and when */
    _Atomic uint32_t sweep;
};

bool ili_keeper_take_sweep(struct ili_keeper *keeper) {
    return atomic_exchange_explicit(&keeper->sweep, 0, memory_order_acquire) != 0;
}

static void ring_for_sweep(struct ili_keeper *k) {
    uint64_t one = 1;
    atomic_store_explicit(&k->sweep, 1, memory_order_release);
    ssize_t ignored = write(k->server->doorbell_fd, &one, sizeof one);
    (void)ignored; /* full means that it rings already */
}

/* ---- peers -------------------------------------------------------------------------------------- */

static bool watch(struct ili_keeper *k, int fd, void *what) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = what};
    return epoll_ctl(k->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* A descriptor that a forked process has a copy of stays in epoll when it is closed here. */
static void drop_fd(struct ili_keeper *k, int *fd) {
    if (*fd < 0) return;
    epoll_ctl(k->epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
    close(*fd);
    *fd = -1;
}

static void close_fds(struct ili_keeper *k, struct peer *p) {
    drop_fd(k, &p->fd);
    drop_fd(k, &p->pid_fd);
}

static void forget(struct ili_keeper *k, struct peer *p) {
    if (p->state == HELLO) k->hellos--;
    close_fds(k, p);
    if (p->previous) p->previous->next = p->next;
    if (p->next) p->next->previous = p->previous;
    if (k->peers == p) k->peers = p->next;
    free(p);
}

static void adopt(struct ili_keeper *k, int fd) {
    struct peer *p = calloc(1, sizeof *p);
    if (!p) {
        close(fd);
        return;
    }
    p->fd = fd;
    p->pid_fd = -1;
    p->since_ns = ili_now_ns();
    p->next = k->peers;
    if (k->peers) k->peers->previous = p;
    k->peers = p;
    k->hellos++;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || !watch(k, fd, p)) forget(k, p);
}

/* Gives the peer whose hello is complete a slot. */
static il_status admit(struct ili_keeper *k, struct peer *p) {
    struct ili_attach_peer who = {.pid_fd = -1};
    p->hello.label[sizeof p->hello.label - 1] = 0;
    if (memcmp(p->hello.magic, ILI_ATTACH_MAGIC, sizeof p->hello.magic) != 0 ||
        p->hello.stamp != ili_layout_stamp()) {
        return IL_EPROTOCOL;
    }
    il_status status = ili_attach_peer(p->fd, &who);
    if (status != IL_OK) return status;
    p->pid = who.pid;
    p->uid = who.uid;
    p->pid_fd = who.pid_fd;
    /* one arena, one trust domain: who may write here may do whatever the server's user may */
    if (who.uid != geteuid() && who.uid != 0) return IL_EACCESS;
    if (p->pid_fd >= 0 && !watch(k, p->pid_fd, p)) return IL_ESYSTEM;
    return ili_slot_claim(&k->server->arena, who.pid, who.uid, p->hello.label, &p->slot);
}

static void on_hello(struct ili_keeper *k, struct peer *p) {
    struct ili_session_info info;
    il_status status = admit(k, p);
    if (status == IL_OK) {
        status = ili_attach_reply(p->fd, IL_OK, p->slot, k->server);
        if (status != IL_OK) ili_slot_free(&k->server->arena, p->slot);
    } else {
        (void)ili_attach_reply(p->fd, status, 0, k->server);
    }
    if (status != IL_OK) {
        if (k->events.refused) k->events.refused(k->events.context, p->pid, p->uid, status);
        forget(k, p);
        return;
    }
    k->hellos--;
    p->state = LIVE;
    if (k->events.attached && ili_session_info(&k->server->arena, p->slot, &info)) {
        k->events.attached(k->events.context, &info);
    }
}

static void report_end(struct ili_keeper *k, const struct peer *p) {
    struct ili_session_info info;
    if (!k->events.ended || !ili_session_info(&k->server->arena, p->slot, &info)) return;
    struct ili_held *held = calloc(HELD_MOST, sizeof *held);
    size_t count = held ? ili_session_held(k->server, p->slot, held, HELD_MOST) : 0;
    if (count > HELD_MOST) count = HELD_MOST;
    k->events.ended(k->events.context, &info, !p->goodbye, held, count);
    free(held);
}

/* True: done, and the peer is forgotten. */
static bool recover(struct ili_keeper *k, struct peer *p) {
    struct ili_agent *self;
    if (ili_agent_current(k->server, &self) != IL_OK) return false;
    if (ili_recover_slot(k->server, self, p->slot) != IL_OK) return false;
    ring_for_sweep(k);
    k->dead--;
    forget(k, p);
    return true;
}

static void on_end(struct ili_keeper *k, struct peer *p) {
    if (p->state == DEAD) return;
    if (p->state == HELLO) {
        forget(k, p);
        return;
    }
    p->state = DEAD;
    k->dead++;
    k->retry_ns = RETRY_NS;
    k->retry_at_ns = ili_now_ns() + RETRY_NS;
    close_fds(k, p);
    report_end(k, p);
    recover(k, p);
}

static void on_readable(struct ili_keeper *k, struct peer *p, uint32_t events) {
    if (p->state == DEAD) return;
    if (p->state == LIVE) {
        char byte;
        ssize_t got = events & EPOLLIN ? recv(p->fd, &byte, 1, MSG_DONTWAIT) : 0;
        if (got == 1 && byte == ILI_ATTACH_GOODBYE) {
            p->goodbye = true;
            return; /* the end of file follows */
        }
        if (got == 1) return;
        /* nothing to read, but an event: it is the pidfd's, or a hang-up */
        if (got < 0 && (errno == EINTR)) return;
        on_end(k, p);
        return;
    }
    char *room = (char *)&p->hello + p->got;
    ssize_t got = recv(p->fd, room, sizeof p->hello - p->got, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        on_end(k, p);
        return;
    }
    p->got += (size_t)got;
    if (p->got == sizeof p->hello) on_hello(k, p);
}

/* ---- the thread ----------------------------------------------------------------------------------- */

static void drop_late_hellos(struct ili_keeper *k) {
    int64_t now = ili_now_ns();
    for (struct peer *p = k->peers, *next; p; p = next) {
        next = p->next;
        if (p->state == HELLO && now - p->since_ns > HELLO_NS) forget(k, p);
    }
}

static int until_retry_ms(const struct ili_keeper *k) {
    int64_t wait_ns = k->retry_at_ns - ili_now_ns();
    return wait_ns > 0 ? (int)((wait_ns + 999999) / 1000000) : 0;
}

static void retry_recoveries(struct ili_keeper *k) {
    unsigned before = k->dead;
    if (ili_now_ns() < k->retry_at_ns) return;
    for (struct peer *p = k->peers, *next; p; p = next) {
        next = p->next;
        if (p->state == DEAD) recover(k, p);
    }
    if (k->dead < before) {
        k->retry_ns = RETRY_NS;
    } else if (k->retry_ns < RETRY_MOST_NS) {
        k->retry_ns *= 2;
    }
    k->retry_at_ns = ili_now_ns() + k->retry_ns;
}

/* Takes descriptors from the pipe. False: the thread is to end. */
static bool take_adopted(struct ili_keeper *k) {
    int fd;
    while (read(k->adopt_read, &fd, sizeof fd) == (ssize_t)sizeof fd) {
        if (fd < 0) return false;
        adopt(k, fd);
    }
    return true;
}

static void *run(void *argument) {
    struct ili_keeper *k = argument;
    for (;;) {
        struct epoll_event event;
        int wait_ms = k->dead ? until_retry_ms(k) : k->hellos ? 1000 : -1;
        /* One event a turn: handling it may free the peer of another. */
        int count = epoll_wait(k->epoll_fd, &event, 1, wait_ms);
        if (count == 1 && event.data.ptr == k) {
            if (!take_adopted(k)) return NULL;
        } else if (count == 1) {
            on_readable(k, event.data.ptr, event.events);
        }
        if (k->dead) retry_recoveries(k);
        if (k->hellos) drop_late_hellos(k);
    }
}

static bool start_thread(struct ili_keeper *k) {
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int result = pthread_create(&k->thread, NULL, run, k);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return result == 0;
}

il_status ili_keeper_serve(struct ili_member *server, const struct ili_keeper_events *events,
                           struct ili_keeper **out) {
    int ends[2] = {-1, -1};
    struct ili_keeper *k = calloc(1, sizeof *k);
    if (!k) return IL_ENOMEM;
    k->server = server;
    k->events = *events;
    k->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (k->epoll_fd < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) goto cleanup;
    k->adopt_read = ends[0];
    k->adopt_write = ends[1];
    if (!watch(k, ends[0], k)) goto cleanup;
    atomic_store_explicit(&server->arena.header->keeper, server->slot + 1, memory_order_release);
    if (!start_thread(k)) goto cleanup;
    *out = k;
    return IL_OK;

cleanup:
    if (k->epoll_fd >= 0) close(k->epoll_fd);
    if (ends[0] >= 0) close(ends[0]);
    if (ends[1] >= 0) close(ends[1]);
    free(k);
    return IL_ESYSTEM;
}

void ili_keeper_adopt(struct ili_keeper *keeper, int fd) {
    /* A full pipe means thousands of attaches not yet looked at: refuse this one. */
    if (write(keeper->adopt_write, &fd, sizeof fd) != (ssize_t)sizeof fd) close(fd);
}

void ili_keeper_stop(struct ili_keeper *keeper) {
    int end = -1;
    while (write(keeper->adopt_write, &end, sizeof end) < 0 && errno == EAGAIN) sched_yield();
    pthread_join(keeper->thread, NULL);
    while (keeper->peers) forget(keeper, keeper->peers);
    close(keeper->epoll_fd);
    close(keeper->adopt_read);
    close(keeper->adopt_write);
    free(keeper);
}
