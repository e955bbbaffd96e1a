"""multiprocessing.Pool as the peer of the pools: python_pool.py WORKERS.

Each line of stdin, "map N" or "apply N", runs N calls; the answer is how many a second there were.
"""
import multiprocessing
import sys
import time


def same(value):
    return value


def run(pool, what, count):
    if what == 'map':
        assert pool.map(same, range(count), chunksize=1) == list(range(count))
    else:
        for number in range(count):
            assert pool.apply(same, (number,)) == number


def main():
    with multiprocessing.Pool(int(sys.argv[1])) as pool:
        run(pool, 'map', 1000)
        for line in sys.stdin:
            what, count = line.split()
            start = time.perf_counter()
            run(pool, what, int(count))
            print(int(count) / (time.perf_counter() - start), flush=True)


if __name__ == '__main__':
    main()
