/*
 * A worker for the tests: speaks the protocol as a shell script would, by cutting lines apart, and can be
 * told to break every rule of it.
 *
 *   pool_worker [slots=N] [batch] [functions=a,b] [name=NAME] [MISBEHAVIOUR]
 *
 * Functions: echo(x)  add(a,b)  fail(text)  flaky(n): fails before attempt n  final: an error that is not to be
 * retried  sleep(ms), ends early when cancelled  stuck(ms), does not  write(out,err)  exit(code)
 * signal(n)  progress(value)  pid  getenv(name)  attempt  task  once(path, n): ends by signal n unless the
 * file PATH is there, which it makes  flood(bytes, to stdout)  close: its socket, and lives on
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WIRE 3
#define CALLS_MOST 8192
#define START "{\"jsonrpc\":\"2.0\",\"id\":\""

static const char *misbehaviour = "";
static unsigned slots = 1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char cancelled[CALLS_MOST][24]; /* ids, a ring */
static unsigned cancelled_count;

/* What was read and not yet used; only the main thread reads. */
static char *buffer;
static size_t buffered, buffer_room, used;

struct call {
    char id[24];
    char function[64];
    const char *args; /* up to the end of its line */
    size_t args_bytes;
    char task[24];
    unsigned attempt;
    bool answered;
};

static struct call batch[CALLS_MOST]; /* that run in the main thread */
static unsigned batch_count, batch_at;

static void put(const char *text, size_t bytes) {
    pthread_mutex_lock(&mutex);
    while (bytes > 0) {
        ssize_t written = write(WIRE, text, bytes);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) _exit(7);
        text += written;
        bytes -= (size_t)written;
    }
    pthread_mutex_unlock(&mutex);
}

static void put_text(const char *text) { put(text, strlen(text)); }

static void result(const struct call *call, const char *value, size_t bytes) {
    static const char middle[] = "\",\"result\":";
    size_t id = strlen(call->id), room = sizeof START + id + sizeof middle + bytes + 2, at = 0;
    char small[512], *line = room <= sizeof small ? small : malloc(room);
    if (!line) _exit(8);
    memcpy(line, START, sizeof START - 1), at = sizeof START - 1;
    memcpy(line + at, call->id, id), at += id;
    memcpy(line + at, middle, sizeof middle - 1), at += sizeof middle - 1;
    memcpy(line + at, value, bytes), at += bytes;
    memcpy(line + at, "}\n", 2), at += 2;
    put(line, at);
    if (line != small) free(line);
}

static void result_text(const struct call *call, const char *value) {
    result(call, value, strlen(value));
}

static void error(const struct call *call, int code, const char *message, const char *data) {
    char line[1024];
    int bytes =
        snprintf(line, sizeof line, START "%s\",\"error\":{\"code\":%d,\"message\":\"%s\"%s}}\n",
                 call->id, code, message, data);
    put(line, (size_t)bytes);
}

static bool is_cancelled(const char *id) {
    bool found = false;
    pthread_mutex_lock(&mutex);
    for (unsigned i = 0; i < cancelled_count && i < CALLS_MOST; i++) {
        found = found || strcmp(cancelled[i], id) == 0;
    }
    pthread_mutex_unlock(&mutex);
    return found;
}

/* ---- reading ------------------------------------------------------------------------------------- */

/* One read. False: the end. */
static bool read_more(void) {
    if (used > 0 && batch_at >= batch_count) {
        memmove(buffer, buffer + used, buffered - used);
        buffered -= used;
        used = 0;
    }
    if (buffered + 65536 > buffer_room) {
        if (batch_at < batch_count) return true; /* the batch's texts lie there */
        buffer_room = (buffered + 65536) * 2;
        buffer = realloc(buffer, buffer_room);
        if (!buffer) _exit(8);
    }
    ssize_t got = read(WIRE, buffer + buffered, buffer_room - buffered);
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) return false;
    buffered += (size_t)got;
    return true;
}

static void copy_until(char *to, size_t room, const char *from, char end) {
    size_t i = 0;
    while (i + 1 < room && from[i] && from[i] != end) to[i] = from[i], i++;
    to[i] = 0;
}

