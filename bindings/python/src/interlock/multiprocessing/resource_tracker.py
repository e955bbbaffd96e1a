"""A process that removes what has a name outside of the domain (shared memory files) when the family is gone.

Every process of the family has the pipe to it open. At the pipe's end the tracker unlinks what is left. What
is in the domain needs none of this.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Any, List, Optional

from interlock import threading

from . import _tracker_main, spawn, util

__all__ = ["ensure_running", "register", "unregister"]

_CLEANUP_FUNCS = _tracker_main.CLEANUP
_IGNORED_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LONGEST = 512  # bytes of a message: a pipe takes it whole


class ReentrantCallError(RuntimeError):
    """A finalizer called the tracker in the middle of a call of the tracker."""


class ResourceTracker:
    """This process's view of it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._fd: Optional[int] = None
        self._pid: Optional[int] = None  # None: another process started it

    def _adopt(self, fd: int) -> None:
        """FD: the pipe to the parent's tracker."""
        if self._fd is not None:
            os.close(self._fd)
        self._fd, self._pid = fd, None

    def _check_entered_once(self) -> None:
        if self._lock._recursion_count() > 1:
            raise ReentrantCallError("Reentrant call into the multiprocessing resource tracker")

    def _stop(self) -> None:
        with self._lock:
            self._check_entered_once()
            self._forget()

    def _forget(self) -> None:
        if self._fd is None:
            return
        os.close(self._fd)
        self._fd = None
        if self._pid is not None:
            try:
                os.waitpid(self._pid, 0)
            except ChildProcessError:
                pass
            self._pid = None

    def getfd(self) -> int:
        """The pipe to it."""
        self.ensure_running()
        assert self._fd is not None
        return self._fd

    def ensure_running(self) -> None:
        """Starts it, if no process of the family has."""
        with self._lock:
            self._check_entered_once()
            if self._fd is not None:
                if self._check_alive():
                    return
                self._forget()
                warnings.warn("resource_tracker: process died unexpectedly, relaunching.  Some resources "
                              "might leak.")
            self._start()

    def _start(self) -> None:
        executable = spawn.get_program()
        theirs, ours = os.pipe()
        passed = [theirs]
        try:
            passed.append(sys.stderr.fileno())
        except (AttributeError, OSError, ValueError):
            pass
        command: List[Any] = [executable, *util._args_from_interpreter_flags(), "-S"]
        command += [_tracker_main.__file__, str(theirs)]
        # It must not be ended by a terminal's Ctrl-C before it can say that it ignores it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _IGNORED_SIGNALS)
        try:
            self._pid = util.spawnv_passfds(executable, command, passed)
            self._fd = ours
        except BaseException:
            os.close(ours)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(theirs)

    def _check_alive(self) -> bool:
        try:
            self._write(b"PROBE:0:noop\n")
        except OSError:
            return False
        return True

    def register(self, name: str, rtype: str) -> None:
        """NAME, of the type RTYPE ("shared_memory"), is unlinked at the family's end."""
        self._send("REGISTER", name, rtype)

    def unregister(self, name: str, rtype: str) -> None:
        """NAME was unlinked."""
        self._send("UNREGISTER", name, rtype)

    def _send(self, command: str, name: str, rtype: str) -> None:
        try:
            self.ensure_running()
        except ReentrantCallError:
            warnings.warn(f"ResourceTracker called reentrantly for resource cleanup, which is unsupported. "
                          f"The {rtype} object {name!r} might leak.")
        message = f"{command}:{name}:{rtype}\n".encode("ascii")
        if len(message) > _LONGEST:
            raise ValueError(f"name: expected {_LONGEST} bytes at most with its type, got {len(message)}")
        self._write(message)

    def _write(self, message: bytes) -> None:
        assert self._fd is not None
        os.write(self._fd, message)


_resource_tracker = ResourceTracker()
ensure_running = _resource_tracker.ensure_running
register = _resource_tracker.register
unregister = _resource_tracker.unregister
getfd = _resource_tracker.getfd
