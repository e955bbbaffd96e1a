#include "cli/stop.h"

#include <stdint.h>

#include <interlock.h>

static volatile sig_atomic_t caught;
static uint64_t waiting_thread; /* written before the handler is installed */

static const int watched[] = {SIGINT, SIGTERM, SIGHUP};

static void stop(int signal_number) {
    caught = signal_number;
    (void)il_interrupt(waiting_thread); /* async-signal-safe by its contract */
}

void cli_stop_watch(void) {
    waiting_thread = il_thread_self();
    struct sigaction action = {.sa_handler = stop}; /* without SA_RESTART: reads end, too */
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
        struct sigaction before;
        sigaction(watched[i], NULL, &before);
        if (before.sa_handler != SIG_IGN) sigaction(watched[i], &action, NULL); /* nohup */
    }
}

int cli_stop_signal(void) { return caught; }

void cli_stop_set(sigset_t *set) {
    sigemptyset(set);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) sigaddset(set, watched[i]);
}
