/*
 * A process dies at each point of each call of a dict, and so does the keeper that repairs after it: the dict is as
 * it was before the call or as it is after it, its watchers are told what happened and nothing else, it goes on, and
 * no memory is lost.
 *
 * Each scenario makes a dict, and then some calls. It runs once without a death, to learn what the dict is after each
 * call and which points are passed how often; then once for each of them. A point of the dict's that nobody dies at is
 * a failure. INTERLOCK_SCENARIO=NAME restricts a run.
 */
#include <criterion/criterion.h>

#ifdef IL_POINTS
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/point.h"
#include "base/siphash.h"
#include "base/text.h"
#include "data/dict.h"
#include "session/recover.h"
#include "support/world.h"

#define MIB (UINT64_C(1) << 20)
#define CALLS_MOST 64
#define POINTS_MOST 128
#define PASSAGES_OF_OTHERS 3 /* of points that are not the dict's */

static struct world w;
static struct ili_member *m;
static struct ili_dict *dict, *other;
static uint8_t large[70000];

/* What the children say, in memory that all share. */
static struct shared {
    char names[POINTS_MOST][48];
    _Atomic uint32_t counted[POINTS_MOST];
    _Atomic uint32_t count;
    uint64_t states[CALLS_MOST + 1]; /* the dict before the first call, and after each */
    unsigned calls;
} * shared;

/* ---- calls -------------------------------------------------------------------------------------- */

static il_status change(uint32_t what, const char *key, const void *value, uint64_t bytes) {
    struct ili_dict_change c = {.what = what,
                                .key = key,
                                .key_bytes = strlen(key),
                                .data = value,
                                .bytes = bytes,
                                .version = IL_VERSION_ANY};
    return ili_dict_update(m, dict, &c, 1, NULL, NULL);
}

static il_status set(const char *key, const char *value) {
    return change(IL_CHANGE_SET, key, value, strlen(value));
}

static il_status set_number(unsigned number) {
    char key[16];
    snprintf(key, sizeof key, "%u", number);
    return set(key, "v");
}

static il_status remove_number(unsigned number) {
    char key[16];
    snprintf(key, sizeof key, "%u", number);
    return change(IL_CHANGE_REMOVE, key, NULL, 0);
}

static void has_three(void) {
    set("a", "1");
    set("b", "two");
    set("c", "three");
}

static void has(unsigned count) {
    for (unsigned i = 0; i < count; i++) set_number(i);
}
static void has_8(void) { has(8); }
static void has_16(void) { has(16); }
static void has_4094(void) { has(4094); }

/* So few that the table is about to lose a segment: it has 17 buckets and 5 entries. */
static void shrinks_soon(void) {
    has(17);
    for (unsigned i = 0; i < 12; i++) remove_number(i);
}

/* About to lose the directory's segment, and then the directory. */
static void loses_directory_soon(void) {
    has(4200);
    for (unsigned i = 0; i < 3150; i++) remove_number(i);
}

/* The table was not allowed to grow with its entries, and is now: a bucket's chain is long. */
static void grows_late(void) {
    uint64_t allowed = dict->limits.max_bytes;
    for (unsigned i = 0; i < 1200; i++) {
        dict->limits.max_bytes = atomic_load(&dict->used_bytes) + 128;
        set_number(i);
    }
    dict->limits.max_bytes = allowed;
}

static void overwrite(unsigned call) { set(call ? "c" : "a", call ? "" : "another"); }
static void replace(unsigned call) {
    change(IL_CHANGE_SET, call ? "c" : "a", large, 500 + call * 60000);
}
static void add(unsigned call) { set(call ? "e" : "d", "4"); }
static void add_large(unsigned call) { change(IL_CHANGE_SET, "d", large, 600 + call * 60000); }
static void remove_all(unsigned call) {
    change(IL_CHANGE_REMOVE, (char[]){"bac"[call], 0}, NULL, 0);
}

static void pop(unsigned call) {
    struct ili_item item = {.data = large, .room = sizeof large};
    ili_dict_pop(m, dict, call ? "c" : "b", 1, IL_VERSION_ANY, &item, NULL);
}

