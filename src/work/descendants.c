#include "work/descendants.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

#define PIECE_BYTES 16384

/* ---- whose ------------------------------------------------------------------------------------------ */

void ili_process_entry(char entry[ILI_PROCESS_ENTRY_BYTES], uint64_t token, uint64_t id) {
    snprintf(entry, ILI_PROCESS_ENTRY_BYTES, ILI_PROCESS_VARIABLE "=%016llx.%llu",
             (unsigned long long)token, (unsigned long long)id);
}

static int open_file(pid_t pid, const char *name) {
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* COUNT fields of /proc/PID/stat, from FIELD (4 or more) on. False: there is no such process. */
static bool read_stat(pid_t pid, char *state, int field, uint64_t *values, int count) {
    char text[1024];
    int fd = open_file(pid, "stat");
    ssize_t length = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0) close(fd);
    if (length <= 0) return false;
    text[length] = 0;
    /* the second field is the program's name in parentheses and may hold anything */
    const char *at = strrchr(text, ')');
    if (!at || at[1] != ' ') return false;
    *state = at[2];
    for (int i = 2; at && i < field; i++) at = strchr(at + 1, ' ');
    for (int i = 0; i < count; i++, at = at ? strchr(at + 1, ' ') : NULL) {
        values[i] = at ? strtoull(at + 1, NULL, 10) : 0;
    }
    return true;
}

/* Why an environment is empty: the process is ending, or had its new memory but not yet its new
 * environment, which may have come since, or it was really run with none. */
static enum ili_origin origin_of_empty(pid_t pid) {
    char state;
    uint64_t environment[2]; /* its first address, its end */
    if (!read_stat(pid, &state, 50, environment, 2)) return ILI_ORIGIN_UNSURE;
    if (state == 'Z' || state == 'X' || environment[0] == 0) return ILI_ORIGIN_UNSURE;
    return environment[0] == environment[1] ? ILI_ORIGIN_UNKNOWN : ILI_ORIGIN_UNSURE;
}

/* Looks for NEEDLE at the beginning of an entry, in TEXT[0..length), which is followed by NUL. */
static const char *find_entry(const char *text, size_t length, const char *needle) {
    for (const char *at = text;
         (at = memmem(at, length - (size_t)(at - text), needle, strlen(needle))); at++) {
        if (at == text || at[-1] == 0) return at + strlen(needle);
    }
    return NULL;
}

enum ili_origin ili_origin_of(pid_t pid, uint64_t token, uint64_t *id) {
    char piece[PIECE_BYTES + 1], entry[ILI_PROCESS_ENTRY_BYTES];
    size_t kept = 0, all = 0;
    ssize_t got;
    int fd = open_file(pid, "environ");
    if (fd < 0) return origin_of_empty(pid);
    ili_process_entry(entry, token, 0);
    strrchr(entry, '.')[1] = 0;
    /* the end of a piece is looked at again with the next one, behind a byte of what lay before it */
    while ((got = read(fd, piece + kept, PIECE_BYTES - kept)) > 0) {
        size_t length = kept + (size_t)got;
        all += (size_t)got;
        piece[length] = 0;
        const char *found = find_entry(piece, length, entry);
        /* complete: its NUL has been read */
        if (found && isdigit((unsigned char)*found) &&
            strlen(found) < (size_t)(piece + length - found)) {
            *id = strtoull(found, NULL, 10);
            close(fd);
            return ILI_ORIGIN_KNOWN;
        }
        kept = length < 2 * ILI_PROCESS_ENTRY_BYTES ? length : 2 * ILI_PROCESS_ENTRY_BYTES;
        memmove(piece, piece + length - kept, kept);
        /* a piece does not begin an entry unless it is the first */
        if (all > kept) piece[0] = piece[0] ? 'x' : 0;
    }
    close(fd);
    return all ? ILI_ORIGIN_UNKNOWN : origin_of_empty(pid);
}

/* ---- which ------------------------------------------------------------------------------------------ */

static void each_process(void (*visit)(void *context, pid_t pid), void *context) {
    DIR *directory = opendir("/proc");
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            visit(context, (pid_t)strtol(entry->d_name, NULL, 10));
        }
    }
    closedir(directory);
}

struct among_children {
    void (*visit)(void *context, pid_t pid);
    void *context;
    uint64_t parent;
};

static void visit_if_child(void *context, pid_t pid) {
    struct among_children *among = context;
    uint64_t parent;
    char state;
    if (read_stat(pid, &state, 4, &parent, 1) && parent == among->parent) {
        among->visit(among->context, pid);
    }
}

void ili_children_scan(void (*visit)(void *context, pid_t pid), void *context) {
    struct among_children among = {visit, context, (uint64_t)getpid()};
    each_process(visit_if_child, &among);
}

void ili_children_each(void (*visit)(void *context, pid_t pid), void *context) {
    /* nobody but this process takes a child off the list, and new ones come at its end: reading it in
     * pieces misses none */
    char text[4096];
    long pid = 0;
    ssize_t length;
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        ili_children_scan(visit, context);
        return;
    }
    while ((length = read(fd, text, sizeof text)) > 0) {
        for (ssize_t i = 0; i < length; i++) {
            if (isdigit((unsigned char)text[i])) {
                pid = pid * 10 + (text[i] - '0');
            } else if (pid) {
                visit(context, (pid_t)pid);
                pid = 0;
            }
        }
    }
    close(fd);
}

/* ---- killing ---------------------------------------------------------------------------------------- */

void ili_child_kill(pid_t child) {
    /* First the child, which from then on starts nothing and leaves its group no more; as long as it is
     * not reaped, the group's number is its group's. */
    kill(child, SIGKILL);
    pid_t group = getpgid(child);
    if (group > 1 && group != getpgrp()) kill(-group, SIGKILL);
}

struct sweep {
    uint64_t token;
    bool found;
};

/* Not a child: a pidfd first, so that what was looked at is what is killed. */
static void kill_if_marked(void *context, pid_t pid) {
    struct sweep *sweep = context;
    uint64_t id;
    if (ili_origin_of(pid, sweep->token, &id) != ILI_ORIGIN_KNOWN) return;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) return;
    if (ili_origin_of(pid, sweep->token, &id) == ILI_ORIGIN_KNOWN) {
        sweep->found = true;
        syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
    }
    close(fd);
}

void ili_origin_sweep(uint64_t token, int64_t limit_ns) {
    int64_t until = ili_now_ns() + limit_ns;
    struct sweep sweep = {.token = token};
    do {
        sweep.found = false;
        each_process(kill_if_marked, &sweep);
        if (sweep.found) poll(NULL, 0, 1);
    } while (sweep.found && ili_now_ns() < until);
}
