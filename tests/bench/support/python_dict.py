"""multiprocessing.Manager().dict() as the peer of dicts: python_dict.py KEYS.

Each line of stdin, "get N" or "set N", makes N calls on keys one after the other; the answer is
how many a second there were.
"""
import multiprocessing
import sys
import time

VALUE = '0123456789abcdef' * 4


def run(shared, keys, what, count):
    if what == 'set':
        for number in range(count):
            shared[keys[number % len(keys)]] = VALUE
    else:
        for number in range(count):
            assert shared[keys[number % len(keys)]] == VALUE


def main():
    with multiprocessing.Manager() as manager:
        shared = manager.dict()
        keys = [f'key-{number}' for number in range(int(sys.argv[1]))]
        run(shared, keys, 'set', len(keys))
        for line in sys.stdin:
            what, count = line.split()
            start = time.perf_counter()
            run(shared, keys, what, int(count))
            print(int(count) / (time.perf_counter() - start), flush=True)


if __name__ == '__main__':
    main()
