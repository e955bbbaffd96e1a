"""/v1/threads: Python's Thread over HTTP, over the functions of a pool."""
import signal

import pytest

from client import wait_until
from pools import CONFIG, ECHO, make as make_pool, state, url as pool_url
from test_bad_input import NOT_AN_OBJECT
from test_client_sessions_http import end, make as make_session


@pytest.fixture(scope="module", name="config")
def config_of_server():
    """Its programs may be started."""
    return CONFIG


@pytest.fixture(name="pool", scope="module")
def pool_of_file(server):
    """A pool of three workers."""
    return make_pool(server, "for-threads", workers=3)


@pytest.fixture(name="gate")
def gate_in(directory):
    """The path of a file for which `hold` waits."""
    return directory / "gate"


def url(name, operation=None):
    """The path of the thread NAME."""
    return f"/v1/threads/{name}" + (f"/{operation}" if operation else "")


def make(server, name, pool, function, *args, **options):
    return server.put(url(name), pool=pool, function=function, args=list(args), **options)


def start(server, name, pool, function, *args, **options):
    """The view of a thread that was made and started."""
    make(server, name, pool, function, *args, **options)
    return server.post(url(name, "start"))


def join(server, name, **body):
    return server.post(url(name, "join"), **body)


def refused(answer, status, code, field=None):
    assert (answer.status, answer.code, answer.json.get("field")) == (status, code, field), answer
    return answer.json


# ---- its life --------------------------------------------------------------------------------

def test_its_life_is_that_of_pythons_thread(server, name, pool, gate):
    answer = server.call("PUT", url(name), {"pool": pool, "function": "hold", "args": [str(gate)]})
    assert answer.status == 201
    view = answer.json
    assert (view["state"], view["is_alive"], view["task"], view["outcome"]) == (
        "created", False, None, None)
    refused(server.call("POST", url(name, "join")), 409, "not_started")
    view = server.post(url(name, "start"))
    assert (view["state"], view["is_alive"]) == ("started", True) and view["task"].isdigit()
    assert server.get(f"/v1/tasks/{view['task']}")["function"] == "hold"
    refused(server.call("POST", url(name, "start")), 409, "already_started")
    refused(server.call("POST", url(name, "join"), {"timeout": 0}), 409, "timeout")
    refused(server.call("DELETE", url(name)), 409, "conflict")
    waiting = [server.send("POST", url(name, "join")) for _ in range(3)]
    gone = server.send("POST", url(name, "join"))
    gone.reset()
    gate.touch()
    for one in waiting:
        with one:
            view = one.answer().json
            assert (view["state"], view["is_alive"], view["outcome"], view["result"]) == (
                "ended", False, "succeeded", str(gate))
    assert view["started"] <= view["ended"]
    assert server.get(url(name)) == view == join(server, name, timeout=0)
    refused(server.call("POST", url(name, "start")), 409, "already_started")
    assert server.call("DELETE", url(name)).status == 204
    refused(server.call("GET", url(name)), 404, "not_found")


def test_args_and_kwargs_arrive_as_they_are_written(server, name, pool):
    value = {"a": [1.0, 1, "é☃", None, {"deep": [True]}], "b": 2 ** 70}
    start(server, name, pool, "echo", value, kwargs={"more": [1, 2]})
    assert join(server, name)["result"] == {"value": value, "more": [1, 2]}
    body = b'{"pool": "%s",\n "function": "echo",\r\n "args": [\n1.50\n]}' % pool.encode()
    assert server.call("PUT", url(name + ".raw"), body).status == 201
    server.post(url(name + ".raw", "start"))
    join(server, name + ".raw")
    assert b'"result":1.5' in server.call("GET", url(name + ".raw")).body


def test_a_thread_that_fails(server, name, pool):
    start(server, name, pool, "fail", "no such picture", "KeyError")
    view = join(server, name)
    assert (view["outcome"], view["result"]) == ("failed", None)
    assert (view["error"]["type"], view["error"]["message"]) == ("KeyError", "no such picture")


def test_what_came_of_it_outlives_its_task(server, name, pool):
    task = start(server, name, pool, "add", 1, 2)["task"]
    join(server, name)
    assert server.call("DELETE", f"/v1/tasks/{task}").status == 204
    assert server.get(url(name))["result"] == 3


