#include "server/programs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATHS_MOST 1024
#define ARGUMENTS_MOST 4096
#define COMMAND_BYTES_MOST (256u << 10)
#define RESERVED "INTERLOCK_" /* what the server tells its workers */

static const char *const passed_on[] = {"PATH", "HOME", "LANG", "TZ"};

void ili_texts_free(char **texts) {
    for (size_t i = 0; texts && texts[i]; i++) free(texts[i]);
    free(texts);
}

void ili_programs_drop(struct ili_programs *programs) {
    ili_texts_free(programs->paths);
    ili_texts_free(programs->names);
    *programs = (struct ili_programs){0};
}

static il_status no_memory(struct ili_fault *fault) {
    return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "the server has no memory for it");
}

static bool is_listed(char *const *texts, const char *text) {
    for (size_t i = 0; texts && texts[i]; i++) {
        if (strcmp(texts[i], text) == 0) return true;
    }
    return false;
}

bool ili_path_is_plain(const char *path) {
    if (*path != '/') return false;
    while (*path) {
        size_t length = strcspn(++path, "/");
        if (length == 1 && path[0] == '.') return false;
        if (length == 2 && path[0] == '.' && path[1] == '.') return false;
        path += length;
    }
    return true;
}

/* A name of a variable: letters, digits and underscores, not a digit first. */
static bool is_variable(const char *name) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    return *name && strchr(letters, *name) && strspn(name, rest) == strlen(name);
}

/* NULL: VALUE is no string, or has a NUL in it. */
static const char *text_of(const json_t *value) {
    const char *text = json_string_value(value);
    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

/* ---- the configuration ----------------------------------------------------------------------------- */

static il_status read_list(const char *field, const char *expected, bool (*is_right)(const char *),
                           const json_t *value, char ***out, struct ili_fault *fault) {
    size_t count = json_array_size(value);
    if (!json_is_array(value) || count > PATHS_MOST)
        return ili_fault_expected(fault, field, expected);
    char **texts = calloc(count + 1, sizeof *texts);
    if (!texts) return no_memory(fault);
    for (size_t i = 0; i < count; i++) {
        const char *text = text_of(json_array_get(value, i));
        char where[48];
        snprintf(where, sizeof where, "%s[%zu]", field, i);
        if (!text || !is_right(text)) {
            ili_texts_free(texts);
            return ili_fault_expected(fault, where, expected);
        }
        texts[i] = strdup(text);
        if (!texts[i]) {
            ili_texts_free(texts);
            return no_memory(fault);
        }
    }
    ili_texts_free(*out);
    *out = texts;
    return IL_OK;
}

il_status ili_programs_read_paths(struct ili_programs *programs, const json_t *value,
                                  struct ili_fault *fault) {
    return read_list("programs", "an array of at most 1024 absolute paths without . and ..",
                     ili_path_is_plain, value, &programs->paths, fault);
}

static bool may_be_allowed(const char *name) {
    return is_variable(name) && strncmp(name, RESERVED, strlen(RESERVED)) != 0;
}

il_status ili_programs_read_names(struct ili_programs *programs, const json_t *value,
                                  struct ili_fault *fault) {
    return read_list("environment",
                     "an array of at most 1024 names of variables other than INTERLOCK_…",
                     may_be_allowed, value, &programs->names, fault);
}

il_status ili_programs_check(const struct ili_programs *programs, const char *field,
                             const char *path, struct ili_fault *fault) {
    if (is_listed(programs->paths, path)) return IL_OK;
    return ili_fault_set(fault, IL_EPROGRAM, field,
                         "one of the configuration's \"programs\", as it is written there",
                         "the configuration does not allow the program \"%.200s\"", path);
}

/* ---- what is to be started ------------------------------------------------------------------------- */

static il_status copy_arguments(const char *field, const json_t *value, char **command,
                                struct ili_fault *fault) {
    size_t bytes = 0;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *text = text_of(json_array_get(value, i));
        char where[48];
        snprintf(where, sizeof where, "%s[%zu]", field, i);
        if (!text) return ili_fault_expected(fault, where, "a string without NUL");
        if (i == 0 && !ili_path_is_plain(text)) {
            return ili_fault_expected(fault, where, "an absolute path without . and ..");
        }
        bytes += strlen(text) + 1;
        if (bytes > COMMAND_BYTES_MOST) {
            return ili_fault_set(fault, IL_ETOOBIG, field, "at most 262144 bytes",
                                 "%s: expected at most 262144 bytes", field);
        }
        command[i] = strdup(text);
        if (!command[i]) return no_memory(fault);
    }
    return IL_OK;
}

