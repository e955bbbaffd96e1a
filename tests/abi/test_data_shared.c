/* Dicts and lists that several processes change at once, and that forked children inherit. */
#include <criterion/criterion.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "support/doors.h"

#if defined(__SANITIZE_THREAD__)
#define CHILD_MAY_OPEN false /* it cannot follow threads that a forked child starts */
#else
#define CHILD_MAY_OPEN true
#endif

#define CHILDREN 2
#define ROUNDS 150

/* What a child works on: its parent's private domain, or a domain of its own. */
struct site {
    il_domain *domain;
    il_dict *dict;
    il_list *list;
};

static bool open_site(const struct door *door, struct site *site) {
    memset(site, 0, sizeof *site);
    site->domain = door->domain;
    if (door->server && il_domain_open(door->address, NULL, &site->domain) != IL_OK) return false;
    return il_dict_open(site->domain, "dict", 4, NULL, &site->dict) == IL_OK &&
           il_list_open(site->domain, "list", 4, NULL, &site->list) == IL_OK;
}

static bool close_site(const struct site *site) {
    return il_dict_close(site->dict) == IL_OK && il_list_close(site->list) == IL_OK &&
           il_domain_close(site->domain) == IL_OK;
}

/* The number at KEY and its version; 0 and IL_VERSION_NONE if there is none. */
static bool read_number(il_dict *dict, const char *key, long *number, uint64_t *version) {
    char room[24];
    il_item item = {0};
    il_status status = il_dict_get(dict, key, strlen(key), room, sizeof room - 1, &item);
    room[item.bytes] = 0;
    *number = status == IL_OK ? strtol(room, NULL, 10) : 0;
    *version = status == IL_OK ? item.version : IL_VERSION_NONE;
    return status == IL_OK || status == IL_ENOKEY;
}

/* Adds 1 to KEY by compare-and-set. */
static bool add_one(il_dict *dict, const char *key) {
    for (;;) {
        char text[24];
        long number;
        uint64_t version;
        if (!read_number(dict, key, &number, &version)) return false;
        sched_yield(); /* the other's turn: what it does must be noticed */
        int bytes = snprintf(text, sizeof text, "%ld", number + 1);
        il_status status =
            il_dict_set(dict, key, strlen(key), text, (size_t)bytes, IL_JSON, &version);
        if (status != IL_ECHANGED) return status == IL_OK;
    }
}

/* Moves AMOUNT from one key to the other, if neither has changed meanwhile. */
static bool move(il_dict *dict, long amount) {
    for (;;) {
        char texts[2][24];
        il_dict_change changes[2];
        static const char *const keys[2] = {"from", "to"};
        for (int i = 0; i < 2; i++) {
            long number;
            uint64_t version;
            if (!read_number(dict, keys[i], &number, &version)) return false;
            int bytes = snprintf(texts[i], sizeof texts[i], "%ld", number + (i ? amount : -amount));
            changes[i] = (il_dict_change){IL_CHANGE_SET, IL_JSON,         keys[i], strlen(keys[i]),
                                          texts[i],      (uint64_t)bytes, version};
        }
        il_status status = il_dict_update(dict, changes, 2, NULL);
        if (status != IL_ECHANGED) return status == IL_OK;
    }
}

static bool all_are_there(void *arrived) { return atomic_load((_Atomic int *)arrived) == CHILDREN; }

/* A child's work, once all children are there. Returns what it exits with. */
static int change_all(const struct door *door, int number, _Atomic int *arrived) {
    struct site site;
    if (!open_site(door, &site)) return 1;
    atomic_fetch_add(arrived, 1);
    if (!test_wait(all_are_there, arrived, DOOR_SECONDS)) return 6;
    for (int i = 0; i < ROUNDS; i++) {
        char text[24];
        int bytes = snprintf(text, sizeof text, "%d %d", number, i);
        if (!add_one(site.dict, "count")) return 2;
        if (!move(site.dict, number + 1)) return 3;
        if (il_list_append(site.list, text, (size_t)bytes, IL_TEXT) != IL_OK) return 4;
    }
    return close_site(&site) ? 0 : 5;
}

