#include "server/process_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "server/daemons.h"
#include "server/params.h"
#include "server/programs.h"
#include "server/request.h"

#define PATH_BYTES 4095
#define HOUR_NS INT64_C(3600000000000)
#define GRACE_NS INT64_C(5000000000)
#define BYTES_MOST INT64_C(1125899906842624) /* 1 PiB: beyond every machine */
#define OUTPUT_DEFAULT (UINT64_C(64) << 10)
#define OUTPUT_MOST (INT64_C(16) << 20)

struct values {
    struct ili_value command, environment, input, input_base64; /* owned json */
    char directory[PATH_BYTES + 1];
};

static il_status no_memory(struct ili_fault *fault) {
    return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "the server has no memory for the process");
}

static il_status read_directory(const char *directory, struct ili_process_options *out,
                                struct ili_fault *fault) {
    if (!*directory) return IL_OK;
    if (!ili_path_is_plain(directory)) {
        return ili_fault_expected(fault, "directory", "an absolute path without . and ..");
    }
    out->directory = strdup(directory);
    return out->directory ? IL_OK : no_memory(fault);
}

static il_status read_input(const struct values *v, struct ili_process_options *out,
                            struct ili_fault *fault) {
    const json_t *json = v->input.json ? v->input.json : v->input_base64.json;
    const char *text = json_string_value(json); /* NULL: it is none, or absent */
    size_t bytes = json_string_length(json);
    if (!json) return IL_OK;
    if (v->input.json && v->input_base64.json) {
        return ili_fault_expected(fault, "input_base64", "to be absent where there is an input");
    }
    if (!text && v->input.json) return ili_fault_expected(fault, "input", "a string");
    out->input = malloc(bytes + 1);
    if (!out->input) return no_memory(fault);
    if (v->input.json) {
        memcpy(out->input, text, bytes);
    } else if (!text || !ili_base64_decode(out->input, &bytes, text, bytes)) {
        return ili_fault_expected(fault, "input_base64", "a string of padded base64 (RFC 4648)");
    }
    out->input_bytes = bytes;
    return IL_OK;
}

/* What is more than a number or a text. */
static il_status read_parts(const struct values *v, const struct ili_programs *programs,
                            struct ili_process_options *out, struct ili_fault *fault) {
    if (!v->command.json) {
        return ili_fault_set(fault, IL_EINVAL, "command", "to be given", "command: is missing");
    }
    il_status status = ili_command_read("command", v->command.json, programs, &out->command, fault);
    if (status == IL_OK && v->environment.json) {
        status =
            ili_environment_read("environment", v->environment.json, programs, &out->given, fault);
    }
    if (status == IL_OK) status = read_directory(v->directory, out, fault);
    if (status == IL_OK) status = read_input(v, out, fault);
    if (status == IL_OK) status = ili_daemon_check(out->daemon, out->session, fault);
    return status;
}

il_status ili_process_options_read(struct ili_request *request, const struct ili_programs *programs,
                                   struct ili_process_options *out, struct ili_fault *fault) {
    struct values v = {0};
    struct ili_value body = {0};
    *out = (struct ili_process_options){.output_bytes = OUTPUT_DEFAULT, .grace_ns = GRACE_NS};
    const struct ili_param params[] = {
        ILI_PARAM_VALUE("command", &v.command),
        ILI_PARAM_VALUE("environment", &v.environment),
        {"directory", ILI_PARAM_IS_TEXT, v.directory, 1, PATH_BYTES, false},
        ILI_PARAM_VALUE("input", &v.input),
        ILI_PARAM_VALUE("input_base64", &v.input_base64),
        ILI_PARAM_BOOL("daemon", &out->daemon),
        {"session", ILI_PARAM_IS_TEXT, out->session, 1, ILI_SESSION_ID_BYTES, false},
        ILI_PARAM_SECONDS("grace", &out->grace_ns, 0, HOUR_NS),
        ILI_PARAM_COUNT("memory", &out->limits.memory_bytes, 1 << 20, BYTES_MOST),
        ILI_PARAM_COUNT("cpu_time", &out->limits.cpu_seconds, 1, INT32_MAX),
        ILI_PARAM_COUNT("open_files", &out->limits.open_files, 8, 1 << 20),
        ILI_PARAM_COUNT("output", &out->output_bytes, 0, OUTPUT_MOST),
    };
    if (request->body_bytes == 0) return IL_OK;
    il_status status = ili_value_load(request->body, request->body_bytes, &body, fault);
    if (status == IL_OK) {
        status = ili_params_read_value(&body, params, sizeof params / sizeof *params, fault);
    }
    if (status == IL_OK && json_object_size(body.json) > 0) {
        status = read_parts(&v, programs, out, fault);
    }
    json_decref(v.command.json);
    json_decref(v.environment.json);
    json_decref(v.input.json);
    json_decref(v.input_base64.json);
    json_decref(body.json);
    return status;
}

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

static size_t count_of(char *const *texts) {
    size_t count = 0;
    while (texts && texts[count]) count++;
    return count;
}

static bool same_texts(char *const *a, char *const *b) {
    size_t count = count_of(a);
    if (count != count_of(b)) return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(a[i], b[i]) != 0) return false;
    }
    return true;
}

/* The same variables, in any order; no name is there twice. */
static bool same_variables(char *const *a, char *const *b) {
    if (count_of(a) != count_of(b)) return false;
    for (; a && *a; a++) {
        size_t i = 0;
        while (b[i] && strcmp(*a, b[i]) != 0) i++;
        if (!b[i]) return false;
    }
    return true;
}

const char *ili_process_options_differ(const struct ili_process_options *a,
                                       const struct ili_process_options *b) {
    if (!same_texts(a->command, b->command)) return "command";
    if (!same_variables(a->given, b->given)) return "environment";
    if (!same_text(a->directory, b->directory)) return "directory";
    if (a->input_bytes != b->input_bytes ||
        (a->input_bytes && memcmp(a->input, b->input, a->input_bytes) != 0)) {
        return "input";
    }
    if (a->daemon != b->daemon) return "daemon";
    if (strcmp(a->session, b->session) != 0) return "session";
    if (a->grace_ns != b->grace_ns) return "grace";
    if (a->limits.memory_bytes != b->limits.memory_bytes) return "memory";
    if (a->limits.cpu_seconds != b->limits.cpu_seconds) return "cpu_time";
    if (a->limits.open_files != b->limits.open_files) return "open_files";
    if (a->output_bytes != b->output_bytes) return "output";
    return NULL;
}

void ili_process_options_drop(struct ili_process_options *options) {
    ili_texts_free(options->command);
    ili_texts_free(options->given);
    free(options->directory);
    free(options->input);
    *options = (struct ili_process_options){0};
}
