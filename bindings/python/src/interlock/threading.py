"""The names and meanings of the standard `threading`, made of Interlock's objects.

    import interlock.threading as threading

The locks are objects of the process's domain (see `_core.default_domain()`), so that Interlock's tools show
them. Threads are the interpreter's own; who asks the standard module for the current thread gets this
module's Thread. An exception that ends a thread goes to this module's `excepthook`, or to the standard
module's if only that one was replaced; the same for settrace() and setprofile().
"""

from __future__ import annotations

import atexit
import os
import sys
import threading as _standard
import traceback
from _thread import _ExceptHookArgs as ExceptHookArgs
from _thread import _excepthook as excepthook
from _thread import _local as local
from _thread import TIMEOUT_MAX, get_ident, get_native_id, stack_size
from _thread import error as ThreadError
from _thread import start_new_thread as _start_new_thread
from functools import partial
from itertools import count
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Set
from weakref import WeakSet

from . import _core
from ._barrier import Barrier, BrokenBarrierError
from ._sync import BoundedSemaphore, Condition, Event, Lock, RLock, Semaphore, deprecated

__all__ = [
    "get_ident", "active_count", "Condition", "current_thread", "enumerate", "main_thread", "TIMEOUT_MAX",
    "Event", "Lock", "RLock", "Semaphore", "BoundedSemaphore", "Thread", "Barrier", "BrokenBarrierError",
    "Timer", "ThreadError", "setprofile", "settrace", "local", "stack_size", "excepthook", "ExceptHookArgs",
    "getprofile", "gettrace", "get_native_id",
]

__excepthook__ = excepthook

_counter = count(1).__next__
_registry_lock = RLock()
_active: Dict[int, Thread] = {}  # by ident
_limbo: Dict[Thread, Thread] = {}  # between start() and their first step
_dangling: WeakSet[Thread] = WeakSet()  # every Thread object that exists
_unfinished: Set[_core.Event] = set()  # the ends of threads that the interpreter's end waits for
_first, _last = local(), local()
_trace_hook: Any = None
_profile_hook: Any = None


class _End:
    """Lives in the thread's local data, and goes with it: the thread has ended. In a forked child it goes
    too, but there another thread does that, at a moment when the event is still the parent's."""

    __slots__ = ("event", "ident")

    def __init__(self, event: _core.Event) -> None:
        self.event = event
        self.ident = get_ident()

    def __del__(self) -> None:
        if get_ident() == self.ident:
            _unfinished.discard(self.event)
            self.event.set()


