/*
 * attach.h - how a process joins a served arena.
 *
 * Over the server's Unix socket, which also speaks HTTP: the first eight bytes tell them apart. The
 * client sends a hello; the server checks the peer's credentials, takes a slot for it and answers with
 * the arena's memfd and the doorbell's eventfd by SCM_RIGHTS. The connection stays open: it is the
 * life line. A client that leaves in good order says so by one byte.
 */
#ifndef ILI_SESSION_ATTACH_H
#define ILI_SESSION_ATTACH_H

#include "arena/member.h"

#define ILI_ATTACH_MAGIC "ILATTACH"
#define ILI_ATTACH_GOODBYE 'B'
#define ILI_ATTACH_FDS 2 /* arena, doorbell */

struct ili_attach_hello {
    char magic[8];
    uint64_t stamp; /* ili_layout_stamp() of the client */
    char label[64]; /* empty: the program's name */
};
_Static_assert(sizeof(struct ili_attach_hello) == 80, "wire format");

struct ili_attach_answer {
    char magic[8];
    int32_t status; /* il_status; the descriptors come with IL_OK only */
    uint32_t slot;
};
_Static_assert(sizeof(struct ili_attach_answer) == 16, "wire format");

/* Joins the arena of the server at PATH: fills in ARENA, SLOT, DOORBELL_FD and LIFE_FD, all owned by
 * the caller. Waits 5 s for the server at most. IL_ECONNECT, IL_EACCESS, IL_EPROTOCOL, IL_ELIMIT,
 * IL_ESYSTEM, IL_ENOMEM; errno is that of the system call that failed, or 0. */
il_status ili_attach(const char *path, const char *label, struct ili_arena *arena, uint32_t *slot,
                     int *doorbell_fd, int *life_fd);

/* The server's side of one connection. */
struct ili_attach_peer {
    uint32_t pid, uid;
    int pid_fd; /* readable when the process has ended; -1: none to be had. Owned by the caller */
};

/* Whom FD is connected to. IL_ESYSTEM. */
il_status ili_attach_peer(int fd, struct ili_attach_peer *peer);

/* Answers with STATUS, and with the arena and the doorbell if it is IL_OK. */
il_status ili_attach_reply(int fd, il_status status, uint32_t slot,
                           const struct ili_member *server);

#endif
