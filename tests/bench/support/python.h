/*
 * python.h - a peer that is a Python program, in a process of its own: python_pool.py, python_dict.py.
 *
 * Each line of its input, "WHAT COUNT", makes it do something COUNT times; it answers how often a second.
 */
#ifndef BENCH_PYTHON_H
#define BENCH_PYTHON_H

/* Starts SCRIPT, of this folder (INTERLOCK_SOURCE names the sources), with ARGUMENT. Ends the program if it does
 * not start, that is, does not answer "WARM 1000". */
void bench_python_start(const char *script, int argument, const char *warm);
void bench_python_stop(void);

/* How often a second. */
double bench_python_ask(const char *what, int count);

#endif
