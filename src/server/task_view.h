/* task_view.h - tasks and maps as JSON. */
#ifndef ILI_SERVER_TASK_VIEW_H
#define ILI_SERVER_TASK_VIEW_H

#include "base/out.h"
#include "work/map.h"

/* Writes TASK; WHOLE: with result, error, progress and output. */
void ili_task_write(struct ili_out *out, const struct ili_task *task, bool whole);

void ili_map_write(struct ili_out *out, const struct ili_map *map);

/* Writes what has come of the element TASK: {"index", "task", "state", "result" or "error"}. */
void ili_map_write_element(struct ili_out *out, const struct ili_task *task);

/* Writes a JSON value that may not be there: null. */
void ili_write_json(struct ili_out *out, const char *key, const char *json, size_t bytes);

/* Writes a time of the monotonic clock; 0: null. */
void ili_write_time(struct ili_out *out, const char *key, int64_t at_ns);

#endif
