#include <criterion/criterion.h>
#include <stdatomic.h>

#include "support/doors.h"

static il_pool *open_pool(uint32_t threads, uint64_t max_queued) {
    const il_pool_options options = {.struct_bytes = sizeof options,
                                     .threads = threads,
                                     .max_queued = max_queued,
                                     .name = "pool"};
    il_pool *pool = NULL;
    cr_assert_eq(il_pool_create(&options, &pool), IL_OK, "%s", il_error_message());
    return pool;
}

static il_future *submit(il_pool *pool, void *(*function)(void *), void *argument) {
    il_future *future = NULL;
    cr_assert_eq(il_pool_submit(pool, function, argument, NULL, IL_FOREVER, &future), IL_OK, "%s",
                 il_error_message());
    return future;
}

static uint32_t state(il_future *future) {
    uint32_t is = 99;
    cr_assert_eq(il_future_state(future, &is), IL_OK);
    return is;
}

static il_pool_info info(il_pool *pool) {
    il_pool_info is = {.struct_bytes = sizeof is};
    cr_assert_eq(il_pool_info_get(pool, &is), IL_OK);
    return is;
}

static void *echo(void *argument) { return argument; }

static void *count(void *counter) {
    atomic_fetch_add((_Atomic int *)counter, 1);
    return counter;
}

/* A task that occupies its thread until it is let go, or asked to stop. */
struct gate {
    _Atomic int started, open, cancelled;
};

static void *pass(void *argument) {
    struct gate *gate = argument;
    atomic_fetch_add(&gate->started, 1);
    while (!atomic_load(&gate->open) && !il_cancelled()) test_pause();
    atomic_store(&gate->cancelled, il_cancelled());
    return gate;
}

static bool has_started(void *gate) { return atomic_load(&((struct gate *)gate)->started) > 0; }

static void occupy(il_pool *pool, struct gate *gate) {
    cr_assert_eq(il_pool_submit(pool, pass, gate, NULL, IL_FOREVER, NULL), IL_OK);
    cr_assert(test_wait(has_started, gate, 20));
}

static void let_go(struct gate *gate) { atomic_store(&gate->open, 1); }

/* ---- one task --------------------------------------------------------------------------------------- */

Test(abi_pool, a_future_tells_what_became_of_its_task, .timeout = 60) {
    il_pool *pool = open_pool(1, 0);
    struct gate gate = {0};
    void *result = NULL;
    int32_t done = -1;
    il_future *running = submit(pool, pass, &gate);
    cr_assert(test_wait(has_started, &gate, 20));
    il_future *queued = submit(pool, echo, pool);
    cr_assert_eq(state(running), IL_FUTURE_RUNNING);
    cr_assert_eq(state(queued), IL_FUTURE_QUEUED);
    cr_assert_eq(il_future_wait(queued, IL_NOWAIT), IL_ETIMEOUT);
    cr_assert_eq(il_future_wait(queued, seconds(0.01)), IL_ETIMEOUT);
    cr_assert_eq(il_future_result(queued, &result), IL_ETIMEOUT);
    cr_assert_eq(il_future_done(queued, &done), IL_OK);
    cr_assert_eq(done, 0);
    let_go(&gate);
    cr_assert_eq(il_future_wait(queued, IL_FOREVER), IL_OK);
    cr_assert_eq(il_future_result(queued, &result), IL_OK);
    cr_assert_eq(result, pool);
    cr_assert_eq(il_future_done(queued, &done), IL_OK);
    cr_assert_eq(done, 1);
    cr_assert_eq(state(running), IL_FUTURE_DONE);
    cr_assert_eq(il_future_cancel(queued), IL_OK);
    cr_assert_eq(state(queued), IL_FUTURE_DONE);
    il_future_close(running);
    cr_assert_eq(il_pool_close(pool), IL_OK);
    cr_assert_eq(il_future_result(queued, &result), IL_OK); /* outlives its pool */
    il_future_close(queued);
}

