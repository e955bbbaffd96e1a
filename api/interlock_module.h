/*
 * interlock_module.h - functions in C that a pool of Interlock runs.
 *
 * A module is a shared library with one exported function, il_module_main(). `interlock-worker --module
 * /path/x.so` loads it into a process of its own and calls its functions for a pool:
 *
 *     #include <interlock_module.h>
 *
 *     static il_status add(il_call *call) {
 *         double a, b;
 *         if (il_call_number(call, 0, &a) != IL_OK || il_call_number(call, 1, &b) != IL_OK) return IL_EINVAL;
 *         return il_call_return_number(call, a + b);
 *     }
 *
 *     static const il_module_function functions[] = {{"add", add}};
 *     static const il_module module = {sizeof module, IL_MODULE_ABI_VERSION, "sums", 1, functions};
 *     const il_module *il_module_main(uint32_t abi_version) { (void)abi_version; return &module; }
 *
 *     cc -shared -fPIC $(pkg-config --cflags interlock) sums.c -o sums.so
 *     interlock-worker --module ./sums.so --check
 *
 * The module links to nothing of Interlock: whatever it needs comes with the call. Everything of it but
 * il_module_main() should be static or hidden. It may use libinterlock, if it wants the objects of the
 * server's domain: il_domain_open(getenv("INTERLOCK_DOMAIN"), ...).
 *
 * A function runs in a thread, not always the same one. A thread pool runs several at once, so they must bear
 * that. Each ends
 * by returning
 *   IL_OK          its result is what il_call_return_...() set last; null if nothing did
 *   IL_EINVAL      its arguments do not fit, as il_call_argument() and its like said: not tried again
 *   IL_ECANCELLED  it was asked to stop, and did
 *   another code   it failed: as il_call_fail() said last, else with the code's name
 * A crash, or exit(), ends the worker; the pool starts another, and tries the call again if it may.
 *
 * Texts are UTF-8. All that is borrowed is valid until the function returns; only the thread that runs
 * the function may use the call. Flush what you write past stdio: stdout and stderr are kept with the
 * task.
 */
#ifndef INTERLOCK_MODULE_H
#define INTERLOCK_MODULE_H

#include <interlock.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of what is declared here. A worker loads modules of its own version and of those before. */
#define IL_MODULE_ABI_VERSION 1

#define IL_PROGRESS_MAX_BYTES 65536

typedef struct il_call il_call;

/* What the worker does for a call; use the functions below. Fields are only ever added at the end. */
typedef struct il_call_operations {
    uint32_t struct_bytes;
    uint32_t reserved;
    int32_t (*cancelled)(il_call *call);
    il_status (*progress)(il_call *call, const char *json, size_t bytes);
    il_status (*return_json)(il_call *call, const char *json, size_t bytes);
    il_status (*return_text)(il_call *call, const char *text, size_t bytes);
    il_status (*fail)(il_call *call, const char *type, const char *message, int32_t retry);
    il_status (*argument)(il_call *call, const char *name, uint32_t index, const char **json,
                          size_t *bytes);
    il_status (*text)(il_call *call, const char *name, uint32_t index, const char **text,
                      size_t *bytes);
    il_status (*number)(il_call *call, const char *name, uint32_t index, double *number);
    il_status (*integer)(il_call *call, const char *name, uint32_t index, int64_t *number);
    il_status (*return_number)(il_call *call, double number);
    il_status (*return_integer)(il_call *call, int64_t number);
} il_call_operations;

/* One call of a function. To be read, not written. Fields are only ever added at the end. */
struct il_call {
    uint32_t struct_bytes;
    uint32_t attempt; /* 1 at first */
    const il_call_operations *operations;
    const char *function; /* its name */
    const char *task;     /* the task's id, decimal */
    const char *args;     /* a JSON array as it was submitted, on one line; ended by NUL too */
    size_t args_bytes;
    const char *kwargs; /* a JSON object; likewise */
    size_t kwargs_bytes;
};

/* ---- arguments ----------------------------------------------------------------------------- */

/*
 * By INDEX, from 0, or by NAME for those given with a name. IL_OK; or IL_EINVAL: there is none, or it
 * is of another type; the caller is told which and what was expected if the function then returns
 * IL_EINVAL. An argument that may be left out is asked for with il_call_argument(), which may be followed
 * by any other result.
 */