def test_put_again(server, name, pool):
    body = {"pool": pool, "function": "add", "args": [1, 2]}
    assert server.call("PUT", url(name), body).status == 201
    assert server.call("PUT", url(name), body).status == 200
    for change, word in (({"pool": "x"}, "pool"), ({"function": "sub"}, "function"),
                         ({"args": [1, 3]}, "call"), ({"kwargs": {"a": 1}}, "call"),
                         ({"time_limit": 5}, "call")):
        problem = refused(server.call("PUT", url(name), {**body, **change}), 409, "conflict")
        assert word in problem["detail"]
    session = make_session(server)
    refused(server.call("PUT", url(name), {**body, "daemon": True, "session": session}), 409,
            "conflict")


def test_it_may_wait_in_the_queue_of_its_pool(server, name, gate):
    pool = make_pool(server, name, workers=1)
    start(server, name + ".1", pool, "hold", str(gate))
    second = start(server, name + ".2", pool, "echo", 5)
    state(server, {"id": second["task"]}, "queued")
    assert second["is_alive"] and server.get(url(name + ".2"))["is_alive"]
    gate.touch()
    assert join(server, name + ".2")["result"] == 5


def test_a_time_limit_asks_and_then_replaces_the_worker(server, name, gate):
    pool = make_pool(server, name, workers=1, grace=0.1)
    for function in ("hold", "stubborn"):
        start(server, f"{name}.{function}", pool, function, str(gate), time_limit=0.1)
        assert join(server, f"{name}.{function}")["outcome"] == "timed_out"
    start(server, name + ".after", pool, "add", 1, 2)
    assert join(server, name + ".after")["result"] == 3


def test_a_thread_whose_worker_dies(server, name, pool):
    start(server, name, pool, "die")
    view = join(server, name)
    assert view["outcome"] == "lost" and view["error"]["signal"] == signal.SIGKILL


def test_cancelling_its_task_ends_it(server, name, pool, gate):
    task = start(server, name, pool, "hold", str(gate))["task"]
    state(server, {"id": task}, "running")
    server.post(f"/v1/tasks/{task}/cancel")
    assert join(server, name)["outcome"] == "cancelled"


def test_deleting_the_pool_ends_it(server, name, gate):
    pool = make_pool(server, name)
    start(server, name, pool, "hold", str(gate))
    with server.send("POST", url(name, "join")) as waiting:
        assert server.call("DELETE", pool_url(pool)).status == 204
        assert waiting.answer().json["outcome"] in ("cancelled", "lost")


def test_list(start):
    server = start(config=CONFIG)
    for one in "bca":
        make(server, one, "no-pool-yet", "f")
    page = server.get("/v1/threads?limit=2")
    assert [view["name"] for view in page["threads"]] == ["a", "b"]
    assert "result" not in page["threads"][0]
    page = server.get(f"/v1/threads?limit=2&cursor={page['cursor']}")
    assert [view["name"] for view in page["threads"]] == ["c"] and page["cursor"] is None


# ---- what cannot be started ------------------------------------------------------------------

def test_what_the_pool_refuses_leaves_it_as_it_was(server, name, pool):
    make(server, name, name, "add", 1, 2)
    problem = refused(server.call("POST", url(name, "start")), 404, "not_found", "pool")
    assert problem["detail"] == f'there is no pool "{name}"'
    make_pool(server, name)
    server.post(pool_url(name, "close"))
    refused(server.call("POST", url(name, "start")), 409, "closed")
    make(server, name + ".f", pool, "no_such")
    refused(server.call("POST", url(name + ".f", "start")), 404, "no_such_function", "function")
    assert server.get(url(name + ".f"))["state"] == "created"
    assert server.get(url(name))["task"] is None
    full = make_pool(server, name + ".full", max_queued=1)
    for i in range(3):
        make(server, f"{name}.{i}", full, "hold", "/nonexistent")
    statuses = [server.call("POST", url(f"{name}.{i}", "start")) for i in range(3)]
    assert 503 in [answer.status for answer in statuses]
    assert server.call("DELETE", pool_url(full)).status == 204


def test_an_exec_pool_runs_its_program(server, name):
    server.put(pool_url(name), kind="exec", command=[ECHO])
    server.put(url(name), pool=name, args=["a", "b"])
    assert server.post(url(name, "start"))["function"] is None
    result = join(server, name)["result"]
    assert (result["exit_code"], result["stdout"]) == (0, "a b\n")
    server.put(url(name + ".f"), pool=name, function="f")
    refused(server.call("POST", url(name + ".f", "start")), 400, "invalid_argument", "function")
    server.put(url(name + ".a"), pool=name, args=[1])
    refused(server.call("POST", url(name + ".a", "start")), 400, "invalid_argument", "args[0]")


