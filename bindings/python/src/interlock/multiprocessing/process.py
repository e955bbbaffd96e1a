"""Process objects: what runs in another process, and the family of this one."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading as _standard_threading
import traceback
from _thread import start_new_thread
from itertools import count
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Set, Tuple
from weakref import WeakSet

__all__ = ["BaseProcess", "current_process", "active_children", "parent_process"]

KILL_AFTER = 2.0  # seconds that an orphaned daemon has after SIGTERM

try:
    ORIGINAL_DIR: Optional[str] = os.path.abspath(os.getcwd())
except OSError:
    ORIGINAL_DIR = None


def current_process() -> BaseProcess:
    """The object of the process that calls it."""
    return _current_process


def parent_process() -> Optional[BaseProcess]:
    """The process that started this one; None in the main process."""
    return _parent_process


def active_children() -> List[BaseProcess]:
    """The children that still run. Those that do not are reaped."""
    _cleanup()
    return list(_children)


def _cleanup() -> None:
    for child in list(_children):
        popen = child._popen
        if popen is not None and popen.poll() is not None:
            _children.discard(child)


def wait_readable(descriptor: int, timeout: Optional[float]) -> bool:
    """Whether DESCRIPTOR was readable, or at its end, within TIMEOUT seconds."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if timeout is None:
        return bool(poll.poll())
    return bool(poll.poll(min(max(timeout, 0.0) * 1000, 2**31 - 1)))


class BaseProcess:
    """An activity with a process of its own, as a Thread has a thread: start() has run() called there."""

    _start_method: Optional[str] = None
    _popen: Any
    _sentinel: Optional[int]

    def _Popen(self) -> Any:
        raise NotImplementedError

    def __init__(self, group: None = None, target: Optional[Callable[..., object]] = None,
                 name: Optional[str] = None, args: Iterable[Any] = (), kwargs: Mapping[str, Any] = {}, *,
                 daemon: Optional[bool] = None) -> None:
        """DAEMON: it is killed at this process's end; None: as this process."""
        assert group is None, "group argument must be None for now"
        self._identity: Tuple[int, ...] = _current_process._identity + (next(_process_counter),)
        self._config: Dict[str, Any] = _current_process._config.copy()
        self._parent_pid: Optional[int] = os.getpid()
        self._parent_name = _current_process.name
        self._popen = None
        self._closed = False
        self._target = target
        self._args = tuple(args)
        self._kwargs = dict(kwargs)
        self._name = name or f"{type(self).__name__}-{':'.join(map(str, self._identity))}"
        if daemon is not None:
            self.daemon = daemon
        _dangling.add(self)

    def _check_closed(self) -> None:
        if self._closed:
            raise ValueError("process object is closed")

    def _check_started_here(self, what: str) -> None:
        self._check_closed()
        assert self._parent_pid == os.getpid(), f"can only {what} a child process"

    def run(self) -> None:
        if self._target:
            self._target(*self._args, **self._kwargs)

    def start(self) -> None:
        self._check_closed()
        assert self._popen is None, "cannot start a process twice"
        here = self._parent_pid == os.getpid()
        assert here, "can only start a process object created by current process"
        daemonic = _current_process._config.get("daemon")
        assert not daemonic, "daemonic processes are not allowed to have children"
        _cleanup()
        self._popen = self._Popen(self)  # type: ignore[call-arg]
        self._sentinel = self._popen.sentinel
        # What they refer to may refer to this object.
        del self._target, self._args, self._kwargs
        _children.add(self)

    def terminate(self) -> None:
        """SIGTERM. Its finally clauses and exit handlers do not run."""
        self._check_closed()
        self._popen.terminate()

    def kill(self) -> None:
        """SIGKILL."""
        self._check_closed()
        self._popen.kill()

    def join(self, timeout: Optional[float] = None) -> None:
        """Waits for its end, TIMEOUT seconds at most: exitcode then tells."""
        self._check_started_here("join")
        assert self._popen is not None, "can only join a started process"
        if self._popen.wait(timeout) is not None:
            _children.discard(self)

    def is_alive(self) -> bool:
        self._check_closed()
        if self is _current_process:
            return True
        self._check_started_here("test")
        if self._popen is None:
            return False
        if self._popen.poll() is None:
            return True
        _children.discard(self)
        return False

    def close(self) -> None:
        """Gives its descriptors back. ValueError: it still runs."""
        if self._popen is not None:
            if self._popen.poll() is None:
                raise ValueError("Cannot close a process while it is still running. "
                                 "You should first call join() or terminate().")
            self._popen.close()
            self._popen = None
            self._sentinel = None
            _children.discard(self)
        self._closed = True

    @property
    def name(self) -> str:
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        assert isinstance(name, str), "name must be a string"
        self._name = name

    @property
    def daemon(self) -> bool:
        daemon: bool = self._config.get("daemon", False)
        return daemon

    @daemon.setter
    def daemon(self, daemonic: bool) -> None:
        assert self._popen is None, "process has already started"
        self._config["daemon"] = daemonic

    @property
    def authkey(self) -> AuthenticationString:
        """The key of the family's connections: bytes."""
        key: AuthenticationString = self._config["authkey"]
        return key

    @authkey.setter
    def authkey(self, authkey: bytes) -> None:
        self._config["authkey"] = AuthenticationString(authkey)

    @property
    def exitcode(self) -> Optional[int]:
        """None: it runs, or was not started. -N: signal N ended it."""
        self._check_closed()
        code: Optional[int] = None if self._popen is None else self._popen.poll()
        return code

    @property
    def ident(self) -> Optional[int]:
        """Its process id; None before start()."""
        self._check_closed()
        if self is _current_process:
            return os.getpid()
        pid: Optional[int] = None if self._popen is None else self._popen.pid
        return pid

    @property
    def pid(self) -> Optional[int]:
        return self.ident

    @property
    def sentinel(self) -> int:
        """A descriptor that is readable once the process has ended: for connection.wait() and select."""
        self._check_closed()
        sentinel: Optional[int] = getattr(self, "_sentinel", None)
        if sentinel is None:
            raise ValueError("process not started")
        return sentinel

    def _status(self) -> Tuple[str, Optional[int]]:
        if self is _current_process:
            return "started", None
        if self._closed:
            return "closed", None
        if self._parent_pid != os.getpid():
            return "unknown", None
        if self._popen is None:
            return "initial", None
        code = self._popen.poll()
        return ("started" if code is None else "stopped"), code

    def __repr__(self) -> str:
        status, code = self._status()
        words = [type(self).__name__, f"name={self._name!r}"]
        if self._popen is not None:
            words.append(f"pid={self._popen.pid}")
        words += [f"parent={self._parent_pid}", status]
        if code is not None:
            words.append(f"exitcode={_exitcode_to_name.get(code, code)}")
        if self.daemon:
            words.append("daemon")
        return f"<{' '.join(words)}>"

    # ---- in the child ----------------------------------------------------------------------

    def _bootstrap(self, parent_sentinel: Optional[int] = None) -> int:
        """Makes the calling process this one, runs it, and returns its exit code."""
        from . import context, util

        code = 1
        try:
            if self._start_method is not None:
                context._force_start_method(self._start_method)
            self._become_current(parent_sentinel)
            util.info("child process calling self.run()")
            try:
                self.run()
                code = 0
            finally:
                util._exit_function()
        except SystemExit as end:
            code = _code_of(end)
        except BaseException:
            code = 1
            if sys.stderr is not None:
                sys.stderr.write(f"Process {self.name}:\n")
            traceback.print_exc()
        finally:
            getattr(_standard_threading, "_shutdown")()  # waits for this package's threads as well
            util.info("process exiting with exitcode %d", code)
            util._flush_std_streams()
        return code

    def _become_current(self, parent_sentinel: Optional[int]) -> None:
        from . import util

        global _current_process, _parent_process, _process_counter, _children
        _process_counter = count(1)
        _children = set()
        util._close_stdin()
        before = _current_process
        _current_process = self
        _parent_process = _ParentProcess(self._parent_name, self._parent_pid, parent_sentinel)
        set_native_id = getattr(_standard_threading.main_thread(), "_set_native_id", None)
        if set_native_id is not None:
            set_native_id()
        if self.daemon and parent_sentinel is not None:
            start_new_thread(_end_with, (parent_sentinel,))
        try:
            self._after_fork()
        finally:
            del before  # not earlier: its finalizers are this process's until _after_fork() has dropped them

    @staticmethod
    def _after_fork() -> None:
        from . import util

        util._finalizer_registry.clear()
        util._run_after_forkers()


