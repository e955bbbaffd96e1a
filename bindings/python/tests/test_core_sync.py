"""The synchronisation types of interlock._core."""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
import weakref
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from interlock import _core, errors
from interlock._core import NATIVE, PROCESS, THREAD
from where import SOURCE

PATIENCE_S = 20.0

core: Any = _core  # called as programs without types do


@pytest.fixture
def domain() -> Iterator[_core.Domain]:
    with _core.Domain() as made:
        yield made
        gc.collect()


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.001)


class Thread(threading.Thread):
    """Keeps what the function returned or raised; join() gives it."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        super().__init__(daemon=True)
        self.function, self.arguments = function, args
        self.result: Any = None
        self.number = 0
        self.start()

    def run(self) -> None:
        self.number = core.thread_self()
        try:
            self.result = self.function(*self.arguments)
        except BaseException as error:
            self.result = error

    def end(self) -> Any:
        self.join(PATIENCE_S)
        assert not self.is_alive(), "the thread did not end"
        return self.result


def in_child(function: Callable[[], Any]) -> None:
    """Runs it in a forked child; what it raises fails the test."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function()
            status = 0
        except BaseException:
            os.write(writer, traceback.format_exc().encode()[-4000:])
        os._exit(status)
    os.close(writer)
    with open(reader, "rb") as file:
        text = file.read().decode()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, text


# ---- domain ---------------------------------------------------------------------------------


def test_domain_closes_its_handles() -> None:
    domain = _core.Domain(label="me")
    lock = core.Lock(domain)
    assert domain.info()["handles"] == 1
    domain.close()
    domain.close()
    assert domain.closed and lock.closed
    for call in (lock.acquire, lock.release, lock.locked, lock.__enter__, domain.info):
        with pytest.raises(errors.Closed):
            call()
    with pytest.raises(errors.Closed):
        core.Lock(domain)
    assert repr(domain) == "<closed Domain 'private:'>"


def test_handles_keep_their_domain() -> None:
    domain = _core.Domain()
    gone = weakref.ref(domain)
    lock = core.Lock(domain, flavour=THREAD)
    del domain
    gc.collect()
    assert lock.acquire() and gone() is lock.domain
    del lock
    gc.collect()
    assert gone() is None


def test_close_ends_waits() -> None:
    domain = _core.Domain()
    lock = core.Lock(domain, flavour=THREAD)
    event = core.Event(domain)
    lock.acquire()
    waiting = [Thread(lock.acquire), Thread(event.wait), Thread(core.wait_any, [lock, event])]
    until(lambda: (lock.owner() or {}).get("waiters") == 2)
    until(lambda: all(thread.number for thread in waiting))
    domain.close()
    for thread in waiting:
        assert isinstance(thread.end(), errors.Closed)


@pytest.mark.parametrize("address, error", [
    ("unix:/nowhere/at/all", errors.Unreachable), ("nonsense", errors.InvalidArgument),
    ("inherited:", errors.NotFound),
])
def test_domain_that_cannot_be_opened(address: str, error: Any) -> None:
    with pytest.raises(error) as raised:
        _core.Domain(address)
    assert raised.value.status == error.status and str(raised.value)


