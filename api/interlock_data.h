/*
 * interlock_data.h - pipes and shared data: pipe, value, array, dict, list, and watching what changes.
 *
 * A part of interlock.h, which includes it: include that. Its conventions hold here.
 *
 * All of it lives in the domain's arena: a process of the same host reads and writes it without asking
 * anybody, and one that is killed inside a call leaves what was before or what was to be, never a mixture.
 * What a caller gets is copied into a buffer of its own. Where a buffer is too small the call returns
 * IL_ETOOBIG, changes nothing, and tells, against the rule for out parameters, how many bytes it needs.
 */
#ifndef INTERLOCK_DATA_H
#define INTERLOCK_DATA_H

#ifndef INTERLOCK_H
#error "include <interlock.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- pipe --------------------------------------------------------------------------------- */

/*
 * Two ends, A and B (Python's multiprocessing.Pipe). Duplex: what is sent at one is received at the other, in
 * order. One-way: B sends and A receives. An end is claimed by the sessions that have it open; a session may
 * have it open several times, and several may share an end: each message is received once. When its last
 * session has closed it, or has died, the end is closed for good: the other side receives what is left,
 * then IL_EEOF, and its sends fail with IL_EPIPE. An end that nobody has claimed yet is not closed: who
 * sends to it, or waits for it, waits.
 * fork(): with a private domain the child has its parent's ends open too.
 * An http: domain claims with its session: once that has ended (the server did not hear of this process in
 * time), the handle's calls return IL_ESESSION.
 */

#define IL_PIPE_A 0
#define IL_PIPE_B 1

#define IL_PIPE_ONE_WAY 1u /* flag */

#define IL_PIPE_BYTES 1048576 /* the default of max_bytes */

typedef struct il_pipe il_pipe;

typedef struct il_pipe_options {
    uint32_t struct_bytes;
    uint32_t flags; /* 0: duplex; IL_PIPE_ONE_WAY */
    uint64_t
        max_bytes; /* that may wait in one direction; a send beyond waits. 0: IL_PIPE_BYTES. A message
                           that is longer is sent when nothing else is on its way */
} il_pipe_options;

/* Opens END of the pipe NAME, and claims it. IL_EPIPE: that end is closed for good. Others as
 * il_lock_open(). NAME must not be NULL: see il_pipe_open_pair(). */
il_status il_pipe_open(il_domain *domain, const char *name, size_t name_bytes,
                       const il_pipe_options *options, uint32_t end, il_pipe **out);
/* Both ends of a pipe without a name (private: and unix: domains). */
il_status il_pipe_open_pair(il_domain *domain, const il_pipe_options *options, il_pipe **a,
                            il_pipe **b);
/* Closes the handle; if it was the session's last one of this end, gives the claim up. NULL is allowed. */
il_status il_pipe_close(il_pipe *pipe);
il_status il_pipe_delete(il_domain *domain, const char *name, size_t name_bytes);

/* Sends one message of up to IL_MESSAGE_MAX_BYTES, waiting at most TIMEOUT_NS for room, behind those who wait
 * already. An empty message counts as one byte.
 * IL_EPIPE: the other end is closed. IL_EUNSUPPORTED: this end of a one-way pipe only receives. IL_ETIMEOUT,
 * IL_ETOOBIG, IL_ENOMEM, IL_EINVAL (text that is not UTF-8), IL_EINTR, IL_ECANCELLED, IL_EDELETED, IL_EGONE. */
il_status il_pipe_send(il_pipe *pipe, const void *data, size_t bytes, uint32_t type,
                       int64_t timeout_ns);
/* Receives one message, as il_queue_get() does. IL_EEOF: the other end is closed, and nothing is left. */
il_status il_pipe_receive(il_pipe *pipe, void *buffer, size_t capacity, size_t *bytes,
                          uint32_t *type, int64_t timeout_ns);
/* Waits until a receive would not: *READY 1 (a message, or the end of file), or 0 after TIMEOUT_NS. */
il_status il_pipe_poll(il_pipe *pipe, int64_t timeout_ns, int32_t *ready);