DEEP = [[]]
for _ in range(70):
    DEEP = [DEEP]

BAD = [
    *[("pool", value) for value in (1, "", None, [], "x" * 256, "a\0b")],
    *[("function", value) for value in (1, "", None, [], "x" * 256, "a\0b")],
    *[("args", value) for value in (1, "x", None, {}, DEEP)],
    *[("kwargs", value) for value in (1, "x", None, [], {"x": DEEP})],
    *[("time_limit", value) for value in (0, -1, "1", 31536001, [])],
    ("daemon", 1), ("session", ""), ("session", 1), ("session", "x"), ("colour", "red"),
    ("priority", 1),
]


@pytest.mark.parametrize("field, value", BAD, ids=lambda value: str(value)[:30])
def test_bad_fields_are_named(server, name, field, value):
    body = {"pool": "p", "function": "f", field: value}
    problem = refused(server.call("PUT", url(name), body), 400, "invalid_argument", field)
    assert problem["expected"] and server.call("GET", url(name)).status == 404


def test_fields_that_do_not_go_together(server, name):
    for body, field in (({}, "pool"), ({"function": "f"}, "pool"),
                        ({"pool": "p", "daemon": True}, "session")):
        refused(server.call("PUT", url(name), body), 400, "invalid_argument", field)
    body = {"pool": "p", "daemon": True, "session": "1.2.3"}
    refused(server.call("PUT", url(name), body), 410, "session_ended", "session")


@pytest.mark.parametrize("operation", ["start", "join"])
def test_of_one_that_is_not_there(server, name, operation):
    refused(server.call("POST", url(name, operation)), 404, "not_found")


def test_bad_bodies(server, name):
    make(server, name, "p", "f")
    refused(server.call("POST", url(name, "start"), {"x": 1}), 400, "invalid_argument", "x")
    refused(server.call("POST", url(name, "join"), {"timeout": -1}), 400, "invalid_argument",
            "timeout")


# ---- sessions and the server's end -----------------------------------------------------------

def test_a_daemon_is_cancelled_when_its_session_ends(server, name, pool, gate):
    session = make_session(server)
    start(server, name, pool, "hold", str(gate), daemon=True, session=session)
    other = start(server, name + ".other", pool, "hold", str(gate))
    state(server, {"id": other["task"]}, "running")
    with server.send("POST", url(name, "join")) as waiting:
        end(server, session)
        assert waiting.answer().json["outcome"] == "cancelled"
    assert server.get(url(name + ".other"))["is_alive"]
    gate.touch()
    assert join(server, name + ".other")["outcome"] == "succeeded"


def test_a_daemon_of_a_session_that_has_ended_is_not_started(server, name, pool):
    session = make_session(server)
    make(server, name, pool, "add", 1, 2, daemon=True, session=session)
    end(server, session)
    refused(server.call("POST", url(name, "start")), 410, "session_ended")
    assert server.call("DELETE", url(name)).status == 204


def test_a_join_ends_with_the_session_that_waits(server, name, pool, gate):
    start(server, name, pool, "hold", str(gate))
    session = make_session(server)
    with server.send("POST", url(name, "join"), {"session": session}) as waiting:
        assert waiting.is_quiet(0.02)
        end(server, session)
        refused(waiting.answer(), 410, "session_ended")
    gate.touch()
    join(server, name)


def test_the_end_of_the_server(start):
    server = start(config=CONFIG)
    pool = make_pool(server, "p")
    globals()["start"](server, "t", pool, "hold", "/nonexistent")
    waiting = server.send("POST", url("t", "join"))
    wait_until(lambda: server.get(url("t"))["is_alive"])
    assert waiting.is_quiet(0.02)
    assert server.stop() == 0
    with waiting:
        refused(waiting.answer(), 503, "shutting_down")


@pytest.mark.parametrize("body", NOT_AN_OBJECT, ids=lambda value: repr(value)[:40])
def test_bodies_that_are_no_object(server, name, body):
    with server.connect() as connection:
        answer = connection.call("PUT", url(name), body)
    assert (answer.status, answer.code) == (400, "invalid_argument"), answer
    assert server.call("GET", url(name)).status == 404
