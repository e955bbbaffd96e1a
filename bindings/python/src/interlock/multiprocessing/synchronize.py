"""Lock, RLock, Semaphore, BoundedSemaphore, Condition, Event and Barrier, shared by a family of processes.

They are objects of the family's domain. A Lock or RLock whose holder was killed is given to the next that
asks, who is warned (interlock.errors.OwnerDied) and finds `owner_died` true; the permits that a killed
process holds of a BoundedSemaphore return; a killed waiter takes no notify from others, and breaks a Barrier.
"""

from __future__ import annotations

import time
import weakref
from typing import Any, Callable, Dict, Final, Optional, Tuple, Type, TypeVar

from .. import _core
from ..errors import Broken, Timeout
from . import process
from ._errors import BrokenBarrierError
from ._lending import ticket_for_child
from ._semlock import RECURSIVE_MUTEX, SEMAPHORE, SemLock, holder
from ._semlock import SEM_VALUE_MAX as SEM_VALUE_MAX

__all__ = ["Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Event"]

Shared = TypeVar("Shared", bound="_core._Handle")


def _reopened(kind: Type[Shared], ticket: bytes) -> Shared:
    """What a parent has pickled while it started this process."""
    shared: Any = _core.adopt(ticket)
    shared.__class__ = kind
    return shared  # type: ignore[no-any-return]


class _Object:
    """What the classes here add to those of the extension, whose methods are used as they are."""

    __slots__ = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """__new__ has done it all."""

    def __reduce__(self) -> Tuple[Any, ...]:
        return _reopened, (type(self), ticket_for_child(self, self))


def _owner_name() -> str:
    """This process and, unless it is the main one, this thread."""
    from .. import threading
    name = str(process.current_process().name)
    thread = threading.current_thread().name
    return name if thread == "MainThread" else f"{name}|{thread}"


_OTHERS: Dict[str, str] = {"nobody": "None", "thread": "SomeOtherThread", "process": "SomeOtherProcess"}


class Lock(_Object, _core.Lock):
    """Any process or thread of the family may release it."""

    __slots__ = ()

    def __new__(cls, *, ctx: Any = None) -> Lock:
        return super().__new__(cls, _core.default_domain(), flavour=_core.PROCESS)

    @property
    def _semlock(self) -> SemLock:
        return SemLock(self, SEMAPHORE, 1)

    def __repr__(self) -> str:
        who = holder(self)
        name = _owner_name() if who == "me" else _OTHERS[who]
        return f"<{type(self).__name__}(owner={name})>"


class RLock(_Object, _core.RLock):
    """A lock that the thread which holds it may acquire again."""

    __slots__ = ()

    def __new__(cls, *, ctx: Any = None) -> RLock:
        return super().__new__(cls, _core.default_domain(), flavour=_core.PROCESS)

    @property
    def _semlock(self) -> SemLock:
        return SemLock(self, RECURSIVE_MUTEX, 1)

    def __repr__(self) -> str:
        who = holder(self)
        name = _owner_name() if who == "me" else _OTHERS[who]
        count: Any = {"me": self.depth(), "nobody": 0}.get(who, "nonzero")
        return f"<{type(self).__name__}({name}, {count})>"


class Semaphore(_Object, _core.Semaphore):
    """VALUE permits (0 to SEM_VALUE_MAX), which are nobody's: who releases need not have acquired."""

    __slots__ = ()

    def __new__(cls, value: int = 1, *, ctx: Any = None) -> Semaphore:
        return super().__new__(cls, _core.default_domain(), value=value, signal=True, flavour=_core.PROCESS)

    @property
    def _semlock(self) -> SemLock:
        return SemLock(self, SEMAPHORE, SEM_VALUE_MAX)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}(value={self.get_value()})>"


_bounds: weakref.WeakKeyDictionary[BoundedSemaphore, int] = weakref.WeakKeyDictionary()


class BoundedSemaphore(Semaphore):
    """Never above VALUE: a release beyond is a ValueError. The permits of a killed process return."""

    __slots__ = ()

    def __new__(cls, value: int = 1, *, ctx: Any = None) -> BoundedSemaphore:
        semaphore = _core.Semaphore.__new__(cls, _core.default_domain(), value=value, bounded=True,
                                            flavour=_core.PROCESS)
        _bounds[semaphore] = value
        return semaphore

    def __reduce__(self) -> Tuple[Any, ...]:
        return _reopened_bounded, (type(self), ticket_for_child(self, self), _bounds[self])

    @property
    def _semlock(self) -> SemLock:
        return SemLock(self, SEMAPHORE, _bounds[self])

    def __repr__(self) -> str:
        return f"<{type(self).__name__}(value={self.get_value()}, maxvalue={_bounds[self]})>"


def _reopened_bounded(kind: Type[BoundedSemaphore], ticket: bytes, value: int) -> BoundedSemaphore:
    semaphore = _reopened(kind, ticket)
    _bounds[semaphore] = value
    return semaphore


class Event(_Object, _core.Event):
    """A flag that processes wait for."""

    __slots__ = ()

    def __new__(cls, *, ctx: Any = None) -> Event:
        return super().__new__(cls, _core.default_domain(), flavour=_core.PROCESS)

    def __repr__(self) -> str:
        state = "set" if self.is_set() else "unset"
        return f"<{type(self).__qualname__} at {id(self):#x} {state}>"


class _Glance:
    """A number that is looked up whenever it is asked for."""

    def __init__(self, get_value: Callable[[], int]) -> None:
        self.get_value: Final = get_value


