"""interlock.multiprocessing: values and arrays in shared memory, and objects that are pickled for a child."""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import sys
from typing import Any

import pytest
from mp_children import Child, eventually

import interlock.multiprocessing as mp
from interlock import _core
from interlock.multiprocessing import context, heap, reduction, sharedctypes

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")


# ---- shared memory


class Point(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_double)]


def test_values_are_shared_with_children() -> None:
    number, text = mp.Value("d", 1.5), mp.Array("c", 10)
    point, raw = mp.Value(Point, 1, 2.5), mp.RawArray("i", range(5))
    text.value = b"hello"

    def change(child: Child) -> None:
        with number.get_lock():
            number.value *= 2
        text.value = text.value[::-1]
        point.x, point.y = 10, 20.5
        raw[1:3] = [100, 200]

    Child(change).join()
    assert (number.value, text.value, text.raw) == (3.0, b"olleh", b"olleh" + bytes(5))
    assert (point.x, point.get_obj().y) == (10, 20.5)
    assert list(raw) == [0, 100, 200, 3, 4]


def test_values_are_zeroed_and_of_every_type() -> None:
    for code, kind in sharedctypes.typecode_to_type.items():
        assert isinstance(mp.RawValue(code), kind)
        assert mp.Value(code).get_obj().value == kind().value
    for _ in range(3):
        some = mp.Array("i", 50)
        assert list(some) == [0] * 50
        some[:] = range(50)
        del some
    with pytest.raises(TypeError, match="typecode"):
        mp.Value("?")
    with pytest.raises(AttributeError, match="lock"):
        mp.Value("i", lock=3)
    lock = mp.Lock()
    assert mp.Value("i", lock=lock).get_lock() is lock
    assert not hasattr(mp.Value("i", lock=False), "get_lock")


def test_copy_is_another_object() -> None:
    point = Point(1, 2.0)
    other = sharedctypes.copy(point)
    point.x = 5
    assert (other.x, other.y) == (1, 2.0)
    assert sharedctypes.copy(mp.RawArray("h", [1, 2, 3]))[:] == [1, 2, 3]


def test_memory_lives_as_long_as_any_process_uses_it() -> None:
    value = mp.RawValue("i", 41)
    holder = [value]

    def use(child: Child) -> None:
        child.say()
        eventually(lambda: holder[0].value == 42)
        others = [mp.RawValue("i", 7) for _ in range(100)]
        assert holder[0].value == 42 and len(others) == 100

    child = Child(use)
    child.said()
    value.value = 42
    holder.clear()
    del value
    gc.collect()
    others = [mp.RawValue("i", 7) for _ in range(100)]
    child.join()
    assert len(others) == 100


def test_blocks_of_the_heap() -> None:
    before = heap.BufferWrapper._heap._n_mallocs - heap.BufferWrapper._heap._n_frees
    block = heap.BufferWrapper(100)
    with block.create_memoryview() as memory:
        assert len(memory) == 100 and not any(memory)
        memory[3] = 5
    with block.create_memoryview() as memory:
        assert memory[3] == 5
    with pytest.raises(ValueError):
        heap.BufferWrapper(-1)
    del block
    assert heap.BufferWrapper._heap._n_mallocs - heap.BufferWrapper._heap._n_frees == before


# ---- pickling


def test_pickled_only_while_a_process_is_started() -> None:
    for shared in (mp.Lock(), mp.RLock(), mp.Semaphore(), mp.BoundedSemaphore(), mp.Condition(), mp.Event(),
                   mp.Barrier(2), mp.Queue(), mp.JoinableQueue(), mp.SimpleQueue(), mp.Value("i"),
                   mp.Array("i", 3)):
        with pytest.raises(RuntimeError, match="shared between processes through inheritance"):
            pickle.dumps(shared)


class Keeper:
    """Stands for the Popen of a child that is being started."""

    def __init__(self) -> None:
        self.kept: Any = []

    def keep(self, obj: Any) -> None:
        self.kept.append(obj)


SPAWNED = """
import pickle, sys
everything = pickle.load(sys.stdin.buffer)
(lock, rlock, semaphore, bounded, condition, event, barrier, queue, joinable, simple, value, array, raw,
 one) = everything
assert not lock.acquire(False) and semaphore.get_value() == 2
assert repr(bounded) == "<BoundedSemaphore(value=3, maxvalue=3)>", repr(bounded)
for each in (rlock, semaphore, bounded, condition, value):
    with each:
        pass
value.value += 1
array[1] = 2.5
raw.x = 7
event.set()
assert barrier.wait(20) in (0, 1)
simple.put(queue.get(timeout=20) + 1)
joinable.get()
joinable.task_done()
with condition:
    condition.notify()
one.send(type(lock).__name__)
lock.release()
"""


def test_spawned_child_has_what_was_pickled_for_it() -> None:
    lock, one = mp.Lock(), mp.Pipe()
    everything: Any = [lock, mp.RLock(), mp.Semaphore(2), mp.BoundedSemaphore(3), mp.Condition(), mp.Event(),
                       mp.Barrier(2, action=int), mp.Queue(), mp.JoinableQueue(), mp.SimpleQueue(),
                       mp.Value("i", 5), mp.Array("d", 3), mp.RawValue(Point), one[1]]
    condition, event, barrier, items, joinable, simple = everything[4:10]
    keeper = Keeper()
    context.set_spawning_popen(keeper)
    try:
        data = bytes(reduction.ForkingPickler.dumps(everything))
    finally:
        context.set_spawning_popen(None)
    one[1].close()  # the keeper has it open
    lock.acquire()
    child = _core.Process([sys.executable, "-c", SPAWNED], domain=_core.default_domain(), stdin="pipe",
                          environment={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    with os.fdopen(os.dup(child.pipe(0)), "wb") as stdin:
        stdin.write(data)
    child.close_pipe(0)
    items.put(1)
    barrier.wait(20)
    with condition:
        joinable.put("work")
        joinable.join()
        assert condition.wait(20)
    assert event.wait(20) and simple.get() == 2
    assert one[0].recv() == "Lock"
    keeper.kept.clear()
    assert child.join(20) == 0
    child.close()
    with pytest.raises(EOFError):
        one[0].recv()
    assert lock.acquire(timeout=20)
    lock.release()
    value, numbers, raw = everything[10:13]
    assert (value.value, list(numbers), raw.x) == (6, [0, 2.5, 0], 7)
