"""What CPython's own tests of threading leave out; those are run by the conformance suite."""

from __future__ import annotations

import inspect
import logging
import os
import subprocess
import sys
import threading as standard
import weakref
from typing import Any, List

import pytest

import interlock.threading as threading
from threading_support import LONG, SOURCE, in_child, objects, run, spawn, until


# ---- names ----------------------------------------------------------------------------------


def test_names_are_those_of_the_standard_module() -> None:
    missing = set(standard.__all__) - set(threading.__all__)
    assert not missing
    assert all(hasattr(threading, name) for name in threading.__all__)


@pytest.mark.parametrize("name", ["Thread", "Timer", "Condition", "Semaphore", "BoundedSemaphore", "Barrier"])
def test_signatures_are_those_of_the_standard_module(name: str) -> None:
    ours, theirs = getattr(threading, name), getattr(standard, name)
    for method, function in inspect.getmembers(theirs, inspect.isfunction):
        if not method.startswith("_") or method == "__init__":
            expected = list(inspect.signature(function).parameters)
            if "context" not in expected:
                assert list(inspect.signature(getattr(ours, method)).parameters) == expected, method


GUARD = """
import sys, _thread
import threading as standard

class Guard:
    def __init__(self, original):
        self.original = original
    def __getattr__(self, name):
        return getattr(self.original, name)
    def __call__(self, *args, **kwargs):
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller.split(".")[0] == "interlock":
            raise AssertionError(f"{caller} uses {self.original}")
        return self.original(*args, **kwargs)

for module in (_thread, standard):
    for name in ("allocate_lock", "_allocate_lock", "RLock", "Lock", "Condition", "Semaphore", "Event",
                 "BoundedSemaphore", "Barrier", "Thread", "Timer", "_set_sentinel", "_CRLock"):
        if hasattr(module, name):
            setattr(module, name, Guard(getattr(module, name)))

import interlock.threading as threading
import interlock.queue as queue
from interlock import _core

def objects():
    return _core.default_domain().info()["handles"]
"""

EVERY_NAME = """
import gc

def use_every_name():
    before = objects()
    kept = [threading.Lock(), threading.RLock(), threading.Event(), threading.Semaphore(2),
            threading.BoundedSemaphore(2), threading.Condition(), threading.Barrier(2),
            queue.Queue(), queue.LifoQueue(2), queue.PriorityQueue(), queue.SimpleQueue()]
    assert objects() >= before + len(kept), (before, objects())
    for lock in kept[:2] + kept[3:6]:
        with lock:
            pass
    condition, barrier = kept[5], kept[6]
    passed = []
    def work():
        with condition:
            condition.notify()
        passed.append(barrier.wait())
    with condition:
        thread = threading.Thread(target=work)
        thread.start()
        assert condition.wait(30)
    passed.append(barrier.wait())
    thread.join()
    assert sorted(passed) == [0, 1]
    for q in kept[7:]:
        getter = threading.Thread(target=q.get)
        getter.start()
        q.put(1)
        getter.join()
    fired = kept[2]
    timer = threading.Timer(0.01, fired.set)
    timer.start()
    assert fired.wait(30)
    timer.join()
    assert threading.active_count() == len(threading.enumerate()) == 1
    assert threading.current_thread() is threading.main_thread()
    threading.local().x = 1
    threading.stack_size(); threading.get_ident(); threading.get_native_id()
    threading.settrace(None); threading.setprofile(None); threading.gettrace(); threading.getprofile()
    threading.excepthook

def count():
    gc.collect()
    return objects()

use_every_name()
first = count()  # some that conditions use again are kept
use_every_name()
assert count() == first < 10, (first, count())
print("done")
"""


def test_everything_is_made_of_objects_of_the_domain() -> None:
    result = run(GUARD + EVERY_NAME)
    assert result.stdout == "done\n", result.stderr


def test_guard_sees_a_standard_lock() -> None:
    """The test above can fail."""
    result = run(GUARD + "exec('standard.Lock()', {'__name__': 'interlock.x', 'standard': standard})")
    assert "interlock.x uses" in result.stderr


def test_without_a_domain_nothing_works() -> None:
    result = run("threading.Lock()", INTERLOCK_PYTHON_DOMAIN="unix:/nonexistent/interlock")
    assert result.returncode == 1 and "nonexistent" in result.stderr


