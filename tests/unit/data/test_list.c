/* What the calls on a list mean; test_list_model.c makes them at random. */
#include "support/lists.h"

Test(data_list, indexes_and_slices_are_pythons) {
    open_list(8 * MIB);
    EXPECT("");
    extend("a b c d e");
    EXPECT("a b c d e");
    cr_assert_str_eq(get(0), "a");
    cr_assert_str_eq(get(-1), "e");
    cr_assert_str_eq(get(-5), "a");
    cr_assert_str_eq(slice(1, 3), "b c");
    cr_assert_str_eq(slice(-2, INT64_MAX), "d e");
    cr_assert_str_eq(slice(3, 1), "");
    cr_assert_str_eq(slice(-100, 2), "a b");
    cr_assert_str_eq(slice(4, 100), "e");
    cr_assert_str_eq(slice(INT64_MIN, INT64_MAX), "a b c d e");
    cr_assert_str_eq(slice(7, 9), "");
    const int64_t none[] = {5, -6, INT64_MAX, INT64_MIN};
    for (int i = 0; i < 4; i++) {
        refusal.limit = 0;
        cr_assert_str_eq(get(none[i]), "?");
        cr_assert_eq(refusal.limit, 5);
        cr_assert_str_eq(pop(none[i]), "?");
        struct ili_payload payload = {"x", 1, IL_TEXT};
        cr_assert_eq(
            ili_list_set(&test_member, list, none[i], &payload, IL_VERSION_ANY, NULL, &refusal),
            IL_ERANGE);
    }
    EXPECT("a b c d e");
    close_list(0);
}

Test(data_list, splices_are_pythons_slice_assignments) {
    open_list(8 * MIB);
    extend("a b c d e");
    cr_assert_eq(put_words(1, 3, "X Y Z"), IL_OK);
    EXPECT("a X Y Z d e");
    cr_assert_eq(put_words(4, 2, "m"), IL_OK); /* as l[4:2] = ["m"] */
    EXPECT("a X Y Z m d e");
    cr_assert_eq(put_words(100, 100, "end"), IL_OK);
    cr_assert_eq(put_words(-100, -100, "begin"), IL_OK);
    EXPECT("begin a X Y Z m d e end");
    cr_assert_eq(put_words(-1, -1, "last"), IL_OK);
    EXPECT("begin a X Y Z m d e last end");
    cr_assert_eq(put_words(2, -2, ""), IL_OK);
    EXPECT("begin a last end");
    uint64_t before = version();
    cr_assert_eq(put_words(2, 2, ""), IL_OK);
    cr_assert_eq(version(), before, "nothing changed");
    cr_assert_str_eq(pop(-1), "end");
    cr_assert_str_eq(pop(1), "a");
    cr_assert_str_eq(pop(0), "begin");
    cr_assert_str_eq(pop(0), "last");
    cr_assert_str_eq(pop(0), "?");
    cr_assert_eq(refusal.limit, 0);
    cr_assert_eq(used(), 0);
    extend("x y");
    cr_assert_eq(put_words(0, INT64_MAX, ""), IL_OK);
    EXPECT("");
    close_list(0);
}

/* ---- several at once ------------------------------------------------------------------------------ */

Test(data_list, several_changes_are_one_step_and_each_sees_those_before) {
    open_list(8 * MIB);
    extend("a b c d e");
    uint64_t before = version();
    const struct ili_list_change changes[] = {
        {-1, 0, true, letters, 1, ANY},     /* set the last */
        {0, 0, false, letters + 1, 2, ANY}, /* insert before the first */
        {1, 3, true, NULL, 0, ANY},         /* C, a */
        {INT64_MAX, INT64_MAX, false, letters + 3, 1, ANY},
        {2, 3, true, NULL, 0, before}, /* c */
    };
    cr_assert_eq(update(changes, 5, before), IL_OK);
    EXPECT("B b d A D");
    cr_assert_eq(version(), before + 1);
    check();
    const struct ili_list_change refused[][2] = {
        {{0, 1, true, letters, 1, ANY}, {5, 6, true, letters, 1, ANY}},
        {{0, 1, true, letters, 1, ANY}, {1, 2, true, NULL, 0, before + 1}},
        {{0, 5, true, NULL, 0, ANY}, {0, 1, true, letters, 1, ANY}},
        {{0, 0, false, letters, 1, ANY}, {0, 1, true, letters, 1, before + 1}},
    };
    const il_status expected[] = {IL_ERANGE, IL_ECHANGED, IL_ERANGE, IL_ECHANGED};
    for (int i = 0; i < 4; i++) {
        refusal = (struct ili_refusal){.which = 9};
        cr_assert_eq(update(refused[i], 2, ANY), expected[i], "%d", i);
        cr_assert_eq(refusal.which, 1);
        if (i == 0) cr_assert_eq(refusal.limit, 5);
        if (i == 1) cr_assert_eq(refusal.version, before);
        if (i == 2) cr_assert_eq(refusal.limit, 0);
    }
    cr_assert_eq(update(changes, 1, before), IL_ECHANGED);
    cr_assert_eq(refusal.version, before + 1);
    EXPECT("B b d A D");
    cr_assert_eq(version(), before + 1);
    close_list(0);
}

