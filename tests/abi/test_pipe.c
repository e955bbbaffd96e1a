#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "support/doors.h"

#define MIB (1u << 20)

static il_pipe *open_end(struct door *door, const char *name, uint32_t end) {
    il_pipe *pipe = NULL;
    cr_assert_eq(il_pipe_open(door->domain, name, strlen(name), NULL, end, &pipe), IL_OK, "%s",
                 il_error_message());
    return pipe;
}

static il_pipe *open_with(struct door *door, const char *name, uint32_t flags, uint64_t max_bytes,
                          uint32_t end) {
    il_pipe_options options = {sizeof options, flags, max_bytes};
    il_pipe *pipe = NULL;
    cr_assert_eq(il_pipe_open(door->domain, name, strlen(name), &options, end, &pipe), IL_OK, "%s",
                 il_error_message());
    return pipe;
}

static il_status send_text(il_pipe *pipe, const char *text, double s) {
    return il_pipe_send(pipe, text, strlen(text), IL_TEXT, s < 0 ? IL_FOREVER : seconds(s));
}

/* Receives the text EXPECTED. */
static void expect(il_pipe *pipe, const char *expected, double s) {
    char room[64] = "";
    size_t bytes = 0;
    uint32_t type = 99;
    cr_assert_eq(il_pipe_receive(pipe, room, sizeof room - 1, &bytes, &type, seconds(s)), IL_OK,
                 "%s", il_error_message());
    cr_assert_eq(bytes, strlen(expected));
    cr_assert_eq(type, IL_TEXT);
    cr_assert_eq(memcmp(room, expected, bytes), 0, "%s", room);
}

/* A receive that does not get anything leaves its out parameters alone. */
static il_status receive_none(il_pipe *pipe, int64_t timeout_ns) {
    char room[8] = "before";
    size_t bytes = 77;
    uint32_t type = 77;
    il_status status = il_pipe_receive(pipe, room, sizeof room, &bytes, &type, timeout_ns);
    cr_assert_eq(bytes, 77);
    cr_assert_eq(type, 77);
    cr_assert_str_eq(room, "before");
    return status;
}

static il_pipe_info info_of(il_pipe *pipe) {
    il_pipe_info info = {.struct_bytes = sizeof info};
    cr_assert_eq(il_pipe_info_get(pipe, &info), IL_OK, "%s", il_error_message());
    return info;
}

static int32_t poll_for(il_pipe *pipe, double s) {
    int32_t ready = 99;
    cr_assert_eq(il_pipe_poll(pipe, seconds(s), &ready), IL_OK, "%s", il_error_message());
    return ready;
}

EACH_DOOR(abi_pipe, carries_messages_both_ways_in_order) {
    il_pipe *a = open_end(door, "it", IL_PIPE_A), *b = open_end(door, "it", IL_PIPE_B);
    cr_assert_eq(receive_none(a, IL_NOWAIT), IL_ETIMEOUT);
    cr_assert_eq(receive_none(b, IL_NOWAIT), IL_ETIMEOUT);
    cr_assert_eq(send_text(a, "one", 0), IL_OK);
    cr_assert_eq(send_text(a, "two", -1), IL_OK);
    cr_assert_eq(send_text(b, "back", 1), IL_OK);
    il_pipe_info info = info_of(b);
    cr_assert_eq(info.end, IL_PIPE_B);
    cr_assert_eq(info.flags, 0);
    cr_assert_eq(info.max_bytes, IL_PIPE_BYTES);
    cr_assert_eq(info.waiting[IL_PIPE_A], 1);
    cr_assert_eq(info.waiting[IL_PIPE_B], 2);
    expect(b, "one", 5);
    expect(b, "two", 0);
    expect(a, "back", 5);
    cr_assert_eq(receive_none(b, IL_NOWAIT), IL_ETIMEOUT);
    cr_assert_eq(il_pipe_send(a, "{\"x\":1}", 7, IL_JSON, 0), IL_OK);
    cr_assert_eq(il_pipe_send(a, "\xff", 1, IL_TEXT, 0), IL_EINVAL);
    cr_assert_eq(il_pipe_send(a, NULL, 0, IL_BYTES, 0), IL_OK);
    char room[16];
    size_t bytes;
    uint32_t type;
    cr_assert_eq(il_pipe_receive(b, room, 3, &bytes, &type, 0), IL_ETOOBIG);
    cr_assert_eq(bytes, 7);
    cr_assert_eq(il_pipe_receive(b, room, sizeof room, &bytes, &type, 0), IL_OK);
    cr_assert_eq(type, IL_JSON);
    cr_assert_eq(memcmp(room, "{\"x\":1}", 7), 0);
    cr_assert_eq(il_pipe_receive(b, NULL, 0, &bytes, NULL, 0), IL_OK);
    cr_assert_eq(bytes, 0);
    cr_assert_eq(il_pipe_close(a), IL_OK);
    cr_assert_eq(il_pipe_close(b), IL_OK);
}

