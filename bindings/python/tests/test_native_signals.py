"""Ctrl-C, and any signal whose handler raises, ends every wait behind the three doors."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Iterator

import pytest

import interlock
from native_support import DOORS, PATIENCE, SOURCE, Aside, Server, address_of, fresh, serving, until


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    yield from serving()


@pytest.fixture(params=DOORS)
def client(request: pytest.FixtureRequest, server: Server) -> Iterator[interlock.Client]:
    with interlock.connect(address_of(request.param, server), label="tests") as made:
        yield made
        gc.collect()


class Interruption(Exception):
    """What the handler raises."""


Wait = Callable[[interlock.Client, Any], Any]


def held(client: interlock.Client) -> Any:
    lock = client.lock(fresh("lock"))
    lock.acquire()
    return lock


def full(client: interlock.Client) -> Any:
    queue = client.queue(fresh("queue"), maxsize=1)
    queue.put(1)
    return queue


def share_elsewhere(client: interlock.Client) -> Any:
    lock, done, has = client.rwlock(fresh("rwlock")), threading.Event(), threading.Event()

    def share() -> None:
        with lock.shared():
            has.set()
            done.wait(PATIENCE)

    Aside(share)
    assert has.wait(PATIENCE)
    return lock, done


def acquire_condition(client: interlock.Client) -> Any:
    condition = client.condition(fresh("condition"))
    condition.acquire()
    return condition


def end_sharing(shared: Any) -> None:
    shared[1].set()


WAITS: dict[str, tuple[Callable[[interlock.Client], Any], Callable[[Any], Any]]] = {
    "lock": (held, lambda it: it.acquire()),
    "leased": (held, lambda it: it.acquire_leased(1.0)),
    "rwlock": (share_elsewhere, lambda it: it[0].acquire_exclusive()),
    "semaphore": (lambda c: c.semaphore(fresh("s"), value=0), lambda it: it.acquire()),
    "event": (lambda c: c.event(fresh("event")), lambda it: it.wait()),
    "latch": (lambda c: c.latch(fresh("latch"), 1), lambda it: it.wait()),
    "barrier": (lambda c: c.barrier(fresh("barrier"), 2), lambda it: it.wait()),
    "condition": (acquire_condition, lambda it: it.wait()),
    "get": (lambda c: c.queue(fresh("queue")), lambda it: it.get()),
    "put": (full, lambda it: it.put(2)),
    "recv": (lambda c: c.pipe(fresh("pipe"), "a"), lambda it: it.recv()),
    "poll": (lambda c: c.pipe(fresh("pipe"), "a"), lambda it: it.poll(None)),
    "all": (lambda c: (c, [held(c)]), lambda it: it[0].acquire_all(it[1])),
    "any": (lambda c: (c, [c.queue(fresh("queue"))]), lambda it: it[0].wait_any(it[1])),
    "losses": (lambda c: c.losses(), next),
    "watch": (lambda c: c.watch(c.dict(fresh("dict"))), lambda it: [change for change in it]),
}


@pytest.mark.parametrize("what", WAITS)
def test_a_signal_ends_the_wait(client: interlock.Client, what: str) -> None:
    make, wait = WAITS[what]
    thing = make(client)

    def handler(number: int, frame: object) -> None:
        raise Interruption

    before = signal.signal(signal.SIGALRM, handler)
    began = time.monotonic()
    try:
        with pytest.raises(Interruption):
            # again and again: one may come when the wait has not begun
            signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
            try:
                wait(thing)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < 5
    if what == "rwlock":
        end_sharing(thing)


def test_a_handler_that_returns_lets_the_wait_go_on(client: interlock.Client) -> None:
    handled: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: handled.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        event = client.event(fresh("event"))
        assert not event.wait(0.2)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(handled) > 3


WAITING = """
import sys, interlock
queue = interlock.connect(sys.argv[1]).queue("nothing")
print("waits", flush=True)
queue.get()
"""


@pytest.mark.parametrize("door", DOORS)
def test_ctrl_c_ends_a_program(door: str, server: Server) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, address_of(door, server)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert process.stdout and process.stdout.readline() == "waits\n"

    def has_ended() -> bool:
        process.send_signal(signal.SIGINT)
        return process.poll() is not None

    until(has_ended)
    _, words = process.communicate()
    assert process.returncode == -signal.SIGINT and "KeyboardInterrupt" in words
