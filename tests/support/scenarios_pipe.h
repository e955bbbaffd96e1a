/*
 * scenarios_pipe.h - victims and companions at pipes, for scenarios.h and campaigns of kills.
 *
 * "pipe" stays open throughout, since the process that looks on has both its ends: what was sent and not
 * received is received by it in the end. "end N" is the pipe of companion N, who has its end A; others open
 * its end B, send, and go, or die: then N gets all that was sent, and the end of the file.
 */
#ifndef TESTS_SUPPORT_SCENARIOS_PIPE_H
#define TESTS_SUPPORT_SCENARIOS_PIPE_H

#include "support/crew.h"

#define PIPE_BYTES 20000u

/* ---- the pipe that stays ------------------------------------------------------------------------ */

static inline il_pipe *crew_open_pipe(struct crew *c, uint32_t end) {
    il_pipe_options options = {sizeof options, 0, PIPE_BYTES};
    il_pipe *pipe = NULL;
    if (il_pipe_open(c->world->domain, "pipe", 4, &options, end, &pipe) != IL_OK)
        crew_trouble(c, "pipe: %s", il_error_message());
    return pipe;
}

/* Sends one message from END. */
static inline void crew_send(struct crew *c, il_pipe *pipe, uint32_t end, uint8_t *room,
                             uint64_t *random, int64_t timeout_ns) {
    struct crew_member *me = &c->board->members[c->me];
    size_t bytes = crew_write(c, FROM_A + end, room, crew_size(random));
    il_status status = il_pipe_send(pipe, room, bytes, IL_BYTES, timeout_ns);
    if (status != IL_OK) {
        atomic_store(&c->board->fate[c->me][(atomic_load(&me->put) - 1) % CREW_MESSAGES],
                     CREW_WITHDRAWN);
        if (status != IL_ETIMEOUT || timeout_ns > CREW_PATIENCE_NS)
            crew_trouble(c, "sending %zu: %s", bytes, il_error_message());
    }
    atomic_store(&me->acknowledged, atomic_load(&me->put));
    if (status == IL_OK) crew_progress(c);
}

static inline void crew_receive(struct crew *c, il_pipe *pipe, uint8_t *room, int64_t timeout_ns) {
    struct crew_member *me = &c->board->members[c->me];
    size_t bytes = 0;
    atomic_store(&me->taking, 1);
    il_status status = il_pipe_receive(pipe, room, CREW_ROOM, &bytes, NULL, timeout_ns);
    if (status == IL_OK) crew_read(c, room, bytes);
    atomic_store(&me->taking, 0);
    if (status != IL_OK && (status != IL_ETIMEOUT || timeout_ns > CREW_PATIENCE_NS))
        crew_trouble(c, "receiving: %s", il_error_message());
}

static inline void pipe_send_all(struct crew *c, uint32_t end) {
    uint8_t *own = malloc(CREW_ROOM);
    uint64_t random = c->me + 1;
    il_pipe *pipe = crew_open_pipe(c, end);
    while (pipe && !crew_stopped(c)) crew_send(c, pipe, end, own, &random, CREW_PATIENCE_NS);
    il_pipe_close(pipe);
    free(own);
}

static inline void pipe_receive_all(struct crew *c, uint32_t end) {
    uint8_t *own = malloc(CREW_ROOM);
    il_pipe *pipe = crew_open_pipe(c, end);
    while (pipe && !crew_stopped(c)) crew_receive(c, pipe, own, CREW_PATIENCE_NS);
    il_pipe_close(pipe);
    free(own);
}

static inline void pipe_send_a(struct crew *c) { pipe_send_all(c, IL_PIPE_A); }
static inline void pipe_send_b(struct crew *c) { pipe_send_all(c, IL_PIPE_B); }
static inline void pipe_receive_a(struct crew *c) { pipe_receive_all(c, IL_PIPE_A); }
static inline void pipe_receive_b(struct crew *c) { pipe_receive_all(c, IL_PIPE_B); }

