/*
 * queue_store.c - see queue_store.h.
 *
 * A segment is a block: `next`, `bytes`, then records one behind the other. A record is an 8-byte
 * header and its room, rounded up to 8. The header is the commit: 0 means that nothing was published
 * here yet; a producer clears the next header before it publishes this one.
 *
 *   header   bits 0-24 length, 25-26 type, 27-29 INLINE | BLOCK | END, 32-63 low half of the
 *            message's sequence number
 *   INLINE   the message follows
 *   BLOCK    the offset of a block that holds the message follows
 *   END      no room: the segment's `next` goes on
 *
 * head_position  bits 0-32 the offset of the oldest record / 8, bits 33-63 the low bits of get_count:
 *                one store takes a message and counts it.
 * spare          an emptied segment (offsets are multiples of 64), and in bits 0-5 how many were
 *                ever put there, modulo 64: so that repair knows whether a put happened, even if a
 *                producer has taken it meanwhile.
 * returned       blocks of messages that were given back, by rising sequence.
 * put_bytes, got_bytes  with most_bytes: bits 8-63 the bytes of all messages that were put, or taken from
 *                the segments; bits 0-7 the low bits of put_count, or get_count, with which this is so.
 *                put_bytes follows its count, got_bytes goes before the head's position: so repair sees
 *                whether a message is missing in the one, or too much in the other, and finds its length.
 *                What was given back is in neither.
 *
 * Invariants (ili_store_check):
 * 1. From head_position to tail_at the records are whole and their sequences rise by one from
 *    get_count to put_count; at tail_at the header is 0.
 * 2. head_position lies in head_segment, tail_at in tail_segment.
 * 3. returned_count is the length of the list.
 *
 * In pending[0] of an agent: a message's block on its way in or out. In pending[2]: a segment.
 */
#include "data/queue_store.h"

#include <string.h>

#include "arena/alloc.h"
#include "base/point.h"

enum { INLINE = 1, BLOCK, END };

#define FIRST_SEGMENT_BYTES 4096u
#define SEGMENT_BYTES 65536u
#define SPARE_TAG UINT64_C(63)
#define SPARING 1u /* intent of the head's guard: [1] the segment, [2] the tag it gets */
#define POSITION_BITS 33
#define COUNT_MASK UINT32_C(0x7fffffff)
#define AHEAD_BYTES 256u   /* a few small messages: how far ahead of their use lines are fetched */
#define LIST_MOST 1000000u /* a longer list is a corrupt one */
#define SUM_TAG UINT64_C(255)

struct segment {
    _Atomic ili_off next;
    _Atomic uint64_t bytes; /* of the block */
    uint64_t reserved[6];
};
_Static_assert(sizeof(struct segment) == 64, "shared layout");

struct returned {
    _Atomic ili_off next;
    _Atomic uint64_t sequence, bytes;
    uint32_t type, reserved;
};
_Static_assert(sizeof(struct returned) == 32, "shared layout");

static uint64_t load(const _Atomic uint64_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}
static void store(_Atomic uint64_t *p, uint64_t v) {
    atomic_store_explicit(p, v, memory_order_relaxed);
}
static void publish(_Atomic uint64_t *p, uint64_t v) {
    atomic_store_explicit(p, v, memory_order_release);
}

static void store32(_Atomic uint32_t *p, uint32_t v) {
    atomic_store_explicit(p, v, memory_order_relaxed);
}

static uint64_t round8(uint64_t n) { return (n + 7) & ~UINT64_C(7); }

static uint64_t make_header(uint64_t bytes, uint32_t type, unsigned kind, uint64_t sequence) {
    return bytes | (uint64_t)(type & 3) << 25 | (uint64_t)kind << 27 | sequence << 32;
}
static unsigned kind_of(uint64_t header) { return header >> 27 & 7; }
static uint64_t length_of(uint64_t header) { return header & 0x1ffffff; }

