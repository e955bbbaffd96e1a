/*
 * pipe.h - two ends, and a queue from each to the other; an end is closed when nobody claims it any more.
 *
 * A session (a slot) claims an end as often as it has it open; each claim is counted in the session's row.
 * When the last claim of an end goes, by its session or with it, the end is closed for good, and both
 * queues are shut: the other end receives what is left, then IL_EEOF, and its sends fail with IL_EPIPE.
 * An end that was never claimed is not closed.
 *
 * Is: bounded by the bytes that are on their way in each direction; duplex, or one-way from B to A.
 * After a death: the session's claims go when it is recovered, so the other end is told at once. A message
 * is in its queue or out of it, as queue.h has it.
 * Sharing: any number of processes and threads at either end; each message is received once.
 */
#ifndef ILI_DATA_PIPE_H
#define ILI_DATA_PIPE_H

#include "data/queue.h"

#define ILI_PIPE_ENDS 2
#define ILI_PIPE_ROWS 16        /* that lie in the pipe itself */
#define ILI_PIPE_CLAIMS 8388607 /* the most that a session may have of an end */

struct ili_pipe {
    struct ili_object object;
    struct ili_guard guard; /* kind PIPE; protects ends, rows and more */
    uint64_t max_bytes;     /* as it was made */
    uint32_t flags;         /* IL_PIPE_ONE_WAY */
    _Atomic uint32_t ends;  /* see pipe.c */
    _Atomic ili_off more;   /* a block with more rows; 0: none */
    uint64_t reserved;
    _Atomic uint64_t rows[ILI_PIPE_ROWS]; /* see pipe.c */
    struct ili_queue to[ILI_PIPE_ENDS];   /* what is on its way to A, to B */
};
_Static_assert(sizeof(struct ili_pipe) == 1024, "shared layout");
_Static_assert(offsetof(struct ili_pipe, to) % 128 == 0, "a queue has pairs of lines of its own");

/* Its options are a const il_pipe_options *; NULL: duplex, IL_PIPE_BYTES. */
extern const struct ili_kind ili_pipe_kind;

/* The session of SLOT (index), which has the pipe in its open table, opens END: one claim more.
 * IL_EPIPE: END is closed for good. IL_EDELETED, IL_ELIMIT, IL_ENOMEM, IL_EBUSY, or why the member may not
 * act. */
il_status ili_pipe_claim(struct ili_member *member, struct ili_pipe *pipe, uint32_t end,
                         uint32_t slot);

/* One claim less; the last one of END closes it. IL_ENOTHELD: the session has none. IL_EBUSY: call again. */
il_status ili_pipe_give_up(struct ili_member *member, struct ili_pipe *pipe, uint32_t end,
                           uint32_t slot);

/* How many claims of END the session of SLOT has. IL_EBUSY, or why the member may not act. */
il_status ili_pipe_claims_of(struct ili_member *member, struct ili_pipe *pipe, uint32_t end,
                             uint32_t slot, uint32_t *claims);

/* Where what END sends goes, and what it receives comes from. NULL: a one-way pipe does not do that. */
struct ili_queue *ili_pipe_outgoing(struct ili_pipe *pipe, uint32_t end);
struct ili_queue *ili_pipe_incoming(struct ili_pipe *pipe, uint32_t end);

/* Sends MESSAGE from END, or receives one there, waiting until DEADLINE_NS (0: does not wait) with the
 * calling thread. As ili_queue_put() and ili_queue_get(), but IL_EPIPE, or IL_EEOF, for IL_ECLOSED;
 * IL_EUNSUPPORTED. */
il_status ili_pipe_send(struct ili_member *member, struct ili_pipe *pipe, uint32_t end,
                        const struct ili_payload *message, int64_t deadline_ns);
il_status ili_pipe_receive(struct ili_member *member, struct ili_pipe *pipe, uint32_t end,
                           struct ili_taken *message, int64_t deadline_ns);

/* Waits until a receive at END would not wait. IL_OK, IL_ETIMEOUT; else as ili_pipe_receive(). */
il_status ili_pipe_poll(struct ili_member *member, struct ili_pipe *pipe, uint32_t end,
                        int64_t deadline_ns);

struct ili_pipe_view {
    uint32_t claims[ILI_PIPE_ENDS]; /* sessions */
    bool closed[ILI_PIPE_ENDS], deleted;
    uint64_t waiting[ILI_PIPE_ENDS];                           /* messages on their way to it */
    uint32_t receivers[ILI_PIPE_ENDS], senders[ILI_PIPE_ENDS]; /* who wait there */
};

/* A glance. */
void ili_pipe_look(const struct ili_member *member, const struct ili_pipe *pipe,
                   struct ili_pipe_view *view);

/* The guard is held by the dead agent DEAD: finishes what it was doing. IL_EBUSY: call again. */
il_status ili_pipe_repair(struct ili_member *member, struct ili_agent *self, struct ili_pipe *pipe,
                          struct ili_agent *dead);

/* With nobody at work: IL_ECORRUPT if an invariant does not hold. */
il_status ili_pipe_check(const struct ili_member *member, const struct ili_pipe *pipe);

#endif