class Thread:
    """A thread of control. start() runs run() in it, which calls TARGET(*ARGS, **KWARGS)."""

    _initialized = False

    def __init__(self, group: None = None, target: Optional[Callable[..., object]] = None,
                 name: Optional[str] = None, args: Iterable[Any] = (),
                 kwargs: Optional[Mapping[str, Any]] = None, *, daemon: Optional[bool] = None) -> None:
        """DAEMON: whether the interpreter may end while it runs; None: as the thread that creates it."""
        assert group is None, "group argument must be None for now"
        self._target = target
        self._args = args
        self._kwargs = {} if kwargs is None else kwargs
        self._name = str(name) if name else _new_name(target)
        self._daemonic = current_thread().daemon if daemon is None else daemon
        self._ident: Optional[int] = None
        self._native_id: Optional[int] = None
        self._started = Event()
        self._ended = Event()
        self._is_stopped = False
        self._stderr = sys.stderr  # for excepthook, in case that sys has none any more
        self._initialized = True
        _dangling.add(self)

    def __repr__(self) -> str:
        self._check()
        status = "started" if self._started.is_set() else "initial"
        if self._has_ended():
            status = "stopped"
        if self._daemonic:
            status += " daemon"
        if self._ident is not None:
            status += f" {self._ident}"
        return f"<{type(self).__name__}({self._name}, {status})>"

    def start(self) -> None:
        self._check()
        if self._started.is_set():
            raise RuntimeError("threads can only be started once")
        with _registry_lock:
            _limbo[self] = self
        try:
            _start_new_thread(self._bootstrap, ())
        except BaseException:
            with _registry_lock:
                _limbo.pop(self, None)
            raise
        self._started.wait()

    def run(self) -> None:
        try:
            if self._target is not None:
                self._target(*self._args, **self._kwargs)
        finally:
            # What the target holds may hold this thread.
            del self._target, self._args, self._kwargs

    def _bootstrap(self) -> None:
        _first.end = _End(self._ended)
        try:
            self._register()
            try:
                self._install_hooks()
                self.run()
            except BaseException:
                self._invoke_excepthook()
        finally:
            self._unregister()
            # Local data goes in the order in which it came: what the thread keeps there goes before this.
            _last.end = _first.end

    def _register(self) -> None:
        self._ident = get_ident()
        self._native_id = get_native_id()
        if not self._daemonic:
            _unfinished.add(self._ended)
        with _registry_lock:
            _active[self._ident] = self
            _standard_active()[self._ident] = self
            _limbo.pop(self, None)
        self._started.set()

    def _unregister(self) -> None:
        ident = get_ident()
        with _registry_lock:
            _active.pop(ident, None)
            if _standard_active().get(ident) is self:
                del _standard_active()[ident]

    def _install_hooks(self) -> None:
        trace = _trace_hook or _standard.gettrace()
        profile = _profile_hook or _standard.getprofile()
        if trace:
            sys.settrace(trace)
        if profile:
            sys.setprofile(profile)

    def _invoke_excepthook(self) -> None:
        try:
            hook = excepthook
            if hook is __excepthook__ and _standard.excepthook is not None:
                hook = _standard.excepthook
            if hook is None:
                hook = __excepthook__
            hook(ExceptHookArgs([*sys.exc_info(), self]))
        except Exception as error:
            error.__suppress_context__ = True
            print("Exception in threading.excepthook:", file=sys.stderr or self._stderr, flush=True)
            sys.excepthook(type(error), error, error.__traceback__)

    def join(self, timeout: Optional[float] = None) -> None:
        """Waits for its end, TIMEOUT seconds at most: is_alive() then tells."""
        self._check()
        if not self._started.is_set():
            raise RuntimeError("cannot join thread before it is started")
        if self is current_thread():
            raise RuntimeError("cannot join current thread")
        if not self._is_stopped:
            self._ended.wait(None if timeout is None else max(timeout, 0))

    def is_alive(self) -> bool:
        self._check()
        return self._started.is_set() and not self._has_ended()

    def _has_ended(self) -> bool:
        if not self._is_stopped and self._ended.is_set():
            self._is_stopped = True
        return self._is_stopped

    def _check(self) -> None:
        if not self._initialized:
            raise RuntimeError("Thread.__init__() not called")

    @property
    def name(self) -> str:
        self._check()
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._check()
        self._name = str(name)

    @property
    def ident(self) -> Optional[int]:
        """None before start(). Another thread may get it once this one has ended."""
        self._check()
        return self._ident

    @property
    def native_id(self) -> Optional[int]:
        """The kernel's number of it."""
        self._check()
        return self._native_id

    @property
    def daemon(self) -> bool:
        self._check()
        return self._daemonic

    @daemon.setter
    def daemon(self, daemonic: bool) -> None:
        self._check()
        if self._started.is_set():
            raise RuntimeError("cannot set daemon status of active thread")
        self._daemonic = daemonic

    def isDaemon(self) -> bool:
        deprecated("isDaemon", "get the daemon attribute")
        return self.daemon

    def setDaemon(self, daemonic: bool) -> None:
        deprecated("setDaemon", "set the daemon attribute")
        self.daemon = daemonic

    def getName(self) -> str:
        deprecated("getName", "get the name attribute")
        return self.name

    def setName(self, name: str) -> None:
        deprecated("setName", "set the name attribute")
        self.name = name


