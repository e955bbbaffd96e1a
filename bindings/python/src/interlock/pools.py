"""Pools of the server: calls of functions that workers in any language have.

Arguments and results are JSON. What a function raised is TaskFailed, with its ``remote_type`` and
``remote_traceback``; a worker that died is TaskLost.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Iterable, Iterator, Sequence

from . import _core
from ._callbacks import Watchers
from ._stream import Stream
from .encoding import encode
from .errors import STATUS, Cancelled, InterlockError, NotFound, TaskFailed, Timeout

_watchers = Watchers()


def _text(value: Any, what: str) -> str:
    try:
        return encode(value).decode()
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}") from None


def failure(status: int, text: str) -> InterlockError:
    """The exception of a task that ended with STATUS; TEXT is the JSON of its error."""
    try:
        told = json.loads(text) if text else {}
    except ValueError:
        told = {"message": text}
    if not isinstance(told, dict):
        told = {"message": str(told)}
    kind = STATUS.get(status, TaskFailed)
    remote_type, message = told.get("type"), told.get("message")
    words = ": ".join(str(part) for part in (remote_type, message) if part) or kind.code
    return add_remote(kind(words), told)


def add_remote(error: InterlockError, told: dict[str, Any]) -> InterlockError:
    """ERROR with what its worker told of it."""
    traceback = told.get("traceback")
    setattr(error, "remote_type", told.get("type"))
    setattr(error, "remote_traceback", traceback)
    if traceback:
        error.add_note(f"in the worker:\n{traceback}")
    return error


class Future:
    """A call that a pool was asked for, as concurrent.futures.Future."""

    __slots__ = ("_task", "_outcome", "_callbacks", "__weakref__")

    def __init__(self, task: _core.Task) -> None:
        self._task = task
        self._outcome: tuple[InterlockError | None, Any] | None = None
        self._callbacks: list[Callable[[Future], object]] = []

    @property
    def id(self) -> int:
        """Its number on the server, as in ``GET /v1/tasks/{id}``."""
        return self._task.id

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it has ended, at most TIMEOUT seconds from now."""
        return self._outcome is not None or self._task.wait(timeout)

    def done(self) -> bool:
        """Whether it has ended, however it did."""
        return self.wait(0)

    def state(self) -> str:
        """queued, delayed, running, succeeded, failed, cancelled, timed_out or lost."""
        return self._task.state()

    def running(self) -> bool:
        return self.state() == "running"

    def cancelled(self) -> bool:
        """Whether it ended because it was cancelled."""
        return self.state() == "cancelled"

    def cancel(self) -> bool:
        """Ask it to end: True if it has ended so. One that runs is told, and ended by force after a while."""
        self._task.cancel()
        return self.cancelled()

    def result(self, timeout: float | None = None) -> Any:
        """What the function returned, or raises what came of it. Timeout: it goes on."""
        error, value = self._settle(timeout)
        if error is not None:
            raise error
        return value

    def exception(self, timeout: float | None = None) -> InterlockError | None:
        """Why it did not succeed; None: it did. Timeout: it goes on."""
        error = self._settle(timeout)[0]
        if isinstance(error, Cancelled):
            raise error
        return error

    def add_done_callback(self, callback: Callable[[Future], object]) -> None:
        """Call CALLBACK(self) once it has ended, in a thread of this process, or now if it has."""
        if self.done():
            callback(self)
            return
        self._callbacks.append(callback)
        if len(self._callbacks) == 1:
            _watchers.add(self._has_ended, self._call_back)

    def _has_ended(self, timeout: float) -> bool:
        try:
            return self.wait(timeout)
        except Timeout:
            return False
        except InterlockError as error:  # the server has gone, or has forgotten it
            self._outcome = (error, None)
            return True

    def _call_back(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def _settle(self, timeout: float | None) -> tuple[InterlockError | None, Any]:
        if self._outcome is None:
            if not self._task.wait(timeout):
                raise Timeout("the task has not ended")
            self._outcome = self._read()
        return self._outcome

    def _read(self) -> tuple[InterlockError | None, Any]:
        try:
            return None, json.loads(self._task.result())
        except InterlockError as error:
            try:
                told = json.loads(self._task.error())
            except (NotFound, ValueError):
                return error, None
            return (add_remote(error, told) if isinstance(told, dict) else error), None

    def __repr__(self) -> str:
        return f"<interlock.Future {self.id}>"


class Pool:
    """A pool of the server, by its name."""

    __slots__ = ("_workers", "name", "_options")

    def __init__(
        self, workers: _core.Workers, name: str, options: dict[str, Any] | None = None
    ) -> None:
        self._workers = workers
        self.name = name
        self._options = options or {}

    def options(self, **options: Any) -> Pool:
        """The same pool, whose tasks have these: priority (-100 to 100), retries, and in seconds delay,
        deadline, time_limit (of an attempt), backoff, backoff_max, keep."""
        return Pool(self._workers, self.name, {**self._options, **options})

    def submit(self, function: str, /, *args: Any, **kwargs: Any) -> Future:
        """Ask for FUNCTION(*args, **kwargs). NoSuchFunction: the workers have none of that name."""
        given = _text(args, "args"), _text(kwargs, "kwargs")
        return Future(self._workers.submit(function, *given, **self._options))

    def call(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        """The result of FUNCTION(*args, **kwargs), in one request."""
        given = _text(args, "args"), _text(kwargs, "kwargs")
        return Future(self._workers.apply(function, *given, **self._options)).result()

    def map(
        self, function: str, items: Iterable[Any], *, chunk: int = 0, timeout: float | None = None
    ) -> list[Any]:
        """[FUNCTION(item) for item in items], by all workers. Raises for the first item that failed, once
        all have ended. CHUNK: items that a worker is handed at once, 0: by their number."""
        return self._map(function, items, False, chunk, timeout)

    def starmap(
        self, function: str, items: Iterable[Sequence[Any]], *, chunk: int = 0,
        timeout: float | None = None,
    ) -> list[Any]:
        """[FUNCTION(*item) for item in items]."""
        return self._map(function, items, True, chunk, timeout)

    def imap(
        self, function: str, items: Iterable[Any], *, chunk: int = 0, timeout: float | None = None
    ) -> Iterator[Any]:
        """As map(), but one result after the other, in the order of the items, while the rest goes on."""
        return self._stream(function, items, True, chunk, timeout)

    def imap_unordered(
        self, function: str, items: Iterable[Any], *, chunk: int = 0, timeout: float | None = None
    ) -> Iterator[Any]:
        """The same in the order in which they end."""
        return self._stream(function, items, False, chunk, timeout)

    def close(self) -> None:
        """Close this handle: the pool, and what was submitted, go on."""
        self._workers.close()

    def _map(
        self, function: str, items: Iterable[Any], star: bool, chunk: int, timeout: float | None
    ) -> list[Any]:
        texts = [_text(item, f"items[{i}]") for i, item in enumerate(items)]
        results: list[Any] = [None] * len(texts)
        failed: dict[int, InterlockError] = {}

        def each(index: int, status: int, text: str) -> bool:
            if status == 0:
                results[index] = json.loads(text)
            else:
                failed[index] = failure(status, text)
            return True

        try:
            self._workers.map(
                function, texts, each, star=star, chunk=chunk, timeout=timeout, **self._options
            )
        except InterlockError:
            if not failed:
                raise
        if failed:
            raise failed[min(failed)]
        return results

    def _stream(
        self, function: str, items: Iterable[Any], ordered: bool, chunk: int,
        timeout: float | None,
    ) -> Iterator[Any]:
        texts = [_text(item, f"items[{i}]") for i, item in enumerate(items)]

        def run(each: Callable[[int, int, str], bool]) -> None:
            self._workers.map(
                function, texts, each, ordered=ordered, chunk=chunk, timeout=timeout,
                **self._options,
            )

        return Stream(run, len(texts), failure)
