#include "lib/domain.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "arena/alloc.h"
#include "arena/open_table.h"
#include "base/clock.h"
#include "base/text.h"
#include "lib/inherit.h"
#include "lib/remote_load.h"
#include "session/attach.h"
#include "session/deadlock.h"
#include "session/fork.h"
#include "session/kinds.h"
#include "session/thread_end.h"
#include "session/warden.h"

#define PRIVATE "private:"
#define UNIX "unix:"
#define INHERITED "inherited:"

/* ---- open ----------------------------------------------------------------------------------------- */

static il_status open_private(struct il_domain *domain, const il_domain_options *options) {
    struct ili_arena arena;
    uint32_t slot;
    uint64_t bytes = options->arena_bytes ? options->arena_bytes : ILI_ARENA_DEFAULT_BYTES;
    if (bytes < ILI_ARENA_MIN_BYTES || bytes > ILI_ARENA_MAX_BYTES) {
        return ili_fail(IL_EINVAL, "arena_bytes: expected 0 or 1 MiB to 64 GiB, got %llu",
                        (unsigned long long)bytes);
    }
    int doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (doorbell < 0) return ili_fail(IL_ESYSTEM, "eventfd: %s", strerror(errno));
    /* tokens start at the time, so that they grow from one run of a program to the next */
    il_status status = ili_arena_create(bytes, false, (uint64_t)ili_wall_seconds() << 30, &arena);
    if (status != IL_OK) {
        close(doorbell);
        return ili_fail(status, "making an arena of %llu bytes: %s", (unsigned long long)bytes,
                        strerror(errno));
    }
    status = ili_slot_claim(&arena, (uint32_t)getpid(), getuid(), options->label, &slot);
    if (status != IL_OK) {
        close(doorbell);
        ili_arena_unmap(&arena);
        return ili_fail(status, NULL);
    }
    ili_member_enter(&domain->member, &arena, slot, doorbell);
    domain->member.check_wait = ili_deadlock_check;
    ili_warden_prepare_private(&domain->member);
    return IL_OK;
}

static const char *attach_advice(il_status status) {
    switch (status) {
    case IL_EPROTOCOL: return "the server there has another version of Interlock";
    case IL_EACCESS: return "the server serves its own user only";
    case IL_ELIMIT: return "the server has no room for another process";
    default: return errno ? strerror(errno) : "the server gave no answer";
    }
}

static il_status open_unix(struct il_domain *domain, const char *path,
                           const il_domain_options *options) {
    struct ili_arena arena;
    uint32_t slot;
    int doorbell, life;
    if (!*path) return ili_fail(IL_EINVAL, "address: expected a path after \"unix:\"");
    errno = 0;
    il_status status = ili_attach(path, options->label, &arena, &slot, &doorbell, &life);
    if (status != IL_OK) return ili_fail(status, "%s: %s", path, attach_advice(status));
    ili_member_enter(&domain->member, &arena, slot, doorbell);
    domain->member.check_wait = ili_deadlock_check;
    status = ili_warden_watch_server(&domain->member, life);
    if (status != IL_OK) {
        close(life);
        ili_member_leave(&domain->member);
        return ili_fail(status, "starting a thread: %s", strerror(errno));
    }
    return IL_OK;
}

static il_status open_remote(struct il_domain *domain, const char *address,
                             const il_domain_options *options) {
    il_status status = ili_remote_load(&domain->remote_ops);
    if (status != IL_OK) return status;
    return domain->remote_ops->domain_open(address, options->label, &domain->remote);
}

/* Joins the private domain of the process that started this one, as a child by fork() would. */
static il_status open_inherited(struct il_domain *domain, const char *told,
                                const il_domain_options *options) {
    struct ili_arena arena;
    uint32_t slot;
    int doorbell;
    uint64_t one = 1;
    il_status status = ili_inherit_take(told, &arena, &doorbell);
    if (status != IL_OK) return status;
    status = ili_slot_claim(&arena, (uint32_t)getpid(), getuid(), options->label, &slot);
    if (status != IL_OK) {
        close(doorbell);
        ili_arena_unmap(&arena);
        return ili_fail(status, "the inherited domain has no room for another process");
    }
    ili_member_enter(&domain->member, &arena, slot, doorbell);
    domain->member.check_wait = ili_deadlock_check;
    ili_warden_prepare_private(&domain->member);
    ssize_t ignored = write(doorbell, &one, sizeof one); /* the keeper looks anew */
    (void)ignored;
    return IL_OK;
}

/* Copies what the caller gave of its options; what it did not give is 0. */
static il_status read_options(const il_domain_options *given, il_domain_options *options) {
    memset(options, 0, sizeof *options);
    if (!given) return IL_OK;
    if (given->struct_bytes < sizeof(uint32_t) * 2) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_domain_options)");
    }
    size_t bytes = given->struct_bytes < sizeof *options ? given->struct_bytes : sizeof *options;
    memcpy(options, given, bytes);
    if (options->reserved) return ili_fail(IL_EINVAL, "options.reserved: expected 0");
    return IL_OK;
}

static void domain_free(struct il_domain *domain) {
    pthread_mutex_destroy(&domain->pools_mutex);
    free(domain->entry);
    free(domain);
}

