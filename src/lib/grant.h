/*
 * grant.h - what the ABI layers of lock, rlock, rwlock and semaphore share: arguments, the reasons of
 * grants that were lost, and what lock and rlock do alike. Internal to lib/.
 */
#ifndef ILI_LIB_GRANT_H
#define ILI_LIB_GRANT_H

#include "lib/domain.h"

/* Arguments. Each writes the error text. */
il_status ili_check_timeout(int64_t timeout_ns);
il_status ili_check_lease(int64_t lease_ns);
il_status ili_check_reason(const char *reason);

/* Copies what the caller gave of its options, with flags of KNOWN; what it did not give is 0. GIVEN may be
 * NULL. */
il_status ili_lock_options_read(const il_lock_options *given, uint32_t known, il_lock_options *all);

/* A deadline for the core: 0 does not wait. TIMEOUT_NS was checked. */
int64_t ili_deadline_of(int64_t timeout_ns);

static inline bool ili_is_granted(il_status status) {
    return status == IL_OK || status == IL_EOWNERDEAD;
}

/* STATUS of a call that named TOKEN, with the error text; that of a lost grant has the operator's reason.
 * TOKEN 0 that is not held: if the grant *LAST, the handle's last one, was lost, the status says so. LAST
 * may be NULL. */
il_status ili_report_token(il_status status, const struct ili_handle *handle, uint64_t token,
                           const _Atomic uint64_t *last);

/* lock and rlock */
il_status ili_local_renew(const struct ili_handle *handle, struct ili_lock *lock, uint64_t token,
                          int64_t lease_ns, const _Atomic uint64_t *last);
il_status ili_local_check(const struct ili_handle *handle, const struct ili_lock *lock,
                          uint64_t token);
il_status ili_local_locked(const struct ili_handle *handle, const struct ili_lock *lock,
                           int32_t *locked);
/* Fills in all but struct_bytes; MINE: of this session, or for an rlock of the calling thread. */
il_status ili_local_owner(const struct ili_handle *handle, const struct ili_lock *lock,
                          il_owner *owner);

/* Any kind with grants. */
il_status ili_local_break(const struct ili_handle *handle, uint64_t token, const char *reason);

/* OWNER is one to write to; and as much of ALL as it has room for is written. */
il_status ili_owner_check(const il_owner *owner);
void ili_owner_give(il_owner *owner, il_owner *all);

#endif
