/*
 * lane.c - see lane.h; base/lane.h is what this process and the workers say to each other.
 *
 * A map takes rounds, mostly one. In each, the items that are still to be done go into a queue of the
 * round's own, and each worker is asked for a call of the lane. Results come through the results' queue;
 * `item.state` sees to it that each is told once:
 *
 *   WAITING ── put into the round's queue ──▶ SENT ── its result comes ──▶ TOLD
 *      ▲                                       │
 *      └── the round is over, or it failed ────┘   and it may be tried again
 *
 * A round ends when something came of all its items, or when no call of the lane is left: each has ended, and
 * with it the worker that ran it, as the server says. So nothing can come any more. What is then
 * still in the round's queue was taken by nobody and costs nothing; what is neither there nor answered
 * was in the hands of a worker as that died.
 *
 * The calls of the lane are tasks with retries: a worker that died is replaced, and the new one goes on
 * with the same queue. While the client waits in vain it looks at those tasks, more and more seldom.
 */
#include "lib/lane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/lane.h"
#include "base/out.h"

#define BATCH 64u          /* messages that are put or taken together */
#define HELD 1024u         /* messages in each queue */
#define LANES_MOST 256u    /* workers */
#define DEATHS_MOST 3u     /* of workers, that one item may cost */
#define LANE_RETRIES 1000u /* of a call of the lane, on another worker */
#define KEEP_NS INT64_C(10000000000)
#define LOOK_FIRST_NS                                                                              \
    INT64_C(20000000) /* how long nothing comes until the lane's calls are looked at */
#define LOOK_MOST_NS INT64_C(1000000000)
#define ROOM_FIRST ((size_t)256 * 1024)

enum { WAITING, SENT, TOLD };

struct item {
    uint16_t attempts; /* that were made */
    uint8_t deaths;    /* of workers, with this item in hand */
    uint8_t state;
};

/* A result that came before its turn. */
struct early {
    il_status status;
    uint64_t bytes;
    char data[];
};

struct call {
    struct ili_remote_task *task;
    bool ended;
};

struct lane {
    struct il_workers *workers;
    const struct ili_remote_map *map;
    uint32_t retries;
    int64_t deadline_ns;
    char name[ILI_LANE_NAME_BYTES];
    il_lock *lock;
    il_queue *items, *results;
    struct call calls[LANES_MOST]; /* of this round */
    uint32_t call_count, calls_wanted;
    bool cancelled; /* a call of the lane, by somebody else */
    uint32_t round;
    struct item *item;   /* by index */
    uint32_t *rest;      /* the round's items, by rising index */
    size_t rest_count;   /* how many, */
    size_t put;          /* of which so many are in the queue, or were, */
    size_t unanswered;   /* of which nothing came of so many */
    char *room, *outbox; /* for what is taken, and what is put */
    size_t room_bytes, outbox_bytes;
    struct early **early; /* by index, if results are told in order; NULL: as they come */
    size_t turn;          /* the next index to be told, then */
    bool enough;          /* the caller's function said so */
};

static il_status no_memory(void) { return ili_fail(IL_ENOMEM, "this process has no memory"); }

/* ---- telling ------------------------------------------------------------------------------------ */

static void tell_now(struct lane *lane, size_t index, il_status status, const char *data,
                     uint64_t bytes) {
    const struct ili_remote_map *map = lane->map;
    il_map_result result = {.struct_bytes = sizeof result,
                            .status = status,
                            .index = index,
                            .data = data,
                            .bytes = bytes};
    if (map->each(map->context, &result) != 0) lane->enough = true;
}

/* Keeps what came before its turn, and tells what is due. */
static il_status tell_in_order(struct lane *lane, size_t index, il_status status, const char *data,
                               uint64_t bytes) {
    if (index == lane->turn) {
        lane->turn++;
        tell_now(lane, index, status, data, bytes);
    } else {
        struct early *one = malloc(sizeof *one + bytes);
        if (!one) return no_memory();
        one->status = status;
        one->bytes = bytes;
        memcpy(one->data, data, bytes);
        lane->early[index] = one;
    }
    while (!lane->enough && lane->turn < lane->map->count && lane->early[lane->turn]) {
        struct early *one = lane->early[lane->turn];
        tell_now(lane, lane->turn, one->status, one->data, one->bytes);
        lane->early[lane->turn++] = NULL;
        free(one);
    }
    return IL_OK;
}

