"""Forked children of tests, and waiting for what they do."""

from __future__ import annotations

import os
import signal
import time
import traceback
from typing import Any, Callable

PATIENCE = 20.0


def eventually(condition: Callable[[], Any]) -> Any:
    """What CONDITION() is once it is true."""
    deadline = time.monotonic() + PATIENCE
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


class Child:
    """A forked child that runs BODY(child); child.say() there ends said() here."""

    def __init__(self, body: Callable[[Child], Any]) -> None:
        self._read, self._write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                body(self)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(self._write)

    def say(self) -> None:
        os.write(self._write, b"x")

    def said(self) -> None:
        assert os.read(self._read, 1) == b"x", "the child ended before it said anything"

    def sleeps(self) -> bool:
        """Whether its only thread that runs Python waits in the kernel."""
        with open(f"/proc/{self.pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "S"

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.join(-signal.SIGKILL)

    def join(self, code: int = 0) -> None:
        _, status = os.waitpid(self.pid, 0)
        os.close(self._read)
        assert os.waitstatus_to_exitcode(status) == code
