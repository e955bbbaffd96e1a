"""/v1/pools: making, looking, closing, terminating, joining, deleting; supervision."""
import os
import signal
import time

import pytest

from client import wait_until
from places import SLOWNESS
from pools import CONFIG, ECHO, WORKER, descendants, is_alive, make, state, submit, url
from test_bad_input import NOT_AN_OBJECT

PUT = {"command": WORKER}


@pytest.fixture(scope="module", name="config")
def config_of_server():
    """Its programs may be started."""
    return CONFIG


# ---- making ----------------------------------------------------------------------------------

def test_a_pool_is_made_once(server, name):
    body = {**PUT, "workers": 2, "retries": 1, "time_limit": 5}
    answer = server.call("PUT", url(name), body)
    assert answer.status == 201
    view = answer.json
    assert (view["name"], view["kind"], view["workers"]) == (name, "process", 2)
    assert (view["state"], view["command"], view["trouble"]) == ("running", WORKER, None)
    assert server.call("PUT", url(name), body).status == 200
    assert server.call("PUT", url(name)).status == 200
    assert server.call("PUT", url(name), {}).status == 200


@pytest.mark.parametrize("change", [
    {"workers": 3}, {"kind": "thread"}, {"command": WORKER + ["x"]}, {"retries": 2},
    {"environment": {"GREETING": "hello"}}, {"directory": "/tmp"}, {"max_queued": 5},
    {"initializer": "setup"}, {"priority": 1}, {"grace": 1}, {"memory": 1 << 30}], ids=str)
def test_other_options_conflict(server, name, change):
    make(server, name, workers=2)
    before = server.get(url(name))
    body = {"command": WORKER, "workers": 2, "grace": 0.1, "backoff": 0.01, **change}
    answer = server.call("PUT", url(name), body)
    assert (answer.status, answer.code) == (409, "conflict")
    word = next(iter(change))
    assert word in answer.json["detail"] or "defaults" in answer.json["detail"], answer
    assert server.get(url(name))["command"] == before["command"]


def test_one_worker_per_cpu_by_default(server, name):
    view = server.put(url(name), **PUT)
    assert view["workers"] == os.cpu_count()


def test_workers_say_what_they_have(server, name):
    make(server, name, workers=2)
    view = server.wait_for(url(name), state="running")
    assert {"add", "echo"} <= set(view["functions"])
    view = wait_until(lambda: [worker for worker in server.get(url(name))["worker_list"]
                               if worker["state"] == "idle"][1:])
    view = server.get(url(name))
    assert [worker["number"] for worker in view["worker_list"]] == [1, 2]
    for worker in view["worker_list"]:
        assert is_alive(worker["pid"]) and worker["name"] == "worker.py"
        assert (worker["slots"], worker["busy"], worker["task"]) == (1, 0, None)


def test_a_thread_pool_is_one_worker_with_slots(server, name, directory):
    make(server, name, kind="thread", workers=3)
    gate = directory / "gate"
    held = [submit(server, name, "hold", str(gate)) for _ in range(3)]
    for one in held:
        state(server, one, "running")
    view = server.get(url(name))
    assert len(view["worker_list"]) == 1
    worker = view["worker_list"][0]
    assert (worker["slots"], worker["busy"], worker["state"]) == (3, 3, "busy")
    assert worker["task"] in {one["id"] for one in held}
    gate.touch()


def test_an_initializer_runs_in_each_worker(server, name):
    make(server, name, initializer="setup", initializer_args=[1, "two"])
    view = submit(server, name, "whereabouts", wait=True)
    assert view["result"]["initialized"] == [1, "two"]


def test_environment_and_directory(server, name):
    make(server, name, environment={"GREETING": "hello"}, directory="/usr")
    assert submit(server, name, "whereabouts", wait=True)["result"]["directory"] == "/usr"
    seen = submit(server, name, "environment", wait=True)["result"]
    assert seen["GREETING"] == "hello"
    assert seen["INTERLOCK_POOL"] == name
    assert seen["INTERLOCK_DOMAIN"] == f"unix:{server.path}"


