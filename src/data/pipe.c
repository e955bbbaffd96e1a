/*
 * pipe.c - see pipe.h.
 *
 * ends    CLAIMED(e)  end e was claimed once; set behind the first row that says so
 *         CLOSED(e)   end e is closed for good; set before the queues are shut and before the row goes
 *         DELETED     the name is gone; set before the queues are deleted
 *         Bits are set under the guard, but DELETED; none is ever cleared.
 * rows    one word for each session that has a claim: bits 0-15 slot + 1, 16-39 its claims of A, 40-63 of
 *         B; 0: free. A session has one row at most. One store changes it.
 * more    a block of rows beside those of the pipe: how many, then the rows. When it is full it is
 *         replaced by a larger one, which one store publishes; the new one is in pending[0] of who does
 *         it, the old one in pending[2].
 *
 *   end        rows of it   CLAIMED  CLOSED
 *   untouched  none         no       no
 *   open       some         yes      no       (CLAIMED not yet: between claim()'s two stores)
 *   closing    the last     yes      yes      between the two stores of reduce()
 *   closed     none         yes      yes
 *
 * Invariants (ili_pipe_check), but for a holder that died:
 * 1. An end that is CLAIMED and not CLOSED has a row, and a row's end is CLAIMED.
 * 2. If an end is CLOSED neither queue is open; if DELETED is set both are deleted.
 * Lock order: pipe, then a queue's tail and head, or the allocator.
 */
#include "data/pipe.h"

#include <string.h>

#include "arena/alloc.h"
#include "base/clock.h"
#include "base/point.h"
#include "data/queue_store.h"

#define CLAIMED(end) (UINT32_C(1) << (end))
#define CLOSED(end) (UINT32_C(4) << (end))
#define DELETED UINT32_C(16)
#define ANY_CLOSED (CLOSED(0) | CLOSED(1))

#define SLOT_MASK UINT64_C(0xffff)
#define SHIFT(end) (16 + 24 * (end))
#define COUNT_MASK UINT64_C(0xffffff)
#define FIRST_ROWS 56u
#define ROWS_MOST (ILI_SLOTS_MAX * 2)

struct rows {
    _Atomic uint64_t count; /* of those behind it */
    _Atomic uint64_t row[];
};

static uint64_t load(const _Atomic uint64_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}

static uint32_t load_ends(const struct ili_pipe *pipe) {
    /* acquire: who sees CLOSED sees what its last session sent before */
    return atomic_load_explicit(&pipe->ends, memory_order_acquire);
}

static void set_ends(struct ili_pipe *pipe, uint32_t bits) {
    atomic_fetch_or_explicit(&pipe->ends, bits, memory_order_acq_rel);
}

static uint32_t count_of(uint64_t row, uint32_t end) { return row >> SHIFT(end) & COUNT_MASK; }

/* ---- rows ------------------------------------------------------------------------------------------ */

/* The rows of the block MORE, *COUNT of them; NULL: there are none. */
static struct rows *more_rows(const struct ili_arena *a, ili_off at, uint64_t *count) {
    struct rows *more = at ? ili_at(a, at, sizeof *more) : NULL;
    uint64_t has =
        more ? load(&more->count) : 0; /* once: another process may write nonsense there */
    if (has == 0 || has > ROWS_MOST || !ili_at(a, at, sizeof *more + has * 8)) return NULL;
    *count = has;
    return more;
}

/* A walk over all rows. */
struct walk {
    const struct ili_pipe *pipe;
    struct rows *more;
    uint64_t at, count;
};

static struct walk walk_of(const struct ili_arena *a, const struct ili_pipe *pipe) {
    struct walk walk = {.pipe = pipe, .count = 0};
    /* acquire: pairs with grow(): the rows of a new block have been copied */
    ili_off at = atomic_load_explicit(&pipe->more, memory_order_acquire);
    walk.more = more_rows(a, at, &walk.count);
    return walk;
}

/* The place of the next row, used or free; NULL: there are no more. */
static _Atomic uint64_t *next_row(struct walk *walk) {
    uint64_t i = walk->at++;
    if (i < ILI_PIPE_ROWS) return (_Atomic uint64_t *)&walk->pipe->rows[i];
    return walk->more && i - ILI_PIPE_ROWS < walk->count ? &walk->more->row[i - ILI_PIPE_ROWS]
                                                         : NULL;
}

