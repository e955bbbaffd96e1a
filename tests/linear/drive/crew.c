/*
 * crew.c - see crew.h.
 *
 * A process has two workers, each a thread; one that has made some calls ends, and another comes. The
 * end of a thread of an attached process is noted like the death of a session, since rlocks and rwlocks
 * go with it.
 */
#include "linear/drive/crew.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "linear/drive/worker.h"
#include "support/wait.h"

#define THREADS 2
#define KILLS_MOST 4 /* in a round: the effort of a check grows with them */
#define PATIENCE_S 60.0

/* ---- in a process --------------------------------------------------------------------------- */

struct place {
    struct board *board;
    enum board_door door;
    uint32_t session, number; /* board_uses() */
    il_domain *domain;
    pthread_t thread;
    struct worker *worker;
    struct linear_call *end; /* the thread's, noted while it has not ended */
    sem_t *ended;
    _Atomic bool over;
};

static void *work(void *argument) {
    struct place *place = argument;
    struct worker *worker = place->worker;
    if (worker_open(worker, place->board, place->door, place->session, place->number,
                    place->domain)) {
        worker_run(worker, 20 + worker_draw(worker, 300));
    }
    worker_close(worker);
    place->end = NULL;
    if (place->door == DOOR_ARENA && worker->log) {
        place->end = worker_begin(worker, 0, OP_DEATH);
        place->end->session = UINT32_MAX;
    }
    atomic_store(&place->over, true);
    sem_post(place->ended);
    return NULL;
}

static void run_process(struct board *board, enum board_door door, uint32_t session,
                        uint32_t first) {
    static struct place places[THREADS];
    static struct worker workers[THREADS];
    il_domain *domain = NULL;
    char address[200];
    sem_t ended;
    uint32_t running = 0;
    if (door == DOOR_ARENA || door == DOOR_LIBRARY) {
        snprintf(address, sizeof address, door == DOOR_ARENA ? "unix:%s" : "http://%s",
                 door == DOOR_ARENA ? board->socket : board->http);
        if (il_domain_open(address, NULL, &domain) != IL_OK) {
            board_trouble(board, "open of %s: %s", address, il_error_message());
            _exit(1);
        }
    }
    sem_init(&ended, 0, 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        places[i] = (struct place){.board = board,
                                   .door = door,
                                   .session = session,
                                   .number = first + i,
                                   .domain = domain,
                                   .worker = &workers[i],
                                   .ended = &ended};
        pthread_create(&places[i].thread, NULL, work, &places[i]);
        running++;
    }
    while (running > 0) {
        sem_wait(&ended);
        for (uint32_t i = 0; i < THREADS; i++) {
            if (!atomic_exchange(&places[i].over, false)) continue;
            pthread_join(places[i].thread, NULL);
            if (places[i].end) worker_end(places[i].worker, places[i].end, IL_OK, 0);
            if (atomic_load(&board->stop) || atomic_load(&board->logs_used) > BOARD_LOGS - 20) {
                running--;
            } else {
                pthread_create(&places[i].thread, NULL, work, &places[i]);
            }
        }
    }
    if (domain && il_domain_close(domain) != IL_OK) board_trouble(board, "close of a domain");
    _exit(0);
}

/* ---- around them ---------------------------------------------------------------------------- */

static bool start(struct crew *crew, struct member *member) {
    struct board *board = crew->board;
    member->session = member->door == DOOR_ARENA ? atomic_fetch_add(&board->sessions, 1) + 1 : 0;
    member->stopped_until_ns = 0;
    member->pid = fork();
    if (member->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run_process(board, member->door, member->session, THREADS * (uint32_t)(member - crew->all));
    }
    return member->pid > 0;
}

bool crew_add(struct crew *crew, enum board_door door) {
    struct member *member = &crew->all[crew->count++];
    *member = (struct member){.door = door};
    return start(crew, member);
}

struct listed {
    struct crew *crew;
    pid_t pid;
};

