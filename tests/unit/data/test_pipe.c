#include <criterion/criterion.h>
#include <stdio.h>

#include "base/clock.h"
#include "data/pipe.h"
#include "support/member.h"

#define MIB (UINT64_C(1) << 20)

static struct ili_pipe *pipe_;

static void open_pipe(uint32_t flags, uint64_t max_bytes) {
    il_pipe_options options = {sizeof options, flags, max_bytes};
    cr_assert(test_enter(64 * MIB));
    pipe_ = test_object(&ili_pipe_kind, "it", &options);
    cr_assert_not_null(pipe_);
}

static void check(void) {
    struct ili_agent *self = test_self();
    cr_assert_eq(ili_guard_lock(&test_member, self, &pipe_->guard), IL_OK);
    il_status status = ili_pipe_check(&test_member, pipe_);
    ili_guard_unlock(&test_member, self, &pipe_->guard);
    cr_assert_eq(status, IL_OK);
}

static il_status claim(uint32_t end, uint32_t slot) {
    il_status status = ili_pipe_claim(&test_member, pipe_, end, slot);
    check();
    return status;
}

static il_status give_up(uint32_t end, uint32_t slot) {
    il_status status = ili_pipe_give_up(&test_member, pipe_, end, slot);
    check();
    return status;
}

static uint32_t claims_of(uint32_t end, uint32_t slot) {
    uint32_t claims = 0;
    cr_assert_eq(ili_pipe_claims_of(&test_member, pipe_, end, slot, &claims), IL_OK);
    return claims;
}

static struct ili_pipe_view look(void) {
    struct ili_pipe_view view;
    ili_pipe_look(&test_member, pipe_, &view);
    return view;
}

static uint8_t data[IL_MESSAGE_MAX_BYTES], room[IL_MESSAGE_MAX_BYTES];

static il_status send_from(uint32_t end, uint64_t bytes) {
    struct ili_payload message = {data, bytes, IL_BYTES};
    return ili_pipe_send(&test_member, pipe_, end, &message, 0);
}

/* How many bytes were received; -1: none, for *STATUS. */
static int64_t receive_at(uint32_t end, il_status *status) {
    struct ili_taken taken = {.data = room, .room = sizeof room};
    *status = ili_pipe_receive(&test_member, pipe_, end, &taken, 0);
    return *status == IL_OK ? (int64_t)taken.bytes : -1;
}

static void close_pipe(void) {
    cr_assert_eq(test_close(pipe_), IL_OK);
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_pipe_kind, "it", 2), IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
    test_leave();
}

Test(data_pipe, end_goes_through_its_states) {
    il_status status;
    open_pipe(0, 0);
    cr_assert_eq(pipe_->max_bytes, IL_PIPE_BYTES);
    cr_assert_eq(give_up(IL_PIPE_A, 5), IL_ENOTHELD);
    cr_assert_eq(look().closed[IL_PIPE_A], false); /* untouched */
    cr_assert_eq(claim(IL_PIPE_A, 5), IL_OK);
    cr_assert_eq(claim(IL_PIPE_A, 5), IL_OK);
    cr_assert_eq(claim(IL_PIPE_A, 6), IL_OK);
    cr_assert_eq(claim(IL_PIPE_B, 5), IL_OK);
    cr_assert_eq(claims_of(IL_PIPE_A, 5), 2);
    cr_assert_eq(claims_of(IL_PIPE_B, 5), 1);
    cr_assert_eq(claims_of(IL_PIPE_B, 6), 0);
    cr_assert_eq(look().claims[IL_PIPE_A], 2);
    cr_assert_eq(give_up(IL_PIPE_A, 5), IL_OK);
    cr_assert_eq(give_up(IL_PIPE_A, 5), IL_OK);
    cr_assert_eq(give_up(IL_PIPE_A, 5), IL_ENOTHELD);
    cr_assert_eq(send_from(IL_PIPE_A, 3), IL_OK);
    cr_assert_eq(look().closed[IL_PIPE_A], false);
    cr_assert_eq(give_up(IL_PIPE_A, 6), IL_OK);
    cr_assert_eq(look().closed[IL_PIPE_A], true);
    cr_assert_eq(look().closed[IL_PIPE_B], false);
    cr_assert_eq(claim(IL_PIPE_A, 6), IL_EPIPE);
    cr_assert_eq(claim(IL_PIPE_B, 6), IL_OK);
    cr_assert_eq(send_from(IL_PIPE_B, 3), IL_EPIPE);
    cr_assert_eq(receive_at(IL_PIPE_B, &status), 3);
    cr_assert_eq(receive_at(IL_PIPE_B, &status), -1);
    cr_assert_eq(status, IL_EEOF);
    check();
    close_pipe();
}

