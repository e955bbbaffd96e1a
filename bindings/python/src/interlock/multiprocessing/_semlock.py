"""The `_semlock` of locks and semaphores, at which concurrent.futures looks; who holds a lock."""

from __future__ import annotations

import os
from typing import Any, Final, Literal

from .. import _core

RECURSIVE_MUTEX: Final = 0
SEMAPHORE: Final = 1
SEM_VALUE_MAX: Final = 2147483647


def holder(lock: _core.Lock) -> Literal["nobody", "me", "thread", "process"]:
    """Who holds it: nobody, the caller, another thread of this process, another process."""
    owner = lock.owner()
    if owner is None:
        return "nobody"
    if owner["mine"]:
        return "me"
    return "thread" if owner["pid"] == os.getpid() else "process"


class SemLock:
    """A view of SHARED with the names that the standard library's semaphore has."""

    SEM_VALUE_MAX: Final = SEM_VALUE_MAX
    name: Final = None

    def __init__(self, shared: Any, kind: int, maxvalue: int) -> None:
        self._shared = shared
        self.kind: Final = kind
        self.maxvalue: Final = maxvalue
        self.handle: Final = id(shared)
        self.acquire = shared.acquire
        self.release = shared.release

    def __enter__(self) -> Any:
        return self._shared.__enter__()

    def __exit__(self, *exc: Any) -> None:
        self._shared.__exit__(*exc)

    def _get_value(self) -> int:
        if isinstance(self._shared, _core.Lock):
            return 0 if self._shared.locked() else 1
        return int(self._shared.get_value())

    def _is_zero(self) -> bool:
        return self._get_value() == 0

    def _count(self) -> int:
        """How often this process holds it."""
        if isinstance(self._shared, _core.RLock):
            return self._shared.depth()
        if isinstance(self._shared, _core.Lock):
            return 1 if holder(self._shared) in ("me", "thread") else 0
        return 0

    def _is_mine(self) -> bool:
        return isinstance(self._shared, _core.Lock) and holder(self._shared) == "me"