static il_status tell(struct lane *lane, size_t index, il_status status, const char *data,
                      uint64_t bytes) {
    lane->item[index].state = TOLD;
    if (lane->early) return tell_in_order(lane, index, status, data, bytes);
    tell_now(lane, index, status, data, bytes);
    return IL_OK;
}

/* ---- calls of the lane -------------------------------------------------------------------------- */

static void write_arguments(const struct lane *lane, struct ili_out *out) {
    const struct ili_remote_work *work = &lane->map->work;
    ili_out_open(out, '{');
    ili_out_key(out, "name");
    ili_out_string(out, lane->name);
    ili_out_key(out, "round");
    ili_out_number(out, lane->round);
    ili_out_key(out, "function");
    ili_out_text(out, work->function, work->function_bytes);
    ili_out_key(out, "star");
    ili_out_bool(out, lane->map->flags & IL_MAP_STAR);
    ili_out_key(out, "kwargs");
    ili_out_json(out, work->kwargs ? work->kwargs : "{}", work->kwargs ? work->kwargs_bytes : 2);
    ili_out_close(out, '}');
}

/* Asks for a call by each worker. */
static il_status call_workers(struct lane *lane) {
    struct ili_out arguments = {0};
    il_status status = IL_OK;
    il_task_options options = {.struct_bytes = sizeof options,
                               .flags = IL_TASK_EXPLICIT,
                               .retries = LANE_RETRIES,
                               .keep_ns = KEEP_NS};
    uint32_t wanted = lane->calls_wanted;
    if (lane->rest_count < wanted) wanted = (uint32_t)lane->rest_count;
    write_arguments(lane, &arguments);
    if (arguments.failed) status = no_memory();
    struct ili_remote_work work = {.function = ILI_LANE_FUNCTION,
                                   .function_bytes = strlen(ILI_LANE_FUNCTION),
                                   .kwargs = arguments.data,
                                   .kwargs_bytes = arguments.bytes,
                                   .options = &options};
    for (lane->call_count = 0; status == IL_OK && lane->call_count < wanted;) {
        struct call *call = &lane->calls[lane->call_count];
        *call = (struct call){0};
        status = lane->workers->ops->workers_submit(lane->workers->remote, &work, &call->task);
        if (status == IL_OK) lane->call_count++;
    }
    ili_out_free(&arguments);
    return status;
}

/* Whether CALL has ended. One that has not begun, and finds nothing to do, is not waited for. */
static il_status look_at(struct lane *lane, struct call *call, bool nothing_left) {
    const struct ili_remote_ops *ops = lane->workers->ops;
    uint32_t state = 0;
    bool withdrawn = false;
    il_status status = ops->task_state(call->task, &state);
    bool waits = state == IL_TASK_QUEUED || state == IL_TASK_DELAYED;
    if (status == IL_OK && waits && nothing_left) {
        withdrawn = true;
        status = ops->task_cancel(call->task);
        if (status == IL_OK) status = ops->task_state(call->task, &state);
    }
    if (status == IL_ENOTFOUND) state = IL_TASK_SUCCEEDED; /* so long ago that it is forgotten */
    if (status != IL_OK && status != IL_ENOTFOUND) return status;
    call->ended = state >= IL_TASK_SUCCEEDED;
    if (state == IL_TASK_CANCELLED && !withdrawn) lane->cancelled = true;
    return IL_OK;
}

/* *OVER: no call is left. */
static il_status look_at_calls(struct lane *lane, bool *over) {
    uint64_t left = 1;
    il_status status = il_queue_size(lane->items, &left);
    bool nothing_left = lane->put == lane->rest_count && left == 0;
    *over = status == IL_OK;
    for (uint32_t i = 0; i < lane->call_count && status == IL_OK; i++) {
        if (!lane->calls[i].ended) status = look_at(lane, &lane->calls[i], nothing_left);
        *over &= lane->calls[i].ended;
    }
    return status;
}

