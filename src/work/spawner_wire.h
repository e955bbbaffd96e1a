/*
 * spawner_wire.h - what the server and its spawner process say to each other, over a stream socket.
 *
 * The server sends requests, each followed by its body; the descriptors of a SPAWN come with its first
 * byte. The spawner sends reports of fixed size. Both are one program, so plain structs will do.
 */
#ifndef ILI_WORK_SPAWNER_WIRE_H
#define ILI_WORK_SPAWNER_WIRE_H

#include "run/spawn.h"

#define ILI_SPAWNER_NAME "il-spawner" /* argv[0], and the process's name */
#define ILI_SPAWNER_FD 3              /* the socket, in the spawner */
#define ILI_SPAWNER_BODY_MOST (UINT32_C(1) << 20)
#define ILI_SPAWNER_OWN_ENVIRONMENT UINT32_MAX

enum ili_spawner_request_kind {
    ILI_SPAWNER_HELLO = 1, /* the first one: token, files, sweep */
    ILI_SPAWNER_SPAWN,
    ILI_SPAWNER_KILL,
};

struct ili_spawner_request {
    uint32_t kind;
    uint32_t bytes; /* of the body: program, directory, arguments, environment, each ended by NUL */
    uint64_t id;    /* HELLO: the server's token */
    uint32_t arguments;
    uint32_t environment; /* how many; or ILI_SPAWNER_OWN_ENVIRONMENT */
    struct ili_spawn_limits limits;
    uint64_t files_soft, files_hard; /* HELLO: RLIMIT_NOFILE */
    int32_t signal;                  /* KILL */
    uint8_t fds;                     /* bit i: the program's descriptor i was sent */
    uint8_t has_directory;
    uint8_t own_group;
    uint8_t sweep; /* HELLO: the spawner before was killed, and left things behind */
};

struct ili_spawner_report {
    uint64_t id;
    uint32_t what_happened; /* as in struct ili_spawner_event */
    int32_t pid;
    int32_t error;
    int32_t wait_status;
    uint64_t cpu_ns;
    uint64_t memory_bytes;
    char what[24];
};

#endif
