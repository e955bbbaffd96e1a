"""Pools of interlock.multiprocessing: what they compute, and what becomes of tasks whose worker dies."""

from __future__ import annotations

import faulthandler
import functools
import gc
import os
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

import interlock.multiprocessing as multiprocessing
import interlock.threading as threading
from interlock import _core
from interlock.multiprocessing import forkserver
from interlock.multiprocessing import pool as pools
from interlock.multiprocessing import resource_tracker
from interlock.multiprocessing.pool import Pool, ThreadPool
from where import SOURCE

BOTH = pytest.mark.parametrize("kind", [Pool, ThreadPool])


@pytest.fixture(scope="module", autouse=True)
def helpers() -> Iterator[None]:
    yield
    forkserver._forkserver._stop()
    resource_tracker._resource_tracker._stop()


def until(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.005)
    raise AssertionError("it did not happen in time")


def square(x: int) -> int:
    return x * x


def add(x: int, y: int = 0) -> int:
    return x + y


def pause(x: int) -> int:
    time.sleep(0.002)
    return x * x


def die(how: str) -> None:
    if how == "exit":
        os._exit(3)
    if how == "sys.exit":
        sys.exit(4)
    faulthandler.disable()
    os.kill(os.getpid(), getattr(signal, how))
    time.sleep(60)


def die_if_negative(x: int) -> int:
    if x < 0:
        os._exit(9)
    return square(x)


def die_at_first(path: str) -> str:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "done"
    os._exit(1)


def count_attempts(path: str) -> None:
    with open(path, "ab") as file:
        file.write(b"x")
    os._exit(1)


def wait_at(directory: str) -> int:
    Path(directory, str(os.getpid())).touch()
    while not Path(directory, "go").exists():
        time.sleep(0.005)
    return os.getpid()


def stubborn(directory: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(directory, "ready").touch()
    time.sleep(60)


def fail(x: Any) -> None:
    raise LookupError(x)


def own_pid(x: Any = None) -> int:
    return os.getpid()


def long_value(size: int) -> bytes:
    return bytes(size)


class Odd(Exception):
    """Cannot be unpickled."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__("odd")


def raise_odd(x: Any) -> None:
    raise Odd(1, 2)


def break_start() -> None:
    raise OSError("no such device")


def break_start_once(path: str) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    raise OSError("not yet")


class Counter:
    """Its state is copied for each task."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: int) -> int:
        self.calls += 1
        return self.calls


# ---- what is computed ----


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_every_start_method(method: str) -> None:
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(square, range(50)) == [x * x for x in range(50)]
        assert pool.apply(add, (1,), {"y": 2}) == 3
        assert list(pool.imap(square, range(20), chunksize=3)) == [x * x for x in range(20)]
        with pytest.raises(pools.WorkerDied):
            pool.apply(die, ("SIGKILL",))
        assert pool.apply(square, (3,)) == 9
    pool.join()


@BOTH
@pytest.mark.parametrize("chunksize", [None, 1, 2, 7, 1000])
def test_maps(kind: Any, chunksize: int | None) -> None:
    squares = [x * x for x in range(100)]
    with kind(3) as pool:
        assert pool.map(square, range(100), chunksize) == squares
        assert pool.map(square, iter(range(100)), chunksize) == squares
        assert pool.map(square, dict.fromkeys(range(100)), chunksize) == squares
        assert pool.starmap(add, [(x, x) for x in range(100)], chunksize) == [2 * x for x in range(100)]
        step = chunksize or 1
        items: Any
        for items in list(range(100)), iter(range(100)):
            assert list(pool.imap(square, items, step)) == squares
        for items in range(100), iter(range(100)):
            assert sorted(pool.imap_unordered(square, items, step)) == squares
        assert pool.map(square, [], chunksize) == list(pool.imap(square, [])) == pool.starmap(add, iter(())) == []
        with pytest.raises(ValueError, match="Chunksize"):
            pool.map(square, [1], 0)
        with pytest.raises(ValueError, match="Chunksize"):
            pool.imap(square, [1], -1)
    pool.join()


@BOTH
def test_exceptions_and_callbacks(kind: Any) -> None:
    with kind(2) as pool:
        heard: list[Any] = []
        result = pool.apply_async(fail, ("x",), callback=heard.append, error_callback=lambda e: heard.append(repr(e)))
        with pytest.raises(LookupError, match="x") as caught:
            result.get()
        assert not result.successful() and heard == ["LookupError('x')"]
        assert (type(caught.value.__cause__) is pools.RemoteTraceback) == (kind is Pool)
        result = pool.map_async(square, [1, 2], callback=heard.append)
        assert result.get() == [1, 4] and heard[1:] == [[1, 4]]
        waiting = pool.apply_async(time.sleep, (0.2,))
        with pytest.raises(ValueError, match="not ready"):
            waiting.successful()
        with pytest.raises(multiprocessing.TimeoutError):
            waiting.get(0.01)
        with pytest.raises(multiprocessing.TimeoutError):
            pool.imap(time.sleep, [0.3]).next(0.01)
        waiting.get()
        with pytest.raises(LookupError):
            pool.map(fail, range(50), 1)
    pool.join()


@BOTH
def test_a_callback_that_fails_is_reported_and_the_pool_goes_on(kind: Any, monkeypatch: Any) -> None:
    reported: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(args.exc_type))
    with kind(1) as pool:
        assert pool.apply_async(square, (3,), callback=fail).get(10) == 9
        assert pool.apply(square, (4,)) == 16
    assert reported == [LookupError]
    pool.join()