/* Looks through what has come for cancels of calls that wait in the batch, and of the one that runs. */
static void notice_cancels(void) {
    static const char start[] = "{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":\"";
    char *end;
    while (buffered > used && (end = memchr(buffer + used, '\n', buffered - used))) {
        if (strncmp(buffer + used, start, sizeof start - 1) != 0) return;
        pthread_mutex_lock(&mutex);
        char *id = cancelled[cancelled_count++ % CALLS_MOST];
        copy_until(id, 24, buffer + used + sizeof start - 1, '"');
        pthread_mutex_unlock(&mutex);
        used = (size_t)(end + 1 - buffer);
        for (unsigned i = batch_at + 1; i < batch_count; i++) {
            if (batch[i].answered || strcmp(batch[i].id, id) != 0) continue;
            batch[i].answered = true;
            error(&batch[i], 2, "cancelled before it began", "");
        }
    }
}

/* Until MS have passed, or CALL is cancelled; true then. */
static bool pause_for(const struct call *call, long ms, bool heed) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long end = now.tv_sec * 1000LL + now.tv_nsec / 1000000 + ms;
    for (;;) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        long long left = end - (now.tv_sec * 1000LL + now.tv_nsec / 1000000);
        if (heed && is_cancelled(call->id)) return true;
        if (left <= 0) return false;
        if (slots > 1) {
            nanosleep(&(struct timespec){0, 1000000}, NULL);
        } else {
            struct pollfd polled = {WIRE, POLLIN, 0};
            if (!heed) polled.fd = -1;
            if (poll(&polled, 1, (int)left) == 1) {
                if (!read_more()) polled.fd = -1, heed = false;
                notice_cancels();
            }
        }
    }
}

/* ---- functions ----------------------------------------------------------------------------------- */

/* The first argument as a number. */
static long number(const struct call *call) { return strtol(call->args + 1, NULL, 10); }

/* The I-th argument, a string without escapes. */
static void text(const struct call *call, unsigned which, char *room, size_t bytes) {
    const char *at = call->args;
    for (unsigned i = 0; at && i < which * 2 + 1; i++) {
        at = strchr(at, '"');
        if (at) at++;
    }
    copy_until(room, bytes, at ? at : "", '"');
}

static void flood(long bytes) {
    static char block[65536];
    memset(block, 'x', sizeof block);
    while (bytes > 0) {
        ssize_t written = write(1, block, bytes < 65536 ? (size_t)bytes : sizeof block);
        if (written <= 0) _exit(9);
        bytes -= written;
    }
}

static void once(const struct call *call) {
    char path[256];
    text(call, 0, path, sizeof path);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd >= 0) kill(getpid(), SIGKILL);
    result_text(call, "\"survived\"");
}

