/*
 * crew.h - child processes that use one domain at the same time, and what they report.
 *
 * All report on a board in memory that they share; the test body reads it and asserts. Each lock has
 * a witness there: who is inside, and the last token. Each message names its producer and its number
 * and is filled with bytes that follow from both, so that a torn or doubled one is seen.
 */
#ifndef TESTS_SUPPORT_CREW_H
#define TESTS_SUPPORT_CREW_H

#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "support/world.h"

#define CREW_MOST 16
#define CREW_LOCKS 4 /* or other things that are held: see witness.h */
#define CREW_NUMBERS 8
#define CREW_MESSAGES 65536u /* a producer's messages that are told apart */
/* Long enough that a lost wake-up shows, and not a reason to complain. */
#define CREW_PATIENCE_NS INT64_C(5000000000)
#define CREW_SECONDS 20 /* nobody waits longer for anything */

enum { PLAIN, FAIR };                       /* locks */
enum { BOUNDED, OPEN_END, FROM_A, FROM_B }; /* queues, and directions of a pipe */

#define CREW_MAXSIZE 4 /* of the bounded one */

enum crew_fate {
    CREW_PUT = 0, /* it must be taken once */
    CREW_TAKEN,
    CREW_MAYBE,     /* its producer died putting it */
    CREW_WITHDRAWN, /* its put failed: it must never be taken */
};

struct crew_lock {
    _Atomic uint32_t inside; /* member number + 1 */
    _Atomic uint64_t last_token;
    _Atomic uint64_t grants, after_death;
    _Atomic int64_t first_grant_ns;  /* after a kill */
    _Atomic uint32_t has[CREW_MOST]; /* what each member has of it; see witness.h */
    _Atomic uint64_t changes;        /* of `has` */
};

struct crew_member {
    _Atomic uint64_t progress;
    _Atomic uint32_t put, acknowledged; /* messages begun, and those whose put returned */
    _Atomic int64_t waited_from_ns, last_ns, longest_ns;
    _Atomic uint32_t taking;  /* a get of up to so many messages is under way */
    _Atomic uint32_t holding; /* lock number + 1 */
    _Atomic uint32_t linger;  /* what it gets next it keeps until it is killed */
    _Atomic uint32_t doomed;  /* it is about to be killed, or was: what it has no longer counts */
};

struct crew_board {
    _Atomic uint32_t stop, go;
    _Atomic int64_t killed_ns; /* when the last one of the crew was */
    _Atomic uint32_t troubles;
    char trouble[200]; /* the first one */
    struct crew_lock locks[CREW_LOCKS];
    struct crew_member members[CREW_MOST];
    _Atomic uint64_t numbers[CREW_NUMBERS]; /* what a campaign counts */
    _Atomic uint64_t lost; /* acknowledged, never taken, and their places used again */
    _Atomic uint8_t
        fate[CREW_MOST][CREW_MESSAGES]; /* of the last so many messages: enum crew_fate */
    /* [queue, or direction of a pipe][consumer][producer]: last number taken + 1 */
    _Atomic uint32_t newest[4][CREW_MOST][CREW_MOST];
    _Atomic uint64_t share_changes; /* of the following */
    _Atomic uint32_t permits[CREW_MOST],
        shares[CREW_MOST]; /* who has how much: scenarios_shared.h */
    /* set before the children start */
    bool unordered;    /* messages are given back, so they may come late */
    bool locks_remade; /* a lock may be deleted while it is held, and made anew */
};

struct crew {
    struct world *world;
    struct crew_board *board;
    pid_t pids[CREW_MOST];
    uint32_t me;                   /* in a child: its number */
    unsigned killed;               /* how many were */
    uint64_t lost;                 /* messages that the dead were taking, at most */
    void (*nudge)(struct crew *c); /* ends the waits of roles that are to stop; may be NULL */
};

