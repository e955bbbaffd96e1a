"""client.pool(): calls of functions that workers of a real server have, behind both of its doors."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest

import interlock
from interlock import aio, errors
from native_support import PATIENCE, SOURCE, Server, serving, until

FUNCTIONS = """
import os, time
import interlock

@interlock.task
def double(number):
    return number * 2

@interlock.task
def join(a, b="b", *rest, end="."):
    return f"{a}{b}{''.join(rest)}{end}"

@interlock.task
def fail(words):
    raise LookupError(words)

@interlock.task
def die():
    os._exit(3)

@interlock.task
def wait_for_stop():
    deadline = time.monotonic() + 20
    while not interlock.cancelled() and time.monotonic() < deadline:
        time.sleep(0.001)
    raise interlock.Cancelled

@interlock.task
def wait_for_file(path):
    deadline = time.monotonic() + 20
    while not os.path.exists(path) and time.monotonic() < deadline:
        time.sleep(0.001)
    return path

@interlock.task
def mark(where):
    directory, name = where
    open(os.path.join(directory, f"began-{name}"), "w").close()
    deadline = time.monotonic() + 20
    while not os.path.exists(os.path.join(directory, "go")) and time.monotonic() < deadline:
        if interlock.cancelled():
            raise interlock.Cancelled
        time.sleep(0.001)

@interlock.task
def odd_fails(number):
    if number % 2:
        raise ValueError(str(number))
    return number
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    module = tmp_path_factory.mktemp("functions") / "functions.py"
    module.write_text(FUNCTIONS)
    pool = {
        "command": [sys.executable, "-m", "interlock.worker", str(module)],
        "environment": {"PYTHONPATH": str(SOURCE)}, "workers": 2,
    }
    yield from serving({"pools": {"it": pool}})


@pytest.fixture(params=["unix", "http"])
def address(request: pytest.FixtureRequest, server: Server) -> str:
    return str(getattr(server, request.param))


@pytest.fixture
def pool(address: str) -> Iterator[interlock.Pool]:
    with interlock.connect(address) as client:
        yield client.pool("it")
        gc.collect()


def test_submit_and_call(pool: interlock.Pool) -> None:
    future = pool.submit("double", 21)
    assert future.result(PATIENCE) == 42 and future.result() == 42
    assert future.done() and not future.running() and not future.cancelled()
    assert future.exception() is None and future.state() == "succeeded"
    assert future.id > 0 and str(future.id) in repr(future)
    assert pool.call("join", "a", "c", "d", end="!") == "acd!"
    assert pool.options(priority=5, retries=0, time_limit=10.0).call("double", 1) == 2
    assert pool.name == "it"


def test_failures_are_told_with_their_place(pool: interlock.Pool) -> None:
    future = pool.submit("fail", "no such thing")
    with pytest.raises(errors.TaskFailed, match="no such thing") as caught:
        future.result(PATIENCE)
    assert caught.value.remote_type == "LookupError"  # type: ignore[attr-defined]
    assert "in fail" in caught.value.remote_traceback  # type: ignore[attr-defined]
    assert future.exception() is caught.value
    with pytest.raises(errors.NoSuchFunction, match="nothing"):
        pool.submit("nothing")
    with pytest.raises(TypeError, match="args"):
        pool.submit("double", object())
    with pytest.raises(ValueError, match="args"):
        pool.submit("double", float("nan"))
    with pytest.raises(errors.TaskLost):
        pool.options(retries=0).submit("die").result(PATIENCE)
    with pytest.raises(errors.TaskFailed):
        pool.call("join")


def test_a_pool_that_is_not(address: str, pool: interlock.Pool) -> None:
    with interlock.connect(address) as client, pytest.raises(errors.NotFound):
        client.pool("nowhere").submit("double", 1)
    with interlock.connect() as client, pytest.raises(errors.Unsupported):
        client.pool("it")


def test_cancel(pool: interlock.Pool) -> None:
    future = pool.submit("wait_for_stop")
    with pytest.raises(errors.Timeout):
        future.result(0.01)
    until(future.running)
    future.cancel()
    with pytest.raises(errors.Cancelled):
        future.result(PATIENCE)
    with pytest.raises(errors.Cancelled):
        future.exception()
    assert future.cancelled() and future.done()


