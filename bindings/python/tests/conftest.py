"""A worker that runs, spoken to as the server does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest
from where import SOURCE as SOURCE  # for the tests


class Session:
    def __init__(self, module: Path, *arguments: str, slots: int = 1) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(30)
        environment = dict(
            os.environ,
            INTERLOCK_WORKER_FD=str(theirs.fileno()),
            INTERLOCK_SLOTS=str(slots),
            PYTHONPATH=str(SOURCE),
            PYTHONDONTWRITEBYTECODE="1",
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "interlock.worker", str(module), *arguments],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        theirs.close()
        self._lines = self.socket.makefile("rb")
        hello = self.hear()
        self.hello = hello["params"] if hello else None

    def say(self, message: Any) -> None:
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def say_text(self, text: str) -> None:
        self.socket.sendall(text.encode() + b"\n")

    def hear(self) -> Any:
        line = self._lines.readline()
        return json.loads(line) if line else None

    def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        """The answer, whole."""
        self.say(request("1", function, list(args), kwargs))
        return self.hear()

    def end(self) -> "tuple[int, str, str]":
        """Exit status, stdout, stderr."""
        self.socket.shutdown(socket.SHUT_WR)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self._lines.close()
        self.socket.close()


def request(request_id: str, function: str, args: Any, kwargs: Any = None) -> Any:
    params = {"function": function, "args": args, "kwargs": kwargs or {}}
    params.update(task="4611686018427387904", attempt=2)
    return {"jsonrpc": "2.0", "id": request_id, "method": "call", "params": params}


Start = Callable[..., Session]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start(source text, arguments..., slots=1): a worker of a module with that text."""
    sessions: List[Session] = []

    def begin(text: str, *arguments: str, slots: int = 1) -> Session:
        module = tmp_path / "functions.py"
        module.write_text(text)
        sessions.append(Session(module, *arguments, slots=slots))
        return sessions[-1]

    yield begin
    for session in sessions:
        session.close()


@pytest.fixture(scope="session")
def what_stays_open() -> None:
    """The heap's lock, the event of the thread that waits for what was lent, and the sharer's lock."""
    from interlock import multiprocessing
    from interlock.multiprocessing import heap, resource_sharer

    heap.BufferWrapper(1)
    resource_sharer.stop()
    one, other = multiprocessing.Pipe()
    one.send(one)
    other.recv()


@pytest.fixture
def nothing_is_left_open(what_stays_open: None) -> Iterator[None]:
    """Whatever of the default domain is opened in a test is closed after it."""
    import gc

    from interlock import _core
    from mp_children import eventually

    def count() -> int:
        gc.collect()
        info = _core.default_domain().info()
        return info["handles"] + info["objects"]

    before = count()
    yield
    eventually(lambda: count() <= before)
