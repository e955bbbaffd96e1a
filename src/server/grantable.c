#include "server/grantable.h"

#include <string.h>

#include "server/server.h"
#include "sync/lock.h"
#include "sync/rlock.h"
#include "sync/rwlock.h"
#include "sync/semaphore.h"

/* ---- locks ---------------------------------------------------------------------------------------- */

static il_status try_lock(struct ili_member *m, void *object, uint32_t owner,
                          const struct ili_ask *ask, uint64_t *token) {
    (void)ask;
    return ili_lock_try(m, object, owner, token);
}

static il_status enqueue_lock(struct ili_member *m, void *object, struct ili_agent *waiter,
                              uint32_t owner, const struct ili_ask *ask, uint64_t *token) {
    (void)ask;
    return ili_lock_enqueue(m, object, waiter, owner, token);
}

static il_status withdraw_lock(struct ili_member *m, void *object, struct ili_agent *waiter,
                               uint64_t *token) {
    return ili_lock_withdraw(m, object, waiter, token);
}

static il_status release_lock(struct ili_member *m, void *object, uint32_t owner, uint64_t token,
                              uint32_t count, uint32_t *left) {
    (void)count, (void)left;
    return ili_lock_release(m, object, owner, token);
}

static il_status lease_lock(struct ili_member *m, void *object, uint32_t owner, uint64_t token,
                            int64_t duration_ns) {
    return ili_lock_lease(m, object, owner, token, duration_ns);
}

static il_status check_lock(struct ili_member *m, void *object, uint64_t token) {
    return ili_lock_token_check(m, object, token);
}

static void write_lock_released(struct ili_out *out, struct ili_server *server, const void *object,
                                uint32_t count, uint32_t left) {
    (void)server, (void)object, (void)count, (void)left;
    ili_out_key(out, "released");
    ili_out_bool(out, true);
}

static uint64_t newest_of_lock(struct ili_server *server, const void *object) {
    struct ili_lock_view view;
    ili_lock_look(ili_server_member(server), object, &view);
    return view.token;
}

static uint64_t lock_held_back(struct ili_server *server, const void *object) {
    struct ili_lock_view view;
    ili_lock_look(ili_server_member(server), object, &view);
    return view.held_back ? view.token : 0;
}

/* ---- rlocks --------------------------------------------------------------------------------------- */

static il_status try_rlock(struct ili_member *m, void *object, uint32_t owner,
                           const struct ili_ask *ask, uint64_t *token) {
    (void)ask;
    return ili_rlock_try(m, object, owner, token);
}

static il_status enqueue_rlock(struct ili_member *m, void *object, struct ili_agent *waiter,
                               uint32_t owner, const struct ili_ask *ask, uint64_t *token) {
    (void)ask;
    return ili_rlock_enqueue(m, object, waiter, owner, token);
}

static il_status release_rlock(struct ili_member *m, void *object, uint32_t owner, uint64_t token,
                               uint32_t count, uint32_t *left) {
    (void)count;
    return ili_rlock_release(m, object, owner, token, left);
}

static void write_rlock_released(struct ili_out *out, struct ili_server *server, const void *object,
                                 uint32_t count, uint32_t left) {
    write_lock_released(out, server, object, count, left);
    ili_out_key(out, "depth");
    ili_out_number(out, left);
}

/* ---- rwlocks -------------------------------------------------------------------------------------- */

static il_status try_rwlock(struct ili_member *m, void *object, uint32_t owner,
                            const struct ili_ask *ask, uint64_t *token) {
    return ili_rwlock_try(m, object, owner, ask->mode, token);
}

static il_status enqueue_rwlock(struct ili_member *m, void *object, struct ili_agent *waiter,
                                uint32_t owner, const struct ili_ask *ask, uint64_t *token) {
    return ili_rwlock_enqueue(m, object, waiter, owner, ask->mode, token);
}

static il_status withdraw_rwlock(struct ili_member *m, void *object, struct ili_agent *waiter,
                                 uint64_t *token) {
    return ili_rwlock_withdraw(m, object, waiter, token);
}

static il_status release_rwlock(struct ili_member *m, void *object, uint32_t owner, uint64_t token,
                                uint32_t count, uint32_t *left) {
    (void)count, (void)left;
    return ili_rwlock_release(m, object, owner, token);
}

static il_status lease_rwlock(struct ili_member *m, void *object, uint32_t owner, uint64_t token,
                              int64_t duration_ns) {
    return ili_rwlock_lease(m, object, owner, token, duration_ns);
}