EACH_DOOR(abi_pipe, closed_end_gives_end_of_file_and_broken_pipe) {
    il_pipe *a = open_end(door, "it", IL_PIPE_A), *again = open_end(door, "it", IL_PIPE_A);
    il_pipe *b = open_end(door, "it", IL_PIPE_B), *never = NULL;
    cr_assert_eq(send_text(a, "last", 0), IL_OK);
    cr_assert_eq(il_pipe_close(a), IL_OK);
    cr_assert_eq(info_of(b).claims[IL_PIPE_A], 1); /* the session has it open once more */
    cr_assert_eq(send_text(b, "heard by nobody", 0), IL_OK);
    cr_assert_eq(il_pipe_close(again), IL_OK);
    cr_assert_eq(info_of(b).claims[IL_PIPE_A], 0);
    cr_assert_eq(info_of(b).closed[IL_PIPE_A], 1);
    cr_assert_eq(info_of(b).closed[IL_PIPE_B], 0);
    cr_assert_eq(send_text(b, "x", -1), IL_EPIPE);
    SAYS("pipe");
    cr_assert_eq(poll_for(b, 0), 1);
    expect(b, "last", 0);
    cr_assert_eq(receive_none(b, IL_FOREVER), IL_EEOF);
    cr_assert_eq(receive_none(b, IL_NOWAIT), IL_EEOF);
    cr_assert_eq(poll_for(b, 5), 1);
    cr_assert_eq(il_pipe_open(door->domain, "it", 2, NULL, IL_PIPE_A, &never), IL_EPIPE);
    SAYS("end");
    cr_assert_null(never);
    cr_assert_eq(il_pipe_close(b), IL_OK);
    cr_assert_eq(il_pipe_delete(door->domain, "it", 2), IL_OK);
    b = open_end(door, "it", IL_PIPE_B); /* another pipe */
    cr_assert_eq(receive_none(b, IL_NOWAIT), IL_ETIMEOUT);
    il_pipe_close(b);
}

EACH_DOOR(abi_pipe, unclaimed_end_is_not_closed) {
    il_pipe *a = open_end(door, "it", IL_PIPE_A);
    cr_assert_eq(receive_none(a, IL_NOWAIT), IL_ETIMEOUT);
    cr_assert_eq(send_text(a, "early", 0), IL_OK);
    cr_assert_eq(info_of(a).claims[IL_PIPE_B], 0);
    cr_assert_eq(info_of(a).closed[IL_PIPE_B], 0);
    il_pipe *b = open_end(door, "it", IL_PIPE_B);
    expect(b, "early", 0);
    il_pipe_close(a);
    il_pipe_close(b);
}

EACH_DOOR(abi_pipe, one_way_only_goes_from_b_to_a) {
    il_pipe *a = open_with(door, "it", IL_PIPE_ONE_WAY, 0, IL_PIPE_A);
    il_pipe *b = open_with(door, "it", IL_PIPE_ONE_WAY, IL_PIPE_BYTES, IL_PIPE_B), *other = NULL;
    il_pipe_options options = {sizeof options, 0, 0};
    int32_t ready = 99;
    cr_assert_eq(il_pipe_open(door->domain, "it", 2, &options, IL_PIPE_A, &other), IL_ECONFLICT);
    cr_assert_eq(send_text(a, "x", 0), IL_EUNSUPPORTED);
    SAYS("one-way");
    cr_assert_eq(receive_none(b, 0), IL_EUNSUPPORTED);
    SAYS("one-way");
    cr_assert_eq(il_pipe_poll(b, 0, &ready), IL_EUNSUPPORTED);
    cr_assert_eq(ready, 99);
    cr_assert_eq(info_of(a).flags, IL_PIPE_ONE_WAY);
    cr_assert_eq(send_text(b, "hello", 0), IL_OK);
    il_pipe_close(b);
    expect(a, "hello", 0);
    cr_assert_eq(receive_none(a, IL_FOREVER), IL_EEOF);
    il_pipe_close(a);
}

