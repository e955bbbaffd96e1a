"""The Barrier of `interlock.threading`."""

from __future__ import annotations

from typing import Any, Callable, Optional

from ._sync import Condition, Lock, _place


class BrokenBarrierError(RuntimeError):
    __module__ = "interlock.threading"


class _Round:
    """Those that pass together. Who waits looks at the round it came in: the next can fill at once."""

    __slots__ = ("arrived", "passed", "broken")

    def __init__(self) -> None:
        self.arrived = 0
        self.passed = self.broken = False

    def over(self) -> bool:
        return self.passed or self.broken


class Barrier:
    """PARTIES threads wait() for each other. One of them calls ACTION before they go on; if it raises, the
    barrier breaks. TIMEOUT (seconds) holds for every wait() that names none."""

    __module__ = "interlock.threading"

    def __init__(self, parties: int, action: Optional[Callable[[], Any]] = None,
                 timeout: Optional[float] = None) -> None:
        if parties < 1:
            raise ValueError("parties must be >= 1")
        self._condition = Condition(Lock())
        self._parties = parties
        self._action = action
        self._timeout = timeout
        self._round = _Round()

    def __repr__(self) -> str:
        state = "broken" if self.broken else f"waiters={self.n_waiting}/{self._parties}"
        return f"{_place(self)} {state}>"

    def wait(self, timeout: Optional[float] = None) -> int:
        """A number from 0 to parties - 1, another one for each. BrokenBarrierError: the barrier is broken,
        was broken or reset meanwhile, or TIMEOUT passed, which breaks it."""
        if timeout is None:
            timeout = self._timeout
        with self._condition:
            mine = self._round
            if mine.broken:
                raise BrokenBarrierError
            index = mine.arrived
            mine.arrived += 1
            if index + 1 == self._parties:
                self._pass()
            else:
                self._await(mine, timeout)
            return index

    def _pass(self) -> None:
        try:
            if self._action is not None:
                self._action()
        except BaseException:
            self._break()
            raise
        self._round.passed = True
        self._begin()

    def _await(self, mine: _Round, timeout: Optional[float]) -> None:
        try:
            over = self._condition.wait_for(mine.over, timeout)
        except BaseException:
            if not mine.over():
                mine.arrived -= 1
            raise
        if not over:
            self._break()
        if mine.broken:
            raise BrokenBarrierError

    def _begin(self) -> None:
        self._round = _Round()
        self._condition.notify_all()

    def _break(self) -> None:
        self._round.broken = True
        self._condition.notify_all()

    def reset(self) -> None:
        """As new; those that wait get BrokenBarrierError."""
        with self._condition:
            self._round.broken = True
            self._begin()

    def abort(self) -> None:
        """Breaks the barrier until reset()."""
        with self._condition:
            self._break()

    @property
    def parties(self) -> int:
        return self._parties

    @property
    def n_waiting(self) -> int:
        current = self._round
        return 0 if current.broken else current.arrived

    @property
    def broken(self) -> bool:
        return self._round.broken
