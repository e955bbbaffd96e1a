"""interlock.multiprocessing.managers: objects in the domain, and objects in a manager's process."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import time
from typing import Any, Callable, Iterator

import pytest

import interlock.multiprocessing as mp
from interlock import _core
from interlock.multiprocessing.managers import (BaseManager, BaseProxy, DictProxy, ListProxy, ManagerDied,
                                                RemoteError, SyncManager)


class Counter:
    def __init__(self, start: int = 0) -> None:
        self.count = start

    def add(self, number: int = 1) -> int:
        self.count += number
        return self.count

    def fail(self) -> None:
        raise KeyError("wrong")

    def lock(self) -> Any:
        return Unpicklable()

    def upto(self) -> Iterator[int]:
        return iter(range(self.count))

    def part(self) -> Counter:
        return Counter(100)

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def _hidden(self) -> str:
        return "hidden"


class Unpicklable:
    def __reduce__(self) -> Any:
        raise TypeError("not to be pickled")


class OwnManager(BaseManager):
    pass


OwnManager.register("Counter", Counter, method_to_typeid={"upto": "Iterator", "part": "Part"})
OwnManager.register("Part", exposed=("add",), create_method=False)
OwnManager.register("Iterator", proxytype=mp.managers.IteratorProxy, create_method=False)


class OwnDict(SyncManager):
    pass


OwnDict.register("dict", Counter)


def until(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, what
        os.sched_yield()


def kill(manager: Any) -> None:
    manager._process.kill()
    manager._process.join()


@pytest.fixture
def manager() -> Iterator[Any]:
    with mp.Manager() as started:
        yield started


# ---- objects of the domain


def test_dict_has_the_interface_of_a_dict(manager: Any) -> None:
    shared: Any = manager.dict({"a": 1}, b=2)
    shared |= {"c": [3]}
    shared.update(d=4)
    assert shared.copy() == {"a": 1, "b": 2, "c": [3], "d": 4}
    assert str(shared) == "{'a': 1, 'b': 2, 'c': [3], 'd': 4}"
    assert repr(shared).startswith("<DictProxy object, typeid 'dict' at 0x")
    assert list(shared) == list(shared.keys()) == ["a", "b", "c", "d"]
    assert shared.pop("a") == 1 and shared.setdefault("b", 9) == 2 and shared.get("x", 7) == 7
    assert shared | {"e": 5} == {"b": 2, "c": [3], "d": 4, "e": 5}
    assert all(isinstance(shared, cls) for cls in (DictProxy, BaseProxy))
    assert shared != shared.copy()  # as a proxy of the standard module
    with pytest.raises(KeyError):
        shared["a"]
    walk = iter(shared)
    del shared["b"]
    with pytest.raises(RuntimeError):
        next(walk)


def test_list_has_the_interface_of_a_list(manager: Any) -> None:
    shared = manager.list(range(3))
    shared += [7]
    shared *= 2
    assert shared[:] == [0, 1, 2, 7, 0, 1, 2, 7]
    shared[1:4] = ["x"]
    assert shared + [1] == [0, "x", 0, 1, 2, 7, 1] and [1] + shared == [1, 0, "x", 0, 1, 2, 7]
    shared.remove("x")
    shared.sort(reverse=True)
    assert list(reversed(shared)) == [0, 0, 1, 2, 7] and shared.index(2) == 1 and 7 in shared
    assert shared * 2 == 2 * shared and isinstance(shared, ListProxy)
    with pytest.raises(IndexError):
        shared[99]


def test_value_array_and_namespace(manager: Any) -> None:
    value = manager.Value("i", 1)
    value.value = "any object"
    assert value.get() == "any object" and str(value) == "Value('i', 'any object')"
    array = manager.Array("h", [1, 2, 3])
    array[0] = -5
    assert array[:].tolist() == [-5, 2, 3] and str(array) == "array('h', [-5, 2, 3])"
    with pytest.raises(OverflowError):
        array[0] = 40000
    space = manager.Namespace(x=1)
    space.y = {"z": 2}
    del space.x
    assert str(space) == "Namespace(y={'z': 2})" and not hasattr(space, "x")


def test_nested_proxies_come_back_as_proxies_and_keep_the_object(manager: Any) -> None:
    outer, inner = manager.dict(), manager.list([1])
    outer["inner"] = inner
    outer["deep"] = {"also": [inner]}
    del inner
    gc.collect()
    outer["inner"].append(2)
    assert isinstance(outer["inner"], ListProxy)
    assert outer["inner"][:] == outer["deep"]["also"][0][:] == [1, 2]
    outer["self"] = outer
    outer["self"]["self"]["x"] = 1
    assert outer["x"] == 1


def store_a_list(manager: Any, shared: Any) -> None:
    shared["left"] = manager.list(["by a child"])


def test_what_a_child_stored_outlives_it(manager: Any) -> None:
    shared = manager.dict()
    child = mp.get_context("fork").Process(target=store_a_list, args=(manager, shared))
    child.start()
    child.join()
    assert shared["left"][:] == ["by a child"]


def use_all(shared: Any, lock: Any, queue: Any, counter: Any) -> None:
    with lock:
        shared["child"] = [os.getpid()]
    queue.put(shared)
    queue.task_done()
    counter.value += 1


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_proxies_go_to_children(manager: Any, method: str) -> None:
    shared, lock, queue = manager.dict(), manager.Lock(), manager.JoinableQueue()
    counter = manager.Value("i", 1)
    child = mp.get_context(method).Process(target=use_all, args=(shared, lock, queue, counter))
    child.start()
    child.join()
    assert child.exitcode == 0 and counter.value == 2
    assert queue.get()["child"] == shared["child"] == [child.pid]
    queue.join()


def test_a_pickled_proxy_is_alive_until_it_is_loaded(manager: Any) -> None:
    data = pickle.dumps(manager.list([5]))
    gc.collect()
    assert pickle.loads(data)[:] == [5]


def test_locks_have_threadings_meanings(manager: Any) -> None:
    lock = manager.Lock()
    assert lock.acquire() and not lock.acquire(False) and not lock.acquire(timeout=0.01)
    lock.release()
    with pytest.raises(RuntimeError):
        lock.release()
    with pytest.raises(ValueError):
        lock.acquire(False, 1)
    bounded = manager.BoundedSemaphore(1)
    with pytest.raises(ValueError):
        bounded.release()
    condition = manager.Condition(lock)
    with condition:
        assert not condition.wait_for(lambda: False, 0.01)
        assert not lock.acquire(False)
    with pytest.raises(RuntimeError):
        condition.notify()


def acquire_and_stay(lock: Any, event: Any) -> None:
    lock.acquire()
    event.set()
    signal.pause()


def test_a_killed_holder_gives_its_lock_to_the_next_who_is_told(manager: Any) -> None:
    lock, event = manager.Lock(), manager.Event()
    child = mp.Process(target=acquire_and_stay, args=(lock, event))
    child.start()
    assert event.wait(10)
    child.kill()
    child.join()
    with pytest.warns(RuntimeWarning):
        assert lock.acquire(timeout=10)
    lock.release()


def update_for_ever(shared: Any) -> None:
    number = 0
    while True:
        number += 1
        shared.update(a=number, b=number, text="x" * (number % 5000))


def test_a_process_killed_in_an_update_leaves_the_dict_whole(manager: Any) -> None:
    shared = manager.dict(a=0, b=0)
    for _ in range(10):
        before = shared["a"]
        child = mp.Process(target=update_for_ever, args=(shared,))
        child.start()
        until(lambda: shared["a"] not in (before, 0), "the child did not update")
        child.kill()
        child.join()
        found = shared.copy()
        assert found["a"] == found["b"]
        shared["a"] = shared["b"] = 0


# ---- the manager's life


def test_calls_after_shutdown_fail() -> None:
    with mp.Manager() as manager:
        shared, queue = manager.dict(), manager.Queue()
    for call in (lambda: shared["x"], lambda: shared.update(x=1), queue.get, lambda: pickle.dumps(shared)):
        with pytest.raises(ManagerDied):
            call()
    with pytest.raises(AssertionError):
        manager.dict()


def wait_for_ever(queue: Any, answer: Any) -> None:
    try:
        queue.get()
    except EOFError as error:
        answer.send(type(error).__name__)


def test_a_killed_manager_says_so_at_once_also_to_who_waits() -> None:
    manager = mp.Manager()
    shared, queue, lock = manager.dict(), manager.Queue(), manager.Lock()
    reader, writer = mp.Pipe()
    child = mp.Process(target=wait_for_ever, args=(queue, writer))
    child.start()
    kill(manager)
    until(lambda: not manager._life.alive(), "the death was not seen")
    calls = (lambda: shared.__setitem__("x", 1), lambda: shared["x"], lock.acquire, queue.qsize, manager.dict)
    for call in calls:
        with pytest.raises(ManagerDied, match="has ended"):
            call()
    assert reader.poll(10) and reader.recv() == "ManagerDied"
    child.join()
    manager.shutdown()


def test_a_call_of_a_custom_object_does_not_outlive_the_manager() -> None:
    with OwnManager() as manager:
        counter = manager.Counter()
        with pytest.raises(ManagerDied):
            counter.die()
        with pytest.raises(EOFError):
            counter.add()
        with pytest.raises(ConnectionError):
            manager.Counter()


# ---- classes of the program's own


def test_custom_classes() -> None:
    with OwnManager() as manager:
        counter = manager.Counter(3)
        assert counter.add() == 4 and counter.add(number=6) == 10
        assert list(counter.upto()) == list(range(10))
        assert counter.part().add() == 101
        with pytest.raises(KeyError, match="wrong"):
            counter.fail()
        with pytest.raises(RemoteError, match="not to be pickled"):
            counter.lock()
        with pytest.raises(RemoteError, match="not in exposed"):
            counter._callmethod("_hidden")
        with pytest.raises(TypeError):
            OwnManager().start(initializer=1)  # type: ignore[arg-type]
        assert manager._number_of_objects() == 1
        del counter
        gc.collect()  # exceptions refer to what raised them
        until(lambda: manager._number_of_objects() == 0, "an object without proxies stayed")


def test_what_the_program_registers_wins() -> None:
    with OwnDict() as manager:
        assert manager.dict(5).add() == 6
        assert manager.list([1])[:] == [1]


def test_a_remote_manager_and_a_wrong_key() -> None:
    with OwnManager(address=("127.0.0.1", 0), authkey=b"right") as served:
        there = OwnManager(address=served.address, authkey=b"right")
        there.connect()
        assert there.Counter(1).add() == 2
        with pytest.raises(mp.AuthenticationError):
            OwnManager(address=served.address, authkey=b"wrong").connect()


def test_a_manager_of_another_domain_serves_the_same_types() -> None:
    with SyncManager(address=("127.0.0.1", 0), authkey=b"key") as served:
        far = SyncManager(address=served.address, authkey=b"key")
        far.connect()
        assert far._life is not None
        far._life = None  # as a process of another machine has it
        shared = far.dict(a=1)
        shared["b"] = 2
        assert shared.copy() == {"a": 1, "b": 2} and list(shared) == ["a", "b"]
        queue = far.Queue()
        queue.put("x")
        assert queue.get() == "x"
        with far.Lock():
            pass


# ---- nothing is left behind


def test_nothing_leaks(manager: Any) -> None:
    def count() -> tuple[int, int]:
        gc.collect()
        return _core.default_domain().info()["free_bytes"], len(os.listdir("/proc/self/fd"))

    for _ in range(100):
        manager.dict(a=1)
    free, descriptors = count()
    for _ in range(1000):
        manager.dict({"a": "x" * 1000})
    assert manager._number_of_objects() == 0
    after, descriptors_after = count()
    assert after >= free - 100_000 and descriptors_after == descriptors


def test_a_manager_that_is_spawned() -> None:
    with mp.get_context("spawn").Manager() as manager:
        shared = manager.dict()
        shared["a"] = manager.list([1])
        assert list(shared["a"]) == [1]
