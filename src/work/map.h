/*
 * map.h - one function over many items: a set of tasks that are submitted, watched and cancelled
 * together. Item i is task i; several go to a worker in one message (a chunk), each with a result, an
 * error and attempts of its own.
 */
#ifndef ILI_WORK_MAP_H
#define ILI_WORK_MAP_H

#include "work/task.h"

#define ILI_MAP_ITEMS_MOST 1000000u

struct ili_map_watch {
    struct ili_map_watch *next;
    /* An element has ended; the last one too. */
    void (*element)(struct ili_map_watch *watch, struct ili_map *map, struct ili_task *task);
};

struct ili_map {
    uint64_t id;
    struct ili_pool *pool;
    struct ili_task **tasks; /* by index, owned by the map: they are not forgotten before it */
    uint32_t count, chunk;
    uint32_t ended, succeeded; /* how many; counted as they are told */
    uint32_t *order;           /* indices in the order in which they ended */
    char *kwargs;              /* of each element, owned; NULL: {} */
    size_t kwargs_bytes;
    bool chunk_chosen;       /* by the caller: a worker gets just so many at once */
    bool forgotten, dropped; /* private */
    int64_t submitted_ns, ended_ns;
    int64_t keep_ns;
    struct ili_timer timer; /* keep */
    struct ili_map_watch *watches;
    struct ili_map_watch *telling;              /* private: who is told next */
    struct ili_task *elements;                  /* private: one block for all */
    char *texts;                                /* private: their calls */
    struct ili_map *next_by_id, *newer, *older; /* all maps */
};

/* One item: its args (a JSON array) and kwargs as they are. */
struct ili_map_item {
    const char *args;
    size_t args_bytes;
};

/* Submits all, or none. CHUNK 0: items / (4 * workers), rounded up, 1 at least (as Python's Pool.map),
 * and less for functions that take long. COUNT 0: a map that has ended. Errors as for
 * ili_task_submit(). */
il_status ili_map_submit(struct ili_pool *pool, const char *function, size_t function_bytes,
                         const struct ili_map_item *items, uint32_t count, const char *kwargs,
                         size_t kwargs_bytes, uint32_t chunk,
                         const struct ili_task_options *options, struct ili_map **out,
                         struct ili_fault *fault);

struct ili_map *ili_map_find(struct ili_pools *pools, uint64_t id);
void ili_map_cancel(struct ili_map *map);
void ili_map_watch(struct ili_map *map, struct ili_map_watch *watch);
void ili_map_unwatch(struct ili_map *map, struct ili_map_watch *watch);
il_status ili_map_forget(struct ili_map *map); /* with its tasks. IL_EBUSY: not all have ended */

#endif