/* The segment at an offset from the arena, with its size checked; NULL if there cannot be one. */
static struct segment *segment_at(const struct ili_arena *a, ili_off at, uint64_t *bytes) {
    struct segment *s = ili_at(a, at, sizeof *s);
    if (!s) return NULL;
    uint64_t has = load(&s->bytes); /* once: another process may write nonsense there */
    if (has < 128 || has > SEGMENT_BYTES || !ili_at(a, at, has)) return NULL;
    *bytes = has;
    return s;
}

static _Atomic uint64_t *header_at(const struct ili_arena *a, ili_off at) {
    return ili_at(a, at, 8);
}

static void count_bytes(struct ili_queue *q, int64_t by) {
    atomic_fetch_add_explicit(&q->used_bytes, (uint64_t)by, memory_order_relaxed);
}

/* Fetches the lines AHEAD_BYTES behind P. They are in the other side's cache, and a guard's locked
 * instructions wait for every access before them: without this each message would cost the time that
 * its lines take between two processors. P may lie behind the segment or the arena: a hint never
 * faults. */
static void prefetch_write(const uint8_t *p) {
#if defined(__x86_64__)
    /* not __builtin_prefetch(p, 1), which without -mprfchw fetches the lines for reading */
    __asm__ __volatile__("prefetchw %0\n\tprefetchw %1" ::"m"(p[AHEAD_BYTES]),
                         "m"(p[AHEAD_BYTES + 64]));
#else
    __builtin_prefetch(p + AHEAD_BYTES, 1);
    __builtin_prefetch(p + AHEAD_BYTES + 64, 1);
#endif
}
static void prefetch_read(const uint8_t *p) {
    __builtin_prefetch(p + AHEAD_BYTES);
    __builtin_prefetch(p + AHEAD_BYTES + 64);
}

/* ---- tail ------------------------------------------------------------------------------------- */

/* The spare segment, if it has BYTES; then in pending[2]. */
static ili_off take_spare(struct ili_member *m, struct ili_agent *self, struct ili_queue *q,
                          uint64_t bytes) {
    uint64_t word = load(&q->spare), has;
    ili_off at = word & ~SPARE_TAG;
    if (at == 0 || !segment_at(&m->arena, at, &has) || has < bytes) return 0;
    if (load(&self->pending[2])) return 0; /* occupied by what could not be freed */
    ili_alloc_adopt(self, 2, at);
    ILI_POINT("queue.spare.adopted");
    /* acquire: pairs with the consumer's release: it is done with the segment */
    if (atomic_compare_exchange_strong_explicit(&q->spare, &word, word & SPARE_TAG,
                                                memory_order_acquire, memory_order_relaxed)) {
        return at;
    }
    ili_alloc_published(self, 2);
    return 0;
}

static il_status new_segment(struct ili_member *m, struct ili_agent *self, struct ili_queue *q,
                             uint64_t least, ili_off *out) {
    uint64_t bytes = FIRST_SEGMENT_BYTES, last;
    if (segment_at(&m->arena, load(&q->tail_segment), &last)) {
        bytes = last * 4 < SEGMENT_BYTES ? last * 4 : SEGMENT_BYTES;
    }
    while (bytes < least) bytes *= 4;
    ili_off at = take_spare(m, self, q, bytes);
    if (!at) {
        if (load(&q->used_bytes) + bytes > q->max_bytes) return IL_ENOMEM;
        il_status status = ili_alloc(m, self, 2, bytes, &at);
        if (status != IL_OK) return status;
        count_bytes(q, (int64_t)bytes);
        struct segment *s = ili_at(&m->arena, at, bytes);
        if (!s) return IL_ECORRUPT;
        store(&s->bytes, bytes);
    }
    struct segment *s = ili_at(&m->arena, at, sizeof *s);
    store(&s->next, 0);
    store(header_at(&m->arena, at + sizeof *s), 0);
    *out = at;
    return IL_OK;
}

