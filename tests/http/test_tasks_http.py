"""Tasks over HTTP: submitting, Prefer, repeats, how they end, in which order, the list."""
import itertools
import json
import signal

import pytest

from client import wait_until
from pools import CONFIG, ended, make, state, submit, task, url

_keys = itertools.count(1)


@pytest.fixture(scope="module", name="config")
def config_of_server():
    """Its programs may be started."""
    return CONFIG


@pytest.fixture(name="pool")
def a_pool(server, name):
    """The name of a pool with one worker."""
    return make(server, name)


@pytest.fixture(name="gate")
def a_gate(directory):
    """A file whose presence lets what holds for it go on."""
    return directory / "gate"


def raw_answer(server, method, target, body, headers=()):
    """An answer to bytes that are sent as they are."""
    with server.connect() as connection:
        return connection.call(method, target, body, headers)


# ---- submitting --------------------------------------------------------------------------------

def test_a_task_goes_from_queued_to_succeeded(server, pool, gate):
    view = submit(server, pool, "hold", str(gate))
    assert (view["state"], view["pool"], view["function"]) == ("queued", pool, "hold")
    assert view["attempts"] == 0
    assert view["started"] is view["ended"] is view["worker"] is None
    running = state(server, view, "running")
    assert running["attempts"] == 1 and running["started"] and running["worker"]["number"] == 1
    assert running["ran_for"] >= 0 and running["result"] is None
    gate.touch()
    done = ended(server, view)
    assert (done["state"], done["result"], done["error"]) == ("succeeded", str(gate), None)
    assert done["ended"] >= done["started"] >= done["submitted"]
    assert task(server, view) == done


@pytest.mark.parametrize("text", [
    "1.0", "1", "123456789012345678901234567890", "-0.0", "1e300", '"\\u2603 \\ud83d\\ude00"',
    '{"b":1,"a":{"c":[]}}', "[]", "null", "true", '"a\\nb"', '"☃"'])
def test_arguments_and_results_are_exact(server, pool, text):
    body = f'{{"function":"echo","args":[{text}]}}'.encode()
    answer = raw_answer(server, "POST", url(pool, "tasks"), body, [("Prefer", "wait")])
    assert answer.status == 200
    sent, got = json.loads(text), answer.json["result"]
    assert got == sent and type(got) is type(sent)


def test_line_breaks_between_values_do_not_break_the_line(server, pool):
    body = b'{"function":"echo",\r\n"args":[\n[1,\r\n 2]\n],"kwargs":{\n"x":\r"a\\nb"\n}}'
    answer = raw_answer(server, "POST", url(pool, "tasks"), body, [("Prefer", "wait")])
    assert answer.json["result"] == {"value": [1, 2], "x": "a\nb"}


def test_named_arguments(server, pool):
    view = submit(server, pool, "echo", 1, kwargs={"colour": "red"}, wait=True)
    assert view["result"] == {"value": 1, "colour": "red"}


def test_ids_only_grow(server, pool):
    ids = [int(submit(server, pool, "echo", 1)["id"]) for _ in range(5)]
    assert ids == sorted(set(ids))


def test_many_at_once(server, pool):
    tasks = [{"function": "add", "args": [i, i]} for i in range(1000)]
    answer = server.call("POST", url(pool, "tasks"), {"tasks": tasks})
    assert answer.status == 202
    ids = [one["id"] for one in answer.json["tasks"]]
    assert len(set(ids)) == 1000
    assert [ended(server, {"id": one})["result"] for one in ids] == [2 * i for i in range(1000)]


@pytest.mark.parametrize("bad, field", [
    (1, "tasks[2]"), ({}, "tasks[2].function"), ({"function": "echo", "args": 1}, "tasks[2].args"),
    ({"function": "echo", "colour": 1}, "tasks[2].colour"),
    ({"function": "echo", "retries": -1}, "tasks[2].retries")], ids=str)
def test_many_are_submitted_all_or_none(server, pool, bad, field):
    good = {"function": "echo", "args": [1]}
    before = server.get(url(pool))["tasks"]
    answer = server.call("POST", url(pool, "tasks"), {"tasks": [good, good, bad, good]})
    assert (answer.status, answer.json["field"]) == (400, field), answer
    assert server.get(url(pool))["tasks"] == before


