#include <criterion/criterion.h>
#include <grp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "session/attach.h"
#include "session/keeper.h"
#include "support/member.h"

static struct ili_keeper *keeper;
static _Atomic unsigned attached, ended, died, refused;
static _Atomic il_status refusal;

static void on_attached(void *context, const struct ili_session_info *session) {
    (void)context, (void)session;
    atomic_fetch_add(&attached, 1);
}

static void on_ended(void *context, const struct ili_session_info *session, bool has_died,
                     const struct ili_held *held, size_t held_count) {
    (void)context, (void)session, (void)held, (void)held_count;
    atomic_fetch_add(&died, has_died);
    atomic_fetch_add(&ended, 1);
}

static void on_refused(void *context, uint32_t pid, uint32_t uid, il_status why) {
    (void)context, (void)pid, (void)uid;
    atomic_store(&refusal, why);
    atomic_fetch_add(&refused, 1);
}

static void serve(void) {
    struct ili_arena arena;
    uint32_t slot;
    struct ili_keeper_events events = {NULL, on_attached, on_ended, on_refused};
    ili_kinds_register();
    ili_fork_prepare();
    cr_assert_eq(ili_arena_create(UINT64_C(4) << 20, true, 1000, &arena), IL_OK);
    cr_assert_eq(ili_slot_claim(&arena, (uint32_t)getpid(), getuid(), "server", &slot), IL_OK);
    ili_member_enter(&test_member, &arena, slot, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    cr_assert_eq(ili_keeper_serve(&test_member, &events, &keeper), IL_OK);
}

static void stop(void) {
    ili_keeper_stop(keeper);
    ili_member_stop(&test_member, IL_ECLOSED);
    ili_member_leave(&test_member);
}

/* A connection to the keeper. */
static int connection(void) {
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ili_keeper_adopt(keeper, ends[0]);
    return ends[1];
}

static struct ili_attach_hello hello(void) {
    struct ili_attach_hello h = {.stamp = ili_layout_stamp(), .label = "peer"};
    memcpy(h.magic, ILI_ATTACH_MAGIC, sizeof h.magic);
    return h;
}

/* The status in the answer; 1: the connection ended without one. */
static il_status answer(int fd) {
    struct ili_attach_answer a;
    struct timeval limit = {10, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ssize_t got = recv(fd, &a, sizeof a, MSG_WAITALL);
    return got == (ssize_t)sizeof a ? a.status : 1;
}

static bool is_positive(void *count) { return atomic_load((_Atomic unsigned *)count) > 0; }

static unsigned used_slots(void) {
    unsigned count = 0;
    for (uint32_t i = 0; i < test_member.arena.regions.slots; i++) {
        count += atomic_load(&test_member.arena.slots[i].state) != ILI_SLOT_FREE;
    }
    return count;
}

static bool is_alone(void *unused) {
    (void)unused;
    return used_slots() == 1;
}

Test(session_attach, peer_with_its_hello_gets_a_slot_until_it_goes, .timeout = 30) {
    serve();
    int fd = connection();
    struct ili_attach_hello h = hello();
    for (size_t i = 0; i < sizeof h; i++) { /* byte by byte */
        cr_assert_eq(send(fd, (char *)&h + i, 1, MSG_NOSIGNAL), 1);
    }
    cr_assert_eq(answer(fd), IL_OK);
    cr_assert(test_wait(is_positive, &attached, 10));
    cr_assert_eq(used_slots(), 2);
    close(fd);
    cr_assert(test_wait(is_positive, &ended, 10));
    cr_assert_eq(died, 1);
    cr_assert(test_wait(is_alone, NULL, 10));
    stop();
}

Test(session_attach, peer_that_says_goodbye_did_not_die, .timeout = 30) {
    serve();
    int fd = connection();
    struct ili_attach_hello h = hello();
    char goodbye = ILI_ATTACH_GOODBYE;
    send(fd, &h, sizeof h, MSG_NOSIGNAL);
    cr_assert_eq(answer(fd), IL_OK);
    send(fd, &goodbye, 1, MSG_NOSIGNAL);
    close(fd);
    cr_assert(test_wait(is_positive, &ended, 10));
    cr_assert_eq(died, 0);
    stop();
}

Test(session_attach, wrong_hello_is_refused, .timeout = 30) {
    serve();
    struct ili_attach_hello h = hello();
    h.stamp++;
    int fd = connection();
    send(fd, &h, sizeof h, MSG_NOSIGNAL);
    cr_assert_eq(answer(fd), IL_EPROTOCOL);
    cr_assert_eq(answer(fd), 1);
    close(fd);
    h = hello();
    h.magic[3] = 0;
    fd = connection();
    send(fd, &h, sizeof h, MSG_NOSIGNAL);
    cr_assert_eq(answer(fd), IL_EPROTOCOL);
    close(fd);
    fd = connection(); /* cut short */
    send(fd, &h, 17, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    cr_assert_eq(answer(fd), 1);
    close(fd);
    cr_assert_eq(used_slots(), 1);
    cr_assert(test_wait(is_positive, &refused, 10));
    cr_assert_eq(refusal, IL_EPROTOCOL);
    stop();
}

Test(session_attach, silent_peer_is_dropped_after_a_while, .timeout = 60) {
    serve();
    int silent = connection(), good = connection();
    struct ili_attach_hello h = hello();
    send(good, &h, sizeof h, MSG_NOSIGNAL);
    cr_assert_eq(answer(good), IL_OK, "nobody waits behind the silent one");
    int64_t begin = test_now_ns();
    cr_assert_eq(answer(silent), 1);
    cr_assert(test_now_ns() - begin > INT64_C(2000000000));
    close(silent);
    close(good);
    stop();
}

Test(session_attach, limit_of_slots_is_an_answer, .timeout = 30) {
    static int fds[ILI_SLOTS_MAX];
    unsigned count = 0;
    il_status status = IL_OK;
    serve();
    struct ili_attach_hello h = hello();
    unsigned slots = test_member.arena.regions.slots;
    for (; count < slots; count++) {
        fds[count] = connection();
        send(fds[count], &h, sizeof h, MSG_NOSIGNAL);
        status = answer(fds[count]);
        if (status != IL_OK) break;
    }
    cr_assert_eq(status, IL_ELIMIT, "%d after %u", status, count);
    cr_assert_eq(count, slots - 1);
    for (unsigned i = 0; i <= count; i++) close(fds[i]);
    cr_assert(test_wait(is_alone, NULL, 10), "%u", used_slots());
    stop();
}

static il_status attach_as_nobody(const char *path) {
    struct ili_arena arena;
    uint32_t slot;
    int doorbell, life;
    pid_t child = fork();
    if (child == 0) {
        if (setgroups(0, NULL) || setgid(65534) || setuid(65534)) _exit(100);
        _exit(-ili_attach(path, "nobody", &arena, &slot, &doorbell, &life));
    }
    int status = test_reap(child, 20);
    return WIFEXITED(status) ? -WEXITSTATUS(status) : 1;
}

Test(session_attach, other_users_are_refused, .timeout = 30) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (getuid() != 0) cr_skip("needs root to become somebody else");
    serve();
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/interlock-attach-%d.sock",
             (int)getpid());
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    chmod(address.sun_path, 0777);
    listen(listener, 5);
    il_status status = 1;
    pid_t child = fork();
    if (child == 0) _exit(-attach_as_nobody(address.sun_path));
    int fd = accept(listener, NULL, NULL);
    ili_keeper_adopt(keeper, fd);
    int ended_how = test_reap(child, 20);
    status = WIFEXITED(ended_how) ? -WEXITSTATUS(ended_how) : 1;
    unlink(address.sun_path);
    cr_assert_eq(status, IL_EACCESS, "%d", status);
    cr_assert(test_wait(is_positive, &refused, 10)); /* told after the answer was sent */
    cr_assert_eq(refusal, IL_EACCESS);
    cr_assert_eq(used_slots(), 1);
    stop();
}

Test(session_attach, arena_that_is_none_is_refused) {
    struct ili_arena made, mapped;
    cr_assert_eq(ili_arena_create(UINT64_C(2) << 20, false, 0, &made), IL_OK);
    cr_assert(fcntl(made.fd, F_GET_SEALS) & F_SEAL_SHRINK);
    cr_assert_neq(ftruncate(made.fd, 4096), 0);
    struct ili_header saved = *made.header;
    cr_assert_eq(ili_arena_map(dup(made.fd), &mapped), IL_OK);
    ili_arena_unmap(&mapped);
    made.header->stamp ^= 1;
    cr_assert_eq(ili_arena_map(made.fd, &mapped), IL_EPROTOCOL);
    made.header->stamp = saved.stamp;
    made.header->magic = 0;
    cr_assert_eq(ili_arena_map(made.fd, &mapped), IL_EPROTOCOL);
    made.header->magic = saved.magic;
    made.header->regions.agents_at += 8;
    cr_assert_eq(ili_arena_map(made.fd, &mapped), IL_ECORRUPT);
    made.header->regions = saved.regions;
    int file = memfd_create("unsealed", MFD_CLOEXEC);
    cr_assert_eq(ftruncate(file, 2 << 20), 0);
    cr_assert_eq(ili_arena_map(file, &mapped), IL_EPROTOCOL);
    close(file);
    cr_assert_eq(ili_arena_create(1, false, 0, &mapped), IL_EINVAL);
    cr_assert_eq(ili_arena_create(UINT64_MAX, false, 0, &mapped), IL_EINVAL);
    ili_arena_unmap(&made);
}
