/*
 * pools.h - /v1/pools: workers of one command, and what they have to do (work/pool.h).
 */
#ifndef ILI_SERVER_POOLS_H
#define ILI_SERVER_POOLS_H

struct ili_pool;
struct ili_request;

void ili_pools_list(struct ili_request *request);
void ili_pools_get(struct ili_request *request);
void ili_pools_put(struct ili_request *request);
void ili_pools_delete(struct ili_request *request);
void ili_pools_shut(struct ili_request *request); /* close */
void ili_pools_terminate(struct ili_request *request);
void ili_pools_join(struct ili_request *request);

/* The pool that the path names. NULL: there is none, and the request was answered. */
struct ili_pool *ili_pools_of_path(struct ili_request *request);

#endif
