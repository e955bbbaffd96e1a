/* cancel.c - il_cancel…: threads that are asked to stop. */
#include "arena/thread.h"
#include "base/error.h"

/* Async-signal-safe, so no error text is written. */
il_status il_cancel(uint64_t thread) { return ili_thread_set_cancelled(thread, true); }

il_status il_cancel_clear(void) {
    uint64_t self = ili_thread_known_id();
    if (self) (void)ili_thread_set_cancelled(self, false);
    return IL_OK;
}

int32_t il_cancelled(void) {
    /* who has no record was never asked anything */
    return ili_thread_known_id() && ili_thread_is_cancelled(ili_thread_current());
}
