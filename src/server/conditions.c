#include "server/conditions.h"

#include <stdio.h>
#include <string.h>

#include "server/granting.h"
#include "server/params.h"
#include "server/people.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"

/* The kind of the lock that a condition is bound to; NULL: the arena does not make sense. */
static const struct ili_kind *kind_of_lock(uint32_t number) {
    if (number == ILI_KIND_LOCK) return &ili_lock_kind;
    return number == ILI_KIND_RLOCK ? &ili_rlock_kind : NULL;
}

/* ---- as an object --------------------------------------------------------------------------------- */

/* Opens the lock NAME of KIND, made if need be, for a condition that is to be made. */
static il_status bind_to(struct ili_server *server, const struct ili_kind *kind, const char *name,
                         size_t name_bytes, union ili_object_options *room) {
    void *lock;
    il_status status = ili_pin_name(server, kind, name, name_bytes, NULL, 0, NULL, &lock);
    if (status != IL_OK) return status;
    room->condition.lock = lock;
    room->condition.lock_at = ili_off_of(&ili_server_member(server)->arena, lock);
    return IL_OK;
}

static bool read_options(struct ili_request *request, union ili_object_options *room,
                         const void **options) {
    char lock[IL_NAME_MAX_BYTES + 1] = "", rlock[IL_NAME_MAX_BYTES + 1] = "";
    struct ili_fault fault;
    const struct ili_param params[] = {
        ILI_PARAM_NAME("lock", lock),
        ILI_PARAM_NAME("rlock", rlock),
    };
    if (!ili_request_read(request, params, 2)) return false;
    if (*lock && *rlock) {
        ili_fault_set(&fault, IL_EINVAL, "rlock", "either lock or rlock",
                      "rlock: expected either lock or rlock, got both");
        ili_reply_fault(request, &fault);
        return false;
    }
    if (!*lock && !*rlock) return true; /* whatever it has */
    const char *name = *lock ? lock : rlock;
    il_status status = bind_to(request->server, *lock ? &ili_lock_kind : &ili_rlock_kind, name,
                               strlen(name), room);
    if (status != IL_OK) {
        ili_reply_problem(request, status, NULL);
        return false;
    }
    *options = &room->condition;
    return true;
}

/* An rlock of its own, as in Python. */
static il_status defaults(struct ili_request *request, union ili_object_options *room) {
    return bind_to(request->server, &ili_rlock_kind, request->name, request->name_bytes, room);
}

static void drop(struct ili_server *server, union ili_object_options *room) {
    if (room->condition.lock) ili_unpin(server, (void *)(uintptr_t)room->condition.lock);
}

static void say_lock(char *room, size_t room_bytes, uint32_t kind, const char *name,
                     size_t name_bytes) {
    const struct ili_kind *of = kind_of_lock(kind);
    snprintf(room, room_bytes, "%s=\"%.*s\"", of ? of->word : "lock", (int)name_bytes, name);
}

static void differ(const void *object, const void *options, struct ili_difference *difference) {
    const struct ili_condition *condition = object;
    const struct ili_object *lock = &((const struct ili_condition_options *)options)->lock->object;
    uint32_t bytes = condition->lock_name_bytes;
    say_lock(difference->has, sizeof difference->has, condition->lock_kind, condition->lock_name,
             bytes < sizeof condition->lock_name ? bytes : 0);
    /* its name lies behind it, as it was made; what is read may be nonsense, but not outside */
    uint32_t at = ili_once32(&lock->name_at), asked = ili_once32(&lock->name_bytes);
    bool sound = at <= sizeof(struct ili_rlock) && asked <= IL_NAME_MAX_BYTES;
    say_lock(difference->asked, sizeof difference->asked, ili_once32(&lock->kind),
             (const char *)lock + (sound ? at : 0), sound ? asked : 0);
}

static void view(struct ili_out *out, struct ili_server *server, const void *object, bool whole) {
    const struct ili_condition *condition = object;
    const struct ili_kind *kind = kind_of_lock(condition->lock_kind);
    uint32_t bytes = condition->lock_name_bytes;
    ili_out_key(out, "lock");
    ili_out_open(out, '{');
    ili_out_key(out, "kind");
    ili_out_string(out, kind ? kind->word : NULL);
    ili_out_key(out, "name");
    ili_out_text(out, condition->lock_name, bytes < sizeof condition->lock_name ? bytes : 0);
    ili_out_close(out, '}');
    ili_write_people(out, server, object, whole);
}

const struct ili_collection ili_conditions = {
    .name = "conditions",
    .kind = &ili_condition_kind,
    .read = read_options,
    .defaults = defaults,
    .drop = drop,
    .differ = differ,
    .view = view,
};

/* ---- with its lock -------------------------------------------------------------------------------- */

