"""The names and meanings of the standard `queue`, made of Interlock's objects.

    import interlock.queue as queue

Items stay Python objects of this process: nothing is copied or pickled. (`interlock.connect()` and
`interlock.multiprocessing` have queues between processes.) Timeouts are seconds; None waits for ever.
"""

from __future__ import annotations

import queue as _standard
import types
from collections import deque
from heapq import heappop, heappush
from queue import Empty, Full
from typing import Any, Deque, Generic, List, Optional, TypeVar, Union

from . import _core
from ._core import THREAD, default_domain
from ._sync import Condition, Lock

__all__ = ["Empty", "Full", "ShutDown", "Queue", "PriorityQueue", "LifoQueue", "SimpleQueue"]

_T = TypeVar("_T")


class _ShutDown(Exception):
    """put() or get() of a queue that was shut down."""

    __module__ = "interlock.queue"
    __qualname__ = __name__ = "ShutDown"


ShutDown = getattr(_standard, "ShutDown", _ShutDown)


class Queue(Generic[_T]):
    """First in, first out. MAXSIZE 0 or less: there is always room.

    For another order override _init(), _qsize(), _put() and _get(): they are called with `mutex` held."""

    def __init__(self, maxsize: int = 0) -> None:
        self.maxsize = maxsize
        self._init(maxsize)
        self.mutex = Lock()
        self.not_empty = Condition(self.mutex)
        self.not_full = Condition(self.mutex)
        self.all_tasks_done = Condition(self.mutex)
        self.unfinished_tasks = 0
        self.is_shutdown = False

    __class_getitem__: Any = classmethod(types.GenericAlias)

    def _init(self, maxsize: int) -> None:
        self.queue: Union[Deque[_T], List[_T]] = deque()

    def _qsize(self) -> int:
        return len(self.queue)

    def _put(self, item: _T) -> None:
        self.queue.append(item)

    def _get(self) -> _T:
        return self.queue.popleft()  # type: ignore[union-attr]

    def put(self, item: _T, block: bool = True, timeout: Optional[float] = None) -> None:
        """Full: there was no room, at once (BLOCK false) or within TIMEOUT."""
        with self.mutex:
            if self.is_shutdown:
                raise ShutDown
            if self.maxsize > 0:
                self._await_room(block, timeout)
            self._put(item)
            self.unfinished_tasks += 1
            if self.not_empty._waiters:
                self.not_empty.notify()

    def get(self, block: bool = True, timeout: Optional[float] = None) -> _T:
        """Empty: there was no item, at once (BLOCK false) or within TIMEOUT."""
        with self.mutex:
            if timeout is not None and block and timeout < 0:
                raise ValueError("'timeout' must be a non-negative number")
            if not self._qsize():
                self._await_item(block, timeout)
            item = self._get()
            if self.not_full._waiters:
                self.not_full.notify()
            return item

    def _await_room(self, block: bool, timeout: Optional[float]) -> None:
        if not block:
            if self._qsize() >= self.maxsize:
                raise Full
            return
        if timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")

        def ready() -> bool:
            return self._qsize() < self.maxsize or self.is_shutdown

        if not self.not_full.wait_for(ready, timeout):
            raise Full
        if self.is_shutdown:
            raise ShutDown

    def _await_item(self, block: bool, timeout: Optional[float]) -> None:
        if not block and not self.is_shutdown:
            raise Empty
        if not self.not_empty.wait_for(lambda: self._qsize() or self.is_shutdown, timeout):
            raise Empty
        if not self._qsize():
            raise ShutDown

    def put_nowait(self, item: _T) -> None:
        self.put(item, block=False)

    def get_nowait(self) -> _T:
        return self.get(block=False)

    def qsize(self) -> int:
        with self.mutex:
            return self._qsize()

    def empty(self) -> bool:
        with self.mutex:
            return not self._qsize()

    def full(self) -> bool:
        with self.mutex:
            return 0 < self.maxsize <= self._qsize()

    def task_done(self) -> None:
        """An item that get() returned has been dealt with. ValueError: called more often than put()."""
        with self.mutex:
            if self.unfinished_tasks <= 0:
                raise ValueError("task_done() called too many times")
            self.unfinished_tasks -= 1
            if not self.unfinished_tasks:
                self.all_tasks_done.notify_all()

    def join(self) -> None:
        """Waits until task_done() was called for every item."""
        with self.mutex:
            while self.unfinished_tasks:
                self.all_tasks_done.wait()

    def shutdown(self, immediate: bool = False) -> None:
        """From now on put() raises ShutDown, and so does get() once the queue is empty; IMMEDIATE empties it
        and counts its items as done."""
        with self.mutex:
            self.is_shutdown = True
            if immediate:
                while self._qsize():
                    self._get()
                    if self.unfinished_tasks > 0:
                        self.unfinished_tasks -= 1
                self.all_tasks_done.notify_all()
            self.not_empty.notify_all()
            self.not_full.notify_all()


class PriorityQueue(Queue[_T]):
    """The lowest item first; items are often (priority, data)."""

    def _init(self, maxsize: int) -> None:
        self.queue: List[Any] = []

    def _put(self, item: _T) -> None:
        heappush(self.queue, item)

    def _get(self) -> _T:
        item: _T = heappop(self.queue)
        return item


class LifoQueue(Queue[_T]):
    """The newest item first."""

    def _init(self, maxsize: int) -> None:
        self.queue: List[_T] = []

    def _get(self) -> _T:
        return self.queue.pop()


class SimpleQueue(Generic[_T]):
    """First in, first out, with always room. put() may be called at any moment, also by a signal handler or a
    destructor that interrupts a put() or get() of the same thread: nothing is locked."""

    __slots__ = ("_items", "_count", "__weakref__")

    def __init__(self) -> None:
        self._items: Deque[_T] = deque()
        self._count = _core.Semaphore(default_domain(), value=0, signal=True, flavour=THREAD)

    __class_getitem__: Any = classmethod(types.GenericAlias)

    def put(self, item: _T, block: bool = True, timeout: Optional[float] = None) -> None:
        """BLOCK and TIMEOUT are only there for the sake of Queue's put()."""
        self._items.append(item)
        self._count.release()

    def get(self, block: bool = True, timeout: Optional[float] = None) -> _T:
        if timeout is None:
            if not self._count.acquire(block):
                raise Empty
        else:
            if timeout < 0:
                raise ValueError("'timeout' must be a non-negative number")
            if not (self._count.acquire(True, timeout) if block else self._count.acquire(False)):
                raise Empty
        return self._items.popleft()

    def put_nowait(self, item: _T) -> None:
        self.put(item)

    def get_nowait(self) -> _T:
        return self.get(False)

    def empty(self) -> bool:
        return not self._items

    def qsize(self) -> int:
        return len(self._items)
