#include "server/pin.h"

#include <stdlib.h>

#include "base/log.h"
#include "server/reply.h"
#include "server/server.h"

#define RETRY_NS INT64_C(100000000)

struct late {
    struct ili_timer timer;
    ili_off object;
};

il_status ili_pin_name(struct ili_server *server, const struct ili_kind *kind, const char *name,
                       size_t name_bytes, const void *options, uint32_t flags, bool *created,
                       void **object) {
    struct ili_member *member = ili_server_member(server);
    ili_off at;
    il_status status = ili_names_open(member, server->domain.self, kind, name, name_bytes, options,
                                      flags, NULL, &at, created);
    if (status != IL_OK) return status;
    *object = ili_object_at(&member->arena, at, kind->number);
    return *object ? IL_OK : IL_ECORRUPT;
}

il_status ili_pin_open(struct ili_request *request, const struct ili_kind *kind,
                       const void *options, uint32_t flags, bool *created, void **object) {
    return ili_pin_name(request->server, kind, request->name, request->name_bytes, options, flags,
                        created, object);
}

void *ili_pin_named(struct ili_request *request, const struct ili_kind *kind, const void *options,
                    uint32_t flags, bool *created) {
    void *object = NULL;
    il_status status = ili_pin_open(request, kind, options, flags, created, &object);
    if (status != IL_OK) ili_reply_problem(request, status, NULL);
    return object;
}

static bool let_go(struct ili_server *server, ili_off object) {
    return ili_names_close(ili_server_member(server), server->domain.self, object, NULL) !=
           IL_EBUSY;
}

static void try_again(struct ili_timer *timer, void *context) {
    struct late *late = (struct late *)timer;
    struct ili_server *server = context;
    if (let_go(server, late->object)) {
        free(late);
    } else {
        (void)ili_timers_set(&server->timers, timer, server->now_ns + RETRY_NS);
    }
}

void ili_unpin(struct ili_server *server, void *object) {
    ili_off at = ili_off_of(&ili_server_member(server)->arena, object);
    if (let_go(server, at)) return;
    struct late *late = calloc(1, sizeof *late);
    if (late) {
        late->object = at;
        late->timer.fire = try_again;
        if (ili_timers_set(&server->timers, &late->timer, server->now_ns + RETRY_NS)) return;
        free(late);
    }
    ili_log_event(ILI_LOG_ERROR, "object.leaked", "no memory to let go of it later");
}

void ili_pin_close(struct ili_server *server) {
    struct ili_timer *timer;
    while ((timer = ili_timers_take(&server->timers, try_again))) {
        (void)let_go(server, ((struct late *)timer)->object);
        free(timer);
    }
}
