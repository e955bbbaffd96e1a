#include <criterion/criterion.h>

#include "run/job_heap.h"
#include "support/wait.h"

Test(run_job_heap, gives_the_highest_priority_first_and_equal_ones_in_order) {
    struct ili_job_heap heap = {0};
    struct ili_job job;
    static struct {
        int32_t priority;
        int order;
    } pushed[2000];
    uint64_t random = test_seed(7);
    cr_assert_not(ili_job_heap_pop(&heap, &job));
    for (int i = 0; i < 2000; i++) {
        pushed[i].priority = (int32_t)(test_random(&random) % 9) - 4;
        pushed[i].order = i;
        cr_assert_eq(
            ili_job_heap_push(&heap, (struct ili_job){NULL, &pushed[i]}, pushed[i].priority),
            IL_OK);
        if (i % 3 == 2) { /* the best of all that are there */
            cr_assert(ili_job_heap_pop(&heap, &job));
            int at = (int)((char *)job.argument - (char *)pushed) / (int)sizeof pushed[0];
            for (int k = 0; k <= i; k++) {
                cr_assert(pushed[k].order < 0 || pushed[k].priority < pushed[at].priority ||
                          (pushed[k].priority == pushed[at].priority && k >= at));
            }
            pushed[at].order = -1;
        }
    }
    int32_t last = 100;
    int order = -1;
    size_t left = heap.count;
    cr_assert_eq(left, 2000 - 666);
    while (ili_job_heap_pop(&heap, &job)) {
        int at = (int)((char *)job.argument - (char *)pushed) / (int)sizeof pushed[0];
        cr_assert(pushed[at].priority < last ||
                  (pushed[at].priority == last && pushed[at].order > order));
        last = pushed[at].priority;
        order = pushed[at].order;
        left--;
    }
    cr_assert_eq(left, 0);
    ili_job_heap_free(&heap);
}
