#include "data/cells.h"

#include <criterion/criterion.h>
#include <pthread.h>

#include "base/clock.h"
#include "data/cell.h"
#include "support/member.h"

#define PATIENCE_NS INT64_C(20000000000)

static struct ili_cells *cells;
static struct ili_cells_place place;

static struct ili_cells *make(const struct ili_kind *kind, uint32_t type, uint32_t room,
                              uint64_t length) {
    struct ili_cells_options options = {type, room, length};
    ili_off spare = 0;
    cr_assert_eq(ili_cells_prepare(&test_member, &options, &spare), IL_OK);
    cells = test_object(kind, "it", &options);
    cr_assert_not_null(cells);
    cr_assert_eq(ili_cells_ready(&test_member, cells, spare, &place), IL_OK);
    cr_assert_eq(atomic_load(&test_self()->pending[2]), 0, "nothing is left aside");
    return cells;
}

static void enter(const struct ili_kind *kind, uint32_t type, uint32_t room, uint64_t length) {
    cr_assert(test_enter(16 << 20));
    make(kind, type, room, length);
}

static void check(void) {
    cr_assert_eq(ili_guard_lock(&test_member, test_self(), &cells->guard), IL_OK);
    il_status status = ili_cells_check(&test_member, cells);
    ili_guard_unlock(&test_member, test_self(), &cells->guard);
    cr_assert_eq(status, IL_OK);
}

static void remove_it(const struct ili_kind *kind) {
    cr_assert_eq(ili_names_delete(&test_member, test_self(), kind, "it", 2), IL_OK);
    check();
    cr_assert_eq(test_close(cells), IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
}

static struct ili_agent *bell(void) {
    struct ili_agent *agent = NULL;
    cr_assert_eq(ili_agent_claim_bell(&test_member, &agent), IL_OK);
    return agent;
}

/* ---- numbers ------------------------------------------------------------------------------------ */

#define INTEGER(T, type, least, most)                                                              \
    do {                                                                                           \
        T low = least, high = most, one = 1, now, was = 77;                                        \
        struct ili_cells_options asked = {type, 0, 3};                                             \
        make(&ili_array_kind, type, 0, 3);                                                         \
        cr_assert_eq(test_object(&ili_array_kind, "it", &asked), cells);                           \
        cr_assert_eq(test_close(cells), IL_OK);                                                    \
        cr_assert_eq(place.step, sizeof(T));                                                       \
        void *middle = ili_cells_at(&place, -2);                                                   \
        cr_assert_eq(middle, ili_cells_at(&place, 1));                                             \
        ili_cell_load(type, middle, &now);                                                         \
        cr_assert_eq(now, 0);                                                                      \
        ili_cell_store(type, middle, &high);                                                       \
        ili_cell_add(type, middle, &one, &was);                                                    \
        cr_assert_eq(was, high);                                                                   \
        ili_cell_load(type, middle, &now);                                                         \
        cr_assert_eq(now, low, "it wraps around");                                                 \
        cr_assert(!ili_cell_compare_exchange(type, middle, &was, &one));                           \
        cr_assert_eq(was, low);                                                                    \
        cr_assert(ili_cell_compare_exchange(type, middle, &was, &one));                            \
        ili_cell_exchange(type, middle, &high, &was);                                              \
        cr_assert_eq(was, 1);                                                                      \
        ili_cell_load(type, ili_cells_at(&place, 0), &now);                                        \
        cr_assert_eq(now, 0, "the one before");                                                    \
        ili_cell_load(type, ili_cells_at(&place, 2), &now);                                        \
        cr_assert_eq(now, 0, "the one behind");                                                    \
        check();                                                                                   \
        remove_it(&ili_array_kind);                                                                \
    } while (0)

Test(data_cells, integers_of_every_type_at_their_edges) {
    cr_assert(test_enter(16 << 20));
    INTEGER(int8_t, IL_I8, INT8_MIN, INT8_MAX);
    INTEGER(int16_t, IL_I16, INT16_MIN, INT16_MAX);
    INTEGER(int32_t, IL_I32, INT32_MIN, INT32_MAX);
    INTEGER(int64_t, IL_I64, INT64_MIN, INT64_MAX);
    INTEGER(uint8_t, IL_U8, 0, UINT8_MAX);
    INTEGER(uint16_t, IL_U16, 0, UINT16_MAX);
    INTEGER(uint32_t, IL_U32, 0, UINT32_MAX);
    INTEGER(uint64_t, IL_U64, 0, UINT64_MAX);
    test_leave();
}

Test(data_cells, floats_add_up_and_compare_by_their_bits) {
    double d = 0.25, was = 1, zero = 0.0, minus = -0.0;
    float f = 0.5F, now_f;
    enter(&ili_value_kind, IL_F64, 0, 1);
    ili_cell_add(IL_F64, place.first, &d, &was);
    cr_assert_eq(was, 0.0);
    ili_cell_add(IL_F64, place.first, &d, &was);
    cr_assert_eq(was, 0.25);
    ili_cell_store(IL_F64, place.first, &minus);
    cr_assert(!ili_cell_compare_exchange(IL_F64, place.first, &zero, &d),
              "-0.0 is not 0.0 by bits");
    cr_assert(ili_cell_compare_exchange(IL_F64, place.first, &zero, &d), "now it is");
    remove_it(&ili_value_kind);
    make(&ili_value_kind, IL_F32, 0, 1);
    for (int i = 0; i < 8; i++) ili_cell_add(IL_F32, place.first, &f, NULL);
    ili_cell_load(IL_F32, place.first, &now_f);
    cr_assert_eq(now_f, 4.0F);
    remove_it(&ili_value_kind);
    test_leave();
}

Test(data_cells, indexes_count_from_both_ends) {
    enter(&ili_array_kind, IL_U16, 0, 5);
    for (int64_t i = 0; i < 5; i++) {
        cr_assert_eq(ili_cells_at(&place, i), place.first + 2 * i);
        cr_assert_eq(ili_cells_at(&place, i - 5), place.first + 2 * i);
    }
    const int64_t none[] = {5, -6, INT64_MAX, INT64_MIN, 6, UINT32_MAX};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        cr_assert_null(ili_cells_at(&place, none[i]), "%lld", (long long)none[i]);
    }
    test_leave();
}

