/*
 * spawner_process.c - the spawner's own side; see spawner.h and spawner_wire.h.
 *
 * A program is LIVING until its process has ended; then ENDING until nothing of it is left, or for a
 * second (what cannot be killed, since the kernel is busy with it, is not waited for); then it is told
 * and forgotten. What belongs to an ENDING program, or to none, is killed whenever it is seen.
 * A process group is signalled while its leader is not reaped, so its number is nobody else's.
 *
 * Each turn: requests, then the dead are reaped, then the children are looked through if anything died.
 * A process that dies gives its children to the spawner before the spawner hears of it, so a look that
 * finds nothing after the last death has been reaped is conclusive.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "work/descendants.h"
#include "work/spawner.h"
#include "work/spawner_wire.h"

#define PATIENCE_NS INT64_C(1000000000)
#define FAREWELL_NS INT64_C(10000000000) /* for what the kernel holds on to */
#define SWEEP_NS INT64_C(1000000000)
#define BUCKETS 256
#define UNSURE_MS 1
#define AGAIN_MS 50
#define ROOM_FIRST 65536
#define FDS_MOST (2 * ILI_SPAWN_FDS) /* those of one request, and those of the next */

struct program {
    struct program *next;
    uint64_t id;
    pid_t pid;
    bool left; /* ENDING: something of it was seen in this look */
    int64_t patient_until_ns;
    int wait_status;
    uint64_t cpu_ns, memory_bytes;
};

struct spawner {
    int signal_fd;
    uint64_t token;
    struct program *living[BUCKETS]; /* by pid */
    struct program *ending;
    bool died;   /* something was reaped since the last look */
    bool unsure; /* the last look: it must be taken again soon */
    bool strays; /* the last look: something of nobody was still there */
    char *in;    /* requests as they arrive */
    size_t room, got;
    int fds[FDS_MOST];
    unsigned fd_count;
    char **words; /* of a SPAWN: arguments, then environment */
    size_t word_room;
};

static void report(const struct ili_spawner_report *report) {
    const char *at = (const char *)report;
    size_t left = sizeof *report;
    while (left) {
        ssize_t sent = send(ILI_SPAWNER_FD, at, left, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return; /* the server is gone: the loop will see it */
        at += sent;
        left -= (size_t)sent;
    }
}

/* The place of the living program whose process is PID; of NULL: there is none. */
static struct program **living_at(struct spawner *s, pid_t pid) {
    struct program **at = &s->living[(unsigned)pid % BUCKETS];
    while (*at && (*at)->pid != pid) at = &(*at)->next;
    return at;
}

static struct program *living_of(struct spawner *s, uint64_t id) {
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct program *p = s->living[i]; p; p = p->next) {
            if (p->id == id) return p;
        }
    }
    return NULL;
}

/* ---- starting --------------------------------------------------------------------------------------- */

static void close_fds(struct spawner *s, unsigned count) {
    for (unsigned i = 0; i < count; i++) close(s->fds[i]);
    s->fd_count -= count;
    memmove(s->fds, s->fds + count, s->fd_count * sizeof s->fds[0]);
}

/* The next string of a body that ends with NUL. */
static char *next_word(char **at) {
    char *word = *at;
    *at += strlen(word) + 1;
    return word;
}

static bool word_room(struct spawner *s, size_t count) {
    if (count <= s->word_room) return true;
    char **words = realloc(s->words, count * sizeof *words);
    if (!words) return false;
    s->words = words;
    s->word_room = count;
    return true;
}

static bool is_mark(const char *entry) {
    return strncmp(entry, ILI_PROCESS_VARIABLE "=", sizeof ILI_PROCESS_VARIABLE) == 0;
}

static size_t count_words(char *const *words) {
    size_t count = 0;
    while (words[count]) count++;
    return count;
}

/* Fills in SPAWN's words from BODY, and MARK into its environment. False: no memory. */
static bool read_words(struct spawner *s, const struct ili_spawner_request *r, char *body,
                       char *mark, struct ili_spawn *spawn) {
    bool own = r->environment == ILI_SPAWNER_OWN_ENVIRONMENT;
    size_t entries = own ? count_words(environ) : r->environment, at = 0;
    if (!word_room(s, r->arguments + entries + 3)) return false;
    spawn->program = next_word(&body);
    if (r->has_directory) spawn->directory = next_word(&body);
    spawn->arguments = s->words;
    for (uint32_t i = 0; i < r->arguments; i++) s->words[at++] = next_word(&body);
    s->words[at++] = NULL;
    spawn->environment = s->words + at;
    s->words[at++] = mark;
    for (size_t i = 0; i < entries; i++) {
        char *entry = own ? environ[i] : next_word(&body);
        if (!is_mark(entry)) s->words[at++] = entry;
    }
    s->words[at] = NULL;
    return true;
}