Test(abi_pool, cancels_what_is_queued_at_once_and_asks_what_runs, .timeout = 60) {
    il_pool *pool = open_pool(1, 0);
    struct gate gate = {0}, next = {0};
    _Atomic int counted = 0;
    void *result = NULL;
    il_future *running = submit(pool, pass, &gate);
    cr_assert(test_wait(has_started, &gate, 20));
    il_future *queued = submit(pool, count, (void *)&counted);
    il_future *other = submit(pool, pass, &next);
    cr_assert_eq(il_future_cancel(queued), IL_OK);
    cr_assert_eq(state(queued), IL_FUTURE_CANCELLED);
    cr_assert_eq(il_future_wait(queued, IL_FOREVER), IL_OK);
    cr_assert_eq(il_future_result(queued, &result), IL_ECANCELLED);
    cr_assert_eq(il_future_cancel(running), IL_OK);
    cr_assert_eq(il_future_wait(running, seconds(20)), IL_OK);
    cr_assert_eq(il_future_result(running, &result), IL_OK);
    cr_assert_eq(atomic_load(&gate.cancelled), 1);
    /* what was asked of one is not asked of the next */
    cr_assert(test_wait(has_started, &next, 20));
    cr_assert_eq(il_future_wait(other, seconds(0.02)), IL_ETIMEOUT);
    let_go(&next);
    cr_assert_eq(il_future_wait(other, IL_FOREVER), IL_OK);
    cr_assert_eq(atomic_load(&next.cancelled), 0);
    il_future_close(running);
    il_future_close(queued);
    il_future_close(other);
    cr_assert_eq(il_pool_shut(pool), IL_OK);
    cr_assert_eq(il_pool_join(pool, seconds(20)), IL_OK);
    il_pool_info is = info(pool);
    cr_assert(is.submitted == 3 && is.done == 2 && is.cancelled == 1 && is.queued == 0);
    il_pool_close(pool);
    cr_assert_eq(atomic_load(&counted), 0);
}

Test(abi_pool, a_time_limit_asks_the_task_to_stop, .timeout = 60) {
    il_pool *pool = open_pool(1, 0);
    const il_submit_options limited = {.struct_bytes = sizeof limited,
                                       .time_limit_ns = seconds(0.02)};
    struct gate gates[2] = {{0}, {0}};
    il_future *future = NULL;
    cr_assert_eq(il_pool_submit(pool, pass, &gates[0], &limited, IL_FOREVER, &future), IL_OK);
    cr_assert_eq(il_pool_submit(pool, pass, &gates[1], &limited, IL_FOREVER, NULL), IL_OK);
    cr_assert_eq(il_future_wait(future, seconds(20)), IL_OK);
    il_future_close(future);
    il_pool_close(pool);
    cr_assert(atomic_load(&gates[0].cancelled) && atomic_load(&gates[1].cancelled));
}

static void *wait_for_event(void *event) {
    return il_event_wait(event, IL_FOREVER) == IL_ECANCELLED ? event : NULL;
}

Test(abi_pool, a_task_that_waits_is_woken_by_its_cancellation, .timeout = 60) {
    il_domain *domain = NULL;
    il_event *event = NULL;
    il_pool *pool = open_pool(2, 0);
    cr_assert_eq(il_domain_open("private:", NULL, &domain), IL_OK);
    cr_assert_eq(il_event_open(domain, "never", 5, &event), IL_OK);
    for (int i = 0; i < 200; i++) {
        void *result = NULL;
        il_future *future = submit(pool, wait_for_event, event);
        if (i % 2) {
            while (state(future) == IL_FUTURE_QUEUED) sched_yield();
        }
        cr_assert_eq(il_future_cancel(future), IL_OK);
        cr_assert_eq(il_future_wait(future, seconds(20)), IL_OK);
        if (il_future_result(future, &result) == IL_OK) cr_assert_eq(result, event);
        il_future_close(future);
    }
    il_pool_close(pool);
    il_event_close(event);
    il_domain_close(domain);
}