def test_a_limit_of_queued_tasks_holds_for_all_or_none(server, name, gate):
    make(server, name, max_queued=3)
    state(server, submit(server, name, "hold", str(gate)), "running")
    four = [{"function": "echo"}] * 4
    answer = server.call("POST", url(name, "tasks"), {"tasks": four})
    assert (answer.status, answer.code) == (503, "limit_reached")
    assert server.get(url(name))["tasks"]["submitted"] == 1
    assert server.call("POST", url(name, "tasks"), {"tasks": four[:3]}).status == 202
    assert server.call("POST", url(name, "tasks"), four[0]).code == "limit_reached"
    answer = server.call("POST", url(name, "map"), {"function": "echo", "items": [1]})
    assert answer.code == "limit_reached"
    gate.touch()


def test_a_function_that_no_worker_has(server, pool):
    answer = server.call("POST", url(pool, "tasks"), {"function": "colour"})
    assert (answer.status, answer.code) == (404, "no_such_function")
    assert "colour" in answer.json["detail"]


def test_a_batch_submits(server, pool):
    operations = [{"method": "POST", "path": url(pool, "tasks"),
                   "body": {"function": "add", "args": [i, 1]}} for i in range(3)]
    operations.append({"method": "GET", "path": url(pool)})
    results = server.post("/v1/batch", operations=operations)["results"]
    assert [one["status"] for one in results] == [202, 202, 202, 200]
    assert [ended(server, one["body"])["result"] for one in results[:3]] == [1, 2, 3]


def test_a_batch_does_not_wait_for_a_task(server, pool):
    view = submit(server, pool, "echo", 1, wait=True)
    wait = {"method": "POST", "path": f"/v1/tasks/{view['id']}/wait"}
    answer = server.call("POST", "/v1/batch", {"operations": [wait]})
    assert (answer.status, answer.json["field"]) == (400, "operations[0].body.timeout")
    results = server.post("/v1/batch", operations=[{**wait, "body": {"timeout": 0}}])["results"]
    assert results[0]["body"]["state"] == "succeeded"


# ---- Prefer ------------------------------------------------------------------------------------

@pytest.mark.parametrize("prefer", [
    ["wait"], ["wait=10"], ["Wait=10"], ['wait="10"'], ["respond-async, wait=10"], ["wait = 10"],
    ["respond-async", "wait=10"], ["wait=10; x=y, handling=strict"], ["wait=10, wait=0"],
    ['x="a, wait=0", wait=10'], ["wait=5.5"], ["wait=99999999999999999"]])
def test_prefer_wait_returns_the_result(server, pool, prefer):
    headers = [("Prefer", value) for value in prefer]
    answer = server.call("POST", url(pool, "tasks"), {"function": "add", "args": [1, 2]}, headers)
    assert (answer.status, answer.json["result"]) == (200, 3)
    assert answer.header("Preference-Applied") == "wait"


def test_prefer_wait_ends_without_a_result(server, pool, gate):
    body = {"function": "hold", "args": [str(gate)]}
    for value in ("wait=0", "wait=0.05", "wait=0, wait=100"):
        answer = server.call("POST", url(pool, "tasks"), body, [("Prefer", value)])
        assert (answer.status, answer.header("Preference-Applied")) == (202, "wait")
        assert answer.json["state"] in ("queued", "running")
    gate.touch()


@pytest.mark.parametrize("prefer", ["respond-async", "waiting=1", "handling=lenient; wait=1", ""])
def test_other_preferences_are_ignored(server, pool, prefer):
    answer = server.call("POST", url(pool, "tasks"), {"function": "echo"}, [("Prefer", prefer)])
    assert answer.status == 202 and answer.header("Preference-Applied") is None


@pytest.mark.parametrize("value", ["x", "-1", "", "1s", "1e3", '"', "1.5.", "0x1"])
def test_prefer_wait_that_is_no_number(server, pool, value):
    answer = server.call("POST", url(pool, "tasks"), {"function": "echo"},
                         [("Prefer", f"wait={value}")])
    assert (answer.status, answer.json["field"]) == (400, "Prefer")
    assert server.get(url(pool))["tasks"]["submitted"] == 0


