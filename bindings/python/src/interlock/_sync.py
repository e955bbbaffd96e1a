"""The locks of `interlock.threading`, which is where they are to be imported from.

Each is an object of the process's domain, with flavour THREAD: a forked child has a copy of its own, in the
state of the moment of the fork. Timeouts are seconds; None waits for ever.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from time import monotonic
from typing import Any, Callable, Deque, List, Optional, Type, TypeVar

from . import _core
from ._core import THREAD, default_domain

_T = TypeVar("_T")
_MODULE = "interlock.threading"
_MOST_PERMITS = 2**31 - 1


def _place(obj: object) -> str:
    """How repr() begins: as with the standard classes, the module's last name."""
    cls = type(obj)
    return f"<{cls.__module__.rpartition('.')[2]}.{cls.__qualname__} at {id(obj):#x}:"


def deprecated(old: str, new: str) -> None:
    """Warns the caller's caller."""
    warnings.warn(f"{old}() is deprecated, {new} instead", DeprecationWarning, stacklevel=3)


class Lock(_core.Lock):
    """May be released by any thread of the process."""

    __module__ = _MODULE
    __slots__ = ()

    def __new__(cls) -> Lock:
        return _core.Lock.__new__(cls, default_domain(), flavour=THREAD)


def _free_names(cls: Type[_T]) -> Type[_T]:
    """What a handle has and the standard class has not: a subclass may use these names for its own."""
    for name in ("name", "kind", "domain"):
        setattr(cls, name, None)
    return cls


@_free_names
class RLock(_core.RLock):
    """A thread may acquire it again; it is free when the thread has released it as often."""

    __module__ = _MODULE

    def __new__(cls, *args: Any, **kwargs: Any) -> RLock:
        return _core.RLock.__new__(cls, default_domain(), flavour=THREAD)

    def __init__(self) -> None:
        """Subclasses may take any arguments."""


@_free_names
class Event(_core.Event):
    __module__ = _MODULE

    def __new__(cls, *args: Any, **kwargs: Any) -> Event:
        return _core.Event.__new__(cls, default_domain(), flavour=THREAD)

    def __init__(self) -> None:
        """Subclasses may take any arguments."""

    def __repr__(self) -> str:
        return f"{_place(self)} {'set' if self.is_set() else 'unset'}>"

    def isSet(self) -> bool:
        """Deprecated: is_set()."""
        deprecated("isSet", "use is_set()")
        return self.is_set()


class Semaphore:
    __module__ = _MODULE
    _bounded = False

    def __init__(self, value: int = 1) -> None:
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        if value > _MOST_PERMITS:
            raise ValueError(f"semaphore initial value must be <= {_MOST_PERMITS}, got {value}")
        self._semaphore = _core.Semaphore(default_domain(), value=value, bounded=self._bounded,
                                          flavour=THREAD)

    @property
    def _value(self) -> int:
        return self._semaphore.get_value()

    def __repr__(self) -> str:
        return f"{_place(self)} value={self._value}>"

    def acquire(self, blocking: bool = True, timeout: Optional[float] = None) -> bool:
        return self._semaphore.acquire(blocking, timeout)

    def __enter__(self) -> bool:
        return self._semaphore.acquire()

    def release(self, n: int = 1) -> None:
        self._semaphore.release(n)

    def __exit__(self, *exc: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self._semaphore._at_fork_reinit()


class BoundedSemaphore(Semaphore):
    """release() beyond the initial value raises ValueError."""

    __module__ = _MODULE
    _bounded = True

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._initial_value = value

    def __repr__(self) -> str:
        return f"{_place(self)} value={self._value}/{self._initial_value}>"


_forks = 0  # how many lie between the process that imported this and the present one
_spare: List[_core.Event] = []  # clear, and nobody's: for waits to come


def _after_fork() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_after_fork)


class Condition:
    """On LOCK: a Lock, an RLock, or anything with their acquire() and release(); None: an RLock of its own.

    notify(n) wakes exactly n of those that wait, the longest waiting first. A wait that ends by an exception
    (Ctrl-C) or a timeout holds the lock again when it does; a notification that had already reached it when
    an exception ended it goes to the next. A forked child has none of its parent's waiting threads."""

    __module__ = _MODULE

    def __init__(self, lock: Any = None) -> None:
        if lock is None:
            lock = RLock()
        self._lock = lock
        self._waiters: Deque[_core.Event] = deque()  # each is set when its thread is notified
        self._forks = _forks
        self.acquire = lock.acquire
        self.release = lock.release
        for name in ("_release_save", "_acquire_restore", "_is_owned"):
            method = getattr(lock, name, None)
            if method is not None:
                setattr(self, name, method)

    def __enter__(self) -> Any:
        return self._lock.__enter__()

    def __exit__(self, *exc: object) -> Any:
        return self._lock.__exit__(*exc)

    def __repr__(self) -> str:
        return f"<Condition({self._lock}, {len(self._waiters)})>"

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()
        self._waiters.clear()

    def _release_save(self) -> Any:
        self._lock.release()

    def _acquire_restore(self, state: Any) -> None:
        self._lock.acquire()

    def _is_owned(self) -> bool:
        """Of a lock that cannot say whose it is: whether it is anybody's."""
        if self._lock.acquire(False):
            self._lock.release()
            return False
        return True

    def _forget_parents(self) -> None:
        self._forks = _forks
        self._waiters.clear()

    def wait(self, timeout: Optional[float] = None) -> bool:
        """False: nothing was heard within TIMEOUT. RuntimeError: the lock is not held."""
        if not self._is_owned():
            raise RuntimeError("cannot wait on un-acquired lock")
        if self._forks != _forks:
            self._forget_parents()
        try:
            waiter = _spare.pop()
        except IndexError:
            waiter = _core.Event(default_domain(), flavour=THREAD)
        self._waiters.append(waiter)
        saved = self._release_save()
        heard = ended = False
        try:
            heard = waiter.wait(timeout)
            ended = True
        finally:
            self._acquire_restore(saved)
            heard = heard or not self._leave(waiter)
            waiter.clear()
            _spare.append(waiter)
            if heard and not ended:
                self.notify()
        return heard

    def _leave(self, waiter: _core.Event) -> bool:
        """False: the waiter had been notified after all."""
        try:
            self._waiters.remove(waiter)
        except ValueError:
            return False
        return True

    def wait_for(self, predicate: Callable[[], _T], timeout: Optional[float] = None) -> _T:
        """Waits until PREDICATE() is true, or for TIMEOUT seconds; what it returned last."""
        result = predicate()
        if result or timeout is None:
            while not result:
                self.wait()
                result = predicate()
            return result
        end = monotonic() + timeout
        left = timeout
        while not result and left > 0:
            self.wait(left)
            result = predicate()
            left = end - monotonic()
        return result

    def notify(self, n: int = 1) -> None:
        if not self._is_owned():
            raise RuntimeError("cannot notify on un-acquired lock")
        if self._forks != _forks:
            self._forget_parents()
        waiters = self._waiters
        while n > 0 and waiters:
            waiters.popleft().set()
            n -= 1

    def notify_all(self) -> None:
        self.notify(len(self._waiters))

    def notifyAll(self) -> None:
        """Deprecated: notify_all()."""
        deprecated("notifyAll", "use notify_all()")
        self.notify_all()
