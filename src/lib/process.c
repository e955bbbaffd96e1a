/* process.c - il_process: programs that this process starts. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/grant.h"
#include "lib/inherit.h"
#include "run/process.h"

#define FLAGS (IL_PROCESS_DAEMON | IL_PROCESS_OWN_GROUP)
#define WORDS_MOST 1000000 /* of arguments, and of the environment: far beyond what Linux takes */

static const char *const stream_names[3] = {"stdin", "stdout", "stderr"};

struct il_process {
    struct ili_process core;
    _Atomic int pipes[3]; /* this process's ends; -1: none */
};

/* What is made on the way to a program; freed in any case. */
struct preparation {
    struct ili_spawn spawn;
    struct ili_inheritance inheritance;
    char **arguments, **environment; /* owned; their words are not */
    int mine[3], theirs[3];          /* the ends of pipes */
};

/* ---- options ---------------------------------------------------------------------------------------- */

/* Copies what the caller gave of its options; what it did not give is 0. */
static il_status read_options(const il_process_options *given, il_process_options *options) {
    memset(options, 0, sizeof *options);
    if (!given) return ili_fail(IL_EINVAL, "options: expected arguments, got NULL");
    if (given->struct_bytes < offsetof(il_process_options, environment)) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_process_options)");
    }
    size_t bytes = given->struct_bytes < sizeof *options ? given->struct_bytes : sizeof *options;
    memcpy(options, given, bytes);
    if (options->flags & ~FLAGS) {
        return ili_fail(IL_EINVAL, "options.flags: expected IL_PROCESS_..., got %#x",
                        options->flags);
    }
    if (!options->arguments || options->argument_count == 0) {
        return ili_fail(IL_EINVAL, "options.arguments: expected at least the program");
    }
    if (options->argument_count > WORDS_MOST || options->environment_count > WORDS_MOST) {
        return ili_fail(IL_ETOOBIG, "options: more than %d words", WORDS_MOST);
    }
    return IL_OK;
}

static il_status read_arguments(const il_process_options *options, struct preparation *p) {
    p->arguments = calloc(options->argument_count + 1, sizeof *p->arguments);
    if (!p->arguments) return ili_fail(IL_ENOMEM, "this process has no memory");
    for (uint64_t i = 0; i < options->argument_count; i++) {
        if (!options->arguments[i]) {
            return ili_fail(IL_EINVAL, "options.arguments[%llu]: expected a string, got NULL",
                            (unsigned long long)i);
        }
        p->arguments[i] = (char *)options->arguments[i];
    }
    p->spawn.arguments = p->arguments;
    p->spawn.program = options->program ? options->program : p->arguments[0];
    p->spawn.directory = options->directory;
    return IL_OK;
}

static il_status check_entry(const char *entry, uint64_t i) {
    const char *equals = entry ? strchr(entry, '=') : NULL;
    if (equals && equals != entry) return IL_OK;
    return ili_fail(IL_EINVAL, "options.environment[%llu]: expected \"NAME=value\", got %s%.60s%s",
                    (unsigned long long)i, entry ? "\"" : "", entry ? entry : "NULL",
                    entry ? "\"" : "");
}

/* The caller's environment or this process's, and in it what tells of the domain. */
static il_status read_environment(const il_process_options *options, struct preparation *p) {
    const char *const *from = options->environment;
    uint64_t count = options->environment_count, at = 0;
    if (!from) {
        from = (const char *const *)environ;
        for (count = 0; from && from[count]; count++) continue;
    }
    p->environment = calloc(count + ILI_INHERIT_ENTRIES + 1, sizeof *p->environment);
    if (!p->environment) return ili_fail(IL_ENOMEM, "this process has no memory");
    for (uint64_t i = 0; i < count; i++) {
        il_status status = options->environment ? check_entry(from[i], i) : IL_OK;
        if (status != IL_OK) return status;
        if (!ili_inherit_replaces(&p->inheritance, from[i])) p->environment[at++] = (char *)from[i];
    }
    for (unsigned i = 0; i < p->inheritance.count; i++) {
        p->environment[at++] = (char *)p->inheritance.entries[i];
    }
    p->spawn.environment = p->environment;
    return IL_OK;
}

