"""interlock.multiprocessing: locks and what else processes wait for, queues."""

from __future__ import annotations

import pickle
import queue
import random
import threading
import time
import warnings
from typing import Any

import pytest
from mp_children import Child, eventually

import interlock.multiprocessing as mp
from interlock.errors import OwnerDied
from interlock.multiprocessing import queues, synchronize

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")

LARGE = 16 * 1024 * 1024 + 100


# ---- synchronisation


def test_lock_is_released_by_another_process() -> None:
    lock = mp.Lock()
    assert lock.acquire()
    assert not lock.acquire(False)
    assert not lock.acquire(timeout=0.01)
    assert not lock.acquire(block=True, timeout=-1)
    Child(lambda child: lock.release()).join()
    assert lock.acquire(timeout=5)
    lock.release()
    with pytest.raises(ValueError):
        lock.release()


def test_lock_of_killed_holder_is_recovered_and_the_next_owner_told() -> None:
    for lock in (mp.Lock(), mp.RLock()):
        def hold(child: Child) -> None:
            lock.acquire()
            child.say()
            time.sleep(60)

        child = Child(hold)
        child.said()
        assert not lock.acquire(False)
        child.kill()
        with pytest.warns(OwnerDied):
            assert lock.acquire(timeout=10)
        assert lock.owner_died
        lock.release()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert lock.acquire(timeout=10)
        assert not lock.owner_died
        lock.release()


def test_acquire_and_release_are_calls_of_the_extension() -> None:
    for lock in (mp.Lock(), mp.RLock(), mp.Semaphore(), mp.BoundedSemaphore()):
        for name in ("acquire", "release", "__enter__", "__exit__"):
            assert type(getattr(lock, name)).__name__ == "builtin_function_or_method"


def test_reprs() -> None:
    lock, rlock, semaphore = mp.Lock(), mp.RLock(), mp.BoundedSemaphore(3)
    assert repr(lock) == "<Lock(owner=None)>"
    assert repr(rlock) == "<RLock(None, 0)>"
    with lock, rlock, rlock, semaphore:
        assert repr(lock) == "<Lock(owner=MainProcess)>"
        assert repr(rlock) == "<RLock(MainProcess, 2)>"
        assert repr(semaphore) == "<BoundedSemaphore(value=2, maxvalue=3)>"
        assert repr(mp.Condition(lock)) == "<Condition(<Lock(owner=MainProcess)>, 0)>"
    assert repr(mp.Semaphore(4)) == "<Semaphore(value=4)>"
    event = mp.Event()
    assert repr(event).endswith("unset>")
    event.set()
    assert repr(event).endswith(" set>")


def test_semaphore_is_nobodys_and_a_bounded_one_returns_from_the_dead() -> None:
    semaphore, bounded = mp.Semaphore(2), mp.BoundedSemaphore(2)

    def hold(child: Child) -> None:
        semaphore.acquire()
        bounded.acquire()
        child.say()
        time.sleep(60)

    child = Child(hold)
    child.said()
    assert (semaphore.get_value(), bounded.get_value()) == (1, 1)
    child.kill()
    eventually(lambda: bounded.get_value() == 2)
    assert semaphore.get_value() == 1
    semaphore.release()
    semaphore.release()
    assert semaphore.get_value() == 3
    with pytest.raises(ValueError):
        bounded.release()


def test_killed_waiter_takes_no_notify_from_others() -> None:
    condition = mp.Condition()

    def wait(child: Child) -> None:
        with condition:
            child.say()
            condition.wait()

    first, second = Child(wait), None
    first.said()
    eventually(lambda: condition._sleeping_count.get_value() == 1)
    second = Child(wait)
    second.said()
    eventually(lambda: condition._sleeping_count.get_value() == 2)
    first.kill()
    with condition:
        condition.notify()
    second.join()


def test_condition_waits_for_a_predicate() -> None:
    condition, state = mp.Condition(), mp.Value("i", 0)

    def count(child: Child) -> None:
        for _ in range(3):
            with condition:
                state.value += 1
                condition.notify_all()

    child = Child(count)
    with condition:
        assert condition.wait_for(lambda: state.value == 3, timeout=20)
        assert not condition.wait_for(lambda: state.value == 4, timeout=0.05)
        assert condition.wait(0.01) is False
    child.join()
    with pytest.raises(RuntimeError):
        condition.wait(0)
    with pytest.raises(TypeError, match="lock"):
        synchronize.Condition(object())


def test_event_is_set_by_another_process() -> None:
    event = mp.Event()
    assert not event.wait(0.01)
    child = Child(lambda child: event.set())
    assert event.wait(20) and event.is_set()
    event.clear()
    assert not event.is_set()
    child.join()


def test_barrier_calls_its_action_once_before_anybody_goes_on() -> None:
    done = mp.RawValue("i", 0)

    def act() -> None:
        done.value += 1

    barrier = mp.Barrier(3, action=act, timeout=20)

    def pass_it(child: Any) -> None:
        for expected in range(1, 21):
            barrier.wait()
            assert done.value >= expected

    children = [Child(pass_it) for _ in range(2)]
    pass_it(None)
    for child in children:
        child.join()
    assert done.value == 20
    assert (barrier.parties, barrier.n_waiting, barrier.broken) == (3, 0, False)


