"""Whether a manager lives: a lock in the domain that its process holds from its start to its end.

However the process ends, the domain frees the lock within microseconds, so every process sees at a glance
whether the manager of an object is still there, without asking it.
"""

from __future__ import annotations

import os
import weakref
from typing import Any

from ... import _core, errors, threading
from .. import process
from .messages import ManagerDied

__all__ = ["Beat", "Life"]

LOOK_SECONDS = 0.2  # how often who waits for something of a manager looks whether that still lives


class Beat:
    """The manager's side. ``stop()`` ends the manager's life for everybody."""

    def __init__(self, address: Any) -> None:
        self.ident = os.urandom(16).hex()
        self._lock = _core.Lock(_core.default_domain())
        self._lock.acquire()
        self.ticket = _core.share(self._lock)
        self._kept: dict[bytes, Any] = {}
        self._stopped = False

    def keep(self, ticket: bytes) -> None:
        """Keeps a shared object open. NotFound: it has gone already."""
        if ticket not in self._kept:
            self._kept[ticket] = _core.adopt(ticket)

    def kept(self) -> int:
        return len(self._kept)

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self._lock.release()
            self._kept.clear()


class Life:
    """A client's view of a manager. There is one for each manager in a process: see at()."""

    _known: weakref.WeakValueDictionary[str, Life] = weakref.WeakValueDictionary()

    def __init__(self, ident: str, ticket: bytes, address: Any) -> None:
        self.ident = ident
        self.ticket = ticket
        self.address = address
        self.authkey: bytes | None = None
        self.ended = False
        self.lock: _core.Lock = _core.adopt(ticket)
        self._local = threading.local()
        self._proxies: weakref.WeakSet[Any] = weakref.WeakSet()
        # Who has once waited for something also watches for deaths, or another process of the domain does.
        if self.lock.acquire(True, 1e-6):
            self.lock.release()
            raise self.died()

    @classmethod
    def at(cls, ident: str, ticket: bytes, address: Any) -> Life:
        """The life of the manager IDENT. ManagerDied: it is over; NotFound: it is not in this domain."""
        known = cls._known.get(ident)
        if known is None:
            known = cls._known.setdefault(ident, cls(ident, ticket, address))
        return known

    def add(self, proxy: Any) -> None:
        """PROXY is one of the manager's, for proxies()."""
        self._proxies.add(proxy)

    def proxies(self) -> list[Any]:
        """Proxies of the domain's objects that this process has, one for each object."""
        return list({proxy._id: proxy for proxy in self._proxies}.values())

    def __reduce__(self) -> Any:
        return _restore, (self.ident, self.ticket, self.address)

    def alive(self) -> bool:
        return not self.ended and self.lock.locked()

    def fail(self) -> None:
        """What a guarded handle calls when nobody holds the lock."""
        raise self.died()

    def check(self) -> None:
        """ManagerDied: it has ended."""
        if self.ended or not self.lock.locked():
            raise self.died()

    def died(self) -> ManagerDied:
        return ManagerDied(f"the manager at {self.address!r} has ended, and this object with it")

    def keep(self, ticket: bytes) -> None:
        """Has the manager keep a shared object open until its own end."""
        self.check()
        try:
            self._connection_call("keep", ticket)
        except (EOFError, OSError) as error:
            if self.alive():
                raise
            raise self.died() from error

    def end(self) -> None:
        """The manager is over, as this process knows."""
        self.ended = True
        if getattr(self._local, "pid", None) == os.getpid():
            self._local.pid = None
            self._local.connection.close()

    def _connection_call(self, name: str, *args: Any) -> None:
        from .messages import dispatch
        from .server import clients_of
        local = self._local
        if getattr(local, "pid", None) != os.getpid():
            _, client = clients_of("pickle")
            key = self.authkey or process.current_process().authkey
            conn = client(self.address, authkey=key)
            dispatch(conn, None, "accept_connection", (process.current_process().name,))
            local.connection, local.pid = conn, os.getpid()
        try:
            dispatch(local.connection, "0", name, args)
        except (EOFError, OSError):
            local.pid = None
            raise


def _restore(ident: str, ticket: bytes, address: Any) -> Life:
    try:
        return Life.at(ident, ticket, address)
    except errors.NotFound:
        raise ManagerDied(f"the manager at {address!r} has ended") from None