Test(data_pipe, many_sessions_have_rows_and_come_and_go) {
    uint64_t random = test_seed(40);
    static uint8_t model[2][300];
    uint32_t count[2] = {1, 1};
    open_pipe(0, 0);
    for (uint32_t end = 0; end < 2; end++) cr_assert_eq(claim(end, 900), IL_OK); /* stays open */
    for (int i = 0; i < 4000; i++) {
        uint64_t r = test_random(&random);
        uint32_t end = r & 1, slot = (uint32_t)(r >> 8) % 300;
        if (r & 2 && model[end][slot] < 200) {
            cr_assert_eq(ili_pipe_claim(&test_member, pipe_, end, slot), IL_OK);
            if (model[end][slot]++ == 0) count[end]++;
        } else if (r >> 40 & 1) {
            il_status expected = model[end][slot] ? IL_OK : IL_ENOTHELD;
            cr_assert_eq(ili_pipe_give_up(&test_member, pipe_, end, slot), expected);
            if (model[end][slot] && --model[end][slot] == 0) count[end]--;
        } else if (i % 16 == 0) {
            cr_assert_eq(ili_pipe_kind.recover(&test_member, test_self(), pipe_, slot), IL_OK);
            for (uint32_t e = 0; e < 2; e++) {
                if (model[e][slot]) count[e]--;
                model[e][slot] = 0;
            }
        }
        if (i % 64) continue;
        check();
        struct ili_pipe_view view = look();
        cr_assert_eq(view.claims[0], count[0]);
        cr_assert_eq(view.claims[1], count[1]);
        cr_assert_eq(claims_of(end, slot), model[end][slot]);
        cr_assert_eq(view.closed[0] || view.closed[1], false);
    }
    cr_assert_neq(atomic_load(&pipe_->more), 0);
    close_pipe();
}

Test(data_pipe, claims_fail_whole_when_memory_is_short) {
    open_pipe(0, 0);
    uint32_t slot = 0;
    for (; slot < ILI_PIPE_ROWS; slot++) cr_assert_eq(claim(IL_PIPE_A, slot), IL_OK);
    while (send_from(IL_PIPE_A, 4000) == IL_OK) {
    }
    /* fill the arena with blocks of the size that the rows need */
    ili_off at;
    struct ili_agent *self = test_self();
    while (ili_alloc(&test_member, self, 0, 512, &at) == IL_OK) ili_alloc_published(self, 0);
    cr_assert_eq(claim(IL_PIPE_A, slot), IL_ENOMEM);
    cr_assert_eq(claims_of(IL_PIPE_A, slot), 0);
    cr_assert_eq(look().claims[IL_PIPE_A], ILI_PIPE_ROWS);
    cr_assert_eq(claim(IL_PIPE_B, 0), IL_OK); /* has a row */
    cr_assert_eq(ili_alloc_free(&test_member, self, 0), IL_OK);
    test_leave();
}

