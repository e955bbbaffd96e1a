#include "lib/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA_PLACE 6 /* out of the way of what shells and scripts use */
#define DOORBELL_PLACE 7
_Static_assert(DOORBELL_PLACE < ILI_SPAWN_FDS, "places of a program's descriptors");

char *ili_inherit_entry(const char *address) {
    const char *path = strncmp(address, "unix:", 5) == 0 ? address + 5 : NULL;
    char *directory = path && *path != '/' ? getcwd(NULL, 0) : NULL;
    char *entry = NULL;
    int made = directory ? asprintf(&entry, ILI_DOMAIN_VARIABLE "=unix:%s/%s", directory, path)
                         : asprintf(&entry, ILI_DOMAIN_VARIABLE "=%s", address);
    free(directory);
    return made < 0 ? NULL : entry;
}

static il_status give_private(struct ili_member *m, struct ili_inheritance *out,
                              struct ili_spawn *spawn) {
    struct stat st;
    il_status status = ili_member_check(m);
    if (status != IL_OK) return ili_report(status, "domain");
    if (fstat(m->arena.fd, &st) != 0) return ili_fail(IL_ESYSTEM, "fstat: %s", strerror(errno));
    spawn->fds[ARENA_PLACE] = m->arena.fd;
    spawn->fds[DOORBELL_PLACE] = m->doorbell_fd;
    snprintf(out->private, sizeof out->private, ILI_INHERIT_VARIABLE "=%d:%d:%llu", ARENA_PLACE,
             DOORBELL_PLACE, (unsigned long long)st.st_ino);
    out->entries[out->count++] = out->private;
    out->entries[out->count++] = ILI_DOMAIN_VARIABLE "=inherited:";
    return IL_OK;
}

il_status ili_inherit_give(struct il_domain *domain, struct ili_inheritance *out,
                           struct ili_spawn *spawn) {
    out->count = 0;
    if (!domain) return IL_OK;
    if (!domain->remote_ops && !domain->member.served) {
        return give_private(&domain->member, out, spawn);
    }
    if (!domain->entry) return ili_fail(IL_ENOMEM, "this process has no memory");
    out->entries[out->count++] = domain->entry;
    return IL_OK;
}

static bool is_named(const char *entry, const char *name) {
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

bool ili_inherit_replaces(const struct ili_inheritance *out, const char *entry) {
    if (is_named(entry, ILI_INHERIT_VARIABLE)) return true;
    return out->count && is_named(entry, ILI_DOMAIN_VARIABLE);
}

/* Descriptors that nothing can be read or written by mistake: an eventfd has no type of file. */
static bool is_doorbell(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == 0;
}

static bool is_arena(int fd, unsigned long long inode) {
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_ino == inode && fcntl(fd, F_GET_SEALS) >= 0;
}

/* A copy for this process alone; the original is not for programs that are started by other means. */
static int take_copy(int fd) {
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

il_status ili_inherit_take(const char *told, struct ili_arena *arena, int *doorbell_fd) {
    int arena_fd, doorbell;
    unsigned long long inode;
    char rest;
    if (sscanf(told, "%9d:%9d:%20llu%c", &arena_fd, &doorbell, &inode, &rest) != 3) { /* NOLINT */
        return ili_fail(IL_EINVAL,
                        ILI_INHERIT_VARIABLE ": expected two descriptors and an inode, "
                                             "got \"%.60s\"",
                        told);
    }
    if (!is_arena(arena_fd, inode) || !is_doorbell(doorbell)) {
        return ili_fail(IL_ENOTFOUND,
                        "the descriptors %d and %d are no longer those of the domain: it can be "
                        "opened only by the program that was started with it",
                        arena_fd, doorbell);
    }
    int mine = take_copy(arena_fd), bell = take_copy(doorbell);
    il_status status = mine < 0 || bell < 0 ? IL_ESYSTEM : ili_arena_map(mine, arena);
    if (status != IL_OK) {
        int why = errno;
        if (mine >= 0) close(mine);
        if (bell >= 0) close(bell);
        return status == IL_EPROTOCOL
                   ? ili_fail(status, "the program that made it has another version of Interlock")
                   : ili_fail(status, "opening the inherited domain: %s", strerror(why));
    }
    *doorbell_fd = bell;
    return IL_OK;
}
