#include "server/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "server/config.h"

#define BACKLOG 4096

static il_status failed(struct ili_fault *fault, const char *what, const char *where) {
    int error = errno;
    return ili_fault_set(fault, IL_ESYSTEM, NULL, NULL, "%s %s: %s", what, where, strerror(error));
}

il_status ili_tcp_listen(const char *listen_at, int *fd, uint16_t *port, struct ili_fault *fault) {
    struct sockaddr_storage address;
    socklen_t bytes;
    int on = 1;
    il_status status = ili_config_address(listen_at, &address, &bytes, fault);
    if (status != IL_OK) return status;
    int made = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made < 0) return failed(fault, "cannot make a socket for", listen_at);
    (void)setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(made, (struct sockaddr *)&address, bytes) != 0 || listen(made, BACKLOG) != 0) {
        if (errno == EADDRINUSE) {
            status = ili_fault_set(fault, IL_ESYSTEM, NULL, NULL,
                                   "cannot listen on %s: the address is in use by another "
                                   "program (choose another port with --http)",
                                   listen_at);
        } else {
            status = failed(fault, "cannot listen on", listen_at);
        }
        close(made);
        return status;
    }
    bytes = sizeof address;
    (void)getsockname(made, (struct sockaddr *)&address, &bytes);
    *port = ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                               : ((struct sockaddr_in6 *)&address)->sin6_port);
    *fd = made;
    return IL_OK;
}

/* ---- the Unix socket ---------------------------------------------------------------------------- */

static void make_directory(const char *path) {
    char directory[108];
    ili_text_copy(directory, sizeof directory, path);
    char *slash = strrchr(directory, '/');
    if (!slash || slash == directory) return;
    *slash = 0;
    (void)mkdir(directory, 0700); /* if it fails, what needs it says so */
}

/* Locks LOCK_PATH; a file that its last owner removed meanwhile does not count. */
static il_status take_lock(struct ili_unix_socket *s, struct ili_fault *fault) {
    for (;;) {
        struct stat mine, there;
        s->lock_fd = open(s->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (s->lock_fd < 0) return failed(fault, "cannot open", s->lock_path);
        if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) return failed(fault, "cannot lock", s->lock_path);
            return ili_fault_set(fault, IL_ESYSTEM, NULL, NULL,
                                 "another interlockd serves %s already", s->path);
        }
        if (fstat(s->lock_fd, &mine) == 0 && stat(s->lock_path, &there) == 0 &&
            mine.st_ino == there.st_ino && mine.st_dev == there.st_dev) {
            return IL_OK;
        }
        close(s->lock_fd);
        s->lock_fd = -1;
    }
}

/* A socket that a server left behind is in the way; anything else is not ours to remove. */
static il_status clear_way(const char *path, struct ili_fault *fault) {
    struct stat found;
    if (lstat(path, &found) != 0) return IL_OK;
    if (!S_ISSOCK(found.st_mode)) {
        return ili_fault_set(fault, IL_ESYSTEM, NULL, NULL,
                             "%s exists and is no socket: choose another path with --socket", path);
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    ili_text_copy(address.sun_path, sizeof address.sun_path, path);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool answers =
        probe >= 0 &&
        (connect(probe, (struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN);
    if (probe >= 0) close(probe);
    if (answers) {
        return ili_fault_set(fault, IL_ESYSTEM, NULL, NULL,
                             "another program listens at %s: choose another path with --socket",
                             path);
    }
    return unlink(path) == 0 ? IL_OK : failed(fault, "cannot remove the stale socket", path);
}

static il_status bind_and_listen(struct ili_unix_socket *s, struct ili_fault *fault) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    ili_text_copy(address.sun_path, sizeof address.sun_path, s->path);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0) return failed(fault, "cannot make a socket for", s->path);
    if (bind(s->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        return failed(fault, "cannot make the socket", s->path);
    }
    /* nobody can connect before listen() */
    if (chmod(s->path, 0600) != 0 || listen(s->fd, BACKLOG) != 0) {
        return failed(fault, "cannot listen at", s->path);
    }
    return IL_OK;
}

il_status ili_unix_listen(const char *path, struct ili_unix_socket *out, struct ili_fault *fault) {
    *out = (struct ili_unix_socket){.fd = -1, .lock_fd = -1};
    if (strlen(path) >= sizeof out->path) {
        return ili_fault_set(fault, IL_ETOOBIG, NULL, NULL, "the path %s is too long for a socket",
                             path);
    }
    ili_text_copy(out->path, sizeof out->path, path);
    snprintf(out->lock_path, sizeof out->lock_path, "%s.lock", path);
    make_directory(path);
    il_status status = take_lock(out, fault);
    if (status == IL_OK) status = clear_way(path, fault);
    if (status == IL_OK) {
        status = bind_and_listen(out, fault);
        if (status != IL_OK) (void)unlink(path);
    }
    if (status == IL_OK) return IL_OK;
    if (out->fd >= 0) close(out->fd);
    if (out->lock_fd >= 0) close(out->lock_fd);
    out->fd = out->lock_fd = -1;
    return status;
}

void ili_unix_close(struct ili_unix_socket *s) {
    if (s->fd < 0) return;
    close(s->fd);
    (void)unlink(s->path);
    (void)unlink(s->lock_path); /* while it is still locked: who waits for it looks again */
    close(s->lock_fd);
    s->fd = s->lock_fd = -1;
}