/* Lets go of the round's calls. What has not begun is cancelled; what runs ends by itself, since it finds
 * the queue closed or gone, unless it is to be STOPPED at once. */
static void leave_calls(struct lane *lane, bool stopped) {
    const struct ili_remote_ops *ops = lane->workers->ops;
    for (uint32_t i = 0; i < lane->call_count; i++) {
        struct call *call = &lane->calls[i];
        uint32_t state = IL_TASK_QUEUED;
        if (!call->ended && !stopped && ops->task_state(call->task, &state) != IL_OK) {
            state = IL_TASK_SUCCEEDED;
        }
        bool cancels = stopped || state == IL_TASK_QUEUED || state == IL_TASK_DELAYED;
        if (!call->ended && cancels) (void)ops->task_cancel(call->task);
        (void)ops->task_close(call->task);
    }
    lane->call_count = 0;
}

/* ---- the queues --------------------------------------------------------------------------------- */

static il_status open_queue(struct lane *lane, const char *which, il_queue **out) {
    char name[ILI_LANE_NAME_BYTES];
    il_queue_options options = {.struct_bytes = sizeof options, .maxsize = HELD};
    size_t bytes = ili_lane_queue(name, lane->name, which, lane->round);
    return il_queue_open(lane->workers->domain, name, bytes, &options, out);
}

static void drop_queue(struct lane *lane, const char *which, il_queue **queue) {
    char name[ILI_LANE_NAME_BYTES];
    if (!*queue) return;
    size_t bytes = ili_lane_queue(name, lane->name, which, lane->round);
    (void)il_queue_delete(lane->workers->domain, name, bytes);
    (void)il_queue_close(*queue);
    *queue = NULL;
}

/* Writes item INDEX, with its head, into the outbox at AT. False: there is no memory. */
static bool write_item(struct lane *lane, size_t at, uint32_t index, il_message *message) {
    const il_map_item *item = &lane->map->items[index];
    struct ili_lane_head head = {.index = index};
    size_t bytes = sizeof head + item->bytes;
    if (at + bytes > lane->outbox_bytes) { /* only for the first one, see write_batch() */
        char *more = realloc(lane->outbox, bytes);
        if (!more) return false;
        lane->outbox = more;
        lane->outbox_bytes = bytes;
    }
    memcpy(lane->outbox + at, &head, sizeof head);
    memcpy(lane->outbox + at + sizeof head, item->data, item->bytes);
    *message = (il_message){lane->outbox + at, bytes, IL_BYTES, 0};
    return true;
}

/* The next items: as many as fit into the outbox, one at least. 0: there is no memory. */
static size_t write_batch(struct lane *lane, il_message messages[BATCH]) {
    size_t count = 0, at = 0;
    while (count < BATCH && lane->put + count < lane->rest_count) {
        uint32_t index = lane->rest[lane->put + count];
        size_t bytes = sizeof(struct ili_lane_head) + lane->map->items[index].bytes;
        if (count && at + bytes > lane->outbox_bytes) break;
        if (!write_item(lane, at, index, &messages[count])) return 0;
        at += bytes;
        count++;
    }
    return count;
}

/* Puts what there is room for, and closes the queue behind the last item. */
static il_status feed(struct lane *lane) {
    il_message messages[BATCH];
    il_status status = IL_OK;
    while (status == IL_OK && lane->put < lane->rest_count) {
        size_t count = write_batch(lane, messages), done = 0;
        if (!count) return no_memory();
        status = il_queue_put_many(lane->items, messages, count, &done, IL_NOWAIT);
        for (size_t i = 0; i < done; i++) lane->item[lane->rest[lane->put + i]].state = SENT;
        lane->put += done;
        lane->unanswered += done;
        if (lane->put == lane->rest_count) status = il_queue_shut(lane->items);
    }
    /* no room in the queue, or in the arena: it comes as workers take what is there */
    bool room_comes = lane->unanswered > 0 && (status == IL_ETIMEOUT || status == IL_ENOMEM);
    return room_comes ? IL_OK : status;
}

