/*
 * fault.h - what is wrong with something that came from outside, and which part of it is to blame.
 *
 * The rooms that check input (path, params, framing, config) fill one in; reply.c makes a problem of
 * it, main.c a sentence.
 */
#ifndef ILI_BASE_FAULT_H
#define ILI_BASE_FAULT_H

#include <stddef.h>

#include <interlock.h>

struct ili_fault {
    il_status status;
    char field[72];     /* "timeout", "items[3].text", "Host"; empty: no part is to blame */
    char expected[120]; /* "a number from 0 to 300"; empty with field */
    char detail[480];   /* room for the longest name */
};

/* Fills in FAULT and returns STATUS. FIELD and EXPECTED may be NULL. */
il_status ili_fault_set(struct ili_fault *fault, il_status status, const char *field,
                        const char *expected, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* IL_EINVAL: FIELD (NULL: no part is to blame) is not as EXPECTED, in those words. */
il_status ili_fault_expected(struct ili_fault *fault, const char *field, const char *expected);

/* FAULT is about the INDEXth element of ARRAY: says so in its field and detail. EXPECTED: what to expect if it
 * does not say. */
void ili_fault_place(struct ili_fault *fault, const char *array, size_t index,
                     const char *expected);

#endif
