"""The middle of a ThreadPool: its threads take items from the sources themselves, and set the results."""

from __future__ import annotations

from collections import deque
from itertools import starmap
from typing import Any, Callable, Iterator, Sequence

from ...threading import Event, Lock, Semaphore, Thread, current_thread
from .engine import CLOSE, PATIENCE, RUN, TERMINATE, Starts
from .errors import PoolTerminated
from .feeder import Feeder, Source
from .messages import CALL, MAP, MAP_ONE, STARMAP_ONE

AHEAD = 4  # items of an iterable that wait at first, for each thread
MOST_AHEAD = 1024  # so many wait at most, for quick functions

Report = Callable[[Any, Callable[[Any], Any], Any], None]


class Callbacks:
    """The thread that runs callbacks, one at a time, in the order of the results. Started with the first."""

    def __init__(self, run_callback: Report) -> None:
        self.run_callback = run_callback
        self.lock = Lock()
        self.thread: Any = None
        self.due: deque[tuple[Any, ...] | None] = deque()
        self.count = Semaphore(0)

    def add(self, job: Any, callback: Callable[[Any], Any], value: Any) -> None:
        with self.lock:
            if self.thread is None:
                self.thread = Thread(target=self.run, name="PoolCallbacks", daemon=True)
                self.thread.start()
        self.due.append((job, callback, value))
        self.count.release()

    def run(self) -> None:
        while self.run_next():
            pass

    def run_next(self) -> bool:
        self.count.acquire()
        item = self.due.popleft()
        if item is not None:
            self.run_callback(*item)
        return item is not None

    def join(self) -> None:
        """After the last add()."""
        if self.thread is not None and self.thread is not current_thread():
            self.due.append(None)
            self.count.release()
            self.thread.join()


class ThreadEngine:
    """A thread that finds no item puts a token into `idle`, looks again, and waits; who has added items takes
    tokens and wakes as many."""

    def __init__(self, cache: dict[int, Any], processes: int, run_callback: Report) -> None:
        self.cache = cache
        self.processes = processes
        self.state = RUN
        self.sources: deque[tuple[Source, Iterator[tuple[int, Any]]]] = deque()
        self.lock = Lock()
        self.idle: deque[bool] = deque()
        self.wake = Semaphore(0)
        self.room = Event()
        self.ahead = AHEAD * processes
        self.starts = Starts(processes)
        self.terminated = Event()
        self.callbacks = Callbacks(run_callback)
        self.run_callback = self.callbacks.add
        self.feeder = Feeder(self, "PoolFeeder")

    # ---- items come in ----

    def submit(self, source: Source, direct: bool) -> None:
        """DIRECT: to take its items runs no code of the user's, and never waits."""
        if direct and not self.feeder.pending:
            self.offer(source, enumerate(source.items))
        else:
            self.feeder.submit(source)

    def offer(self, source: Source, pairs: Iterator[tuple[int, Any]]) -> None:
        if self.state == TERMINATE:
            source.job._fail(PoolTerminated("the pool does not run any more"), quiet=True)
            return
        self.sources.append((source, pairs))
        if self.idle:
            self.wake_some(1 if source.kind == CALL or source.lazy else self.processes)

    def wake_some(self, count: int) -> None:
        for _ in range(count):
            try:
                self.idle.pop()
            except IndexError:
                return
            self.wake.release()

    def wait_for_room(self) -> int:
        while self.state != TERMINATE:
            room = self.ahead - len(self.sources)
            if room * 2 >= self.ahead:
                return room
            self.room.clear()
            if len(self.sources) * 2 > self.ahead and self.state != TERMINATE:
                self.room.wait()
            if not self.sources:  # the threads were faster
                self.ahead = max(self.ahead, min(self.ahead * 2, MOST_AHEAD))
        return 0

    def add(self, source: Source, items: Sequence[tuple[int, Any]]) -> None:
        self.offer(source, iter(items))

    def feeder_is_idle(self) -> None:
        self.wake_some(self.processes)

    # ---- threads ----

    def work(self, initializer: Callable[..., Any] | None, initargs: Any) -> None:
        """A thread of the pool."""
        if initializer is not None and not self.initialize(initializer, initargs):
            return
        while self.find_source():
            pass

    def initialize(self, initializer: Callable[..., Any], initargs: Any) -> bool:
        while self.state != TERMINATE:
            try:
                initializer(*initargs)
            except Exception as error:
                delay = self.init_failed(error)
                if self.state == CLOSE and not self.cache:
                    return False
                self.terminated.wait(delay)
            else:
                self.starts.came_up()
                return True
        return False

    def init_failed(self, error: Exception) -> float:
        with self.lock:
            self.starts.error = error
            delay = self.starts.fail(f"raised {type(error).__name__}")
            failure = self.starts.give_up()
        if failure is not None:
            self.fail_all(failure, quiet=False)
        return delay

    def find_source(self) -> bool:
        """Works at the first source, or waits for one. False: there is nothing to do any more."""
        try:
            entry = self.sources[0]
        except IndexError:
            return self.wait_for_source()
        self.work_at(*entry)
        with self.lock:
            first = bool(self.sources) and self.sources[0] is entry
            if first and self.state != TERMINATE:
                self.sources.popleft()
        if first and self.feeder.pending and len(self.sources) * 2 <= self.ahead:
            self.room.set()
        return self.state != TERMINATE

    def wait_for_source(self) -> bool:
        self.idle.append(True)
        ended = self.state == TERMINATE or self.state == CLOSE and not self.feeder.pending
        if self.sources or ended:
            try:
                self.idle.pop()
            except IndexError:
                self.wake.acquire()  # somebody has taken this thread's token
            return bool(self.sources) or not ended
        self.wake.acquire()
        return True

    def work_at(self, source: Source, pairs: Iterator[tuple[int, Any]]) -> None:
        func, kind, set_outcome = source.func, source.kind, source.job._set
        for index, item in pairs:  # threads may take items from it at once: it is made in C
            if self.state == TERMINATE:
                return
            try:
                if kind == MAP_ONE:
                    value = func(item)
                elif kind == CALL:
                    value = func(*item[0], **item[1])
                elif kind == STARMAP_ONE:
                    value = func(*item)
                elif kind == MAP:
                    value = list(map(func, item))
                else:
                    value = list(starmap(func, item))
            except BaseException as error:
                outcome: tuple[bool, Any] = False, error
            else:
                outcome = True, value
            set_outcome(index, outcome)
            del item, outcome
            value = None

    # ---- the end ----

    def begin_close(self) -> None:
        self.state = CLOSE
        self.wake_some(self.processes)

    def terminate(self) -> None:
        self.state = TERMINATE
        self.terminated.set()
        self.sources.clear()
        self.feeder.stop()
        self.room.set()
        self.wake_some(self.processes)

    def fail_all(self, error: BaseException, quiet: bool) -> None:
        with self.lock:
            self.sources.clear()
        for job in list(self.cache.values()):
            job._fail(error, quiet)

    def join(self) -> None:
        """After the threads' end."""
        self.feeder.stop()
        self.feeder.join(PATIENCE)
        self.callbacks.join()
