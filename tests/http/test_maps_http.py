"""Maps over HTTP: results at once, as a stream, or later; who leaves, who is slow, what fails."""
import contextlib
import json
import time

import pytest

from client import Disconnected, wait_until
from places import SLOWNESS
from pools import CONFIG, ended, is_alive, make, state, submit, url

NDJSON = ("Accept", "application/x-ndjson")
JSON = ("Accept", "application/json")
WAIT = ("Prefer", "wait")


@pytest.fixture(scope="module", name="config")
def config_of_server():
    """Its programs may be started."""
    return CONFIG


@pytest.fixture(name="pool")
def a_pool(server, name):
    """The name of a pool with two workers."""
    return make(server, name, workers=2)


@pytest.fixture(name="gate")
def a_gate(directory):
    """A file whose presence lets what holds for it go on."""
    return directory / "gate"


def post(server, pool, body, *headers):
    """The answer to a map."""
    return server.call("POST", url(pool, "map"), body, headers)


def submit_map(server, pool, function, items, **options):
    """The view of a map that goes on by itself."""
    answer = post(server, pool, {"function": function, "items": items, **options})
    assert answer.status == 202, answer
    return answer.json


@contextlib.contextmanager
def streaming(server, pool, body):
    """(connection, lines) of a map whose answer is a stream."""
    with server.connect() as connection:
        connection.send("POST", url(pool, "map"), body, [NDJSON])
        answer, lines = connection.stream()
        assert answer.status == 200
        assert answer.header("Content-Type") == "application/x-ndjson"
        yield connection, lines


# ---- the results at once -----------------------------------------------------------------------

def test_results_are_in_the_order_of_the_items(server, pool):
    answer = post(server, pool, {"function": "echo", "items": list(range(1000))}, WAIT)
    assert (answer.status, answer.header("Preference-Applied")) == (200, "wait")
    assert answer.json["results"] == list(range(1000))


@pytest.mark.parametrize("chunk", [0, 1, 7, 100, 1000000])
def test_any_chunk_has_the_same_results(server, pool, chunk):
    body = {"function": "echo", "items": list(range(100)), "chunk": chunk}
    assert post(server, pool, body, WAIT).json["results"] == list(range(100))


def test_starred_items_are_arguments(server, pool):
    body = {"function": "add", "items": [[1, 2], [3, 4]], "star": True}
    assert post(server, pool, body, WAIT).json["results"] == [3, 7]
    body = {"function": "echo", "items": [[1, 2], []], "kwargs": {"x": 1}}
    assert post(server, pool, body, WAIT).json["results"] == [
        {"value": [1, 2], "x": 1}, {"value": [], "x": 1}]


def test_a_map_over_nothing(server, pool):
    answer = post(server, pool, {"function": "echo", "items": []}, WAIT)
    assert (answer.status, answer.json["results"]) == (200, [])
    with streaming(server, pool, {"function": "echo", "items": []}) as (_, lines):
        assert not list(lines)
    view = submit_map(server, pool, "echo", [])
    assert (view["count"], view["ended"]) == (0, 0)
    assert server.post(f"/v1/maps/{view['id']}/wait")["count"] == 0


def test_items_go_out_as_they_came_in(server, pool):
    body = b'{"function":"echo","items":[1.0,\n123456789012345678901234567890, {"b":1,\r\n"a":2}]}'
    with server.connect() as connection:
        answer = connection.call("POST", url(pool, "map"), body, [WAIT])
    assert b"123456789012345678901234567890" in answer.body and b"1.0" in answer.body


def test_a_failure_is_told_with_its_index(server, pool):
    body = {"function": "attempt", "items": [1, 2, 1, 2]}
    answer = post(server, pool, body, WAIT)
    problem = answer.json
    assert (answer.status, problem["code"], problem["index"]) == (409, "task_failed", 1)
    assert (problem["state"], problem["results"]) == ("failed", [1, None, 1, None])
    assert problem["error"]["message"] == "attempt 1"
    answer = server.call("GET", f"/v1/maps/{problem['map']}/results", headers=[JSON])
    assert (answer.status, answer.json["index"]) == (409, 1)
    view = server.get(f"/v1/maps/{problem['map']}")
    assert (view["succeeded"], view["states"]["failed"]) == (2, 2)


