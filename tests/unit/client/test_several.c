/* Several objects in one call over HTTP. */
#include "unit/client/fake.h"

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_lock *lock;
    struct ili_remote_rwlock *rwlock;
    struct ili_remote_semaphore *semaphore;
    struct ili_remote_queue *queue;
};

/* Requests 0 to 3 open a lock, an rwlock, a semaphore, a queue. */
static struct scene begin(const struct fake_rule *rules) {
    const struct ili_remote_ops *ops = fake_ops();
    fake_rules = NULL;
    struct scene s = {.f = fake_start(fake_by_rules)};
    s.domain = fake_domain(s.f);
    cr_assert_eq(ops->lock_open(s.domain, "l", 1, NULL, &s.lock), IL_OK);
    cr_assert_eq(ops->rwlock_open(s.domain, "w", 1, NULL, &s.rwlock), IL_OK);
    cr_assert_eq(ops->semaphore_open(s.domain, "s\"", 2, NULL, &s.semaphore), IL_OK);
    cr_assert_eq(ops->queue_open(s.domain, "q", 1, NULL, &s.queue), IL_OK);
    fake_rules = rules;
    return s;
}

static void end(struct scene *s) {
    const struct ili_remote_ops *ops = fake_ops();
    fake_rules = NULL;
    ops->lock_close(s->lock);
    ops->rwlock_close(s->rwlock);
    ops->semaphore_close(s->semaphore);
    ops->queue_close(s->queue);
    ops->domain_close(s->domain);
    fake_stop(s->f);
}

#define TARGETS                                                                                    \
    "\"targets\":[{\"kind\":\"lock\",\"name\":\"l\"},"                                             \
    "{\"kind\":\"rwlock\",\"name\":\"w\",\"mode\":\"shared\"},"                                    \
    "{\"kind\":\"semaphore\",\"name\":\"s\\\"\",\"count\":3}"

Test(client_several, all_are_acquired_in_one_request_and_held_each_by_itself) {
    static const struct fake_rule rules[] = {
        {"POST /v1/acquire", 200,
         "{\"grants\":[{\"kind\":\"lock\",\"name\":\"l\",\"token\":\"7\",\"owner_died\":true},"
         "{\"kind\":\"rwlock\",\"token\":\"8\",\"owner_died\":false},{\"token\":\"9\"}]}"},
        {0}};
    struct scene s = begin(rules);
    const struct ili_remote_ops *ops = fake_ops();
    struct ili_remote_target targets[] = {
        {.kind = IL_KIND_LOCK, .object = s.lock},
        {.kind = IL_KIND_RWLOCK, .mode = IL_SHARED, .object = s.rwlock},
        {.kind = IL_KIND_SEMAPHORE, .count = 3, .object = s.semaphore},
    };
    cr_assert_eq(ops->acquire_all(targets, 3, IL_FOREVER), IL_OK, "%s", ili_error_text());
    fake_saw(s.f, 4, "POST /v1/acquire", fake_body("{" TARGETS "],\"session\":\"s1\",%s}"));
    cr_assert_neq(s.f->requests[4].key[0], 0);
    cr_assert(targets[0].token == 7 && targets[0].status == IL_EOWNERDEAD);
    cr_assert(targets[1].token == 8 && targets[1].status == IL_OK);
    cr_assert(targets[2].token == 9 && targets[2].status == IL_OK);
    cr_assert_eq(ops->lock_release(s.lock, 0), IL_OK);
    cr_assert_eq(ops->rwlock_release(s.rwlock, 8), IL_OK);
    cr_assert_eq(ops->semaphore_release(s.semaphore, 3, 9), IL_OK);
    end(&s);
}

