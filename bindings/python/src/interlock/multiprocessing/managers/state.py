"""Where a manager is in its life."""

from __future__ import annotations


class State:
    """``value`` is INITIAL, STARTED or SHUTDOWN; shared with the manager's finalizer and its proxies."""

    __slots__ = ("value",)

    INITIAL = 0
    STARTED = 1
    SHUTDOWN = 2

    def __init__(self) -> None:
        self.value = State.INITIAL