static void pop_item(unsigned call) {
    struct ili_dict_entry entry;
    (void)call;
    ili_dict_pop_item(m, dict, large, sizeof large, &entry);
}

static void set_default(unsigned call) {
    struct ili_item item = {.data = large, .room = sizeof large};
    bool created;
    struct ili_dict_change c = {
        .what = IL_CHANGE_SET, .key = call ? "e" : "d", .key_bytes = 1, .data = "x", .bytes = 1};
    ili_dict_set_default(m, dict, &c, &item, &created, NULL);
}

static void update_many(unsigned call) {
    struct ili_dict_change c[8];
    static const struct {
        uint32_t what;
        const char *key, *value;
    } changes[8] = {{IL_CHANGE_SET, "d", "4"},     {IL_CHANGE_SET, "a", "one"},
                    {IL_CHANGE_EXPECT, "x", NULL}, {IL_CHANGE_REMOVE, "b", NULL},
                    {IL_CHANGE_SET, "d", "four"},  {IL_CHANGE_SET, "e", "5"},
                    {IL_CHANGE_REMOVE, "e", NULL}, {IL_CHANGE_SET, "b", "anew"}};
    for (int i = 0; i < 8; i++) {
        c[i] = (struct ili_dict_change){.what = changes[i].what,
                                        .key = changes[i].key,
                                        .key_bytes = 1,
                                        .data = changes[i].value,
                                        .version = IL_VERSION_ANY};
        c[i].bytes = changes[i].value ? strlen(changes[i].value) : 0;
    }
    (void)call;
    ili_dict_update(m, dict, c, 8, NULL, NULL);
}

static void clear(unsigned call) {
    (void)call;
    ili_dict_clear(m, dict);
}

static void copy_in(unsigned call) {
    (void)call;
    ili_dict_copy(m, other, dict, NULL);
}

static void grow(unsigned call) { set_number(1000000 + call); }
static void grow_late(unsigned call) {
    (void)call;
    set_number(7);
}
static void shrink(unsigned call) { remove_number(12 + call); }
static void shrink_far(unsigned call) { remove_number(3150 + call); }

/* Another dict, full, which only its name keeps. */
static void fill_gone(void) {
    struct ili_agent *self;
    ili_off at;
    struct ili_dict *kept = dict;
    struct ili_changes_place place = {0};
    has_three();
    if (ili_agent_current(m, &self) != IL_OK ||
        ili_names_open(m, self, &ili_dict_kind, "gone", 4, NULL, 0, NULL, &at, NULL) != IL_OK) {
        return;
    }
    dict = ili_object_at(&m->arena, at, ILI_KIND_DICT);
    has(4200);
    ili_dict_watch(m, dict, &place);
    ili_names_close(m, self, at, NULL);
    dict = kept;
}

static void dispose(unsigned call) {
    struct ili_agent *self;
    (void)call;
    if (ili_agent_current(m, &self) != IL_OK) return;
    ili_names_delete(m, self, &ili_dict_kind, "gone", 4);
}

static void watch_first(unsigned call) {
    struct ili_changes_place place = {0};
    (void)call;
    ili_dict_watch(m, dict, &place);
}

