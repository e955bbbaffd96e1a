"""What a call of the pool wants done, and the thread that takes items out of iterables."""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any, Iterator, Protocol, Sequence

from ...threading import Event, Lock, Thread
from .messages import CALL


class Source:
    """One call of the pool: FUNC for each of ITEMS, and the job that gets the outcomes.

    lazy: an item may be long in coming, so that each goes to the workers before the next is asked for.
    """

    def __init__(self, job: Any, func: Any, kind: int, items: Iterator[Any], lazy: bool) -> None:
        self.job = job
        self.func = func
        self.kind = kind
        self.items = items
        self.lazy = lazy
        self.index = 0  # of the next item
        self.exhausted = False
        self.name: bytes | None = None  # of FUNC, for a worker process

    def take(self, count: int) -> list[tuple[int, Any]]:
        """The next items with their indexes, COUNT at most. An iterable that fails gives one outcome more."""
        taken = []
        try:
            for item in itertools.islice(self.items, count):
                taken.append((self.index, item))
                self.index += 1
        except BaseException as error:
            self.fail(error)
        self.exhausted = len(taken) < count
        return taken

    def take_each(self, count: int) -> Iterator[tuple[int, Any]]:
        """The same one by one."""
        try:
            for item in itertools.islice(self.items, count):
                count -= 1
                self.index += 1
                yield self.index - 1, item
        except BaseException as error:
            self.fail(error)
        self.exhausted = count > 0

    def fail(self, error: BaseException) -> None:
        self.job._set(self.index, (False, error))
        self.index += 1

    def describe(self, index: int) -> str:
        name = getattr(self.func, "__qualname__", None) or repr(self.func)
        return f"{name}()" if self.kind == CALL else f"{name}(), task {index} of its call"


class Sink(Protocol):
    """Where tasks go."""

    def wait_for_room(self) -> int: ...  # 0: nothing more is wanted, ever
    def add(self, source: Source, items: Sequence[tuple[int, Any]]) -> None: ...
    def feeder_is_idle(self) -> None: ...


class Feeder:
    """Takes items out of the sources, one source after the other, as the sink has room.

    Its thread is started with the first source. A source whose iterable blocks holds up those behind it, and
    the thread when it should end; join() then gives up.
    """

    def __init__(self, sink: Sink, name: str) -> None:
        self.sink = sink
        self.name = name
        self.sources: deque[Source] = deque()
        self.lock = Lock()
        self.more = Event()
        self.stopped = False
        self.thread: Any = None

    @property
    def pending(self) -> bool:
        return bool(self.sources)

    def submit(self, source: Source) -> None:
        with self.lock:
            if self.thread is None:
                self.thread = Thread(target=self.run, name=self.name, daemon=True)
                self.thread.start()
            self.sources.append(source)
        self.more.set()

    def stop(self) -> None:
        self.stopped = True
        self.more.set()

    def join(self, timeout: float | None = None) -> None:
        if self.thread is not None:
            self.thread.join(timeout)

    def run(self) -> None:
        while not self.stopped:
            if not self.sources:
                self.more.wait()
                self.more.clear()
            elif self.feed(self.sources[0]):
                self.sources.popleft()
                if not self.sources:
                    self.sink.feeder_is_idle()
            else:
                break
        self.sources.clear()

    def feed(self, source: Source) -> bool:
        """Whether SOURCE is done; False: the sink wants no more."""
        while not source.exhausted and source.job._pool is not None:  # None: it has failed meanwhile
            room = self.sink.wait_for_room()
            if not room:
                return False
            if not source.lazy:
                self.sink.add(source, source.take(room))
                continue
            for pair in source.take_each(room):
                self.sink.add(source, (pair,))
                if self.stopped:
                    return False
        source.job._set_length(source.index)
        return True
