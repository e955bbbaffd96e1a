/*
 * interlock.h - locks, queues and more, shared by threads, processes, languages and machines.
 *
 * One set of calls, three kinds of domain:
 *   "private:"            an arena of this program and the children it forks or starts; no server
 *   "unix:PATH"           the arena of an interlockd on this host: the same objects that curl sees,
 *                         at the cost of a few nanoseconds
 *   "http://HOST:PORT"    an interlockd anywhere, spoken to over HTTP
 * and "inherited:", which is whichever of them the program was started with: see il_process_start().
 *
 *     il_domain *domain = NULL;
 *     il_lock *lock = NULL;
 *     uint64_t token = 0;
 *     if (il_domain_open("unix:/run/interlock.sock", NULL, &domain) != IL_OK ||
 *         il_lock_open(domain, "deploy", 6, NULL, &lock) != IL_OK) {
 *         fputs(il_error_message(), stderr);
 *         return 1;
 *     }
 *     il_status got = il_lock_acquire(lock, IL_FOREVER, &token);
 *     if (got == IL_OK || got == IL_EOWNERDEAD) il_lock_release(lock, token);
 *
 * Conventions
 *   - Every function that can fail returns an il_status: IL_OK or a fixed negative code.
 *   - Out parameters are written only on success. The one result that is both a code and a success
 *     is IL_EOWNERDEAD: the lock was granted, and its owner before had died holding it.
 *   - Timeouts are nanoseconds. IL_NOWAIT does not wait, IL_FOREVER waits without limit. A wait that
 *     ends without success returns IL_ETIMEOUT, also for IL_NOWAIT.
 *   - Names are 1 to 255 bytes of UTF-8 without NUL, given with their length. A name that does not
 *     exist is made with default options. A NULL name makes an anonymous object (private: and unix:
 *     domains) that lives until its last handle is closed.
 *   - Handles may be used by any number of threads at once. Closing a handle while another thread
 *     still uses it is an error of the caller, as with free().
 *   - On an http: domain a handle stands for a name: after a delete its next call makes the object anew
 *     where the other domains say IL_EDELETED (who waits is told there too). What is held through it belongs
 *     to a session that a thread of the library keeps alive; if the server cannot be reached for that,
 *     everything is lost after 30 s, and the next calls say IL_ELEASE. A barrier wait is one request: it
 *     breaks the barrier after the server's longest wait (5 minutes), also with IL_FOREVER.
 *   - The calls are not async-signal-safe, except il_interrupt() and il_cancel().
 *   - fork(): the child of a process with a private domain shares it and has a session of its own: it
 *     holds nothing of what its parent holds. In the child of a process attached to a server every
 *     call on the inherited handles returns IL_EFORKED until the child opens a domain itself.
 *   - A program that is started by il_process_start() with a domain opens it as "inherited:", and has a
 *     session of its own as well: also of a private domain, without a server.
 */
#ifndef INTERLOCK_H
#define INTERLOCK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IL_VERSION_MAJOR 0
#define IL_VERSION_MINOR 1
#define IL_VERSION_PATCH 0

/* Grows with every change a compiled program can notice; see il_abi_version(). */
#define IL_ABI_VERSION 5

/* 0, or one of the negative codes below. The codes never change their meaning. */
typedef int32_t il_status;

#define IL_OK 0
#define IL_EINVAL (-1)     /* an argument is not what the call expects; the message names it */
#define IL_ENOMEM (-2)     /* the domain's arena or this process has no memory left */
#define IL_ETIMEOUT (-3)   /* the wait ended without success */
#define IL_EBUSY (-4)      /* the object is being changed by a process that does not move */
#define IL_EINTR (-5)      /* il_interrupt() ended the wait, or a signal: il_signals_interrupt() */
#define IL_ENOTHELD (-6)   /* release or renew of what this session does not hold */
#define IL_ESTALE (-7)     /* the token is not that of the newest grant */
#define IL_EOWNERDEAD (-8) /* granted, and the owner before died holding it */
#define IL_ELEASE (-9)     /* the grant's lease ran out before this call */
#define IL_ECONFLICT (-10) /* the object exists with other options */
#define IL_ENOTFOUND (-11) /* no such object */
#define IL_EDELETED (-12)  /* the object was deleted */
#define IL_ECLOSED (-13)   /* the queue or the domain is closed */
#define IL_ETOOBIG (-14)   /* a message or a name is too long, or a buffer too small */
#define IL_ELIMIT (-15)    /* a fixed limit of the domain is reached; the message names it */
#define IL_EGONE (-16)     /* the server went away: the domain is dead, open it anew */
#define IL_EFORKED (-17)   /* inherited through fork() from an attached process: open it anew */
#define IL_EUNSUPPORTED (-18) /* this kind of domain cannot do that; the message says why */
#define IL_ECORRUPT (-19)     /* the arena does not make sense here */
#define IL_EACCESS (-20)      /* the server refuses this user, host or origin */
#define IL_ECONNECT (-21)     /* no server answers at that address */
#define IL_EPROTOCOL (-22)    /* the other side speaks another version */
#define IL_ESYSTEM (-23)      /* a system call failed; the message names it */
#define IL_EROUTE (-24)       /* HTTP: no such route */
#define IL_EMETHOD (-25)      /* HTTP: the route does not take this method */
#define IL_EMEDIATYPE (-26)   /* HTTP: the body is not application/json */
#define IL_EIDEMPOTENCY (-27) /* HTTP: the Idempotency-Key was used with another request */
#define IL_EINPROGRESS (-28)  /* HTTP: the request of that Idempotency-Key still runs */
#define IL_ESHUTDOWN (-29)    /* the server is stopping and takes no new work */
#define IL_EDEADLK (-30)      /* the wait would close a cycle of owners; the message names it */
#define IL_EBROKEN (-31)      /* the barrier is broken */
#define IL_EOVERFLOW (-32)    /* a release beyond the bound, or a count beyond its limit */
#define IL_EREVOKED (-33)     /* an operator broke the grant; the message has the reason */
#define IL_EUPGRADE (-34)     /* a shared grant cannot become an exclusive one: release it first */
#define IL_ESESSION (-35)     /* the session has ended, or never was */
#define IL_ECANCELLED (-36)   /* the thread or task was asked to stop: il_cancelled() is true */
#define IL_ESTARTED (-37)     /* a thread, process or timer can be started only once */
#define IL_ENOTSTARTED (-38)  /* it has not been started */
#define IL_ESELF (-39)        /* a thread cannot join itself */
#define IL_EFAILED (-40)      /* the task's function failed; the message has its error */
#define IL_ELOST (-41)        /* the task's worker died, and it is not tried again */
#define IL_EPROGRAM (-42)     /* the server's configuration does not allow that program */
#define IL_EFUNCTION (-43)    /* no worker of the pool has a function of that name */
#define IL_EEOF (-44)         /* the pipe's other end is closed, and nothing is left to receive */
#define IL_EPIPE (-45)        /* the pipe's other end is closed: nobody will receive that */
#define IL_ETYPE (-46)        /* the object holds another type; the message names both */
#define IL_ERANGE (-47)       /* there is no such index; the message says the length */
#define IL_ENOKEY (-48)       /* the dict has no such key, or the list no such value */
#define IL_ECHANGED (-49)     /* it has another version than was expected */

#define IL_NOWAIT ((int64_t)0)
#define IL_FOREVER ((int64_t)-1)

#define IL_NAME_MAX_BYTES 255
#define IL_MESSAGE_MAX_BYTES 16777216