/* Everything at both ends, COUNT times, or until the crew is to stop. */
static inline void pipe_mix_some(struct crew *c, int count) {
    uint8_t *own = malloc(CREW_ROOM);
    uint64_t random = test_seed(30) + c->me;
    for (int i = 0; i < count && !crew_stopped(c); i++) {
        il_pipe *ends[2] = {crew_open_pipe(c, IL_PIPE_A), crew_open_pipe(c, IL_PIPE_B)};
        for (int k = 0; k < 8 && ends[0] && ends[1]; k++) {
            uint64_t r = test_random(&random);
            uint32_t end = r >> 8 & 1;
            int64_t timeout = r >> 9 & 1 ? IL_NOWAIT : (int64_t)(r >> 20) % 3000000;
            int32_t ready;
            if (r % 8 == 0) {
                if (il_pipe_poll(ends[end], timeout / 8, &ready) != IL_OK)
                    crew_trouble(c, "polling: %s", il_error_message());
            } else if (r % 2) {
                crew_send(c, ends[end], end, own, &random, timeout);
            } else {
                crew_receive(c, ends[end], own, timeout);
            }
        }
        il_pipe_close(ends[0]);
        il_pipe_close(ends[1]);
    }
    free(own);
}

static inline void use_pipe(struct crew *c) { pipe_mix_some(c, 10); }
static inline void pipe_mix(struct crew *c) { pipe_mix_some(c, INT32_MAX); }

/* ---- of the process that looks on --------------------------------------------------------------- */

static il_pipe *pipe_kept[2];
static uint64_t pipe_kept_in; /* id of the domain's member */

static inline bool pipe_is_kept(const struct crew *c) {
    return pipe_kept_in == c->world->domain->member.id;
}

static inline void keep_pipe(struct crew *c) {
    for (uint32_t end = 0; end < 2; end++) pipe_kept[end] = crew_open_pipe(c, end);
    pipe_kept_in = c->world->domain->member.id;
}

static inline void crew_check_pipe(struct crew *c, struct ili_pipe *pipe, const char *name) {
    struct ili_member *m = &c->world->domain->member;
    struct ili_agent *self;
    if (ili_agent_current(m, &self) != IL_OK || ili_guard_lock(m, self, &pipe->guard) != IL_OK) {
        crew_trouble(c, "%s: no guard", name);
        return;
    }
    if (ili_pipe_check(m, pipe) != IL_OK) crew_trouble(c, "%s is not sound", name);
    ili_guard_unlock(m, self, &pipe->guard);
}

/* Whoever still waits, waits for a message where there is none, or for room where there is one. */
static inline void nudge_pipe(struct crew *c) {
    static uint8_t own[CREW_ROOM];
    il_pipe_info info = {.struct_bytes = sizeof info};
    uint64_t random = 0;
    for (uint32_t end = 0; end < 2 && pipe_is_kept(c); end++) {
        if (il_pipe_info_get(pipe_kept[end], &info) != IL_OK) continue;
        if (info.waiting[end] > 0) {
            crew_receive(c, pipe_kept[end], own, 0);
        } else {
            crew_send(c, pipe_kept[1 - end], 1 - end, own, &random, 0);
        }
    }
}

/* Before: opens both ends. After: takes what is left, and has a new one instead, so that as much of the arena
 * is used as before. */
static inline void settle_pipe(struct crew *c) {
    static uint8_t own[CREW_ROOM];
    il_pipe_info info = {.struct_bytes = sizeof info};
    if (!pipe_is_kept(c)) {
        for (uint32_t end = 0; end < 2; end++) free(pipe_kept[end]); /* of a domain that is gone */
        keep_pipe(c);
        return;
    }
    crew_check_pipe(c, pipe_kept[0]->pipe, "the pipe");
    for (uint32_t end = 0; end < 2; end++) {
        while (il_pipe_info_get(pipe_kept[end], &info) == IL_OK && info.waiting[end] > 0 &&
               !atomic_load(&c->board->troubles)) {
            crew_receive(c, pipe_kept[end], own, 0);
        }
    }
    for (uint32_t end = 0; end < 2; end++) { /* and it goes on, with all its room */
        size_t bytes = 0;
        if (info.claims[end] != 1) crew_trouble(c, "%u claim end %u", info.claims[end], end);
        if (il_pipe_send(pipe_kept[1 - end], own, PIPE_BYTES / 2, IL_BYTES, 0) != IL_OK ||
            il_pipe_send(pipe_kept[1 - end], own, PIPE_BYTES / 2, IL_BYTES, 0) != IL_OK ||
            il_pipe_send(pipe_kept[1 - end], own, 1, IL_BYTES, 0) != IL_ETIMEOUT ||
            il_pipe_receive(pipe_kept[end], own, CREW_ROOM, &bytes, NULL, 0) != IL_OK ||
            il_pipe_receive(pipe_kept[end], own, CREW_ROOM, &bytes, NULL, 0) != IL_OK ||
            bytes != PIPE_BYTES / 2) {
            crew_trouble(c, "the pipe does not go on: %s", il_error_message());
        }
    }
    crew_check_pipe(c, pipe_kept[0]->pipe, "the emptied pipe");
    for (uint32_t end = 0; end < 2; end++) il_pipe_close(pipe_kept[end]);
    il_pipe_delete(c->world->domain, "pipe", 4);
    keep_pipe(c);
}

