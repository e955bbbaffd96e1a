/*
 * loop.h - the server's one epoll set: who sleeps on which descriptor, and who is told first.
 *
 * A source lies in the struct it belongs to. Its `ready` runs once for each wait in which its
 * descriptor was ready; sources marked `early` before all others (a client's departure is known
 * before anything is granted to it). While events are handed out no source may be freed but the one
 * that is being told; adding and removing is allowed.
 */
#ifndef ILI_BASE_LOOP_H
#define ILI_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <interlock.h>

struct ili_source {
    int fd;
    bool early;
    void (*ready)(struct ili_source *source, uint32_t events, void *context);
};

struct ili_loop {
    int epoll_fd;
};

/* IL_ESYSTEM. */
il_status ili_loop_open(struct ili_loop *loop);
void ili_loop_close(struct ili_loop *loop);

/* EVENTS as for epoll_ctl(2). IL_ENOMEM, IL_ESYSTEM. */
il_status ili_loop_add(struct ili_loop *loop, struct ili_source *source, uint32_t events);
void ili_loop_remove(struct ili_loop *loop, struct ili_source *source);

/* Sleeps until a source is ready, at most WAIT_NS (negative: without limit), and tells the sources
 * that are. Returns how many were. */
unsigned ili_loop_wait(struct ili_loop *loop, int64_t wait_ns, void *context);

#endif
