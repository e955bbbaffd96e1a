/*
 * death.c - why a program ended, in words and as the error of the tasks that it ran.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/out.h"
#include "work/attempt.h"
#include "work/worker.h"

#define OUTPUT_SHOWN 4096u

static const char *signal_name(int signal, char room[16]) {
    const char *name = sigabbrev_np(signal);
    if (!name) return NULL;
    snprintf(room, 16, "SIG%s", name);
    return room;
}

static const char *who(const struct ili_worker *worker) {
    return worker->pool->options.kind == ILI_POOL_EXEC ? "command" : "worker";
}

static void describe_signal(const struct ili_worker *worker, const struct ili_spawner_event *event,
                            struct ili_death *death) {
    const struct ili_spawn_limits *limits = &worker->pool->options.limits;
    const char *guess = "";
    char name[16];
    if (limits->cpu_seconds && event->cpu_ns / 1000000000 >= limits->cpu_seconds) {
        guess = ": it used up its CPU time";
    } else if (death->signal == SIGKILL) {
        guess = ": perhaps for lack of memory";
    }
    if (!signal_name(death->signal, name)) snprintf(name, sizeof name, "?");
    snprintf(death->message, sizeof death->message, "the %s was killed by signal %d (%s)%s",
             who(worker), death->signal, name, guess);
}

void ili_death_describe(const struct ili_worker *worker, const struct ili_spawner_event *event,
                        struct ili_death *death) {
    int status = event->wait_status;
    *death = (struct ili_death){.exit_code = -1};
    if (WIFSIGNALED(status)) {
        death->signal = WTERMSIG(status);
    } else {
        death->exit_code = WEXITSTATUS(status);
    }
    if (worker->killed) {
        snprintf(death->message, sizeof death->message, "the %s was ended: %s", who(worker),
                 worker->why);
    } else if (death->signal) {
        describe_signal(worker, event, death);
    } else {
        snprintf(death->message, sizeof death->message, "the %s exited with code %d%s", who(worker),
                 death->exit_code, worker->greeted ? "" : " before it said hello");
    }
}

struct ili_error ili_death_error(const struct ili_death *death, const struct ili_output *output) {
    struct ili_out out = {0};
    char name[16];
    size_t shown = output->bytes < OUTPUT_SHOWN ? output->bytes : OUTPUT_SHOWN;
    ili_out_open(&out, '{');
    ili_out_key(&out, "type");
    ili_out_string(&out, "WorkerDied");
    ili_out_key(&out, "message");
    ili_out_string(&out, death->message);
    ili_out_key(&out, "signal");
    if (death->signal) {
        ili_out_number(&out, (uint64_t)death->signal);
    } else {
        ili_out_null(&out);
    }
    ili_out_key(&out, "signal_name");
    ili_out_string(&out, death->signal ? signal_name(death->signal, name) : NULL);
    ili_out_key(&out, "exit_code");
    if (death->exit_code >= 0) {
        ili_out_number(&out, (uint64_t)death->exit_code);
    } else {
        ili_out_null(&out);
    }
    ili_out_key(&out, "output");
    ili_out_text(&out, shown ? output->data + output->bytes - shown : "", shown);
    ili_out_close(&out, '}');
    if (out.failed) {
        ili_out_free(&out);
        return (struct ili_error){0};
    }
    return (struct ili_error){out.data, out.bytes};
}