/* ---- pipes that end ------------------------------------------------------------------------------ */

#define ENDS 2 /* companions that have one; their numbers: 2, 3 */

struct pipe_word {
    int32_t pid;
    uint32_t number, bytes; /* of all the message */
};

static inline size_t end_name(char name[16], uint32_t of) {
    return (size_t)snprintf(name, 16, "end %u", of);
}

/* NULL: that end is closed for good. */
static inline il_pipe *open_end_of(struct crew *c, uint32_t of, uint32_t end) {
    char name[16];
    il_pipe_options options = {sizeof options, end_name(name, of) % 2, 9000};
    il_pipe *pipe = NULL;
    il_status status = il_pipe_open(c->world->domain, name, strlen(name), &options, end, &pipe);
    if (status != IL_OK && status != IL_EPIPE && status != IL_EDELETED)
        crew_trouble(c, "%s: %s", name, il_error_message());
    return pipe;
}

/* A role: takes what others send until the end of the file, then has a new pipe. */
static inline void receive_to_the_end(struct crew *c) {
    uint8_t *own = malloc(CREW_ROOM);
    char name[16];
    size_t name_bytes = end_name(name, c->me), bytes;
    struct pipe_word last = {0, 0, 0}, word; /* pid 0: nothing yet in this pipe */
    while (!crew_stopped(c)) {
        il_pipe *a = open_end_of(c, c->me, IL_PIPE_A);
        il_status status = a ? IL_OK : IL_EPIPE;
        while (a && !crew_stopped(c) && (status == IL_OK || status == IL_ETIMEOUT)) {
            status = il_pipe_receive(a, own, CREW_ROOM, &bytes, NULL, 2000000);
            crew_progress(c);
            if (status != IL_OK) continue;
            memcpy(&word, own, sizeof word);
            uint32_t due = word.pid == last.pid ? last.number + 1 : word.number;
            bool whole = bytes == word.bytes && own[bytes - 1] == (uint8_t)word.number;
            if (!whole || word.number != due)
                crew_trouble(c, "%s: word %u instead of %u, %zu bytes", name, word.number, due,
                             bytes);
            last = word;
        }
        if (a && status != IL_OK && status != IL_ETIMEOUT && status != IL_EEOF)
            crew_trouble(c, "%s: %s", name, il_error_message());
        il_pipe_close(a);
        il_pipe_delete(c->world->domain, name, name_bytes);
        last.pid = 0;
    }
    free(own);
}

/* Sends a few words into a pipe of a companion; *NUMBER counts those into pipes of its name. False: it could not. */
static inline bool send_words(struct crew *c, il_pipe *b, uint32_t *number, uint64_t *random) {
    static uint8_t own[CREW_ROOM];
    uint64_t r = test_random(random);
    for (uint64_t i = 0; i < r % 5; i++) {
        uint32_t bytes = (uint32_t)sizeof(struct pipe_word) + 1 + crew_size(random);
        struct pipe_word word = {getpid(), *number, bytes};
        memcpy(own, &word, sizeof word);
        own[bytes - 1] = (uint8_t)*number;
        il_status status = il_pipe_send(b, own, bytes, IL_BYTES, CREW_PATIENCE_NS);
        if (status == IL_EDELETED || status == IL_EPIPE) return false;
        if (status != IL_OK) crew_trouble(c, "sending words: %s", il_error_message());
        ++*number;
    }
    return true;
}

static inline void come_and_go(struct crew *c) {
    uint64_t random = test_seed(31);
    uint32_t numbers[ENDS] = {0};
    for (int i = 0; i < 24; i++) {
        uint32_t *number = &numbers[i % ENDS];
        il_pipe *b = open_end_of(c, 2 + (uint32_t)i % ENDS, IL_PIPE_B), *again = NULL;
        if (!b) {
            sched_yield(); /* its owner has not yet made a new one */
            continue;
        }
        bool open = send_words(c, b, number, &random);
        if (open && i % 3 == 0) again = open_end_of(c, 2 + (uint32_t)i % ENDS, IL_PIPE_B);
        if (again && again->pipe == b->pipe) (void)send_words(c, again, number, &random);
        il_pipe_close(again);
        il_pipe_close(b);
    }
}

