/*
 * member.h - a private arena of this process, for tests that call the core without the public handles.
 */
#ifndef TESTS_SUPPORT_MEMBER_H
#define TESTS_SUPPORT_MEMBER_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "arena/agent.h"
#include "arena/alloc.h"
#include "arena/futex.h"
#include "arena/guard.h"
#include "arena/names.h"
#include "session/fork.h"
#include "session/kinds.h"
#include "session/warden.h"
#include "support/wait.h"

static struct ili_member test_member;

static inline struct ili_agent *test_self(void) {
    struct ili_agent *self = NULL;
    (void)ili_agent_current(&test_member, &self);
    return self;
}

static inline uint32_t test_number(const struct ili_agent *agent) {
    return ili_agent_number(&test_member.arena, agent);
}

/* The calling thread as an owner. */
static inline uint32_t test_me(void) { return test_number(test_self()); }

static inline bool test_enter(uint64_t bytes) {
    struct ili_arena arena;
    uint32_t slot;
    ili_kinds_register();
    ili_fork_prepare();
    if (ili_arena_create(bytes, false, 1000, &arena) != IL_OK) return false;
    if (ili_slot_claim(&arena, (uint32_t)getpid(), getuid(), "test", &slot) != IL_OK) return false;
    ili_member_enter(&test_member, &arena, slot, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    ili_warden_prepare_private(&test_member);
    return test_self() != NULL;
}

static inline void test_leave(void) {
    ili_warden_stop(&test_member);
    ili_member_leave(&test_member);
}

static inline il_status test_check_alloc(void) {
    struct ili_guard *guard = &test_member.arena.header->alloc;
    if (ili_guard_lock(&test_member, test_self(), guard) != IL_OK) return IL_EBUSY;
    il_status status = ili_alloc_check(&test_member);
    ili_guard_unlock(&test_member, test_self(), guard);
    return status;
}

/* The object (KIND, NAME), made with OPTIONS. NAME NULL: anonymous, in *ENTRY, which may be anywhere. */
static inline void *test_object(const struct ili_kind *kind, const char *name,
                                const void *options) {
    ili_off at = 0;
    il_status status = ili_names_open(&test_member, test_self(), kind, name,
                                      name ? strlen(name) : 0, options, 0, NULL, &at, NULL);
    return status == IL_OK ? ili_object_at(&test_member.arena, at, kind->number) : NULL;
}

static inline il_status test_close(void *object) {
    return ili_names_close(&test_member, test_self(), ili_off_of(&test_member.arena, object), NULL);
}

/* ---- fallocate that fails from the Nth call on --------------------------------------------------- */

static int64_t test_fallocate_left = INT64_MAX;

static inline int test_fallocate(int fd, int mode, off_t at, off_t bytes) {
    if ((mode & FALLOC_FL_PUNCH_HOLE) == 0 && test_fallocate_left-- <= 0) {
        errno = ENOSPC;
        return -1;
    }
    return fallocate(fd, mode, at, bytes);
}

#endif
