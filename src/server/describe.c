#include "server/describe.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
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

static void timed_out(const struct ili_request *request, const char *what,
                      const struct room *room) {
    double seconds = (double)request->patience_ms / 1e3;
    if (strcmp(request->route->collection, "locks") == 0) {
        if (seconds > 0) {
            say(room, "nobody released %s within %.10g s", what, seconds);
        } else {
            say(room, "%s is held", what);
        }
        return;
    }
    const char *state = strncmp(request->route->operation, "put", 3) == 0 ? "full" : "empty";
    if (seconds > 0) {
        say(room, "%s stayed %s for %.10g s", what, state, seconds);
    } else {
        say(room, "%s is %s", what, state);
    }
}

/* WHAT: the lock "deploy". */
static void of_object(const struct ili_request *request, il_status status, const char *what,
                      const struct room *room) {
    switch (status) {
    case IL_ENOTFOUND: say(room, "there is no %s", what + strlen("the ")); break;
    case IL_EDELETED: say(room, "%s was deleted", what); break;
    case IL_ECLOSED: say(room, "%s is closed", what); break;
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
        int kind_bytes = (int)strlen(route->collection) - 1; /* without the s */
        snprintf(what, sizeof what, "the %.*s \"%.*s\"", kind_bytes, route->collection,
                 request->name_bytes, request->name);
        of_object(request, status, what, &to);
    }
}