/* What a message in a queue is, kept with it. */
#define IL_BYTES 0
#define IL_TEXT 1 /* UTF-8, checked when it is put */
#define IL_JSON 2 /* UTF-8 JSON text; checked by the HTTP door only */

typedef struct il_domain il_domain;
typedef struct il_lock il_lock;
typedef struct il_rlock il_rlock;
typedef struct il_rwlock il_rwlock;
typedef struct il_semaphore il_semaphore;
typedef struct il_event il_event;
typedef struct il_condition il_condition;
typedef struct il_barrier il_barrier;
typedef struct il_latch il_latch;
typedef struct il_queue il_queue;
typedef struct il_wait il_wait;
typedef struct il_process il_process;
typedef struct il_thread il_thread;
typedef struct il_pool il_pool;
typedef struct il_future il_future;

/* Kinds of object, where a call takes several. */
#define IL_KIND_LOCK 1
#define IL_KIND_QUEUE 2
#define IL_KIND_RLOCK 3
#define IL_KIND_RWLOCK 4
#define IL_KIND_SEMAPHORE 5
#define IL_KIND_EVENT 6
#define IL_KIND_CONDITION 7
#define IL_KIND_BARRIER 8
#define IL_KIND_LATCH 9
#define IL_KIND_PIPE 10
#define IL_KIND_VALUE 11
#define IL_KIND_ARRAY 12
#define IL_KIND_DICT 13
#define IL_KIND_LIST 14

/* ---- versions and errors ------------------------------------------------------------------- */

/* The IL_ABI_VERSION the library was built with. A program built against version N runs with any
 * library that answers N or more. */
uint32_t il_abi_version(void);

/* "0.1.0". Borrowed, never freed. */
const char *il_version(void);

/* The constant's name ("IL_ETIMEOUT"), or "IL_E?" for an unknown code. Borrowed, never freed. */
const char *il_status_name(il_status status);

/* One sentence about the code. Borrowed, never freed. */
const char *il_status_text(il_status status);

/* The calling thread's last failure in words, more exact than il_status_text(): it names the
 * argument and what was expected. Empty before the first failure; a success does not clear it.
 * Borrowed until the thread's next Interlock call that fails. */
const char *il_error_message(void);

/* ---- interruption ------------------------------------------------------------------------- */

/* A number for the calling thread, for il_interrupt(). 0 if no memory is left for its record. */
uint64_t il_thread_self(void);

/* Ends the blocking call that THREAD is in with IL_EINTR; if it is in none, its next blocking call
 * that would have to wait ends so. What the call was about to be granted is not lost: a call that
 * was granted already returns its grant, and the interruption stays pending.
 * Async-signal-safe, so a SIGINT handler may call il_interrupt(self).
 * IL_ENOTFOUND: no such thread, or it has ended. */
il_status il_interrupt(uint64_t thread);

/* ON: a signal whose handler ran in the calling thread during one of its waits ends that wait with IL_EINTR,
 * whatever the handler's SA_RESTART; 0, as every thread begins: the wait goes on. If the wait was granted at that
 * moment, it returns the grant, and the interruption stays pending, as with il_interrupt(). A signal that comes
 * just before the wait does not end it; an il_interrupt() in its handler would. A forked child's thread has the
 * setting of the one that forked. IL_ELIMIT: this process has 16,384 threads. */
il_status il_signals_interrupt(int32_t on);

/* Asks THREAD to stop: from now on il_cancelled() is 1 in it, and every Interlock call of it that would
 * have to wait returns IL_ECANCELLED, also the one that it is in. Unlike an interruption this stays so,
 * until il_cancel_clear(). What need not wait is still done; what was granted is not lost; a condition's
 * wait takes its lock again first. Async-signal-safe. IL_ENOTFOUND as above.
 * For threads that Interlock starts there are il_thread_cancel() and il_future_cancel(). */
il_status il_cancel(uint64_t thread);

/* The calling thread is no longer asked to stop by il_cancel() or il_thread_cancel(). A worker calls it
 * before its next task. */
il_status il_cancel_clear(void);

/* 1 if the calling thread, or the task of an il_pool that it runs, was asked to stop or has used up its
 * time limit; else 0. */
int32_t il_cancelled(void);

/* ---- domain ------------------------------------------------------------------------------- */

typedef struct il_domain_options {
    uint32_t struct_bytes; /* sizeof(il_domain_options): what lies beyond is default */
    uint32_t reserved;     /* 0 */
    uint64_t
        arena_bytes;   /* private: size of the arena's address space; 0: 1 GiB; 1 MiB to 64 GiB */
    const char *label; /* shown to people as the session's name; NULL: the program's name */
} il_domain_options;

/* Opens ADDRESS ("private:", "unix:PATH", "http://HOST:PORT", "inherited:"), *OUT owned:
 * il_domain_close(). OPTIONS may be NULL. Opening "private:" twice makes two domains; opening
 * "inherited:" twice makes two sessions in the same. IL_ENOTFOUND: no domain was inherited.
 * IL_EINVAL, IL_ECONNECT, IL_EACCESS, IL_EPROTOCOL, IL_ELIMIT, IL_ENOMEM, IL_ESYSTEM,
 * IL_EUNSUPPORTED (http: the part of the library that speaks HTTP is not installed). */
il_status il_domain_open(const char *address, const il_domain_options *options, il_domain **out);

/* Ends this process's session: releases what it holds, then frees the domain. Every handle of the
 * domain must have been closed before. NULL is allowed. A private domain goes with its last process. */
il_status il_domain_close(il_domain *domain);

typedef struct il_domain_info {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t clients;      /* attached processes, this one included */
    uint64_t arena_bytes;  /* address space */
    uint64_t free_bytes;   /* what the allocator can still hand out */
    uint64_t objects;      /* names that exist */
} il_domain_info;

/* IL_EUNSUPPORTED on an http: domain. */
il_status il_domain_info_get(il_domain *domain, il_domain_info *info);

/* ---- lock --------------------------------------------------------------------------------- */

/*
 * A lock belongs to the session (the process) that acquired it, and any of its threads may release
 * it, as Python's Lock. It is not reentrant: a second acquire waits. A plain lock lets a running
 * thread take it before those that sleep, but no one waits behind others for ever: who has waited
 * for a millisecond is granted next. A fair lock grants in the order of arrival.
 * A release happens before the acquire that is granted next.
 * When a holder dies, the next acquire is granted with IL_EOWNERDEAD.
 * Every grant has a token, a number that only grows for the lock, also after a delete and across
 * restarts of the server: pass it on to what the lock protects, and refuse smaller ones there.
 */

#define IL_LOCK_FAIR 1u /* flags: first come, first served */
/* flags: any session of the domain may release the lock, as Python's multiprocessing.Lock: its grant (0: whatever
 * grant stands) is then over, as if its holder had released it. Nobody's wait for it counts as a deadlock.
 * Not for rlocks; IL_EUNSUPPORTED on an http: domain. */
#define IL_LOCK_ANY_RELEASE 2u

/* flags, of all kinds that have owners: a wait that closes a cycle of owners is only listed
 * (GET /v1/deadlocks) instead of failing with IL_EDEADLK. */
#define IL_DEADLOCK_REPORT 0x100u

#define IL_LEASE_MAX INT64_C(86400000000000)   /* ns: a day */
#define IL_LOCK_DELAY_MAX INT64_C(60000000000) /* ns: a minute */

