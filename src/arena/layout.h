/*
 * layout.h - what lies where in an arena, and every struct that more than one process sees.
 *
 *   header | slots | chunk table | chunk bitmap | name directory | stripes | rung bitmap
 *   | bitmap of changed leases | losses | agents | leases | data chunks of 64 KiB …
 *
 * slot    a session: a process that takes part, or a client's over HTTP (0 is the server's, or that of
 *         whoever made a private domain)
 * agent   a thread that waits or changes structure, a waiter that the server parks for a client, or an
 *         owner that is no thread
 * stripe  a guard over a part of the name table
 *
 * Everything here is shared with processes that may die at any instruction or write nonsense:
 *   - offsets and indices are read once, into a local, and checked before use (ili_at, ili_agent_at);
 *   - an index of 0 means none, so indices are stored plus one;
 *   - sizes and places of the regions are copied at attach and never read again.
 * Fields are _Atomic where someone may read them without the guard, or where repair reads what a
 * dead process wrote. Those under a guard are accessed relaxed: the guard orders them.
 */
#ifndef ILI_ARENA_LAYOUT_H
#define ILI_ARENA_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* A place in the arena: bytes from its start; 0: none. Never a pointer, and no pointer is one. */
typedef uint64_t ili_off;

#define ILI_ARENA_MAGIC UINT64_C(0x316b636f6c726e49) /* "Inrlock1" */
#define ILI_CHUNK_BYTES 65536u
#define ILI_PIECE_CLASSES 16
#define ILI_STRIPES 64
#define ILI_SEGMENT_BUCKETS 512u /* a segment of the name directory is one 4 KiB block */
#define ILI_SLOTS_MAX 16384u
#define ILI_AGENTS_MAX 65536u
#define ILI_AGENTS_STEP 512u /* agents are committed so many at a time */
#define ILI_LEASES_MAX 1048576u
#define ILI_LEASES_STEP 1024u
#define ILI_LOSSES 512u
#define ILI_REASON_BYTES 88u /* of an operator's words, with the NUL */

/* ---- guard: see guard.h --------------------------------------------------------------------- */

struct ili_guard {
    _Atomic uint32_t word; /* 0 free; else agent index + 1, and ILI_GUARD_WAITED */
    uint32_t kind;         /* ILI_GUARD_…: which repair routine */
    /* What its holder is about to do, for repair; meaning by kind. intent[0] is 0 outside a change. */
    _Atomic uint64_t intent[3];
};
_Static_assert(sizeof(struct ili_guard) == 32, "shared layout");

enum ili_guard_kind {
    ILI_GUARD_ALLOC = 1,
    ILI_GUARD_NAMES,
    ILI_GUARD_LOCK,
    ILI_GUARD_QUEUE_HEAD,
    ILI_GUARD_QUEUE_TAIL,
    ILI_GUARD_RWLOCK,
    ILI_GUARD_SEMAPHORE,
    ILI_GUARD_EVENT,
    ILI_GUARD_CONDITION,
    ILI_GUARD_BARRIER,
    ILI_GUARD_LATCH,
    ILI_GUARD_PIPE,
    ILI_GUARD_CELLS,
    ILI_GUARD_DICT,
    ILI_GUARD_LIST,
};

/* ---- agent: see agent.h --------------------------------------------------------------------- */

#define ILI_AGENT_GUARDS 4
#define ILI_AGENT_PENDING 3

struct ili_agent {
    _Atomic uint32_t owner;  /* slot index + 1; 0: free. Claimed by one compare-and-swap */
    _Atomic uint32_t park;   /* futex word: ILI_PARK_… */
    _Atomic uint32_t waking; /* agent index + 1 that this agent is about to wake */
    _Atomic uint32_t flags;  /* ILI_AGENT_… */
    _Atomic ili_off held[ILI_AGENT_GUARDS];     /* guards it holds or is about to take */
    _Atomic ili_off pending[ILI_AGENT_PENDING]; /* blocks it owns that nothing else refers to */
    /* place in a wait queue */
    _Atomic ili_off
        wait_object; /* the object waited for, plus a small number that names the queue */
    _Atomic uint32_t next, prev; /* agent index + 1 */
    _Atomic int64_t since_ns;    /* monotonic: when the wait began */
    _Atomic uint64_t token;      /* of the grant, once park says granted; or another result */
    _Atomic uint32_t tid;        /* for people; 0 for a waiter parked for a client */
    _Atomic int32_t result; /* il_status of the wait, once park says granted: see sync/waiting.h */

    _Atomic uint32_t for_owner; /* agent index + 1 on whose behalf it waits; 0: its own */
    _Atomic uint32_t want;      /* what it waits for: permits, or ILI_WANT_… */
    _Atomic uint64_t turn;      /* grows with each of its waits: tells one from the next */
    _Atomic uint32_t hub;       /* ILI_AGENT_PROXY: agent index + 1 to be poked in its place */
    uint32_t reserved;
    uint64_t reserved2[7];
    char label[64]; /* for people: the thread's name, the client's owner key; may lack its NUL */
};
_Static_assert(sizeof(struct ili_agent) == 256, "four cache lines");

/* ---- slot: see member.h --------------------------------------------------------------------- */

enum ili_slot_state {
    ILI_SLOT_FREE = 0,
    ILI_SLOT_TAKEN, /* being filled in by whoever took it */
    ILI_SLOT_LIVE,
    ILI_SLOT_DEAD, /* its process is gone, repair is due or under way */
};

