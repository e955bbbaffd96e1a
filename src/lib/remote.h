/*
 * remote.h - what libinterlock.so and its HTTP door, the module libinterlock-remote.so.0, say to
 * each other.
 *
 * The module is opened by dlopen() when the first http: or https: domain is, or the first pool of
 * a unix: domain, and never closed. It contains its own copy of src/base, but what lives once per thread
 * (the error text, what is asked of it) lives in the library, so the module reaches it through
 * ili_remote_host.
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

#define ILI_REMOTE_ABI 6u
#define ILI_REMOTE_MODULE "libinterlock-remote.so.0"

/* What the library does for the module. All functions are about the calling thread. */
struct ili_remote_host {
    uint32_t abi; /* ILI_REMOTE_ABI */
    /* Writes the thread's error text, "<sentence of STATUS>: TEXT", and returns STATUS. TEXT may be
     * NULL. */
    il_status (*fail)(il_status status, const char *text);
    /* What is asked of the thread before it waits: IL_OK nothing, IL_EINTR (an il_interrupt(), which is
     * taken), IL_ECANCELLED (stays so). */
    il_status (*take_request)(void);
    /* Makes an interruption that was taken pending again. */
    void (*raise_interrupt)(void);
    /* A signal handler ran during a wait of the thread: asks for an interruption if its waits are to end by that
     * (il_signals_interrupt()). */
    void (*signalled)(void);
    /* Becomes readable when something is asked; -1 if none can be made. Borrowed; does not block. Who
     * finds it readable though nothing is asked drains it. */
    int (*wake_fd)(void);
    int64_t (*cancelled_at_ns)(void); /* when a time limit will cancel it; ILI_NEVER: none will */
    int64_t (*now_ns)(void);          /* CLOCK_MONOTONIC */
};

struct ili_remote_domain;
struct ili_remote_lock;
struct ili_remote_queue;
struct ili_remote_dict;
struct ili_remote_watch;
struct ili_remote_list;
struct ili_remote_pipe;
struct ili_remote_rlock;
struct ili_remote_rwlock;
struct ili_remote_semaphore;
struct ili_remote_event;
struct ili_remote_latch;
struct ili_remote_barrier;
struct ili_remote_condition;
struct ili_remote_cells;
struct ili_remote_workers;
struct ili_remote_task;

/* One call of a function, for il_workers_submit(). All borrowed; ARGS and KWARGS may be NULL. OPTIONS has every
 * field, or is NULL. */
struct ili_remote_work {
    const char *function;
    size_t function_bytes;
    const char *args;
    size_t args_bytes;
    const char *kwargs;
    size_t kwargs_bytes;
    const il_task_options *options;
};

/* The same of each item of il_workers_map(): ARGS is absent. */
struct ili_remote_map {
    struct ili_remote_work work;
    const il_map_item *items;
    size_t count;
    uint32_t flags, chunk; /* of il_map_options */
    il_map_each each;      /* not NULL */
    void *context;
};

/* What a pool offers to il_workers_map() by way of the arena (base/lane.h). */
struct ili_remote_lanes {
    uint32_t count;   /* workers that take the function so; 0: all must go over HTTP */
    uint32_t retries; /* the pool's default */
};

/* What a value or an array is made of. */
struct ili_remote_cells_shape {
    uint32_t type, room;
    uint64_t length;
};

/* One target of acquire_all and wait_any, for il_target: OBJECT is the handle of the module. */
struct ili_remote_target {
    uint32_t kind, mode, count;
    il_status status; /* written with the grant */
    void *object;
    uint64_t token; /* written with the grant */
};

struct ili_remote_ops {
    uint32_t abi; /* ILI_REMOTE_ABI */

    /* ADDRESS begins with http:// or https://, or is that of a unix: domain, for its pools. LABEL NULL: the program's name. */
    il_status (*domain_open)(const char *address, const char *label,
                             struct ili_remote_domain **out);
    il_status (*domain_close)(struct ili_remote_domain *domain);

    /* OPTIONS NULL: none were given, take the lock as it is. NAME NULL: anonymous, which is
     * IL_EUNSUPPORTED here. */
    il_status (*lock_open)(struct ili_remote_domain *domain, const char *name, size_t name_bytes,
                           const il_lock_options *options, struct ili_remote_lock **out);
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

