"""Locks, queues, shared data and workers for threads, processes, languages and machines.

``interlock.connect()`` opens a domain; ``interlock.aio`` does the same for asyncio. ``interlock.threading``,
``interlock.multiprocessing`` and ``interlock.queue`` take the places of the standard modules.
``python -m interlock.worker MODULE`` runs functions for a pool: ``interlock.task`` marks them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .calls import Call, Fatal, cancelled, current_call, progress
from .errors import Cancelled, InterlockError, OwnerDied
from .tasks import task

if TYPE_CHECKING:
    from . import aio as aio  # noqa: F401
    from . import errors as errors  # noqa: F401
    from .client import AllOf as AllOf
    from .client import Client as Client
    from .client import connect as connect
    from .objects import Condition as Condition
    from .objects import Lock as Lock
    from .objects import Loss as Loss
    from .objects import Namespace as Namespace
    from .objects import RLock as RLock
    from .objects import RWLock as RWLock
    from .objects import Watch as Watch
    from .pools import Future as Future
    from .pools import Pool as Pool

# What needs the extension is imported when it is first asked for: a worker does without.
_HOMES = {
    "AllOf": "client", "Client": "client", "connect": "client",
    "Condition": "objects", "Lock": "objects", "Loss": "objects", "Namespace": "objects",
    "RLock": "objects", "RWLock": "objects", "Watch": "objects",
    "Future": "pools", "Pool": "pools",
}
_MODULES = ("aio", "errors", "multiprocessing", "queue", "threading")

__all__ = [
    "AllOf", "Call", "Cancelled", "Client", "Condition", "Fatal", "Future", "InterlockError", "Lock",
    "Loss", "Namespace", "OwnerDied", "Pool", "RLock", "RWLock", "Watch", "cancelled", "connect",
    "current_call", "progress", "task",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
