/*
 * attempt.h - the steps of a task between its submission and its end, as the workers' side sees them.
 */
#ifndef ILI_WORK_ATTEMPT_H
#define ILI_WORK_ATTEMPT_H

#include "base/json_span.h"
#include "work/output.h"
#include "work/task.h"

/* An error in the making: takes what is to be the task's. */
struct ili_error {
    char *text; /* owned; NULL: there was no memory for it */
    size_t bytes;
};

/* {"type":TYPE,"message":...} */
struct ili_error ili_error_make(const char *type, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How an attempt went wrong. */
enum ili_failure {
    ILI_FAILURE_FUNCTION, /* it failed */
    ILI_FAILURE_FINAL,    /* and another attempt would be in vain */
    ILI_FAILURE_TIME,     /* its time limit */
    ILI_FAILURE_CRASH,    /* its worker died */
};

/* Into the backlog, in which there is room. */
void ili_task_line_up(struct ili_task *task);

/* An attempt begins; the worker is known. */
void ili_attempt_begin(struct ili_task *task);

/* It goes back to the front as if it had not begun. */
void ili_attempt_undo(struct ili_task *task);

/* OUTPUT is taken over. */
void ili_attempt_output(struct ili_task *task, struct ili_output *output);

void ili_attempt_succeeded(struct ili_task *task, struct ili_json_span result);

/* Another attempt follows, or the task ends. ERROR is taken over. */
void ili_attempt_failed(struct ili_task *task, enum ili_failure failure, struct ili_error error);

/* It has stopped, or its worker was stopped, after its time limit. */
void ili_attempt_timed_out(struct ili_task *task);

/* Whether another attempt would follow a time limit. */
bool ili_attempt_may_follow(const struct ili_task *task);

/* It has ended with STATE; ERROR (NULL: none) is taken over. It is in no worker any more. */
void ili_task_end(struct ili_task *task, enum ili_task_state state, struct ili_error *error);

/* Tells whom it concerns that TASK, the engine's first ended one, has ended. */
void ili_task_tell(struct ili_task *task);
void ili_map_tell(struct ili_map *map, struct ili_task *task); /* map.c */

void ili_task_set_state(struct ili_task *task, enum ili_task_state state);

/* task.c: fills in a task that is all zero but its texts' lengths, and enters it everywhere. */
void ili_task_enter(struct ili_task *task);
/* It can no longer be found; freed when ili_pools_run() ends. Its end has been told. */
void ili_task_drop(struct ili_task *task);
void ili_task_free(struct ili_task *task); /* what it owns, and unless a map's, itself */
void ili_map_drop(struct ili_map *map);
void ili_map_free(struct ili_map *map); /* after its tasks */
il_status ili_task_check_options(const struct ili_task_options *options, struct ili_fault *fault);
il_status ili_task_check(struct ili_pool *pool, const struct ili_call *call,
                         const struct ili_task_options *options, uint32_t count,
                         struct ili_fault *fault);
void ili_task_timer(struct ili_timer *timer, void *context);
void ili_task_deadline(struct ili_timer *timer, void *context);
/* Copies JSON without line breaks. Returns the end. */
char *ili_task_copy(char *to, const char *text, size_t bytes);

#endif