static inline bool crew_open(struct crew *c, struct world *w) {
    memset(c, 0, sizeof *c);
    c->world = w;
    c->board =
        mmap(NULL, sizeof *c->board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return c->board != MAP_FAILED;
}

static inline void crew_close(struct crew *c) { munmap(c->board, sizeof *c->board); }

__attribute__((format(printf, 2, 3))) static inline void crew_trouble(struct crew *c,
                                                                      const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (atomic_fetch_add(&c->board->troubles, 1) == 0) {
        int at = snprintf(c->board->trouble, sizeof c->board->trouble, "%u: ", c->me);
        vsnprintf(c->board->trouble + at, sizeof c->board->trouble - (size_t)at, format, arguments);
    }
    va_end(arguments);
}

static inline bool crew_stopped(const struct crew *c) {
    return atomic_load(&c->board->stop) != 0 || atomic_load(&c->board->troubles) != 0;
}

/* Runs ROLE in a child with the number ME. */
static inline bool crew_start(struct crew *c, uint32_t me, void (*role)(struct crew *c)) {
    struct crew_member *m = &c->board->members[me];
    for (uint32_t i = atomic_load(&m->acknowledged); i < atomic_load(&m->put); i++) {
        uint8_t put = CREW_PUT;
        atomic_compare_exchange_strong(&c->board->fate[me][i % CREW_MESSAGES], &put, CREW_MAYBE);
    }
    atomic_store(&m->taking, 0);
    atomic_store(&m->holding, 0);
    for (unsigned i = 0; i < CREW_LOCKS; i++) atomic_store(&c->board->locks[i].has[me], 0);
    atomic_store(&m->linger, 0);
    atomic_store(&m->doomed, 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        c->me = me;
        if (!world_join(c->world)) {
            crew_trouble(c, "joining: %s", il_error_message());
            _exit(1);
        }
        role(c);
        _exit(0);
    }
    c->pids[me] = child;
    return child > 0;
}

static inline void crew_progress(struct crew *c) {
    struct crew_member *m = &c->board->members[c->me];
    int64_t now = test_now_ns(), from = atomic_load(&m->waited_from_ns);
    if (from && now - from > atomic_load(&m->longest_ns)) atomic_store(&m->longest_ns, now - from);
    atomic_store(&m->last_ns, now);
    atomic_fetch_add(&m->progress, 1);
}

/* With something in its hands: stays so if it is to die now. */
static inline void crew_linger(struct crew *c) {
    struct crew_member *m = &c->board->members[c->me];
    int64_t end = test_now_ns() + CREW_PATIENCE_NS;
    while (atomic_load(&m->linger) && !crew_stopped(c) && test_now_ns() < end) test_pause();
}

/* ---- locks ------------------------------------------------------------------------------------ */

/* A waiter went on: notes it if it is the first since the last kill. */
static inline void crew_note_grant(struct crew *c, unsigned number) {
    struct crew_lock *l = &c->board->locks[number];
    int64_t killed = atomic_load(&c->board->killed_ns), first = atomic_load(&l->first_grant_ns);
    atomic_fetch_add(&l->grants, 1);
    if (first > killed) return;
    int64_t now = test_now_ns();
    /* one store: who notes it may be killed at any instant itself */
    if (now > killed) atomic_compare_exchange_strong(&l->first_grant_ns, &first, now);
}

/* After a grant: whether nobody else is inside, and the token is a new one. */
static inline void crew_enter(struct crew *c, unsigned number, il_status how, uint64_t token) {
    struct crew_lock *l = &c->board->locks[number];
    uint64_t last = atomic_exchange(&l->last_token, token);
    uint32_t before = atomic_exchange(&l->inside, c->me + 1);
    if (token <= last && !c->board->locks_remade) {
        crew_trouble(c, "lock %u: token %#llx after %#llx", number, (unsigned long long)token,
                     (unsigned long long)last);
    }
    if (before && how != IL_EOWNERDEAD && !c->board->locks_remade)
        crew_trouble(c, "lock %u: %u is inside", number, before - 1);
    if (how == IL_EOWNERDEAD) atomic_fetch_add(&l->after_death, 1);
    crew_note_grant(c, number);
    atomic_store(&c->board->members[c->me].holding, number + 1);
}

static inline void crew_leave(struct crew *c, unsigned number) {
    uint32_t me = c->me + 1;
    atomic_store(&c->board->members[c->me].holding, 0);
    if (!atomic_compare_exchange_strong(&c->board->locks[number].inside, &me, 0) &&
        !c->board->locks_remade) {
        crew_trouble(c, "lock %u: %u came in", number, me - 1);
    }
}

static inline const char *crew_lock_name(unsigned number) {
    return number == FAIR ? "fair" : "plain";
}

static inline il_lock *crew_open_lock(struct crew *c, unsigned number) {
    const char *name = crew_lock_name(number);
    il_lock_options options = {.struct_bytes = sizeof options,
                               .flags = number == FAIR ? IL_LOCK_FAIR : 0};
    il_lock *lock = NULL;
    if (il_lock_open(c->world->domain, name, strlen(name), &options, &lock) != IL_OK) {
        crew_trouble(c, "lock %s: %s", name, il_error_message());
    }
    return lock;
}

/* Takes and gives back LOCK once. False: it was deleted, or something is wrong. */
static inline bool crew_use_lock(struct crew *c, il_lock *lock, unsigned number,
                                 int64_t timeout_ns) {
    uint64_t token = 0;
    il_status status = il_lock_acquire(lock, timeout_ns, &token);
    if (status == IL_ETIMEOUT && timeout_ns <= CREW_PATIENCE_NS) return true;
    if (status == IL_EDELETED) return false;
    if (status != IL_OK && status != IL_EOWNERDEAD) {
        crew_trouble(c, "acquiring %s: %s", crew_lock_name(number), il_error_message());
        return false;
    }
    crew_enter(c, number, status, token);
    crew_progress(c);
    crew_linger(c);
    crew_leave(c, number);
    status = il_lock_release(lock, token);
    if (status != IL_OK && status != IL_EDELETED) {
        crew_trouble(c, "releasing %s: %s", crew_lock_name(number), il_error_message());
    }
    return status == IL_OK;
}

/* A role: takes one lock all the time. */
static inline void crew_hammer(struct crew *c, unsigned number) {
    il_lock *lock = crew_open_lock(c, number);
    while (lock && !crew_stopped(c)) {
        atomic_store(&c->board->members[c->me].waited_from_ns, test_now_ns());
        if (crew_use_lock(c, lock, number, CREW_SECONDS * INT64_C(1000000000))) continue;
        il_lock_close(lock);
        lock = crew_open_lock(c, number); /* it was deleted: the name makes a new one */
        atomic_store(&c->board->locks[number].inside, 0);
    }
    il_lock_close(lock);
}

static inline void crew_hammer_plain(struct crew *c) { crew_hammer(c, PLAIN); }
static inline void crew_hammer_fair(struct crew *c) { crew_hammer(c, FAIR); }

/* ---- queues ----------------------------------------------------------------------------------- */

struct crew_message {
    uint32_t producer, queue, number, bytes, sum; /* bytes: what follows */
};

#define CREW_MESSAGE_MOST 200000u

static inline uint32_t crew_sum(const struct crew_message *m, const uint8_t *data) {
    uint64_t sum = m->producer * UINT64_C(0x9e3779b97f4a7c15) + m->number;
    for (uint32_t i = 0; i < m->bytes; i++) sum = sum * 31 + data[i];
    return (uint32_t)(sum >> 16);
}

/* Writes the next message of ME into ROOM; returns its length. */
static inline size_t crew_write(struct crew *c, unsigned queue, uint8_t *room, uint32_t bytes) {
    struct crew_member *me = &c->board->members[c->me];
    struct crew_message head = {c->me, queue, atomic_fetch_add(&me->put, 1), bytes, 0};
    for (uint32_t i = 0; i < bytes; i++) room[sizeof head + i] = (uint8_t)(head.number + i * 7);
    _Atomic uint8_t *fate = &c->board->fate[c->me][head.number % CREW_MESSAGES];
    if (atomic_exchange(fate, CREW_PUT) == CREW_PUT && head.number >= CREW_MESSAGES) {
        atomic_fetch_add(&c->board->lost, 1);
    }
    head.sum = crew_sum(&head, room + sizeof head);
    memcpy(room, &head, sizeof head);
    return sizeof head + bytes;
}

/* Notes a message that was taken: whole, for the first time, behind those of the same producer that
 * this consumer took before. */
static inline void crew_read(struct crew *c, const uint8_t *data, size_t bytes) {
    struct crew_message head;
    if (bytes < sizeof head) {
        crew_trouble(c, "a message of %zu bytes", bytes);
        return;
    }
    memcpy(&head, data, sizeof head);
    if (bytes != sizeof head + head.bytes || head.producer >= CREW_MOST ||
        head.sum != crew_sum(&head, data + sizeof head)) {
        crew_trouble(c, "a torn message of %zu bytes, %u.%u says %u", bytes, head.producer,
                     head.number, head.bytes);
        return;
    }
    uint8_t fate =
        atomic_exchange(&c->board->fate[head.producer][head.number % CREW_MESSAGES], CREW_TAKEN);
    if (fate == CREW_TAKEN || fate == CREW_WITHDRAWN) {
        crew_trouble(c, "message %u.%u %s", head.producer, head.number,
                     fate == CREW_TAKEN ? "twice" : "though its put failed");
    }
    uint32_t before =
        atomic_exchange(&c->board->newest[head.queue % 4][c->me][head.producer], head.number + 1);
    if (before > head.number && !c->board->unordered) {
        static const char *const names[] = {"bounded", "open", "the pipe from A", "that from B"};
        crew_trouble(c, "message %u.%u after %u in %s, %u bytes", head.producer, head.number,
                     before - 1, names[head.queue % 4], head.bytes);
    }
    crew_progress(c);
}

static inline const char *crew_queue_name(unsigned number) {
    return number == BOUNDED ? "bounded" : "open";
}

static inline il_queue *crew_open_queue(struct crew *c, unsigned number) {
    const char *name = crew_queue_name(number);
    il_queue_options options = {sizeof options, 0, number == BOUNDED ? CREW_MAXSIZE : 0};
    il_queue *queue = NULL;
    if (il_queue_open(c->world->domain, name, strlen(name), &options, &queue) != IL_OK) {
        crew_trouble(c, "queue %s: %s", name, il_error_message());
    }
    return queue;
}

/* Mostly short, sometimes as long as a segment, sometimes in a block of its own. */
static inline uint32_t crew_size(uint64_t *random) {
    uint64_t r = test_random(random);
    switch (r % 8) {
    case 0: return (uint32_t)(r >> 8) % 8000;
    case 1: return (uint32_t)(r >> 8) % 24000;
    case 2: return r >> 40 & 3 ? 100 : (uint32_t)(r >> 8) % (CREW_MESSAGE_MOST - 100);
    default: return (uint32_t)(r >> 8) % 64;
    }
}

/* False: the queue is gone or closed, or something is wrong. */
static inline bool crew_put(struct crew *c, il_queue *queue, unsigned number, uint8_t *room,
                            uint64_t *random, int64_t timeout_ns) {
    struct crew_member *me = &c->board->members[c->me];
    size_t bytes = crew_write(c, number, room, crew_size(random));
    il_status status = il_queue_put(queue, room, bytes, IL_BYTES, timeout_ns);
    if (status == IL_OK) {
        atomic_store(&me->acknowledged, atomic_load(&me->put));
        crew_progress(c);
        return true;
    }
    atomic_store(&c->board->fate[c->me][(atomic_load(&me->put) - 1) % CREW_MESSAGES],
                 CREW_WITHDRAWN);
    atomic_store(&me->acknowledged, atomic_load(&me->put));
    if (status == IL_ETIMEOUT && timeout_ns <= CREW_PATIENCE_NS) return true;
    if (status != IL_EDELETED && status != IL_ECLOSED) {
        crew_trouble(c, "putting %zu: %s", bytes, il_error_message());
    }
    return false;
}

static inline bool crew_get(struct crew *c, il_queue *queue, uint8_t *room, size_t capacity,
                            size_t most, int64_t timeout_ns) {
    il_message messages[8];
    size_t done = 0;
    struct crew_member *me = &c->board->members[c->me];
    atomic_store(&me->taking, (uint32_t)most);
    il_status status = il_queue_get_many(queue, room, capacity, messages, most, &done, timeout_ns);
    for (size_t i = 0; status == IL_OK && i < done; i++) {
        crew_read(c, messages[i].data, messages[i].bytes);
    }
    atomic_store(&me->taking, 0);
    if (status == IL_OK || (status == IL_ETIMEOUT && timeout_ns <= CREW_PATIENCE_NS)) return true;
    if (status != IL_EDELETED && status != IL_ECLOSED) {
        crew_trouble(c, "getting: %s", il_error_message());
    }
    return false;
}

#define CREW_ROOM (CREW_MESSAGE_MOST * 2)

static inline void crew_produce(struct crew *c, unsigned number) {
    uint8_t *room = malloc(CREW_ROOM);
    uint64_t random = c->me + 1;
    il_queue *queue = crew_open_queue(c, number);
    while (queue && !crew_stopped(c)) {
        atomic_store(&c->board->members[c->me].waited_from_ns, test_now_ns());
        if (crew_put(c, queue, number, room, &random, CREW_PATIENCE_NS)) continue;
        il_queue_close(queue);
        queue = crew_open_queue(c, number);
    }
    il_queue_close(queue);
    free(room);
}

static inline void crew_consume(struct crew *c, unsigned number) {
    uint8_t *room = malloc(CREW_ROOM);
    uint64_t random = c->me + 1;
    il_queue *queue = crew_open_queue(c, number);
    while (queue && !crew_stopped(c)) {
        atomic_store(&c->board->members[c->me].waited_from_ns, test_now_ns());
        if (crew_get(c, queue, room, CREW_ROOM, 1 + test_random(&random) % 3, CREW_PATIENCE_NS))
            continue;
        il_queue_close(queue);
        queue = crew_open_queue(c, number);
    }
    il_queue_close(queue);
    free(room);
}

/* How many messages were put and never taken. */
static inline uint64_t crew_missing(const struct crew *c) {
    uint64_t missing = atomic_load(&c->board->lost);
    for (unsigned p = 0; p < CREW_MOST; p++) {
        uint32_t end = atomic_load(&c->board->members[p].acknowledged);
        uint32_t from = end > CREW_MESSAGES ? end - CREW_MESSAGES : 0;
        for (uint32_t i = from; i < end; i++) {
            missing += atomic_load(&c->board->fate[p][i % CREW_MESSAGES]) == CREW_PUT;
        }
    }
    return missing;
}

/* Gives the roles that wait at a queue something to do, so that they see that they should stop. */
static inline void crew_nudge(struct crew *c, il_queue *queues[2], uint8_t *room) {
    uint64_t random = 0, size;
    for (unsigned i = 0; i < 2; i++) {
        if (!queues[i] || il_queue_size(queues[i], &size) != IL_OK) continue;
        if (size < 3) (void)crew_put(c, queues[i], i, room, &random, 0);
        if (size > 1) (void)crew_get(c, queues[i], room, CREW_ROOM, 1, 0);
    }
}

/* Ends all roles; false if one does not end, or not well. */
static inline bool crew_stop(struct crew *c, double seconds) {
    int64_t end = test_now_ns() + (int64_t)(seconds * 1e9);
    bool well = true, all = false;
    uint8_t *room = malloc(CREW_ROOM);
    il_queue *queues[] = {crew_open_queue(c, BOUNDED), crew_open_queue(c, OPEN_END)};
    atomic_store(&c->board->stop, 1);
    while (!all) {
        bool late = test_now_ns() > end;
        all = true;
        for (unsigned i = 0; i < CREW_MOST; i++) {
            int status = 0;
            if (c->pids[i] <= 0) continue;
            if (late) kill(c->pids[i], SIGKILL);
            if (waitpid(c->pids[i], &status, late ? 0 : WNOHANG) != c->pids[i]) {
                all = false;
                continue;
            }
            c->pids[i] = 0;
            if (status == 0) continue;
            crew_trouble(c, "child %u %s: wait status %#x", i, late ? "hung" : "ended",
                         (unsigned)status);
            well = false;
        }
        if (!all) crew_nudge(c, queues, room);
        if (!all && c->nudge) c->nudge(c);
        if (!all) test_pause();
    }
    for (unsigned i = 0; i < 2; i++) il_queue_close(queues[i]);
    free(room);
    return well;
}

#endif