typedef struct il_lock_options {
    uint32_t struct_bytes;
    uint32_t flags; /* IL_LOCK_FAIR, IL_LOCK_ANY_RELEASE, IL_DEADLOCK_REPORT */
    int64_t
        lock_delay_ns; /* how long the lock is held back after its holder died or lost its lease */
} il_lock_options;

/* Opens the lock NAME, making it if it does not exist. *OUT owned: il_lock_close().
 * OPTIONS NULL: whatever it is, or a plain one. IL_ECONFLICT: it exists with other options. */
il_status il_lock_open(il_domain *domain, const char *name, size_t name_bytes,
                       const il_lock_options *options, il_lock **out);

/* Closes the handle only: the lock stays, and so does a grant. NULL is allowed. */
il_status il_lock_close(il_lock *lock);

/* Removes the name. Who waits gets IL_EDELETED, and so does the holder's next call.
 * IL_ENOTFOUND: no such lock. */
il_status il_lock_delete(il_domain *domain, const char *name, size_t name_bytes);

/* Acquires, waiting at most TIMEOUT_NS. *TOKEN (may be NULL) is the grant's fencing token.
 * IL_OK, IL_EOWNERDEAD (granted too), IL_ETIMEOUT, IL_EINTR, IL_EDELETED, IL_EGONE, IL_EFORKED. */
il_status il_lock_acquire(il_lock *lock, int64_t timeout_ns, uint64_t *token);

/* Releases the grant TOKEN; 0: whatever grant this session holds. Does not block for long.
 * IL_ENOTHELD: this session does not hold the lock (IL_LOCK_ANY_RELEASE: nobody does). IL_ESTALE: it does, by
 * a newer grant, or the token is older than the newest grant. IL_EDELETED. */
il_status il_lock_release(il_lock *lock, uint64_t token);

/* The same with a lease of LEASE_NS (1 ms to IL_LEASE_MAX; 0: none): past it the grant is void, as if
 * its holder had died, and the holder's next call with the token returns IL_ELEASE. A lease that runs
 * out while the holder is stopped runs out all the same.
 * IL_ELEASE, IL_EREVOKED: what was granted, or was held before, was lost again before this call returned. */
il_status il_lock_acquire_leased(il_lock *lock, int64_t timeout_ns, int64_t lease_ns,
                                 uint64_t *token);

/* The grant TOKEN (0: whatever grant this session holds) lasts LEASE_NS from now; 0: without limit.
 * IL_ENOTHELD, IL_ESTALE, IL_ELEASE, IL_EREVOKED, IL_EDELETED. */
il_status il_lock_renew(il_lock *lock, uint64_t token, int64_t lease_ns);

/* For what the lock protects: whether TOKEN is the grant that stands, whoever holds it. IL_OK;
 * IL_ESTALE: there was a newer grant; IL_ENOTHELD: it was released; IL_ELEASE, IL_EREVOKED. */
il_status il_lock_check(il_lock *lock, uint64_t token);

/* For an operator: takes the lock from whoever holds it, as if that had died. REASON (at most 87 bytes,
 * may be NULL) is what the holder's next call shows with IL_EREVOKED. TOKEN 0: whatever grant stands;
 * else only that one (IL_ESTALE). IL_ENOTHELD: nobody holds it. */
il_status il_lock_break(il_lock *lock, uint64_t token, const char *reason);

/* *LOCKED becomes 1 if anyone holds the lock, else 0. A glance: it may have changed by the return. */
il_status il_lock_locked(il_lock *lock, int32_t *locked);

typedef struct il_owner {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t pid;          /* as the server (or this process) sees it; 0: held over HTTP */
    uint64_t token;        /* 0: the lock is free, and nothing else here counts */
    uint32_t waiters;      /* how many wait; also when the lock is free */
    uint32_t mine;         /* 1: held by this session */
    char label[64];        /* the session's label, ends with NUL */
} il_owner;

/* Who holds the lock. A glance. */
il_status il_lock_owner(il_lock *lock, il_owner *owner);

/* ---- rlock -------------------------------------------------------------------------------- */

/*
 * A lock that its owner may acquire again; it is free when it was released as often. The owner is a
 * thread (over HTTP: a session's owner key): only that thread may release it, and it is recovered when
 * the thread ends. Each acquire of the owner returns the token of the outermost. Everything else is as
 * with a lock, options and codes included.
 */
il_status il_rlock_open(il_domain *domain, const char *name, size_t name_bytes,
                        const il_lock_options *options, il_rlock **out);
il_status il_rlock_close(il_rlock *lock);
il_status il_rlock_delete(il_domain *domain, const char *name, size_t name_bytes);
il_status il_rlock_acquire(il_rlock *lock, int64_t timeout_ns, uint64_t *token);
/* LEASE_NS counts from the outermost acquire; that of an inner one prolongs it if it ends later. */
il_status il_rlock_acquire_leased(il_rlock *lock, int64_t timeout_ns, int64_t lease_ns,
                                  uint64_t *token);
/* IL_ENOTHELD: the calling thread does not own it. */
il_status il_rlock_release(il_rlock *lock, uint64_t token);
il_status il_rlock_renew(il_rlock *lock, uint64_t token, int64_t lease_ns);
il_status il_rlock_check(il_rlock *lock, uint64_t token);
il_status il_rlock_break(il_rlock *lock, uint64_t token, const char *reason);
il_status il_rlock_locked(il_rlock *lock, int32_t *locked);
/* How often the calling thread has acquired it and not released it; 0: it is not its owner. */
il_status il_rlock_depth(il_rlock *lock, uint32_t *depth);
il_status il_rlock_owner(il_rlock *lock, il_owner *owner); /* mine: owned by the calling thread */

/* ---- rwlock ------------------------------------------------------------------------------- */

/*
 * Shared by any number of owners, or exclusive to one. The owner is a thread, as with an rlock. Who
 * waits to be exclusive goes before those that come later to share, so nobody starves. An owner may
 * acquire again what it has in the same mode (each acquire needs a release), also while others wait; an
 * owner that shares cannot become exclusive (IL_EUPGRADE), one that is exclusive cannot share
 * (IL_EDEADLK).
 */
#define IL_SHARED 0u
#define IL_EXCLUSIVE 1u

typedef struct il_rwlock_options {
    uint32_t struct_bytes;
    uint32_t flags; /* IL_DEADLOCK_REPORT */
} il_rwlock_options;

il_status il_rwlock_open(il_domain *domain, const char *name, size_t name_bytes,
                         const il_rwlock_options *options, il_rwlock **out);
il_status il_rwlock_close(il_rwlock *lock);
il_status il_rwlock_delete(il_domain *domain, const char *name, size_t name_bytes);
/* MODE: IL_SHARED or IL_EXCLUSIVE. IL_EOWNERDEAD (granted): an exclusive owner died holding it. */
il_status il_rwlock_acquire(il_rwlock *lock, uint32_t mode, int64_t timeout_ns, uint64_t *token);
il_status il_rwlock_acquire_leased(il_rwlock *lock, uint32_t mode, int64_t timeout_ns,
                                   int64_t lease_ns, uint64_t *token);
/* Gives one acquire of the calling thread back. TOKEN 0: whatever it holds. */
il_status il_rwlock_release(il_rwlock *lock, uint64_t token);
il_status il_rwlock_renew(il_rwlock *lock, uint64_t token, int64_t lease_ns);
il_status il_rwlock_check(il_rwlock *lock, uint64_t token);
il_status il_rwlock_break(il_rwlock *lock, uint64_t token, const char *reason);

