"""How objects are pickled for other processes: methods, partial calls and sockets as well."""

from __future__ import annotations

import array
import copyreg
import functools
import io
import pickle
import socket
from abc import ABCMeta
from typing import Any, Callable, Dict, List, Optional, Sequence

from interlock import _core

__all__ = ["send_handle", "recv_handle", "ForkingPickler", "register", "dump", "DupFd", "sendfds", "recvfds"]

HAVE_SEND_HANDLE = True  # descriptors can be sent over Unix sockets


class ForkingPickler(pickle.Pickler):
    """A pickler with reducers of its own: register()."""

    _extra_reducers: Dict[type, Callable[[Any], Any]] = {}

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.dispatch_table = {**copyreg.dispatch_table, **self._extra_reducers}

    @classmethod
    def register(cls, type: type, reduce: Callable[[Any], Any]) -> None:
        """Objects of TYPE are pickled as what REDUCE returns for them, see object.__reduce__()."""
        cls._extra_reducers[type] = reduce

    @classmethod
    def dumps(cls, obj: Any, protocol: Optional[int] = None) -> memoryview:
        buffer = io.BytesIO()
        cls(buffer, protocol).dump(obj)
        return buffer.getbuffer()

    loads = staticmethod(pickle.loads)


register = ForkingPickler.register


def dump(obj: Any, file: Any, protocol: Optional[int] = None) -> None:
    """pickle.dump() with ForkingPickler."""
    ForkingPickler(file, protocol).dump(obj)


def _dumps(obj: Any) -> bytes:
    buffer = io.BytesIO()
    ForkingPickler(buffer, pickle.HIGHEST_PROTOCOL).dump(obj)
    return buffer.getvalue()


# ---- descriptors ----------------------------------------------------------------------------


def sendfds(sock: socket.socket, fds: Sequence[int]) -> None:
    """Sends the descriptors, 250 at most, over a Unix socket."""
    numbers = array.array("i", fds)
    sock.sendmsg([bytes([len(numbers) % 256])], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)])


def recvfds(sock: socket.socket, size: int) -> List[int]:
    """What the other end's sendfds() sent, SIZE at most. EOFError: it is closed."""
    numbers = array.array("i")
    room = socket.CMSG_SPACE(numbers.itemsize * size)
    message, ancillary, _, _ = sock.recvmsg(1, room, socket.MSG_CMSG_CLOEXEC)
    if not message and not ancillary:
        raise EOFError
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(data[:len(data) - len(data) % numbers.itemsize])
    if len(numbers) % 256 != message[0]:
        raise RuntimeError(f"received {len(numbers)} descriptors where {message[0]} were sent")
    return numbers.tolist()


def send_handle(conn: Any, handle: int, destination_pid: Optional[int]) -> None:
    """Sends a descriptor over a connection that is a Unix socket, or through a pipe."""
    if hasattr(conn, "_send_handle"):
        conn._send_handle(handle)
        return
    with socket.fromfd(conn.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sendfds(sock, [handle])


def recv_handle(conn: Any) -> int:
    """The descriptor that the other end's send_handle() sent."""
    if hasattr(conn, "_recv_handle"):
        return int(conn._recv_handle())
    with socket.fromfd(conn.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        return recvfds(sock, 1)[0]


def DupFd(fd: int) -> Any:
    """An object that can be pickled. detach() of what comes out is a descriptor of the same file."""
    from . import context

    popen = context.get_spawning_popen()
    if popen is not None:
        return popen.DupFd(popen.duplicate_for_child(fd))
    from . import resource_sharer

    return resource_sharer.DupFd(fd)


# ---- reducers -------------------------------------------------------------------------------


class _Example:
    def method(self) -> None: ...


def _reduce_method(method: Any) -> Any:
    return getattr, (method.__self__, method.__func__.__name__)


def _reduce_method_descriptor(method: Any) -> Any:
    return getattr, (method.__objclass__, method.__name__)


def _reduce_partial(call: functools.partial[Any]) -> Any:
    return _rebuild_partial, (call.func, call.args, call.keywords or {})


def _rebuild_partial(func: Any, args: Any, keywords: Any) -> Any:
    return functools.partial(func, *args, **keywords)


def _reduce_socket(sock: socket.socket) -> Any:
    return _rebuild_socket, (DupFd(sock.fileno()), sock.family, sock.type, sock.proto)


def _rebuild_socket(handle: Any, family: int, type: int, proto: int) -> socket.socket:
    return socket.socket(family, type, proto, fileno=handle.detach())


def _register_all() -> None:
    register(type(_Example().method), _reduce_method)
    register(type(list.append), _reduce_method_descriptor)
    register(type(int.__add__), _reduce_method_descriptor)
    register(functools.partial, _reduce_partial)
    register(socket.socket, _reduce_socket)


class AbstractReducer(metaclass=ABCMeta):
    """The base of what may take this module's place: context.reducer."""

    ForkingPickler = ForkingPickler
    register = staticmethod(register)
    dump = staticmethod(dump)
    send_handle = staticmethod(send_handle)
    recv_handle = staticmethod(recv_handle)
    sendfds = staticmethod(sendfds)
    recvfds = staticmethod(recvfds)
    DupFd = staticmethod(DupFd)

    def __init__(self, *args: Any) -> None:
        _register_all()


_register_all()
_core.set_pickler(_dumps, pickle.loads)