il_status ili_store_reserve(struct ili_member *member, struct ili_agent *self,
                            struct ili_queue *queue, uint64_t room, ili_off *place) {
    const struct ili_arena *a = &member->arena;
    uint64_t bytes, need = 8 + round8(room) + 8; /* and a header that says that no more follows */
    ili_off at = load(&queue->tail_segment), now = load(&queue->tail_at), fresh;
    struct segment *tail = at ? segment_at(a, at, &bytes) : NULL;
    if (at && !tail) return IL_ECORRUPT;
    if (tail) {
        ili_off end = at + bytes;
        if (now < at + sizeof *tail || now > end - 8 || now % 8) return IL_ECORRUPT;
        *place = now;
        if (need <= end - now) return IL_OK;
    }
    il_status status = new_segment(member, self, queue, sizeof *tail + need, &fresh);
    if (status != IL_OK) return status;
    if (tail) {
        store(&tail->next, fresh);
        /* release: who reads END sees next, and the fresh segment's cleared header */
        publish(header_at(a, now), make_header(0, 0, END, load(&queue->put_count)));
        ILI_POINT("queue.segment.ended");
    } else {
        publish(&queue->first_segment, fresh);
        ILI_POINT("queue.segment.first");
    }
    /* release: from now on consumers may free the old segment, which is not looked at any more */
    publish(&queue->tail_segment, fresh);
    ILI_POINT("queue.segment.tail");
    *place = fresh + sizeof *tail;
    store(&queue->tail_at, *place);
    ili_alloc_published(self, 2);
    return IL_OK;
}

/* ---- bytes on their way ------------------------------------------------------------------------- */

static uint64_t add_to_sum(uint64_t word, uint64_t bytes, uint64_t count) {
    return ((word >> 8) + ili_store_cost(bytes)) << 8 | (count & SUM_TAG);
}

static uint64_t on_the_way(uint64_t put, uint64_t got) {
    uint64_t bytes = ((put >> 8) - (got >> 8)) & (UINT64_MAX >> 8);
    /* read one after the other: never below none */
    return bytes <= 2 * ILI_QUEUE_MOST_BYTES ? bytes : 0;
}

bool ili_store_may_fit(const struct ili_queue *queue, uint64_t bytes, uint64_t promised) {
    /* acquire: pairs with ili_store_take(): as ili_queue_size() has it */
    uint64_t got = atomic_load_explicit(&queue->got_bytes, memory_order_acquire);
    uint64_t way = on_the_way(load(&queue->put_bytes), got) + promised;
    return way == 0 || way + ili_store_cost(bytes) <= queue->most_bytes;
}

/* Publishes HEADER at AT, whose room of ROOM bytes has been filled; with it the block in pending[0] of HOLDER,
 * if it is not NULL. */
static void commit(const struct ili_arena *a, struct ili_queue *q, ili_off at, uint64_t header,
                   uint64_t room, struct ili_agent *holder) {
    ili_off next = at + 8 + round8(room);
    prefetch_write(a->base + next);
    store(header_at(a, next), 0);
    ILI_POINT("queue.put.prepared");
    /* release: pairs with the consumer's acquire in first_in_segment() */
    publish(header_at(a, at), header);
    ILI_POINT("queue.put.published");
    /* before tail_at moves on: repair finds the count in the header that tail_at points to */
    atomic_store_explicit(&q->put_count, load(&q->put_count) + 1, memory_order_release);
    ILI_POINT("queue.put.counted");
    if (q->most_bytes) {
        store(&q->put_bytes,
              add_to_sum(load(&q->put_bytes), length_of(header), load(&q->put_count)));
        ILI_POINT("queue.put.bytes");
    }
    /* likewise: as long as tail_at points to the record, repair finds that the block is in the queue */
    if (holder) ili_alloc_published(holder, 0);
    ILI_POINT("queue.put.block");
    store(&q->tail_at, next);
}

void ili_store_append(struct ili_member *member, struct ili_queue *queue, ili_off place,
                      const struct ili_payload *message) {
    const struct ili_arena *a = &member->arena;
    if (message->bytes) memcpy(a->base + place + 8, message->data, message->bytes);
    commit(a, queue, place,
           make_header(message->bytes, message->type, INLINE, load(&queue->put_count)),
           message->bytes, NULL);
}

