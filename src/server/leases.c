#include "server/leases.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/siphash.h"
#include "server/pin.h"
#include "server/server.h"
#include "sync/lock.h"

/* How soon to try again to void a grant whose lock a stopped process is inside of. */
#define RETRY_NS INT64_C(50000000)

uint64_t ili_lease_name_hash(const struct ili_server *server, const char *name, size_t name_bytes) {
    return ili_siphash(server->domain.member.arena.hash_key, name, name_bytes);
}

static struct ili_lease **bucket_of(struct ili_leases *leases, uint64_t name_hash, uint64_t token) {
    uint64_t mixed = name_hash ^ token * UINT64_C(0x9E3779B97F4A7C15);
    return &leases->buckets[mixed & (leases->bucket_count - 1)];
}

static bool grow(struct ili_leases *leases) {
    struct ili_leases grown = {.bucket_count =
                                   leases->bucket_count ? leases->bucket_count * 2 : 256};
    grown.buckets = calloc(grown.bucket_count, sizeof *grown.buckets);
    if (!grown.buckets) return leases->buckets != NULL; /* fuller chains do as well */
    for (size_t i = 0; i < leases->bucket_count; i++) {
        while (leases->buckets[i]) {
            struct ili_lease *lease = leases->buckets[i];
            leases->buckets[i] = lease->next;
            struct ili_lease **bucket = bucket_of(&grown, lease->name_hash, lease->token);
            lease->next = *bucket;
            *bucket = lease;
        }
    }
    free(leases->buckets);
    leases->buckets = grown.buckets;
    leases->bucket_count = grown.bucket_count;
    return true;
}

static void expired(struct ili_timer *timer, void *context) {
    struct ili_lease *lease = (struct ili_lease *)timer;
    struct ili_server *server = context;
    il_status status = ili_lock_void(ili_server_member(server), lease->lock, lease->token);
    if (status == IL_EBUSY) {
        (void)ili_timers_set(&server->timers, timer, server->now_ns + RETRY_NS);
        return;
    }
    if (status == IL_OK) {
        struct ili_log_line line;
        ili_log_begin(&line, ILI_LOG_INFO, "lease.ended");
        ili_log_text(&line, "holder", lease->lock->holder);
        ili_log_token(&line, "token", lease->token);
        ili_log_end(&line);
    }
    ili_lease_remember(server, lease->name_hash, lease->token,
                       status == IL_EDELETED ? IL_EDELETED : IL_ELEASE);
    ili_lease_drop(server, lease);
}

struct ili_lease *ili_lease_add(struct ili_server *server, uint64_t name_hash, uint64_t token,
                                struct ili_lock *lock, int64_t end_ns) {
    struct ili_leases *leases = &server->leases;
    if (leases->count >= leases->bucket_count && !grow(leases)) return NULL;
    struct ili_lease *lease = malloc(sizeof *lease);
    if (!lease) return NULL;
    lease->timer = (struct ili_timer){0};
    lease->timer.fire = expired;
    if (!ili_timers_set(&server->timers, &lease->timer, end_ns)) {
        free(lease);
        return NULL;
    }
    lease->name_hash = name_hash;
    lease->token = token;
    lease->lock = lock;
    struct ili_lease **bucket = bucket_of(leases, name_hash, token);
    lease->next = *bucket;
    *bucket = lease;
    leases->count++;
    return lease;
}

struct ili_lease *ili_lease_find(struct ili_server *server, uint64_t name_hash, uint64_t token) {
    struct ili_leases *leases = &server->leases;
    if (leases->count == 0) return NULL;
    struct ili_lease *lease = *bucket_of(leases, name_hash, token);
    while (lease && (lease->token != token || lease->name_hash != name_hash)) lease = lease->next;
    return lease;
}

bool ili_lease_move(struct ili_server *server, struct ili_lease *lease, int64_t end_ns) {
    return ili_timers_set(&server->timers, &lease->timer, end_ns);
}

static void forget(struct ili_leases *leases, struct ili_lease *lease) {
    struct ili_lease **at = bucket_of(leases, lease->name_hash, lease->token);
    while (*at != lease) at = &(*at)->next;
    *at = lease->next;
    leases->count--;
    free(lease);
}

void ili_lease_drop(struct ili_server *server, struct ili_lease *lease) {
    struct ili_lock *lock = lease->lock;
    ili_timers_clear(&server->timers, &lease->timer);
    forget(&server->leases, lease);
    ili_unpin(server, lock);
}

void ili_lease_remember(struct ili_server *server, uint64_t name_hash, uint64_t token,
                        il_status why) {
    struct ili_leases *leases = &server->leases;
    size_t at = leases->lost_next++ % ILI_LOST_KEPT;
    leases->lost[at].name_hash = name_hash;
    leases->lost[at].token = token;
    leases->lost[at].why = why;
}

il_status ili_lease_lost(const struct ili_server *server, uint64_t name_hash, uint64_t token) {
    const struct ili_leases *leases = &server->leases;
    for (size_t i = 0; i < ILI_LOST_KEPT; i++) {
        if (leases->lost[i].token == token && leases->lost[i].name_hash == name_hash) {
            return leases->lost[i].why;
        }
    }
    return IL_OK;
}

void ili_leases_close(struct ili_server *server) {
    struct ili_leases *leases = &server->leases;
    for (size_t i = 0; i < leases->bucket_count; i++) {
        while (leases->buckets[i]) {
            ili_timers_clear(&server->timers, &leases->buckets[i]->timer);
            forget(leases, leases->buckets[i]);
        }
    }
    free(leases->buckets);
    leases->buckets = NULL;
    leases->bucket_count = 0;
}
