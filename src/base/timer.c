#include "base/timer.h"

#include <stdlib.h>

#include "base/clock.h"

static void put(struct ili_timers *t, size_t place, struct ili_timer *timer) {
    t->heap[place] = timer;
    timer->place = place;
}

static void rise(struct ili_timers *t, size_t place) {
    struct ili_timer *timer = t->heap[place];
    while (place > 1 && t->heap[place / 2]->at_ns > timer->at_ns) {
        put(t, place, t->heap[place / 2]);
        place /= 2;
    }
    put(t, place, timer);
}

static void sink(struct ili_timers *t, size_t place) {
    struct ili_timer *timer = t->heap[place];
    for (;;) {
        size_t child = place * 2;
        if (child > t->count) break;
        if (child < t->count && t->heap[child + 1]->at_ns < t->heap[child]->at_ns) child++;
        if (t->heap[child]->at_ns >= timer->at_ns) break;
        put(t, place, t->heap[child]);
        place = child;
    }
    put(t, place, timer);
}

bool ili_timers_set(struct ili_timers *timers, struct ili_timer *timer, int64_t at_ns) {
    timer->at_ns = at_ns;
    if (timer->place == 0) {
        if (timers->count + 2 > timers->room) {
            size_t room = timers->room ? timers->room * 2 : 256;
            struct ili_timer **heap = realloc(timers->heap, room * sizeof(struct ili_timer *));
            if (!heap) return false;
            timers->heap = heap;
            timers->room = room;
        }
        put(timers, ++timers->count, timer);
    }
    rise(timers, timer->place);
    sink(timers, timer->place);
    return true;
}

void ili_timers_clear(struct ili_timers *timers, struct ili_timer *timer) {
    size_t place = timer->place;
    if (place == 0) return;
    timer->place = 0;
    struct ili_timer *last = timers->heap[timers->count--];
    if (last == timer) return;
    put(timers, place, last);
    rise(timers, place);
    sink(timers, last->place);
}

struct ili_timer *ili_timers_take(struct ili_timers *timers,
                                  void (*fire)(struct ili_timer *timer, void *context)) {
    for (size_t i = 1; i <= timers->count; i++) {
        struct ili_timer *timer = timers->heap[i];
        if (timer->fire != fire) continue;
        ili_timers_clear(timers, timer);
        return timer;
    }
    return NULL;
}

int64_t ili_timers_next(const struct ili_timers *timers) {
    return timers->count ? timers->heap[1]->at_ns : ILI_NEVER;
}

void ili_timers_run(struct ili_timers *timers, int64_t now_ns, void *context) {
    /* At most as many as are set now: one that sets itself for the past must not hold the loop. */
    for (size_t left = timers->count; left > 0 && timers->count > 0; left--) {
        struct ili_timer *timer = timers->heap[1];
        if (timer->at_ns > now_ns) return;
        ili_timers_clear(timers, timer);
        timer->fire(timer, context);
    }
}

void ili_timers_free(struct ili_timers *timers) {
    free(timers->heap);
    *timers = (struct ili_timers){0};
}
