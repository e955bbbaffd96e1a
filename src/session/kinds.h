/* kinds.h - the table of object kinds: the one place that knows them all. */
#ifndef ILI_SESSION_KINDS_H
#define ILI_SESSION_KINDS_H

#include "arena/names.h"

/* Fills in ili_kind_of. Once, before the first domain; calling it again is harmless. */
void ili_kinds_register(void);

/* Repairs what a GUARD that the dead agent DEAD holds protects, by its kind. IL_EBUSY: call again. */
il_status ili_kinds_repair(struct ili_member *member, struct ili_agent *self,
                           struct ili_guard *guard, struct ili_agent *dead);

#endif
