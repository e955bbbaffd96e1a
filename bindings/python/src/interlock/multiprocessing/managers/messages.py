"""What a manager's server and its clients say to each other.

A request is ``(ident, method, args, kwds)``; an answer is ``(kind, result)``.
"""

from __future__ import annotations

import traceback
from typing import Any

__all__ = ["ManagerDied", "RemoteError", "Token", "convert_to_error", "describe_failure", "dispatch"]

RETURN = "#RETURN"
ERROR = "#ERROR"
PROXY = "#PROXY"
TRACEBACK = "#TRACEBACK"
UNSERIALIZABLE = "#UNSERIALIZABLE"
GETVALUE = "#GETVALUE"


class ManagerDied(ConnectionRefusedError, BrokenPipeError, ConnectionResetError, EOFError):
    """The manager of an object was shut down, or its process has died; the object is gone with it.

    It is all that a call of a dead manager raises in the standard module, so programs that catch
    EOFError or ConnectionError go on as they did.
    """

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else "the manager has ended"


class RemoteError(Exception):
    """An exception in the server that has no counterpart here; its text is the server's traceback."""

    def __str__(self) -> str:
        line = "-" * 75
        return f"\n{line}\n{self.args[0]}{line}"


class Token:
    """Which object of which server: ``typeid``, the server's ``address``, and its ``id`` there."""

    __slots__ = ("typeid", "address", "id")

    def __init__(self, typeid: str, address: Any, id: str | None) -> None:
        self.typeid = typeid
        self.address = address
        self.id = id

    def __getstate__(self) -> tuple[Any, ...]:
        return self.typeid, self.address, self.id

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.typeid, self.address, self.id = state

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({fields})"


def dispatch(c: Any, id: str | None, methodname: str, args: tuple[Any, ...] = (), kwds: Any = {}) -> Any:
    """Has METHODNAME called over the connection C, and returns or raises what came of it."""
    c.send((id, methodname, args, kwds))
    kind, result = c.recv()
    if kind == RETURN:
        return result
    raise convert_to_error(kind, result)


def convert_to_error(kind: str, result: Any) -> BaseException:
    """The exception that an answer other than a result stands for."""
    if kind == ERROR and isinstance(result, BaseException):
        return result
    if kind not in (TRACEBACK, UNSERIALIZABLE):
        return ValueError(f"Unrecognized message type {kind!r}")
    if not isinstance(result, str):
        raise TypeError(f"the answer {result!r} of kind {kind!r} is of type {type(result)}, not str")
    return RemoteError(result if kind == TRACEBACK else f"Unserializable message: {result}\n")


def describe_failure() -> tuple[str, str]:
    """The answer for the exception that is being handled."""
    return TRACEBACK, traceback.format_exc()