def test_callbacks(pool: interlock.Pool, tmp_path: Path) -> None:
    go = tmp_path / "go"
    told: list[Any] = []
    futures = [pool.submit("wait_for_file", str(go)) for _ in range(20)]
    for future in futures:
        future.add_done_callback(told.append)
    futures[0].add_done_callback(lambda future: told.append(future.result()))
    assert told == []
    go.touch()
    until(lambda: len(told) == 21)
    assert set(futures) <= set(told) and str(go) in told
    futures[3].add_done_callback(told.append)
    assert told[-1] is futures[3], "it has ended: called at once"


def test_callbacks_of_a_server_that_went(tmp_path: Path) -> None:
    module = tmp_path / "functions.py"
    module.write_text(FUNCTIONS)
    command = [sys.executable, "-m", "interlock.worker", str(module)]
    pools = {"it": {"command": command, "environment": {"PYTHONPATH": str(SOURCE)}, "workers": 1}}
    server = Server({"pools": pools})
    client = interlock.connect(server.http)
    future = client.pool("it").submit("wait_for_stop")
    told = threading.Event()
    future.add_done_callback(lambda it: told.set())
    until(future.running)
    server.close()
    assert told.wait(PATIENCE)
    with pytest.raises(errors.InterlockError):
        future.result()
    client.close()


def test_maps(pool: interlock.Pool) -> None:
    assert pool.map("double", range(50)) == [n * 2 for n in range(50)]
    assert pool.map("double", []) == []
    assert pool.starmap("join", [("a", "b"), ("c",)]) == ["ab.", "cb."]
    with pytest.raises(errors.TaskFailed, match="ValueError: 1"):
        pool.map("odd_fails", range(6))
    with pytest.raises(errors.NoSuchFunction):
        pool.map("nothing", [1])
    with pytest.raises(TypeError, match=r"items\[1\]"):
        pool.map("double", [1, object()])


def test_imap_gives_one_after_the_other(pool: interlock.Pool, tmp_path: Path) -> None:
    assert list(pool.imap("double", range(20))) == [n * 2 for n in range(20)]
    assert sorted(pool.imap_unordered("double", range(20), chunk=1)) == [n * 2 for n in range(20)]
    assert list(pool.imap("double", [])) == []
    late = tmp_path / "late"
    early = tmp_path / "early"
    early.touch()
    results = pool.imap_unordered("wait_for_file", [str(late), str(early)], chunk=1)
    assert next(results) == str(early)
    late.touch()
    assert next(results) == str(late)
    with pytest.raises(StopIteration):
        next(results)
    results = pool.imap("odd_fails", range(3))
    assert next(results) == 0
    with pytest.raises(errors.TaskFailed):
        next(results)
    assert next(results) == 2 and list(results) == []
    with pytest.raises(errors.NoSuchFunction):
        next(pool.imap("nothing", [1]))


def test_imap_that_is_left_cancels_the_rest(pool: interlock.Pool, tmp_path: Path) -> None:
    def begun() -> int:
        return len(list(tmp_path.glob("began-*")))

    results = pool.imap_unordered("mark", [(str(tmp_path), n) for n in range(10)], chunk=1)
    until(lambda: begun() == 2)  # of two workers
    del results
    gc.collect()
    assert pool.call("double", 4) == 8  # who ran has been told to stop, and the rest was not begun
    assert begun() == 2


def test_streams_leave_no_descriptors(pool: interlock.Pool) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    assert list(pool.imap("double", [1])) == [2]
    before = descriptors()
    for _ in range(20):
        assert list(pool.imap("double", [1])) == [2]
        next(pool.imap("double", range(10)))
    gc.collect()
    until(lambda: descriptors() <= before)


def test_coroutines(address: str) -> None:
    async def main() -> None:
        async with aio.connect(address) as client:
            pool = await client.pool("it")
            assert pool.name == "it"
            task = await pool.submit("double", 4)
            assert await task == 8 and await task.done() and await task.state() == "succeeded"
            assert task.id > 0
            assert await pool.options(priority=1).call("join", "x", end="") == "xb"
            assert await pool.map("double", [1, 2]) == [2, 4]
            assert await pool.starmap("join", [("a", "c")]) == ["ac."]
            task = await pool.submit("wait_for_stop")
            waiting = asyncio.ensure_future(task.result())
            await asyncio.sleep(0.02)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await task.state() in ("queued", "running"), "a wait's end leaves it alone"
            await task.cancel()
            with pytest.raises(errors.Cancelled):
                await task.result(PATIENCE)
            calling = asyncio.ensure_future(pool.call("wait_for_stop"))
            await asyncio.sleep(0.05)
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
            with pytest.raises(errors.NotFound):
                await (await client.pool("nowhere")).submit("double", 1)
            await pool.close()

    asyncio.run(main())
