#include "server/domain.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/server.h"
#include "session/deadlock.h"
#include "session/keeper.h"
#include "session/kinds.h"

#define EPOCH_SHIFT 30
#define NOTE_NS INT64_C(600000000000)
/* A client that was stopped inside an object must not stop the server: then it answers busy. */
#define PATIENCE_NS INT64_C(20000000)
#define TURN_PATIENCE_NS INT64_C(100000000) /* for all that comes in one turn of the loop */

/* ---- the epoch ---------------------------------------------------------------------------------- */

uint64_t ili_epoch_next(uint64_t wall_seconds, uint64_t remembered) {
    return wall_seconds > remembered ? wall_seconds : remembered + 1;
}

static uint64_t read_epoch(const char *path) {
    char text[32];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t bytes = read(fd, text, sizeof text - 1);
    close(fd);
    if (bytes <= 0) return 0;
    text[bytes] = 0;
    uint64_t epoch = strtoull(text, NULL, 10);
    return epoch < UINT64_C(1) << 33 ? epoch : 0; /* nonsense would use the tokens up */
}

/* Replaces the file by one that is on the disk as a whole. */
static il_status write_epoch(const char *path, uint64_t epoch) {
    char next[320], text[32];
    int length = snprintf(text, sizeof text, "%" PRIu64 "\n", epoch);
    snprintf(next, sizeof next, "%s.%ld", path, (long)getpid());
    int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return IL_ESYSTEM;
    bool written = write(fd, text, (size_t)length) == length && fsync(fd) == 0;
    close(fd);
    if (written && rename(next, path) == 0) return IL_OK;
    (void)unlink(next);
    return IL_ESYSTEM;
}

static void note_time(struct ili_domain *domain) {
    uint64_t ran = (uint64_t)(ili_now_ns() - domain->started_ns) / 1000000000u;
    if (write_epoch(domain->epoch_path, domain->epoch + ran) != IL_OK) {
        ili_log_event(ILI_LOG_WARN, "epoch.unwritten", strerror(errno));
    }
}

static void note_time_again(struct ili_timer *timer, void *context) {
    struct ili_server *server = context;
    note_time(&server->domain);
    (void)ili_timers_set(&server->timers, timer, server->now_ns + NOTE_NS);
}

static il_status begin_epoch(struct ili_server *server, struct ili_fault *fault) {
    struct ili_domain *d = &server->domain;
    snprintf(d->epoch_path, sizeof d->epoch_path, "%s/interlock.epoch", server->config.state_dir);
    d->epoch = ili_epoch_next((uint64_t)ili_wall_seconds(), read_epoch(d->epoch_path));
    d->started_ns = ili_now_ns();
    if (write_epoch(d->epoch_path, d->epoch) != IL_OK) {
        return ili_fault_set(fault, IL_ESYSTEM, NULL, NULL, "cannot write %s: %s", d->epoch_path,
                             strerror(errno));
    }
    d->note_time.fire = note_time_again;
    (void)ili_timers_set(&server->timers, &d->note_time, d->started_ns + NOTE_NS);
    return IL_OK;
}

/* ---- leases ------------------------------------------------------------------------------------- */

static void lease_ended(const struct ili_expired *what, void *context) {
    struct ili_server *server = context;
    struct ili_log_line line;
    char name[IL_NAME_MAX_BYTES + 1];
    const struct ili_arena *arena = &ili_server_member(server)->arena;
    (void)ili_object_name(arena, ili_object_at(arena, what->object, what->kind), name);
    ili_log_begin(&line, ILI_LOG_INFO, "lease.ended");
    ili_log_text(&line, "kind", ili_kind_word(what->kind));
    ili_log_text(&line, "name", name);
    ili_log_token(&line, "token", what->token);
    ili_log_end(&line);
    ili_stake_less(server, ili_holder_of(server, what->slot), what->object, true);
}

/* ---- start and stop ----------------------------------------------------------------------------- */

static il_status enter(struct ili_server *server) {
    struct ili_domain *d = &server->domain;
    struct ili_arena arena;
    uint32_t slot;
    il_status status =
        ili_arena_create(server->config.arena_bytes, true, d->epoch << EPOCH_SHIFT, &arena);
    if (status != IL_OK) return status;
    int bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (bell < 0) {
        status = IL_ESYSTEM;
    } else {
        status =
            ili_slot_claim(&arena, (uint32_t)getpid(), (uint32_t)getuid(), "interlockd", &slot);
    }
    if (status != IL_OK) {
        if (bell >= 0) close(bell);
        ili_arena_unmap(&arena);
        return status;
    }
    ili_member_enter(&d->member, &arena, slot, bell);
    d->entered = true;
    d->member.patience_ns = PATIENCE_NS;
    d->member.check_wait = ili_deadlock_check;
    d->member.turn_patience_ns = TURN_PATIENCE_NS;
    return ili_agent_current(&d->member, &d->self);
}

il_status ili_domain_start(struct ili_server *server, struct ili_fault *fault) {
    struct ili_domain *d = &server->domain;
    il_status status = begin_epoch(server, fault);
    if (status != IL_OK) return status;
    ili_kinds_register();
    status = enter(server);
    if (status == IL_OK) status = ili_client_sessions_open(server);
    if (status == IL_OK) status = ili_owners_open(server);
    if (status == IL_OK) ili_stakes_open(server);
    if (status == IL_OK) {
        struct ili_keeper_events events = ili_sessions_events(&server->sessions);
        status = ili_keeper_serve(&d->member, &events, &d->keeper);
    }
    if (status == IL_OK) status = ili_park_open(server, d->member.doorbell_fd);
    d->expiry.expired = lease_ended;
    d->expiry.context = server;
    if (status == IL_OK) return IL_OK;
    return ili_fault_set(fault, status, NULL, NULL,
                         "cannot make the arena of %" PRIu64 " bytes: %s",
                         server->config.arena_bytes, strerror(errno));
}

void ili_domain_stop(struct ili_server *server) {
    struct ili_domain *d = &server->domain;
    if (d->keeper) ili_keeper_stop(d->keeper);
    d->keeper = NULL;
    ili_expiry_free(&d->expiry);
    if (d->entered) {
        ili_member_leave(&d->member);
        note_time(d);
    }
    d->entered = false;
}

bool ili_domain_take_sweep(struct ili_domain *domain) {
    return ili_keeper_take_sweep(domain->keeper);
}
