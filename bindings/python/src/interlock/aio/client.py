"""A connection to a domain for coroutines."""

from __future__ import annotations

from types import TracebackType
from typing import Any, AsyncIterator, Dict as Names, Generator, Literal, Sequence

from .. import _core, client
from ..client import Codec, codec_number
from ..errors import Timeout, Unsupported
from ..objects import Loss, loss_of
from .data import Array, Dict, List, Value, Watch
from .messages import Pipe, Queue
from .pools import Pool
from .sync import Barrier, Event, Latch, Lock, Semaphore
from .waiting import Shared, in_thread, wait_any


class Client:
    """A session in a domain: interlock.Client for coroutines of one event loop.

    Its methods make objects as interlock.Client's do, and take the same arguments; they do not wait. Where a
    server has to be asked (http:), an object is opened by its first call, which then raises what is wrong.
    """

    def __init__(self, domain: _core.Domain) -> None:
        self._domain = domain
        try:
            domain.info()
            self._remote = False
        except Unsupported:
            self._remote = True

    @property
    def address(self) -> str:
        return self._domain.address

    @property
    def closed(self) -> bool:
        return self._domain.closed

    async def close(self) -> None:
        """End the session: release what it holds, close all of its objects. A second time does nothing."""
        await in_thread(self._domain.close)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{'closed ' if self.closed else ''}interlock.aio.Client {self.address!r}>"

    def lock(
        self, name: str | None = None, *, fair: bool = False, lock_delay: float = 0.0
    ) -> Lock:
        return Lock(
            name, lambda: _core.Lock(self._domain, name, fair=fair, lock_delay=lock_delay),
            self._remote,
        )

    def semaphore(
        self, name: str | None = None, *, value: int = 1, bounded: bool = False,
        signal: bool = False,
    ) -> Semaphore:
        return Semaphore(
            name,
            lambda: _core.Semaphore(
                self._domain, name, value=value, bounded=bounded, signal=signal
            ),
            self._remote,
        )

    def event(self, name: str | None = None) -> Event:
        return Event(name, lambda: _core.Event(self._domain, name), self._remote)

    def latch(self, name: str | None = None, count: int | None = None) -> Latch:
        return Latch(name, lambda: _core.Latch(self._domain, name, count), self._remote)

    def barrier(self, name: str | None = None, parties: int | None = None) -> Barrier:
        return Barrier(name, lambda: _core.Barrier(self._domain, name, parties), self._remote)

    def queue(
        self, name: str | None = None, *, maxsize: int = 0, codec: Codec = "json"
    ) -> Queue:
        number = codec_number(codec)
        return Queue(
            name, lambda: _core.Queue(self._domain, name, maxsize=maxsize, codec=number),
            self._remote,
        )

    def pipe(
        self, name: str, end: Literal["a", "b"], *, duplex: bool = True, max_bytes: int = 0,
        codec: Codec = "json",
    ) -> Pipe:
        number = codec_number(codec)
        return Pipe(
            name,
            lambda: _core.Pipe(
                self._domain, name, end, duplex=duplex, max_bytes=max_bytes, codec=number
            ),
            self._remote,
        )

    def value(
        self, name: str | None = None, type: str | None = None, *, room: int = 0
    ) -> Value:
        return Value(
            name, lambda: _core.Value(self._domain, name, type, room=room), self._remote
        )

    def array(
        self, name: str | None = None, type: str | None = None, length: int | None = None, *,
        room: int = 0,
    ) -> Array:
        return Array(
            name, lambda: _core.Array(self._domain, name, type, length, room=room), self._remote
        )

    def dict(self, name: str | None = None, *, codec: Codec = "json", **limits: int) -> Dict:
        """LIMITS: max_entries, max_entry_bytes, max_bytes."""
        number = codec_number(codec)
        return Dict(
            name, lambda: _core.Dict(self._domain, name, codec=number, **limits), self._remote
        )

    def list(self, name: str | None = None, *, codec: Codec = "json", **limits: int) -> List:
        """LIMITS: max_entries, max_entry_bytes, max_bytes."""
        number = codec_number(codec)
        return List(
            name, lambda: _core.List(self._domain, name, codec=number, **limits), self._remote
        )

    def watch(self, target: Shared[Any], after: int = 0) -> Watch:
        """The changes of TARGET: ``async for change in client.watch(d)``."""
        return Watch(target, after)

    async def pool(self, name: str) -> Pool:
        """The pool of workers NAME of the server. NotFound; Unsupported in a private: domain."""
        pool = client.Client(self._domain).pool
        return Pool(await in_thread(lambda: pool(name)))

    async def wait_any(self, targets: Sequence[Shared[Any]], timeout: float | None = None) -> int:
        """The index of the first that is ready; a lock or semaphore is then acquired, with its `token`.
        Timeout."""
        handles = [await target._handle() for target in targets]
        index, token = await wait_any(handles, timeout, self._remote)
        target = targets[index]
        if isinstance(target, (Lock, Semaphore)):
            target.token = token
        return index

    async def losses(self, timeout: float | None = None) -> AsyncIterator[Loss]:
        """Each grant that this session loses, as it does, until none was lost for TIMEOUT seconds."""
        while True:
            try:
                told = await in_thread(lambda: self._domain.next_loss(timeout))
            except Timeout:
                return
            yield loss_of(told)

    async def info(self) -> Names[str, int]:
        """As interlock.Client.info()."""
        return self._domain.info()


class Connecting:
    """What connect() returns: to be awaited, or entered."""

    __slots__ = ("_address", "_options", "_client")

    def __init__(self, address: str, options: Names[str, Any]) -> None:
        self._address, self._options = address, options
        self._client: Client | None = None

    async def _connect(self) -> Client:
        return Client(
            await in_thread(
                lambda: _core.Domain(self._address, **self._options), _core.Domain.close
            )
        )

    def __await__(self) -> Generator[Any, None, Client]:
        return self._connect().__await__()

    async def __aenter__(self) -> Client:
        self._client = await self._connect()
        return self._client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._client:
            await self._client.close()


def connect(
    address: str = "private:", *, arena_bytes: int = 0, label: str | None = None
) -> Connecting:
    """As interlock.connect(): ``client = await connect(...)``, or ``async with connect(...) as client:``."""
    return Connecting(address, {"arena_bytes": arena_bytes, "label": label})
