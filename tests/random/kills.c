#include "random/kills.h"

#include <stdlib.h>

#define ALL 256u

struct kills {
    uint32_t count;
    const char *names[ALL];
    uint32_t tried[ALL], died[ALL];             /* who was to die there may not have passed it */
    uint32_t passages[KILLS_KINDS][CODES][ALL]; /* at most, in one operation */
};

struct kills *kills_new(void) {
    return calloc(1, sizeof(struct kills));
}
void kills_free(struct kills *kills) { free(kills); }

void kills_learn(struct kills *kills, uint32_t kind, uint32_t code, const struct answer *answer) {
    for (uint32_t i = 0; i < answer->passed_count; i++) {
        uint32_t at = 0;
        while (at < kills->count && kills->names[at] != answer->passed[i]) at++;
        if (at == ALL) continue;
        if (at == kills->count) kills->names[kills->count++] = answer->passed[i];
        uint32_t *most = &kills->passages[kind][code][at];
        if (answer->passages[i] > *most) *most = answer->passages[i];
    }
}

const char *kills_choose(struct kills *kills, uint32_t kind, uint32_t code, uint64_t *random,
                         uint32_t *passage, uint32_t *number) {
    const uint32_t *passages = kills->passages[kind][code];
    uint32_t best = ALL, from = draw_below(random, ALL);
    for (uint32_t i = 0; i < ALL; i++) {
        uint32_t at = (from + i) % ALL;
        if (passages[at] == 0) continue;
        if (best == ALL || kills->tried[at] < kills->tried[best]) best = at;
    }
    if (best == ALL) return NULL;
    kills->tried[best]++;
    *number = best;
    *passage =
        1 + draw_below(random, 2) * draw_below(random, passages[best] < 8 ? passages[best] : 8);
    return kills->names[best];
}

void kills_count(struct kills *kills, uint32_t number) { kills->died[number]++; }

uint32_t kills_points(const struct kills *kills) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < kills->count; i++) count += kills->died[i] > 0;
    return count;
}