    /* OPTIONS NULL and NAME NULL as for lock_open; the end is claimed by the session of the domain. */
    il_status (*pipe_open)(struct ili_remote_domain *domain, const char *name, size_t name_bytes,
                           const il_pipe_options *options, uint32_t end,
                           struct ili_remote_pipe **out);
    il_status (*pipe_close)(struct ili_remote_pipe *pipe);
    il_status (*pipe_delete)(struct ili_remote_domain *domain, const char *name, size_t name_bytes);
    il_status (*pipe_send)(struct ili_remote_pipe *pipe, const void *data, size_t bytes,
                           uint32_t type, int64_t timeout_ns);
    il_status (*pipe_receive)(struct ili_remote_pipe *pipe, void *buffer, size_t capacity,
                              size_t *bytes, uint32_t *type, int64_t timeout_ns);
    il_status (*pipe_poll)(struct ili_remote_pipe *pipe, int64_t timeout_ns, int32_t *ready);
    /* All of INFO but its struct_bytes. */
    il_status (*pipe_info_get)(struct ili_remote_pipe *pipe, il_pipe_info *info);

    /* OPTIONS, COUNT, PARTIES NULL and NAME NULL as for lock_open. Where interlock.h says "the calling
     * thread", the module takes the thread as the owner key. */
    il_status (*lock_acquire_leased)(struct ili_remote_lock *lock, int64_t timeout_ns,
                                     int64_t lease_ns, uint64_t *token);
    il_status (*lock_renew)(struct ili_remote_lock *lock, uint64_t token, int64_t lease_ns);
    il_status (*lock_check)(struct ili_remote_lock *lock, uint64_t token);
    il_status (*lock_break)(struct ili_remote_lock *lock, uint64_t token, const char *reason);
    il_status (*rlock_open)(struct ili_remote_domain *domain, const char *name, size_t name_bytes,
                            const il_lock_options *options, struct ili_remote_rlock **out);
    il_status (*rlock_close)(struct ili_remote_rlock *lock);
    il_status (*rlock_delete)(struct ili_remote_domain *domain, const char *name,
                              size_t name_bytes);
    il_status (*rlock_acquire)(struct ili_remote_rlock *lock, int64_t timeout_ns, uint64_t *token);
    il_status (*rlock_acquire_leased)(struct ili_remote_rlock *lock, int64_t timeout_ns,
                                      int64_t lease_ns, uint64_t *token);
    il_status (*rlock_release)(struct ili_remote_rlock *lock, uint64_t token);
    il_status (*rlock_renew)(struct ili_remote_rlock *lock, uint64_t token, int64_t lease_ns);
    il_status (*rlock_check)(struct ili_remote_rlock *lock, uint64_t token);
    il_status (*rlock_break)(struct ili_remote_rlock *lock, uint64_t token, const char *reason);
    il_status (*rlock_locked)(struct ili_remote_rlock *lock, int32_t *locked);
    il_status (*rlock_depth)(struct ili_remote_rlock *lock, uint32_t *depth);
    il_status (*rlock_owner)(struct ili_remote_rlock *lock, il_owner *owner);
    il_status (*rwlock_open)(struct ili_remote_domain *domain, const char *name, size_t name_bytes,
                             const il_rwlock_options *options, struct ili_remote_rwlock **out);
    il_status (*rwlock_close)(struct ili_remote_rwlock *lock);
    il_status (*rwlock_delete)(struct ili_remote_domain *domain, const char *name,
                               size_t name_bytes);
    il_status (*rwlock_acquire)(struct ili_remote_rwlock *lock, uint32_t mode, int64_t timeout_ns,
                                uint64_t *token);
    il_status (*rwlock_acquire_leased)(struct ili_remote_rwlock *lock, uint32_t mode,
                                       int64_t timeout_ns, int64_t lease_ns, uint64_t *token);
    il_status (*rwlock_release)(struct ili_remote_rwlock *lock, uint64_t token);
    il_status (*rwlock_renew)(struct ili_remote_rwlock *lock, uint64_t token, int64_t lease_ns);
    il_status (*rwlock_check)(struct ili_remote_rwlock *lock, uint64_t token);
    il_status (*rwlock_break)(struct ili_remote_rwlock *lock, uint64_t token, const char *reason);
    il_status (*rwlock_info_get)(struct ili_remote_rwlock *lock, il_rwlock_info *info);
    il_status (*semaphore_open)(struct ili_remote_domain *domain, const char *name,
                                size_t name_bytes, const il_semaphore_options *options,
                                struct ili_remote_semaphore **out);
    il_status (*semaphore_close)(struct ili_remote_semaphore *semaphore);
    il_status (*semaphore_delete)(struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes);
    il_status (*semaphore_acquire)(struct ili_remote_semaphore *semaphore, uint32_t count,
                                   int64_t timeout_ns, uint64_t *token);
    il_status (*semaphore_acquire_leased)(struct ili_remote_semaphore *semaphore, uint32_t count,
                                          int64_t timeout_ns, int64_t lease_ns, uint64_t *token);
    il_status (*semaphore_release)(struct ili_remote_semaphore *semaphore, uint32_t count,
                                   uint64_t token);
    il_status (*semaphore_renew)(struct ili_remote_semaphore *semaphore, uint64_t token,
                                 int64_t lease_ns);
    il_status (*semaphore_check)(struct ili_remote_semaphore *semaphore, uint64_t token);
    il_status (*semaphore_break)(struct ili_remote_semaphore *semaphore, uint64_t token,
                                 const char *reason);
    il_status (*semaphore_value)(struct ili_remote_semaphore *semaphore, uint32_t *value);
    il_status (*event_open)(struct ili_remote_domain *domain, const char *name, size_t name_bytes,
                            struct ili_remote_event **out);
    il_status (*event_close)(struct ili_remote_event *event);
    il_status (*event_delete)(struct ili_remote_domain *domain, const char *name,
                              size_t name_bytes);
    il_status (*event_set)(struct ili_remote_event *event);
    il_status (*event_clear)(struct ili_remote_event *event);
    il_status (*event_is_set)(struct ili_remote_event *event, int32_t *set);
    il_status (*event_wait)(struct ili_remote_event *event, int64_t timeout_ns);
    il_status (*latch_open)(struct ili_remote_domain *domain, const char *name, size_t name_bytes,
                            const uint32_t *count, struct ili_remote_latch **out);
    il_status (*latch_close)(struct ili_remote_latch *latch);
    il_status (*latch_delete)(struct ili_remote_domain *domain, const char *name,
                              size_t name_bytes);
    il_status (*latch_count_down)(struct ili_remote_latch *latch, uint32_t count, uint32_t *left);
    il_status (*latch_wait)(struct ili_remote_latch *latch, int64_t timeout_ns);
    il_status (*latch_count)(struct ili_remote_latch *latch, uint32_t *count);
    il_status (*barrier_open)(struct ili_remote_domain *domain, const char *name, size_t name_bytes,
                              const uint32_t *parties, struct ili_remote_barrier **out);
    il_status (*barrier_close)(struct ili_remote_barrier *barrier);
    il_status (*barrier_delete)(struct ili_remote_domain *domain, const char *name,
                                size_t name_bytes);
    il_status (*barrier_wait)(struct ili_remote_barrier *barrier, int64_t timeout_ns,
                              uint32_t *index);
    il_status (*barrier_reset)(struct ili_remote_barrier *barrier);
    il_status (*barrier_abort)(struct ili_remote_barrier *barrier);
    il_status (*barrier_info_get)(struct ili_remote_barrier *barrier, il_barrier_info *info);
    /* LOCK or RLOCK, the one it is bound to; both NULL: whatever it is, or an rlock of its own. */
    il_status (*condition_open)(struct ili_remote_domain *domain, const char *name,
                                size_t name_bytes, struct ili_remote_lock *lock,
                                struct ili_remote_rlock *rlock, struct ili_remote_condition **out);
    il_status (*condition_close)(struct ili_remote_condition *condition);
    il_status (*condition_delete)(struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes);
    il_status (*condition_acquire)(struct ili_remote_condition *condition, int64_t timeout_ns,
                                   uint64_t *token);
    il_status (*condition_release)(struct ili_remote_condition *condition, uint64_t token);
    il_status (*condition_wait)(struct ili_remote_condition *condition, int64_t timeout_ns,
                                uint64_t *token);
    il_status (*condition_notify)(struct ili_remote_condition *condition, uint32_t count);
    il_status (*condition_notify_all)(struct ili_remote_condition *condition);
    il_status (*condition_waiters)(struct ili_remote_condition *condition, uint32_t *waiters);