/* ---- order and room --------------------------------------------------------------------------------- */

struct order {
    _Atomic int at;
    int seen[64];
};
struct step {
    struct order *order;
    int number;
};

static void *note(void *argument) {
    const struct step *step = argument;
    step->order->seen[atomic_fetch_add(&step->order->at, 1)] = step->number;
    return NULL;
}

Test(abi_pool, higher_priorities_go_first_equal_ones_in_order, .timeout = 60) {
    static const int32_t priorities[] = {0, -5, 3, 0, 100, -100, 3, 0, -5, 100, 1};
    static const int expected[] = {4, 9, 2, 6, 10, 0, 3, 7, 1, 8, 5};
    enum { STEPS = sizeof priorities / sizeof *priorities };
    il_pool *pool = open_pool(1, 0);
    struct order order = {0};
    struct step steps[STEPS];
    struct gate gate = {0};
    occupy(pool, &gate);
    for (int i = 0; i < STEPS; i++) {
        const il_submit_options options = {.struct_bytes = sizeof options,
                                           .priority = priorities[i]};
        steps[i] = (struct step){&order, i};
        cr_assert_eq(il_pool_submit(pool, note, &steps[i], &options, IL_FOREVER, NULL), IL_OK);
    }
    let_go(&gate);
    il_pool_close(pool);
    for (int i = 0; i < STEPS; i++) {
        cr_assert_eq(order.seen[i], expected[i], "%d. was task %d", i, order.seen[i]);
    }
}

struct submitter {
    il_pool *pool;
    il_thread *thread;
    int64_t timeout_ns;
    _Atomic int started;
    il_status status;
    _Atomic int counted;
};

static void *submit_one(void *argument) {
    struct submitter *s = argument;
    atomic_store(&s->started, 1);
    s->status = il_pool_submit(s->pool, count, (void *)&s->counted, NULL, s->timeout_ns, NULL);
    return NULL;
}

static void start_submitter(struct submitter *s, il_pool *pool) {
    *s = (struct submitter){.pool = pool, .timeout_ns = IL_FOREVER};
    cr_assert_eq(il_thread_create(submit_one, s, NULL, &s->thread), IL_OK);
    cr_assert_eq(il_thread_start(s->thread), IL_OK);
    while (!atomic_load(&s->started)) sched_yield();
}

Test(abi_pool, a_full_queue_makes_submitters_wait, .timeout = 60) {
    il_pool *pool = open_pool(1, 2);
    struct gate gate = {0};
    _Atomic int counted = 0;
    struct submitter waits, cancelled;
    occupy(pool, &gate);
    il_future *first = submit(pool, count, (void *)&counted);
    il_future *second = submit(pool, count, (void *)&counted);
    cr_assert_eq(il_pool_submit(pool, count, (void *)&counted, NULL, IL_NOWAIT, NULL), IL_ETIMEOUT);
    cr_assert_eq(il_pool_submit(pool, count, (void *)&counted, NULL, seconds(0.01), NULL),
                 IL_ETIMEOUT);
    /* a cancelled one makes room at once */
    il_future_cancel(first);
    il_future *third = NULL;
    cr_assert_eq(il_pool_submit(pool, count, (void *)&counted, NULL, IL_NOWAIT, &third), IL_OK);
    start_submitter(&cancelled, pool);
    start_submitter(&waits, pool);
    cr_assert_eq(il_thread_cancel(cancelled.thread), IL_OK);
    cr_assert_eq(il_thread_join(cancelled.thread, seconds(20), NULL), IL_OK);
    cr_assert_eq(cancelled.status, IL_ECANCELLED);
    cr_assert_eq(il_thread_join(waits.thread, seconds(0.01), NULL), IL_ETIMEOUT);
    let_go(&gate);
    cr_assert_eq(il_thread_join(waits.thread, seconds(20), NULL), IL_OK);
    cr_assert_eq(waits.status, IL_OK);
    il_pool_close(pool);
    cr_assert_eq(atomic_load(&waits.counted), 1);
    cr_assert_eq(atomic_load(&counted), 2);
    il_future_close(first);
    il_future_close(second);
    il_future_close(third);
    il_thread_close(waits.thread);
    il_thread_close(cancelled.thread);
}

