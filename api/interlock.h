/*
 * interlock.h - named locks and queues shared by threads, processes, languages and machines.
 *
 * One set of calls, three kinds of domain:
 *   "private:"            an arena of this program and the children it forks; no server
 *   "unix:PATH"           the arena of an interlockd on this host: the same objects that curl sees,
 *                         at the cost of a few nanoseconds
 *   "http://HOST:PORT"    an interlockd anywhere, spoken to over HTTP
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
 *     where the other domains say IL_EDELETED (who waits is told there too). A lock held through it is
 *     renewed by a thread of the library; if the server refuses that, the next call says IL_ELEASE.
 *   - The calls are not async-signal-safe, except il_interrupt().
 *   - fork(): the child of a process with a private domain shares it and has a session of its own: it
 *     holds nothing of what its parent holds. In the child of a process attached to a server every
 *     call on the inherited handles returns IL_EFORKED until the child opens a domain itself.
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
#define IL_ABI_VERSION 1

/* 0, or one of the negative codes below. The codes never change their meaning. */
typedef int32_t il_status;

#define IL_OK 0
#define IL_EINVAL (-1)        /* an argument is not what the call expects; the message names it */
#define IL_ENOMEM (-2)        /* the domain's arena or this process has no memory left */
#define IL_ETIMEOUT (-3)      /* the wait ended without success */
#define IL_EBUSY (-4)         /* the object is being changed by a process that does not move */
#define IL_EINTR (-5)         /* il_interrupt() ended the wait */
#define IL_ENOTHELD (-6)      /* release or renew of what this session does not hold */
#define IL_ESTALE (-7)        /* the token is not that of the newest grant */
#define IL_EOWNERDEAD (-8)    /* granted, and the owner before died holding it */
#define IL_ELEASE (-9)        /* the grant's lease ran out before this call */
#define IL_ECONFLICT (-10)    /* the object exists with other options */
#define IL_ENOTFOUND (-11)    /* no such object */
#define IL_EDELETED (-12)     /* the object was deleted */
#define IL_ECLOSED (-13)      /* the queue or the domain is closed */
#define IL_ETOOBIG (-14)      /* a message or a name is too long, or a buffer too small */
#define IL_ELIMIT (-15)       /* a fixed limit of the domain is reached; the message names it */
#define IL_EGONE (-16)        /* the server went away: the domain is dead, open it anew */
#define IL_EFORKED (-17)      /* inherited through fork() from an attached process: open it anew */
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
typedef struct il_queue il_queue;

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

/* ---- domain ------------------------------------------------------------------------------- */

typedef struct il_domain_options {
    uint32_t struct_bytes; /* sizeof(il_domain_options): what lies beyond is default */
    uint32_t reserved;     /* 0 */
    uint64_t
        arena_bytes;   /* private: size of the arena's address space; 0: 1 GiB; 1 MiB to 64 GiB */
    const char *label; /* shown to people as the session's name; NULL: the program's name */
} il_domain_options;

/* Opens ADDRESS ("private:", "unix:PATH", "http://HOST:PORT"), *OUT owned: il_domain_close().
 * OPTIONS may be NULL. Opening "private:" twice makes two domains.
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

typedef struct il_lock_options {
    uint32_t struct_bytes;
    uint32_t flags; /* IL_LOCK_... */
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
 * IL_ENOTHELD: this session does not hold the lock. IL_ESTALE: it does, by a newer grant, or the
 * token is older than the newest grant. IL_EDELETED. */
il_status il_lock_release(il_lock *lock, uint64_t token);

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

#ifdef __cplusplus
}
#endif

#endif /* INTERLOCK_H */