/* The place of the row that begins with SLOT1, slot + 1 (0: a free one); NULL: there is none. */
static _Atomic uint64_t *find(const struct ili_arena *a, const struct ili_pipe *pipe,
                              uint32_t slot1) {
    struct walk walk = walk_of(a, pipe);
    _Atomic uint64_t *row;
    while ((row = next_row(&walk)) && (load(row) & SLOT_MASK) != slot1) {
    }
    return row;
}

/* How many sessions claim END. */
static uint32_t sessions_of(const struct ili_arena *a, const struct ili_pipe *pipe, uint32_t end) {
    struct walk walk = walk_of(a, pipe);
    _Atomic uint64_t *row;
    uint32_t count = 0;
    while ((row = next_row(&walk))) {
        if (count_of(load(row), end)) count++;
    }
    return count;
}

/* Makes room for more rows; *ROW is a free one. */
static il_status grow(struct ili_member *m, struct ili_agent *self, struct ili_pipe *pipe,
                      _Atomic uint64_t **row) {
    const struct ili_arena *a = &m->arena;
    ili_off old = load(&pipe->more), at;
    uint64_t had = 0;
    struct rows *before = more_rows(a, old, &had);
    uint64_t count = before ? had * 2 : FIRST_ROWS;
    if (count > ROWS_MOST) return IL_ELIMIT;
    il_status status = ili_alloc_free(m, self, 2); /* what an earlier call could not free */
    if (status == IL_OK) status = ili_alloc(m, self, 0, sizeof *before + count * 8, &at);
    if (status != IL_OK) return status;
    struct rows *more = ili_at(a, at, sizeof *more + count * 8);
    if (!more) return IL_ECORRUPT;
    memset((void *)more, 0, sizeof *more + count * 8);
    atomic_store_explicit(&more->count, count, memory_order_relaxed);
    for (uint64_t i = 0; i < had; i++) {
        atomic_store_explicit(&more->row[i], load(&before->row[i]), memory_order_relaxed);
    }
    if (old) ili_alloc_adopt(self, 2, old);
    ILI_POINT("pipe.grow.prepared");
    /* release: pairs with walk_of() */
    atomic_store_explicit(&pipe->more, at, memory_order_release);
    ILI_POINT("pipe.grow.published");
    ili_alloc_published(self, 0);
    (void)ili_alloc_free(m, self, 2); /* on failure it stays there until the next call */
    *row = &more->row[had];
    return IL_OK;
}

/* ---- claims ---------------------------------------------------------------------------------------- */

/* Shuts both queues, or deletes them; doing it again is harmless. */
static il_status end_queues(struct ili_member *m, struct ili_agent *self, struct ili_pipe *pipe) {
    il_status status = IL_OK;
    bool deleted = load_ends(pipe) & DELETED;
    for (uint32_t end = 0; end < ILI_PIPE_ENDS && status == IL_OK; end++) {
        struct ili_queue *queue = &pipe->to[end];
        if (deleted) {
            status = ili_queue_kind.end(m, self, queue);
        } else if (ili_queue_state(queue) == ILI_QUEUE_OPEN) {
            status = ili_queue_shut(m, queue);
            if (status == IL_EDELETED) status = IL_OK;
        }
        ILI_POINT("pipe.end.queue");
    }
    return status;
}

/* Under the guard: *ROW becomes WORD, which claims less. An end that nobody claims then is closed first,
 * so that whoever fails at it has changed nothing that cannot be done again. */
static il_status reduce(struct ili_member *m, struct ili_agent *self, struct ili_pipe *pipe,
                        _Atomic uint64_t *row, uint64_t word) {
    il_status status = IL_OK;
    for (uint32_t end = 0; end < ILI_PIPE_ENDS && status == IL_OK; end++) {
        if (!count_of(load(row), end) || count_of(word, end)) continue;
        if (sessions_of(&m->arena, pipe, end) > 1) continue;
        set_ends(pipe, CLAIMED(end) | CLOSED(end));
        ILI_POINT("pipe.close.marked");
        status = end_queues(m, self, pipe);
    }
    if (status != IL_OK) return status;
    bool any = count_of(word, 0) || count_of(word, 1);
    atomic_store_explicit(row, any ? word : 0, memory_order_release);
    ILI_POINT("pipe.row.less");
    return IL_OK;
}

