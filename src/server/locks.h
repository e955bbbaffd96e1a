/*
 * locks.h - /v1/locks: locks as objects. Acquiring is acquire.c, what follows a grant is grants.c.
 *
 * All grants over HTTP are held by the server's slot and told apart by their tokens; each has a lease.
 */
#ifndef ILI_SERVER_LOCKS_H
#define ILI_SERVER_LOCKS_H

struct ili_request;

void ili_locks_list(struct ili_request *request);
void ili_locks_get(struct ili_request *request);
void ili_locks_put(struct ili_request *request);
void ili_locks_delete(struct ili_request *request);

#endif
