#include "random/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void line_push(struct line *line, uint32_t type, const void *data, uint64_t bytes) {
    if (line->begin + line->count == line->room) {
        if (line->begin > 0) {
            memmove(line->items, line->items + line->begin, line->count * sizeof *line->items);
        }
        line->begin = 0;
        line->room = 2 * line->count + 16;
        line->items = realloc(line->items, line->room * sizeof *line->items);
    }
    struct line_item *item = &line->items[line->begin + line->count++];
    *item = (struct line_item){type, bytes, malloc(bytes + 1)};
    if (bytes > 0) memcpy(item->data, data, bytes);
    line->bytes += bytes;
}

struct line_item *line_at(const struct line *line, uint64_t index) {
    return &line->items[line->begin + index];
}

struct line_item *line_first(struct line *line) {
    return line->count ? line_at(line, 0) : NULL;
}

void line_pop(struct line *line) {
    struct line_item *item = line_at(line, 0);
    line->bytes -= item->bytes;
    free(item->data);
    line->begin++;
    line->count--;
}

void line_clear(struct line *line) {
    while (line->count > 0) line_pop(line);
    free(line->items);
    memset(line, 0, sizeof *line);
}

bool line_equal(const struct line *found, const struct line *model, char why[LINE_WHY]) {
    if (found->count != model->count) {
        snprintf(why, LINE_WHY, "%llu messages, not %llu", (unsigned long long)found->count,
                 (unsigned long long)model->count);
        return false;
    }
    for (uint64_t i = 0; i < found->count; i++) {
        const struct line_item *a = line_at(found, i), *b = line_at(model, i);
        if (a->type == b->type && a->bytes == b->bytes && memcmp(a->data, b->data, b->bytes) == 0)
            continue;
        snprintf(why, LINE_WHY, "message %llu of %llu is another", (unsigned long long)i,
                 (unsigned long long)found->count);
        return false;
    }
    return true;
}