static const struct scenario {
    const char *name;
    void (*prepare)(void);
    void (*call)(unsigned call);
    unsigned calls;
    bool unwatched;
    unsigned every; /* the Nth passage of the dict's own points only; 0: all */
} scenarios[] = {
    {"overwrite", has_three, overwrite, 2, false, 0},
    {"overwrite unwatched", has_three, overwrite, 1, true, 0},
    {"replace", has_three, replace, 2, false, 0},
    {"add", has_three, add, 2, false, 0},
    {"add large", has_three, add_large, 2, false, 0},
    {"remove", has_three, remove_all, 3, false, 0},
    {"pop", has_three, pop, 2, false, 0},
    {"pop item", has_three, pop_item, 4, false, 0},
    {"set default", has_three, set_default, 2, false, 0},
    {"update many", has_three, update_many, 1, false, 0},
    {"update many unwatched", has_three, update_many, 1, true, 0},
    {"clear", has_16, clear, 1, false, 0},
    {"clear far", has_4094, clear, 1, false, 40},
    {"copy", has_three, copy_in, 1, false, 3},
    {"grow", has_8, grow, 3, false, 0},
    {"grow more", has_16, grow, 3, true, 0},
    {"grow far", has_4094, grow, 6, true, 3},
    {"grow late", grows_late, grow_late, 2, true, 5},
    {"shrink", shrinks_soon, shrink, 5, true, 0},
    {"shrink far", loses_directory_soon, shrink_far, 60, true, 61},
    {"dispose", fill_gone, dispose, 1, false, 400},
    {"watch", has_three, watch_first, 1, true, 0},
};
#define SCENARIOS (sizeof scenarios / sizeof scenarios[0])

/* ---- what is there ---------------------------------------------------------------------------------- */

/* Everything that is to be seen of the dict, in one number. */
static uint64_t state(void) {
    static const uint64_t key[2] = {1, 2};
    static uint8_t room[200000];
    static struct ili_dict_entry entries[500];
    struct ili_dict_view view;
    il_cursor cursor = {0};
    ili_dict_look(dict, &view);
    uint64_t sum = ili_siphash(key, (uint64_t[]){view.length, view.version}, 16);
    while (!cursor.finished) {
        size_t done;
        if (ili_dict_items(m, dict, &cursor, IL_KEYS | IL_VALUES, room, sizeof room, entries, 500,
                           &done) != IL_OK) {
            return 0;
        }
        for (size_t i = 0; i < done; i++) {
            const struct ili_dict_entry *e = &entries[i];
            uint64_t one[4] = {sum, e->key_bytes, e->item.version,
                               ili_siphash(key, e->key, e->key_bytes + e->item.bytes)};
            sum = ili_siphash(key, one, sizeof one);
        }
    }
    return sum;
}

/* What a watcher who began at VERSION is told up to the end: whether that is all of it, each once. */
static bool is_told(uint64_t version) {
    static char key[IL_KEY_MAX_BYTES + 1];
    struct ili_changes_place place = {.version = version};
    struct ili_changed out;
    struct ili_dict_view view;
    ili_dict_look(dict, &view);
    while (ili_dict_changed(m, dict, &place, &out, key, 0) == IL_OK) {
        if (out.what == IL_CHANGED_MISSED) return false;
        if (out.version != version + 1) return false;
        if (!out.more) version++;
    }
    return version == view.version;
}

static il_status check(void) {
    struct ili_agent *self;
    if (ili_agent_current(m, &self) != IL_OK) return IL_EBUSY;
    il_status status = ili_guard_lock(m, self, &dict->guard);
    if (status != IL_OK) return status;
    status = ili_dict_check(m, dict);
    ili_guard_unlock(m, self, &dict->guard);
    return status == IL_OK ? world_check_alloc(&w) : status;
}

/* ---- a run ------------------------------------------------------------------------------------------- */

static void *open_object(const char *name) {
    struct ili_agent *self;
    ili_off at = 0;
    if (ili_agent_current(m, &self) != IL_OK ||
        ili_names_open(m, self, &ili_dict_kind, name, strlen(name), NULL, 0, NULL, &at, NULL) !=
            IL_OK) {
        return NULL;
    }
    return ili_object_at(&m->arena, at, ILI_KIND_DICT);
}

static void close_object(struct ili_dict *object, const char *name) {
    struct ili_agent *self;
    if (ili_agent_current(m, &self) != IL_OK) return;
    ili_names_delete(m, self, &ili_dict_kind, name, strlen(name));
    if (object) ili_names_close(m, self, ili_off_of(&m->arena, object), NULL);
}