Test(data_cells, types_have_words) {
    for (uint32_t type = IL_I8; type <= IL_FIXED_TEXT; type++) {
        cr_assert_eq(ili_cells_type_named(ili_cells_type_word(type)), type);
    }
    cr_assert_eq(ili_cells_type_named("i65"), 0);
    cr_assert_null(ili_cells_type_word(0));
    cr_assert_null(ili_cells_type_word(13));
}

Test(data_cells, options_are_type_room_and_length) {
    struct ili_cells_options others[] = {
        {IL_FIXED_TEXT, 9, 4}, {IL_FIXED_BYTES, 8, 4}, {IL_FIXED_TEXT, 8, 5}};
    enter(&ili_array_kind, IL_FIXED_TEXT, 8, 4);
    for (int i = 0; i < 3; i++) cr_assert_null(test_object(&ili_array_kind, "it", &others[i]));
    cr_assert_eq(test_object(&ili_array_kind, "it", NULL), cells);
    test_leave();
}

/* ---- memory -------------------------------------------------------------------------------------- */

Test(data_cells, takes_half_of_the_arena_at_most_and_gives_it_back) {
    cr_assert(test_enter(16 << 20));
    uint64_t most = ili_arena_share(&test_member.arena);
    struct ili_cells_options options = {IL_U8, 0, most + 1};
    uint64_t before = ili_alloc_available(&test_member);
    ili_off spare = 0;
    cr_assert_eq(ili_cells_prepare(&test_member, &options, &spare), IL_ENOMEM);
    options.length = UINT64_MAX / 4;
    options.type = IL_U64;
    cr_assert_eq(ili_cells_prepare(&test_member, &options, &spare), IL_ENOMEM);
    make(&ili_array_kind, IL_U8, 0, most);
    uint8_t last;
    ili_cell_load(IL_U8, ili_cells_at(&place, -1), &last);
    cr_assert_eq(last, 0);
    remove_it(&ili_array_kind);
    cr_assert_geq(ili_alloc_available(&test_member) + ILI_CHUNK_BYTES, before);
    test_leave();
}

Test(data_cells, one_without_memory_gets_it_when_it_is_opened_and_only_once) {
    struct ili_cells_options options = {IL_U32, 0, 100};
    struct ili_cells_place again;
    ili_off spare = 0;
    cr_assert(test_enter(16 << 20));
    cells = test_object(&ili_array_kind, "it", &options);
    cr_assert_eq(ili_cells_look(&test_member, cells, &place), IL_EBUSY);
    check();
    cr_assert_eq(ili_cells_ready(&test_member, cells, 0, &place), IL_OK);
    cr_assert_eq(ili_cells_prepare(&test_member, &options, &spare), IL_OK);
    cr_assert_eq(ili_cells_ready(&test_member, cells, spare, &again), IL_OK);
    cr_assert_eq(again.first, place.first);
    cr_assert_eq(atomic_load(&test_self()->pending[2]), 0);
    remove_it(&ili_array_kind);
    test_leave();
}