EACH_DOOR(abi_pipe, carries_16_mib_and_no_more) {
    il_pipe *a = open_end(door, "it", IL_PIPE_A), *b = open_end(door, "it", IL_PIPE_B);
    char *data = malloc(IL_MESSAGE_MAX_BYTES + 1), *room = malloc(IL_MESSAGE_MAX_BYTES);
    for (size_t i = 0; i < IL_MESSAGE_MAX_BYTES; i++) data[i] = (char)(i * 7 + i / 251);
    size_t bytes = 0;
    cr_assert_eq(il_pipe_send(a, data, IL_MESSAGE_MAX_BYTES + 1, IL_BYTES, 0), IL_ETOOBIG);
    cr_assert_eq(il_pipe_send(a, data, IL_MESSAGE_MAX_BYTES, IL_BYTES, 0), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(send_text(a, "x", 0), IL_ETIMEOUT); /* the pipe is more than full */
    cr_assert_eq(il_pipe_receive(b, room, IL_MESSAGE_MAX_BYTES - 1, &bytes, NULL, 0), IL_ETOOBIG);
    cr_assert_eq(bytes, IL_MESSAGE_MAX_BYTES);
    cr_assert_eq(il_pipe_receive(b, room, IL_MESSAGE_MAX_BYTES, &bytes, NULL, seconds(10)), IL_OK);
    cr_assert_eq(bytes, IL_MESSAGE_MAX_BYTES);
    cr_assert_eq(memcmp(data, room, bytes), 0);
    cr_assert_eq(send_text(a, "x", 0), IL_OK);
    free(data);
    free(room);
    il_pipe_close(a);
    il_pipe_close(b);
}

/* A thread that does one thing. */
struct actor {
    pthread_t thread;
    il_pipe *pipe;
    void (*act)(struct actor *actor);
    char data[4096];
    size_t bytes;
    int32_t ready;
    il_status status;
    int64_t ended_ns;
    _Atomic uint64_t id;
};

static void *run(void *argument) {
    struct actor *actor = argument;
    atomic_store(&actor->id, il_thread_self());
    actor->act(actor);
    actor->ended_ns = test_now_ns();
    return NULL;
}

static void start(struct actor *actor, il_pipe *pipe, void (*act)(struct actor *actor)) {
    actor->pipe = pipe;
    actor->act = act;
    atomic_store(&actor->id, 0);
    cr_assert_eq(pthread_create(&actor->thread, NULL, run, actor), 0);
    while (atomic_load(&actor->id) == 0) test_pause();
}

static void send_it(struct actor *a) {
    a->status = il_pipe_send(a->pipe, a->data, a->bytes, IL_BYTES, seconds(DOOR_SECONDS));
}
static void receive_it(struct actor *a) {
    a->status = il_pipe_receive(a->pipe, a->data, sizeof a->data, &a->bytes, NULL, IL_FOREVER);
}
static void poll_it(struct actor *a) { a->status = il_pipe_poll(a->pipe, IL_FOREVER, &a->ready); }

EACH_DOOR(abi_pipe, sends_beyond_max_bytes_wait) {
    il_pipe *a = open_with(door, "it", 0, 100, IL_PIPE_A);
    il_pipe *b = open_with(door, "it", 0, 100, IL_PIPE_B);
    char room[512] = {0};
    size_t bytes;
    struct actor large = {.bytes = 90}, small = {.bytes = 5};
    cr_assert_eq(il_pipe_send(a, room, 60, IL_BYTES, 0), IL_OK);
    cr_assert_eq(il_pipe_send(a, room, 40, IL_BYTES, 0), IL_OK);
    cr_assert_eq(il_pipe_send(a, room, 1, IL_BYTES, 0), IL_ETIMEOUT);
    cr_assert_eq(il_pipe_send(a, room, 0, IL_BYTES, seconds(0.05)), IL_ETIMEOUT);
    cr_assert_eq(il_pipe_send(b, room, 100, IL_BYTES, 0), IL_OK); /* the other way has its own */
    start(&large, a, send_it);
    cr_assert_eq(il_pipe_receive(b, room, sizeof room, &bytes, NULL, 0), IL_OK);
    cr_assert_eq(bytes, 60);
    cr_assert_eq(il_pipe_send(a, room, 61, IL_BYTES, 0), IL_ETIMEOUT);
    start(&small, a, send_it); /* it may pass before the large one, or behind it */
    cr_assert_eq(il_pipe_receive(b, room, sizeof room, &bytes, NULL, 0), IL_OK);
    cr_assert_eq(bytes, 40);
    size_t sum = 0;
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(il_pipe_receive(b, room, sizeof room, &bytes, NULL, seconds(5)), IL_OK);
        sum += bytes;
    }
    cr_assert_eq(sum, 95);
    pthread_join(large.thread, NULL);
    pthread_join(small.thread, NULL);
    cr_assert_eq(large.status, IL_OK);
    cr_assert_eq(small.status, IL_OK);
    cr_assert_eq(il_pipe_send(a, room, 300, IL_BYTES, 0), IL_OK); /* alone, whatever its size */
    cr_assert_eq(il_pipe_send(a, room, 1, IL_BYTES, 0), IL_ETIMEOUT);
    il_pipe_close(a);
    il_pipe_close(b);
}

