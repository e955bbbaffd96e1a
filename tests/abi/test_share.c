#include <criterion/criterion.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "support/doors.h"

static il_ticket share(uint32_t kind, void *object) {
    il_ticket ticket = {0};
    cr_assert_eq(il_share(kind, object, &ticket), IL_OK, "%s", il_error_message());
    cr_assert_eq(ticket.kind, kind);
    return ticket;
}

/* A second session of the domain; a private one has none in this process. */
static il_domain *second_session(struct door *door) {
    il_domain *domain = NULL;
    if (!door->server) return door->domain;
    cr_assert_eq(il_domain_open(door->address, NULL, &domain), IL_OK, "%s", il_error_message());
    return domain;
}

static void *adopt(il_domain *domain, const il_ticket *ticket) {
    void *out = NULL;
    cr_assert_eq(il_adopt(domain, ticket, &out), IL_OK, "kind %u: %s", ticket->kind,
                 il_error_message());
    return out;
}

/* ---- every kind, anonymous ------------------------------------------------------------------------ */

EACH_DOOR(abi_share, anonymous_locks_are_the_same_lock) {
    il_lock *lock = NULL, *again = NULL;
    il_rlock *rlock = NULL, *ragain = NULL;
    il_rwlock *rwlock = NULL, *rwagain = NULL;
    uint64_t token = 0, mine = 0;
    if (!door->local) return;
    il_domain *other = second_session(door);
    il_lock_open(door->domain, NULL, 0, NULL, &lock);
    il_rlock_open(door->domain, NULL, 0, NULL, &rlock);
    il_rwlock_open(door->domain, NULL, 0, NULL, &rwlock);
    il_ticket tickets[3] = {share(IL_KIND_LOCK, lock), share(IL_KIND_RLOCK, rlock),
                            share(IL_KIND_RWLOCK, rwlock)};
    again = adopt(other, &tickets[0]);
    ragain = adopt(other, &tickets[1]);
    rwagain = adopt(other, &tickets[2]);
    cr_assert_eq(il_lock_acquire(lock, 0, &token), IL_OK);
    cr_assert_eq(il_lock_acquire(again, 0, NULL), IL_ETIMEOUT);
    cr_assert_eq(il_lock_release(lock, token), IL_OK);
    cr_assert_eq(il_lock_acquire(again, 0, &mine), IL_OK);
    cr_assert_eq(mine, token + 1);
    cr_assert_eq(il_lock_release(again, mine), IL_OK);
    int32_t locked = 0;
    cr_assert_eq(il_rlock_acquire(rlock, 0, NULL), IL_OK);
    cr_assert_eq(il_rlock_locked(ragain, &locked), IL_OK);
    cr_assert_eq(locked, 1);
    il_rlock_release(rlock, 0);
    il_rwlock_info info = {.struct_bytes = sizeof info};
    cr_assert_eq(il_rwlock_acquire(rwlock, IL_EXCLUSIVE, 0, NULL), IL_OK);
    cr_assert_eq(il_rwlock_info_get(rwagain, &info), IL_OK);
    cr_assert_eq(info.exclusive, 1);
    il_rwlock_release(rwlock, 0);
    /* the first handles go: the objects stay as long as the others are open */
    il_lock_close(lock);
    il_rlock_close(rlock);
    il_rwlock_close(rwlock);
    cr_assert_eq(il_lock_acquire(again, 0, NULL), IL_OK);
    il_lock_release(again, 0);
    il_lock_close(again);
    il_rlock_close(ragain);
    il_rwlock_close(rwagain);
    for (int i = 0; i < 3; i++) {
        void *gone = NULL;
        cr_assert_eq(il_adopt(other, &tickets[i], &gone), IL_ENOTFOUND, "%d", i);
        cr_assert_null(gone);
    }
    if (other != door->domain) il_domain_close(other);
}