/* Opens ADDRESS; what ADDRESS says of "inherited:" is in the environment. */
static il_status open_address(struct il_domain *domain, const char *address,
                              const il_domain_options *options) {
    if (strcmp(address, INHERITED) == 0) {
        const char *told = getenv(ILI_INHERIT_VARIABLE);
        if (told) return open_inherited(domain, told, options);
        address = getenv(ILI_DOMAIN_VARIABLE);
        if (!address || strcmp(address, INHERITED) == 0) {
            return ili_fail(IL_ENOTFOUND,
                            "address: \"inherited:\" is for programs that were started with a "
                            "domain; neither " ILI_INHERIT_VARIABLE " nor " ILI_DOMAIN_VARIABLE
                            " names one");
        }
    }
    if (strcmp(address, PRIVATE) == 0) return open_private(domain, options);
    il_status status;
    if (strncmp(address, UNIX, strlen(UNIX)) == 0) {
        status = open_unix(domain, address + strlen(UNIX), options);
    } else if (strncmp(address, "http://", 7) == 0 || strncmp(address, "https://", 8) == 0) {
        status = open_remote(domain, address, options);
    } else {
        status = ili_fail(IL_EINVAL,
                          "address: expected \"private:\", \"inherited:\", \"unix:PATH\" or "
                          "\"http://HOST:PORT\", got \"%.100s\"",
                          address);
    }
    if (status == IL_OK) domain->entry = ili_inherit_entry(address);
    return status;
}

il_status il_domain_open(const char *address, const il_domain_options *options, il_domain **out) {
    il_domain_options chosen;
    if (!address) return ili_fail(IL_EINVAL, "address: expected a string, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the domain, got NULL");
    il_status status = read_options(options, &chosen);
    if (status != IL_OK) return status;
    il_domain *domain = calloc(1, sizeof *domain);
    if (!domain) return ili_fail(IL_ENOMEM, "this process has no memory");
    pthread_mutex_init(&domain->pools_mutex, NULL);
    ili_kinds_register();
    ili_thread_end_prepare();
    ili_fork_prepare();
    status = open_address(domain, address, &chosen);
    if (status != IL_OK) {
        domain_free(domain);
        return status;
    }
    *out = domain;
    return IL_OK;
}

/* ---- close ---------------------------------------------------------------------------------------- */

/* The same for an rwlock or a semaphore at AT. */
static void release_shared(struct ili_member *m, ili_off at) {
    struct ili_rwlock *rwlock = ili_object_at(&m->arena, at, ILI_KIND_RWLOCK);
    struct ili_semaphore *semaphore = ili_object_at(&m->arena, at, ILI_KIND_SEMAPHORE);
    if (rwlock) ili_rwlock_release_all(m, rwlock);
    if (semaphore) ili_semaphore_release_all(m, semaphore);
}

/* Releases the locks that this process holds, through whatever it still has open. */
static void release_held(struct ili_member *m) {
    struct ili_lock_view view;
    for (uint32_t number = 0; number < m->open_page_count * ILI_OPEN_PAGE_ENTRIES; number++) {
        ili_off at = atomic_load_explicit(ili_open_entry(m, number), memory_order_relaxed);
        struct ili_lock *lock = at ? ili_object_at(&m->arena, at, ILI_KIND_LOCK) : NULL;
        if (at && !lock) lock = ili_object_at(&m->arena, at, ILI_KIND_RLOCK);
        if (at && !lock) release_shared(m, at);
        if (!lock) continue;
        ili_lock_look(m, lock, &view);
        if (view.slot == m->slot + 1) (void)ili_lock_release(m, lock, view.owner, 0);
    }
}

il_status il_domain_close(il_domain *domain) {
    if (!domain) return IL_OK;
    il_status status = IL_OK;
    if (domain->remote_ops) {
        status = domain->remote_ops->domain_close(domain->remote);
    } else {
        struct ili_member *m = &domain->member;
        if (domain->pools) (void)domain->pools_ops->domain_close(domain->pools);
        if (ili_member_check(m) == IL_OK) release_held(m);
        ili_warden_stop(m);
        ili_member_stop(m, IL_ECLOSED);
        ili_handles_forget(m);
        ili_member_leave(m);
    }
    domain_free(domain);
    return status;
}

/* ---- information ---------------------------------------------------------------------------------- */

static uint32_t count_clients(const struct ili_arena *a) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < a->regions.slots; i++) {
        uint32_t state = atomic_load_explicit(&a->slots[i].state, memory_order_acquire);
        if (state == ILI_SLOT_LIVE && !(a->header->served && i == 0)) count++;
    }
    return count;
}

il_status il_domain_info_get(il_domain *domain, il_domain_info *info) {
    il_domain_info all = {0};
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!info || info->struct_bytes < sizeof(uint32_t)) {
        return ili_fail(IL_EINVAL, "info.struct_bytes: expected sizeof(il_domain_info)");
    }
    if (domain->remote_ops) {
        return ili_fail(IL_EUNSUPPORTED, "the arena of an http: domain is its server's");
    }
    struct ili_member *m = &domain->member;
    il_status status = ili_member_check(m);
    if (status != IL_OK) return ili_report(status, "domain");
    uint32_t bytes = info->struct_bytes;
    all.struct_bytes = bytes;
    all.clients = count_clients(&m->arena);
    all.arena_bytes = m->arena.bytes;
    all.free_bytes = ili_alloc_available(m);
    all.objects = ili_names_count(m);
    memcpy(info, &all, bytes < sizeof all ? bytes : sizeof all);
    return IL_OK;
}
