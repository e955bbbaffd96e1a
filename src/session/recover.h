/*
 * recover.h - what is done when a process is gone: one routine, whoever the keeper is.
 *
 * It puts right what the process was changing, wakes whom it owed a wake-up, frees what it had not
 * published, withdraws its waits, gives its locks to the next ones, closes its handles, and gives the
 * slot back. It may stop half-way (IL_EBUSY: a guard is held by another process, perhaps one that is
 * dead too) and be called again, also by another keeper after this one died.
 */
#ifndef ILI_SESSION_RECOVER_H
#define ILI_SESSION_RECOVER_H

#include "arena/agent.h"

/* The process of SLOT (index) will never touch the arena again. SELF is an agent of the keeper; it
 * gets ILI_AGENT_KEEPER for the time of the call. IL_OK, or IL_EBUSY: call again soon. */
il_status ili_recover_slot(struct ili_member *member, struct ili_agent *self, uint32_t slot);

#endif
