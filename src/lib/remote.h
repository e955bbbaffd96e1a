/*
 * remote.h - what libinterlock.so and its HTTP door, the module libinterlock-remote.so.0, say to
 * each other.
 *
 * The module is opened by dlopen() when the first http: or https: domain is, and never closed. It
 * contains its own copy of src/base, but what lives once per thread (the error text, a pending
 * interruption) lives in the library, so the module reaches it through ili_remote_host.
 *
 * The calls have the meaning of their namesakes in interlock.h: codes, timeouts, out parameters
 * untouched on failure, any number of threads at once. The library has checked before that handles
 * and out parameters are not NULL, that names are names (ili_name_check()), that option structures
 * have a size and no unknown flag, and that message types exist.
 * A failing call has written the thread's error text through ili_remote_host.fail.
 * fork(): in the child every call on an inherited handle returns IL_EFORKED, but the closes, which
 * free what is safe to free and return IL_OK.
 */
#ifndef ILI_LIB_REMOTE_H
#define ILI_LIB_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

#define ILI_REMOTE_ABI 1u
#define ILI_REMOTE_MODULE "libinterlock-remote.so.0"

/* What the library does for the module. All functions are about the calling thread. */
struct ili_remote_host {
    uint32_t abi; /* ILI_REMOTE_ABI */
    /* Writes the thread's error text, "<sentence of STATUS>: TEXT", and returns STATUS. TEXT may be
     * NULL. */
    il_status (*fail)(il_status status, const char *text);
    /* Takes a pending il_interrupt(): true if there was one. */
    bool (*take_interrupt)(void);
    /* Makes an interruption that was taken pending again. */
    void (*raise_interrupt)(void);
    /* Readable while an interruption is pending; -1 if none can be made. Borrowed; does not block. */
    int (*wake_fd)(void);
    int64_t (*now_ns)(void); /* CLOCK_MONOTONIC */
};

struct ili_remote_domain;
struct ili_remote_lock;
struct ili_remote_queue;

struct ili_remote_ops {
    uint32_t abi; /* ILI_REMOTE_ABI */

    /* ADDRESS begins with http:// or https://. LABEL NULL: the program's name. */
    il_status (*domain_open)(const char *address, const char *label,
                             struct ili_remote_domain **out);
    il_status (*domain_close)(struct ili_remote_domain *domain);

    /* FLAGS NULL: no options were given, take the lock as it is. NAME NULL: anonymous, which is
     * IL_EUNSUPPORTED here. */
    il_status (*lock_open)(struct ili_remote_domain *domain, const char *name, size_t name_bytes,
                           const uint32_t *flags, struct ili_remote_lock **out);
    il_status (*lock_close)(struct ili_remote_lock *lock);
    il_status (*lock_delete)(struct ili_remote_domain *domain, const char *name, size_t name_bytes);
    il_status (*lock_acquire)(struct ili_remote_lock *lock, int64_t timeout_ns, uint64_t *token);
    il_status (*lock_release)(struct ili_remote_lock *lock, uint64_t token);
    il_status (*lock_locked)(struct ili_remote_lock *lock, int32_t *locked);
    /* Writes every field but struct_bytes; the library copies what the caller has room for. */
    il_status (*lock_owner)(struct ili_remote_lock *lock, il_owner *owner);

    /* MAXSIZE NULL and NAME NULL as for lock_open. */
    il_status (*queue_open)(struct ili_remote_domain *domain, const char *name, size_t name_bytes,
                            const uint64_t *maxsize, struct ili_remote_queue **out);
    il_status (*queue_close)(struct ili_remote_queue *queue);
    il_status (*queue_delete)(struct ili_remote_domain *domain, const char *name,
                              size_t name_bytes);
    il_status (*queue_put)(struct ili_remote_queue *queue, const void *data, size_t bytes,
                           uint32_t type, int64_t timeout_ns);
    il_status (*queue_get)(struct ili_remote_queue *queue, void *buffer, size_t capacity,
                           size_t *bytes, uint32_t *type, int64_t timeout_ns);
    il_status (*queue_put_many)(struct ili_remote_queue *queue, const il_message *messages,
                                size_t count, size_t *done, int64_t timeout_ns);
    il_status (*queue_get_many)(struct ili_remote_queue *queue, void *buffer, size_t capacity,
                                il_message *messages, size_t count, size_t *done,
                                int64_t timeout_ns);
    il_status (*queue_peek)(struct ili_remote_queue *queue, void *buffer, size_t capacity,
                            size_t *bytes, uint32_t *type);
    il_status (*queue_size)(struct ili_remote_queue *queue, uint64_t *size);
    il_status (*queue_maxsize)(struct ili_remote_queue *queue, uint64_t *maxsize);
    il_status (*queue_full)(struct ili_remote_queue *queue, int32_t *full);
    il_status (*queue_shut)(struct ili_remote_queue *queue);
};

/* The module's one exported symbol. HOST is borrowed for ever. NULL: HOST has another abi. */
const struct ili_remote_ops *ili_remote_ops(const struct ili_remote_host *host);

#endif