void ili_store_append_block(struct ili_member *member, struct ili_agent *self,
                            struct ili_queue *queue, ili_off place,
                            const struct ili_payload *message) {
    const struct ili_arena *a = &member->arena;
    ili_off block = load(&self->pending[0]);
    memcpy(a->base + place + 8, &block, sizeof block);
    count_bytes(queue, (int64_t)ili_alloc_size(message->bytes));
    commit(a, queue, place,
           make_header(message->bytes, message->type, BLOCK, load(&queue->put_count)), sizeof block,
           self);
}

/* ---- head ------------------------------------------------------------------------------------- */

static ili_off position_of(uint64_t word) {
    return (word & ((UINT64_C(1) << POSITION_BITS) - 1)) * 8;
}
static uint64_t make_position(ili_off at, uint64_t count) {
    return at / 8 | (count & COUNT_MASK) << POSITION_BITS;
}

/* Puts the emptied segment in pending[2] of OWNER aside for the producers, or frees it. */
static void recycle(struct ili_member *m, struct ili_agent *self, struct ili_agent *owner,
                    struct ili_queue *q) {
    ili_off at = load(&owner->pending[2]);
    uint64_t word = load(&q->spare), tag = (word + 1) & SPARE_TAG, bytes = 0;
    (void)segment_at(&m->arena, at, &bytes);
    if ((word & ~SPARE_TAG) == 0 && bytes == SEGMENT_BYTES) {
        ili_guard_intend(&q->head_guard, SPARING, at, tag);
        /* release: pairs with take_spare(). Producers only ever empty it: this does not fail twice */
        bool put = atomic_compare_exchange_strong_explicit(
            &q->spare, &word, at | tag, memory_order_release, memory_order_relaxed);
        ILI_POINT("queue.spare.put");
        if (put) ili_alloc_published(owner, 2);
        ili_guard_done(&q->head_guard);
        if (put) return;
    }
    count_bytes(q, -(int64_t)bytes);
    (void)ili_alloc_free_of(m, self, owner, 2); /* on failure it stays there until the next call */
}

/* From the emptied head segment to the next. IL_ECORRUPT; or an earlier one cannot be freed now, and
 * nothing was changed. */
static il_status next_segment(struct ili_member *m, struct ili_agent *self, struct ili_agent *owner,
                              struct ili_queue *q) {
    uint64_t bytes;
    il_status status = ili_alloc_free_of(m, self, owner, 2);
    if (status != IL_OK) return status;
    ili_off old = load(&q->head_segment);
    struct segment *s = segment_at(&m->arena, old, &bytes);
    ili_off next = s ? load(&s->next) : 0;
    if (!s || !segment_at(&m->arena, next, &bytes)) return IL_ECORRUPT;
    ili_alloc_adopt(owner, 2, old);
    ILI_POINT("queue.head.adopted");
    publish(&q->head_segment, next);
    ILI_POINT("queue.head.segment");
    publish(&q->head_position, make_position(next + sizeof *s, load(&q->get_count)));
    ILI_POINT("queue.head.position");
    recycle(m, self, owner, q);
    return IL_OK;
}

static bool begin(const struct ili_arena *a, struct ili_queue *q) {
    uint64_t bytes;
    /* acquire: pairs with the producer's publish: its header is cleared */
    ili_off first = atomic_load_explicit(&q->first_segment, memory_order_acquire);
    if (!segment_at(a, first, &bytes)) return false;
    store(&q->head_position, make_position(first + sizeof(struct segment), load(&q->get_count)));
    ILI_POINT("queue.head.begin");
    publish(&q->head_segment, first);
    return true;
}

static bool first_returned(const struct ili_arena *a, const struct ili_queue *q,
                           struct ili_record *record) {
    ili_off at = load(&q->returned);
    const struct returned *r = at ? ili_at(a, at, sizeof *r) : NULL;
    if (!r) return false;
    uint64_t bytes = load(&r->bytes);
    if (bytes > IL_MESSAGE_MAX_BYTES || !ili_at(a, at, sizeof *r + bytes)) return false;
    *record = (struct ili_record){bytes, r->type, load(&r->sequence), r + 1, at, true};
    return true;
}

