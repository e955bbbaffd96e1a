#include "worker/lane.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json_check.h"
#include "base/lane.h"
#include "worker/run.h"

#define LOOK_NS INT64_C(200000000) /* how long to wait until the client is looked at again */
#define SHOW_NS INT64_C(100000000) /* between two reports of progress */
#define ROOM_FIRST ((size_t)4096)
#define BRACKETS 3 /* [, ] and NUL around an item */

static const struct worker_module *functions;
static const char *address;

/* The process's place in the server's arena: made by the first call, kept to the end. */
static pthread_mutex_t domain_lock = PTHREAD_MUTEX_INITIALIZER;
static il_domain *domain;

struct lane {
    struct worker_request *request; /* the lane's call; lent to the function, with an item in it */
    const char *name;
    uint32_t round;
    bool star;
    il_status (*function)(il_call *);
    il_lock *client; /* held for as long as it lives */
    il_queue *items, *results;
    struct worker_run run; /* of the function */
    char *room;            /* for an item: BRACKETS more than it can be */
    size_t room_bytes;
    char *outbox;
    size_t outbox_bytes;
    struct ili_out error;
    int64_t done;     /* items, */
    int64_t shown_ns; /* and when that was last told */
};

/* To a few milliseconds. */
static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool worker_lane_prepare(const struct worker_module *module) {
    functions = module;
    address = getenv("INTERLOCK_DOMAIN");
    if (address && !*address) address = NULL;
    return address != NULL;
}

static il_status attach(void) {
    il_status status = IL_OK;
    il_domain_options options = {.struct_bytes = sizeof options, .label = getenv("INTERLOCK_POOL")};
    pthread_mutex_lock(&domain_lock);
    if (!domain) status = il_domain_open(address, &options, &domain);
    pthread_mutex_unlock(&domain_lock);
    return status;
}

/* ---- the client --------------------------------------------------------------------------------- */

static bool client_lives(const struct lane *lane) {
    int32_t locked = 0;
    return il_lock_locked(lane->client, &locked) == IL_OK && locked;
}

static void delete_queue(const struct lane *lane, const char *which) {
    char name[ILI_LANE_NAME_BYTES];
    size_t bytes = ili_lane_queue(name, lane->name, which, lane->round);
    (void)il_queue_delete(domain, name, bytes);
}

/* Removes what a client that is gone has left; whoever comes first. */
static void clear_away(const struct lane *lane) {
    delete_queue(lane, ILI_LANE_ITEMS);
    delete_queue(lane, ILI_LANE_RESULTS);
    (void)il_lock_delete(domain, lane->name, strlen(lane->name));
}

static il_status open_queue(const struct lane *lane, const char *which, il_queue **out) {
    char name[ILI_LANE_NAME_BYTES];
    size_t bytes = ili_lane_queue(name, lane->name, which, lane->round);
    return il_queue_open(domain, name, bytes, NULL, out);
}

/* ---- an item ------------------------------------------------------------------------------------ */

/* Takes the next item: its text, in lane->room, behind a byte for a bracket. IL_ECLOSED: there is none. */
static il_status take(struct lane *lane, struct ili_lane_head *head, char **text, size_t *bytes) {
    for (;;) {
        size_t got = 0;
        il_status status =
            il_queue_get(lane->items, lane->room, lane->room_bytes - BRACKETS, &got, NULL, LOOK_NS);
        if (status == IL_ETOOBIG) {
            char *more = realloc(lane->room, got + BRACKETS);
            if (!more) return IL_ENOMEM;
            lane->room = more;
            lane->room_bytes = got + BRACKETS;
        } else if (status == IL_ETIMEOUT || status == IL_EINTR) {
            if (!client_lives(lane)) return IL_EGONE;
            if (atomic_load_explicit(&lane->request->cancelled, memory_order_relaxed)) {
                return IL_ECANCELLED;
            }
        } else if (status != IL_OK) {
            return status == IL_EDELETED ? IL_ECLOSED : status;
        } else if (got > sizeof *head) {
            memcpy(head, lane->room, sizeof *head);
            *text = lane->room + sizeof *head; /* there is room for a bracket before and behind */
            *bytes = got - sizeof *head;
            return IL_OK;
        }
    }
}

