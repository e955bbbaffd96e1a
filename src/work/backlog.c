#include "work/backlog.h"

#include <stdlib.h>

#include "work/task.h"

#define ROOM_AT_FIRST 64

/* Ids only grow. Those of one server differ in their lower 56 bits. */
static uint64_t order_of(const struct ili_task *task) {
    return (uint64_t)(ILI_PRIORITY_MOST - task->options.priority) << 56 |
           (task->id & ~UINT64_C(0) >> 8);
}

static void put(struct ili_backlog *b, size_t place, struct ili_backlog_entry entry) {
    b->heap[place] = entry;
    entry.task->place = place;
}

static void rise(struct ili_backlog *b, size_t place) {
    struct ili_backlog_entry entry = b->heap[place];
    while (place > 1 && b->heap[place / 2].order > entry.order) {
        put(b, place, b->heap[place / 2]);
        place /= 2;
    }
    put(b, place, entry);
}

static void sink(struct ili_backlog *b, size_t place) {
    struct ili_backlog_entry entry = b->heap[place];
    for (;;) {
        size_t child = place * 2;
        if (child > b->count) break;
        if (child < b->count && b->heap[child + 1].order < b->heap[child].order) child++;
        if (b->heap[child].order >= entry.order) break;
        put(b, place, b->heap[child]);
        place = child;
    }
    put(b, place, entry);
}

bool ili_backlog_reserve(struct ili_backlog *backlog, size_t count) {
    if (count < backlog->room) return true;
    size_t room = backlog->room ? backlog->room : ROOM_AT_FIRST;
    while (room <= count) room *= 2;
    struct ili_backlog_entry *heap = realloc(backlog->heap, room * sizeof *heap);
    if (!heap) return false;
    backlog->heap = heap;
    backlog->room = room;
    return true;
}

void ili_backlog_add(struct ili_backlog *backlog, struct ili_task *task) {
    put(backlog, ++backlog->count, (struct ili_backlog_entry){order_of(task), task});
    rise(backlog, backlog->count);
}

struct ili_task *ili_backlog_first(const struct ili_backlog *backlog) {
    return backlog->count ? backlog->heap[1].task : NULL;
}

void ili_backlog_remove(struct ili_backlog *backlog, struct ili_task *task) {
    size_t place = task->place;
    task->place = 0;
    struct ili_backlog_entry last = backlog->heap[backlog->count--];
    if (last.task == task) return;
    put(backlog, place, last);
    rise(backlog, place);
    sink(backlog, last.task->place);
}

void ili_backlog_free(struct ili_backlog *backlog) {
    free(backlog->heap);
    *backlog = (struct ili_backlog){0};
}
