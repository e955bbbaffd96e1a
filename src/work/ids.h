/*
 * ids.h - what has a number, found by it: a table of chains. The structs hold the number and the link.
 *
 * It grows by doubling, and if there is no memory for that it stays as it is: adding cannot fail.
 */
#ifndef ILI_WORK_IDS_H
#define ILI_WORK_IDS_H

#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

struct ili_ids {
    void **buckets;
    size_t room, count;
    size_t id_at, next_at; /* where in the structs */
};

/* ID_AT is the offset of the uint64_t, NEXT_AT that of the pointer to the same struct. IL_ENOMEM. */
il_status ili_ids_open(struct ili_ids *ids, size_t id_at, size_t next_at);
void ili_ids_free(struct ili_ids *ids); /* not what is in it */

void ili_ids_add(struct ili_ids *ids, void *entry);
void *ili_ids_find(const struct ili_ids *ids, uint64_t id);
void ili_ids_remove(struct ili_ids *ids, void *entry); /* nothing if it is not there */

#endif
