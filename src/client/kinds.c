#include "client/kinds.h"

#include <string.h>

#include <interlock.h>

static const struct {
    const char *word, *collection;
} kinds[] = {
    [0] = {"", ""}, /* there is none */
    [IL_KIND_LOCK] = {"lock", "locks"},
    [IL_KIND_QUEUE] = {"queue", "queues"},
    [IL_KIND_RLOCK] = {"rlock", "rlocks"},
    [IL_KIND_RWLOCK] = {"rwlock", "rwlocks"},
    [IL_KIND_SEMAPHORE] = {"semaphore", "semaphores"},
    [IL_KIND_EVENT] = {"event", "events"},
    [IL_KIND_CONDITION] = {"condition", "conditions"},
    [IL_KIND_DICT] = {"dict", "dicts"},
    [IL_KIND_LIST] = {"list", "lists"},
    [IL_KIND_BARRIER] = {"barrier", "barriers"},
    [IL_KIND_LATCH] = {"latch", "latches"},
    [IL_KIND_PIPE] = {"pipe", "pipes"},
    [IL_KIND_VALUE] = {"value", "values"},
    [IL_KIND_ARRAY] = {"array", "arrays"},
};

#define KINDS (sizeof kinds / sizeof *kinds)

const char *ili_remote_kind_word(uint32_t kind) { return kinds[kind < KINDS ? kind : 0].word; }

const char *ili_remote_kind_collection(uint32_t kind) {
    return kinds[kind < KINDS ? kind : 0].collection;
}

uint32_t ili_remote_kind_read(struct ili_json value) {
    const char *text = json_string_value(value.json);
    for (uint32_t kind = 1; text && kind < KINDS; kind++) {
        if (kinds[kind].word && strcmp(kinds[kind].word, text) == 0) return kind;
    }
    return 0;
}

bool ili_remote_kind_is_acquired(uint32_t kind) {
    return kind == IL_KIND_LOCK || kind == IL_KIND_SEMAPHORE || ili_remote_kind_is_threads(kind);
}

bool ili_remote_kind_is_threads(uint32_t kind) {
    return kind == IL_KIND_RLOCK || kind == IL_KIND_RWLOCK;
}