EACH_DOOR(abi_pipe, close_ends_the_waits_of_the_other_end) {
    il_pipe *a = open_with(door, "it", 0, 10, IL_PIPE_A);
    il_pipe *b = open_with(door, "it", 0, 10, IL_PIPE_B);
    struct actor sender = {.bytes = 10}, receiver = {.bytes = 1}, poller = {.ready = 9};
    cr_assert_eq(il_pipe_send(b, "0123456789", 10, IL_BYTES, 0), IL_OK);
    start(&sender, b, send_it);
    start(&receiver, b, receive_it);
    start(&poller, b, poll_it);
    cr_assert_eq(il_pipe_close(a), IL_OK);
    pthread_join(sender.thread, NULL);
    pthread_join(receiver.thread, NULL);
    pthread_join(poller.thread, NULL);
    cr_assert_eq(sender.status, IL_EPIPE, "%s", il_status_name(sender.status));
    cr_assert_eq(receiver.status, IL_EEOF, "%s", il_status_name(receiver.status));
    cr_assert_eq(poller.status, IL_OK);
    cr_assert_eq(poller.ready, 1);
    il_pipe_close(b);
}

EACH_DOOR(abi_pipe, poll_waits_for_a_message_and_takes_none) {
    il_pipe *a = open_end(door, "it", IL_PIPE_A), *b = open_end(door, "it", IL_PIPE_B);
    struct actor poller = {.ready = 9}, receiver = {.bytes = 0};
    cr_assert_eq(poll_for(b, 0), 0);
    int64_t begin = test_now_ns();
    cr_assert_eq(poll_for(b, 0.05), 0);
    int64_t took = test_now_ns() - begin;
    cr_assert(took >= seconds(0.05) && took < seconds(5), "%lld ns", (long long)took);
    start(&poller, b, poll_it);
    cr_assert_eq(send_text(a, "it", 0), IL_OK);
    pthread_join(poller.thread, NULL);
    cr_assert_eq(poller.status, IL_OK);
    cr_assert_eq(poller.ready, 1);
    cr_assert_eq(info_of(a).waiting[IL_PIPE_B], 1);
    expect(b, "it", 0);
    /* one that polls passes its turn on to one that receives */
    start(&poller, b, poll_it);
    start(&receiver, b, receive_it);
    cr_assert_eq(send_text(a, "x", 0), IL_OK);
    pthread_join(receiver.thread, NULL);
    cr_assert_eq(receiver.status, IL_OK);
    cr_assert_eq(send_text(a, "y", 0), IL_OK);
    pthread_join(poller.thread, NULL);
    cr_assert_eq(poller.ready, 1);
    il_pipe_close(a);
    il_pipe_close(b);
}

