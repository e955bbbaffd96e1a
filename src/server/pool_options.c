#include "server/pool_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/params.h"
#include "server/task_options.h"

#define WORKERS_MOST 1024
#define PATH_BYTES 4095
#define FUNCTION_BYTES 255
#define HOUR_NS INT64_C(3600000000000)
#define BYTES_MOST INT64_C(1125899906842624) /* 1 PiB: beyond every machine */
#define OUTPUT_MOST (INT64_C(64) << 20)

struct fields {
    struct ili_value command, module, initializer_args, environment; /* owned json */
    char kind[16], initializer[FUNCTION_BYTES + 1], directory[PATH_BYTES + 1];
    uint64_t workers, max_tasks, max_queued, memory, cpu_time, open_files, output, set_aside_after;
    int64_t grace_ns, start_limit_ns;
    struct ili_task_fields tasks;
};

static void begin(struct fields *f, const struct ili_pool_options *defaults) {
    memset(f, 0, sizeof *f);
    f->workers = defaults->workers;
    f->max_tasks = defaults->max_tasks_per_worker;
    f->max_queued = defaults->max_queued;
    f->memory = defaults->limits.memory_bytes;
    f->cpu_time = defaults->limits.cpu_seconds;
    f->open_files = defaults->limits.open_files;
    f->output = defaults->output_bytes;
    f->set_aside_after = defaults->set_aside_after;
    f->grace_ns = defaults->grace_ns;
    f->start_limit_ns = defaults->start_limit_ns;
    ili_task_fields_begin(&f->tasks, &defaults->defaults);
}

static void drop(struct fields *f) {
    json_decref(f->command.json);
    json_decref(f->module.json);
    json_decref(f->initializer_args.json);
    json_decref(f->environment.json);
}

static il_status read_fields(const struct ili_value *body, struct fields *f,
                             struct ili_fault *fault) {
    const struct ili_param params[] = {
        ILI_PARAM_TEXT("kind", f->kind, sizeof f->kind - 1),
        ILI_PARAM_COUNT("workers", &f->workers, 1, WORKERS_MOST),
        ILI_PARAM_VALUE("command", &f->command),
        ILI_PARAM_VALUE("module", &f->module),
        ILI_PARAM_VALUE("environment", &f->environment),
        {"directory", ILI_PARAM_IS_TEXT, f->directory, 1, PATH_BYTES, false},
        {"initializer", ILI_PARAM_IS_TEXT, f->initializer, 1, FUNCTION_BYTES, false},
        ILI_PARAM_VALUE("initializer_args", &f->initializer_args),
        ILI_PARAM_COUNT("max_tasks_per_worker", &f->max_tasks, 0, UINT32_MAX),
        ILI_PARAM_COUNT("max_queued", &f->max_queued, 0, UINT32_MAX),
        ILI_PARAM_COUNT("memory", &f->memory, 1 << 20, BYTES_MOST),
        ILI_PARAM_COUNT("cpu_time", &f->cpu_time, 1, INT32_MAX),
        ILI_PARAM_COUNT("open_files", &f->open_files, 8, 1 << 20),
        ILI_PARAM_COUNT("output", &f->output, 0, OUTPUT_MOST),
        ILI_PARAM_COUNT("set_aside_after", &f->set_aside_after, 1, 1000),
        ILI_PARAM_SECONDS("grace", &f->grace_ns, 0, HOUR_NS),
        ILI_PARAM_SECONDS("start_limit", &f->start_limit_ns, 1000000, HOUR_NS),
        ILI_TASK_FIELD_PARAMS(&f->tasks),
    };
    return ili_params_read_value(body, params, sizeof params / sizeof *params, fault);
}

static il_status no_memory(struct ili_fault *fault) {
    return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "the server has no memory for the pool");
}

static il_status read_kind(const char *kind, enum ili_pool_kind *out, struct ili_fault *fault) {
    if (strcmp(kind, "process") == 0 || !*kind) {
        *out = ILI_POOL_PROCESS;
    } else if (strcmp(kind, "thread") == 0) {
        *out = ILI_POOL_THREAD;
    } else if (strcmp(kind, "exec") == 0) {
        *out = ILI_POOL_EXEC;
    } else {
        return ili_fault_expected(fault, "kind", "process, thread or exec");
    }
    return IL_OK;
}

/* The program that runs modules lies beside this one. */
static bool find_module_worker(char *room, size_t room_bytes) {
    static const char name[] = "interlock-worker";
    ssize_t length = readlink("/proc/self/exe", room, room_bytes - sizeof name);
    if (length <= 0) return false;
    room[length] = 0;
    char *slash = strrchr(room, '/');
    if (!slash) return false;
    memcpy(slash + 1, name, sizeof name);
    return true;
}

/* {"module": "/x.so"} is the command interlock-worker --module /x.so. */
static il_status read_module(const json_t *value, const struct ili_programs *programs, char ***out,
                             struct ili_fault *fault) {
    char worker[PATH_BYTES + 1];
    const char *path = json_string_value(value);
    if (!path || strlen(path) != json_string_length(value) || !ili_path_is_plain(path)) {
        return ili_fault_expected(fault, "module", "an absolute path without . and ..");
    }
    il_status status = programs ? ili_programs_check(programs, "module", path, fault) : IL_OK;
    if (status != IL_OK) return status;
    if (!find_module_worker(worker, sizeof worker)) return no_memory(fault);
    char **command = calloc(4, sizeof *command);
    if (!command) return no_memory(fault);
    command[0] = strdup(worker);
    command[1] = strdup("--module");
    command[2] = strdup(path);
    if (command[0] && command[1] && command[2]) {
        *out = command;
        return IL_OK;
    }
    for (size_t i = 0; i < 3; i++) free(command[i]);
    free(command);
    return no_memory(fault);
}

