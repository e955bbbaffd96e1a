#include "run/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena/thread.h"
#include "base/clock.h"
#include "run/reaper.h"

#define BY_PIDFD ((idtype_t)3) /* P_PIDFD, which older headers lack */

il_status ili_process_start(const struct ili_spawn *spawn, bool daemon, struct ili_process *out,
                            const char **what) {
    struct ili_spawn mine = *spawn;
    pid_t pid;
    int pid_fd;
    mine.dies_with_parent = daemon;
    il_status status = daemon ? ili_reaper_spawn(&mine, &pid, &pid_fd, what)
                              : ili_spawn(&mine, &pid, &pid_fd, what);
    if (status != IL_OK) return status;
    *out = (struct ili_process){.pid = pid, .owner = getpid(), .pid_fd = pid_fd, .daemon = daemon};
    pthread_mutex_init(&out->mutex, NULL);
    return IL_OK;
}

/* Under the mutex, once the process has ended. */
static void note_end(struct ili_process *p) {
    siginfo_t info = {0};
    int result;
    do {
        result = waitid(BY_PIDFD, (id_t)p->pid_fd, &info, WEXITED | WNOHANG);
    } while (result != 0 && errno == EINTR);
    p->ended = true;
    p->lost = result != 0 || info.si_pid == 0;
    p->code = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

il_status ili_process_poll(struct ili_process *p, int32_t *code) {
    struct pollfd polled = {p->pid_fd, POLLIN, 0};
    il_status status = IL_ETIMEOUT;
    pthread_mutex_lock(&p->mutex);
    if (!p->ended && poll(&polled, 1, 0) == 1) note_end(p);
    if (p->ended) {
        status = p->lost ? IL_ESYSTEM : IL_OK;
        if (!p->lost && code) *code = p->code;
    }
    pthread_mutex_unlock(&p->mutex);
    return status;
}

il_status ili_process_join(struct ili_process *p, int64_t timeout_ns, int32_t *code) {
    int64_t deadline = ili_deadline_in(timeout_ns);
    struct ili_thread *thread = ili_thread_current();
    if (!thread) return IL_ELIMIT;
    for (;;) {
        il_status status = ili_process_poll(p, code);
        if (status != IL_ETIMEOUT) return status;
        int64_t now = ili_now_ns();
        if (now >= deadline) return IL_ETIMEOUT;
        status = ili_thread_take(thread);
        if (status != IL_OK) return status;
        int64_t until = ili_thread_until(thread, deadline), left = ili_ns_between(now, until);
        struct pollfd polled[2] = {{p->pid_fd, POLLIN, 0}, {ili_thread_wake_fd(thread), POLLIN, 0}};
        struct timespec time = {left / 1000000000, left % 1000000000};
        int ready = ppoll(polled, 2, until == ILI_NEVER ? NULL : &time, NULL);
        if (ready < 0 && ili_thread_slept(thread, errno) != IL_OK) return IL_EINTR;
        uint64_t count;
        ssize_t ignored =
            ready > 0 && polled[1].revents ? read(polled[1].fd, &count, sizeof count) : 0;
        (void)ignored; /* what is asked of the thread is looked at above */
    }
}

il_status ili_process_signal(struct ili_process *p, int signal) {
    if (syscall(SYS_pidfd_send_signal, p->pid_fd, signal, NULL, 0) == 0) return IL_OK;
    return errno == ESRCH ? IL_OK : IL_ESYSTEM;
}

void ili_process_leave(struct ili_process *p) {
    if (p->owner == getpid() && ili_process_poll(p, NULL) == IL_ETIMEOUT) {
        if (p->daemon) (void)ili_process_signal(p, SIGKILL);
        ili_reaper_adopt(p->pid_fd);
    } else {
        close(p->pid_fd);
    }
    pthread_mutex_destroy(&p->mutex);
}