typedef struct il_pipe_info {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t flags;        /* IL_PIPE_ONE_WAY */
    uint32_t end;          /* of this handle */
    uint32_t claims[2];    /* how many sessions have each end */
    int32_t closed[2];     /* 1: that end is closed for good */
    uint32_t reserved;
    uint64_t waiting[2]; /* messages on their way to A, to B */
    uint64_t max_bytes;
} il_pipe_info;
il_status il_pipe_info_get(il_pipe *pipe, il_pipe_info *info);

/* ---- value and array ---------------------------------------------------------------------- */

/*
 * One number, or many of one type, or bytes or text of a fixed room. Each call on one element is atomic, and
 * sequentially consistent. Integers wrap around. What is loaded, stored and added is passed by address, as the
 * element's own C type; TYPE says which that is, and must be the object's: IL_ETYPE names both.
 */

#define IL_I8 1
#define IL_I16 2
#define IL_I32 3
#define IL_I64 4
#define IL_U8 5
#define IL_U16 6
#define IL_U32 7
#define IL_U64 8
#define IL_F32 9          /* float */
#define IL_F64 10         /* double */
#define IL_FIXED_BYTES 11 /* 0 to `room` bytes */
#define IL_FIXED_TEXT 12  /* the same, UTF-8 */

#define IL_ROOM_MAX_BYTES 65536

typedef struct il_value il_value;
typedef struct il_array il_array;

typedef struct il_value_options {
    uint32_t struct_bytes;
    uint32_t type;     /* IL_I8 ... IL_FIXED_TEXT */
    uint32_t room;     /* IL_FIXED_...: 1 to IL_ROOM_MAX_BYTES; else 0 */
    uint32_t reserved; /* 0 */
} il_value_options;

/* A new one is 0, or empty. OPTIONS NULL: one that exists, as it is; else an IL_I64. As il_lock_open(). */
il_status il_value_open(il_domain *domain, const char *name, size_t name_bytes,
                        const il_value_options *options, il_value **out);
il_status il_value_close(il_value *value); /* closes the handle; the value stays. NULL is allowed */
/* Its own lock goes with it. */
il_status il_value_delete(il_domain *domain, const char *name, size_t name_bytes);
/* *ROOM (may be NULL): bytes of an element. */
il_status il_value_type(il_value *value, uint32_t *type, uint32_t *room);

/* IL_ETYPE, IL_EDELETED, IL_EGONE, IL_EFORKED. */
il_status il_value_load(il_value *value, uint32_t type, void *out);
il_status il_value_store(il_value *value, uint32_t type, const void *in);
/* Numbers only. *BEFORE (may be NULL): what it was. */
il_status il_value_add(il_value *value, uint32_t type, const void *delta, void *before);
il_status il_value_exchange(il_value *value, uint32_t type, const void *in, void *before);
/* Stores DESIRED if the value is *EXPECTED: *SWAPPED 1. Else 0, and *EXPECTED is what it is. Floats are
 * compared by their bits. */
il_status il_value_compare_exchange(il_value *value, uint32_t type, void *expected,
                                    const void *desired, int32_t *swapped);

/* The same for IL_FIXED_BYTES and IL_FIXED_TEXT. IL_ETOOBIG: longer than its room, or than the buffer. */
il_status il_value_get(il_value *value, void *buffer, size_t capacity, size_t *bytes);
il_status il_value_set(il_value *value, const void *data, size_t bytes);
il_status il_value_compare_set(il_value *value, const void *expected, size_t expected_bytes,
                               const void *desired, size_t desired_bytes, int32_t *swapped);

/* The value's own lock (Python's Value(lock=True).get_lock()): an rlock that the value's other calls do not
 * care for, named "value:NAME" (IL_ETOOBIG if that is too long a name). *OUT is borrowed: it lives as long
 * as VALUE, and is not closed. */
il_status il_value_lock(il_value *value, il_rlock **out);