def _code_of(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code
    if sys.stderr is not None:
        sys.stderr.write(f"{end.code}\n")
    return 1


def _end_with(parent_sentinel: int) -> None:
    """Ends this process, a daemon, once its parent is gone. If that one ends in order it does so itself."""
    pid = os.getpid()
    wait_readable(parent_sentinel, None)
    os.kill(pid, signal.SIGTERM)
    select.select([], [], [], KILL_AFTER)
    os.kill(pid, signal.SIGKILL)


class AuthenticationString(bytes):
    """A key. It can only be pickled for a child, lest it goes over a network."""

    def __reduce__(self) -> Any:
        from .context import get_spawning_popen

        if get_spawning_popen() is None:
            raise TypeError("Pickling an AuthenticationString object is disallowed for security reasons")
        return AuthenticationString, (bytes(self),)


class _ParentProcess(BaseProcess):
    """What a child knows of its parent."""

    def __init__(self, name: str, pid: Optional[int], sentinel: Optional[int]) -> None:
        self._identity = ()
        self._name = name
        self._pid = pid
        self._parent_pid = None
        self._popen = None
        self._closed = False
        self._sentinel = sentinel
        self._config = {}

    def is_alive(self) -> bool:
        return not wait_readable(self.sentinel, 0)

    @property
    def ident(self) -> Optional[int]:
        return self._pid

    def join(self, timeout: Optional[float] = None) -> None:
        wait_readable(self.sentinel, timeout)


class _MainProcess(BaseProcess):
    """The first process of the family."""

    def __init__(self) -> None:
        self._identity = ()
        self._name = "MainProcess"
        self._parent_pid = None
        self._popen = None
        self._closed = False
        # All descendants have it.
        self._config = {"authkey": AuthenticationString(os.urandom(32)), "semprefix": "/mp"}

    def close(self) -> None:
        """It has nothing to give back."""


_parent_process: Optional[BaseProcess] = None
_current_process: BaseProcess = _MainProcess()
_process_counter = count(1)
_children: Set[BaseProcess] = set()
_dangling: WeakSet[BaseProcess] = WeakSet()  # every process object that exists
_exitcode_to_name = {-number.value: f"-{number.name}" for number in signal.Signals}
