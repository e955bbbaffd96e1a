"""interlock.queue: CPython's own tests of queue, and what they leave out."""

from __future__ import annotations

import importlib
import signal
import unittest
from typing import Any, Dict, List, Type

import pytest

import interlock.queue as queue
import interlock.threading as threading
from threading_support import LONG, in_child, interrupted, objects, spawn, until

KINDS = [queue.Queue, queue.LifoQueue, queue.PriorityQueue]


def standard_tests() -> Dict[str, Type[unittest.TestCase]]:
    """The test classes of test.test_queue, with their queue and threads from this package."""
    try:
        theirs = importlib.import_module("test.test_queue")
    except ImportError:
        return {}
    setattr(theirs, "threading", threading)
    cases = {}
    for name, case in vars(theirs).items():
        if isinstance(case, type) and issubclass(case, unittest.TestCase) and name.startswith("C"):
            cases[name[1:]] = type(name[1:], (case,), {"queue": queue, "__module__": __name__})
    return cases


CASES = standard_tests()


@pytest.mark.skipif(not CASES, reason="this Python has no test package")
@pytest.mark.parametrize("name", [f"{kind}Test" for kind in (
    "Queue", "LifoQueue", "PriorityQueue", "FailingQueue", "SimpleQueue")])
def test_standard_tests_pass(name: str) -> None:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(CASES[name]).run(result)
    assert result.testsRun > 0 and not result.skipped
    assert not [text for _, text in result.errors + result.failures]


def test_names() -> None:
    assert set(queue.__all__) >= {"Empty", "Full", "Queue", "LifoQueue", "PriorityQueue", "SimpleQueue"}
    import queue as standard
    assert queue.Empty is standard.Empty and queue.Full is standard.Full


@pytest.mark.parametrize("kind, order", list(zip(KINDS, ([2, 1, 3], [3, 1, 2], [1, 2, 3]))))
def test_order(kind: Any, order: List[int]) -> None:
    q = kind()
    for item in (2, 1, 3):
        q.put(item)
    assert [q.get() for _ in order] == order


def test_items_are_the_same_objects() -> None:
    q: Any = queue.Queue()
    item = lambda: None  # noqa: E731  (cannot be pickled)
    q.put(item)
    assert q.get() is item


def test_put_waits_for_room_and_get_for_an_item() -> None:
    q: Any = queue.Queue(1)
    taken: List[Any] = []
    getter = spawn(lambda: taken.append(q.get(timeout=LONG)))
    until(lambda: q.not_empty._waiters)
    q.put(1)
    getter.join()
    q.put(2)
    putter = spawn(q.put, 3)
    until(lambda: q.not_full._waiters)
    assert q.full() and q.get() == 2
    putter.join()
    assert taken == [1] and q.get() == 3


def test_many_threads_lose_nothing() -> None:
    q: Any = queue.Queue(3)
    taken: List[int] = []

    def get() -> None:
        while (item := q.get()) is not None:
            taken.append(item)
            q.task_done()
        q.task_done()

    getters = [spawn(get) for _ in range(4)]
    putters = [spawn(lambda: [q.put(item) for item in range(500)]) for _ in range(4)]
    for thread in putters:
        thread.join()
    q.join()
    for _ in getters:
        q.put(None)
    for thread in getters:
        thread.join()
    assert sorted(taken) == sorted(list(range(500)) * 4)


def test_recipes_that_hold_the_mutex_work() -> None:
    q: Any = queue.Queue(2)
    q.put(1)
    q.put(2)
    putter = spawn(q.put, 3)
    until(lambda: q.not_full._waiters)
    with q.mutex:
        q.queue.clear()
        q.unfinished_tasks = 0
        q.all_tasks_done.notify_all()
        q.not_full.notify_all()
    putter.join()
    assert q.get() == 3
    q.task_done()
    q.join()


def test_timeouts() -> None:
    q: Any = queue.Queue(1)
    with pytest.raises(queue.Empty):
        q.get(timeout=0.01)
    with pytest.raises(queue.Empty):
        q.get(timeout=0)
    q.put(1)
    with pytest.raises(queue.Full):
        q.put(2, timeout=0.01)
    with pytest.raises(queue.Full):
        q.put(2, timeout=0)
    with pytest.raises(ValueError):
        q.get(timeout=-1)
    assert q.get(block=False, timeout=-1) == 1


def test_a_signal_ends_a_wait() -> None:
    q: Any = queue.Queue(1)
    interrupted(q.get)
    interrupted(queue.SimpleQueue().get)
    q.put(1)
    interrupted(lambda: q.put(2))
    interrupted(q.join)
    assert q.get() == 1
    q.put(3)
    assert q.get() == 3


def test_a_signal_handler_may_put_while_its_thread_gets_and_puts() -> None:
    q: Any = queue.SimpleQueue()
    count = 300
    armed = [0]

    def handler(number: int, frame: object) -> None:
        if armed[0] < count:
            armed[0] += 1
            q.put("signal")

    old = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    seen = 0
    try:
        while seen < count:
            q.put("own")
            seen += (q.get() == "signal")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    while not q.empty():
        assert q.get(timeout=LONG) == "own"


def test_task_done_more_often_than_put() -> None:
    q: Any = queue.Queue()
    with pytest.raises(ValueError):
        q.task_done()
    q.put(1)
    q.task_done()
    with pytest.raises(ValueError):
        q.task_done()


def test_shutdown() -> None:
    q: Any = queue.Queue()
    ended: List[Any] = []

    def get() -> None:
        with pytest.raises(queue.ShutDown):
            q.get()
        ended.append(None)

    getter = spawn(get)
    until(lambda: q.not_empty._waiters)
    q.shutdown()
    getter.join()
    assert ended == [None]
    with pytest.raises(queue.ShutDown):
        q.put(1)
    full: Any = queue.Queue(1)
    full.put(1)
    full.shutdown()
    assert full.get() == 1
    with pytest.raises(queue.ShutDown):
        full.get(block=False)
    now: Any = queue.Queue()
    now.put(1)
    now.shutdown(immediate=True)
    now.join()
    with pytest.raises(queue.ShutDown):
        now.get()


def test_a_child_has_a_copy() -> None:
    q: Any = queue.Queue()
    q.put("before")
    waiter_queue: Any = queue.Queue()
    waiter = spawn(waiter_queue.get)
    until(lambda: waiter_queue.not_empty._waiters)

    def child() -> bool:
        taken: List[Any] = []
        getter = spawn(lambda: taken.append(waiter_queue.get(timeout=LONG)))
        until(lambda: waiter_queue.not_empty._waiters)
        waiter_queue.put("child")
        getter.join(LONG / 2)  # well before its timeout
        return taken == ["child"] and q.get() == "before" and q.empty()

    assert in_child(child) == 0
    assert q.get() == "before"
    waiter_queue.put(None)
    waiter.join()


def test_queues_leave_no_objects_behind() -> None:
    before = objects()
    for kind in [*KINDS, queue.SimpleQueue]:
        q = kind()
        assert objects() > before
        q.put(1)
        getter = spawn(q.get)
        getter.join()
        del q, getter
    assert objects() == before