/* Whether the server is done with the process, and has recovered what it held. */
static bool is_gone(void *context) {
    struct listed *listed = context;
    json_t *answer = NULL, *session;
    size_t i;
    bool gone = true;
    if (http_call(&listed->crew->server, "GET", "/v1/sessions", NULL, HTTP_WAIT_FOR_ANSWER,
                  &answer) != IL_OK) {
        json_decref(answer);
        return false;
    }
    json_array_foreach(json_object_get(answer, "sessions"), i, session) {
        if (json_integer_value(json_object_get(session, "pid")) == listed->pid) gone = false;
    }
    json_decref(answer);
    return gone;
}

static void go_on(struct member *member) {
    if (!member->stopped_until_ns) return;
    kill(member->pid, SIGCONT);
    member->stopped_until_ns = 0;
}

static void go_on_in_time(struct crew *crew) {
    for (uint32_t i = 0; i < crew->count; i++) {
        struct member *member = &crew->all[i];
        if (member->stopped_until_ns && member->stopped_until_ns < test_now_ns()) go_on(member);
    }
}

static void add_death(struct crew *crew, uint32_t session, int64_t began_ns, int64_t ended_ns) {
    if (crew->deaths_count == CREW_DEATHS) return;
    crew->deaths[crew->deaths_count++] = (struct linear_call){.began_ns = began_ns,
                                                              .ended_ns = ended_ns,
                                                              .op = OP_DEATH,
                                                              .session = session,
                                                              .status = IL_OK};
}

/* What is counted as done to the workers at PLACE. */
static void count_at(const struct crew *crew, uint32_t place, uint32_t counts[BOARD_OBJECTS]) {
    for (uint32_t i = 0; i < crew->board->objects_count; i++) {
        counts[i] += board_uses(crew->board, place, i);
    }
}

static void count_member(const struct crew *crew, const struct member *member,
                         uint32_t counts[BOARD_OBJECTS]) {
    for (uint32_t i = 0; i < THREADS; i++) {
        count_at(crew, THREADS * (uint32_t)(member - crew->all) + i, counts);
    }
}

/* ---- sessions that were made by requests ---------------------------------------------------- */

/* The server may be done with it only later, so that its end is one that may come at any time. */
static void delete_session(struct crew *crew, uint32_t number) {
    struct board_session *session = &crew->board->named[number];
    add_death(crew, number, test_now_ns(), LINEAR_NEVER);
    worker_delete_session(&crew->server, crew->board, session);
}

/* Some session, while it is used. */
static void delete_some_session(struct crew *crew, uint64_t *random) {
    uint32_t count = atomic_load(&crew->board->sessions), at = 1;
    if (count == 0 || crew->board->sessions_lapse) return;
    at += (uint32_t)(worker_random(random) % count);
    for (uint32_t i = 0; i < count; i++, at = at % count + 1) {
        uint32_t open = SESSION_OPEN;
        if (at >= BOARD_SESSIONS) continue;
        struct board_session *session = &crew->board->named[at];
        if (!atomic_compare_exchange_strong(&session->state, &open, SESSION_ENDING)) continue;
        delete_session(crew, at);
        count_at(crew, session->place, crew->ends);
        return;
    }
}

/* Those of a process that was killed. */
static void delete_sessions_of(struct crew *crew, pid_t pid) {
    for (uint32_t i = 0; i < BOARD_SESSIONS; i++) {
        struct board_session *session = &crew->board->named[i];
        uint32_t state = atomic_load(&session->state);
        if (session->pid != pid || session->until_ns) continue;
        if (state == SESSION_OPEN || state == SESSION_ENDING) delete_session(crew, i);
    }
}

/* Those that nobody ends: until the server has done so. */
static bool await_sessions(struct crew *crew) {
    int64_t end_ns = test_now_ns() + (int64_t)(PATIENCE_S * 1e9);
    for (uint32_t i = 0; i < BOARD_SESSIONS; i++) {
        struct board_session *session = &crew->board->named[i];
        char path[80];
        if (atomic_load(&session->state) != SESSION_OPEN || !session->until_ns) continue;
        snprintf(path, sizeof path, "/v1/sessions/%s", session->id);
        while (http_call(&crew->server, "GET", path, NULL, HTTP_WAIT_FOR_ANSWER, NULL) !=
               IL_ESESSION) {
            if (test_now_ns() > end_ns) {
                board_trouble(crew->board, "a session does not end by itself");
                return false;
            }
            test_pause();
        }
        add_death(crew, i, session->until_ns, LINEAR_NEVER);
        count_at(crew, session->place, crew->ends);
    }
    return true;
}