/* Whether an item that failed may be tried again; it costs an attempt. */
static bool again(const struct lane *lane, struct item *item) {
    item->attempts++;
    return item->attempts <= lane->retries;
}

static il_status receive(struct lane *lane, const il_message *message) {
    struct ili_lane_head head;
    if (message->bytes < sizeof head) return IL_OK; /* not of a worker of ours */
    memcpy(&head, message->data, sizeof head);
    if (head.index >= lane->map->count || lane->item[head.index].state != SENT) return IL_OK;
    struct item *item = &lane->item[head.index];
    lane->unanswered--;
    bool final = head.status != IL_EFAILED || (head.flags & ILI_LANE_FINAL);
    if (!final && again(lane, item)) {
        item->state = WAITING;
        return IL_OK;
    }
    return tell(lane, head.index, head.status, (const char *)message->data + sizeof head,
                message->bytes - sizeof head);
}

/* Takes results, waiting until UNTIL_NS for the first. IL_ETIMEOUT: there are none. */
static il_status collect(struct lane *lane, int64_t until_ns) {
    il_message messages[BATCH];
    size_t done = 0;
    int64_t left = until_ns - ili_now_ns();
    il_status status = il_queue_get_many(lane->results, lane->room, lane->room_bytes, messages,
                                         BATCH, &done, left > 0 ? left : IL_NOWAIT);
    if (status == IL_ETOOBIG) {
        char *more = realloc(lane->room, done);
        if (!more) return no_memory();
        lane->room = more;
        lane->room_bytes = done;
        return IL_OK; /* the next time it fits */
    }
    for (size_t i = 0; i < done && status == IL_OK && !lane->enough; i++) {
        status = receive(lane, &messages[i]);
    }
    return status;
}

/* Everything that lies in the results' queue. */
static il_status collect_rest(struct lane *lane) {
    il_status status = IL_OK;
    while (status == IL_OK && !lane->enough) status = collect(lane, 0);
    return status == IL_ETIMEOUT ? IL_OK : status;
}

/* ---- a round ------------------------------------------------------------------------------------ */

static void plan(struct lane *lane) {
    lane->rest_count = lane->put = lane->unanswered = 0;
    for (size_t i = 0; i < lane->map->count; i++) {
        if (lane->item[i].state == WAITING) lane->rest[lane->rest_count++] = (uint32_t)i;
    }
}

/* Puts and takes until something came of every item, or *OVER: no call of the lane is left. */
static il_status exchange(struct lane *lane, bool *over) {
    int64_t patience = LOOK_FIRST_NS;
    *over = false;
    while (lane->put < lane->rest_count || lane->unanswered > 0) {
        il_status status = feed(lane);
        if (status != IL_OK) return status;
        int64_t look_at_ns = ili_deadline_in(patience);
        bool last = lane->deadline_ns <= look_at_ns;
        status = collect(lane, last ? lane->deadline_ns : look_at_ns);
        if (lane->enough) return IL_OK;
        if (status == IL_OK) {
            patience = LOOK_FIRST_NS;
            continue;
        }
        if (status != IL_ETIMEOUT || last) return status;
        status = look_at_calls(lane, over);
        if (status != IL_OK) return status;
        if (*over) return collect_rest(lane);
        patience = patience * 2 < LOOK_MOST_NS ? patience * 2 : LOOK_MOST_NS;
    }
    return IL_OK;
}

