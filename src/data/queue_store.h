/*
 * queue_store.h - where a queue keeps its messages: segments of records, large messages beside them.
 *
 * Internal to data/. Everything is called under the guard that its name says: tail for putting, head
 * for taking.
 */
#ifndef ILI_DATA_QUEUE_STORE_H
#define ILI_DATA_QUEUE_STORE_H

#include "data/queue.h"

/* Intents of a queue's guards. SPARING (head): an emptied segment [1] becomes the spare, with the tag [2].
 * TELLING: the waiter of number [1] is taken out of the guard's list and told to try. */
#define ILI_QUEUE_SPARING 1u
#define ILI_QUEUE_TELLING 2u

/* Messages up to this many bytes lie in a segment, longer ones in a block of their own. */
#define ILI_QUEUE_INLINE_BYTES 8192u

/* Tail. Makes sure that a record of ROOM bytes fits at the tail, by a new segment if need be, and says
 * where in *PLACE, which is not looked up again: another process might write nonsense there.
 * IL_ENOMEM, IL_EBUSY, IL_ECORRUPT … */
il_status ili_store_reserve(struct ili_member *member, struct ili_agent *self,
                            struct ili_queue *queue, uint64_t room, ili_off *place);

/* Tail, after a reserve. Publishes a message that lies inline. */
void ili_store_append(struct ili_member *member, struct ili_queue *queue, ili_off place,
                      const struct ili_payload *message);

/* Tail, after a reserve of 8 bytes. Publishes a message that was copied into the block in pending[0]. */
void ili_store_append_block(struct ili_member *member, struct ili_agent *self,
                            struct ili_queue *queue, ili_off place,
                            const struct ili_payload *message);

/* What lies at the head. */
struct ili_record {
    uint64_t bytes;
    uint32_t type;
    uint64_t sequence;
    const void *data; /* in the arena */
    ili_off block;    /* not 0: the block the message lies in */
    bool returned;
};

/* Head. The oldest message; false: none. Moves over emptied segments, by pending[2] of OWNER: SELF, or a
 * dead agent whose work SELF goes on with. *STATUS says why there is none if it is not IL_OK. */
bool ili_store_first(struct ili_member *member, struct ili_agent *self, struct ili_agent *owner,
                     struct ili_queue *queue, struct ili_record *record, il_status *status);

/* Head. Takes RECORD, which ili_store_first() gave. A block of it is then in pending[0] of OWNER, for
 * the caller to copy from and to free. */
void ili_store_take(struct ili_member *member, struct ili_agent *owner, struct ili_queue *queue,
                    const struct ili_record *record);

/* Head. Puts the block in pending[0], which ili_store_prepare_returned() filled, before all others. */
void ili_store_give_back(struct ili_member *member, struct ili_agent *self,
                         struct ili_queue *queue);

/* No guard. A block for a message to be given back, in pending[0]. */
il_status ili_store_prepare_returned(struct ili_member *member, struct ili_agent *self,
                                     const struct ili_payload *message, uint64_t sequence);

/* What a message of BYTES counts for where most_bytes limits them. */
static inline uint64_t ili_store_cost(uint64_t bytes) { return bytes ? bytes : 1; }

/* Whether a message of BYTES may be put as far as most_bytes goes; PROMISED: bytes that others are about to
 * put. Under the tail's guard there is as much room as it says; else it is a glance. */
bool ili_store_may_fit(const struct ili_queue *queue, uint64_t bytes, uint64_t promised);

/* Nobody refers to the queue, and freeing it stopped in the middle: what is still linked in it is no longer in
 * pending[] of OWNER. */
void ili_store_settle(struct ili_member *member, struct ili_queue *queue, struct ili_agent *owner);

/* Nobody refers to the queue: frees everything. See ili_kind.dispose. */
il_status ili_store_dispose(struct ili_member *member, struct ili_agent *self,
                            struct ili_agent *owner, struct ili_queue *queue);

/* Tail and head. Counts the arena's bytes that the queue uses anew, if a death made the number doubtful.
 * False: it was not. */
bool ili_store_recount(struct ili_member *member, struct ili_queue *queue);

/* Repair of what each guard protects. */
void ili_store_repair_tail(struct ili_member *member, struct ili_queue *queue,
                           struct ili_agent *dead);
void ili_store_repair_head(struct ili_member *member, struct ili_queue *queue,
                           struct ili_agent *dead);

il_status ili_store_check(const struct ili_member *member, const struct ili_queue *queue);

#endif
