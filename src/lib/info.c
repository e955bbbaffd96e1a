/* info.c - versions, result codes, the error text, interruption. */
#include "arena/thread.h"
#include "base/error.h"
#include "base/status.h"

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

uint32_t il_abi_version(void) { return IL_ABI_VERSION; }

const char *il_version(void) {
    return TEXT(IL_VERSION_MAJOR) "." TEXT(IL_VERSION_MINOR) "." TEXT(IL_VERSION_PATCH);
}

const char *il_status_name(il_status status) {
    const struct ili_status_info *info = ili_status_info(status);
    return info ? info->name : "IL_E?";
}

const char *il_status_text(il_status status) {
    const struct ili_status_info *info = ili_status_info(status);
    return info ? info->text : "unknown code";
}

const char *il_error_message(void) { return ili_error_text(); }

uint64_t il_thread_self(void) {
    struct ili_thread *thread = ili_thread_current();
    return thread ? ili_thread_id(thread) : 0;
}

il_status il_signals_interrupt(int32_t on) {
    struct ili_thread *thread = ili_thread_current();
    if (!thread) return ili_fail(IL_ELIMIT, "this process has 16,384 threads");
    thread->signals = on != 0;
    return IL_OK;
}

/* Async-signal-safe, so no error text is written. */
il_status il_interrupt(uint64_t thread) { return ili_thread_interrupt(thread); }
