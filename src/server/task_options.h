/*
 * task_options.h - how a task is to be run, as fields of a body: priority, retries, delay, deadline,
 * time_limit, backoff, backoff_max, keep. They stand in a task, in a map, and in a pool as defaults.
 */
#ifndef ILI_SERVER_TASK_OPTIONS_H
#define ILI_SERVER_TASK_OPTIONS_H

#include "server/params.h"
#include "work/task.h"

#define ILI_YEAR_NS INT64_C(31536000000000000)
#define ILI_WEEK_NS INT64_C(604800000000000)
#define ILI_DAY_NS INT64_C(86400000000000)

/* The fields as params.h reads them; ili_task_fields_begin() fills them in with DEFAULTS. */
struct ili_task_fields {
    int64_t priority, delay_ns, deadline_ns, time_limit_ns, backoff_ns, backoff_most_ns, keep_ns;
    uint64_t retries;
};

/* Seven rows; `delay` is an eighth, of what is submitted. */
#define ILI_TASK_FIELDS 7
#define ILI_TASK_FIELD_PARAMS(f)                                                                   \
    ILI_PARAM_INTEGER("priority", &(f)->priority, -ILI_PRIORITY_MOST, ILI_PRIORITY_MOST),          \
        ILI_PARAM_COUNT("retries", &(f)->retries, 0, ILI_RETRIES_MOST),                            \
        ILI_PARAM_LEASE("deadline", &(f)->deadline_ns, 1000000, ILI_YEAR_NS),                      \
        ILI_PARAM_LEASE("time_limit", &(f)->time_limit_ns, 1000000, ILI_YEAR_NS),                  \
        ILI_PARAM_SECONDS("backoff", &(f)->backoff_ns, 0, ILI_DAY_NS),                             \
        ILI_PARAM_SECONDS("backoff_max", &(f)->backoff_most_ns, 0, ILI_DAY_NS),                    \
        ILI_PARAM_SECONDS("keep", &(f)->keep_ns, 0, ILI_WEEK_NS)
#define ILI_DELAY_PARAM(f) ILI_PARAM_SECONDS("delay", &(f)->delay_ns, 0, ILI_YEAR_NS)

void ili_task_fields_begin(struct ili_task_fields *fields, const struct ili_task_options *defaults);
void ili_task_fields_end(const struct ili_task_fields *fields, struct ili_task_options *out);

#endif
