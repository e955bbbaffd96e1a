/* thread_end.h - what a thread leaves when it ends: what was its own is voided, as if its session had died;
 * what belongs to its session goes on as the session's. */
#ifndef ILI_SESSION_THREAD_END_H
#define ILI_SESSION_THREAD_END_H

/* Makes it happen, for all threads and domains of this process. Calling it again is harmless. */
void ili_thread_end_prepare(void);

#endif
