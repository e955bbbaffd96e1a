/*
 * first.c - il_wait_any and il_wait_… : the first of several objects.
 *
 * An agent stands in the queue of each, as a proxy of the thread's own agent (its hub), which they poke.
 * What more than one granted is given back.
 *
 * A wait for an event loop is a thread of the library that waits like this, and writes an eventfd when it
 * is done. What it acquired goes on as the session's when the thread ends (session/thread_end.h), which is
 * why what belongs to a thread cannot be waited for so.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "lib/grant.h"
#include "lib/several.h"

/* A waiter for each target, as far as they were made. */
struct proxies {
    struct ili_agent *agents[IL_TARGETS_MAX];
    bool queued[IL_TARGETS_MAX];
    size_t made;
};

static il_status make_proxies(struct ili_several *s, struct ili_agent *self, struct proxies *p) {
    uint32_t hub = ili_agent_number(&s->member->arena, self);
    memset(p, 0, sizeof *p);
    while (p->made < s->count) {
        struct ili_agent *agent;
        il_status status = ili_agent_claim_for(s->member, s->member->slot,
                                               ILI_AGENT_BELL | ILI_AGENT_PROXY, NULL, &agent);
        if (status != IL_OK) return status;
        atomic_store_explicit(&agent->hub, hub, memory_order_relaxed);
        p->agents[p->made++] = agent;
    }
    return IL_OK;
}

/* Takes out all but WINNER; if there is none, one that was granted in the last moment wins. */
static size_t withdraw_others(struct ili_several *s, struct proxies *p, uint32_t owner,
                              size_t winner) {
    for (size_t i = 0; i < s->count; i++) {
        if (!p->queued[i] || i == winner) continue;
        il_status status;
        do {
            status = ili_target_withdraw(s->member, &s->local[i], p->agents[i]);
        } while (status == IL_EBUSY);
        p->queued[i] = false;
        if (!ili_is_granted(status)) continue;
        if (winner == s->count) {
            winner = i;
        } else {
            ili_several_give_back(s, owner, i);
        }
    }
    return winner;
}

/* Looks at all that are queued. *WINNER: the first that is ready. */
static il_status poll_proxies(struct ili_several *s, struct proxies *p, size_t *winner) {
    for (size_t i = 0; i < s->count; i++) {
        if (!p->queued[i]) continue;
        il_status status = ili_target_poll(s->member, &s->local[i], p->agents[i]);
        if (status == IL_ETIMEOUT) continue;
        if (status != IL_EBUSY) p->queued[i] = false;
        *winner = i;
        return status;
    }
    return IL_ETIMEOUT;
}

/* Stands in all queues. IL_ETIMEOUT: waits; else *WINNER was to be had, or is what failed. */
static il_status enqueue_all(struct ili_several *s, struct proxies *p, uint32_t owner,
                             size_t *winner) {
    for (size_t i = 0; i < s->count; i++) {
        il_status status = ili_target_enqueue(s->member, &s->local[i], p->agents[i], owner);
        if (status == IL_ETIMEOUT) {
            p->queued[i] = true;
            continue;
        }
        *winner = i;
        return status;
    }
    return IL_ETIMEOUT;
}

#define CHECK_NS INT64_C(40000000) /* how often it is asked again whether the wait can end */

static il_status sleep_for_one(struct ili_several *s, struct proxies *p, struct ili_agent *self,
                               int64_t deadline, size_t *winner) {
    for (;;) {
        il_status status = poll_proxies(s, p, winner);
        if (status != IL_ETIMEOUT && status != IL_EBUSY) return status;
        int64_t until = ili_deadline_in(CHECK_NS);
        if (until > deadline) until = deadline;
        status = ili_agent_sleep_as_hub(s->member, self, until);
        if (status == IL_ETIMEOUT && until == deadline) return status;
        if (status != IL_OK && status != IL_ETIMEOUT) return status;
    }
}

static il_status first_of(struct ili_several *s, int64_t timeout_ns, size_t *index) {
    struct ili_agent *self;
    struct proxies proxies;
    size_t winner = s->count;
    int64_t deadline = ili_deadline_of(timeout_ns);
    il_status status = ili_agent_current(s->member, &self);
    if (status != IL_OK) return status;
    uint32_t owner = ili_agent_number(&s->member->arena, self);
    for (size_t i = 0; i < s->count; i++) {
        status = ili_target_try(s->member, &s->local[i], owner);
        if (status == IL_ETIMEOUT) continue;
        *index = i;
        return status;
    }
    if (timeout_ns == 0) return IL_ETIMEOUT;
    status = make_proxies(s, self, &proxies);
    if (status == IL_OK) status = enqueue_all(s, &proxies, owner, &winner);
    if (status == IL_ETIMEOUT) status = sleep_for_one(s, &proxies, self, deadline, &winner);
    bool failed = !ili_is_granted(status);
    winner = withdraw_others(s, &proxies, owner, failed ? s->count : winner);
    if (failed && winner < s->count) {
        if (status == IL_EINTR) ili_thread_keep_interrupt(ili_thread_current());
        status = s->local[winner].status;
    }
    for (size_t i = 0; i < proxies.made; i++) ili_agent_release(s->member, proxies.agents[i]);
    if (ili_is_granted(status)) *index = winner;
    return status;
}

