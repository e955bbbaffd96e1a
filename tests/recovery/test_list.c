/*
 * A process dies at each point that a call on a list passes: the list is then what it was, or what the call makes of
 * it, and nothing is lost of the arena.
 *
 * Each call is first made by a child that does not die, which tells the points and what the list becomes.
 * INTERLOCK_TORTURE takes more passages, INTERLOCK_POINT=NAME restricts a run.
 */
#include <criterion/criterion.h>

#ifdef IL_POINTS
#include <sys/mman.h>

#include "base/point.h"
#include "data/list.h"
#include "support/world.h"

#define POINTS_MOST 64

static struct world w;
static struct ili_member *m;
static struct ili_list *list;

/* In memory that the children share. */
static struct passed {
    unsigned count;
    struct {
        char name[48];
        uint32_t passages;
    } points[POINTS_MOST];
    il_status status;
} * passed;

static void note_point(const char *name) {
    unsigned i = 0;
    while (i < passed->count && strcmp(passed->points[i].name, name) != 0) i++;
    if (i == POINTS_MOST) abort();
    if (i == passed->count) {
        snprintf(passed->points[i].name, sizeof passed->points[i].name, "%s", name);
        passed->points[passed->count++].passages = 0;
    }
    passed->points[i].passages++;
}

/* ---- contents ------------------------------------------------------------------------------------- */

#define ITEMS_MOST 4000
static char words[ITEMS_MOST][16];
static struct ili_payload payloads[ITEMS_MOST];

/* COUNT items that say FIRST and the numbers behind it; some are large. */
static const struct ili_payload *items(unsigned first, unsigned count) {
    static const char large[70000];
    for (unsigned i = 0; i < count; i++) {
        int bytes = snprintf(words[i], sizeof words[i], "%u", first + i * 7919 % 10000);
        payloads[i] = (struct ili_payload){words[i], (uint64_t)bytes, IL_JSON};
        if (count < 4 && i == 1) payloads[i] = (struct ili_payload){large, sizeof large, IL_BYTES};
    }
    return payloads;
}

static il_status put(int64_t start, int64_t stop, unsigned first, unsigned count) {
    return ili_list_splice(m, list, start, stop, items(first, count), count, IL_VERSION_ANY, NULL,
                           NULL);
}

struct state {
    uint64_t length, version, hash;
};

static struct state state_of(void) {
    static char room[1 << 17];
    static struct ili_item got[1000];
    struct ili_list_view view;
    ili_list_look(list, &view);
    struct state s = {view.length, view.version, 5381};
    size_t done;
    for (uint64_t at = 0; at < s.length; at += done) {
        cr_assert_eq(ili_list_slice(m, list, (int64_t)at, INT64_MAX, room, sizeof room, got, 1000,
                                    &done, NULL),
                     IL_OK);
        for (size_t i = 0; i < done; i++) {
            const unsigned char *bytes = got[i].data;
            for (uint64_t k = 0; k < got[i].bytes && k < 20; k++) s.hash = s.hash * 33 + bytes[k];
            s.hash = s.hash * 31 + got[i].bytes + (got[i].version == s.version);
        }
    }
    return s;
}

/* ---- calls ---------------------------------------------------------------------------------------- */

static il_status append(void) { return put(INT64_MAX, INT64_MAX, 5, 1); }
static il_status append_some(void) { return put(INT64_MAX, INT64_MAX, 5, 3); }
static il_status append_many(void) { return put(INT64_MAX, INT64_MAX, 5, 1100); }
static il_status prepend(void) { return put(0, 0, 5, 1); }
static il_status prepend_many(void) { return put(0, 0, 5, 1100); }
static il_status insert(void) { return put(7, 7, 5, 1); }
static il_status replace(void) { return put(3, 6, 5, 2); }
static il_status remove_some(void) { return put(5, 9, 0, 0); }
static il_status remove_few_from_end(void) { return put(-3, INT64_MAX, 0, 0); }
static il_status remove_many(void) { return put(50, -50, 0, 0); }
static il_status clear(void) { return put(0, INT64_MAX, 0, 0); }
static il_status reverse(void) { return ili_list_reverse(m, list); }
static il_status sort(void) { return ili_list_sort(m, list, false, NULL); }
static il_status set(void) {
    return ili_list_set(m, list, 4, items(9, 1), IL_VERSION_ANY, NULL, NULL);
}
static il_status pop_at(int64_t index) {
    struct ili_item item = {.room = 1 << 20};
    il_status status = ili_list_pop(m, list, index, IL_VERSION_ANY, &item, NULL);
    if (status == IL_OK) free(item.data);
    return status;
}
static il_status pop_last(void) { return pop_at(-1); }
static il_status pop_first(void) { return pop_at(0); }
static il_status pop_middle(void) { return pop_at(6); }
static il_status find_and_remove(void) {
    uint64_t index;
    static const struct ili_payload wanted = {"7921.0", 6, IL_JSON};
    return ili_list_find(m, list, &wanted, 0, INT64_MAX, true, &index);
}

