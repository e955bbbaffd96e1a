"""interlock.multiprocessing.connection for threads: objects pass through queues, as they are."""

from __future__ import annotations

import time
from typing import Any

from ...queue import Queue

__all__ = ["Client", "Listener", "Pipe"]

families = [None]


class Connection:
    def __init__(self, _in: Any, _out: Any) -> None:
        self._in = _in
        self._out = _out
        self.send = self.send_bytes = _out.put
        self.recv = self.recv_bytes = _in.get

    def poll(self, timeout: float | None = 0.0) -> bool:
        """Whether something can be received, within TIMEOUT seconds; None: waits for it."""
        end = None if timeout is None else time.monotonic() + timeout
        queue = self._in
        with queue.not_empty:
            while not queue._qsize():
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return False
                queue.not_empty.wait(left)
            queue.not_empty.notify()  # the item is still there: for who waits in recv()
            return True

    def close(self) -> None:
        """Nothing needs to be done."""

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Listener:
    """address is what Client() takes."""

    def __init__(self, address: Any = None, family: Any = None, backlog: int = 1) -> None:
        self._backlog_queue: Any = Queue(backlog)

    def accept(self) -> Connection:
        return Connection(*self._backlog_queue.get())

    def close(self) -> None:
        self._backlog_queue = None

    @property
    def address(self) -> Any:
        return self._backlog_queue

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def Client(address: Any) -> Connection:
    ours: Any = Queue()
    theirs: Any = Queue()
    address.put((theirs, ours))
    return Connection(ours, theirs)


def Pipe(duplex: bool = True) -> tuple[Connection, Connection]:
    a: Any = Queue()
    b: Any = Queue()
    return Connection(a, b), Connection(b, a)
