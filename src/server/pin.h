/*
 * pin.h - objects that the server has open for a request or a grant.
 *
 * An object stays where it is while it is pinned, also if its name is deleted. Letting go can fail for
 * the moment, when a process was stopped inside the name table; then it is tried again later, so that
 * nobody has to care.
 */
#ifndef ILI_SERVER_PIN_H
#define ILI_SERVER_PIN_H

#include "arena/names.h"

struct ili_request;
struct ili_server;

/* Opens the object (KIND, NAME). FLAGS and OPTIONS as for ili_names_open(). *CREATED may be NULL. */
il_status ili_pin_name(struct ili_server *server, const struct ili_kind *kind, const char *name,
                       size_t name_bytes, const void *options, uint32_t flags, bool *created,
                       void **object);

/* Opens the object that REQUEST names. As above. */
il_status ili_pin_open(struct ili_request *request, const struct ili_kind *kind,
                       const void *options, uint32_t flags, bool *created, void **object);

/* The same; if it cannot, the request is answered, and NULL returned. */
void *ili_pin_named(struct ili_request *request, const struct ili_kind *kind, const void *options,
                    uint32_t flags, bool *created);

/* Lets go of OBJECT. */
void ili_unpin(struct ili_server *server, void *object);

/* Tries once more to let go of all that could not be, at the end. */
void ili_pin_close(struct ili_server *server);

#endif
