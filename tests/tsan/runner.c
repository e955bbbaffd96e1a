/*
 * A stand-in for Criterion's runner, linked into every test of the tsan build in front of
 * libcriterion.
 *
 * Criterion starts each test in a process that maps an arena at a random fixed address, which the
 * thread sanitizer's address space mostly forbids: such a program aborts before its first test
 * ("Could not initialize inheritable arena"). This runner forks instead, one child per test, and
 * replaces just the calls by which a test talks to the runner. It knows what our tests use: suites,
 * .init, .fini, .timeout, .signal, .exit_code, .disabled, cr_skip.
 */
#include <criterion/criterion.h>
#include <criterion/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child of clone(CLONE_VM) works in the memory of the thread that made it, and the sanitizer takes what it calls
 * for that thread's: what orders the reaper before who asked it (its mutex) is lost on it. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) { return "race:run/reaper.c\n"; }

enum { EXIT_FAILED = 90, EXIT_SKIPPED = 91 };

/* The linker's names for the sections that Test() and TestSuite() fill. Weak: a file may have no test that
 * the thread sanitizer can run. */
extern struct criterion_test *__start_cr_tst[] __attribute__((weak));
extern struct criterion_test *__stop_cr_tst[] __attribute__((weak));
extern struct criterion_suite *__start_cr_sts[] __attribute__((weak)),
    *__stop_cr_sts[] __attribute__((weak));

static const struct criterion_test *current;
static jmp_buf after_body;
static int failed;

static struct criterion_test_extra_data *suite_of(const struct criterion_test *test) {
    if (!__start_cr_sts) return NULL;
    for (struct criterion_suite **suite = __start_cr_sts; suite < __stop_cr_sts; suite++)
        if (*suite && strcmp((*suite)->name, test->category) == 0) return (*suite)->data;
    return NULL;
}

/* ---- what a test calls, in its child ------------------------------------------------------ */

void criterion_internal_test_setup(void) {
    const struct criterion_test_extra_data *suite = suite_of(current);
    if (suite && suite->init) suite->init();
    if (current->data->init) current->data->init();
}

void criterion_internal_test_main(void (*body)(void)) {
    if (setjmp(after_body) == 0) body();
}

void criterion_internal_test_teardown(void) {
    const struct criterion_test_extra_data *suite = suite_of(current);
    if (current->data->fini) current->data->fini();
    if (suite && suite->fini) suite->fini();
}

void criterion_send_assert(struct criterion_assert_stats *stats) {
    if (stats->passed) return;
    failed = 1;
    fprintf(stderr, "%s:%u: %s\n", stats->file, stats->line, stats->message);
}

void criterion_abort_test(void) { longjmp(after_body, 1); }

void criterion_continue_test(void) {}

void criterion_skip_test(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    exit(EXIT_SKIPPED);
}

/* ---- the runner --------------------------------------------------------------------------- */

static double timeout_of(const struct criterion_test *test) {
    const struct criterion_test_extra_data *suite = suite_of(test);
    if (test->data->timeout > 0) return test->data->timeout;
    return suite ? suite->timeout : 0;
}

/* 1: as expected, 0: not, -1: skipped */
static int run(const struct criterion_test *test) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        current = test;
        /* Sanitized code is slow: five times what the test allows itself. */
        alarm((unsigned)(timeout_of(test) * 5 + 0.999));
        test->test();
        exit(failed ? EXIT_FAILED : 0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return 0;
    if (WIFSIGNALED(status)) {
        if (WTERMSIG(status) == test->data->signal) return 1;
        fprintf(stderr, "ended by %s\n", strsignal(WTERMSIG(status)));
        return 0;
    }
    if (WEXITSTATUS(status) == EXIT_SKIPPED) return -1;
    return test->data->signal == 0 && WEXITSTATUS(status) == test->data->exit_code;
}

/* An argument runs just the tests whose "suite/name" contains it. */
int main(int argc, char **argv) {
    int tested = 0, passed = 0;
    for (struct criterion_test **entry = __start_cr_tst; entry < __stop_cr_tst; entry++) {
        const struct criterion_test *test = *entry;
        if (!test || test->data->disabled) continue; /* the linker may pad the section */
        if (argc > 1 && !strstr(test->data->identifier_, argv[1])) continue;
        int result = run(test);
        if (result < 0) continue;
        tested++;
        passed += result;
        if (!result) fprintf(stderr, "[FAIL] %s\n", test->data->identifier_);
    }
    printf("Synthesis: Tested: %d | Passing: %d | Failing: %d\n", tested, passed, tested - passed);
    return tested == passed ? 0 : 1;
}
