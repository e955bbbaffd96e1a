#include "work/args.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGS_MOST 10000u

il_status ili_args_check(const char *args, size_t bytes, struct ili_fault *fault) {
    static const char expected[] = "an array of texts";
    size_t i;
    const json_t *arg;
    if (bytes == 0) return IL_OK;
    json_t *json = json_loadb(args, bytes, JSON_ALLOW_NUL, NULL);
    il_status status = IL_OK;
    if (!json_is_array(json)) {
        status = ili_fault_set(fault, IL_EINVAL, "args", expected, "the args are no array");
    } else if (json_array_size(json) > ARGS_MOST) {
        status = ili_fault_set(fault, IL_EINVAL, "args", expected, "more than 10000 args");
    }
    json_array_foreach(json, i, arg) {
        if (status != IL_OK) break;
        const char *text = json_string_value(arg);
        if (text && strlen(text) == json_string_length(arg)) continue;
        char field[32];
        snprintf(field, sizeof field, "args[%zu]", i);
        status = ili_fault_set(fault, IL_EINVAL, field, "a text without NUL",
                               "%s is not a text without NUL", field);
    }
    json_decref(json);
    return status;
}

char **ili_args_join(char *const *command, const char *args, size_t bytes) {
    size_t fixed = 0, i, room = 0;
    const json_t *arg;
    json_t *json = bytes ? json_loadb(args, bytes, JSON_ALLOW_NUL, NULL) : json_array();
    if (!json) return NULL;
    while (command[fixed]) fixed++;
    json_array_foreach(json, i, arg) room += json_string_length(arg) + 1;
    size_t count = fixed + json_array_size(json);
    char **all = malloc((count + 1) * sizeof *all + room);
    if (all) {
        char *text = (char *)(all + count + 1);
        memcpy(all, command, fixed * sizeof *all);
        json_array_foreach(json, i, arg) {
            size_t length = json_string_length(arg) + 1;
            memcpy(text, json_string_value(arg), length);
            all[fixed + i] = text;
            text += length;
        }
        all[count] = NULL;
    }
    json_decref(json);
    return all;
}
