"""What a function may ask and tell while it runs for a pool."""

from __future__ import annotations

import contextvars
from typing import Any, Callable, Optional

from .encoding import encode
from .errors import Cancelled as Cancelled  # noqa: F401 (a name of this module)

PROGRESS_MAX_BYTES = 64 * 1024


class Fatal(Exception):
    """To be raised by a function that failed and would again: it is not tried another time."""


class Call:
    """The call that a function runs for. Any thread may use it."""

    __slots__ = ("attempt", "function", "task", "_asked_to_stop", "_report")

    def __init__(
        self, function: str, task: str, attempt: int, report: Callable[[bytes], None]
    ) -> None:
        self.function = function
        self.task = task  # its id in the server
        self.attempt = attempt  # 1 at first
        self._asked_to_stop = False
        self._report = report

    def cancelled(self) -> bool:
        """Whether it should end soon; it is ended by force if it does not."""
        return self._asked_to_stop

    def cancel(self) -> None:
        """Ask it to end."""
        self._asked_to_stop = True

    def progress(self, value: Any) -> None:
        """Show how far it is: any JSON value of at most 64 KiB."""
        text = encode(value)
        if len(text) > PROGRESS_MAX_BYTES:
            raise ValueError(f"progress is to be at most {PROGRESS_MAX_BYTES} bytes of JSON")
        self._report(text)


_current: contextvars.ContextVar[Optional[Call]] = contextvars.ContextVar(
    "interlock_call", default=None
)


def current_call() -> Optional[Call]:
    """The call that this code runs for; None outside a pool.

    A thread that a function starts itself has none: hand it the function's.
    """
    return _current.get()


def enter_call(call: Optional[Call]) -> None:
    """Make CALL the current one. For the worker."""
    _current.set(call)


def cancelled() -> bool:
    """Whether the current call should end soon: raise :class:`Cancelled` then."""
    call = _current.get()
    return call is not None and call.cancelled()


def progress(value: Any) -> None:
    """Show how far the current call is; nothing outside a pool."""
    call = _current.get()
    if call is not None:
        call.progress(value)
