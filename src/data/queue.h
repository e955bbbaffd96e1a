/*
 * queue.h - first in, first out, between any number of producers and consumers.
 *
 * Messages of 0 bytes to 16 MiB with a type. Producers and consumers have a guard each, so one of
 * either kind may be at work at the same time. A message is written where no consumer looks and
 * published by one store of its record's header; it is taken by one store of the head's position.
 * A death therefore leaves it in the queue or out of it.
 *
 * Is: bounded by `maxsize` messages (0: by a share of the arena), closable, readable in order. One that is
 * a direction of a pipe is bounded by the messages' bytes instead: what goes beyond waits, but for a message
 * that finds nothing before it.
 * Order: messages leave in the order of their puts. A message that was given back (a server could not
 * deliver it) leaves before all others, in its old order.
 * Waiting is not strictly fair: a running consumer may be faster than one that was woken, which then
 * waits on at the front. So may a producer, but not where bytes are bounded.
 */
#ifndef ILI_DATA_QUEUE_H
#define ILI_DATA_QUEUE_H

#include "arena/guard.h"
#include "arena/names.h"
#include "arena/waitq.h"

enum ili_queue_state { ILI_QUEUE_OPEN = 0, ILI_QUEUE_SHUT, ILI_QUEUE_DELETED };

/* wait queues within the object, see ili_waitq_add() */
#define ILI_QUEUE_GETTERS 1u
#define ILI_QUEUE_PUTTERS 2u

struct ili_queue {
    struct ili_object object;

    /* seldom written */
    uint64_t maxsize;            /* messages; 0: no limit but max_bytes */
    uint64_t max_bytes;          /* of the arena */
    _Atomic uint32_t state;      /* enum ili_queue_state; set under both guards */
    _Atomic uint32_t recount;    /* 1: used_bytes is doubtful, since a process died */
    _Atomic ili_off spare;       /* an emptied segment for the next producer: see queue_store.c */
    _Atomic uint64_t used_bytes; /* of the arena */
    uint64_t most_bytes; /* of messages on their way, an empty one counting as one; 0: no limit */
    uint64_t reserved4[2];

    /* Producers' and consumers' lines are pairs aligned to 128 bytes (blocks of this size are), since
     * processors fetch lines in pairs. */

    /* producers: under tail_guard, but put_count is read by all */
    struct ili_guard tail_guard;   /* kind QUEUE_TAIL */
    _Atomic ili_off first_segment; /* where consumers begin */
    _Atomic ili_off tail_segment, tail_at;
    _Atomic uint64_t put_count; /* messages ever put; the next one's sequence number */
    uint64_t taken_seen;        /* a recent value of what consumers took, so that producers look
                                   at the consumers' line only when the queue seems full */
    struct ili_waitq getters;
    _Atomic uint64_t put_bytes; /* with most_bytes: ever put, and of which message: queue_store.c */
    _Atomic uint32_t put_processor; /* with most_bytes: where the last message was put */
    uint32_t reserved5;
    uint64_t reserved[3];

    /* consumers: under head_guard, but get_count and returned_count are read by all */
    struct ili_guard head_guard; /* kind QUEUE_HEAD */
    _Atomic ili_off head_segment;
    _Atomic uint64_t head_position; /* where and how many, in one word: see queue_store.c */
    _Atomic uint64_t get_count;     /* messages ever taken from the segments */
    _Atomic ili_off returned;       /* blocks given back, by rising sequence: see queue_store.c */
    _Atomic uint64_t returned_count;
    struct ili_waitq putters;
    _Atomic uint64_t got_bytes; /* with most_bytes: ever taken from the segments, likewise */
    uint64_t reserved2[4];
};
_Static_assert(sizeof(struct ili_queue) == 384, "shared layout");
_Static_assert(offsetof(struct ili_queue, tail_guard) == 128, "a pair of lines of its own");
_Static_assert(offsetof(struct ili_queue, head_guard) == 256, "a pair of lines of its own");

#define ILI_QUEUE_MOST_BYTES (UINT64_C(1) << 54) /* the largest most_bytes */

extern const struct ili_kind ili_queue_kind;

/* Fills in a zeroed queue nobody sees yet, which is a part of another object: MOST_BYTES of messages (1 to
 * ILI_QUEUE_MOST_BYTES) may be on their way in it. The caller fills in queue->object. */
void ili_queue_init_part(struct ili_member *member, struct ili_queue *queue, uint64_t most_bytes);

/* A message to be put: BYTES at DATA. */
struct ili_payload {
    const void *data;
    uint64_t bytes;
    uint32_t type; /* IL_BYTES, IL_TEXT, IL_JSON */
};