/* What is still in the queue of a round that is over was taken by nobody. *LEFT: how many. */
static il_status take_back(struct lane *lane, size_t *left) {
    il_message message;
    struct ili_lane_head head;
    il_status status;
    *left = lane->rest_count - lane->put;
    do {
        size_t done = 0;
        status = il_queue_get_many(lane->items, lane->room, lane->room_bytes, &message, 1, &done,
                                   IL_NOWAIT);
        if (status == IL_ETOOBIG) {
            char *more = realloc(lane->room, done);
            if (!more) return no_memory();
            lane->room = more;
            lane->room_bytes = done;
            status = IL_OK;
        } else if (status == IL_OK && message.bytes >= sizeof head) {
            memcpy(&head, message.data, sizeof head);
            if (head.index >= lane->map->count || lane->item[head.index].state != SENT) continue;
            lane->item[head.index].state = WAITING;
            (*left)++;
        }
    } while (status == IL_OK);
    return status == IL_ETIMEOUT || status == IL_ECLOSED ? IL_OK : status;
}

/* Those that are neither answered nor taken back were lost with their workers. */
static il_status mourn(struct lane *lane) {
    static const char error[] =
        "{\"type\":\"WorkerDied\",\"message\":\"the worker died as it ran the "
        "function for this item\"}";
    il_status status = IL_OK;
    for (size_t i = 0; i < lane->rest_count && status == IL_OK && !lane->enough; i++) {
        uint32_t index = lane->rest[i];
        struct item *item = &lane->item[index];
        if (item->state != SENT) continue;
        item->state = WAITING;
        item->deaths++;
        if (!again(lane, item) || item->deaths >= DEATHS_MOST) {
            status = tell(lane, index, IL_ELOST, error, sizeof error - 1);
        }
    }
    return status;
}

/* Somebody cancelled the calls of the lane: what is not done will not be. */
static il_status give_up(struct lane *lane) {
    static const char error[] = "{\"type\":\"Cancelled\",\"message\":\"it was cancelled\"}";
    il_status status = IL_OK;
    for (size_t i = 0; i < lane->rest_count && status == IL_OK && !lane->enough; i++) {
        if (lane->item[lane->rest[i]].state == TOLD) continue;
        status = tell(lane, lane->rest[i], IL_ECANCELLED, error, sizeof error - 1);
    }
    return status;
}

/* ---- by HTTP after all -------------------------------------------------------------------------- */

/* Result I of a map over what was left is that of item rest[I]. */
static int32_t tell_left(void *context, const il_map_result *result) {
    struct lane *lane = context;
    if (result->index >= lane->rest_count) return 0;
    uint32_t index = lane->rest[result->index];
    il_status status = tell(lane, index, result->status, result->data, result->bytes);
    return status != IL_OK || lane->enough;
}

/* No worker took a single item, so they do not take this lane. */
static il_status do_without(struct lane *lane) {
    struct ili_remote_map left = *lane->map;
    plan(lane);
    if (lane->rest_count == 0) return IL_OK;
    il_map_item *items = calloc(lane->rest_count, sizeof *items);
    if (!items) return no_memory();
    for (size_t i = 0; i < lane->rest_count; i++) items[i] = lane->map->items[lane->rest[i]];
    left.items = items;
    left.count = lane->rest_count;
    left.flags &= ~IL_MAP_ORDERED; /* that is seen to here */
    left.each = tell_left;
    left.context = lane;
    int64_t wait_ns = IL_FOREVER;
    if (lane->deadline_ns != ILI_NEVER) {
        wait_ns = lane->deadline_ns - ili_now_ns();
        if (wait_ns < 0) wait_ns = 0;
    }
    il_status status = lane->workers->ops->workers_map(lane->workers->remote, &left, wait_ns);
    free(items);
    return status;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

/* *DONE: everything was told. */
static il_status run_round(struct lane *lane, bool *done) {
    bool over = false;
    size_t left = 0;
    plan(lane);
    *done = lane->rest_count == 0;
    if (*done) return IL_OK;
    lane->cancelled = false;
    il_status status = open_queue(lane, ILI_LANE_ITEMS, &lane->items);
    if (status == IL_OK) status = open_queue(lane, ILI_LANE_RESULTS, &lane->results);
    if (status == IL_OK) status = call_workers(lane);
    if (status == IL_OK) status = exchange(lane, &over);
    if (status == IL_OK && over) status = take_back(lane, &left);
    bool untouched = over && left == lane->rest_count;
    if (status == IL_OK && over && !untouched) status = mourn(lane);
    if (status == IL_OK && over && lane->cancelled && !lane->enough) status = give_up(lane);
    bool stopped = status != IL_OK || lane->enough;
    leave_calls(lane, stopped);
    drop_queue(lane, ILI_LANE_ITEMS, &lane->items);
    drop_queue(lane, ILI_LANE_RESULTS, &lane->results);
    lane->round++;
    if (stopped || !untouched || lane->cancelled) return status;
    *done = true;
    return do_without(lane);
}

static il_status name_lane(struct lane *lane) {
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return ili_fail(IL_ESYSTEM, "getrandom: %s", strerror(errno));
    }
    int at = snprintf(lane->name, sizeof lane->name, "%s", ILI_LANE_PREFIX);
    for (size_t i = 0; i < sizeof random; i++) {
        at += snprintf(lane->name + at, sizeof lane->name - (size_t)at, "%02x", random[i]);
    }
    return IL_OK;
}

