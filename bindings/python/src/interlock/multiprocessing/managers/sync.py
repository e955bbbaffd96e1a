"""Locks, semaphores, conditions, events and barriers of a manager: the domain's own, with the meanings and
exceptions that the standard manager's have, which are those of threading."""

from __future__ import annotations

from typing import Any, Callable

from ... import _core, errors
from .._errors import BrokenBarrierError
from . import remote
from .shared import Shared, in_slices

__all__ = ["SharedBarrier", "SharedCondition", "SharedEvent", "SharedLock", "SharedRLock", "SharedSemaphore"]


def _limit(blocking: Any, timeout: float | None) -> float | None:
    """Seconds to wait, None: no limit, from the arguments of an acquire as threading's take them."""
    if timeout is None or timeout == -1:
        return None if blocking else 0.0
    if not blocking:
        raise ValueError("can't specify a timeout for a non-blocking call")
    if timeout < 0:
        raise ValueError("timeout value must be a non-negative number")
    return timeout


def _not(result: bool) -> bool:
    return not result


class _Acquirer(Shared, remote.AcquirerProxy):
    """What can be acquired is one handle."""

    _exposed_: tuple[str, ...] = ("acquire", "release")
    _shown = "AcquirerProxy"

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def _handles(self) -> tuple[Any, ...]:
        return (self._handle,)

    @classmethod
    def _reopen(cls, handles: tuple[Any, ...], state: Any) -> Any:
        return cls(handles[0])

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        limit = _limit(blocking, timeout)
        if self._try():
            return True
        if limit == 0.0:
            return False
        return in_slices(self._life, self._wait, _not, limit)

    def _try(self) -> bool:
        return bool(self._handle.acquire(False))

    def _wait(self, seconds: float) -> bool:
        return bool(self._handle.acquire(True, seconds))

    def release(self) -> None:
        self._handle.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()

    def _text(self) -> str:
        return repr(self._handle)


class SharedLock(_Acquirer):
    """A lock that any process may release. If its holder dies, the next owner is told: OwnerDied."""

    @classmethod
    def _make(cls) -> SharedLock:
        return cls(_core.Lock(_core.default_domain(), flavour=_core.PROCESS))

    def release(self) -> None:
        handle = self._handle
        try:
            handle.release()
        except ValueError:
            # Who held it may have ended: then it was acquired as far as a program can tell.
            if handle.acquire(False):
                died = handle.owner_died
                handle.release()
                if died:
                    return
            raise RuntimeError("release unlocked lock") from None


class SharedRLock(_Acquirer):
    """A lock that a thread may acquire again while it has it."""

    @classmethod
    def _make(cls) -> SharedRLock:
        return cls(_core.RLock(_core.default_domain(), flavour=_core.PROCESS))

    def release(self) -> None:
        try:
            self._handle.release()
        except AssertionError:
            raise RuntimeError("cannot release un-acquired lock") from None


class SharedSemaphore(_Acquirer):
    """Permits are nobody's: any process may release them."""

    @classmethod
    def _make(cls, value: int = 1) -> SharedSemaphore:
        return cls._with(value, False)

    @classmethod
    def _make_bounded(cls, value: int = 1) -> SharedSemaphore:
        return cls._with(value, True)

    @classmethod
    def _with(cls, value: int, bounded: bool) -> SharedSemaphore:
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        return cls(_core.Semaphore(_core.default_domain(), value=value, bounded=bounded, signal=True,
                                   flavour=_core.PROCESS))

    def get_value(self) -> int:
        return int(self._handle.get_value())


class SharedCondition(_Acquirer, remote.ConditionProxy):
    """A condition, on a lock of the same manager or one of its own."""

    _exposed_ = ("acquire", "release", "wait", "notify", "notify_all")
    _shown = "ConditionProxy"

    @classmethod
    def _make(cls, lock: Any = None) -> SharedCondition:
        if lock is not None and not isinstance(lock, (SharedLock, SharedRLock)):
            raise TypeError(f"lock: expected a manager's Lock or RLock, got {lock!r}")
        inner = None if lock is None else lock._handle
        return cls(_core.Condition(_core.default_domain(), lock=inner))

    def release(self) -> None:
        try:
            self._handle.release()
        except (AssertionError, ValueError, errors.NotHeld):
            raise RuntimeError("cannot release un-acquired lock") from None

    def wait(self, timeout: float | None = None) -> bool:
        return in_slices(self._life, self._wait_notified, _not, timeout)

    def _wait_notified(self, seconds: float) -> bool:
        return bool(self._handle.wait(seconds))

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        return remote.wait_until(self.wait, predicate, timeout)

    def notify(self, n: int = 1) -> None:
        self._handle.notify(n)

    def notify_all(self) -> None:
        self._handle.notify_all()