/* The live memory of a number (not over HTTP: IL_EUNSUPPORTED). It may be read and written as an _Atomic
 * object of the element's type by every process at once. Valid until the handle or the domain is closed; after
 * a delete, or when the server is gone, it is memory that nobody else sees. Watchers are not told of what is
 * written there. */
il_status il_value_memory(il_value *value, void **memory);

typedef struct il_array_options {
    uint32_t struct_bytes;
    uint32_t type;
    uint32_t room;
    uint32_t reserved; /* 0 */
    uint64_t length;   /* elements, 1 or more; all of it at most half of the arena */
} il_array_options;

/* OPTIONS NULL: one that exists (IL_ENOTFOUND). Else as il_value_open(). */
il_status il_array_open(il_domain *domain, const char *name, size_t name_bytes,
                        const il_array_options *options, il_array **out);
il_status il_array_close(il_array *array);
il_status il_array_delete(il_domain *domain, const char *name, size_t name_bytes);
il_status il_array_type(il_array *array, uint32_t *type, uint32_t *room);
il_status il_array_length(il_array *array, uint64_t *length);

/* As for a value. INDEX counts from 0, or below 0 from the end. IL_ERANGE: the message says the length. */
il_status il_array_load(il_array *array, int64_t index, uint32_t type, void *out);
il_status il_array_store(il_array *array, int64_t index, uint32_t type, const void *in);
il_status il_array_add(il_array *array, int64_t index, uint32_t type, const void *delta,
                       void *before);
il_status il_array_exchange(il_array *array, int64_t index, uint32_t type, const void *in,
                            void *before);
il_status il_array_compare_exchange(il_array *array, int64_t index, uint32_t type, void *expected,
                                    const void *desired, int32_t *swapped);
il_status il_array_get(il_array *array, int64_t index, void *buffer, size_t capacity,
                       size_t *bytes);
il_status il_array_set(il_array *array, int64_t index, const void *data, size_t bytes);
il_status il_array_compare_set(il_array *array, int64_t index, const void *expected,
                               size_t expected_bytes, const void *desired, size_t desired_bytes,
                               int32_t *swapped);
/* COUNT numbers from START on, in one call. Each element is atomic, all together are not: take the lock for
 * that. IL_ERANGE if not all lie within; then none is written. */
il_status il_array_read(il_array *array, int64_t start, uint64_t count, uint32_t type, void *out);
il_status il_array_write(il_array *array, int64_t start, uint64_t count, uint32_t type,
                         const void *in);
il_status il_array_lock(il_array *array, il_rlock **out); /* "array:NAME" */
/* As il_value_memory(): the first element; the others follow it without gaps. */
il_status il_array_memory(il_array *array, void **memory, uint64_t *bytes);

/* ---- dict --------------------------------------------------------------------------------- */

/*
 * Keys (0 to 1,024 bytes of UTF-8) with values that are bytes, text or JSON, as messages are, in the order in
 * which the keys were first set, as in Python. Every change gives the dict, and the entry, the next version,
 * a number from 1 that only grows. Every call is one step for all others to see, however many entries it
 * changes.
 */

#define IL_KEY_MAX_BYTES 1024
#define IL_ENTRIES_MAX 16777216

typedef struct il_dict il_dict;

/* Limits of a dict or list. Whoever would go beyond gets IL_EOVERFLOW, which names the limit, and nothing
 * changes. */
typedef struct il_data_options {
    uint32_t struct_bytes;
    uint32_t reserved;        /* 0 */
    uint64_t max_entries;     /* 0: IL_ENTRIES_MAX */
    uint64_t max_entry_bytes; /* of one value; 0: IL_MESSAGE_MAX_BYTES */
    uint64_t max_bytes;       /* of the arena; 0: half of it */
} il_data_options;

/* What is known of a value. */
typedef struct il_item {
    uint64_t bytes;
    uint64_t version;
    uint32_t type; /* IL_BYTES, IL_TEXT, IL_JSON */
    uint32_t reserved;
} il_item;

/* Versions that are asked for. */
#define IL_VERSION_ANY UINT64_MAX /* whatever it is, or is not */
#define IL_VERSION_NONE 0         /* the key must not be there */

