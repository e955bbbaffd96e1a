"""Locks and signals for coroutines."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import TracebackType
from typing import AsyncIterator, TypeVar

from .. import _core
from ..errors import InterlockError, Timeout
from .waiting import Shared, in_thread

L = TypeVar("L", _core.Lock, _core.Semaphore)


class _Owned(Shared[L]):
    """What can be acquired."""

    token = 0  # of this object's newest grant

    async def acquire(self, timeout: float | None = None) -> bool:
        """Whether it was granted, at most TIMEOUT seconds from now (None: however long it takes)."""
        handle = await self._handle() if self._made is None else self._made
        if not self._remote and handle.acquire(False):
            self.token = handle.token
            return True
        found = await self._ready(timeout)
        if found is not None:
            self.token = found[1]
        return found is not None

    async def release(self, token: int = 0) -> None:
        """Give it back. NotHeld: this session does not have it."""
        await self._do(lambda h: h.release(token=token))

    async def renew(self, lease: float, token: int = 0) -> None:
        """The grant lasts LEASE seconds from now."""
        await self._do(lambda h: h.renew(lease, token))

    async def check(self, token: int) -> None:
        """For what it protects: nothing, if TOKEN is the grant that stands; else raises why not."""
        await self._do(lambda h: h.check(token))

    async def __aenter__(self) -> int:
        await self.acquire()
        return self.token

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.release()


class Lock(_Owned[_core.Lock]):
    """Mutual exclusion between sessions: ``async with lock as token``."""

    async def locked(self) -> bool:
        return await self._do(lambda h: h.locked())

    @asynccontextmanager
    async def leased(self, lease: float, timeout: float | None = None) -> AsyncIterator[int]:
        """Hold it for at most LEASE seconds: the token. Timeout: it was not granted."""
        if not await self.acquire(timeout):
            raise Timeout(f"the lock was not granted in {timeout} seconds")
        token = self.token
        try:
            await self.renew(lease, token)
            yield token
        except BaseException:
            try:
                await self.release(token)
            except InterlockError:
                pass  # what went wrong inside is the news
            raise
        await self.release(token)


class Semaphore(_Owned[_core.Semaphore]):
    """A number of permits."""

    async def get_value(self) -> int:
        """How many are left."""
        return await self._do(lambda h: h.get_value())


class Event(Shared[_core.Event]):
    """A flag to be waited for."""

    async def set(self) -> None:
        await self._do(lambda h: h.set())

    async def clear(self) -> None:
        await self._do(lambda h: h.clear())

    async def is_set(self) -> bool:
        return await self._do(lambda h: h.is_set())

    async def wait(self, timeout: float | None = None) -> bool:
        """Whether it was set, at most TIMEOUT seconds from now."""
        return await self._ready(timeout) is not None


class Latch(Shared[_core.Latch]):
    """Opens once it has been counted down to 0."""

    async def count_down(self, count: int = 1) -> int:
        """What is left."""
        return await self._do(lambda h: h.count_down(count))

    async def count(self) -> int:
        return await self._do(lambda h: h.count())

    async def wait(self, timeout: float | None = None) -> bool:
        """Whether it has opened, at most TIMEOUT seconds from now."""
        return await self._ready(timeout) is not None


class Barrier(Shared[_core.Barrier]):
    """A point where parties wait for each other. A wait has a thread; its cancellation breaks the barrier."""

    async def wait(self, timeout: float | None = None) -> int:
        """0 to parties - 1, each once. Broken: somebody did not come, or gave up."""
        handle = await self._handle()
        return await in_thread(lambda: handle.wait(timeout))

    async def reset(self) -> None:
        await self._do(lambda h: h.reset())

    async def abort(self) -> None:
        """Break it."""
        await self._do(lambda h: h.abort())

    async def broken(self) -> bool:
        return await self._do(lambda h: h.broken)