static bool allocate(struct lane *lane) {
    size_t count = lane->map->count;
    bool ordered = lane->map->flags & IL_MAP_ORDERED;
    lane->item = calloc(count + 1, sizeof *lane->item);
    lane->rest = calloc(count + 1, sizeof *lane->rest);
    lane->room_bytes = lane->outbox_bytes = ROOM_FIRST;
    lane->room = malloc(lane->room_bytes);
    lane->outbox = malloc(lane->outbox_bytes);
    if (ordered) lane->early = calloc(count + 1, sizeof *lane->early);
    return lane->item && lane->rest && lane->room && lane->outbox && (!ordered || lane->early);
}

static il_status begin(struct lane *lane) {
    for (size_t i = 0; i < lane->map->count; i++) {
        if (lane->map->items[i].bytes <= IL_MESSAGE_MAX_BYTES - sizeof(struct ili_lane_head)) {
            continue;
        }
        return ili_fail(IL_ETOOBIG, "items[%zu]: it does not fit in a message of 16 MiB", i);
    }
    il_status status = name_lane(lane);
    if (status != IL_OK) return status;
    status = il_lock_open(lane->workers->domain, lane->name, strlen(lane->name), NULL, &lane->lock);
    return status == IL_OK ? il_lock_acquire(lane->lock, IL_NOWAIT, NULL) : status;
}

static void end(struct lane *lane) {
    if (lane->lock) {
        (void)il_lock_delete(lane->workers->domain, lane->name, strlen(lane->name));
        (void)il_lock_close(lane->lock);
    }
    for (size_t i = 0; lane->early && i < lane->map->count; i++) free(lane->early[i]);
    free(lane->early);
    free(lane->item);
    free(lane->rest);
    free(lane->room);
    free(lane->outbox);
}

il_status ili_lane_map(struct il_workers *workers, const struct ili_remote_map *map,
                       const struct ili_remote_lanes *lanes, int64_t timeout_ns) {
    struct lane *lane = calloc(1, sizeof *lane);
    if (!lane) return no_memory();
    const il_task_options *options = map->work.options;
    bool given = options && (options->retries || (options->flags & IL_TASK_EXPLICIT));
    lane->workers = workers;
    lane->map = map;
    lane->retries = given ? options->retries : lanes->retries;
    lane->calls_wanted = lanes->count < LANES_MOST ? lanes->count : LANES_MOST;
    lane->deadline_ns = timeout_ns < 0 ? ILI_NEVER : ili_deadline_in(timeout_ns);
    if (!allocate(lane)) {
        end(lane);
        free(lane);
        return no_memory();
    }
    bool done = false;
    il_status status = begin(lane);
    while (status == IL_OK && !done && !lane->enough) status = run_round(lane, &done);
    end(lane);
    if (lane->enough) {
        status = ili_fail(IL_ECANCELLED, "the caller's function said that it is enough");
    } else if (status == IL_ETIMEOUT) {
        status = ili_fail(status, "the rest of the map was cancelled");
    }
    free(lane);
    return status;
}