/* Sets, removes, puts in, and takes out again what it had put in. */
static il_status update(void) {
    const struct ili_payload *some = items(100, 12);
    const struct ili_list_change changes[] = {
        {1, 2, true, some, 1, IL_VERSION_ANY},
        {5, 8, true, NULL, 0, IL_VERSION_ANY},
        {9, 9, false, some + 1, 10, IL_VERSION_ANY},
        {11, 14, true, NULL, 0, IL_VERSION_ANY},
        {INT64_MAX, INT64_MAX, false, some + 11, 1, IL_VERSION_ANY},
    };
    return ili_list_update(m, list, changes, 5, IL_VERSION_ANY, NULL, NULL);
}

static il_status update_much(void) {
    const struct ili_payload *some = items(100, 1500);
    const struct ili_list_change changes[] = {
        {0, 0, false, some, 1500, IL_VERSION_ANY},
        {100, 1450, true, NULL, 0, IL_VERSION_ANY},
        {200, 1600, false, NULL, 0, IL_VERSION_ANY},
    };
    return ili_list_update(m, list, changes, 3, IL_VERSION_ANY, NULL, NULL);
}

static const struct scenario {
    const char *name;
    unsigned length; /* of the list before */
    il_status (*call)(void);
} scenarios[] = {
    {"append to none", 0, append},
    {"append", 5, append},
    {"append, a larger chunk", 6, append},
    {"append, another chunk", 510, append_some},
    {"append many", 700, append_many},
    {"prepend", 700, prepend},
    {"prepend many", 700, prepend_many},
    {"insert", 100, insert},
    {"insert, two chunks", 510, insert},
    {"replace", 20, replace},
    {"remove", 100, remove_some},
    {"remove at the end", 100, remove_few_from_end},
    {"remove many", 3000, remove_many},
    {"clear few", 40, clear},
    {"clear many", 2000, clear},
    {"pop the last", 10, pop_last},
    {"pop the only one", 1, pop_last},
    {"pop the first", 700, pop_first},
    {"pop", 700, pop_middle},
    {"set", 10, set},
    {"find and remove", 30, find_and_remove},
    {"reverse", 1200, reverse},
    {"sort", 1200, sort},
    {"update", 30, update},
    {"update much", 2000, update_much},
};

/* ---- deaths --------------------------------------------------------------------------------------- */

static uint64_t free_bytes; /* with an empty list */

static void check(void) {
    struct ili_agent *self;
    cr_assert_eq(ili_agent_current(m, &self), IL_OK);
    cr_assert_eq(ili_guard_lock(m, self, &list->guard), IL_OK);
    il_status status = ili_list_check(m, list);
    ili_guard_unlock(m, self, &list->guard);
    cr_assert_eq(status, IL_OK);
    cr_assert_eq(world_check_alloc(&w), IL_OK);
}

static void recover(void) {
    world_watch(&w);
    cr_assert(test_wait(world_is_alone, &w, 20), "the dead process is not recovered");
}

/* Runs the call in a child that dies at POINT; NULL: that does not, and notes what it passes. */
static void run(const struct scenario *s, const char *point, uint32_t passage) {
    pid_t child = fork();
    if (child == 0) {
        if (point) {
            ili_point_arm(point, passage);
        } else {
            ili_point_passed = note_point;
        }
        passed->status = s->call();
        _exit(0);
    }
    int status = test_reap(child, 20);
    bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    cr_assert_eq(died, point != NULL, "%s: %s:%u was not passed", s->name, point ? point : "",
                 passage);
    recover();
}

