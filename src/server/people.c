#include "server/people.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arena/lease.h"
#include "base/clock.h"
#include "base/text.h"
#include "server/server.h"
#include "session/session_info.h"
#include "sync/lock.h"

#define QUEUE_SHOWN 100
#define HOLDERS_SHOWN 1000
#define HOLDERS_SHOWN_OF_MANY 10 /* in a list of objects */

bool ili_session_id_of(struct ili_server *server, uint32_t slot, char *room, size_t room_bytes) {
    struct ili_session_info info;
    const struct ili_client_session *client = ili_client_session_of(server, slot);
    if (client) {
        ili_client_session_id(client, room, room_bytes);
        return true;
    }
    if (!ili_session_info(&ili_server_member(server)->arena, slot, &info)) return false;
    snprintf(room, room_bytes, "%" PRIu32 ".%" PRIu32, slot, info.generation);
    return true;
}

/* An owner in words. */
struct owner_text {
    bool process, known; /* known: it has a session */
    uint32_t pid;
    char id[ILI_SESSION_ID_BYTES + 1];
    char label[sizeof((struct ili_agent *)0)->label + 1];
    char thread[sizeof((struct ili_agent *)0)->label + 1];
};

static void look_at_owner(struct ili_server *server, uint32_t number, const char *label,
                          struct owner_text *text) {
    const struct ili_arena *arena = &ili_server_member(server)->arena;
    const struct ili_agent *agent = ili_agent_at(arena, number);
    uint32_t slot = ili_agent_slot(arena, number);
    struct ili_session_info info = {0};
    bool sessionless = slot == ili_server_member(server)->slot;
    memset(text, 0, sizeof *text);
    text->known = !sessionless && ili_session_id_of(server, slot, text->id, sizeof text->id) &&
                  ili_session_info(arena, slot, &info);
    text->process = text->known && !(info.flags & ILI_SLOT_CLIENT);
    text->pid = info.pid;
    if (agent) memcpy(text->thread, agent->label, sizeof agent->label); /* it may lack its NUL */
    if (sessionless && text->thread[0]) label = text->thread;
    ili_text_copy(text->label, sizeof text->label, text->known ? info.label : label);
}

static void write_door_to_pid(struct ili_out *out, const struct owner_text *text, bool session) {
    ili_out_key(out, "door");
    ili_out_string(out, text->process ? "host" : "http");
    if (session) {
        ili_out_key(out, "session");
        ili_out_string(out, text->known ? text->id : NULL);
    }
    ili_out_key(out, "label");
    ili_out_string(out, text->label);
    ili_out_key(out, "pid");
    if (text->process) {
        ili_out_number(out, text->pid);
    } else {
        ili_out_null(out);
    }
}

void ili_write_owner(struct ili_out *out, struct ili_server *server, uint32_t number,
                     const char *label) {
    struct owner_text text;
    look_at_owner(server, number, label, &text);
    ili_out_open(out, '{');
    write_door_to_pid(out, &text, true);
    ili_out_key(out, "thread");
    ili_out_string(out, text.thread[0] ? text.thread : NULL);
    ili_out_close(out, '}');
}

void ili_write_since(struct ili_out *out, int64_t since_ns) {
    ili_out_key(out, "since");
    if (since_ns > 0) {
        ili_out_time(out, ili_wall_seconds_of(since_ns));
    } else {
        ili_out_null(out);
    }
}

void ili_write_lease_remaining(struct ili_out *out, struct ili_server *server, uint32_t lease,
                               ili_off object, uint64_t token) {
    const struct ili_lease *l =
        ili_lease_of(&ili_server_member(server)->arena, lease, object, token);
    ili_out_key(out, "lease_remaining");
    if (l) {
        int64_t end_ns = atomic_load_explicit(&l->end_ns, memory_order_relaxed);
        ili_out_seconds(out, ili_ns_between(ili_now_ns(), end_ns));
    } else {
        ili_out_null(out);
    }
}

static void write_mode(struct ili_out *out, uint32_t mode) {
    ili_out_key(out, "mode");
    ili_out_string(out, mode == IL_SHARED ? "shared" : "exclusive");
}

void ili_write_grant_size(struct ili_out *out, uint32_t kind, const struct ili_grant *grant) {
    if (kind == ILI_KIND_RWLOCK) write_mode(out, grant->mode);
    if (kind == ILI_KIND_SEMAPHORE || kind == ILI_KIND_RLOCK) {
        ili_out_key(out, kind == ILI_KIND_RLOCK ? "depth" : "count");
        ili_out_number(out, grant->count);
    }
}

