"""Watching over HTTP: what is told, in which order, to whom who is slow, leaves, or comes back."""
import contextlib
import os
from urllib.parse import quote

import pytest

from client import wait_until
from places import SANITIZED
from pools import CONFIG, make, submit


@pytest.fixture(scope="module", name="config")
def config_of_server():
    """Its programs may be started."""
    return CONFIG


@contextlib.contextmanager
def watching(server, target, query="", headers=(), unix=False):
    """(connection, events) of a watch; comments are left out."""
    with server.connect(unix) as connection:
        connection.send("GET", f"{target}/watch{query}", headers=headers)
        answer, events = connection.events()
        assert answer.status == 200
        yield connection, (event for event in events if event["event"])


def descriptors(server):
    """How many the server has open."""
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def path(kind, name):
    """Of an object."""
    return f"/v1/{kind}/{quote(name, '')}"


def until(events, told):
    """The first event whose data is as TOLD(data) wants; those before are states in between."""
    for event in events:
        if told(event["data"]):
            return event
        assert event["event"] == "state", event
    raise AssertionError("the stream has ended")


# ---- queues --------------------------------------------------------------------------------------

def test_a_queue_tells_its_length(server, name):
    target = path("queues", name)
    server.put(target, maxsize=3)
    with watching(server, target) as (_, events):
        first = next(events)
        assert (first["event"], first["data"]) == ("state", server.get(target))
        for size in (1, 2, 3):
            server.post(target + "/put", json=size)
            assert next(events)["data"]["size"] == size
        server.post(target + "/get_many", max=3)
        assert next(events)["data"]["size"] == 0
        server.post(target + "/close")
        assert next(events)["data"]["closed"] is True


def test_what_was_in_between_is_not_told(server, name):
    target = path("queues", name)
    server.put(target)
    with watching(server, target) as (_, events):
        next(events)
        server.post(target + "/put_many", items=[{"json": i} for i in range(500)])
        for _ in range(200):
            server.post(target + "/get")
        assert until(events, lambda data: data["size"] == 300)


# ---- locks ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["locks", "rlocks"])
def test_a_lock_tells_who_has_it(server, name, kind):
    target = path(kind, name)
    server.put(target)
    with watching(server, target) as (_, events):
        first = next(events)
        assert (first["data"]["locked"], first["data"]["skipped"]) == (False, 0)
        token = server.post(target + "/acquire")["token"]
        held = next(events)
        assert held["id"] == held["data"]["token"] == token
        assert held["data"]["locked"] and held["data"]["owner"]["door"] == "http"
        server.post(target + "/release", token=token)
        assert next(events)["data"]["locked"] is False


def test_tokens_that_were_skipped_are_counted(server, name):
    target = path("locks", name)
    tokens = [int(server.post(target + "/acquire")["token"])]

    def pass_on():
        server.post(target + "/release", token=str(tokens[-1]))
        tokens.append(int(server.post(target + "/acquire")["token"]))

    with watching(server, target) as (_, events):
        told = [next(events)]
        for _ in range(100):
            pass_on()
        while told[-1]["data"]["token"] != str(tokens[-1]):
            told.append(next(events))
    seen = {int(event["id"]) for event in told}
    skipped = sum(event["data"]["skipped"] for event in told)
    assert len(seen) + skipped == tokens[-1] - tokens[0] + 1 == 101
    pass_on()
    pass_on()
    with watching(server, target, headers=[("Last-Event-ID", told[-1]["id"])]) as (_, events):
        assert next(events)["data"]["skipped"] == 1  # the state again, and what was missed since
    with watching(server, target, query=f"?after={tokens[-1]}") as (_, events):
        assert next(events)["data"]["skipped"] == 0


# ---- tasks ---------------------------------------------------------------------------------------

def test_a_task_tells_its_states_and_its_result(server, name, directory):
    gate = directory / "gate"
    make(server, name, workers=1)
    first = submit(server, name, "hold", str(gate))["id"]
    second = submit(server, name, "echo", 7)["id"]
    with watching(server, f"/v1/tasks/{second}") as (_, events):
        assert next(events)["data"]["state"] == "queued"
        with watching(server, f"/v1/tasks/{first}") as (_, others):
            until(others, lambda data: data["state"] == "running")
            gate.touch()
            ended = until(others, lambda data: data["state"] == "succeeded")
            assert ended["data"]["result"] == str(gate)
            assert next(others) == {"event": "ended", "data": {"code": "finished"}}
            assert next(others, None) is None
        assert until(events, lambda data: data["state"] == "succeeded")["data"]["result"] == 7
        assert next(events)["event"] == "ended"
    with watching(server, f"/v1/tasks/{second}") as (connection, events):  # long since ended
        assert [event["event"] for event in events] == ["state", "ended"]
        # the connection can be used again:
        connection.call("GET", "/v1/health")