def test_retries_are_for_each_element(server, pool):
    body = {"function": "attempt", "items": [1, 3, 2], "retries": 3, "backoff": 0.01}
    assert post(server, pool, body, WAIT).json["results"] == [1, 3, 2]


def test_a_wait_that_is_too_short(server, pool, gate):
    answer = post(server, pool, {"function": "hold", "items": [str(gate)] * 3},
                  ("Prefer", "wait=0.05"))
    assert (answer.status, answer.header("Preference-Applied")) == (202, "wait")
    target = f"/v1/maps/{answer.json['id']}"
    late = server.call("POST", target + "/wait", {"timeout": 0.05})
    assert (late.status, late.code) == (409, "timeout")
    late = server.call("GET", target + "/results", headers=[JSON])
    assert (late.status, late.code) == (409, "timeout")
    gate.touch()
    done = server.post(target + "/wait")
    assert (done["ended"], done["succeeded"], done["count"]) == (3, 3, 3)
    assert done["finished"] >= done["submitted"]
    results = server.call("GET", target + "/results", headers=[JSON]).json["results"]
    assert results == [str(gate)] * 3


def test_a_map_goes_on_if_who_waits_leaves(server, pool, gate):
    before = server.get(url(pool))["tasks"]["succeeded"]
    waiting = server.send("POST", url(pool, "map"),
                          {"function": "hold", "items": [str(gate)] * 3}, [WAIT])
    wait_until(lambda: server.get(url(pool))["tasks"]["running"] == 2)
    waiting.reset()
    gate.touch()
    wait_until(lambda: server.get(url(pool))["tasks"]["succeeded"] == before + 3)


# ---- the stream ----------------------------------------------------------------------------------

def test_lines_come_as_elements_end(server, name, directory):
    make(server, name, workers=3)
    gates = [str(directory / f"gate{i}") for i in range(3)]
    with streaming(server, name, {"function": "hold", "items": gates, "chunk": 1}) as (
            connection, lines):
        for index in (2, 0, 1):
            assert connection.is_quiet(0.05)
            (directory / f"gate{index}").touch()
            line = next(lines)
            assert (line["index"], line["state"]) == (index, "succeeded")
            assert line["result"] == gates[index]
            assert server.get(f"/v1/tasks/{line['task']}")["index"] == index
        assert list(lines) == []
        assert connection.call("GET", "/v1/health").status == 200  # it is used again


def test_ordered_lines_wait_for_the_one_before(server, name, directory):
    make(server, name, workers=3)
    gates = [str(directory / f"gate{i}") for i in range(3)]
    body = {"function": "hold", "items": gates, "chunk": 1, "ordered": True}
    with streaming(server, name, body) as (connection, lines):
        (directory / "gate2").touch()
        (directory / "gate1").touch()
        wait_until(lambda: server.get(url(name))["tasks"]["succeeded"] == 2)
        assert connection.is_quiet(0.05)
        (directory / "gate0").touch()
        assert [line["index"] for line in lines] == [0, 1, 2]


def test_a_failure_is_a_line(server, pool):
    body = {"function": "attempt", "items": [1, 2], "ordered": True}
    with streaming(server, pool, body) as (_, lines):
        first, second = lines
    assert (first["state"], first["result"]) == ("succeeded", 1)
    assert (second["state"], second["error"]["message"]) == ("failed", "attempt 1")
    assert "result" not in second


@pytest.mark.parametrize("accept", [
    "application/x-ndjson", "Application/X-NDJSON", "application/json, application/x-ndjson",
    "text/html, application/x-ndjson;q=0.5", "application/x-ndjson ; x=y"])
def test_accept_that_asks_for_a_stream(server, pool, accept):
    answer = post(server, pool, {"function": "echo", "items": [1]}, ("Accept", accept))
    assert answer.header("Content-Type") == "application/x-ndjson"


@pytest.mark.parametrize("accept", [
    "*/*", "application/json", "", "application/x-ndjson;q=0", "text/x-ndjson",
    "application/x-ndjson2"])
