/* remote.c - the module's one door: its table of calls. */
#include "client/host.h"
#include "client/lock.h"
#include "client/queue.h"

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
    };
    if (!host || host->abi != ILI_REMOTE_ABI) return NULL;
    ili_host = host;
    return &ops;
}
