/* main.c - `interlock-worker`: runs the functions of a C module for a pool. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "worker/lane.h"
#include "worker/next.h"
#include "worker/slots.h"
#include "worker/turns.h"

#define SLOTS_MOST 1024
#define EXIT_USAGE 2

static const char help[] = "interlock-worker --module PATH [--check]\n"
                           "Runs the functions of a C module (interlock_module.h) for a pool of "
                           "interlockd, which starts it.\n"
                           "\n"
                           "  --module PATH  the shared library\n"
                           "  --check        load it, print the names of its functions, and end\n"
                           "  --help, --version\n";

static int wrong(const char *what) {
    fprintf(stderr, "interlock-worker: %s; see interlock-worker --help\n", what);
    return EXIT_USAGE;
}

/* A number of the environment; 0: it is not there, or no number from 1 to MOST. */
static unsigned number_of(const char *name, unsigned most) {
    const char *text = getenv(name);
    char *end;
    if (!text || *text < '0' || *text > '9') return 0;
    unsigned long number = strtoul(text, &end, 10);
    return *end || number > most ? 0 : (unsigned)number;
}

/* The server's socket; -1, and a word on stderr. */
static int open_socket(void) {
    int fd = getenv("INTERLOCK_WORKER_FD") ? (int)number_of("INTERLOCK_WORKER_FD", 1 << 20) : 3;
    int type;
    socklen_t bytes = sizeof type;
    if (fd == 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) != 0) {
        wrong("there is no socket at INTERLOCK_WORKER_FD: interlockd starts workers, people "
              "--check them");
        return -1;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC); /* not for what the functions start */
    return fd;
}

/* Hands out what the server says until its end. The process's exit status. */
static int serve(struct worker_lines *lines, struct worker_slots *slots) {
    struct worker_batch *batch;
    int code;
    while (worker_next_batch(lines, slots, &batch, &code)) worker_slots_give(slots, batch);
    return code;
}

static int work(const struct worker_module *module) {
    struct worker_channel channel;
    struct worker_lines lines = {.fd = open_socket()};
    unsigned slots_count = number_of("INTERLOCK_SLOTS", SLOTS_MOST);
    if (lines.fd < 0) return EXIT_USAGE;
    if (slots_count == 0) slots_count = 1;
    signal(SIGINT,
           SIG_IGN); /* Ctrl-C is for whoever started the server: it ends its workers itself */
    worker_channel_init(&channel, lines.fd);
    struct worker_slots *slots =
        worker_slots_start(slots_count > 1 ? slots_count : 0, module, &channel);
    if (!slots) {
        fprintf(stderr, "interlock-worker: cannot start %u threads: %s\n", slots_count,
                strerror(errno));
        return EXIT_FAILURE;
    }
    bool lane = worker_lane_prepare(module);
    worker_hello(&channel, module->name, module->functions, module->count, lane, slots_count);
    int code = slots_count > 1 ? serve(&lines, slots) : worker_turns(&lines, slots);
    worker_slots_finish(slots);
    worker_lines_free(&lines);
    return code;
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"module", required_argument, NULL, 'm'},
        {"check", no_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    static struct worker_module module;
    const char *path = NULL;
    bool check = false;
    int option;
    while ((option = getopt_long(argc, argv, "m:chV", options, NULL)) != -1) {
        switch (option) {
        case 'm': path = optarg; break;
        case 'c': check = true; break;
        case 'h': fputs(help, stdout); return EXIT_SUCCESS;
        case 'V':
            printf("interlock-worker %d.%d.%d\n", IL_VERSION_MAJOR, IL_VERSION_MINOR,
                   IL_VERSION_PATCH);
            return EXIT_SUCCESS;
        default: return wrong("unknown option, or one that lacks its value");
        }
    }
    if (optind < argc) return wrong("an argument that is no option");
    if (!path) return wrong("which --module?");
    if (!worker_module_load(path, &module)) {
        fprintf(stderr, "interlock-worker: %s\n", module.why);
        return EXIT_FAILURE;
    }
    if (!check) return work(&module);
    for (size_t i = 0; i < module.count; i++) puts(module.functions[i].name);
    return EXIT_SUCCESS;
}