def test_threads_leave_no_objects_behind() -> None:
    before = objects()
    for _ in range(50):
        spawn(lambda: None).join()
    assert objects() == before


# ---- threads --------------------------------------------------------------------------------


def failing() -> None:
    raise ZeroDivisionError("oh")


def test_exception_goes_to_the_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: List[Any] = []
    monkeypatch.setattr(threading, "excepthook", heard.append)
    thread = spawn(failing)
    thread.join()
    assert [(args.exc_type, args.thread) for args in heard] == [(ZeroDivisionError, thread)]


def test_exception_goes_to_the_standard_hook_if_only_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: List[Any] = []
    monkeypatch.setattr(standard, "excepthook", heard.append)
    spawn(failing).join()
    assert [args.exc_type for args in heard] == [ZeroDivisionError]


def test_join_does_not_wait_for_a_kept_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: List[Any] = []
    monkeypatch.setattr(threading, "excepthook", kept.append)
    thread = spawn(failing)
    thread.join(LONG)
    assert not thread.is_alive() and kept[0].exc_traceback is not None


def test_trace_and_profile_functions_of_the_standard_module_hold_too() -> None:
    seen: List[str] = []

    def trace(frame: Any, event: str, arg: object) -> None:
        seen.append(frame.f_code.co_name)

    old = standard.gettrace()
    standard.settrace(trace)
    try:
        spawn(lambda: None).join()
    finally:
        standard.settrace(old)
    assert "run" in seen


def test_standard_module_knows_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    found: List[Any] = []

    def work() -> None:
        found.append(standard.current_thread())
        logging.getLogger("x").warning("hello")

    thread = threading.Thread(target=work, name="mine")
    thread.start()
    thread.join()
    assert found == [thread]
    assert caplog.records[0].threadName == "mine"
    assert found[0] not in standard.enumerate()


def test_thread_of_the_standard_module_has_its_name_here() -> None:
    found: List[Any] = []

    def work() -> None:
        current = threading.current_thread()
        found.append((current.name, current.daemon, current.is_alive()))

    thread = standard.Thread(target=work, name="theirs")
    thread.start()
    thread.join()
    assert found == [("theirs", False, True)]
    until(lambda: "theirs" not in [each.name for each in threading.enumerate()])


