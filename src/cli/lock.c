/* lock.c - `interlock lock NAME -- CMD`: runs a program under a lock. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/child.h"
#include "cli/command.h"
#include "cli/stop.h"

struct request {
    const char *name;
    char **argv;
    int64_t timeout_ns;
    il_lock_options options;
    bool has_options;
};

static int parse(int argc, char **argv, struct request *request) {
    static const struct option options[] = {
        {"timeout", required_argument, NULL, 't'},
        {"fair", no_argument, NULL, 'f'},
        {NULL, 0, NULL, 0},
    };
    int option, code;
    *request = (struct request){.timeout_ns = IL_FOREVER,
                                .options = {.struct_bytes = sizeof request->options}};
    /* -: words that are no options come in their order, the first as the name */
    while ((option = getopt_long(argc, argv, "-t:f", options, NULL)) != -1) {
        switch (option) {
        case 't':
            code = cli_parse_timeout("lock", optarg, &request->timeout_ns);
            if (code != CLI_OK) return code;
            break;
        case 'f':
            request->options.flags |= IL_LOCK_FAIR;
            request->has_options = true;
            break;
        case 1:
            if (!request->name) {
                request->name = optarg;
                break;
            }
            optind--; /* the command, without -- before it */
            goto found;
        default: return cli_wrong("lock", "unknown option, or one that lacks its value");
        }
    }
found:
    if (!request->name && optind < argc) request->name = argv[optind++];
    if (!request->name) return cli_wrong("lock", "which lock?");
    if (optind < argc && strcmp(argv[optind], "--") == 0) optind++;
    if (optind >= argc) return cli_wrong("lock", "which command is to run under the lock?");
    request->argv = argv + optind;
    return CLI_OK;
}

/* Acquires, or says why not. */
static int acquire(il_lock *lock, const struct request *request, uint64_t *token) {
    il_status status = il_lock_acquire(lock, request->timeout_ns, token);
    switch (status) {
    case IL_OK: return CLI_OK;
    case IL_EOWNERDEAD:
        cli_say("lock \"%s\": its owner before died holding it; what it protects may be half done",
                request->name);
        return CLI_OK;
    case IL_EINTR: return CLI_SIGNAL + cli_stop_signal();
    case IL_ETIMEOUT: {
        il_owner owner = {.struct_bytes = sizeof owner};
        bool known = il_lock_owner(lock, &owner) == IL_OK && owner.token != 0;
        char holder[120] = "";
        if (known && owner.pid) {
            snprintf(holder, sizeof holder, "; %s (pid %u) holds it", owner.label, owner.pid);
        } else if (known) {
            snprintf(holder, sizeof holder, "; %s holds it", owner.label);
        }
        cli_say("lock \"%s\": not acquired within %g s%s", request->name,
                (double)request->timeout_ns / 1e9, holder);
        return CLI_TIMEOUT;
    }
    default: {
        char what[300];
        snprintf(what, sizeof what, "lock \"%.255s\"", request->name);
        return cli_failed(what, status);
    }
    }
}

static int run_locked(il_lock *lock, const struct request *request) {
    char text[24];
    uint64_t token;
    int code = acquire(lock, request, &token);
    if (code != CLI_OK) return code;
    snprintf(text, sizeof text, "%llu", (unsigned long long)token);
    setenv("INTERLOCK_TOKEN", text, 1);
    code = cli_child_run(request->argv);
    il_status status = il_lock_release(lock, token);
    if (status == IL_OK) return code;
    cli_say("lock \"%s\" was lost while %s ran: %s", request->name, request->argv[0],
            il_error_message());
    return code == CLI_OK ? CLI_FAILED : code;
}

static int run(const char *address, int argc, char **argv) {
    struct request request;
    il_domain *domain = NULL;
    il_lock *lock = NULL;
    int code = parse(argc, argv, &request);
    if (code == CLI_OK) code = cli_open(address, &domain);
    if (code != CLI_OK) return code;
    il_status status = il_lock_open(domain, request.name, strlen(request.name),
                                    request.has_options ? &request.options : NULL, &lock);
    if (status == IL_OK) {
        cli_stop_watch();
        code = run_locked(lock, &request);
    } else {
        code = cli_failed("lock", status);
    }
    il_lock_close(lock);
    il_domain_close(domain);
    return code;
}

const struct cli_command cli_lock = {
    .name = "lock",
    .summary = "run a program while holding a lock",
    .help =
        "Usage: interlock lock NAME [--timeout S] [--fair] -- CMD [ARGS…]\n"
        "Acquires the lock NAME, runs CMD with the grant's fencing token in INTERLOCK_TOKEN,\n"
        "and releases the lock. Exits as CMD does, with 128+N if signal N ended it.\n"
        "\n"
        "  -t, --timeout S  give up after S seconds (fractions allowed; 0: do not wait) with\n"
        "                   exit code 75; without it, wait for as long as it takes\n"
        "  -f, --fair       make the lock fair if it does not exist: first come, first served\n"
        "\n"
        "SIGINT, SIGTERM and SIGHUP go on to CMD. If `interlock` itself is killed, the lock is\n"
        "free at once, and CMD gets SIGTERM. A lock that was lost while CMD ran (the server\n"
        "went away, or was out of reach for longer than the lease) is reported, with exit\n"
        "code 69 if CMD succeeded. 126 and 127: CMD cannot be run, or found.\n",
    .run = run,
};
