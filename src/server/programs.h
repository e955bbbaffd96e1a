/*
 * programs.h - which programs may be started, and with which environment.
 *
 * The configuration's "programs" are absolute paths. What comes over HTTP names one of them exactly as
 * it is written there: no search in PATH, no other spelling of the same file. Its "environment" are the
 * names of variables that HTTP may set, and that programs get from the server's own environment besides
 * PATH, HOME, LANG and TZ.
 */
#ifndef ILI_SERVER_PROGRAMS_H
#define ILI_SERVER_PROGRAMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"
#include "work/value.h"

struct ili_programs {
    char **paths, **names; /* owned, ended by NULL; NULL: none */
};

/* Read the configuration's arrays. IL_EINVAL, IL_ENOMEM with *FAULT. */
il_status ili_programs_read_paths(struct ili_programs *programs, const json_t *value,
                                  struct ili_fault *fault);
il_status ili_programs_read_names(struct ili_programs *programs, const json_t *value,
                                  struct ili_fault *fault);
void ili_programs_drop(struct ili_programs *programs);

/* Whether PATH may be started over HTTP. IL_EPROGRAM; FIELD is what named it. */
il_status ili_programs_check(const struct ili_programs *programs, const char *field,
                             const char *path, struct ili_fault *fault);

/* Reads FIELD, an argument vector: an array of 1 to 4096 strings without NUL, of at most 256 KiB; the
 * first is an absolute path without "." and ".." and, unless PROGRAMS is NULL, allowed. *OUT is owned,
 * see ili_texts_free(). */
il_status ili_command_read(const char *field, const json_t *value,
                           const struct ili_programs *programs, char ***out,
                           struct ili_fault *fault);

/* Reads FIELD, an object of strings, as "NAME=value". PROGRAMS NULL: any names. INTERLOCK_… are the
 * server's own. IL_EACCESS: a name is not allowed. */
il_status ili_environment_read(const char *field, const json_t *value,
                               const struct ili_programs *programs, char ***out,
                               struct ili_fault *fault);

/* The whole environment of a program: what it has from the server's, and GIVEN (may be NULL), which goes
 * before it. NULL: no memory. To be freed with ili_texts_free(). */
char **ili_environment_make(const struct ili_programs *programs, char *const *given);

/* Whether PATH is absolute and has no part "." or "..". */
bool ili_path_is_plain(const char *path);

/* Frees an array of owned strings that ends with NULL. */
void ili_texts_free(char **texts);

#endif