    /* Values and arrays: KIND is IL_KIND_VALUE or IL_KIND_ARRAY, INDEX is not looked at for a value. GIVEN: SHAPE is what was
     * asked for; it becomes what it is. The library has checked types, rooms and indexes by SHAPE; that what is given
     * as text is UTF-8. */
    il_status (*cells_open)(struct ili_remote_domain *domain, uint32_t kind, const char *name,
                            size_t name_bytes, bool given, struct ili_remote_cells_shape *shape,
                            struct ili_remote_cells **out);
    il_status (*cells_close)(struct ili_remote_cells *cells);
    il_status (*cells_delete)(struct ili_remote_domain *domain, uint32_t kind, const char *name,
                              size_t name_bytes);
    il_status (*cells_load)(struct ili_remote_cells *cells, int64_t index, uint32_t type,
                            void *out);
    il_status (*cells_store)(struct ili_remote_cells *cells, int64_t index, uint32_t type,
                             const void *in);
    il_status (*cells_add)(struct ili_remote_cells *cells, int64_t index, uint32_t type,
                           const void *delta, void *before);
    il_status (*cells_exchange)(struct ili_remote_cells *cells, int64_t index, uint32_t type,
                                const void *in, void *before);
    il_status (*cells_compare_exchange)(struct ili_remote_cells *cells, int64_t index,
                                        uint32_t type, void *expected, const void *desired,
                                        int32_t *swapped);
    /* IL_ETOOBIG: *BYTES is what it has. */
    il_status (*cells_get)(struct ili_remote_cells *cells, int64_t index, void *buffer,
                           uint64_t capacity, uint64_t *bytes);
    il_status (*cells_set)(struct ili_remote_cells *cells, int64_t index, const void *data,
                           uint64_t bytes);
    il_status (*cells_compare_set)(struct ili_remote_cells *cells, int64_t index,
                                   const void *expected, uint64_t expected_bytes,
                                   const void *desired, uint64_t desired_bytes, int32_t *swapped);
    il_status (*cells_read)(struct ili_remote_cells *cells, uint64_t start, uint64_t count,
                            uint32_t type, void *out);
    il_status (*cells_write)(struct ili_remote_cells *cells, uint64_t start, uint64_t count,
                             uint32_t type, const void *in);

