"""The loop of a worker process."""

from __future__ import annotations

import itertools
import sys
from typing import Any, Callable

from ... import _core
from .. import util
from . import messages
from .errors import MaybeEncodingError, remote_text
from .messages import (BIG_VIEW, CALL, IN_PARTS, MAP, MAP_ONE, PART, PART_BYTES, RESULT_END, STARMAP,
                       STARMAP_ONE, STOP, TASK_END, Channel)

KEPT_FUNCTIONS = 256


def worker(inqueue: Channel, outqueue: Channel, initializer: Callable[..., Any] | None = None,
           initargs: Any = (), maxtasks: int | None = None, wrap_exception: bool = False, key: int = 0) -> None:
    """Runs tasks of INQUEUE until it is told to stop, or MAXTASKS of them are done."""
    if maxtasks is not None and not (isinstance(maxtasks, int) and maxtasks >= 1):
        raise AssertionError(f"maxtasks must be a positive int or None, not {maxtasks!r}")
    if initializer is not None:
        initialize(outqueue, initializer, initargs, key)
    outqueue.put(messages.result_message(key, messages.UP))
    Worker(inqueue, outqueue, wrap_exception).run(maxtasks)


def initialize(outqueue: Channel, initializer: Callable[..., Any], initargs: Any, key: int) -> None:
    try:
        initializer(*initargs)
    except Exception as error:
        text = remote_text(error, error.__traceback__)
        try:
            payload = messages.error_payload(error, text)
        except Exception:
            payload = messages.error_payload(MaybeEncodingError(error, None), text)
        outqueue.put(messages.result_message(key, messages.DOWN, payload))
        raise


class Worker:
    def __init__(self, inqueue: Channel, outqueue: Channel, wrap_exception: bool) -> None:
        self.get = inqueue.get
        self.put = outqueue.put
        self.wrap = wrap_exception
        self.functions: dict[bytes, Any] = {}

    def run(self, maxtasks: int | None) -> None:
        completed = 0
        while maxtasks is None or completed < maxtasks:
            try:
                data = self.get()
            except KeyboardInterrupt:  # at the terminal, for all its processes; this one has nothing to lose
                sys.exit(1)
            if not self.run_one(data):
                util.debug("pool worker was told to stop")
                break
            del data
            completed += 1
        util.debug("pool worker ends after %d tasks", completed)

    def run_one(self, data: bytes) -> bool:
        """Whether to go on. What a task refers to is let go before the next one is waited for."""
        number, name_bytes, kind = TASK_END.unpack_from(data, len(data) - TASK_END.size)
        if kind == STOP:
            return False
        try:
            value = self.call(data, name_bytes, kind)
        except Exception as error:
            self.send_error(number, error)
            return True
        try:
            payload = messages.dumps(value)
        except Exception as error:
            self.send_error(number, MaybeEncodingError(error, value), wrap=False)
            return True
        try:
            self.send(number, messages.VALUE, payload)
        except Exception as error:  # the domain has no room for it
            self.send_error(number, MaybeEncodingError(error, value), wrap=False)
        return True

    def call(self, data: bytes, name_bytes: int, kind: int) -> Any:
        end = len(data) - TASK_END.size
        start = end - name_bytes
        load = messages.loads
        payload: Any = data[:start] if start < BIG_VIEW else memoryview(data)[:start]
        if kind & IN_PARTS:
            kind &= ~IN_PARTS
            payload = fetch_parts(payload)
        if name_bytes:
            func = self.function(data[start:end])
            arguments = load(payload)
        else:
            func, arguments = load(payload)
        if kind == MAP_ONE:
            return func(arguments)
        if kind == CALL:
            args, kwds = arguments
            return func(*args, **kwds)
        if kind == STARMAP_ONE:
            return func(*arguments)
        if kind == MAP:
            return list(map(func, arguments))
        assert kind == STARMAP
        return list(itertools.starmap(func, arguments))

    def function(self, name: bytes) -> Any:
        try:
            return self.functions[name]
        except KeyError:
            func = messages.loads(name)
            if len(self.functions) >= KEPT_FUNCTIONS:
                self.functions.clear()
            self.functions[name] = func
            return func

    def send_error(self, number: int, error: BaseException, wrap: bool = True) -> None:
        text = remote_text(error, error.__traceback__) if wrap and self.wrap else None
        try:
            payload = messages.error_payload(error, text)
        except Exception as reason:
            payload = messages.error_payload(MaybeEncodingError(reason, error), text)
        self.send(number, messages.ERROR, payload)

    def send(self, number: int, kind: int, payload: bytes) -> None:
        if len(payload) > PART_BYTES:
            for part in messages.parts(payload):
                self.put(messages.result_message(number, PART, bytes(part)))
            payload, kind = b"", kind | IN_PARTS
        self.put(payload + RESULT_END.pack(number, kind))


def fetch_parts(payload: Any) -> bytes:
    ticket, count = messages.loads(payload)
    queue = _core.adopt(ticket)
    try:
        return b"".join([queue.get_bytes() for _ in range(count)])
    finally:
        queue.close()