static il_status check_rwlock(struct ili_member *m, void *object, uint64_t token) {
    return ili_rwlock_check_token(m, object, token);
}

static uint64_t newest_of_held(struct ili_server *server, const void *object) {
    (void)server;
    return ili_held_newest(object);
}

/* ---- semaphores ----------------------------------------------------------------------------------- */

static il_status try_semaphore(struct ili_member *m, void *object, uint32_t owner,
                               const struct ili_ask *ask, uint64_t *token) {
    return ili_semaphore_try(m, object, owner, ask->count, token);
}

static il_status enqueue_semaphore(struct ili_member *m, void *object, struct ili_agent *waiter,
                                   uint32_t owner, const struct ili_ask *ask, uint64_t *token) {
    return ili_semaphore_enqueue(m, object, waiter, owner, ask->count, token);
}

static il_status withdraw_semaphore(struct ili_member *m, void *object, struct ili_agent *waiter,
                                    uint64_t *token) {
    return ili_semaphore_withdraw(m, object, waiter, token);
}

static il_status release_semaphore(struct ili_member *m, void *object, uint32_t owner,
                                   uint64_t token, uint32_t count, uint32_t *left) {
    (void)left;
    return ili_semaphore_release(m, object, owner, count, token);
}

static il_status lease_semaphore(struct ili_member *m, void *object, uint32_t owner, uint64_t token,
                                 int64_t duration_ns) {
    return ili_semaphore_lease(m, object, owner, token, duration_ns);
}

static il_status check_semaphore(struct ili_member *m, void *object, uint64_t token) {
    return ili_semaphore_check_token(m, object, token);
}

static void write_semaphore_released(struct ili_out *out, struct ili_server *server,
                                     const void *object, uint32_t count, uint32_t left) {
    struct ili_semaphore_view view;
    (void)left;
    ili_semaphore_look(ili_server_member(server), (void *)(uintptr_t)object, &view);
    ili_out_key(out, "released");
    ili_out_number(out, count);
    ili_out_key(out, "value");
    ili_out_number(out, view.value);
}

/* ---- the table ------------------------------------------------------------------------------------ */

static const struct ili_grantable rows[] = {
    {
        .collection = "locks",
        .kind = &ili_lock_kind,
        .try_for = try_lock,
        .enqueue = enqueue_lock,
        .poll = ili_lock_poll,
        .withdraw = withdraw_lock,
        .release = release_lock,
        .lease = lease_lock,
        .check = check_lock,
        .newest = newest_of_lock,
        .write_released = write_lock_released,
        .held_back = lock_held_back,
    },
    {
        .collection = "rlocks",
        .kind = &ili_rlock_kind,
        .by_owner = true,
        .try_for = try_rlock,
        .enqueue = enqueue_rlock,
        .poll = ili_lock_poll,
        .withdraw = withdraw_lock,
        .release = release_rlock,
        .lease = lease_lock,
        .check = check_lock,
        .newest = newest_of_lock,
        .write_released = write_rlock_released,
        .held_back = lock_held_back,
    },
    {
        .collection = "rwlocks",
        .kind = &ili_rwlock_kind,
        .by_owner = true,
        .try_for = try_rwlock,
        .enqueue = enqueue_rwlock,
        .poll = ili_rwlock_poll,
        .withdraw = withdraw_rwlock,
        .release = release_rwlock,
        .lease = lease_rwlock,
        .check = check_rwlock,
        .newest = newest_of_held,
        .write_released = write_lock_released,
    },
    {
        .collection = "semaphores",
        .kind = &ili_semaphore_kind,
        .try_for = try_semaphore,
        .enqueue = enqueue_semaphore,
        .poll = ili_semaphore_poll,
        .withdraw = withdraw_semaphore,
        .release = release_semaphore,
        .lease = lease_semaphore,
        .check = check_semaphore,
        .newest = newest_of_held,
        .write_released = write_semaphore_released,
    },
};

#define ROWS (sizeof rows / sizeof *rows)

const struct ili_grantable *ili_grantable_named(const char *collection) {
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].collection, collection) == 0) return &rows[i];
    }
    return NULL;
}

const struct ili_grantable *ili_grantable_of(uint32_t kind) {
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind->number == kind) return &rows[i];
    }
    return NULL;
}

const struct ili_grantable *ili_grantable_word(const char *word) {
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].kind->word, word) == 0) return &rows[i];
    }
    return NULL;
}
