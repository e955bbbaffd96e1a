"""Contexts: the package's names, each bound to a way of starting processes."""

from __future__ import annotations

import os
from typing import Any, Callable, ClassVar, Dict, Iterable, List, Optional, Sequence, Tuple, Type

from interlock.threading import local

from . import process, reduction

__all__: Tuple[str, ...] = ()


class ProcessError(Exception):
    """The base of this package's errors."""


class BufferTooShort(ProcessError):
    """recv_bytes_into(): the buffer has no room for the message, which is the error's argument."""


class TimeoutError(ProcessError):
    """A result did not come in time."""


class AuthenticationError(ProcessError):
    """The other end of a connection does not know the key."""


class BaseContext:
    """Everything that the package offers."""

    _name: ClassVar[Optional[str]] = None
    Process: ClassVar[Type[process.BaseProcess]]

    ProcessError = ProcessError
    BufferTooShort = BufferTooShort
    TimeoutError = TimeoutError
    AuthenticationError = AuthenticationError

    current_process = staticmethod(process.current_process)
    parent_process = staticmethod(process.parent_process)
    active_children = staticmethod(process.active_children)

    def cpu_count(self) -> int:
        """The machine's processors."""
        number = os.cpu_count()
        if number is None:
            raise NotImplementedError("cannot determine number of cpus")
        return number

    def Manager(self) -> Any:
        """A started manager: a process that holds objects for others."""
        from .managers import SyncManager

        manager = SyncManager(ctx=self.get_context())
        manager.start()
        return manager

    def Pipe(self, duplex: bool = True) -> Tuple[Any, Any]:
        """Two connected ends. Not DUPLEX: the first only receives, the second only sends."""
        from .connection import Pipe

        return Pipe(duplex)

    def Lock(self) -> Any:
        from .synchronize import Lock

        return Lock(ctx=self.get_context())

    def RLock(self) -> Any:
        from .synchronize import RLock

        return RLock(ctx=self.get_context())

    def Condition(self, lock: Any = None) -> Any:
        from .synchronize import Condition

        return Condition(lock, ctx=self.get_context())

    def Semaphore(self, value: int = 1) -> Any:
        from .synchronize import Semaphore

        return Semaphore(value, ctx=self.get_context())

    def BoundedSemaphore(self, value: int = 1) -> Any:
        from .synchronize import BoundedSemaphore

        return BoundedSemaphore(value, ctx=self.get_context())

    def Event(self) -> Any:
        from .synchronize import Event

        return Event(ctx=self.get_context())

    def Barrier(self, parties: int, action: Optional[Callable[[], object]] = None,
                timeout: Optional[float] = None) -> Any:
        from .synchronize import Barrier

        return Barrier(parties, action, timeout, ctx=self.get_context())

    def Queue(self, maxsize: int = 0) -> Any:
        from .queues import Queue

        return Queue(maxsize, ctx=self.get_context())

    def JoinableQueue(self, maxsize: int = 0) -> Any:
        from .queues import JoinableQueue

        return JoinableQueue(maxsize, ctx=self.get_context())

    def SimpleQueue(self) -> Any:
        from .queues import SimpleQueue

        return SimpleQueue(ctx=self.get_context())

    def Pool(self, processes: Optional[int] = None, initializer: Optional[Callable[..., object]] = None,
             initargs: Iterable[Any] = (), maxtasksperchild: Optional[int] = None, *, retries: int = 0) -> Any:
        from .pool import Pool

        return Pool(processes, initializer, initargs, maxtasksperchild, context=self.get_context(), retries=retries)

    def RawValue(self, typecode_or_type: Any, *args: Any) -> Any:
        from .sharedctypes import RawValue

        return RawValue(typecode_or_type, *args)

    def RawArray(self, typecode_or_type: Any, size_or_initializer: Any) -> Any:
        from .sharedctypes import RawArray

        return RawArray(typecode_or_type, size_or_initializer)

    def Value(self, typecode_or_type: Any, *args: Any, lock: Any = True) -> Any:
        from .sharedctypes import Value

        return Value(typecode_or_type, *args, lock=lock, ctx=self.get_context())

    def Array(self, typecode_or_type: Any, size_or_initializer: Any, *, lock: Any = True) -> Any:
        from .sharedctypes import Array

        return Array(typecode_or_type, size_or_initializer, lock=lock, ctx=self.get_context())

    def freeze_support(self) -> None:
        """Only frozen programs on Windows need it: does nothing here."""

    def get_logger(self) -> Any:
        """The package's logger, created at the first call."""
        from .util import get_logger

        return get_logger()

    def log_to_stderr(self, level: Optional[int] = None) -> Any:
        """The package's logger, with a handler that writes to stderr."""
        from .util import log_to_stderr

        return log_to_stderr(level)

    def allow_connection_pickling(self) -> None:
        """Connections and sockets can be pickled from here on."""
        from . import connection  # noqa: F401

    def set_executable(self, executable: Any) -> None:
        """The interpreter that spawned processes run; sys.executable otherwise."""
        from .spawn import set_executable

        set_executable(executable)

    def set_forkserver_preload(self, module_names: Sequence[str]) -> None:
        """What the fork server imports before it forks. What cannot be imported is left out."""
        from .forkserver import set_forkserver_preload

        set_forkserver_preload(module_names)

    def get_context(self, method: Optional[str] = None) -> BaseContext:
        """The context of METHOD, "fork", "spawn" or "forkserver"; None: this one."""
        if method is None:
            return self
        try:
            return _concrete_contexts[method]
        except KeyError:
            raise ValueError(f"cannot find context for {method!r}") from None

    def get_start_method(self, allow_none: bool = False) -> Optional[str]:
        return self._name

    def set_start_method(self, method: Optional[str], force: bool = False) -> None:
        raise ValueError("cannot set start method of concrete context")

    @property
    def reducer(self) -> Any:
        """How objects are pickled for other processes: the module `reduction`, or what took its place."""
        return _reducer

    @reducer.setter
    def reducer(self, value: Any) -> None:
        global _reducer
        _reducer = value


