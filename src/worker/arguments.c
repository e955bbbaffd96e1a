#include "worker/arguments.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/unescape.h"

struct worker_text {
    struct worker_text *next;
    char text[];
};

static locale_t plain;

static void make_plain(void) { plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

locale_t worker_plain_locale(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_plain);
    return plain;
}

/* The call fails for a reason that names the argument. */
static il_status unfit(il_call *call, const char *name, uint32_t index, const char *why) {
    char message[256];
    if (name) {
        snprintf(message, sizeof message, "argument \"%.100s\" %s", name, why);
    } else {
        snprintf(message, sizeof message, "argument %u %s", index + 1, why);
    }
    return worker_run_fail((struct worker_run *)(void *)call, IL_EINVAL, "TypeError", message);
}

/* Whether KEY, as it is written, stands for NAME. */
static bool is_named(struct ili_json_span key, const char *name, char *room) {
    size_t bytes = strlen(name);
    if (!memchr(key.at, '\\', key.bytes)) {
        return key.bytes == bytes + 2 && memcmp(key.at + 1, name, bytes) == 0;
    }
    size_t length;
    worker_unescape(key.at, key.bytes, room, &length);
    return length == bytes && memcmp(room, name, bytes) == 0;
}

/* IL_ENOTFOUND: there is none of that name. */
static il_status find_named(il_call *call, const char *name, struct ili_json_span *value) {
    struct ili_json_span of = {call->kwargs, call->kwargs_bytes}, key;
    const char *at = NULL;
    il_status status = IL_ENOTFOUND;
    while (status == IL_ENOTFOUND && ili_json_span_member(of, &at, &key, value)) {
        char *room = malloc(key.bytes);
        if (!room) return IL_ENOMEM;
        if (is_named(key, name, room)) status = IL_OK;
        free(room);
    }
    return status;
}

static il_status find(il_call *call, const char *name, uint32_t index,
                      struct ili_json_span *value) {
    struct ili_json_span of = {call->args, call->args_bytes};
    const char *at = NULL;
    if (name) {
        il_status status = find_named(call, name, value);
        return status == IL_ENOTFOUND ? unfit(call, name, index, "is missing") : status;
    }
    for (uint32_t i = 0; ili_json_span_next(of, &at, value); i++) {
        if (i == index) return IL_OK;
    }
    return unfit(call, name, index, "is missing");
}

il_status worker_argument(il_call *call, const char *name, uint32_t index, const char **json,
                          size_t *bytes) {
    struct ili_json_span value;
    il_status status = find(call, name, index, &value);
    if (status != IL_OK) return status;
    *json = value.at;
    *bytes = value.bytes;
    return IL_OK;
}

il_status worker_argument_text(il_call *call, const char *name, uint32_t index, const char **text,
                               size_t *bytes) {
    struct worker_run *run = (struct worker_run *)(void *)call;
    struct ili_json_span value;
    size_t length;
    il_status status = find(call, name, index, &value);
    if (status != IL_OK) return status;
    if (*value.at != '"') return unfit(call, name, index, "is to be a string");
    struct worker_text *copy = malloc(sizeof *copy + value.bytes);
    if (!copy) return IL_ENOMEM;
    worker_unescape(value.at, value.bytes, copy->text, &length);
    if (!bytes && strlen(copy->text) != length) {
        free(copy);
        return unfit(call, name, index, "must not contain NUL");
    }
    copy->next = run->texts;
    run->texts = copy;
    *text = copy->text;
    if (bytes) *bytes = length;
    return IL_OK;
}

/* A number, as it is written. It ends within the call's texts, which end with NUL. */
static il_status find_number(il_call *call, const char *name, uint32_t index,
                             struct ili_json_span *value) {
    il_status status = find(call, name, index, value);
    if (status != IL_OK) return status;
    if (*value->at == '-' || (*value->at >= '0' && *value->at <= '9')) return IL_OK;
    return unfit(call, name, index, "is to be a number");
}

il_status worker_argument_number(il_call *call, const char *name, uint32_t index, double *number) {
    struct ili_json_span value;
    il_status status = find_number(call, name, index, &value);
    if (status != IL_OK) return status;
    double read = strtod_l(value.at, NULL, worker_plain_locale());
    if (!isfinite(read)) return unfit(call, name, index, "is too large a number");
    *number = read;
    return IL_OK;
}

il_status worker_argument_integer(il_call *call, const char *name, uint32_t index,
                                  int64_t *number) {
    struct ili_json_span value;
    char *end;
    il_status status = find_number(call, name, index, &value);
    if (status != IL_OK) return status;
    errno = 0;
    long long read = strtoll(value.at, &end, 10);
    if (errno == ERANGE || end != value.at + value.bytes) {
        return unfit(call, name, index, "is to be a whole number of 64 bits");
    }
    *number = read;
    return IL_OK;
}

void worker_arguments_free(struct worker_run *run) {
    while (run->texts) {
        struct worker_text *text = run->texts;
        run->texts = text->next;
        free(text);
    }
}