/* As it is written: a string with its quotes. Borrowed, not ended by NUL. */
static inline il_status il_call_argument(il_call *call, uint32_t index, const char **json,
                                         size_t *bytes) {
    return call->operations->argument(call, NULL, index, json, bytes);
}
static inline il_status il_call_named(il_call *call, const char *name, const char **json,
                                      size_t *bytes) {
    return call->operations->argument(call, name, 0, json, bytes);
}

/* A string, without its quotes and escapes. Borrowed; ended by NUL, and may hold one (BYTES tells;
 * with BYTES NULL such a string is refused). */
static inline il_status il_call_text(il_call *call, uint32_t index, const char **text,
                                     size_t *bytes) {
    return call->operations->text(call, NULL, index, text, bytes);
}
static inline il_status il_call_named_text(il_call *call, const char *name, const char **text,
                                           size_t *bytes) {
    return call->operations->text(call, name, 0, text, bytes);
}

/* A number; one that a double cannot hold is refused. */
static inline il_status il_call_number(il_call *call, uint32_t index, double *number) {
    return call->operations->number(call, NULL, index, number);
}
static inline il_status il_call_named_number(il_call *call, const char *name, double *number) {
    return call->operations->number(call, name, 0, number);
}

/* A number without fraction or exponent, of 64 bits. */
static inline il_status il_call_integer(il_call *call, uint32_t index, int64_t *number) {
    return call->operations->integer(call, NULL, index, number);
}
static inline il_status il_call_named_integer(il_call *call, const char *name, int64_t *number) {
    return call->operations->integer(call, name, 0, number);
}

/* ---- results ------------------------------------------------------------------------------- */

/* Each sets the result and returns IL_OK, for `return il_call_return_text(call, ...)`. What was passed
 * is copied. */

/* JSON, any value. IL_EFAILED, and the call has failed, if it is not JSON; IL_ENOMEM. */
static inline il_status il_call_return_json(il_call *call, const char *json, size_t bytes) {
    return call->operations->return_json(call, json, bytes);
}

/* A string. What is not UTF-8 in it becomes U+FFFD. IL_ENOMEM. */
static inline il_status il_call_return_text(il_call *call, const char *text, size_t bytes) {
    return call->operations->return_text(call, text, bytes);
}

/* IL_EFAILED, and the call has failed, for infinities and NaN. */
static inline il_status il_call_return_number(il_call *call, double number) {
    return call->operations->return_number(call, number);
}
static inline il_status il_call_return_integer(il_call *call, int64_t number) {
    return call->operations->return_integer(call, number);
}

/* The function fails: TYPE is a word for programs ("ValueError"), MESSAGE a sentence for people.
 * RETRY 0: another attempt would be in vain. Returns IL_EFAILED, for the function to return. */
static inline il_status il_call_fail(il_call *call, const char *type, const char *message,
                                     int32_t retry) {
    return call->operations->fail(call, type, message, retry);
}

/* ---- meanwhile ----------------------------------------------------------------------------- */

/* Not 0: the call should end soon; return IL_ECANCELLED then. It is ended by force, and the worker with
 * it, if it does not within the pool's grace. Costs a load. In the function's own thread il_cancelled()
 * says the same, and waits in calls of Interlock end with IL_ECANCELLED. */
static inline int32_t il_call_cancelled(il_call *call) { return call->operations->cancelled(call); }

/* Shows how far it is: any JSON value of at most IL_PROGRESS_MAX_BYTES.
 * IL_EINVAL: it is not JSON. IL_ETOOBIG. IL_EGONE: nobody listens any more. */
static inline il_status il_call_progress(il_call *call, const char *json, size_t bytes) {
    return call->operations->progress(call, json, bytes);
}

/* ---- what the module has ------------------------------------------------------------------- */

typedef struct il_module_function {
    const char *name; /* 1 to 255 bytes; not beginning with "interlock." */
    il_status (*run)(il_call *call);
} il_module_function;

typedef struct il_module {
    uint32_t struct_bytes; /* sizeof(il_module) */
    uint32_t abi_version;  /* IL_MODULE_ABI_VERSION */
    const char *name;      /* for people, up to 63 bytes; NULL: the file's name */
    uint64_t count;        /* of FUNCTIONS */
    const il_module_function *functions;
} il_module;

/*
 * The module's one exported function: called once, before any other. ABI_VERSION is the worker's. What
 * it returns is the module's, and stays as it is. NULL: it cannot work here; say why on stderr.
 */
const il_module *il_module_main(uint32_t abi_version);

#ifdef __cplusplus
}
#endif

#endif