static void start_program(struct spawner *s, const struct ili_spawner_request *r, char *body) {
    struct ili_spawner_report told = {.id = r->id, .what_happened = ILI_SPAWNER_FAILED};
    struct ili_spawn spawn = {
        .limits = r->limits, .dies_with_parent = true, .own_group = r->own_group != 0};
    struct program *p = calloc(1, sizeof *p);
    char mark[ILI_PROCESS_ENTRY_BYTES];
    const char *what = "memory";
    unsigned used = 0;
    errno = ENOMEM;
    ili_process_entry(mark, s->token, r->id);
    for (int i = 0; i < ILI_SPAWN_FDS; i++) {
        bool sent = (r->fds >> i & 1) && used < s->fd_count;
        spawn.fds[i] = sent ? s->fds[used++] : -1;
    }
    if (p && read_words(s, r, body, mark, &spawn) &&
        ili_spawn(&spawn, &p->pid, NULL, &what) == IL_OK) {
        p->id = r->id;
        struct program **bucket = &s->living[(unsigned)p->pid % BUCKETS];
        p->next = *bucket;
        *bucket = p;
        told.what_happened = ILI_SPAWNER_STARTED;
        told.pid = p->pid;
    } else {
        told.error = errno;
        ili_text_copy(told.what, sizeof told.what, what);
        free(p);
    }
    close_fds(s, used);
    report(&told);
}

static void kill_program(struct spawner *s, uint64_t id, int signal) {
    struct program *p = living_of(s, id);
    if (!p) return; /* its pid may be another's now */
    kill(-p->pid, signal);
    if (getpgid(p->pid) != p->pid) kill(p->pid, signal); /* it left the group */
}

/* ---- requests --------------------------------------------------------------------------------------- */

static void handle(struct spawner *s, const struct ili_spawner_request *r, char *body) {
    switch (r->kind) {
    case ILI_SPAWNER_HELLO: {
        struct rlimit files = {r->files_soft, r->files_hard};
        s->token = r->id;
        (void)setrlimit(RLIMIT_NOFILE, &files);
        if (r->sweep) ili_origin_sweep(s->token, SWEEP_NS);
        break;
    }
    case ILI_SPAWNER_SPAWN: start_program(s, r, body); break;
    case ILI_SPAWNER_KILL: kill_program(s, r->id, r->signal); break;
    default: break;
    }
}

/* Handles the requests that are complete. False: no memory for the next one. */
static bool handle_complete(struct spawner *s) {
    struct ili_spawner_request r;
    size_t done = 0;
    bool room = true;
    while (s->got - done >= sizeof r) {
        memcpy(&r, s->in + done, sizeof r);
        size_t whole = sizeof r + r.bytes;
        if (s->got - done < whole) {
            if (whole > s->room) {
                char *in = realloc(s->in, whole);
                if (in) s->in = in;
                if (in) s->room = whole;
                room = in != NULL;
            }
            break;
        }
        handle(s, &r, s->in + done + sizeof r);
        done += whole;
    }
    memmove(s->in, s->in + done, s->got - done);
    s->got -= done;
    return room;
}

/* False: the server is gone. */
static bool receive(struct spawner *s) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * ILI_SPAWN_FDS)];
        struct cmsghdr align;
    } control;
    struct iovec part = {s->in + s->got, s->room - s->got};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got = recvmsg(ILI_SPAWNER_FD, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        unsigned count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        if (s->fd_count + count > FDS_MOST) return false;
        memcpy(s->fds + s->fd_count, CMSG_DATA(c), count * sizeof(int));
        s->fd_count += count;
    }
    s->got += (size_t)got;
    return got > 0 && handle_complete(s);
}

/* ---- the dead --------------------------------------------------------------------------------------- */

static uint64_t ns_of(struct timeval time) {
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_usec * 1000;
}

static void reap(struct spawner *s) {
    for (;;) {
        siginfo_t info = {0};
        struct rusage usage;
        int status;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
        struct program **at = living_at(s, info.si_pid), *p = *at;
        if (p) kill(-p->pid, SIGKILL);
        s->died = true;
        if (wait4(info.si_pid, &status, 0, &usage) < 0 || !p) continue;
        *at = p->next;
        p->next = s->ending;
        s->ending = p;
        p->patient_until_ns = ili_now_ns() + PATIENCE_NS;
        p->wait_status = status;
        p->cpu_ns = ns_of(usage.ru_utime) + ns_of(usage.ru_stime);
        p->memory_bytes = (uint64_t)usage.ru_maxrss * 1024;
    }
}

