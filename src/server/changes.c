#include "server/changes.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/objects.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/watch_kinds.h"
#include "sync/waiting.h"

#define ATTEMPTS 4 /* to find something new, before it answers that there is nothing */

struct polling {
    struct ili_work work;
    const struct ili_watch_kind *kind;
    void *object; /* pinned */
    struct ili_changes_place place;
};

static void free_polling(struct ili_request *request) {
    struct polling *p = (struct polling *)request->work;
    if (p->object) ili_unpin(request->server, p->object);
    request->work = NULL;
    free(p);
}

/* Writes all changes that there are. IL_ETIMEOUT: there is none. */
static il_status collect(struct ili_request *request, struct ili_out *out, bool *missed) {
    struct polling *p = (struct polling *)request->work;
    struct ili_member *member = ili_server_member(request->server);
    char key[IL_KEY_MAX_BYTES + 1];
    struct ili_changed change;
    bool any = false;
    il_status status;
    while ((status = p->kind->next(member, p->object, &p->place, &change, key)) == IL_OK) {
        any = true;
        if (change.what == IL_CHANGED_MISSED) {
            *missed = true;
            continue;
        }
        ili_out_open(out, '{');
        ili_out_key(out, "what");
        ili_out_string(out, ili_watch_word(change.what));
        ili_watch_write_change(out, p->kind, &change);
        ili_out_close(out, '}');
    }
    return any && status == IL_ETIMEOUT ? IL_OK : status;
}

/* Answers with what there is, perhaps nothing. IL_ETIMEOUT: nothing, and with WAITS it did not answer. */
static il_status answer(struct ili_request *request, bool waits) {
    const struct polling *p = (struct polling *)request->work;
    struct ili_out out = {0};
    bool missed = false;
    ili_out_open(&out, '{');
    ili_out_key(&out, "changes");
    ili_out_open(&out, '[');
    il_status status = collect(request, &out, &missed);
    if (status == IL_ETIMEOUT && !waits) status = IL_OK;
    if (status != IL_OK) {
        ili_out_free(&out);
        if (status != IL_ETIMEOUT) ili_reply_problem(request, status, NULL);
        return status;
    }
    ili_out_close(&out, ']');
    ili_out_key(&out, "after");
    ili_out_token(&out, p->place.version);
    ili_out_key(&out, "missed");
    ili_out_bool(&out, missed);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
    return IL_OK;
}

/* Answers, or waits: REQUEST is parked, and stands in no queue. */
static void look(struct ili_request *request) {
    const struct polling *p = (struct polling *)request->work;
    struct ili_member *member = ili_server_member(request->server);
    for (int i = 0; i < ATTEMPTS; i++) {
        if (answer(request, true) != IL_ETIMEOUT) return;
        il_status status = p->kind->enqueue(member, p->object, p->place.version, request->waiter);
        if (status == IL_ETIMEOUT) return;
        if (status != IL_OK) {
            ili_reply_problem(request, status, NULL);
            return;
        }
    }
    (void)answer(request, false);
}

static void rung(struct ili_request *request) {
    il_status status = ili_waiting_poll(request->waiter, NULL);
    if (status == IL_OK) {
        look(request);
    } else if (status != IL_ETIMEOUT) {
        ili_reply_problem(request, status, NULL);
    }
}

static bool end_wait(struct ili_request *request, il_status why) {
    const struct polling *p = (struct polling *)request->work;
    il_status status =
        p->kind->withdraw(ili_server_member(request->server), p->object, request->waiter);
    if (status == IL_EBUSY) return false;
    if (why == IL_EGONE) return true;
    if (status == IL_OK || (status == IL_ETIMEOUT && why == IL_ETIMEOUT)) {
        (void)answer(request, false);
    } else {
        ili_reply_problem(request, status == IL_ETIMEOUT ? why : status, NULL);
    }
    return true;
}

static const struct ili_wait waiting = {.rung = rung, .end = end_wait};

/* Reads the body. False: the request was answered. */
static bool read_body(struct ili_request *request, struct polling *p, bool *given,
                      int64_t *timeout_ns) {
    char after[24] = "";
    struct ili_fault fault;
    *timeout_ns = request->server->config.long_poll_ns;
    const struct ili_param params[] = {
        ILI_PARAM_TEXT("after", after, sizeof after - 1),
        ILI_PARAM_SECONDS("timeout", timeout_ns, 0, *timeout_ns),
    };
    if (!ili_request_read(request, params, 2)) return false;
    *given = after[0] != 0;
    if (!*given || ili_params_count("after", after, strlen(after), 0, UINT64_MAX, &p->place.version,
                                    &fault) == IL_OK) {
        return true;
    }
    ili_reply_fault(request, &fault);
    return false;
}

void ili_changes(struct ili_request *request) {
    struct ili_changes_place now = {0};
    int64_t timeout_ns;
    bool given;
    struct polling *p = calloc(1, sizeof *p);
    if (!p) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the request");
        return;
    }
    p->work.free = free_polling;
    p->kind = ili_watch_kind_of(request->route->collection);
    request->work = &p->work;
    if (!read_body(request, p, &given, &timeout_ns)) return;
    p->object = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!p->object) return;
    il_status status = p->kind->begin(ili_server_member(request->server), p->object, &now);
    if (status != IL_OK) {
        ili_reply_problem(request, status, NULL);
        return;
    }
    if (!given) p->place = now;
    if (answer(request, timeout_ns > 0) != IL_ETIMEOUT) return;
    status = ili_park(request, &waiting, ili_now_ns() + timeout_ns);
    if (status != IL_OK) {
        ili_reply_problem(request, status, NULL);
        return;
    }
    ili_request_drop_body(request);
    look(request);
}
