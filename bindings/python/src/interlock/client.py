"""A connection to a domain, and the objects in it by their names."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Dict, Iterator, Literal, Sequence

from . import _core
from .objects import Condition, Lock, Loss, Namespace, RLock, RWLock, Watch, losses
from .pools import Pool

Codec = Literal["json", "pickle"]


def codec_number(codec: Codec) -> int:
    """JSON for every language, PICKLE for any Python object: only among programs that trust each other."""
    numbers = {"json": _core.JSON, "pickle": _core.PICKLE}
    if codec not in numbers:
        raise ValueError(f"codec: expected 'json' or 'pickle', got {codec!r}")
    return numbers[codec]


class Client:
    """A session in a domain. What it holds is released when it is closed, or when the process ends.

    A method opens the object of that name, and makes it if there is none. Without a name the object is
    anonymous and goes with its last handle (private: and unix: domains). Options that are given must be
    those that it has (Conflict); where none are given it is taken as it is. Timeouts are seconds,
    None waits without limit. Any number of threads may use a client.
    """

    def __init__(self, domain: _core.Domain) -> None:
        self._domain = domain

    @property
    def address(self) -> str:
        """As it was given to connect()."""
        return self._domain.address

    @property
    def closed(self) -> bool:
        return self._domain.closed

    def close(self) -> None:
        """End the session: release what it holds, close all of its objects. A second time does nothing."""
        self._domain.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{'closed ' if self.closed else ''}interlock.Client {self.address!r}>"

    def info(self) -> Dict[str, int]:
        """clients, arena_bytes, free_bytes and objects of an arena. Unsupported over HTTP."""
        return self._domain.info()

    # ---- locks and signals -------------------------------------------------------------------

    def lock(
        self, name: str | None = None, *, fair: bool = False, lock_delay: float = 0.0,
        report_deadlock: bool = False,
    ) -> Lock:
        """Mutual exclusion. FAIR: in the order of arrival. LOCK_DELAY: seconds for which it is held back
        after a holder failed. REPORT_DEADLOCK: a cycle of waits is listed rather than raised as Deadlock."""
        return Lock(
            self._domain, name, fair=fair, lock_delay=lock_delay, report_deadlock=report_deadlock
        )

    def rlock(
        self, name: str | None = None, *, fair: bool = False, lock_delay: float = 0.0,
        report_deadlock: bool = False,
    ) -> RLock:
        """A lock that the thread that has it may acquire again."""
        return RLock(
            self._domain, name, fair=fair, lock_delay=lock_delay, report_deadlock=report_deadlock
        )

    def rwlock(self, name: str | None = None, *, report_deadlock: bool = False) -> RWLock:
        """Shared by many, or exclusive to one: ``with lock.shared():``, ``with lock.exclusive():``."""
        return RWLock(self._domain, name, report_deadlock=report_deadlock)

    def semaphore(
        self, name: str | None = None, *, value: int = 1, bounded: bool = False,
        signal: bool = False, report_deadlock: bool = False,
    ) -> _core.Semaphore:
        """VALUE permits, which return when their holder dies. BOUNDED: never more. SIGNAL: they are
        consumed by acquiring, as by a consumer of what another side produces."""
        return _core.Semaphore(
            self._domain, name, value=value, bounded=bounded, signal=signal,
            report_deadlock=report_deadlock,
        )

    def event(self, name: str | None = None) -> _core.Event:
        """A flag that threads wait for."""
        return _core.Event(self._domain, name)

    def latch(self, name: str | None = None, count: int | None = None) -> _core.Latch:
        """Opens once COUNT (1, if it is made without) has been counted down to 0."""
        return _core.Latch(self._domain, name, count)

    def barrier(self, name: str | None = None, parties: int | None = None) -> _core.Barrier:
        """A point where PARTIES (needed to make one) wait for each other."""
        return _core.Barrier(self._domain, name, parties)

    def condition(self, name: str | None = None, *, lock: Lock | RLock | None = None) -> Condition:
        """On LOCK, or with a recursive lock of its own."""
        return Condition(self._domain, name, lock=lock)

    # ---- messages ------------------------------------------------------------------------------

    def queue(
        self, name: str | None = None, *, maxsize: int = 0, codec: Codec = "json"
    ) -> _core.Queue:
        """First in, first out; at most MAXSIZE messages (0: as many as there is memory for)."""
        return _core.Queue(self._domain, name, maxsize=maxsize, codec=codec_number(codec))

    def pipe(
        self, name: str, end: Literal["a", "b"], *, duplex: bool = True, max_bytes: int = 0,
        codec: Codec = "json",
    ) -> _core.Pipe:
        """One end of a pipe. Not DUPLEX: b sends and a receives. MAX_BYTES may wait in a direction."""
        return _core.Pipe(
            self._domain, name, end, duplex=duplex, max_bytes=max_bytes, codec=codec_number(codec)
        )

    def pipe_pair(
        self, *, duplex: bool = True, max_bytes: int = 0, codec: Codec = "json"
    ) -> tuple[_core.Pipe, _core.Pipe]:
        """Both ends of a pipe without a name."""
        return _core.pipe_pair(
            self._domain, duplex=duplex, max_bytes=max_bytes, codec=codec_number(codec)
        )

    # ---- shared data ---------------------------------------------------------------------------

    def value(
        self, name: str | None = None, type: str | None = None, *, room: int = 0
    ) -> _core.Value:
        """One number ("i8" ... "u64", "f32", "f64"), or "bytes" or "text" of up to ROOM bytes."""
        return _core.Value(self._domain, name, type, room=room)

    def array(
        self, name: str | None = None, type: str | None = None, length: int | None = None, *,
        room: int = 0,
    ) -> _core.Array:
        """LENGTH of them."""
        return _core.Array(self._domain, name, type, length, room=room)

    def dict(
        self, name: str | None = None, *, codec: Codec = "json", max_entries: int = 0,
        max_entry_bytes: int = 0, max_bytes: int = 0,
    ) -> _core.Dict:
        """Python's dict, each call atomic, each entry with a version. Limits of 0: the domain's."""
        return _core.Dict(
            self._domain, name, codec=codec_number(codec), max_entries=max_entries,
            max_entry_bytes=max_entry_bytes, max_bytes=max_bytes,
        )

    def list(
        self, name: str | None = None, *, codec: Codec = "json", max_entries: int = 0,
        max_entry_bytes: int = 0, max_bytes: int = 0,
    ) -> _core.List:
        """Python's list, each call atomic."""
        return _core.List(
            self._domain, name, codec=codec_number(codec), max_entries=max_entries,
            max_entry_bytes=max_entry_bytes, max_bytes=max_bytes,
        )

    def namespace(self, name: str | None = None, *, codec: Codec = "json") -> Namespace:
        """The dict of that name, with its entries as attributes."""
        return Namespace(self.dict(name, codec=codec))

    def watch(self, target: Any, after: int = 0) -> Watch:
        """The changes of TARGET (dict, list, value, queue, lock, rlock): ``for change in client.watch(d)``.

        AFTER: the id of the last change that is known; 0: from the state as it is now.
        """
        return Watch(target, after)

    # ---- several at once -----------------------------------------------------------------------

    def acquire_all(self, targets: Sequence[Any], timeout: float | None = None) -> "AllOf":
        """All of TARGETS (locks, rlocks, semaphores), or none: ``with client.acquire_all([a, b]) as tokens``.

        Holds nothing while it waits, so that the order does not matter. Timeout: none was acquired.
        """
        return AllOf(targets, _core.acquire_all(targets, timeout))

    def wait_any(self, targets: Sequence[Any], timeout: float | None = None) -> int:
        """The index of the first that is ready: an event that is set, a latch at 0, a queue or pipe with
        something to receive; a lock or semaphore, which is then acquired. Timeout."""
        return _core.wait_any(targets, timeout)

    # ---- what became of it, and who works ---------------------------------------------------------

    def losses(self, timeout: float | None = None) -> Iterator[Loss]:
        """Each grant that this session loses, as it does, until none was lost for TIMEOUT seconds."""
        return losses(self._domain, timeout)

    def pool(self, name: str) -> Pool:
        """The pool of workers NAME of the server. NotFound; Unsupported in a private: domain."""
        return Pool(_core.Workers(self._domain, name), name)

    def process(self, arguments: Sequence[str | bytes], **options: Any) -> _core.Process:
        """Start a program that opens this domain by ``interlock.connect("inherited:")``. OPTIONS: program,
        environment, directory, daemon, own_group, stdin, stdout, stderr."""
        return _core.Process(arguments, domain=self._domain, **options)


class AllOf:
    """What acquire_all() acquired. As a context manager it gives its tokens, and releases all at the end."""

    __slots__ = ("_targets", "tokens")

    def __init__(self, targets: Sequence[Any], tokens: Sequence[int]) -> None:
        self._targets = tuple(targets)
        self.tokens = tuple(tokens)

    def release(self) -> None:
        """Release all. A second time does nothing."""
        targets, self._targets = self._targets, ()
        if targets:
            _core.release_all(targets, self.tokens)

    def __enter__(self) -> tuple[int, ...]:
        return self.tokens

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def connect(
    address: str = "private:", *, arena_bytes: int = 0, label: str | None = None
) -> Client:
    """A session in the domain at ADDRESS.

    "private:": of this program, its forked children and the programs it starts; ARENA_BYTES of address space.
    "unix:PATH": an interlockd on this host, by shared memory. "http://HOST:PORT": one anywhere.
    "inherited:": the one that the program was started with. LABEL names the session to people.
    """
    return Client(_core.Domain(address, arena_bytes=arena_bytes, label=label))