/* Under the guard: the row of SLOT1 becomes WORD, which claims more. */
static il_status enlarge(struct ili_member *m, struct ili_agent *self, struct ili_pipe *pipe,
                         uint32_t slot1, uint64_t word) {
    _Atomic uint64_t *row = find(&m->arena, pipe, slot1);
    if (!row) row = find(&m->arena, pipe, 0);
    il_status status = row ? IL_OK : grow(m, self, pipe, &row);
    if (status != IL_OK) return status;
    atomic_store_explicit(row, word, memory_order_release);
    ILI_POINT("pipe.row.more");
    uint32_t bits = 0;
    for (uint32_t end = 0; end < ILI_PIPE_ENDS; end++) {
        if (count_of(word, end)) bits |= CLAIMED(end);
    }
    set_ends(pipe, bits);
    ILI_POINT("pipe.claimed");
    return IL_OK;
}

static uint64_t row_of(const struct ili_arena *a, const struct ili_pipe *pipe, uint32_t slot1) {
    const _Atomic uint64_t *row = find(a, pipe, slot1);
    return row ? load(row) : 0;
}

static il_status claim(struct ili_member *m, struct ili_agent *self, struct ili_pipe *pipe,
                       uint32_t end, uint32_t slot1) {
    uint32_t ends = load_ends(pipe);
    if (ends & DELETED) return IL_EDELETED;
    if (ends & CLOSED(end)) return IL_EPIPE;
    uint64_t word = row_of(&m->arena, pipe, slot1);
    if (count_of(word, end) >= ILI_PIPE_CLAIMS) return IL_ELIMIT;
    return enlarge(m, self, pipe, slot1, (word | slot1) + (UINT64_C(1) << SHIFT(end)));
}

il_status ili_pipe_claim(struct ili_member *member, struct ili_pipe *pipe, uint32_t end,
                         uint32_t slot) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    if (status == IL_OK) status = ili_guard_lock(member, self, &pipe->guard);
    if (status != IL_OK) return status;
    status = claim(member, self, pipe, end, slot + 1);
    ili_guard_unlock(member, self, &pipe->guard);
    return status;
}

il_status ili_pipe_give_up(struct ili_member *member, struct ili_pipe *pipe, uint32_t end,
                           uint32_t slot) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    if (status == IL_OK) status = ili_guard_lock(member, self, &pipe->guard);
    if (status != IL_OK) return status;
    _Atomic uint64_t *row = find(&member->arena, pipe, slot + 1);
    if (!row || count_of(load(row), end) == 0) {
        status = IL_ENOTHELD;
    } else {
        status = reduce(member, self, pipe, row, load(row) - (UINT64_C(1) << SHIFT(end)));
    }
    ili_guard_unlock(member, self, &pipe->guard);
    return status;
}

il_status ili_pipe_claims_of(struct ili_member *member, struct ili_pipe *pipe, uint32_t end,
                             uint32_t slot, uint32_t *claims) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    if (status == IL_OK) status = ili_guard_lock(member, self, &pipe->guard);
    if (status != IL_OK) return status;
    *claims = count_of(row_of(&member->arena, pipe, slot + 1), end);
    ili_guard_unlock(member, self, &pipe->guard);
    return IL_OK;
}

void ili_pipe_look(const struct ili_member *member, const struct ili_pipe *pipe,
                   struct ili_pipe_view *view) {
    uint32_t ends = load_ends(pipe);
    view->deleted = ends & DELETED;
    for (uint32_t end = 0; end < ILI_PIPE_ENDS; end++) {
        view->claims[end] = sessions_of(&member->arena, pipe, end);
        view->closed[end] = ends & CLOSED(end);
        view->waiting[end] = ili_queue_size(&pipe->to[end]);
        view->receivers[end] = ili_waitq_count(&pipe->to[end].getters);
        view->senders[end] = ili_waitq_count(&pipe->to[1 - end].putters);
    }
}

/* ---- messages -------------------------------------------------------------------------------------- */

static bool is_one_way(const struct ili_pipe *pipe) { return pipe->flags & IL_PIPE_ONE_WAY; }

struct ili_queue *ili_pipe_outgoing(struct ili_pipe *pipe, uint32_t end) {
    return end == IL_PIPE_A && is_one_way(pipe) ? NULL : &pipe->to[end == IL_PIPE_A];
}

struct ili_queue *ili_pipe_incoming(struct ili_pipe *pipe, uint32_t end) {
    return end == IL_PIPE_B && is_one_way(pipe) ? NULL : &pipe->to[end != IL_PIPE_A];
}