Test(data_pipe, bytes_on_their_way_are_bounded) {
    il_status status;
    open_pipe(0, 1000);
    cr_assert_eq(send_from(IL_PIPE_A, 400), IL_OK);
    cr_assert_eq(send_from(IL_PIPE_A, 600), IL_OK);
    cr_assert_eq(send_from(IL_PIPE_A, 0), IL_ETIMEOUT);
    cr_assert_eq(send_from(IL_PIPE_B, 1000), IL_OK); /* the other direction has its own */
    cr_assert_eq(receive_at(IL_PIPE_B, &status), 400);
    cr_assert_eq(send_from(IL_PIPE_A, 401), IL_ETIMEOUT);
    cr_assert_eq(send_from(IL_PIPE_A, 400), IL_OK);
    cr_assert_eq(receive_at(IL_PIPE_B, &status), 600);
    cr_assert_eq(receive_at(IL_PIPE_B, &status), 400);
    cr_assert_eq(send_from(IL_PIPE_A, 5 * MIB), IL_OK); /* alone */
    cr_assert_eq(send_from(IL_PIPE_A, 1), IL_ETIMEOUT);
    cr_assert_eq(receive_at(IL_PIPE_B, &status), 5 * (int64_t)MIB);
    for (int i = 0; i < 1000; i++) cr_assert_eq(send_from(IL_PIPE_A, 0), IL_OK); /* each as one */
    cr_assert_eq(send_from(IL_PIPE_A, 0), IL_ETIMEOUT);
    for (int i = 0; i < 1000; i++) cr_assert_eq(receive_at(IL_PIPE_B, &status), 0);
    check();
    close_pipe();
}

Test(data_pipe, bytes_are_counted_right_over_many_messages) {
    uint64_t random = test_seed(41), way = 0;
    uint64_t sizes[4096];
    unsigned head = 0, tail = 0;
    il_status status;
    open_pipe(0, 30000);
    for (int i = 0; i < 40000; i++) {
        uint64_t r = test_random(&random);
        if (r % 2) {
            uint64_t bytes = r % 16 == 1 ? (r >> 8) % 40000 : (r >> 8) % 300;
            uint64_t cost = bytes ? bytes : 1;
            bool fits = head == tail || way + cost <= 30000;
            cr_assert_eq(send_from(IL_PIPE_B, bytes), fits ? IL_OK : IL_ETIMEOUT);
            if (!fits) continue;
            sizes[tail++ % 4096] = bytes;
            way += cost;
        } else {
            int64_t got = receive_at(IL_PIPE_A, &status);
            cr_assert_eq(got, head == tail ? -1 : (int64_t)sizes[head % 4096]);
            if (head == tail) continue;
            uint64_t bytes = sizes[head++ % 4096];
            way -= bytes ? bytes : 1;
        }
    }
    check();
    close_pipe();
}

/* ---- waiting without a thread ---------------------------------------------------------------------- */

static struct ili_agent *bell(void) {
    struct ili_agent *agent = NULL;
    cr_assert_eq(ili_agent_claim_bell(&test_member, &agent), IL_OK);
    return agent;
}

Test(data_pipe, who_waits_for_room_goes_on_in_order_as_far_as_it_fits) {
    il_status status;
    size_t done;
    open_pipe(0, 100);
    struct ili_queue *queue = ili_pipe_outgoing(pipe_, IL_PIPE_A);
    struct ili_agent *waiters[] = {bell(), bell(), bell()};
    const uint64_t bytes[] = {90, 5, 20};
    cr_assert_eq(send_from(IL_PIPE_A, 50), IL_OK);
    cr_assert_eq(send_from(IL_PIPE_A, 50), IL_OK);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(ili_queue_enqueue_put(&test_member, queue, waiters[i], bytes[i]), IL_ETIMEOUT);
    cr_assert_eq(receive_at(IL_PIPE_B, &status), 50);
    for (int i = 0; i < 3; i++)
        cr_assert_not(ili_queue_settled(waiters[i]));   /* 90 do not fit yet */
    cr_assert_eq(send_from(IL_PIPE_A, 1), IL_ETIMEOUT); /* nobody passes those who wait */
    cr_assert_eq(receive_at(IL_PIPE_B, &status), 50);
    cr_assert(ili_queue_settled(waiters[0]));
    cr_assert(ili_queue_settled(waiters[1]));
    cr_assert_not(ili_queue_settled(waiters[2]));
    for (int i = 0; i < 2; i++) {
        struct ili_payload message = {data, bytes[i], IL_BYTES};
        cr_assert_eq(ili_queue_try_put_of(&test_member, queue, waiters[i], &message, 1, &done),
                     IL_OK);
    }
    /* the first of those who wait leaves: what is behind it may need less */
    atomic_fetch_and(&waiters[0]->flags, ~ILI_AGENT_DIRECTED);
    cr_assert_eq(ili_queue_enqueue_put(&test_member, queue, waiters[0], 1), IL_ETIMEOUT);
    cr_assert_eq(ili_queue_withdraw(&test_member, queue, waiters[2], true), IL_OK);
    cr_assert(ili_queue_settled(waiters[0]));
    for (int i = 0; i < 3; i++) ili_agent_release(&test_member, waiters[i]);
    check();
    close_pipe();
}