EACH_DOOR(abi_share, anonymous_signals_are_the_same) {
    il_semaphore *semaphore = NULL;
    il_event *event = NULL;
    il_latch *latch = NULL;
    il_barrier *barrier = NULL;
    int32_t set = 0;
    if (!door->local) return;
    il_domain *other = second_session(door);
    uint32_t two = 2, three = 3, left = 0;
    il_semaphore_open(door->domain, NULL, 0, NULL, &semaphore);
    il_event_open(door->domain, NULL, 0, &event);
    cr_assert_eq(il_latch_open(door->domain, NULL, 0, &two, &latch), IL_OK);
    cr_assert_eq(il_barrier_open(door->domain, NULL, 0, &three, &barrier), IL_OK);
    il_ticket t = share(IL_KIND_SEMAPHORE, semaphore);
    il_semaphore *semaphore2 = adopt(other, &t);
    t = share(IL_KIND_EVENT, event);
    il_event *event2 = adopt(other, &t);
    t = share(IL_KIND_LATCH, latch);
    il_latch *latch2 = adopt(other, &t);
    t = share(IL_KIND_BARRIER, barrier);
    il_barrier *barrier2 = adopt(other, &t);
    cr_assert_eq(il_semaphore_acquire(semaphore, 1, 0, NULL), IL_OK);
    cr_assert_eq(il_semaphore_acquire(semaphore2, 1, 0, NULL), IL_ETIMEOUT);
    cr_assert_eq(il_event_set(event2), IL_OK);
    cr_assert_eq(il_event_is_set(event, &set), IL_OK);
    cr_assert_eq(set, 1);
    cr_assert_eq(il_latch_count_down(latch2, 1, NULL), IL_OK);
    cr_assert_eq(il_latch_count(latch, &left), IL_OK);
    cr_assert_eq(left, 1);
    il_barrier_info info = {.struct_bytes = sizeof info};
    cr_assert_eq(il_barrier_abort(barrier2), IL_OK);
    cr_assert_eq(il_barrier_info_get(barrier, &info), IL_OK);
    cr_assert_eq(info.parties, 3);
    cr_assert_eq(info.broken, 1);
    il_semaphore_release(semaphore, 1, 0);
    il_semaphore_close(semaphore), il_semaphore_close(semaphore2);
    il_event_close(event), il_event_close(event2);
    il_latch_close(latch), il_latch_close(latch2);
    il_barrier_close(barrier), il_barrier_close(barrier2);
    if (other != door->domain) il_domain_close(other);
}

EACH_DOOR(abi_share, anonymous_data_is_the_same) {
    il_queue *queue = NULL;
    il_dict *dict = NULL;
    il_list *list = NULL;
    il_item item;
    char room[16];
    size_t bytes = 0;
    uint64_t length = 0;
    if (!door->local) return;
    il_domain *other = second_session(door);
    il_queue_open(door->domain, NULL, 0, NULL, &queue);
    il_dict_open(door->domain, NULL, 0, NULL, &dict);
    il_list_open(door->domain, NULL, 0, NULL, &list);
    il_ticket t = share(IL_KIND_QUEUE, queue);
    il_queue *queue2 = adopt(other, &t);
    t = share(IL_KIND_DICT, dict);
    il_dict *dict2 = adopt(other, &t);
    t = share(IL_KIND_LIST, list);
    il_list *list2 = adopt(other, &t);
    cr_assert_eq(il_queue_put(queue, "hello", 5, IL_TEXT, 0), IL_OK);
    cr_assert_eq(il_queue_get(queue2, room, sizeof room, &bytes, NULL, 0), IL_OK);
    cr_assert_eq(bytes, 5);
    cr_assert_eq(il_dict_set(dict2, "k", 1, "1", 1, IL_JSON, NULL), IL_OK);
    cr_assert_eq(il_dict_get(dict, "k", 1, room, sizeof room, &item), IL_OK);
    cr_assert_eq(il_list_append(list2, "1", 1, IL_JSON), IL_OK);
    cr_assert_eq(il_list_length(list, &length, NULL), IL_OK);
    cr_assert_eq(length, 1);
    il_queue_close(queue), il_queue_close(queue2);
    il_dict_close(dict), il_dict_close(dict2);
    il_list_close(list), il_list_close(list2);
    if (other != door->domain) il_domain_close(other);
}