bool ili_store_first(struct ili_member *member, struct ili_agent *self, struct ili_agent *owner,
                     struct ili_queue *queue, struct ili_record *record, il_status *status) {
    const struct ili_arena *a = &member->arena;
    if (load(&queue->returned_count) && first_returned(a, queue, record)) return true;
    if (load(&queue->head_segment) == 0 && !begin(a, queue)) return false;
    for (int moves = 0; moves < 2; moves++) {
        uint64_t bytes;
        ili_off segment = load(&queue->head_segment);
        ili_off at = position_of(load(&queue->head_position));
        if (!segment_at(a, segment, &bytes) || at < segment || at > segment + bytes - 8) break;
        /* acquire: pairs with commit(): the message is whole */
        uint64_t header = atomic_load_explicit(header_at(a, at), memory_order_acquire);
        unsigned kind = kind_of(header);
        uint64_t length = length_of(header);
        if (header == 0) return false;
        /* By this a chain of segments that leads in a circle comes to its end, too. */
        if (header >> 32 != (uint32_t)load(&queue->get_count)) break;
        if (kind == END) {
            /* Its producer has not moved on, and may have died: then repair still needs the segment. No
             * message lies behind it yet. acquire: pairs with ili_store_reserve() */
            if (atomic_load_explicit(&queue->tail_segment, memory_order_acquire) == segment)
                return false;
            *status = next_segment(member, self, owner, queue);
            if (*status != IL_OK) return false;
            continue;
        }
        *record = (struct ili_record){
            length, header >> 25 & 3, load(&queue->get_count), a->base + at + 8, 0, false};
        if (kind == INLINE && length <= segment + bytes - 8 - at) return true;
        if (kind != BLOCK || at + 16 > segment + bytes) break;
        memcpy(&record->block, a->base + at + 8, sizeof record->block);
        record->data = ili_at(a, record->block, length);
        if (record->data && length <= IL_MESSAGE_MAX_BYTES) return true;
        break;
    }
    *status = IL_ECORRUPT;
    return false;
}

void ili_store_take(struct ili_member *member, struct ili_agent *owner, struct ili_queue *queue,
                    const struct ili_record *record) {
    const struct ili_arena *a = &member->arena;
    if (record->block) ili_alloc_adopt(owner, 0, record->block);
    ILI_POINT("queue.take.adopted");
    if (record->returned) {
        const struct returned *r = ili_at(a, record->block, sizeof *r);
        if (r) publish(&queue->returned, load(&r->next));
        ILI_POINT("queue.take.returned");
        store(&queue->returned_count, load(&queue->returned_count) - 1);
        return;
    }
    uint64_t count = load(&queue->get_count) + 1;
    ili_off at = position_of(load(&queue->head_position));
    ili_off next = at + 8 + (record->block ? 8 : round8(record->bytes));
    prefetch_read(a->base + next);
    if (queue->most_bytes) {
        /* release: pairs with ili_store_may_fit() */
        publish(&queue->got_bytes, add_to_sum(load(&queue->got_bytes), record->bytes, count));
        ILI_POINT("queue.take.bytes");
    }
    /* release: the producers' view of the counts; the guard orders consumers */
    publish(&queue->head_position, make_position(next, count));
    ILI_POINT("queue.take.moved");
    atomic_store_explicit(&queue->get_count, count, memory_order_release);
    if (record->block) count_bytes(queue, -(int64_t)ili_alloc_size(record->bytes));
}

/* ---- giving back ------------------------------------------------------------------------------- */

il_status ili_store_prepare_returned(struct ili_member *member, struct ili_agent *self,
                                     const struct ili_payload *message, uint64_t sequence) {
    ili_off at;
    il_status status = ili_alloc(member, self, 0, sizeof(struct returned) + message->bytes, &at);
    if (status != IL_OK) return status;
    struct returned *r = ili_at(&member->arena, at, sizeof *r + message->bytes);
    if (!r) return IL_ECORRUPT;
    store(&r->next, 0);
    store(&r->sequence, sequence);
    store(&r->bytes, message->bytes);
    r->type = message->type;
    if (message->bytes) memcpy(r + 1, message->data, message->bytes);
    return IL_OK;
}