def test_barrier_breaks_when_its_action_raises_or_a_waiter_dies_or_is_late() -> None:
    barrier = mp.Barrier(1, action=lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        barrier.wait()
    assert barrier.broken
    with pytest.raises(threading.BrokenBarrierError):
        barrier.wait()
    barrier.reset()
    assert not barrier.broken
    for action in (None, lambda: None):
        barrier = mp.Barrier(2, action=action)
        child = Child(lambda child: barrier.wait())
        eventually(lambda: barrier.n_waiting == 1)
        child.kill()
        eventually(lambda: barrier.broken)
        barrier.reset()
        with pytest.raises(threading.BrokenBarrierError):
            barrier.wait(0.02)
        assert barrier.broken


# ---- queues


def test_queue_in_order_with_limits() -> None:
    numbers = mp.Queue(2)
    numbers.put(1)
    numbers.put("two", True, 1)
    with pytest.raises(queue.Full):
        numbers.put(3, timeout=0.01)
    with pytest.raises(queue.Full):
        numbers.put_nowait(3)
    assert numbers.full() and numbers.qsize() == 2
    assert [numbers.get(), numbers.get(timeout=1)] == [1, "two"]
    for wait in (False, True):
        with pytest.raises(queue.Empty):
            numbers.get(wait, 0.01)
    with pytest.raises(queue.Empty):
        numbers.get(timeout=-1)
    assert numbers.empty()


def test_closed_queue() -> None:
    for closed in (mp.Queue(), mp.JoinableQueue()):
        closed.put(1)
        with pytest.raises(AssertionError):
            closed.join_thread()
        closed.close()
        closed.close()
        closed.join_thread()
        with pytest.raises(ValueError, match="is closed"):
            closed.put(1)
        with pytest.raises(ValueError, match="is closed"):
            closed.get()
    simple = mp.SimpleQueue()
    simple.close()
    simple.close()
    with pytest.raises(OSError, match="closed"):
        simple.put(1)
    with pytest.raises(OSError, match="closed"):
        simple.get()


def test_what_was_put_is_there_when_put_returns() -> None:
    items = mp.Queue()

    def put(child: Child) -> None:
        for each in range(100):
            items.put([each])

    Child(put).join()
    assert [items.get_nowait() for _ in range(100)] == [[each] for each in range(100)]


def test_consumer_and_producer_are_killed_anywhere_and_the_queue_goes_on() -> None:
    items = mp.Queue(8)

    def consume(child: Child) -> None:
        child.say()
        while True:
            items.get()

    def produce(child: Child) -> None:
        child.say()
        while True:
            items.put(b"x" * 1000)

    for _ in range(12):
        children = [Child(consume), Child(produce), Child(consume)]
        for child in children:
            child.said()
        time.sleep(random.random() * 0.01)
        for child in children:
            child.kill()
        while True:
            try:
                assert items.get_nowait() == b"x" * 1000
            except queue.Empty:
                break
        items.put("still")
        assert items.get(timeout=10) == "still"


def test_consumer_killed_in_get_does_not_stop_others() -> None:
    for items in (mp.Queue(), mp.SimpleQueue()):
        def consume(child: Child) -> None:
            child.say()
            items.get()

        child = Child(consume)
        child.said()
        eventually(child.sleeps)
        child.kill()
        items.put(1)
        assert items.get() == 1


class Refuses:
    def __reduce__(self) -> Any:
        raise AttributeError("not me")


def test_what_cannot_be_pickled_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    items = mp.JoinableQueue()
    for refused in (lambda: 0, mp.Lock()):
        with pytest.raises((pickle.PicklingError, AttributeError, RuntimeError)):
            items.put(refused)
    items.put(Refuses())
    assert "not me" in capsys.readouterr().err
    assert items.empty()
    items.join()


def test_the_hook_for_what_cannot_be_pickled() -> None:
    class Told(queues.Queue):
        told: Any = None

        @staticmethod
        def _on_queue_feeder_error(e: BaseException, obj: Any) -> None:
            Told.told = type(e), type(obj)

    items = Told(ctx=mp.get_context())
    items.put(Refuses())
    assert Told.told == (AttributeError, Refuses)


def test_items_longer_than_a_message() -> None:
    for items in (mp.Queue(), mp.SimpleQueue()):
        def put(child: Child) -> None:
            items.put(bytes(LARGE))
            items.put("after")

        Child(put).join()
        item: Any = items.get()
        assert type(item) is bytes and len(item) == LARGE
        assert items.get() == "after"


def test_joinable_queue() -> None:
    items = mp.JoinableQueue()

    def consume(child: Child) -> None:
        while items.get() is not None:
            items.task_done()
        items.task_done()

    child = Child(consume)
    for item in [1, 2, 3, None]:
        items.put(item)
    items.join()
    child.join()
    with pytest.raises(ValueError, match="too many"):
        items.task_done()
