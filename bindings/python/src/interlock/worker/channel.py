"""The socket to the server: lines in, lines out."""

from __future__ import annotations

import socket
import threading
from typing import Any, Iterator, List

from ..encoding import encode, plain
from .messages import read_line

LINE_MAX_BYTES = 24 * 1024 * 1024


class Gone(Exception):
    """Nobody listens any more."""


class Channel:
    """Any thread may send; one receives."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(True)  # whatever it was made as
        self._socket.set_inheritable(False)  # it is not for what the functions start
        self._sending = threading.Lock()
        self._lines = self._socket.makefile("rb", buffering=256 * 1024)

    def messages(self) -> Iterator[Any]:
        """What the server says, until its end: see read_line()."""
        while True:
            try:
                line = self._lines.readline(LINE_MAX_BYTES + 1)
            except ConnectionResetError:
                return
            if not line.endswith(b"\n"):
                if len(line) > LINE_MAX_BYTES:
                    raise ValueError("the server sent a line of more than 24 MiB")
                return  # the end, or what is left of a line of a server that died
            yield read_line(line)

    def send(self, line: bytes) -> None:
        try:
            with self._sending:
                self._socket.sendall(line)
        except (BrokenPipeError, ConnectionResetError):
            raise Gone from None

    def hello(self, name: str, functions: List[str], slots: int) -> None:
        params = {
            "protocol": 1,
            "name": name.encode()[:63].decode(errors="ignore"),
            "functions": functions,
            "slots": slots,
            "batch": True,
        }
        self.send(encode({"jsonrpc": "2.0", "method": "hello", "params": params}) + b"\n")

    def result(self, request_id: bytes, value: bytes) -> None:
        """VALUE is JSON."""
        head = b'{"jsonrpc":"2.0","id":' + request_id + b',"result":'
        if len(head) + len(value) + 2 > LINE_MAX_BYTES:
            raise ValueError("it does not fit in a line of 24 MiB")
        self.send(b"".join((head, value, b"}\n")))

    def error(self, request_id: bytes, code: int, message: str, **data: Any) -> None:
        """DATA: type, traceback, retry."""
        error = {
            "code": code,
            "message": plain(message),
            "data": {k: plain(v) if isinstance(v, str) else v for k, v in data.items()},
        }
        self.send(
            b'{"jsonrpc":"2.0","id":' + request_id + b',"error":' + encode(error) + b"}\n"
        )

    def progress(self, request_id: bytes, value: bytes) -> None:
        """VALUE is JSON."""
        self.send(
            b'{"jsonrpc":"2.0","method":"progress","params":{"id":'
            + request_id
            + b',"value":'
            + value
            + b"}}\n"
        )