il_status ili_command_read(const char *field, const json_t *value,
                           const struct ili_programs *programs, char ***out,
                           struct ili_fault *fault) {
    size_t count = json_array_size(value); /* 0 also if it is no array */
    if (count < 1 || count > ARGUMENTS_MOST) {
        return ili_fault_expected(fault, field,
                                  "an array of 1 to 4096 strings, a program and its arguments");
    }
    char **command = calloc(count + 1, sizeof *command);
    if (!command) return no_memory(fault);
    il_status status = copy_arguments(field, value, command, fault);
    if (status == IL_OK && programs) {
        char where[48];
        snprintf(where, sizeof where, "%s[0]", field);
        status = ili_programs_check(programs, where, command[0], fault);
    }
    if (status == IL_OK) {
        *out = command;
    } else {
        ili_texts_free(command);
    }
    return status;
}

/* One variable. */
static il_status read_variable(const char *field, const char *name, const json_t *value,
                               const struct ili_programs *programs, char **out, size_t *all_bytes,
                               struct ili_fault *fault) {
    char where[sizeof fault->field];
    const char *text = text_of(value);
    snprintf(where, sizeof where, "%s.%.50s", field, name);
    if (!is_variable(name)) return ili_fault_expected(fault, where, "the name of a variable");
    if (strncmp(name, RESERVED, strlen(RESERVED)) == 0) {
        return ili_fault_expected(fault, where, "another name: INTERLOCK_… are the server's own");
    }
    if (!text) return ili_fault_expected(fault, where, "a string without NUL");
    if (programs && !is_listed(programs->names, name)) {
        return ili_fault_set(fault, IL_EACCESS, where,
                             "a name of the configuration's \"environment\"",
                             "the configuration does not allow the variable \"%.200s\"", name);
    }
    size_t bytes = strlen(name) + strlen(text) + 2;
    *out = malloc(bytes);
    if (!*out) return no_memory(fault);
    snprintf(*out, bytes, "%s=%s", name, text);
    *all_bytes += bytes;
    return IL_OK;
}

il_status ili_environment_read(const char *field, const json_t *value,
                               const struct ili_programs *programs, char ***out,
                               struct ili_fault *fault) {
    const char *name;
    json_t *text;
    size_t count = json_object_size(value), i = 0, bytes = 0;
    if (!json_is_object(value) || count > PATHS_MOST) {
        return ili_fault_expected(fault, field, "an object of at most 1024 strings");
    }
    char **texts = calloc(count + 1, sizeof *texts);
    if (!texts) return no_memory(fault);
    json_object_foreach((json_t *)value, name, text) {
        il_status status = read_variable(field, name, text, programs, &texts[i++], &bytes, fault);
        if (status == IL_OK && bytes > COMMAND_BYTES_MOST) {
            status = ili_fault_set(fault, IL_ETOOBIG, field, "at most 262144 bytes",
                                   "%s: expected at most 262144 bytes", field);
        }
        if (status != IL_OK) {
            ili_texts_free(texts);
            return status;
        }
    }
    *out = texts;
    return IL_OK;
}

/* ---- the environment ------------------------------------------------------------------------------- */

/* Whether GIVEN sets the variable that TEXT, "NAME=value", begins with. */
static bool is_given(char *const *given, const char *text) {
    size_t length = strcspn(text, "=") + 1;
    for (size_t i = 0; given && given[i]; i++) {
        if (strncmp(given[i], text, length) == 0) return true;
    }
    return false;
}

static bool is_passed_on(const struct ili_programs *programs, const char *text) {
    char name[256];
    size_t length = strcspn(text, "=");
    if (length >= sizeof name) return false;
    memcpy(name, text, length);
    name[length] = 0;
    for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++) {
        if (strcmp(passed_on[i], name) == 0) return true;
    }
    return is_listed(programs->names, name);
}

char **ili_environment_make(const struct ili_programs *programs, char *const *given) {
    size_t count = 0, room = 1;
    for (size_t i = 0; environ && environ[i]; i++) room++;
    for (size_t i = 0; given && given[i]; i++) room++;
    char **whole = calloc(room, sizeof *whole);
    if (!whole) return NULL;
    for (size_t i = 0; environ && environ[i]; i++) {
        if (!is_passed_on(programs, environ[i]) || is_given(given, environ[i])) continue;
        whole[count] = strdup(environ[i]);
        if (!whole[count++]) goto no_room;
    }
    for (size_t i = 0; given && given[i]; i++) {
        whole[count] = strdup(given[i]);
        if (!whole[count++]) goto no_room;
    }
    return whole;

no_room:
    ili_texts_free(whole);
    return NULL;
}
