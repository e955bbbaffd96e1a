"""One worker process and what the pool knows of it; one task on its way."""

from __future__ import annotations

import itertools
from typing import Any

from ... import _core
from ...threading import Thread
from . import messages
from .feeder import Source
from .messages import IN_PARTS, PART_BYTES, TASK_END, Channel

LOOKAHEAD = 0.002  # seconds of work that a worker is given ahead
MAX_DEPTH = 256  # tasks that it is given at most
MIN_DEPTH = 2
MAX_QUEUED_BYTES = 4 << 20  # beyond that it is given one task ahead

numbers = itertools.count(1)


class Task:
    __slots__ = ("number", "source", "index", "message", "bytes", "worker", "attempts", "stream")

    def __init__(self, source: Source, index: int, item: Any) -> None:
        """Raises what pickling ITEM raises."""
        self.number = next(numbers)
        self.source = source
        self.index = index
        name = source.name
        if name is None:
            name = source.name = messages.name_of(source.func)
        payload = messages.dumps(item if name else (source.func, item))
        self.worker: Worker | None = None
        self.attempts = 0
        self.bytes = len(payload)
        if len(payload) > PART_BYTES:
            self.stream: Stream | None = Stream(payload)
            self.message = b""
        else:
            self.stream = None
            self.message = payload + name + TASK_END.pack(self.number, len(name), source.kind)

    def prepare(self) -> None:
        """It will be given to a worker now, for the first time or again."""
        if self.stream is not None:
            ticket = self.stream.start()
            name = self.source.name or b""
            self.message = messages.task_message(self.number, self.source.kind | IN_PARTS, name, ticket)

    def stop(self) -> None:
        if self.stream is not None:
            self.stream.stop()

    def describe(self) -> str:
        return self.source.describe(self.index)


class Stream:
    """A payload that is sent in parts, through a queue of its own, while the worker takes them."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.queue: _core.Queue | None = None

    def start(self) -> bytes:
        self.stop()
        queue = self.queue = _core.Queue(_core.default_domain(), maxsize=2)
        ticket = messages.dumps((_core.share(queue), -(-len(self.payload) // PART_BYTES)))
        Thread(target=self.run, args=(queue,), name="PoolStream", daemon=True).start()
        return ticket

    def run(self, queue: _core.Queue) -> None:
        try:
            for part in messages.parts(self.payload):
                queue.put_bytes(part)
        except Exception:
            pass  # stop() shut it: its worker died or answered without them

    def stop(self) -> None:
        queue, self.queue = self.queue, None
        if queue is not None:
            queue.shut()


class Worker:
    """assigned: the tasks that it was given and that have no result yet, in their order."""

    def __init__(self, key: int, channel: Channel, maxtasks: int | None) -> None:
        self.key = key
        self.channel = channel
        self.process: Any = None
        self.up = False  # its initializer has ended
        self.assigned: dict[int, Task] = {}
        self.bytes = 0
        self.finished = 0
        self.maxtasks = maxtasks
        self.depth = MIN_DEPTH
        self.fresh = 0  # results since the last tune()
        self.stamp = 0.0

    def room(self) -> int:
        """How many tasks it may be given now."""
        load = len(self.assigned)
        if not load:
            self.bytes = 0
        if self.bytes > MAX_QUEUED_BYTES:
            room = MIN_DEPTH - load
        else:
            room = self.depth - load if load <= self.depth // 2 else 0
        if self.maxtasks is not None:
            room = min(room, self.maxtasks - self.finished - load)
        return room

    def give(self, tasks: list[Task], now: float) -> Exception | None:
        """What prevented it, if there was no room in the domain for all: the first ones it was given."""
        if not self.assigned:
            self.stamp = now
        put = self.channel.put
        for task in tasks:
            try:
                task.prepare()
                task.worker = self
                self.assigned[task.number] = task
                self.bytes += task.bytes
                put(task.message, False)
            except Exception as error:
                self.assigned.pop(task.number, None)
                task.worker = None
                task.stop()
                return error
        return None

    def take_back(self, count: int) -> list[Task]:
        """At most COUNT of the tasks that it has not begun, the oldest first; they are nobody's then."""
        try:
            found = self.channel.get_many(count, timeout=0)
        except Exception:
            return []
        tasks = []
        for message in found:
            task = self.assigned.pop(messages.task_number(message), None)
            if task is not None:
                task.message = message
                task.worker = None
                self.bytes -= task.bytes
                tasks.append(task)
        return tasks

    def done(self, task: Task) -> None:
        self.assigned.pop(task.number, None)
        self.bytes -= task.bytes
        self.finished += 1
        self.fresh += 1

    def tune(self, now: float) -> None:
        """How far ahead it is given tasks follows from how long they take."""
        if not self.fresh:
            return
        each = (now - self.stamp) / self.fresh
        self.stamp, self.fresh = now, 0
        wanted = int(LOOKAHEAD / each) if each > LOOKAHEAD / MAX_DEPTH else MAX_DEPTH
        self.depth = max(MIN_DEPTH, min(wanted, self.depth * 2))