    il_status (*acquire_all)(struct ili_remote_target *targets, size_t count, int64_t timeout_ns);
    il_status (*wait_any)(struct ili_remote_target *targets, size_t count, int64_t timeout_ns,
                          size_t *index);
    il_status (*loss_next)(struct ili_remote_domain *domain, il_loss *loss, int64_t timeout_ns);

    il_status (*workers_open)(struct ili_remote_domain *domain, const char *name, size_t name_bytes,
                              struct ili_remote_workers **out);
    il_status (*workers_close)(struct ili_remote_workers *workers);
    il_status (*workers_submit)(struct ili_remote_workers *workers,
                                const struct ili_remote_work *work, struct ili_remote_task **out);
    il_status (*workers_apply)(struct ili_remote_workers *workers,
                               const struct ili_remote_work *work, int64_t timeout_ns,
                               struct ili_remote_task **out);
    /* IL_OK: every item was told, however it ended. Else as il_workers_map(). */
    il_status (*workers_map)(struct ili_remote_workers *workers, const struct ili_remote_map *map,
                             int64_t timeout_ns);
    il_status (*workers_lanes)(struct ili_remote_workers *workers, const char *function,
                               size_t function_bytes, struct ili_remote_lanes *lanes);
    il_status (*task_wait)(struct ili_remote_task *task, int64_t timeout_ns);
    il_status (*task_result)(struct ili_remote_task *task, void *buffer, size_t capacity,
                             size_t *bytes, int64_t timeout_ns);
    il_status (*task_error)(struct ili_remote_task *task, void *buffer, size_t capacity,
                            size_t *bytes, int64_t timeout_ns);
    il_status (*task_state)(struct ili_remote_task *task, uint32_t *state);
    il_status (*task_cancel)(struct ili_remote_task *task);
    il_status (*task_id)(struct ili_remote_task *task, uint64_t *id);
    il_status (*task_close)(struct ili_remote_task *task);