def test_main_thread_is_the_main_one_wherever_the_module_was_imported() -> None:
    result = subprocess.run([sys.executable, "-c", """
import threading
def work():
    import interlock.threading as ours
    assert ours.main_thread().ident == threading.main_thread().ident
    assert ours.current_thread() is not ours.main_thread()
thread = threading.Thread(target=work)
thread.start()
thread.join()
import interlock.threading as ours
assert ours.current_thread() is ours.main_thread()
print("done")
"""], env={**os.environ, "PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, timeout=60)
    assert (result.stdout, result.stderr) == ("done\n", "")


def test_local_data_is_the_threads_own_and_goes_before_join_returns() -> None:
    class Thing:
        pass

    data = threading.local()
    data.thing = None
    things: List[Any] = []

    def work() -> None:
        assert not hasattr(data, "thing")
        data.thing = Thing()
        things.append(weakref.ref(data.thing))

    for _ in range(20):
        spawn(work).join()
    assert [thing() for thing in things] == [None] * 20
    assert data.thing is None


def test_join_with_a_timeout_returns_while_the_thread_runs() -> None:
    go = threading.Event()
    thread = spawn(go.wait)
    thread.join(0.01)
    assert thread.is_alive()
    thread.join(-1)
    assert thread.is_alive()
    go.set()
    thread.join()
    assert not thread.is_alive()


def test_timer_calls_or_not() -> None:
    called = threading.Event()
    timer = threading.Timer(0.01, called.set)
    timer.start()
    assert called.wait(LONG)
    timer.join()
    never = threading.Timer(LONG, failing)
    never.start()
    never.cancel()
    never.join(LONG)
    assert not never.is_alive()


# ---- the interpreter's end ------------------------------------------------------------------


def test_threads_are_waited_for_at_the_end_but_daemons_are_not() -> None:
    result = run("""
import time
def slow():
    time.sleep(0.2)
    print("worker")
threading.Thread(target=slow).start()
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
threading._register_atexit(print, "first")
import atexit
atexit.register(print, "last")
print("main")
""")
    assert (result.stdout, result.stderr) == ("main\nfirst\nworker\nlast\n", "")


def test_a_failing_exit_function_keeps_no_thread_from_being_waited_for() -> None:
    result = run("""
import time
def slow():
    time.sleep(0.1)
    print("worker")
threading.Thread(target=slow).start()
threading._register_atexit(lambda: 1 / 0)
""")
    assert result.stdout == "worker\n" and "ZeroDivisionError" in result.stderr


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="there the interpreter starts no thread any more")
def test_a_thread_that_is_started_at_exit_is_waited_for() -> None:
    result = run("""
import atexit, time
def slow():
    time.sleep(0.1)
    print("worker")
atexit.register(lambda: threading.Thread(target=slow).start())
""")
    assert (result.stdout, result.stderr) == ("worker\n", "")


# ---- fork -----------------------------------------------------------------------------------


def test_a_lock_that_another_thread_holds_stays_locked_in_a_child() -> None:
    lock, own, go, held = threading.Lock(), threading.RLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            go.wait()

    thread = spawn(hold)
    held.wait()

    def child() -> bool:
        assert lock.locked() and not lock.acquire(False)
        lock.release()
        with lock, own:
            go.set()
        return not thread.is_alive() and threading.enumerate() == [threading.current_thread()]

    with own:
        assert in_child(child) == 0
    assert lock.locked() and not go.is_set()
    go.set()
    thread.join()


def test_a_recursive_lock_of_another_thread_is_free_in_a_child() -> None:
    lock, go, held = threading.RLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            go.wait()

    thread = spawn(hold)
    held.wait()
    assert in_child(lambda: lock.acquire(timeout=LONG)) == 0
    go.set()
    thread.join()


def test_a_condition_works_in_a_child_though_others_waited_for_it() -> None:
    condition = threading.Condition()
    waits = threading.Event()

    def wait() -> None:
        with condition:
            waits.set()
            condition.wait()

    thread = spawn(wait)
    waits.wait()
    with condition:
        pass  # it waits now

    def child() -> bool:
        inside = threading.Event()
        heard: List[bool] = []

        def listen() -> None:
            with condition:
                inside.set()
                heard.append(condition.wait(LONG))

        listener = spawn(listen)
        inside.wait()
        with condition:
            condition.notify()
        listener.join()
        return heard == [True]

    assert in_child(child) == 0
    with condition:
        condition.notify()
    thread.join()


def test_threads_can_be_joined_and_started_in_a_child() -> None:
    go = threading.Event()
    other = spawn(go.wait)
    fresh = threading.Thread(target=lambda: None)

    def child() -> bool:
        other.join()
        fresh.start()
        fresh.join()
        return not fresh.is_alive() and threading.main_thread() is threading.current_thread()

    assert in_child(child) == 0
    assert other.is_alive()
    go.set()
    other.join()


def test_a_child_waits_for_its_threads_at_its_end() -> None:
    result = run("""
import os, time
def slow():
    time.sleep(0.1)
    print("worker", flush=True)
if os.fork() == 0:
    threading.Thread(target=slow).start()
else:
    os.wait()
    print("parent")
""")
    assert (result.stdout, result.stderr) == ("worker\nparent\n", "")


@pytest.mark.parametrize("start", [
    "threading.Thread(target=work).start()",
    "standard.Thread(target=work).start()",
    "_thread.start_new_thread(work, ())",
])
def test_a_child_that_a_thread_forked_ends_with_that_thread_and_those_it_started(start: str) -> None:
    result = run(f"""
import os, sys, time, _thread, threading as standard
done = threading.Event()
def slow(name):
    time.sleep(0.1)
    os.write(1, name)
def work():
    child = os.fork()
    if child:
        os.write(1, b"child %d\\n" % os.waitpid(child, 0)[1])
        done.set()
    else:
        threading.Event().wait(0.01)
        assert threading.current_thread() is threading.main_thread()
        assert not threading.current_thread().daemon
        threading.Thread(target=slow, args=(b"one\\n",)).start()
        standard.Thread(target=slow, args=(b"two\\n",)).start()
{start}
done.wait()
""")
    assert sorted(result.stdout.splitlines()) == ["child 0", "one", "two"] and result.stderr == ""
