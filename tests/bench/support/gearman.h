/*
 * gearman.h - gearmand with workers in C (libgearman), the peer of the pools.
 */
#ifndef BENCH_GEARMAN_H
#define BENCH_GEARMAN_H

/* Starts gearmand on a free port of the loopback, without persistence, and COUNT worker processes whose function
 * answers its workload. Ends the program if that cannot be. */
void bench_gearman_start(int count);
void bench_gearman_stop(void);

/* Submits COUNT tasks, each when the one before has been answered. */
void bench_gearman_do(int count);

/* Submits COUNT background jobs in one go and waits until the workers have done all of them. */
void bench_gearman_background(int count);

#endif
