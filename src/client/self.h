/*
 * self.h - who the calling thread is, for what belongs to threads.
 *
 * Over HTTP an owner is a key within a session. A thread's is its number as the system has it, for
 * people, and one of this process that is never used again: the system's is, and a new thread must not
 * own what an ended one left.
 */
#ifndef ILI_CLIENT_SELF_H
#define ILI_CLIENT_SELF_H

#include <stdint.h>

#include "client/buffer.h"

/* The calling thread; never 0, which stands for the process. */
uint64_t ili_remote_self(void);

/* Appends WHO as a JSON string: "4711.3". */
void ili_remote_self_write(struct ili_buffer *out, uint64_t who);

#endif
