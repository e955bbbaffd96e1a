/*
 * warden.h - the thread of a participant that watches over others: the server, or each other.
 *
 * Attached to a server: started with the domain; when the connection ends, every call of this process
 * ends with IL_EGONE.
 * In a private domain: started when the process first has to wait for somebody. The wardens of the
 * processes share the keeper's role: one holds it (header.keeper), watches all others and recovers
 * those that die; the others watch that one, and one of them takes the role over when it dies or
 * leaves. Since whoever waits has a warden, nobody ever waits without a keeper.
 */
#ifndef ILI_SESSION_WARDEN_H
#define ILI_SESSION_WARDEN_H

#include "arena/member.h"

/* Watches the server at the other end of LIFE_FD, which becomes the warden's. */
il_status ili_warden_watch_server(struct ili_member *member, int life_fd);

/* Prepares a private domain: the warden starts when it is needed. MEMBER's doorbell is rung when a
 * process joins. */
void ili_warden_prepare_private(struct ili_member *member);

/* Ends this process's part in the domain: attached, says goodbye to the server; private, gives up the
 * role and leaves the slot to the next keeper. Afterwards the process must not touch the arena. */
void ili_warden_stop(struct ili_member *member);

/* In a forked child: forgets the parent's thread, which does not exist here. */
void ili_warden_after_fork(struct ili_member *member);

#endif