class SharedEvent(Shared, remote.EventProxy):
    _exposed_ = ("is_set", "set", "clear", "wait")
    _shown = "EventProxy"

    def __init__(self, handle: _core.Event) -> None:
        self._handle = handle

    @classmethod
    def _make(cls) -> SharedEvent:
        return cls(_core.Event(_core.default_domain(), flavour=_core.PROCESS))

    def _handles(self) -> tuple[Any, ...]:
        return (self._handle,)

    @classmethod
    def _reopen(cls, handles: tuple[Any, ...], state: Any) -> SharedEvent:
        return cls(handles[0])

    def is_set(self) -> bool:
        return bool(self._handle.is_set())

    def set(self) -> None:
        self._handle.set()

    def clear(self) -> None:
        self._handle.clear()

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is not None and timeout <= 0:
            return self._handle.is_set()
        return in_slices(self._life, self._handle.wait, _not, timeout)

    def _text(self) -> str:
        return f"<interlock.threading.Event at {id(self):#x}: {'set' if self.is_set() else 'unset'}>"


class SharedBarrier(Shared, remote.BarrierProxy):
    """All parties meet at one barrier; then one of them does the action, and they meet at a second one."""

    _exposed_ = ("__getattribute__", "wait", "abort", "reset")
    _shown = "BarrierProxy"

    def __init__(self, meet: _core.Barrier, part: _core.Barrier | None, action: Any, timeout: Any) -> None:
        self._meet = meet
        self._part = part
        self._action = action
        self._timeout = timeout

    @classmethod
    def _make(cls, parties: int, action: Any = None, timeout: float | None = None) -> SharedBarrier:
        if parties < 1:
            raise ValueError("parties must be > 0")
        domain = _core.default_domain()
        part = None if action is None else _core.Barrier(domain, parties=parties)
        return cls(_core.Barrier(domain, parties=parties), part, action, timeout)

    def _handles(self) -> tuple[Any, ...]:
        return (self._meet,) if self._part is None else (self._meet, self._part)

    def _state(self) -> Any:
        return self._action, self._timeout

    @classmethod
    def _reopen(cls, handles: tuple[Any, ...], state: Any) -> SharedBarrier:
        return cls(handles[0], handles[1] if len(handles) > 1 else None, *state)

    def wait(self, timeout: float | None = None) -> int:
        """Which of the parties this is: 0 to parties - 1. BrokenBarrierError."""
        if timeout is None:
            timeout = self._timeout
        try:
            index = self._meet.wait(timeout)
            if self._part is not None:
                if index == 0:
                    self._act()
                self._part.wait(timeout)
            return index
        except (errors.Broken, errors.Timeout):
            if self.broken:  # not if somebody has reset it since
                self.abort()
            raise BrokenBarrierError from None

    def _act(self) -> None:
        try:
            self._action()
        except BaseException:
            self.abort()
            raise

    def _both(self) -> tuple[_core.Barrier, ...]:
        return (self._meet,) if self._part is None else (self._meet, self._part)

    def abort(self) -> None:
        for barrier in self._both():
            barrier.abort()

    def reset(self) -> None:
        for barrier in self._both():
            barrier.reset()

    @property
    def parties(self) -> int:
        return self._meet.parties

    @property
    def n_waiting(self) -> int:
        return self._meet.n_waiting

    @property
    def broken(self) -> bool:
        return any(barrier.broken for barrier in self._both())

    def _text(self) -> str:
        return (f"<interlock.threading.Barrier at {id(self):#x}: waiters={self.n_waiting}/{self.parties}"
                f"{', broken' if self.broken else ''}>")