il_status il_dict_open(il_domain *domain, const char *name, size_t name_bytes,
                       const il_data_options *options, il_dict **out);
il_status il_dict_close(il_dict *dict); /* closes the handle; the dict stays. NULL is allowed */
il_status il_dict_delete(il_domain *domain, const char *name, size_t name_bytes);

/* IL_ENOKEY: the key is not there. */
il_status il_dict_get(il_dict *dict, const char *key, size_t key_bytes, void *buffer,
                      size_t capacity, il_item *item);
/* *VERSION may be NULL; in: what the entry must have (IL_VERSION_ANY, IL_VERSION_NONE, or a version), out: what
 * it has now. IL_ECHANGED: it has another, which the message says. */
il_status il_dict_set(il_dict *dict, const char *key, size_t key_bytes, const void *data,
                      size_t bytes, uint32_t type, uint64_t *version);
/* As il_dict_get(); where the key is not there, DATA is set first: *CREATED (may be NULL) 1. */
il_status il_dict_set_default(il_dict *dict, const char *key, size_t key_bytes, const void *data,
                              size_t bytes, uint32_t type, void *buffer, size_t capacity,
                              il_item *item, int32_t *created);
/* Removes the key. VERSION: what it must have, or IL_VERSION_ANY. IL_ENOKEY, IL_ECHANGED. */
il_status il_dict_remove(il_dict *dict, const char *key, size_t key_bytes, uint64_t version);
/* Both in one. */
il_status il_dict_pop(il_dict *dict, const char *key, size_t key_bytes, void *buffer,
                      size_t capacity, il_item *item);

/* One entry in the caller's buffer: its key, then its value. */
typedef struct il_entry {
    const char *key;  /* into the buffer */
    const void *data; /* NULL where values were not asked for */
    uint64_t key_bytes;
    il_item item;
} il_entry;

/* Removes the entry whose key was set last of all. IL_ENOKEY: the dict is empty. IL_ETOOBIG:
 * entry->key_bytes + entry->item.bytes is what it needs. */
il_status il_dict_pop_item(il_dict *dict, void *buffer, size_t capacity, il_entry *entry);

il_status il_dict_contains(il_dict *dict, const char *key, size_t key_bytes, int32_t *found);
/* *VERSION (may be NULL): of the dict: of its newest change; 0: there was none. */
il_status il_dict_length(il_dict *dict, uint64_t *length, uint64_t *version);
il_status il_dict_clear(il_dict *dict);
/* Sets in INTO, of the same domain, all entries that DICT has at one moment. */
il_status il_dict_copy(il_dict *dict, il_dict *into);

/* One change of several. */
#define IL_CHANGE_SET 1
#define IL_CHANGE_REMOVE 2
#define IL_CHANGE_EXPECT 3 /* changes nothing: the entry must have `version` */

typedef struct il_dict_change {
    uint32_t what; /* IL_CHANGE_SET, _REMOVE, _EXPECT */
    uint32_t type; /* SET */
    const char *key;
    uint64_t key_bytes;
    const void *data; /* SET */
    uint64_t bytes;
    uint64_t version; /* what the entry must have before all changes, or IL_VERSION_ANY */
} il_dict_change;

/* Makes all of CHANGES, in order, or none: IL_ECHANGED and IL_ENOKEY (a REMOVE) name the change. *VERSION (may be
 * NULL): the dict's afterwards. At most 65,536 changes. */
il_status il_dict_update(il_dict *dict, const il_dict_change *changes, size_t count,
                         uint64_t *version);

/* Where a walk over a dict stands. All zero to begin. Each entry that is there throughout is seen once; one that
 * is set anew after it was removed is a new entry. */
typedef struct il_cursor {
    uint64_t after;    /* internal */
    uint64_t hint;     /* internal */
    uint32_t finished; /* 1: there is no more */
    uint32_t reserved; /* internal */
} il_cursor;

#define IL_KEYS 1u
#define IL_VALUES 2u