Test(data_cells, what_does_not_make_sense_is_not_used) {
    enter(&ili_array_kind, IL_U64, 0, 1000);
    const uint64_t lengths[] = {0, UINT64_MAX, UINT64_MAX / 8, UINT64_C(1) << 60, 16 << 20};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        cells->length = lengths[i];
        cr_assert_eq(ili_cells_look(&test_member, cells, &place), IL_ECORRUPT);
    }
    cells->length = 1000;
    cells->type = 99;
    cr_assert_eq(ili_cells_look(&test_member, cells, &place), IL_ECORRUPT);
    cells->type = IL_FIXED_TEXT;
    cr_assert_eq(ili_cells_look(&test_member, cells, &place), IL_ECORRUPT, "without room");
    cells->type = IL_U64;
    ili_off block = atomic_exchange(&cells->block, test_member.arena.bytes - 8);
    cr_assert_eq(ili_cells_look(&test_member, cells, &place), IL_ECORRUPT);
    atomic_store(&cells->block, block);
    cr_assert_eq(ili_cells_look(&test_member, cells, &place), IL_OK);
    test_leave();
}

/* ---- bytes and text -------------------------------------------------------------------------------- */

static void expect_text(const char *text) {
    char room[64];
    struct ili_item item = {.data = room, .room = sizeof room};
    cr_assert_eq(ili_cells_get(&test_member, &place, place.first, &item), IL_OK);
    cr_assert_eq(item.bytes, strlen(text));
    cr_assert_eq(memcmp(room, text, item.bytes), 0);
}

static il_status set(const char *text) {
    il_status status = ili_cells_set(&test_member, &place, place.first, text, strlen(text));
    check();
    return status;
}

Test(data_cells, text_is_what_was_set_last) {
    bool swapped = true;
    char room[3];
    struct ili_item item = {.data = room, .room = sizeof room}, made = {.room = 64};
    enter(&ili_value_kind, IL_FIXED_TEXT, 11, 1);
    expect_text("");
    static const char *const texts[] = {"a", "eight by", "eleven byte", "", "12345678", "x"};
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(set(texts[i]), IL_OK);
        expect_text(texts[i]);
    }
    cr_assert_eq(set("twelve bytes"), IL_ETOOBIG);
    expect_text("x");
    cr_assert_eq(ili_cells_compare_set(&test_member, &place, place.first, "y", 1, "z", 1, &swapped),
                 IL_OK);
    cr_assert(!swapped);
    expect_text("x");
    cr_assert_eq(
        ili_cells_compare_set(&test_member, &place, place.first, "x", 1, "four", 4, &swapped),
        IL_OK);
    cr_assert(swapped);
    expect_text("four");
    cr_assert_eq(ili_cells_get(&test_member, &place, place.first, &item), IL_ETOOBIG);
    cr_assert_eq(item.bytes, 4);
    cr_assert_eq(ili_cells_exchange(&test_member, &place, place.first, "new", 3, &item),
                 IL_ETOOBIG);
    expect_text("four");
    cr_assert_eq(ili_cells_exchange(&test_member, &place, place.first, "new", 3, &made), IL_OK);
    cr_assert(made.bytes == 4 && memcmp(made.data, "four", 4) == 0);
    free(made.data);
    expect_text("new");
    remove_it(&ili_value_kind);
    test_leave();
}

Test(data_cells, a_deleted_one_takes_and_gives_nothing) {
    struct ili_item item = {.room = 64};
    enter(&ili_value_kind, IL_FIXED_BYTES, 8, 1);
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_value_kind, "it", 2), IL_OK);
    cr_assert_eq(ili_cells_set(&test_member, &place, place.first, "x", 1), IL_EDELETED);
    cr_assert_eq(ili_cells_get(&test_member, &place, place.first, &item), IL_EDELETED);
    cr_assert_eq(ili_cells_check_live(&test_member, cells), IL_EDELETED);
    check();
    test_leave();
}

/* ---- threads --------------------------------------------------------------------------------------- */

static _Atomic uint64_t failures;
static _Atomic bool stop;

#ifdef __SANITIZE_THREAD__
#define ADDS 100000
#else
#define ADDS 1000000
#endif

