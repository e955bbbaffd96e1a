/* remote.c - the module's one door: its table of calls. */
#include "client/barrier.h"
#include "client/condition.h"
#include "client/domain.h"
#include "client/event.h"
#include "client/host.h"
#include "client/latch.h"
#include "client/lock.h"
#include "client/loss.h"
#include "client/map.h"
#include "client/queue.h"
#include "client/rlock.h"
#include "client/rwlock.h"
#include "client/semaphore.h"
#include "client/several.h"
#include "client/task.h"
#include "client/workers.h"

const struct ili_remote_ops *ili_remote_ops(const struct ili_remote_host *host) {
    static const struct ili_remote_ops ops = {
        .abi = ILI_REMOTE_ABI,
        .domain_open = ili_remote_domain_open,
        .domain_close = ili_remote_domain_close,
        .lock_open = ili_remote_lock_open,
        .lock_close = ili_remote_lock_close,
        .lock_delete = ili_remote_lock_delete,
        .lock_acquire = ili_remote_lock_acquire,
        .lock_release = ili_remote_lock_release,
        .lock_locked = ili_remote_lock_locked,
        .lock_owner = ili_remote_lock_owner,
        .queue_open = ili_remote_queue_open,
        .queue_close = ili_remote_queue_close,
        .queue_delete = ili_remote_queue_delete,
        .queue_put = ili_remote_queue_put,
        .queue_get = ili_remote_queue_get,
        .queue_put_many = ili_remote_queue_put_many,
        .queue_get_many = ili_remote_queue_get_many,
        .queue_peek = ili_remote_queue_peek,
        .queue_size = ili_remote_queue_size,
        .queue_maxsize = ili_remote_queue_maxsize,
        .queue_full = ili_remote_queue_full,
        .queue_shut = ili_remote_queue_shut,
        .lock_acquire_leased = ili_remote_lock_acquire_leased,
        .lock_renew = ili_remote_lock_renew,
        .lock_check = ili_remote_lock_check,
        .lock_break = ili_remote_lock_break,
        .rlock_open = ili_remote_rlock_open,
        .rlock_close = ili_remote_rlock_close,
        .rlock_delete = ili_remote_rlock_delete,
        .rlock_acquire = ili_remote_rlock_acquire,
        .rlock_acquire_leased = ili_remote_rlock_acquire_leased,
        .rlock_release = ili_remote_rlock_release,
        .rlock_renew = ili_remote_rlock_renew,
        .rlock_check = ili_remote_rlock_check,
        .rlock_break = ili_remote_rlock_break,
        .rlock_locked = ili_remote_rlock_locked,
        .rlock_depth = ili_remote_rlock_depth,
        .rlock_owner = ili_remote_rlock_owner,
        .rwlock_open = ili_remote_rwlock_open,
        .rwlock_close = ili_remote_rwlock_close,
        .rwlock_delete = ili_remote_rwlock_delete,
        .rwlock_acquire = ili_remote_rwlock_acquire,
        .rwlock_acquire_leased = ili_remote_rwlock_acquire_leased,
        .rwlock_release = ili_remote_rwlock_release,
        .rwlock_renew = ili_remote_rwlock_renew,
        .rwlock_check = ili_remote_rwlock_check,
        .rwlock_break = ili_remote_rwlock_break,
        .rwlock_info_get = ili_remote_rwlock_info_get,
        .semaphore_open = ili_remote_semaphore_open,
        .semaphore_close = ili_remote_semaphore_close,
        .semaphore_delete = ili_remote_semaphore_delete,
        .semaphore_acquire = ili_remote_semaphore_acquire,
        .semaphore_acquire_leased = ili_remote_semaphore_acquire_leased,
        .semaphore_release = ili_remote_semaphore_release,
        .semaphore_renew = ili_remote_semaphore_renew,
        .semaphore_check = ili_remote_semaphore_check,
        .semaphore_break = ili_remote_semaphore_break,
        .semaphore_value = ili_remote_semaphore_value,
        .event_open = ili_remote_event_open,
        .event_close = ili_remote_event_close,
        .event_delete = ili_remote_event_delete,
        .event_set = ili_remote_event_set,
        .event_clear = ili_remote_event_clear,
        .event_is_set = ili_remote_event_is_set,
        .event_wait = ili_remote_event_wait,
        .latch_open = ili_remote_latch_open,
        .latch_close = ili_remote_latch_close,
        .latch_delete = ili_remote_latch_delete,
        .latch_count_down = ili_remote_latch_count_down,
        .latch_wait = ili_remote_latch_wait,
        .latch_count = ili_remote_latch_count,
        .barrier_open = ili_remote_barrier_open,
        .barrier_close = ili_remote_barrier_close,
        .barrier_delete = ili_remote_barrier_delete,
        .barrier_wait = ili_remote_barrier_wait,
        .barrier_reset = ili_remote_barrier_reset,
        .barrier_abort = ili_remote_barrier_abort,
        .barrier_info_get = ili_remote_barrier_info_get,
        .condition_open = ili_remote_condition_open,
        .condition_close = ili_remote_condition_close,
        .condition_delete = ili_remote_condition_delete,
        .condition_acquire = ili_remote_condition_acquire,
        .condition_release = ili_remote_condition_release,
        .condition_wait = ili_remote_condition_wait,
        .condition_notify = ili_remote_condition_notify,
        .condition_notify_all = ili_remote_condition_notify_all,
        .condition_waiters = ili_remote_condition_waiters,
        .acquire_all = ili_remote_acquire_all,
        .wait_any = ili_remote_wait_any,
        .loss_next = ili_remote_loss_next,
        .workers_open = ili_remote_workers_open,
        .workers_close = ili_remote_workers_close,
        .workers_submit = ili_remote_workers_submit,
        .workers_apply = ili_remote_workers_apply,
        .workers_map = ili_remote_workers_map,
        .workers_lanes = ili_remote_workers_lanes,
        .task_wait = ili_remote_task_wait,
        .task_result = ili_remote_task_result,
        .task_error = ili_remote_task_error,
        .task_state = ili_remote_task_state,
        .task_cancel = ili_remote_task_cancel,
        .task_id = ili_remote_task_id,
        .task_close = ili_remote_task_close,
    };
    if (!host || host->abi != ILI_REMOTE_ABI) return NULL;
    ili_host = host;
    return &ops;
}