/* ---- tasks of tasks --------------------------------------------------------------------------------- */

struct tree {
    il_pool *pool;
    int depth;
    _Atomic int *leaves;
};

/* Two of the next level, by futures, and waits for both. */
static void *grow(void *argument) {
    const struct tree *tree = argument;
    struct tree lower = {tree->pool, tree->depth - 1, tree->leaves};
    il_future *futures[2] = {NULL, NULL};
    if (tree->depth == 0) return count((void *)tree->leaves);
    for (int i = 0; i < 2; i++) {
        if (il_pool_submit(tree->pool, grow, &lower, NULL, IL_FOREVER, &futures[i]) != IL_OK) {
            return NULL;
        }
    }
    for (int i = 0; i < 2; i++) {
        if (il_future_wait(futures[i], IL_FOREVER) != IL_OK) return NULL;
        il_future_close(futures[i]);
    }
    return argument;
}

Test(abi_pool, tasks_that_wait_for_tasks_of_their_pool_end, .timeout = 60) {
    for (uint32_t threads = 1; threads <= 3; threads++) {
        for (uint64_t most = 0; most <= 1; most++) {
            il_pool *pool = open_pool(threads, most);
            _Atomic int leaves = 0;
            struct tree tree = {pool, 9, &leaves};
            void *result = NULL;
            il_future *future = submit(pool, grow, &tree);
            cr_assert_eq(il_future_wait(future, seconds(40)), IL_OK);
            cr_assert_eq(il_future_result(future, &result), IL_OK);
            cr_assert_eq(result, &tree);
            cr_assert_eq(atomic_load(&leaves), 512);
            il_future_close(future);
            il_pool_close(pool);
        }
    }
}

struct self {
    il_pool *pool;
    il_future *_Atomic future;
    il_status wait, join, close;
};

static void *wait_for_itself(void *argument) {
    struct self *self = argument;
    il_future *future;
    while (!(future = atomic_load(&self->future))) sched_yield();
    self->wait = il_future_wait(future, IL_FOREVER);
    il_pool_shut(self->pool);
    self->join = il_pool_join(self->pool, IL_FOREVER);
    self->close = il_pool_close(self->pool);
    return NULL;
}

Test(abi_pool, a_task_cannot_wait_for_itself_or_its_pool, .timeout = 60) {
    struct self self = {.pool = open_pool(1, 0)};
    il_future *future = submit(self.pool, wait_for_itself, &self);
    atomic_store(&self.future, future);
    cr_assert_eq(il_future_wait(future, seconds(20)), IL_OK);
    cr_assert_eq(self.wait, IL_ESELF);
    cr_assert_eq(self.join, IL_ESELF);
    cr_assert_eq(self.close, IL_ESELF);
    il_future_close(future);
    il_pool_close(self.pool);
}

/* ---- map -------------------------------------------------------------------------------------------- */

static void *twice(void *argument) { return (char *)argument + (uintptr_t)argument; }

#define ITEMS 10000

static void map_all(il_pool *pool, size_t items, size_t chunk) {
    static void *arguments[ITEMS], *results[ITEMS];
    memset(results, 0, sizeof results);
    for (uintptr_t i = 0; i < items; i++) arguments[i] = (void *)(i + 1);
    cr_assert_eq(il_pool_map(pool, twice, arguments, items, chunk, results, NULL, IL_FOREVER),
                 IL_OK, "%s", il_error_message());
    for (uintptr_t i = 0; i < items; i++) cr_assert_eq((uintptr_t)results[i], 2 * (i + 1));
}

