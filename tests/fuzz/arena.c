/*
 * An input is a script of operations on one small arena: calls of the core, and bytes written anywhere
 * into it, as a hostile process might. No call may crash, hang, or write outside of the arena.
 */
#include <stddef.h>
#include <stdint.h>

#include "data/dict.h"
#include "data/queue.h"
#include "support/member.h"
#include "sync/lock.h"

#define ARENA_BYTES (UINT64_C(1) << 20)

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);

static uint8_t room[70000];

static void operate(unsigned what, unsigned argument, struct ili_lock *lock,
                    struct ili_queue *queue, struct ili_dict *dict) {
    static const char *const names[] = {"a", "b", "c", "d"};
    struct ili_agent *self = test_self();
    struct ili_payload message = {room, (argument * 257) % sizeof room, argument % 3};
    struct ili_taken taken = {.data = room, .room = sizeof room};
    struct ili_item item = {.data = room, .room = sizeof room};
    struct ili_dict_entry entries[4];
    const char *name = names[argument % 4];
    struct ili_dict_change changes[2] = {{.what = 1 + argument % 3, .key = name, .key_bytes = 1},
                                         {.what = IL_CHANGE_SET, .key = "", .key_bytes = 0}};
    il_cursor cursor = {.after = argument & 4, .hint = argument};
    uint64_t token;
    size_t done;
    ili_off at;
    if (!self) return;
    for (int i = 0; i < 2; i++) {
        changes[i].data = room;
        changes[i].bytes = argument * (argument & 8 ? 257u : 3u);
        changes[i].version = argument & 16 ? argument >> 5 : IL_VERSION_ANY;
    }
    switch (what % 16) {
    case 0: (void)ili_lock_acquire(&test_member, lock, 0, &token); break;
    case 1:
        (void)ili_lock_release(&test_member, lock, test_me(), argument % 2 ? 0 : argument);
        break;
    case 2: (void)ili_queue_try_put(&test_member, queue, &message, 1, &done); break;
    case 3: (void)ili_queue_try_get(&test_member, queue, &taken, 1, &done); break;
    case 4:
        (void)ili_names_open(&test_member, self, argument & 4 ? &ili_lock_kind : &ili_queue_kind,
                             name, 1, NULL, 0, NULL, &at, NULL);
        break;
    case 5:
        (void)ili_names_delete(&test_member, self, argument & 4 ? &ili_lock_kind : &ili_queue_kind,
                               name, 1);
        break;
    case 6: (void)ili_queue_give_back(&test_member, queue, &message, argument); break;
    case 7: (void)ili_queue_peek(&test_member, queue, &taken); break;
    case 8: ili_queue_repair_head(&test_member, self, queue, self); break;
    case 9: ili_queue_repair_tail(&test_member, self, queue, self); break;
    case 10: (void)ili_dict_update(&test_member, dict, changes, 1, NULL, NULL); break;
    case 11: (void)ili_dict_update(&test_member, dict, changes, 2, NULL, NULL); break;
    case 12: (void)ili_dict_get(&test_member, dict, name, 1, &item); break;
    case 13:
        (void)ili_dict_items(&test_member, dict, &cursor, IL_KEYS | IL_VALUES, room, sizeof room,
                             entries, 4, &done);
        break;
    case 14: (void)ili_dict_clear(&test_member, dict); break;
    case 15: ili_dict_repair(&test_member, self, dict, self); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes) {
    if (!test_enter(ARENA_BYTES)) return 0;
    test_member.before_wait = NULL;
    test_member.patience_ns = 100000;
    struct ili_lock *lock = test_object(&ili_lock_kind, "a", NULL);
    struct ili_queue *queue = test_object(&ili_queue_kind, "b", NULL);
    struct ili_dict *dict = test_object(&ili_dict_kind, "c", NULL);
    for (size_t at = 0; lock && queue && dict && at + 4 <= bytes && at < 2000; at += 4) {
        if (input[at] &
            0x80) { /* 0x80 to 0xff: near the queue, the lock, the dict, the tables; or anywhere */
            static const uint8_t places = 5;
            const struct ili_arena *a = &test_member.arena;
            uint64_t near[] = {ili_off_of(a, queue), ili_off_of(a, lock), a->regions.chunks_at,
                               ili_off_of(a, &a->header->alloc), ili_off_of(a, dict) + 64};
            uint64_t offset = input[at] & 0x40 ? near[input[at] % places] + input[at + 1] * 2u +
                                                     (input[at + 2] & 1)
                                               : ((uint64_t)(input[at] & 0x3f) << 16 |
                                                  (uint64_t)input[at + 1] << 8 | input[at + 2]) %
                                                     a->bytes;
            if (offset >= sizeof(struct ili_header) - 512 && offset < a->bytes)
                a->base[offset] = input[at + 3];
        } else {
            operate(input[at], input[at + 1], lock, queue, dict);
        }
    }
    ili_member_stop(&test_member, IL_ECLOSED);
    ili_member_leave(&test_member);
    struct ili_thread *thread = ili_thread_current();
    if (thread) memset(thread->bindings, 0, sizeof thread->bindings);
    return 0;
}
