"""A descriptor that is readable while an object of the domain is ready, for select, epoll and event loops."""

from __future__ import annotations

import os
import select
from typing import Any, Optional

from .. import _core


_always = -1


def _always_readable() -> int:
    """A descriptor that is. Forked children have it as well."""
    global _always
    if _always < 0:
        _always, other = os.pipe()
        os.close(other)  # the end of file is there to be read
    return _always


class Readiness:
    """For TARGET, a pipe's end or a queue. The descriptor is an epoll one, with one member: while there is
    something to receive, one that is readable; else that of a _core.Wait. Either takes the other's place."""

    def __init__(self, target: Any) -> None:
        self._target = target
        self._pid = os.getpid()
        self._epoll = select.epoll()
        self._wait: Optional[_core.Wait] = None
        self._member = -1
        self.look()

    def is_own(self) -> bool:
        """Whether this process made it: a forked child has to make another."""
        return self._pid == os.getpid()

    def look(self) -> None:
        """What it shows is right, whatever was received before."""
        self._remove_member()
        if is_ready(self._target):
            self._member = _always_readable()
        else:
            self._wait = _core.Wait([self._target])
            self._member = self._wait.fileno()
        self._epoll.register(self._member, select.EPOLLIN)

    def _remove_member(self) -> None:
        member, self._member = self._member, -1
        if member >= 0:
            self._epoll.unregister(member)
        wait, self._wait = self._wait, None
        if wait is not None:
            wait.close()

    def fileno(self) -> int:
        if is_ready(self._target) or self._wait is None or self._wait.finish() is not None:
            self.look()
        return self._epoll.fileno()

    def close(self) -> None:
        if self.is_own():
            self._remove_member()
        self._epoll.close()


def is_ready(target: Any) -> bool:
    """Whether a receive from a pipe's end, or a get from a queue, would not wait."""
    if isinstance(target, _core.Queue):
        return not target.empty()
    return bool(target.poll(0.0))