Test(abi_pool, maps_a_function_over_an_array, .timeout = 60) {
    for (uint32_t threads = 1; threads <= 3; threads++) {
        il_pool *pool = open_pool(threads, threads == 2 ? 1 : 0);
        map_all(pool, ITEMS, 0);
        map_all(pool, ITEMS, 1);
        map_all(pool, 7, 3);
        map_all(pool, 1, 100);
        cr_assert_eq(il_pool_map(pool, twice, NULL, 0, 0, NULL, NULL, IL_NOWAIT), IL_OK);
        il_pool_close(pool);
    }
}

struct inner {
    il_pool *pool;
    _Atomic int counted;
};

static void *map_inside(void *argument) {
    struct inner *inner = argument;
    void *arguments[100];
    for (int i = 0; i < 100; i++) arguments[i] = (void *)&inner->counted;
    return il_pool_map(inner->pool, count, arguments, 100, 1, NULL, NULL, IL_FOREVER) == IL_OK
               ? inner
               : NULL;
}

Test(abi_pool, maps_inside_of_maps, .timeout = 60) {
    for (uint32_t threads = 1; threads <= 3; threads++) {
        struct inner inner = {.pool = open_pool(threads, 2)};
        void *arguments[50], *results[50];
        for (int i = 0; i < 50; i++) arguments[i] = &inner;
        cr_assert_eq(
            il_pool_map(inner.pool, map_inside, arguments, 50, 1, results, NULL, IL_FOREVER),
            IL_OK);
        for (int i = 0; i < 50; i++) cr_assert_eq(results[i], &inner);
        cr_assert_eq(atomic_load(&inner.counted), 5000);
        il_pool_close(inner.pool);
    }
}

Test(abi_pool, a_map_that_is_given_up_stops_and_leaves_the_arrays_alone, .timeout = 60) {
    il_pool *pool = open_pool(2, 0);
    struct gate gate = {0};
    void *arguments[100];
    for (int i = 0; i < 100; i++) arguments[i] = &gate;
    cr_assert_eq(il_pool_map(pool, pass, arguments, 100, 1, NULL, NULL, seconds(0.05)),
                 IL_ETIMEOUT);
    int begun = atomic_load(&gate.started);
    cr_assert(begun <= 2, "%d were begun", begun);
    if (begun) cr_assert_eq(atomic_load(&gate.cancelled), 1);
    /* each has its own time limit */
    const il_submit_options limited = {.struct_bytes = sizeof limited,
                                       .time_limit_ns = seconds(0.01)};
    struct gate limits = {0};
    for (int i = 0; i < 4; i++) arguments[i] = &limits;
    cr_assert_eq(il_pool_map(pool, pass, arguments, 4, 1, NULL, &limited, seconds(30)), IL_OK);
    cr_assert_eq(atomic_load(&limits.started), 4);
    il_pool_close(pool);
}

/* ---- its end ---------------------------------------------------------------------------------------- */

Test(abi_pool, a_shut_pool_does_what_it_has_and_takes_no_more, .timeout = 60) {
    il_pool *pool = open_pool(2, 0);
    _Atomic int counted = 0;
    cr_assert_eq(il_pool_join(pool, IL_NOWAIT), IL_EINVAL);
    SAYS("shut");
    for (int i = 0; i < 100000; i++) {
        cr_assert_eq(il_pool_submit(pool, count, (void *)&counted, NULL, IL_FOREVER, NULL), IL_OK);
    }
    for (int i = 0; i < 2; i++) cr_assert_eq(il_pool_shut(pool), IL_OK);
    cr_assert_eq(il_pool_submit(pool, count, (void *)&counted, NULL, IL_FOREVER, NULL), IL_ECLOSED);
    const il_submit_options urgent = {.struct_bytes = sizeof urgent, .priority = 1};
    il_future *future = NULL;
    cr_assert_eq(il_pool_submit(pool, echo, NULL, &urgent, IL_FOREVER, &future), IL_ECLOSED);
    cr_assert_null(future);
    cr_assert_eq(il_pool_join(pool, seconds(40)), IL_OK);
    cr_assert_eq(atomic_load(&counted), 100000);
    il_pool_info is = info(pool);
    cr_assert(is.threads == 2 && is.running == 0 && is.queued == 0 && is.submitted == 100000 &&
              is.done == 100000 && is.cancelled == 0);
    cr_assert_eq(il_pool_terminate(pool), IL_OK);
    cr_assert_eq(il_pool_close(pool), IL_OK);
}

