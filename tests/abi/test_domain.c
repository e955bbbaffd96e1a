#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/doors.h"

Test(abi_domain, tells_its_version) {
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", IL_VERSION_MAJOR, IL_VERSION_MINOR, IL_VERSION_PATCH);
    cr_assert_str_eq(il_version(), text);
    cr_assert(il_abi_version() >= IL_ABI_VERSION);
    cr_assert_str_eq(il_status_name(IL_ETIMEOUT), "IL_ETIMEOUT");
    cr_assert_str_eq(il_status_name(IL_ESHUTDOWN), "IL_ESHUTDOWN");
    cr_assert_str_eq(il_status_name(1), "IL_E?");
    cr_assert_str_eq(il_status_name(-1000), "IL_E?");
    for (il_status s = 0; s >= IL_ESHUTDOWN; s--) cr_assert(strlen(il_status_text(s)) > 3);
    cr_assert_str_eq(il_error_message(), "");
}

Test(abi_domain, names_the_bad_argument) {
    il_domain *domain = NULL;
    il_domain_options options = {.struct_bytes = sizeof options};
    cr_assert_eq(il_domain_open(NULL, NULL, &domain), IL_EINVAL);
    SAYS("address");
    cr_assert_eq(il_domain_open("private:", NULL, NULL), IL_EINVAL);
    SAYS("out");
    cr_assert_eq(il_domain_open("nonsense", NULL, &domain), IL_EINVAL);
    SAYS("address");
    cr_assert_eq(il_domain_open("unix:", NULL, &domain), IL_EINVAL);
    SAYS("address");
    options.struct_bytes = 7;
    cr_assert_eq(il_domain_open("private:", &options, &domain), IL_EINVAL);
    SAYS("struct_bytes");
    options = (il_domain_options){.struct_bytes = sizeof options, .reserved = 1};
    cr_assert_eq(il_domain_open("private:", &options, &domain), IL_EINVAL);
    SAYS("reserved");
    options = (il_domain_options){.struct_bytes = sizeof options, .arena_bytes = 4096};
    cr_assert_eq(il_domain_open("private:", &options, &domain), IL_EINVAL);
    SAYS("arena_bytes");
    options.arena_bytes = UINT64_C(1) << 50;
    cr_assert_eq(il_domain_open("private:", &options, &domain), IL_EINVAL);
    cr_assert_eq(il_domain_open("unix:/no/such/socket", NULL, &domain), IL_ECONNECT);
    SAYS("/no/such/socket");
    char address[200] = "unix:/";
    memset(address + 6, 'x', 150);
    cr_assert(il_domain_open(address, NULL, &domain) != IL_OK);
    cr_assert_eq(il_domain_open("http://127.0.0.1:1", NULL, &domain), IL_ECONNECT, "%s",
                 il_error_message());
    cr_assert_null(domain);
    cr_assert_eq(il_domain_close(NULL), IL_OK);
    cr_assert_eq(il_domain_info_get(NULL, NULL), IL_EINVAL);
    SAYS("domain");
    /* an older program's options end early: the rest has its default */
    struct {
        uint32_t struct_bytes, reserved;
        uint64_t arena_bytes;
    } old = {sizeof old, 0, UINT64_C(2) << 20};
    cr_assert_eq(il_domain_open("private:", (const il_domain_options *)(const void *)&old, &domain),
                 IL_OK);
    il_domain_info info = {.struct_bytes = sizeof info};
    cr_assert_eq(il_domain_info_get(domain, &info), IL_OK);
    cr_assert_eq(info.arena_bytes, UINT64_C(2) << 20);
    il_domain_close(domain);
}

Test(abi_domain, of_any_size_works) {
    static const uint64_t sizes[] = {UINT64_C(1) << 20, (UINT64_C(1) << 20) + 1, UINT64_C(3) << 20,
                                     UINT64_C(1) << 30, UINT64_C(64) << 30};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        il_domain_options options = {.struct_bytes = sizeof options, .arena_bytes = sizes[i]};
        il_domain *domain = NULL;
        il_lock *lock = NULL;
        cr_assert_eq(il_domain_open("private:", &options, &domain), IL_OK, "%llu: %s",
                     (unsigned long long)sizes[i], il_error_message());
        cr_assert_eq(il_lock_open(domain, "it", 2, NULL, &lock), IL_OK, "%s", il_error_message());
        cr_assert_eq(il_lock_acquire(lock, 0, NULL), IL_OK);
        cr_assert_eq(il_lock_release(lock, 0), IL_OK);
        il_lock_close(lock);
        il_domain_close(domain);
    }
}

