/*
 * objects.h - what all kinds of objects share over HTTP: PUT, GET and DELETE of one, and the list.
 *
 * A kind describes itself by a struct ili_collection, which is a row of the table in objects.c; in the
 * route table ILI_OBJECT_ROUTES stands for the four. What else can be done with its objects is in the
 * kind's own file.
 */
#ifndef ILI_SERVER_OBJECTS_H
#define ILI_SERVER_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena/names.h"
#include "base/out.h"
#include "data/cells.h"
#include "data/item.h"
#include "sync/condition.h"

struct ili_request;
struct ili_server;

/* Room for the options of any kind. */
union ili_object_options {
    il_lock_options lock;
    il_rwlock_options rwlock;
    il_semaphore_options semaphore;
    il_queue_options queue;
    il_pipe_options pipe;
    struct ili_condition_options condition;
    struct ili_made_cells {
        struct ili_cells_options options;
        ili_off spare; /* memory that was set aside; 0: none */
    } cells;
    struct ili_limits limits; /* a dict's, a list's */
    uint32_t number;          /* a latch's count, a barrier's parties */
};

/* What an object was made with, and what is asked for: "maxsize=3", "maxsize=4". */
struct ili_difference {
    char has[280], asked[280];
};

struct ili_collection {
    const char *name; /* in paths and lists: "queues" */
    const struct ili_kind *kind;
    /* Reads the body of a PUT; *OPTIONS becomes what the object is to be made with, in ROOM (zeroed), or
     * NULL: it may have any, and is made with defaults. False: the request was answered. NULL: it has no
     * options. */
    bool (*read)(struct ili_request *request, union ili_object_options *room, const void **options);
    /* The defaults, in ROOM (zeroed), for an object of the request's name that does not exist. NULL: the
     * kind knows them. */
    il_status (*defaults)(struct ili_request *request, union ili_object_options *room);
    /* Lets go of what `read` and `defaults` put into ROOM. NULL: nothing. */
    void (*drop)(struct ili_server *server, union ili_object_options *room);
    /* OBJECT was opened with what `read` put into ROOM: makes it fit for use. NULL: it is. */
    il_status (*made)(struct ili_server *server, void *object, union ili_object_options *room);
    const char *needed; /* the field that making one takes; NULL: none */
    /* How OBJECT differs from OPTIONS. NULL: it has no options. */
    void (*differ)(const void *object, const void *options, struct ili_difference *difference);
    /* Writes the members of the view, but the name. Called under a guard: looks, and calls nothing that
     * locks. WHOLE: for one object, not for a list of many. */
    void (*view)(struct ili_out *out, struct ili_server *server, const void *object, bool whole);
};

/* The collection of that name; NULL: there is none. */
const struct ili_collection *ili_collection_named(const char *name);

/* The handlers; they take the collection from the route. */
void ili_objects_get(struct ili_request *request);
void ili_objects_put(struct ili_request *request);
void ili_objects_delete(struct ili_request *request);
void ili_objects_list(struct ili_request *request);

#define ILI_OBJECT_ROUTES(collection)                                                              \
    {ILI_GET, 0, collection, true, NULL, ili_objects_get},                                         \
        {ILI_PUT, 0, collection, true, NULL, ili_objects_put},                                     \
        {ILI_DELETE, 0, collection, true, NULL, ili_objects_delete}, {                             \
        ILI_GET, ILI_ROUTE_QUERY, collection, false, NULL, ili_objects_list                        \
    }

/* Pins the object that REQUEST names (pin.h), making it with defaults unless FLAGS has
 * ILI_OPEN_EXISTING. NULL: the request was answered. */
void *ili_objects_pin(struct ili_request *request, uint32_t flags);

/* Writes the view of OBJECT, named NAME, as an object of COLLECTION. WHOLE as there. */
void ili_objects_write(struct ili_out *out, struct ili_server *server,
                       const struct ili_collection *collection, const void *object,
                       const char *name, size_t name_bytes, bool whole);

/* Lets go of OBJECT and answers: with its view, or if STATUS is a failure, with that problem. */
void ili_objects_reply(struct ili_request *request, il_status status, void *object);

#endif