static void run(const struct call *call) {
    const char *f = call->function;
    char words[2][256];
    char answer[300];
    if (strcmp(f, "echo") == 0) {
        result(call, call->args + 1, call->args_bytes - 2);
    } else if (strcmp(f, "add") == 0) {
        const char *comma = memchr(call->args, ',', call->args_bytes);
        snprintf(answer, sizeof answer, "%ld",
                 number(call) + (comma ? strtol(comma + 1, NULL, 10) : 0));
        result_text(call, answer);
    } else if (strcmp(f, "fail") == 0) {
        text(call, 0, words[0], sizeof words[0]);
        error(call, 1, words[0], ",\"data\":{\"type\":\"TestError\",\"traceback\":\"here\"}");
    } else if (strcmp(f, "flaky") == 0) {
        if (call->attempt < (unsigned)number(call)) {
            error(call, 1, "not yet", "");
        } else {
            result_text(call, "\"at last\"");
        }
    } else if (strcmp(f, "final") == 0) {
        error(call, 1, "in vain", ",\"data\":{\"retry\":false}");
    } else if (strcmp(f, "sleep") == 0 || strcmp(f, "stuck") == 0) {
        if (pause_for(call, number(call), f[1] == 'l')) {
            error(call, 2, "cancelled", "");
        } else {
            result_text(call, "\"slept\"");
        }
    } else if (strcmp(f, "write") == 0) {
        text(call, 0, words[0], sizeof words[0]);
        text(call, 1, words[1], sizeof words[1]);
        (void)!write(1, words[0], strlen(words[0]));
        (void)!write(2, words[1], strlen(words[1]));
        result_text(call, "null");
    } else if (strcmp(f, "exit") == 0) {
        _exit((int)number(call));
    } else if (strcmp(f, "signal") == 0) {
        signal((int)number(call), SIG_DFL);
        kill(getpid(), (int)number(call));
        pause();
    } else if (strcmp(f, "progress") == 0) {
        snprintf(answer, sizeof answer,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"progress\",\"params\":{\"id\":\"%s\",\"value\":"
                 "%.*s}}\n",
                 call->id, (int)call->args_bytes - 2, call->args + 1);
        put_text(answer);
        (void)pause_for(call, 20000, true);
        result_text(call, "null");
    } else if (strcmp(f, "pid") == 0) {
        snprintf(answer, sizeof answer, "%d", (int)getpid());
        result_text(call, answer);
    } else if (strcmp(f, "getenv") == 0) {
        text(call, 0, words[0], sizeof words[0]);
        const char *value = getenv(words[0]);
        snprintf(answer, sizeof answer, value ? "\"%s\"" : "null", value);
        result_text(call, answer);
    } else if (strcmp(f, "attempt") == 0) {
        snprintf(answer, sizeof answer, "%u", call->attempt);
        result_text(call, answer);
    } else if (strcmp(f, "task") == 0) {
        snprintf(answer, sizeof answer, "\"%s\"", call->task);
        result_text(call, answer);
    } else if (strcmp(f, "once") == 0) {
        once(call);
    } else if (strcmp(f, "flood") == 0) {
        flood(number(call));
        result_text(call, "null");
    } else if (strcmp(f, "close") == 0) {
        close(WIRE);
        for (;;) pause();
    } else {
        error(call, -32601, "no such function", "");
    }
}

/* Breaks a rule instead of answering. False: it does not break one here. */
static bool misbehave(const struct call *call) {
    char line[256];
    const char *m = misbehaviour;
    if (strcmp(m, "garbage") == 0) {
        put_text("this is no JSON\n");
    } else if (strcmp(m, "wrong-id") == 0) {
        put_text(START "99999999\",\"result\":1}\n");
    } else if (strcmp(m, "both") == 0) {
        snprintf(line, sizeof line, START "%s\",\"result\":1,\"error\":{}}\n", call->id);
        put_text(line);
    } else if (strcmp(m, "double") == 0) {
        result_text(call, "1");
        result_text(call, "2");
    } else if (strcmp(m, "half-line") == 0) {
        snprintf(line, sizeof line, START "%s\",\"result\":", call->id);
        put_text(line);
        _exit(3);
    } else if (strcmp(m, "answer-and-die") == 0) {
        result_text(call, "\"last words\"");
        _exit(3);
    } else if (strcmp(m, "long-line") == 0) {
        char *block = malloc(1 << 20);
        if (!block) _exit(8);
        memset(block, 'x', 1 << 20);
        for (int i = 0; i < 26; i++) put(block, 1 << 20);
        free(block);
    } else if (strcmp(m, "progress-flood") == 0) {
        snprintf(line, sizeof line,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"progress\",\"params\":{\"id\":\"%s\",\"value\":"
                 "[1,2]}}\n",
                 call->id);
        for (;;) put_text(line);
    } else if (strcmp(m, "requests") == 0) {
        for (;;) put_text("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"unknown\"}\n");
    } else {
        return false;
    }
    pause();
    return true;
}

/* ---- calls --------------------------------------------------------------------------------------- */

/* Cuts the call at AT, which begins with START, apart. Returns where it ends. */
static const char *cut(const char *at, const char *end, struct call *call) {
    memset(call, 0, sizeof *call);
    copy_until(call->id, sizeof call->id, at + sizeof START - 1, '"');
    const char *function = strstr(at, "\"function\":\"") + 12;
    copy_until(call->function, sizeof call->function, function, '"');
    call->args = strstr(function, "\"args\":") + 7;
    const char *kwargs = strstr(call->args, ",\"kwargs\":"), *task = strstr(kwargs, ",\"task\":\"");
    call->args_bytes = (size_t)(kwargs - call->args);
    copy_until(call->task, sizeof call->task, task + 9, '"');
    const char *attempt = strstr(task, "\"attempt\":") + 10;
    call->attempt = (unsigned)strtoul(attempt, NULL, 10);
    (void)end;
    return attempt;
}

