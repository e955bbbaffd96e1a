/* The timekeeper of leases: order, prolonging, stale entries, a million of them, and no memory. */
#include <criterion/criterion.h>

#include "arena/doorbell.h"
#include "arena/lease.h"
#include "base/clock.h"
#include "session/expiry.h"
#include "support/member.h"

/* A kind of the test's own in place of a lock: it notes what is revoked. */
struct thing {
    struct ili_object object;
    uint64_t token; /* of the grant that stands */
    il_status answer;
};

static uint32_t number_of[ILI_LEASES_MAX + 1]; /* by token */
static uint64_t revoked[64];
static unsigned revoked_count;
static int64_t test_now;

static int64_t test_clock(void) { return test_now; }

static void init(struct ili_member *member, void *object, const void *options) {
    (void)member, (void)object, (void)options;
}
static bool same(const void *object, const void *options) {
    (void)object, (void)options;
    return true;
}
static il_status end(struct ili_member *member, struct ili_agent *self, void *object) {
    (void)member, (void)self, (void)object;
    return IL_OK;
}
static il_status dispose(struct ili_member *member, struct ili_agent *self, struct ili_agent *owner,
                         void *object) {
    (void)member, (void)self, (void)owner, (void)object;
    return IL_OK;
}
static il_status recover(struct ili_member *member, struct ili_agent *self, void *object,
                         uint32_t slot) {
    (void)member, (void)self, (void)object, (void)slot;
    return IL_OK;
}
static il_status void_grant(struct ili_member *member, struct ili_agent *self, void *object,
                            uint64_t token, il_status why, const char *reason) {
    struct thing *thing = object;
    (void)self, (void)reason;
    cr_assert_eq(why, IL_ELEASE);
    if (thing->answer != IL_OK) return thing->answer;
    if (revoked_count < 64) revoked[revoked_count] = token;
    revoked_count++;
    struct ili_lease *lease = ili_lease_at(&member->arena, number_of[token]);
    if (lease) ili_lease_end(lease, ili_off_of(&member->arena, object), token);
    return IL_OK;
}

static const struct ili_kind thing_kind = {.number = ILI_KIND_LATCH,
                                           .bytes = sizeof(struct thing),
                                           .word = "thing",
                                           .init = init,
                                           .same = same,
                                           .end = end,
                                           .dispose = dispose,
                                           .recover = recover,
                                           .revoke = void_grant};

static const struct ili_kind *kind_of(uint32_t number) {
    return number == ILI_KIND_LATCH ? &thing_kind : NULL;
}

static struct ili_expiry expiry;
static struct thing *thing;
static ili_off thing_at;

static void start_with(uint64_t bytes) {
    cr_assert(test_enter(bytes));
    test_member.before_wait = NULL; /* this test keeps time itself */
    ili_kind_of = kind_of;
    test_now = 1000;
    ili_clock_now = test_clock;
    thing = test_object(&thing_kind, "thing", NULL);
    cr_assert(thing);
    thing_at = ili_off_of(&test_member.arena, thing);
}

static void start(void) { start_with(UINT64_C(8) << 20); }

static uint32_t claim(uint64_t token, int64_t duration_ns) {
    uint32_t number = 0;
    cr_assert_eq(
        ili_lease_claim(&test_member, test_member.slot, thing_at, token, duration_ns, &number),
        IL_OK);
    number_of[token] = number;
    return number;
}

static struct ili_lease *lease_of(uint32_t number, uint64_t token) {
    return ili_lease_of(&test_member.arena, number, thing_at, token);
}

static void hear(void) {
    ili_doorbell_hear(&test_member);
    ili_expiry_collect(&expiry, &test_member, false);
}

static void run_at(int64_t now_ns) {
    test_now = now_ns;
    ili_expiry_run(&expiry, &test_member, test_self(), now_ns);
}

TestSuite(session_expiry, .init = start);

Test(session_expiry, nothing_runs_at_first) {
    cr_assert_eq(ili_expiry_next(&expiry), ILI_NEVER);
    run_at(5000);
    hear();
    cr_assert_eq(ili_expiry_next(&expiry), ILI_NEVER);
    ili_expiry_free(&expiry);
}

Test(session_expiry, leases_end_in_order_and_not_before) {
    claim(1, 3000);
    claim(2, 1000);
    claim(3, 2000);
    hear();
    cr_assert_eq(ili_expiry_next(&expiry), 2000);
    run_at(1999);
    cr_assert_eq(revoked_count, 0);
    run_at(3000);
    cr_assert_eq(revoked_count, 2);
    cr_assert(revoked[0] == 2 && revoked[1] == 3);
    cr_assert_eq(ili_expiry_next(&expiry), 4000);
    run_at(4000);
    cr_assert_eq(revoked_count, 3);
    cr_assert_eq(ili_expiry_next(&expiry), ILI_NEVER);
    ili_expiry_free(&expiry);
}

Test(session_expiry, a_prolonged_lease_ends_later_without_being_told) {
    struct ili_lease *lease = lease_of(claim(1, 1000), 1);
    hear();
    test_now = 1500;
    ili_lease_extend(&test_member, lease, 5000);
    hear();
    run_at(2000);
    cr_assert_eq(revoked_count, 0);
    cr_assert_eq(ili_expiry_next(&expiry), 6500);
    run_at(6500);
    cr_assert_eq(revoked_count, 1);
    ili_expiry_free(&expiry);
}

