#include "base/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 512

il_status ili_loop_open(struct ili_loop *loop) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) return IL_ESYSTEM;
    loop->epoll_fd = fd;
    return IL_OK;
}

void ili_loop_close(struct ili_loop *loop) {
    if (loop->epoll_fd >= 0) close(loop->epoll_fd);
    loop->epoll_fd = -1;
}

il_status ili_loop_add(struct ili_loop *loop, struct ili_source *source, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) == 0) return IL_OK;
    return errno == ENOMEM || errno == ENOSPC ? IL_ENOMEM : IL_ESYSTEM;
}

void ili_loop_remove(struct ili_loop *loop, struct ili_source *source) {
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

unsigned ili_loop_wait(struct ili_loop *loop, int64_t wait_ns, void *context) {
    struct epoll_event events[EVENTS_AT_ONCE];
    /* rounded up: waking a moment too early would only mean to wait again */
    int64_t wait = wait_ns < 0 ? -1 : (wait_ns + 999999) / 1000000;
    if (wait > 60000) wait = 60000;
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_AT_ONCE, (int)wait);
    for (int early = 1; early >= 0; early--) {
        for (int i = 0; i < count; i++) {
            struct ili_source *source = events[i].data.ptr;
            if (!source || source->early != (early == 1)) continue;
            events[i].data.ptr = NULL; /* told; it may be gone in the second round */
            source->ready(source, events[i].events, context);
        }
    }
    return count > 0 ? (unsigned)count : 0;
}