/* Cells: the object, its memory, and the lock that goes with it. */
EACH_DOOR(abi_share, anonymous_cells_bring_their_lock) {
    il_value *value = NULL;
    il_array *array = NULL;
    il_rlock *lock = NULL, *lock2 = NULL, *array_lock = NULL;
    int64_t five = 5, number = 0;
    int32_t locked = 0;
    char room[16];
    size_t bytes = 0;
    if (!door->local) return;
    il_domain *other = second_session(door);
    il_array_options texts = {
        .struct_bytes = sizeof texts, .type = IL_FIXED_TEXT, .room = 8, .length = 3};
    cr_assert_eq(il_value_open(door->domain, NULL, 0, NULL, &value), IL_OK);
    cr_assert_eq(il_array_open(door->domain, NULL, 0, &texts, &array), IL_OK);
    il_ticket t = share(IL_KIND_VALUE, value);
    il_value *value2 = adopt(other, &t);
    t = share(IL_KIND_ARRAY, array);
    il_array *array2 = adopt(other, &t);
    cr_assert_eq(il_value_store(value, IL_I64, &five), IL_OK);
    cr_assert_eq(il_value_load(value2, IL_I64, &number), IL_OK);
    cr_assert_eq(number, 5);
    cr_assert_eq(il_array_set(array2, -1, "abc", 3), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_array_get(array, 2, room, sizeof room, &bytes), IL_OK);
    cr_assert_eq(bytes, 3);
    cr_assert_eq(il_value_lock(value, &lock), IL_OK);
    cr_assert_eq(il_value_lock(value2, &lock2), IL_OK);
    cr_assert_eq(il_rlock_acquire(lock, 0, NULL), IL_OK);
    cr_assert_eq(il_rlock_locked(lock2, &locked), IL_OK);
    cr_assert_eq(locked, 1, "it is one lock");
    cr_assert_eq(il_rlock_release(lock, 0), IL_OK);
    cr_assert_eq(il_array_lock(array2, &array_lock), IL_OK);
    cr_assert_eq(il_rlock_locked(array_lock, &locked), IL_OK);
    cr_assert_eq(locked, 0, "and the array has another");
    il_value_close(value), il_value_close(value2);
    il_array_close(array), il_array_close(array2);
    if (other != door->domain) il_domain_close(other);
}

/* A condition is adopted with its lock, whatever that is. */
static void check_condition(struct door *door, const char *name,
                            const il_condition_options *options) {
    il_condition *condition = NULL;
    il_domain *other = second_session(door);
    uint64_t token = 0;
    cr_assert_eq(
        il_condition_open(door->domain, name, name ? strlen(name) : 0, options, &condition), IL_OK,
        "%s", il_error_message());
    il_ticket t = share(IL_KIND_CONDITION, condition);
    il_condition *again = adopt(other, &t);
    cr_assert_eq(il_condition_acquire(condition, 0, &token), IL_OK);
    if (door->server) {
        cr_assert_eq(il_condition_acquire(again, 0, NULL), IL_ETIMEOUT);
        cr_assert_eq(il_condition_notify(again, 1), IL_ENOTHELD);
    }
    cr_assert_eq(il_condition_release(condition, token), IL_OK);
    cr_assert_eq(il_condition_acquire(again, 0, &token), IL_OK);
    cr_assert_eq(il_condition_notify(again, 1), IL_OK);
    cr_assert_eq(il_condition_wait(again, seconds(0.01), &token), IL_ETIMEOUT);
    cr_assert_eq(il_condition_release(again, token), IL_OK);
    il_condition_close(condition);
    il_condition_close(again);
    if (other != door->domain) il_domain_close(other);
}

EACH_DOOR(abi_share, conditions_bring_their_lock) {
    il_lock *plain = NULL, *named = NULL;
    if (!door->local) return;
    cr_assert_eq(il_lock_open(door->domain, NULL, 0, NULL, &plain), IL_OK);
    cr_assert_eq(il_lock_open(door->domain, "named", 5, NULL, &named), IL_OK);
    il_condition_options on_plain = {.struct_bytes = sizeof on_plain, .lock = plain};
    il_condition_options on_named = {.struct_bytes = sizeof on_named, .lock = named};
    check_condition(door, NULL, NULL);
    check_condition(door, NULL, &on_plain);
    check_condition(door, NULL, &on_named);
    check_condition(door, "condition", NULL);
    check_condition(door, "on named", &on_named);
    il_lock_close(plain);
    il_lock_close(named);
}