Test(session_expiry, a_shortened_lease_ends_sooner) {
    struct ili_lease *lease = lease_of(claim(1, 100000), 1);
    hear();
    ili_lease_extend(&test_member, lease, 500);
    hear();
    cr_assert_eq(ili_expiry_next(&expiry), 1500);
    run_at(1500);
    cr_assert_eq(revoked_count, 1);
    ili_expiry_free(&expiry);
}

Test(session_expiry, a_released_grant_is_not_revoked_nor_is_the_next_one_of_the_entry) {
    uint32_t number = claim(1, 1000);
    struct ili_lease *lease = lease_of(number, 1);
    hear();
    ili_lease_end(lease, thing_at, 1);
    cr_assert_null(lease_of(number, 1));
    run_at(2000);
    cr_assert_eq(revoked_count, 0);
    uint32_t next = claim(2, 1000);
    while (next != number) next = claim(3, 100000);
    ili_lease_end(lease, thing_at, 1); /* by one who was stopped on the way */
    cr_assert(lease->holder != 0, "the next grant's lease was ended");
    ili_expiry_free(&expiry);
}

Test(session_expiry, an_object_that_is_busy_is_tried_again) {
    uint32_t number = claim(1, 1000);
    hear();
    thing->answer = IL_EBUSY;
    run_at(2000);
    cr_assert_eq(ili_expiry_next(&expiry), 2000 + INT64_C(50000000));
    thing->answer = IL_OK;
    run_at(ili_expiry_next(&expiry));
    cr_assert_eq(revoked_count, 1);
    cr_assert_null(lease_of(number, 1));
    ili_expiry_free(&expiry);
}

Test(session_expiry, a_grant_that_no_longer_stands_frees_its_entry) {
    uint32_t number = claim(1, 1000);
    hear();
    thing->answer = IL_ESTALE;
    run_at(2000);
    cr_assert_null(lease_of(number, 1));
    cr_assert_eq(ili_expiry_next(&expiry), ILI_NEVER);
    ili_expiry_free(&expiry);
}

Test(session_expiry, a_new_keeper_finds_what_was_told_to_the_one_before) {
    claim(1, 1000);
    hear();
    ili_expiry_free(&expiry); /* it has died */
    hear();
    cr_assert_eq(ili_expiry_next(&expiry), ILI_NEVER);
    ili_expiry_take_over(&expiry, &test_member);
    run_at(2000);
    cr_assert_eq(revoked_count, 1);
    ili_expiry_free(&expiry);
}

Test(session_expiry, nonsense_in_the_table_does_no_harm) {
    ili_off places[] = {1,
                        64,
                        4096,
                        UINT64_MAX,
                        test_member.arena.bytes - 64,
                        thing_at + 8,
                        ili_off_of(&test_member.arena, test_member.arena.agents)};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        struct ili_lease *lease = lease_of(claim(i + 1, 1000), i + 1);
        lease->object = places[i];
        if (i % 2) lease->holder = lease->holder >> 32 << 32 | (UINT32_MAX - i);
    }
    claim(99, 1000);
    ili_expiry_take_over(&expiry, &test_member);
    run_at(2000);
    cr_assert_eq(revoked_count, 1);
    cr_assert_eq(revoked[0], 99);
    ili_expiry_free(&expiry);
}

Test(session_expiry, the_leases_of_a_session_that_ended_are_given_back) {
    uint32_t slot;
    cr_assert_eq(ili_slot_claim(&test_member.arena, 1, 0, "other", &slot), IL_OK);
    uint32_t number = 0;
    cr_assert_eq(ili_lease_claim(&test_member, slot, thing_at, 5, 1000, &number), IL_OK);
    test_member.arena.leases[number - 1].holder = slot + 1; /* its maker died in the middle */
    hear();
    run_at(1000);
    cr_assert_neq(test_member.arena.leases[number - 1].holder, 0);
    ili_lease_end_all_of(&test_member, slot);
    cr_assert_eq(test_member.arena.leases[number - 1].holder, 0);
    run_at(test_now + INT64_C(60000000));
    cr_assert_eq(ili_expiry_next(&expiry), ILI_NEVER);
    ili_expiry_free(&expiry);
}

Test(session_expiry, as_many_as_the_table_holds_end_in_order, .init = NULL, .timeout = 60) {
    start_with(TEST_ROUNDS(UINT64_C(1) << 30));
    uint32_t many = test_member.arena.regions.leases;
    cr_assert_geq(many, TEST_ROUNDS(1048576u) / 1024 * 1024); /* in whole steps */
    uint64_t random = 1;
    for (uint32_t i = 0; i < many; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        claim(i + 1, 1000 + (int64_t)(random >> 44));
    }
    uint32_t more;
    cr_assert_eq(ili_lease_claim(&test_member, 0, thing_at, 1, 1000, &more), IL_ELIMIT);
    hear();
    cr_assert_eq(expiry.count, many);
    int64_t last = 0;
    while (expiry.count > 0) {
        int64_t next = ili_expiry_next(&expiry);
        cr_assert(next >= last);
        last = next;
        run_at(next + 50000);
    }
    cr_assert_eq(revoked_count, many);
    ili_expiry_free(&expiry);
}