/* ---- what is done to processes -------------------------------------------------------------- */

/* The process of MEMBER has ended, at BEGAN_NS or later: waits until that was dealt with. */
static bool note_death(struct crew *crew, struct member *member, int64_t began_ns) {
    struct listed listed = {crew, member->pid};
    int64_t end_ns = test_now_ns() + (int64_t)(PATIENCE_S * 1e9);
    if (member->door != DOOR_ARENA) return true;
    while (!is_gone(&listed)) {
        go_on_in_time(crew); /* who is stopped may hold a guard that the recovery needs */
        if (test_now_ns() > end_ns) {
            board_trouble(crew->board, "a dead process is not recovered");
            return false;
        }
        test_pause();
    }
    add_death(crew, member->session, began_ns, test_now_ns());
    return true;
}

static void replace(struct crew *crew, struct member *member) {
    int64_t began_ns = test_now_ns();
    kill(member->pid, SIGKILL);
    waitpid(member->pid, NULL, 0);
    crew->kills++;
    count_member(crew, member, crew->killed);
    if (member->door == DOOR_SESSION) delete_sessions_of(crew, member->pid);
    if (note_death(crew, member, began_ns)) start(crew, member);
}

void crew_disturb(struct crew *crew, uint64_t *random, int64_t end_ns) {
    int64_t next_ns = 0;
    while (test_now_ns() < end_ns && !atomic_load(&crew->board->troubles)) {
        go_on_in_time(crew);
        test_pause();
        if (test_now_ns() < next_ns) continue;
        struct member *member = &crew->all[worker_random(random) % crew->count];
        uint64_t what = worker_random(random) % 8;
        next_ns = test_now_ns() + (int64_t)(worker_random(random) % 20000000);
        if (what < 3 && member->door != DOOR_LIBRARY && crew->kills < KILLS_MOST) {
            replace(crew, member);
        } else if (what < 6 && !member->stopped_until_ns) {
            kill(member->pid, SIGSTOP);
            member->stopped_until_ns =
                test_now_ns() + 500000 + (int64_t)(worker_random(random) % 60000000);
            crew->stops++;
            count_member(crew, member, crew->stopped);
        } else if (what == 6) {
            delete_some_session(crew, random);
        }
    }
}

bool crew_end(struct crew *crew) {
    bool well = true;
    int64_t began_ns = test_now_ns();
    atomic_store(&crew->board->stop, 1);
    for (uint32_t i = 0; i < crew->count; i++) go_on(&crew->all[i]);
    for (uint32_t i = 0; i < crew->count; i++) {
        struct member *member = &crew->all[i];
        int status = test_reap(member->pid, PATIENCE_S);
        if (status != 0) {
            board_trouble(crew->board, "a process at door %d ended with status %d",
                          (int)member->door, status);
            well = false;
        }
        well = note_death(crew, member, began_ns) && well;
    }
    return await_sessions(crew) && well;
}

bool crew_finish(struct crew *crew) {
    struct board *board = crew->board;
    uint32_t session = atomic_fetch_add(&board->sessions, 1) + 1;
    pid_t child = fork();
    if (child == 0) {
        static struct worker worker;
        il_domain *domain = NULL;
        char address[200];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        snprintf(address, sizeof address, "unix:%s", board->socket);
        if (il_domain_open(address, NULL, &domain) != IL_OK ||
            !worker_open(&worker, board, DOOR_ARENA, session, BOARD_EVERYTHING, domain)) {
            _exit(1);
        }
        for (uint32_t i = 0; i < board->objects_count; i++) {
            linear_kind(board->objects[i].kind)->finish(&worker, i);
        }
        worker_close(&worker);
        _exit(il_domain_close(domain) == IL_OK ? 0 : 1);
    }
    if (test_reap(child, PATIENCE_S) == 0) return true;
    board_trouble(board, "the last process did not end well");
    return false;
}
