"""Doors for tests of the native interface: a private domain, and a real interlockd behind unix: and http:."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator
from where import SOURCE as SOURCE  # for the tests

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 20.0
_numbers = itertools.count(1)


def until(condition: Callable[[], Any]) -> None:
    """Until CONDITION() is true; fails if it never is."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.001)


def fresh(word: str) -> str:
    """A name that no other test uses."""
    return f"{word}-{next(_numbers)}"


class Server:
    """An interlockd on a free port and a socket of its own."""

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        build = Path(os.environ.get("INTERLOCK_BUILD", ROOT / "build"))
        self._directory = tempfile.TemporaryDirectory()
        path = Path(self._directory.name)
        arguments = [str(build / "bin" / "interlockd"), "--http", "127.0.0.1:0"]
        arguments += ["--socket", str(path / "it.sock")]
        if config is not None:
            (path / "config.json").write_text(json.dumps(config))
            arguments += ["--config", str(path / "config.json")]
        self.process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout
        ready = self.process.stdout.readline()
        assert "http=" in ready, f"interlockd did not start: {ready!r}"
        self.http = "http://" + ready.split("http=")[1].split()[0]
        self.unix = f"unix:{path / 'it.sock'}"

    def close(self) -> None:
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0
        assert self.process.stdout
        self.process.stdout.close()
        self._directory.cleanup()


class Aside(threading.Thread):
    """FUNCTION() in a thread; end() gives what it returned or raises what it raised."""

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._function = function
        self._result: Any = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._result = self._function()
        except BaseException as error:
            self._error = error

    def end(self) -> Any:
        self.join(PATIENCE)
        assert not self.is_alive(), "it hangs"
        if self._error is not None:
            raise self._error
        return self._result


DOORS = ("private", "unix", "http")


def address_of(door: str, server: Server) -> str:
    return {"private": "private:", "unix": server.unix, "http": server.http}[door]


def serving(config: dict[str, Any] | None = None) -> Iterator[Server]:
    server = Server(config)
    yield server
    server.close()