def test_default_domain_is_one() -> None:
    assert core.default_domain() is core.default_domain()
    code = "from interlock import _core; _core.default_domain()"
    environment = dict(os.environ, PYTHONPATH=str(SOURCE), INTERLOCK_PYTHON_DOMAIN="unix:/nowhere")
    ended = subprocess.run([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1 and "interlock.errors.Unreachable" in ended.stderr


def test_errors_have_a_class_for_each_status() -> None:
    assert sorted(errors.STATUS) == list(range(-49, 0))
    for status, kind in errors.STATUS.items():
        assert core.status_name(status).startswith("IL_E") and core.status_text(status)
        assert kind.status == status and kind.code
    assert core.status_name(-50) == "IL_E?" and core.status_name(2 ** 70) == "IL_E?"
    assert str(errors.NoSuchKey("a key")) == "a key"


# ---- lock -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [core.Lock, core.RLock])
@pytest.mark.parametrize("flavour", [NATIVE, THREAD, PROCESS])
def test_lock_is_held_by_one(domain: _core.Domain, kind: Any, flavour: int) -> None:
    lock = kind(domain, flavour=flavour)
    assert not lock.locked()
    assert lock.acquire() is True
    assert lock.locked() and lock.owner()["mine"]
    assert Thread(lock.acquire, False).end() is False
    assert Thread(lambda: lock.acquire(timeout=0.02)).end() is False
    waiter = Thread(lambda: lock.acquire() and lock.release())
    until(lambda: lock.owner()["waiters"] == 1)
    lock.release()
    assert waiter.end() is None
    with lock:
        assert lock.locked()
    assert not lock.locked() and lock.owner() is None


def test_thread_lock_as_pythons(domain: _core.Domain) -> None:
    lock = core.Lock(domain, flavour=THREAD)
    same = threading.Lock()
    calls: List[Callable[[Any], Any]] = [
        lambda it: it.release(), lambda it: it.acquire(False, 1), lambda it: it.acquire(True, -2),
        lambda it: it.acquire(timeout=2.0 ** 70), lambda it: it.acquire(timeout="x"),
    ]
    for call in calls:
        with pytest.raises(Exception) as theirs:
            call(same)
        with pytest.raises(Exception) as ours:
            call(lock)
        assert ours.type is theirs.type
    assert lock.acquire(timeout=-1) and not lock.acquire(False) and not lock.acquire(blocking=False)
    assert not lock.acquire(True, 0)
    assert re.match("<locked .*Lock object at 0x", repr(lock))
    Thread(lock.release).end()  # any thread may
    assert re.match("<unlocked .*Lock object at 0x", repr(lock))
    Thread(lock.acquire).end()  # and the end of the thread that acquired changes nothing
    assert lock.locked() and not lock.acquire(False)
    lock._at_fork_reinit()
    assert lock.acquire(False) and not lock.owner_died


def test_process_lock_as_pythons(domain: _core.Domain) -> None:
    lock = core.Lock(domain, flavour=PROCESS)
    with pytest.raises(ValueError, match="released too many times"):
        lock.release()
    assert lock.acquire(block=True, timeout=-5)
    assert not lock.acquire(block=True, timeout=-5) and not lock.acquire(False, 10)
    with pytest.raises(TypeError):
        lock.acquire(blocking=True)
    in_child(lock.release)
    assert lock.acquire(False)
    recursive = core.RLock(domain, flavour=PROCESS)
    with pytest.raises(AssertionError, match="not owned by thread"):
        recursive.release()


def test_native_lock_has_tokens(domain: _core.Domain) -> None:
    lock = core.Lock(domain, "deploy", fair=True)
    with lock as token:
        assert token == lock.token > 0
        lock.check(token)
    with pytest.raises(errors.NotHeld):
        lock.check(token)
    with pytest.raises(errors.NotHeld):
        lock.release()
    second = lock.acquire_leased(30.0)
    assert second > token
    lock.renew(10, second)
    with pytest.raises(errors.StaleToken):
        lock.release(token)
    lock.break_("by hand", second)
    with pytest.raises(errors.Revoked, match="by hand"):
        lock.release(second)
    with pytest.raises(errors.Conflict):
        core.Lock(domain, "deploy", lock_delay=1.0)
    lock.delete()
    with pytest.raises(errors.Deleted):
        lock.acquire()
    assert domain.next_loss(1.0)["reason"] == "by hand"
    with pytest.raises(errors.Timeout):
        domain.next_loss(0.01)


def test_wrong_arguments_are_named(domain: _core.Domain) -> None:
    lock: Any = core.Lock(domain)
    kind: Any = core.Lock
    with pytest.raises(TypeError, match="unexpected keyword argument 'wait'"):
        lock.acquire(wait=1)
    with pytest.raises(TypeError, match="multiple values for argument 'blocking'"):
        lock.acquire(True, blocking=True)
    with pytest.raises(TypeError, match="at most 2"):
        lock.acquire(True, 1, 2)
    for timeout in (float("nan"), -1.0):
        with pytest.raises(ValueError, match="timeout: expected"):
            lock.acquire(timeout=timeout)
    with pytest.raises(TypeError, match="lease"):
        lock.acquire_leased("a while")
    with pytest.raises(TypeError, match="domain: expected a Domain"):
        kind(7)
    with pytest.raises(TypeError, match="name: expected str"):
        kind(domain, 7)
    with pytest.raises(ValueError, match="flavour: expected"):
        kind(domain, flavour=9)
    with pytest.raises(errors.TooLarge, match="name"):
        kind(domain, "x" * 300)
    with pytest.raises(ValueError, match="anonymous"):
        lock.delete()
    with pytest.raises(TypeError):
        vars(_core)["_Handle"](domain)


def test_lock_may_be_subclassed_and_weakly_referred_to(domain: _core.Domain) -> None:
    class Mine(_core.RLock):
        def __new__(cls, about: str) -> "Mine":
            return super().__new__(cls, domain, flavour=THREAD)

        def __init__(self, about: str) -> None:
            self.about = about
            self.me = self

    lock = Mine("x")
    gone = weakref.ref(lock)
    assert lock.about == "x" and lock.acquire() and lock.acquire() and lock.depth() == 2
    before = domain.info()["handles"]
    del lock
    gc.collect()
    assert gone() is None and domain.info()["handles"] == before - 1


def test_recursive_lock(domain: _core.Domain) -> None:
    lock = core.RLock(domain, flavour=THREAD)
    with pytest.raises(RuntimeError, match="cannot release un-acquired lock"):
        lock._release_save()
    with lock, lock:
        assert lock.depth() == lock._recursion_count() == 2 and lock._is_owned()
        assert f"owner={threading.get_ident()} count=2" in repr(lock)
        assert Thread(lock._is_owned).end() is False
        assert isinstance(Thread(lock.release).end(), RuntimeError)
        state = lock._release_save()
        assert not lock.locked() and Thread(lambda: lock.acquire() and lock.release()).end() is None
        lock._acquire_restore(state)
        assert lock.depth() == 2
    assert "owner=0 count=0" in repr(lock)
    with pytest.raises(RuntimeError, match="cannot release un-acquired lock"):
        lock.release()


def test_recursive_lock_of_a_thread_that_ended(domain: _core.Domain) -> None:
    lock = core.RLock(domain, flavour=THREAD)
    Thread(lock.acquire).end()
    with pytest.warns(errors.OwnerDied):
        assert lock.acquire()
    assert lock.owner_died and lock.depth() == 1
    lock.release()
    assert lock.acquire() and not lock.owner_died


@pytest.mark.parametrize("kind", [core.Lock, core.RLock])
def test_lock_whose_process_died(domain: _core.Domain, kind: Any) -> None:
    lock = kind(domain, flavour=PROCESS)
    in_child(lock.acquire)
    with pytest.warns(errors.OwnerDied, match="lock died holding it"):
        assert lock.acquire() is True
    assert lock.owner_died
    lock.release()
    in_child(lock.acquire)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(errors.OwnerDied):
            lock.acquire()
    assert not lock.locked()  # nothing half done


def test_deadlock_is_told(domain: _core.Domain) -> None:
    first, second = (core.RLock(domain, flavour=THREAD) for _ in range(2))
    held = core.Event(domain)

    def other() -> None:
        with second:
            held.set()
            with first:
                pass

    with first:
        thread = Thread(other)
        assert held.wait(PATIENCE_S)
        until(lambda: (first.owner() or {}).get("waiters") == 1)
        start = time.monotonic()
        assert second.acquire(timeout=0.05) is False
        assert time.monotonic() - start >= 0.05
        with pytest.raises(errors.Deadlock, match="waits for"):
            second.acquire()
    assert thread.end() is None


# ---- interruption ---------------------------------------------------------------------------


@pytest.fixture
def alarm() -> Iterator[Callable[..., None]]:
    """alarm(handler, after, every=0.0)"""
    before = signal.getsignal(signal.SIGALRM)

    def begin(handler: Any, after: float, every: float = 0.0) -> None:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, after, every)

    yield begin
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


class Stop(Exception):
    pass


def stop(number: int, frame: Any) -> None:
    raise Stop


def test_signals_end_every_wait(domain: _core.Domain, alarm: Callable[..., None]) -> None:
    lock = core.Lock(domain, flavour=THREAD)
    lock.acquire()
    recursive = core.RLock(domain, flavour=THREAD)
    held, end = core.Event(domain), core.Event(domain)

    def hold() -> None:
        with recursive:
            held.set()
            end.wait()

    holder = Thread(hold)
    assert held.wait(PATIENCE_S)
    condition = core.Condition(domain)
    condition.acquire()
    empty = core.Semaphore(domain, value=0)
    program = core.Process(["sleep", "60"], daemon=True)
    rwlock = core.RWLock(domain)
    reader = Thread(lambda: rwlock.acquire_shared() and end.wait() and rwlock.release())
    until(lambda: rwlock.info()["shared"] == 1)
    waits: List[Callable[[], Any]] = [
        lock.acquire, lambda: lock.acquire(timeout=60), recursive.acquire, empty.acquire,
        core.Event(domain).wait, condition.wait, core.Latch(domain, None, 2).wait,
        core.Barrier(domain, None, 2).wait, rwlock.acquire_exclusive, program.join,
        lambda: core.acquire_all([lock, empty]), lambda: core.wait_any([lock, empty]), domain.next_loss,
    ]
    for wait in waits:
        alarm(stop, 0.035)
        with pytest.raises(Stop):
            wait()
    assert condition.release() is None  # a condition's wait has its lock again
    program.kill()
    end.set()
    assert holder.end() is None and reader.end() is None


def test_no_signal_is_missed(domain: _core.Domain, alarm: Callable[..., None]) -> None:
    """Not even one that comes when the wait has a look around, as it does 20 ms after its begin."""
    lock = core.RLock(domain, flavour=THREAD)
    held, end = core.Event(domain), core.Event(domain)

    def hold() -> None:
        with lock:
            held.set()
            end.wait()

    holder = Thread(hold)
    assert held.wait(PATIENCE_S)
    for i in range(25):
        alarm(stop, 0.02 + i % 5 * 1e-5, 2.0)
        start = time.monotonic()
        with pytest.raises(Stop):
            lock.acquire()
        assert time.monotonic() - start < 1.0
    end.set()
    assert holder.end() is None


def test_handlers_may_wait(domain: _core.Domain, alarm: Callable[..., None]) -> None:
    event, lock = core.Event(domain), core.Lock(domain, flavour=THREAD)
    lock.acquire()
    alarm(lambda number, frame: event.wait(0.01) or lock.release(), 0.03)
    assert lock.acquire(timeout=PATIENCE_S)


def test_wait_goes_on_after_a_signal(domain: _core.Domain, alarm: Callable[..., None]) -> None:
    lock = core.Lock(domain, flavour=PROCESS)
    lock.acquire()
    seen: List[int] = []
    alarm(lambda number, frame: seen.append(number), 0.01, 0.01)
    start = time.monotonic()
    assert lock.acquire(True, 0.15) is False
    assert 0.15 <= time.monotonic() - start < 5
    assert len(seen) > 2


def test_interrupt_and_cancel(domain: _core.Domain) -> None:
    event = core.Event(domain)
    thread = Thread(event.wait)
    until(lambda: thread.number)
    core.interrupt(thread.number)
    assert isinstance(thread.end(), errors.Interrupted)

    def wait_twice() -> Any:
        with pytest.raises(errors.Cancelled):
            event.wait()
        assert core.cancelled()
        with pytest.raises(errors.Cancelled):
            event.wait(60)
        return "stopped"

    thread = Thread(wait_twice)
    until(lambda: thread.number)
    core.cancel(thread.number)
    assert thread.end() == "stopped"

    def is_unknown() -> bool:
        try:
            core.interrupt(thread.number)
        except errors.NotFound:
            return True
        return False

    until(is_unknown)  # the system's thread ends a little later than Python's
    assert not core.cancelled()


# ---- semaphore ------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", [NATIVE, THREAD, PROCESS])
def test_semaphore_counts(domain: _core.Domain, flavour: int) -> None:
    semaphore = core.Semaphore(domain, value=2, flavour=flavour)
    assert semaphore.acquire() and semaphore.get_value() == 1
    with semaphore:
        assert semaphore.acquire(False) is False
        assert semaphore.acquire(timeout=0.01) is False
    assert semaphore.acquire(count=1) and not semaphore.acquire(False)
    waiter = Thread(lambda: semaphore.acquire(count=2))
    semaphore.release(2)
    assert waiter.end() is True and semaphore.get_value() == 0
    assert repr(semaphore).endswith("value=0>")
    with pytest.raises(ValueError, match="n must be one or more"):
        semaphore.release(0)


def test_semaphore_with_a_bound(domain: _core.Domain) -> None:
    for flavour, text in ((THREAD, "Semaphore released too many times"),
                          (PROCESS, "semaphore or lock released too many times"), (NATIVE, "bound")):
        semaphore = core.Semaphore(domain, value=1, bounded=True, flavour=flavour)
        with pytest.raises(ValueError, match=text):
            semaphore.release()
        assert semaphore.acquire() and semaphore.release() is None and semaphore.get_value() == 1
    with pytest.raises(ValueError, match="semaphore initial value must be >= 0"):
        core.Semaphore(domain, value=-1, flavour=THREAD)
    semaphore = core.Semaphore(domain, flavour=THREAD)
    with pytest.raises(ValueError, match="can't specify timeout"):
        semaphore.acquire(False, 1)
    assert semaphore.acquire(timeout=-3) and not semaphore.acquire(timeout=-3)


def test_permits_of_a_dead_process(domain: _core.Domain) -> None:
    bounded = core.Semaphore(domain, value=2, bounded=True, flavour=PROCESS)
    free = core.Semaphore(domain, value=2, flavour=PROCESS)
    in_child(lambda: bounded.acquire() and free.acquire())
    assert bounded.acquire(timeout=PATIENCE_S, count=2)  # it has returned
    assert free.get_value() == 1


# ---- event, latch, barrier, rwlock ----------------------------------------------------------


def test_event(domain: _core.Domain) -> None:
    event = core.Event(domain, flavour=THREAD)
    assert not event.is_set() and event.wait(0.01) is False and event.wait(-1) is False
    waiting = [Thread(event.wait) for _ in range(3)]
    event.set()
    assert [thread.end() for thread in waiting] == [True] * 3
    assert event.wait() and repr(event).endswith(": set>")
    event._at_fork_reinit()
    assert event.is_set()
    event.clear()
    assert not event.is_set()
    with pytest.raises(ValueError, match="timeout"):
        core.Event(domain).wait(-1)


def test_latch(domain: _core.Domain) -> None:
    latch = core.Latch(domain, "start", 3)
    assert core.Latch(domain, "start").count() == 3
    waiter = Thread(latch.wait)
    assert latch.count_down() == 2 and latch.wait(0.01) is False
    assert latch.count_down(5) == 0
    assert waiter.end() is True and latch.wait()
    with pytest.raises(ValueError, match="count"):
        latch.count_down(-1)


def test_barrier(domain: _core.Domain) -> None:
    barrier = core.Barrier(domain, None, 3)
    for _ in range(3):
        threads = [Thread(barrier.wait) for _ in range(3)]
        assert sorted(thread.end() for thread in threads) == [0, 1, 2]
    assert barrier.parties == 3 and not barrier.broken
    waiter = Thread(barrier.wait)
    until(lambda: barrier.n_waiting == 1)
    barrier.abort()
    assert isinstance(waiter.end(), errors.Broken) and barrier.broken
    barrier.reset()
    with pytest.raises(errors.Broken, match="timeout"):
        barrier.wait(0.01)
    with pytest.raises(errors.InvalidArgument):
        core.Barrier(domain)


def test_rwlock(domain: _core.Domain) -> None:
    lock = core.RWLock(domain, "catalogue")
    token = lock.acquire_shared()
    assert Thread(lambda: lock.acquire_shared(1.0) and lock.release()).end() is None
    assert isinstance(Thread(lock.acquire_exclusive, 0.01).end(), errors.Timeout)
    with pytest.raises(errors.UpgradeRefused):
        lock.acquire_exclusive()
    assert lock.info() == {"shared": 1, "exclusive": 0, "waiters": 0}
    lock.check(token)
    lock.release(token)
    lock.acquire_exclusive(1.0, lease=30)
    assert lock.info()["exclusive"] == 1
    assert isinstance(Thread(lock.acquire_shared, 0).end(), errors.Timeout)
    lock.renew(0)
    lock.break_("no")
    with pytest.raises(errors.Revoked):
        lock.release()


# ---- condition ------------------------------------------------------------------------------


@pytest.mark.parametrize("lock_of", [
    lambda domain: None, lambda domain: core.Lock(domain, flavour=THREAD),
    lambda domain: core.RLock(domain, flavour=THREAD), lambda domain: core.RLock(domain, flavour=PROCESS),
])
def test_condition(domain: _core.Domain, lock_of: Any) -> None:
    condition = core.Condition(domain, lock=lock_of(domain))
    for call in (condition.wait, condition.notify, condition.notify_all):
        with pytest.raises(RuntimeError, match="un-acquired lock"):
            call()
    ready: List[int] = []

    def take() -> str:
        with condition:
            while not ready:
                assert condition.wait()
            ready.pop()
            return "taken"

    takers = [Thread(take) for _ in range(3)]
    until(lambda: condition.waiters() == 3)
    with condition:
        assert condition.wait(0.01) is False
        ready.extend([1, 2, 3])
        condition.notify()
        condition.notify_all()
    assert [thread.end() for thread in takers] == ["taken"] * 3
    assert condition.acquire() and condition.release() is None
    with pytest.raises((RuntimeError, AssertionError)):  # as its lock has it
        condition.release()


def test_condition_gives_all_acquires_up(domain: _core.Domain) -> None:
    lock = core.RLock(domain, flavour=THREAD)
    condition = core.Condition(domain, lock=lock)

    def notify() -> None:
        with lock:
            condition.notify()

    with lock, lock, lock:
        thread = Thread(notify)
        assert condition.wait(PATIENCE_S)
        assert lock.depth() == 3 and "count=3" in repr(lock)
        assert thread.end() is None
    assert not lock.locked()


# ---- several at once ------------------------------------------------------------------------


def test_acquire_all(domain: _core.Domain) -> None:
    lock, recursive = core.Lock(domain), core.RLock(domain)
    semaphore, shared = core.Semaphore(domain, value=3), core.RWLock(domain)
    targets = [lock, recursive, (semaphore, 2), (shared, "shared")]
    tokens = core.acquire_all(targets)
    assert lock.token == tokens[0] and recursive.depth() == 1
    assert semaphore.get_value() == 1 and shared.info()["shared"] == 1
    assert isinstance(Thread(core.acquire_all, [semaphore, lock], 0.01).end(), errors.Timeout)
    assert semaphore.get_value() == 1
    core.release_all(targets, tokens)
    assert not lock.locked() and not recursive.locked() and semaphore.get_value() == 3
    assert lock.acquire() and lock.release() is None
    wrong: Any
    for wrong in ([], [7], [lock] * 65, [(shared, "x")], [(lock, 1)], [lock, lock]):
        with pytest.raises((TypeError, ValueError)):
            core.acquire_all(wrong)
    with pytest.raises(ValueError, match="tokens: expected 2"):
        core.release_all([lock, semaphore], [1])
    assert domain.info()["handles"] == 4


def test_wait_any(domain: _core.Domain) -> None:
    lock, event = core.Lock(domain), core.Event(domain)
    with lock:
        with pytest.raises(errors.Timeout):
            core.wait_any([lock, event], 0.01)
        waiter = Thread(core.wait_any, [lock, event])
        event.set()
        assert waiter.end() == 1
    assert core.wait_any([lock, event]) == 0 and lock.locked()
    lock.release()


def test_wait_for_event_loops(domain: _core.Domain) -> None:
    import select

    lock, event = core.Lock(domain), core.Event(domain)
    lock.acquire()
    wait = core.Wait([lock, event])
    assert wait.finish() is None and not select.select([wait.fileno()], [], [], 0)[0]
    lock.release()
    assert select.select([wait.fileno()], [], [], PATIENCE_S)[0]
    assert wait.finish() == (0, lock.token) and lock.locked()
    lock.close()  # the wait still has it
    wait.close()
    wait.close()
    for call in (wait.fileno, wait.finish):
        with pytest.raises(errors.Closed):
            call()
    in_child(wait.close)


# ---- fork -----------------------------------------------------------------------------------


def test_forked_child_has_its_own_thread_objects(domain: _core.Domain) -> None:
    free, taken = (core.Lock(domain, flavour=THREAD) for _ in range(2))
    mine, theirs = (core.RLock(domain, flavour=THREAD) for _ in range(2))
    event = core.Event(domain, flavour=THREAD)
    counted = core.Semaphore(domain, value=3, flavour=THREAD)
    bounded = core.Semaphore(domain, value=3, bounded=True, flavour=THREAD)
    condition = core.Condition(domain, lock=mine)
    held, end = core.Event(domain), core.Event(domain)

    def hold() -> None:
        with theirs:
            held.set()
            end.wait()

    holder = Thread(hold)
    assert taken.acquire()
    waiter = Thread(taken.acquire)  # a thread that only the parent has
    until(lambda: (taken.owner() or {}).get("waiters") == 1)
    assert mine.acquire() and mine.acquire() and counted.acquire() and bounded.acquire()
    event.set()
    assert held.wait(PATIENCE_S)

    def child() -> None:
        assert not free.locked() and taken.locked() and not taken.acquire(False)
        assert mine.depth() == 2 and not theirs.locked() and theirs.acquire() and not theirs.owner_died
        assert event.is_set() and counted.get_value() == 2 and bounded.get_value() == 2
        bounded.release()
        with pytest.raises(ValueError):
            bounded.release()
        taken.release()
        event.clear()
        counted.acquire(count=2)
        free.acquire()
        condition.notify_all()
        assert condition.wait(0.01) is False and mine.depth() == 2
        mine.release()
        mine.release()
        assert Thread(mine.acquire, False).end() is True

    in_child(child)
    in_child(lambda: in_child(child))
    assert not free.locked() and mine.depth() == 2
    assert event.is_set() and counted.get_value() == 2 and bounded.get_value() == 2
    taken.release()
    assert waiter.end() is True
    end.set()
    assert holder.end() is None


def test_forked_child_shares_all_others(domain: _core.Domain) -> None:
    lock, event = core.Lock(domain, flavour=PROCESS), core.Event(domain, flavour=PROCESS)
    recursive = core.RLock(domain, flavour=PROCESS)
    semaphore = core.Semaphore(domain, value=0, flavour=PROCESS)
    condition = core.Condition(domain, lock=recursive)
    lock.acquire()
    recursive.acquire()

    def child() -> None:
        assert lock.locked() and not lock.acquire(False)
        assert recursive.depth() == 0
        semaphore.release()
        event.set()
        with condition:
            condition.notify()

    thread = Thread(in_child, child)
    assert condition.wait(PATIENCE_S) and recursive.depth() == 1
    assert thread.end() is None
    assert semaphore.acquire(False) and event.is_set()


def test_waits_of_other_threads_do_not_hold_a_child(domain: _core.Domain) -> None:
    lock = core.Lock(domain, flavour=PROCESS)
    lock.acquire()
    thread = Thread(lock.acquire)
    until(lambda: (lock.owner() or {}).get("waiters") == 1)
    in_child(domain.close)
    lock.release()
    assert thread.end() is True


# ---- programs -------------------------------------------------------------------------------


def test_program() -> None:
    program = core.Process(["sh", "-c", "read word; echo got $word $TEST; exit 3"],
                           stdin="pipe", stdout="pipe",
                           environment={"TEST": "yes", "PATH": os.environ["PATH"]})
    assert program.poll() is None and program.join(0.01) is None
    os.write(program.pipe(0), b"hello\n")
    program.close_pipe(0)
    with os.fdopen(os.dup(program.pipe(1))) as file:
        assert file.read() == "got hello yes\n"
    assert program.join() == program.join(0) == program.poll() == 3
    program.close()
    with pytest.raises(errors.Closed):
        program.poll()
    with pytest.raises(errors.NotFound):
        core.Process(["/no/such/program"])
    wrong: Any = "sleep 1"
    with pytest.raises(TypeError, match="arguments"):
        core.Process(wrong)
    with pytest.raises(ValueError, match="stdin: expected"):
        core.Process(["true"], stdin="stdout")
    program = core.Process(["sleep", "60"])
    joining = Thread(program.join)
    in_child(program.close)  # is none of the child's
    program.signal(signal.SIGTERM)
    assert joining.end() == -signal.SIGTERM


def test_program_in_the_domain(domain: _core.Domain) -> None:
    code = ("from interlock import _core\n"
            "domain = _core.default_domain()\n"
            "assert domain.address == 'inherited:'\n"
            "import os\n"
            "own = _core.Lock(domain, flavour=_core.THREAD)\n"
            "own.acquire()\n"
            "shared = _core.Event(domain)\n"
            "if os.fork() == 0:\n"
            "    own.release()\n"
            "    shared.set()\n"
            "    os._exit(0)\n"
            "assert shared.wait(20) and own.locked()\n"
            "_core.Event(domain, 'here').set()\n")
    program = _core.Process([sys.executable, "-c", code], domain=domain,
                            environment=dict(os.environ, PYTHONPATH=str(SOURCE)))
    event = _core.Event(domain, "here")
    assert event.wait(PATIENCE_S) and program.join(PATIENCE_S) == 0


# ---- nothing is left behind -----------------------------------------------------------------


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_nothing_leaks(domain: _core.Domain) -> None:
    lock = _core.Lock(domain, flavour=THREAD)
    recursive = _core.RLock(domain, flavour=PROCESS)
    event = _core.Event(domain)

    def cycle(count: int) -> None:
        for _ in range(count):
            with lock, recursive:
                lock.acquire(True, 0)
                lock.acquire(blocking=False)
            try:
                lock.release()
            except RuntimeError:
                pass
            made = _core.Semaphore(domain, value=2, bounded=True, flavour=PROCESS)
            made.acquire(count=1)
            _core.Condition(domain, lock=recursive).waiters()
            _core.acquire_all([lock, made])
            lock._at_fork_reinit()
            _core.Barrier(domain, None, 2)
            _core.Latch(domain, None, 1).count_down()
            _core.RWLock(domain).acquire_shared()
            event.is_set(), repr(lock), lock.owner()

    cycle(500)
    gc.collect()
    before, free, blocks = resident_bytes(), domain.info(), sys.getallocatedblocks()
    cycle(20_000)
    gc.collect()
    after = domain.info()
    assert after["handles"] == free["handles"] == 3
    assert after["free_bytes"] >= free["free_bytes"] - 65536
    assert sys.getallocatedblocks() - blocks < 500
    assert resident_bytes() - before < 4 << 20


def test_interpreter_ends_while_threads_wait() -> None:
    code = ("import threading\n"
            "from interlock import _core\n"
            "lock = _core.Lock(_core.default_domain(), flavour=_core.THREAD)\n"
            "lock.acquire()\n"
            "ready = threading.Event()\n"
            "def wait():\n"
            "    ready.set()\n"
            "    lock.acquire()\n"
            "for _ in range(4): threading.Thread(target=wait, daemon=True).start()\n"
            "ready.wait()\n"
            "print('end')\n")
    ended = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=str(SOURCE)),
                           capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "end\n", "")


def test_keyboard_interrupt_ends_a_wait() -> None:
    code = ("import os, signal\n"
            "from interlock import _core\n"
            "lock = _core.Lock(_core.default_domain(), flavour=_core.PROCESS)\n"
            "lock.acquire()\n"
            "print('ready', flush=True)\n"
            "try: lock.acquire()\n"
            "except KeyboardInterrupt: print('interrupted')\n")
    program = subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=str(SOURCE)),
                               stdout=subprocess.PIPE, text=True)
    assert program.stdout and program.stdout.readline() == "ready\n"
    until(lambda: Path(f"/proc/{program.pid}/wchan").read_text().startswith("futex")
          or Path(f"/proc/{program.pid}/stat").read_text().split()[2] == "S")
    program.send_signal(signal.SIGINT)
    assert program.communicate(timeout=PATIENCE_S)[0] == "interrupted\n"