static void count_passage(const char *name) {
    for (unsigned i = 0; i < POINTS_MOST; i++) {
        if (i == atomic_load(&shared->count)) {
            if (strlen(name) >= sizeof shared->names[i]) return;
            ili_text_copy(shared->names[i], sizeof shared->names[i], name);
            atomic_store(&shared->count, i + 1);
        }
        if (strcmp(shared->names[i], name) == 0) {
            atomic_fetch_add(&shared->counted[i], 1);
            return;
        }
    }
}

static bool is_own(const char *name) {
    return strncmp(name, "dict.", 5) == 0 || strncmp(name, "changes.", 8) == 0;
}

/* In a child: makes the calls, and dies at the PASSAGEth passage of POINT; NULL: counts. */
static void make_calls(const struct scenario *s, const char *point, uint32_t passage) {
    if (point) ili_point_arm(point, passage);
    for (unsigned i = 0; i < s->calls; i++) {
        if (!point) ili_point_passed = count_passage;
        s->call(i);
        ili_point_passed = NULL;
        if (!point) shared->states[i + 1] = state();
    }
    _exit(0);
}

/* In a child: is the keeper of the dead one of SLOT, and dies; NULL: counts. */
static void keep(uint32_t slot, const char *point, uint32_t passage) {
    struct ili_agent *self;
    if (ili_agent_current(m, &self) != IL_OK) _exit(1);
    if (point) ili_point_arm(point, passage);
    if (!point) ili_point_passed = count_passage;
    while (ili_recover_slot(m, self, slot) == IL_EBUSY) {
    }
    _exit(0);
}

static uint32_t slot_of(pid_t pid) {
    for (uint32_t i = 0; i < m->arena.regions.slots; i++) {
        if (atomic_load(&m->arena.slots[i].pid) == (uint32_t)pid) return i;
    }
    return UINT32_MAX;
}

static bool was_killed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }

struct death {
    const char *point, *keeper_point;
    uint32_t passage, keeper_passage;
    bool counts_keeper;
};

/* Runs S with DEATH; NULL, or what is wrong. How often a point is passed depends on the arena's own hash key, so the
 * victim may get away; *DIED (may be NULL). */
static const char *run(const struct scenario *s, const struct death *death, bool *died) {
    const char *trouble = NULL;
    struct ili_changes_place place = {0};
    if (!world_open(&w, false, 64 * MIB)) return "no world";
    m = &w.domain->member;
    void (*watch)(struct ili_member *) = m->before_wait;
    m->before_wait = NULL; /* no keeper yet */
    struct ili_dict *gone = open_object("gone");
    dict = open_object("it");
    other = open_object("other");
    close_object(gone, "gone");
    close_object(dict, "it");
    close_object(other, "other");
    uint64_t free_at_first = ili_alloc_available(m);
    dict = open_object("other");
    has(60);
    set("a", "another's");
    other = dict;
    dict = open_object("it");
    s->prepare();
    if (!s->unwatched) ili_dict_watch(m, dict, &place);
    if (!death->point) shared->states[0] = state();

    pid_t child = fork();
    if (child == 0) make_calls(s, death->point, death->passage);
    uint32_t slot = slot_of(child);
    int status = test_reap(child, 20);
    bool killed = was_killed(status);
    if (status != 0 && !(death->point && killed)) trouble = "the victim failed";
    if (died) *died = killed;
    if (!trouble && killed && (death->keeper_point || death->counts_keeper)) {
        child = fork();
        if (child == 0) keep(slot, death->keeper_point, death->keeper_passage);
        status = test_reap(child, 20);
        if (status != 0 && !(death->keeper_point && was_killed(status))) {
            trouble = "the keeper failed";
        }
    }
    m->before_wait = watch;
    world_watch(&w);
    if (!test_wait(world_is_alone, &w, 20)) trouble = "not recovered";
    if (!trouble && check() != IL_OK) trouble = "not sound";
    bool known = false;
    uint64_t now = trouble ? 0 : state();
    for (unsigned i = 0; i <= s->calls; i++) known |= shared->states[i] == now;
    if (!trouble && !known) trouble = "neither the old nor the new state";
    if (!trouble && !s->unwatched && !is_told(place.version))
        trouble = "the watcher is not told all";
    /* it goes on */
    if (!trouble &&
        (set("goes on", "1") != IL_OK || change(IL_CHANGE_REMOVE, "goes on", NULL, 0) != IL_OK ||
         ili_dict_clear(m, dict) != IL_OK || check() != IL_OK)) {
        trouble = "it does not go on";
    }
    close_object(dict, "it");
    close_object(other, "other");
    close_object(NULL, "gone");
    if (!trouble && world_check_alloc(&w) != IL_OK) trouble = "the allocator is not sound";
    if (!trouble && !world_gets_back(&w, free_at_first, 1)) trouble = "memory is lost";
    world_close(&w);
    return trouble;
}

