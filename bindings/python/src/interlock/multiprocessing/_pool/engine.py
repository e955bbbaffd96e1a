"""The middle of a pool of processes: which worker has which task.

Invariants, with the lock held:
1. a task that has no outcome is in `tasks`, and also in the backlog or in one worker's `assigned` (an interrupted
   apply_async() may leave it in both: it then runs twice, and its second result is not looked at);
2. what is in a worker's queue is in its `assigned`, and only the engine puts there;
3. a worker's results come out of the results' queue before the note that it is gone, for that is put after its end.
"""

from __future__ import annotations

import time
from collections import deque
from itertools import islice
from typing import Any, Callable, Sequence

from ...errors import Closed
from ...threading import Event, Lock, Thread, current_thread
from .. import util
from . import messages
from .errors import InitializerFailed, PoolTerminated, WorkerDied, describe_exit
from .feeder import Feeder, Source
from .messages import DOWN, ERROR, FAILED, GONE, IN_PARTS, PART, RESULT_END, UP, VALUE, Channel
from .workers import Task, Worker

RUN, CLOSE, TERMINATE = "RUN", "CLOSE", "TERMINATE"
STOP_MESSAGE = messages.task_message(0, messages.STOP, b"", b"")
BATCH = 512  # results that are looked at together
FIRST_DELAY = 0.05  # before workers are started again whose initializer failed; then twice as long, and so on
LONGEST_DELAY = 2.0
ROUNDS = 4  # so often may all workers fail to come up before the tasks fail
PATIENCE = 1.0  # with an iterable that blocks, when the pool ends
WINDOW_BYTES = 64 << 20  # so much may be under way, beside one task for each worker


