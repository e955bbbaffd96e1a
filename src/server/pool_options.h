/*
 * pool_options.h - a pool as JSON defines it: the body of a PUT, and the entries of "pools" in the
 * configuration file.
 *
 * Whatever starts a program over HTTP passes ili_programs_check(): the program is one of those that the
 * configuration names, by its absolute path, byte for byte, and so is every name of the environment.
 */
#ifndef ILI_SERVER_POOL_OPTIONS_H
#define ILI_SERVER_POOL_OPTIONS_H

#include "base/fault.h"
#include "server/programs.h"
#include "work/pool.h"
#include "work/value.h"

struct ili_pool_definition {
    struct ili_pool_options options; /* its command points here; its environment is not set */
    char **command;                  /* owned, ended by NULL; NULL: the body does not say */
    char **given;                    /* owned: "NAME=value" of its `environment`, ended by NULL */
    char *directory, *initializer, *initializer_args; /* owned or NULL */
};

/* Reads BODY, an object. PROGRAMS NULL: whoever wrote it may start anything. IL_EINVAL, IL_EPROGRAM,
 * IL_EACCESS with *FAULT; drop OUT in every case. Without command and module it is not refused if it has
 * no field at all. */
il_status ili_pool_definition_read(const struct ili_value *body,
                                   const struct ili_programs *programs,
                                   struct ili_pool_definition *out, struct ili_fault *fault);

void ili_pool_definition_drop(struct ili_pool_definition *definition);

#endif
