/* line.h - messages in order, in ordinary memory: what a queue and a pipe's direction are. */
#ifndef TESTS_RANDOM_LINE_H
#define TESTS_RANDOM_LINE_H

#include <stdbool.h>
#include <stdint.h>

#define LINE_WHY 500

struct line_item {
    uint32_t type;
    uint64_t bytes;
    char *data; /* owned */
};

struct line {
    struct line_item *items; /* count of them behind the first `begin` */
    uint64_t begin, count, room;
    uint64_t bytes; /* of all */
};

void line_push(struct line *line, uint32_t type, const void *data, uint64_t bytes);
struct line_item *line_first(struct line *line); /* NULL: none */
struct line_item *line_at(const struct line *line, uint64_t index);
void line_pop(struct line *line);
void line_clear(struct line *line);
bool line_equal(const struct line *found, const struct line *model, char why[LINE_WHY]);

#endif