def test_accept_that_does_not(server, pool, accept):
    answer = post(server, pool, {"function": "echo", "items": [1]}, ("Accept", accept))
    assert (answer.status, answer.header("Content-Type")) == (202, "application/json")


@pytest.mark.parametrize("leave", ["close", "reset"])
@pytest.mark.parametrize("after", [0, 1])
def test_a_map_is_cancelled_if_the_reader_of_its_stream_leaves(server, name, directory, leave,
                                                               after):
    make(server, name, workers=2)
    gates = [str(directory / f"gate{i}") for i in range(20)]
    with streaming(server, name, {"function": "hold", "items": gates, "chunk": 1}) as (
            connection, lines):
        wait_until(lambda: server.get(url(name))["tasks"]["running"] == 2)
        if after:
            (directory / "gate0").touch()
            assert next(lines)["index"] == 0
        getattr(connection, leave)()
        wait_until(lambda: server.get(url(name))["tasks"]["cancelled"] == 20 - after)
    assert submit(server, name, "add", 1, 2, wait=True)["result"] == 3


def test_half_a_close_is_a_departure_too(server, name, gate):
    make(server, name)
    with streaming(server, name, {"function": "hold", "items": [str(gate)] * 3}) as (
            connection, _):
        connection.socket.shutdown(1)
        wait_until(lambda: server.get(url(name))["tasks"]["cancelled"] == 3)


def test_a_slow_reader_costs_no_memory(server, name):
    make(server, name)
    item = "x" * 100000
    body = {"function": "echo", "items": [item] * 150, "chunk": 1}
    with streaming(server, name, body) as (_, lines):
        server.wait_for(url(name))
        wait_until(lambda: server.get(url(name))["tasks"]["succeeded"] == 150)
        read = 0
        for line in lines:
            assert line["result"] == item
            read += 1
        assert read == 150


def test_300_streams_at_once(server, pool, gate):
    connections = [server.connect().send("POST", url(pool, "map"), {
        "function": "echo", "items": [i, i + 1], "ordered": True}, [NDJSON]) for i in range(300)]
    for i, connection in enumerate(connections):
        assert [line["result"] for line in connection.stream()[1]] == [i, i + 1]
        connection.close()
    holding = [server.connect().send("POST", url(pool, "map"), {
        "function": "hold", "items": [str(gate)]}, [NDJSON]) for _ in range(300)]
    streams = [connection.stream()[1] for connection in holding]
    gate.touch()
    for stream in streams:
        assert [line["state"] for line in stream] == ["succeeded"]
    for connection in holding:
        connection.close()


def test_a_stream_of_10000_lines(server, pool):
    body = {"function": "echo", "items": list(range(10000))}
    with streaming(server, pool, body) as (_, lines):
        seen = {line["index"]: line["result"] for line in lines}
    assert seen == {i: i for i in range(10000)}


def test_a_stream_outlives_the_idle_timeout(start, directory):
    server = start(config={**CONFIG, "http": {"idle_timeout": 1}})
    make(server, "x")
    gate = directory / "gate"
    with streaming(server, "x", {"function": "hold", "items": [str(gate)]}) as (connection, lines):
        assert connection.is_quiet(2.5)
        gate.touch()
        assert next(lines)["state"] == "succeeded"


def test_an_idempotency_key_and_a_stream_do_not_go_together(server, pool):
    before = server.get(url(pool))["tasks"]["submitted"]
    answer = post(server, pool, {"function": "echo", "items": [1]}, NDJSON,
                  ("Idempotency-Key", "a stream"))
    assert (answer.status, answer.json["field"]) == (400, "Idempotency-Key")
    assert server.get(url(pool))["tasks"]["submitted"] == before


def test_http_1_0_gets_the_stream_and_then_the_end(server, pool):
    with server.connect() as connection:
        connection.send_bytes(
            f"POST {url(pool, 'map')} HTTP/1.0\r\nAccept: application/x-ndjson\r\n"
            'Content-Type: application/json\r\nContent-Length: 35\r\n\r\n'
            '{"function":"echo","items":[1,2,3]}'.encode())
        whole = connection.read_all()
    head, _, body = whole.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.") and b"chunked" not in head
    assert body.count(b"\n") == 3


# ---- what is there of a map --------------------------------------------------------------

