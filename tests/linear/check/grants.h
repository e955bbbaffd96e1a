/*
 * grants.h - who holds an object: the part of the models that locks, semaphores and conditions share.
 */
#ifndef TESTS_LINEAR_GRANTS_H
#define TESTS_LINEAR_GRANTS_H

#include "linear/check/check.h"

#define GRANTS_MOST 12

struct grant {
    uint64_t token; /* if it is not known, since nobody was told it: above all real ones */
    uint64_t above; /* if it is not known: the newest before it */
    uint32_t session, owner;
    uint32_t amount; /* how often acquired; of a semaphore: permits */
    uint32_t mode;
    uint32_t lease; /* the step that set its lease, + 1; 0: none; UINT32_MAX: one of several */
    uint32_t step;  /* that made it, + 1 */
};

struct grants {
    uint64_t newest; /* the greatest token that was told */
    int64_t value;   /* of a semaphore */
    int64_t from_ns; /* of a lock that is held back: until then at least */
    uint32_t number; /* of a semaphore: the bound, if it has one; of a lock: the delay in ms */
    uint16_t kind, flags;
    uint16_t died;
    uint16_t later; /* there was a grant after `newest`, whose token is not known */
    uint32_t count;
    struct grant all[GRANTS_MOST]; /* by rising token */
};

void grants_start(const struct linear_object *object, struct grants *grants);

/* The calls that a lock knows, lease ends, deaths. */
void grants_expand(struct linear_search *search, const struct linear_call *call);
bool grants_relate(struct linear_search *search);
bool grants_step(const struct linear_search *search, uint32_t number, struct grants *grants);

/* STEP's owner is granted, AMOUNT deep, if it can be. */
bool grants_give(const struct linear_step *step, uint32_t number, uint32_t amount,
                 struct grants *grants);

/* The index of the grant that CALL may act on by its token, or without one; LINEAR_NONE. */
uint32_t grants_find(const struct grants *grants, const struct linear_call *call);
void grants_remove(struct grants *grants, uint32_t index);

void grants_describe(const struct grants *grants, FILE *out);

#endif
