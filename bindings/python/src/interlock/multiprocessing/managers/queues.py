"""Queue and JoinableQueue of a manager: a queue of the domain, with a count of what is not done yet."""

from __future__ import annotations

import time
from queue import Empty, Full
from typing import Any

from ... import _core
from .life import LOOK_SECONDS
from .shared import Shared, end_of, in_slices

__all__ = ["SharedQueue"]


class SharedQueue(Shared):
    """As queue.Queue: put, get, task_done, join ... by any process. ``timeout``: seconds."""

    _exposed_ = ("empty", "full", "get", "get_nowait", "join", "put", "put_nowait", "qsize", "task_done")

    def __init__(self, queue: _core.Queue, unfinished: _core.Value, done: _core.Condition) -> None:
        self._queue = queue
        self._unfinished = unfinished  # what was put and is not done; counted before it is put
        self._done = done  # notified when that becomes 0

    @classmethod
    def _make(cls, maxsize: int = 0) -> SharedQueue:
        domain = _core.default_domain()
        return cls(_core.Queue(domain, maxsize=max(maxsize, 0), codec=_core.PICKLE),
                   _core.Value(domain, None, "i64"), _core.Condition(domain))

    def _handles(self) -> tuple[Any, ...]:
        return self._queue, self._unfinished, self._done

    @classmethod
    def _reopen(cls, handles: tuple[Any, ...], state: Any) -> SharedQueue:
        return cls(*handles)

    @property
    def _shown(self) -> str:  # type: ignore[override]
        return f"AutoProxy[{self._typeid}]"

    def _text(self) -> str:
        return f"<interlock.queue.Queue object at {id(self):#x}>"

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Full: there was no room in time."""
        self._unfinished.add(1)
        try:
            self._put(item, block, timeout)
        except BaseException:
            self._less()
            raise

    def _put(self, item: Any, block: bool, timeout: float | None) -> None:
        end = _checked_end(block, timeout)
        while True:
            try:
                return self._queue.put(item, block, _slice(end) if block else None)
            except Full:
                self._life.check()
                if not block or _over(end):
                    raise

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Empty: nothing came in time."""
        end = _checked_end(block, timeout)
        while True:
            try:
                return self._queue.get(block, _slice(end) if block else None)
            except Empty:
                self._life.check()
                if not block or _over(end):
                    raise

    def put_nowait(self, item: Any) -> None:
        self.put(item, False)

    def get_nowait(self) -> Any:
        return self.get(False)

    def qsize(self) -> int:
        return self._queue.qsize()

    def empty(self) -> bool:
        return self._queue.empty()

    def full(self) -> bool:
        return self._queue.full()

    def _less(self) -> None:
        before = self._unfinished.add(-1)
        if before <= 0:
            self._unfinished.add(1)
            raise ValueError("task_done() called too many times")
        if before == 1:
            with self._done:
                self._done.notify_all()

    def task_done(self) -> None:
        """Something that was got is done. ValueError: more often than was put."""
        self._less()

    def join(self) -> None:
        """Waits until all that was put is done."""
        with self._done:
            in_slices(self._life, self._all_done, lambda done: not done, None)

    def _all_done(self, seconds: float) -> bool:
        return self._unfinished.load() == 0 or self._done.wait(seconds) and self._unfinished.load() == 0


def _checked_end(block: bool, timeout: float | None) -> float | None:
    """When a wait is over; None: never."""
    if block and timeout is not None and timeout < 0:
        raise ValueError("'timeout' must be a non-negative number")
    return end_of(timeout)


def _slice(end: float | None) -> float:
    return LOOK_SECONDS if end is None else max(min(LOOK_SECONDS, end - time.monotonic()), 0.0)


def _over(end: float | None) -> bool:
    return end is not None and time.monotonic() >= end
