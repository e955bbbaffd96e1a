/*
 * owned.h - acquiring and releasing over HTTP, for all kinds that have owners: lock, rlock, rwlock,
 * semaphore, and the lock of a condition.
 *
 * Every grant belongs to the domain's session and, of rlocks and rwlocks, to the calling thread as its
 * owner key. If the session ends while a thread waits, the wait goes on in a new one. Every failing call
 * has written the error text.
 */
#ifndef ILI_CLIENT_OWNED_H
#define ILI_CLIENT_OWNED_H

#include "client/object.h"

/* What is acquired. */
struct ili_remote_ask {
    uint32_t mode;    /* rwlock */
    uint32_t count;   /* semaphore */
    int64_t lease_ns; /* 0: none but the session's */
};

/* Something to acquire: the object that is asked, and that whose grant it is; the same but for a
 * condition, which asks for its lock. */
struct ili_remote_owned {
    const struct ili_remote_object *asked, *held;
};

/* *TOKEN (may be NULL) is written with the grant: IL_OK, IL_EOWNERDEAD. */
il_status ili_remote_owned_acquire(struct ili_remote_owned what, struct ili_remote_ask ask,
                                   const struct ili_wait *wait, uint64_t *token);

/* Gives back one acquire of the grant TOKEN; 0: of whatever the thread (the process) holds. Not of
 * semaphores. */
il_status ili_remote_owned_release(struct ili_remote_owned what, uint64_t token);

/* As the functions of interlock.h. */
il_status ili_remote_owned_renew(const struct ili_remote_object *object, uint64_t token,
                                 int64_t lease_ns);
il_status ili_remote_owned_check(const struct ili_remote_object *object, uint64_t token);
il_status ili_remote_owned_break(const struct ili_remote_object *object, uint64_t token,
                                 const char *reason);
il_status ili_remote_owned_locked(const struct ili_remote_object *object, int32_t *locked);
il_status ili_remote_owned_owner(const struct ili_remote_object *object, il_owner *owner);

/* At the end of a domain: releases all that it holds, until the server cannot be reached. */
void ili_remote_release_all(struct ili_remote_domain *domain);

/* ---- the parts ---------------------------------------------------------------------------------- */

/* What the calling thread's grants of OBJECT are looked up by; borrows its name. */
struct ili_remote_key ili_remote_owned_key(const struct ili_remote_object *object);

/* The calling thread's grant TOKEN (0: whatever it holds). IL_ENOTHELD, IL_ESTALE and the like; IL_ELEASE:
 * it was lost, and is forgotten now. */
il_status ili_remote_owned_find(const struct ili_remote_object *object, uint64_t token,
                                struct ili_remote_grant *grant);

/* An entry to be granted to the calling thread (its process) within SESSION, to be given to
 * ili_remote_owned_granted() or free()d. NULL: no memory. */
struct ili_remote_grant *ili_remote_owned_prepare(const struct ili_remote_object *object,
                                                  const struct ili_remote_session_ref *session,
                                                  const struct ili_remote_ask *ask);

/* Reads the grant in ANSWER (of CALL) and puts it into the table. Takes GRANT over. */
il_status ili_remote_owned_granted(struct ili_call *call, struct ili_json answer,
                                   struct ili_remote_grant *grant, uint64_t *token);

/* Releases, asking ASKED, what GRANT is an entry of: one acquire of it, or COUNT permits. */
il_status ili_remote_owned_give(const struct ili_remote_object *asked,
                                const struct ili_remote_grant *grant, uint32_t count);

/* Names GRANT's session and OWNER (a thread; 0: none) in the body. False: that session has ended. */
bool ili_remote_owned_name(struct ili_call *call, const struct ili_remote_grant *grant,
                           uint64_t owner);

/* GRANT was lost with its session, and is forgotten now: IL_ELEASE. */
il_status ili_remote_owned_lost(struct ili_remote_domain *domain,
                                const struct ili_remote_grant *grant);

/* TOKEN (0: none was given) is of no grant that the caller has: IL_ENOTHELD, or what became of it. */
il_status ili_remote_owned_not_ours(const struct ili_remote_object *object, uint64_t token);

/* Whether STATUS of a release means that nothing is left of the grant. */
bool ili_remote_owned_settles(il_status status);

#endif
