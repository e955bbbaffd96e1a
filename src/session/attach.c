#include "session/attach.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"

#define ANSWER_SECONDS 5

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

static int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

/* Receives the answer and, into FDS, the descriptors that came with it; *COUNT of them. */
static bool receive_answer(int fd, struct ili_attach_answer *answer, int fds[ILI_ATTACH_FDS],
                           int *count) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * ILI_ATTACH_FDS)];
        struct cmsghdr align;
    } control;
    struct iovec part = {answer, sizeof *answer};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    *count = 0;
    ssize_t got;
    do {
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        *count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(fds, CMSG_DATA(c), (size_t)*count * sizeof(int));
    }
    if (got != (ssize_t)sizeof *answer) {
        errno = 0;
        return false;
    }
    return true;
}

static il_status from_errno(void) {
    switch (errno) {
    case EACCES:
    case EPERM: return IL_EACCESS;
    case EMFILE:
    case ENFILE:
    case ENOMEM: return IL_ESYSTEM;
    default: return IL_ECONNECT;
    }
}

il_status ili_attach(const char *path, const char *label, struct ili_arena *arena, uint32_t *slot,
                     int *doorbell_fd, int *life_fd) {
    struct ili_attach_hello hello = {.stamp = ili_layout_stamp()};
    struct ili_attach_answer answer = {0};
    int fds[ILI_ATTACH_FDS] = {-1, -1}, count = 0;
    memcpy(hello.magic, ILI_ATTACH_MAGIC, sizeof hello.magic);
    ili_text_copy(hello.label, sizeof hello.label, label);
    il_status status = IL_OK;
    int fd = connect_to(path);
    if (fd < 0) return from_errno();
    if (send(fd, &hello, sizeof hello, MSG_NOSIGNAL) != (ssize_t)sizeof hello ||
        !receive_answer(fd, &answer, fds, &count)) {
        status = from_errno();
    } else if (memcmp(answer.magic, ILI_ATTACH_MAGIC, sizeof answer.magic) != 0) {
        errno = 0;
        status = IL_EPROTOCOL;
    } else if (answer.status != IL_OK) {
        errno = 0;
        status = answer.status;
    } else if (count != ILI_ATTACH_FDS) {
        errno = 0;
        status = IL_EPROTOCOL;
    } else {
        status = ili_arena_map(fds[0], arena);
        if (status == IL_OK && answer.slot >= arena->regions.slots) {
            ili_arena_unmap(arena); /* closes fds[0] */
            fds[0] = -1;
            status = IL_EPROTOCOL;
        }
    }
    if (status != IL_OK) {
        int why = errno;
        for (int i = 0; i < count; i++) {
            if (fds[i] >= 0) close(fds[i]);
        }
        close(fd);
        errno = why;
        return status;
    }
    *slot = answer.slot;
    *doorbell_fd = fds[1];
    *life_fd = fd;
    return IL_OK;
}

il_status ili_attach_peer(int fd, struct ili_attach_peer *peer) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return IL_ESYSTEM;
    peer->pid = (uint32_t)credentials.pid;
    peer->uid = credentials.uid;
    length = sizeof peer->pid_fd;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &peer->pid_fd, &length) != 0) {
        /* An older kernel: by number. The process lives as long as its connection is open. */
        peer->pid_fd = (int)syscall(SYS_pidfd_open, credentials.pid, 0);
    }
    return IL_OK;
}

il_status ili_attach_reply(int fd, il_status status, uint32_t slot,
                           const struct ili_member *server) {
    struct ili_attach_answer answer = {.status = status, .slot = slot};
    union {
        char bytes[CMSG_SPACE(sizeof(int) * ILI_ATTACH_FDS)];
        struct cmsghdr align;
    } control;
    struct iovec part = {&answer, sizeof answer};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    memcpy(answer.magic, ILI_ATTACH_MAGIC, sizeof answer.magic);
    if (status == IL_OK) {
        int fds[ILI_ATTACH_FDS] = {server->arena.fd, server->doorbell_fd};
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fds);
        memcpy(CMSG_DATA(c), fds, sizeof fds);
    }
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent == (ssize_t)sizeof answer ? IL_OK : IL_ESYSTEM;
}