@BOTH
def test_iterables_that_fail(kind: Any) -> None:
    def failing() -> Iterator[int]:
        yield from range(5)
        raise LookupError

    class Liar(list):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return 9

        def __iter__(self) -> Iterator[int]:
            return failing()

    with kind(2) as pool:
        got = pool.imap(square, failing())
        assert [next(got) for _ in range(5)] == [0, 1, 4, 9, 16]
        with pytest.raises(LookupError):
            next(got)
        for call in pool.map, pool.starmap:
            with pytest.raises(LookupError):
                call(square, failing())
        with pytest.raises(LookupError):
            pool.map_async(square, Liar(), 1).get(10)
        with pytest.raises(TypeError):
            next(pool.imap(square, 5))
        pool.close()
    pool.join()


@BOTH
def test_imap_takes_items_as_they_are_needed(kind: Any) -> None:
    taken: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    gate = threading.Event()
    func = square if kind is Pool else (lambda x: gate.wait() and square(x))
    with kind(2) as pool:
        if kind is Pool:
            got = pool.imap(time.sleep, (60 for _ in endless()))
        else:
            got = pool.imap(func, endless())
        until(lambda: len(taken) >= 2)
        time.sleep(0.1)  # nothing more may happen
        assert len(taken) <= 20
        gate.set()
        if kind is ThreadPool:
            assert [next(got) for _ in range(1000)] == [x * x for x in range(1000)]
    pool.join()


def test_state_of_callables_is_copied_for_each_task() -> None:
    with Pool(1) as pool:
        assert pool.map(Counter(), range(3), 1) == [1, 1, 1]
        assert pool.map(functools.partial(add, 1, y=1), range(0), 1) == []
        assert pool.map(functools.partial(add, 1), range(3), 1) == [1, 2, 3]
        items: list[int] = []
        assert pool.map(items.append, [1, 2]) == [None, None] and items == []


def test_what_cannot_be_pickled() -> None:
    with Pool(1) as pool:
        with pytest.raises((AttributeError, pickle.PicklingError)):
            pool.apply(lambda: 1)
        with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
            pool.map(square, [1, threading.Lock()], 1)
        with pytest.raises(pools.MaybeEncodingError, match="memoryview"):
            pool.apply(memoryview, (b"x",))
        with pytest.raises(pools.MaybeEncodingError) as caught:
            pool.map(raise_odd, [1])
        assert "raise Odd(1, 2)" in str(caught.value.__cause__)
        assert isinstance(pickle.loads(pickle.dumps(caught.value)), pools.MaybeEncodingError)
        with pytest.raises(NotImplementedError):
            pickle.dumps(pool)
        assert pool.apply(square, (2,)) == 4


def test_arguments_and_results_longer_than_a_message() -> None:
    size = 40 << 20
    with Pool(2) as pool:
        assert pool.apply(len, (bytes(size),)) == size
        assert len(pool.apply(long_value, (size,))) == size
        assert pool.map(len, [bytes(17 << 20)] * 3, 1) == [17 << 20] * 3
    pool.join()


def test_maxtasksperchild() -> None:
    with Pool(2, maxtasksperchild=3) as pool:
        pids = pool.map(own_pid, range(30), 1)
        assert len(pids) == 30 and max(pids.count(pid) for pid in pids) <= 3
        pool.close()
        pool.join()