/* ---- standard streams ------------------------------------------------------------------------------- */

static bool is_open(int fd) { return fd >= 0 && fcntl(fd, F_GETFD) >= 0; }

static il_status make_pipe(struct preparation *p, int i) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return ili_fail(IL_ESYSTEM, "pipe: %s", strerror(errno));
    p->mine[i] = i == 0 ? ends[1] : ends[0];
    p->theirs[i] = i == 0 ? ends[0] : ends[1];
    p->spawn.fds[i] = p->theirs[i];
    return IL_OK;
}

static il_status read_stream(const il_process_options *options, struct preparation *p, int i) {
    uint32_t modes[3] = {options->stdin_mode, options->stdout_mode, options->stderr_mode};
    int32_t fds[3] = {options->stdin_fd, options->stdout_fd, options->stderr_fd};
    switch (modes[i]) {
    case IL_STDIO_INHERIT: p->spawn.fds[i] = is_open(i) ? i : -1; return IL_OK;
    case IL_STDIO_NULL: p->spawn.fds[i] = -1; return IL_OK;
    case IL_STDIO_PIPE: return make_pipe(p, i);
    case IL_STDIO_FD:
        if (!is_open(fds[i])) {
            return ili_fail(IL_EINVAL, "options.%s_fd: expected an open descriptor, got %d",
                            stream_names[i], fds[i]);
        }
        p->spawn.fds[i] = fds[i];
        return IL_OK;
    case IL_STDIO_STDOUT:
        if (i != 2) break;
        p->spawn.fds[2] = p->spawn.fds[1];
        return IL_OK;
    default: break;
    }
    return ili_fail(IL_EINVAL, "options.%s_mode: expected IL_STDIO_..., got %u", stream_names[i],
                    modes[i]);
}

/* ---- start ------------------------------------------------------------------------------------------ */

static il_status prepare(il_domain *domain, const il_process_options *options,
                         struct preparation *p) {
    il_status status = read_arguments(options, p);
    if (status == IL_OK) status = ili_inherit_give(domain, &p->inheritance, &p->spawn);
    if (status == IL_OK) status = read_environment(options, p);
    for (int i = 0; i < 3 && status == IL_OK; i++) status = read_stream(options, p, i);
    p->spawn.own_group = (options->flags & IL_PROCESS_OWN_GROUP) != 0;
    return status;
}

static void close_fds(const int fds[3]) {
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0) close(fds[i]);
    }
}

static il_status fail_start(il_status status, const struct ili_spawn *spawn, const char *what) {
    int why = errno;
    if (strcmp(what, "chdir") == 0) {
        return ili_fail(status, "directory \"%.200s\": %s", spawn->directory, strerror(why));
    }
    if (strcmp(what, "exec") != 0) return ili_fail(status, "%s: %s", what, strerror(why));
    if (why != ENOENT)
        return ili_fail(status, "program \"%.200s\": %s", spawn->program, strerror(why));
    return ili_fail(IL_ENOTFOUND, "program \"%.200s\": %s", spawn->program,
                    strchr(spawn->program, '/') ? "no such file, or its interpreter is missing"
                                                : "not in any directory of PATH");
}

static il_status start(struct il_process *process, const struct preparation *p, bool daemon) {
    const char *what = "";
    il_status status = ili_process_start(&p->spawn, daemon, &process->core, &what);
    if (status != IL_OK) return fail_start(status, &p->spawn, what);
    for (int i = 0; i < 3; i++) {
        atomic_store_explicit(&process->pipes[i], p->mine[i], memory_order_relaxed);
    }
    return IL_OK;
}

il_status il_process_start(il_domain *domain, const il_process_options *options, il_process **out) {
    il_process_options chosen;
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the process, got NULL");
    il_status status = read_options(options, &chosen);
    if (status != IL_OK) return status;
    struct preparation p = {.spawn.program = "",
                            .spawn.fds = {-1, -1, -1, -1, -1, -1, -1, -1},
                            .mine = {-1, -1, -1},
                            .theirs = {-1, -1, -1}};
    il_process *process = calloc(1, sizeof *process);
    status =
        process ? prepare(domain, &chosen, &p) : ili_fail(IL_ENOMEM, "this process has no memory");
    if (status == IL_OK) status = start(process, &p, (chosen.flags & IL_PROCESS_DAEMON) != 0);
    close_fds(p.theirs);
    free(p.arguments);
    free(p.environment);
    if (status != IL_OK) {
        close_fds(p.mine);
        free(process);
        return status;
    }
    *out = process;
    return IL_OK;
}

