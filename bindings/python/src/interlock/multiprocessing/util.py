"""What the parts of the package share: the log, finalizers and the process's end, what forks reset."""

from __future__ import annotations

import atexit
import itertools
import os
import sys
import traceback
import weakref
from subprocess import _args_from_interpreter_flags as _interpreter_flags  # type: ignore[attr-defined]
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from interlock import threading

from . import process

__all__ = [
    "sub_debug", "debug", "info", "sub_warning", "get_logger", "log_to_stderr", "get_temp_dir",
    "register_after_fork", "is_exiting", "Finalize", "ForkAwareThreadLock", "ForkAwareLocal",
    "close_all_fds_except", "SUBDEBUG", "SUBWARNING",
]

# ---- log ------------------------------------------------------------------------------------

NOTSET = 0
SUBDEBUG = 5
DEBUG = 10
INFO = 20
SUBWARNING = 25

LOGGER_NAME = "multiprocessing"
DEFAULT_LOGGING_FORMAT = "[%(levelname)s/%(processName)s] %(message)s"

_logger: Any = None
_log_to_stderr = False


def _log(level: int, msg: str, args: Tuple[Any, ...]) -> None:
    if _logger:
        _logger.log(level, msg, *args)


def sub_debug(msg: str, *args: Any) -> None:
    _log(SUBDEBUG, msg, args)


def debug(msg: str, *args: Any) -> None:
    _log(DEBUG, msg, args)


def info(msg: str, *args: Any) -> None:
    _log(INFO, msg, args)


def sub_warning(msg: str, *args: Any) -> None:
    _log(SUBWARNING, msg, args)


def get_logger() -> Any:
    """The package's logger. Without it nothing is logged."""
    global _logger
    if _logger is None:
        import logging

        logger = logging.getLogger(LOGGER_NAME)
        logger.propagate = False
        _logger = logger
        # logging has its own exit handler, which must come after this package's.
        atexit.unregister(_exit_function)
        atexit.register(_exit_function)
    return _logger


def log_to_stderr(level: Optional[int] = None) -> Any:
    """The package's logger, with a handler that writes to stderr. LEVEL: what it lets through."""
    global _log_to_stderr
    import logging

    logger = get_logger()
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(DEFAULT_LOGGING_FORMAT))
    logger.addHandler(handler)
    if level:
        logger.setLevel(level)
    _log_to_stderr = True
    return logger


# ---- a temporary directory ------------------------------------------------------------------

abstract_sockets_supported = sys.platform == "linux"


def is_abstract_socket_namespace(address: Any) -> bool:
    """Whether ADDRESS, of a Unix socket, is no file."""
    if not address:
        return False
    if isinstance(address, bytes):
        return address[0] == 0
    if isinstance(address, str):
        return address[0] == "\0"
    raise TypeError(f"address: expected str or bytes, got {address!r}")


def _remove_temp_dir(rmtree: Callable[[str], object], path: str) -> None:
    rmtree(path)
    process.current_process()._config["tempdir"] = None


def get_temp_dir() -> str:
    """A directory of the process and its descendants. It goes with the process that was the first to ask."""
    config = process.current_process()._config
    path: Optional[str] = config.get("tempdir")
    if path is None:
        import shutil
        import tempfile

        path = tempfile.mkdtemp(prefix="pymp-")
        info("created temp directory %s", path)
        Finalize(None, _remove_temp_dir, args=(shutil.rmtree, path), exitpriority=-100)
        config["tempdir"] = path
    return path


# ---- what a forked child resets -------------------------------------------------------------

_afterfork_registry: weakref.WeakValueDictionary[Any, Any] = weakref.WeakValueDictionary()
_afterfork_counter = itertools.count()


def register_after_fork(obj: Any, func: Callable[[Any], object]) -> None:
    """A process that this package forks calls FUNC(OBJ) before its run(), if OBJ is still there."""
    _afterfork_registry[next(_afterfork_counter), id(obj), func] = obj


def _run_after_forkers() -> None:
    items = list(_afterfork_registry.items())
    for (_, _, func), obj in sorted(items, key=lambda item: int(item[0][0])):
        try:
            func(obj)
        except Exception as error:
            info("after forker raised exception %s", error)


# ---- finalizers -----------------------------------------------------------------------------

_Key = Tuple[Optional[int], int]
_finalizer_registry: Dict[_Key, Finalize] = {}
_finalizer_counter = itertools.count()