il_status ili_pipe_send(struct ili_member *member, struct ili_pipe *pipe, uint32_t end,
                        const struct ili_payload *message, int64_t deadline_ns) {
    struct ili_queue *queue = ili_pipe_outgoing(pipe, end);
    size_t done;
    if (!queue) return IL_EUNSUPPORTED;
    /* the other queue is shut first: who has seen the end of file there is not let send here */
    uint32_t ends = load_ends(pipe);
    if ((ends & ANY_CLOSED) && !(ends & DELETED)) return IL_EPIPE;
    il_status status = ili_queue_put(member, queue, message, 1, &done, deadline_ns);
    return status == IL_ECLOSED ? IL_EPIPE : status;
}

il_status ili_pipe_receive(struct ili_member *member, struct ili_pipe *pipe, uint32_t end,
                           struct ili_taken *message, int64_t deadline_ns) {
    struct ili_queue *queue = ili_pipe_incoming(pipe, end);
    size_t done;
    if (!queue) return IL_EUNSUPPORTED;
    il_status status = ili_queue_get(member, queue, message, 1, &done, deadline_ns);
    return status == IL_ECLOSED ? IL_EEOF : status;
}

static bool is_ready(const struct ili_queue *queue) {
    return ili_queue_size(queue) > 0 || ili_queue_state(queue) == ILI_QUEUE_SHUT;
}

il_status ili_pipe_poll(struct ili_member *member, struct ili_pipe *pipe, uint32_t end,
                        int64_t deadline_ns) {
    struct ili_queue *queue = ili_pipe_incoming(pipe, end);
    struct ili_agent *self;
    if (!queue) return IL_EUNSUPPORTED;
    il_status status = ili_agent_current(member, &self);
    while (status == IL_OK) {
        if (ili_queue_state(queue) == ILI_QUEUE_DELETED) return IL_EDELETED;
        if (is_ready(queue)) return IL_OK;
        if (deadline_ns != ILI_NEVER && ili_now_ns() >= deadline_ns) return IL_ETIMEOUT;
        status = ili_queue_enqueue(member, queue, self, false);
        if (status != IL_ETIMEOUT) continue;
        status = ili_agent_sleep(member, self, ILI_PARK_WAITING, deadline_ns);
        /* nothing is taken: if it was told to try, the next one is told instead */
        il_status left = ili_queue_withdraw(member, queue, self, false);
        if (left != IL_OK) return left;
        if (status == IL_EINTR && is_ready(queue)) {
            ili_thread_keep_interrupt(ili_thread_current());
        }
        /* that the deadline has come is found by the next look */
        if (status == IL_ETIMEOUT || (ili_gave_up(status) && is_ready(queue))) status = IL_OK;
    }
    return status;
}

/* ---- the kind -------------------------------------------------------------------------------------- */

static void init(struct ili_member *member, void *object, const void *options) {
    struct ili_pipe *pipe = object;
    const il_pipe_options *o = options;
    pipe->guard.kind = ILI_GUARD_PIPE;
    pipe->flags = o ? o->flags : 0;
    pipe->max_bytes = o && o->max_bytes ? o->max_bytes : IL_PIPE_BYTES;
    uint64_t most = pipe->max_bytes;
    if (most > ILI_QUEUE_MOST_BYTES) most = ILI_QUEUE_MOST_BYTES;
    for (uint32_t end = 0; end < ILI_PIPE_ENDS; end++) {
        struct ili_queue *queue = &pipe->to[end];
        size_t before = (size_t)((const char *)queue - (const char *)pipe);
        ili_queue_init_part(member, queue, most);
        /* for repair and for people; it is in no chain, and has no references of its own */
        queue->object.kind = ILI_KIND_QUEUE;
        queue->object.hash = pipe->object.hash;
        queue->object.name_at = pipe->object.name_at - (uint32_t)before;
        queue->object.name_bytes = pipe->object.name_bytes;
        queue->object.created_seconds = pipe->object.created_seconds;
    }
}

static bool same(const void *object, const void *options) {
    const struct ili_pipe *pipe = object;
    const il_pipe_options *o = options;
    return pipe->flags == o->flags &&
           pipe->max_bytes == (o->max_bytes ? o->max_bytes : IL_PIPE_BYTES);
}

static il_status end(struct ili_member *member, struct ili_agent *self, void *object) {
    set_ends(object, DELETED);
    ILI_POINT("pipe.delete.marked");
    return end_queues(member, self, object);
}

