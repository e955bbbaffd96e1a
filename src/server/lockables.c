#include "server/lockables.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/params.h"
#include "server/people.h"
#include "server/reply.h"
#include "server/server.h"
#include "sync/lock.h"
#include "sync/rlock.h"
#include "sync/rwlock.h"
#include "sync/semaphore.h"

#define DELAY_MOST_NS INT64_C(60000000000)

struct policy {
    char text[16];
};

#define POLICY_PARAM(policy) ILI_PARAM_TEXT("on_deadlock", (policy)->text, 15)

/* Adds the policy to FLAGS. False: the request was answered. */
static bool read_policy(struct ili_request *request, const struct policy *policy, uint32_t *flags) {
    static const char expected[] = "\"fail\" or \"report\"";
    struct ili_fault fault;
    if (strcmp(policy->text, "report") == 0) {
        *flags |= IL_DEADLOCK_REPORT;
    } else if (strcmp(policy->text, "fail") != 0) {
        ili_fault_expected(&fault, "on_deadlock", expected);
        ili_reply_fault(request, &fault);
        return false;
    }
    return true;
}

static const char *policy_of(uint32_t flags) {
    return flags & IL_DEADLOCK_REPORT ? "report" : "fail";
}

static void write_policy(struct ili_out *out, uint32_t flags) {
    ili_out_key(out, "on_deadlock");
    ili_out_string(out, policy_of(flags));
}

/* ---- locks and rlocks ----------------------------------------------------------------------------- */

static bool read_lock(struct ili_request *request, union ili_object_options *room,
                      const void **options) {
    bool fair = false;
    struct policy policy = {"fail"};
    const struct ili_param params[] = {
        ILI_PARAM_BOOL("fair", &fair),
        ILI_PARAM_SECONDS("lock_delay", &room->lock.lock_delay_ns, 0, DELAY_MOST_NS),
        POLICY_PARAM(&policy),
    };
    room->lock.struct_bytes = sizeof room->lock;
    *options = &room->lock;
    if (!ili_request_read(request, params, 3)) return false;
    room->lock.flags = fair ? IL_LOCK_FAIR : 0;
    return read_policy(request, &policy, &room->lock.flags);
}

