/*
 * reaper.c - see reaper.h.
 *
 * One job at a time is handed to the thread: `job` is set by who wants it done and cleared by the thread.
 * What is adopted needs no word with the thread: epoll takes descriptors from any. All under the mutex,
 * which is also held over a fork, so that the child finds the state whole and can throw it away.
 */
#include "run/reaper.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define BY_PIDFD ((idtype_t)3) /* P_PIDFD, which older headers lack */

struct job {
    const struct ili_spawn *spawn;
    pid_t *pid;
    int *pid_fd;
    const char **what;
    il_status status;
    int error;
    bool done;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int epoll_fd = -1, wake_fd = -1;
static bool running;
static struct job *job;

/* ---- the thread ------------------------------------------------------------------------------------- */

static void do_job(void) {
    uint64_t count;
    ssize_t ignored = read(wake_fd, &count, sizeof count);
    (void)ignored;
    pthread_mutex_lock(&mutex);
    struct job *mine = job;
    pthread_mutex_unlock(&mutex);
    if (!mine) return;
    /* not under the mutex: a fork must not wait for a program that is slow to start */
    mine->status = ili_spawn(mine->spawn, mine->pid, mine->pid_fd, mine->what);
    mine->error = errno;
    pthread_mutex_lock(&mutex);
    mine->done = true;
    job = NULL;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void *run(void *unused) {
    (void)unused;
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(epoll_fd, &event, 1, -1) != 1) continue;
        int fd = event.data.fd;
        if (fd == wake_fd) {
            do_job();
            continue;
        }
        siginfo_t info;
        (void)waitid(BY_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG);
        /* a forked child may have a copy of the descriptor: closing alone would leave it in the set */
        (void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        close(fd);
    }
    return NULL;
}

/* ---- fork() ----------------------------------------------------------------------------------------- */

static void before_fork(void) { pthread_mutex_lock(&mutex); }
static void after_fork(void) { pthread_mutex_unlock(&mutex); }

static void in_child(void) {
    if (epoll_fd >= 0) close(epoll_fd);
    if (wake_fd >= 0) close(wake_fd);
    epoll_fd = wake_fd = -1;
    running = false;
    job = NULL;
    pthread_cond_init(&changed, NULL);
    pthread_mutex_unlock(&mutex);
}

static void install(void) { pthread_atfork(before_fork, after_fork, in_child); }

/* ---- who asks --------------------------------------------------------------------------------------- */

static bool start_thread(void) {
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, old;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int result = pthread_create(&thread, &attributes, run, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    errno = result;
    return result == 0;
}

/* Under the mutex: makes sure that there is a thread. False: errno. */
static bool prepare(void) {
    if (running) return true;
    if (epoll_fd < 0) epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) return false;
    if (wake_fd < 0) {
        wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = wake_fd};
        if (wake_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) != 0) return false;
    }
    running = start_thread();
    return running;
}

il_status ili_reaper_spawn(const struct ili_spawn *spawn, pid_t *pid, int *pid_fd,
                           const char **what) {
    struct job mine = {spawn, pid, pid_fd, what, IL_ESYSTEM, 0, false};
    uint64_t one = 1;
    pthread_once(&once, install);
    pthread_mutex_lock(&mutex);
    if (!prepare()) {
        mine.error = errno;
        if (what) *what = "starting a thread";
    } else {
        while (job) pthread_cond_wait(&changed, &mutex);
        job = &mine;
        ssize_t ignored = write(wake_fd, &one, sizeof one);
        (void)ignored;
        while (!mine.done) pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
    errno = mine.error;
    return mine.status;
}

void ili_reaper_adopt(int pid_fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = pid_fd};
    pthread_once(&once, install);
    pthread_mutex_lock(&mutex);
    (void)prepare(); /* if only the thread is missing, the next call makes it */
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pid_fd, &event) != 0) close(pid_fd);
    pthread_mutex_unlock(&mutex);
}
