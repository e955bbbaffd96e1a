#include "linear/drive/worker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/status.h"
#include "linear/drive/grants.h"

#define SPARE_CALLS                                                                                \
    200 /* of a log, for giving everything back, and for what a kind does at a time */

void board_trouble(struct board *board, const char *format, ...) {
    va_list list;
    if (atomic_fetch_add(&board->troubles, 1) != 0) return;
    va_start(list, format);
    vsnprintf(board->trouble, sizeof board->trouble, format, list);
    va_end(list);
}

int64_t worker_now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* splitmix64 */
uint64_t worker_random(uint64_t *random) {
    uint64_t z = *random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t worker_draw(struct worker *worker, uint32_t count) {
    return (uint32_t)(worker_random(&worker->random) % count);
}

int64_t worker_draw_timeout(struct worker *worker) {
    if (worker_draw(worker, 3) == 0) return IL_NOWAIT;
    return 200000 + (int64_t)worker_draw(worker, worker_draw(worker, 4) ? 3000000 : 30000000);
}

void worker_pause(struct worker *worker, uint32_t most_us) {
    struct timespec moment = {0, (long)worker_draw(worker, most_us) * 1000};
    nanosleep(&moment, NULL);
}

/* ---- calls ---------------------------------------------------------------------------------- */

struct linear_call *worker_begin(struct worker *worker, uint32_t number, unsigned op) {
    struct board_log *log = worker->log;
    uint32_t at = atomic_load_explicit(&log->count, memory_order_relaxed);
    struct linear_call *call = &log->calls[at];
    if (at >= BOARD_CALLS) abort(); /* a kind makes more calls at a time than SPARE_CALLS */
    bool sessionless = worker->door == DOOR_SESSION && op != OP_DEATH &&
                       linear_kind(worker->board->objects[number].kind)->sessionless;
    *call = (struct linear_call){.began_ns = worker_now_ns(),
                                 .ended_ns = LINEAR_NEVER,
                                 .object = number,
                                 .op = (uint16_t)op,
                                 .session = sessionless ? 0 : worker->session,
                                 .owner = worker->owner,
                                 .status = LINEAR_PENDING};
    atomic_store_explicit(&log->count, at + 1, memory_order_release);
    return call;
}

void worker_end(struct worker *worker, struct linear_call *call, il_status status,
                uint64_t result) {
    switch (status) {
    case IL_EROUTE:
    case IL_EUNSUPPORTED:
        atomic_fetch_add(&worker->board->unsupported, 1);
        call->op = 0;
        return;
    case IL_EBUSY:
    case IL_ESESSION:
    case LINEAR_PENDING:
        if (status == IL_ESESSION) worker->over = true;
        if (worker->door != DOOR_ARENA) call->flags |= CALL_DROPPED;
        return; /* still pending */
    case IL_EINVAL:
    case IL_ENOTFOUND:
    case IL_EDELETED:
    case IL_EGONE:
    case IL_ECORRUPT:
    case IL_ESYSTEM:
    case IL_EPROTOCOL:
    case IL_EMETHOD:
        board_trouble(worker->board, "%s of %s by door %d: %s: %s", linear_op_name(call->op),
                      worker->board->objects[call->object].name, (int)worker->door,
                      il_status_name(status), worker_is_http(worker) ? "" : il_error_message());
        break;
    default: break;
    }
    call->status = status;
    call->result = result;
    atomic_thread_fence(memory_order_release); /* a kill leaves a prefix of the stores */
    call->ended_ns = worker_now_ns();
}

json_t *worker_body(struct worker *worker, int64_t timeout_ns) {
    json_t *body = json_object();
    if (timeout_ns >= 0) json_object_set_new(body, "timeout", json_real((double)timeout_ns / 1e9));
    if (worker->door == DOOR_SESSION) {
        json_object_set_new(body, "session", json_string(worker->session_id));
    }
    return body;
}

uint64_t worker_token(const json_t *answer) {
    const char *token = json_string_value(json_object_get(answer, "token"));
    return token ? strtoull(token, NULL, 10) : 0;
}

il_status worker_post(struct worker *worker, struct linear_call *call, const char *verb,
                      json_t *body, json_t **answer) {
    const struct linear_object *object = &worker->board->objects[call->object];
    char path[200];
    int64_t drop_ns = HTTP_WAIT_FOR_ANSWER;
    if (linear_kind(object->kind)->sessionless) json_object_del(body, "session");
    snprintf(path, sizeof path, "/v1/%s/%s/%s", linear_kind(object->kind)->collection, object->name,
             verb);
    if (!atomic_load(&worker->board->stop) && worker_draw(worker, 40) == 0 &&
        atomic_fetch_add(&worker->board->drops, 1) < BOARD_DROPS) {
        drop_ns = worker_draw(worker, worker_draw(worker, 2) ? 200000 : 3000000);
    }
    il_status status = http_call(&worker->http, "POST", path, body, drop_ns, answer);
    json_decref(body);
    return status;
}

void worker_holds_nothing(struct worker *worker, uint32_t number, bool thread) {
    (void)worker, (void)number, (void)thread;
}

void worker_is_finished(struct worker *worker, uint32_t number) { (void)worker, (void)number; }

/* ---- life ----------------------------------------------------------------------------------- */

static bool can_use(const struct worker *worker, uint32_t number) {
    const struct linear_kind *kind = linear_kind(worker->board->objects[number].kind);
    if (!board_uses(worker->board, worker->place, number)) return false;
    if (worker->door == DOOR_LIBRARY) return kind->library;
    return !worker_is_http(worker) || kind->collection;
}

/* A session of this worker's own, which somebody will delete, or which is left to end by itself. */
static bool begin_session(struct worker *worker) {
    struct board *board = worker->board;
    uint32_t number = atomic_fetch_add(&board->sessions, 1) + 1;
    bool lapses = board->sessions_lapse;
    if (number >= BOARD_SESSIONS) return false;
    struct board_session *session = &board->named[number];
    json_t *body = json_pack("{s:f}", "ttl", lapses ? 1.0 : 60.0), *answer = NULL;
    int64_t began_ns = worker_now_ns();
    il_status status =
        http_call(&worker->http, "POST", "/v1/sessions", body, HTTP_WAIT_FOR_ANSWER, &answer);
    const char *id = json_string_value(json_object_get(answer, "id"));
    bool made = status == IL_OK && id && strlen(id) < sizeof session->id;
    if (made) {
        snprintf(session->id, sizeof session->id, "%s", id);
        snprintf(worker->session_id, sizeof worker->session_id, "%s", id);
        session->pid = getpid();
        session->place = worker->place;
        session->until_ns = lapses ? began_ns + 1000000000 : 0;
        worker->session = worker->log->session = number;
        atomic_store(&session->state, SESSION_OPEN);
    } else {
        board_trouble(board, "a session cannot be made: %s", il_status_name(status));
    }
    json_decref(body);
    json_decref(answer);
    return made;
}

static void end_session(struct worker *worker) {
    struct board_session *session = &worker->board->named[worker->session];
    uint32_t open = SESSION_OPEN;
    if (session->until_ns) return;
    if (!atomic_compare_exchange_strong(&session->state, &open, SESSION_ENDING)) return;
    struct linear_call *death = worker_begin(worker, 0, OP_DEATH);
    death->owner = 0;
    worker_delete_session(&worker->http, worker->board, session);
}

void worker_delete_session(struct http *http, struct board *board, struct board_session *session) {
    char path[80];
    snprintf(path, sizeof path, "/v1/sessions/%s", session->id);
    il_status status = http_call(http, "DELETE", path, NULL, HTTP_WAIT_FOR_ANSWER, NULL);
    if (status != IL_OK && status != IL_ESESSION) {
        board_trouble(board, "the end of a session: %s", il_status_name(status));
    }
    atomic_store(&session->state, SESSION_ENDED);
}

bool worker_open(struct worker *worker, struct board *board, enum board_door door, uint32_t session,
                 uint32_t place, il_domain *domain) {
    uint32_t at = atomic_fetch_add(&board->logs_used, 1);
    memset(worker, 0, sizeof *worker);
    worker->http.fd = -1;
    if (at >= BOARD_LOGS) return false;
    worker->board = board;
    worker->log = &board->logs[at];
    worker->door = door;
    worker->session = session;
    worker->place = place;
    worker->owner = at + 1;
    worker->domain = domain;
    worker->random = board->seed + at * UINT64_C(0x632be59bd9b4e019);
    worker->log->door = door;
    worker->log->session = session;
    worker->log->owner = worker->owner;
    snprintf(worker->key, sizeof worker->key, "w%u", worker->owner);
    if (at % 2) {
        worker->http.socket = board->socket;
    } else {
        worker->http.address = board->http;
    }
    if (door == DOOR_SESSION && !begin_session(worker)) return false;
    for (uint32_t i = 0; domain && i < board->objects_count; i++) {
        const struct linear_object *object = &board->objects[i];
        if (!can_use(worker, i)) continue;
        il_status status;
        do { /* who was stopped inside the name table is continued soon */
            status = linear_kind(object->kind)->open(domain, object, &worker->handles[i]);
        } while (status == IL_EBUSY && !atomic_load(&board->stop));
        if (status == IL_OK) continue;
        if (status == IL_EBUSY) return false; /* the round is over */
        board_trouble(board, "open of %s by door %d: %s", object->name, (int)door,
                      il_error_message());
        return false;
    }
    return true;
}

void worker_close(struct worker *worker) {
    for (uint32_t i = 0; worker->domain && i < worker->board->objects_count; i++) {
        if (!worker->handles[i]) continue;
        linear_kind(worker->board->objects[i].kind)->close(worker->handles[i]);
    }
    if (worker->door == DOOR_SESSION && worker->session) end_session(worker);
    http_close(&worker->http, false);
}

void worker_run(struct worker *worker, uint32_t acts) {
    struct board *board = worker->board;
    for (; acts > 0 && !worker->over; acts--) {
        uint32_t number = worker_draw(worker, board->objects_count);
        while (!board_uses(board, worker->place, number)) {
            number = (number + 1) % board->objects_count;
        }
        if (atomic_load_explicit(&board->stop, memory_order_relaxed) ||
            atomic_load(&worker->log->count) >= BOARD_CALLS - SPARE_CALLS) {
            break;
        }
        if (worker_draw(worker, 16) == 0) grants_act_on_several(worker);
        if (can_use(worker, number)) linear_kind(board->objects[number].kind)->act(worker, number);
        if (worker_draw(worker, 4) == 0) worker_pause(worker, 400);
    }
    /* the end of a session gives back what it has */
    if (worker->over || (worker->door == DOOR_SESSION && worker_draw(worker, 2))) return;
    for (uint32_t i = 0; i < board->objects_count; i++) {
        const struct linear_kind *kind = linear_kind(board->objects[i].kind);
        if (can_use(worker, i)) kind->settle(worker, i, acts == 0);
    }
}
