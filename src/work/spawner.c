/*
 * spawner.c - the server's side; see spawner.h.
 *
 * Requests wait in a list for room in the socket; the descriptors of one that waits are copies, since
 * the caller's may be closed meanwhile. A list of living programs is kept only to tell their ends when
 * the spawner process dies: then the list of requests is dropped, another process is started, and after
 * that the ends are told, so that whoever hears of one may start the next program at once.
 */
#include "work/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work/spawner_wire.h"

#define BUCKETS 256
#define REPORTS 32
#define STOP_MS 1000

struct living {
    struct living *next;
    uint64_t id;
};

struct outgoing {
    struct outgoing *next;
    size_t bytes, sent;
    int fds[ILI_SPAWN_FDS];
    unsigned fd_count;
    bool owns_fds;
    unsigned char data[]; /* the request and its body */
};

struct private {
    uint64_t token;
    struct rlimit files;
    int pid_fd;
    struct outgoing *first, **last;
    bool waits; /* for room in the socket */
    struct living *living[BUCKETS];
    size_t count;
    struct ili_spawner_report in[REPORTS];
    size_t got; /* bytes */
};

const char *ili_spawner_program = "/proc/self/exe";

/* ---- requests --------------------------------------------------------------------------------------- */

static void free_outgoing(struct outgoing *out) {
    for (unsigned i = 0; out->owns_fds && i < out->fd_count; i++) close(out->fds[i]);
    free(out);
}

static void drop_outgoing(struct private *p) {
    for (struct outgoing *out = p->first, *next; out; out = next) {
        next = out->next;
        free_outgoing(out);
    }
    p->first = NULL;
    p->last = &p->first;
}

/* Sends what there is room for. True: all of it. */
static bool send_some(int fd, struct outgoing *out) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * ILI_SPAWN_FDS)];
        struct cmsghdr align;
    } control = {0};
    while (out->sent < out->bytes) {
        struct iovec part = {out->data + out->sent, out->bytes - out->sent};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        if (out->sent == 0 && out->fd_count) {
            message.msg_control = control.bytes;
            message.msg_controllen = CMSG_SPACE(sizeof(int) * out->fd_count);
            struct cmsghdr *c = CMSG_FIRSTHDR(&message);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(sizeof(int) * out->fd_count);
            memcpy(CMSG_DATA(c), out->fds, sizeof(int) * out->fd_count);
        }
        ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return false; /* later; or the end of the connection is told to the loop */
        out->sent += (size_t)sent;
    }
    return true;
}