class Starts:
    """Workers that died before the end of their initializer, since the last that came up."""

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self.error: BaseException | None = None  # an initializer's exception
        self.exits: list[str] = []
        self.came_up()

    def came_up(self) -> None:
        self.failed = 0
        self.limit = ROUNDS * self.processes

    def fail(self, exit: str) -> float:
        """How long to wait before the next."""
        self.exits = [*self.exits[1 - self.processes:], exit]
        self.failed += 1
        return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(10, (self.failed - 1) // self.processes))

    def give_up(self) -> InitializerFailed | None:
        """What the tasks fail with after that many; then as many starts more are tried."""
        if self.failed < self.limit:
            return None
        self.limit += ROUNDS * self.processes
        exits = ", ".join(dict.fromkeys(self.exits))
        error = InitializerFailed(f"no worker of the pool gets through its start: the last {exits}")
        error.__cause__ = self.error
        return error


class Engine:
    def __init__(self, cache: dict[int, Any], processes: int, retries: int) -> None:
        self.cache = cache
        self.processes = processes
        self.retries = retries
        self.lock = Lock()
        self.state = RUN
        self.finishing = False  # closed, and all is done: the workers are told to stop
        self.tasks: dict[int, Task] = {}
        self.bytes = 0
        self.backlog: deque[Task] = deque()
        self.workers: dict[int, Worker] = {}
        self.refused: deque[tuple[Task, Exception]] = deque()  # for them the domain had no room
        self.parts: dict[int, list[bytes]] = {}
        self.results = Channel()
        self.room = Event()
        self.starved = False  # the feeder waits for room
        self.spare: list[Channel] = []  # empty ones of workers that are gone
        self.starts = Starts(processes)
        self.not_before = 0.0  # when workers may be started again
        self.feeder = Feeder(self, "PoolFeeder")
        self.on_change: Callable[[], None] = lambda: None  # wakes the supervisor
        self.thread = Thread(target=self.run, name="PoolResults", daemon=True)

    # ---- tasks come in ----

    def submit(self, source: Source, direct: bool) -> None:
        """DIRECT: it is one call, which goes to a worker at once if nothing is before it."""
        if direct and not self.feeder.pending:
            self.add(source, ((0, next(source.items)),))
        else:
            self.feeder.submit(source)

    def wait_for_room(self) -> int:
        while True:
            with self.lock:
                if self.state == TERMINATE:
                    return 0
                window = self.window()
                room = window - len(self.tasks)
                if room * 2 >= window and (self.bytes < WINDOW_BYTES or len(self.tasks) < self.processes):
                    return room if self.bytes < WINDOW_BYTES // 4 else 1
                self.starved = True
                self.room.clear()
            self.room.wait()

    def window(self) -> int:
        """How many tasks may be under way."""
        return max(4 * self.processes, 2 * sum([worker.depth for worker in self.workers.values()]))

    def add(self, source: Source, items: Sequence[tuple[int, Any]]) -> None:
        tasks = []
        for index, item in items:
            try:
                tasks.append(Task(source, index, item))
            except Exception as error:
                source.job._set(index, (False, error))
        if not tasks:
            return
        with self.lock:
            if self.finishing or self.state == TERMINATE:
                late = True
            else:
                late = False
                for task in tasks:
                    self.tasks[task.number] = task
                    self.bytes += task.bytes
                waiting = bool(self.backlog)  # then no worker has room, until a result comes
                self.backlog.extend(tasks)
                if not waiting:
                    self.dispatch()
        if late:
            source.job._fail(PoolTerminated("the pool does not run any more"), quiet=True)

    def feeder_is_idle(self) -> None:
        if self.state == CLOSE:
            self.look()

    # ---- tasks go to workers (with the lock) ----

    def dispatch(self) -> None:
        workers = [worker for worker in self.workers.values() if worker.up]
        if not workers:
            return
        now = time.monotonic()
        if self.backlog:
            self.share_out(workers, now)
        if not self.backlog:
            for worker in workers:
                if not worker.assigned:
                    self.steal(worker, workers, now)

    def share_out(self, workers: list[Worker], now: float) -> None:
        backlog = self.backlog
        workers.sort(key=load)
        for position, worker in enumerate(workers):
            share = -(-len(backlog) // (len(workers) - position))
            room = min(worker.room(), share)
            if room <= 0:
                continue
            tasks = list(islice(backlog, room))
            error = worker.give(tasks, now)
            for task in tasks:
                if task.worker is None:
                    break
                backlog.popleft()
                if not self.retries and task.stream is None:
                    task.message = b""
            if error is not None:
                self.no_room(error)
                break
            if not backlog:
                break

    def no_room(self, error: Exception) -> None:
        """The domain is full. If no result will make room, the oldest task fails with ERROR."""
        if not any(worker.assigned for worker in self.workers.values()):
            self.refused.append((self.backlog.popleft(), error))
            self.look()

    def steal(self, idle: Worker, workers: list[Worker], now: float) -> None:
        """An idle worker gets half of what waits in the longest queue."""
        room = idle.room()
        victim = max(workers, key=load)
        waiting = len(victim.assigned) - 1
        if waiting < 1 or room < 1:
            return
        tasks = victim.take_back(min(room, (waiting + 1) // 2))
        if tasks and idle.give(tasks, now) is not None:
            self.backlog.extendleft(task for task in reversed(tasks) if task.worker is None)

    # ---- results come in ----

    def run(self) -> None:
        get_many = self.results.get_many
        while self.state != TERMINATE and not self.finishing:
            self.handle(get_many(BATCH))
        util.debug("the pool's results thread ends")

    def handle(self, batch: list[bytes]) -> None:
        """New tasks for the workers first; then what takes longer: results become objects, callbacks run."""
        outcomes: list[tuple[Task, int, Any]] = []
        with self.lock:
            for data in batch:
                number, kind = RESULT_END.unpack_from(data, len(data) - RESULT_END.size)
                if kind & ~IN_PARTS <= ERROR:
                    task = self.tasks.pop(number, None)
                    if task is None:
                        continue
                    self.bytes -= task.bytes
                    if task.worker is not None:
                        task.worker.done(task)
                    outcomes.append((task, kind, data))
                else:
                    self.note(kind, number, data, outcomes)
            now = time.monotonic()
            for worker in self.workers.values():
                worker.tune(now)
            self.dispatch()
            if self.starved and len(self.tasks) * 2 <= self.window():
                self.starved = False
                self.room.set()
            while self.refused:
                task, error = self.refused.popleft()
                self.forget(task)
                outcomes.append((task, FAILED, error))
        for task, kind, data in outcomes:
            task.stop()
            task.source.job._set(task.index, self.outcome(task, kind, data))
        if self.starts.failed and (failure := self.starts.give_up()) is not None:
            self.fail_all(failure, quiet=False)
        if self.state == CLOSE:
            self.try_finish()

    def outcome(self, task: Task, kind: int, data: Any) -> tuple[bool, Any]:
        if kind == FAILED:
            return False, data
        if kind & IN_PARTS:
            kind &= ~IN_PARTS
            data = b"".join(self.parts.pop(task.number))
        else:
            self.parts.pop(task.number, None)
            data = messages.result_payload(data)
        try:
            if kind == VALUE:
                return True, messages.loads(data)
            return False, messages.load_error(data)
        except Exception as error:
            return False, error

    def note(self, kind: int, number: int, data: bytes, outcomes: list[tuple[Task, int, Any]]) -> None:
        """What is no result. With the lock."""
        if kind == PART:
            self.parts.setdefault(number, []).append(data[:-RESULT_END.size])
        elif kind == UP:
            self.workers[number].up = True
            self.starts.came_up()
        elif kind == DOWN:
            self.starts.error = messages.load_error(messages.result_payload(data))
        elif kind == GONE:
            self.bury(number, outcomes)

    def bury(self, key: int, outcomes: list[tuple[Task, int, Any]]) -> None:
        """A worker is gone: what it had not begun goes to others, what it had begun is tried again or fails."""
        worker = self.workers.pop(key)
        process = worker.process
        if not worker.up:
            self.not_before = time.monotonic() + self.starts.fail(describe_exit(process.exitcode))
        waiting: list[Task] = []
        while found := worker.take_back(BATCH):
            waiting += found
        self.backlog.extendleft(reversed(waiting))
        for task in list(worker.assigned.values()):
            self.parts.pop(task.number, None)
            task.attempts += 1
            task.worker = None
            if task.attempts <= self.retries:
                self.backlog.appendleft(task)
            else:
                self.forget(task)
                outcomes.append((task, FAILED, WorkerDied(process.pid, process.exitcode, task.describe(),
                                                          task.attempts)))
        self.spare.append(worker.channel)
        self.on_change()

    def forget(self, task: Task) -> None:
        if self.tasks.pop(task.number, None) is not None:
            self.bytes -= task.bytes

    # ---- workers come and go (called by the supervisor) ----

    def take_channel(self) -> Channel:
        with self.lock:
            return self.spare.pop() if self.spare else Channel()

    def missing(self) -> int:
        """How many workers should be started."""
        if self.state == CLOSE and not self.tasks and not self.feeder.pending:
            return 0
        return self.processes - len(self.workers)

    def join_in(self, worker: Worker) -> None:
        with self.lock:
            self.workers[worker.key] = worker
            if self.finishing:
                worker.channel.put(STOP_MESSAGE)

    def drop_out(self, worker: Worker) -> None:
        """It could not be started."""
        with self.lock:
            del self.workers[worker.key]
            worker.take_back(BATCH)
            self.spare.append(worker.channel)

    def is_gone(self, worker: Worker) -> None:
        self.results.put(messages.result_message(worker.key, messages.GONE))

    # ---- the end ----

    def begin_close(self) -> None:
        self.state = CLOSE
        self.look()

    def look(self) -> None:
        """Wakes the results' thread, for it to see the state."""
        try:
            self.results.put(messages.result_message(0, messages.LOOK))
        except Closed:
            pass  # it has ended

    def try_finish(self) -> None:
        with self.lock:
            if self.tasks or self.feeder.pending or self.finishing:
                return
            self.finishing = True
            for worker in self.workers.values():
                worker.channel.put(STOP_MESSAGE)
        self.feeder.stop()
        self.on_change()

    def stop(self) -> None:
        """Ends the threads."""
        self.feeder.stop()
        self.room.set()
        self.look()

    def fail_all(self, error: BaseException, quiet: bool) -> None:
        """What has no outcome yet fails with ERROR. QUIET: no callbacks are called."""
        with self.lock:
            tasks = list(self.tasks.values())
            self.tasks.clear()
            self.backlog.clear()
            self.bytes = 0
        for task in tasks:
            task.stop()
        for job in list(self.cache.values()):
            job._fail(error, quiet)

    def join(self) -> None:
        self.thread.join()
        self.feeder.join(PATIENCE)

    def is_own_thread(self) -> bool:
        return current_thread() in (self.thread, self.feeder.thread)

    def close(self) -> None:
        """When all threads and workers have ended."""
        with self.lock:
            channels = [worker.channel for worker in self.workers.values()] + self.spare
            self.workers.clear()
            self.spare.clear()
        for channel in channels:
            channel.close()
        self.results.close()


def load(worker: Worker) -> int:
    return len(worker.assigned)
