"""connection.wait(): over ends of pipes and queues, which are objects of the domain, and descriptors."""

from __future__ import annotations

import select
import time
from typing import Any, Iterable, List, Optional

from .. import _core
from ..errors import Timeout
from ._connections import _Ready
from ._readiness import is_ready

_TARGETS_MAX = 64  # of one wait of the domain


def _target_of(obj: Any) -> Any:
    """The object of the domain that OBJ waits for; None: it has a descriptor."""
    if not isinstance(obj, _Ready):
        return None
    obj._check_closed()
    return obj._handle


class _Waiting:
    """One call: what of its objects is to be waited for how."""

    def __init__(self, objects: List[Any]) -> None:
        self._objects = objects
        self._targets = [_target_of(obj) for obj in objects]
        self._fds = [obj if isinstance(obj, int) else obj.fileno() if target is None else -1
                     for obj, target in zip(objects, self._targets)]
        self._poll = select.poll()
        for fd in self._fds:
            if fd >= 0:
                self._poll.register(fd, select.POLLIN)
        self._of_domain = [target for target in self._targets if target is not None]

    def ready(self) -> List[Any]:
        descriptors = {fd for fd, _ in self._poll.poll(0)}
        return [obj for obj, target, fd in zip(self._objects, self._targets, self._fds)
                if (is_ready(target) if target is not None else fd in descriptors)]

    def sleep(self, timeout: Optional[float]) -> None:
        """Until something may be ready, at most TIMEOUT seconds."""
        if all(fd < 0 for fd in self._fds) and 0 < len(self._of_domain) <= _TARGETS_MAX:
            try:
                _core.wait_any(self._of_domain, timeout)
            except Timeout:
                pass
            return
        waits = [_core.Wait(self._of_domain[start:start + _TARGETS_MAX])
                 for start in range(0, len(self._of_domain), _TARGETS_MAX)]
        try:
            for each in waits:
                self._poll.register(each.fileno(), select.POLLIN)
            self._poll.poll(None if timeout is None else timeout * 1000)
        finally:
            for each in waits:
                self._poll.unregister(each.fileno())
                each.close()


def wait(object_list: Iterable[Any], timeout: Optional[float] = None) -> List[Any]:
    """Those of OBJECT_LIST that are ready to be read: Connections, sockets, process sentinels and other
    descriptors, and what has a fileno(). Waits TIMEOUT seconds (None: without limit) for one."""
    waiting = _Waiting(list(object_list))
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        ready = waiting.ready()
        left = None if deadline is None else deadline - time.monotonic()
        if ready or (left is not None and left <= 0):
            return ready
        waiting.sleep(left)