Test(client_several, none_is_acquired_when_the_call_fails) {
    static const struct fake_rule late[] = {{"/acquire", 409, FAKE_PROBLEM("timeout")}, {0}};
    static const struct fake_rule bad[] = {
        {"/acquire", 400, "{\"code\":\"invalid_argument\",\"detail\":\"targets[1]: twice\"}"}, {0}};
    static const struct fake_rule few[] = {{"/acquire", 200, "{\"grants\":[{\"token\":\"7\"}]}"},
                                           {0}};
    struct scene s = begin(late);
    struct ili_remote_target targets[] = {
        {.kind = IL_KIND_LOCK, .object = s.lock, .token = 99},
        {.kind = IL_KIND_RWLOCK, .mode = IL_EXCLUSIVE, .object = s.rwlock},
    };
    const struct ili_remote_ops *ops = fake_ops();
    cr_assert_eq(ops->acquire_all(targets, 2, 0), IL_ETIMEOUT);
    fake_rules = bad;
    cr_assert_eq(ops->acquire_all(targets, 2, 0), IL_EINVAL);
    cr_assert_not_null(strstr(ili_error_text(), "targets[1]"));
    fake_rules = few;
    cr_assert_eq(ops->acquire_all(targets, 2, 0), IL_EPROTOCOL);
    cr_assert_eq(targets[0].token, 99);
    cr_assert_eq(ops->lock_release(s.lock, 0), IL_ENOTHELD);
    end(&s);
}

Test(client_several, first_that_is_ready_is_told_with_its_grant) {
    static const struct fake_rule rules[] = {
        {"/wait", 200,
         "{\"index\":1,\"kind\":\"lock\",\"name\":\"l\",\"token\":\"7\",\"owner_died\":false}"},
        {0}};
    struct scene s = begin(rules);
    const struct ili_remote_ops *ops = fake_ops();
    size_t index = 9;
    struct ili_remote_target targets[] = {
        {.kind = IL_KIND_QUEUE, .object = s.queue},
        {.kind = IL_KIND_LOCK, .object = s.lock},
    };
    cr_assert_eq(ops->wait_any(targets, 2, 0, &index), IL_OK);
    fake_saw(s.f, 4, "POST /v1/wait",
             fake_body("{\"targets\":[{\"kind\":\"queue\",\"name\":\"q\"},"
                       "{\"kind\":\"lock\",\"name\":\"l\"}],\"session\":\"s1\",%s,\"timeout\":0}"));
    cr_assert_eq(index, 1);
    cr_assert_eq(targets[1].token, 7);
    cr_assert_eq(ops->lock_release(s.lock, 7), IL_OK);
    end(&s);
}

Test(client_several, what_is_only_waited_for_grants_nothing) {
    static const struct fake_rule rules[] = {
        {"/wait", 200, "{\"index\":0,\"kind\":\"queue\",\"name\":\"q\"}"}, {0}};
    static const struct fake_rule strange[] = {{"/wait", 200, "{\"index\":2}"}, {0}};
    static const struct fake_rule bare[] = {{"/wait", 200, "{\"index\":1}"}, {0}};
    struct scene s = begin(rules);
    const struct ili_remote_ops *ops = fake_ops();
    size_t index = 9;
    struct ili_remote_target targets[] = {
        {.kind = IL_KIND_QUEUE, .object = s.queue},
        {.kind = IL_KIND_LOCK, .object = s.lock},
    };
    cr_assert_eq(ops->wait_any(targets, 2, IL_FOREVER, &index), IL_OK);
    cr_assert_eq(index, 0);
    fake_rules = strange;
    cr_assert_eq(ops->wait_any(targets, 2, 0, &index), IL_EPROTOCOL);
    fake_rules = bare;
    cr_assert_eq(ops->wait_any(targets, 2, 0, &index), IL_EPROTOCOL);
    cr_assert_eq(ops->lock_release(s.lock, 0), IL_ENOTHELD);
    end(&s);
}

static int refused;

static void reply_ended(struct fake *f, int fd, const struct fake_request *r) {
    if (refused-- > 0)
        fake_problem(fd, 410, "session_ended", "long ago");
    else
        fake_by_rules(f, fd, r);
}

Test(client_several, goes_on_in_a_new_session) {
    static const struct fake_rule rules[] = {
        {"/acquire", 200, "{\"grants\":[{\"token\":\"7\",\"owner_died\":false}]}"}, {0}};
    struct scene s = begin(rules);
    struct ili_remote_target target = {.kind = IL_KIND_LOCK, .object = s.lock};
    refused = 1;
    s.f->reply = reply_ended;
    cr_assert_eq(fake_ops()->acquire_all(&target, 1, IL_FOREVER), IL_OK);
    cr_assert_eq(fake_get(s.f, &s.f->made), 2);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 7), IL_OK);
    end(&s);
}
