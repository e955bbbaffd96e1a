"""The interface of interlock.multiprocessing with threads of this process in place of processes."""

from __future__ import annotations

import array
import sys
import weakref
from typing import Any, Callable, Iterable

from ... import threading
from ...queue import Queue
from ...threading import Barrier, BoundedSemaphore, Condition, Event, Lock, RLock, Semaphore
from .connection import Pipe

__all__ = [
    "Process", "current_process", "active_children", "freeze_support", "Lock", "RLock", "Semaphore",
    "BoundedSemaphore", "Condition", "Event", "Barrier", "Queue", "Manager", "Pipe", "Pool", "JoinableQueue",
]

current_process = threading.current_thread
JoinableQueue = Queue
dict = dict
list = list


class DummyProcess(threading.Thread):
    """A thread with what Process has: exitcode, and a parent, which alone may start it."""

    def __init__(self, group: None = None, target: Callable[..., object] | None = None, name: str | None = None,
                 args: Iterable[Any] = (), kwargs: Any = {}) -> None:
        super().__init__(group, target, name, args, kwargs)
        self._pid = None
        self._children: weakref.WeakKeyDictionary[Any, None] = weakref.WeakKeyDictionary()
        self._start_called = False
        self._parent = current_process()

    def start(self) -> None:
        if self._parent is not current_process():
            raise RuntimeError(f"{self._parent!r} made this, so that {current_process()!r} cannot start it")
        self._start_called = True
        _children_of(self._parent)[self] = None
        super().start()

    @property
    def exitcode(self) -> int | None:
        return 0 if self._start_called and not self.is_alive() else None


Process = DummyProcess


def _children_of(thread: Any) -> Any:
    try:
        return thread._children
    except AttributeError:
        thread._children = weakref.WeakKeyDictionary()
        return thread._children


def active_children() -> Any:
    """The threads that the current one has started and that have not ended."""
    children = _children_of(current_process())
    for child in [*children]:
        if not child.is_alive():
            children.pop(child, None)
    return [*children]


def freeze_support() -> None:
    """Nothing needs to be done."""


class Namespace:
    def __init__(self, /, **kwds: Any) -> None:
        self.__dict__.update(kwds)

    def __repr__(self) -> str:
        shown = sorted(f"{name}={value!r}" for name, value in self.__dict__.items() if not name.startswith("_"))
        return f"{type(self).__name__}({', '.join(shown)})"


def Array(typecode: str, sequence: Any, lock: bool = True) -> Any:
    return array.array(typecode, sequence)


class Value:
    def __init__(self, typecode: str, value: Any, lock: bool = True) -> None:
        self._typecode = typecode
        self.value = value

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({self._typecode!r}, {self.value!r})>"


def Manager() -> Any:
    """This module: what it makes can be shared by threads as it is."""
    return sys.modules[__name__]


def shutdown() -> None:
    """Nothing needs to be done."""


def Pool(processes: int | None = None, initializer: Callable[..., Any] | None = None,
         initargs: Iterable[Any] = ()) -> Any:
    from ..pool import ThreadPool

    return ThreadPool(processes, initializer, initargs)
