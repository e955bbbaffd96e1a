"""Latches over HTTP: counting down, waiting for 0, options, leaving, deleting, repeats."""
import itertools
import time

import pytest

from places import SLOWNESS

MOST = 2147483647
_keys = itertools.count(1)


def url(name, operation=None):
    """The path of the latch NAME."""
    return f"/v1/latches/{name}" + (f"/{operation}" if operation else "")


def park(server, name, **body):
    """A connection that waits for the latch."""
    before = server.get(url(name))["waiters"]
    connection = server.send("POST", url(name, "wait"), body)
    server.wait_for(url(name), waiters=before + 1)
    return connection


def refused(answer, status, code):
    """Asserts that ANSWER is this problem."""
    assert (answer.status, answer.code) == (status, code), answer


def view(name, count, start, waiters=0):
    """How the latch looks."""
    return {"name": name, "count": count, "start": start, "waiters": waiters}


# ---- counting --------------------------------------------------------------------------------

def test_count_falls_to_0_and_no_further(server, name):
    answer = server.call("PUT", url(name), {"count": 5})
    assert (answer.status, answer.json) == (201, view(name, 5, 5))
    for by, left in ((1, 4), (3, 1), (2, 0), (1, 0), (MOST, 0)):
        assert server.post(url(name, "count_down"), count=by) == view(name, left, 5)
    assert server.get(url(name)) == view(name, 0, 5)


def test_default_is_1(server, name):
    assert server.put(url(name)) == view(name, 1, 1)
    assert server.post(url(name, "count_down")) == view(name, 0, 1)
    assert server.post(url(name + "b", "count_down")) == view(name + "b", 0, 1)


@pytest.mark.parametrize("count", [0, 1, 2, 65536, MOST])
def test_any_start(server, name, count):
    assert server.put(url(name), count=count) == view(name, count, count)
    status = server.call("POST", url(name, "wait"), {"timeout": 0}).status
    assert status == (409 if count else 200)


def test_put_makes_once_and_conflicts_with_another_start(server, name):
    server.put(url(name), count=3)
    server.post(url(name, "count_down"))
    answer = server.call("PUT", url(name), {"count": 3})
    assert (answer.status, answer.json) == (200, view(name, 2, 3))
    for other in ({"count": 2}, {"count": 4}, {}):
        answer = server.call("PUT", url(name), other)
        refused(answer, 409, "conflict")
        asked = other.get("count", 1)
        assert f"count=3, the request asks for count={asked}" in answer.json["detail"]


@pytest.mark.parametrize("body, field", [
    *[({"count": value}, "count") for value in (-1, 1.5, "1", None, True, [], MOST + 1, 1e2)],
    ({"parties": 1}, "parties")])
def test_wrong_fields(server, name, body, field):
    for method, target in (("PUT", url(name)), ("POST", url(name, "count_down"))):
        answer = server.call(method, target, body)
        refused(answer, 400, "invalid_argument")
        assert answer.json["field"] == field
    answer = server.call("POST", url(name, "count_down"), {"count": 0})
    assert answer.json["field"] == "count"
    refused(server.call("GET", url(name)), 404, "not_found")


def test_latches_are_listed(start):
    server = start()
    for number in range(10):
        server.put(url(f"l{number}"), count=number)
    page = server.get("/v1/latches")
    assert page["cursor"] is None
    assert sorted(latch["start"] for latch in page["latches"]) == list(range(10))


# ---- waiting ---------------------------------------------------------------------------------

def test_wait_for_0_does_not_wait(server, name):
    server.put(url(name), count=0)
    for body in ({}, {"timeout": 0}):
        assert server.post(url(name, "wait"), **body) == {"name": name, "count": 0}


def test_timeouts(server, name):
    begin = time.monotonic()
    answer = server.call("POST", url(name, "wait"), {"timeout": 0})
    refused(answer, 409, "timeout")
    assert answer.json["detail"] == f'the latch "{name}" is not at 0'
    answer = server.call("POST", url(name, "wait"), {"timeout": 0.1})
    refused(answer, 409, "timeout")
    assert answer.json["detail"].startswith(f'the latch "{name}" did not reach 0 within 0.1')
    assert 0.1 <= time.monotonic() - begin < 0.1 + 0.5 * SLOWNESS
    assert server.get(url(name)) == view(name, 1, 1)


def test_everyone_goes_on_at_0_and_not_before(server, name):
    server.put(url(name), count=3)
    waiters = [park(server, name) for _ in range(10)]
    server.post(url(name, "count_down"), count=2)
    assert all(waiter.is_quiet(0.01) for waiter in waiters)
    server.post(url(name, "count_down"))
    for waiter in waiters:
        assert waiter.answer().json == {"name": name, "count": 0}
    assert server.get(url(name)) == view(name, 0, 3)


@pytest.mark.parametrize("way", ["close", "reset"])
def test_who_leaves_waits_no_longer(server, name, way):
    server.put(url(name))
    leaver, stayer = park(server, name), park(server, name)
    getattr(leaver, way)()
    server.wait_for(url(name), waiters=1)
    server.post(url(name, "count_down"))
    assert stayer.answer().status == 200


def test_delete_ends_every_wait(server, name):
    refused(server.call("DELETE", url(name)), 404, "not_found")
    server.put(url(name))
    waiters = [park(server, name) for _ in range(3)]
    assert server.call("DELETE", url(name)).status == 204
    for waiter in waiters:
        refused(waiter.answer(), 410, "deleted")
    assert server.put(url(name), count=7) == view(name, 7, 7)


def test_a_repeat_counts_once(server, name):
    server.put(url(name), count=5)
    key = [("Idempotency-Key", f"latch-{next(_keys)}")]
    for replayed in (None, "true"):
        answer = server.call("POST", url(name, "count_down"), {"count": 2}, key)
        assert answer.json == view(name, 3, 5)
        assert answer.header("Idempotency-Replayed") == replayed
    assert server.get(url(name))["count"] == 3
