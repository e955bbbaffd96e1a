/*
 * python_pool.h - Python's multiprocessing.Pool, the peer of the pools, in a process of its own.
 */
#ifndef BENCH_PYTHON_POOL_H
#define BENCH_PYTHON_POOL_H

/* Ends the program if it does not start. INTERLOCK_SOURCE names the sources: see python_pool.py. */
void bench_python_start(int workers);
void bench_python_stop(void);

/* Calls a second: of Pool.map(chunksize=1), of Pool.apply() one after the other. */
double bench_python_map(int count);
double bench_python_apply(int count);

#endif