EACH_DOOR(abi_pipe, waits_can_be_interrupted) {
    il_pipe *a = open_with(door, "it", 0, 1, IL_PIPE_A);
    il_pipe *b = open_with(door, "it", 0, 1, IL_PIPE_B);
    void (*const acts[])(struct actor *) = {receive_it, poll_it, send_it};
    cr_assert_eq(send_text(a, "x", 0), IL_OK);
    for (int i = 0; i < 3; i++) {
        struct actor actor = {.bytes = 2, .ready = 99};
        start(&actor, a, acts[i]);
        cr_assert_eq(il_interrupt(atomic_load(&actor.id)), IL_OK);
        pthread_join(actor.thread, NULL);
        cr_assert_eq(actor.status, IL_EINTR, "%d: %s", i, il_status_name(actor.status));
        cr_assert_eq(actor.ready, 99);
    }
    cr_assert_eq(info_of(a).waiting[IL_PIPE_B], 1);
    il_pipe_close(a);
    il_pipe_close(b);
}

/* What comes before the wait ends it as well. */
EACH_DOOR(abi_pipe, an_interruption_waits_for_the_wait) {
    il_pipe *a = open_end(door, "it", IL_PIPE_A);
    char room[8];
    size_t bytes;
    int32_t ready = 99;
    cr_assert_eq(il_interrupt(il_thread_self()), IL_OK);
    cr_assert_eq(il_pipe_poll(a, seconds(60), &ready), IL_EINTR);
    cr_assert_eq(il_interrupt(il_thread_self()), IL_OK);
    cr_assert_eq(il_pipe_receive(a, room, sizeof room, &bytes, NULL, seconds(60)), IL_EINTR);
    cr_assert_eq(il_cancel(il_thread_self()), IL_OK);
    cr_assert_eq(il_pipe_poll(a, seconds(60), &ready), IL_ECANCELLED);
    il_cancel_clear();
    cr_assert_eq(ready, 99);
    cr_assert_eq(poll_for(a, 0), 0);
    il_pipe_close(a);
}

EACH_DOOR(abi_pipe, can_be_waited_for_with_others) {
    il_pipe *a = open_end(door, "it", IL_PIPE_A), *b = open_end(door, "it", IL_PIPE_B);
    il_pipe *sends = open_with(door, "one-way", IL_PIPE_ONE_WAY, 0, IL_PIPE_B);
    il_target both[2] = {{.kind = IL_KIND_PIPE, .object = a}, {.kind = IL_KIND_PIPE, .object = b}};
    il_target none = {.kind = IL_KIND_PIPE, .object = sends};
    size_t index = 99;
    il_wait *wait = NULL;
    uint64_t token;
    int fd = -1;
    cr_assert_eq(il_wait_any(both, 2, 0, &index), IL_ETIMEOUT);
    cr_assert_eq(il_wait_any(both, 2, seconds(0.02), &index), IL_ETIMEOUT);
    cr_assert_eq(send_text(a, "x", 0), IL_OK);
    cr_assert_eq(il_wait_any(both, 2, IL_FOREVER, &index), IL_OK);
    cr_assert_eq(index, 1);
    expect(b, "x", 0);
    cr_assert_eq(il_wait_any(&none, 1, 0, &index), IL_EUNSUPPORTED);
    cr_assert_eq(il_wait_start(both, 1, &wait), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_wait_fd(wait, &fd), IL_OK);
    struct pollfd polled = {fd, POLLIN, 0};
    cr_assert_eq(poll(&polled, 1, 0), 0);
    il_pipe_close(b); /* the end of the file can be received */
    cr_assert_eq(poll(&polled, 1, DOOR_SECONDS * 1000), 1);
    cr_assert_eq(il_wait_finish(wait, &index, &token), IL_OK);
    cr_assert_eq(index, 0);
    il_wait_close(wait);
    il_pipe_close(a);
    il_pipe_close(sends);
}

EACH_DOOR(abi_pipe, deletion_ends_all_calls) {
    il_pipe *a = open_end(door, "it", IL_PIPE_A), *b = open_end(door, "it", IL_PIPE_B);
    il_pipe_info info = {.struct_bytes = sizeof info};
    struct actor receiver = {.bytes = 0}, poller = {.ready = 99};
    start(&receiver, a, receive_it);
    start(&poller, b, poll_it);
    cr_assert_eq(il_pipe_delete(door->domain, "it", 2), IL_OK);
    pthread_join(receiver.thread, NULL);
    pthread_join(poller.thread, NULL);
    cr_assert_eq(receiver.status, IL_EDELETED, "%s", il_status_name(receiver.status));
    cr_assert_eq(poller.status, IL_EDELETED, "%s", il_status_name(poller.status));
    cr_assert_eq(send_text(a, "x", 0), IL_EDELETED, "%s", il_error_message());
    cr_assert_eq(receive_none(b, 0), IL_EDELETED);
    cr_assert_eq(il_pipe_info_get(a, &info), IL_EDELETED);
    cr_assert_eq(il_pipe_delete(door->domain, "it", 2), IL_ENOTFOUND);
    cr_assert_eq(il_pipe_close(a), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_pipe_close(b), IL_OK);
}

