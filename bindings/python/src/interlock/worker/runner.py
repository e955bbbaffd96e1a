"""Running calls.

One thread reads what the server says, so that it hears of a cancellation while functions run; the
slots, of which the main thread is one, run what it hands them. A batch is one slot's from its first
call to its last.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import queue
import sys
import threading
import traceback
from typing import Any, Dict, List, Mapping, NoReturn, Optional

from ..calls import Call, Cancelled, Fatal, enter_call
from ..encoding import encode
from ..tasks import Function
from .channel import Channel, Gone
from .messages import unfit

FAILED = 1
CANCELLED = 2
NO_FUNCTION = -32601
BAD_ARGUMENTS = -32602
TRACEBACK_MAX = 64 * 1024  # characters; its end is kept


class Request:
    """What wants an answer."""

    __slots__ = ("call", "id", "is_call", "params")

    def __init__(self, message: Mapping[str, Any], channel: Channel) -> None:
        request_id = encode(message["id"])
        self.id = request_id
        self.is_call = message["method"] in ("call", "initialize")
        self.params = message.get("params")
        self.call: Optional[Call] = None
        if self.is_call and isinstance(self.params, dict):
            self.call = Call(
                self.params.get("function", ""),
                self.params.get("task", ""),
                self.params.get("attempt", 1),
                lambda value: channel.progress(request_id, value),
            )


class Runner:
    """The functions, and the calls of them that are to be answered."""

    def __init__(self, channel: Channel, functions: Mapping[str, Function], slots: int) -> None:
        self._channel = channel
        self._functions = functions
        self._slots = slots
        self._batches: queue.SimpleQueue[Optional[List[Request]]] = queue.SimpleQueue()
        # By the request's id. Who takes a request out of `unbegun` answers it: a slot, which runs
        # it, or the reader, when it is cancelled before.
        self._unbegun: Dict[bytes, Request] = {}
        self._running: Dict[bytes, Call] = {}
        self._trouble = ""

    def run(self) -> int:
        """Serve until the server has no more to say. The process's exit status."""
        reader = threading.Thread(target=self._read, name="interlock-reader", daemon=True)
        others = [
            threading.Thread(target=self._serve, name=f"interlock-slot-{i}", daemon=True)
            for i in range(1, self._slots)
        ]
        for thread in (reader, *others):
            thread.start()
        self._serve()
        for thread in others:
            thread.join()
        if self._trouble:
            print(f"interlock.worker: {self._trouble}", file=sys.stderr)
        return 1 if self._trouble else 0

    # ---- reading ----

    def _read(self) -> None:
        try:
            for message in self._channel.messages():
                if isinstance(message, list):
                    self._take(message)
                elif "id" in message and "method" in message:
                    self._take([message])
                elif message.get("method") == "cancel":
                    self._cancel(message.get("params"))
        except Gone:
            pass
        except Exception as error:  # whatever it is, the slots must end
            self._trouble = str(error) or type(error).__name__
        for _ in range(self._slots):
            self._batches.put(None)

    def _take(self, messages: List[Any]) -> None:
        try:
            requests = [Request(message, self._channel) for message in messages]
        except (KeyError, TypeError, AttributeError):
            raise ValueError("the server sent a batch of something else than requests") from None
        for request in requests:
            self._unbegun[request.id] = request
        self._batches.put(requests)

    def _cancel(self, params: Any) -> None:
        request_id = encode(params.get("id")) if isinstance(params, dict) else b""
        # In this order: it may begin between the two.
        if self._unbegun.pop(request_id, None) is not None:
            self._channel.error(
                request_id, CANCELLED, "cancelled before it began", type="Cancelled"
            )
        elif (call := self._running.get(request_id)) is not None:
            call.cancel()

    # ---- running ----

    def _serve(self) -> None:
        with contextlib.suppress(Gone):  # who answers to nobody need not go on
            while True:
                batch = self._batches.get()
                if batch is None:
                    return
                for request in batch:
                    if request.call is not None:
                        self._running[request.id] = request.call
                    if self._unbegun.pop(request.id, None) is not None:
                        self._answer(request)
                    self._running.pop(request.id, None)

    def _answer(self, request: Request) -> None:
        try:
            value = self._outcome(request)
        except _Refused as refused:
            flush()
            self._channel.error(request.id, refused.code, str(refused), **refused.data)
        else:
            flush()
            self._channel.result(request.id, value)

    def _outcome(self, request: Request) -> bytes:
        """The result as JSON; _Refused: there is none."""
        if not request.is_call:
            raise _Refused(NO_FUNCTION, "there is no such method", type="LookupError")
        why = unfit(request.params)
        call = request.call
        if why or call is None:
            raise _Refused(BAD_ARGUMENTS, why, type="TypeError")
        function = self._functions.get(call.function)
        if function is None:
            raise _Refused(
                NO_FUNCTION, f"there is no function {call.function!r}", type="LookupError"
            )
        assert isinstance(request.params, dict)
        args, kwargs = request.params.get("args", []), request.params.get("kwargs", {})
        try:
            result = run_function(function, args, kwargs, call)
        except Cancelled as error:
            raise _Refused(CANCELLED, str(error) or "cancelled", type="Cancelled") from None
        except SystemExit as error:
            leave(error)
        except BaseException as error:
            raise failure(error, function, args, kwargs) from None
        try:
            return encode(result)
        except Exception as error:
            raise _Refused(
                FAILED,
                f"the result cannot be written as JSON: {words_of(error)}",
                type=type(error).__name__,
                retry=False,
            ) from None


class _Refused(Exception):
    """The call has no result: a JSON-RPC error."""

    def __init__(self, code: int, message: str, **data: Any) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


def run_function(
    function: Function, args: List[Any], kwargs: Dict[str, Any], call: Optional[Call]
) -> Any:
    enter_call(call)
    try:
        result = function(*args, **kwargs)
        return asyncio.run(result) if inspect.iscoroutine(result) else result
    finally:
        enter_call(None)


def failure(
    error: BaseException, function: Function, args: List[Any], kwargs: Dict[str, Any]
) -> _Refused:
    """What an exception of FUNCTION says."""
    trace = error.__traceback__
    within = trace.tb_next.tb_next if trace and trace.tb_next else None  # below run_function()
    if isinstance(error, TypeError) and within is None and not accepts(function, args, kwargs):
        return _Refused(BAD_ARGUMENTS, words_of(error), type="TypeError")
    lines = traceback.format_exception(type(error), error, within)
    data: Dict[str, Any] = {
        "type": type(error).__name__,
        "traceback": "".join(lines)[-TRACEBACK_MAX:],
    }
    if isinstance(error, Fatal):
        data["retry"] = False
    return _Refused(FAILED, words_of(error), **data)


def accepts(function: Function, args: List[Any], kwargs: Dict[str, Any]) -> bool:
    """Whether FUNCTION can be called so, as far as its signature says."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    except ValueError:  # one without a signature, written in C
        return False
    return True


def words_of(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:  # its __str__() is the user's
        return type(error).__name__


def flush() -> None:
    """What was printed so far belongs to the call that ends now."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # it may be closed, or anything the user put there
            stream.flush()


def leave(error: SystemExit) -> NoReturn:
    """The function called sys.exit(): it means the process, in whichever thread it runs."""
    if threading.current_thread() is threading.main_thread():
        raise error
    code = error.code
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    flush()
    os._exit(0 if code is None else code & 0xFF)
