/*
 * targets.h - the "targets" of a request about several objects: read, opened, taken, given back.
 */
#ifndef ILI_SERVER_TARGETS_H
#define ILI_SERVER_TARGETS_H

#include "server/granting.h"
#include "session/target.h"
#include "work/value.h"

#define ILI_TARGETS_MOST 64

struct ili_named_target {
    struct ili_claim claim;   /* of: NULL for what is not acquired */
    struct ili_target target; /* the same object */
    uint8_t name_bytes;
    char name[IL_NAME_MAX_BYTES];
};

struct ili_targets {
    size_t count;
    struct ili_named_target *at; /* owned */
};

/* Reads VALUE, an array. WAIT: also of kinds that are not acquired. FIELD is for *FAULT: "targets".
 * In every case ili_targets_drop() it. */
il_status ili_targets_read(const struct ili_value *value, const char *field, bool wait,
                           struct ili_targets *targets, struct ili_fault *fault);

/* Opens the objects, making those that are not there. False: REQUEST was answered. */
bool ili_targets_open(struct ili_request *request, struct ili_targets *targets);

/* Gives back what TARGET was granted and REQUEST cannot have. */
void ili_target_refuse(struct ili_request *request, struct ili_named_target *target);

/* Lets go of the objects. */
void ili_targets_drop(struct ili_server *server, struct ili_targets *targets);

/* Writes the members kind and name. */
void ili_target_write(struct ili_out *out, const struct ili_named_target *target);

/* Answers that the target INDEX could not be had: STATUS. */
void ili_targets_problem(struct ili_request *request, const struct ili_targets *targets,
                         size_t index, il_status status);

#endif
