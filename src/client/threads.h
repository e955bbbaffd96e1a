/*
 * threads.h - what becomes of a thread's rlocks and rwlocks when it ends.
 *
 * The server knows no threads, only owner keys. So when a thread ends that acquired some, its entries are
 * marked in every domain of the process, and the domain's renewer breaks those grants: who is granted
 * next is told that the owner died.
 */
#ifndef ILI_CLIENT_THREADS_H
#define ILI_CLIENT_THREADS_H

#include <stdbool.h>
#include <stdint.h>

struct ili_remote_domain;
struct ili_http_waker;

/* DOMAIN is one of those that are looked through, until it is removed; a forked child has none. */
void ili_remote_threads_add(struct ili_remote_domain *domain);
void ili_remote_threads_remove(struct ili_remote_domain *domain);

/* Before the calling thread acquires: its end will be noticed. False: no memory. */
bool ili_remote_threads_watch(void);

/* For the renewer: breaks what ended threads left. When to try again what failed, ILI_NEVER: nothing did. */
int64_t ili_remote_threads_recover(struct ili_remote_domain *domain,
                                   const struct ili_http_waker *cancel);

#endif