static void *add(void *argument) {
    int64_t one = 1;
    double half = 0.5;
    (void)argument;
    for (int i = 0; i < ADDS; i++) {
        ili_cell_add(IL_I64, ili_cells_at(&place, 0), &one, NULL);
        if (i % 10 == 0) ili_cell_add(IL_F64, ili_cells_at(&place, 1), &half, NULL);
    }
    return NULL;
}

Test(data_cells, no_addition_gets_lost) {
    pthread_t other;
    int64_t sum;
    double halves;
    enter(&ili_array_kind, IL_I64, 0, 2);
    cr_assert_eq(pthread_create(&other, NULL, add, NULL), 0);
    add(NULL);
    pthread_join(other, NULL);
    ili_cell_load(IL_I64, ili_cells_at(&place, 0), &sum);
    ili_cell_load(IL_F64, ili_cells_at(&place, 1), &halves);
    cr_assert_eq(sum, 2 * ADDS);
    cr_assert_eq(halves, ADDS / 10.0);
    test_leave();
}

#define TEXT_ROOM 200

/* A text of one letter, as often as it says itself. */
static void *write_texts(void *argument) {
    uintptr_t seed = (uintptr_t)argument;
    char text[TEXT_ROOM];
    for (int i = 0; i < ADDS / 50; i++) {
        char letter = (char)('a' + (i + (int)seed) % 26);
        size_t bytes = (size_t)(letter - 'a') * 7 + 3;
        memset(text, letter, bytes);
        if (ili_cells_set(&test_member, &place, place.first, text, bytes) != IL_OK) {
            atomic_fetch_add(&failures, 1);
        }
    }
    return NULL;
}

static void *read_texts(void *argument) {
    char text[TEXT_ROOM];
    (void)argument;
    while (!atomic_load(&stop)) {
        struct ili_item item = {.data = text, .room = sizeof text};
        if (ili_cells_get(&test_member, &place, place.first, &item) != IL_OK) {
            atomic_fetch_add(&failures, 1);
        }
        bool whole = item.bytes == 0 || item.bytes == (size_t)(text[0] - 'a') * 7 + 3;
        for (uint64_t i = 1; i < item.bytes; i++) whole &= text[i] == text[0];
        if (!whole) atomic_fetch_add(&failures, 1);
    }
    return NULL;
}

Test(data_cells, nobody_reads_half_a_text) {
    pthread_t writers[2], readers[2];
    enter(&ili_value_kind, IL_FIXED_TEXT, TEXT_ROOM, 1);
    for (uintptr_t i = 0; i < 2; i++) {
        cr_assert_eq(pthread_create(&readers[i], NULL, read_texts, NULL), 0);
        cr_assert_eq(pthread_create(&writers[i], NULL, write_texts, (void *)(i * 5)), 0);
    }
    for (int i = 0; i < 2; i++) pthread_join(writers[i], NULL);
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) pthread_join(readers[i], NULL);
    cr_assert_eq(atomic_load(&failures), 0);
    check();
    test_leave();
}

/* ---- watching --------------------------------------------------------------------------------------- */

static void store(int64_t number) {
    ili_cell_store(IL_I64, place.first, &number);
    ili_cells_changed(&test_member, cells);
}

static uint64_t observe(void) {
    uint64_t version = 0;
    cr_assert_eq(ili_cells_observe(&test_member, cells, &version), IL_OK);
    check();
    return version;
}

Test(data_cells, each_state_that_is_seen_has_a_version) {
    enter(&ili_value_kind, IL_I64, 0, 1);
    cr_assert_eq(observe(), 1);
    cr_assert_eq(observe(), 1);
    store(5);
    cr_assert_eq(observe(), 2);
    store(6);
    store(5);
    cr_assert_eq(observe(), 2, "it is what it was");
    test_leave();
}