static void *run_in_thread(void *argument) {
    struct call *call = argument;
    if (!misbehave(call)) run(call);
    free((void *)call->args);
    free(call);
    return NULL;
}

static void start_thread(const struct call *call) {
    struct call *copy = malloc(sizeof *copy);
    pthread_t thread;
    if (!copy) _exit(8);
    *copy = *call;
    copy->args = strndup(call->args, call->args_bytes);
    if (pthread_create(&thread, NULL, run_in_thread, copy) != 0) _exit(8);
    pthread_detach(thread);
}

static void obey(char *line, char *end) {
    *end = 0;
    if (strncmp(line, "{\"jsonrpc\":\"2.0\",\"id\":\"init\"", 28) == 0) {
        struct call init = {.id = "init"};
        if (strstr(line, "\"function\":\"fail\"")) {
            error(&init, 1, "it will not", "");
        } else {
            result_text(&init, "null");
        }
        return;
    }
    batch_count = batch_at = 0;
    for (const char *at = line; (at = strstr(at, START)) && batch_count < CALLS_MOST;) {
        at = cut(at, end, &batch[batch_count]);
        batch_count++;
    }
    for (batch_at = 0; batch_at < batch_count; batch_at++) {
        struct call *call = &batch[batch_at];
        notice_cancels();
        if (call->answered) continue;
        if (slots > 1) {
            start_thread(call);
        } else if (batch_at > 0 && is_cancelled(call->id)) {
            error(call, 2, "cancelled", "");
        } else if (!misbehave(call)) {
            run(call);
        }
    }
}

static void hello(const char *functions, const char *name, bool batches) {
    char line[1024], list[512] = "", *to = list;
    if (functions) {
        to += sprintf(to, ",\"functions\":[\"");
        for (const char *at = functions; *at; at++) {
            if (*at == ',') {
                to += sprintf(to, "\",\"");
            } else {
                *to++ = *at;
            }
        }
        sprintf(to, "\"]");
    }
    int bytes = snprintf(line, sizeof line,
                         "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":%d,"
                         "\"name\":\"%s\",\"slots\":%u%s%s}}\n",
                         strcmp(misbehaviour, "protocol") == 0 ? 2 : 1, name, slots,
                         batches ? ",\"batch\":true" : "", list);
    put(line, (size_t)bytes);
}

static void misbehave_at_start(void) {
    const char *m = misbehaviour;
    if (strcmp(m, "crash") == 0) {
        fprintf(stderr, "cannot load the library\n");
        exit(4);
    }
    if (strcmp(m, "silent") == 0) pause();
    if (strcmp(m, "early") == 0) put_text(START "1\",\"result\":1}\n");
    if (strcmp(m, "bad-hello") == 0) {
        put_text(
            "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"protocol\":1,\"slots\":0}}\n");
    }
    if (strcmp(m, "closed") == 0) {
        close(WIRE);
        pause();
    }
}

int main(int count, char **arguments) {
    const char *functions = NULL, *name = "tester";
    bool batches = false;
    for (int i = 1; i < count; i++) {
        if (strncmp(arguments[i], "slots=", 6) == 0) {
            slots = (unsigned)strtoul(arguments[i] + 6, NULL, 10);
        } else if (strncmp(arguments[i], "functions=", 10) == 0) {
            functions = arguments[i] + 10;
        } else if (strncmp(arguments[i], "name=", 5) == 0) {
            name = arguments[i] + 5;
        } else if (strcmp(arguments[i], "batch") == 0) {
            batches = true;
        } else {
            misbehaviour = arguments[i];
        }
    }
    signal(SIGPIPE, SIG_IGN);
    misbehave_at_start();
    hello(functions, name, batches);
    for (;;) {
        notice_cancels();
        char *end = buffered > used ? memchr(buffer + used, '\n', buffered - used) : NULL;
        if (!end) {
            if (!read_more()) break;
            continue;
        }
        char *line = buffer + used;
        used = (size_t)(end + 1 - buffer);
        obey(line, end);
        batch_count = batch_at = 0;
    }
    return 0;
}
