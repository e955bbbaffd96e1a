"""The two kinds of Connection: an end of a pipe in the family's domain, and one over a descriptor."""

from __future__ import annotations

import errno
import os
import struct
from typing import Any, Callable, Optional, Tuple, Type

from .. import _core
from ..errors import Closed
from . import _lending, reduction
from ._readiness import Readiness
from .context import BufferTooShort

_ForkingPickler = reduction.ForkingPickler


class _ConnectionBase:
    """What both have in common. `_handle` is None once it is closed."""

    _handle: Any = None

    def __init__(self, readable: bool, writable: bool) -> None:
        if not readable and not writable:
            raise ValueError("at least one of `readable` and `writable` must be True")
        self._readable = readable
        self._writable = writable

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    def _check_closed(self) -> None:
        if self._handle is None:
            raise OSError("handle is closed")

    def _check_readable(self) -> None:
        self._check_closed()
        if not self._readable:
            raise OSError("connection is write-only")

    def _check_writable(self) -> None:
        self._check_closed()
        if not self._writable:
            raise OSError("connection is read-only")

    @property
    def closed(self) -> bool:
        """Whether this process has closed it."""
        return self._handle is None

    @property
    def readable(self) -> bool:
        return self._readable

    @property
    def writable(self) -> bool:
        return self._writable

    def close(self) -> None:
        raise NotImplementedError

    def _send_bytes(self, data: memoryview) -> None:
        raise NotImplementedError

    def _recv_bytes(self, maxsize: Optional[int] = None) -> Any:
        """One message; None if it has more than MAXSIZE bytes."""
        raise NotImplementedError

    def _poll(self, timeout: Optional[float]) -> bool:
        raise NotImplementedError

    def send_bytes(self, buf: Any, offset: int = 0, size: Optional[int] = None) -> None:
        """Sends SIZE bytes (None: the rest) of a bytes-like object from OFFSET on as one message."""
        self._check_writable()
        data = memoryview(buf)
        if data.itemsize > 1 or data.ndim != 1:
            data = data.cast("B")
        if not 0 <= offset <= len(data):
            raise ValueError(f"offset: expected 0 to {len(data)}, got {offset}")
        if size is None:
            size = len(data) - offset
        if not 0 <= size <= len(data) - offset:
            raise ValueError(f"size: expected 0 to {len(data) - offset}, got {size}")
        self._send_bytes(data[offset:offset + size])

    def send(self, obj: Any) -> None:
        """Sends an object that can be pickled."""
        self._check_writable()
        self._send_bytes(memoryview(_ForkingPickler.dumps(obj)))

    def recv_bytes(self, maxlength: Optional[int] = None) -> bytes:
        """Receives a message as bytes. OSError if it has more than MAXLENGTH, and the connection can then not
        be read any more. EOFError: the other end is closed and nothing is left."""
        self._check_readable()
        if maxlength is not None and maxlength < 0:
            raise ValueError("negative maxlength")
        data = self._recv_bytes(maxlength)
        if data is None:
            if self._writable:
                self._readable = False
            else:
                self.close()
            raise OSError("bad message length")
        return bytes(data)

    def recv_bytes_into(self, buf: Any, offset: int = 0) -> int:
        """Receives a message into a writable bytes-like object from byte OFFSET on; how long it was.
        BufferTooShort has the message, if it does not fit."""
        self._check_readable()
        with memoryview(buf) as given, given.cast("B") as room:
            if offset < 0:
                raise ValueError("negative offset")
            if offset > len(room):
                raise ValueError("offset too large")
            data = self._recv_bytes()
            if len(data) > len(room) - offset:
                raise BufferTooShort(bytes(data))
            room[offset:offset + len(data)] = data
            return len(data)

    def recv(self) -> Any:
        """Receives an object. EOFError: the other end is closed and nothing is left."""
        self._check_readable()
        return _ForkingPickler.loads(self._recv_bytes())

    def poll(self, timeout: Optional[float] = 0.0) -> bool:
        """Whether there is something to receive, or the end, within TIMEOUT seconds (None: without limit)."""
        self._check_readable()
        return self._poll(timeout)


class Connection(_ConnectionBase):
    """Over a descriptor, which it owns: what it sends is what the standard library's Connection receives."""

    def __init__(self, handle: int, readable: bool = True, writable: bool = True) -> None:
        handle = handle.__index__()
        if handle < 0:
            raise ValueError(f"handle: expected a descriptor, got {handle}")
        super().__init__(readable, writable)
        self._handle = handle

    def __del__(self) -> None:
        if self._handle is not None:
            self._close()

    def _close(self, _close: Callable[[int], None] = os.close) -> None:
        handle, self._handle = self._handle, None
        _close(handle)

    def close(self) -> None:
        """Closes it in this process; again: nothing."""
        if self._handle is not None:
            self._close()

    def fileno(self) -> int:
        """The descriptor."""
        self._check_closed()
        return int(self._handle)

    def _write(self, data: Any) -> None:
        rest = memoryview(data)
        while len(rest) > 0:
            rest = rest[os.write(self._handle, rest):]

    def _read(self, size: int, begun: bool) -> bytearray:
        data = bytearray()
        while len(data) < size:
            chunk = os.read(self._handle, min(size - len(data), 1 << 20))
            if not chunk and not begun and not data:
                raise EOFError
            if not chunk:
                raise OSError("got end of file during message")
            data += chunk
        return data

    def _send_bytes(self, data: memoryview) -> None:
        if len(data) > 0x7FFFFFFF:
            self._write(struct.pack("!iQ", -1, len(data)))
        elif len(data) > 16384:
            self._write(struct.pack("!i", len(data)))
        else:
            data = memoryview(struct.pack("!i", len(data)) + bytes(data))
        self._write(data)

    def _recv_bytes(self, maxsize: Optional[int] = None) -> Optional[bytearray]:
        size, = struct.unpack("!i", self._read(4, False))
        if size == -1:
            size, = struct.unpack("!Q", self._read(8, True))
        if size < 0:
            raise OSError("bad message length")
        if maxsize is not None and size > maxsize:
            return None
        return self._read(size, True)

    def _poll(self, timeout: Optional[float]) -> bool:
        from ._wait import wait
        return bool(wait([self], timeout))


