#include "server/objects.h"

#include <stdio.h>
#include <string.h>

#include "server/arrays.h"
#include "server/barriers.h"
#include "server/conditions.h"
#include "server/dicts.h"
#include "server/events.h"
#include "server/latches.h"
#include "server/listing.h"
#include "server/lists.h"
#include "server/lockables.h"
#include "server/pin.h"
#include "server/pipes.h"
#include "server/queues.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/values.h"

static const struct ili_collection *const collections[] = {
    &ili_locks,  &ili_rlocks,  &ili_rwlocks,  &ili_semaphores, &ili_queues,
    &ili_events, &ili_latches, &ili_barriers, &ili_conditions, &ili_values,
    &ili_arrays, &ili_dicts,   &ili_lists,    &ili_pipes,
};

const struct ili_collection *ili_collection_named(const char *name) {
    for (size_t i = 0; i < sizeof collections / sizeof *collections; i++) {
        if (strcmp(collections[i]->name, name) == 0) return collections[i];
    }
    return NULL;
}

static const struct ili_collection *collection_of(const struct ili_request *request) {
    return ili_collection_named(request->route->collection);
}

/* ---- the view ------------------------------------------------------------------------------------- */

void ili_objects_write(struct ili_out *out, struct ili_server *server,
                       const struct ili_collection *collection, const void *object,
                       const char *name, size_t name_bytes, bool whole) {
    ili_out_open(out, '{');
    ili_out_key(out, "name");
    ili_out_text(out, name, name_bytes);
    collection->view(out, server, object, whole);
    ili_out_close(out, '}');
}

/* Answers with the view of OBJECT and lets go of it. */
static void reply_view(struct ili_request *request, unsigned http_status, void *object) {
    struct ili_out out = {0};
    ili_objects_write(&out, request->server, collection_of(request), object, request->name,
                      request->name_bytes, true);
    ili_unpin(request->server, object);
    ili_reply(request, http_status, &out);
}

void ili_objects_reply(struct ili_request *request, il_status status, void *object) {
    if (status == IL_OK) {
        reply_view(request, 200, object);
    } else {
        ili_unpin(request->server, object);
        ili_reply_problem(request, status, NULL);
    }
}

static void visit(const struct ili_object *object, const char *name, size_t name_bytes,
                  void *context) {
    struct ili_listing *listing = context;
    ili_objects_write(listing->out, listing->request->server, collection_of(listing->request),
                      object, name, name_bytes, false);
}

void ili_objects_list(struct ili_request *request) {
    const struct ili_collection *of = collection_of(request);
    ili_listing_reply(request, of->kind->number, of->name, visit);
}

/* Opens the object with OPTIONS; NULL: whatever it has. Unless FLAGS has ILI_OPEN_EXISTING, one that does
 * not exist is made, with the defaults if OPTIONS is NULL. */
static il_status open_object(struct ili_request *request, const struct ili_collection *of,
                             const void *options, uint32_t flags, bool *created, void **object) {
    bool defaults = of->defaults && !options && !(flags & ILI_OPEN_EXISTING);
    il_status status = ili_pin_open(request, of->kind, options,
                                    defaults ? flags | ILI_OPEN_EXISTING : flags, created, object);
    if (!defaults || status != IL_ENOTFOUND) return status;
    union ili_object_options room;
    memset(&room, 0, sizeof room);
    status = of->defaults(request, &room);
    if (status == IL_OK) status = ili_pin_open(request, of->kind, &room, flags, created, object);
    if (of->drop) of->drop(request->server, &room);
    return status;
}

void *ili_objects_pin(struct ili_request *request, uint32_t flags) {
    void *object = NULL;
    il_status status = open_object(request, collection_of(request), NULL, flags, NULL, &object);
    if (status != IL_OK) ili_reply_problem(request, status, NULL);
    return object;
}

void ili_objects_get(struct ili_request *request) {
    void *object = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (object) reply_view(request, 200, object);
}

/* ---- making and removing -------------------------------------------------------------------------- */

static void reply_conflict(struct ili_request *request, const struct ili_collection *of,
                           const void *options) {
    struct ili_difference difference = {"other options", "these"};
    char detail[sizeof request->name + sizeof difference + 80];
    void *object = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!object) return; /* it has been deleted since */
    of->differ(object, options, &difference);
    snprintf(detail, sizeof detail, "the %s \"%.*s\" exists with %s, the request asks for %s",
             of->kind->word, request->name_bytes, request->name, difference.has, difference.asked);
    ili_unpin(request->server, object);
    ili_reply_problem(request, IL_ECONFLICT, detail);
}

/* It does not exist, and the request does not say how it is to be made. */
static void reply_needed(struct ili_request *request, const struct ili_collection *of) {
    struct ili_fault fault;
    ili_fault_set(&fault, IL_EINVAL, of->needed, "to be given",
                  "%s: is missing, and there is no %s \"%.*s\"", of->needed, of->kind->word,
                  request->name_bytes, request->name);
    ili_reply_fault(request, &fault);
}

static void put(struct ili_request *request, const struct ili_collection *of, const void *options,
                union ili_object_options *room) {
    void *object;
    bool created = false, existing = of->needed && !options;
    il_status status =
        open_object(request, of, options, existing ? ILI_OPEN_EXISTING : 0, &created, &object);
    if (status == IL_OK && of->made) {
        status = of->made(request->server, object, room);
        if (status != IL_OK) ili_unpin(request->server, object);
    }
    if (status == IL_OK) {
        reply_view(request, created ? 201 : 200, object);
    } else if (status == IL_ECONFLICT && options) {
        reply_conflict(request, of, options);
    } else if (status == IL_ENOTFOUND && existing) {
        reply_needed(request, of);
    } else {
        ili_reply_problem(request, status, NULL);
    }
}

void ili_objects_put(struct ili_request *request) {
    const struct ili_collection *of = collection_of(request);
    union ili_object_options room;
    const void *options = NULL;
    memset(&room, 0, sizeof room);
    bool read = of->read ? of->read(request, &room, &options) : ili_request_read(request, NULL, 0);
    if (read) put(request, of, options, &room);
    if (of->drop) of->drop(request->server, &room);
}

void ili_objects_delete(struct ili_request *request) {
    struct ili_server *server = request->server;
    il_status status =
        ili_names_delete(ili_server_member(server), server->domain.self,
                         collection_of(request)->kind, request->name, request->name_bytes);
    if (status == IL_OK) {
        ili_reply_empty(request, 0);
    } else {
        ili_reply_problem(request, status, NULL);
    }
}