void ili_store_give_back(struct ili_member *member, struct ili_agent *self,
                         struct ili_queue *queue) {
    const struct ili_arena *a = &member->arena;
    ili_off block = load(&self->pending[0]);
    struct returned *own = ili_at(a, block, sizeof *own);
    if (!own) return; /* corrupt */
    _Atomic ili_off *link = &queue->returned;
    uint64_t last = 0;
    for (uint32_t steps = 0; steps < LIST_MOST; steps++) {
        struct returned *r = ili_at(a, load(link), sizeof *r);
        uint64_t sequence = r ? load(&r->sequence) : 0;
        if (!r || sequence > load(&own->sequence) || sequence < last) break;
        last = sequence;
        link = &r->next;
    }
    store(&own->next, load(link));
    publish(link, block);
    ILI_POINT("queue.return.linked");
    ili_alloc_published(self, 0);
    store(&queue->returned_count, load(&queue->returned_count) + 1);
}

/* ---- end and repair ---------------------------------------------------------------------------- */

/* Frees the spare segment, and an emptied one that is in pending[2] of OWNER. */
static il_status dispose_spare(struct ili_member *m, struct ili_agent *self,
                               struct ili_agent *owner, struct ili_queue *q) {
    ili_off spare = load(&q->spare) & ~SPARE_TAG;
    il_status status = ili_alloc_free_of(m, self, owner, 2);
    if (!spare || status != IL_OK) return status;
    ili_alloc_adopt(owner, 2, spare);
    publish(&q->spare, 0);
    ILI_POINT("queue.dispose.spare");
    return ili_alloc_free_of(m, self, owner, 2);
}

void ili_store_settle(struct ili_member *member, struct ili_queue *queue, struct ili_agent *owner) {
    ili_store_repair_head(member, queue, owner);
    if (load(&owner->pending[2]) == (load(&queue->spare) & ~SPARE_TAG)) {
        ili_alloc_published(owner, 2);
    }
}

il_status ili_store_dispose(struct ili_member *member, struct ili_agent *self,
                            struct ili_agent *owner, struct ili_queue *queue) {
    struct ili_record record;
    il_status status = IL_OK;
    uint64_t most = member->arena.bytes / 8; /* more there cannot be */
    uint64_t returned = 0;                   /* one more than the last one's sequence */
    /* goes on where it stopped, if it did: what is unlinked is freed, what is not stays for now */
    ili_store_settle(member, queue, owner);
    status = ili_alloc_free_of(member, self, owner, 0);
    if (status == IL_OK) status = dispose_spare(member, self, owner, queue);
    while (status == IL_OK && most-- > 0 &&
           ili_store_first(member, self, owner, queue, &record, &status)) {
        if (record.returned && record.sequence < returned) break; /* corrupt, perhaps a circle */
        if (record.returned) returned = record.sequence + 1;
        ili_store_take(member, owner, queue, &record);
        status = ili_alloc_free_of(member, self, owner, 0);
    }
    if (status == IL_ECORRUPT) status = IL_OK; /* what cannot be reached is lost */
    if (status == IL_OK) status = dispose_spare(member, self, owner, queue);
    ili_off last = load(&queue->head_segment);
    if (last && status == IL_OK) {
        ili_alloc_adopt(owner, 2, last);
        publish(&queue->first_segment, 0);
        publish(&queue->tail_segment, 0);
        publish(&queue->head_segment, 0);
        ILI_POINT("queue.dispose.last");
        status = ili_alloc_free_of(member, self, owner, 2);
    }
    return status;
}