/* ---- pipes: an adopted end is a claim ---------------------------------------------------------------- */

EACH_DOOR(abi_share, adopted_pipe_end_is_claimed) {
    il_pipe *a = NULL, *b = NULL;
    char room[8];
    size_t bytes = 0;
    void *late = NULL;
    if (!door->local) return;
    il_domain *other = second_session(door);
    cr_assert_eq(il_pipe_open_pair(door->domain, NULL, &a, &b), IL_OK);
    il_ticket t = share(IL_KIND_PIPE, b);
    cr_assert_eq(t.end, IL_PIPE_B);
    il_pipe *b2 = adopt(other, &t);
    cr_assert_eq(il_pipe_close(b), IL_OK); /* the other claim keeps the end open */
    cr_assert_eq(il_pipe_send(a, "x", 1, IL_BYTES, 0), IL_OK);
    cr_assert_eq(il_pipe_receive(b2, room, sizeof room, &bytes, NULL, 0), IL_OK);
    cr_assert_eq(il_pipe_close(b2), IL_OK);
    cr_assert_eq(il_pipe_send(a, "x", 1, IL_BYTES, 0), IL_EPIPE);
    cr_assert_eq(il_adopt(other, &t, &late), IL_EPIPE, "%s", il_error_message());
    SAYS("end B");
    cr_assert_null(late);
    il_pipe_close(a);
    cr_assert_eq(il_adopt(other, &t, &late), IL_ENOTFOUND);
    if (other != door->domain) il_domain_close(other);
}

/* ---- tickets that are no good ------------------------------------------------------------------------ */

EACH_DOOR(abi_share, deleted_objects_say_so) {
    il_lock *lock = NULL;
    il_ticket ticket;
    void *out = NULL;
    if (!door->local) return;
    cr_assert_eq(il_lock_open(door->domain, "it", 2, NULL, &lock), IL_OK);
    ticket = share(IL_KIND_LOCK, lock);
    cr_assert_eq(il_adopt(door->domain, &ticket, &out), IL_OK);
    il_lock_close(out);
    cr_assert_eq(il_lock_delete(door->domain, "it", 2), IL_OK);
    out = NULL;
    cr_assert_eq(il_adopt(door->domain, &ticket, &out), IL_EDELETED);
    cr_assert_null(out);
    cr_assert_eq(il_share(IL_KIND_LOCK, lock, &ticket), IL_EDELETED);
    il_lock_close(lock);
    cr_assert_eq(il_adopt(door->domain, &ticket, &out), IL_ENOTFOUND);
}

/* The next object of the kind lies where the last one lay. */
Test(abi_share, a_place_that_is_used_again_is_another_object, .timeout = 60) {
    il_domain *domain = NULL;
    bool again = false;
    il_domain_open("private:", NULL, &domain);
    for (int i = 0; i < 100; i++) {
        il_queue *queue = NULL, *next = NULL;
        void *out = NULL;
        cr_assert_eq(il_queue_open(domain, NULL, 0, NULL, &queue), IL_OK);
        il_ticket ticket = share(IL_KIND_QUEUE, queue);
        il_queue_close(queue);
        cr_assert_eq(il_queue_open(domain, NULL, 0, NULL, &next), IL_OK);
        again |= share(IL_KIND_QUEUE, next).object == ticket.object;
        cr_assert_eq(il_adopt(domain, &ticket, &out), IL_ENOTFOUND);
        cr_assert_null(out);
        il_queue_close(next);
    }
    cr_assert(again, "the test never met the case");
    il_domain_close(domain);
}

Test(abi_share, tickets_of_another_domain_are_refused, .timeout = 60) {
    il_domain *one = NULL, *two = NULL;
    il_lock *lock = NULL;
    void *out = NULL;
    il_domain_open("private:", NULL, &one);
    il_domain_open("private:", NULL, &two);
    il_lock_open(one, NULL, 0, NULL, &lock);
    il_ticket ticket = share(IL_KIND_LOCK, lock);
    cr_assert_eq(il_adopt(two, &ticket, &out), IL_EINVAL);
    SAYS("not of this domain");
    cr_assert_null(out);
    il_lock_close(lock);
    il_domain_close(one);
    il_domain_close(two);
}