class _Ready(_ConnectionBase):
    """One that waits for an object of the domain, `_handle`: fileno() is a descriptor that shows when."""

    _readiness: Optional[Readiness] = None

    def fileno(self) -> int:
        """A descriptor to wait with, in select, epoll or an event loop: readable while there is something to
        receive. Nothing can be read from it or written to it."""
        self._check_closed()
        if self._readiness is None or not self._readiness.is_own():
            self._readiness = Readiness(self._handle)
        return self._readiness.fileno()

    def _taken(self) -> None:
        """Something was received."""
        if self._readiness is not None and self._readiness.is_own():
            self._readiness.look()

    def close(self) -> None:
        """Closes it in this process; again: nothing."""
        handle, self._handle = self._handle, None
        if self._readiness is not None:
            self._readiness.close()
            self._readiness = None
        if handle is not None:
            self._close_handle(handle)

    def _close_handle(self, handle: Any) -> None:
        handle.close()


def _as_of_a_descriptor(error: Exception) -> OSError:
    """What a closed descriptor would have raised."""
    if isinstance(error, BrokenPipeError):
        return BrokenPipeError(errno.EPIPE, "the other end of the pipe is closed")
    return OSError("handle is closed")


class PipeConnection(_Ready, Connection):
    """An end of Pipe(). Several threads or processes may share an end: each message is received once."""

    def __init__(self, pipe: _core.Pipe, readable: bool = True, writable: bool = True) -> None:
        _ConnectionBase.__init__(self, readable, writable)
        self._handle = pipe
        self._put = pipe.send
        self._take = pipe.recv

    def __del__(self) -> None:
        """The extension closes what nobody refers to."""

    def send(self, obj: Any) -> None:
        """Sends an object that can be pickled. BrokenPipeError: the other end is closed."""
        if self._handle is None or not self._writable:
            self._check_writable()
        try:
            self._put(obj)
        except (BrokenPipeError, Closed) as error:
            raise _as_of_a_descriptor(error) from None

    def _send_bytes(self, data: memoryview) -> None:
        try:
            self._handle.send_bytes(data)
        except (BrokenPipeError, Closed) as error:
            raise _as_of_a_descriptor(error) from None

    def recv(self) -> Any:
        """Receives an object. EOFError: the other end is closed and nothing is left."""
        if self._handle is None or not self._readable:
            self._check_readable()
        try:
            obj = self._take()
        except Closed as error:
            raise _as_of_a_descriptor(error) from None
        if self._readiness is not None:
            self._taken()
        return obj

    def _recv_bytes(self, maxsize: Optional[int] = None) -> Any:
        try:
            data = self._handle.recv_bytes()
        except Closed as error:
            raise _as_of_a_descriptor(error) from None
        self._taken()
        return None if maxsize is not None and len(data) > maxsize else data

    def _send_handle(self, descriptor: int) -> None:
        """reduction.send_handle()."""
        self.send(reduction.DupFd(descriptor))

    def _recv_handle(self) -> int:
        """reduction.recv_handle(). RuntimeError: something else was sent."""
        received = self.recv()
        if not hasattr(received, "detach"):
            raise RuntimeError(f"expected a descriptor, received {type(received).__name__}")
        return int(received.detach())

    def _poll(self, timeout: Optional[float]) -> bool:
        return bool(self._handle.poll(timeout if timeout is None or timeout > 0 else 0.0))

    def __reduce__(self) -> Tuple[Any, ...]:
        self._check_closed()
        return rebuild_pipe, (type(self), _lending.lend(self._handle), self._readable, self._writable)


def rebuild_pipe(kind: Type[PipeConnection], loan: Any, readable: bool, writable: bool) -> PipeConnection:
    return kind(_lending.take(loan), readable, writable)


def Pipe(duplex: bool = True) -> Tuple[PipeConnection, PipeConnection]:
    """Two ends that are connected. DUPLEX False: the first only receives, the second only sends."""
    first, second = _core.pipe_pair(_core.default_domain(), duplex=duplex, codec=_core.PICKLE)
    return PipeConnection(first, True, duplex), PipeConnection(second, duplex, True)


def reduce_connection(conn: Connection) -> Tuple[Any, ...]:
    return rebuild_connection, (reduction.DupFd(conn.fileno()), conn.readable, conn.writable)


def rebuild_connection(df: Any, readable: bool, writable: bool) -> Connection:
    return Connection(df.detach(), readable, writable)


reduction.register(Connection, reduce_connection)