/* The segments' and blocks' bytes from the head on; those given back are not counted. */
bool ili_store_recount(struct ili_member *member, struct ili_queue *queue) {
    const struct ili_arena *a = &member->arena;
    uint64_t bytes, used = 0, count = load(&queue->get_count), most = a->bytes / 8;
    ili_off segment = load(&queue->head_segment), at = position_of(load(&queue->head_position));
    if (atomic_exchange_explicit(&queue->recount, 0, memory_order_relaxed) == 0) return false;
    if (segment == 0) {
        segment = load(&queue->first_segment);
        at = segment + sizeof(struct segment);
    }
    if (segment_at(a, load(&queue->spare) & ~SPARE_TAG, &bytes)) used += bytes;
    for (struct segment *s; (s = segment_at(a, segment, &bytes)) && most > 0;) {
        used += bytes;
        uint64_t header = 0;
        while (at >= segment + sizeof *s && at <= segment + bytes - 8 && most-- > 0) {
            header = atomic_load_explicit(header_at(a, at), memory_order_acquire);
            if (header == 0 || kind_of(header) == END) break;
            if (header >> 32 != (uint32_t)count++) { /* corrupt, perhaps a circle */
                header = 0;
                break;
            }
            if (kind_of(header) == BLOCK) used += ili_alloc_size(length_of(header));
            at += 8 + (kind_of(header) == BLOCK ? 8 : round8(length_of(header)));
        }
        bool goes_on = kind_of(header) == END && header >> 32 == (uint32_t)count && most-- > 0;
        segment = goes_on ? load(&s->next) : 0;
        at = segment + sizeof *s;
    }
    store(&queue->used_bytes, used);
    return true;
}

void ili_store_repair_tail(struct ili_member *member, struct ili_queue *queue,
                           struct ili_agent *dead) {
    const struct ili_arena *a = &member->arena;
    uint64_t bytes;
    ili_off segment = load(&queue->tail_segment), first = load(&queue->first_segment);
    if (segment == 0 && first != 0) segment = first;
    /* at most one store of each kind is missing: a segment, then a record */
    for (int steps = 0; segment && steps < 4; steps++) {
        struct segment *s = segment_at(a, segment, &bytes);
        if (!s) break;
        ili_off at = load(&queue->tail_at);
        if (at < segment + sizeof *s || at > segment + bytes - 8 || at % 8) {
            at = segment + sizeof *s;
        }
        store(&queue->tail_segment, segment);
        store(&queue->tail_at, at);
        uint64_t header = atomic_load_explicit(header_at(a, at), memory_order_acquire);
        if (header == 0) break;
        if (kind_of(header) == END) {
            segment = load(&s->next);
            continue;
        }
        uint64_t room = kind_of(header) == BLOCK ? 8 : length_of(header);
        uint32_t uncounted = (uint32_t)(header >> 32) + 1 - (uint32_t)load(&queue->put_count);
        if (uncounted > 1) break; /* corrupt */
        store(&queue->put_count, load(&queue->put_count) + uncounted);
        uint64_t sum = load(&queue->put_bytes), count = load(&queue->put_count);
        if (queue->most_bytes && (sum & SUM_TAG) != (count & SUM_TAG)) {
            store(&queue->put_bytes, add_to_sum(sum, length_of(header), count));
        }
        if (kind_of(header) == BLOCK && at <= segment + bytes - 16) {
            ili_off block;
            memcpy(&block, a->base + at + 8, sizeof block);
            if (load(&dead->pending[0]) == block) ili_alloc_published(dead, 0);
        }
        store(&queue->tail_at,
              at + 8 + round8(room)); /* last, as in commit(): the keeper may die too */
    }
    store32(&queue->recount, 1);
    ili_off segment_pending = load(&dead->pending[2]);
    if (segment_pending && (segment_pending == load(&queue->tail_segment) ||
                            segment_pending == (load(&queue->spare) & ~SPARE_TAG))) {
        ili_alloc_published(dead, 2);
    }
}

/* Whether BLOCK is in the list of returned messages, which is counted on the way. */
static bool among_returned(const struct ili_arena *a, struct ili_queue *q, ili_off block) {
    bool found = false;
    uint64_t count = 0;
    _Atomic ili_off *link = &q->returned;
    for (;;) {
        struct returned *r = ili_at(a, load(link), sizeof *r);
        if (!r || count > LIST_MOST) break;
        if (load(link) == block) found = true;
        link = &r->next;
        count++;
    }
    store(&q->returned_count, count);
    return found;
}