/* Adds WORDS to what ROOM says. */
static void add(char *room, size_t room_bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(char *room, size_t room_bytes, const char *format, ...) {
    va_list arguments;
    size_t length = strlen(room);
    if (length > 0) length += (size_t)snprintf(room + length, room_bytes - length, ", ");
    va_start(arguments, format);
    vsnprintf(room + length, room_bytes - length, format, arguments);
    va_end(arguments);
}

#define ADD_TO_BOTH(difference, format, has_value, asked_value)                                    \
    do {                                                                                           \
        add((difference)->has, sizeof(difference)->has, format, has_value);                        \
        add((difference)->asked, sizeof(difference)->asked, format, asked_value);                  \
    } while (0)

static const char *word_of(uint32_t bit) { return bit ? "true" : "false"; }

static void begin_difference(struct ili_difference *difference) {
    difference->has[0] = difference->asked[0] = 0;
}

static void differ_flag(struct ili_difference *difference, const char *name, uint32_t has,
                        uint32_t asked) {
    if (has == asked) return;
    add(difference->has, sizeof difference->has, "%s=%s", name, word_of(has));
    add(difference->asked, sizeof difference->asked, "%s=%s", name, word_of(asked));
}

static void differ_policy(struct ili_difference *difference, uint32_t has, uint32_t asked) {
    if ((has & IL_DEADLOCK_REPORT) == (asked & IL_DEADLOCK_REPORT)) return;
    ADD_TO_BOTH(difference, "on_deadlock=%s", policy_of(has), policy_of(asked));
}

static void differ_lock(const void *object, const void *options,
                        struct ili_difference *difference) {
    const struct ili_lock *lock = object;
    const il_lock_options *asked = options;
    begin_difference(difference);
    differ_flag(difference, "fair", lock->flags & IL_LOCK_FAIR, asked->flags & IL_LOCK_FAIR);
    differ_flag(difference, "any_release", lock->flags & IL_LOCK_ANY_RELEASE,
                asked->flags & IL_LOCK_ANY_RELEASE);
    if (lock->delay_ns != asked->lock_delay_ns) {
        ADD_TO_BOTH(difference, "lock_delay=%.10g", (double)lock->delay_ns / 1e9,
                    (double)asked->lock_delay_ns / 1e9);
    }
    differ_policy(difference, lock->flags, asked->flags);
}

/* What locks showed before they had holders: the one holder in short. */
static void write_token_and_owner(struct ili_out *out, struct ili_server *server,
                                  const struct ili_lock *lock) {
    size_t count;
    const struct ili_grant *grants = ili_grants_of(server, (void *)(uintptr_t)lock, &count);
    ili_out_key(out, "token");
    if (count) {
        ili_out_token(out, grants->token);
    } else {
        ili_out_null(out);
    }
    ili_out_key(out, "owner");
    if (count) {
        const struct ili_grant grant = *grants;
        ili_write_owner_in_short(out, server, &lock->object, &grant);
    } else {
        ili_out_null(out);
    }
}

static void view_lock(struct ili_out *out, struct ili_server *server, const void *object,
                      bool whole) {
    const struct ili_lock *lock = object;
    struct ili_lock_view view;
    ili_lock_look(ili_server_member(server), lock, &view);
    ili_out_key(out, "fair");
    ili_out_bool(out, (lock->flags & IL_LOCK_FAIR) != 0);
    ili_out_key(out, "lock_delay");
    ili_out_seconds(out, lock->delay_ns);
    write_policy(out, lock->flags);
    ili_out_key(out, "locked");
    ili_out_bool(out, view.owner != 0 || view.held_back);
    write_token_and_owner(out, server, lock);
    ili_write_people(out, server, object, whole);
}

const struct ili_collection ili_locks = {
    .name = "locks",
    .kind = &ili_lock_kind,
    .read = read_lock,
    .differ = differ_lock,
    .view = view_lock,
};

const struct ili_collection ili_rlocks = {
    .name = "rlocks",
    .kind = &ili_rlock_kind,
    .read = read_lock,
    .differ = differ_lock,
    .view = view_lock,
};

/* ---- rwlocks -------------------------------------------------------------------------------------- */

static bool read_rwlock(struct ili_request *request, union ili_object_options *room,
                        const void **options) {
    struct policy policy = {"fail"};
    const struct ili_param params[] = {POLICY_PARAM(&policy)};
    room->rwlock.struct_bytes = sizeof room->rwlock;
    *options = &room->rwlock;
    return ili_request_read(request, params, 1) &&
           read_policy(request, &policy, &room->rwlock.flags);
}

static void differ_rwlock(const void *object, const void *options,
                          struct ili_difference *difference) {
    const struct ili_rwlock *lock = object;
    const il_rwlock_options *asked = options;
    begin_difference(difference);
    differ_policy(difference, lock->held.flags, asked->flags);
}

static void view_rwlock(struct ili_out *out, struct ili_server *server, const void *object,
                        bool whole) {
    struct ili_rwlock_view view;
    ili_rwlock_look(ili_server_member(server), (void *)(uintptr_t)object, &view);
    write_policy(out, view.flags);
    ili_out_key(out, "mode");
    ili_out_string(out, view.exclusive ? "exclusive" : view.shared ? "shared" : "free");
    ili_out_key(out, "shared");
    ili_out_number(out, view.shared);
    ili_write_people(out, server, object, whole);
}

const struct ili_collection ili_rwlocks = {
    .name = "rwlocks",
    .kind = &ili_rwlock_kind,
    .read = read_rwlock,
    .differ = differ_rwlock,
    .view = view_rwlock,
};

/* ---- semaphores ----------------------------------------------------------------------------------- */

static bool read_semaphore(struct ili_request *request, union ili_object_options *room,
                           const void **options) {
    bool bounded = false, signal = false;
    uint64_t value = 1;
    struct policy policy = {"fail"};
    const struct ili_param params[] = {
        ILI_PARAM_COUNT("value", &value, 0, IL_SEMAPHORE_MAX),
        ILI_PARAM_BOOL("bounded", &bounded),
        ILI_PARAM_BOOL("signal", &signal),
        POLICY_PARAM(&policy),
    };
    il_semaphore_options *o = &room->semaphore;
    o->struct_bytes = sizeof *o;
    *options = o;
    if (!ili_request_read(request, params, 4)) return false;
    o->value = (uint32_t)value;
    o->flags = (bounded ? IL_SEMAPHORE_BOUNDED : 0) | (signal ? IL_SEMAPHORE_SIGNAL : 0);
    return read_policy(request, &policy, &o->flags);
}

static void differ_semaphore(const void *object, const void *options,
                             struct ili_difference *difference) {
    const struct ili_holders *held = &((const struct ili_semaphore *)object)->held;
    const il_semaphore_options *asked = options;
    begin_difference(difference);
    if (held->start != asked->value) {
        ADD_TO_BOTH(difference, "value=%u", held->start, asked->value);
    }
    differ_flag(difference, "bounded", held->flags & IL_SEMAPHORE_BOUNDED,
                asked->flags & IL_SEMAPHORE_BOUNDED);
    differ_flag(difference, "signal", held->flags & IL_SEMAPHORE_SIGNAL,
                asked->flags & IL_SEMAPHORE_SIGNAL);
    differ_policy(difference, held->flags, asked->flags);
}

static void view_semaphore(struct ili_out *out, struct ili_server *server, const void *object,
                           bool whole) {
    struct ili_semaphore_view view;
    ili_semaphore_look(ili_server_member(server), (void *)(uintptr_t)object, &view);
    ili_out_key(out, "value");
    ili_out_number(out, view.value);
    ili_out_key(out, "start");
    ili_out_number(out, view.start);
    ili_out_key(out, "bounded");
    ili_out_bool(out, (view.flags & IL_SEMAPHORE_BOUNDED) != 0);
    ili_out_key(out, "signal");
    ili_out_bool(out, (view.flags & IL_SEMAPHORE_SIGNAL) != 0);
    write_policy(out, view.flags);
    ili_write_people(out, server, object, whole);
}

const struct ili_collection ili_semaphores = {
    .name = "semaphores",
    .kind = &ili_semaphore_kind,
    .read = read_semaphore,
    .differ = differ_semaphore,
    .view = view_semaphore,
};