/* What is known of the owner of TOKEN, if it gave no key; NULL: nothing. */
static const char *label_of(const struct ili_object *object, uint64_t token, char *room) {
    const struct ili_lock *lock = (const struct ili_lock *)object;
    if (object->kind != ILI_KIND_LOCK && object->kind != ILI_KIND_RLOCK) return NULL;
    /* acquire: pairs with the note's release */
    if (atomic_load_explicit(&lock->label_token, memory_order_acquire) != token) return NULL;
    memcpy(room, lock->label, sizeof lock->label);
    room[sizeof lock->label] = 0;
    return room;
}

void ili_write_owner_in_short(struct ili_out *out, struct ili_server *server,
                              const struct ili_object *object, const struct ili_grant *grant) {
    struct owner_text text;
    char label[sizeof((struct ili_lock *)0)->label + 1];
    ili_off at = ili_off_of(&ili_server_member(server)->arena, object);
    look_at_owner(server, grant->owner, label_of(object, grant->token, label), &text);
    ili_out_open(out, '{');
    write_door_to_pid(out, &text, false);
    ili_write_lease_remaining(out, server, grant->lease, at, grant->token);
    ili_write_since(out, grant->since_ns);
    ili_out_close(out, '}');
}

static void write_holder(struct ili_out *out, struct ili_server *server,
                         const struct ili_object *object, const struct ili_grant *grant) {
    char label[sizeof((struct ili_lock *)0)->label + 1];
    ili_off at = ili_off_of(&ili_server_member(server)->arena, object);
    ili_out_open(out, '{');
    ili_out_key(out, "owner");
    ili_write_owner(out, server, grant->owner, label_of(object, grant->token, label));
    ili_out_key(out, "token");
    ili_out_token(out, grant->token);
    ili_write_grant_size(out, object->kind, grant);
    ili_write_since(out, grant->since_ns);
    ili_write_lease_remaining(out, server, grant->lease, at, grant->token);
    ili_out_close(out, '}');
}

static void write_holders(struct ili_out *out, struct ili_server *server,
                          const struct ili_object *object, bool whole) {
    size_t count, most = whole ? HOLDERS_SHOWN : HOLDERS_SHOWN_OF_MANY;
    const struct ili_grant *grants = ili_grants_of(server, (void *)(uintptr_t)object, &count);
    ili_out_key(out, "holders");
    ili_out_open(out, '[');
    for (size_t i = 0; i < count && i < most; i++) write_holder(out, server, object, &grants[i]);
    ili_out_close(out, ']');
}

static void write_waiter(struct ili_out *out, struct ili_server *server, uint32_t kind,
                         const struct ili_agent *waiter) {
    uint32_t owner = ili_agent_acts_for(&ili_server_member(server)->arena, waiter);
    uint32_t want = atomic_load_explicit(&waiter->want, memory_order_relaxed);
    int64_t since_ns = atomic_load_explicit(&waiter->since_ns, memory_order_relaxed);
    ili_out_open(out, '{');
    ili_out_key(out, "owner");
    ili_write_owner(out, server, owner, NULL);
    ili_out_key(out, "waiting");
    ili_out_seconds(out, ili_ns_between(since_ns, ili_now_ns()));
    if (kind == ILI_KIND_RWLOCK) write_mode(out, want & 1);
    if (kind == ILI_KIND_SEMAPHORE) {
        ili_out_key(out, "count");
        ili_out_number(out, want);
    }
    ili_out_close(out, '}');
}

void ili_write_people(struct ili_out *out, struct ili_server *server, const void *object,
                      bool whole) {
    struct ili_member *member = ili_server_member(server);
    const struct ili_object *o = object;
    const struct ili_kind *kind = ili_kind_of(o->kind);
    const struct ili_waitq *queue =
        kind && kind->waiters ? kind->waiters((void *)(uintptr_t)object, 0) : NULL;
    ili_off at = ili_off_of(&member->arena, object);
    if (kind && kind->grants) write_holders(out, server, o, whole);
    ili_out_key(out, "waiters");
    ili_out_number(out, queue ? ili_waitq_count(queue) : 0);
    if (!whole) return;
    ili_out_key(out, "queue");
    ili_out_open(out, '[');
    const struct ili_agent *waiter = queue ? ili_waitq_first(member, queue) : NULL;
    for (unsigned i = 0; waiter && i < QUEUE_SHOWN; i++) {
        ili_off waits = atomic_load_explicit(&waiter->wait_object, memory_order_relaxed);
        if (waits != at) break; /* it has just left; the rest of the way is not to be trusted */
        write_waiter(out, server, o->kind, waiter);
        waiter = ili_waitq_next(member, waiter);
    }
    ili_out_close(out, ']');
}