Test(abi_pool, terminate_cancels_what_has_not_begun, .timeout = 60) {
    il_pool *pool = open_pool(1, 3);
    struct gate gate = {0};
    _Atomic int counted = 0;
    struct submitter waits;
    void *result;
    occupy(pool, &gate);
    il_future *queued = submit(pool, count, (void *)&counted);
    const il_submit_options urgent = {.struct_bytes = sizeof urgent, .priority = 1};
    il_future *first = NULL;
    cr_assert_eq(il_pool_submit(pool, count, (void *)&counted, &urgent, IL_FOREVER, &first), IL_OK);
    cr_assert_eq(il_pool_submit(pool, count, (void *)&counted, NULL, IL_FOREVER, NULL), IL_OK);
    start_submitter(&waits, pool); /* for room */
    cr_assert_eq(il_pool_terminate(pool), IL_OK);
    cr_assert_eq(state(queued), IL_FUTURE_CANCELLED);
    cr_assert_eq(il_future_result(first, &result), IL_ECANCELLED);
    cr_assert_eq(il_pool_join(pool, seconds(20)), IL_OK); /* the gate was never opened */
    cr_assert_eq(atomic_load(&gate.cancelled), 1);
    cr_assert_eq(il_thread_join(waits.thread, seconds(20), NULL), IL_OK);
    cr_assert_eq(waits.status, IL_ECLOSED);
    cr_assert_eq(atomic_load(&counted), 0);
    il_pool_info is = info(pool);
    cr_assert(is.submitted == 4 && is.done == 1 && is.cancelled == 3 && is.queued == 0);
    il_future_close(queued);
    il_future_close(first);
    il_thread_close(waits.thread);
    il_pool_close(pool);
}

static void *terminate_it(void *pool) { return il_pool_terminate(pool) == IL_OK ? pool : NULL; }

Test(abi_pool, a_map_ends_when_its_pool_is_terminated, .timeout = 60) {
    il_pool *pool = open_pool(1, 0);
    void *arguments[3] = {pool, pool, pool}, *results[3] = {NULL, NULL, NULL};
    struct gate gate = {0};
    occupy(pool, &gate);
    il_thread *thread = NULL;
    cr_assert_eq(il_thread_create(terminate_it, pool, NULL, &thread), IL_OK);
    cr_assert_eq(il_thread_start(thread), IL_OK);
    il_status status = il_pool_map(pool, echo, arguments, 3, 1, results, NULL, IL_FOREVER);
    cr_assert(status == IL_ECANCELLED || status == IL_ECLOSED, "%s", il_status_name(status));
    cr_assert_null(results[0]);
    il_thread_close(thread);
    il_pool_close(pool);
}

/* The child's exit: the parent's memory is no leak of the child's. */
static void end_at_once(void) { _exit(0); }

static void *fork_inside(void *argument) {
    pid_t child = fork();
    if (child == 0) {
        il_pool_info is = {.struct_bytes = sizeof is};
        bool told = il_pool_info_get(argument, &is) == IL_EFORKED &&
                    il_pool_submit(argument, echo, NULL, NULL, 0, NULL) == IL_EFORKED;
        if (told && atexit(end_at_once) == 0)
            return NULL; /* into the pool's loop, which the child must not go on with */
        _exit(1);
    }
    return test_reap(child, 20) == 0 ? argument : NULL;
}

