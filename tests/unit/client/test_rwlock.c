/* Locks that may be shared, over HTTP. */
#include "unit/client/fake.h"

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_rwlock *lock;
};

/* Request 0 opens the lock. */
static struct scene begin(const struct fake_rule *rules) {
    fake_rules = rules;
    struct scene s = {.f = fake_start(fake_by_rules)};
    s.domain = fake_domain(s.f);
    cr_assert_eq(fake_ops()->rwlock_open(s.domain, "w", 1, NULL, &s.lock), IL_OK);
    return s;
}

static void end(struct scene *s) {
    fake_rules = NULL;
    fake_ops()->rwlock_close(s->lock);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

static const struct fake_rule grant[] = {{"/acquire", 200, FAKE_GRANT(7)}, {0}};

Test(client_rwlock, mode_is_asked_for) {
    struct scene s = begin(grant);
    const struct ili_remote_ops *ops = fake_ops();
    uint64_t token = 0;
    cr_assert_eq(ops->rwlock_acquire(s.lock, IL_SHARED, IL_FOREVER, &token), IL_OK);
    cr_assert_eq(token, 7);
    fake_saw(s.f, 1, "POST /v1/rwlocks/w/acquire",
             fake_body("{\"mode\":\"shared\",\"session\":\"s1\",%s}"));
    cr_assert_eq(ops->rwlock_release(s.lock, 0), IL_OK);
    fake_saw(s.f, 2, "POST /v1/rwlocks/w/release",
             fake_body("{\"token\":\"7\",\"session\":\"s1\",%s}"));
    cr_assert_eq(ops->rwlock_acquire_leased(s.lock, IL_EXCLUSIVE, 0, 2000000000, &token), IL_OK);
    fake_saw(s.f, 3, "POST /v1/rwlocks/w/acquire",
             fake_body("{\"mode\":\"exclusive\",\"lease\":2,\"session\":\"s1\",%s,\"timeout\":0}"));
    cr_assert_eq(ops->rwlock_release(s.lock, 7), IL_OK);
    end(&s);
}

Test(client_rwlock, each_acquire_needs_a_release) {
    struct scene s = begin(grant);
    const struct ili_remote_ops *ops = fake_ops();
    cr_assert_eq(ops->rwlock_acquire(s.lock, IL_SHARED, 0, NULL), IL_OK);
    cr_assert_eq(ops->rwlock_acquire(s.lock, IL_SHARED, 0, NULL), IL_OK);
    cr_assert_eq(ops->rwlock_release(s.lock, 0), IL_OK);
    cr_assert_eq(ops->rwlock_release(s.lock, 0), IL_OK);
    cr_assert_eq(ops->rwlock_release(s.lock, 0), IL_ENOTHELD);
    end(&s);
}

static void *share(void *context) {
    fake_ops()->rwlock_acquire(context, IL_SHARED, 0, NULL);
    return (void *)(intptr_t)fake_ops()->rwlock_release(context, 0);
}

Test(client_rwlock, threads_hold_it_each_by_itself) {
    static const struct fake_rule second[] = {{"/acquire", 200, FAKE_GRANT(8)}, {0}};
    struct scene s = begin(grant);
    pthread_t thread;
    void *status = NULL;
    cr_assert_eq(fake_ops()->rwlock_acquire(s.lock, IL_SHARED, 0, NULL), IL_OK);
    fake_rules = second;
    pthread_create(&thread, NULL, share, s.lock);
    pthread_join(thread, &status);
    cr_assert_eq((intptr_t)status, IL_OK);
    cr_assert_not_null(strstr(s.f->requests[3].body, "\"8\""));
    cr_assert_eq(fake_ops()->rwlock_release(s.lock, 0), IL_OK);
    cr_assert_not_null(strstr(s.f->requests[4].body, "\"7\""));
    end(&s);
}

Test(client_rwlock, refusals_are_told) {
    static const struct fake_rule upgrade[] = {{"/acquire", 409, FAKE_PROBLEM("upgrade_refused")},
                                               {0}};
    static const struct fake_rule deadlock[] = {{"/acquire", 409, FAKE_PROBLEM("deadlock")}, {0}};
    struct scene s = begin(upgrade);
    cr_assert_eq(fake_ops()->rwlock_acquire(s.lock, IL_EXCLUSIVE, 0, NULL), IL_EUPGRADE);
    fake_rules = deadlock;
    cr_assert_eq(fake_ops()->rwlock_acquire(s.lock, IL_SHARED, 0, NULL), IL_EDEADLK);
    end(&s);
}

Test(client_rwlock, info_is_what_the_server_says) {
    static const struct fake_rule shared[] = {
        {"GET", 200, "{\"mode\":\"shared\",\"shared\":3,\"waiters\":1}"}, {0}};
    static const struct fake_rule exclusive[] = {
        {"GET", 200, "{\"mode\":\"exclusive\",\"shared\":0,\"waiters\":0}"}, {0}};
    struct scene s = begin(shared);
    il_rwlock_info info = {.struct_bytes = sizeof info};
    cr_assert_eq(fake_ops()->rwlock_info_get(s.lock, &info), IL_OK);
    cr_assert(info.shared == 3 && info.waiters == 1 && info.exclusive == 0);
    fake_rules = exclusive;
    cr_assert_eq(fake_ops()->rwlock_info_get(s.lock, &info), IL_OK);
    cr_assert(info.shared == 0 && info.waiters == 0 && info.exclusive == 1);
    fake_rules = NULL;
    cr_assert_eq(fake_ops()->rwlock_info_get(s.lock, &info), IL_EPROTOCOL);
    end(&s);
}

Test(client_rwlock, options_and_the_rest_go_to_its_routes) {
    struct scene s = begin(grant);
    const struct ili_remote_ops *ops = fake_ops();
    struct ili_remote_rwlock *lock = NULL;
    il_rwlock_options options = {sizeof options, IL_DEADLOCK_REPORT};
    cr_assert_eq(ops->rwlock_open(s.domain, "v", 1, &options, &lock), IL_OK);
    cr_assert_eq(ops->rwlock_close(lock), IL_OK);
    cr_assert_eq(ops->rwlock_acquire(s.lock, IL_EXCLUSIVE, 0, NULL), IL_OK);
    cr_assert_eq(ops->rwlock_renew(s.lock, 0, 1000000000), IL_OK);
    cr_assert_eq(ops->rwlock_check(s.lock, 7), IL_OK);
    cr_assert_eq(ops->rwlock_break(s.lock, 7, NULL), IL_OK);
    cr_assert_eq(ops->rwlock_delete(s.domain, "w", 1), IL_OK);
    fake_saw(s.f, 1, "PUT /v1/rwlocks/v", "{\"on_deadlock\":\"report\"}");
    fake_saw(s.f, 3, "POST /v1/rwlocks/w/renew",
             "{\"token\":\"7\",\"lease\":1,\"session\":\"s1\"}");
    fake_saw(s.f, 4, "POST /v1/rwlocks/w/check", "{\"token\":\"7\"}");
    fake_saw(s.f, 5, "POST /v1/rwlocks/w/break", "{\"token\":\"7\"}");
    fake_saw(s.f, 6, "DELETE /v1/rwlocks/w", NULL);
    end(&s);
}