def test_wrong_arguments() -> None:
    for wrong in 0, -1:
        with pytest.raises(ValueError, match="processes"):
            Pool(wrong)
    with pytest.raises(ValueError, match="maxtasksperchild"):
        Pool(1, maxtasksperchild=0)
    with pytest.raises(ValueError, match="retries"):
        Pool(1, retries=-1)
    with pytest.raises(TypeError, match="initializer"):
        Pool(1, initializer=1)  # type: ignore[arg-type]


# ---- workers that die ----


@pytest.mark.parametrize("how, words", [("exit", "exit code 3"), ("sys.exit", "exit code 4"), ("SIGKILL", "SIGKILL"),
                                        ("SIGSEGV", "SIGSEGV")])
def test_a_worker_that_dies_fails_its_task_and_no_other(how: str, words: str) -> None:
    with Pool(2) as pool:
        others = pool.map_async(pause, range(60), 1)
        with pytest.raises(pools.WorkerDied, match=f"{words}.*die") as caught:
            pool.apply_async(die, (how,)).get(15)
        assert caught.value.pid and caught.value.attempts == 1
        assert isinstance(pickle.loads(pickle.dumps(caught.value)), pools.WorkerDied)
        assert others.get(15) == [x * x for x in range(60)]
        until(lambda: len(pool._pool) == 2 and all(worker.is_alive() for worker in pool._pool))
    pool.join()


def test_only_the_tasks_that_killed_fail_in_imap() -> None:
    with Pool(2) as pool:
        got: Any = pool.imap(die_if_negative, [1, 2, -1, 3, -1, 4, 5])
        outcomes: list[Any] = []
        for _ in range(7):
            try:
                outcomes.append(got.next(15))
            except pools.WorkerDied as error:
                outcomes.append(error.exitcode)
        assert outcomes == [1, 4, 9, 9, 9, 16, 25]


def test_retries(tmp_path: Path) -> None:
    with multiprocessing.Pool(2, retries=2) as pool:
        assert pool.apply(die_at_first, (str(tmp_path / "a"),)) == "done"
        with pytest.raises(pools.WorkerDied, match="tried 3 times"):
            pool.apply(count_attempts, (str(tmp_path / "b"),))
        assert (tmp_path / "b").read_bytes() == b"xxx"
        assert pool.map(square, range(10)) == [x * x for x in range(10)]


def test_workers_killed_all_the_time() -> None:
    """Every result once, and right."""
    chance = random.Random(6)
    with Pool(3, retries=50) as pool:
        result = pool.map_async(square, range(10000), 1)
        ordered = pool.imap(pause, range(400))
        kills, end = 0, time.monotonic() + 10
        while kills < 20 and time.monotonic() < end:
            for worker in chance.sample(pool._pool, min(1, len(pool._pool))):
                os.kill(worker.pid, signal.SIGKILL)
                kills += 1
            time.sleep(0.05)
        assert kills >= 10
        assert result.get(30) == [x * x for x in range(10000)]
        assert list(ordered) == [x * x for x in range(400)]
        pool.close()
        pool.join()


def test_a_worker_that_is_idle_dies_without_harm() -> None:
    with Pool(2) as pool:
        pool.map(square, range(4))
        for worker in list(pool._pool):
            os.kill(worker.pid, signal.SIGKILL)
        assert pool.map(square, range(100), 1) == [x * x for x in range(100)]


def test_tasks_behind_a_slow_one_go_to_other_workers(tmp_path: Path) -> None:
    with Pool(2) as pool:
        pool.map(square, range(3000), 1)  # the workers are given many tasks ahead now
        slow = pool.apply_async(wait_at, (str(tmp_path),))
        until(lambda: list(tmp_path.iterdir()))
        assert pool.map_async(square, range(3000), 1).get(15) == [x * x for x in range(3000)]
        assert not slow.ready()
        (tmp_path / "go").touch()
        assert slow.get(15)


# ---- initializers ----


@BOTH
def test_an_initializer_that_always_fails(kind: Any, capfd: Any) -> None:
    pool = kind(2, break_start)
    begin = time.monotonic()
    with pytest.raises(pools.InitializerFailed) as caught:
        pool.map_async(square, range(5)).get(15)
    assert isinstance(caught.value.__cause__, OSError)
    assert 0.2 < time.monotonic() - begin < 10
    pool.terminate()
    pool.join()
    assert capfd.readouterr().err.count("no such device") <= 40


@BOTH
def test_an_initializer_that_fails_at_first(kind: Any, tmp_path: Path, capfd: Any) -> None:
    with kind(1, break_start_once, (str(tmp_path / "a"),)) as pool:
        assert pool.map_async(square, range(5)).get(15) == [0, 1, 4, 9, 16]
    pool.join()