Test(abi_pool, does_not_exist_in_a_forked_child, .timeout = 60) {
    il_pool *pool = open_pool(1, 0);
    il_future *future = submit(pool, echo, pool);
    cr_assert_eq(il_future_wait(future, IL_FOREVER), IL_OK);
    pid_t child = fork();
    if (child == 0) {
        void *result;
        bool told = il_pool_submit(pool, echo, NULL, NULL, 0, NULL) == IL_EFORKED &&
                    il_pool_shut(pool) == IL_EFORKED && il_pool_terminate(pool) == IL_EFORKED &&
                    il_pool_join(pool, IL_FOREVER) == IL_EFORKED &&
                    il_pool_map(pool, echo, &result, 1, 0, NULL, NULL, IL_FOREVER) == IL_EFORKED &&
                    il_future_wait(future, IL_FOREVER) == IL_EFORKED &&
                    il_future_result(future, &result) == IL_EFORKED && il_pool_close(pool) == IL_OK;
#ifndef __SANITIZE_THREAD__ /* it takes new threads for those of the parent */
        il_pool *own = NULL;
        told = told && il_pool_create(NULL, &own) == IL_OK && il_pool_close(own) == IL_OK;
#endif
        _exit(told ? 0 : 1);
    }
    cr_assert_eq(test_reap(child, 20), 0);
    il_future_close(future);
    void *result = NULL;
    future = submit(pool, fork_inside, pool);
    cr_assert_eq(il_future_wait(future, seconds(30)), IL_OK);
    cr_assert_eq(il_future_result(future, &result), IL_OK);
    cr_assert_eq(result, pool);
    il_future_close(future);
    il_pool_close(pool);
}

/* ---- stress ----------------------------------------------------------------------------------------- */

struct storm {
    il_pool *pool;
    uint64_t seed;
    int rounds;
    _Atomic int ran;
    int submitted, cancelled;
    bool wrong;
    il_thread *thread;
};

#define HELD 16

/* Whatever a client may do, by chance, with some futures at a time. */
static void *storm(void *argument) {
    struct storm *s = argument;
    il_future *held[HELD] = {NULL};
    for (int i = 0; i < s->rounds; i++) {
        uint64_t random = test_random(&s->seed);
        il_future **at = &held[random % HELD];
        const il_submit_options options = {.struct_bytes = sizeof options,
                                           .priority = (int32_t)(random >> 8) % 3};
        uint32_t is = IL_FUTURE_DONE;
        if (*at) {
            if (random >> 16 & 1) il_future_cancel(*at);
            if (il_future_wait(*at, random >> 17 & 1 ? IL_FOREVER : 20000) == IL_ETIMEOUT) continue;
            if (il_future_state(*at, &is) != IL_OK || is < IL_FUTURE_DONE) s->wrong = true;
            if (is == IL_FUTURE_CANCELLED) s->cancelled++;
            il_future_close(*at);
            *at = NULL;
        }
        bool future = random >> 18 & 1;
        il_status status =
            il_pool_submit(s->pool, count, (void *)&s->ran, &options,
                           random >> 19 & 1 ? IL_NOWAIT : IL_FOREVER, future ? at : NULL);
        if (status == IL_OK) s->submitted++;
        if (status != IL_OK && status != IL_ETIMEOUT) s->wrong = true;
    }
    for (int i = 0; i < HELD; i++) {
        uint32_t is = IL_FUTURE_DONE;
        if (!held[i]) continue;
        if (il_future_wait(held[i], IL_FOREVER) != IL_OK) s->wrong = true;
        il_future_state(held[i], &is);
        if (is == IL_FUTURE_CANCELLED) s->cancelled++;
        il_future_close(held[i]);
    }
    return NULL;
}

