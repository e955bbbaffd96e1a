"""Events over HTTP: setting, clearing, waiting for it, leaving, deleting, repeats."""
import itertools
import time

import pytest

from places import SLOWNESS

_keys = itertools.count(1)


def url(name, operation=None):
    """The path of the event NAME."""
    return f"/v1/events/{name}" + (f"/{operation}" if operation else "")


def park(server, name, **body):
    """A connection that waits for the event."""
    before = server.get(url(name))["waiters"]
    connection = server.send("POST", url(name, "wait"), body)
    server.wait_for(url(name), waiters=before + 1)
    return connection


def refused(answer, status, code):
    """Asserts that ANSWER is this problem."""
    assert (answer.status, answer.code) == (status, code), answer


def view(name, is_set=False, waiters=0):
    """How the event looks."""
    return {"name": name, "set": is_set, "waiters": waiters}


# ---- setting and clearing --------------------------------------------------------------------

def test_set_and_clear_show_in_the_view(server, name):
    refused(server.call("GET", url(name)), 404, "not_found")
    answer = server.call("PUT", url(name))
    assert (answer.status, answer.json) == (201, view(name))
    for operation, is_set in (("set", True), ("set", True), ("clear", False), ("clear", False)):
        assert server.post(url(name, operation)) == view(name, is_set)
        assert server.get(url(name)) == view(name, is_set)
    server.post(url(name, "set"))
    answer = server.call("PUT", url(name), {})
    assert (answer.status, answer.json) == (200, view(name, True))


@pytest.mark.parametrize("operation", ["set", "clear"])
def test_changing_makes_the_event(server, name, operation):
    assert server.post(url(name, operation)) == view(name, operation == "set")
    assert server.call("PUT", url(name)).status == 200


def test_events_are_listed(start):
    server = start()
    for number in range(250):
        server.post(url(f"e{number}", "set" if number % 2 else "clear"))
    seen, cursor = {}, ""
    while cursor is not None:
        page = server.get("/v1/events?limit=100" + (f"&cursor={cursor}" if cursor else ""))
        assert len(page["events"]) <= 100
        seen.update((event["name"], event["set"]) for event in page["events"])
        cursor = page["cursor"]
    assert seen == {f"e{number}": number % 2 == 1 for number in range(250)}


# ---- waiting ---------------------------------------------------------------------------------

def test_wait_for_what_is_set_does_not_wait(server, name):
    server.post(url(name, "set"))
    for body in ({}, {"timeout": 0}, {"timeout": 5}):
        assert server.post(url(name, "wait"), **body) == {"name": name, "set": True}


def test_wait_makes_the_event_and_ends_in_time(server, name):
    begin = time.monotonic()
    answer = server.call("POST", url(name, "wait"), {"timeout": 0})
    refused(answer, 409, "timeout")
    assert answer.json["detail"] == f'the event "{name}" is not set'
    answer = server.call("POST", url(name, "wait"), {"timeout": 0.1})
    refused(answer, 409, "timeout")
    assert answer.json["detail"].startswith(f'nobody set the event "{name}" within 0.1')
    assert 0.1 <= time.monotonic() - begin < 0.1 + 0.5 * SLOWNESS
    assert server.get(url(name)) == view(name)


def test_absent_timeout_is_the_limit_of_the_server(start):
    server = start(config={"http": {"long_poll": 0.2}})
    begin = time.monotonic()
    refused(server.call("POST", url("x", "wait")), 409, "timeout")
    assert 0.2 <= time.monotonic() - begin < 0.7 * SLOWNESS
    answer = server.call("POST", url("x", "wait"), {"timeout": 0.3})
    assert answer.json["field"] == "timeout" and "0.2" in answer.json["expected"]


def test_set_lets_everyone_go_on(server, name):
    server.put(url(name))
    waiters = [park(server, name) for _ in range(20)]
    assert server.post(url(name, "set")) == view(name, True)
    for waiter in waiters:
        assert waiter.answer().json == {"name": name, "set": True}


def test_set_and_clear_at_once_end_every_wait_before(server, name):
    server.put(url(name))
    for _ in range(5):
        waiters = [park(server, name) for _ in range(10)]
        with server.connect() as connection:
            connection.send("POST", url(name, "set")).send("POST", url(name, "clear"))
            assert connection.answer().json["set"] is True
            assert connection.answer().json == view(name)
        assert all(waiter.answer().status == 200 for waiter in waiters)
    late = park(server, name)
    assert late.is_quiet(0.05)
    server.post(url(name, "set"))
    assert late.answer().status == 200


def test_waiters_of_one_event_are_not_woken_by_another(server, name):
    one, two = name + "a", name + "b"
    server.put(url(one))
    waiter = park(server, one)
    server.post(url(two, "set"))
    assert waiter.is_quiet(0.05)
    server.post(url(one, "set"))
    assert waiter.answer().status == 200


@pytest.mark.parametrize("way", ["close", "reset"])
def test_who_leaves_waits_no_longer(server, name, way):
    server.put(url(name))
    waiters = [park(server, name) for _ in range(5)]
    for left, waiter in enumerate(waiters[:4], 1):
        getattr(waiter, way)()
        server.wait_for(url(name), waiters=5 - left)
    server.post(url(name, "set"))
    assert waiters[4].answer().status == 200


def test_delete_ends_every_wait(server, name):
    refused(server.call("DELETE", url(name)), 404, "not_found")
    server.put(url(name))
    waiters = [park(server, name) for _ in range(3)]
    assert server.call("DELETE", url(name)).status == 204
    for waiter in waiters:
        refused(waiter.answer(), 410, "deleted")
    refused(server.call("GET", url(name)), 404, "not_found")
    server.post(url(name, "set"))
    assert server.get(url(name)) == view(name, True)


def test_thousands_of_waiters(start):
    server = start()
    server.put(url("x"))
    waiters = [server.send("POST", url("x", "wait")) for _ in range(3000)]
    server.wait_for(url("x"), waiters=3000)
    server.post(url("x", "set"))
    assert all(waiter.answer().status == 200 for waiter in waiters)
    assert server.get(url("x")) == view("x", True)
    for waiter in waiters:
        waiter.close()


# ---- repeats and stops -----------------------------------------------------------------------

def test_repeats_are_answered_as_the_first(server, name):
    key = [("Idempotency-Key", f"event-{next(_keys)}")]
    assert server.call("POST", url(name, "set"), None, key).json["set"] is True
    server.post(url(name, "clear"))
    again = server.call("POST", url(name, "set"), None, key)
    assert again.json["set"] is True and again.header("Idempotency-Replayed") == "true"
    assert server.get(url(name))["set"] is False


def test_a_repeat_of_a_wait_waits_for_the_first(server, name):
    key = [("Idempotency-Key", f"event-{next(_keys)}")]
    server.put(url(name))
    first = server.send("POST", url(name, "wait"), {}, key)
    server.wait_for(url(name), waiters=1)
    again = server.send("POST", url(name, "wait"), {}, key)
    assert again.is_quiet(0.05)
    assert server.get(url(name))["waiters"] == 1
    server.post(url(name, "set"))
    assert first.answer().json == again.answer().json == {"name": name, "set": True}


def test_a_stopping_server_answers_who_waits(start):
    server = start()
    server.put(url("x"))
    waiter = park(server, "x")
    assert server.stop() == 0
    refused(waiter.answer(), 503, "shutting_down")