    /* Keys and values have been checked: their lengths, UTF-8, types and JSON. BUFFER may be NULL: there is no room
     * then. VERSION may be NULL where the call is il_…'s. */
    il_status (*dict_open)(struct ili_remote_domain *domain, const char *name, size_t name_bytes,
                           const il_data_options *options, struct ili_remote_dict **out);
    il_status (*dict_close)(struct ili_remote_dict *dict);
    il_status (*dict_delete)(struct ili_remote_domain *domain, const char *name, size_t name_bytes);
    il_status (*dict_get)(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                          void *buffer, size_t capacity, il_item *item);
    il_status (*dict_contains)(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                               int32_t *found);
    il_status (*dict_set)(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                          const il_message *message, uint64_t *version);
    il_status (*dict_set_default)(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                                  const il_message *message, void *buffer, size_t capacity,
                                  il_item *item, int32_t *created);
    il_status (*dict_remove)(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                             uint64_t version);
    il_status (*dict_pop)(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                          void *buffer, size_t capacity, il_item *item);
    il_status (*dict_pop_item)(struct ili_remote_dict *dict, void *buffer, size_t capacity,
                               il_entry *entry);
    il_status (*dict_length)(struct ili_remote_dict *dict, uint64_t *length, uint64_t *version);
    il_status (*dict_clear)(struct ili_remote_dict *dict);
    /* INTO is of the same domain. */
    il_status (*dict_copy)(struct ili_remote_dict *dict, struct ili_remote_dict *into);
    il_status (*dict_update)(struct ili_remote_dict *dict, const il_dict_change *changes,
                             size_t count, uint64_t *version);
    il_status (*dict_items)(struct ili_remote_dict *dict, il_cursor *cursor, uint32_t what,
                            void *buffer, size_t capacity, il_entry *entries, size_t count,
                            size_t *done);

    il_status (*list_open)(struct ili_remote_domain *domain, const char *name, size_t name_bytes,
                           const il_data_options *options, struct ili_remote_list **out);
    il_status (*list_close)(struct ili_remote_list *list);
    il_status (*list_delete)(struct ili_remote_domain *domain, const char *name, size_t name_bytes);
    il_status (*list_get)(struct ili_remote_list *list, int64_t index, void *buffer,
                          size_t capacity, il_item *item);
    il_status (*list_set)(struct ili_remote_list *list, int64_t index, const il_message *message,
                          uint64_t *version);
    il_status (*list_remove_at)(struct ili_remote_list *list, int64_t index, uint64_t version);
    il_status (*list_pop)(struct ili_remote_list *list, int64_t index, void *buffer,
                          size_t capacity, il_item *item);
    il_status (*list_remove)(struct ili_remote_list *list, const il_message *message);
    il_status (*list_index)(struct ili_remote_list *list, const il_message *message, int64_t start,
                            int64_t stop, uint64_t *index);
    il_status (*list_count)(struct ili_remote_list *list, const il_message *message,
                            uint64_t *count);
    il_status (*list_reverse)(struct ili_remote_list *list);
    il_status (*list_sort)(struct ili_remote_list *list, uint32_t flags);
    il_status (*list_length)(struct ili_remote_list *list, uint64_t *length, uint64_t *version);
    il_status (*list_slice)(struct ili_remote_list *list, int64_t start, int64_t stop, void *buffer,
                            size_t capacity, il_list_item *items, size_t count, size_t *done,
                            uint64_t *version);
    /* Also append, insert, extend and clear. */
    il_status (*list_splice)(struct ili_remote_list *list, int64_t start, int64_t stop,
                             const il_message *messages, size_t count, uint64_t *version);

    /* OBJECT is the module's handle of KIND. `next` writes every field of *CHANGED, which is all zero, but
     * struct_bytes. */
    il_status (*watch_open)(uint32_t kind, void *object, uint64_t after,
                            struct ili_remote_watch **out);
    il_status (*watch_next)(struct ili_remote_watch *watch, il_changed *changed,
                            int64_t timeout_ns);
    il_status (*watch_close)(struct ili_remote_watch *watch);
};

/* The module's one exported symbol. HOST is borrowed for ever. NULL: HOST has another abi. */
const struct ili_remote_ops *ili_remote_ops(const struct ili_remote_host *host);

#endif
