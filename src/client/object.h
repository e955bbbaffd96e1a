/*
 * object.h - what every named object of an http: domain has in common: a handle is its domain, its kind
 * and its name, and nothing on the server belongs to it. The handle of each kind begins with one.
 */
#ifndef ILI_CLIENT_OBJECT_H
#define ILI_CLIENT_OBJECT_H

#include "client/call.h"
#include "client/kinds.h"

struct ili_remote_object {
    struct ili_remote_domain *domain;
    uint32_t kind;
    bool signals; /* a semaphore whose permits are consumed: nothing of it is held */
    size_t name_bytes;
    char name[IL_NAME_MAX_BYTES];
};

/* Allocates a handle of BYTES that begins with an ili_remote_object: *OUT, the rest of it zero; free().
 * IL_EUNSUPPORTED for a NULL name, IL_EFORKED, and IL_EINVAL or IL_ETOOBIG for what is no name. */
il_status ili_remote_object_new(struct ili_remote_domain *domain, uint32_t kind, const char *name,
                                size_t name_bytes, size_t bytes, void **out);

/* Fills OBJECT in; NAME has been checked. */
void ili_remote_object_name(struct ili_remote_object *object, struct ili_remote_domain *domain,
                            uint32_t kind, const char *name, size_t name_bytes);

/* Begins a request about OBJECT. */
void ili_remote_object_begin(struct ili_call *call, const struct ili_remote_object *object,
                             const char *method, const char *operation);

/* Sends and ends CALL, a PUT with the object's options. ANY: if there is one with other options, it
 * will do. */
il_status ili_remote_object_open(struct ili_call *call, bool any);

il_status ili_remote_object_delete(struct ili_remote_domain *domain, uint32_t kind,
                                   const char *name, size_t name_bytes);

/* STATUS, but IL_EDELETED for IL_ENOTFOUND: a handle says that the object was there once. */
il_status ili_remote_object_gone(il_status status);

/* A POST of OPERATION without a body, done once also if its answer is lost. CALL is to be ended also after
 * a failure. */
il_status ili_remote_object_do(struct ili_call *call, const struct ili_remote_object *object,
                               const char *operation);

/* A POST of "wait" that changes nothing on the server: of an event, or a latch. */
il_status ili_remote_object_wait(const struct ili_remote_object *object, int64_t timeout_ns);

/* Asks for the object's view; CALL is to be ended also after a failure. */
il_status ili_remote_object_view(struct ili_call *call, const struct ili_remote_object *object);

/* One member of the view. */
il_status ili_remote_object_number(const struct ili_remote_object *object, const char *member,
                                   uint64_t *number);
il_status ili_remote_object_count(const struct ili_remote_object *object, const char *member,
                                  uint32_t *count);
il_status ili_remote_object_flag(const struct ili_remote_object *object, const char *member,
                                 int32_t *flag);

/* A number in an answer; IL_EPROTOCOL: it is not there. */
il_status ili_remote_answer_count(struct ili_call *call, const char *member, uint32_t *count);

#endif
