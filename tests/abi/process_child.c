/*
 * The program that test_process.c starts. Its first argument says what it does; it ends with 0 if that
 * went well, 99 if not (and then says why), or as it was told. None outlives a minute.
 */
#include <interlock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static int fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, il_error_message());
    return 99;
}

static void linger(void) {
    alarm(60);
    for (;;) pause();
}

/* Copies stdin to stdout, and says "err" on stderr. */
static int copy(void) {
    char bytes[4096];
    ssize_t got;
    while ((got = read(0, bytes, sizeof bytes)) > 0) {
        if (write(1, bytes, (size_t)got) != got) return 98;
    }
    return write(2, "err", 3) == 3 ? 5 : 98;
}

static il_domain *open_inherited(void) {
    il_domain *domain = NULL;
    return il_domain_open("inherited:", NULL, &domain) == IL_OK ? domain : NULL;
}

/* Takes the lock "it", says so in the queue "news", and never gives it back. */
static int hold(void) {
    il_lock *lock = NULL;
    il_queue *news = NULL;
    il_domain *domain = open_inherited();
    if (!domain) return fail("il_domain_open");
    if (il_lock_open(domain, "it", 2, NULL, &lock) != IL_OK) return fail("il_lock_open");
    if (il_lock_acquire(lock, 10 * SECOND, NULL) != IL_OK) return fail("il_lock_acquire");
    if (il_queue_open(domain, "news", 4, NULL, &news) != IL_OK) return fail("il_queue_open");
    if (il_queue_put(news, "held", 4, IL_TEXT, SECOND) != IL_OK) return fail("il_queue_put");
    linger();
    return 0;
}

/* Answers what comes in "to" in "from", with the first byte changed, until "to" is closed. */
static int answer(void) {
    il_queue *to = NULL, *from = NULL;
    char message[64];
    size_t bytes;
    il_status status;
    il_domain *domain = open_inherited();
    if (!domain) return fail("il_domain_open");
    if (il_queue_open(domain, "to", 2, NULL, &to) != IL_OK ||
        il_queue_open(domain, "from", 4, NULL, &from) != IL_OK) {
        return fail("il_queue_open");
    }
    while ((status = il_queue_get(to, message, sizeof message, &bytes, NULL, 10 * SECOND)) ==
           IL_OK) {
        message[0]++;
        if (il_queue_put(from, message, bytes, IL_BYTES, SECOND) != IL_OK) return fail("put");
    }
    if (status != IL_ECLOSED) return fail("il_queue_get");
    il_queue_close(to);
    il_queue_close(from);
    il_domain_close(domain);
    return 0;
}

/* Opens the domain twice: two sessions, which see each other's locks. */
static int twice(void) {
    il_lock *one = NULL, *two = NULL;
    il_domain *first = open_inherited(), *second = open_inherited();
    if (!first || !second) return fail("il_domain_open");
    if (il_lock_open(first, "twice", 5, NULL, &one) != IL_OK ||
        il_lock_open(second, "twice", 5, NULL, &two) != IL_OK) {
        return fail("il_lock_open");
    }
    if (il_lock_acquire(one, 0, NULL) != IL_OK) return fail("il_lock_acquire");
    if (il_lock_acquire(two, 0, NULL) != IL_ETIMEOUT) return 97;
    if (il_lock_release(one, 0) != IL_OK) return fail("il_lock_release");
    if (il_lock_acquire(two, 0, NULL) != IL_OK) return fail("il_lock_acquire");
    il_lock_close(one);
    il_domain_close(first);
    if (il_lock_release(two, 0) != IL_OK) return fail("il_lock_release");
    il_lock_close(two);
    il_domain_close(second);
    return 0;
}

/* Starts PROGRAM hold with its own domain, and ends when that does. */
static int pass_on(const char *program) {
    const char *words[] = {program, "hold"};
    il_process_options options = {
        .struct_bytes = sizeof options, .arguments = words, .argument_count = 2};
    il_process *process = NULL;
    il_domain *domain = open_inherited();
    int32_t code;
    if (!domain) return fail("il_domain_open");
    if (il_process_start(domain, &options, &process) != IL_OK) return fail("il_process_start");
    if (il_process_join(process, 60 * SECOND, &code) != IL_OK) return fail("il_process_join");
    il_process_close(process);
    il_domain_close(domain);
    return 0;
}

/* What the descriptors were replaced by is not taken for a domain. */
static int replaced(void) {
    il_domain *domain = NULL;
    dup2(memfd_create("other", MFD_ALLOW_SEALING), 6);
    il_status status = il_domain_open("inherited:", NULL, &domain);
    if (status != IL_ENOTFOUND) return 97;
    return strstr(il_error_message(), "descriptors 6 and 7") ? 0 : fail("message");
}

/* Starts a daemon, prints its pid and lives on. */
static int keep_daemon(const char *program) {
    const char *words[] = {program, "linger"};
    il_process_options options = {.struct_bytes = sizeof options,
                                  .flags = IL_PROCESS_DAEMON,
                                  .arguments = words,
                                  .argument_count = 2};
    il_process *process = NULL;
    uint32_t pid;
    if (il_process_start(NULL, &options, &process) != IL_OK) return fail("il_process_start");
    il_process_pid(process, &pid);
    printf("%u\n", pid);
    fflush(stdout);
    linger();
    return 0;
}

/* Adopts the pipe end and the lock of "TICKET+TICKET", acquires the lock, says so through the pipe and lives on. */
static int adopt(const char *tickets) {
    void *adopted[2] = {NULL, NULL};
    il_domain *domain = open_inherited();
    if (!domain) return fail("il_domain_open");
    for (int i = 0; i < 2; i++) {
        il_ticket ticket = {0};
        char *end = NULL;
        ticket.object = strtoull(tickets, &end, 16);
        ticket.check = strtoull(end + 1, &end, 16);
        ticket.kind = (uint32_t)strtoul(end + 1, &end, 16);
        ticket.end = (uint32_t)strtoul(end + 1, &end, 16);
        tickets = end + 1;
        if (il_adopt(domain, &ticket, &adopted[i]) != IL_OK) return fail("il_adopt");
    }
    if (il_lock_acquire(adopted[1], 10 * SECOND, NULL) != IL_OK) return fail("il_lock_acquire");
    if (il_pipe_send(adopted[0], "held", 4, IL_TEXT, SECOND) != IL_OK) return fail("il_pipe_send");
    linger();
    return 0;
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    const char *with = count > 2 ? arguments[2] : "";
    if (strcmp(what, "exit") == 0) return (int)strtol(with, NULL, 10);
    if (strcmp(what, "signal") == 0) return raise((int)strtol(with, NULL, 10));
    if (strcmp(what, "copy") == 0) return copy();
    if (strcmp(what, "linger") == 0) linger();
    if (strcmp(what, "hold") == 0) return hold();
    if (strcmp(what, "answer") == 0) return answer();
    if (strcmp(what, "twice") == 0) return twice();
    if (strcmp(what, "replaced") == 0) return replaced();
    if (strcmp(what, "adopt") == 0) return adopt(with);
    if (strcmp(what, "pass-on") == 0) return pass_on(arguments[0]);
    if (strcmp(what, "daemon") == 0) return keep_daemon(arguments[0]);
    return 99;
}