Test(abi_pool, loses_no_task_in_a_storm, .timeout = 120) {
    for (uint64_t round = 0; round < (test_torture() ? 50u : 3u); round++) {
        il_pool *pool = open_pool(1 + (uint32_t)round % 3, round % 2 ? 8 : 0);
        struct storm storms[3];
        int submitted = 0, cancelled = 0, ran = 0;
        for (int i = 0; i < 3; i++) {
            storms[i] = (struct storm){
                .pool = pool, .seed = test_seed(41) + round * 3 + (uint64_t)i, .rounds = 4000};
            cr_assert_eq(il_thread_create(storm, &storms[i], NULL, &storms[i].thread), IL_OK);
            cr_assert_eq(il_thread_start(storms[i].thread), IL_OK);
        }
        for (int i = 0; i < 3; i++) {
            cr_assert_eq(il_thread_join(storms[i].thread, seconds(100), NULL), IL_OK);
            il_thread_close(storms[i].thread);
        }
        cr_assert_eq(il_pool_shut(pool), IL_OK);
        cr_assert_eq(il_pool_join(pool, seconds(20)), IL_OK);
        for (int i = 0; i < 3; i++) {
            cr_assert_not(storms[i].wrong);
            submitted += storms[i].submitted;
            cancelled += storms[i].cancelled;
            ran += atomic_load(&storms[i].ran);
        }
        il_pool_info is = info(pool);
        cr_assert_eq(ran, submitted - cancelled);
        cr_assert_eq(is.submitted, (uint64_t)submitted);
        cr_assert_eq(is.done, (uint64_t)ran);
        cr_assert_eq(is.cancelled, (uint64_t)cancelled);
        il_pool_close(pool);
    }
}

Test(abi_pool, names_the_bad_argument) {
    il_pool_options options = {.struct_bytes = sizeof options, .threads = 1025};
    il_submit_options submission = {.struct_bytes = sizeof submission, .priority = 101};
    il_pool *pool = NULL;
    il_future *future = NULL;
    cr_assert_eq(il_pool_create(NULL, NULL), IL_EINVAL);
    SAYS("out");
    cr_assert_eq(il_pool_create(&options, &pool), IL_EINVAL);
    SAYS("threads");
    options = (il_pool_options){.struct_bytes = sizeof options, .stack_bytes = 5};
    cr_assert_eq(il_pool_create(&options, &pool), IL_EINVAL);
    SAYS("stack_bytes");
    options.struct_bytes = 0;
    cr_assert_eq(il_pool_create(&options, &pool), IL_EINVAL);
    SAYS("struct_bytes");
    pool = open_pool(1, 0);
    cr_assert_eq(il_pool_submit(NULL, echo, NULL, NULL, 0, &future), IL_EINVAL);
    SAYS("pool");
    cr_assert_eq(il_pool_submit(pool, NULL, NULL, NULL, 0, &future), IL_EINVAL);
    SAYS("function");
    cr_assert_eq(il_pool_submit(pool, echo, NULL, NULL, -2, &future), IL_EINVAL);
    SAYS("timeout_ns");
    cr_assert_eq(il_pool_submit(pool, echo, NULL, &submission, 0, &future), IL_EINVAL);
    SAYS("priority");
    submission = (il_submit_options){.struct_bytes = sizeof submission, .time_limit_ns = -1};
    cr_assert_eq(il_pool_submit(pool, echo, NULL, &submission, 0, &future), IL_EINVAL);
    SAYS("time_limit_ns");
    cr_assert_null(future);
    cr_assert_eq(il_pool_map(pool, echo, NULL, 1, 0, NULL, NULL, 0), IL_EINVAL);
    SAYS("arguments");
    cr_assert_eq(il_future_wait(NULL, 0), IL_EINVAL);
    SAYS("future");
    future = submit(pool, echo, NULL);
    cr_assert_eq(il_future_result(future, NULL), IL_EINVAL);
    SAYS("result");
    cr_assert_eq(il_future_state(future, NULL), IL_EINVAL);
    SAYS("state");
    cr_assert_eq(il_future_done(future, NULL), IL_EINVAL);
    SAYS("done");
    il_future_close(future);
    cr_assert_eq(il_future_close(NULL), IL_OK);
    cr_assert_eq(il_pool_close(NULL), IL_OK);
    il_pool_close(pool);
}