def test_results_can_be_read_while_and_after_it_runs(server, name, directory):
    make(server, name)
    gates = [str(directory / f"gate{i}") for i in range(2)]
    view = submit_map(server, name, "hold", gates, chunk=1)
    target = f"/v1/maps/{view['id']}/results"
    with server.connect() as one, server.connect() as two:
        one.send("GET", target)
        two.send("GET", target + "?ordered=true")
        streams = one.stream()[1], two.stream()[1]
        for i in range(2):
            assert one.is_quiet(0.02) and two.is_quiet(0.02)
            (directory / f"gate{i}").touch()
            assert [next(lines)["index"] for lines in streams] == [i, i]
        assert [list(lines) for lines in streams] == [[], []]
    whole = server.call("GET", target)
    assert whole.body.count(b"\n") == 2


def test_head_of_results_has_no_body(server, pool, gate):
    view = submit_map(server, pool, "hold", [str(gate)])
    with server.connect() as connection:
        answer = connection.call("HEAD", f"/v1/maps/{view['id']}/results")
        assert answer.status == 200 and answer.header("Content-Length") is None
        assert connection.is_closed_by_server()
    gate.touch()


def test_who_reads_the_results_may_leave(server, name, gate):
    make(server, name)
    view = submit_map(server, name, "hold", [str(gate)] * 3, chunk=1)
    with server.connect() as connection:
        connection.send("GET", f"/v1/maps/{view['id']}/results").stream()
    gate.touch()
    assert server.post(f"/v1/maps/{view['id']}/wait")["succeeded"] == 3


def test_cancel_of_a_map(server, name, gate):
    make(server, name)
    view = submit_map(server, name, "hold", [str(gate)] * 5, chunk=1)
    target = f"/v1/maps/{view['id']}"
    wait_until(lambda: server.get(target)["states"]["running"] == 1)
    answer = server.call("DELETE", target)
    assert (answer.status, answer.code) == (409, "conflict")
    waiting = server.send("POST", target + "/wait")
    assert server.post(target + "/cancel")["id"] == view["id"]
    assert waiting.answer().json["states"]["cancelled"] == 5
    element = server.get(f"/v1/tasks?pool={name}")["tasks"][0]
    answer = server.call("DELETE", f"/v1/tasks/{element['id']}")
    assert (answer.status, answer.code) == (409, "conflict")
    assert server.call("DELETE", target).status == 204
    for one in (target, target + "/results", f"/v1/tasks/{element['id']}"):
        assert server.call("GET", one).status == 404


def test_a_stream_breaks_off_when_its_pool_is_deleted_or_ends_with_its_tasks(server, name, gate):
    make(server, name)
    with server.connect() as connection:
        connection.send("POST", url(name, "map"), {
            "function": "stubborn", "items": [str(gate)] * 3, "chunk": 1}, [NDJSON])
        lines = connection.stream()[1]
        wait_until(lambda: server.get(url(name))["tasks"]["running"] == 1)
        server.post(url(name, "terminate"))
        assert [line["state"] for line in lines] == ["cancelled"] * 3
    server.call("DELETE", url(name))
    make(server, name)
    with server.connect() as connection:
        connection.send("POST", url(name, "map"), {
            "function": "stubborn", "items": [str(gate)] * 3, "chunk": 1}, [NDJSON])
        lines = connection.stream()[1]
        wait_until(lambda: server.get(url(name))["tasks"]["running"] == 1)
        assert server.call("DELETE", url(name)).status == 204
        with contextlib.suppress(Disconnected):
            assert {line["state"] for line in lines} <= {"cancelled"}
    assert server.get("/v1/health")["status"] == "ok"


def test_a_map_is_kept_for_a_time(server, pool):
    view = submit_map(server, pool, "echo", [1], keep=0.05)
    wait_until(lambda: server.call("GET", f"/v1/maps/{view['id']}").status == 404)


