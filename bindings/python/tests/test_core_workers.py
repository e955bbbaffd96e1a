"""interlock._core.Workers and Task, with a pool of a real interlockd."""

from __future__ import annotations

import json
import sys
from typing import Any, Iterator, List, Tuple

import pytest
from core_server import Server
from where import SOURCE

from interlock import _core, errors

PATIENCE_S = 20.0
FUNCTIONS = """
import time
from interlock import task

@task
def add(a, b):
    return a + b

@task
def fail(what):
    raise ValueError("no " + what)

@task
def nap(seconds):
    time.sleep(seconds)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    module = tmp_path_factory.mktemp("pool") / "functions.py"
    module.write_text(FUNCTIONS)
    command = [sys.executable, "-m", "interlock.worker", str(module)]
    pool = {"command": command, "workers": 2, "environment": {"PYTHONPATH": str(SOURCE)}}
    made = Server(json.dumps({"pools": {"sums": pool}}))
    yield made
    made.close()


@pytest.fixture(params=["unix", "http"])
def pool(request: pytest.FixtureRequest, server: Server) -> Iterator[_core.Workers]:
    with _core.Domain(server.unix if request.param == "unix" else server.http) as domain:
        made = _core.Workers(domain, "sums")
        yield made
        made.close()


def test_a_task(pool: _core.Workers) -> None:
    task = pool.submit("add", "[1,2]", "{}", priority=5, retries=1, time_limit=3.5, keep=60.0, explicit=True)
    assert task.wait(PATIENCE_S) and task.state() == "succeeded" and task.result() == "3" and task.id > 0
    with pytest.raises(errors.NotFound):
        task.error()
    task.close()
    task.close()
    with pytest.raises(errors.Closed):
        task.state()


def test_a_task_that_fails(pool: _core.Workers) -> None:
    task = pool.apply("fail", '["way"]', "{}", timeout=PATIENCE_S)
    error = json.loads(task.error())
    assert task.state() == "failed" and (error["type"], error["message"]) == ("ValueError", "no way")
    with pytest.raises(errors.TaskFailed, match="no way"):
        task.result()


def test_what_is_refused(pool: _core.Workers) -> None:
    with pytest.raises(errors.Timeout):
        pool.apply("nap", "[30]", "{}", timeout=0.1)
    for wrong in ({"bogus": 1}, {"timeout": 1}):
        with pytest.raises(TypeError):
            pool.submit("add", "[1,2]", "{}", **wrong)
    with pytest.raises(ValueError, match="priority"):
        pool.submit("add", "[1,2]", "{}", priority=101)
    with pytest.raises(errors.NoSuchFunction):
        pool.submit("none", "[]", "{}")
    with pytest.raises(errors.InvalidArgument):
        pool.submit("add", "[1,", "{}")
    with pytest.raises(TypeError, match="items"):
        pool.map("add", [1], lambda *told: True)  # type: ignore[list-item]


def test_map(pool: _core.Workers) -> None:
    told: List[Tuple[int, int, str]] = []

    def each(index: int, status: int, text: str) -> bool:
        told.append((index, status, text))
        return True

    pool.map("add", [f"[{number},1]" for number in range(60)], each, star=True, ordered=True)
    assert told == [(number, 0, str(number + 1)) for number in range(60)]
    told.clear()
    pool.map("fail", ['"a"', '"b"'], each)
    assert sorted((index, status) for index, status, _ in told) == [(0, -40), (1, -40)]


def test_map_ends_early(pool: _core.Workers) -> None:
    told: List[int] = []

    def stop(index: int, status: int, text: str) -> bool:
        told.append(index)
        return False

    def broken(*arguments: Any) -> bool:
        raise ZeroDivisionError("mine")

    pool.map("add", ["[1,2]"] * 50, stop, star=True)
    assert len(told) == 1
    with pytest.raises(ZeroDivisionError, match="mine"):
        pool.map("add", ["[1,2]"] * 50, broken, star=True)
    with pytest.raises(errors.Timeout):
        pool.map("nap", ["30"] * 3, stop, timeout=0.1)
