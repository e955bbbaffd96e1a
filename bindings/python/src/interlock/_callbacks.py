"""A few threads that wait for many things, and say when each has happened."""

from __future__ import annotations

import sys
from _thread import start_new_thread
from collections import deque
from typing import Callable

_MOST = 16  # threads
_SLICE = 1.0  # seconds that one thing is waited for while others wait for a thread


class Watchers:
    """add(ended, tell): TELL() is called in a thread once ENDED(timeout) has said True.

    Up to 16 things each have a thread that waits for it; beyond, they take turns of a second. A thread ends
    when nothing is left. deque's operations are atomic, so no lock is needed: a thread that gives its place
    back looks once more whether something came meanwhile.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[float], bool], Callable[[], object]]] = deque()
        self._places = deque(range(_MOST))

    def add(self, ended: Callable[[float], bool], tell: Callable[[], object]) -> None:
        self._waiting.append((ended, tell))
        self._employ()

    def _employ(self) -> None:
        try:
            place = self._places.popleft()
        except IndexError:
            return  # all are at work, and take it when its turn comes
        try:
            start_new_thread(self._run, (place,))
        except RuntimeError:
            self._places.append(place)
            raise

    def _run(self, place: int) -> None:
        while True:
            try:
                ended, tell = self._waiting.popleft()
            except IndexError:
                self._places.append(place)
                if self._waiting:
                    self._employ()
                return
            if not ended(_SLICE):
                self._waiting.append((ended, tell))
                continue
            try:
                tell()
            except Exception:
                sys.excepthook(*sys.exc_info())