/* Calls the function for TEXT, of BYTES, as it came. */
static void call_function(struct lane *lane, char *text, size_t bytes) {
    struct worker_request *request = lane->request;
    if (!ili_json_check(text, bytes) || (lane->star && *text != '[')) {
        worker_run_refuse(&lane->run, WORKER_BAD_ARGUMENTS, "TypeError",
                          lane->star ? "the item is to be a JSON array" : "the item is not JSON");
        return;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\n' || text[i] == '\r') text[i] = ' '; /* as in a line of the socket */
    }
    if (!lane->star) {
        text[bytes++] = ']';
        *--text = '[';
        bytes++;
    }
    text[bytes] = 0;
    request->args = (struct ili_json_span){text, bytes};
    worker_run(&lane->run, lane->function, request);
}

/* What came of it, as JSON. */
static struct ili_json_span outcome(struct lane *lane) {
    const struct worker_run *run = &lane->run;
    struct ili_out *out = &lane->error;
    if (run->code == 0 && run->result.bytes == 0) return (struct ili_json_span){"null", 4};
    if (run->code == 0) return (struct ili_json_span){run->result.data, run->result.bytes};
    out->bytes = 0;
    ili_out_open(out, '{');
    ili_out_key(out, "type");
    ili_out_text(out, run->type.data ? run->type.data : "", run->type.bytes);
    ili_out_key(out, "message");
    ili_out_text(out, run->message.data ? run->message.data : "", run->message.bytes);
    ili_out_close(out, '}');
    if (out->failed) return (struct ili_json_span){"{}", 2};
    return (struct ili_json_span){out->data, out->bytes};
}

