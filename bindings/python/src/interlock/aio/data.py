"""Shared data for coroutines: the calls of the extension's classes, awaited."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Iterable

from .. import _core
from ..errors import Deleted
from .waiting import Shared, in_thread

_NONE: Any = object()


class Value(Shared[_core.Value]):
    """One number, or bytes or text."""

    async def type(self) -> str:
        return await self._do(lambda h: h.type)

    async def load(self) -> Any:
        return await self._do(lambda h: h.load())

    async def store(self, value: Any) -> None:
        await self._do(lambda h: h.store(value))

    async def add(self, delta: Any) -> Any:
        """What it was before."""
        return await self._do(lambda h: h.add(delta))

    async def exchange(self, value: Any) -> Any:
        """What it was before."""
        return await self._do(lambda h: h.exchange(value))

    async def compare_exchange(self, expected: Any, value: Any) -> bool:
        """Whether it was EXPECTED, and is VALUE now."""
        return await self._do(lambda h: h.compare_exchange(expected, value))


class Array(Shared[_core.Array]):
    """Many of them."""

    async def type(self) -> str:
        return await self._do(lambda h: h.type)

    async def length(self) -> int:
        return await self._do(len)

    async def get(self, index: int | slice) -> Any:
        return await self._do(lambda h: h[index])

    async def set(self, index: int | slice, value: Any) -> None:
        await self._do(lambda h: h.__setitem__(index, value))

    async def add(self, index: int, delta: Any) -> Any:
        """What it was before."""
        return await self._do(lambda h: h.add(index, delta))

    async def exchange(self, index: int, value: Any) -> Any:
        """What it was before."""
        return await self._do(lambda h: h.exchange(index, value))

    async def compare_exchange(self, index: int, expected: Any, value: Any) -> bool:
        """Whether it was EXPECTED, and is VALUE now."""
        return await self._do(lambda h: h.compare_exchange(index, expected, value))


class Dict(Shared[_core.Dict]):
    """Python's dict, each call atomic."""

    async def get(self, key: Any, default: Any = None) -> Any:
        return await self._do(lambda h: h.get(key, default))

    async def set(self, key: Any, value: Any) -> None:
        await self._do(lambda h: h.__setitem__(key, value))

    async def get_version(self, key: Any) -> tuple[Any, int]:
        """(value, version). KeyError."""
        return await self._do(lambda h: h.get_version(key))

    async def set_version(self, key: Any, value: Any, version: int) -> int:
        """Set it if it has VERSION (0: if it is not there): its new version. Changed."""
        return await self._do(lambda h: h.set_version(key, value, version))

    async def setdefault(self, key: Any, default: Any = None) -> Any:
        return await self._do(lambda h: h.setdefault(key, default))

    async def delete_key(self, key: Any) -> None:
        """KeyError: it is not there."""
        await self._do(lambda h: h.__delitem__(key))

    async def pop(self, key: Any, default: Any = _NONE) -> Any:
        """Remove it: its value. Without DEFAULT a key that is not there is KeyError."""
        rest = () if default is _NONE else (default,)
        return await self._do(lambda h: h.pop(key, *rest))

    async def popitem(self) -> tuple[Any, Any]:
        return await self._do(lambda h: h.popitem())

    async def contains(self, key: Any) -> bool:
        return await self._do(lambda h: key in h)

    async def length(self) -> int:
        return await self._do(len)

    async def update(self, other: Any = (), /, **kwargs: Any) -> None:
        """One atomic change."""
        await self._do(lambda h: h.update(other, **kwargs))

    async def change(self, set: Any = (), remove: Iterable[Any] = (), expect: Any = ()) -> int:
        """Set and remove entries at once, if all of EXPECT have the versions that it says. Changed."""
        return await self._do(lambda h: h.change(set, remove, expect))

    async def items(self) -> list[tuple[Any, Any]]:
        return await self._do(lambda h: h.items())

    async def keys(self) -> list[Any]:
        return await self._do(lambda h: h.keys())

    async def values(self) -> list[Any]:
        return await self._do(lambda h: h.values())

    async def clear(self) -> None:
        await self._do(lambda h: h.clear())


class List(Shared[_core.List]):
    """Python's list, each call atomic."""

    async def get(self, index: int | slice) -> Any:
        return await self._do(lambda h: h[index])

    async def set(self, index: int | slice, value: Any) -> None:
        await self._do(lambda h: h.__setitem__(index, value))

    async def delete_at(self, index: int | slice) -> None:
        await self._do(lambda h: h.__delitem__(index))

    async def append(self, value: Any) -> None:
        await self._do(lambda h: h.append(value))

    async def extend(self, values: Iterable[Any]) -> None:
        await self._do(lambda h: h.extend(values))

    async def insert(self, index: int, value: Any) -> None:
        await self._do(lambda h: h.insert(index, value))

    async def pop(self, index: int = -1) -> Any:
        return await self._do(lambda h: h.pop(index))

    async def remove(self, value: Any) -> None:
        await self._do(lambda h: h.remove(value))

    async def index(self, value: Any) -> int:
        return await self._do(lambda h: h.index(value))

    async def contains(self, value: Any) -> bool:
        return await self._do(lambda h: value in h)

    async def length(self) -> int:
        return await self._do(len)

    async def copy(self) -> list[Any]:
        return await self._do(lambda h: h.copy())

    async def clear(self) -> None:
        await self._do(lambda h: h.clear())


class Watch:
    """The changes of an object: ``async for change in client.watch(d)``. A wait has a thread."""

    def __init__(self, target: Shared[Any], after: int = 0) -> None:
        self._target, self._after = target, after
        self._watch: _core.Watch | None = None
        self._kept: list[dict[str, Any]] = []

    async def next(self, timeout: float | None = None) -> dict[str, Any]:
        """The next change. Timeout; Deleted: there will be none."""
        if self._kept:
            return self._kept.pop(0)
        target = await self._target._handle()
        return await in_thread(lambda: self._next(target, timeout), self._kept.append)

    def _next(self, target: Any, timeout: float | None) -> dict[str, Any]:
        if self._watch is None:
            self._watch = _core.Watch(target, self._after)
        return self._watch.next(timeout)

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> dict[str, Any]:
        try:
            return await self.next()
        except Deleted:
            raise StopAsyncIteration from None

    async def close(self) -> None:
        """Stop watching."""
        watch, self._watch = self._watch, None
        if watch:
            await in_thread(watch.close)

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
