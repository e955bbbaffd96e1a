/* Reentrant locks over HTTP: the owner is a thread. */
#include <semaphore.h>

#include "unit/client/fake.h"

#define DEEP(token, depth)                                                                         \
    "{\"token\":\"" #token "\",\"lease\":null,\"owner_died\":false,\"depth\":" #depth "}"

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_rlock *lock;
};

/* Request 0 opens the lock. */
static struct scene begin(const struct fake_rule *rules) {
    fake_rules = rules;
    struct scene s = {.f = fake_start(fake_by_rules)};
    s.domain = fake_domain(s.f);
    cr_assert_eq(fake_ops()->rlock_open(s.domain, "r", 1, NULL, &s.lock), IL_OK);
    return s;
}

static void end(struct scene *s) {
    fake_rules = NULL;
    fake_ops()->rlock_close(s->lock);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

static const struct fake_rule once[] = {
    {"/acquire", 200, DEEP(7, 1)}, {"/release", 200, "{\"released\":true,\"depth\":0}"}, {0}};
static const struct fake_rule twice[] = {
    {"/acquire", 200, DEEP(7, 2)}, {"/release", 200, "{\"released\":true,\"depth\":1}"}, {0}};

Test(client_rlock, each_acquire_is_released_by_the_token_of_the_outermost) {
    struct scene s = begin(once);
    const struct ili_remote_ops *ops = fake_ops();
    uint64_t token = 0;
    fake_saw(s.f, 0, "PUT /v1/rlocks/r", "{}");
    cr_assert_eq(ops->rlock_acquire(s.lock, IL_FOREVER, &token), IL_OK);
    cr_assert_eq(token, 7);
    fake_saw(s.f, 1, "POST /v1/rlocks/r/acquire", fake_body("{\"session\":\"s1\",%s}"));
    fake_rules = twice;
    cr_assert_eq(ops->rlock_acquire_leased(s.lock, 0, 1000000000, &token), IL_OK);
    fake_saw(s.f, 2, "POST /v1/rlocks/r/acquire",
             fake_body("{\"lease\":1,\"session\":\"s1\",%s,\"timeout\":0}"));
    cr_assert_eq(ops->rlock_release(s.lock, 0), IL_OK);
    fake_rules = once;
    cr_assert_eq(ops->rlock_release(s.lock, 7), IL_OK);
    for (int i = 3; i <= 4; i++) {
        fake_saw(s.f, i, "POST /v1/rlocks/r/release",
                 fake_body("{\"token\":\"7\",\"session\":\"s1\",%s}"));
    }
    cr_assert_eq(ops->rlock_release(s.lock, 0), IL_ENOTHELD);
    cr_assert_eq(fake_count(s.f), 5);
    end(&s);
}

Test(client_rlock, depth_is_counted_here_where_the_server_does_not_tell_it) {
    static const struct fake_rule silent[] = {{"/acquire", 200, FAKE_GRANT(7)}, {0}};
    struct scene s = begin(silent);
    for (int i = 0; i < 3; i++) cr_assert_eq(fake_ops()->rlock_acquire(s.lock, 0, NULL), IL_OK);
    for (int i = 0; i < 3; i++) cr_assert_eq(fake_ops()->rlock_release(s.lock, 0), IL_OK);
    cr_assert_eq(fake_ops()->rlock_release(s.lock, 0), IL_ENOTHELD);
    end(&s);
}

struct other {
    struct scene *s;
    il_status released, named;
    uint32_t depth;
    uint64_t key;
};

static void *other_thread(void *context) {
    struct other *o = context;
    const struct ili_remote_ops *ops = fake_ops();
    o->key = ili_remote_self();
    o->released = ops->rlock_release(o->s->lock, 0);
    o->named = ops->rlock_release(o->s->lock, 7);
    ops->rlock_depth(o->s->lock, &o->depth);
    return NULL;
}

Test(client_rlock, another_thread_does_not_hold_it) {
    struct scene s = begin(once);
    struct other o = {.s = &s, .depth = 9};
    pthread_t thread;
    cr_assert_eq(fake_ops()->rlock_acquire(s.lock, 0, NULL), IL_OK);
    pthread_create(&thread, NULL, other_thread, &o);
    pthread_join(thread, NULL);
    cr_assert_eq(o.released, IL_ENOTHELD);
    cr_assert_eq(o.named, IL_ENOTHELD);
    cr_assert_eq(o.depth, 0);
    fake_saw(s.f, 2, "POST /v1/rlocks/r/check", "{\"token\":\"7\"}");
    cr_assert_eq(fake_count(s.f), 3);
    cr_assert_eq(fake_ops()->rlock_release(s.lock, 0), IL_OK);
    end(&s);
}

/* A thread that acquires, and ends when it may. */
struct holder {
    struct ili_remote_rlock *lock;
    sem_t acquired, may_end;
};

static void *acquire_elsewhere(void *context) {
    struct holder *h = context;
    fake_ops()->rlock_acquire(h->lock, 0, NULL);
    sem_post(&h->acquired);
    sem_wait(&h->may_end);
    return NULL;
}

static pthread_t hold(struct holder *h, struct ili_remote_rlock *lock) {
    pthread_t thread;
    h->lock = lock;
    sem_init(&h->acquired, 0, 0);
    sem_init(&h->may_end, 0, 0);
    pthread_create(&thread, NULL, acquire_elsewhere, h);
    sem_wait(&h->acquired);
    return thread;
}

Test(client_rlock, end_of_the_thread_breaks_what_it_held) {
    static const struct fake_rule unreachable[] = {
        {"/acquire", 200, DEEP(8, 2)}, {"/break", 503, FAKE_PROBLEM("busy")}, {0}};
    struct scene s = begin(once);
    struct holder h;
    pthread_t thread = hold(&h, s.lock);
    sem_post(&h.may_end);
    pthread_join(thread, NULL);
    cr_assert(fake_reaches(s.f, &s.f->count, 3));
    fake_saw(s.f, 2, "POST /v1/rlocks/r/break",
             "{\"token\":\"7\",\"reason\":\"the thread that held it ended\"}");
    fake_rules = unreachable;
    thread = hold(&h, s.lock);
    sem_post(&h.may_end);
    pthread_join(thread, NULL);
    cr_assert(fake_reaches(s.f, &s.f->count, 6), "it is tried again");
    fake_saw(s.f, 5, "POST /v1/rlocks/r/break", NULL);
    end(&s);
}

Test(client_rlock, closing_the_domain_releases_as_the_thread_that_acquired) {
    struct scene s = begin(once);
    struct holder h;
    pthread_t thread = hold(&h, s.lock);
    fake_ops()->rlock_close(s.lock);
    fake_ops()->domain_close(s.domain);
    sem_post(&h.may_end);
    pthread_join(thread, NULL);
    fake_saw(s.f, 2, "POST /v1/rlocks/r/release", NULL);
    const char *acquired = strstr(s.f->requests[1].body, "\"owner\":");
    const char *released = strstr(s.f->requests[2].body, "\"owner\":");
    cr_assert(acquired && released);
    cr_assert_null(strstr(acquired, fake_owner()));
    cr_assert_eq(strncmp(acquired, released, strcspn(acquired, ",}")), 0);
    fake_stop(s.f);
}

Test(client_rlock, depth_is_the_servers) {
    static const struct fake_rule mine[] = {
        {"GET", 200, "{\"waiters\":0,\"holders\":[{\"token\":\"7\",\"depth\":3,\"owner\":{}}]}"},
        {0}};
    static const struct fake_rule anothers[] = {
        {"GET", 200, "{\"waiters\":0,\"holders\":[{\"token\":\"8\",\"depth\":1,\"owner\":{}}]}"},
        {0}};
    struct scene s = begin(once);
    uint32_t depth = 9;
    int32_t locked = 9;
    il_owner owner = {0};
    cr_assert_eq(fake_ops()->rlock_depth(s.lock, &depth), IL_OK);
    cr_assert_eq(depth, 0);
    cr_assert_eq(fake_count(s.f), 1);
    cr_assert_eq(fake_ops()->rlock_acquire(s.lock, 0, NULL), IL_OK);
    fake_rules = mine;
    cr_assert_eq(fake_ops()->rlock_depth(s.lock, &depth), IL_OK);
    cr_assert_eq(depth, 3);
    cr_assert_eq(fake_ops()->rlock_owner(s.lock, &owner), IL_OK);
    cr_assert(owner.mine && owner.token == 7);
    fake_rules = anothers; /* an operator broke it */
    cr_assert_eq(fake_ops()->rlock_depth(s.lock, &depth), IL_OK);
    cr_assert_eq(depth, 0);
    cr_assert_eq(fake_ops()->rlock_locked(s.lock, &locked), IL_OK);
    cr_assert_eq(locked, 1);
    cr_assert_eq(fake_ops()->rlock_owner(s.lock, &owner), IL_OK);
    cr_assert_not(owner.mine);
    end(&s);
}

Test(client_rlock, renew_check_break_delete_go_to_its_routes) {
    struct scene s = begin(once);
    const struct ili_remote_ops *ops = fake_ops();
    cr_assert_eq(ops->rlock_acquire(s.lock, 0, NULL), IL_OK);
    cr_assert_eq(ops->rlock_renew(s.lock, 0, 1000000), IL_OK);
    cr_assert_eq(ops->rlock_check(s.lock, 7), IL_OK);
    cr_assert_eq(ops->rlock_break(s.lock, 0, "why not"), IL_OK);
    cr_assert_eq(ops->rlock_delete(s.domain, "r", 1), IL_OK);
    fake_saw(s.f, 2, "POST /v1/rlocks/r/renew",
             "{\"token\":\"7\",\"lease\":0.001,\"session\":\"s1\"}");
    fake_saw(s.f, 3, "POST /v1/rlocks/r/check", "{\"token\":\"7\"}");
    fake_saw(s.f, 4, "POST /v1/rlocks/r/break", "{\"reason\":\"why not\"}");
    fake_saw(s.f, 5, "DELETE /v1/rlocks/r", NULL);
    end(&s);
}
