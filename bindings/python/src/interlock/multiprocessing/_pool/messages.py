"""Tasks and results as bytes.

A message is the payload, as _core.dumps() makes it, and behind it what kind of message it is. A payload that is
too long for one message goes in parts.

    task     payload, name, (number, length of name, kind)
    result   payload, (number, kind)

NAME is the pickled function, if it is one that pickle stores as its name: the worker keeps what it found under
that name. Other callables may have a state, which each task gets anew: they are in the payload, with name b"".
"""

from __future__ import annotations

import pickle
import struct
import types
from typing import Any, Iterator

from ... import _core

TASK_END = struct.Struct("<QIB")
RESULT_END = struct.Struct("<QB")
BIG_VIEW = 4096  # from this size on a payload is looked at in place instead of copied
PART_BYTES = 8 << 20  # a payload that is longer goes in parts of this size

# Kinds of a task.
CALL, MAP_ONE, STARMAP_ONE, MAP, STARMAP, STOP = range(6)
IN_PARTS = 0x80  # the payload is (ticket of a queue with the parts, how many they are)

# Kinds of a result.
VALUE, ERROR, PART, UP, DOWN, GONE, LOOK, FAILED = range(8)

BY_NAME = (types.FunctionType, types.BuiltinFunctionType, type)

dumps = _core.dumps
loads = _core.loads


def name_of(func: Any) -> bytes:
    """FUNC as a name, or b"" if it has to go with the arguments of each task. Raises if it cannot be pickled."""
    if type(func) not in BY_NAME:
        return b""
    owner = getattr(func, "__self__", None)
    if isinstance(func, types.BuiltinFunctionType) and owner is not None and not isinstance(owner, types.ModuleType):
        return b""  # a method of an object
    return dumps(func)


def task_message(number: int, kind: int, name: bytes, payload: bytes) -> bytes:
    return payload + name + TASK_END.pack(number, len(name), kind)


def task_number(message: bytes) -> int:
    number: int = TASK_END.unpack_from(message, len(message) - TASK_END.size)[0]
    return number


def result_message(number: int, kind: int, payload: bytes = b"") -> bytes:
    return payload + RESULT_END.pack(number, kind)


def result_payload(message: bytes) -> bytes | memoryview:
    end = len(message) - RESULT_END.size
    return message[:end] if end < BIG_VIEW else memoryview(message)[:end]


def parts(payload: bytes) -> Iterator[memoryview]:
    view = memoryview(payload)
    for start in range(0, len(payload), PART_BYTES):
        yield view[start:start + PART_BYTES]


def error_payload(exc: BaseException, text: str | None) -> bytes:
    """An exception, and the traceback that becomes its cause. Raises what pickling raises."""
    return pickle.dumps((dumps(exc), text))


def load_error(payload: bytes | memoryview) -> BaseException:
    from .errors import MaybeEncodingError, RemoteTraceback

    data, text = pickle.loads(payload)
    exc: BaseException
    try:
        exc = loads(data)
        if not isinstance(exc, BaseException):
            raise TypeError(f"an exception became a {type(exc).__name__}")
    except Exception as error:
        exc = MaybeEncodingError(error, text)
    if text is not None:
        exc.__cause__ = RemoteTraceback(text)
    return exc


class Channel:
    """A queue of messages between the pool and its workers. It may be given to a process that is being started;
    the pool keeps it open meanwhile."""

    def __init__(self, queue: _core.Queue | None = None) -> None:
        self.queue = queue if queue is not None else _core.Queue(_core.default_domain())
        self.put = self.queue.put_bytes
        self.get = self.queue.get_bytes
        self.put_many = self.queue.put_many
        self.get_many = self.queue.get_many
        self.close = self.queue.close

    def __reduce__(self) -> tuple[Any, ...]:
        return adopt_channel, (_core.share(self.queue),)


def adopt_channel(ticket: bytes) -> Channel:
    return Channel(_core.adopt(ticket))
