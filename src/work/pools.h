/*
 * pools.h - all pools of a server, their tasks and maps: one struct, used by the loop's thread.
 */
#ifndef ILI_WORK_POOLS_H
#define ILI_WORK_POOLS_H

#include "base/loop.h"
#include "base/timer.h"
#include "work/map.h"
#include "work/pool.h"
#include "work/spawner.h"
#include "work/task.h"

/* Programs outside of pools (processes over HTTP) share the spawner: ids are handed out here. */
struct ili_program {
    uint64_t id; /* from ili_program_id() */
    void (*event)(struct ili_program *program, const struct ili_spawner_event *event);
    struct ili_program *next; /* pools.c */
};

struct ili_pools {
    struct ili_spawner spawner;
    struct ili_loop *loop;
    struct ili_timers *timers;
    const char *socket; /* the server's Unix socket: INTERLOCK_DOMAIN for its workers */
    void *private;
};

/* The spawner was started before. EPOCH: ids of tasks start at it << 24, so that they only grow from
 * one start of the server to the next. SOCKET is borrowed. */
il_status ili_pools_open(struct ili_pools *pools, struct ili_loop *loop, struct ili_timers *timers,
                         uint64_t epoch, const char *socket);

/* Terminates all pools and frees everything; whoever watches is not told. */
void ili_pools_close(struct ili_pools *pools);

/* Cancels every task and ends every pool, telling who watches; for the server's farewell. */
void ili_pools_end_all(struct ili_pools *pools);

/* Once a turn of the loop, after events and timers: hands queued tasks to workers, writes to workers,
 * drops what is no longer kept. */
void ili_pools_run(struct ili_pools *pools, int64_t now_ns);

/* Registers PROGRAM and gives it an id for pools->spawner; its events come to it, ENDED and FAILED
 * being the last. */
void ili_program_register(struct ili_pools *pools, struct ili_program *program);

/* PROGRAM is to be freed before its last event: nothing is told any more, and it is killed. */
void ili_program_forget(struct ili_pools *pools, struct ili_program *program);

uint64_t ili_pools_task_count(const struct ili_pools *pools);

#endif
