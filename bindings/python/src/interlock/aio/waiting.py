"""How a coroutine waits: for a descriptor of the extension, or for a thread."""

from __future__ import annotations

import asyncio
import time
from _thread import start_new_thread
from functools import partial
from typing import Any, Callable, Generic, Sequence, TypeVar

from .. import _core
from ..errors import Interrupted, NotFound, Timeout, Unsupported

T = TypeVar("T")
H = TypeVar("H", bound=_core._Handle)


class Run:
    """A call in a thread of its own, so that an interruption of its wait can hit nothing else."""

    def __init__(self, call: Callable[[], Any], undo: Callable[[Any], object] | None) -> None:
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[Any] = self._loop.create_future()
        self._call, self._undo = call, undo
        self._thread = 0
        self._stopped = False
        start_new_thread(self._main, ())

    def _main(self) -> None:
        result: Any = None
        failed: BaseException | None = None
        self._thread = _core.thread_self()
        try:
            if self._stopped:
                raise Interrupted("the wait was cancelled")
            result = self._call()
        except BaseException as error:
            failed = error
        try:
            self._loop.call_soon_threadsafe(self._settle, result, failed)
        except RuntimeError:  # the loop was closed: nobody gets it
            self._revoke(result, failed)

    def _settle(self, result: Any, failed: BaseException | None) -> None:
        if failed is None:
            self.done.set_result(result)
        elif isinstance(failed, StopIteration):
            self.done.set_exception(RuntimeError("the call raised StopIteration"))
        else:
            self.done.set_exception(failed)

    def _revoke(self, result: Any, failed: BaseException | None) -> None:
        if failed is None and self._undo:
            self._undo(result)

    def stop(self) -> None:
        """End its wait; `done` tells what came of it."""
        self._stopped = True
        if self._thread and not self.done.done():
            try:
                _core.interrupt(self._thread)
            except NotFound:
                pass  # it has just ended


async def in_thread(call: Callable[[], T], undo: Callable[[T], object] | None = None) -> T:
    """CALL() in a thread. If this is cancelled, its wait ends, and UNDO(result) gives back what it got."""
    run = Run(call, undo)
    try:
        result: T = await asyncio.shield(run.done)
        return result
    except asyncio.CancelledError:
        if run.done.cancelled():
            raise
        run.stop()
        await _settled(run.done)
        if run.done.exception() is None and undo:
            undoing = Run(partial(undo, run.done.result()), None)
            await _settled(undoing.done)
            undoing.done.exception()  # looked at; what cannot be given back goes with the session
        raise


async def _settled(future: asyncio.Future[Any]) -> None:
    """Until FUTURE is done, also if this is cancelled meanwhile (then again, once it is)."""
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            continue


def deadline_of(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def left_of(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


async def wait_any(targets: Sequence[Any], timeout: float | None, remote: bool) -> tuple[int, int]:
    """(index, token) of the first of TARGETS that is ready; a lock or semaphore is then acquired. Timeout."""
    if not remote:
        try:
            wait = _core.Wait(targets)
        except Unsupported:
            pass
        else:
            try:
                return await _finish(wait, timeout)
            finally:
                wait.close()  # gives back what was granted and not fetched

    def give_back(index: int) -> None:
        release = getattr(targets[index], "release", None)
        if release:
            release()

    index = await in_thread(lambda: _core.wait_any(targets, timeout), give_back)
    return index, getattr(targets[index], "token", 0)


async def _finish(wait: _core.Wait, timeout: float | None) -> tuple[int, int]:
    deadline = deadline_of(timeout)
    while True:
        found = wait.finish()
        if found is not None:
            return found
        left = left_of(deadline)
        if left == 0.0:
            raise Timeout("nothing was ready")
        await _readable(wait.fileno(), left)


async def _readable(fd: int, timeout: float | None) -> None:
    """Until FD is readable, or TIMEOUT seconds."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    timer = None if timeout is None else loop.call_later(timeout, wake)
    loop.add_reader(fd, wake)
    try:
        await ready
    finally:
        loop.remove_reader(fd)
        if timer:
            timer.cancel()


class Shared(Generic[H]):
    """What all objects of a client have: the handle, and how its calls are made.

    Where a server has to be asked, the handle is opened by the first call.
    """

    def __init__(self, name: str | None, open: Callable[[], H], remote: bool) -> None:
        self.name = name  # None: anonymous
        self._open, self._remote = open, remote
        self._made: H | None = None if remote else open()

    async def _handle(self) -> H:
        if self._made is None:
            self._made = await in_thread(self._open)
        return self._made

    async def _do(self, call: Callable[[H], T]) -> T:
        """A call that does not wait: here, or where it asks a server, in a thread."""
        handle = await self._handle() if self._made is None else self._made
        if not self._remote:
            return call(handle)
        return await in_thread(lambda: call(handle))

    async def _ready(self, timeout: float | None) -> tuple[int, int] | None:
        """wait_any() for this object alone; None: TIMEOUT seconds are over."""
        try:
            return await wait_any([await self._handle()], timeout, self._remote)
        except Timeout:
            return None

    async def close(self) -> None:
        """Close this handle. The object goes with its last one if it has no name."""
        if self._made is not None:
            await self._do(lambda h: h.close())

    async def delete(self) -> None:
        """Remove the name, for everybody."""
        await self._do(lambda h: h.delete())

    def __repr__(self) -> str:
        return f"<interlock.aio.{type(self).__name__} {self.name!r}>"