typedef struct il_rwlock_info {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t shared;       /* owners that share it */
    uint32_t exclusive;    /* 1: an owner has it exclusively */
    uint32_t waiters;
} il_rwlock_info;

il_status il_rwlock_info_get(il_rwlock *lock, il_rwlock_info *info); /* a glance */

/* ---- semaphore ---------------------------------------------------------------------------- */

/*
 * A number of permits. Acquiring takes some, waiting in order of arrival until they are there; anyone may
 * release, as in Python, also who has acquired none. Permits are held by the session that acquired them:
 * when it ends they return. Where one side acquires what another releases (the permits are signals and
 * nobody's), make it with IL_SEMAPHORE_SIGNAL.
 */
#define IL_SEMAPHORE_BOUNDED 1u /* a release beyond `value` is refused: IL_EOVERFLOW */
#define IL_SEMAPHORE_SIGNAL 2u  /* permits are consumed by acquiring, and do not return */
#define IL_SEMAPHORE_MAX 2147483647u

typedef struct il_semaphore_options {
    uint32_t struct_bytes;
    uint32_t flags; /* IL_SEMAPHORE_…, IL_DEADLOCK_REPORT */
    uint32_t value; /* at the start; 0 to IL_SEMAPHORE_MAX. Default: 1 */
    uint32_t reserved;
} il_semaphore_options;

il_status il_semaphore_open(il_domain *domain, const char *name, size_t name_bytes,
                            const il_semaphore_options *options, il_semaphore **out);
il_status il_semaphore_close(il_semaphore *semaphore);
il_status il_semaphore_delete(il_domain *domain, const char *name, size_t name_bytes);
/* COUNT permits at once, 1 to IL_SEMAPHORE_MAX; IL_EINVAL if a bounded one can never have so many. */
il_status il_semaphore_acquire(il_semaphore *semaphore, uint32_t count, int64_t timeout_ns,
                               uint64_t *token);
/* IL_EINVAL with IL_SEMAPHORE_SIGNAL, where nothing is held. */
il_status il_semaphore_acquire_leased(il_semaphore *semaphore, uint32_t count, int64_t timeout_ns,
                                      int64_t lease_ns, uint64_t *token);
/* Gives COUNT permits back. TOKEN 0: of this session's, or if it holds none, anyhow; else those of that
 * grant, which must be this session's and still stand (IL_ESTALE, IL_ENOTHELD, IL_ELEASE, IL_EREVOKED).
 * IL_EOVERFLOW: nothing was changed. */
il_status il_semaphore_release(il_semaphore *semaphore, uint32_t count, uint64_t token);
il_status il_semaphore_renew(il_semaphore *semaphore, uint64_t token, int64_t lease_ns);
il_status il_semaphore_check(il_semaphore *semaphore, uint64_t token);
il_status il_semaphore_break(il_semaphore *semaphore, uint64_t token, const char *reason);
il_status il_semaphore_value(il_semaphore *semaphore,
                             uint32_t *value); /* permits there; a glance */

/* ---- event -------------------------------------------------------------------------------- */

/*
 * A flag to wait for. set() lets everyone who waits go on, and everyone who comes until clear(). What
 * happens before set() happens before the return of each wait() that it ends.
 */
il_status il_event_open(il_domain *domain, const char *name, size_t name_bytes, il_event **out);
il_status il_event_close(il_event *event);
il_status il_event_delete(il_domain *domain, const char *name, size_t name_bytes);
il_status il_event_set(il_event *event);
il_status il_event_clear(il_event *event);
il_status il_event_is_set(il_event *event, int32_t *set);
/* IL_OK: it is or was set. IL_ETIMEOUT, IL_EINTR, IL_EDELETED. A set() that is followed at once by
 * clear() ends all waits that began before it. */
il_status il_event_wait(il_event *event, int64_t timeout_ns);

/* ---- latch -------------------------------------------------------------------------------- */

/* A count that only falls; who waits goes on when it is 0 (Java's CountDownLatch). */
#define IL_LATCH_MAX 2147483647u

il_status il_latch_open(il_domain *domain, const char *name, size_t name_bytes,
                        const uint32_t *count, /* NULL: whatever it is, or 1 */
                        il_latch **out);
il_status il_latch_close(il_latch *latch);
il_status il_latch_delete(il_domain *domain, const char *name, size_t name_bytes);
/* By COUNT (1 or more), not below 0. *LEFT (may be NULL): what is left. */
il_status il_latch_count_down(il_latch *latch, uint32_t count, uint32_t *left);
il_status il_latch_wait(il_latch *latch, int64_t timeout_ns);
il_status il_latch_count(il_latch *latch, uint32_t *count);

/* ---- barrier ------------------------------------------------------------------------------ */

/*
 * PARTIES waits meet and go on together, again and again (Python's Barrier). A wait that ends without the
 * others (timeout, interruption, its process dies, its session ends) breaks the barrier: everyone who
 * waits and who comes gets IL_EBROKEN until reset().
 */
#define IL_BARRIER_MAX 65535u

il_status
il_barrier_open(il_domain *domain, const char *name, size_t name_bytes,
                const uint32_t *parties, /* 1 or more; NULL: whatever it is; needed to make one */
                il_barrier **out);
il_status il_barrier_close(il_barrier *barrier);
il_status il_barrier_delete(il_domain *domain, const char *name, size_t name_bytes);
/* *INDEX (may be NULL): 0 to parties - 1, each once a round; who comes last has 0.
 * IL_EBROKEN; IL_ETIMEOUT and IL_EINTR break it. IL_NOWAIT breaks it unless this is the last party. */
il_status il_barrier_wait(il_barrier *barrier, int64_t timeout_ns, uint32_t *index);
/* To its first state; who waits gets IL_EBROKEN. */
il_status il_barrier_reset(il_barrier *barrier);
/* Breaks it. */
il_status il_barrier_abort(il_barrier *barrier);

typedef struct il_barrier_info {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t parties, waiting;
    uint32_t broken; /* 0 or 1 */
} il_barrier_info;

il_status il_barrier_info_get(il_barrier *barrier, il_barrier_info *info);

/* ---- condition ---------------------------------------------------------------------------- */

/*
 * Waiting for a change of what a lock protects (Python's Condition). It is bound to a lock or an rlock of
 * the same domain for as long as it exists. wait() gives the lock up, all its acquires, and returns
 * holding it again, as deep as before: with IL_OK after a notify, with IL_ETIMEOUT or IL_EINTR without.
 * A notify by who holds the lock happens before the return of the waits that it ends.
 */
typedef struct il_condition_options {
    uint32_t struct_bytes;
    uint32_t reserved;
    il_lock *lock; /* one of the two; the condition refers to the object, not to the handle */
    il_rlock *rlock;
} il_condition_options;

/* OPTIONS NULL: whatever lock it is bound to; one that does not exist is made with an rlock of its own,
 * as in Python, whose name is the condition's. */
il_status il_condition_open(il_domain *domain, const char *name, size_t name_bytes,
                            const il_condition_options *options, il_condition **out);
il_status il_condition_close(il_condition *condition);
il_status il_condition_delete(il_domain *domain, const char *name, size_t name_bytes);
/* The lock it is bound to, as calls on the condition itself. */
il_status il_condition_acquire(il_condition *condition, int64_t timeout_ns, uint64_t *token);
il_status il_condition_release(il_condition *condition, uint64_t token);
/* *TOKEN (may be NULL): of the grant with which the lock is held now. IL_ENOTHELD: the caller does not
 * hold the lock. IL_EOWNERDEAD: notified, and the lock's owner before died. After IL_EDELETED, IL_EGONE
 * the lock is not held. */
