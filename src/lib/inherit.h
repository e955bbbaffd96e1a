/*
 * inherit.h - how a program that this process starts comes to its domain.
 *
 * A private domain is its arena's and its doorbell's descriptors: the program has them open at fixed
 * places, and INTERLOCK_INHERIT says which, together with the arena's inode, by which a descriptor that
 * something else was put in the place of is recognised. A domain of a server is its address, in
 * INTERLOCK_DOMAIN. Of the two variables only what is true for the program is in its environment: one
 * that is given no domain does not have INTERLOCK_INHERIT of this process, whose descriptors it has not.
 */
#ifndef ILI_LIB_INHERIT_H
#define ILI_LIB_INHERIT_H

#include "lib/domain.h"
#include "run/spawn.h"

#define ILI_INHERIT_VARIABLE "INTERLOCK_INHERIT"
#define ILI_DOMAIN_VARIABLE "INTERLOCK_DOMAIN"
#define ILI_INHERIT_ENTRIES 2 /* at most */

struct ili_inheritance {
    const char *entries[ILI_INHERIT_ENTRIES]; /* "NAME=value", borrowed from here or the domain */
    unsigned count;
    char private[96];
};

/* "INTERLOCK_DOMAIN=ADDRESS" with an absolute path, to be freed. NULL: no memory. */
char *ili_inherit_entry(const char *address);

/* Fills in OUT, which must not move, and gives SPAWN the descriptors, for a program that is to open DOMAIN
 * (NULL: none). Writes the error text. */
il_status ili_inherit_give(struct il_domain *domain, struct ili_inheritance *out,
                           struct ili_spawn *spawn);

/* Whether ENTRY of an environment is replaced or removed by OUT. */
bool ili_inherit_replaces(const struct ili_inheritance *out, const char *entry);

/* Maps the arena that TOLD, the value of INTERLOCK_INHERIT, describes: copies of its descriptors, which
 * stay for another call. Writes the error text. */
il_status ili_inherit_take(const char *told, struct ili_arena *arena, int *doorbell_fd);

#endif
