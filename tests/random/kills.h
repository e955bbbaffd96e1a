/*
 * kills.h - where the workers of a campaign are killed: at named points, each in its turn, and at any
 * instant.
 */
#ifndef TESTS_RANDOM_KILLS_H
#define TESTS_RANDOM_KILLS_H

#include "random/kind.h"

#define KILLS_KINDS 8

struct kills; /* which operations pass which points, and how many have died there */

struct kills *kills_new(void);
void kills_free(struct kills *kills);
/* Notes which points an operation of KIND (a number) and CODE has passed. */
void kills_learn(struct kills *kills, uint32_t kind, uint32_t code, const struct answer *answer);
/* A point for such an operation, or NULL: none is known. *NUMBER is for kills_count(). */
const char *kills_choose(struct kills *kills, uint32_t kind, uint32_t code, uint64_t *random,
                         uint32_t *passage, uint32_t *number);
void kills_count(struct kills *kills, uint32_t number);
/* How many points somebody has died at. */
uint32_t kills_points(const struct kills *kills);

#endif
