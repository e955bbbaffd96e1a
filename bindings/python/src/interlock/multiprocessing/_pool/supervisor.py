"""The thread that starts worker processes, sees them end, and ends them."""

from __future__ import annotations

import itertools
import math
import os
import select
import time
from typing import Any, Callable

from ...threading import Lock, Thread
from .. import util
from .engine import TERMINATE, Engine
from .errors import PoolTerminated, describe_exit
from .workers import Worker

RETRY_DELAY = 0.1  # after the system had no process to give
GRACE = 2.0  # from SIGTERM to SIGKILL


system: Any = os  # whose types may not know of eventfd()


class Doorbell:
    """A descriptor that is readable once ring() was called. ring() may be called by a finalizer, at any moment."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.fd = system.eventfd(0, system.EFD_CLOEXEC | system.EFD_NONBLOCK)

    def ring(self) -> None:
        # Who has the lock rings at this moment, or the bell is being closed.
        if self.lock.acquire(False):
            try:
                if self.fd >= 0:
                    system.eventfd_write(self.fd, 1)
            finally:
                self.lock.release()

    def clear(self) -> None:
        try:
            system.eventfd_read(self.fd)
        except BlockingIOError:
            pass

    def close(self) -> None:
        with self.lock:
            fd, self.fd = self.fd, -1
            if fd >= 0:
                os.close(fd)


class Supervisor:
    """POOL is the list of the Process objects that run; MAKE makes one, not started, for a Worker."""

    def __init__(self, engine: Engine, pool: list[Any], make: Callable[[Worker], Any], maxtasks: int | None) -> None:
        self.engine = engine
        self.pool = pool
        self.make = make
        self.maxtasks = maxtasks
        self.bell = Doorbell()
        self.keys = itertools.count(1)
        self.lock = Lock()  # of populate()
        self.live: dict[int, Worker] = {}
        self.watched: dict[int, Worker] = {}
        self.poller = select.poll()
        self.poller.register(self.bell.fd, select.POLLIN)
        self.thread = Thread(target=self.run, name="PoolSupervisor", daemon=True)
        engine.on_change = self.bell.ring

    def populate(self) -> None:
        """Starts the workers that are missing."""
        with self.lock:
            for _ in range(self.engine.missing()):
                self.start_one()
        self.bell.ring()

    def start_one(self) -> None:
        worker = Worker(next(self.keys), self.engine.take_channel(), self.maxtasks)
        self.engine.join_in(worker)  # it may say that it is up before start() returns
        try:
            process = worker.process = self.make(worker)
            process.start()
        except BaseException:
            self.engine.drop_out(worker)
            raise
        self.live[worker.key] = worker
        self.pool.append(process)
        util.debug("pool: worker %s started", process.name)

    def run(self) -> None:
        while not self.step():
            pass
        engine = self.engine
        engine.stop()
        engine.join()
        if engine.state == TERMINATE:
            engine.fail_all(PoolTerminated("the pool was terminated"), quiet=True)
        engine.close()
        self.bell.close()
        util.debug("the pool's supervisor ends")

    def step(self) -> bool:
        """Whether all is done."""
        engine = self.engine
        for worker in self.wait(self.timeout()):
            self.reap(worker)
        if engine.state == TERMINATE:
            self.stop_all()
            return True
        if engine.finishing:
            return not self.live
        if engine.missing() and time.monotonic() >= engine.not_before:
            try:
                self.populate()
            except Exception as error:  # no memory, no process to be had: again in a moment
                util.info("pool: no worker could be started: %s", error)
                engine.not_before = time.monotonic() + RETRY_DELAY
        return False

    def timeout(self) -> float | None:
        if self.engine.state != TERMINATE and self.engine.missing():
            return max(0.0, self.engine.not_before - time.monotonic())
        return None

    def wait(self, timeout: float | None) -> list[Worker]:
        """The workers that have ended."""
        with self.lock:
            for worker in self.live.values():
                sentinel = worker.process.sentinel
                if sentinel not in self.watched:
                    self.watched[sentinel] = worker
                    self.poller.register(sentinel, select.POLLIN)
        ended = []
        for fd, _ in self.poller.poll(None if timeout is None else math.ceil(timeout * 1000)):
            if fd == self.bell.fd:
                self.bell.clear()
            else:
                self.poller.unregister(fd)
                ended.append(self.watched.pop(fd))
        return ended

    def reap(self, worker: Worker) -> None:
        process = worker.process
        process.join()
        with self.lock:
            del self.live[worker.key]
            if process in self.pool:
                self.pool.remove(process)
        util.debug("pool: worker %s %s", process.name, describe_exit(process.exitcode))
        self.engine.is_gone(worker)

    def stop_all(self) -> None:
        """SIGTERM, and SIGKILL for those that do not mind it."""
        with self.lock:
            workers = list(self.live.values())
        for worker in workers:
            worker.process.terminate()
        end = time.monotonic() + GRACE
        while self.live and (left := end - time.monotonic()) > 0:
            for worker in self.wait(left):
                self.reap(worker)
        for worker in list(self.live.values()):
            worker.process.kill()
            self.reap(worker)

    def undo(self) -> None:
        """A worker could not be started at first: there will be no pool."""
        for worker in list(self.live.values()):
            if worker.process.exitcode is None:
                worker.process.terminate()
        for worker in list(self.live.values()):
            worker.process.join()
        self.pool.clear()
        self.bell.close()
