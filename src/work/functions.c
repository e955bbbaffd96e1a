/*
 * functions.c - what the workers of a pool said they have: all of them together, in order.
 */
#include <stdlib.h>
#include <string.h>

#include "work/engine.h"
#include "work/message.h"

/* A pool whose workers name more is one of which it is not known. */
#define FUNCTIONS_MOST 10000u

/* Where NAME is, or would be. */
static size_t place_of(const struct ili_pool *pool, const char *name, size_t bytes, bool *found) {
    size_t from = 0, to = pool->function_count;
    *found = false;
    while (from < to) {
        size_t middle = (from + to) / 2;
        const char *here = pool->functions[middle];
        size_t length = strlen(here);
        int order = memcmp(here, name, length < bytes ? length : bytes);
        if (order == 0 && length == bytes) {
            *found = true;
            return middle;
        }
        if (order < 0 || (order == 0 && length < bytes)) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static il_status add(struct ili_pool *pool, const char *name) {
    bool found;
    size_t at = place_of(pool, name, strlen(name), &found);
    if (found) return IL_OK;
    if (pool->function_count == FUNCTIONS_MOST) {
        pool->any_function = true;
        return IL_OK;
    }
    if ((pool->function_count & (pool->function_count - 1)) == 0) { /* a power of two: full */
        size_t room = pool->function_count ? pool->function_count * 2 : 1;
        char **functions = realloc(pool->functions, room * sizeof *functions);
        if (!functions) return IL_ENOMEM;
        pool->functions = functions;
    }
    char *copy = strdup(name);
    if (!copy) return IL_ENOMEM;
    memmove(pool->functions + at + 1, pool->functions + at,
            (pool->function_count - at) * sizeof *pool->functions);
    pool->functions[at] = copy;
    pool->function_count++;
    return IL_OK;
}

il_status ili_pool_learn(struct ili_pool *pool, const struct ili_message *hello) {
    size_t i;
    const json_t *name;
    if (!hello->functions || json_array_size(hello->functions) > FUNCTIONS_MOST) {
        pool->any_function = true;
        return IL_OK;
    }
    pool->heard_functions = true;
    json_array_foreach(hello->functions, i, name) {
        il_status status = add(pool, json_string_value(name));
        if (status != IL_OK) return status;
    }
    return IL_OK;
}

bool ili_pool_lacks(const struct ili_pool *pool, const char *function, size_t bytes) {
    bool found;
    if (pool->any_function || !pool->heard_functions) return false;
    place_of(pool, function, bytes, &found);
    return !found;
}

const char *ili_pool_function(const struct ili_pool *pool, size_t i) {
    return i < pool->function_count ? pool->functions[i] : NULL;
}

void ili_pool_forget_functions(struct ili_pool *pool) {
    for (size_t i = 0; i < pool->function_count; i++) free(pool->functions[i]);
    free(pool->functions);
    pool->functions = NULL;
    pool->function_count = 0;
}
