#include "client/self.h"

#include <stdatomic.h>
#include <unistd.h>

static _Thread_local uint64_t self;
static _Thread_local pid_t self_pid; /* whose `self` it is: a forked child inherits it */
static _Atomic uint32_t count;       /* relaxed: nothing but the number matters */

uint64_t ili_remote_self(void) {
    pid_t pid = getpid();
    if (self_pid != pid) {
        uint32_t number = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) + 1;
        self = (uint64_t)(uint32_t)gettid() << 32 | number;
        self_pid = pid;
    }
    return self;
}

void ili_remote_self_write(struct ili_buffer *out, uint64_t who) {
    ili_buffer_add_text(out, "\"");
    ili_buffer_add_number(out, who >> 32);
    ili_buffer_add_text(out, ".");
    ili_buffer_add_number(out, who & UINT32_MAX);
    ili_buffer_add_text(out, "\"");
}