def test_a_worker_is_replaced_after_so_many_tasks(server, name):
    make(server, name, max_tasks_per_worker=2)
    pids = [submit(server, name, "whereabouts", wait=True)["result"]["pid"] for _ in range(6)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]
    assert server.get(url(name))["replaced"] >= 2


def test_workers_that_do_not_come_up_are_told_of(server, name):
    server.put(url(name), command=WORKER + ["--silent"], workers=1)
    trouble = wait_until(lambda: server.get(url(name))["trouble"])
    assert "3" in trouble
    assert submit(server, name, "echo", 1)["state"] == "queued"


def test_a_killed_worker_fails_its_task_and_is_replaced(server, name, directory):
    make(server, name)
    view = submit(server, name, "hold", str(directory / "never"))
    pid = state(server, view, "running")["worker"]["pid"]
    os.kill(pid, signal.SIGKILL)
    now = state(server, view, "lost", "failed")
    assert now["error"] and "9" in str(now["error"]) or "KILL" in str(now["error"])
    assert submit(server, name, "add", 1, 2, wait=True)["result"] == 3
    view = server.get(url(name))
    assert (view["crashed"], view["state"]) == (1, "running")


# ---- the list --------------------------------------------------------------------------------

def test_pools_are_listed_page_by_page(start):
    server = start(config=CONFIG)
    names = sorted(["a", "b", "ä", "a/b", "c c", "z" * 255])
    for one in names:
        from_name = one.replace("/", "%2F").replace(" ", "%20").replace("ä", "%C3%A4")
        server.put(url(from_name), kind="exec", command=[ECHO])
    seen, cursor = [], ""
    while True:
        page = server.get(f"/v1/pools?limit=2{cursor}")
        assert len(page["pools"]) <= 2
        seen += [pool["name"] for pool in page["pools"]]
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"
    assert seen == sorted(names, key=str.encode)


# ---- the end ---------------------------------------------------------------------------------

def test_close_does_what_was_submitted(server, name, directory):
    make(server, name)
    gate = directory / "gate"
    tasks = [submit(server, name, "hold", str(gate)), submit(server, name, "echo", 2)]
    assert server.post(url(name, "close"))["state"] == "closed"
    answer = server.call("POST", url(name, "tasks"), {"function": "echo"})
    assert (answer.status, answer.code) == (409, "closed")
    answer = server.call("POST", url(name, "map"), {"function": "echo", "items": [1]})
    assert (answer.status, answer.code) == (409, "closed")
    answer = server.call("POST", url(name, "join"), {"timeout": 0.05})
    assert (answer.status, answer.code) == (409, "timeout")
    joining = server.send("POST", url(name, "join"))
    gate.touch()
    assert joining.answer().json["state"] == "ended"
    assert [server.get(f"/v1/tasks/{one['id']}")["state"] for one in tasks] == ["succeeded"] * 2
    assert server.post(url(name, "join"), timeout=0)["state"] == "ended"
    assert server.get(url(name))["worker_list"] == []


def test_terminate_ends_what_runs_and_who_waits_is_told(server, name, directory):
    make(server, name)
    gate = str(directory / "never")
    running = submit(server, name, "stubborn", gate)
    queued = submit(server, name, "echo", 1)
    pid = state(server, running, "running")["worker"]["pid"]
    waiting = [server.send("POST", f"/v1/tasks/{one['id']}/wait") for one in (running, queued)]
    wishing = server.connect().send("POST", url(name, "tasks"), {"function": "echo", "args": [1]},
                                    [("Prefer", "wait")])
    server.wait_for(url(name), state="running")
    wait_until(lambda: server.get(url(name))["tasks"]["queued"] == 2)
    server.post(url(name, "terminate"))
    for one in (*waiting, wishing):
        answer = one.answer()
        assert (answer.status, answer.json["state"]) == (200, "cancelled"), answer
    assert server.post(url(name, "join"))["state"] == "ended"
    assert not is_alive(pid)