/* ---- all deaths ------------------------------------------------------------------------------------- */

struct tally {
    char reached[POINTS_MOST][48];
    unsigned reached_count, runs, failures;
};

static void reach(struct tally *t, const char *name) {
    for (unsigned i = 0; i < t->reached_count; i++) {
        if (strcmp(t->reached[i], name) == 0) return;
    }
    if (t->reached_count == POINTS_MOST) return;
    ili_text_copy(t->reached[t->reached_count], sizeof t->reached[0], name);
    t->reached_count++;
}

static bool report(struct tally *t, const struct scenario *s, const struct death *d,
                   const char *trouble) {
    t->runs++;
    if (!trouble) return true;
    fprintf(stderr, "%s, dead at %s:%u, the keeper at %s:%u: %s\n", s->name,
            d->point ? d->point : "-", d->passage, d->keeper_point ? d->keeper_point : "-",
            d->keeper_passage, trouble);
    return ++t->failures < 8;
}

struct passages {
    struct {
        char name[48];
        uint32_t count;
    } points[POINTS_MOST];
    unsigned count;
};

static void take_passages(struct passages *p) {
    p->count = atomic_load(&shared->count);
    for (unsigned i = 0; i < p->count; i++) {
        ili_text_copy(p->points[i].name, sizeof p->points[i].name, shared->names[i]);
        p->points[i].count = atomic_load(&shared->counted[i]);
    }
}

static void forget_passages(void) {
    memset(shared->names, 0, sizeof shared->names);
    for (unsigned i = 0; i < POINTS_MOST; i++) atomic_store(&shared->counted[i], 0);
    atomic_store(&shared->count, 0);
}

static void die_everywhere(struct tally *t, const struct scenario *s) {
    struct passages p;
    struct death none = {0};
    forget_passages();
    if (!report(t, s, &none, run(s, &none, NULL))) return;
    take_passages(&p);
    for (unsigned i = 0; i < p.count; i++) {
        bool own = is_own(p.points[i].name);
        uint32_t most = own ? UINT32_MAX : test_torture() ? 40 : PASSAGES_OF_OTHERS;
        uint32_t step = own && s->every && !test_torture() ? s->every : 1;
        for (uint32_t k = 1; k <= p.points[i].count && k <= most; k += step) {
            struct death d = {.point = p.points[i].name, .passage = k};
            bool died;
            bool going_on = report(t, s, &d, run(s, &d, &died));
            if (died) reach(t, d.point);
            if (!going_on) return;
        }
    }
}

static bool wanted(const struct scenario *s) {
    const char *only = getenv("INTERLOCK_SCENARIO");
    return !only || strcmp(only, s->name) == 0;
}

/* The points of the sources that no death was at. */
static unsigned count_unreached(const struct tally *t) {
    unsigned unreached = 0;
    char path[4096], line[1024];
    const char *source = getenv("INTERLOCK_SOURCE");
    snprintf(path, sizeof path, "%s/src/data", source ? source : ".");
    DIR *folder = opendir(path);
    struct dirent *entry;
    cr_assert_not_null(folder, "is INTERLOCK_SOURCE set?");
    while ((entry = readdir(folder))) {
        if (strncmp(entry->d_name, "dict", 4) != 0) continue;
        snprintf(path, sizeof path, "%s/src/data/%s", source ? source : ".", entry->d_name);
        FILE *file = fopen(path, "r");
        while (file && fgets(line, sizeof line, file)) {
            char *at = strstr(line, "ILI_POINT(\""), *end;
            bool found = false;
            if (!at || !(end = strchr(at += 11, '"'))) continue;
            *end = 0;
            for (unsigned i = 0; i < t->reached_count; i++) {
                found |= strcmp(t->reached[i], at) == 0;
            }
            if (!found) fprintf(stderr, "never died at %s\n", at);
            unreached += !found;
        }
        if (file) fclose(file);
    }
    closedir(folder);
    return unreached;
}

