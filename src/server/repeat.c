#include "server/repeat.h"

#include <string.h>

#include "base/siphash.h"
#include "server/park.h"
#include "server/reply.h"
#include "server/server.h"

/* 128 bits of method, path and body: nobody can make two requests alike without the key. */
static void fingerprint_of(const struct ili_request *r, uint64_t out[2]) {
    uint64_t key[2] = {r->server->idempotency.hash_key[0], r->server->idempotency.hash_key[1]};
    for (int i = 0; i < 2; i++) {
        uint64_t parts[3];
        key[0] += 1;
        parts[0] = ili_siphash(key, r->method, strlen(r->method));
        parts[1] = ili_siphash(key, r->path, strlen(r->path));
        parts[2] = ili_siphash(key, r->body_bytes ? r->body : "", r->body_bytes);
        out[i] = ili_siphash(key, parts, sizeof parts);
    }
}

/* ---- waiting for the first ------------------------------------------------------------------------ */

static bool stop_waiting(struct ili_request *request, il_status why) {
    struct ili_record *record = request->record;
    struct ili_request **at = &record->repeats;
    while (*at != request) at = &(*at)->next_repeat;
    *at = request->next_repeat;
    request->record = NULL;
    if (why == IL_ETIMEOUT) {
        ili_reply_problem(request, IL_EINPROGRESS, NULL);
    } else if (why != IL_EGONE) {
        ili_reply_problem(request, why, NULL);
    }
    return true;
}

static const struct ili_wait waiting = {.rung = ili_park_not_rung, .end = stop_waiting};

static void wait_for(struct ili_request *r, struct ili_record *record) {
    int64_t deadline = r->server->now_ns + r->server->config.long_poll_ns;
    il_status status = ili_park(r, &waiting, deadline);
    if (status != IL_OK) {
        ili_reply_problem(r, IL_EINPROGRESS, NULL);
        return;
    }
    struct ili_request **at = &record->repeats;
    while (*at) at = &(*at)->next_repeat;
    *at = r;
    r->next_repeat = NULL;
    r->record = record;
}

static void replay(struct ili_request *r, struct ili_record *record) {
    record->replayed = true;
    ili_reply_again(r, record->http_status, record->body, record->body_bytes);
}

bool ili_repeat_begin(struct ili_request *request) {
    struct ili_idempotency *store = &request->server->idempotency;
    struct ili_record *record = ili_idempotency_find(store, request->key, request->server->now_ns);
    uint64_t fingerprint[2];
    fingerprint_of(request, fingerprint);
    if (!record) {
        record = ili_idempotency_add(store, request->key, fingerprint);
        if (!record) {
            ili_reply_problem(request, IL_ELIMIT, "too many requests with an Idempotency-Key run");
            return false;
        }
        record->runner = request;
        request->record = record;
        return true;
    }
    if (memcmp(record->fingerprint, fingerprint, sizeof fingerprint) != 0) {
        struct ili_fault fault;
        ili_fault_set(
            &fault, IL_EIDEMPOTENCY, "Idempotency-Key", "a key of its own for each request",
            "the Idempotency-Key \"%s\" was used with another method, path or body", request->key);
        ili_reply_fault(request, &fault);
    } else if (record->body) {
        replay(request, record);
    } else {
        wait_for(request, record);
    }
    return false;
}

/* ---- the first's end ------------------------------------------------------------------------------ */

/* Takes the waiting requests off RECORD; each goes on in its turn. */
static void release_repeats(struct ili_record *record, bool answered) {
    struct ili_request *r = record->repeats, *next;
    record->repeats = NULL;
    for (struct ili_request *each = r; each; each = each->next_repeat) each->record = NULL;
    for (; r; r = next) {
        next = r->next_repeat;
        r->next_repeat = NULL;
        if (answered) {
            replay(r, record);
        } else if (ili_repeat_begin(r)) {
            ili_request_handle(r);
        }
    }
}

static void forget(struct ili_request *request) {
    struct ili_record *record = request->record, kept;
    request->record = NULL;
    kept.repeats = record->repeats;
    record->repeats = NULL;
    ili_idempotency_forget(&request->server->idempotency, record);
    release_repeats(&kept, false); /* now that the key is free again */
}

void ili_repeat_keep(struct ili_request *request, unsigned http_status, const char *body,
                     size_t body_bytes) {
    if (!body) return;
    (void)ili_idempotency_answer(&request->server->idempotency, request->record, http_status, body,
                                 body_bytes, request->server->now_ns);
}

void ili_repeat_answered(struct ili_request *request) {
    struct ili_record *record = request->record;
    if (record->runner != request) return;
    if (record->body) {
        release_repeats(record, true);
    } else {
        forget(request);
    }
}

void ili_repeat_leave(struct ili_request *request, unsigned http_status, struct ili_out *view) {
    ili_repeat_keep(request, http_status, view->failed ? NULL : view->data, view->bytes);
    ili_out_free(view);
    ili_repeat_answered(request);
}

bool ili_repeat_completed(struct ili_request *request, bool written) {
    struct ili_record *record = request->record;
    if (record->runner != request) { /* a repeat that libmicrohttpd gave up */
        return true;
    }
    bool undo = !written && !record->replayed;
    bool effect = request->work && request->work->undo;
    record->runner = NULL;
    if (!record->body || (undo && effect)) {
        forget(request);
    } else {
        request->record = NULL;
    }
    return undo;
}
