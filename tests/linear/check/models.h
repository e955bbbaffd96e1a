/*
 * models.h - what each kind of object does when one call comes after the other.
 */
#ifndef TESTS_LINEAR_MODELS_H
#define TESTS_LINEAR_MODELS_H

#include "linear/check/check.h"

extern const struct linear_model linear_grants; /* lock, rlock, rwlock, semaphore */
extern const struct linear_model linear_queue;
extern const struct linear_model linear_event;
extern const struct linear_model linear_latch;
extern const struct linear_model linear_barrier;
extern const struct linear_model linear_condition;

#endif