/* Listens for room, or no longer. */
static void wait_for_room(struct ili_spawner *spawner, bool wait) {
    struct private *p = spawner->private;
    if (!spawner->loop || p->waits == wait) return;
    p->waits = wait;
    ili_loop_remove(spawner->loop, &spawner->source);
    (void)ili_loop_add(spawner->loop, &spawner->source, wait ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void send_waiting(struct ili_spawner *spawner) {
    struct private *p = spawner->private;
    while (p->first && send_some(spawner->source.fd, p->first)) {
        struct outgoing *out = p->first;
        p->first = out->next;
        if (!p->first) p->last = &p->first;
        free_outgoing(out);
    }
    wait_for_room(spawner, p->first != NULL);
}

static il_status own_fds(struct outgoing *out) {
    for (unsigned i = 0; i < out->fd_count; i++) {
        int fd = fcntl(out->fds[i], F_DUPFD_CLOEXEC, 3);
        if (fd < 0) {
            int why = errno;
            while (i--) close(out->fds[i]);
            errno = why;
            return IL_ESYSTEM;
        }
        out->fds[i] = fd;
    }
    out->owns_fds = true;
    return IL_OK;
}

/* Sends OUT, or keeps it until there is room. It is taken in either case. */
static il_status post(struct ili_spawner *spawner, struct outgoing *out) {
    struct private *p = spawner->private;
    il_status status = IL_OK;
    if (!p->first && send_some(spawner->source.fd, out)) {
        free_outgoing(out);
        return IL_OK;
    }
    if (out->sent == 0) {
        status = own_fds(out);
    } else {
        out->fd_count = 0; /* they went with its first byte */
    }
    if (status != IL_OK) {
        free(out);
        return status;
    }
    if (out->sent)
        out->fd_count = out->owns_fds ? out->fd_count : 0; /* they went with its first byte */
    *p->last = out;
    p->last = &out->next;
    wait_for_room(spawner, true);
    return IL_OK;
}

static struct outgoing *make_outgoing(const struct ili_spawner_request *request) {
    struct outgoing *out = calloc(1, sizeof *out + sizeof *request + request->bytes);
    if (!out) return NULL;
    out->bytes = sizeof *request + request->bytes;
    memcpy(out->data, request, sizeof *request);
    return out;
}

/* ---- the process ------------------------------------------------------------------------------------ */

/* Starts a spawner process and greets it. SWEEP: the one before left things behind. */
static il_status start_process(struct ili_spawner *spawner, bool sweep) {
    struct private *p = spawner->private;
    char *arguments[] = {(char[]){ILI_SPAWNER_NAME}, NULL};
    struct ili_spawner_request hello = {.kind = ILI_SPAWNER_HELLO,
                                        .id = p->token,
                                        .files_soft = p->files.rlim_cur,
                                        .files_hard = p->files.rlim_max,
                                        .sweep = sweep};
    int ends[2] = {-1, -1};
    struct outgoing *out = make_outgoing(&hello);
    if (!out) return IL_ENOMEM;
    il_status status = IL_ESYSTEM;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0) {
        int said = fcntl(STDERR_FILENO, F_GETFD) < 0 ? -1 : STDERR_FILENO;
        struct ili_spawn spawn = {.program = ili_spawner_program,
                                  .arguments = arguments,
                                  .fds = {-1, -1, said, ends[1], -1, -1, -1, -1}};
        status = ili_spawn(&spawn, &spawner->pid, &p->pid_fd, NULL);
        int why = errno;
        close(ends[1]);
        errno = why;
    }
    if (status != IL_OK) {
        if (ends[0] >= 0) close(ends[0]);
        free(out);
        return status;
    }
    spawner->source.fd = ends[0];
    p->got = 0;
    p->waits = false;
    return post(spawner, out);
}

static void close_process(struct ili_spawner *spawner) {
    struct private *p = spawner->private;
    if (spawner->source.fd < 0) return;
    if (spawner->loop) ili_loop_remove(spawner->loop, &spawner->source);
    close(spawner->source.fd);
    spawner->source.fd = -1;
    drop_outgoing(p);
}

static void reap_process(struct ili_spawner *spawner, int options) {
    struct private *p = spawner->private;
    while (waitpid(spawner->pid, NULL, options) < 0 && errno == EINTR) continue;
    close(p->pid_fd);
    p->pid_fd = -1;
    spawner->pid = 0;
}

static il_status listen_to(struct ili_spawner *spawner) {
    if (!spawner->loop) return IL_OK;
    return ili_loop_add(spawner->loop, &spawner->source, EPOLLIN);
}

/* Another one in the place of one that died. */
static il_status start_again(struct ili_spawner *spawner) {
    il_status status = start_process(spawner, true);
    if (status == IL_OK) status = listen_to(spawner);
    if (status != IL_OK && spawner->source.fd >= 0) {
        close_process(spawner);
        reap_process(spawner, 0);
    }
    return status;
}

/* ---- events ----------------------------------------------------------------------------------------- */

static struct living **find_living(struct private *p, uint64_t id) {
    struct living **at = &p->living[id % BUCKETS];
    while (*at && (*at)->id != id) at = &(*at)->next;
    return at;
}

static void forget_living(struct private *p, struct living **at) {
    struct living *one = *at;
    *at = one->next;
    p->count--;
    free(one);
}

static void on_report(struct ili_spawner *spawner, struct ili_spawner_report *report) {
    struct private *p = spawner->private;
    struct living **at = find_living(p, report->id);
    report->what[sizeof report->what - 1] = 0;
    struct ili_spawner_event event = {.id = report->id,
                                      .what_happened = report->what_happened,
                                      .pid = report->pid,
                                      .error = report->error,
                                      .what = report->what,
                                      .wait_status = report->wait_status,
                                      .cpu_ns = report->cpu_ns,
                                      .memory_bytes = report->memory_bytes};
    if (!*at) return;
    if (report->what_happened != ILI_SPAWNER_STARTED) forget_living(p, at);
    if (spawner->event) spawner->event(spawner->context, &event);
}

static void on_death(struct ili_spawner *spawner) {
    struct private *p = spawner->private;
    struct living *ended = NULL;
    close_process(spawner);
    kill(spawner->pid, SIGKILL);
    reap_process(spawner, 0);
    for (unsigned i = 0; i < BUCKETS; i++) {
        while (p->living[i]) {
            struct living *one = p->living[i];
            p->living[i] = one->next;
            one->next = ended;
            ended = one;
        }
    }
    p->count = 0;
    (void)start_again(spawner); /* if it fails, the next spawn tries again */
    while (ended) {
        struct living *one = ended;
        struct ili_spawner_event event = {
            .id = one->id, .what_happened = ILI_SPAWNER_ENDED, .wait_status = SIGKILL};
        ended = one->next;
        free(one);
        if (spawner->event) spawner->event(spawner->context, &event);
    }
}

static void ready(struct ili_source *source, uint32_t events, void *unused) {
    struct ili_spawner *spawner = (struct ili_spawner *)source;
    struct private *p = spawner->private;
    (void)unused;
    if (events & EPOLLOUT) send_waiting(spawner);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    ssize_t got = recv(source->fd, (char *)p->in + p->got, sizeof p->in - p->got, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        on_death(spawner);
        return;
    }
    p->got += (size_t)got;
    size_t whole = p->got / sizeof p->in[0], rest = p->got % sizeof p->in[0];
    for (size_t i = 0; i < whole; i++) on_report(spawner, &p->in[i]);
    memmove(p->in, p->in + whole, rest);
    p->got = rest;
}

/* ---- the contract ----------------------------------------------------------------------------------- */

il_status ili_spawner_start(struct ili_spawner *spawner) {
    struct private *p = calloc(1, sizeof *p);
    memset(spawner, 0, sizeof *spawner);
    spawner->source = (struct ili_source){.fd = -1, .ready = ready};
    if (!p) return IL_ENOMEM;
    spawner->private = p;
    p->last = &p->first;
    p->pid_fd = -1;
    il_status status = IL_ESYSTEM;
    if (getrandom(&p->token, sizeof p->token, 0) == (ssize_t)sizeof p->token &&
        getrlimit(RLIMIT_NOFILE, &p->files) == 0) {
        status = start_process(spawner, false);
    }
    if (status != IL_OK) {
        free(p);
        spawner->private = NULL;
    }
    return status;
}

il_status ili_spawner_listen(struct ili_spawner *spawner, struct ili_loop *loop,
                             void (*event)(void *context, const struct ili_spawner_event *event),
                             void *context) {
    struct private *p = spawner->private;
    spawner->loop = loop;
    spawner->event = event;
    spawner->context = context;
    il_status status = listen_to(spawner);
    if (status != IL_OK) {
        spawner->loop = NULL;
    } else if (p->first) {
        wait_for_room(spawner, true);
    }
    return status;
}

/* Copies WORD with its NUL to AT, or only counts it; the place behind. */
static size_t add_word(unsigned char *body, size_t at, const char *word) {
    size_t bytes = strlen(word) + 1;
    if (body) memcpy(body + at, word, bytes);
    return at + bytes;
}

/* Writes the words of SPAWN into BODY, or if that is NULL only counts: bytes, and the words in REQUEST. */
static size_t write_body(const struct ili_spawn *spawn, struct ili_spawner_request *request,
                         unsigned char *body) {
    size_t at = add_word(body, 0, spawn->program);
    request->arguments = request->environment = 0;
    if (spawn->directory) at = add_word(body, at, spawn->directory);
    for (char *const *word = spawn->arguments; *word; word++) {
        at = add_word(body, at, *word);
        request->arguments++;
    }
    if (!spawn->environment) request->environment = ILI_SPAWNER_OWN_ENVIRONMENT;
    for (char *const *word = spawn->environment; word && *word; word++) {
        at = add_word(body, at, *word);
        request->environment++;
    }
    return at;
}

il_status ili_spawner_spawn(struct ili_spawner *spawner, uint64_t id,
                            const struct ili_spawn *spawn) {
    struct private *p = spawner->private;
    struct ili_spawner_request request = {.kind = ILI_SPAWNER_SPAWN,
                                          .id = id,
                                          .limits = spawn->limits,
                                          .has_directory = spawn->directory != NULL,
                                          .own_group = spawn->own_group};
    struct living **at = find_living(p, id), *one;
    if (*at) return IL_EINVAL;
    size_t bytes = write_body(spawn, &request, NULL);
    if (bytes > ILI_SPAWNER_BODY_MOST) return IL_ETOOBIG;
    request.bytes = (uint32_t)bytes;
    if (spawner->source.fd < 0 && start_again(spawner) != IL_OK) return IL_ESYSTEM;
    for (int i = 0; i < ILI_SPAWN_FDS; i++) request.fds |= (uint8_t)((spawn->fds[i] >= 0) << i);
    struct outgoing *out = make_outgoing(&request);
    one = calloc(1, sizeof *one);
    if (!out || !one) {
        free(out);
        free(one);
        return IL_ENOMEM;
    }
    write_body(spawn, &request, out->data + sizeof request);
    for (int i = 0; i < ILI_SPAWN_FDS; i++) {
        if (spawn->fds[i] >= 0) out->fds[out->fd_count++] = spawn->fds[i];
    }
    il_status status = post(spawner, out);
    if (status != IL_OK) {
        free(one);
        return status;
    }
    one->id = id;
    *at = one;
    p->count++;
    return IL_OK;
}

void ili_spawner_kill(struct ili_spawner *spawner, uint64_t id, int signal) {
    struct private *p = spawner->private;
    struct ili_spawner_request request = {.kind = ILI_SPAWNER_KILL, .id = id, .signal = signal};
    if (!*find_living(p, id)) return;
    struct outgoing *out = make_outgoing(&request);
    if (out) (void)post(spawner, out);
}

size_t ili_spawner_count(const struct ili_spawner *spawner) {
    const struct private *p = spawner->private;
    return p ? p->count : 0;
}

void ili_spawner_stop(struct ili_spawner *spawner) {
    struct private *p = spawner->private;
    if (!p) return;
    close_process(spawner);
    if (spawner->pid) {
        struct pollfd polled = {p->pid_fd, POLLIN, 0};
        while (poll(&polled, 1, STOP_MS) < 0 && errno == EINTR) continue;
        reap_process(spawner, WNOHANG);
    }
    for (unsigned i = 0; i < BUCKETS; i++) {
        while (p->living[i]) forget_living(p, &p->living[i]);
    }
    free(p);
    spawner->private = NULL;
}