EACH_DOOR(abi_domain, tells_what_is_in_it) {
    il_domain_info info = {.struct_bytes = sizeof info};
    il_lock *locks[5];
    il_status status = il_domain_info_get(door->domain, &info);
    if (!door->local) {
        cr_assert_eq(status, IL_EUNSUPPORTED);
        return;
    }
    cr_assert_eq(status, IL_OK);
    cr_assert_eq(info.clients, 1);
    cr_assert(info.arena_bytes >= info.free_bytes && info.free_bytes > info.arena_bytes / 2);
    uint64_t objects = info.objects;
    for (int i = 0; i < 5; i++)
        il_lock_open(door->domain, (const char[]){(char)('a' + i)}, 1, NULL, &locks[i]);
    cr_assert_eq(il_domain_info_get(door->domain, &info), IL_OK);
    cr_assert_eq(info.objects, objects + 5);
    for (int i = 0; i < 5; i++) {
        il_lock_close(locks[i]);
        il_lock_delete(door->domain, (const char[]){(char)('a' + i)}, 1);
    }
    memset(&info, 0x55, sizeof info);
    info.struct_bytes = offsetof(il_domain_info, free_bytes);
    cr_assert_eq(il_domain_info_get(door->domain, &info), IL_OK);
    cr_assert_eq(info.free_bytes, UINT64_C(0x5555555555555555));
    info.struct_bytes = 1;
    cr_assert_eq(il_domain_info_get(door->domain, &info), IL_EINVAL);
    SAYS("struct_bytes");
    cr_assert_eq(il_domain_info_get(door->domain, NULL), IL_EINVAL);
}

EACH_DOOR(abi_domain, gives_up_what_a_session_holds_when_it_ends) {
    il_domain *other = NULL;
    il_lock *theirs = NULL, *ours = NULL;
    if (!door->server) return; /* a private domain is opened once */
    cr_assert_eq(il_domain_open(door->address, NULL, &other), IL_OK);
    cr_assert_eq(il_lock_open(other, "it", 2, NULL, &theirs), IL_OK);
    cr_assert_eq(il_lock_open(door->domain, "it", 2, NULL, &ours), IL_OK);
    cr_assert_eq(il_lock_acquire(theirs, 0, NULL), IL_OK);
    cr_assert_eq(il_lock_acquire(ours, 0, NULL), IL_ETIMEOUT);
    cr_assert_eq(il_lock_release(ours, 0), IL_ENOTHELD);
    il_owner owner = {.struct_bytes = sizeof owner};
    cr_assert_eq(il_lock_owner(ours, &owner), IL_OK);
    cr_assert_eq(owner.mine, 0);
    cr_assert(owner.token > 0);
    cr_assert_eq(il_lock_close(theirs), IL_OK);
    cr_assert_eq(il_domain_close(other), IL_OK);
    uint64_t token;
    il_status status = il_lock_acquire(ours, seconds(5), &token);
    cr_assert(status == IL_OK || status == IL_EOWNERDEAD, "%s", il_error_message());
    il_lock_release(ours, token);
    il_lock_close(ours);
}

EACH_DOOR(abi_domain, survives_being_opened_often) {
    if (!door->server) return;
    for (int i = 0; i < 100; i++) {
        il_domain *domain = NULL;
        il_lock *lock = NULL;
        cr_assert_eq(il_domain_open(door->address, NULL, &domain), IL_OK, "%s", il_error_message());
        cr_assert_eq(il_lock_open(domain, "it", 2, NULL, &lock), IL_OK, "%s", il_error_message());
        il_lock_close(lock);
        cr_assert_eq(il_domain_close(domain), IL_OK);
    }
}

static bool blocked_ended(void *status) { return *(_Atomic il_status *)status != 1; }

struct blocked {
    il_lock *lock;
    il_queue *queue;
    _Atomic il_status status;
};

static void *block(void *argument) {
    struct blocked *b = argument;
    char room[8];
    size_t bytes;
    il_status status = b->lock
                           ? il_lock_acquire(b->lock, IL_FOREVER, NULL)
                           : il_queue_get(b->queue, room, sizeof room, &bytes, NULL, IL_FOREVER);
    atomic_store(&b->status, status);
    return NULL;
}

/* The server is killed while threads wait: they return at once. */
EACH_DOOR(abi_domain, ends_all_calls_when_its_server_goes) {
    struct blocked blocked[2] = {{.status = 1}, {.status = 1}};
    pthread_t threads[2];
    if (!door->server) return;
    cr_assert_eq(il_lock_open(door->domain, "it", 2, NULL, &blocked[0].lock), IL_OK);
    cr_assert_eq(il_queue_open(door->domain, "it", 2, NULL, &blocked[1].queue), IL_OK);
    cr_assert_eq(il_lock_acquire(blocked[0].lock, 0, NULL), IL_OK);
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, block, &blocked[i]);
    il_owner owner = {.struct_bytes = sizeof owner};
    for (int i = 0; i < 20000 && owner.waiters < 1; i++) {
        cr_assert_eq(il_lock_owner(blocked[0].lock, &owner), IL_OK);
        test_pause();
    }
    cr_assert_eq(owner.waiters, 1);
    kill(door->server, SIGKILL);
    int64_t begin = test_now_ns();
    for (int i = 0; i < 2; i++) {
        cr_assert(test_wait(blocked_ended, &blocked[i].status, 5), "call %d hangs", i);
        pthread_join(threads[i], NULL);
        il_status ended = blocked[i].status; /* over HTTP, the domain may come back */
        cr_assert(ended == IL_EGONE || (!door->local && ended == IL_ECONNECT), "call %d: %s", i,
                  il_status_name(ended));
    }
    cr_assert(test_now_ns() - begin < seconds(1));
    waitpid(door->server, NULL, 0);
    door->server = 0;
    il_status status = il_lock_acquire(blocked[0].lock, 0, NULL);
    cr_assert(status == IL_EGONE || (!door->local && status == IL_ECONNECT), "%s",
              il_error_message());
    il_lock_close(blocked[0].lock);
    il_queue_close(blocked[1].queue);
}
