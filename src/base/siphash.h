/*
 * siphash.h - SipHash-2-4, a keyed hash: names come from outside, and without the key nobody can
 * choose names that fall into one bucket.
 * Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.
 */
#ifndef ILI_BASE_SIPHASH_H
#define ILI_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t ili_siphash(const uint64_t key[2], const void *data, size_t bytes);

#endif