/* The message at AT, the oldest, is not taken, but its bytes may be in got_bytes. */
static void repair_sum(const struct ili_arena *a, struct ili_queue *q, ili_off at) {
    uint64_t sum = load(&q->got_bytes), count = load(&q->get_count);
    if (!q->most_bytes || (sum & SUM_TAG) != ((count + 1) & SUM_TAG)) return;
    uint64_t cost = ili_store_cost(length_of(load(header_at(a, at))));
    publish(&q->got_bytes, ((sum >> 8) - cost) << 8 | (count & SUM_TAG));
}

void ili_store_repair_head(struct ili_member *member, struct ili_queue *queue,
                           struct ili_agent *dead) {
    const struct ili_arena *a = &member->arena;
    uint64_t bytes, word = load(&queue->head_position);
    ili_off segment = load(&queue->head_segment), at = position_of(word);
    uint32_t behind =
        ((uint32_t)(word >> POSITION_BITS) - (uint32_t)load(&queue->get_count)) & COUNT_MASK;
    if (segment && behind == 1) store(&queue->get_count, load(&queue->get_count) + 1);
    bool sound = segment_at(a, segment, &bytes) != NULL;
    if (sound && (at < segment + 64 || at > segment + bytes - 8)) {
        at = segment + sizeof(struct segment);
        publish(&queue->head_position, make_position(at, load(&queue->get_count)));
    }
    if (sound) repair_sum(a, queue, at);
    ili_off own = load(&dead->pending[2]);
    uint64_t tag = atomic_load_explicit(&queue->head_guard.intent[2], memory_order_relaxed);
    bool sparing = load(&queue->head_guard.intent[0]) == SPARING;
    if (own && (own == segment || (sparing && (load(&queue->spare) & SPARE_TAG) == tag))) {
        ili_alloc_published(dead, 2);
    }
    ili_guard_done(&queue->head_guard);
    store32(&queue->recount, 1);
    ili_off block = load(&dead->pending[0]), there = 0;
    if (sound && at <= segment + bytes - 16 && kind_of(load(header_at(a, at))) == BLOCK) {
        memcpy(&there, a->base + at + 8, sizeof there);
    }
    bool returned = among_returned(a, queue, block);
    if (block && (returned || block == there)) ili_alloc_published(dead, 0);
}

il_status ili_store_check(const struct ili_member *member, const struct ili_queue *queue) {
    const struct ili_arena *a = &member->arena;
    uint64_t bytes, count = load(&queue->get_count), returned = 0;
    ili_off segment = load(&queue->head_segment), at = position_of(load(&queue->head_position));
    for (ili_off r = load(&queue->returned); r; returned++) {
        const struct returned *block = ili_at(a, r, sizeof *block);
        if (!block || returned > LIST_MOST) return IL_ECORRUPT;
        r = load(&block->next);
    }
    if (returned != load(&queue->returned_count)) return IL_ECORRUPT;
    if (segment == 0) {
        segment = load(&queue->first_segment);
        at = segment + sizeof(struct segment);
    }
    while (segment) {
        struct segment *s = segment_at(a, segment, &bytes);
        if (!s || at < segment + sizeof *s || at > segment + bytes - 8) return IL_ECORRUPT;
        uint64_t header = atomic_load_explicit(header_at(a, at), memory_order_acquire);
        if (header == 0) {
            return at == load(&queue->tail_at) && segment == load(&queue->tail_segment) &&
                           count == load(&queue->put_count)
                       ? IL_OK
                       : IL_ECORRUPT;
        }
        if (header >> 32 != (uint32_t)count) return IL_ECORRUPT;
        if (kind_of(header) == END) {
            segment = load(&s->next);
            at = segment + sizeof *s;
        } else {
            at += 8 + (kind_of(header) == BLOCK ? 8 : round8(length_of(header)));
            count++;
        }
    }
    return load(&queue->put_count) == 0 ? IL_OK : IL_ECORRUPT;
}
