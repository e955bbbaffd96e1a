/*
 * object.h - what every named object of an http: domain has in common: a handle is its domain and its
 * name, and nothing on the server belongs to it.
 */
#ifndef ILI_CLIENT_OBJECT_H
#define ILI_CLIENT_OBJECT_H

#include "client/call.h"

struct ili_remote_object {
    struct ili_remote_domain *domain;
    size_t name_bytes;
    char name[IL_NAME_MAX_BYTES];
};

/* IL_EUNSUPPORTED for a NULL name, IL_EFORKED, and IL_EINVAL or IL_ETOOBIG for what is no name. */
il_status ili_remote_object_check(const struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes);

/* Fills OBJECT in; NAME has been checked. */
void ili_remote_object_name(struct ili_remote_object *object, struct ili_remote_domain *domain,
                            const char *name, size_t name_bytes);

/* Begins a request about OBJECT. */
void ili_remote_object_begin(struct ili_call *call, const struct ili_remote_object *object,
                             const char *method, const char *collection, const char *operation);

/* Sends and ends CALL, a PUT with the object's options. ANY: if there is one with other options, it
 * will do. */
il_status ili_remote_object_open(struct ili_call *call, bool any);

il_status ili_remote_object_delete(struct ili_remote_domain *domain, const char *collection,
                                   const char *name, size_t name_bytes);

/* STATUS, but IL_EDELETED for IL_ENOTFOUND: a handle says that the object was there once. */
il_status ili_remote_object_gone(il_status status);

/* Asks for the object's view; CALL is to be ended also after a failure. */
il_status ili_remote_object_view(struct ili_call *call, const struct ili_remote_object *object,
                                 const char *collection);

#endif