class Timer(Thread):
    """Calls FUNCTION(*ARGS, **KWARGS) after INTERVAL seconds, unless cancel() comes first."""

    def __init__(self, interval: float, function: Callable[..., object], args: Optional[Iterable[Any]] = None,
                 kwargs: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__()
        self.interval = interval
        self.function = function
        self.args = [] if args is None else args
        self.kwargs = {} if kwargs is None else kwargs
        self.finished = Event()

    def cancel(self) -> None:
        self.finished.set()

    def run(self) -> None:
        if not self.finished.wait(self.interval):
            self.function(*self.args, **self.kwargs)
        self.finished.set()


class _MainThread(Thread):
    """The thread in which the interpreter was started; in a forked child, a foreign one that forked."""

    def __init__(self, ident: Optional[int], native_id: Optional[int]) -> None:
        super().__init__(name="MainThread", daemon=False)
        self._ident = ident or get_ident()
        self._native_id = native_id or get_native_id()
        self._started.set()
        _active[self._ident] = self


class _DummyThread(Thread):
    """A running thread that this module did not start. If the standard module did, it has that one's name."""

    def __init__(self) -> None:
        known = _standard_active().get(get_ident())
        daemon = True if known is None else known.daemon
        super().__init__(name=known.name if known else f"Dummy-{_counter()}", daemon=daemon)
        self._ident = get_ident()
        self._native_id = get_native_id()
        self._started.set()
        with _registry_lock:
            _active[self._ident] = self
        if known is not None or sys.version_info >= (3, 13):
            _last.dummy = _Forget(self)

    def is_alive(self) -> bool:
        return not self._is_stopped

    def join(self, timeout: Optional[float] = None) -> None:
        raise RuntimeError("cannot join a dummy thread")


class _Forget:
    """Lives in the local data of a thread with a _DummyThread."""

    __slots__ = ("dummy",)

    def __init__(self, dummy: _DummyThread) -> None:
        self.dummy = dummy

    def __del__(self) -> None:
        self.dummy._is_stopped = True
        ident = self.dummy._ident
        if ident is not None and _active.get(ident) is self.dummy:
            del _active[ident]


def _new_name(target: Optional[Callable[..., object]]) -> str:
    name = f"Thread-{_counter()}"
    target_name = getattr(target, "__name__", None)
    return name if target is None or target_name is None else f"{name} ({target_name})"


def _standard_active() -> Dict[int, Any]:
    """What the standard module's current_thread() looks at."""
    active: Dict[int, Any] = getattr(_standard, "_active")
    return active


def current_thread() -> Thread:
    """The caller's Thread; a _DummyThread if this module did not start it."""
    try:
        return _active[get_ident()]
    except KeyError:
        return _DummyThread()


def currentThread() -> Thread:
    deprecated("currentThread", "use current_thread()")
    return current_thread()


def main_thread() -> Thread:
    return _main_thread


def enumerate() -> List[Thread]:
    """All threads that are alive."""
    with _registry_lock:
        return [*_active.values(), *_limbo.values()]


def active_count() -> int:
    with _registry_lock:
        return len(_active) + len(_limbo)


def activeCount() -> int:
    deprecated("activeCount", "use active_count()")
    return active_count()


def settrace(func: Any) -> None:
    """FUNC is given to sys.settrace() in each thread that is started from now on, before its run()."""
    global _trace_hook
    _trace_hook = func


def gettrace() -> Any:
    return _trace_hook


def setprofile(func: Any) -> None:
    """FUNC is given to sys.setprofile() in each thread that is started from now on, before its run()."""
    global _profile_hook
    _profile_hook = func


def getprofile() -> Any:
    return _profile_hook


if hasattr(sys, "_settraceallthreads"):

    def settrace_all_threads(func: Any) -> None:
        """As settrace(), and for the threads that run."""
        settrace(func)
        getattr(sys, "_settraceallthreads")(func)

    def setprofile_all_threads(func: Any) -> None:
        """As setprofile(), and for the threads that run."""
        setprofile(func)
        getattr(sys, "_setprofileallthreads")(func)

    __all__ += ["settrace_all_threads", "setprofile_all_threads"]


_shutdown_calls: List[Callable[[], object]] = []
_shutting_down = False


def _register_atexit(func: Callable[..., object], *args: Any, **kwargs: Any) -> None:
    """FUNC is called at the interpreter's end, before its threads are waited for; the last one first."""
    if _shutting_down:
        raise RuntimeError("can't register atexit after shutdown")
    _shutdown_calls.append(partial(func, *args, **kwargs))


def _shutdown() -> None:
    """The interpreter calls it before it ends: waits for all threads that are no daemons."""
    global _shutting_down
    if _shutting_down:
        return
    _shutting_down = True
    for call in reversed(_shutdown_calls):
        try:
            call()
        except Exception:
            traceback.print_exc()
    _main_thread._is_stopped = True
    _main_thread._ended.set()
    _join_unfinished()


def _join_unfinished() -> None:
    while _unfinished:
        for end in list(_unfinished):
            end.wait()


class _ChildsEnd:
    """Lives in the local data of a thread that forked, in the child. When such a thread ends, the process
    does, once its other threads have: Interlock's own threads would keep it."""

    def __del__(self) -> None:
        try:
            _join_unfinished()
            for thread in _standard.enumerate():
                if not (thread.daemon or thread is _standard.main_thread()):
                    thread.join()
        finally:
            os._exit(0)


def _before_fork() -> None:
    """The standard module sets its own threads to rights in the child: it must not find these there."""
    standard = _standard_active()
    for ident, thread in list(standard.items()):
        if isinstance(thread, Thread):
            del standard[ident]


def _after_fork_in_parent() -> None:
    with _registry_lock:
        for ident, thread in _active.items():
            if not isinstance(thread, (_MainThread, _DummyThread)):
                _standard_active()[ident] = thread


def _after_fork_in_child() -> None:
    """Only the forking thread is left, and is the main thread."""
    global _main_thread
    current = _active.get(get_ident()) or _MainThread(None, None)
    if isinstance(current, _DummyThread):
        setattr(current, "__class__", _MainThread)
        current._name, current._daemonic = "MainThread", False
    if get_ident() != _first_ident:
        _last.child = _ChildsEnd()
    for thread in list(_dangling):
        if thread is not current and thread._started.is_set():
            thread._is_stopped = True
    _main_thread = current
    _standard.current_thread().name = current.name
    current._ident = get_ident()
    current._native_id = get_native_id()
    _unfinished.clear()
    _limbo.clear()
    _active.clear()
    _active[current._ident] = current


_first_ident = _standard.main_thread().ident
_main_thread: Thread = _MainThread(_first_ident, _standard.main_thread().native_id)
os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent,
                    after_in_child=_after_fork_in_child)
try:
    getattr(_standard, "_register_atexit")(_shutdown)
except RuntimeError:
    pass  # the interpreter ends already: what is started now is waited for below
atexit.register(_join_unfinished)
