/*
 * config_pools.h - what the configuration file says of programs and pools:
 *
 *   {"programs": ["/usr/bin/python3", "/opt/app/libwork.so"],     may be started over HTTP
 *    "environment": ["PYTHONPATH"],                               names of variables, see programs.h
 *    "pools": {"thumbs": {"command": ["/usr/bin/python3", "-m", "interlock.worker", "thumbs"]}}}
 *
 * A pool of the file is made at the start; its program need not be among "programs". Over HTTP it can
 * be used, but neither be changed nor deleted.
 */
#ifndef ILI_SERVER_CONFIG_POOLS_H
#define ILI_SERVER_CONFIG_POOLS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"
#include "server/pool_options.h"
#include "server/programs.h"

struct ili_server;

struct ili_config_pool {
    char *name; /* owned */
    struct ili_pool_definition definition;
};

struct ili_config_pools {
    struct ili_programs programs;
    struct ili_config_pool *pools; /* owned */
    size_t count;
};

/* Whether KEY of the file is one of the three. */
bool ili_config_pools_has(const char *key);

/* Reads it. IL_EINVAL, IL_ENOMEM with *FAULT; drop CONFIG in every case. */
il_status ili_config_pools_read(struct ili_config_pools *config, const char *key,
                                const json_t *value, struct ili_fault *fault);

void ili_config_pools_drop(struct ili_config_pools *config);

/* Whether the file defines the pool NAME. */
bool ili_config_pools_defines(const struct ili_config_pools *config, const char *name,
                              size_t name_bytes);

/* Makes the file's pools. */
il_status ili_config_pools_make(struct ili_server *server, struct ili_fault *fault);

#endif