/* Where a message that is taken goes: ROOM bytes at DATA, or memory of at most ROOM bytes that is
 * allocated for it. */
struct ili_taken {
    void *data; /* in: NULL: allocate, then owned by the caller: free(); out: the message */
    uint64_t room;
    uint64_t bytes;    /* out; also with IL_ETOOBIG */
    uint32_t type;     /* out */
    uint64_t sequence; /* out: for giving it back */
};

/* Puts up to COUNT messages without waiting; *DONE is how many. IL_OK: at least one (or COUNT 0).
 * IL_ETIMEOUT: full. IL_ECLOSED, IL_EDELETED, IL_ETOOBIG, IL_ENOMEM, IL_EBUSY, or why the member may
 * not act: about the first message that was not put, if none was. */
il_status ili_queue_try_put(struct ili_member *member, struct ili_queue *queue,
                            const struct ili_payload *messages, size_t count, size_t *done);

/* The same for WAITER (NULL: none), which waited among the putters: where most_bytes limits the messages,
 * others go behind those who wait (IL_ETIMEOUT), but not one that was told to try. */
il_status ili_queue_try_put_of(struct ili_member *member, struct ili_queue *queue,
                               const struct ili_agent *waiter, const struct ili_payload *messages,
                               size_t count, size_t *done);

/* Takes up to COUNT messages without waiting; *DONE is how many. With count > 1 the rooms follow one
 * another: messages[i].data NULL means "behind the one before". IL_ETIMEOUT: empty.
 * IL_ECLOSED: empty and closed. IL_ETOOBIG: the first does not fit; it stays. */
il_status ili_queue_try_get(struct ili_member *member, struct ili_queue *queue,
                            struct ili_taken *messages, size_t count, size_t *done);

/* Copies the oldest message. IL_ETIMEOUT: empty. */
il_status ili_queue_peek(struct ili_member *member, struct ili_queue *queue,
                         struct ili_taken *message);

/* As the above, waiting until DEADLINE_NS with the calling thread for the first message (get), or
 * until all are put. */
il_status ili_queue_put(struct ili_member *member, struct ili_queue *queue,
                        const struct ili_payload *messages, size_t count, size_t *done,
                        int64_t deadline_ns);
il_status ili_queue_get(struct ili_member *member, struct ili_queue *queue,
                        struct ili_taken *messages, size_t count, size_t *done,
                        int64_t deadline_ns);

/* Gives a message back that was taken and could not be delivered. */
il_status ili_queue_give_back(struct ili_member *member, struct ili_queue *queue,
                              const struct ili_payload *message, uint64_t sequence);

/* No more puts. Wakes everybody. */
il_status ili_queue_shut(struct ili_member *member, struct ili_queue *queue);

/* Glances. */
uint64_t ili_queue_size(const struct ili_queue *queue);
uint32_t ili_queue_state(const struct ili_queue *queue);

/* ---- waiting without a thread; WAITER is of ili_agent_claim_bell() ---------------------------- */

/* Puts WAITER among the getters, or with PUTTER the putters. IL_OK: it need not wait, try now.
 * IL_ETIMEOUT: it waits, the doorbell rings when it is worth trying again; then call
 * ili_queue_settled() and try. IL_EBUSY, or why the member may not act. */
il_status ili_queue_enqueue(struct ili_member *member, struct ili_queue *queue,
                            struct ili_agent *waiter, bool putter);

/* The same for a putter whose next message has BYTES, where most_bytes limits them. */
il_status ili_queue_enqueue_put(struct ili_member *member, struct ili_queue *queue,
                                struct ili_agent *waiter, uint64_t bytes);

/* Whether WAITER was told to try again, and is out of the queue now. */
bool ili_queue_settled(struct ili_agent *waiter);

/* Withdraws WAITER; if it had been told to try, the next one is told instead. IL_OK: it is free.
 * IL_EBUSY: it still waits. */
il_status ili_queue_withdraw(struct ili_member *member, struct ili_queue *queue,
                             struct ili_agent *waiter, bool putter);

/* ---- repair ------------------------------------------------------------------------------------ */

/* The dead agent DEAD holds the guard. */
void ili_queue_repair_head(struct ili_member *member, struct ili_agent *self,
                           struct ili_queue *queue, struct ili_agent *dead);
void ili_queue_repair_tail(struct ili_member *member, struct ili_agent *self,
                           struct ili_queue *queue, struct ili_agent *dead);

/* With nobody at work: IL_ECORRUPT if an invariant of queue_store.c does not hold. */
il_status ili_queue_check(const struct ili_member *member, const struct ili_queue *queue);

#endif