static void look_at(void *context, pid_t pid) {
    struct spawner *s = context;
    uint64_t id = 0;
    if (*living_at(s, pid)) return;
    enum ili_origin origin = ili_origin_of(pid, s->token, &id);
    if (origin == ILI_ORIGIN_UNSURE) {
        s->unsure = true;
        return;
    }
    if (origin == ILI_ORIGIN_KNOWN && living_of(s, id)) return;
    struct program *p = origin == ILI_ORIGIN_KNOWN ? s->ending : NULL;
    while (p && p->id != id) p = p->next;
    if (p) {
        p->left = true;
    } else {
        s->strays = true;
    }
    ili_child_kill(pid);
}

static void tell_ended(const struct program *p) {
    struct ili_spawner_report told = {.id = p->id,
                                      .what_happened = ILI_SPAWNER_ENDED,
                                      .pid = p->pid,
                                      .wait_status = p->wait_status,
                                      .cpu_ns = p->cpu_ns,
                                      .memory_bytes = p->memory_bytes};
    report(&told);
}

/* Kills what must go, and tells of the programs of which nothing is left. What is of nobody may be an
 * ENDING program's. */
static void look(struct spawner *s) {
    s->died = s->unsure = s->strays = false;
    for (struct program *p = s->ending; p; p = p->next) p->left = false;
    ili_children_each(look_at, s);
    int64_t now = ili_now_ns();
    for (struct program **at = &s->ending, *p; (p = *at);) {
        bool left = p->left || s->unsure || s->strays;
        if (left && now < p->patient_until_ns) {
            at = &p->next;
            continue;
        }
        tell_ended(p);
        *at = p->next;
        free(p);
    }
}

/* ---- the loop --------------------------------------------------------------------------------------- */

static void hear_signals(struct spawner *s) {
    struct signalfd_siginfo info[16];
    while (read(s->signal_fd, info, sizeof info) > 0) continue;
}

static void kill_child(void *unused, pid_t pid) {
    (void)unused;
    ili_child_kill(pid);
}

/* The server is gone: everything goes. */
static void finish(struct spawner *s) {
    int64_t until = ili_now_ns() + FAREWELL_NS;
    struct pollfd polled = {s->signal_fd, POLLIN, 0};
    while (ili_now_ns() < until) {
        pid_t got;
        ili_children_each(kill_child, NULL);
        while ((got = waitpid(-1, NULL, WNOHANG)) > 0) continue;
        if (got < 0 && errno == ECHILD) return;
        poll(&polled, 1, UNSURE_MS);
        hear_signals(s);
    }
}

static void serve(struct spawner *s) {
    bool on = true;
    while (on) {
        struct pollfd polled[2] = {{ILI_SPAWNER_FD, POLLIN, 0}, {s->signal_fd, POLLIN, 0}};
        int again = s->unsure ? UNSURE_MS : s->ending || s->strays ? AGAIN_MS : -1;
        if (poll(polled, 2, again) < 0) continue;
        if (polled[1].revents) hear_signals(s);
        if (polled[0].revents) on = receive(s);
        reap(s);
        if (s->died || s->ending || s->unsure || s->strays) look(s);
    }
}

static bool settle(struct spawner *s) {
    static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGTSTP};
    int type;
    socklen_t length = sizeof type;
    sigset_t child;
    if (getsockopt(ILI_SPAWNER_FD, SOL_SOCKET, SO_TYPE, &type, &length) != 0) return false;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) signal(ignored[i], SIG_IGN);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    s->signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    s->in = malloc(ROOM_FIRST);
    s->room = ROOM_FIRST;
    setsid();
    prctl(PR_SET_NAME, ILI_SPAWNER_NAME, 0, 0, 0);
    return s->signal_fd >= 0 && s->in && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
}

bool ili_spawner_asked(char *const *arguments) {
    return arguments[0] && strcmp(arguments[0], ILI_SPAWNER_NAME) == 0;
}

static void free_programs(struct program *p) {
    while (p) {
        struct program *next = p->next;
        free(p);
        p = next;
    }
}

int ili_spawner_main(void) {
    struct spawner s = {.signal_fd = -1};
    bool settled = settle(&s);
    if (settled) {
        serve(&s);
        finish(&s);
    } else {
        fprintf(stderr, "%s: is started by interlockd only\n", ILI_SPAWNER_NAME);
    }
    for (unsigned i = 0; i < BUCKETS; i++) free_programs(s.living[i]);
    free_programs(s.ending);
    free(s.words);
    free(s.in);
    return settled ? EXIT_SUCCESS : EXIT_FAILURE;
}
