"""What the tests of interlock.threading and interlock.queue share."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading as standard
import time
from typing import Any, Callable, List

import pytest

import interlock.threading as threading
from interlock import _core
from where import SOURCE as SOURCE

LONG = 30.0


def run(script: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """SCRIPT in an interpreter of its own, which has imported `threading` from the package."""
    return subprocess.run(
        [sys.executable, "-c", "import interlock.threading as threading\n" + script],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **environment},
        capture_output=True, text=True, timeout=60,
    )


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.001)


def objects() -> int:
    gc.collect()
    return _core.default_domain().info()["handles"]


def spawn(function: Callable[..., Any], *args: Any) -> threading.Thread:
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


def in_child(function: Callable[[], Any]) -> int:
    """Exit status of a forked child that calls FUNCTION: 0 if it returned true."""
    pid = os.fork()
    if pid == 0:
        status = 2
        try:
            status = 0 if function() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Interrupt(Exception):
    pass


def interrupted(wait: Callable[[], Any]) -> None:
    """Calls WAIT in the main thread and sends it a signal again and again until the handler's exception comes
    out of it."""
    armed = [False]

    def handler(number: int, frame: object) -> None:
        if armed[0]:
            armed[0] = False
            raise Interrupt

    def knock() -> None:
        while not over.wait(0.02):
            signal.pthread_kill(main, signal.SIGUSR1)

    main, over = standard.main_thread().ident or 0, standard.Event()
    old = signal.signal(signal.SIGUSR1, handler)
    knocker = standard.Thread(target=knock)
    knocker.start()
    try:
        with pytest.raises(Interrupt):
            armed[0] = True
            wait()
    finally:
        armed[0] = False
        over.set()
        knocker.join()
        signal.signal(signal.SIGUSR1, old)


def in_thread(function: Callable[[], Any]) -> Any:
    results: List[Any] = []
    thread = spawn(lambda: results.append(function()))
    thread.join()
    return results[0]
