"""Results of a map as they come: a thread runs the map, the iterator waits for it."""

from __future__ import annotations

import json
import os
from _thread import start_new_thread
from collections import deque
from typing import Any, Callable

from . import _core
from .errors import InterlockError, NotFound

_Each = Callable[[int, int, str], bool]


class Stream:
    """An iterator over the results of RUN(each), of which there are COUNT, or its error.

    An item that failed raises in its place, and the iteration may go on after it. close(), or letting go of
    the iterator, cancels the rest.
    """

    def __init__(
        self, run: Callable[[_Each], None], count: int, failure: Callable[[int, str], InterlockError]
    ) -> None:
        self._left = count
        self._failure = failure
        self._shared = _Shared()
        start_new_thread(self._shared.run, (run,))

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Any:
        if self._left <= 0:
            self.close()
            raise StopIteration
        status, text = self._shared.take()
        self._left -= 1
        if isinstance(text, BaseException):
            self._left = 0
            raise text
        if status != 0:
            raise self._failure(status, text)
        return json.loads(text)

    def close(self) -> None:
        """Cancel what has not ended."""
        self._left = 0
        self._shared.stop()

    def __del__(self) -> None:
        self.close()


class _Shared:
    """What the iterator and the thread have in common, so that the thread does not keep the iterator.

    A pipe counts the results, a byte each: who takes one waits for its byte, and a thread that is 64 Ki
    results ahead, a pipe's room, waits for who takes them.
    """

    def __init__(self) -> None:
        self._results: deque[tuple[int, Any]] = deque()
        self._taking, self._putting = os.pipe()
        self._thread = 0

    def run(self, run: Callable[[_Each], None]) -> None:
        self._thread = _core.thread_self()
        try:
            if self._taking >= 0:
                run(self._tell)
        except BaseException as error:
            # an item's failure was told with the item: what ends the map itself is told here
            self._tell(0, 0, error)
        finally:
            os.close(self._putting)

    def _tell(self, index: int, status: int, text: Any) -> bool:
        self._results.append((status, text))
        try:
            return os.write(self._putting, b"x") == 1
        except BrokenPipeError:  # nobody takes them any more
            return False

    def take(self) -> tuple[int, Any]:
        if not os.read(self._taking, 1):
            raise RuntimeError("the map ended without a result for each item")
        return self._results.popleft()

    def stop(self) -> None:
        taking, self._taking = self._taking, -1
        if taking < 0:
            return
        os.close(taking)
        try:
            if self._thread:
                _core.interrupt(self._thread)  # the map ends, and cancels what is left
        except NotFound:
            pass  # it has ended