/* The next entries in order, at most COUNT and as many as fit into BUFFER; ENTRIES[0..*DONE). WHAT: IL_KEYS, or
 * IL_KEYS | IL_VALUES. IL_ETOOBIG: not even one fits; *DONE then tells the bytes it needs. */
il_status il_dict_items(il_dict *dict, il_cursor *cursor, uint32_t what, void *buffer,
                        size_t capacity, il_entry *entries, size_t count, size_t *done);

/* ---- list --------------------------------------------------------------------------------- */

/*
 * Values in an order, as in Python. Indexes below 0 count from the end. IL_ERANGE: there is no such index; the
 * message says the length. Versions as in a dict. Two values are equal if they are of one type and the same
 * bytes, or JSON that means the same (1 and 1.0 are equal, true and 1 are not).
 */

typedef struct il_list il_list;

il_status il_list_open(il_domain *domain, const char *name, size_t name_bytes,
                       const il_data_options *options, il_list **out);
il_status il_list_close(il_list *list);
il_status il_list_delete(il_domain *domain, const char *name, size_t name_bytes);

il_status il_list_append(il_list *list, const void *data, size_t bytes, uint32_t type);
il_status il_list_extend(il_list *list, const il_message *messages, size_t count);
/* Before INDEX; one beyond either end means that end, as in Python. */
il_status il_list_insert(il_list *list, int64_t index, const void *data, size_t bytes,
                         uint32_t type);
il_status il_list_get(il_list *list, int64_t index, void *buffer, size_t capacity, il_item *item);
/* *VERSION as for il_dict_set(). */
il_status il_list_set(il_list *list, int64_t index, const void *data, size_t bytes, uint32_t type,
                      uint64_t *version);
il_status il_list_remove_at(il_list *list, int64_t index, uint64_t version);
il_status il_list_pop(il_list *list, int64_t index, void *buffer, size_t capacity, il_item *item);

/* The first that equals DATA. IL_ENOKEY: there is none. */
il_status il_list_remove(il_list *list, const void *data, size_t bytes, uint32_t type);
/* From START to before STOP (INT64_MAX: the end). */
il_status il_list_index(il_list *list, const void *data, size_t bytes, uint32_t type, int64_t start,
                        int64_t stop, uint64_t *index);
il_status il_list_count(il_list *list, const void *data, size_t bytes, uint32_t type,
                        uint64_t *count);

il_status il_list_reverse(il_list *list);
#define IL_DESCENDING 1u
/* Stable. Numbers by size, text and JSON strings by code point, bytes by byte, JSON arrays element by element;
 * what cannot be compared (IL_ETYPE names both types) leaves the list as it was. */
il_status il_list_sort(il_list *list, uint32_t flags);
il_status il_list_clear(il_list *list);
il_status il_list_length(il_list *list, uint64_t *length, uint64_t *version);

/* The items from START to before STOP (clipped, as in Python; INT64_MAX: the end), at most COUNT and as many as
 * fit into BUFFER, which get `data` into it. ITEMS[i].data is NULL for none. *VERSION (may be NULL): of the list.
 * IL_ETOOBIG: not even one fits; *DONE then tells the bytes it needs. */
typedef struct il_list_item {
    const void *data;
    il_item item;
} il_list_item;
il_status il_list_slice(il_list *list, int64_t start, int64_t stop, void *buffer, size_t capacity,
                        il_list_item *items, size_t count, size_t *done, uint64_t *version);
/* Puts MESSAGES in the place of the items from START to before STOP (clipped); none: removes them. *VERSION as for
 * il_dict_set(), but the list's. */
il_status il_list_splice(il_list *list, int64_t start, int64_t stop, const il_message *messages,
                         size_t count, uint64_t *version);

/* ---- watching ----------------------------------------------------------------------------- */

/*
 * What changes in an object. Dicts and lists: every change, in order, from `after` on, the id of a change that was
 * seen (0: with the next one), so a watch that broke off can go on. One that has been watched keeps its newest
 * changes (64 KiB of them); a watcher that is slower gets one IL_CHANGED_MISSED, and then what is kept.
 * Values, queues and locks: only the newest state, each time it is another than the one that was told last; what was
 * in between is not told. Queues and locks are looked at every 20 ms, and over HTTP so are values. With an `after`
 * other than 0 the first state is told at once.
 * A watch is one thread's at a time.
 */