# ---- values --------------------------------------------------------------------------------------

def test_a_value_tells_its_newest(server, name):
    target = path("values", name)
    server.put(target)
    with watching(server, target) as (_, events):
        assert next(events)["data"]["value"] == 0
        server.post(target + "/store", value=7)
        told = next(events)
        assert told["data"]["value"] == 7 and int(told["id"]) > 0
        server.post(target + "/store", value=7)  # that is no change
        server.post(target + "/add", value=1)
        assert next(events)["data"]["value"] == 8
        for _ in range(1000):
            server.post(target + "/add", value=1)
        assert until(events, lambda data: data["value"] == 1008)


# ---- dicts and lists -----------------------------------------------------------------------------

def set_key(server, target, key, value):
    """Sets it; the version."""
    return server.post(target + "/set", key=key, json=value)["version"]


def test_a_dict_tells_its_changes_in_order(server, name):
    target = path("dicts", name)
    server.put(target)
    with watching(server, target) as (_, events):
        first = next(events)
        assert (first["event"], first["id"], first["data"]["length"]) == ("state", "0", 0)
        for i in range(100):
            set_key(server, target, f"k{i}", i)
        for i in range(100):
            event = next(events)
            assert (event["event"], event["id"]) == ("set", str(i + 1))
            assert event["data"] == {"key": f"k{i}", "version": str(i + 1), "type": "json",
                                     "json": i}
        server.post(target + "/remove", key="k7")
        assert next(events) == {"id": "101", "event": "removed",
                                "data": {"key": "k7", "version": "101"}}
        server.post(target + "/clear")
        assert next(events) == {"id": "102", "event": "cleared", "data": {"version": "102"}}


def test_several_changes_of_one_version_have_one_id(server, name):
    target = path("dicts", name)
    set_key(server, target, "a", 0)
    update = {"changes": [{"set": "b", "json": 1}, {"set": "c", "json": 2}, {"remove": "a"}]}
    with watching(server, target) as (_, events):
        next(events)
        version = server.post(target + "/update", **update)["version"]
        told = [next(events) for _ in range(3)]
    assert [event.get("id") for event in told] == [None, None, version]
    assert {(event["event"], event["data"]["key"]) for event in told} == {
        ("set", "b"), ("set", "c"), ("removed", "a")}
    assert {event["data"]["version"] for event in told} == {version}


def test_a_list_tells_its_changes(server, name):
    target = path("lists", name)
    server.put(target)
    with watching(server, target) as (_, events):
        next(events)
        server.post(target + "/extend", values=[1, 2, 3])
        assert next(events)["data"] == {"index": 0, "count": 3, "version": "1"}
        server.call("PUT", target + "/items/1", {"text": "two"})
        assert next(events) == {"id": "2", "event": "set", "data": {
            "index": 1, "version": "2", "type": "text", "text": "two"}}
        server.post(target + "/pop")
        assert next(events) == {"id": "3", "event": "removed",
                                "data": {"index": 2, "count": 1, "version": "3"}}


def test_what_is_set_comes_along_unless_it_is_another_by_now(server, name):
    target = path("dicts", name)
    server.put(target)
    pretty = b'{"key":"k","json":{\r\n  "a": 1,\n  "b": [2,\n3]}}'
    with server.connect() as connection, watching(server, target) as (_, events):
        next(events)
        connection.call("POST", target + "/set", pretty)
        assert next(events)["data"]["json"] == {"a": 1, "b": [2, 3]}
        server.post(target + "/set", key="large", text="x" * 100000)
        assert next(events)["data"] == {"key": "large", "version": "2", "bytes": 100000}
    set_key(server, target, "k", 1)
    set_key(server, target, "k", 2)
    with watching(server, target, "?after=2") as (_, events):
        assert "json" not in next(events)["data"]
        assert next(events)["data"]["json"] == 2


