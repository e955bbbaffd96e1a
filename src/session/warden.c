/*
 * warden.c - see warden.h.
 *
 * The keeper's role in a private domain: header.keeper is taken by compare-and-swap, from 0 or from
 * the number of a slot whose process has ended. The slot of the last keeper is recovered by the next
 * one like any other. A pidfd is opened by number, and then the process's start time is compared:
 * a pid that was used again shows another one.
 * The keeper also keeps the time of leases; one that has just taken the role looks at all of them.
 */
#include "session/warden.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arena/doorbell.h"
#include "base/clock.h"
#include "session/attach.h"
#include "session/expiry.h"
#include "session/recover.h"

#define RETRY_MS 1
#define LONG_MS 60000
#define LOOK_AGAIN_MS 20 /* the doorbell rings for the keeper: others let it, and look later */

struct warden {
    struct ili_member *member;
    pthread_t thread;
    int stop_fd; /* eventfd */
    int life_fd; /* attached: the connection; else -1 */
    struct pollfd *polled;
    uint32_t *slots; /* whose pidfd polled[i] is */
    size_t count;
};

static pthread_mutex_t start_mutex = PTHREAD_MUTEX_INITIALIZER;

static bool start_thread(struct warden *w, void *(*run)(void *)) {
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int result = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return result == 0;
}

static struct warden *make(struct ili_member *member, int life_fd) {
    struct warden *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->member = member;
    w->life_fd = life_fd;
    w->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->stop_fd < 0) {
        free(w);
        return NULL;
    }
    return w;
}

static void destroy(struct warden *w) {
    if (w->life_fd >= 0) close(w->life_fd);
    close(w->stop_fd);
    free(w->polled);
    free(w->slots);
    free(w);
}

/* ---- attached ----------------------------------------------------------------------------------- */

static void *run_attached(void *argument) {
    struct warden *w = argument;
    for (;;) {
        struct pollfd polled[2] = {{w->stop_fd, POLLIN, 0}, {w->life_fd, POLLIN | POLLRDHUP, 0}};
        if (poll(polled, 2, -1) < 0) continue;
        if (polled[0].revents) return NULL;
        if (polled[1].revents) break;
    }
    ili_member_stop(w->member, IL_EGONE);
    return NULL;
}

il_status ili_warden_watch_server(struct ili_member *member, int life_fd) {
    struct warden *w = make(member, life_fd);
    if (!w) return IL_ESYSTEM;
    member->warden = w;
    if (!start_thread(w, run_attached)) {
        member->warden = NULL;
        w->life_fd = -1; /* the caller closes it */
        destroy(w);
        return IL_ESYSTEM;
    }
    return IL_OK;
}

/* ---- private ------------------------------------------------------------------------------------ */

/* A pidfd of the process in SLOT, or -1 if it has ended. */
static int open_process(const struct ili_arena *a, uint32_t slot) {
    const struct ili_slot *s = &a->slots[slot];
    uint32_t pid = atomic_load_explicit(&s->pid, memory_order_relaxed);
    uint64_t start = atomic_load_explicit(&s->start_time, memory_order_relaxed);
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd >= 0 && ili_process_start_time(pid) != start) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool has_ended(int pid_fd) {
    struct pollfd polled = {pid_fd, POLLIN, 0};
    return pid_fd < 0 || poll(&polled, 1, 0) == 1;
}

static bool slot_is_live(const struct ili_arena *a, uint32_t slot) {
    return slot < a->regions.slots &&
           atomic_load_explicit(&a->slots[slot].state, memory_order_acquire) == ILI_SLOT_LIVE;
}

