"""The names and meanings of the standard `multiprocessing`, made of Interlock's objects.

    import interlock.multiprocessing as multiprocessing

All processes that start each other share one domain: see `_core.default_domain()`. A process that is killed
while it holds something does not take the others with it.
"""

from __future__ import annotations

import sys

from . import context, process, reduction  # noqa: F401

_default = context._default_context

ProcessError = context.ProcessError
BufferTooShort = context.BufferTooShort
TimeoutError = context.TimeoutError
AuthenticationError = context.AuthenticationError

Process = context.Process
current_process = _default.current_process
parent_process = _default.parent_process
active_children = _default.active_children

cpu_count = _default.cpu_count
freeze_support = _default.freeze_support
get_context = _default.get_context
get_start_method = _default.get_start_method
set_start_method = _default.set_start_method
get_all_start_methods = _default.get_all_start_methods
set_executable = _default.set_executable
set_forkserver_preload = _default.set_forkserver_preload
allow_connection_pickling = _default.allow_connection_pickling
get_logger = _default.get_logger
log_to_stderr = _default.log_to_stderr
reducer = _default.reducer

Lock = _default.Lock
RLock = _default.RLock
Condition = _default.Condition
Semaphore = _default.Semaphore
BoundedSemaphore = _default.BoundedSemaphore
Event = _default.Event
Barrier = _default.Barrier
Queue = _default.Queue
JoinableQueue = _default.JoinableQueue
SimpleQueue = _default.SimpleQueue
Pipe = _default.Pipe
RawValue = _default.RawValue
RawArray = _default.RawArray
Value = _default.Value
Array = _default.Array
Pool = _default.Pool
Manager = _default.Manager

SUBDEBUG = 5  # levels of the package's log
SUBWARNING = 25

__all__ = [
    "Array", "AuthenticationError", "Barrier", "BoundedSemaphore", "BufferTooShort", "Condition", "Event",
    "JoinableQueue", "Lock", "Manager", "Pipe", "Pool", "Process", "ProcessError", "Queue", "RLock",
    "RawArray", "RawValue", "Semaphore", "SimpleQueue", "TimeoutError", "Value", "active_children",
    "allow_connection_pickling", "cpu_count", "current_process", "freeze_support", "get_all_start_methods",
    "get_context", "get_logger", "get_start_method", "log_to_stderr", "parent_process", "reducer",
    "set_executable", "set_forkserver_preload", "set_start_method",
]

if "__main__" in sys.modules:
    sys.modules["__mp_main__"] = sys.modules["__main__"]  # what a pickle of a spawned child calls it