/* Any bit pattern: refused, or the object itself. */
Test(abi_share, scribbled_tickets_do_no_harm, .timeout = 60) {
    il_domain *domain = NULL;
    il_queue *queue = NULL;
    uint64_t random = test_seed(7);
    il_domain_info before = {.struct_bytes = sizeof before}, after = {.struct_bytes = sizeof after};
    il_domain_open("private:", NULL, &domain);
    il_queue_open(domain, NULL, 0, NULL, &queue);
    il_queue_put(queue, "some bytes in the arena", 23, IL_TEXT, 0);
    il_ticket good = share(IL_KIND_QUEUE, queue);
    il_domain_info_get(domain, &before);
    for (int i = 0; i < 200000; i++) {
        il_ticket bad = good;
        uint64_t r = test_random(&random);
        void *out = NULL;
        switch (r % 5) {
        case 0: bad.object = test_random(&random) >> (r >> 8 & 63); break;
        case 1: bad.object = good.object + ((r >> 8 & 0xffff) << (r >> 24 & 7)); break;
        case 2: bad.check ^= UINT64_C(1) << (r >> 8 & 63); break;
        case 3: bad.kind = (uint32_t)(r >> 8) & 15; break;
        default: bad.end = (uint32_t)(r >> 8) & 3; break;
        }
        il_status status = il_adopt(domain, &bad, &out);
        if (memcmp(&bad, &good, sizeof bad) == 0) {
            cr_assert_eq(status, IL_OK);
            il_queue_close(out);
        } else {
            cr_assert(status == IL_ENOTFOUND || status == IL_EINVAL, "%s", il_status_name(status));
        }
    }
    il_domain_info_get(domain, &after);
    cr_assert_eq(before.free_bytes, after.free_bytes);
    il_queue_close(queue);
    il_domain_close(domain);
}

EACH_DOOR(abi_share, bad_arguments_are_named) {
    il_lock *lock = NULL;
    il_ticket ticket = {0};
    void *out = NULL;
    il_lock_open(door->domain, "it", 2, NULL, &lock);
    cr_assert_eq(il_share(0, lock, &ticket), IL_EINVAL);
    SAYS("kind:");
    cr_assert_eq(il_share(15, lock, &ticket), IL_EINVAL);
    cr_assert_eq(il_share(IL_KIND_LOCK, NULL, &ticket), IL_EINVAL);
    SAYS("object:");
    cr_assert_eq(il_share(IL_KIND_LOCK, lock, NULL), IL_EINVAL);
    SAYS("ticket:");
    cr_assert_eq(il_share(IL_KIND_LOCK, lock, &ticket), door->local ? IL_OK : IL_EUNSUPPORTED);
    if (!door->local) SAYS("by its name");
    ticket.kind = IL_KIND_LOCK;
    cr_assert_eq(il_adopt(NULL, &ticket, &out), IL_EINVAL);
    SAYS("domain:");
    cr_assert_eq(il_adopt(door->domain, NULL, &out), IL_EINVAL);
    SAYS("ticket:");
    cr_assert_eq(il_adopt(door->domain, &ticket, NULL), IL_EINVAL);
    SAYS("out:");
    ticket.end = 1;
    cr_assert_eq(il_adopt(door->domain, &ticket, &out), IL_EINVAL);
    SAYS("ticket.end:");
    ticket.end = 0;
    ticket.kind = 99;
    cr_assert_eq(il_adopt(door->domain, &ticket, &out), IL_EINVAL);
    SAYS("ticket.kind:");
    if (!door->local) {
        ticket.kind = IL_KIND_LOCK;
        cr_assert_eq(il_adopt(door->domain, &ticket, &out), IL_EUNSUPPORTED);
        SAYS("by its name");
    }
    cr_assert_null(out);
    il_lock_close(lock);
}

/* ---- other processes --------------------------------------------------------------------------------- */

struct board {
    il_ticket ticket;
    _Atomic int ready, done;
    _Atomic il_status status[6];
    _Atomic uint64_t bytes;
};

