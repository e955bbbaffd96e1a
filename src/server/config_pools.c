#include "server/config_pools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "server/server.h"

bool ili_config_pools_has(const char *key) {
    return strcmp(key, "programs") == 0 || strcmp(key, "environment") == 0 ||
           strcmp(key, "pools") == 0;
}

/* FAULT is about a field of the pool NAME of the file. */
static il_status place_fault(const char *name, struct ili_fault *fault) {
    struct ili_fault inner = *fault;
    char field[sizeof fault->field];
    snprintf(field, sizeof field, "pools.%.40s%s%.24s", name, *inner.field ? "." : "", inner.field);
    return ili_fault_set(fault, inner.status, field, inner.expected,
                         "configuration: the pool \"%.100s\": %.300s", name, inner.detail);
}

static il_status read_definition(const json_t *value, struct ili_pool_definition *definition,
                                 struct ili_fault *fault) {
    struct ili_value body;
    if (json_object_size(value) == 0) {
        return ili_fault_expected(fault, "command", "to be given, or a module");
    }
    /* the file's values, written out again, are a body as HTTP has it */
    char *text = json_dumps(value, JSON_COMPACT);
    if (!text) return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "no memory");
    il_status status = ili_value_load(text, strlen(text), &body, fault);
    if (status == IL_OK) {
        status = ili_pool_definition_read(&body, NULL, definition, fault);
        json_decref(body.json);
    }
    free(text);
    return status;
}

static il_status read_pools(struct ili_config_pools *config, const json_t *value,
                            struct ili_fault *fault) {
    const char *name, *why;
    json_t *entry;
    if (!json_is_object(value)) {
        return ili_fault_set(fault, IL_EINVAL, "pools", "an object of pools by name",
                             "configuration: \"pools\" must be an object of pools by name");
    }
    config->pools = calloc(json_object_size(value) + 1, sizeof *config->pools);
    if (!config->pools) return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "no memory");
    json_object_foreach((json_t *)value, name, entry) {
        struct ili_config_pool *pool = &config->pools[config->count++];
        if (ili_name_check(name, strlen(name), &why) != IL_OK) {
            return ili_fault_set(fault, IL_EINVAL, "pools", "names of 1 to 255 bytes",
                                 "configuration: the name of a pool %s", why);
        }
        pool->name = strdup(name);
        if (!pool->name) return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "no memory");
        if (read_definition(entry, &pool->definition, fault) != IL_OK) {
            return place_fault(name, fault);
        }
    }
    return IL_OK;
}

il_status ili_config_pools_read(struct ili_config_pools *config, const char *key,
                                const json_t *value, struct ili_fault *fault) {
    il_status status;
    if (strcmp(key, "pools") == 0) return read_pools(config, value, fault);
    if (strcmp(key, "programs") == 0) {
        status = ili_programs_read_paths(&config->programs, value, fault);
    } else {
        status = ili_programs_read_names(&config->programs, value, fault);
    }
    if (status != IL_OK) {
        struct ili_fault inner = *fault;
        ili_fault_set(fault, status, inner.field, inner.expected, "configuration: %.400s",
                      inner.detail);
    }
    return status;
}

void ili_config_pools_drop(struct ili_config_pools *config) {
    for (size_t i = 0; i < config->count; i++) {
        free(config->pools[i].name);
        ili_pool_definition_drop(&config->pools[i].definition);
    }
    free(config->pools);
    ili_programs_drop(&config->programs);
    *config = (struct ili_config_pools){0};
}

bool ili_config_pools_defines(const struct ili_config_pools *config, const char *name,
                              size_t name_bytes) {
    for (size_t i = 0; i < config->count; i++) {
        const char *own = config->pools[i].name;
        if (strlen(own) == name_bytes && memcmp(own, name, name_bytes) == 0) return true;
    }
    return false;
}

il_status ili_config_pools_make(struct ili_server *server, struct ili_fault *fault) {
    struct ili_config_pools *config = &server->config.pools;
    for (size_t i = 0; i < config->count; i++) {
        struct ili_config_pool *each = &config->pools[i];
        struct ili_pool *pool;
        bool created;
        char **environment = ili_environment_make(&config->programs, each->definition.given);
        if (!environment) return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "no memory");
        each->definition.options.environment = environment;
        ili_fault_set(fault, IL_ESYSTEM, NULL, NULL, "it cannot be made");
        il_status status = ili_pool_make(&server->pools, each->name, strlen(each->name),
                                         &each->definition.options, &pool, &created, fault);
        each->definition.options.environment = NULL;
        ili_texts_free(environment);
        if (status != IL_OK) return place_fault(each->name, fault);
    }
    return IL_OK;
}