def test_a_task_goes_on_if_its_client_leaves(server, pool, gate):
    waiting = server.send("POST", url(pool, "tasks"), {"function": "hold", "args": [str(gate)]},
                          [("Prefer", "wait")])
    view = wait_until(lambda: server.get(f"/v1/tasks?pool={pool}&state=running")["tasks"])[0]
    waiting.reset()
    gate.touch()
    assert ended(server, view)["state"] == "succeeded"


def test_a_wait_whose_client_leaves_changes_nothing(server, pool, gate):
    view = submit(server, pool, "hold", str(gate))
    for leave in ("close", "reset"):
        waiting = server.send("POST", f"/v1/tasks/{view['id']}/wait")
        waiting.is_quiet(0.02)
        getattr(waiting, leave)()
    gate.touch()
    assert ended(server, view)["state"] == "succeeded"


def test_hundreds_wait_for_one_task(server, pool, gate):
    view = submit(server, pool, "hold", str(gate))
    waiting = [server.send("POST", f"/v1/tasks/{view['id']}/wait") for _ in range(300)]
    state(server, view, "running")
    gate.touch()
    for one in waiting:
        answer = one.answer()
        assert answer.json["state"] == "succeeded"
        one.close()


# ---- repeats -------------------------------------------------------------------------------------

def key():
    """A header with a key that was not used before."""
    return ("Idempotency-Key", f"task-{next(_keys)}")


def test_a_repeated_submit_submits_once(server, pool):
    headers = [key()]
    body = {"function": "add", "args": [1, 2]}
    answers = [server.call("POST", url(pool, "tasks"), body, headers) for _ in range(3)]
    assert len({answer.body for answer in answers}) == 1
    assert [answer.header("Idempotency-Replayed") for answer in answers] == [None, "true", "true"]
    assert server.get(url(pool))["tasks"]["submitted"] == 1


def test_a_repeated_submit_that_waits_has_the_same_result(server, pool):
    headers = [key(), ("Prefer", "wait")]
    body = {"function": "add", "args": [1, 2]}
    answers = [server.call("POST", url(pool, "tasks"), body, headers) for _ in range(2)]
    assert answers[0].body == answers[1].body and answers[1].json["result"] == 3
    assert server.get(url(pool))["tasks"]["submitted"] == 1


@pytest.mark.parametrize("operation, body", [
    ("tasks", {"function": "hold"}), ("map", {"function": "hold"})])
def test_a_repeat_after_its_client_left_submits_nothing(server, pool, gate, operation, body):
    headers = [key(), ("Prefer", "wait")]
    body = {**body, **({"args": [str(gate)]} if operation == "tasks" else {"items": [str(gate)]})}
    first = server.send("POST", url(pool, operation), body, headers)
    wait_until(lambda: server.get(url(pool))["tasks"]["running"])
    repeat = server.send("POST", url(pool, operation), body, headers)
    repeat.is_quiet(0.05)  # it waits for the first
    first.close()
    answer = repeat.answer()
    assert (answer.status, answer.header("Idempotency-Replayed")) == (202, "true"), answer
    again = server.call("POST", url(pool, operation), body, headers)
    assert again.body == answer.body
    assert server.get(url(pool))["tasks"]["submitted"] == 1
    gate.touch()
    plural = "tasks" if operation == "tasks" else "maps"
    assert server.post(f"/v1/{plural}/{answer.json['id']}/wait")["id"] == answer.json["id"]


# ---- ends ----------------------------------------------------------------------------------------

def test_a_failure_tells_its_error(server, pool):
    view = submit(server, pool, "fail", "no such picture", "ValueError", wait=True)
    assert (view["state"], view["result"]) == ("failed", None)
    assert view["error"]["type"] == "ValueError"
    assert view["error"]["message"] == "no such picture"