#define IL_CHANGED_SET 1      /* dict: key; list: index */
#define IL_CHANGED_REMOVED 2  /* dict: key; list: `count` items at index */
#define IL_CHANGED_INSERTED 3 /* list: `count` items before index */
#define IL_CHANGED_CLEARED 4
#define IL_CHANGED_ORDER 5 /* list: sorted or reversed */
#define IL_CHANGED_STATE 6 /* value: load it; queue: count is its length; lock: token, key, count */
#define IL_CHANGED_MISSED 7 /* changes were dropped: read the object anew */

typedef struct il_watch il_watch;

typedef struct il_changed {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t what;         /* IL_CHANGED_... */
    uint64_t id; /* of a dict or list: its version after the change; lock: its newest token */
    int64_t index;
    uint64_t count; /* queue: its length; lock: how many grants came and went that were not told */
    uint64_t token; /* lock: of the grant; 0: it is free */
    uint32_t key_bytes;
    int32_t
        more; /* 1: the next is of the same id: who breaks off here goes on after the id before */
    char key[IL_KEY_MAX_BYTES + 1]; /* ends with NUL; of a lock: its owner's label */
} il_changed;

/* KIND: IL_KIND_DICT, _LIST, _VALUE, _QUEUE, _LOCK, _RLOCK, and OBJECT such a handle, which stays open longer than
 * the watch. IL_EUNSUPPORTED: other kinds. *OUT owned: il_watch_close(). */
il_status il_watch_open(uint32_t kind, void *object, uint64_t after, il_watch **out);
/* Waits for the next change. IL_ETIMEOUT, IL_EINTR, IL_ECANCELLED, IL_EDELETED, IL_EGONE. */
il_status il_watch_next(il_watch *watch, il_changed *changed, int64_t timeout_ns);
il_status il_watch_close(il_watch *watch); /* NULL is allowed */

/* ---- handles for another process ----------------------------------------------------------------- */

/*
 * What an object of an arena is known by, with or without a name: plain numbers, to be passed to another
 * process of the same domain (one that was forked, one started with "inherited:", a client of the same server)
 * in any way. A ticket keeps nothing alive: the object must be open somewhere until it is adopted. Any
 * numbers are safe to be adopted.
 *
 *     il_ticket ticket;                                 here, of an anonymous queue
 *     il_share(IL_KIND_QUEUE, queue, &ticket);
 *
 *     void *queue;                                      there
 *     il_adopt(domain, &ticket, &queue);
 *     il_queue_put(queue, "x", 1, IL_BYTES, IL_NOWAIT);
 */
typedef struct il_ticket {
    uint64_t object, check;
    uint32_t kind; /* IL_KIND_... */
    uint32_t end;  /* of a pipe: IL_PIPE_A, IL_PIPE_B; else 0 */
} il_ticket;

/* Writes a ticket for OBJECT, a handle of KIND (an il_lock for IL_KIND_LOCK, ...).
 * IL_EUNSUPPORTED: an http: domain has none. IL_EDELETED, IL_EGONE, IL_EFORKED. */
il_status il_share(uint32_t kind, void *object, il_ticket *ticket);

/* Opens what TICKET was written for, *OUT a handle of its kind, owned as one that was opened by name: nothing
 * that the other process holds is held by it. A pipe's end is claimed by this session; a condition comes with its
 * lock, a value and an array with theirs.
 * IL_ENOTFOUND: the object is gone. IL_EDELETED: its name was deleted. IL_EINVAL: that is no ticket of this
 * domain. IL_EPIPE: that end is closed for good. IL_EUNSUPPORTED (http:), IL_ENOMEM, IL_EGONE, IL_EFORKED. */
il_status il_adopt(il_domain *domain, const il_ticket *ticket, void **out);

#ifdef __cplusplus
}
#endif

#endif
