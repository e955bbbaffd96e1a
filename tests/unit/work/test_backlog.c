/* The order of ready tasks, against a list that is searched. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "support/wait.h"
#include "work/backlog.h"
#include "work/task.h"

static bool before(const struct ili_task *a, const struct ili_task *b) {
    if (a->options.priority != b->options.priority)
        return a->options.priority > b->options.priority;
    return a->id < b->id;
}

Test(work_backlog, the_first_is_the_highest_and_oldest) {
    enum { COUNT = 400 };
    static struct ili_task tasks[COUNT];
    struct ili_backlog backlog = {0};
    uint64_t seed = test_seed(1);
    cr_assert_eq(ili_backlog_first(&backlog), NULL);
    cr_assert(ili_backlog_reserve(&backlog, COUNT));
    for (unsigned i = 0; i < COUNT; i++) {
        tasks[i].id = ((uint64_t)1800000000 << 24) + i;
        tasks[i].options.priority = (int)(test_random(&seed) % 7) * 30 - 100;
    }
    for (unsigned step = 0; step < 20000; step++) {
        struct ili_task *task = &tasks[test_random(&seed) % COUNT], *least = NULL;
        if (task->place) {
            ili_backlog_remove(&backlog, task);
            cr_assert_eq(task->place, 0);
        } else {
            ili_backlog_add(&backlog, task);
        }
        for (unsigned i = 0; i < COUNT; i++) {
            if (tasks[i].place && (!least || before(&tasks[i], least))) least = &tasks[i];
            if (tasks[i].place) cr_assert_eq(backlog.heap[tasks[i].place].task, &tasks[i]);
        }
        cr_assert_eq(ili_backlog_first(&backlog), least);
    }
    ili_backlog_free(&backlog);
}
