/*
 * campaign.c - histories of objects that threads, attached processes and HTTP clients use at once, while
 * processes are killed, stopped and continued, connections dropped, leases end and grants are broken;
 * then whether each is linearizable.
 *
 *     campaign [--seconds 10] [--seed 1] [--first ROUND] [--kinds lock,queue,...] [--verbose]
 *
 * It starts an interlockd of INTERLOCK_BUILD. A round takes some objects, drawn by the seed and its
 * number; --first begins with that one. The last line is "N passed, N failed", of kinds of objects.
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "linear/check/check.h"
#include "linear/drive/crew.h"
#include "linear/drive/worker.h"
#include "support/wait.h"

#define KINDS 16
#define OBJECTS 6       /* in a round; every kind has its turn */
#define LAPSE_ROUNDS 10 /* in one of so many, named sessions are left to end by themselves */
#define ROUND_NS INT64_C(150000000)
#define READY_MS 10000

struct tally {
    uint64_t histories, calls, violated, undecided;
    /* what happened to them: to the processes and sessions that used them, and in their calls */
    uint64_t kills, stops, ends, losses, drops;
};

struct campaign {
    struct board *board;
    struct crew crew;
    struct tally tallies[KINDS];
    il_domain *domain;
    pid_t server;
    char folder[64], log[100];
    uint64_t seed, kills, stops;
    bool used[KINDS];
    bool verbose;
};

/* ---- the server ----------------------------------------------------------------------------- */