il_status il_condition_wait(il_condition *condition, int64_t timeout_ns, uint64_t *token);
/* Lets COUNT of those that wait go on, the longest waiting first. IL_ENOTHELD: the caller does not hold
 * the lock. */
il_status il_condition_notify(il_condition *condition, uint32_t count);
il_status il_condition_notify_all(il_condition *condition);
il_status il_condition_waiters(il_condition *condition, uint32_t *waiters);

/* ---- several at once ---------------------------------------------------------------------- */

/* One object of a call that takes several. */
typedef struct il_target {
    uint32_t kind;    /* IL_KIND_... of `object` */
    uint32_t mode;    /* rwlock: IL_SHARED or IL_EXCLUSIVE; else 0 */
    uint32_t count;   /* semaphore: permits, 0 means 1; else 0 */
    il_status status; /* written for what was granted: IL_OK or IL_EOWNERDEAD */
    void *object;     /* il_lock, il_rlock, ...; all of one domain */
    uint64_t token;   /* written for what was granted */
} il_target;

#define IL_TARGETS_MAX 64u

/* Acquires all of TARGETS (locks, rlocks, rwlocks, semaphores; none twice), or none, waiting at most
 * TIMEOUT_NS in all. Holds nothing while it waits, so it cannot be part of a deadlock, whatever the order.
 * IL_EINVAL names the target. */
il_status il_acquire_all(il_target *targets, size_t count, int64_t timeout_ns);

/* Releases what il_acquire_all() granted. Goes on after a failure, and returns the first. */
il_status il_release_all(const il_target *targets, size_t count);

/* Waits for the first of TARGETS: a lock, rlock, rwlock, semaphore that is then acquired (its token in
 * the target), an event that is set, a latch at 0, a queue that has a message or is closed, a pipe from
 * which a receive would not wait (nothing is taken). *INDEX says which. Of several that are ready, the first. */
il_status il_wait_any(il_target *targets, size_t count, int64_t timeout_ns, size_t *index);

/* The same wait for an event loop: *OUT owned, il_wait_close(). TARGETS is copied; the handles must stay
 * open. What is acquired belongs to the session's process; for rlocks and rwlocks, which belong to a
 * thread, IL_EUNSUPPORTED. */
il_status il_wait_start(il_target *targets, size_t count, il_wait **out);
/* A descriptor that becomes readable when the wait has ended. Borrowed; only for poll() and its like. */
il_status il_wait_fd(il_wait *wait, int *fd);
/* Never waits. IL_OK: *INDEX is ready, and *TOKEN (may be NULL) was granted. IL_ETIMEOUT: not yet. */
il_status il_wait_finish(il_wait *wait, size_t *index, uint64_t *token);
/* Ends the wait; a grant that was not fetched is released. NULL is allowed. */
il_status il_wait_close(il_wait *wait);

/* ---- grants that were lost ---------------------------------------------------------------- */

typedef struct il_loss {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t kind;
    il_status why; /* IL_ELEASE, IL_EREVOKED */
    uint32_t name_bytes;
    uint64_t token;
    char name[256];  /* ends with NUL; empty: anonymous */
    char reason[88]; /* the operator's; ends with NUL */
} il_loss;

/* Waits for the next grant that this session has lost since the domain was opened. Each is told once.
 * IL_ETIMEOUT, IL_EINTR, IL_EGONE. If more than 512 are lost in the domain before they are asked for, the
 * oldest go untold. */
il_status il_loss_next(il_domain *domain, il_loss *loss, int64_t timeout_ns);

/* ---- queue -------------------------------------------------------------------------------- */

/*
 * First in, first out, for any number of producers and consumers behind any door. A message is 0
 * bytes to 16 MiB and remembers whether it is bytes, text or JSON. A put happens before the get
 * that takes its message. A process that dies inside a call leaves the message in the queue or out
 * of it, never torn; a message that a consumer took before it died went with it.
 */

typedef struct il_queue_options {
    uint32_t struct_bytes;
    uint32_t reserved; /* 0 */
    uint64_t maxsize;  /* messages; a put beyond waits. 0: up to the arena's share (a half of it) */
} il_queue_options;

/* One message of il_queue_put_many() and il_queue_get_many(). */
typedef struct il_message {
    const void *data; /* put: borrowed during the call. get: points into the caller's buffer */
    uint64_t bytes;
    uint32_t type; /* IL_BYTES, IL_TEXT, IL_JSON */
    uint32_t reserved;
} il_message;

/* As il_lock_open(). */
il_status il_queue_open(il_domain *domain, const char *name, size_t name_bytes,
                        const il_queue_options *options, il_queue **out);
il_status il_queue_close(il_queue *queue); /* closes the handle; the queue stays. NULL is allowed */
il_status il_queue_delete(il_domain *domain, const char *name, size_t name_bytes);

/* Appends one message, waiting at most TIMEOUT_NS for room.
 * IL_OK, IL_ETIMEOUT (full), IL_ECLOSED, IL_ETOOBIG, IL_ENOMEM, IL_EINVAL (text that is not UTF-8),
 * IL_EINTR, IL_EDELETED, IL_EGONE, IL_EFORKED. */
il_status il_queue_put(il_queue *queue, const void *data, size_t bytes, uint32_t type,
                       int64_t timeout_ns);

/* Takes the oldest message, waiting at most TIMEOUT_NS for one, into BUFFER of CAPACITY bytes.
 * *BYTES is its length, *TYPE (may be NULL) its type.
 * IL_ETOOBIG: it does not fit; the message stays, and *BYTES, against the rule for out parameters,
 * tells the room it needs. Others as for put; IL_ECLOSED only once a closed queue is empty. */
il_status il_queue_get(il_queue *queue, void *buffer, size_t capacity, size_t *bytes,
                       uint32_t *type, int64_t timeout_ns);

/* Appends MESSAGES[0..COUNT) in order, waiting for room as often as needed; *DONE (may not be NULL)
 * is how many were appended, also when the call fails: the rest can be put again.
 * IL_OK only if all were. */
il_status il_queue_put_many(il_queue *queue, const il_message *messages, size_t count, size_t *done,
                            int64_t timeout_ns);

/* Waits for one message, then takes those that are there, at most COUNT and as many as fit into
 * BUFFER; MESSAGES[0..*DONE) describes them. IL_OK if at least one was taken.
 * IL_ETOOBIG: not even the first fits; *DONE then tells the bytes it needs. */
il_status il_queue_get_many(il_queue *queue, void *buffer, size_t capacity, il_message *messages,
                            size_t count, size_t *done, int64_t timeout_ns);

/* Copies the oldest message and leaves it there. Never waits: IL_ETIMEOUT if there is none. */
il_status il_queue_peek(il_queue *queue, void *buffer, size_t capacity, size_t *bytes,
                        uint32_t *type);

/* A glance at the number of messages; empty is *SIZE == 0. */
il_status il_queue_size(il_queue *queue, uint64_t *size);
il_status il_queue_maxsize(il_queue *queue, uint64_t *maxsize);
il_status il_queue_empty(il_queue *queue, int32_t *empty);
il_status il_queue_full(il_queue *queue, int32_t *full); /* never, if maxsize is 0 */

/* No more puts, by anyone: they return IL_ECLOSED. Gets take what is left. Closing twice is a no-op. */
il_status il_queue_shut(il_queue *queue);

