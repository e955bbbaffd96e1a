/*
 * map.h - il_workers_map() over HTTP: requests whose answers are streams of results.
 */
#ifndef ILI_CLIENT_MAP_H
#define ILI_CLIENT_MAP_H

#include "client/workers.h"

il_status ili_remote_workers_map(struct ili_remote_workers *workers,
                                 const struct ili_remote_map *map, int64_t timeout_ns);

#endif
