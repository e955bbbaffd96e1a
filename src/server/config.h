/*
 * config.h - what the operator can set: defaults, then the configuration file, then the command line.
 *
 * The file is one JSON object; what it does not know is an error that names it:
 *   {"http": {"listen": "127.0.0.1:7717", "long_poll": 300, "idle_timeout": 60,
 *             "connections": 16384, "allowed_origins": ["https://example.org"]},
 *    "socket": "/run/interlock/interlock.sock", "state_dir": "/var/lib/interlock",
 *    "programs": […], "environment": […], "pools": {…},         see config_pools.h
 *    "arena_bytes": 1073741824, "locks": {"default_lease": 60}, "log": {"level": "info"}}
 */
#ifndef ILI_SERVER_CONFIG_H
#define ILI_SERVER_CONFIG_H

#include <netinet/in.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/log.h"
#include "server/config_pools.h"

#define ILI_ORIGINS_MOST 32

struct ili_config {
    char listen[80];  /* HOST:PORT as given; PORT 0: a free one */
    char socket[108]; /* path of the Unix socket */
    char state_dir[256];
    int64_t long_poll_ns, default_lease_ns, idle_timeout_ns;
    uint32_t connections;
    uint64_t arena_bytes;
    char *origins[ILI_ORIGINS_MOST]; /* owned */
    size_t origin_count;
    enum ili_log_level log_level;
    struct ili_config_pools pools;
    bool hints; /* say what to try, also when nobody seems to watch */
};

enum ili_config_outcome { ILI_CONFIG_RUN, ILI_CONFIG_SHOWN, ILI_CONFIG_WRONG };

/* Fills in CONFIG from the program's arguments. SHOWN: --help or --version was answered on stdout.
 * WRONG: *FAULT->detail is a sentence for the user. In every case ili_config_free() it. */
enum ili_config_outcome ili_config_read(struct ili_config *config, int count, char **arguments,
                                        struct ili_fault *fault);

void ili_config_free(struct ili_config *config);

/* Reads the text of a configuration file. */
il_status ili_config_parse(struct ili_config *config, const char *text, size_t bytes,
                           struct ili_fault *fault);

/* Where HOST:PORT is; HOST is localhost or a literal address ([::1]:80). Anything but loopback is
 * refused, IL_EACCESS. */
il_status ili_config_address(const char *listen, struct sockaddr_storage *out, socklen_t *bytes,
                             struct ili_fault *fault);

#endif
