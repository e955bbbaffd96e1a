/*
 * A module of functions for a pool: those that tests/workers/conformance.py calls, and two real ones.
 *
 *     cc -shared -fPIC examples/module.c $(pkg-config --cflags interlock) -lcrypto -o module.so
 *     interlock-worker --module ./module.so --check
 */
#include <errno.h>
#include <interlock_module.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static il_status echo(il_call *call) {
    const char *value;
    size_t bytes;
    if (il_call_argument(call, 0, &value, &bytes) != IL_OK) return IL_EINVAL;
    return il_call_return_json(call, value, bytes);
}

static il_status add(il_call *call) {
    double a, b;
    if (il_call_number(call, 0, &a) != IL_OK || il_call_number(call, 1, &b) != IL_OK) {
        return IL_EINVAL;
    }
    return il_call_return_number(call, a + b);
}

static il_status fail(il_call *call) {
    const char *message = "failed, as it was asked to";
    if (call->args_bytes > 2 && il_call_text(call, 0, &message, NULL) != IL_OK) return IL_EINVAL;
    return il_call_fail(call, "ExampleError", message, 1);
}

/* Sleeps as many seconds as asked; looks every few milliseconds whether it is to stop. */
static il_status sleep_for(il_call *call) {
    double seconds;
    struct timespec now, step = {0, 5000000};
    if (il_call_number(call, 0, &seconds) != IL_OK) return IL_EINVAL;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double end = (double)now.tv_sec + (double)now.tv_nsec / 1e9 + seconds;
    while ((double)now.tv_sec + (double)now.tv_nsec / 1e9 < end) {
        if (il_call_cancelled(call)) return IL_ECANCELLED;
        nanosleep(&step, NULL);
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    return IL_OK;
}

static il_status write_out(il_call *call) {
    const char *out, *err;
    size_t out_bytes, err_bytes;
    if (il_call_text(call, 0, &out, &out_bytes) != IL_OK ||
        il_call_text(call, 1, &err, &err_bytes) != IL_OK) {
        return IL_EINVAL;
    }
    fwrite(out, 1, out_bytes, stdout);
    fwrite(err, 1, err_bytes, stderr);
    return IL_OK;
}

static il_status exit_now(il_call *call) {
    int64_t code;
    if (il_call_integer(call, 0, &code) != IL_OK) return IL_EINVAL;
    exit((int)code);
}

/* Reports its first argument as progress, then returns it. */
static il_status progress(il_call *call) {
    const char *value;
    size_t bytes;
    if (il_call_argument(call, 0, &value, &bytes) != IL_OK) return IL_EINVAL;
    if (il_call_progress(call, value, bytes) != IL_OK) {
        return il_call_fail(call, "ExampleError", "progress could not be reported", 0);
    }
    return il_call_return_json(call, value, bytes);
}

static il_status kwargs(il_call *call) {
    return il_call_return_json(call, call->kwargs, call->kwargs_bytes);
}

/* ---- the real ones ------------------------------------------------------------------------- */

/* Opens the file that the first argument names; NULL, and the call has failed with *STATUS. */
static FILE *open_file(il_call *call, il_status *status) {
    const char *path;
    *status = il_call_text(call, 0, &path, NULL);
    if (*status != IL_OK) return NULL;
    FILE *file = fopen(path, "rb");
    if (!file) *status = il_call_fail(call, "OSError", strerror(errno), 0);
    return file;
}

/* The SHA-256 of a file, as sha256sum prints it. */
static il_status sha256(il_call *call) {
    static const char hex[] = "0123456789abcdef";
    unsigned char buffer[65536], sum[EVP_MAX_MD_SIZE];
    char text[2 * EVP_MAX_MD_SIZE];
    unsigned sum_bytes = 0;
    size_t got;
    il_status status;
    FILE *file = open_file(call, &status);
    if (!file) return status;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    int good = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
    while (good && (got = fread(buffer, 1, sizeof buffer, file)) > 0) {
        good = EVP_DigestUpdate(digest, buffer, got);
    }
    good = good && !ferror(file) && EVP_DigestFinal_ex(digest, sum, &sum_bytes);
    EVP_MD_CTX_free(digest);
    fclose(file);
    if (!good) return il_call_fail(call, "OSError", "the file cannot be read", 1);
    for (unsigned i = 0; i < sum_bytes; i++) {
        text[2 * i] = hex[sum[i] >> 4];
        text[2 * i + 1] = hex[sum[i] & 15];
    }
    return il_call_return_text(call, text, 2 * (size_t)sum_bytes);
}

/* Lines, words (what stands between white space) and bytes of a file, as `wc`. */
static il_status wordcount(il_call *call) {
    unsigned char buffer[65536];
    unsigned long long lines = 0, words = 0, bytes = 0;
    int in_word = 0;
    size_t got;
    char text[128];
    il_status status;
    FILE *file = open_file(call, &status);
    if (!file) return status;
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0) {
        bytes += got;
        for (size_t i = 0; i < got; i++) {
            unsigned char c = buffer[i];
            int space = c == ' ' || (c >= '\t' && c <= '\r');
            lines += c == '\n';
            words += !space && !in_word;
            in_word = !space;
        }
    }
    int bad = ferror(file);
    fclose(file);
    if (bad) return il_call_fail(call, "OSError", "the file cannot be read", 1);
    int length = snprintf(text, sizeof text, "{\"lines\":%llu,\"words\":%llu,\"bytes\":%llu}",
                          lines, words, bytes);
    return il_call_return_json(call, text, (size_t)length);
}

static const il_module_function functions[] = {
    {"echo", echo},           {"add", add},         {"fail", fail},
    {"sleep", sleep_for},     {"write", write_out}, {"exit", exit_now},
    {"progress", progress},   {"kwargs", kwargs},   {"sha256", sha256},
    {"wordcount", wordcount},
};

static const il_module module = {sizeof module, IL_MODULE_ABI_VERSION, "examples/module.c",
                                 sizeof functions / sizeof *functions, functions};

const il_module *il_module_main(uint32_t abi_version) {
    (void)abi_version;
    return &module;
}