def test_streams_end_when_the_server_stops(start, gate):
    server = start(config=CONFIG)
    make(server, "x")
    with streaming(server, "x", {"function": "stubborn", "items": [str(gate)] * 3}) as (_, lines):
        server.wait_for(url("x"), state="running")
        wait_until(lambda: server.get(url("x"))["tasks"]["running"] == 1)
        pids = [worker["pid"] for worker in server.get(url("x"))["worker_list"]]
        begin = time.monotonic()
        server.process.terminate()
        with contextlib.suppress(Disconnected):
            assert {line["state"] for line in lines} <= {"cancelled"}
        assert server.process.wait(10) == 0
        assert time.monotonic() - begin < 3 * SLOWNESS
    assert not any(map(is_alive, pids))


def test_a_batch_submits_a_map(server, pool):
    operations = [{"method": "POST", "path": url(pool, "map"),
                   "body": {"function": "echo", "items": [1, 2]}}]
    with server.connect() as connection:
        answer = connection.call("POST", "/v1/batch", {"operations": operations}, [NDJSON, WAIT])
    result = answer.json["results"][0]
    assert result["status"] == 202
    server.post(f"/v1/maps/{result['body']['id']}/wait")
    get = [{"method": "GET", "path": f"/v1/maps/{result['body']['id']}/results"}]
    assert server.post("/v1/batch", operations=get)["results"][0]["body"]["results"] == [1, 2]


def test_a_task_of_a_map_knows_its_place(server, pool):
    view = submit_map(server, pool, "echo", ["a", "b"])
    server.post(f"/v1/maps/{view['id']}/wait")
    listed = server.get(f"/v1/tasks?pool={pool}")["tasks"]
    places = sorted((one["map"], one["index"]) for one in listed)
    assert places == [(view["id"], 0), (view["id"], 1)]
    assert ended(server, listed[0])["result"] in ("a", "b")
    assert state(server, listed[0], "succeeded")


# ---- bad input ---------------------------------------------------------------------------

WRONG = [
    ({"items": None}, "items"), ({"items": {}}, "items"), ({"items": "abc"}, "items"),
    ({"function": 1}, "function"), ({"function": ""}, "function"), ({"star": 1}, "star"),
    ({"star": True, "items": [1]}, "items[0]"), ({"star": True, "items": [[], {}]}, "items[1]"),
    ({"kwargs": []}, "kwargs"), ({"chunk": -1}, "chunk"), ({"chunk": 1.5}, "chunk"),
    ({"chunk": 1000001}, "chunk"), ({"ordered": "true"}, "ordered"), ({"args": [1]}, "args"),
    ({"priority": 101}, "priority"), ({"retries": -1}, "retries"), ({"keep": -1}, "keep"),
    ({"delay": -1}, "delay"), ({"deadline": 0}, "deadline"), ({"time_limit": 0}, "time_limit"),
    ({"timeout": 1}, "timeout"),
    ({"items": [[[[1]]], json.loads("[" * 64 + "]" * 64)]}, "items[1]"),
]


@pytest.mark.parametrize("change, field", WRONG, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("headers", [[], [NDJSON], [WAIT]], ids=str)
def test_wrong_field_of_a_map(server, pool, change, field, headers):
    answer = post(server, pool, {"function": "echo", "items": [1], **change}, *headers)
    assert (answer.status, answer.code) == (400, "invalid_argument"), answer
    assert answer.json["field"] == field and answer.json["expected"]
    assert server.get(url(pool))["tasks"]["submitted"] == 0


@pytest.mark.parametrize("body, field", [
    ({"function": "echo"}, "items"), ({"items": [1]}, "function")])
def test_missing_field_of_a_map(server, pool, body, field):
    answer = post(server, pool, body)
    assert (answer.status, answer.json["field"]) == (400, field)


@pytest.mark.parametrize("query, field", [("ordered=1", "ordered"), ("ordered=", "ordered"),
                                          ("ordered=true&ordered=true", "ordered"),
                                          ("limit=1", "limit")])
def test_bad_query_of_results(server, pool, query, field):
    view = submit_map(server, pool, "echo", [1])
    answer = server.call("GET", f"/v1/maps/{view['id']}/results?{query}")
    assert (answer.status, answer.json["field"]) == (400, field)


def test_a_function_that_no_worker_has(server, pool):
    for headers in ([], [NDJSON], [WAIT]):
        answer = post(server, pool, {"function": "colour", "items": [1]}, *headers)
        assert (answer.status, answer.code) == (404, "no_such_function")
