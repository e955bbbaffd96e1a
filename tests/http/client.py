"""A small HTTP/1.1 client that can send anything, hold a request open, and vanish in many ways.

Each answer it reads is held against openapi.yaml.
"""
import json
import socket
import struct
import time
from collections import deque

import contract
from places import SLOWNESS

PATIENCE = 10.0 * SLOWNESS  # seconds until a test gives up; nothing is expected to take as long


class Disconnected(Exception):
    """The server closed the connection instead of answering."""


def wait_until(state, patience=PATIENCE, what="the awaited state"):
    """Returns what STATE() gives as soon as that is true."""
    deadline = time.monotonic() + patience
    while True:
        value = state()
        if value:
            return value
        assert time.monotonic() < deadline, f"not reached in {patience} s: {what}"
        time.sleep(0.002)


class Answer:
    """Status, headers and body of one answer."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def headers_of(self, name):
        """All values of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        """The value of a header, or None."""
        return next(iter(self.headers_of(name)), None)

    @property
    def json(self):
        """The body, parsed."""
        return contract.load(self.body)

    @property
    def code(self):
        """The code of a problem; None if the answer is none."""
        return self.json.get("code") if self.body else None

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:1000]!r}>"


def encode(method, target, body=None, headers=()):
    """The bytes of a request. BODY: None, bytes, or what becomes JSON."""
    lines = [f"{method} {target} HTTP/1.1"]
    names = {name.lower() for name, _ in headers}
    if "host" not in names:
        lines.append("Host: localhost")
    if body is not None:
        if not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        if "content-type" not in names:
            lines.append("Content-Type: application/json")
        if "content-length" not in names and "transfer-encoding" not in names:
            lines.append(f"Content-Length: {len(body)}")
    elif method in ("POST", "PUT") and "content-length" not in names:
        lines.append("Content-Length: 0")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


class Connection:
    """One connection. Requests and answers may be sent and read one by one, or pipelined."""

    def __init__(self, address):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        if family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(address)
        self.buffer = bytearray()
        self.asked = deque()  # (method, target, body) whose answers are still to come

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, method, target, body=None, headers=()):
        """Sends a request and does not wait."""
        data = encode(method, target, body, headers)
        self.asked.append((method, target, data.partition(b"\r\n\r\n")[2]))
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may have been answered before it was complete
        return self

    def send_bytes(self, data, method=None, target=None):
        """Sends DATA as it is; METHOD and TARGET say what request the answer is to belong to."""
        if method:
            self.asked.append((method, target, None))
        self.socket.sendall(data)
        return self

    def answer(self, patience=PATIENCE, check=True):
        """Reads the next answer. CHECK: against openapi.yaml."""
        method, target, body = self.asked.popleft() if self.asked else ("GET", "/", None)
        deadline = time.monotonic() + patience
        while True:
            answer = self._read_message(method, deadline)
            if answer.status >= 200:
                break
        if check:
            contract.check_answer(method, target, answer)
            if body is not None:
                contract.check_request(method, target, body, answer)
        return answer

    def call(self, method, target, body=None, headers=(), patience=PATIENCE):
        """Sends a request and reads its answer."""
        return self.send(method, target, body, headers).answer(patience)

    def stream(self, patience=PATIENCE, parse=contract.load):
        """The answer that comes now, without its body, and a generator of the lines of that."""
        method, _, _ = self.asked.popleft()
        deadline = time.monotonic() + patience
        answer = self._read_head(deadline)
        assert method != "HEAD" and answer.header("Transfer-Encoding") == "chunked", answer

        def lines():
            pending = b""
            while True:
                chunk = self._read_chunk(time.monotonic() + patience)
                if not chunk:
                    assert not pending, pending
                    return
                pending += chunk
                *whole, pending = pending.split(b"\n")
                yield from map(parse, whole)
        return answer, lines()

    def events(self, patience=PATIENCE):
        """The answer that comes now, and a generator of its Server-Sent Events: dicts of id, event
        and data. A comment is one whose event is None."""
        answer, lines = self.stream(patience, bytes.decode)
        assert answer.header("Content-Type") == "text/event-stream", answer

        def events():
            event = {}
            for line in lines:
                if line == ":":
                    event["event"] = None
                elif line:
                    field, _, value = line.partition(": ")
                    assert field in ("id", "event", "data") and field not in event, line
                    event[field] = contract.load(value.encode()) if field == "data" else value
                else:
                    yield event
                    event = {}
            assert not event, event
        return answer, events()

    def is_quiet(self, seconds):
        """Whether neither a byte nor the end of the connection arrives within SECONDS."""
        if self.buffer:
            return False
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(65536)
        except (TimeoutError, BlockingIOError):
            return True
        finally:
            self.socket.settimeout(PATIENCE)
        self.buffer += data
        return False

    def is_closed_by_server(self, patience=PATIENCE):
        """Waits for the end of the connection. False if bytes come, or nothing."""
        self.socket.settimeout(patience)
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def read_all(self, patience=PATIENCE):
        """Everything up to the end of the connection."""
        deadline = time.monotonic() + patience
        try:
            while True:
                self._receive(deadline)
        except Disconnected:
            return bytes(self.buffer)

    def close(self):
        """Leaves in the ordinary way."""
        self.socket.close()

    def reset(self):
        """Leaves with a reset: what is on its way is thrown away."""
        if self.socket.family == socket.AF_INET:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _receive(self, deadline):
        self.socket.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self.socket.recv(1 << 20)
        except ConnectionError:
            data = b""
        if not data:
            raise Disconnected(f"after {bytes(self.buffer[:200])!r}")
        self.buffer += data

    def _read_until(self, mark, deadline):
        start = 0
        while True:
            end = self.buffer.find(mark, start)
            if end >= 0:
                part = bytes(self.buffer[:end])
                del self.buffer[:end + len(mark)]
                return part
            start = max(0, len(self.buffer) - len(mark))
            self._receive(deadline)

    def _read_exactly(self, count, deadline):
        while len(self.buffer) < count:
            self._receive(deadline)
        part = bytes(self.buffer[:count])
        del self.buffer[:count]
        return part

    def _read_chunk(self, deadline):
        size = int(self._read_until(b"\r\n", deadline).split(b";")[0], 16)
        part = self._read_exactly(size, deadline)
        self._read_until(b"\r\n", deadline)
        return part

    def _read_head(self, deadline):
        lines = self._read_until(b"\r\n\r\n", deadline).decode("latin-1").split("\r\n")
        version, status, _ = (lines[0] + " ").split(" ", 2)
        assert version in ("HTTP/1.1", "HTTP/1.0"), lines[0]
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        return Answer(int(status), headers, b"")

    def _read_message(self, method, deadline):
        answer = self._read_head(deadline)
        if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
            return answer
        if answer.header("Transfer-Encoding") == "chunked":
            parts = []
            while part := self._read_chunk(deadline):
                parts.append(part)
            answer.body = b"".join(parts)
        else:
            length = answer.header("Content-Length")
            assert length is not None, f"neither Content-Length nor chunked: {answer}"
            answer.body = self._read_exactly(int(length), deadline)
        return answer