def test_join_of_a_running_pool_is_refused(server, name):
    make(server, name)
    answer = server.call("POST", url(name, "join"), {"timeout": 0})
    assert (answer.status, answer.code) == (409, "conflict")
    assert "running" in answer.json["detail"]


def test_a_join_whose_client_leaves_changes_nothing(server, name, directory):
    make(server, name)
    gate = directory / "gate"
    submit(server, name, "hold", str(gate))
    server.post(url(name, "close"))
    joining = server.send("POST", url(name, "join"))
    other = server.send("POST", url(name, "join"))
    joining.close()
    gate.touch()
    assert other.answer().json["state"] == "ended"


def test_delete_terminates_and_forgets(server, name, directory):
    make(server, name)
    view = submit(server, name, "stubborn", str(directory / "never"))
    pid = state(server, view, "running")["worker"]["pid"]
    waiting = server.send("POST", f"/v1/tasks/{view['id']}/wait")
    waiting.is_quiet(0.05)
    assert server.call("DELETE", url(name)).status == 204
    answer = waiting.answer()
    assert answer.json["state"] == "cancelled", answer
    assert server.call("GET", url(name)).status == 404
    assert server.call("GET", f"/v1/tasks/{view['id']}").status == 404
    wait_until(lambda: not is_alive(pid), what="the worker is gone")
    make(server, name)
    assert submit(server, name, "add", 1, 2, wait=True)["result"] == 3


# ---- the server's own end ----------------------------------------------------------------------

def crowd(server, directory):
    """Pools with tasks that run for ever, a grandchild, and all their processes."""
    make(server, "a", workers=2)
    make(server, "b", kind="thread", workers=2)
    server.put(url("c"), kind="exec", command=["/bin/sh"])
    never = str(directory / "never")
    tasks = [submit(server, "a", "stubborn", never), submit(server, "b", "stubborn", never),
             submit(server, "c", None, "-c", "sleep 1000 & exec sleep 1000")]
    for one in tasks:
        state(server, one, "running")
    grandchild = submit(server, "a", "spawn", wait=True)["result"]
    assert is_alive(grandchild)
    found = set(wait_until(lambda: [view["pid"] for pool in ("a", "b")
                                    for view in server.get(url(pool))["worker_list"]
                                    if view["pid"]]))
    return found | {grandchild}, tasks


def all_gone(pids, seconds):
    """Whether none of PIDS is alive SECONDS from now, at most."""
    deadline = time.monotonic() + seconds
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.005)
    return [pid for pid in pids if is_alive(pid)]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_server(start, directory, sign):
    server = start(config=CONFIG)
    pids, tasks = crowd(server, directory)
    pids |= set(descendants(server.pid))
    waiting = server.send("POST", f"/v1/tasks/{tasks[0]['id']}/wait")
    waiting.is_quiet(0.05)
    os.kill(server.pid, sign)
    if sign == signal.SIGTERM:
        answer = waiting.answer()
        assert (answer.status, answer.code) == (503, "shutting_down")
        assert server.process.wait(10) == 0
    else:
        server.process.wait()
        server.process.returncode = 0  # it was meant to
    assert all_gone(pids, 1 * SLOWNESS) == []


# ---- bad input -------------------------------------------------------------------------------

