/*
 * joins.h - requests that wait for the end, or the start, of something that the server keeps by name: a
 * process, a thread. They stand in a list of that thing; whoever leaves (vigil.h) is out of it.
 */
#ifndef ILI_SERVER_JOINS_H
#define ILI_SERVER_JOINS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/owners.h"

struct ili_join;
struct ili_request;

/* All zero: nobody waits. Lies in what is waited for. */
struct ili_joins {
    struct ili_join *first, *last;
};

/* How a request is answered once it is told. */
typedef void (*ili_join_answer)(struct ili_request *request, void *thing);

/* The body of a join. */
struct ili_join_fields {
    int64_t timeout_ns;
    struct ili_who who;
};

/* Reads {"timeout", "session", "owner"}; from then on REQUEST acts for whom it names. False: it was
 * answered. */
bool ili_join_read(struct ili_request *request, struct ili_join_fields *fields);

/* Lets REQUEST wait in JOINS, which THING has, until it is told or TIMEOUT_NS is over: then, and at once
 * if it cannot wait, it is answered with a problem. */
void ili_join_wait(struct ili_request *request, struct ili_joins *joins, void *thing,
                   int64_t timeout_ns, ili_join_answer answer);

/* Answers all, who came first first. */
void ili_joins_tell(struct ili_joins *joins);

#endif
