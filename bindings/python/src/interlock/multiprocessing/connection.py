"""Connections: Pipe() between processes of a family, Listener and Client between any two, and wait().

The ends of a Pipe are objects of the family's domain. Listener and Client use sockets, and speak with the
standard library's.
"""

from __future__ import annotations

import os
import socket
import tempfile
from typing import Any, Callable, Final, List, Optional

from . import reduction as reduction  # noqa: F401
from . import util
from ._auth import (  # noqa: F401: names of the standard module
    CHALLENGE as CHALLENGE, FAILURE as FAILURE, MESSAGE_LENGTH as MESSAGE_LENGTH, WELCOME as WELCOME,
    answer_challenge as answer_challenge, check_argument, check_both, deliver_challenge as deliver_challenge)
from ._connections import (  # noqa: F401
    Connection as Connection, Pipe as Pipe, PipeConnection as PipeConnection,
    _ConnectionBase as _ConnectionBase, _ForkingPickler as _ForkingPickler,
    rebuild_connection as rebuild_connection, rebuild_pipe as rebuild_pipe,
    reduce_connection as reduce_connection)
from ._wait import wait as wait
from .context import (  # noqa: F401
    AuthenticationError as AuthenticationError, BufferTooShort as BufferTooShort)

__all__ = ["Client", "Listener", "Pipe", "wait"]

SocketConnection = Connection

BUFSIZE: Final = 8192
CONNECTION_TIMEOUT: Final = 20.0
default_family: Final = "AF_UNIX"
families: Final[List[str]] = ["AF_INET", "AF_UNIX"]


def arbitrary_address(family: str) -> Any:
    """An address of FAMILY that is free."""
    if family == "AF_INET":
        return "localhost", 0
    if family == "AF_UNIX":
        return tempfile.mktemp(prefix="listener-", dir=util.get_temp_dir())
    raise ValueError(f"family: expected one of {', '.join(families)}, got {family!r}")


def _validate_family(family: str) -> None:
    if family == "AF_PIPE":
        raise ValueError(f"Family {family} is not recognized.")


def address_type(address: Any) -> str:
    """The family of ADDRESS: 'AF_INET', 'AF_UNIX' or 'AF_PIPE'."""
    if type(address) is tuple:
        return "AF_INET"
    if type(address) is str and address.startswith("\\\\"):
        return "AF_PIPE"
    if type(address) is str or util.is_abstract_socket_namespace(address):
        return "AF_UNIX"
    raise ValueError(f"address type of {address!r} unrecognized")


class SocketListener:
    """A socket that is bound and listens."""

    def __init__(self, address: Any, family: str, backlog: int = 1) -> None:
        self._socket = socket.socket(getattr(socket, family))
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.setblocking(True)
            self._socket.bind(address)
            self._socket.listen(backlog)
            self._address = self._socket.getsockname()
        except OSError:
            self._socket.close()
            raise
        self._family = family
        self._last_accepted: Any = None
        self._unlink: Optional[Callable[[], Any]] = None
        if family == "AF_UNIX" and not util.is_abstract_socket_namespace(address):
            self._unlink = util.Finalize(self, os.unlink, args=(address,), exitpriority=0)

    def accept(self) -> Connection:
        accepted, self._last_accepted = self._socket.accept()
        accepted.setblocking(True)
        return Connection(accepted.detach())

    def close(self) -> None:
        try:
            self._socket.close()
        finally:
            unlink, self._unlink = self._unlink, None
            if unlink is not None:
                unlink()


def SocketClient(address: Any) -> Connection:
    """A connection to whoever listens at ADDRESS."""
    with socket.socket(getattr(socket, address_type(address))) as connected:
        connected.setblocking(True)
        connected.connect(address)
        return Connection(connected.detach())


class Listener:
    """Listens at ADDRESS (None: one that is free). With AUTHKEY both ends prove that they know it."""

    def __init__(self, address: Any = None, family: Optional[str] = None, backlog: int = 1,
                 authkey: Optional[bytes] = None) -> None:
        family = family or (address and address_type(address)) or default_family
        check_argument(authkey)
        _validate_family(family)
        address = address or arbitrary_address(family)
        self._listener: Optional[SocketListener] = SocketListener(address, family, backlog)
        self._authkey = authkey

    def _open(self) -> SocketListener:
        if self._listener is None:
            raise OSError("listener is closed")
        return self._listener

    def accept(self) -> Any:
        """The connection to the next client. AuthenticationError: it does not know the key."""
        connection = self._open().accept()
        check_both(connection, self._authkey, True)
        return connection

    def close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    @property
    def address(self) -> Any:
        return self._open()._address

    @property
    def last_accepted(self) -> Any:
        return self._open()._last_accepted

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()


def Client(address: Any, family: Optional[str] = None, authkey: Optional[bytes] = None) -> Any:
    """A connection to the Listener at ADDRESS. With AUTHKEY both ends prove that they know it."""
    family = family or address_type(address)
    _validate_family(family)
    check_argument(authkey)
    connection = SocketClient(address)
    check_both(connection, authkey, False)
    return connection


class ConnectionWrapper:
    """CONN with another way to make objects bytes and back."""

    def __init__(self, conn: Any, dumps: Callable[[Any], bytes], loads: Callable[[bytes], Any]) -> None:
        self._conn = conn
        self._dumps = dumps
        self._loads = loads
        for name in ("fileno", "close", "poll", "recv_bytes", "send_bytes"):
            setattr(self, name, getattr(conn, name))

    def send(self, obj: Any) -> None:
        self._conn.send_bytes(self._dumps(obj))

    def recv(self) -> Any:
        return self._loads(self._conn.recv_bytes())


def _xml_dumps(obj: Any) -> bytes:
    from xmlrpc import client
    return client.dumps((obj,), None, None, None, True).encode("utf-8")


def _xml_loads(data: bytes) -> Any:
    from xmlrpc import client
    (obj,), _ = client.loads(data.decode("utf-8"))
    return obj


class XmlListener(Listener):
    """One whose connections send objects as XML."""

    def accept(self) -> Any:
        return ConnectionWrapper(super().accept(), _xml_dumps, _xml_loads)


def XmlClient(*args: Any, **kwargs: Any) -> ConnectionWrapper:
    return ConnectionWrapper(Client(*args, **kwargs), _xml_dumps, _xml_loads)