/* ---- process ------------------------------------------------------------------------------ */

/*
 * A program that this process starts (Python's subprocess.Popen and multiprocessing.Process). It has the
 * descriptors that the options give it and no others, default signal handling, and nothing of this
 * process's threads. It is this process's child: who waits for any child (wait(2), waitpid(-1), SIGCHLD
 * ignored) takes its exit code away.
 *
 * With a DOMAIN, the program opens the same one as il_domain_open("inherited:", ...), also a private one,
 * and shares it as a forked child would: it is a session of its own, and what it holds when it dies is
 * recovered. INTERLOCK_DOMAIN and INTERLOCK_INHERIT in its environment say where it is; a program between
 * the two (a shell) has to leave them and the descriptors 6 and 7 alone.
 *
 *     const char *words[] = {"sort", "-r"};
 *     il_process_options options = {.struct_bytes = sizeof options, .arguments = words,
 *                                   .argument_count = 2, .stdin_mode = IL_STDIO_PIPE};
 *     il_process *sort = NULL;
 *     int fd, code;
 *     if (il_process_start(NULL, &options, &sort) != IL_OK) return 1;
 *     il_process_pipe(sort, 0, &fd);
 *     write(fd, "a\nb\n", 4);
 *     il_process_pipe_close(sort, 0);
 *     il_process_join(sort, IL_FOREVER, &code);
 *     il_process_close(sort);
 */

#define IL_PROCESS_DAEMON                                                                          \
    1u /* flags: it is killed when the handle is closed or this process ends */
#define IL_PROCESS_OWN_GROUP                                                                       \
    2u /* a process group of its own: a terminal's Ctrl-C does not reach it */

/* Modes of the standard streams. */
#define IL_STDIO_INHERIT 0u /* this process's */
#define IL_STDIO_NULL 1u    /* /dev/null */
#define IL_STDIO_PIPE 2u    /* a pipe: il_process_pipe() */
#define IL_STDIO_FD 3u      /* the descriptor in ..._fd, which stays the caller's */
#define IL_STDIO_STDOUT 4u  /* stderr only: where stdout goes */

typedef struct il_process_options {
    uint32_t struct_bytes;
    uint32_t flags;               /* IL_PROCESS_... */
    const char *const *arguments; /* the first is the program, unless `program` names another */
    uint64_t argument_count;
    const char *const *environment; /* whole, "NAME=value" each; NULL: this process's */
    uint64_t environment_count;
    const char *program;   /* NULL: the first argument. Without a slash: looked for in PATH */
    const char *directory; /* NULL: this process's */
    uint32_t stdin_mode, stdout_mode, stderr_mode; /* IL_STDIO_... */
    int32_t stdin_fd, stdout_fd, stderr_fd;        /* for IL_STDIO_FD */
} il_process_options;

/* Starts a program, *OUT owned: il_process_close(). DOMAIN may be NULL. Returns when it runs.
 * IL_ENOTFOUND: no such program; IL_ESYSTEM: it cannot be started, the message says at which step;
 * IL_EINVAL, IL_ENOMEM. */
il_status il_process_start(il_domain *domain, const il_process_options *options, il_process **out);

/* Frees the handle and closes its descriptors. A program that still runs goes on and is reaped when it
 * ends; a daemon is killed. NULL is allowed. */
il_status il_process_close(il_process *process);

il_status il_process_pid(il_process *process, uint32_t *pid);

/* Whether it has ended. IL_OK: *CODE (may be NULL) is its exit code, or -N if signal N ended it.
 * IL_ETIMEOUT: it still runs. IL_ESYSTEM: it has ended, but its exit code was taken; see above. */
il_status il_process_poll(il_process *process, int32_t *code);

/* Waits for its end, at most TIMEOUT_NS, as often as one likes. As il_process_poll(), and IL_EINTR,
 * IL_ECANCELLED. */
il_status il_process_join(il_process *process, int64_t timeout_ns, int32_t *code);

/* SIGTERM, SIGKILL, or SIGNAL, to the process itself. IL_OK also if it has ended: no other process that
 * was given its number is ever meant. IL_ESYSTEM: it runs as another user. */
il_status il_process_terminate(il_process *process);
il_status il_process_kill(il_process *process);
il_status il_process_signal(il_process *process, int32_t signal);

/* This process's end of the pipe to STREAM (0 stdin, 1 stdout, 2 stderr), blocking. Borrowed until
 * il_process_pipe_close() or il_process_close(). IL_ENOTFOUND: that is no pipe, or closed. */
il_status il_process_pipe(il_process *process, uint32_t stream, int *fd);
/* Closes it before: a program sees the end of its stdin. Closing twice is a no-op. */
il_status il_process_pipe_close(il_process *process, uint32_t stream);

/* A descriptor that becomes readable when the program has ended, for event loops. Borrowed; only for
 * poll() and its like. */
il_status il_process_fd(il_process *process, int *fd);

/* ---- thread ------------------------------------------------------------------------------- */

/*
 * A thread of this program that runs one function (Python's Thread). It needs no domain. It has ended when
 * its function has returned, or called pthread_exit(), and what it held has been settled; what it did
 * happens before the return of a join. Any number of threads may join it, any number of times.
 * A time limit asks it to stop once it has passed, as il_thread_cancel() does: see il_cancelled(). Nothing
 * stops a function that neither asks nor waits.
 * At the end of the process no thread is waited for, as always in C: who wants its threads' work joins them.
 * fork(): in the child the threads do not exist; every call but the close returns IL_EFORKED.
 *
 *     il_thread *thread = NULL;
 *     void *sum = NULL;
 *     if (il_thread_create(add_up, numbers, NULL, &thread) == IL_OK && il_thread_start(thread) == IL_OK) {
 *         il_thread_join(thread, IL_FOREVER, &sum);
 *     }
 *     il_thread_close(thread);
 */
#define IL_THREAD_DAEMON 1u /* flags: closing it does not wait for its end */

typedef struct il_thread_options {
    uint32_t struct_bytes;
    uint32_t flags;        /* IL_THREAD_DAEMON */
    const char *name;      /* up to 63 bytes, copied; the kernel shows 15 of them. NULL: none */
    uint64_t stack_bytes;  /* 0: the system's usual */
    int64_t time_limit_ns; /* from its start; 0: none */
} il_thread_options;

/* *OUT owned: il_thread_close(). OPTIONS may be NULL. */
il_status il_thread_create(void *(*function)(void *argument), void *argument,
                           const il_thread_options *options, il_thread **out);

/* IL_ESTARTED: only once. IL_ELIMIT, IL_ESYSTEM: there is no room for another thread; try again. */
il_status il_thread_start(il_thread *thread);

/* Waits for its end. *RESULT (may be NULL) is what the function returned; NULL after pthread_exit().
 * IL_ENOTSTARTED, IL_ESELF, IL_ETIMEOUT, IL_EINTR; IL_ECANCELLED: the caller was asked to stop. */
il_status il_thread_join(il_thread *thread, int64_t timeout_ns, void **result);

/* *ALIVE becomes 1 from its start to its end, else 0. */
il_status il_thread_is_alive(il_thread *thread, int32_t *alive);

/* What the function returned. IL_ENOTSTARTED; IL_ETIMEOUT: it has not ended. Never waits. */
il_status il_thread_result(il_thread *thread, void **result);

/* Its number, as il_thread_self() has it in the thread. IL_ENOTSTARTED. */
il_status il_thread_id(il_thread *thread, uint64_t *id);