static il_status dispose(struct ili_member *member, struct ili_agent *self, struct ili_agent *owner,
                         void *object) {
    struct ili_pipe *pipe = object;
    il_status status = IL_OK;
    /* a death in the middle: what one of the two still holds must not be freed for the other */
    for (uint32_t at = 0; at < ILI_PIPE_ENDS; at++) {
        ili_store_settle(member, &pipe->to[at], owner);
    }
    for (uint32_t at = 0; at < ILI_PIPE_ENDS && status == IL_OK; at++) {
        status = ili_queue_kind.dispose(member, self, owner, &pipe->to[at]);
    }
    ili_off more = load(&pipe->more);
    if (status != IL_OK || !more) return status;
    return ili_alloc_free_word(member, self, &pipe->more);
}

static il_status recover(struct ili_member *member, struct ili_agent *self, void *object,
                         uint32_t slot) {
    struct ili_pipe *pipe = object;
    il_status status = IL_OK;
    for (uint32_t at = 0; at < ILI_PIPE_ENDS && status == IL_OK; at++) {
        status = ili_queue_kind.recover(member, self, &pipe->to[at], slot);
    }
    if (status == IL_OK) status = ili_guard_lock(member, self, &pipe->guard);
    if (status != IL_OK) return status;
    _Atomic uint64_t *row = find(&member->arena, pipe, slot + 1);
    if (row) status = reduce(member, self, pipe, row, 0);
    ili_guard_unlock(member, self, &pipe->guard);
    return status;
}

/* The child of a fork has open what its parent has. */
static il_status inherit(struct ili_member *member, struct ili_agent *self, void *object,
                         uint32_t parent_slot) {
    struct ili_pipe *pipe = object;
    il_status status = ili_guard_lock(member, self, &pipe->guard);
    if (status != IL_OK) return status;
    uint64_t word = row_of(&member->arena, pipe, parent_slot + 1);
    uint32_t slot1 = member->slot + 1;
    if (word) status = enlarge(member, self, pipe, slot1, (word & ~SLOT_MASK) | slot1);
    ili_guard_unlock(member, self, &pipe->guard);
    return status;
}

static bool is_claimed(struct ili_member *member, struct ili_agent *self, void *object,
                       uint32_t slot) {
    struct ili_pipe *pipe = object;
    if (ili_guard_lock(member, self, &pipe->guard) != IL_OK) return true;
    bool claimed = row_of(&member->arena, pipe, slot + 1) != 0;
    ili_guard_unlock(member, self, &pipe->guard);
    return claimed;
}

il_status ili_pipe_repair(struct ili_member *member, struct ili_agent *self, struct ili_pipe *pipe,
                          struct ili_agent *dead) {
    ili_off more = load(&pipe->more);
    if (more && load(&dead->pending[0]) == more) ili_alloc_published(dead, 0);
    if (more && load(&dead->pending[2]) == more) ili_alloc_published(dead, 2);
    for (uint32_t at = 0; at < ILI_PIPE_ENDS; at++) {
        if (sessions_of(&member->arena, pipe, at)) {
            set_ends(pipe, CLAIMED(at));
        } else if (load_ends(pipe) & CLAIMED(at)) {
            set_ends(pipe, CLOSED(at));
        }
    }
    return load_ends(pipe) & (ANY_CLOSED | DELETED) ? end_queues(member, self, pipe) : IL_OK;
}

il_status ili_pipe_check(const struct ili_member *member, const struct ili_pipe *pipe) {
    uint32_t ends = load_ends(pipe);
    for (uint32_t at = 0; at < ILI_PIPE_ENDS; at++) {
        bool has = sessions_of(&member->arena, pipe, at) > 0;
        uint32_t state = ili_queue_state(&pipe->to[at]);
        if (has && !(ends & CLAIMED(at))) return IL_ECORRUPT;
        if (!has && (ends & CLAIMED(at)) && !(ends & CLOSED(at))) return IL_ECORRUPT;
        if ((ends & ANY_CLOSED) && state == ILI_QUEUE_OPEN) return IL_ECORRUPT;
        if ((ends & DELETED) && state != ILI_QUEUE_DELETED) return IL_ECORRUPT;
        il_status status = ili_queue_check(member, &pipe->to[at]);
        if (status != IL_OK) return status;
    }
    return IL_OK;
}

const struct ili_kind ili_pipe_kind = {
    .number = ILI_KIND_PIPE,
    .word = "pipe",
    .bytes = sizeof(struct ili_pipe),
    .init = init,
    .same = same,
    .end = end,
    .dispose = dispose,
    .recover = recover,
    .inherit = inherit,
    .claimed = is_claimed,
};