Test(data_cells, watchers_are_told_of_a_change) {
    uint64_t version;
    enter(&ili_value_kind, IL_I64, 0, 1);
    struct ili_agent *one = bell(), *two = bell();
    cr_assert_eq(ili_cells_enqueue(&test_member, cells, 0, one), IL_OK, "look first");
    version = observe();
    cr_assert_eq(ili_cells_enqueue(&test_member, cells, version, one), IL_ETIMEOUT);
    cr_assert_eq(ili_cells_enqueue(&test_member, cells, version, two), IL_ETIMEOUT);
    check();
    cr_assert_eq(ili_cells_withdraw(&test_member, cells, two), IL_ETIMEOUT);
    check();
    cr_assert_eq(ili_cells_poll(one), IL_ETIMEOUT);
    store(1);
    cr_assert_eq(ili_cells_poll(one), IL_OK);
    check();
    cr_assert_eq(ili_cells_enqueue(&test_member, cells, version, one), IL_OK);
    version = observe();
    cr_assert_eq(ili_cells_enqueue(&test_member, cells, version, one), IL_ETIMEOUT);
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_value_kind, "it", 2), IL_OK);
    cr_assert_eq(ili_cells_poll(one), IL_EDELETED);
    check();
    cr_assert_eq(ili_cells_watch(&test_member, cells, &version, ILI_NEVER), IL_EDELETED);
    test_leave();
}

Test(data_cells, watchers_are_told_of_a_text) {
    enter(&ili_value_kind, IL_FIXED_TEXT, 8, 1);
    struct ili_agent *one = bell();
    uint64_t version = observe();
    cr_assert_eq(ili_cells_enqueue(&test_member, cells, version, one), IL_ETIMEOUT);
    cr_assert_eq(set("x"), IL_OK);
    cr_assert_eq(ili_cells_poll(one), IL_OK);
    cr_assert_neq(observe(), version);
    test_leave();
}

Test(data_cells, a_death_makes_everyone_look) {
    uint32_t slot;
    struct ili_agent *theirs, *ours;
    enter(&ili_value_kind, IL_I64, 0, 1);
    uint64_t version = observe();
    cr_assert_eq(ili_slot_claim(&test_member.arena, 0, 0, "client", &slot), IL_OK);
    cr_assert_eq(ili_agent_claim_for(&test_member, slot, ILI_AGENT_BELL, NULL, &theirs), IL_OK);
    ours = bell();
    ili_cells_enqueue(&test_member, cells, version, theirs);
    ili_cells_enqueue(&test_member, cells, version, ours);
    cr_assert_eq(ili_value_kind.recover(&test_member, test_self(), cells, slot), IL_OK);
    check();
    cr_assert_eq(ili_waitq_count(ili_value_kind.waiters(cells, 0)), 0);
    cr_assert_eq(ili_cells_poll(ours), IL_OK);
    test_leave();
}

static void *change_later(void *argument) {
    (void)argument;
    while (ili_waitq_count(&cells->watchers) == 0) test_pause();
    store(42);
    return NULL;
}

Test(data_cells, a_thread_waits_for_a_change) {
    pthread_t other;
    int64_t now;
    enter(&ili_value_kind, IL_I64, 0, 1);
    uint64_t version = observe(), old = version;
    cr_assert_eq(ili_cells_watch(&test_member, cells, &version, 0), IL_ETIMEOUT);
    cr_assert_eq(ili_cells_watch(&test_member, cells, &version, ili_deadline_in(100000)),
                 IL_ETIMEOUT);
    check();
    cr_assert_eq(pthread_create(&other, NULL, change_later, NULL), 0);
    cr_assert_eq(ili_cells_watch(&test_member, cells, &version, ili_deadline_in(PATIENCE_NS)),
                 IL_OK);
    pthread_join(other, NULL);
    cr_assert_gt(version, old);
    ili_cell_load(IL_I64, place.first, &now);
    cr_assert_eq(now, 42);
    check();
    test_leave();
}

/* Two that answer each other: a lost wake-up would stop them. */
#define ROUNDS 2000

static void *answer(void *argument) {
    uint64_t version = 0;
    int64_t mine = (int64_t)(intptr_t)argument, now = 0;
    for (int i = 0; i < ROUNDS; i++) {
        do {
            if (ili_cells_watch(&test_member, cells, &version, ili_deadline_in(PATIENCE_NS)) !=
                IL_OK) {
                atomic_fetch_add(&failures, 1);
                return NULL;
            }
            ili_cell_load(IL_I64, place.first, &now);
        } while (now % 2 != mine);
        store(now + 1);
    }
    return NULL;
}

Test(data_cells, no_change_is_missed) {
    pthread_t other;
    int64_t now;
    enter(&ili_value_kind, IL_I64, 0, 1);
    cr_assert_eq(pthread_create(&other, NULL, answer, (void *)1), 0);
    answer((void *)0);
    pthread_join(other, NULL);
    cr_assert_eq(atomic_load(&failures), 0);
    ili_cell_load(IL_I64, place.first, &now);
    cr_assert_eq(now, 2 * ROUNDS);
    test_leave();
}