il_status ili_several_wait(struct ili_several *s, int64_t timeout_ns, size_t *index,
                           uint64_t *token) {
    size_t first = 0;
    il_status status;
    if (!s->member) {
        status = s->remote_ops->wait_any(s->remote, s->count, timeout_ns, &first);
        if (status != IL_OK) return status;
        *index = first;
        *token = s->remote[first].token;
        return s->remote[first].status;
    }
    status = first_of(s, timeout_ns, &first);
    if (ili_is_granted(status)) {
        *index = first;
        *token = s->local[first].token;
    }
    return status;
}

il_status il_wait_any(il_target *targets, size_t count, int64_t timeout_ns, size_t *index) {
    struct ili_several s;
    size_t first = 0;
    uint64_t token = 0;
    if (!index) return ili_fail(IL_EINVAL, "index: expected a place for the answer, got NULL");
    il_status status = ili_check_timeout(timeout_ns);
    if (status == IL_OK) status = ili_several_read(targets, count, false, &s);
    if (status != IL_OK) return status;
    status = ili_several_wait(&s, timeout_ns, &first, &token);
    if (!ili_is_granted(status)) return s.member ? ili_report(status, "wait") : status;
    targets[first].status = status;
    if (ili_target_is_acquired(targets[first].kind)) targets[first].token = token;
    *index = first;
    return IL_OK;
}

/* ---- for event loops -------------------------------------------------------------------------------- */

#define STACK_BYTES (256u * 1024)

struct il_wait {
    struct ili_several several;
    il_target targets[IL_TARGETS_MAX]; /* for giving back what nobody fetched */
    pthread_t thread;
    int fd;
    _Atomic uint64_t thread_id; /* for il_interrupt(); 0: not running yet */
    _Atomic uint32_t closing;
    _Atomic uint32_t done; /* 1: what follows is there */
    il_status status;
    size_t index;
    uint64_t token;
    bool fetched;
};

static void *run_wait(void *argument) {
    il_wait *wait = argument;
    /* seq_cst, with closing: either the closer sees the number, or this sees that it closes */
    atomic_store_explicit(&wait->thread_id, il_thread_self(), memory_order_seq_cst);
    do {
        wait->status =
            atomic_load_explicit(&wait->closing, memory_order_seq_cst)
                ? IL_ECLOSED
                : ili_several_wait(&wait->several, IL_FOREVER, &wait->index, &wait->token);
    } while (wait->status == IL_EINTR);
    /* release: pairs with the loads of who fetches the outcome */
    atomic_store_explicit(&wait->done, 1, memory_order_release);
    uint64_t one = 1;
    ssize_t ignored = write(wait->fd, &one, sizeof one);
    (void)ignored; /* an eventfd that was never written takes it */
    return NULL;
}

static bool start_thread(il_wait *wait) {
    pthread_attr_t attributes;
    sigset_t all, old;
    if (pthread_attr_init(&attributes) != 0) return false;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int result = pthread_create(&wait->thread, &attributes, run_wait, wait);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    return result == 0;
}

il_status il_wait_start(il_target *targets, size_t count, il_wait **out) {
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the wait, got NULL");
    il_wait *wait = calloc(1, sizeof *wait);
    if (!wait) return ili_fail(IL_ENOMEM, "this process has no memory");
    il_status status = ili_several_read(targets, count, false, &wait->several);
    for (size_t i = 0; i < count && status == IL_OK; i++) {
        if (targets[i].kind != IL_KIND_RLOCK && targets[i].kind != IL_KIND_RWLOCK) continue;
        status = ili_fail(IL_EUNSUPPORTED,
                          "targets[%zu].kind: what belongs to a thread cannot be waited for so", i);
    }
    if (status != IL_OK) {
        free(wait);
        return status;
    }
    memcpy(wait->targets, targets, count * sizeof *targets);
    wait->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wait->fd < 0 || !start_thread(wait)) {
        status = ili_fail(IL_ESYSTEM, "starting a wait: %s", strerror(errno));
        if (wait->fd >= 0) close(wait->fd);
        free(wait);
        return status;
    }
    *out = wait;
    return IL_OK;
}

static il_status no_wait(void) { return ili_fail(IL_EINVAL, "wait: expected a wait, got NULL"); }

il_status il_wait_fd(il_wait *wait, int *fd) {
    if (!wait) return no_wait();
    if (!fd) return ili_fail(IL_EINVAL, "fd: expected a place for the answer, got NULL");
    *fd = wait->fd;
    return IL_OK;
}

il_status il_wait_finish(il_wait *wait, size_t *index, uint64_t *token) {
    if (!wait) return no_wait();
    if (!index) return ili_fail(IL_EINVAL, "index: expected a place for the answer, got NULL");
    /* acquire: pairs with run_wait() */
    if (atomic_load_explicit(&wait->done, memory_order_acquire) == 0) {
        return ili_report(IL_ETIMEOUT, "wait");
    }
    if (!ili_is_granted(wait->status)) return ili_report(wait->status, "wait");
    wait->fetched = true;
    *index = wait->index;
    if (token) *token = wait->token;
    return wait->status;
}

il_status il_wait_close(il_wait *wait) {
    if (!wait) return IL_OK;
    atomic_store_explicit(&wait->closing, 1, memory_order_seq_cst);
    uint64_t thread = atomic_load_explicit(&wait->thread_id, memory_order_seq_cst);
    if (thread) (void)il_interrupt(thread);
    pthread_join(wait->thread, NULL);
    if (!wait->fetched && ili_is_granted(wait->status) &&
        ili_target_is_acquired(wait->targets[wait->index].kind)) {
        il_target granted = wait->targets[wait->index];
        granted.token = wait->token;
        (void)il_release_all(&granted, 1);
    }
    close(wait->fd);
    free(wait);
    return IL_OK;
}
