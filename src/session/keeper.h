/*
 * keeper.h - the server's keeper: one thread that lets processes attach and repairs after them.
 *
 * It owns the attach connections. A process ends when its connection does, or when its pidfd says so
 * (a forked child may keep the connection open). The thread recovers its slot within microseconds of
 * that; who waited for what it held is granted.
 */
#ifndef ILI_SESSION_KEEPER_H
#define ILI_SESSION_KEEPER_H

#include "session/session_info.h"

struct ili_keeper;

/* Called on the keeper's thread. */
struct ili_keeper_events {
    void *context;
    void (*attached)(void *context, const struct ili_session_info *session);
    /* DIED: it did not say goodbye. HELD[0..held_count) is what it held then, borrowed. */
    void (*ended)(void *context, const struct ili_session_info *session, bool died,
                  const struct ili_held *held, size_t held_count);
    /* a peer was refused */
    void (*refused)(void *context, uint32_t pid, uint32_t uid, il_status why);
};

/* Starts the thread for the arena that SERVER serves. EVENTS is copied. *OUT owned:
 * ili_keeper_stop(). IL_ESYSTEM, IL_ENOMEM. */
il_status ili_keeper_serve(struct ili_member *server, const struct ili_keeper_events *events,
                           struct ili_keeper **out);

/* Any thread. FD is a connected Unix stream socket that sends a hello; it is the keeper's now. */
void ili_keeper_adopt(struct ili_keeper *keeper, int fd);

/* Any thread: whether a death happened since the last call, after which doorbell bits must be
 * looked for without trusting the summary. The doorbell's eventfd is rung for it. */
bool ili_keeper_take_sweep(struct ili_keeper *keeper);

/* Ends the thread; attached processes find the arena gone. */
void ili_keeper_stop(struct ili_keeper *keeper);

#endif