class Process(process.BaseProcess):
    """A process that is started in the way of the default context. See BaseProcess."""

    @staticmethod
    def _Popen(process_obj: process.BaseProcess) -> Any:  # type: ignore[override]
        return _default_context.get_context().Process._Popen(process_obj)

    @staticmethod
    def _after_fork() -> None:
        _default_context.get_context().Process._after_fork()


class DefaultContext(BaseContext):
    """The context of the package: its start method can be set once."""

    Process = Process

    def __init__(self, context: BaseContext) -> None:
        self._default_context = context
        self._actual_context: Optional[BaseContext] = None

    def get_context(self, method: Optional[str] = None) -> BaseContext:
        if method is not None:
            return super().get_context(method)
        if self._actual_context is None:
            self._actual_context = self._default_context
        return self._actual_context

    def set_start_method(self, method: Optional[str], force: bool = False) -> None:
        """FORCE: also if it is set; then None takes the setting back."""
        if self._actual_context is not None and not force:
            raise RuntimeError("context has already been set")
        if method is None and force:
            self._actual_context = None
        else:
            self._actual_context = self.get_context(method)

    def get_start_method(self, allow_none: bool = False) -> Optional[str]:
        """ALLOW_NONE: None if it has not been set. Otherwise this call sets the default."""
        if self._actual_context is None and allow_none:
            return None
        return self.get_context()._name

    def get_all_start_methods(self) -> List[str]:
        """The default one first."""
        return list(_concrete_contexts)


class ForkProcess(process.BaseProcess):
    """A copy of this process."""

    _start_method = "fork"

    @staticmethod
    def _Popen(process_obj: process.BaseProcess) -> Any:  # type: ignore[override]
        from .popen_fork import Popen

        return Popen(process_obj)


class SpawnProcess(process.BaseProcess):
    """A new interpreter, which gets the object by pickle."""

    _start_method = "spawn"

    @staticmethod
    def _Popen(process_obj: process.BaseProcess) -> Any:  # type: ignore[override]
        from .popen_spawn import Popen

        return Popen(process_obj)

    @staticmethod
    def _after_fork() -> None:
        """It is no fork."""


class ForkServerProcess(process.BaseProcess):
    """A copy of the fork server, which gets the object by pickle."""

    _start_method = "forkserver"

    @staticmethod
    def _Popen(process_obj: process.BaseProcess) -> Any:  # type: ignore[override]
        from .popen_forkserver import Popen

        return Popen(process_obj)


class ForkContext(BaseContext):
    _name = "fork"
    Process = ForkProcess


class SpawnContext(BaseContext):
    _name = "spawn"
    Process = SpawnProcess


class ForkServerContext(BaseContext):
    _name = "forkserver"
    Process = ForkServerProcess


_concrete_contexts: Dict[str, BaseContext] = {
    "fork": ForkContext(), "spawn": SpawnContext(), "forkserver": ForkServerContext(),
}
_default_context = DefaultContext(_concrete_contexts["fork"])
_reducer: Any = reduction
_thread_state = local()


def _force_start_method(method: str) -> None:
    _default_context._actual_context = _concrete_contexts[method]


def get_spawning_popen() -> Any:
    """The Popen for which this thread pickles now, or None."""
    return getattr(_thread_state, "spawning_popen", None)


def set_spawning_popen(popen: Any) -> None:
    _thread_state.spawning_popen = popen


def assert_spawning(obj: object) -> None:
    """Raises RuntimeError unless this thread pickles for a child that it starts."""
    if get_spawning_popen() is None:
        raise RuntimeError(f"{type(obj).__name__} objects should only be shared between processes through "
                           "inheritance")