def test_closing_a_pool_whose_initializer_fails(capfd: Any) -> None:
    pool = Pool(1, break_start)
    result = pool.apply_async(square, (1,))
    pool.close()
    pool.join()
    with pytest.raises(pools.InitializerFailed):
        result.get(0)


# ---- the end ----


@BOTH
def test_results_of_a_terminated_pool(kind: Any) -> None:
    gate = threading.Event()
    pool = kind(2)
    running = pool.map_async(time.sleep if kind is Pool else gate.wait, [60] * 10, 1)
    iterator = pool.imap(square, range(5))
    pool.terminate()
    with pytest.raises(pools.PoolTerminated):
        running.get(10)
    with pytest.raises(pools.PoolTerminated):
        list(iterator)
    gate.set()
    pool.join()
    for call in lambda: pool.apply(square, (1,)), lambda: pool.map(square, [1]), pool.__enter__:
        with pytest.raises(ValueError, match="not running"):
            call()


def test_terminate_ends_workers_that_ignore_it(tmp_path: Path) -> None:
    pool = Pool(1)
    pool.apply_async(stubborn, (str(tmp_path),))
    until((tmp_path / "ready").exists)
    begin = time.monotonic()
    pool.terminate()
    pool.join()
    assert time.monotonic() - begin < 8


def test_terminate_while_an_iterable_blocks() -> None:
    gate = threading.Event()

    def blocking() -> Iterator[int]:
        yield 1
        gate.wait()

    pool = Pool(1)
    got = pool.imap(square, blocking())
    assert next(got) == 1
    pool.terminate()
    pool.join()
    gate.set()
    with pytest.raises(pools.PoolTerminated):
        next(got)


def test_a_callback_may_terminate_its_pool() -> None:
    pool = Pool(1)
    ended = threading.Event()

    def end(value: Any) -> None:
        pool.terminate()
        ended.set()

    pool.apply_async(square, (1,), callback=end)
    assert ended.wait(10)
    pool.join()


def test_dropping_a_running_pool_warns_and_ends_its_workers() -> None:
    pool = Pool(2)
    pool.map(square, range(4))
    workers = list(pool._pool)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del pool
        gc.collect()
    assert any("unclosed running" in str(warning.message) for warning in caught)
    caught.clear()  # a warning has its pool
    until(lambda: not any(worker.is_alive() for worker in workers))


@BOTH
def test_nothing_is_left_of_many_pools(kind: Any) -> None:
    def left() -> tuple[int, int, int]:
        gc.collect()
        objects = _core.default_domain().info()["objects"]
        return len(os.listdir("/proc/self/fd")), objects, threading.active_count()

    def use() -> None:
        with kind(2) as pool:
            assert pool.map(square, range(4), 1) == [0, 1, 4, 9]
            if kind is Pool:
                pool.apply_async(os._exit, (0,)).wait(10)
        pool.join()

    use()
    before = left()
    for _ in range(20):
        use()
    until(lambda: all(now <= then for now, then in zip(left(), before)))
    assert not multiprocessing.active_children()


def test_interrupting_a_map_ends_the_program() -> None:
    program = textwrap.dedent("""
        import os, time
        import interlock.multiprocessing as multiprocessing

        def nap(x):
            os.write(1, b"%d\\n" % os.getpid())
            time.sleep(60)

        with multiprocessing.Pool(2) as pool:
            try:
                pool.map(nap, range(4), 1)
            except KeyboardInterrupt:
                print("interrupted", flush=True)
    """)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env=dict(os.environ, PYTHONPATH=str(SOURCE)))
    assert process.stdout is not None
    pids = [process.stdout.readline().strip() for _ in range(2)]
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert out == "interrupted\n" and process.returncode == 0 and all(pids)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_the_threads_process_api() -> None:
    from interlock.multiprocessing import dummy

    ours, theirs = dummy.Pipe()
    process = dummy.Process(target=theirs.send, args=("hello",))
    assert process.exitcode is None
    process.start()
    assert ours.poll(10) and ours.recv() == "hello" and not ours.poll()
    process.join()
    assert process.exitcode == 0 and process not in dummy.active_children()
    with dummy.connection.Listener() as listener:
        client = dummy.connection.Client(listener.address)
        client.send(1)
        assert listener.accept().recv() == 1
    assert repr(dummy.Namespace(b=1, a=2)) == "Namespace(a=2, b=1)"
    assert repr(dummy.Value("i", 3)) == "<Value('i', 3)>"