def test_a_queued_task_is_cancelled_at_once(server, pool, gate):
    state(server, submit(server, pool, "hold", str(gate)), "running")
    view = submit(server, pool, "echo", 1)
    waiting = server.send("POST", f"/v1/tasks/{view['id']}/wait")
    waiting.is_quiet(0.02)
    answer = server.call("POST", f"/v1/tasks/{view['id']}/cancel")
    assert (answer.status, answer.json["state"], answer.json["attempts"]) == (200, "cancelled", 0)
    assert waiting.answer().json["state"] == "cancelled"
    again = server.call("POST", f"/v1/tasks/{view['id']}/cancel")
    assert (again.status, again.json["state"]) == (200, "cancelled")
    gate.touch()


def test_a_running_task_is_asked_to_stop(server, name, gate):
    make(server, name, grace=60)
    view = submit(server, name, "hold", str(gate))
    pid = state(server, view, "running")["worker"]["pid"]
    answer = server.call("POST", f"/v1/tasks/{view['id']}/cancel")
    assert (answer.json["state"], answer.json["cancelling"]) == ("running", True)
    assert ended(server, view)["state"] == "cancelled"
    assert submit(server, name, "whereabouts", wait=True)["result"]["pid"] == pid


def test_a_stubborn_task_costs_its_worker(server, pool, gate):
    view = submit(server, pool, "stubborn", str(gate))
    pid = state(server, view, "running")["worker"]["pid"]
    server.post(f"/v1/tasks/{view['id']}/cancel")
    assert ended(server, view)["state"] == "cancelled"
    assert submit(server, pool, "whereabouts", wait=True)["result"]["pid"] != pid


def test_a_time_limit(server, pool, gate):
    view = submit(server, pool, "stubborn", str(gate), time_limit=0.1, wait=True)
    assert (view["state"], view["attempts"]) == ("timed_out", 1)
    assert view["ran_for"] >= 0.1


def test_a_deadline_counts_from_the_submission(server, pool, gate):
    state(server, submit(server, pool, "hold", str(gate)), "running")
    view = submit(server, pool, "echo", 1, deadline=0.1, wait=True)
    assert (view["state"], view["attempts"], view["started"]) == ("timed_out", 0, None)
    gate.touch()


def test_retries_until_it_succeeds(server, pool):
    view = submit(server, pool, "attempt", 3, retries=5, backoff=0.01, wait=True)
    assert (view["state"], view["result"], view["attempts"]) == ("succeeded", 3, 3)
    assert server.get(url(pool))["tasks"]["retried"] == 2


def test_retries_that_run_out(server, pool):
    view = submit(server, pool, "attempt", 9, retries=2, backoff=0.01, wait=True)
    assert (view["state"], view["attempts"]) == ("failed", 3)
    assert "attempt 3" in view["error"]["message"]


def test_a_task_between_attempts_is_delayed(server, pool):
    view = submit(server, pool, "attempt", 9, retries=9, backoff=60)
    now = state(server, view, "delayed")
    assert now["attempts"] == 1
    assert server.post(f"/v1/tasks/{view['id']}/cancel")["state"] == "cancelled"


def test_a_worker_that_dies_loses_the_task(server, pool):
    view = submit(server, pool, "die", int(signal.SIGKILL), wait=True)
    assert (view["state"], view["crashes"]) == ("lost", 1)
    assert view["error"]["signal"] in (9, "SIGKILL"), view


def test_a_task_that_kills_its_workers_is_set_aside(server, name):
    make(server, name, set_aside_after=2)
    view = submit(server, name, "die", int(signal.SIGSEGV), retries=100, backoff=0, wait=True)
    assert (view["state"], view["set_aside"], view["crashes"]) == ("lost", True, 2)
    assert submit(server, name, "add", 1, 2, wait=True)["result"] == 3


def test_a_task_survives_its_workers(server, pool):
    view = submit(server, pool, "attempt", 2, True, retries=5, backoff=0.01, wait=True)
    assert (view["state"], view["result"], view["crashes"]) == ("succeeded", 2, 1)


def test_a_delay(server, pool):
    view = submit(server, pool, "echo", 1, delay=0.1)
    assert view["state"] == "delayed"
    done = ended(server, view)
    assert done["state"] == "succeeded" and done["queued_for"] >= 0.1