/* *NAME: borrowed until the close; empty if it has none. */
il_status il_thread_name(il_thread *thread, const char **name);

/* Asks it to stop, as il_cancel(). Nothing if it has ended. IL_ENOTSTARTED. */
il_status il_thread_cancel(il_thread *thread);

/* Frees the handle. If the thread still runs: a daemon goes on by itself, any other is waited for, however
 * long that takes; one that closes itself goes on. NULL is allowed. */
il_status il_thread_close(il_thread *thread);

/* ---- pool --------------------------------------------------------------------------------- */

/*
 * Threads of this program that run the functions they are given (Python's ThreadPool). It needs no domain.
 * Order: a higher priority goes first; of equal ones, what a thread submitted first begins first. A
 * submission happens before its function runs, and that before the return of a wait for its future.
 * A task may submit to its own pool and wait: a thread of the pool that waits for a future whose task has
 * not begun does that task itself, right there; and what a task submits to its own pool never waits for
 * room, so it may exceed max_queued.
 * A task must return: neither pthread_exit() nor longjmp() out of it. il_cancelled() tells it whether it
 * should; what was asked of one task is forgotten before the next.
 * fork(): in the child the threads do not exist; every call but the closes returns IL_EFORKED.
 *
 *     il_pool_create(NULL, &pool);
 *     il_pool_submit(pool, resize, picture, NULL, IL_FOREVER, &future);
 *     il_future_wait(future, IL_FOREVER);
 *     il_future_result(future, &smaller);
 *     il_future_close(future);
 *     il_pool_close(pool);
 */
#define IL_PRIORITY_MAX 100 /* from -100 */

typedef struct il_pool_options {
    uint32_t struct_bytes;
    uint32_t threads;     /* up to 1,024; 0: one for each processor that this process may use */
    uint64_t max_queued;  /* tasks that have not begun; a submission beyond waits. 0: no bound */
    const char *name;     /* of its threads, up to 63 bytes, copied; NULL: none */
    uint64_t stack_bytes; /* of each thread; 0: the system's usual */
} il_pool_options;

typedef struct il_submit_options {
    uint32_t struct_bytes;
    int32_t priority;      /* -IL_PRIORITY_MAX to IL_PRIORITY_MAX */
    int64_t time_limit_ns; /* from when it begins: then it is asked to stop; 0: none */
} il_submit_options;

/* Starts its threads. *OUT owned: il_pool_close(). OPTIONS may be NULL. IL_ELIMIT, IL_ESYSTEM: there is no
 * room for so many threads. */
il_status il_pool_create(const il_pool_options *options, il_pool **out);

/* Has FUNCTION(ARGUMENT) called once, waiting at most TIMEOUT_NS for room. OPTIONS may be NULL. *OUT owned:
 * il_future_close(); OUT NULL: nobody wants to know.
 * IL_ECLOSED, IL_ETIMEOUT (it is full), IL_ENOMEM, IL_EINTR, IL_ECANCELLED: it will not be called. */
il_status il_pool_submit(il_pool *pool, void *(*function)(void *argument), void *argument,
                         const il_submit_options *options, int64_t timeout_ns, il_future **out);

/* Calls FUNCTION for each of ARGUMENTS[0..COUNT) and waits for all; RESULTS[i] (RESULTS may be NULL) is what it
 * returned for ARGUMENTS[i]. A thread takes CHUNK of them at a time; 0: a quarter of a thread's share. OPTIONS
 * count for each of them; the threads that take part are tasks of the pool. One of the pool's own threads
 * takes part itself.
 * IL_ETIMEOUT, IL_EINTR, IL_ECANCELLED (the caller was asked to stop, or the pool terminated): no more are
 * begun, those that run are asked to stop and are waited for; which results were written is not told. */
il_status il_pool_map(il_pool *pool, void *(*function)(void *argument), void *const *arguments,
                      size_t count, size_t chunk, void **results, const il_submit_options *options,
                      int64_t timeout_ns);

/* No more submissions, by anyone: IL_ECLOSED. What was submitted is done. Again: a no-op. */
il_status il_pool_shut(il_pool *pool);

/* As il_pool_shut(), but what has not begun is cancelled, and what runs is asked to stop. */
il_status il_pool_terminate(il_pool *pool);

/* Waits until a pool that was shut or terminated has nothing left to do and its threads have ended.
 * IL_EINVAL: it was neither. IL_ESELF: by a task of the pool. IL_ETIMEOUT, IL_EINTR, IL_ECANCELLED. */
il_status il_pool_join(il_pool *pool, int64_t timeout_ns);

typedef struct il_pool_info {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t threads;
    uint32_t running;   /* tasks that run */
    uint32_t reserved;  /* 0 */
    uint64_t queued;    /* tasks that have not begun */
    uint64_t submitted; /* so far; each is queued, running, done or cancelled */
    uint64_t done, cancelled;
    uint64_t wakeups; /* how often a thread that slept was woken for work */
} il_pool_info;

/* A glance. */
il_status il_pool_info_get(il_pool *pool, il_pool_info *info);

/* Shuts it, waits until everything that was submitted is done (for less: il_pool_terminate() before), ends its
 * threads and frees the handle. Its futures may live on. NULL is allowed. IL_ESELF: by a task of the pool;
 * nothing has happened. */
il_status il_pool_close(il_pool *pool);

#define IL_FUTURE_QUEUED 0u
#define IL_FUTURE_RUNNING 1u
#define IL_FUTURE_DONE 2u
#define IL_FUTURE_CANCELLED 3u /* before it began: it was never called */

/* Waits until it is done or cancelled. IL_ETIMEOUT, IL_EINTR; IL_ECANCELLED: the caller was asked to stop;
 * IL_ESELF: by that task itself. */
il_status il_future_wait(il_future *future, int64_t timeout_ns);

/* What the function returned. IL_ETIMEOUT: not yet. IL_ECANCELLED: it was cancelled before it began. Never
 * waits. */
il_status il_future_result(il_future *future, void **result);

/* *DONE becomes 1 if it is done or cancelled, else 0. */
il_status il_future_done(il_future *future, int32_t *done);
il_status il_future_state(il_future *future, uint32_t *state); /* IL_FUTURE_... */

/* One that has not begun is cancelled at once; one that runs is asked to stop; else nothing happens. */
il_status il_future_cancel(il_future *future);

/* Frees the handle; the task goes on. NULL is allowed. */
il_status il_future_close(il_future *future);
/* ---- workers: tasks for the server's pools ------------------------------------------------ */

/*
 * A pool of the server runs functions in worker processes, written in any language, that the server
 * starts, watches over and replaces (PUT /v1/pools/{name}, or its configuration). il_workers is a handle to
 * one; the calls speak HTTP, also on a unix: domain, over its socket, with the part of the library that is
 * loaded at first use. A private: domain has no server: IL_EUNSUPPORTED.
 * Arguments and results are JSON texts in UTF-8. What happens before a submit happens before the function
 * runs, and what that does before its result is seen.
 */
typedef struct il_workers il_workers;
typedef struct il_task il_task;

/* States of a task; from IL_TASK_SUCCEEDED on it has ended. */
#define IL_TASK_QUEUED 1
#define IL_TASK_DELAYED 2
#define IL_TASK_RUNNING 3
#define IL_TASK_SUCCEEDED 4
#define IL_TASK_FAILED 5 /* its function failed */
#define IL_TASK_CANCELLED                                                                          \
    6 /* il_task_cancel(), the pool's end, a function that stopped when asked to */
