"""What a task can fail with beside the exceptions of its function."""

from __future__ import annotations

import signal
import traceback
from types import TracebackType
from typing import Any

PUBLIC = "interlock.multiprocessing.pool"


class RemoteTraceback(Exception):
    """The cause of an exception that was raised in a worker: its traceback there, as text."""

    __module__ = PUBLIC

    def __init__(self, tb: str) -> None:
        self.tb = tb

    def __str__(self) -> str:
        return self.tb


def rebuild_exc(exc: BaseException, tb: str) -> BaseException:
    exc.__cause__ = RemoteTraceback(tb)
    return exc


def remote_text(exc: BaseException, tb: TracebackType | None) -> str:
    text = "".join(traceback.format_exception(type(exc), exc, tb))
    return f'\n"""\n{text}"""'


class ExceptionWithTraceback:
    """An exception that keeps its traceback, as text, when it is pickled."""

    __module__ = PUBLIC

    def __init__(self, exc: BaseException, tb: TracebackType | None) -> None:
        self.exc = exc
        self.tb = remote_text(exc, tb)

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild_exc, (self.exc, self.tb)


class MaybeEncodingError(Exception):
    """A result or an exception could not be sent, or not be rebuilt. exc and value are texts."""

    __module__ = PUBLIC

    def __init__(self, exc: object, value: object) -> None:
        self.exc = repr(exc)
        self.value = _safe_repr(value)
        super().__init__(self.exc, self.value)

    def __str__(self) -> str:
        return f"Error sending result: '{self.value}'. Reason: '{self.exc}'"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_encoding_error, (self.exc, self.value)


def _safe_repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr() raised {type(error).__name__}>"


def _rebuild_encoding_error(exc: str, value: str) -> MaybeEncodingError:
    error = MaybeEncodingError(None, None)
    error.exc, error.value = error.args = exc, value
    return error


def describe_exit(exitcode: int | None) -> str:
    """'was killed by SIGKILL' or 'ended with exit code 3'."""
    if exitcode is None:
        return "ended"
    if exitcode >= 0:
        return f"ended with exit code {exitcode}"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = f"signal {-exitcode}"
    return f"was killed by {name}"


class WorkerDied(RuntimeError):
    """The worker process died while it had this task; the function may have run in part.

    pid and exitcode are the worker's (exitcode -9: killed by signal 9), task says which task it was, attempts
    how often it was tried.
    """

    __module__ = PUBLIC

    def __init__(self, pid: int | None, exitcode: int | None, task: str, attempts: int = 1) -> None:
        super().__init__(pid, exitcode, task, attempts)
        self.pid = pid
        self.exitcode = exitcode
        self.task = task
        self.attempts = attempts

    def __str__(self) -> str:
        text = f"worker process {self.pid} {describe_exit(self.exitcode)} while it had {self.task}"
        return text if self.attempts == 1 else f"{text}; tried {self.attempts} times"


class InitializerFailed(RuntimeError):
    """No worker comes up: each dies before the end of its initializer. The cause, if known, is its exception."""

    __module__ = PUBLIC


class PoolTerminated(RuntimeError):
    """The pool was terminated before it had this result."""

    __module__ = PUBLIC