static il_status read_command(const struct fields *f, const struct ili_programs *programs,
                              struct ili_pool_definition *out, struct ili_fault *fault) {
    if (f->command.json && f->module.json) {
        return ili_fault_expected(fault, "module", "to be absent where there is a command");
    }
    if (f->module.json && out->options.kind == ILI_POOL_EXEC) {
        return ili_fault_expected(fault, "module", "to be absent: an exec pool runs a command");
    }
    if (f->module.json) return read_module(f->module.json, programs, &out->command, fault);
    if (!f->command.json) return ili_fault_expected(fault, "command", "to be given, or a module");
    return ili_command_read("command", f->command.json, programs, &out->command, fault);
}

/* Copies VALUE without line breaks, so that it can be part of a line. */
static char *one_line(const struct ili_value *value) {
    char *text = malloc(value->bytes + 1);
    if (!text) return NULL;
    for (size_t i = 0; i < value->bytes; i++) {
        char c = value->at[i];
        text[i] = c;
        if (c == '\n' || c == '\r') text[i] = ' ';
    }
    text[value->bytes] = 0;
    return text;
}

static il_status read_initializer(const struct fields *f, struct ili_pool_definition *out,
                                  struct ili_fault *fault) {
    const struct ili_value *args = &f->initializer_args;
    if ((*f->initializer || args->json) && out->options.kind == ILI_POOL_EXEC) {
        return ili_fault_expected(fault, *f->initializer ? "initializer" : "initializer_args",
                                  "to be absent: an exec pool has no workers");
    }
    if (args->json && !*f->initializer) {
        return ili_fault_expected(fault, "initializer", "to be given with initializer_args");
    }
    if (args->json && (!json_is_array(args->json) || ili_value_depth(args) > ILI_VALUE_DEPTH)) {
        return ili_fault_expected(fault, "initializer_args", "an array of at most 64 levels");
    }
    if (*f->initializer) out->initializer = strdup(f->initializer);
    if (args->json) out->initializer_args = one_line(args);
    if ((*f->initializer && !out->initializer) || (args->json && !out->initializer_args)) {
        return no_memory(fault);
    }
    return IL_OK;
}

static il_status read_directory(const struct fields *f, struct ili_pool_definition *out,
                                struct ili_fault *fault) {
    if (!*f->directory) return IL_OK;
    if (!ili_path_is_plain(f->directory)) {
        return ili_fault_expected(fault, "directory", "an absolute path without . and ..");
    }
    out->directory = strdup(f->directory);
    return out->directory ? IL_OK : no_memory(fault);
}

static void settle(const struct fields *f, struct ili_pool_definition *out) {
    struct ili_pool_options *o = &out->options;
    o->workers = (uint32_t)f->workers;
    o->command = out->command;
    o->directory = out->directory;
    o->initializer = out->initializer;
    o->initializer_args = out->initializer_args;
    o->max_tasks_per_worker = (uint32_t)f->max_tasks;
    o->max_queued = (uint32_t)f->max_queued;
    o->limits = (struct ili_spawn_limits){f->memory, f->cpu_time, f->open_files};
    o->output_bytes = f->output;
    o->set_aside_after = (uint32_t)f->set_aside_after;
    o->grace_ns = f->grace_ns;
    o->start_limit_ns = f->start_limit_ns;
    ili_task_fields_end(&f->tasks, &o->defaults);
}

static il_status read_parts(const struct ili_value *body, const struct ili_programs *programs,
                            struct fields *f, struct ili_pool_definition *out,
                            struct ili_fault *fault) {
    il_status status = read_fields(body, f, fault);
    if (status == IL_OK) status = read_kind(f->kind, &out->options.kind, fault);
    if (status == IL_OK && json_object_size(body->json) > 0) {
        status = read_command(f, programs, out, fault);
    }
    if (status == IL_OK && f->environment.json) {
        status =
            ili_environment_read("environment", f->environment.json, programs, &out->given, fault);
    }
    if (status == IL_OK) status = read_directory(f, out, fault);
    if (status == IL_OK) status = read_initializer(f, out, fault);
    return status;
}

il_status ili_pool_definition_read(const struct ili_value *body,
                                   const struct ili_programs *programs,
                                   struct ili_pool_definition *out, struct ili_fault *fault) {
    struct fields f;
    memset(out, 0, sizeof *out);
    ili_pool_options_init(&out->options);
    begin(&f, &out->options);
    il_status status = read_parts(body, programs, &f, out, fault);
    if (status == IL_OK) settle(&f, out);
    drop(&f);
    return status;
}

void ili_pool_definition_drop(struct ili_pool_definition *definition) {
    ili_texts_free(definition->command);
    ili_texts_free(definition->given);
    free(definition->directory);
    free(definition->initializer);
    free(definition->initializer_args);
    memset(definition, 0, sizeof *definition);
}
