#include "server/describe.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "server/objects.h"
#include "server/request.h"

struct room {
    char *at;
    size_t bytes;
};

static void say(const struct room *room, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const struct room *room, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(room->at, room->bytes, format, arguments);
    va_end(arguments);
}

/* What a wait ended without: "WHAT NOW", where it did not wait at all, or else "BEFORE WHAT AFTER 5 s". */
static const struct unmet {
    const char *collection, *operation; /* what its name begins with */
    const char *now, *before, *after;
} unmet[] = {
    {"locks", "", "is held", "nobody released ", " within"},
    {"rlocks", "", "is held", "nobody released ", " within"},
    {"rwlocks", "", "is held", "nobody released ", " within"},
    {"semaphores", "", "has too few permits", "nobody gave enough permits back to ", " within"},
    {"sessions", "", "has lost nothing", "", " has lost nothing for"},
    {"queues", "put", "is full", "", " stayed full for"},
    {"queues", "", "is empty", "", " stayed empty for"},
    {"pipes", "send", "has no room for that", "", " had no room for that for"},
    {"pipes", "", "has no message", "", " had no message for"},
    {"events", "", "is not set", "nobody set ", " within"},
    {"tasks", "", "has not ended", "", " did not end within"},
    {"maps", "", "has not ended", "", " did not end within"},
    {"processes", "start", "is being started", "", " was not started within"},
    {"processes", "", "has not ended", "", " did not end within"},
    {"threads", "", "has not ended", "", " did not end within"},
    {"pools", "", "has not ended", "", " did not end within"},
    {"latches", "", "is not at 0", "", " did not reach 0 within"},
    {"conditions", "acquire", "has a lock that is held", "nobody released the lock of ", " within"},
    {"conditions", "", "was not notified", "nobody notified ", " within"},
    {"barriers", "", "lacked others and is broken now", "the others did not come to ",
     ", which is broken now, within"},
};

static void timed_out(const struct ili_request *request, const char *what,
                      const struct room *room) {
    const char *operation = request->route->operation ? request->route->operation : "";
    double seconds = (double)request->patience_ms / 1e3;
    for (const struct unmet *u = unmet; u < unmet + sizeof unmet / sizeof *unmet; u++) {
        if (strcmp(u->collection, request->route->collection) != 0 ||
            strncmp(u->operation, operation, strlen(u->operation)) != 0) {
            continue;
        }
        if (seconds > 0) {
            say(room, "%s%s%s %.10g s", u->before, what, u->after, seconds);
        } else {
            say(room, "%s %s", what, u->now);
        }
        return;
    }
}

/* WHAT: the lock "deploy". */
static void of_object(const struct ili_request *request, il_status status, const char *what,
                      const struct room *room) {
    switch (status) {
    case IL_ENOTFOUND: say(room, "there is no %s", what + strlen("the ")); break;
    case IL_ESTARTED: say(room, "%s was started already, and can be only once", what); break;
    case IL_ENOTSTARTED: say(room, "%s has not been started", what); break;
    case IL_EEOF: say(room, "the other end of %s is closed, and nothing is left", what); break;
    case IL_EPIPE: say(room, "the other end of %s is closed", what); break;
    case IL_EDELETED: say(room, "%s was deleted", what); break;
    case IL_ECLOSED: say(room, "%s is closed", what); break;
    case IL_EINVAL: /* what only the object knows to be wrong: see ili_semaphore_acquire() */
        say(room, "count: %s can never have so many permits", what);
        break;
    case IL_EDEADLK: /* a cycle is told in its own words */
        say(room, "the caller has %s exclusively already", what);
        break;
    case IL_EUPGRADE:
        say(room, "the caller shares %s, and must release it before it can have it exclusively",
            what);
        break;
    case IL_EBROKEN: say(room, "%s is broken", what); break;
    case IL_ESESSION: say(room, "the session that waited for %s has ended", what); break;
    case IL_EBUSY: say(room, "a process that does not move is inside %s", what); break;
    case IL_ENOMEM: say(room, "the arena has no memory left for %s", what); break;
    case IL_ELIMIT: say(room, "%s cannot be waited for because too many wait at once", what); break;
    case IL_ECORRUPT: say(room, "%s does not make sense in the arena", what); break;
    case IL_ETIMEOUT: timed_out(request, what, room); break;
    default: break;
    }
}

void ili_describe(const struct ili_request *request, il_status status, char *room,
                  size_t room_bytes) {
    const struct room to = {room, room_bytes};
    const struct ili_status_info *info = ili_status_info(status);
    const struct ili_route *route = request->route;
    char what[sizeof request->name + 80];
    say(&to, "%s", info ? info->text : "unknown failure");
    if (status == IL_EINPROGRESS && request->key) {
        say(&to, "the first request with the Idempotency-Key \"%s\" still runs", request->key);
    } else if (route && route->named) {
        const struct ili_collection *of = ili_collection_named(route->collection);
        int without_s = (int)strlen(route->collection) - 1;
        if (strcmp(route->collection, "processes") == 0) without_s--;
        snprintf(what, sizeof what, "the %.*s \"%.*s\"", of ? INT_MAX : without_s,
                 of ? of->kind->word : route->collection, request->name_bytes, request->name);
        of_object(request, status, what, &to);
    }
}
