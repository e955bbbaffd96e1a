/*
 * history.h - what was called on an object, when, and what came back: the material of a check.
 *
 * A call is recorded by who makes it, before it begins and after it has returned. A call without a
 * return (its process was killed, its connection dropped) may have had its effect or not, at any time
 * after it began.
 * Times are CLOCK_MONOTONIC in nanoseconds, one clock for all processes of a host.
 */
#ifndef TESTS_LINEAR_HISTORY_H
#define TESTS_LINEAR_HISTORY_H

#include <interlock.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum linear_op {
    /* locks, rlocks, rwlocks, semaphores */
    OP_ACQUIRE = 1, /* amount: mode or permits; lease_ns; result: token */
    OP_RELEASE,     /* argument: token; amount: permits */
    OP_RENEW,       /* argument: token; lease_ns */
    OP_CHECK,       /* argument: token */
    OP_BREAK,       /* argument: token */
    /* queues */
    OP_PUT,  /* argument: the item, a number that is put once */
    OP_GET,  /* result: the item */
    OP_PEEK, /* result: the item */
    OP_CLOSE,
    /* events, latches */
    OP_SET,
    OP_CLEAR,
    OP_IS_SET, /* result: 0, 1 */
    OP_WAIT,
    OP_COUNT_DOWN, /* amount; result: what is left */
    OP_COUNT,      /* result */
    /* barriers */
    OP_MEET, /* a wait; result: index */
    OP_RESET,
    OP_ABORT,
    /* conditions, beside acquire and release */
    OP_AWAIT,  /* argument: token; result: token */
    OP_NOTIFY, /* argument: token; amount: how many */
    /* the world */
    OP_DEATH, /* the session ended, or with an owner: that thread; between these times all was undone */
    /* made up by the checker, see expand.c */
    OP_LEASE_END,
    OP_UNDO,      /* the server takes back what it could not deliver */
    OP_UNDO_DIED, /* the same, as if the owner had died */
    OP_MEET_END,
    OP_WITHDRAW,
    OP_AWAIT_END,
};

#define CALL_NOWAIT 1u  /* failing is a statement: the object was not available */
#define CALL_DROPPED 2u /* the client went away, the server may notice and undo it */
#define CALL_VIEWED 8u  /* the result was read after the call had its effect */
#define CALL_SEVERAL 4u /* part of a call for several objects: it may hold this one in between */

#define LINEAR_NEVER INT64_MAX
#define LINEAR_PENDING INT32_MAX /* status of a call that has not returned */

struct linear_call {
    int64_t began_ns;
    int64_t ended_ns; /* LINEAR_NEVER: it never returned */
    uint32_t object;
    uint16_t op;
    uint16_t flags;
    uint32_t session; /* who owns a lock; all clients without a session are one */
    uint32_t owner;   /* who owns an rlock */
    il_status status;
    uint32_t amount;
    uint64_t argument;
    uint64_t result;
    int64_t lease_ns; /* 0: none */
};

#define LINEAR_FAIR 1u     /* a lock */
#define LINEAR_BOUNDED 2u  /* a semaphore */
#define LINEAR_SIGNAL 4u   /* a semaphore */
#define LINEAR_ON_RLOCK 8u /* a condition */

struct linear_object {
    uint32_t kind;   /* IL_KIND_... */
    uint32_t flags;  /* LINEAR_... */
    uint32_t number; /* maxsize, permits, parties, count, a delay in ms; 0: no limit */
    char name[44];
};

struct linear_history {
    struct linear_object object;
    struct linear_call *calls; /* in the order of their beginnings */
    size_t count;
};

const char *linear_op_name(unsigned op);

/* "queue", "lock". */
const char *linear_kind_name(unsigned kind);

#endif