class Condition:
    """On LOCK, a Lock or RLock of this module; an RLock of its own if it is None."""

    def __init__(self, lock: Any = None, *, ctx: Any = None) -> None:
        if lock is None:
            lock = RLock(ctx=ctx)
        if not isinstance(lock, _core.Lock):
            raise TypeError(f"lock: expected a Lock or RLock of {__package__}, got {type(lock).__name__}")
        self._bind(lock, _core.Condition(_core.default_domain(), lock=lock))

    def _bind(self, lock: Any, condition: _core.Condition) -> None:
        self._lock = lock
        self._condition = condition
        self.acquire = lock.acquire
        self.release = lock.release
        self._wait = condition.wait
        # For those who look how many sleep, as the standard Condition counts them.
        self._sleeping_count = _Glance(condition.waiters)
        self._woken_count = _Glance(int)
        self._wait_semaphore = _Glance(int)

    def __reduce__(self) -> Tuple[Any, ...]:
        return _rebuilt_condition, (type(self), self._lock, ticket_for_child(self, self._condition))

    def __enter__(self) -> Any:
        return self._lock.__enter__()

    def __exit__(self, *exc: Any) -> None:
        self._lock.__exit__(*exc)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({self._lock}, {self._condition.waiters()})>"

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Gives the lock up, waits for a notify at most TIMEOUT seconds, and holds the lock again. False: it
        was the timeout. RuntimeError: the caller does not hold the lock."""
        return self._wait(timeout)

    def wait_for(self, predicate: Callable[[], Any], timeout: Optional[float] = None) -> Any:
        """Waits until PREDICATE() is true, and returns what it returned last."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            result = predicate()
            if result:
                return result
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return result
            self.wait(left)

    def notify(self, n: int = 1) -> None:
        """Wakes N of those who wait, the longest waiting first."""
        if n >= SEM_VALUE_MAX:
            self._condition.notify_all()
        elif n > 0:
            self._condition.notify(n)

    def notify_all(self) -> None:
        self._condition.notify_all()


def _rebuilt_condition(kind: Type[Condition], lock: Any, ticket: bytes) -> Condition:
    condition = kind.__new__(kind)
    condition._bind(lock, _core.adopt(ticket))
    return condition


class Barrier:
    """PARTIES waits meet and go on together. One of them calls ACTION first; if that raises, or a wait takes
    longer than its timeout (seconds), or a waiter is killed, the barrier is broken until reset()."""

    def __init__(self, parties: int, action: Optional[Callable[[], Any]] = None,
                 timeout: Optional[float] = None, *, ctx: Any = None) -> None:
        if parties < 1:
            raise ValueError(f"parties: expected 1 or more, got {parties}")
        self._barrier = _core.Barrier(_core.default_domain(), parties=parties)
        self._action = action
        self._timeout = timeout
        # With an action, who comes is counted at a door, and the last, who acts, keeps it shut meanwhile.
        self._door = None if action is None else Lock(ctx=ctx)
        self._arrived = None if action is None else Semaphore(0, ctx=ctx)

    def __getstate__(self) -> Tuple[Any, ...]:
        ticket = ticket_for_child(self, self._barrier)
        return ticket, self._action, self._timeout, self._door, self._arrived

    def __setstate__(self, state: Tuple[Any, ...]) -> None:
        ticket, self._action, self._timeout, self._door, self._arrived = state
        self._barrier = _core.adopt(ticket)

    def __repr__(self) -> str:
        state = "broken" if self.broken else f"waiters={self.n_waiting}/{self.parties}"
        return f"<{type(self).__module__}.{type(self).__qualname__} at {id(self):#x}: {state}>"

    def wait(self, timeout: Optional[float] = None) -> int:
        """A number from 0 to parties - 1, for each another. BrokenBarrierError."""
        if timeout is None:
            timeout = self._timeout
        if self._action is None:
            return self._meet(timeout)
        return self._meet_and_act(timeout)

    def _meet(self, timeout: Optional[float]) -> int:
        try:
            return self._barrier.wait(None if timeout is None else max(timeout, 0.0))
        except (Broken, Timeout):
            raise BrokenBarrierError from None

    def _meet_and_act(self, timeout: Optional[float]) -> int:
        assert self._door is not None and self._arrived is not None and self._action is not None
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._door.acquire(timeout=timeout):
            self._barrier.abort()
            raise BrokenBarrierError
        shut = True
        try:
            if self._barrier.broken:
                raise BrokenBarrierError
            self._arrived.release()
            if self._arrived.get_value() < self.parties:
                self._door.release()
                shut = False
            else:
                self._none_arrived()
                self._act(self._action)
            return self._meet(None if deadline is None else deadline - time.monotonic())
        finally:
            if shut:
                self._door.release()

    def _act(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except BaseException:
            self._barrier.abort()
            raise

    def _none_arrived(self) -> None:
        assert self._arrived is not None
        while self._arrived.acquire(False):
            pass

    def reset(self) -> None:
        """As new. Those who wait get BrokenBarrierError."""
        if self._door is None:
            self._barrier.reset()
            return
        self._barrier.abort()
        with self._door:
            self._none_arrived()
            self._barrier.reset()

    def abort(self) -> None:
        """Breaks the barrier."""
        self._barrier.abort()

    @property
    def parties(self) -> int:
        return self._barrier.parties

    @property
    def n_waiting(self) -> int:
        return self._barrier.n_waiting

    @property
    def broken(self) -> bool:
        return self._barrier.broken