/* Takes the role if nobody has it. Otherwise *KEEPER_FD is a pidfd of who has. */
static bool take_role(struct warden *w, int *keeper_fd) {
    struct ili_arena *a = &w->member->arena;
    _Atomic uint32_t *role = &a->header->keeper;
    uint32_t mine = w->member->slot + 1;
    uint32_t holder = atomic_load_explicit(role, memory_order_acquire);
    *keeper_fd = -1;
    if (holder == mine) return true;
    if (holder != 0 && slot_is_live(a, holder - 1)) {
        *keeper_fd = open_process(a, holder - 1);
        if (!has_ended(*keeper_fd)) return false;
        if (*keeper_fd >= 0) close(*keeper_fd);
        *keeper_fd = -1;
    }
    return atomic_compare_exchange_strong_explicit(role, &holder, mine, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

static void close_polled(struct warden *w) {
    for (size_t i = 0; i < w->count; i++) close(w->polled[i + 2].fd);
    w->count = 0;
}

/* Recovers every slot whose process has ended, and lists the others for polling. True: something is
 * left to be tried again. */
static bool look_at_all(struct warden *w, struct ili_agent *self) {
    struct ili_arena *a = &w->member->arena;
    bool again = false;
    close_polled(w);
    for (uint32_t slot = 0; slot < a->regions.slots; slot++) {
        uint32_t state = atomic_load_explicit(&a->slots[slot].state, memory_order_acquire);
        if (slot == w->member->slot || (state != ILI_SLOT_LIVE && state != ILI_SLOT_DEAD)) continue;
        int fd = state == ILI_SLOT_LIVE ? open_process(a, slot) : -1;
        if (!has_ended(fd)) {
            w->slots[w->count] = slot;
            w->polled[2 + w->count++] = (struct pollfd){fd, POLLIN, 0};
            continue;
        }
        if (fd >= 0) close(fd);
        again |= ili_recover_slot(w->member, self, slot) != IL_OK;
    }
    return again;
}

/* Waits for FDS beside the stop and the doorbell. False: the thread is to end. */
static bool wait_private(struct warden *w, size_t more, int timeout_ms, bool *rung) {
    w->polled[0] = (struct pollfd){w->stop_fd, POLLIN, 0};
    w->polled[1] = (struct pollfd){w->member->doorbell_fd, POLLIN, 0};
    int count = poll(w->polled, more + 2, timeout_ms);
    *rung = count > 0 && w->polled[1].revents;
    return !(count > 0 && w->polled[0].revents);
}

/* Without the role: until the keeper ends. False: the thread is to end. */
static bool watch_keeper(struct warden *w, int keeper_fd) {
    bool rung, on = true;
    w->polled[2] = (struct pollfd){keeper_fd, POLLIN, 0};
    on = wait_private(w, 1, -1, &rung);
    if (on && rung) {
        /* for the keeper; but it may have rung because it left */
        struct pollfd polled[2] = {{w->stop_fd, POLLIN, 0}, {keeper_fd, POLLIN, 0}};
        on = !(poll(polled, 2, LOOK_AGAIN_MS) > 0 && polled[0].revents);
    }
    close(keeper_fd);
    return on;
}

/* Whether a process has joined since *ROSTER, or one has left. */
static bool has_changed(const struct ili_arena *a, uint32_t *roster) {
    uint32_t now = atomic_load_explicit(&a->header->roster, memory_order_acquire);
    bool changed = now != *roster;
    *roster = now;
    for (uint32_t slot = 0; slot < a->regions.slots && !changed; slot++) {
        uint32_t state = atomic_load_explicit(&a->slots[slot].state, memory_order_acquire);
        changed = state == ILI_SLOT_DEAD;
    }
    return changed;
}

static bool some_ended(const struct warden *w) {
    for (size_t i = 0; i < w->count; i++) {
        if (w->polled[i + 2].revents) return true;
    }
    return false;
}

/* The keeper's next turn: in a moment if something is to be tried AGAIN, else when a lease ends. */
static int keeper_timeout_ms(const struct ili_expiry *expiry, bool again) {
    int64_t next = ili_expiry_next(expiry);
    if (again) return RETRY_MS;
    if (next == ILI_NEVER) return -1;
    int64_t left_ns = ili_ns_between(ili_now_ns(), next);
    int64_t left_ms = left_ns / 1000000 + (left_ns % 1000000 != 0);
    return left_ms > LONG_MS ? LONG_MS : (int)left_ms;
}

/* SWEEP: perhaps after a death. */
static void keep_time(struct warden *w, struct ili_agent *self, struct ili_expiry *expiry,
                      bool sweep, bool first) {
    ili_doorbell_hear(w->member);
    ili_expiry_collect(expiry, w->member, sweep);
    if (first) ili_expiry_take_over(expiry, w->member);
    ili_expiry_run(expiry, w->member, self, ili_now_ns());
}

static void *run_private(void *argument) {
    struct warden *w = argument;
    struct ili_agent *self;
    struct ili_expiry expiry = {0};
    uint32_t roster = 0;
    int keeper_fd;
    bool on = ili_agent_current(w->member, &self) == IL_OK, first = true, look = true;
    while (on) {
        bool rung, again = false;
        uint64_t count;
        if (!take_role(w, &keeper_fd)) {
            /* nobody to watch: the role changed hands this moment, look again */
            if (keeper_fd >= 0) on = watch_keeper(w, keeper_fd);
            continue;
        }
        /* before the look: who joins from now on is seen as a change */
        look |= has_changed(&w->member->arena, &roster);
        if (look) again = look_at_all(w, self);
        keep_time(w, self, &expiry, look, first);
        first = false;
        on = wait_private(w, w->count, keeper_timeout_ms(&expiry, again), &rung);
        look = again || some_ended(w);
        if (rung) {
            ssize_t ignored = read(w->member->doorbell_fd, &count, sizeof count);
            (void)ignored;
        }
    }
    ili_expiry_free(&expiry);
    close_polled(w);
    return NULL;
}

static void start_private(struct ili_member *member) {
    pthread_mutex_lock(&start_mutex);
    if (!member->warden) {
        uint32_t slots = member->arena.regions.slots;
        struct warden *w = make(member, -1);
        if (w) {
            w->polled = calloc(slots + 2, sizeof *w->polled);
            w->slots = calloc(slots, sizeof *w->slots);
            if (w->polled && w->slots && start_thread(w, run_private)) {
                /* release: pairs with before_wait()'s acquire */
                __atomic_store_n(&member->warden, w, __ATOMIC_RELEASE);
            } else {
                destroy(w); /* the next wait tries again */
            }
        }
    }
    pthread_mutex_unlock(&start_mutex);
}

static void before_wait(struct ili_member *member) {
    if (!__atomic_load_n(&member->warden, __ATOMIC_ACQUIRE)) start_private(member);
}

void ili_warden_prepare_private(struct ili_member *member) { member->before_wait = before_wait; }

/* ---- end ------------------------------------------------------------------------------------------ */

void ili_warden_stop(struct ili_member *member) {
    struct warden *w = member->warden;
    uint64_t one = 1;
    if (w) {
        if (w->life_fd >= 0) {
            char goodbye = ILI_ATTACH_GOODBYE;
            (void)send(w->life_fd, &goodbye, 1, MSG_NOSIGNAL);
        }
        ssize_t ignored = write(w->stop_fd, &one, sizeof one);
        pthread_join(w->thread, NULL);
        (void)ignored;
        destroy(w);
        member->warden = NULL;
    }
    if (!member->served && ili_member_check(member) == IL_OK) {
        uint32_t mine = member->slot + 1;
        ili_member_stop(member, IL_ECLOSED);
        atomic_store_explicit(&ili_member_slot(member)->state, ILI_SLOT_DEAD, memory_order_release);
        atomic_compare_exchange_strong_explicit(&member->arena.header->keeper, &mine, 0,
                                                memory_order_release, memory_order_relaxed);
        ssize_t ignored = write(member->doorbell_fd, &one, sizeof one); /* for who keeps it now */
        (void)ignored;
    }
}

void ili_warden_after_fork(struct ili_member *member) {
    struct warden *w = member->warden;
    pthread_mutex_init(&start_mutex, NULL); /* another thread may have held it */
    member->warden = NULL;
    if (!w) return;
    /* The child's copies of the descriptors: the connection must end with the parent. The memory is
     * left alone, its lists may be in the middle of a change. */
    if (w->life_fd >= 0) close(w->life_fd);
    close(w->stop_fd);
}