EACH_DOOR(abi_pipe, refuses_bad_arguments) {
    il_pipe *pipe = NULL, *other = NULL;
    il_pipe_options options = {sizeof options, 2, 0};
    size_t bytes = 0;
    cr_assert_eq(il_pipe_open(door->domain, NULL, 0, NULL, 0, &pipe), IL_EINVAL);
    SAYS("name");
    cr_assert_eq(il_pipe_open(door->domain, "it", 2, NULL, 2, &pipe), IL_EINVAL);
    SAYS("end");
    cr_assert_eq(il_pipe_open(door->domain, "it", 2, &options, 0, &pipe), IL_EINVAL);
    SAYS("options.flags");
    options.struct_bytes = 4;
    cr_assert_eq(il_pipe_open(door->domain, "it", 2, &options, 0, &pipe), IL_EINVAL);
    SAYS("struct_bytes");
    cr_assert_eq(il_pipe_open(NULL, "it", 2, NULL, 0, &pipe), IL_EINVAL);
    cr_assert_eq(il_pipe_open(door->domain, "it", 2, NULL, 0, NULL), IL_EINVAL);
    cr_assert_eq(il_pipe_open_pair(door->domain, NULL, NULL, &other), IL_EINVAL);
    cr_assert_null(pipe);
    pipe = open_end(door, "it", 0);
    cr_assert_eq(il_pipe_send(NULL, "", 0, 0, 0), IL_EINVAL);
    cr_assert_eq(il_pipe_send(pipe, NULL, 1, 0, 0), IL_EINVAL);
    SAYS("data");
    cr_assert_eq(il_pipe_send(pipe, "", 0, 3, 0), IL_EINVAL);
    SAYS("type");
    cr_assert_eq(il_pipe_send(pipe, "", 0, 0, -2), IL_EINVAL);
    SAYS("timeout_ns");
    cr_assert_eq(il_pipe_receive(pipe, NULL, 0, NULL, NULL, 0), IL_EINVAL);
    cr_assert_eq(il_pipe_receive(pipe, NULL, 0, &bytes, NULL, -2), IL_EINVAL);
    cr_assert_eq(il_pipe_poll(pipe, 0, NULL), IL_EINVAL);
    SAYS("ready");
    cr_assert_eq(il_pipe_info_get(pipe, NULL), IL_EINVAL);
    cr_assert_eq(il_pipe_close(NULL), IL_OK);
    il_pipe_close(pipe);
}

EACH_DOOR(abi_pipe, pair_has_no_name) {
    il_pipe *a = NULL, *b = NULL;
    il_pipe_options options = {sizeof options, 0, 1000};
    il_status status = il_pipe_open_pair(door->domain, &options, &a, &b);
    if (!door->local) {
        cr_assert_eq(status, IL_EUNSUPPORTED);
        return;
    }
    cr_assert_eq(status, IL_OK, "%s", il_error_message());
    cr_assert_eq(info_of(a).max_bytes, 1000);
    cr_assert_eq(info_of(a).claims[0], 1);
    cr_assert_eq(info_of(b).claims[1], 1);
    cr_assert_eq(send_text(a, "hi", 0), IL_OK);
    expect(b, "hi", 0);
    il_pipe_close(b);
    cr_assert_eq(receive_none(a, IL_FOREVER), IL_EEOF);
    cr_assert_eq(send_text(a, "x", 0), IL_EPIPE);
    il_pipe_close(a);
}

/* ---- other processes ------------------------------------------------------------------------------ */

/* What children report. */
struct report {
    _Atomic int step[8];
    _Atomic il_status status[16];
};

