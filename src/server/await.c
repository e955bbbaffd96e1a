#include "server/await.h"

#include <stdlib.h>

#include "base/clock.h"
#include "server/objects.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"
#include "sync/waiting.h"

struct awaiting {
    struct ili_work work;
    const struct ili_awaited *how;
    void *object; /* pinned */
};

static void free_awaiting(struct ili_request *request) {
    struct awaiting *a = (struct awaiting *)request->work;
    if (a->object) ili_unpin(request->server, a->object);
    request->work = NULL;
    free(a);
}

static void answer(struct ili_request *request, il_status status, uint64_t told) {
    const struct awaiting *a = (struct awaiting *)request->work;
    struct ili_out out = {0};
    if (status != IL_OK) {
        ili_reply_problem(request, status, NULL);
        return;
    }
    ili_out_open(&out, '{');
    ili_out_key(&out, "name");
    ili_out_text(&out, request->name, request->name_bytes);
    a->how->success(&out, told);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

static void rung(struct ili_request *request) {
    uint64_t told = 0;
    il_status status = ili_waiting_poll(request->waiter, &told);
    if (status != IL_ETIMEOUT) answer(request, status, told);
}

static bool end_wait(struct ili_request *request, il_status why) {
    const struct awaiting *a = (struct awaiting *)request->work;
    uint64_t told = 0;
    il_status status =
        a->how->withdraw(ili_server_member(request->server), a->object, request->waiter, &told);
    if (status == IL_EBUSY) return false;
    if (why != IL_EGONE) answer(request, status == IL_ETIMEOUT ? why : status, told);
    return true;
}

static const struct ili_wait waiting = {.rung = rung, .end = end_wait};

static void park(struct ili_request *request, int64_t deadline_ns) {
    const struct awaiting *a = (struct awaiting *)request->work;
    uint64_t told = 0;
    /* parked first: what may fail then fails before it stands in the queue */
    il_status status = ili_park(request, &waiting, deadline_ns);
    if (status == IL_OK) {
        ili_request_drop_body(request);
        status =
            a->how->enqueue(ili_server_member(request->server), a->object, request->waiter, &told);
    }
    if (status != IL_ETIMEOUT) answer(request, status, told);
}

void ili_await(struct ili_request *request, const struct ili_awaited *how) {
    int64_t timeout_ns = request->server->config.long_poll_ns;
    struct ili_who who = {0};
    uint64_t told = 0;
    struct awaiting *a = calloc(1, sizeof *a);
    if (!a) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the request");
        return;
    }
    a->work.free = free_awaiting;
    a->how = how;
    request->work = &a->work;
    const struct ili_param params[] = {
        ILI_PARAM_SECONDS("timeout", &timeout_ns, 0, timeout_ns),
        ILI_WHO_PARAMS(&who),
    };
    if (!ili_request_read(request, params, how->named ? 3 : 1)) return;
    if (how->named && !ili_who_begin(request, &who)) return;
    a->object = ili_objects_pin(request, how->makes ? 0 : ILI_OPEN_EXISTING);
    if (!a->object) return;
    if (timeout_ns == 0 || !how->commits) {
        il_status status = how->now(ili_server_member(request->server), a->object, &told);
        if (status != IL_ETIMEOUT || timeout_ns == 0) {
            answer(request, status, told);
            return;
        }
    }
    park(request, ili_now_ns() + timeout_ns);
}