#define IL_TASK_TIMED_OUT 7 /* its time limit, its deadline */
#define IL_TASK_LOST 8      /* its worker died */

#define IL_TASK_EXPLICIT 1u /* flags: 0 in the options means 0, not the pool's default */

typedef struct il_task_options {
    uint32_t struct_bytes;
    uint32_t flags;   /* IL_TASK_EXPLICIT */
    int32_t priority; /* -100 to 100, higher goes first */
    uint32_t
        retries; /* further attempts after a failure, a time limit, a worker's death; to 1000 */
    int64_t delay_ns;       /* before the first attempt */
    int64_t deadline_ns;    /* from the submission until it must have ended; 0: none */
    int64_t time_limit_ns;  /* of one attempt; 0: none */
    int64_t backoff_ns;     /* before the first retry, doubled with each */
    int64_t backoff_max_ns; /* at most */
    int64_t keep_ns;        /* how long the server keeps the task after its end */
} il_task_options;

/* *OUT owned: il_workers_close(). IL_ENOTFOUND: the server has no such pool. IL_EUNSUPPORTED: a private:
 * domain, or the part that speaks HTTP is not installed. IL_ECONNECT, IL_EACCESS. */
il_status il_workers_open(il_domain *domain, const char *name, size_t name_bytes, il_workers **out);

/* Closes the handle only: the pool and its tasks stay, and tasks that were submitted by it may be used
 * further. NULL is allowed. */
il_status il_workers_close(il_workers *workers);

/* Asks for one call of FUNCTION. ARGS is a JSON array, NULL: []; KWARGS an object, NULL: {}; OPTIONS NULL:
 * the pool's defaults. All borrowed during the call. *TASK owned: il_task_close().
 * IL_EFUNCTION: the workers have none of that name. IL_ELIMIT: the pool takes no more for now. IL_ECLOSED.
 * IL_ENOTFOUND: the pool was deleted. IL_EINVAL, also for what is not JSON; IL_ETOOBIG. */
il_status il_workers_submit(il_workers *workers, const char *function, size_t function_bytes,
                            const char *args, size_t args_bytes, const char *kwargs,
                            size_t kwargs_bytes, const il_task_options *options, il_task **task);

/* Submits and waits in one request, or as many as the server's longest wait needs: *TASK, owned, has ended,
 * however it did, and il_task_result() and il_task_error() answer without another request.
 * IL_ETIMEOUT, IL_EINTR: it was cancelled, and there is no *TASK. Else as il_workers_submit(). */
il_status il_workers_apply(il_workers *workers, const char *function, size_t function_bytes,
                           const char *args, size_t args_bytes, const char *kwargs,
                           size_t kwargs_bytes, const il_task_options *options, int64_t timeout_ns,
                           il_task **task);

/* Waits until the task has ended, however it did. IL_OK, IL_ETIMEOUT, IL_EINTR; IL_ENOTFOUND: the server
 * does not keep it any longer. */
il_status il_task_wait(il_task *task, int64_t timeout_ns);

/* Waits as il_task_wait(); then the result, a JSON value, is in BUFFER of CAPACITY bytes, and *BYTES its
 * length. IL_ETOOBIG: *BYTES, against the rule for out parameters, tells the room it needs.
 * IL_EFAILED, IL_ECANCELLED, IL_ELOST: it ended so, and il_error_message() has the reason. IL_ETIMEOUT: the
 * wait ended, or the task timed out; il_task_state() tells which. */
il_status il_task_result(il_task *task, void *buffer, size_t capacity, size_t *bytes,
                         int64_t timeout_ns);

/* Why a task did not succeed: a JSON object with "type" and "message", and "traceback", "exit_code", "signal" or
 * more, where they are known. Waits as il_task_wait(), and returns as il_queue_get() does.
 * IL_ENOTFOUND: it succeeded. */
il_status il_task_error(il_task *task, void *buffer, size_t capacity, size_t *bytes,
                        int64_t timeout_ns);

/* IL_TASK_...; a glance. */
il_status il_task_state(il_task *task, uint32_t *state);

/* Asks it to end: one that has not begun has ended at the return, one that runs is told, and ended by
 * force after the pool's grace. Nothing if it has ended. */
il_status il_task_cancel(il_task *task);

/* Its number on the server, as in GET /v1/tasks/{id}. */
il_status il_task_id(il_task *task, uint64_t *id);

/* Closes the handle only: the task goes on. NULL is allowed. */
il_status il_task_close(il_task *task);

/* One argument of il_workers_map(). */
typedef struct il_map_item {
    const char *data; /* a JSON value */
    uint64_t bytes;
} il_map_item;

/* What came of one. */
typedef struct il_map_result {
    uint32_t struct_bytes;
    il_status status; /* IL_OK; IL_EFAILED, IL_ECANCELLED, IL_ETIMEOUT, IL_ELOST, ... */
    uint64_t index;   /* of the item */
    const char *data; /* the result, or the error as for il_task_error(); not ended by NUL */
    uint64_t bytes;
} il_map_result;

#define IL_MAP_STAR 1u    /* flags: each item is an array, the function's arguments */
#define IL_MAP_ORDERED 2u /* results come in the order of the items, not in that of their ends */
#define IL_MAP_HTTP 4u    /* over HTTP, also where the lane could be taken */

#define IL_MAP_ITEMS_MAX 16777216u

typedef struct il_map_options {
    uint32_t struct_bytes;
    uint32_t flags;              /* IL_MAP_... */
    uint32_t chunk;              /* items that a worker is handed at once; 0: by their number */
    uint32_t kwargs_bytes;       /* of KWARGS */
    const char *kwargs;          /* a JSON object for each call; NULL: {} */
    const il_task_options *task; /* of each item; NULL: the pool's defaults */
} il_map_options;

/* Told each result, once, in the thread that called il_workers_map(), while that has not returned. RESULT and
 * what it points to are borrowed during the call. Not 0: enough, the rest is cancelled. It may use every
 * Interlock call but on WORKERS. */
typedef int32_t (*il_map_each)(void *context, const il_map_result *result);

/*
 * Calls FUNCTION for each of ITEMS[0..COUNT) and tells EACH (may be NULL) what came of it, waiting at most
 * TIMEOUT_NS. IL_OK: all succeeded. Else the status of the first item, by index, that did not; all others
 * were told nonetheless. IL_ETIMEOUT and IL_EINTR (the rest was cancelled), IL_ECANCELLED (EACH said so), and
 * failures of the whole (IL_ECONNECT, IL_ENOTFOUND, IL_EFUNCTION, IL_ECLOSED, ...): not all were told.
 *
 * On a unix: domain whose pool has workers for it (those of C modules), items and results go through two
 * queues of the arena: the lane, several times as fast as anything else. It is taken unless a chunk above 1,
 * IL_MAP_HTTP, a delay, a deadline, a time limit, a priority or a backoff is asked for. The items are then not
 * tasks of their own; each worker has one task, `interlock.lane`, for as long as the map lasts, and takes
 * one item at a time. One that dies costs the attempt it was at, which counts against its item's retries;
 * an item at which three workers died is IL_ELOST whatever retries are left.
 */
il_status il_workers_map(il_workers *workers, const char *function, size_t function_bytes,
                         const il_map_item *items, size_t count, const il_map_options *options,
                         il_map_each each, void *context, int64_t timeout_ns);

#ifdef __cplusplus
}
#endif

#include "interlock_data.h"

#endif /* INTERLOCK_H */
