"""What a parent and a child that does not share its memory say to each other, over a Unix socket.

To the child: its descriptors, then two pickles. From it, or from the fork server that made it: notes.
"""

from __future__ import annotations

import io
import os
import pickle
import socket
import struct
from typing import Any, List, Optional, Sequence, Tuple

from . import context, reduction

LOADED = b"L"  # notes: the child has what was pickled for it; its process id; its exit code
STARTED = b"P"
ENDED = b"E"

_HEAD = struct.Struct("=QI")  # bytes of the pickles, number of descriptors
_NOTE = struct.Struct("=cq")
_BATCH = 200  # descriptors in one message

received: List[int] = []  # the descriptors that this process got from its parent


class DupFd:
    """A descriptor on its way to a child."""

    def __init__(self, index: int) -> None:
        self.index = index

    def detach(self) -> int:
        """A descriptor of the same file, the caller's to close."""
        return os.dup(received[self.index])


class Parcel:
    """What goes to a child, and what must live until it has been loaded there."""

    def __init__(self) -> None:
        self.descriptors: List[int] = []
        self.kept: List[Any] = []
        self._data = io.BytesIO()
        self._standard = 0

    def add_standard(self, *more: int) -> None:
        """What every child gets, first: this process's sentinel, the way to the resource tracker, MORE."""
        from . import popen_fork, resource_tracker

        for fd in (popen_fork.own_sentinel(), resource_tracker.getfd(), *more):
            self.descriptors.append(os.dup(fd))
        self._standard = len(self.descriptors)

    def add_descriptor(self, fd: int) -> int:
        self.descriptors.append(os.dup(fd))
        return len(self.descriptors) - 1 - self._standard

    def pack(self, popen: Any, objects: Sequence[Any]) -> None:
        pickler = context._default_context.reducer.ForkingPickler
        context.set_spawning_popen(popen)
        try:
            for obj in objects:
                writer = pickler(self._data, None)
                writer.dump(obj)
                self.kept.append(writer)  # it refers to all that it has written
        finally:
            context.set_spawning_popen(None)

    def send(self, sock: socket.socket) -> None:
        """Returns early if the child has ended: its exit code says it."""
        data = self._data.getbuffer()
        try:
            sock.sendall(_HEAD.pack(len(data), len(self.descriptors)))
            for start in range(0, len(self.descriptors), _BATCH):
                reduction.sendfds(sock, self.descriptors[start:start + _BATCH])
            sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def close(self) -> None:
        for fd in self.descriptors:
            os.close(fd)
        self.descriptors.clear()


def _read(sock: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    view, done = memoryview(data), 0
    while done < size:
        count = sock.recv_into(view[done:])
        if count == 0:
            raise EOFError("the parent process has ended")
        done += count
    return bytes(data)


def receive(sock: socket.socket) -> Tuple[io.BytesIO, List[int]]:
    """The pickles, and the descriptors of them."""
    size, count = _HEAD.unpack(_read(sock, _HEAD.size))
    descriptors: List[int] = []
    while len(descriptors) < count:
        descriptors += reduction.recvfds(sock, _BATCH)
    return io.BytesIO(_read(sock, size)), descriptors


load = pickle.load


def note(sock: socket.socket, kind: bytes, number: int = 0, fd: Optional[int] = None) -> None:
    """Says it to the parent, if that one is still there."""
    fds = [] if fd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("=i", fd))]
    try:
        sock.sendmsg([_NOTE.pack(kind, number)], fds)
    except (BrokenPipeError, ConnectionResetError):
        pass


class Notes:
    """The parent's side."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._data = b""
        self.descriptors: List[int] = []

    def next(self, timeout: Optional[float]) -> Optional[Tuple[bytes, int]]:
        """The next note; None: none within TIMEOUT seconds. EOFError: there will be none."""
        self._socket.settimeout(timeout)
        while len(self._data) < _NOTE.size:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(
                    _NOTE.size - len(self._data), socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC)
            except (BlockingIOError, TimeoutError):
                return None
            except ConnectionResetError:
                data, ancillary = b"", []
            for level, kind, value in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    self.descriptors.append(struct.unpack("=i", value)[0])
            if not data:
                raise EOFError("the other end is closed")
            self._data += data
        kind_of, number = _NOTE.unpack(self._data)
        self._data = b""
        return kind_of, number