static bool is_ready(void *board) { return atomic_load(&((struct board *)board)->ready) != 0; }

/* A child that was forked before the object was made. */
Test(abi_share, forked_child_adopts_what_was_made_later, .timeout = 60) {
    struct board *b =
        mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    il_domain *domain = NULL;
    il_queue *queue = NULL;
    char room[8];
    size_t bytes = 0;
    cr_assert_eq(il_domain_open("private:", NULL, &domain), IL_OK);
    cr_assert(door_settle());
    pid_t child = fork();
    if (child == 0) {
        void *mine = NULL;
        if (!test_wait(is_ready, b, DOOR_SECONDS)) _exit(1);
        b->status[0] = il_adopt(domain, &b->ticket, &mine);
        if (b->status[0] != IL_OK) _exit(2);
        b->status[1] = il_queue_put(mine, "hello", 5, IL_TEXT, seconds(5));
        b->status[2] = il_queue_close(mine);
        b->status[3] = il_domain_close(domain);
        _exit(0);
    }
    cr_assert_eq(il_queue_open(domain, NULL, 0, NULL, &queue), IL_OK);
    b->ticket = share(IL_KIND_QUEUE, queue);
    atomic_store(&b->ready, 1);
    cr_assert_eq(il_queue_get(queue, room, sizeof room, &bytes, NULL, seconds(10)), IL_OK);
    cr_assert_eq(bytes, 5);
    cr_assert_eq(test_reap(child, DOOR_SECONDS), 0);
    for (int i = 0; i < 4; i++) cr_assert_eq(b->status[i], IL_OK, "%d", i);
    il_queue_close(queue);
    il_domain_close(domain);
    munmap(b, sizeof *b);
}

static void write_ticket(char room[100], const il_ticket *t) {
    snprintf(room, 100, "%llx.%llx.%x.%x", (unsigned long long)t->object,
             (unsigned long long)t->check, t->kind, t->end);
}

static il_process *start_child(struct door *door, const char *what, const char *with) {
    char program[4096];
    const char *build = getenv("INTERLOCK_BUILD");
    snprintf(program, sizeof program, "%s/tests/abi/process_child", build ? build : "build");
    const char *words[] = {program, what, with};
    il_process_options options = {
        .struct_bytes = sizeof options, .arguments = words, .argument_count = 3};
    il_process *process = NULL;
    cr_assert_eq(il_process_start(door->domain, &options, &process), IL_OK, "%s",
                 il_error_message());
    return process;
}

/* A program that is started with the domain: private: and unix:. It dies with the pipe's end and the lock. */
EACH_DOOR(abi_share, started_program_adopts_and_its_death_is_seen) {
    il_pipe *a = NULL, *b = NULL;
    il_lock *lock = NULL;
    char room[100] = "", text[220] = "";
    size_t bytes = 0;
    int32_t code = 0;
    if (!door->local) return;
    cr_assert_eq(il_pipe_open_pair(door->domain, NULL, &a, &b), IL_OK);
    cr_assert_eq(il_lock_open(door->domain, NULL, 0, NULL, &lock), IL_OK);
    il_ticket end = share(IL_KIND_PIPE, b), of_lock = share(IL_KIND_LOCK, lock);
    write_ticket(text, &end);
    strcat(text, "+");
    write_ticket(text + strlen(text), &of_lock);
    il_process *process = start_child(door, "adopt", text);
    cr_assert_eq(il_pipe_receive(a, room, sizeof room, &bytes, NULL, seconds(20)), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(il_lock_acquire(lock, 0, NULL), IL_ETIMEOUT, "the program holds it");
    cr_assert_eq(il_pipe_close(b), IL_OK); /* from here on the end is the program's alone */
    cr_assert_eq(il_process_kill(process), IL_OK);
    cr_assert_eq(il_pipe_receive(a, room, sizeof room, &bytes, NULL, seconds(20)), IL_EEOF);
    cr_assert_eq(il_lock_acquire(lock, seconds(20), NULL), IL_EOWNERDEAD);
    cr_assert_eq(il_process_join(process, seconds(20), &code), IL_OK);
    il_lock_release(lock, 0);
    il_process_close(process);
    il_pipe_close(a);
    il_lock_close(lock);
}