/* What the dead left of the pipe NAME: claimed by nobody, sound, and removed. */
static inline void settle_pipe_of(struct crew *c, const char *name) {
    struct ili_handle handle;
    size_t bytes = strlen(name);
    if (ili_handle_open(c->world->domain, &ili_pipe_kind, name, bytes, NULL, &handle) == IL_OK) {
        struct ili_pipe *pipe =
            ili_object_at(&c->world->domain->member.arena, handle.object, ILI_KIND_PIPE);
        struct ili_pipe_view view;
        crew_check_pipe(c, pipe, name);
        ili_pipe_look(handle.member, pipe, &view);
        if (view.claims[0] || view.claims[1])
            crew_trouble(c, "%s is claimed by %u and %u", name, view.claims[0], view.claims[1]);
        il_pipe_delete(c->world->domain, name, bytes);
        ili_handle_close(&handle);
    }
}

static inline void settle_ends(struct crew *c) {
    for (uint32_t of = 2; of < 2 + ENDS; of++) {
        char name[16];
        end_name(name, of);
        settle_pipe_of(c, name);
    }
}

/* ---- pipes of its own ----------------------------------------------------------------------------- */

#define OWN_CLAIMS 90u /* of sessions that there are not: more than the first block of rows has */
#define NO_SLOT 900u

static inline size_t own_pipe_name(char name[16], uint32_t of) {
    return (size_t)snprintf(name, 16, "own pipe %u", of);
}

static inline void own_pipes(struct crew *c) {
    static uint8_t own[CREW_ROOM];
    char name[16];
    size_t name_bytes = own_pipe_name(name, c->me);
    static const int large[] = {0, 1, 3};
    for (unsigned s = 0; s < 6; s++) {
        il_domain *d = c->world->domain;
        il_pipe_options options = {sizeof options, 0, 1 << 20};
        il_pipe *a = NULL, *b = NULL;
        il_status status = s % 2 ? il_pipe_open_pair(d, &options, &a, &b)
                                 : il_pipe_open(d, name, name_bytes, &options, IL_PIPE_A, &a);
        if (status == IL_OK && !b)
            status = il_pipe_open(d, name, name_bytes, &options, IL_PIPE_B, &b);
        if (status != IL_OK) {
            crew_trouble(c, "own pipe: %s", il_error_message());
            return;
        }
        for (int i = 0; i < large[s % 3]; i++) {
            (void)il_pipe_send(a, own, 100000, IL_BYTES, 0);
            (void)il_pipe_send(b, own, 30000, IL_BYTES, 0);
        }
        for (unsigned i = 0; i < 40 * s; i++)
            (void)il_pipe_send(a, own, 1000 * (i % 4), IL_BYTES, 0);
        size_t got;
        for (unsigned i = 0; i < 20 * s; i++)
            (void)il_pipe_receive(b, own, sizeof own, &got, NULL, 0);
        for (uint32_t i = 0; s >= 4 && i < OWN_CLAIMS; i++) {
            status = ili_pipe_claim(a->handle.member, a->pipe, i % 2, NO_SLOT + i);
            if (status != IL_OK) crew_trouble(c, "claim %u: %s", i, il_status_name(status));
        }
        for (uint32_t i = 0; s == 5 && i < OWN_CLAIMS; i++)
            (void)ili_pipe_give_up(a->handle.member, a->pipe, i % 2, NO_SLOT + i);
        if (s % 2 == 0) il_pipe_delete(d, name, name_bytes);
        il_pipe_close(a);
        il_pipe_close(b);
        crew_progress(c);
    }
}

/* A victim that died may have left its pipe, with claims of sessions that there are not. */
static inline void settle_own_pipes(struct crew *c) {
    for (uint32_t of = 0; of < 2; of++) { /* victims */
        struct ili_handle handle;
        char name[16];
        size_t bytes = own_pipe_name(name, of);
        if (ili_handle_open(c->world->domain, &ili_pipe_kind, name, bytes, NULL, &handle) != IL_OK)
            continue;
        il_pipe_delete(c->world->domain, name, bytes);
        ili_handle_close(&handle);
    }
}

#endif