static void open_shared(void) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(shared != MAP_FAILED);
    for (unsigned i = 0; i < sizeof large; i++) large[i] = (uint8_t)(i * 7);
}

Test(recovery_dict, is_old_or_new_wherever_a_process_dies, .timeout = 1800) {
    static struct tally t;
    open_shared();
    for (unsigned i = 0; i < SCENARIOS && t.failures < 8; i++) {
        if (wanted(&scenarios[i])) die_everywhere(&t, &scenarios[i]);
    }
    fprintf(stderr, "%u runs\n", t.runs);
    cr_assert_eq(t.failures, 0);
    if (!getenv("INTERLOCK_SCENARIO")) cr_assert_eq(count_unreached(&t), 0);
}

/* The victim's points of the scenarios where a keeper has most to do, and there some of the keeper's. */
Test(recovery_dict, is_old_or_new_wherever_its_keeper_dies_too, .timeout = 1800) {
    static struct tally t;
    static const struct death deaths[] = {
        {"dict.commit.intended", NULL, 1, 0, true}, {"dict.make.stored", NULL, 3, 0, true},
        {"dict.make.made", NULL, 1, 0, true},       {"dict.value.intended", NULL, 1, 0, true},
        {"dict.value.writing", NULL, 1, 0, true},   {"dict.batch.intended", NULL, 1, 0, true},
        {"dict.batch.made", NULL, 3, 0, true},      {"dict.scratch.filled", NULL, 3, 0, true},
        {"dict.scratch.adopted", NULL, 1, 0, true}, {"dict.scratch.batch", NULL, 1, 0, true},
        {"dict.dispose.unlinked", NULL, 2, 0, true}};
    open_shared();
    for (unsigned i = 0; i < SCENARIOS && t.failures < 8; i++) {
        const struct scenario *s = &scenarios[i];
        struct passages victim;
        struct death none = {0};
        if (!wanted(s) || (s->every > 3 && !test_torture())) continue;
        forget_passages();
        if (!report(&t, s, &none, run(s, &none, NULL))) break;
        take_passages(&victim);
        for (unsigned k = 0; k < sizeof deaths / sizeof deaths[0] && t.failures < 8; k++) {
            struct passages keeper;
            bool passed = false;
            for (unsigned p = 0; p < victim.count; p++) {
                passed |= strcmp(victim.points[p].name, deaths[k].point) == 0 &&
                          victim.points[p].count >= deaths[k].passage;
            }
            if (!passed) continue;
            forget_passages();
            if (!report(&t, s, &deaths[k], run(s, &deaths[k], NULL))) break;
            take_passages(&keeper);
            for (unsigned p = 0; p < keeper.count && t.failures < 8; p++) {
                bool own = is_own(keeper.points[p].name);
                uint32_t step = test_torture() ? 1 : own ? 3 : 8;
                for (uint32_t n = 1; n <= keeper.points[p].count && n < 64; n += step) {
                    struct death both = deaths[k];
                    both.counts_keeper = false;
                    both.keeper_point = keeper.points[p].name;
                    both.keeper_passage = n;
                    if (!report(&t, s, &both, run(s, &both, NULL))) break;
                }
            }
        }
    }
    fprintf(stderr, "%u runs\n", t.runs);
    cr_assert_eq(t.failures, 0);
}

#else

Test(recovery_dict, needs_a_build_with_points) { cr_skip("built without IL_POINTS"); }

#endif
