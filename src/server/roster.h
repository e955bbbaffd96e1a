/*
 * roster.h - things of the server itself by name: threads, processes, timers. The arena knows nothing
 * of them, so they are here only over HTTP and end with the server.
 *
 *     struct thread { struct ili_named named; … };        named comes first
 *     struct thread *t = (struct thread *)ili_roster_find(&server->threads, name, bytes);
 *
 * Sorted by name, so a listing (page.h) needs no other order. Finding costs O(log n), adding and
 * removing the moving of pointers. One thread, the loop's.
 */
#ifndef ILI_SERVER_ROSTER_H
#define ILI_SERVER_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

struct ili_named {
    uint8_t name_bytes;
    char name[IL_NAME_MAX_BYTES]; /* not ended by a NUL */
};

/* All zero is an empty one. */
struct ili_roster {
    struct ili_named **sorted; /* the things are their makers' */
    size_t count, room;
};

/* Gives NAMED its name; NAME is one that path.h has checked. */
void ili_named_set(struct ili_named *named, const char *name, size_t name_bytes);

/* For struct ili_page_walk. */
const char *ili_named_name(const void *named, size_t *name_bytes);

/* NULL: there is none. */
struct ili_named *ili_roster_find(const struct ili_roster *roster, const char *name,
                                  size_t name_bytes);

/* The first whose name is greater than NAME; NAME NULL: the first of all. NULL: there is no more. */
struct ili_named *ili_roster_after(const struct ili_roster *roster, const char *name,
                                   size_t name_bytes);

/* Adds NAMED, whose name is not there yet. False: no memory. */
bool ili_roster_add(struct ili_roster *roster, struct ili_named *named);

/* Takes NAMED, which is there, out. */
void ili_roster_remove(struct ili_roster *roster, const struct ili_named *named);

/* Frees the roster, not what was in it. */
void ili_roster_free(struct ili_roster *roster);

#endif
