"""Children that are forks. Also what the other ways of starting share."""

from __future__ import annotations

import os
import signal
from typing import Any, Optional, Tuple

from . import util
from .process import wait_readable

__all__ = ["Popen"]

UNKNOWN = 255  # the exit code of a child that somebody else has waited for

_own_sentinel: Tuple[int, int] = (0, -1)  # the process, its descriptor of itself


def own_sentinel() -> int:
    """A descriptor, this process's for as long as it runs, that is readable once the process has ended."""
    global _own_sentinel
    pid = os.getpid()
    if _own_sentinel[0] != pid:
        _own_sentinel = (pid, os.pidfd_open(pid))
    return _own_sentinel[1]


def sentinel_of(pid: int) -> int:
    """The same for a child; at once readable if it is gone already."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        end, other = os.pipe()
        os.close(other)
        return end


class Popen:
    """A started process: its pid, sentinel (a descriptor) and, once it has ended, returncode."""

    method = "fork"
    pid: int
    sentinel: int

    def __init__(self, process_obj: Any) -> None:
        util._flush_std_streams()
        self.returncode: Optional[int] = None
        self.finalizer: Optional[util.Finalize] = None
        self._launch(process_obj)

    def duplicate_for_child(self, fd: int) -> int:
        return fd

    def poll(self, flag: int = os.WNOHANG) -> Optional[int]:
        """The exit code, or None: it runs. FLAG 0: waits for it."""
        if self.returncode is None and wait_readable(self.sentinel, 0 if flag == os.WNOHANG else None):
            self._collect()
        return self.returncode

    def _collect(self) -> None:
        """Another thread may be here as well: the code is known before the child is reaped."""
        try:
            result = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if result is None:
                return
            status = result.si_status
            self.returncode = status if result.si_code == os.CLD_EXITED else -status
            os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            if self.returncode is None:
                self.returncode = UNKNOWN

    def wait(self, timeout: Optional[float] = None) -> Optional[int]:
        """The exit code; None: it still runs after TIMEOUT seconds."""
        if self.returncode is None and wait_readable(self.sentinel, timeout):
            return self.poll()
        return self.returncode

    def _send_signal(self, number: int) -> None:
        if self.poll() is None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def terminate(self) -> None:
        self._send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self._send_signal(signal.SIGKILL)

    def _launch(self, process_obj: Any) -> None:
        parent_sentinel = own_sentinel()
        code = 1
        self.pid = os.fork()
        if self.pid == 0:
            try:
                code = process_obj._bootstrap(parent_sentinel=parent_sentinel)
            finally:
                os._exit(code)
        self.sentinel = sentinel_of(self.pid)
        self.finalizer = util.Finalize(self, util.close_fds, (self.sentinel,))

    def close(self) -> None:
        if self.finalizer is not None:
            self.finalizer()