/* The list as the scenario finds it, by the same steps each time. */
static struct state prepare(const struct scenario *s) {
    cr_assert_eq(clear(), IL_OK);
    cr_assert_eq(world_free_bytes(&w), free_bytes, "%s: memory is lost", s->name);
    if (s->length > 600) cr_assert_eq(put(0, 0, 1, 600), IL_OK);
    cr_assert_eq(put(INT64_MAX, INT64_MAX, 2, s->length > 600 ? s->length - 600 : s->length),
                 IL_OK);
    struct state state = state_of();
    cr_assert_eq(state.length, s->length);
    return state;
}

static unsigned die_at(const struct scenario *s, const char *point, uint32_t passage,
                       const struct state *old_one, const struct state *new_one) {
    struct state before = prepare(s);
    cr_assert_eq(before.hash, old_one->hash);
    run(s, point, passage);
    check();
    struct state after = state_of();
    bool is_old = after.length == old_one->length && after.hash == old_one->hash &&
                  after.version == before.version;
    bool is_new = after.length == new_one->length && after.hash == new_one->hash &&
                  after.version == before.version + 1;
    cr_assert(is_old || is_new, "%s, dead at %s:%u: neither the old nor the new list", s->name,
              point, passage);
    return is_new;
}

static void die_everywhere(const struct scenario *s, bool *old_seen, bool *new_seen) {
    const char *wanted = getenv("INTERLOCK_POINT");
    uint64_t random = 77;
    struct state old_one = prepare(s);
    passed->count = 0;
    run(s, NULL, 0);
    cr_assert_eq(passed->status, IL_OK, "%s: %d", s->name, passed->status);
    check();
    struct state new_one = state_of();
    cr_assert_eq(new_one.version, old_one.version + 1, "%s", s->name);
    static struct passed all;
    all = *passed;
    for (unsigned p = 0; p < all.count; p++) {
        const char *name = all.points[p].name;
        uint32_t passages = all.points[p].passages;
        unsigned tries = getenv("INTERLOCK_TORTURE") ? 40 : strncmp(name, "list.", 5) == 0 ? 4 : 3;
        if (wanted && strcmp(wanted, name) != 0) continue;
        for (unsigned t = 0; t < tries && t < passages; t++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            uint32_t passage = t < 2 || tries >= passages ? t + 1
                               : t == 2                   ? passages
                                                          : 1 + (uint32_t)(random >> 33) % passages;
            bool is_new = die_at(s, name, passage, &old_one, &new_one);
            *(is_new ? new_seen : old_seen) = true;
        }
    }
    cr_assert(wanted || (*old_seen && *new_seen), "%s: it never was half way", s->name);
}

static void die_in_all(bool watched) {
    struct ili_agent *self;
    ili_off at = 0;
    passed = mmap(NULL, sizeof *passed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(passed != MAP_FAILED && world_open(&w, false, 48 << 20));
    m = &w.domain->member;
    cr_assert_eq(ili_agent_current(m, &self), IL_OK);
    cr_assert_eq(ili_names_open(m, self, &ili_list_kind, "it", 2, NULL, 0, NULL, &at, NULL), IL_OK);
    list = ili_object_at(&m->arena, at, ILI_KIND_LIST);
    struct ili_changes_place place = {0};
    if (watched) cr_assert_eq(ili_list_watch(m, list, &place), IL_OK);
    run(&scenarios[0], "list.commit.made", 1); /* what is only made once is made */
    cr_assert_eq(clear(), IL_OK);
    free_bytes = world_free_bytes(&w);
    for (unsigned i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        bool old_seen = false, new_seen = false;
        die_everywhere(&scenarios[i], &old_seen, &new_seen);
    }
    cr_assert_eq(ili_names_delete(m, self, &ili_list_kind, "it", 2), IL_OK);
    cr_assert_eq(ili_names_close(m, self, at, NULL), IL_OK);
    cr_assert_eq(world_check_alloc(&w), IL_OK);
    world_close(&w);
}

Test(recovery_list, a_death_leaves_the_old_list_or_the_new_one, .timeout = 1200) {
    die_in_all(false);
}

Test(recovery_list, also_if_it_is_watched, .timeout = 1200) { die_in_all(true); }

#else

Test(recovery_list, needs_a_build_with_points) { cr_skip("built without IL_POINTS"); }

#endif