/* ---- watching, and the end ------------------------------------------------------------------------- */

static struct ili_changes_place place;

static void expect_change(uint32_t what, int64_t index, uint64_t count) {
    static char key[IL_KEY_MAX_BYTES + 1];
    struct ili_changed changed;
    cr_assert_eq(ili_list_changed(&test_member, list, &place, &changed, key, 0), IL_OK);
    cr_assert_eq(changed.what, what, "%u", changed.what);
    cr_assert_eq(changed.index, index);
    cr_assert_eq(changed.count, count);
    cr_assert_leq(changed.version, version());
}

Test(data_list, watchers_are_told_what_changed) {
    static char key[IL_KEY_MAX_BYTES + 1];
    struct ili_changed changed;
    open_list(8 * MIB);
    extend("a b");
    cr_assert_eq(ili_list_watch(&test_member, list, &place), IL_OK);
    cr_assert_eq(ili_list_changed(&test_member, list, &place, &changed, key, 0), IL_ETIMEOUT);
    extend("c d e");
    expect_change(IL_CHANGED_INSERTED, 2, 3);
    cr_assert_str_eq(pop(1), "b");
    expect_change(IL_CHANGED_REMOVED, 1, 1);
    cr_assert_eq(put_words(-1, INT64_MAX, "E"), IL_OK);
    expect_change(IL_CHANGED_SET, 3, 1);
    cr_assert_eq(put_words(1, 3, "x y z"), IL_OK);
    expect_change(IL_CHANGED_REMOVED, 1, 2);
    expect_change(IL_CHANGED_INSERTED, 1, 3);
    cr_assert_eq(ili_list_reverse(&test_member, list), IL_OK);
    expect_change(IL_CHANGED_ORDER, 0, 5);
    const struct ili_list_change changes[] = {{0, 1, true, letters, 1, ANY},
                                              {2, 3, true, NULL, 0, ANY}};
    cr_assert_eq(update(changes, 2, ANY), IL_OK);
    expect_change(IL_CHANGED_SET, 0, 1);
    expect_change(IL_CHANGED_REMOVED, 2, 1);
    cr_assert_eq(put_words(0, INT64_MAX, ""), IL_OK);
    expect_change(IL_CHANGED_CLEARED, 0, 4);
    cr_assert_eq(ili_list_changed(&test_member, list, &place, &changed, key, 0), IL_ETIMEOUT);
    struct ili_agent *waiter;
    cr_assert_eq(ili_agent_claim_bell(&test_member, &waiter), IL_OK);
    cr_assert_eq(ili_list_enqueue(&test_member, list, &place, waiter), IL_ETIMEOUT);
    extend("a");
    cr_assert_eq(ili_waiting_poll(waiter, NULL), IL_OK);
    cr_assert_eq(ili_list_enqueue(&test_member, list, &place, waiter), IL_OK, "there is a change");
    expect_change(IL_CHANGED_INSERTED, 0, 1);
    cr_assert_eq(ili_list_enqueue(&test_member, list, &place, waiter), IL_ETIMEOUT);
    cr_assert_eq(ili_list_withdraw(&test_member, list, waiter), IL_ETIMEOUT);
    cr_assert_eq(ili_list_enqueue(&test_member, list, &place, waiter), IL_ETIMEOUT);
    struct ili_list *deleted = list;
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_list_kind, "it", 2), IL_OK);
    cr_assert_eq(ili_waiting_poll(waiter, NULL), IL_EDELETED);
    ili_agent_release(&test_member, waiter);
    cr_assert_eq(append(1), IL_EDELETED);
    cr_assert_str_eq(get(0), "?");
    cr_assert_eq(sort(false), IL_EDELETED);
    cr_assert_eq(ili_list_watch(&test_member, list, &place), IL_EDELETED);
    cr_assert_eq(test_close(deleted), IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
    test_leave();
}

Test(data_list, an_object_of_the_same_name_has_the_same_limits) {
    const struct ili_limits limits = {.max_entries = 5, .max_entry_bytes = 100, .max_bytes = 4096};
    struct ili_limits other = limits;
    open_limited(8 * MIB, &limits);
    other.max_bytes++;
    cr_assert_not_null(test_object(&ili_list_kind, "it", &limits));
    cr_assert_not_null(test_object(&ili_list_kind, "it", NULL));
    cr_assert_null(test_object(&ili_list_kind, "it", &other));
    test_leave();
}