def test_priority_goes_before_order(server, pool, directory):
    gate, log = directory / "gate", directory / "log"
    state(server, submit(server, pool, "hold", str(gate)), "running")
    tasks = [submit(server, pool, "append", str(log), f"{priority}-{number}", priority=priority)
             for number in range(2) for priority in (0, -100, 100, 7)]
    gate.touch()
    for one in tasks:
        ended(server, one)
    assert log.read_text().split() == ["100-0", "100-1", "7-0", "7-1", "0-0", "0-1", "-100-0",
                                       "-100-1"]


def test_output_is_captured(server, pool):
    view = submit(server, pool, "write", "to stdout\n", "to stderr ☃\n", wait=True)
    assert "to stdout\n" in view["output"] and "to stderr ☃\n" in view["output"]
    assert view["output_truncated"] is False
    assert submit(server, pool, "echo", 1, wait=True)["output"] == ""


def test_the_last_of_a_long_output_is_kept(server, name):
    make(server, name, output=100)
    view = submit(server, name, "write", "a" * 5000 + "end", wait=True)
    assert (len(view["output"]), view["output_truncated"]) == (100, True)
    assert view["output"].endswith("aaaend")


def test_progress_is_seen_while_it_runs(server, pool):
    view = submit(server, pool, "progress", 0.5, {"done": 7})
    now = wait_until(lambda: (seen := task(server, view))["progress"] == {"done": 7} and seen)
    assert now["state"] == "running"
    server.post(f"/v1/tasks/{view['id']}/cancel")
    assert ended(server, view)["progress"] == {"done": 7}


def test_a_result_is_kept_for_a_time(server, pool):
    view = submit(server, pool, "echo", 1, keep=0.05, wait=True)
    wait_until(lambda: server.call("GET", f"/v1/tasks/{view['id']}").status == 404)
    kept = submit(server, pool, "echo", 1, keep=60, wait=True)
    assert task(server, kept)["result"] == 1


def test_an_ended_task_is_forgotten(server, pool, gate):
    view = submit(server, pool, "hold", str(gate))
    answer = server.call("DELETE", f"/v1/tasks/{view['id']}")
    assert (answer.status, answer.code) == (409, "conflict")
    gate.touch()
    ended(server, view)
    assert server.call("DELETE", f"/v1/tasks/{view['id']}").status == 204
    assert server.call("GET", f"/v1/tasks/{view['id']}").status == 404


# ---- the list ------------------------------------------------------------------------------------

def test_tasks_are_listed_the_newest_first(start, directory):
    server = start(config=CONFIG)
    gate = directory / "gate"
    for pool in ("one", "two"):
        make(server, pool)
    held = [submit(server, pool, "hold", str(gate)) for pool in ("one", "two")]
    for one in held:
        state(server, one, "running")
    views = held + [submit(server, ("one", "two")[i % 2], "echo", i) for i in range(10)]
    newest_first = [view["id"] for view in reversed(views)]

    def walk(query):
        seen, cursor = [], ""
        while True:
            page = server.get(f"/v1/tasks?limit=3{query}{cursor}")
            seen += page["tasks"]
            if page["cursor"] is None:
                return [one["id"] for one in seen]
            cursor = f"&cursor={page['cursor']}"
    assert walk("") == newest_first
    of_one = [view["id"] for view in reversed(views) if view["pool"] == "one"]
    assert walk("&pool=one") == of_one
    assert walk("&state=running") == [view["id"] for view in reversed(held)]
    assert walk("&state=queued&pool=two") == [
        view["id"] for view in reversed(views[2:]) if view["pool"] == "two"]
    assert walk("&state=failed") == []
    gate.touch()


@pytest.mark.parametrize("query, status, field", [
    ("state=done", 400, "state"), ("state=", 400, "state"), ("state=Queued", 400, "state"),
    ("limit=0", 400, "limit"), ("limit=1001", 400, "limit"), ("cursor=x", 400, "cursor"),
    ("cursor=", 400, "cursor"), ("cursor=-1", 400, "cursor"), ("colour=red", 400, "colour"),
    ("pool=nobody", 404, None), ("state=queued&state=queued", 400, "state"),
    ("pool=" + "x" * 300, 400, "pool"), ("pool=%", 400, "pool")])
