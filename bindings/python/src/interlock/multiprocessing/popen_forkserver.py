"""Children that are forks of the fork server."""

from __future__ import annotations

import os
import signal
from typing import Any, Optional

from . import _handover, forkserver, popen_fork, util
from .popen_spawn import PicklingPopen
from .process import wait_readable

__all__ = ["Popen"]


class Popen(PicklingPopen):
    """The server says what becomes of the child. If it has ended before, the exit code is UNKNOWN."""

    method = "forkserver"

    def _launch(self, process_obj: Any) -> None:
        assert self._parcel is not None
        parcel = self._parcel
        try:
            parcel.add_standard(forkserver._forkserver.channel())
            self._pack(process_obj)
            self._socket, self.pid, self.sentinel, self._notes = forkserver.connect_to_new_process()
            self.finalizer = util.Finalize(self, _close, (self._socket, self.sentinel))
            parcel.send(self._socket)
        finally:
            parcel.close()

    def poll(self, flag: int = os.WNOHANG) -> Optional[int]:
        self._hear(0)
        if self.returncode is None and wait_readable(self.sentinel, 0 if flag == os.WNOHANG else None):
            self._hear(None)
        return self.returncode

    def _hear(self, timeout: Optional[float]) -> None:
        while self.returncode is None:
            try:
                note = self._notes.next(timeout)
            except EOFError:
                if not wait_readable(self.sentinel, 0):
                    return  # the server is gone, the child runs
                note = (_handover.ENDED, popen_fork.UNKNOWN)
            if note is None:
                return
            self._parcel = None
            if note[0] == _handover.ENDED:
                self.returncode = note[1]

    def _send_signal(self, number: int) -> None:
        if self.poll() is None:
            try:
                signal.pidfd_send_signal(self.sentinel, number)
            except ProcessLookupError:
                pass


def _close(sock: Any, sentinel: int) -> None:
    sock.close()
    os.close(sentinel)