/* Puts the message in the outbox. IL_EGONE: nobody wants it any more. */
static il_status put(struct lane *lane, size_t bytes) {
    for (;;) {
        il_status status = il_queue_put(lane->results, lane->outbox, bytes, IL_BYTES, LOOK_NS);
        bool full = status == IL_ETIMEOUT || status == IL_ENOMEM || status == IL_EINTR;
        if (!full) return status == IL_EDELETED || status == IL_ECLOSED ? IL_EGONE : status;
        if (!client_lives(lane)) return IL_EGONE;
        /* until the client has taken something, the arena stays full */
        if (status == IL_ENOMEM) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static il_status answer(struct lane *lane, struct ili_lane_head *head) {
    struct ili_json_span text = outcome(lane);
    if (text.bytes > IL_MESSAGE_MAX_BYTES - sizeof *head) {
        worker_run_refuse(&lane->run, WORKER_BAD_ARGUMENTS, "ValueError",
                          "the result does not fit in a message of 16 MiB");
        text = outcome(lane);
    }
    const struct worker_run *run = &lane->run;
    bool in_vain = run->in_vain || run->code != WORKER_FAILED;
    size_t bytes = sizeof *head + text.bytes;
    if (bytes > lane->outbox_bytes) {
        char *more = realloc(lane->outbox, bytes);
        if (!more) return IL_ENOMEM;
        lane->outbox = more;
        lane->outbox_bytes = bytes;
    }
    head->status = run->code == 0                  ? IL_OK
                   : run->code == WORKER_CANCELLED ? IL_ECANCELLED
                                                   : IL_EFAILED;
    head->flags = run->code != 0 && in_vain ? ILI_LANE_FINAL : 0;
    memcpy(lane->outbox, head, sizeof *head);
    memcpy(lane->outbox + sizeof *head, text.at, text.bytes);
    return put(lane, bytes);
}

/* ---- the call of the lane ----------------------------------------------------------------------- */

/* For people, and a sign to the server that this worker gets something done. */
static void show_progress(struct lane *lane, il_call *call) {
    char number[24];
    int64_t now = now_ns();
    if (lane->done > 1 && now - lane->shown_ns < SHOW_NS) return;
    lane->shown_ns = now;
    int bytes = snprintf(number, sizeof number, "%lld", (long long)lane->done);
    (void)il_call_progress(call, number, (size_t)bytes);
}

/* IL_ECLOSED: all done. IL_EGONE: the client is. */
static il_status work(struct lane *lane, il_call *call) {
    struct ili_lane_head head;
    for (;;) {
        char *text;
        size_t bytes;
        if (atomic_load_explicit(&lane->request->cancelled, memory_order_relaxed)) {
            return IL_ECANCELLED;
        }
        if (!client_lives(lane)) return IL_EGONE;
        il_status status = take(lane, &head, &text, &bytes);
        if (status != IL_OK) return status;
        call_function(lane, text, bytes);
        fflush(stdout);
        status = answer(lane, &head);
        if (status != IL_OK) return status;
        lane->done++;
        show_progress(lane, call);
    }
}

static il_status no_progress(struct worker_run *run, const char *json, size_t bytes) {
    (void)run, (void)json, (void)bytes; /* an item is no task, it has none to show */
    return IL_OK;
}

static il_status read_arguments(il_call *call, struct lane *lane) {
    const char *text;
    size_t bytes;
    int64_t round;
    il_status status = il_call_named_text(call, "name", &lane->name, NULL);
    if (status == IL_OK) status = il_call_named_integer(call, "round", &round);
    if (status == IL_OK) status = il_call_named_text(call, "function", &text, NULL);
    if (status != IL_OK) return status;
    lane->round = (uint32_t)round;
    lane->function = worker_module_function(functions, text);
    lane->request->function = text;
    status = il_call_named(call, "star", &text, &bytes);
    if (status != IL_OK) return status;
    lane->star = *text == 't';
    status = il_call_named(call, "kwargs", &text, &bytes);
    if (status != IL_OK || *text != '{') return IL_EINVAL;
    lane->request->kwargs = (struct ili_json_span){text, bytes};
    return strncmp(lane->name, ILI_LANE_PREFIX, strlen(ILI_LANE_PREFIX)) == 0 ? IL_OK : IL_EINVAL;
}

static il_status open_all(struct lane *lane) {
    il_status status = attach();
    if (status == IL_OK) {
        status = il_lock_open(domain, lane->name, strlen(lane->name), NULL, &lane->client);
    }
    if (status == IL_OK && !client_lives(lane)) status = IL_EGONE;
    if (status == IL_OK) status = open_queue(lane, ILI_LANE_ITEMS, &lane->items);
    if (status == IL_OK) status = open_queue(lane, ILI_LANE_RESULTS, &lane->results);
    return status;
}

static void close_all(struct lane *lane) {
    (void)il_queue_close(lane->items);
    (void)il_queue_close(lane->results);
    (void)il_lock_close(lane->client);
    worker_run_end(&lane->run);
    ili_out_free(&lane->error);
    free(lane->outbox);
    free(lane->room);
}

static il_status run_lane(il_call *call) {
    struct worker_run *self = (struct worker_run *)(void *)call;
    struct lane lane = {.request = self->request, .run = {.report = no_progress}};
    char *kwargs = NULL;
    il_status status = read_arguments(call, &lane);
    if (status != IL_OK) return status;
    lane.room = malloc(ROOM_FIRST);
    lane.room_bytes = ROOM_FIRST;
    kwargs = strndup(lane.request->kwargs.at, lane.request->kwargs.bytes); /* to end with NUL */
    lane.request->kwargs.at = kwargs;
    status = lane.room && kwargs ? open_all(&lane) : IL_ENOMEM;
    if (status == IL_OK) status = work(&lane, call);
    /* whatever the end: what was opened here may have been made anew, behind a client that had cleared away */
    if (lane.client && !client_lives(&lane)) clear_away(&lane);
    close_all(&lane);
    free(kwargs);
    if (status == IL_ECLOSED || status == IL_EGONE) return il_call_return_integer(call, lane.done);
    if (status == IL_ECANCELLED) return status;
    return il_call_fail(call, il_status_name(status), il_error_message(), 0);
}

il_status (*worker_lane_function(const char *name))(il_call *) {
    return address && strcmp(name, ILI_LANE_FUNCTION) == 0 ? run_lane : NULL;
}