WRONG = [
    ({"kind": "fork"}, "kind"), ({"kind": 1}, "kind"),
    *[({"workers": value}, "workers") for value in (0, -1, 1025, 1.5, "2", None)],
    *[({"command": value}, "command") for value in ([], "x", {}, 1, ["/bin/echo"] * 4097)],
    ({"command": ["/bin/echo", 1]}, "command[1]"),
    ({"command": ["/bin/echo", "a\0b"]}, "command[1]"),
    ({"command": ["echo"]}, "command[0]"), ({"command": [""]}, "command[0]"),
    ({"module": "x.so"}, "module"), ({"module": 1}, "module"),
    ({"module": "/opt/../x.so"}, "module"),
    ({"command": [ECHO], "module": "/opt/x.so"}, "module"),
    ({"kind": "exec", "module": "/opt/x.so"}, "module"),
    *[({"environment": value}, "environment") for value in ([], "A=b", 1)],
    ({"environment": {"GREETING": 1}}, "environment.GREETING"),
    ({"environment": {"GREETING": "a\0b"}}, "environment.GREETING"),
    ({"environment": {"A B": "x"}}, "environment.A B"),
    ({"environment": {"A=B": "x"}}, "environment.A=B"),
    ({"environment": {"": "x"}}, "environment."),
    ({"environment": {"INTERLOCK_DOMAIN": "x"}}, "environment.INTERLOCK_DOMAIN"),
    *[({"directory": value}, "directory") for value in ("tmp", "", "/tmp/..", "/./tmp", 1)],
    ({"initializer": ""}, "initializer"), ({"initializer": "x" * 256}, "initializer"),
    ({"initializer_args": [1]}, "initializer"),
    ({"initializer": "setup", "initializer_args": {}}, "initializer_args"),
    ({"kind": "exec", "initializer": "setup"}, "initializer"),
    *[({field: value}, field) for field in ("max_tasks_per_worker", "max_queued")
      for value in (-1, 1 << 32, "1", 1.5)],
    *[({field: value}, field) for field in ("memory", "cpu_time", "open_files", "set_aside_after")
      for value in (0, -1, "1", 1.5)],
    ({"output": -1}, "output"), ({"output": (64 << 20) + 1}, "output"),
    *[({field: value}, field) for field in ("grace", "start_limit") for value in (-1, 3601, "1")],
    ({"priority": 101}, "priority"), ({"retries": 1001}, "retries"),
    ({"time_limit": 0}, "time_limit"), ({"deadline": -1}, "deadline"),
    ({"backoff": 86401}, "backoff"), ({"backoff_max": -1}, "backoff_max"),
    ({"keep": 604801}, "keep"), ({"delay": 1}, "delay"), ({"colour": "red"}, "colour"),
]


@pytest.mark.parametrize("change, field", WRONG, ids=lambda value: str(value)[:40])
def test_wrong_field_of_a_pool(server, name, change, field):
    body = change if {"command", "module"} & set(change) else {"command": WORKER, **change}
    answer = server.call("PUT", url(name), body)
    assert (answer.status, answer.code) == (400, "invalid_argument"), answer
    assert answer.json["field"] == field and answer.json["expected"]
    assert server.call("GET", url(name)).status == 404


def test_a_pool_needs_a_command(server, name):
    for body in (None, {}, {"workers": 1}):
        answer = server.call("PUT", url(name), body)
        assert (answer.status, answer.json["field"]) == (400, "command")


@pytest.mark.parametrize("body", NOT_AN_OBJECT[:12], ids=lambda value: repr(value)[:40])
def test_body_of_a_pool_that_is_not_an_object(server, name, body):
    answer = server.call("PUT", url(name), body)
    assert (answer.status, answer.json["field"]) == (400, "body")


@pytest.mark.parametrize("operation", ["close", "terminate", "join", "tasks", "map"])
def test_what_does_not_exist(server, name, operation):
    answer = server.call("POST", url(name, operation), {})
    assert (answer.status, answer.code) == (404, "not_found")
    assert answer.json["detail"] == f'there is no pool "{name}"'
    assert server.call("DELETE", url(name)).status == 404


@pytest.mark.parametrize("operation, body, field", [
    ("close", {"now": True}, "now"), ("terminate", {"timeout": 1}, "timeout"),
    ("join", {"timeout": -1}, "timeout"), ("join", {"timeout": "1"}, "timeout"),
    ("join", {"colour": 1}, "colour")])
def test_wrong_field_of_an_end(server, name, operation, body, field):
    make(server, name)
    answer = server.call("POST", url(name, operation), body)
    assert (answer.status, answer.json["field"]) == (400, field)
    assert server.get(url(name))["state"] == "running"
