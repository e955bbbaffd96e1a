"""The objects of a client, as far as they can more than those of the extension."""

from __future__ import annotations

import time
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Callable, Generator, Iterator, NamedTuple

from . import _core
from .errors import InterlockError, Timeout

KINDS = (
    "", "lock", "queue", "rlock", "rwlock", "semaphore", "event", "condition", "barrier", "latch",
    "pipe", "value", "array", "dict", "list",
)


class Loss(NamedTuple):
    """A grant that this session has lost."""

    kind: str  # "lock", "rwlock", ...
    name: str | None
    token: int
    code: str  # "lease_lost", or "revoked": an operator broke it
    reason: str  # the operator's


def _give_back(release: Callable[[int], None], token: int) -> Generator[int, None, None]:
    try:
        yield token
    except BaseException:
        try:
            release(token)
        except InterlockError:
            pass  # what went wrong inside is the news
        raise
    release(token)


class Lock(_core.Lock):
    """Mutual exclusion between sessions. ``with lock as token:`` waits without limit."""

    __slots__ = ()

    @contextmanager
    def leased(self, lease: float, timeout: float | None = None) -> Iterator[int]:
        """Hold it for at most LEASE seconds (renew() prolongs that): the token.

        Timeout: it was not granted. LeaseLost at the end: somebody else may have had it meanwhile.
        """
        yield from _give_back(self.release, self.acquire_leased(lease, timeout))


class RLock(_core.RLock):
    """A lock that its owner, a thread, may acquire again."""

    __slots__ = ()

    @contextmanager
    def leased(self, lease: float, timeout: float | None = None) -> Iterator[int]:
        """As Lock.leased()."""
        yield from _give_back(self.release, self.acquire_leased(lease, timeout))


class RWLock(_core.RWLock):
    """Shared by any number of threads, or exclusive to one."""

    __slots__ = ()

    @contextmanager
    def shared(self, timeout: float | None = None, lease: float = 0.0) -> Iterator[int]:
        """Share it: the token. Timeout: it was not granted."""
        yield from _give_back(self.release, self.acquire_shared(timeout, lease))

    @contextmanager
    def exclusive(self, timeout: float | None = None, lease: float = 0.0) -> Iterator[int]:
        """Have it alone: the token. Timeout: it was not granted."""
        yield from _give_back(self.release, self.acquire_exclusive(timeout, lease))


class Condition(_core.Condition):
    """Waiting until something that its lock protects has changed."""

    __slots__ = ()

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Wait until PREDICATE() is true, or TIMEOUT seconds: what it said last. The lock is held."""
        end = None if timeout is None else time.monotonic() + timeout
        result = predicate()
        while not result:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                break
            self.wait(left)
            result = predicate()
        return result


class Namespace:
    """The entries of a dict as attributes. Names that begin with ``_`` are none."""

    __slots__ = ("_dict",)
    _dict: _core.Dict

    def __init__(self, entries: _core.Dict) -> None:
        object.__setattr__(self, "_dict", entries)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._dict[_public(name)]
        except KeyError:
            raise AttributeError(f"the namespace has no {name!r}", name=name, obj=self) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._dict[_public(name)] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self._dict[_public(name)]
        except KeyError:
            raise AttributeError(f"the namespace has no {name!r}", name=name, obj=self) from None

    def __contains__(self, name: str) -> bool:
        return name in self._dict

    def __dir__(self) -> list[str]:
        return sorted(self._dict.keys())

    def __repr__(self) -> str:
        return f"Namespace({', '.join(f'{k}={v!r}' for k, v in sorted(self._dict.items()))})"


def _public(name: str) -> str:
    if name.startswith("_"):
        raise AttributeError(f"{name!r}: a name in a namespace does not begin with _", name=name)
    return name


class Watch:
    """The changes of an object, one after the other: an iterator that waits for each."""

    __slots__ = ("_watch",)

    def __init__(self, target: Any, after: int = 0) -> None:
        self._watch = _core.Watch(target, after)

    def next(self, timeout: float | None = None) -> dict[str, Any]:
        """The next change. Timeout: there was none in TIMEOUT seconds; Deleted: there will be none."""
        return self._watch.next(timeout)

    def __iter__(self) -> Watch:
        return self

    def __next__(self) -> dict[str, Any]:
        return self._watch.next()

    def close(self) -> None:
        """Stop watching. A second time does nothing."""
        self._watch.close()

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def loss_of(told: dict[str, Any]) -> Loss:
    """What Domain.next_loss() said."""
    code = "revoked" if told["why"] == -33 else "lease_lost"
    return Loss(KINDS[told["kind"]], told["name"], told["token"], code, told["reason"])


def losses(domain: _core.Domain, timeout: float | None) -> Iterator[Loss]:
    """Each grant that the session loses, until none was lost for TIMEOUT seconds."""
    while True:
        try:
            told = domain.next_loss(timeout)
        except Timeout:
            return
        yield loss_of(told)
