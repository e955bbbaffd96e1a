"""Interlock's drop-in modules against the standard ones, in one run of one interpreter.

As support/measure.h: rounds alternate between the two; what is reported are the medians, and as
ratio the median of the rounds' own ratios. Figures are nanoseconds an operation, or operations a second.
"""

import multiprocessing
import os
import statistics
import sys
import threading
import time

import interlock.multiprocessing
import interlock.threading

ROUNDS = int(os.environ.get("INTERLOCK_BENCH_ROUNDS", "7"))
SECONDS = float(os.environ.get("INTERLOCK_BENCH_SECONDS", "0.5"))


def ns_of_pair(lock):
    """Nanoseconds of one acquire and release, called as methods."""
    acquire, release = lock.acquire, lock.release
    count = 0
    start = time.perf_counter_ns()
    end = start + SECONDS * 1e9
    while True:
        for _ in range(20000):
            acquire()
            release()
        count += 20000
        now = time.perf_counter_ns()
        if now > end:
            return (now - start) / count


def ns_of_with(lock):
    count = 0
    start = time.perf_counter_ns()
    end = start + SECONDS * 1e9
    while True:
        for _ in range(20000):
            with lock:
                pass
        count += 20000
        now = time.perf_counter_ns()
        if now > end:
            return (now - start) / count


def _produce(queue, count):
    for number in range(count):
        queue.put(number)


def queue_rate(module, count=200000):
    """Items a second of small ints from one process to another."""
    queue = module.Queue()
    producer = module.get_context("fork").Process(target=_produce, args=(queue, count))
    start = time.perf_counter()
    producer.start()
    for number in range(count):
        if queue.get() != number:
            raise AssertionError("the queue lost the order")
    took = time.perf_counter() - start
    producer.join()
    return count / took


def _answer(end):
    try:
        while True:
            end.send(end.recv())
    except EOFError:
        pass


def pipe_round_trip(module, count=20000):
    """Nanoseconds from a send to the receipt of its answer by another process."""
    mine, other = module.Pipe()
    child = module.get_context("fork").Process(target=_answer, args=(other,))
    child.start()
    other.close()
    start = time.perf_counter_ns()
    for number in range(count):
        mine.send(number)
        mine.recv()
    took = time.perf_counter_ns() - start
    mine.close()
    child.kill()  # its copy of our end keeps it from the end of file, in both modules
    child.join()
    return took / count


def dict_rate(module):
    """Sets a second of a manager's dict."""
    with module.Manager() as manager:
        shared = manager.dict()
        count = 0
        start = time.perf_counter()
        end = start + SECONDS
        while time.perf_counter() < end:
            for number in range(1000):
                shared[number] = number
            count += 1000
        return count / (time.perf_counter() - start)


def _double(number):
    return number * 2


def pool_rate(module, count=20000):
    """Results a second of Pool.map with chunks of one."""
    with module.get_context("fork").Pool(2) as pool:
        pool.map(_double, range(100), chunksize=1)
        start = time.perf_counter()
        results = pool.map(_double, range(count), chunksize=1)
        took = time.perf_counter() - start
    if results != [2 * number for number in range(count)]:
        raise AssertionError("the pool's results are wrong")
    return count / took


def compare(name, unit, ours, peer, target):
    """TARGET: ("<=", ratio) or (">=", ratio) of ours / peer."""
    figures = []
    ours(), peer()
    for number in range(ROUNDS):
        pair = {}
        for which in (("ours", "peer") if number % 2 else ("peer", "ours")):
            pair[which] = ours() if which == "ours" else peer()
        figures.append(pair)
    ratio = statistics.median(pair["ours"] / pair["peer"] for pair in figures)
    well = ratio <= target[1] if target[0] == "<=" else ratio >= target[1]
    print(f"{name:37} interlock={statistics.median(pair['ours'] for pair in figures):.4g}{unit} "
          f"peer={statistics.median(pair['peer'] for pair in figures):.4g}{unit} "
          f"ratio={ratio:.2f} target{target[0]}{target[1]:.2f} {'ok' if well else 'short'}",
          flush=True)


def compare_locks():
    ours, peer = interlock.multiprocessing, multiprocessing
    for kind in ("Lock", "RLock"):
        shared, local = getattr(ours, kind)(), getattr(interlock.threading, kind)()
        others = getattr(peer, kind)(), getattr(threading, kind)()
        low = kind.lower()
        compare(f"python.{low}.multiprocessing", "ns", lambda: ns_of_pair(shared),
                lambda: ns_of_pair(others[0]), ("<=", 1.0))
        compare(f"python.{low}.threading", "ns", lambda: ns_of_pair(local),
                lambda: ns_of_pair(others[1]), ("<=", 1.3))
        compare(f"python.{low}.with", "ns", lambda: ns_of_with(local),
                lambda: ns_of_with(others[1]), ("<=", 1.3))


def main():
    ours, peer = interlock.multiprocessing, multiprocessing
    all_of_them = {
        "lock": compare_locks,
        "queue": lambda: compare("python.queue", "/s", lambda: queue_rate(ours),
                                 lambda: queue_rate(peer), (">=", 3.0)),
        "dict": lambda: compare("python.manager.dict.set", "/s", lambda: dict_rate(ours),
                                lambda: dict_rate(peer), (">=", 30.0)),
        "pool": lambda: compare("python.pool.map", "/s", lambda: pool_rate(ours),
                                lambda: pool_rate(peer), (">=", 3.0)),
        "pipe": lambda: compare("python.pipe.round_trip", "ns", lambda: pipe_round_trip(ours),
                                lambda: pipe_round_trip(peer), ("<=", 0.7)),
    }
    for name in sys.argv[1:] or all_of_them:
        all_of_them[name]()


if __name__ == "__main__":
    main()
