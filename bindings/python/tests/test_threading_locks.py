"""The locks of interlock.threading: what CPython's own tests leave out."""

from __future__ import annotations

import threading as standard
from typing import Any, List

import pytest

import interlock.threading as threading
from threading_support import LONG, in_thread, interrupted, spawn, until


# ---- Ctrl-C ---------------------------------------------------------------------------------


def test_a_signal_ends_the_wait_for_a_lock() -> None:
    lock, recursive, release = threading.Lock(), threading.RLock(), threading.Event()
    lock.acquire()
    held = threading.Event()

    def hold() -> None:
        with recursive:
            held.set()
            release.wait()

    thread = spawn(hold)
    held.wait()
    interrupted(lock.acquire)
    interrupted(lambda: lock.acquire(timeout=LONG))
    interrupted(recursive.acquire)
    release.set()
    thread.join()
    assert recursive.acquire(timeout=LONG)


def test_a_signal_ends_other_waits() -> None:
    go = threading.Event()
    thread = spawn(go.wait)
    interrupted(go.wait)
    interrupted(lambda: go.wait(LONG))
    interrupted(thread.join)
    interrupted(threading.Semaphore(0).acquire)
    barrier = threading.Barrier(2)
    interrupted(barrier.wait)
    assert barrier.n_waiting == 0 and not barrier.broken
    go.set()
    thread.join()


@pytest.mark.parametrize("make", [threading.Lock, threading.RLock, standard.Lock])
def test_a_signal_ends_the_wait_of_a_condition_with_the_lock_held(make: Any) -> None:
    condition = threading.Condition(make())
    with condition:
        interrupted(condition.wait)
        interrupted(lambda: condition.wait(LONG))
        assert in_thread(lambda: condition.acquire(False)) is False
    assert in_thread(lambda: condition.acquire(False)) is True


# ---- locks ----------------------------------------------------------------------------------


class Plain:
    """No more than a lock must have."""

    def __init__(self) -> None:
        self.lock = standard.Lock()

    def acquire(self, *args: Any) -> bool:
        return self.lock.acquire(*args)

    def release(self) -> None:
        self.lock.release()

    def __enter__(self) -> bool:
        return self.lock.acquire()

    def __exit__(self, *exc: object) -> None:
        self.lock.release()


@pytest.mark.parametrize("make", [threading.Lock, threading.RLock, standard.Lock, standard.RLock, Plain])
def test_notify_wakes_as_many_as_it_says(make: Any) -> None:
    condition = threading.Condition(make())
    woken: List[int] = []

    def wait(number: int) -> None:
        with condition:
            waiting.append(number)
            assert condition.wait(LONG)
            woken.append(number)

    waiting: List[int] = []
    threads = [spawn(wait, number) for number in range(5)]
    until(lambda: len(waiting) == 5)
    with condition:
        condition.notify(2)
    until(lambda: len(woken) == 2)
    with condition:
        assert condition.wait(0.02) is False
        assert len(woken) == 2
        condition.notify_all()
    for thread in threads:
        thread.join()
    assert sorted(woken) == [0, 1, 2, 3, 4]


def test_wait_gives_back_each_acquire_of_a_recursive_lock() -> None:
    condition = threading.Condition()
    waits = threading.Event()

    def wait() -> bool:
        with condition, condition:
            waits.set()
            heard = condition.wait(LONG)
            return heard and condition._lock._recursion_count() == 2

    results: List[bool] = []
    thread = spawn(lambda: results.append(wait()))
    waits.wait()
    with condition:
        condition.notify()
    thread.join()
    assert results == [True]


def test_wait_for_returns_what_the_predicate_did() -> None:
    condition = threading.Condition()
    with condition:
        assert condition.wait_for(lambda: "yes") == "yes"
        assert condition.wait_for(lambda: 0, 0.01) == 0
        assert condition.wait_for(lambda: [], 0) == []


def test_condition_needs_its_lock() -> None:
    condition = threading.Condition()
    for call in (condition.wait, condition.notify, condition.notify_all, condition.release):
        with pytest.raises(RuntimeError):
            call()


def test_subclasses_may_take_what_they_like() -> None:
    class Named(threading.Event):
        def __init__(self, name: str, *, color: str) -> None:
            super().__init__()
            self.name = name + color  # type: ignore[misc]

    class Counted(threading.BoundedSemaphore):
        def __init__(self, name: str, value: int) -> None:
            super().__init__(value)

    event = Named("a", color="b")
    event.set()
    assert event.name == "ab" and event.wait() and threading.Event().wait(0) is False
    assert repr(Counted("c", 3)).endswith("value=3/3>")
    with pytest.raises(TypeError):
        threading.Event(3)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        threading.Lock(3)  # type: ignore[call-arg]


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError):
        threading.Semaphore(-1)
    with pytest.raises(ValueError, match="2147483647"):
        threading.Semaphore(2**31)
    with pytest.raises(ValueError):
        threading.Semaphore().release(0)
    with pytest.raises(ValueError):
        threading.Semaphore().acquire(False, 1)
    with pytest.raises(ValueError):
        threading.Barrier(0)
    with pytest.raises(TypeError):
        threading.Lock().acquire(timeout="1")  # type: ignore[arg-type]
    semaphore = threading.Semaphore(0)
    semaphore.release(3)
    assert [semaphore.acquire(False) for _ in range(4)] == [True, True, True, False]
    assert semaphore.acquire(timeout=-1) is False


def failing() -> None:
    raise ZeroDivisionError("oh")


def test_barrier_breaks_if_its_action_fails() -> None:
    barrier = threading.Barrier(2, action=failing)
    results: List[Any] = []

    def wait() -> None:
        try:
            barrier.wait()
        except Exception as error:
            results.append(type(error))

    threads = [spawn(wait), spawn(wait)]
    for thread in threads:
        thread.join()
    assert sorted(error.__name__ for error in results) == ["BrokenBarrierError", "ZeroDivisionError"]
    assert barrier.broken
    barrier.reset()
    assert not barrier.broken and barrier.n_waiting == 0