struct ili_slot {
    _Atomic uint32_t state;      /* enum ili_slot_state */
    _Atomic uint32_t generation; /* grows when the slot is given back */
    _Atomic uint32_t pid;
    _Atomic uint32_t uid;
    _Atomic uint64_t start_time; /* field 22 of /proc/PID/stat: tells a pid that was used again */
    _Atomic ili_off open_pages;  /* see open_table.h */
    int64_t since_seconds;       /* wall clock */
    char label[64];
    char command[64];
    _Atomic uint32_t flags; /* ILI_SLOT_… */
    _Atomic uint32_t home;  /* agent index + 1 that owns what no thread of it does; 0: none yet */
    uint64_t reserved[10];
};
#define ILI_SLOT_CLIENT 1u /* a session made over HTTP: no process, ended by the server */
_Static_assert(sizeof(struct ili_slot) == 256, "shared layout");

/* ---- chunk: see alloc.h --------------------------------------------------------------------- */

struct ili_chunk {
    _Atomic uint8_t state; /* enum ili_chunk_state */
    _Atomic uint8_t class; /* of its pieces */
    _Atomic uint8_t committed;
    uint8_t reserved;
    _Atomic uint32_t free;       /* pieces: how many are free; a run's head: its length in chunks */
    _Atomic uint32_t next, prev; /* chunk index + 1: chunks of this class with free pieces */
};
_Static_assert(sizeof(struct ili_chunk) == 16, "shared layout");

/* ---- object: see names.h -------------------------------------------------------------------- */

struct ili_object {
    uint32_t kind;            /* enum ili_kind_number */
    _Atomic uint32_t deleted; /* 1: the name is gone, or it never had one */
    uint64_t hash;
    _Atomic ili_off next;  /* in its bucket, by rising offset */
    _Atomic uint32_t refs; /* open handles, and one for the name */
    uint32_t name_at;      /* bytes from the object's start */
    uint32_t name_bytes;   /* 0: anonymous */
    uint32_t birth; /* number of the object in its arena: tells it from others at this place */
    int64_t created_seconds; /* wall clock */
    uint64_t reserved2[2];
};
_Static_assert(sizeof(struct ili_object) == 64, "shared layout");

struct ili_stripe {
    struct ili_guard guard;
    _Atomic uint64_t names; /* how many hang on its buckets */
    uint64_t reserved[3];
};
_Static_assert(sizeof(struct ili_stripe) == 64, "a cache line of its own");

/* ---- lease: see lease.h ---------------------------------------------------------------------- */

struct ili_lease {
    /* In the low half slot index + 1 of the holder, in the high half the grant's stamp once the fields
     * below are complete; 0: free. See lease.c */
    _Atomic uint64_t holder;
    _Atomic ili_off object; /* whose grant it is, by offset */
    _Atomic uint64_t token;
    _Atomic int64_t end_ns;      /* monotonic */
    _Atomic int64_t duration_ns; /* as last asked for */
    uint64_t reserved[3];
};
_Static_assert(sizeof(struct ili_lease) == 64, "a cache line");

/* ---- loss: see loss.h ------------------------------------------------------------------------ */

struct ili_loss {
    _Atomic uint64_t number; /* which loss of the domain it is, from 1; 0: being written, or none */
    _Atomic ili_off object;
    _Atomic uint64_t token;
    _Atomic uint32_t slot;       /* index + 1 of the holder */
    _Atomic uint32_t generation; /* of that slot */
    _Atomic int32_t why;         /* IL_ELEASE, IL_EREVOKED */
    uint32_t kind;               /* enum ili_kind_number */
    char reason[ILI_REASON_BYTES];
};
_Static_assert(sizeof(struct ili_loss) == 128, "two cache lines");

/* ---- header --------------------------------------------------------------------------------- */

struct ili_regions {
    uint32_t slots, agents, chunks, buckets, leases; /* how many */
    uint32_t reserved;
    ili_off slots_at, chunks_at, bitmap_at, directory_at, stripes_at, rung_at, changed_at,
        losses_at, agents_at, leases_at, data_at;
};

struct ili_header {
    uint64_t magic;
    uint64_t stamp; /* ili_layout_stamp() of the program that made the arena */
    uint64_t bytes;
    uint32_t served; /* 1: an interlockd is the keeper; 0: private */
    uint32_t reserved;
    struct ili_regions regions;
    uint64_t hash_key[2];

    /* a line each for what is written often */
    _Alignas(64) _Atomic uint64_t token_floor; /* no new object starts below it */
    _Atomic uint32_t keeper;                   /* slot index + 1 of the keeper; 0: none yet */
    _Atomic uint32_t doorbell;                 /* 1: rung and not yet heard */
    _Atomic uint32_t agents_committed;
    _Atomic uint32_t roster; /* grows whenever a slot becomes live: the keeper looks anew */
    _Atomic uint32_t leases_committed;
    _Atomic uint64_t losses;    /* how many there were: the next one's place in the ring */
    _Atomic uint32_t loss_bell; /* futex word: grows with each loss */
    _Atomic uint32_t births;    /* how many objects were made */

    _Alignas(64) struct ili_guard alloc;
    /* under alloc; all but what the chunk table says is rebuilt by repair */
    _Atomic uint32_t partial[ILI_PIECE_CLASSES]; /* chunk index + 1 */
    _Atomic uint32_t free_chunks;
    _Atomic uint32_t idle_chunks; /* free, but still committed */
    _Atomic uint32_t low_chunk;   /* no free chunk lies below */
    _Atomic uint32_t reserved3;
    _Atomic uint64_t free_piece_bytes;
};
_Static_assert(sizeof(struct ili_header) <= 4096, "the header is one page");

#endif
