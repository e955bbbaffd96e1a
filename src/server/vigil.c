#include "server/vigil.h"

#include <stdlib.h>

#include "server/park.h"
#include "server/reply.h"

static bool end_wait(struct ili_request *request, il_status why) {
    struct ili_vigil *vigil = (struct ili_vigil *)request->work;
    vigil->unwatch(vigil);
    vigil->answer(request, why);
    return true;
}

static const struct ili_wait waiting = {.rung = ili_park_not_rung, .end = end_wait};

static void free_vigil(struct ili_request *request) {
    free(request->work);
    request->work = NULL;
}

void *ili_vigil_new(struct ili_request *request, size_t bytes,
                    void (*unwatch)(struct ili_vigil *vigil),
                    void (*answer)(struct ili_request *request, il_status status)) {
    struct ili_vigil *vigil = calloc(1, bytes);
    if (!vigil) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the wait");
        return NULL;
    }
    vigil->work.free = free_vigil;
    vigil->unwatch = unwatch;
    vigil->answer = answer;
    request->work = &vigil->work;
    return vigil;
}

il_status ili_vigil_park(struct ili_request *request, struct ili_vigil *vigil,
                         int64_t deadline_ns) {
    vigil->request = request;
    il_status status = ili_park(request, &waiting, deadline_ns);
    if (status == IL_OK) ili_request_drop_body(request);
    return status;
}

void ili_vigil_met(struct ili_vigil *vigil) { vigil->answer(vigil->request, IL_OK); }