static struct report *new_report(void) {
    return mmap(NULL, sizeof(struct report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                0);
}

static bool is_set(void *step) { return atomic_load((_Atomic int *)step) != 0; }
static void await_step(struct report *r, int number) {
    (void)test_wait(is_set, &r->step[number], DOOR_SECONDS);
}

/* A process with B of "it" open, which sends WORD and then does nothing until it is killed. */
static pid_t partner(struct door *door, struct report *r, const char *word) {
    pid_t child = fork();
    if (child != 0) return child;
    il_domain *domain = NULL;
    il_pipe *b = NULL;
    bool inherits = strcmp(door->address, "private:") == 0;
    r->status[0] = inherits ? IL_OK : il_domain_open(door->address, NULL, &domain);
    r->status[1] = il_pipe_open(inherits ? door->domain : domain, "it", 2, NULL, IL_PIPE_B, &b);
    r->status[2] = il_pipe_send(b, word, strlen(word), IL_TEXT, 0);
    atomic_store(&r->step[0], 1);
    for (;;) test_pause();
}

static void other_end_killed(struct door *door) {
    struct report *r = new_report();
    il_pipe *a = open_end(door, "it", IL_PIPE_A);
    struct actor receiver = {.bytes = 0}, sender = {.bytes = 4000};
    pid_t child = partner(door, r, "last words");
    await_step(r, 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(r->status[i], IL_OK, "%d: %s", i, il_status_name(r->status[i]));
    expect(a, "last words", 5);
    cr_assert_eq(info_of(a).claims[IL_PIPE_B], 1);
    while (il_pipe_send(a, sender.data, 4000, IL_BYTES, 0) == IL_OK) {
    }
    start(&receiver, a, receive_it);
    start(&sender, a, send_it);
    int64_t killed_ns = test_now_ns();
    kill(child, SIGKILL);
    pthread_join(receiver.thread, NULL);
    pthread_join(sender.thread, NULL);
    cr_assert_eq(receiver.status, IL_EEOF, "%s", il_status_name(receiver.status));
    cr_assert_eq(sender.status, IL_EPIPE, "%s", il_status_name(sender.status));
    cr_assert(receiver.ended_ns - killed_ns < seconds(3), "%lld ns",
              (long long)(receiver.ended_ns - killed_ns));
    waitpid(child, NULL, 0);
    il_pipe_close(a);
}

Test(abi_pipe, death_of_the_other_end_is_the_end_of_the_file_private, .timeout = 60) {
    struct door door;
    cr_assert(door_open(&door, "private"));
    other_end_killed(&door);
    cr_assert(door_close(&door));
}
Test(abi_pipe, death_of_the_other_end_is_the_end_of_the_file_unix, .timeout = 60) {
    struct door door;
    cr_assert(door_open(&door, "unix"));
    other_end_killed(&door);
    cr_assert(door_close(&door));
}

Test(abi_pipe, child_has_its_parents_ends_open, .timeout = 60) {
    struct door door;
    struct report *r = new_report();
    il_pipe *a = NULL, *b = NULL;
    cr_assert(door_open(&door, "private"));
    cr_assert_eq(il_pipe_open_pair(door.domain, NULL, &a, &b), IL_OK);
    pid_t child = fork();
    if (child == 0) {
        char room[16] = "";
        size_t bytes = 0;
        r->status[0] = il_pipe_close(a);
        r->status[1] = il_pipe_receive(b, room, sizeof room, &bytes, NULL, seconds(10));
        r->status[2] = bytes == 5 && memcmp(room, "hello", 5) == 0 ? IL_OK : IL_ECORRUPT;
        r->status[3] = il_pipe_send(b, "answer", 6, IL_TEXT, 0);
        r->status[4] = il_pipe_close(b);
        r->status[5] = il_domain_close(door.domain);
        _exit(0);
    }
    cr_assert_eq(info_of(a).claims[IL_PIPE_B], 2);
    cr_assert_eq(il_pipe_close(b), IL_OK); /* the child still has it */
    cr_assert_eq(info_of(a).closed[IL_PIPE_B], 0);
    cr_assert_eq(send_text(a, "hello", 0), IL_OK);
    expect(a, "answer", 10);
    cr_assert_eq(receive_none(a, seconds(10)), IL_EEOF);
    cr_assert_eq(test_reap(child, DOOR_SECONDS), 0);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(r->status[i], IL_OK, "%d: %s", i, il_status_name(r->status[i]));
    cr_assert_eq(il_pipe_close(a), IL_OK);
    cr_assert(door_close(&door));
}

Test(abi_pipe, death_of_a_child_does_not_take_its_parents_end, .timeout = 60) {
    struct door door;
    il_pipe *a = NULL, *b = NULL;
    cr_assert(door_open(&door, "private"));
    cr_assert_eq(il_pipe_open_pair(door.domain, NULL, &a, &b), IL_OK);
    pid_t child = fork();
    if (child == 0) {
        for (;;) test_pause();
    }
    cr_assert_eq(info_of(a).claims[IL_PIPE_A], 2);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    int64_t until = test_now_ns() + seconds(DOOR_SECONDS);
    while (info_of(a).claims[IL_PIPE_A] != 1 && test_now_ns() < until) (void)poll_for(a, 0.001);
    cr_assert_eq(info_of(a).claims[IL_PIPE_A], 1);
    cr_assert_eq(info_of(a).claims[IL_PIPE_B], 1);
    cr_assert_eq(info_of(a).closed[IL_PIPE_A] + info_of(a).closed[IL_PIPE_B], 0);
    cr_assert_eq(send_text(a, "x", 0), IL_OK);
    expect(b, "x", 0);
    il_pipe_close(a);
    il_pipe_close(b);
    cr_assert(door_close(&door));
}

Test(abi_pipe, child_of_a_served_domain_closes_nothing_of_its_parents, .timeout = 60) {
    struct door door;
    struct report *r = new_report();
    il_pipe *a = NULL, *b = NULL;
    cr_assert(door_open(&door, "unix"));
    cr_assert_eq(il_pipe_open_pair(door.domain, NULL, &a, &b), IL_OK);
    pid_t child = fork();
    if (child == 0) {
        r->status[0] = il_pipe_send(a, "x", 1, IL_TEXT, 0);
        r->status[1] = il_pipe_close(a);
        r->status[2] = il_pipe_close(b);
        _exit(0);
    }
    cr_assert_eq(test_reap(child, DOOR_SECONDS), 0);
    cr_assert_eq(r->status[0], IL_EFORKED);
    cr_assert_eq(r->status[1], IL_OK);
    cr_assert_eq(r->status[2], IL_OK);
    cr_assert_eq(info_of(a).claims[IL_PIPE_B], 1);
    cr_assert_eq(send_text(a, "x", 0), IL_OK);
    expect(b, "x", 0);
    il_pipe_close(a);
    il_pipe_close(b);
    cr_assert(door_close(&door));
}

Test(abi_pipe, doors_share_a_pipe, .timeout = 60) {
    struct door door;
    char http[64], address[80];
    il_domain *remote = NULL, *local = NULL;
    il_pipe *a = NULL, *b = NULL;
    memset(&door, 0, sizeof door);
    cr_assert(door_serve(&door, http, NULL));
    snprintf(door.address, sizeof door.address, "unix:%s", door.socket);
    snprintf(address, sizeof address, "http://%s", http);
    cr_assert_eq(il_domain_open(door.address, NULL, &local), IL_OK);
    cr_assert_eq(il_domain_open(address, NULL, &remote), IL_OK);
    cr_assert_eq(il_pipe_open(local, "it", 2, NULL, IL_PIPE_A, &a), IL_OK);
    cr_assert_eq(il_pipe_open(remote, "it", 2, NULL, IL_PIPE_B, &b), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(send_text(a, "there", 0), IL_OK);
    expect(b, "there", 5);
    cr_assert_eq(send_text(b, "back", 0), IL_OK);
    expect(a, "back", 5);
    struct actor receiver = {.bytes = 0};
    start(&receiver, a, receive_it);
    cr_assert_eq(il_pipe_close(b), IL_OK, "%s", il_error_message());
    pthread_join(receiver.thread, NULL);
    cr_assert_eq(receiver.status, IL_EEOF, "%s", il_status_name(receiver.status));
    cr_assert_eq(send_text(a, "x", 0), IL_EPIPE);
    il_pipe_close(a);
    il_domain_close(remote);
    il_domain_close(local);
    kill(door.server, SIGTERM);
    cr_assert_eq(test_reap(door.server, DOOR_SECONDS), 0);
    unlink(door.socket);
}