static bool serve(struct campaign *c) {
    char program[4096], line[512] = "";
    const char *build = getenv("INTERLOCK_BUILD");
    int out[2];
    snprintf(c->folder, sizeof c->folder, "/tmp/interlock-linear-XXXXXX");
    if (!mkdtemp(c->folder)) return false;
    snprintf(c->log, sizeof c->log, "%s/log", c->folder);
    snprintf(c->board->socket, sizeof c->board->socket, "%s/s", c->folder);
    snprintf(program, sizeof program, "%s/bin/interlockd", build ? build : "build");
    if (pipe2(out, O_CLOEXEC) != 0) return false;
    c->server = fork();
    if (c->server == 0) {
        int log = open(c->log, O_CREAT | O_WRONLY | O_APPEND, 0600);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out[1], 1);
        dup2(log, 2);
        execl(program, program, "--http", "127.0.0.1:0", "--socket", c->board->socket,
              (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    struct pollfd polled = {out[0], POLLIN, 0};
    size_t got = 0;
    while (!strchr(line, '\n') && poll(&polled, 1, READY_MS) == 1) {
        ssize_t more = read(out[0], line + got, sizeof line - 1 - got);
        if (more <= 0) break;
        got += (size_t)more;
        line[got] = 0;
    }
    close(out[0]);
    const char *at = strstr(line, "http=");
    return at && sscanf(at, "http=%63s", c->board->http) == 1;
}

/* What the server said that it should not have. */
static bool server_was_well(const struct campaign *c) {
    char line[1000];
    FILE *log = fopen(c->log, "r");
    bool well = true;
    while (log && fgets(line, sizeof line, log)) {
        if (strstr(line, "Sanitizer") || strstr(line, "runtime error:")) well = false;
        if (!well) fputs(line, stderr);
    }
    if (log) fclose(log);
    return well;
}

static bool end_server(struct campaign *c) {
    http_close(&c->crew.server, false);
    bool well = il_domain_close(c->domain) == IL_OK;
    kill(c->server, SIGTERM);
    well = test_reap(c->server, 30) == 0 && well;
    well = server_was_well(c) && well;
    unlink(c->log);
    unlink(c->board->socket);
    rmdir(c->folder);
    return well;
}

/* ---- a round -------------------------------------------------------------------------------- */

static void draw_objects(struct campaign *c, uint64_t *random) {
    struct board *board = c->board;
    board->objects_count = 0;
    for (uint32_t next = board->round * (OBJECTS + 1); board->objects_count < OBJECTS; next++) {
        const struct linear_kind *kind = linear_kinds[next % linear_kinds_count];
        if (!c->used[kind->kind]) continue;
        uint32_t at = board->objects_count++;
        struct linear_object *object = &board->objects[at];
        memset(object, 0, sizeof *object);
        object->kind = kind->kind;
        kind->draw(object, random);
        snprintf(object->name, sizeof object->name, "%s-%u-%u", linear_kind_name(kind->kind),
                 board->round, at);
    }
}

static void begin_round(struct campaign *c, uint32_t round, uint64_t *random) {
    struct board *board = c->board;
    for (uint32_t i = 0; i < BOARD_LOGS; i++) atomic_store(&board->logs[i].count, 0);
    memset(board->named, 0, sizeof board->named);
    board->sessions_lapse = round % LAPSE_ROUNDS == LAPSE_ROUNDS - 1;
    for (uint32_t i = 0; i < BOARD_OBJECTS; i++) {
        c->crew.killed[i] = c->crew.stopped[i] = c->crew.ends[i] = 0;
        atomic_store(&board->level[i], 0);
        atomic_store(&board->token[i], 0);
    }
    atomic_store(&board->logs_used, 0);
    atomic_store(&board->sessions, 0);
    atomic_store(&board->items, 0);
    atomic_store(&board->drops, 0);
    atomic_store(&board->stop, 0);
    board->round = round;
    *random = c->seed * UINT64_C(0x2545f4914f6cdd1d) + round;
    board->seed = worker_random(random);
    c->crew.count = c->crew.deaths_count = c->crew.kills = c->crew.stops = 0;
    draw_objects(c, random);
}

/* The calls of OBJECT; what belongs to all objects is among them. */
static void collect(const struct campaign *c, uint32_t object, struct linear_history *history) {
    const struct board *board = c->board;
    uint32_t used = atomic_load(&board->logs_used);
    history->object = board->objects[object];
    history->count = 0;
    for (uint32_t l = 0; l < used && l < BOARD_LOGS; l++) {
        const struct board_log *log = &board->logs[l];
        uint32_t count = atomic_load(&log->count), from = (uint32_t)history->count;
        for (uint32_t i = 0; i < count; i++) {
            struct linear_call *call = &history->calls[history->count];
            *call = log->calls[i];
            if (call->op == 0 || (call->op != OP_DEATH && call->object != object)) continue;
            if (call->op == OP_DEATH && history->count == from) continue; /* it was never here */
            if (call->ended_ns == LINEAR_NEVER) {
                call->status = LINEAR_PENDING;
                call->result = 0;
                if (log->door != DOOR_ARENA) call->flags |= CALL_DROPPED;
            }
            history->count++;
        }
    }
    size_t calls = history->count;
    for (uint32_t i = 0; i < c->crew.deaths_count; i++) {
        bool here = false;
        for (size_t k = 0; k < calls; k++) {
            here |= history->calls[k].session == c->crew.deaths[i].session;
        }
        if (here) history->calls[history->count++] = c->crew.deaths[i];
    }
}

static void count_what_happened(const struct campaign *c, uint32_t object,
                                const struct linear_history *history, struct tally *tally) {
    tally->calls += history->count;
    tally->kills += c->crew.killed[object];
    tally->stops += c->crew.stopped[object];
    tally->ends += c->crew.ends[object];
    for (size_t i = 0; i < history->count; i++) {
        const struct linear_call *call = &history->calls[i];
        bool broke = call->op == OP_BREAK && call->status == IL_OK;
        tally->losses += call->status == IL_EOWNERDEAD || call->status == IL_ELEASE || broke;
        tally->drops += (call->flags & CALL_DROPPED) != 0;
    }
}

static bool check_round(struct campaign *c) {
    static struct linear_call *calls;
    bool well = true;
    if (!calls) calls = malloc((BOARD_LOGS * BOARD_CALLS + CREW_DEATHS) * sizeof *calls);
    for (uint32_t i = 0; i < c->board->objects_count; i++) {
        struct linear_history history = {.calls = calls};
        collect(c, i, &history);
        struct tally *tally = &c->tallies[history.object.kind];
        int64_t began_ns = test_now_ns();
        enum linear_verdict verdict = linear_check(&history, stderr);
        tally->histories++;
        count_what_happened(c, i, &history, tally);
        tally->violated += verdict == LINEAR_VIOLATED;
        tally->undecided += verdict == LINEAR_UNDECIDED;
        well &= verdict != LINEAR_VIOLATED;
        if (c->verbose || verdict == LINEAR_UNDECIDED) {
            fprintf(stderr, "round %u: %s, %zu calls, %s, in %.1f ms\n", c->board->round,
                    history.object.name, history.count,
                    verdict == LINEAR_OK         ? "linearizable"
                    : verdict == LINEAR_VIOLATED ? "NOT linearizable"
                                                 : "undecided",
                    (double)(test_now_ns() - began_ns) / 1e6);
        }
    }
    return well;
}

static bool run_round(struct campaign *c, uint32_t round) {
    static const enum board_door doors[] = {DOOR_ARENA,   DOOR_HTTP,  DOOR_ARENA,
                                            DOOR_SESSION, DOOR_ARENA, DOOR_LIBRARY};
    struct board *board = c->board;
    uint64_t random;
    begin_round(c, round, &random);
    for (uint32_t i = 0; i < board->objects_count; i++) {
        const struct linear_object *object = &board->objects[i];
        void *handle = NULL;
        if (linear_kind(object->kind)->open(c->domain, object, &handle) != IL_OK ||
            linear_kind(object->kind)->close(handle) != IL_OK) {
            board_trouble(board, "making %s: %s", object->name, il_error_message());
        }
    }
    for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++) {
        if (!crew_add(&c->crew, doors[i])) board_trouble(board, "fork");
    }
    crew_disturb(&c->crew, &random, test_now_ns() + ROUND_NS);
    bool ended = crew_end(&c->crew) && crew_finish(&c->crew);
    c->kills += c->crew.kills;
    c->stops += c->crew.stops;
    bool well = check_round(c) && ended && !atomic_load(&board->troubles);
    for (uint32_t i = 0; i < board->objects_count; i++) {
        const struct linear_object *object = &board->objects[i];
        linear_kind(object->kind)->remove(c->domain, object->name, strlen(object->name));
    }
    if (!well) {
        fprintf(stderr, "round %u of seed %llu failed%s%s\n", round, (unsigned long long)c->seed,
                atomic_load(&board->troubles) ? ": " : "", board->trouble);
    }
    return well;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static bool choose_kinds(struct campaign *c, const char *list) {
    bool any = false;
    for (size_t i = 0; i < linear_kinds_count; i++) {
        unsigned kind = linear_kinds[i]->kind;
        const char *name = linear_kind_name(kind), *at = list;
        size_t length = strlen(name);
        bool chosen = !list;
        while (at && !chosen) {
            chosen = strncmp(at, name, length) == 0 && (at[length] == 0 || at[length] == ',');
            at = strchr(at, ',');
            if (at) at++;
        }
        c->used[kind] = chosen;
        any |= chosen;
    }
    return any;
}

/* Prints what was done, a line a kind, and the sum. */
static bool report(const struct campaign *c, uint32_t rounds, bool well) {
    uint32_t passed = 0, failed = well ? 0 : 1;
    printf("%u rounds, %llu kills, %llu stops, %u calls that a door does not have\n", rounds,
           (unsigned long long)c->kills, (unsigned long long)c->stops,
           atomic_load(&c->board->unsupported));
    for (unsigned kind = 0; kind < KINDS; kind++) {
        const struct tally *t = &c->tallies[kind];
        if (!c->used[kind]) continue;
        /* a history too hard to decide says nothing; but most have to say something */
        bool good = t->violated == 0 && t->undecided * 20 <= t->histories && t->histories > 0;
        printf("%-5s linear %-9s %" PRIu64 " histories, %" PRIu64 " calls, %" PRIu64
               " kills, %" PRIu64 " stops, %" PRIu64 " sessions ended, %" PRIu64
               " grants lost, %" PRIu64 " dropped, %" PRIu64 " violated, %" PRIu64 " undecided\n",
               good ? "ok" : "FAIL", linear_kind_name(kind), t->histories, t->calls, t->kills,
               t->stops, t->ends, t->losses, t->drops, t->violated, t->undecided);
        passed += good;
        failed += !good;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 && passed > 0;
}

int main(int argc, char **argv) {
    static struct campaign c = {.seed = 1, .crew.server.fd = -1};
    static const struct option options[] = {
        {"seconds", required_argument, NULL, 's'}, {"seed", required_argument, NULL, 'r'},
        {"first", required_argument, NULL, 'f'},   {"kinds", required_argument, NULL, 'k'},
        {"verbose", no_argument, NULL, 'v'},       {NULL, 0, NULL, 0}};
    const char *kinds = NULL;
    double seconds = 10;
    uint32_t first = 0, round;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
        switch (option) {
        case 's': seconds = atof(optarg); break;
        case 'r': c.seed = strtoull(optarg, NULL, 0); break;
        case 'f': first = (uint32_t)atoi(optarg); break;
        case 'k': kinds = optarg; break;
        case 'v': c.verbose = true; break;
        default: return 2;
        }
    }
    if (!choose_kinds(&c, kinds)) {
        fprintf(stderr, "campaign: --kinds names no kind\n");
        return 2;
    }
    c.board =
        mmap(NULL, sizeof *c.board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char address[120];
    if (c.board == MAP_FAILED || !serve(&c)) {
        fprintf(stderr, "campaign: interlockd does not run\n");
        return 1;
    }
    snprintf(address, sizeof address, "unix:%s", c.board->socket);
    if (il_domain_open(address, NULL, &c.domain) != IL_OK) {
        fprintf(stderr, "campaign: %s\n", il_error_message());
        return 1;
    }
    c.crew.board = c.board;
    c.crew.server.socket = c.board->socket;
    int64_t end_ns = test_now_ns() + (int64_t)(seconds * 1e9);
    bool well = true;
    for (round = first; well && test_now_ns() < end_ns; round++) well = run_round(&c, round);
    well = end_server(&c) && well;
    return report(&c, round - first, well) ? 0 : 1;
}
