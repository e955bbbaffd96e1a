"""Pools of the server for coroutines."""

from __future__ import annotations

from typing import Any, Generator, Iterable, Sequence

from .. import pools
from .waiting import in_thread


class Task:
    """A call that a pool was asked for: ``await task`` is its result."""

    __slots__ = ("_future",)

    def __init__(self, future: pools.Future) -> None:
        self._future = future

    @property
    def id(self) -> int:
        """Its number on the server."""
        return self._future.id

    def __await__(self) -> Generator[Any, None, Any]:
        return self.result().__await__()

    async def result(self, timeout: float | None = None) -> Any:
        """What the function returned, or raises what came of it. A cancelled wait leaves the task alone."""
        return await in_thread(lambda: self._future.result(timeout))

    async def done(self) -> bool:
        return await in_thread(self._future.done)

    async def state(self) -> str:
        """queued, delayed, running, succeeded, failed, cancelled, timed_out or lost."""
        return await in_thread(self._future.state)

    async def cancel(self) -> bool:
        """Ask it to end: True if it has ended so."""
        return await in_thread(self._future.cancel)


class Pool:
    """A pool of the server."""

    __slots__ = ("_pool",)

    def __init__(self, pool: pools.Pool) -> None:
        self._pool = pool

    @property
    def name(self) -> str:
        return self._pool.name

    def options(self, **options: Any) -> Pool:
        """As interlock.Pool.options()."""
        return Pool(self._pool.options(**options))

    async def submit(self, function: str, /, *args: Any, **kwargs: Any) -> Task:
        """Ask for FUNCTION(*args, **kwargs)."""
        return Task(await in_thread(lambda: self._pool.submit(function, *args, **kwargs)))

    async def call(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        """Its result. A cancelled wait cancels the task."""
        return await in_thread(lambda: self._pool.call(function, *args, **kwargs))

    async def map(
        self, function: str, items: Iterable[Any], *, chunk: int = 0, timeout: float | None = None
    ) -> list[Any]:
        """As interlock.Pool.map(). A cancelled wait cancels what has not ended."""
        return await in_thread(
            lambda: self._pool.map(function, items, chunk=chunk, timeout=timeout)
        )

    async def starmap(
        self, function: str, items: Iterable[Sequence[Any]], *, chunk: int = 0,
        timeout: float | None = None,
    ) -> list[Any]:
        """The same with the arguments of each call."""
        return await in_thread(
            lambda: self._pool.starmap(function, items, chunk=chunk, timeout=timeout)
        )

    async def close(self) -> None:
        """Close this handle: the pool, and what was submitted, go on."""
        await in_thread(self._pool.close)