il_status il_process_close(il_process *process) {
    if (!process) return IL_OK;
    for (uint32_t i = 0; i < 3; i++) (void)il_process_pipe_close(process, i);
    ili_process_leave(&process->core);
    free(process);
    return IL_OK;
}

/* ---- looking and waiting ------------------------------------------------------------------------------ */

static il_status check(const il_process *process) {
    return process ? IL_OK : ili_fail(IL_EINVAL, "process: expected a process, got NULL");
}

il_status il_process_pid(il_process *process, uint32_t *pid) {
    il_status status = check(process);
    if (status != IL_OK) return status;
    if (!pid) return ili_fail(IL_EINVAL, "pid: expected a place for it, got NULL");
    *pid = (uint32_t)process->core.pid;
    return IL_OK;
}

static il_status report_end(il_status status) {
    if (status == IL_OK) return status;
    if (status != IL_ESYSTEM) return ili_fail(status, "process");
    return ili_fail(status, "the process has ended, and its exit code was taken by another part of "
                            "this program, which waits for any child or ignores SIGCHLD");
}

il_status il_process_poll(il_process *process, int32_t *code) {
    il_status status = check(process);
    return status == IL_OK ? report_end(ili_process_poll(&process->core, code)) : status;
}

il_status il_process_join(il_process *process, int64_t timeout_ns, int32_t *code) {
    il_status status = check(process);
    if (status == IL_OK) status = ili_check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    return report_end(ili_process_join(&process->core, timeout_ns, code));
}

il_status il_process_signal(il_process *process, int32_t signal) {
    il_status status = check(process);
    if (status != IL_OK) return status;
    if (signal < 1 || signal > SIGRTMAX) {
        return ili_fail(IL_EINVAL, "signal: expected 1 to %d, got %d", SIGRTMAX, signal);
    }
    status = ili_process_signal(&process->core, signal);
    return status == IL_OK ? status : ili_fail(status, "signal: %s", strerror(errno));
}

il_status il_process_terminate(il_process *process) { return il_process_signal(process, SIGTERM); }

il_status il_process_kill(il_process *process) { return il_process_signal(process, SIGKILL); }

/* ---- descriptors -------------------------------------------------------------------------------------- */

il_status il_process_fd(il_process *process, int *fd) {
    il_status status = check(process);
    if (status != IL_OK) return status;
    if (!fd) return ili_fail(IL_EINVAL, "fd: expected a place for it, got NULL");
    *fd = process->core.pid_fd;
    return IL_OK;
}

static il_status check_stream(const il_process *process, uint32_t stream) {
    il_status status = check(process);
    if (status != IL_OK || stream < 3) return status;
    return ili_fail(IL_EINVAL, "stream: expected 0, 1 or 2, got %u", stream);
}

il_status il_process_pipe(il_process *process, uint32_t stream, int *fd) {
    il_status status = check_stream(process, stream);
    if (status != IL_OK) return status;
    if (!fd) return ili_fail(IL_EINVAL, "fd: expected a place for it, got NULL");
    int pipe = atomic_load_explicit(&process->pipes[stream], memory_order_relaxed);
    if (pipe < 0) {
        return ili_fail(IL_ENOTFOUND, "%s of the process is no pipe, or closed",
                        stream_names[stream]);
    }
    *fd = pipe;
    return IL_OK;
}

il_status il_process_pipe_close(il_process *process, uint32_t stream) {
    il_status status = check_stream(process, stream);
    if (status != IL_OK) return status;
    /* the exchange alone decides who closes it; nothing else is ordered by it */
    int pipe = atomic_exchange_explicit(&process->pipes[stream], -1, memory_order_relaxed);
    if (pipe >= 0) close(pipe);
    return IL_OK;
}
