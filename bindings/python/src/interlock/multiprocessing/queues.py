"""Queue, JoinableQueue and SimpleQueue: queues in the arena of the family's domain.

put() puts: there is no thread that sends later, so what was put is in the queue when put() returns, and stays
there when the process ends. A process that is killed in put() or get() leaves the queue as it is to others.
"""

from __future__ import annotations

import os
import traceback
import types
from queue import Empty as Empty  # noqa: F401
from queue import Full as Full
from typing import Any, Final, Optional, Tuple

from .. import _core
from ._connections import _Ready
from ._lending import ticket_for_child
from .synchronize import SEM_VALUE_MAX, Condition, Semaphore

__all__ = ["Queue", "SimpleQueue", "JoinableQueue"]

_OURS: Final = ("interlock", "pickle", "copyreg")


class _Reader(_Ready):
    """What can be waited for: `queue._reader`."""

    def __init__(self, queue: _core.Queue) -> None:
        super().__init__(True, False)
        self._handle = queue

    def _close_handle(self, handle: Any) -> None:
        """The queue itself stays open."""

    def _recv_bytes(self, maxsize: Optional[int] = None) -> Any:
        data = self._handle.get_bytes()
        self._taken()
        return data

    def _poll(self, timeout: Optional[float]) -> bool:
        from ._wait import wait
        return bool(wait([self], timeout))


class _Writer(_Ready):
    """`queue._writer`."""

    def __init__(self, queue: _core.Queue) -> None:
        super().__init__(False, True)
        self._handle = queue

    def _close_handle(self, handle: Any) -> None:
        """The queue itself stays open."""

    def _send_bytes(self, data: memoryview) -> None:
        self._handle.put_bytes(data)


def _is_of_object(error: BaseException) -> bool:
    """Whether ERROR came out of code of the object that was to be pickled, not out of pickle."""
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    module = str(where.tb_frame.f_globals.get("__name__", "")) if where is not None else ""
    return module.split(".")[0] not in _OURS


class _Base:
    """What all have: a queue of the domain, and the two ends of it that programs look at."""

    def _open(self, queue: _core.Queue) -> None:
        self._queue = queue
        self._put = queue.put
        self._get = queue.get
        self._reader = _Reader(queue)
        self._writer = _Writer(queue)
        self._poll = self._reader.poll

    def _put_item(self, obj: Any, block: bool, timeout: Optional[float]) -> None:
        self._put(obj, block, timeout)


class Queue(_Base):
    """For any number of processes that put and get. MAXSIZE: items; a put beyond waits. 0: as many as the
    domain's arena has room for."""

    def __init__(self, maxsize: int = 0, *, ctx: Any = None) -> None:
        self._open(_core.Queue(_core.default_domain(), maxsize=max(maxsize, 0), codec=_core.PICKLE))
        self._maxsize = maxsize if maxsize > 0 else SEM_VALUE_MAX
        self._opid = os.getpid()
        self._closed = False

    def __getstate__(self) -> Tuple[Any, ...]:
        return ticket_for_child(self, self._queue), self._maxsize, self._opid

    def __setstate__(self, state: Tuple[Any, ...]) -> None:
        ticket, self._maxsize, self._opid = state
        self._open(_core.adopt(ticket))
        self._closed = False

    def put(self, obj: Any, block: bool = True, timeout: Optional[float] = None) -> None:
        """Puts OBJ, waiting for room at most TIMEOUT seconds: Full. What pickle refuses is raised here; an
        exception out of the object's own code goes to _on_queue_feeder_error()."""
        if self._closed:
            raise ValueError(f"Queue {self!r} is closed")
        if timeout is not None and timeout < 0:
            timeout = 0
        try:
            self._put_item(obj, block, timeout)
        except Full:
            raise
        except Exception as error:
            if not _is_of_object(error):
                raise
            self._on_queue_feeder_error(error, obj)

    def get(self, block: bool = True, timeout: Optional[float] = None) -> Any:
        """Takes the oldest item, waiting at most TIMEOUT seconds for one: Empty."""
        if self._closed:
            raise ValueError(f"Queue {self!r} is closed")
        if timeout is not None and timeout < 0:
            timeout = 0
        obj = self._get(block, timeout)
        if self._reader._readiness is not None:
            self._reader._taken()
        return obj

    def put_nowait(self, obj: Any) -> None:
        self.put(obj, False)

    def get_nowait(self) -> Any:
        return self.get(False)

    def qsize(self) -> int:
        """How many items there are; a glance."""
        return self._queue.qsize()

    def empty(self) -> bool:
        return self._queue.empty()

    def full(self) -> bool:
        return self._queue.full()

    def close(self) -> None:
        """No more put() and get() in this process."""
        self._closed = True

    def join_thread(self) -> None:
        """After close(). All that was put is in the queue already: there is nothing to wait for."""
        assert self._closed, f"Queue {self!r} not closed"

    def cancel_join_thread(self) -> None:
        """There is no thread that could be waited for when the process ends."""

    @staticmethod
    def _on_queue_feeder_error(e: BaseException, obj: Any) -> None:
        """The code of OBJ failed while it was pickled, so it was not put. Shows that; for subclasses."""
        traceback.print_exception(e)

    __class_getitem__: Any = classmethod(types.GenericAlias)


class JoinableQueue(Queue):
    """One that counts what was put and is not yet done."""

    def __init__(self, maxsize: int = 0, *, ctx: Any = None) -> None:
        super().__init__(maxsize, ctx=ctx)
        self._unfinished_tasks = Semaphore(0, ctx=ctx)
        self._cond = Condition(ctx=ctx)

    def __getstate__(self) -> Tuple[Any, ...]:
        return super().__getstate__() + (self._cond, self._unfinished_tasks)

    def __setstate__(self, state: Tuple[Any, ...]) -> None:
        super().__setstate__(state[:-2])
        self._cond, self._unfinished_tasks = state[-2:]

    def _put_item(self, obj: Any, block: bool, timeout: Optional[float]) -> None:
        self._unfinished_tasks.release()  # before anybody can be done with it
        try:
            super()._put_item(obj, block, timeout)
        except BaseException:
            self.task_done()
            raise

    def task_done(self) -> None:
        """What was taken is done. ValueError: more often than was put."""
        with self._cond:
            if not self._unfinished_tasks.acquire(False):
                raise ValueError("task_done() called too many times")
            if self._unfinished_tasks.get_value() == 0:
                self._cond.notify_all()

    def join(self) -> None:
        """Waits until everything that was put is done."""
        with self._cond:
            while self._unfinished_tasks.get_value() != 0:
                self._cond.wait()


class SimpleQueue(_Base):
    """Without a limit and without timeouts."""

    def __init__(self, *, ctx: Any = None) -> None:
        self._open(_core.Queue(_core.default_domain(), codec=_core.PICKLE))

    def __getstate__(self) -> bytes:
        return ticket_for_child(self, self._queue)

    def __setstate__(self, ticket: bytes) -> None:
        self._open(_core.adopt(ticket))

    def close(self) -> None:
        """Closes it in this process; again: nothing."""
        self._reader.close()
        self._writer.close()

    def empty(self) -> bool:
        self._reader._check_closed()
        return self._queue.empty()

    def get(self) -> Any:
        """Takes the oldest item, and waits for one."""
        self._reader._check_readable()
        obj = self._get()
        if self._reader._readiness is not None:
            self._reader._taken()
        return obj

    def put(self, obj: Any) -> None:
        self._writer._check_writable()
        self._put_item(obj, True, None)

    __class_getitem__: Any = classmethod(types.GenericAlias)
