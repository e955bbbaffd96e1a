/*
 * calls.c - what a worker is told. The members of a call come in the order in which the protocol promises
 * them, so that a shell script can cut it apart.
 */
#include <string.h>

#include "base/out.h"
#include "work/worker.h"

static void begin(struct ili_out *out) {
    ili_out_open(out, '{');
    ili_out_key(out, "jsonrpc");
    ili_out_text(out, "2.0", 3);
}

static void method(struct ili_out *out, const char *name) {
    ili_out_key(out, "method");
    ili_out_string(out, name);
    ili_out_key(out, "params");
    ili_out_open(out, '{');
}

static void member(struct ili_out *out, const char *key, const char *json, size_t bytes,
                   const char *otherwise) {
    ili_out_key(out, key);
    if (bytes > 0) {
        ili_out_json(out, json, bytes);
    } else {
        ili_out_json(out, otherwise, strlen(otherwise));
    }
}

void ili_call_write(struct ili_out *out, uint64_t id, const struct ili_task *task) {
    const char *args = task->call + task->function_bytes, *kwargs = args + task->args_bytes;
    size_t kwargs_bytes = task->kwargs_bytes;
    if (task->map) {
        kwargs = task->map->kwargs;
        kwargs_bytes = task->map->kwargs_bytes;
    }
    begin(out);
    ili_out_key(out, "id");
    ili_out_token(out, id);
    method(out, "call");
    ili_out_key(out, "function");
    ili_out_text(out, task->call, task->function_bytes);
    member(out, "args", args, task->args_bytes, "[]");
    member(out, "kwargs", kwargs, kwargs_bytes, "{}");
    ili_out_key(out, "task");
    ili_out_token(out, task->id);
    ili_out_key(out, "attempt");
    ili_out_number(out, task->attempts + 1);
    ili_out_close(out, '}');
    ili_out_close(out, '}');
}

void ili_call_write_cancel(struct ili_out *out, uint64_t id) {
    begin(out);
    method(out, "cancel");
    ili_out_key(out, "id");
    ili_out_token(out, id);
    ili_out_close(out, '}');
    ili_out_close(out, '}');
    ili_out_line(out);
}

void ili_call_write_initialize(struct ili_out *out, const struct ili_pool_options *options) {
    const char *args = options->initializer_args;
    begin(out);
    ili_out_key(out, "id");
    ili_out_string(out, "init");
    method(out, "initialize");
    ili_out_key(out, "function");
    ili_out_string(out, options->initializer);
    member(out, "args", args, args ? strlen(args) : 0, "[]");
    ili_out_close(out, '}');
    ili_out_close(out, '}');
    ili_out_line(out);
}

void ili_call_write_unknown(struct ili_out *out, struct ili_json_span id) {
    begin(out);
    ili_out_key(out, "id");
    ili_out_json(out, id.at, id.bytes);
    ili_out_key(out, "error");
    ili_out_open(out, '{');
    ili_out_key(out, "code");
    ili_out_json(out, "-32601", 6);
    ili_out_key(out, "message");
    ili_out_string(out, "the server has no such method");
    ili_out_close(out, '}');
    ili_out_close(out, '}');
    ili_out_line(out);
}