class Finalize:
    """Calls CALLBACK(*ARGS, **KWARGS) once: when OBJ goes, when it is called itself, or, with an
    EXITPRIORITY, at the process's end: the highest first, of equals the newest. Only in the process that
    made it."""

    def __init__(self, obj: Any, callback: Callable[..., Any], args: Sequence[Any] = (),
                 kwargs: Optional[Mapping[str, Any]] = None, exitpriority: Optional[int] = None) -> None:
        if exitpriority is not None and not isinstance(exitpriority, int):
            raise TypeError(f"exitpriority: expected None or an int, got {type(exitpriority)}")
        if obj is None and exitpriority is None:
            raise ValueError("without an object, exitpriority cannot be None")
        self._weakref: Any = None if obj is None else weakref.ref(obj, self)
        self._callback: Any = callback
        self._args: Any = args
        self._kwargs: Any = kwargs or {}
        self._key: Any = (exitpriority, next(_finalizer_counter))
        self._pid = os.getpid()
        _finalizer_registry[self._key] = self

    def __call__(self, wr: Any = None, _registry: Dict[_Key, Finalize] = _finalizer_registry,
                 sub_debug: Callable[..., None] = sub_debug, getpid: Callable[[], int] = os.getpid) -> Any:
        # The defaults keep what is needed when the module's names are gone already.
        if _registry.pop(self._key, None) is None:
            sub_debug("finalizer no longer registered")
            return None
        callback, args, kwargs = self._callback, self._args, self._kwargs
        self._forget()
        if self._pid != getpid():
            sub_debug("finalizer ignored because different process")
            return None
        sub_debug("finalizer calling %s with args %s and kwargs %s", callback, args, kwargs)
        return callback(*args, **kwargs)

    def cancel(self) -> None:
        """It is not called any more."""
        if _finalizer_registry.pop(self._key, None) is not None:
            self._forget()

    def still_active(self) -> bool:
        """Whether it is still to be called."""
        return self._key in _finalizer_registry

    def _forget(self) -> None:
        self._weakref = self._callback = self._args = self._kwargs = self._key = None

    def __repr__(self) -> str:
        name = type(self).__name__
        if self._weakref is None or self._weakref() is None:
            return f"<{name} object, dead>"
        words = [f"callback={getattr(self._callback, '__name__', self._callback)}"]
        if self._args:
            words.append(f"args={self._args}")
        if self._kwargs:
            words.append(f"kwargs={self._kwargs}")
        if self._key[0] is not None:
            words.append(f"exitpriority={self._key[0]}")
        return f"<{name} object, {', '.join(words)}>"


def _run_finalizers(minpriority: Optional[int] = None) -> None:
    """Those with an exit priority, of MINPRIORITY at least. None: all; those without one are dropped."""
    def due(key: _Key) -> bool:
        return key[0] is not None and (minpriority is None or key[0] >= minpriority)

    # Other threads, and the collector, change the registry meanwhile: list() of a dict is one step.
    for key in sorted(filter(due, list(_finalizer_registry)), reverse=True):
        finalizer = _finalizer_registry.get(key)
        if finalizer is not None:
            sub_debug("calling %s", finalizer)
            try:
                finalizer()
            except Exception:
                traceback.print_exc()
    if minpriority is None:
        _finalizer_registry.clear()


# ---- the process's end ----------------------------------------------------------------------

_exiting = False


def is_exiting() -> bool:
    """Whether the process shuts down. At the very end the module's names are None."""
    return _exiting or _exiting is None


def _exit_function() -> None:
    """The first finalizers, the end of the children (daemons are terminated), the other finalizers."""
    global _exiting
    if _exiting:
        return
    _exiting = True
    info("process shutting down")
    debug("running all \"atexit\" finalizers with priority >= 0")
    _run_finalizers(0)
    for child in process.active_children():
        if child.daemon:
            info("calling terminate() for daemon %s", child.name)
            child._popen.terminate()
    for child in process.active_children():
        info("calling join() for process %s", child.name)
        child.join()
    debug("running the remaining \"atexit\" finalizers")
    _run_finalizers()


atexit.register(_exit_function)

# ---- types that forks reset -----------------------------------------------------------------


class ForkAwareThreadLock:
    """A Lock that is free in a forked child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.acquire = self._lock.acquire
        self.release = self._lock.release
        register_after_fork(self, ForkAwareThreadLock._at_fork_reinit)

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()

    def __enter__(self) -> Any:
        return self._lock.__enter__()

    def __exit__(self, *exc: object) -> None:
        self._lock.__exit__(*exc)


class ForkAwareLocal(threading.local):
    """Data of each thread, none in a forked child."""

    def __init__(self) -> None:
        register_after_fork(self, lambda obj: obj.__dict__.clear())

    def __reduce__(self) -> Any:
        return type(self), ()


# ---- other programs and descriptors ---------------------------------------------------------


def _args_from_interpreter_flags() -> List[str]:
    """The options that this interpreter was started with."""
    flags: List[str] = _interpreter_flags()
    return flags


try:
    MAXFD = os.sysconf("SC_OPEN_MAX")
except (OSError, ValueError):
    MAXFD = 256


def close_all_fds_except(fds: Iterable[int]) -> None:
    """Closes all descriptors of the process but FDS."""
    kept = sorted(fds)
    assert not kept or kept[-1] < MAXFD, f"fds: {kept[-1]} is too large"
    for low, high in zip([-1, *kept], [*kept, MAXFD]):
        os.closerange(low + 1, high)


def close_fds(*fds: int) -> None:
    for fd in fds:
        os.close(fd)


def _close_stdin() -> None:
    """A child does not read what its parent's terminal says."""
    if sys.stdin is None:
        return
    try:
        sys.stdin.close()
    except (OSError, ValueError):
        pass
    try:
        fd = os.open(os.devnull, os.O_RDONLY)
        try:
            sys.stdin = open(fd, encoding="utf-8", closefd=False)
        except BaseException:
            os.close(fd)
            raise
    except (OSError, ValueError):
        pass


def _flush_std_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError):
            pass


def spawnv_passfds(path: Any, args: Sequence[Any], passfds: Iterable[int]) -> int:
    """Starts the program PATH with the standard streams and PASSFDS. Returns its process id."""
    passed = set(passfds)
    actions: List[Tuple[int, ...]] = [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in passed]
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and fd not in passed:
            actions.append((os.POSIX_SPAWN_CLOSE, fd))
    return os.posix_spawn(path, list(args), os.environ, file_actions=actions)


def _cleanup_tests() -> None:
    """Ends what the package keeps running, for a test's end."""
    import gc

    from . import forkserver, resource_tracker

    process._cleanup()
    forkserver._forkserver._stop()
    resource_tracker._resource_tracker._stop()
    _run_finalizers()
    gc.collect()
