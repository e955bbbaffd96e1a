"""Queues and pipes for coroutines."""

from __future__ import annotations

from collections import deque
from queue import Empty, Full
from types import TracebackType
from typing import Any, Callable, TypeVar

from .. import _core
from ..errors import Timeout
from .waiting import Shared, deadline_of, in_thread, left_of


M = TypeVar("M", bound=_core._Handle)


class _Receiving(Shared[M]):
    """Messages that were taken for a wait that was cancelled are the next one's."""

    def __init__(self, name: str | None, open: Callable[[], M], remote: bool) -> None:
        super().__init__(name, open, remote)
        self._kept: deque[Any] = deque()

    async def _take(
        self, now: Callable[[M], Any], nothing: type[Exception], timeout: float | None
    ) -> Any:
        """NOW(handle) as soon as it does not raise NOTHING; which it does after TIMEOUT seconds."""
        handle = await self._handle()
        deadline = deadline_of(timeout)
        while True:
            if self._kept:
                return self._kept.popleft()
            try:
                if not self._remote:
                    return now(handle)
                return await in_thread(lambda: now(handle), self._kept.append)
            except nothing:
                left = left_of(deadline)
                if left == 0.0:
                    raise
            if await self._ready(left) is None:
                deadline = 0.0  # one more look


class Queue(_Receiving[_core.Queue]):
    """First in, first out."""

    async def get(self, timeout: float | None = None) -> Any:
        """The oldest message. queue.Empty after TIMEOUT seconds; Closed: it is shut, and empty."""
        return await self._take(lambda h: h.get(False), Empty, timeout)

    async def put(self, message: Any, timeout: float | None = None) -> None:
        """Append it. queue.Full after TIMEOUT seconds; Closed. A wait for room has a thread."""
        handle = await self._handle()
        if not self._remote:
            try:
                return handle.put(message, False)
            except Full:
                if timeout == 0:
                    raise
        await in_thread(lambda: handle.put(message, True, timeout))

    async def qsize(self) -> int:
        return await self._do(lambda h: h.qsize()) + len(self._kept)

    async def shut(self) -> None:
        """No more puts, by anyone; gets take what is left."""
        await self._do(lambda h: h.shut())

    async def close(self) -> None:
        """Close this handle. Messages of cancelled waits go back to the end of the queue."""
        while self._kept:
            await self.put(self._kept.popleft())
        await super().close()


class Pipe(_Receiving[_core.Pipe]):
    """One end of a pipe."""

    async def recv(self, timeout: float | None = None) -> Any:
        """The next message. Timeout; EOFError: the other end is closed, and nothing is left."""
        return await self._take(lambda h: h.recv(0), Timeout, timeout)

    async def send(self, message: Any, timeout: float | None = None) -> None:
        """Send it. BrokenPipeError: nobody will receive it. A wait for room has a thread."""
        handle = await self._handle()
        if not self._remote:
            try:
                return handle.send(message, 0)
            except Timeout:
                if timeout == 0:
                    raise
        await in_thread(lambda: handle.send(message, timeout))

    async def poll(self, timeout: float | None = 0.0) -> bool:
        """Whether recv() would not wait, at most TIMEOUT seconds from now."""
        if self._kept:
            return True
        return await self._ready(timeout) is not None

    async def __aenter__(self) -> Pipe:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
