#include "worker/run.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_check.h"
#include "base/status.h"
#include "worker/arguments.h"

#define KEPT_BYTES (1024 * 1024) /* a buffer that grew beyond is given back after the call */

static struct worker_run *run_of(il_call *call) { return (struct worker_run *)(void *)call; }

static void set(struct ili_out *out, const char *text, size_t bytes) {
    if (out->room > KEPT_BYTES) ili_out_free(out);
    out->bytes = 0;
    out->failed = false;
    if (bytes > 0) ili_out_json(out, text, bytes);
}

il_status worker_run_fail(struct worker_run *run, il_status status, const char *type,
                          const char *message) {
    set(&run->type, type, strlen(type));
    set(&run->message, message, strlen(message));
    return status;
}

/* ---- what a function may ask for --------------------------------------------------------------- */

static int32_t op_cancelled(il_call *call) {
    return atomic_load_explicit(&run_of(call)->request->cancelled, memory_order_relaxed);
}

/* Line breaks of a JSON text are space between its values: they become blanks. */
static void on_one_line(char *json, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (json[i] == '\n' || json[i] == '\r') json[i] = ' ';
    }
}

static il_status op_progress(il_call *call, const char *json, size_t bytes) {
    struct worker_run *run = run_of(call);
    if (bytes > IL_PROGRESS_MAX_BYTES) return IL_ETOOBIG;
    if (!json || !ili_json_check(json, bytes)) return IL_EINVAL;
    char *copy = malloc(bytes);
    if (!copy) return IL_ENOMEM;
    memcpy(copy, json, bytes);
    on_one_line(copy, bytes);
    il_status status = run->report(run, copy, bytes);
    free(copy);
    return status;
}

static il_status op_return_json(il_call *call, const char *json, size_t bytes) {
    struct worker_run *run = run_of(call);
    run->spoiled = !json || !ili_json_check(json, bytes);
    if (run->spoiled) {
        return worker_run_fail(run, IL_EFAILED, "TypeError",
                               "the function returned a text that is not JSON");
    }
    set(&run->result, json, bytes);
    if (run->result.failed) return IL_ENOMEM;
    on_one_line(run->result.data, run->result.bytes);
    return IL_OK;
}

static il_status op_return_text(il_call *call, const char *text, size_t bytes) {
    struct worker_run *run = run_of(call);
    set(&run->result, NULL, 0);
    ili_out_text(&run->result, text, bytes);
    run->spoiled = false;
    return run->result.failed ? IL_ENOMEM : IL_OK;
}

static il_status op_return_integer(il_call *call, int64_t number) {
    char text[32];
    int bytes = snprintf(text, sizeof text, "%lld", (long long)number);
    struct worker_run *run = run_of(call);
    set(&run->result, text, (size_t)bytes);
    run->spoiled = false;
    return run->result.failed ? IL_ENOMEM : IL_OK;
}

/* With as few digits as stand for exactly this number. The function may have set a locale with
 * another decimal point. */
static il_status op_return_number(il_call *call, double number) {
    char text[32];
    int bytes = 0;
    struct worker_run *run = run_of(call);
    run->spoiled = !isfinite(number);
    if (run->spoiled) {
        return worker_run_fail(run, IL_EFAILED, "ValueError",
                               "the function returned a number that JSON has no word for");
    }
    locale_t before = uselocale(worker_plain_locale());
    for (int digits = 15; digits <= 17; digits++) {
        bytes = snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    uselocale(before);
    set(&run->result, text, (size_t)bytes);
    return run->result.failed ? IL_ENOMEM : IL_OK;
}

static il_status op_fail(il_call *call, const char *type, const char *message, int32_t retry) {
    struct worker_run *run = run_of(call);
    run->in_vain = !retry;
    return worker_run_fail(run, IL_EFAILED, type ? type : "Error", message ? message : "");
}

static const il_call_operations operations = {
    .struct_bytes = sizeof operations,
    .cancelled = op_cancelled,
    .progress = op_progress,
    .return_json = op_return_json,
    .return_text = op_return_text,
    .fail = op_fail,
    .argument = worker_argument,
    .text = worker_argument_text,
    .number = worker_argument_number,
    .integer = worker_argument_integer,
    .return_number = op_return_number,
    .return_integer = op_return_integer,
};

/* ---- a call ------------------------------------------------------------------------------------ */

static void begin(struct worker_run *run) {
    worker_arguments_free(run);
    set(&run->result, NULL, 0);
    set(&run->type, NULL, 0);
    set(&run->message, NULL, 0);
    run->code = 0;
    run->in_vain = run->spoiled = false;
}

/* What the function returned, with what it said before, is its outcome. */
static void conclude(struct worker_run *run, il_status status) {
    if (status == IL_OK && run->spoiled) status = IL_EFAILED;
    if (status == IL_OK) return;
    run->code = WORKER_FAILED;
    if (status == IL_ECANCELLED) run->code = WORKER_CANCELLED;
    if (status == IL_EINVAL) run->code = WORKER_BAD_ARGUMENTS;
    if (status == IL_ECANCELLED || run->type.bytes == 0) {
        const struct ili_status_info *info = ili_status_info(status);
        worker_run_fail(run, status, info ? info->name : "Error",
                        info ? info->text : "the function failed");
    }
}

void worker_run(struct worker_run *run, il_status (*function)(il_call *call),
                struct worker_request *request) {
    if (!function) {
        char message[320];
        snprintf(message, sizeof message, "there is no function \"%.255s\"", request->function);
        worker_run_refuse(run, WORKER_NO_FUNCTION, "LookupError", message);
        return;
    }
    begin(run);
    run->request = request;
    run->call = (il_call){
        .struct_bytes = sizeof run->call,
        .attempt = request->attempt,
        .operations = &operations,
        .function = request->function,
        .task = request->task,
        .args = request->args.at,
        .args_bytes = request->args.bytes,
        .kwargs = request->kwargs.at,
        .kwargs_bytes = request->kwargs.bytes,
    };
    conclude(run, function(&run->call));
}

void worker_run_refuse(struct worker_run *run, int code, const char *type, const char *message) {
    begin(run);
    worker_run_fail(run, IL_EFAILED, type, message);
    run->code = code;
}

void worker_run_end(struct worker_run *run) {
    worker_arguments_free(run);
    ili_out_free(&run->result);
    ili_out_free(&run->type);
    ili_out_free(&run->message);
}
