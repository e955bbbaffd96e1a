"""Children that are new interpreters."""

from __future__ import annotations

import socket
from typing import Any, List, Optional

from interlock import _core

from . import _handover, popen_fork, spawn, util

__all__ = ["Popen"]


def _close_all(things: List[Any]) -> None:
    for thing in things:
        thing.close()


class PicklingPopen(popen_fork.Popen):
    """What was pickled for the child is kept until it has been loaded there."""

    DupFd = _handover.DupFd

    def __init__(self, process_obj: Any) -> None:
        self._parcel: Optional[_handover.Parcel] = _handover.Parcel()
        super().__init__(process_obj)

    def duplicate_for_child(self, fd: int) -> int:
        assert self._parcel is not None
        return self._parcel.add_descriptor(fd)

    def keep(self, obj: Any) -> None:
        """OBJ lives until the child has loaded what was pickled."""
        assert self._parcel is not None
        self._parcel.kept.append(obj)

    def _pack(self, process_obj: Any) -> None:
        assert self._parcel is not None
        self._parcel.pack(self, [spawn.get_preparation_data(process_obj._name), process_obj])
        self.keep((process_obj._target, process_obj._args, process_obj._kwargs))


class Popen(PicklingPopen):
    method = "spawn"

    def _launch(self, process_obj: Any) -> None:
        assert self._parcel is not None
        parcel = self._parcel
        try:
            parcel.add_standard()
            self._pack(process_obj)
            ours, theirs = socket.socketpair()
            with theirs:
                self._process = _core.Process(spawn.get_command_line(), domain=_core.default_domain(),
                                              program=spawn.get_program(), stdin=theirs.fileno())
            self._notes = _handover.Notes(ours)
            self.pid = self._process.pid
            self.sentinel = self._process.fileno()
            self.finalizer = util.Finalize(self, _close_all, ([self._process, ours],))
            parcel.send(ours)
        finally:
            parcel.close()

    def poll(self, flag: int = 0) -> Optional[int]:
        self._let_go()
        if self.returncode is None:
            self.returncode = self._process.poll()
        return self.returncode

    def _let_go(self) -> None:
        """Of what the child has loaded."""
        if self._parcel is None or self.returncode is not None:
            return
        try:
            if self._notes.next(0) is None:
                return
        except EOFError:
            pass
        self._parcel = None

    def wait(self, timeout: Optional[float] = None) -> Optional[int]:
        if self.returncode is None:
            self.returncode = self._process.join(timeout)
        self._let_go()
        if self.returncode is not None:
            self._parcel = None
        return self.returncode

    def _send_signal(self, number: int) -> None:
        if self.returncode is None:
            self._process.signal(number)