/* ---- options, deletion ------------------------------------------------------------------------------ */

Test(data_pipe, one_way_has_one_direction) {
    open_pipe(IL_PIPE_ONE_WAY, 10);
    cr_assert_null(ili_pipe_outgoing(pipe_, IL_PIPE_A));
    cr_assert_null(ili_pipe_incoming(pipe_, IL_PIPE_B));
    cr_assert_eq(ili_pipe_outgoing(pipe_, IL_PIPE_B), ili_pipe_incoming(pipe_, IL_PIPE_A));
    cr_assert_eq(send_from(IL_PIPE_A, 1), IL_EUNSUPPORTED);
    cr_assert_eq(ili_pipe_poll(&test_member, pipe_, IL_PIPE_B, 0), IL_EUNSUPPORTED);
    cr_assert_eq(ili_pipe_poll(&test_member, pipe_, IL_PIPE_A, 0), IL_ETIMEOUT);
    cr_assert_eq(send_from(IL_PIPE_B, 1), IL_OK);
    cr_assert_eq(ili_pipe_poll(&test_member, pipe_, IL_PIPE_A, 0), IL_OK);
    il_pipe_options same = {sizeof same, IL_PIPE_ONE_WAY, 10}, other = {sizeof other, 0, 10};
    cr_assert(ili_pipe_kind.same(pipe_, &same));
    cr_assert_not(ili_pipe_kind.same(pipe_, &other));
    close_pipe();
}

Test(data_pipe, its_queues_are_found_as_queues_of_its_name) {
    char name[IL_NAME_MAX_BYTES + 1];
    open_pipe(0, 0);
    for (uint32_t end = 0; end < 2; end++) {
        ili_off at = ili_off_of(&test_member.arena, &pipe_->to[end]);
        struct ili_queue *queue = ili_object_at(&test_member.arena, at, ILI_KIND_QUEUE);
        cr_assert_eq(queue, &pipe_->to[end]);
        cr_assert_eq(at % 128, 0);
        cr_assert_eq(ili_object_name(&test_member.arena, &queue->object, name), 2);
        cr_assert_str_eq(name, "it");
    }
    close_pipe();
}

Test(data_pipe, deletion_ends_everything_and_frees_all) {
    il_status status;
    open_pipe(0, 40 * MIB);
    uint64_t before = 0;
    for (int round = 0; round < 3; round++) {
        for (uint32_t slot = 0; slot < 100; slot++) cr_assert_eq(claim(slot % 2, slot), IL_OK);
        for (int i = 0; i < 50; i++) {
            cr_assert_eq(send_from(IL_PIPE_A, (uint64_t)i * 700), IL_OK);
            cr_assert_eq(send_from(IL_PIPE_B, (uint64_t)i * 100), IL_OK);
        }
        cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_pipe_kind, "it", 2), IL_OK);
        cr_assert_eq(claim(IL_PIPE_A, 1), IL_EDELETED);
        cr_assert_eq(send_from(IL_PIPE_A, 1), IL_EDELETED);
        cr_assert_eq(receive_at(IL_PIPE_A, &status), -1);
        cr_assert_eq(status, IL_EDELETED);
        cr_assert_eq(ili_pipe_poll(&test_member, pipe_, IL_PIPE_A, 0), IL_EDELETED);
        cr_assert(look().deleted);
        cr_assert_eq(test_close(pipe_), IL_OK);
        uint64_t now = ili_alloc_available(&test_member);
        if (round == 0) before = now;
        cr_assert_eq(now, before, "%lld bytes are lost", (long long)(before - now));
        pipe_ = test_object(&ili_pipe_kind, "it", NULL);
    }
    close_pipe();
}