static void check_list(il_list *list) {
    static il_list_item items[CHILDREN * ROUNDS + 1];
    static char room[CHILDREN * ROUNDS * 24];
    size_t done = 0;
    int next[CHILDREN] = {0};
    cr_assert_eq(il_list_slice(list, 0, INT64_MAX, room, sizeof room, items, CHILDREN * ROUNDS + 1,
                               &done, NULL),
                 IL_OK, "%s", il_error_message());
    cr_assert_eq(done, CHILDREN * ROUNDS);
    for (size_t i = 0; i < done; i++) {
        char text[24] = "";
        int child = -1, number = -1;
        memcpy(text, items[i].data, items[i].item.bytes);
        sscanf(text, "%d %d", &child, &number);
        cr_assert(child >= 0 && child < CHILDREN, "%s", text);
        cr_assert_eq(number, next[child]++, "each child's items are in their order");
    }
}

EACH_DOOR(abi_data_shared, no_update_is_lost) {
    struct site site;
    long count = 0, from = 0, to = 0;
    uint64_t version;
    pid_t children[CHILDREN];
    if (door->server && !CHILD_MAY_OPEN) return;
    _Atomic int *arrived =
        mmap(NULL, sizeof *arrived, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] == 0) _exit(change_all(door, i, arrived));
    }
    for (int i = 0; i < CHILDREN; i++) cr_assert_eq(test_reap(children[i], 60), 0, "child %d", i);
    munmap(arrived, sizeof *arrived);
    cr_assert(open_site(door, &site), "%s", il_error_message());
    cr_assert(read_number(site.dict, "count", &count, &version));
    cr_assert_eq(count, CHILDREN * ROUNDS);
    cr_assert(read_number(site.dict, "from", &from, &version));
    cr_assert(read_number(site.dict, "to", &to, &version));
    cr_assert_eq(from, -ROUNDS * 3);
    cr_assert_eq(to, ROUNDS * 3);
    check_list(site.list);
    if (door->server) {
        cr_assert(close_site(&site));
    } else {
        il_dict_close(site.dict);
        il_list_close(site.list);
    }
}

/* What a child with its parent's handles is told; _exit() tells the parent which step was wrong. */
static int use_inherited(il_dict *dict, il_list *list, il_domain *domain, bool private) {
    char room[8];
    il_item item = {0};
    il_status expected = private ? IL_OK : IL_EFORKED;
    if (il_dict_get(dict, "k", 1, room, sizeof room, &item) != expected) return 1;
    if (private && (item.bytes != 6 || memcmp(room, "parent", 6) != 0)) return 2;
    if (il_dict_set(dict, "k", 1, "child", 5, IL_TEXT, NULL) != expected) return 3;
    if (il_list_append(list, "child", 5, IL_TEXT) != expected) return 4;
    if (il_dict_close(dict) != IL_OK || il_list_close(list) != IL_OK) return 5;
    return il_domain_close(domain) == IL_OK ? 0 : 6;
}

EACH_DOOR(abi_data_shared, a_child_inherits_what_is_private) {
    char room[8];
    il_item item = {0};
    il_dict *dict = NULL;
    il_list *list = NULL;
    bool private = !door->server;
    const char *name = private ? NULL : "it"; /* an anonymous one is inherited as well */
    cr_assert_eq(il_dict_open(door->domain, name, name ? 2 : 0, NULL, &dict), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(il_list_open(door->domain, name, name ? 2 : 0, NULL, &list), IL_OK);
    cr_assert_eq(il_dict_set(dict, "k", 1, "parent", 6, IL_TEXT, NULL), IL_OK);
    pid_t child = fork();
    if (child == 0) _exit(use_inherited(dict, list, door->domain, private));
    cr_assert_eq(test_reap(child, DOOR_SECONDS), 0);
    cr_assert_eq(il_dict_get(dict, "k", 1, room, sizeof room, &item), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(item.bytes, private ? 5 : 6);
    uint64_t length = 99;
    cr_assert_eq(il_list_length(list, &length, NULL), IL_OK);
    cr_assert_eq(length, private ? 1 : 0);
    il_dict_close(dict);
    il_list_close(list);
}