bool ili_bound_pin(struct ili_request *request, uint32_t flags, struct ili_bound *bound) {
    struct ili_server *server = request->server;
    char name[IL_NAME_MAX_BYTES];
    void *lock = NULL;
    struct ili_condition *condition = ili_objects_pin(request, flags);
    if (!condition) return false;
    const struct ili_kind *kind = kind_of_lock(condition->lock_kind);
    uint32_t bytes = condition->lock_name_bytes;
    il_status status = IL_ECORRUPT;
    if (kind && bytes > 0 && bytes <= sizeof name) {
        memcpy(name, condition->lock_name, bytes); /* what was checked is what is used */
        status = ili_pin_name(server, kind, name, bytes, NULL, 0, NULL, &lock);
    }
    if (status != IL_OK) {
        ili_unpin(server, condition);
        ili_reply_problem(request, status, NULL);
        return false;
    }
    *bound = (struct ili_bound){condition, lock};
    return true;
}

void ili_bound_unpin(struct ili_server *server, struct ili_bound *bound) {
    if (bound->condition) ili_unpin(server, bound->condition);
    if (bound->lock) ili_unpin(server, bound->lock);
    *bound = (struct ili_bound){NULL, NULL};
}

void ili_bound_refuse(struct ili_request *request, const struct ili_bound *bound, uint64_t token,
                      il_status why) {
    const struct ili_object *lock = &bound->lock->object;
    char name[IL_NAME_MAX_BYTES + 1];
    struct ili_fault fault;
    if (why == IL_EDELETED || why == IL_EBUSY) {
        ili_reply_problem(request, why, NULL);
        return;
    }
    size_t bytes = ili_object_name(&ili_server_member(request->server)->arena, lock, name);
    ili_grant_explain(request->server, ili_grantable_of(lock->kind), lock, name, (int)bytes, token,
                      why, &fault);
    ili_reply_fault(request, &fault);
}

bool ili_bound_hold(struct ili_request *request, const struct ili_bound *bound, uint64_t token) {
    struct ili_server *server = request->server;
    il_status status = IL_OK;
    if (request->owner == server->owners.anonymous) {
        uint32_t owner = ili_grant_owner(request, bound->lock, token);
        if (owner != request->owner->number && !ili_who_become(request, owner))
            status = IL_ENOTHELD;
    }
    if (status == IL_OK) {
        status = ili_condition_holds(ili_server_member(server), bound->lock, request->owner->number,
                                     token);
    }
    if (status == IL_OK) return true;
    ili_bound_refuse(request, bound, token, status);
    return false;
}

void ili_conditions_release(struct ili_request *request) {
    struct ili_bound bound;
    struct ili_who who = {0};
    struct ili_out out = {0};
    uint64_t token = 0;
    uint32_t left = 0;
    const struct ili_param params[] = {ILI_PARAM_TOKEN("token", &token), ILI_WHO_PARAMS(&who)};
    if (!ili_request_read(request, params, 3) || !ili_who_begin(request, &who)) return;
    if (!ili_bound_pin(request, ILI_OPEN_EXISTING, &bound)) return;
    const struct ili_grantable *of = ili_grantable_of(bound.lock->object.kind);
    il_status status = ili_grant_give_back(request, of, bound.lock, token, 1, &left);
    if (status != IL_OK) {
        ili_bound_refuse(request, &bound, token, status);
    } else {
        ili_out_open(&out, '{');
        ili_out_key(&out, "name");
        ili_out_text(&out, request->name, request->name_bytes);
        of->write_released(&out, request->server, bound.lock, 1, left);
        ili_out_close(&out, '}');
        ili_reply(request, 200, &out);
    }
    ili_bound_unpin(request->server, &bound);
}

/* ---- notifying ------------------------------------------------------------------------------------ */

static void answer_notified(struct ili_request *request, uint32_t notified) {
    struct ili_out out = {0};
    ili_out_open(&out, '{');
    ili_out_key(&out, "name");
    ili_out_text(&out, request->name, request->name_bytes);
    ili_out_key(&out, "notified");
    ili_out_number(&out, notified);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

static void notify(struct ili_request *request, bool all) {
    struct ili_bound bound;
    struct ili_who who = {0};
    uint64_t token = 0, count = all ? UINT32_MAX : 1;
    uint32_t notified = 0;
    const struct ili_param params[] = {ILI_PARAM_TOKEN("token", &token), ILI_WHO_PARAMS(&who),
                                       ILI_PARAM_COUNT("count", &count, 1, UINT32_MAX)};
    if (!ili_request_read(request, params, all ? 3 : 4) || !ili_who_begin(request, &who)) return;
    if (!ili_bound_pin(request, ILI_OPEN_EXISTING, &bound)) return;
    if (ili_bound_hold(request, &bound, token)) {
        il_status status =
            ili_condition_notify(ili_server_member(request->server), bound.condition, bound.lock,
                                 request->owner->number, (uint32_t)count, &notified);
        if (status == IL_OK) {
            answer_notified(request, notified);
        } else {
            ili_bound_refuse(request, &bound, token, status);
        }
    }
    ili_bound_unpin(request->server, &bound);
}

void ili_conditions_notify(struct ili_request *request) { notify(request, false); }

void ili_conditions_notify_all(struct ili_request *request) { notify(request, true); }
