"""What apply_async(), map_async(), imap() and imap_unordered() return.

_set() is called by one of the pool's threads for each outcome, (success, value or exception).
"""

from __future__ import annotations

import itertools
import time
import types
from collections import deque
from typing import Any, Callable

from ...threading import Condition, Event, Lock
from ..context import TimeoutError

Outcome = tuple[bool, Any]

job_counter = itertools.count()


class ApplyResult:
    """The result of one call, now or later."""

    __module__ = "interlock.multiprocessing.pool"

    def __init__(self, pool: Any, callback: Callable[[Any], Any] | None,
                 error_callback: Callable[[BaseException], Any] | None) -> None:
        self._pool = pool
        self._job = next(job_counter)
        self._cache: dict[int, Any] = pool._cache
        self._lock = pool._result_lock
        self._event: Any = None  # made by the first who has to wait
        self._is_ready = False
        self._success = True
        self._value: Any = None
        self._callback = callback
        self._error_callback = error_callback
        self._cache[self._job] = self

    def ready(self) -> bool:
        return self._is_ready

    def successful(self) -> bool:
        if not self._is_ready:
            raise ValueError(f"{self!r} not ready")
        return self._success

    def wait(self, timeout: float | None = None) -> None:
        if self._is_ready:
            return
        with self._lock:
            if self._is_ready:
                return
            if self._event is None:
                self._event = Event()
            event = self._event
        event.wait(timeout)

    def get(self, timeout: float | None = None) -> Any:
        self.wait(timeout)
        if not self._is_ready:
            raise TimeoutError
        if self._success:
            return self._value
        raise self._value

    def _set(self, i: int, outcome: Outcome) -> None:
        if not self._is_ready:
            self._success, self._value = outcome
            self._finish()

    def _set_length(self, length: int) -> None:
        """How many outcomes there will be is known now."""

    def _finish(self) -> None:
        callback = self._callback if self._success else self._error_callback
        pool = self._pool
        if callback is None or pool is None:
            self._make_ready()
        else:
            pool._run_callback(self, callback, self._value)

    def _make_ready(self) -> None:
        with self._lock:
            self._is_ready = True
            event = self._event
        self._cache.pop(self._job, None)
        self._pool = None
        if event is not None:
            event.set()

    def _fail(self, error: BaseException, quiet: bool) -> None:
        """There will be no result. QUIET: nor a call of the error callback, for the pool is gone."""
        if not self._is_ready:
            self._success, self._value = False, error
            if quiet:
                self._make_ready()
            else:
                self._finish()

    __class_getitem__: Any = classmethod(types.GenericAlias)


AsyncResult = ApplyResult


class MapResult(ApplyResult):
    """The results of a map: a list once all are there, or the first exception once all have ended."""

    __module__ = "interlock.multiprocessing.pool"

    def __init__(self, pool: Any, chunksize: int, length: int, callback: Callable[[Any], Any] | None,
                 error_callback: Callable[[BaseException], Any] | None) -> None:
        super().__init__(pool, callback, error_callback)
        self._chunksize = chunksize
        self._value = [None] * length
        if chunksize <= 0:
            self._number_left = 0
            self._make_ready()
        else:
            self._number_left = self._chunks = -(-length // chunksize)

    def _set(self, i: int, outcome: Outcome) -> None:
        success, value = outcome
        with self._lock:
            if self._is_ready:
                return
            if self._success:
                if not success:
                    self._success, self._value = False, value
                elif self._chunksize == 1:
                    self._value[i] = value
                else:
                    start = i * self._chunksize
                    self._value[start:start + self._chunksize] = value
            self._number_left -= 1
            if self._number_left != 0:
                return
        self._finish()

    def _set_length(self, length: int) -> None:
        """The iterable gave LENGTH chunks, which may be other than its len() said."""
        with self._lock:
            if self._is_ready or length == self._chunks:
                return
            self._number_left += length - self._chunks
            if self._success:
                del self._value[length * self._chunksize:]
            if self._number_left != 0:
                return
        self._finish()


class IMapIterator:
    """Results in the order of the items, each as soon as it is there."""

    __module__ = "interlock.multiprocessing.pool"

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._cond = Condition(Lock())
        self._job = next(job_counter)
        self._cache: dict[int, Any] = pool._cache
        self._items: deque[Outcome] = deque()
        self._index = 0  # how many have come into _items
        self._length: int | None = None
        self._unsorted: dict[int, Outcome] = {}
        self._waiting = 0
        self._error: BaseException | None = None
        self._cache[self._job] = self

    def __iter__(self) -> IMapIterator:
        return self

    def next(self, timeout: float | None = None) -> Any:
        item: Outcome | None
        try:
            item = self._items.popleft()
        except IndexError:
            item = None
        success, value = item or self._wait_for_item(timeout)
        if success:
            return value
        raise value

    __next__ = next

    def _wait_for_item(self, timeout: float | None) -> Outcome:
        end = None if timeout is None else time.monotonic() + timeout
        with self._cond:
            while not self._items:  # the only ones who append hold _cond
                if self._index == self._length:
                    self._pool = None
                    raise StopIteration
                if self._error is not None:
                    return False, self._error
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError
                self._waiting += 1
                try:
                    self._cond.wait(left)
                finally:
                    self._waiting -= 1
            return self._items.popleft()

    def _set(self, i: int, outcome: Outcome) -> None:
        with self._cond:
            if self._index == i:
                self._append(outcome)
                while self._index in self._unsorted:
                    self._append(self._unsorted.pop(self._index))
            else:
                self._unsorted[i] = outcome
            self._look()

    def _append(self, outcome: Outcome) -> None:
        self._items.append(outcome)
        self._index += 1
        if self._waiting:
            self._cond.notify()

    def _look(self) -> None:
        if self._index == self._length:
            self._cache.pop(self._job, None)
            self._pool = None
            if self._waiting:
                self._cond.notify_all()

    def _set_length(self, length: int) -> None:
        with self._cond:
            self._length = length
            self._look()

    def _fail(self, error: BaseException, quiet: bool) -> None:
        with self._cond:
            self._error = error
            self._cache.pop(self._job, None)
            self._pool = None
            self._cond.notify_all()


class IMapUnorderedIterator(IMapIterator):
    """Results in the order in which they come."""

    __module__ = "interlock.multiprocessing.pool"

    def _set(self, i: int, outcome: Outcome) -> None:
        with self._cond:
            self._append(outcome)
            self._look()
