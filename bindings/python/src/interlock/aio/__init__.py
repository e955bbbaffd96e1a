"""Interlock for asyncio: ``async with interlock.aio.connect(address) as client``.

Every call that may wait, or ask a server, is awaited, and none holds up the event loop: in private: and unix:
domains a wait is a descriptor that the loop watches (a few kinds of wait have a thread), over HTTP each
call has a thread for as long as it lasts. A wait that is cancelled loses nothing: what was granted at that
moment is given back, and a message that was taken is the next get()'s.

Recursive locks and rwlocks belong to threads, and so have no place here.
"""

from __future__ import annotations

from .client import Client, connect
from .data import Array, Dict, List, Value, Watch
from .messages import Pipe, Queue
from .pools import Pool, Task
from .sync import Barrier, Event, Latch, Lock, Semaphore

__all__ = [
    "Array", "Barrier", "Client", "Dict", "Event", "Latch", "List", "Lock", "Pipe", "Pool", "Queue",
    "Semaphore", "Task", "Value", "Watch", "connect",
]