def test_who_comes_back_goes_on_where_it_was(server, name):
    target = path("dicts", name)
    server.put(target)
    seen, expected = [], []
    last = None
    for round_ in range(5):
        headers = [("Last-Event-ID", last)] if last else []
        with watching(server, target, "?after=0", headers) as (connection, events):
            for i in range(20):
                expected.append(f"{round_}.{i}")
                set_key(server, target, expected[-1], i)
            for _ in range(10):  # of twenty that are on their way
                event = next(events)
                seen.append(event["data"]["key"])
                last = event["id"]
            connection.reset()
    with watching(server, target, headers=[("Last-Event-ID", last)]) as (_, events):
        while len(seen) < len(expected):
            seen.append(next(events)["data"]["key"])
    assert seen == expected


def test_an_id_that_no_change_has_is_missed(server, name):
    target = path("dicts", name)
    set_key(server, target, "a", 1)  # nobody watched then
    for after in (0, 99):
        with watching(server, target, f"?after={after}") as (_, events):
            assert next(events) == {"id": "1", "event": "missed",
                                    "data": {"after": str(after), "kept_from": "2"}}
    with watching(server, target, "?after=1") as (_, events):
        set_key(server, target, "a", 2)
        assert next(events)["id"] == "2"


def resident_kib(server):
    """What the server's process has in memory."""
    with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def change_much(server, target, rounds):
    """Sets some keys ROUNDS times, which makes more changes than are kept."""
    for _ in range(rounds):
        server.post(target + "/update", changes=[
            {"set": f"key {i} " + "x" * 200, "text": "y" * 300} for i in range(200)])


def test_who_is_slow_misses_and_makes_nothing_grow(start, name):
    server = start()
    target = path("dicts", name)
    server.put(target)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(watching(server, target, unix=True)) for _ in range(20)]
        for _, events in slow:
            next(events)
        change_much(server, target, 20)  # until nothing more goes into their sockets
        before = resident_kib(server)
        change_much(server, target, 60)
        if not SANITIZED:  # they keep what was freed
            assert resident_kib(server) - before < 2000
        version = int(set_key(server, target, "last", 1))
        for _, events in slow:
            seen, missed = 1, 0
            while seen < version:
                event = next(events)
                if event["event"] == "missed":
                    missed += 1
                    assert seen <= int(event["data"]["kept_from"]) - 1
                    seen = int(event["data"]["kept_from"])
                else:
                    assert seen <= int(event["data"]["version"]) <= seen + 1
                    seen = int(event["data"]["version"])
            assert missed > 0


def test_a_hundred_watch_one_dict(server, name):
    target = path("dicts", name)
    server.put(target)
    with contextlib.ExitStack() as stack:
        watches = [stack.enter_context(watching(server, target))[1] for _ in range(100)]
        for events in watches:
            next(events)
        wait_until(lambda: server.get(target)["watchers"] == 1)  # one for all
        for i in range(20):
            set_key(server, target, "k", i)
        for events in watches:
            assert [next(events)["data"]["version"] for _ in range(20)] == [
                str(i + 1) for i in range(20)]
    wait_until(lambda: server.get(target)["watchers"] == 0)


# ---- the long poll -------------------------------------------------------------------------------

def changes(server, target, **body):
    """What has changed."""
    return server.post(target + "/changes", **body)


def test_changes_are_polled(server, name):
    target = path("dicts", name)
    set_key(server, target, "before", 0)
    assert changes(server, target, timeout=0) == {"changes": [], "after": "1", "missed": False}
    set_key(server, target, "a", 1)
    server.post(target + "/remove", key="a")
    expected = [{"what": "set", "key": "a", "version": "2"},
                {"what": "removed", "key": "a", "version": "3"}]
    for _ in range(2):
        assert changes(server, target, after="1") == {
            "changes": expected, "after": "3", "missed": False}
    assert changes(server, target, after="2")["changes"] == expected[1:]
    assert changes(server, target, after="0") == {
        "changes": expected, "after": "3", "missed": True}
    assert changes(server, target, after="3", timeout=0.01) == {
        "changes": [], "after": "3", "missed": False}


@pytest.mark.parametrize("kind", ["dicts", "lists"])
def test_a_poll_waits_for_the_next_change(server, name, kind):
    target = path(kind, name)
    server.put(target)
    with server.send("POST", target + "/changes", {"after": "0"}) as waiting:
        wait_until(lambda: server.get(target)["watchers"] == 1)
        assert waiting.is_quiet(0.02)
        if kind == "dicts":
            set_key(server, target, "a", 1)
            change = {"what": "set", "key": "a", "version": "1"}
        else:
            server.post(target + "/append", json=1)
            change = {"what": "inserted", "index": 0, "count": 1, "version": "1"}
        assert waiting.answer().json == {"changes": [change], "after": "1", "missed": False}
    with server.send("POST", target + "/changes", {}) as waiting:
        wait_until(lambda: server.get(target)["watchers"] == 1)
        waiting.reset()
        wait_until(lambda: server.get(target)["watchers"] == 0)
    with server.send("POST", target + "/changes", {}) as waiting:
        wait_until(lambda: server.get(target)["watchers"] == 1)
        server.call("DELETE", target)
        answer = waiting.answer()
        assert (answer.status, answer.code) == (410, "deleted")


