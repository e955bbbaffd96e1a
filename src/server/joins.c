#include "server/joins.h"

#include "base/clock.h"
#include "server/params.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/vigil.h"

struct ili_join {
    struct ili_vigil vigil;
    struct ili_joins *joins;
    struct ili_join *before, *after;
    void *thing;
    ili_join_answer answer;
};

static void leave(struct ili_vigil *vigil) {
    struct ili_join *join = (struct ili_join *)vigil;
    *(join->before ? &join->before->after : &join->joins->first) = join->after;
    *(join->after ? &join->after->before : &join->joins->last) = join->before;
}

static void answer(struct ili_request *request, il_status status) {
    const struct ili_join *join = (struct ili_join *)request->work;
    if (status == IL_OK) {
        join->answer(request, join->thing);
    } else if (status != IL_EGONE) {
        ili_reply_problem(request, status, NULL);
    }
}

bool ili_join_read(struct ili_request *request, struct ili_join_fields *fields) {
    *fields = (struct ili_join_fields){.timeout_ns = request->server->config.long_poll_ns};
    const struct ili_param params[] = {
        ILI_PARAM_SECONDS("timeout", &fields->timeout_ns, 0, fields->timeout_ns),
        ILI_WHO_PARAMS(&fields->who),
    };
    return ili_request_read(request, params, 1 + ILI_WHO_COUNT) &&
           ili_who_begin(request, &fields->who);
}

void ili_join_wait(struct ili_request *request, struct ili_joins *joins, void *thing,
                   int64_t timeout_ns, ili_join_answer answer_told) {
    if (timeout_ns == 0) {
        ili_reply_problem(request, IL_ETIMEOUT, NULL);
        return;
    }
    struct ili_join *join = ili_vigil_new(request, sizeof *join, leave, answer);
    if (!join) return;
    join->thing = thing;
    join->answer = answer_told;
    il_status status = ili_vigil_park(request, &join->vigil, ili_now_ns() + timeout_ns);
    if (status != IL_OK) {
        ili_reply_problem(request, status, NULL);
        return;
    }
    join->joins = joins;
    join->before = joins->last;
    *(joins->last ? &joins->last->after : &joins->first) = join;
    joins->last = join;
}

void ili_joins_tell(struct ili_joins *joins) {
    while (joins->first) {
        struct ili_join *join = joins->first;
        leave(&join->vigil);
        ili_vigil_met(&join->vigil);
    }
}
