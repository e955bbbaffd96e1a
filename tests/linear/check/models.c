#include "linear/check/models.h"

const struct linear_model *linear_model_of(unsigned kind) {
    switch (kind) {
    case IL_KIND_LOCK:
    case IL_KIND_RLOCK:
    case IL_KIND_RWLOCK:
    case IL_KIND_SEMAPHORE: return &linear_grants;
    case IL_KIND_QUEUE: return &linear_queue;
    case IL_KIND_EVENT: return &linear_event;
    case IL_KIND_LATCH: return &linear_latch;
    case IL_KIND_BARRIER: return &linear_barrier;
    case IL_KIND_CONDITION: return &linear_condition;
    default: return NULL;
    }
}

const char *linear_kind_name(unsigned kind) {
    static const char *const names[] = {"?",         "lock",  "queue",     "rlock",   "rwlock",
                                        "semaphore", "event", "condition", "barrier", "latch"};
    return kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

const char *linear_op_name(unsigned op) {
    static const char *const names[] = {
        [0] = "?",
        [OP_ACQUIRE] = "acquire",
        [OP_RELEASE] = "release",
        [OP_RENEW] = "renew",
        [OP_CHECK] = "check",
        [OP_BREAK] = "break",
        [OP_PUT] = "put",
        [OP_GET] = "get",
        [OP_PEEK] = "peek",
        [OP_CLOSE] = "close",
        [OP_SET] = "set",
        [OP_CLEAR] = "clear",
        [OP_IS_SET] = "is_set",
        [OP_WAIT] = "wait",
        [OP_COUNT_DOWN] = "count_down",
        [OP_COUNT] = "count",
        [OP_MEET] = "wait",
        [OP_RESET] = "reset",
        [OP_ABORT] = "abort",
        [OP_AWAIT] = "wait",
        [OP_NOTIFY] = "notify",
        [OP_DEATH] = "(death)",
        [OP_LEASE_END] = "(lease end)",
        [OP_UNDO] = "(undone)",
        [OP_UNDO_DIED] = "(voided)",
        [OP_MEET_END] = "wait, end",
        [OP_WITHDRAW] = "wait, given up",
        [OP_AWAIT_END] = "wait, end",
    };
    return op < sizeof names / sizeof names[0] ? names[op] : "?";
}
