#include "client/renewer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/call.h"
#include "client/threads.h"

void ili_renewer_init(struct ili_renewer *renewer) {
    memset(renewer, 0, sizeof *renewer);
    pthread_mutex_init(&renewer->starting, NULL);
    renewer->wake_fd = -1;
    atomic_init(&renewer->sleeping_until_ns, 0);
}

int64_t ili_renewer_renew_at(int64_t now, int64_t lease_ns) {
    return lease_ns > ILI_NEVER - now ? ILI_NEVER : now + lease_ns / 3;
}

static void drain(int fd) {
    uint64_t count;
    ssize_t ignored = read(fd, &count, sizeof count);
    (void)ignored; /* empty is fine */
}

/* The waker of a renewal. */
static bool stopped(void *context) {
    struct ili_renewer *renewer = context;
    drain(renewer->wake_fd);
    return atomic_load_explicit(&renewer->stopping, memory_order_relaxed);
}

/* Sleeps until UNTIL_NS or until somebody writes to the wake_fd. */
static void sleep_until(struct ili_renewer *renewer, int64_t until_ns) {
    int64_t left = until_ns - ili_host->now_ns();
    struct pollfd fd = {.fd = renewer->wake_fd, .events = POLLIN};
    struct timespec time = {left / 1000000000, left % 1000000000};
    if (left <= 0) return;
    if (ppoll(&fd, 1, until_ns == ILI_NEVER ? NULL : &time, NULL) > 0) drain(renewer->wake_fd);
}

static void *keep(void *context) {
    struct ili_remote_domain *domain = context;
    struct ili_renewer *renewer = &domain->renewer;
    struct ili_http_waker waker = {.fd = renewer->wake_fd, .woken = stopped, .context = renewer};
    while (!atomic_load_explicit(&renewer->stopping, memory_order_relaxed)) {
        /* "About to sleep for ever" is said before looking: a session that is made after the look
         * finds it, one that was made before is seen. */
        atomic_store_explicit(&renewer->sleeping_until_ns, ILI_NEVER, memory_order_seq_cst);
        int64_t until = ili_remote_session_due(domain);
        if (until <= ili_host->now_ns()) {
            ili_remote_session_renew(domain, &waker);
            continue;
        }
        int64_t again = ili_remote_threads_recover(domain, &waker);
        if (again < until) until = again;
        atomic_store_explicit(&renewer->sleeping_until_ns, until, memory_order_seq_cst);
        /* One that was made between the look and the store above compared itself with "for ever",
         * or with UNTIL; in both cases it wakes us if it is due before. */
        sleep_until(renewer, until);
    }
    return NULL;
}

static il_status start(struct ili_remote_domain *domain) {
    struct ili_renewer *renewer = &domain->renewer;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return ili_remote_fail(IL_ESYSTEM, "eventfd: %s", strerror(errno));
    renewer->wake_fd = fd;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&renewer->thread, NULL, keep, domain);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0) {
        renewer->started = true;
        return IL_OK;
    }
    close(fd);
    renewer->wake_fd = -1;
    return ili_remote_fail(IL_ESYSTEM, "a thread to renew the session: %s", strerror(error));
}

il_status ili_renewer_start(struct ili_remote_domain *domain) {
    struct ili_renewer *renewer = &domain->renewer;
    pthread_mutex_lock(&renewer->starting);
    il_status status = renewer->started ? IL_OK : start(domain);
    pthread_mutex_unlock(&renewer->starting);
    return status;
}

void ili_renewer_wake(struct ili_renewer *renewer) {
    uint64_t one = 1;
    ssize_t ignored = write(renewer->wake_fd, &one, sizeof one);
    (void)ignored; /* full means readable already */
}

void ili_renewer_notice(struct ili_renewer *renewer, int64_t renew_at_ns) {
    int64_t until = atomic_load_explicit(&renewer->sleeping_until_ns, memory_order_seq_cst);
    if (renew_at_ns < until) ili_renewer_wake(renewer);
}

void ili_renewer_stop(struct ili_renewer *renewer) {
    if (!renewer->started) return;
    atomic_store_explicit(&renewer->stopping, true, memory_order_relaxed);
    ili_renewer_wake(renewer);
    pthread_join(renewer->thread, NULL);
    close(renewer->wake_fd);
    renewer->started = false;
}

void ili_renewer_destroy(struct ili_renewer *renewer) { pthread_mutex_destroy(&renewer->starting); }
