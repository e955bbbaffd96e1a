/*
 * Processes are killed at random instants while they use two locks and two queues, and replaced. What
 * must hold: one owner at a time and growing tokens; every message that was put is taken once, whole
 * and in order, but for those that a dead consumer was taking; the next waiter goes on at once; no
 * memory is lost. A few hundred rounds; 10,000 with INTERLOCK_TORTURE. INTERLOCK_SEED, INTERLOCK_ROUNDS.
 */
#include "support/kills.h"

static void use_plain(struct crew *c) { crew_hammer(c, PLAIN); }
static void use_fair(struct crew *c) { crew_hammer(c, FAIR); }
static void produce(struct crew *c) { crew_produce(c, BOUNDED); }
static void consume(struct crew *c) { crew_consume(c, BOUNDED); }

/* Everything at once. */
static void mix(struct crew *c) {
    uint64_t random = c->me + (uint64_t)getpid();
    uint8_t *room = malloc(CREW_ROOM);
    il_lock *locks[] = {crew_open_lock(c, PLAIN), crew_open_lock(c, FAIR)};
    il_queue *queues[] = {crew_open_queue(c, BOUNDED), crew_open_queue(c, OPEN_END)};
    while (!crew_stopped(c)) {
        unsigned which = test_random(&random) % 2;
        uint64_t size;
        atomic_store(&c->board->members[c->me].waited_from_ns, test_now_ns());
        switch (test_random(&random) % 4) {
        case 0: (void)crew_use_lock(c, locks[which], which, 1000000); break;
        case 1:
            if (il_queue_size(queues[which], &size) == IL_OK && size < 100) {
                (void)crew_put(c, queues[which], which, room, &random, 1000000);
            }
            break;
        case 2: (void)crew_get(c, queues[which], room, CREW_ROOM, 3, 1000000); break;
        default: {
            il_lock *own = NULL;
            il_lock_open(c->world->domain, NULL, 0, NULL, &own);
            il_lock_acquire(own, 0, NULL);
            il_lock_close(own);
        }
        }
    }
    free(room);
}

static void settle(struct crew *c) {
    static uint8_t room[CREW_ROOM];
    for (unsigned i = 0; i < 2; i++) {
        il_lock *lock = crew_open_lock(c, i);
        il_queue *queue = crew_open_queue(c, i);
        size_t done;
        il_message message;
        if (!lock || !queue) return;
        if (world_check_lock(c->world, lock) != IL_OK) crew_trouble(c, "lock %u is not sound", i);
        if (world_check_queue(c->world, queue) != IL_OK)
            crew_trouble(c, "queue %u is not sound", i);
        while (il_queue_get_many(queue, room, sizeof room, &message, 1, &done, 0) == IL_OK) {
            crew_read(c, message.data, message.bytes);
        }
        il_lock_close(lock);
        il_queue_close(queue);
        il_lock_delete(c->world->domain, crew_lock_name(i), strlen(crew_lock_name(i)));
    }
    uint64_t missing = crew_missing(c);
    if (missing > c->lost) {
        crew_trouble(c, "%llu messages are missing, dead consumers had taken %llu at most",
                     (unsigned long long)missing, (unsigned long long)c->lost);
    }
}

static const struct campaign locks_and_queues = {
    .name = "locks and queues",
    .things = 1u << PLAIN | 1u << FAIR,
    .roles = {use_plain, use_fair, produce, consume, mix, mix},
    .settle = settle,
};

EACH_CAMPAIGN(recovery_kills, locks_and_queues, 300)
