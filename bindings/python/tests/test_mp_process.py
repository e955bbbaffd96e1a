"""Processes of interlock.multiprocessing: how they start and end, and what is left of them."""

from __future__ import annotations

import gc
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List, Tuple

import pytest

import interlock.multiprocessing as multiprocessing
from interlock.multiprocessing import connection, forkserver, resource_tracker, shared_memory, util
from interlock.multiprocessing.process import wait_readable
from where import SOURCE

METHODS = ["fork", "spawn", "forkserver"]


def until(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """What CONDITION returns, once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        select.select([], [], [], 0.01)
    raise AssertionError("it did not happen in time")


def gone(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


@pytest.fixture(scope="module", autouse=True)
def helpers() -> Iterator[None]:
    yield
    forkserver._forkserver._stop()
    resource_tracker._resource_tracker._stop()


def tell(conn: Any) -> None:
    process = multiprocessing.current_process()
    parent = multiprocessing.parent_process()
    assert parent is not None
    conn.send((process.name, os.getpid(), parent.pid, parent.is_alive(), bytes(process.authkey),
               multiprocessing.get_start_method()))


def leave(code: Any) -> None:
    sys.exit(code)


def fail() -> None:
    raise ZeroDivisionError("as expected")


def wait_for_ever(conn: Any) -> None:
    conn.send(os.getpid())
    select.select([], [], [])


def nested(conn: Any) -> None:
    child = multiprocessing.Process(target=tell, args=(conn,))
    child.start()
    child.join()


def first_byte(fd: Any, conn: Any) -> None:
    with fd:
        conn.send(fd.recv(1))


@pytest.mark.parametrize("method", METHODS)
def test_a_child_knows_its_family(method: str) -> None:
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    child = context.Process(target=tell, args=(theirs,), name="teller")
    child.start()
    name, pid, parent, alive, key, its_method = ours.recv()
    assert (name, pid, parent, alive, its_method) == ("teller", child.pid, os.getpid(), True, method)
    assert key == multiprocessing.current_process().authkey
    child.join()
    assert child.exitcode == 0


@pytest.mark.parametrize("method", METHODS)
def test_exit_codes(method: str, capfd: pytest.CaptureFixture[str]) -> None:
    context = multiprocessing.get_context(method)
    forkserver._forkserver._stop()  # its children write to where it did when it was started
    cases: List[Tuple[Callable[..., None], Tuple[object, ...], int]] = [
        (leave, (7,), 7), (leave, (None,), 0), (leave, ("text",), 1), (fail, (), 1)]
    for target, args, code in cases:
        child = context.Process(target=target, args=args)
        child.start()
        child.join()
        assert child.exitcode == code
    told = capfd.readouterr().err
    assert "text\n" in told
    assert "ZeroDivisionError: as expected" in told


@pytest.mark.parametrize("method", METHODS)
def test_signals_and_sentinels(method: str) -> None:
    context = multiprocessing.get_context(method)
    for end, code in [("terminate", -signal.SIGTERM), ("kill", -signal.SIGKILL)]:
        ours, theirs = context.Pipe()
        child = context.Process(target=wait_for_ever, args=(theirs,))
        child.start()
        assert ours.recv() == child.pid
        with pytest.raises(ValueError):
            child.close()
        assert not wait_readable(child.sentinel, 0)
        getattr(child, end)()
        assert connection.wait([child.sentinel], 15) == [child.sentinel]
        assert select.select([child.sentinel], [], [], 0)[0]
        child.join()
        assert child.exitcode == code
        child.close()
        with pytest.raises(ValueError):
            child.is_alive()


@pytest.mark.parametrize("method", METHODS)
def test_children_of_children(method: str) -> None:
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    child = context.Process(target=nested, args=(theirs,))
    child.start()
    assert ours.recv()[2] == child.pid
    child.join()
    assert child.exitcode == 0


@pytest.mark.parametrize("method", METHODS)
def test_sockets_go_to_children(method: str) -> None:
    import socket

    context = multiprocessing.get_context(method)
    here, there = socket.socketpair()
    ours, theirs = context.Pipe()
    child = context.Process(target=first_byte, args=(there, theirs))
    child.start()
    here.sendall(b"x")
    assert ours.recv() == b"x"
    child.join()
    here.close()
    there.close()


@pytest.mark.parametrize("method, number", [("fork", 200), ("spawn", 5), ("forkserver", 30)])
def test_nothing_is_left_of_children(method: str, number: int) -> None:
    context = multiprocessing.get_context(method)

    def one() -> None:
        child = context.Process(target=leave, args=(0,))
        child.start()
        child.join()
        assert child.exitcode == 0

    one()
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(number):
        one()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
    assert not multiprocessing.active_children()


def test_a_dead_fork_server_is_replaced() -> None:
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    child = context.Process(target=wait_for_ever, args=(theirs,))
    child.start()
    assert ours.recv() == child.pid
    server = forkserver._forkserver._forkserver_pid
    assert server is not None
    os.kill(server, signal.SIGKILL)
    assert child.is_alive()
    other = context.Process(target=leave, args=(4,))
    other.start()
    other.join()
    assert other.exitcode == 4
    child.terminate()
    child.join()
    assert child.exitcode == 255
    assert forkserver._forkserver._forkserver_pid != server


def run(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
    environment = dict(os.environ, PYTHONPATH=f"{SOURCE}", PYTHONDONTWRITEBYTECODE="1")
    return subprocess.Popen([sys.executable, *arguments], env=environment, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **options)


PROGRAM = """
import sys
import interlock.multiprocessing as multiprocessing
print("imported as", __name__, flush=True)

class Answer:
    def say(self, text):
        print(text, sys.argv[1:], flush=True)

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    child = multiprocessing.Process(target=Answer().say, args=("hello",))
    child.start()
    child.join()
    sys.exit(child.exitcode)
"""


@pytest.mark.parametrize("as_module", [False, True])
def test_the_main_module_of_a_spawned_child(tmp_path: Path, as_module: bool) -> None:
    (tmp_path / "answering.py").write_text(PROGRAM)
    arguments = ["-m", "answering", "word"] if as_module else ["answering.py", "word"]
    out, err = run(*arguments, cwd=tmp_path).communicate(timeout=30)
    assert err == ""
    assert out.splitlines() == ["imported as __main__", "imported as __mp_main__", "hello ['word']"]


def test_a_main_module_without_a_guard_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "unguarded.py"
    program.write_text(PROGRAM.replace('if __name__ == "__main__":', "if True:"))
    out, err = run(str(program)).communicate(timeout=30)
    assert "current process has finished its bootstrapping phase" in err or "has already been set" in err
    assert "hello" not in out


KILLED = """
import os, select
import interlock.multiprocessing as multiprocessing
from interlock.multiprocessing.shared_memory import SharedMemory

def stay(ready):
    ready.set()
    select.select([], [], [])

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    block = SharedMemory(create=True, size=100)
    ready = context.Event()
    child = context.Process(target=stay, args=(ready,), daemon=True)
    child.start()
    ready.wait()
    print(child.pid, block.name, flush=True)
    select.select([], [], [])
"""


@pytest.mark.parametrize("method", METHODS)
def test_nothing_outlives_a_killed_parent(method: str, tmp_path: Path) -> None:
    program = tmp_path / "killed.py"
    program.write_text(KILLED.format(method=method))
    parent = run(str(program))
    assert parent.stdout is not None
    child, block = parent.stdout.readline().split()
    assert Path("/dev/shm", block).exists()
    parent.kill()
    parent.wait()
    until(lambda: gone(int(child)))
    until(lambda: not Path("/dev/shm", block).exists())
    _, err = parent.communicate(timeout=15)
    assert "leaked shared_memory" in err


def test_daemons_end_with_their_parent(tmp_path: Path) -> None:
    program = tmp_path / "ending.py"
    program.write_text(KILLED.format(method="fork").replace("    select.select([], [], [])\n" * 2, "")
                       .rpartition("    select")[0] + "    block.close()\n    block.unlink()\n")
    parent = run(str(program))
    out, err = parent.communicate(timeout=30)
    assert (parent.returncode, err) == (0, "")
    assert gone(int(out.split()[0]))


def test_shared_memory_is_the_standard_modules(tmp_path: Path) -> None:
    items = shared_memory.ShareableList([1, 2.5, "três", b"bytes", None, True])
    try:
        code = ("import sys; from multiprocessing import shared_memory as s, resource_tracker as t;"
                "l = s.ShareableList(name=sys.argv[1]); print(list(l), l.format); l[0] = 77;"
                "t.unregister(l.shm._name, 'shared_memory')")
        out, err = run("-c", code, items.shm.name).communicate(timeout=30)
        assert err == ""
        assert out == f"{[1, 2.5, 'três', b'bytes', None, True]} {items.format}\n"
        assert items[0] == 77
    finally:
        items.shm.close()
        items.shm.unlink()
    with pytest.raises(FileNotFoundError):
        shared_memory.SharedMemory(items.shm.name)


def test_finalizers_run_once_and_in_order() -> None:
    calls: List[object] = []

    class Thing:
        pass

    thing = Thing()
    first = util.Finalize(thing, calls.append, ("first",))
    del thing
    assert calls == ["first"] and not first.still_active()
    for priority in (1, 3, 2, 3):
        util.Finalize(None, calls.append, (priority,), exitpriority=priority + 1000)
    util._run_finalizers(1000)
    assert calls == ["first", 3, 3, 2, 1]
    with pytest.raises(ValueError):
        util.Finalize(None, calls.append)