@pytest.mark.parametrize("bad", ["x", "-1", "1.5", "18446744073709551616", 1, None])
def test_what_a_poll_begins_after_is_a_number(server, name, bad):
    target = path("lists", name)
    server.put(target)
    answer = server.call("POST", target + "/changes", {"after": bad})
    assert (answer.status, answer.json["field"]) == (400, "after")
    assert server.call("POST", path("lists", "none at all") + "/changes", {}).status == 404


# ---- ends ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["queues", "locks", "rlocks", "values", "dicts", "lists"])
def test_deleting_ends_the_watch(server, name, kind):
    target = path(kind, name)
    server.put(target)
    with watching(server, target) as (connection, events):
        next(events)
        assert server.call("DELETE", target).status == 204
        assert next(events) == {"event": "ended", "data": {"code": "deleted"}}
        assert next(events, None) is None
        assert connection.call("GET", target).status == 404


@pytest.mark.parametrize("kind", ["locks", "values", "dicts"])
def test_the_servers_end_is_told(start, name, kind):
    server = start()
    target = path(kind, name)
    server.put(target)
    with watching(server, target) as (_, events):
        next(events)
        assert server.stop() == 0
        assert next(events) == {"event": "ended", "data": {"code": "shutting_down"}}
        assert next(events, None) is None


@pytest.mark.parametrize("kind", ["locks", "values", "lists"])
def test_who_leaves_leaves_nothing_behind(server, name, kind):
    target = path(kind, name)
    server.put(target)
    files = descriptors(server)
    for _ in range(3):
        streams = [watching(server, target) for _ in range(20)]
        with contextlib.ExitStack() as stack:
            for stream in streams:
                connection, events = stack.enter_context(stream)
                next(events)
                connection.reset()
        server.get(target)
        wait_until(lambda: descriptors(server) <= files + 1, what=f"{files} descriptors")
        server.call("DELETE", target)
        server.put(target)


def test_a_hundred_watch_one(server, name):
    target = path("queues", name)
    server.put(target)
    with contextlib.ExitStack() as stack:
        watches = [stack.enter_context(watching(server, target))[1] for _ in range(100)]
        for events in watches:
            assert next(events)["data"]["size"] == 0
        server.post(target + "/put", json=1)
        for events in watches:
            assert next(events)["data"]["size"] == 1


def test_a_heartbeat_comes_when_nothing_happens(server, name):
    target = path("queues", name)
    server.put(target)
    with server.connect() as connection:
        connection.send("GET", target + "/watch")
        _, events = connection.events(patience=40)
        assert next(events)["event"] == "state"
        assert next(events) == {"event": None}


# ---- what is asked in the wrong way --------------------------------------------------------------

def test_there_must_be_something_to_watch(server, name):
    for target in (path("queues", name), path("locks", name), "/v1/tasks/1", "/v1/tasks/x"):
        answer = server.call("GET", target + "/watch")
        assert (answer.status, answer.code) == (404, "not_found"), target


@pytest.mark.parametrize("bad", ["x", "-1", "1.5", "18446744073709551616", ""])
def test_an_id_is_a_number(server, name, bad):
    target = path("locks", name)
    server.put(target)
    answer = server.call("GET", f"{target}/watch?after={bad}")
    assert (answer.status, answer.json["field"]) == (400, "after")
    if bad:
        answer = server.call("GET", target + "/watch", headers=[("Last-Event-ID", bad)])
        assert (answer.status, answer.json["field"]) == (400, "Last-Event-ID")


def test_a_watch_has_no_body_and_is_no_part_of_a_batch(server, name):
    target = path("locks", name)
    server.put(target)
    assert server.call("POST", target + "/watch").status == 405
    batch = {"operations": [{"method": "GET", "path": target + "/watch"}]}
    answer = server.call("POST", "/v1/batch", batch)
    assert (answer.status, answer.json["field"]) == (400, "operations[0].path")
    with server.connect() as connection:
        answer = connection.call("HEAD", target + "/watch")
        assert answer.status == 200
        assert connection.is_closed_by_server()
