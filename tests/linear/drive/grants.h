/*
 * grants.h - what locks, rlocks, rwlocks and semaphores do in a campaign, in terms of their calls.
 */
#ifndef TESTS_LINEAR_DRIVE_GRANTS_H
#define TESTS_LINEAR_DRIVE_GRANTS_H

#include "linear/drive/worker.h"

/* The library's calls of a kind; it is linear_kind.calls. AMOUNT: mode, permits. */
struct grant_calls {
    il_status (*acquire)(void *handle, uint32_t amount, int64_t timeout_ns, int64_t lease_ns,
                         uint64_t *token);
    il_status (*release)(void *handle, uint32_t amount, uint64_t token);
    il_status (*renew)(void *handle, uint64_t token, int64_t lease_ns);
    il_status (*check)(void *handle, uint64_t token);
    il_status (*brk)(void *handle, uint64_t token);
};

/* Acquires all, or any, of the objects that the worker has at its place, if there are several. */
void grants_act_on_several(struct worker *worker);
void grants_act(struct worker *worker, uint32_t number);
void grants_settle(struct worker *worker, uint32_t number, bool thread);
void grants_finish(struct worker *worker, uint32_t number);

#endif
