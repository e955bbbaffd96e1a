"""The fork server: a process without threads that forks children for the whole family.

The family's processes share one end of a channel to it. A request is a message with one end of a new socket:
the server forks, and the child reads from it what it is to do. The server ends with the last process that has
the channel.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from typing import Any, Dict, List, Optional, Sequence, Tuple

from interlock import _core, threading

from . import _handover, popen_fork, process, reduction, resource_tracker, spawn, util

__all__ = ["ensure_running", "get_inherited_fds", "connect_to_new_process", "set_forkserver_preload"]

ATTEMPTS = 3  # to start a child, if the server dies meanwhile

Started = Tuple[socket.socket, int, int, _handover.Notes]


class ForkServer:
    """This process's view of it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._channel: Optional[socket.socket] = None
        self._process: Any = None
        self._owner: Optional[int] = None  # the process that started it
        self._forkserver_pid: Optional[int] = None
        self._preload_modules: Sequence[str] = ["__main__"]

    def set_forkserver_preload(self, modules_names: Sequence[str]) -> None:
        """What a server that is started from here on imports first."""
        if not all(type(name) is str for name in modules_names):
            raise TypeError("module_names must be a list of strings")
        self._preload_modules = modules_names

    def get_inherited_fds(self) -> List[int]:
        """What this process got from its parent."""
        return _handover.received

    def channel(self) -> int:
        """The descriptor of the channel."""
        self.ensure_running()
        assert self._channel is not None
        return self._channel.fileno()

    def _adopt(self, fd: int) -> None:
        self._channel = socket.socket(fileno=fd)

    def ensure_running(self) -> None:
        """Starts it, if there is none or it has died."""
        with self._lock:
            resource_tracker.ensure_running()
            if self._channel is not None:
                if not process.wait_readable(self._channel.fileno(), 0):
                    return  # it never says anything here: readable is its end
                self._forget()
            self._start()

    def _start(self) -> None:
        data: Dict[str, Any] = {}
        if self._preload_modules:
            known = spawn.get_preparation_data("ignore")
            data = {key: known[key] for key in ("sys_path", "init_main_from_path") if key in known}
        call = f"main({list(self._preload_modules)!r}, {data!r})"
        program = spawn.import_from_here(f"from interlock.multiprocessing.forkserver import main; {call}")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self._process = _core.Process(
                    [spawn.get_program(), *util._args_from_interpreter_flags(), "-c", program],
                    domain=_core.default_domain(), stdin=theirs.fileno())
        except BaseException:
            ours.close()
            raise
        self._channel, self._owner, self._forkserver_pid = ours, os.getpid(), self._process.pid

    def _forget(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._owner == os.getpid() and self._process is not None:
            self._process.join()
            self._process.close()
        self._channel = self._process = self._owner = self._forkserver_pid = None

    def _stop(self) -> None:
        with self._lock:
            self._forget()

    def connect_to_new_process(self) -> Started:
        """A new child: the socket to it, its process id, its sentinel, what is said of it."""
        for _ in range(ATTEMPTS):
            with self._lock:
                self.ensure_running()
                assert self._channel is not None
                ours, theirs = socket.socketpair()
                notes = _handover.Notes(ours)
                try:
                    with theirs:
                        reduction.sendfds(self._channel, [theirs.fileno()])
                    first = notes.next(None)
                except (EOFError, BrokenPipeError, ConnectionResetError):
                    ours.close()
                    continue
            assert first is not None
            return ours, first[1], notes.descriptors[0], notes
        raise RuntimeError("the fork server dies as soon as it is started")


# ---- the server -----------------------------------------------------------------------------


def main(preload: Sequence[str], data: Dict[str, Any]) -> None:
    """The server's program. Its standard input is its end of the channel."""
    channel = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    _preload(preload, data)
    util._close_stdin()
    _core.default_domain()  # the children share it as forks do
    wake, waker = os.pipe()
    for fd in (wake, waker):
        os.set_blocking(fd, False)
    before = {signal.SIGCHLD: signal.signal(signal.SIGCHLD, lambda *_: None),
              signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN)}
    signal.set_wakeup_fd(waker)
    children: Dict[int, socket.socket] = {}
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if wake in ready:
            os.read(wake, 65536)
            _reap(children)
        if channel.fileno() in ready:
            try:
                [fd] = reduction.recvfds(channel, 1)
            except EOFError:
                return
            sock = socket.socket(fileno=fd)
            _fork(sock, children, [channel.fileno(), wake, waker], before)


def _preload(names: Sequence[str], data: Dict[str, Any]) -> None:
    if "sys_path" in data:
        sys.path[:] = data["sys_path"]
    current = process.current_process()
    if "__main__" in names and "init_main_from_path" in data:
        setattr(current, "_inheriting", True)
        try:
            spawn.import_main_path(data["init_main_from_path"])
        finally:
            delattr(current, "_inheriting")
    for name in names:
        try:
            __import__(name)
        except ImportError:
            pass


def _reap(children: Dict[int, socket.socket]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        sock = children.pop(pid, None)
        if sock is not None:
            _handover.note(sock, _handover.ENDED, os.waitstatus_to_exitcode(status))
            sock.close()


def _fork(sock: socket.socket, children: Dict[int, socket.socket], unused: List[int],
          handlers: Dict[signal.Signals, Any]) -> None:
    util._flush_std_streams()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            for other in children.values():
                other.close()
            util.close_fds(*unused)
            code = _serve(sock)
        except Exception:
            sys.excepthook(*sys.exc_info())
            util._flush_std_streams()
        finally:
            os._exit(code)
    sentinel = popen_fork.sentinel_of(pid)
    _handover.note(sock, _handover.STARTED, pid, sentinel)
    os.close(sentinel)
    children[pid] = sock


def _serve(sock: socket.socket) -> int:
    data, descriptors = _handover.receive(sock)
    _forkserver._adopt(descriptors.pop(2))
    return spawn._main(sock, data, descriptors)


_forkserver = ForkServer()
ensure_running = _forkserver.ensure_running
get_inherited_fds = _forkserver.get_inherited_fds
connect_to_new_process = _forkserver.connect_to_new_process
set_forkserver_preload = _forkserver.set_forkserver_preload
