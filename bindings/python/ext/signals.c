/*
 * Signals end the waits of Python's main thread, whichever thread the system gives them to and at whatever moment
 * they come: also between two sleeps of one wait, which il_signals_interrupt() does not cover. So, before the main
 * thread waits, each signal that Python handles is given a handler that calls Python's and then interrupts the wait.
 * Where Python's handler is not known (SIGINT was ignored when the module was loaded), il_signals_interrupt() is used.
 */
#include "interlock_py.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static const int watched[] = {SIGINT, SIGALRM, SIGCHLD, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP};

static void (*python_handler)(int); /* NULL: not known */
/* Number of the main thread while it is in a call; 0: it is in none. Relaxed: the handler needs no other memory. */
static _Atomic uint64_t waiting;

static void handle(int number) {
    int before = errno;
    python_handler(number);
    uint64_t thread = atomic_load_explicit(&waiting, memory_order_relaxed);
    if (thread) (void)il_interrupt(thread);
    errno = before;
}

static void watch(int number) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) != 0 || action.sa_flags & SA_SIGINFO ||
        action.sa_handler != python_handler) {
        return;
    }
    action.sa_handler = handle;
    (void)sigaction(number, &action, NULL);
}

/* Python's main thread is the process's first, or the one that forked. */
static bool is_main_thread(void) {
    static _Thread_local unsigned looked; /* ilpy.forks + 1 at the last look */
    static _Thread_local bool is_main;
    if (looked != ilpy.forks + 1) {
        looked = ilpy.forks + 1;
        is_main = gettid() == getpid();
    }
    return is_main;
}

int ilpy_signals_begin(uint64_t thread, uint64_t *outer) {
    static _Thread_local bool listens;
    *outer = 0;
    if (!python_handler) {
        if (!listens) listens = il_signals_interrupt(1) == IL_OK;
        return PyErr_CheckSignals();
    }
    if (!is_main_thread()) return 0;
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++) watch(watched[i]);
    *outer = atomic_exchange_explicit(&waiting, thread, memory_order_relaxed);
    return PyErr_CheckSignals(); /* those that came before `waiting` was set */
}

void ilpy_signals_end(uint64_t outer) {
    if (python_handler && is_main_thread()) {
        atomic_store_explicit(&waiting, outer, memory_order_relaxed);
    }
}

void ilpy_signals_forked(void) { atomic_store_explicit(&waiting, 0, memory_order_relaxed); }

int ilpy_add_signals(PyObject *module) {
    struct sigaction action;
    (void)module;
    if (sigaction(SIGINT, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) &&
        action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN) {
        python_handler = action.sa_handler;
    }
    return 0;
}