def test_bad_query_of_the_list(server, query, status, field):
    answer = server.call("GET", f"/v1/tasks?{query}")
    assert (answer.status, answer.json.get("field")) == (status, field)


# ---- bad input -----------------------------------------------------------------------------------

DEEP = json.loads("[" * 65 + "]" * 65)
WRONG = [
    ({}, "function"), ({"function": 1}, "function"), ({"function": ""}, "function"),
    ({"function": "x" * 256}, "function"), ({"function": "a\0b"}, "function"),
    ({"function": None}, "function"),
    *[({"args": value}, "args") for value in ({}, "x", 1, None, DEEP)],
    *[({"kwargs": value}, "kwargs") for value in ([], "x", 1, None, {"x": DEEP})],
    ({"input": "x"}, "input"), ({"input_base64": "AA=="}, "input_base64"),
    *[({"priority": value}, "priority") for value in (101, -101, 1.5, "1", None, 1e2)],
    *[({"retries": value}, "retries") for value in (-1, 1001, 1.5, "1", None)],
    *[({"delay": value}, "delay") for value in (-1, 31536001, "1", None)],
    *[({"deadline": value}, "deadline") for value in (0, -1, 31536001, "1")],
    *[({"time_limit": value}, "time_limit") for value in (0, -1, 31536001, "1")],
    *[({"backoff": value}, "backoff") for value in (-1, 86401, "1", None)],
    *[({"backoff_max": value}, "backoff_max") for value in (-1, 86401, "1", None)],
    *[({"keep": value}, "keep") for value in (-1, 604801, "1", None)],
    ({"colour": "red"}, "colour"), ({"tasks": []}, "tasks"), ({"tasks": 1}, "tasks"),
    ({"tasks": [{"function": "echo"}]}, "tasks"),
]


@pytest.mark.parametrize("change, field", WRONG, ids=lambda value: str(value)[:40])
def test_wrong_field_of_a_task(server, pool, change, field):
    body = change if not change or "function" in change else {"function": "echo", **change}
    answer = server.call("POST", url(pool, "tasks"), body)
    assert (answer.status, answer.code) == (400, "invalid_argument"), answer
    assert answer.json["field"] == field and answer.json["expected"]
    assert server.get(url(pool))["tasks"]["submitted"] == 0


@pytest.mark.parametrize("identity", ["1", "0", "x", "-1", "18446744073709551616", "01", "1.5",
                                      "9" * 200])
def test_ids_that_are_none(server, identity):
    for method, tail in (("GET", ""), ("DELETE", ""), ("POST", "/wait"), ("POST", "/cancel")):
        for kind in ("tasks", "maps"):
            answer = server.call(method, f"/v1/{kind}/{identity}{tail}")
            assert (answer.status, answer.code) == (404, "not_found")
            assert answer.json["detail"] == f'there is no {kind[:-1]} "{identity}"'


@pytest.mark.parametrize("operation, body, field", [
    ("wait", {"timeout": -1}, "timeout"), ("wait", {"timeout": "x"}, "timeout"),
    ("wait", {"colour": 1}, "colour"), ("cancel", {"timeout": 1}, "timeout")])
def test_wrong_field_of_an_operation(server, pool, operation, body, field):
    view = submit(server, pool, "echo", 1, wait=True)
    answer = server.call("POST", f"/v1/tasks/{view['id']}/{operation}", body)
    assert (answer.status, answer.json["field"]) == (400, field)


def test_a_body_that_is_too_long(server, pool):
    body = b'{"function":"echo","args":["' + b"x" * (24 << 20) + b'"]}'
    answer = raw_answer(server, "POST", url(pool, "tasks"), body)
    assert (answer.status, answer.code) == (413, "too_large")
    large = b'{"function":"echo","args":["' + b"x" * (20 << 20) + b'"]}'
    answer = raw_answer(server, "POST", url(pool, "tasks"), large, [("Prefer", "wait")])
    assert answer.status == 200 and len(answer.json["result"]) == 20 << 20
