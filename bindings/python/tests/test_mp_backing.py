"""The objects of interlock.multiprocessing are Interlock's: no primitive of Python's own is behind them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from where import SOURCE


# Refuses Python's primitives to the package, also through the module threading, then uses every object.
PROGRAM = r"""
import _multiprocessing, _thread, functools, gc, os, sys, threading

refused = []

def guarded(make):
    @functools.wraps(make)
    def guard(*args, **kwargs):
        frame = sys._getframe(1)
        if frame.f_code.co_name == "_after_fork":  # what Python itself does in a forked child
            return make(*args, **kwargs)
        while frame is not None and frame.f_globals.get("__name__") in ("threading", "__main__"):
            frame = frame.f_back
        caller = "" if frame is None else str(frame.f_globals.get("__name__"))
        if caller.split(".")[0] == "interlock":
            refused.append(caller)
            raise AssertionError(f"{caller} called {make.__name__}")
        return make(*args, **kwargs)
    return guard

for module, names in ((_thread, ("allocate_lock", "allocate", "RLock")), (_multiprocessing, ("SemLock",)),
                      (threading, ("Lock", "RLock", "_allocate_lock", "_CRLock", "_PyRLock"))):
    for name in names:
        setattr(module, name, guarded(getattr(module, name)))

import interlock.multiprocessing as mp
from interlock import _core
from interlock.multiprocessing import connection, heap

def objects():
    gc.collect()
    info = _core.default_domain().info()
    return info["handles"] + info["objects"]

def child(everything):
    for each in everything:
        if hasattr(each, "acquire"):
            with each:
                pass
    everything[-3].put(everything[-2].get() + 1)
    everything[-1].send([everything[-4].wait(30), None])

def use():
    locks = [mp.Lock(), mp.RLock(), mp.Semaphore(), mp.BoundedSemaphore(), mp.Condition(), mp.Value("i"),
             mp.Array("d", 3)]
    event, barrier = mp.Event(), mp.Barrier(1, action=int)
    queue, simple, joinable = mp.Queue(), mp.SimpleQueue(), mp.JoinableQueue()
    raw = mp.RawArray("i", range(3)), mp.RawValue("d"), heap.BufferWrapper(10)
    one, other = mp.Pipe()
    used = objects()
    barrier.wait()
    joinable.put(1)
    joinable.get()
    joinable.task_done()
    joinable.join()
    pid = os.fork()
    if pid == 0:
        child([*locks, event, queue, simple, other])
        os._exit(0)
    event.set()
    simple.put(1)
    assert queue.get() == 2
    assert connection.wait([one], 30) == [one] and one.recv() == [True, None]
    assert os.waitpid(pid, 0)[1] == 0
    other.send(1)
    assert one.fileno() >= 0 and one.recv() == 1
    with connection.Listener(authkey=b"key") as listener:
        if os.fork() == 0:
            connection.Client(listener.address, authkey=b"key").send(1)
            os._exit(0)
        with listener.accept() as accepted:
            assert accepted.recv() == 1
        os.wait()
    assert raw[0][2] == 2
    return used

before = objects()
used = use()
assert used - before >= 20, (before, used)
after = objects()
assert not refused, refused
print(before, used, after)
"""


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(SOURCE), **environment})


def test_no_primitive_of_python_is_behind_them_and_every_object_goes() -> None:
    done = run()
    assert done.returncode == 0, done.stderr
    before, used, after = map(int, done.stdout.split())
    assert used > before and after <= before + 1  # the heap's own lock stays


@pytest.mark.parametrize("address", ["unix:/nowhere/interlock.sock", "http://127.0.0.1:1"])
def test_without_a_domain_nothing_works(address: str) -> None:
    done = run(INTERLOCK_PYTHON_DOMAIN=address)
    assert done.returncode != 0
    assert "Unreachable" in done.stderr
