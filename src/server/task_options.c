#include "server/task_options.h"

void ili_task_fields_begin(struct ili_task_fields *fields,
                           const struct ili_task_options *defaults) {
    *fields = (struct ili_task_fields){.priority = defaults->priority,
                                       .delay_ns = defaults->delay_ns,
                                       .deadline_ns = defaults->deadline_ns,
                                       .time_limit_ns = defaults->time_limit_ns,
                                       .backoff_ns = defaults->backoff_ns,
                                       .backoff_most_ns = defaults->backoff_most_ns,
                                       .keep_ns = defaults->keep_ns,
                                       .retries = defaults->retries};
}

/* null takes a default away. */
static int64_t or_none(int64_t ns) { return ns == ILI_LEASE_NONE ? 0 : ns; }

void ili_task_fields_end(const struct ili_task_fields *fields, struct ili_task_options *out) {
    *out = (struct ili_task_options){.priority = (int32_t)fields->priority,
                                     .retries = (uint32_t)fields->retries,
                                     .delay_ns = fields->delay_ns,
                                     .deadline_ns = or_none(fields->deadline_ns),
                                     .time_limit_ns = or_none(fields->time_limit_ns),
                                     .backoff_ns = fields->backoff_ns,
                                     .backoff_most_ns = fields->backoff_most_ns,
                                     .keep_ns = fields->keep_ns};
}
