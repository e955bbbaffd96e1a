"""Barriers over HTTP: rounds, what breaks one, reset and abort, leaving, deleting, repeats."""
import itertools
import time

import pytest

from client import wait_until
from places import SLOWNESS

_keys = itertools.count(1)


def url(name, operation=None):
    """The path of the barrier NAME."""
    return f"/v1/barriers/{name}" + (f"/{operation}" if operation else "")


def park(server, name, **body):
    """A connection that waits at the barrier, and is not the last."""
    before = server.get(url(name))["waiting"]
    connection = server.send("POST", url(name, "wait"), body)
    server.wait_for(url(name), waiting=before + 1)
    return connection


def refused(answer, status, code):
    """Asserts that ANSWER is this problem."""
    assert (answer.status, answer.code) == (status, code), answer


def view(name, parties, waiting=0, broken=False):
    """How the barrier looks."""
    return {"name": name, "parties": parties, "waiting": waiting, "broken": broken}


# ---- as an object ----------------------------------------------------------------------------

def test_making_one_takes_the_parties(server, name):
    answer = server.call("PUT", url(name), {})
    refused(answer, 400, "invalid_argument")
    assert answer.json["field"] == "parties" and name in answer.json["detail"]
    refused(server.call("GET", url(name)), 404, "not_found")
    answer = server.call("PUT", url(name), {"parties": 3})
    assert (answer.status, answer.json) == (201, view(name, 3))
    for same in ({"parties": 3}, {}):
        answer = server.call("PUT", url(name), same)
        assert (answer.status, answer.json) == (200, view(name, 3))
    answer = server.call("PUT", url(name), {"parties": 4})
    refused(answer, 409, "conflict")
    assert "parties=3, the request asks for parties=4" in answer.json["detail"]


@pytest.mark.parametrize("operation", ["wait", "reset", "abort"])
def test_no_operation_makes_one(server, name, operation):
    refused(server.call("POST", url(name, operation)), 404, "not_found")
    refused(server.call("GET", url(name)), 404, "not_found")


@pytest.mark.parametrize("body, field", [
    *[({"parties": value}, "parties") for value in (0, -1, 65536, 1.5, "2", None, True, [])],
    ({"parties": 2, "count": 1}, "count")])
def test_wrong_fields(server, name, body, field):
    answer = server.call("PUT", url(name), body)
    refused(answer, 400, "invalid_argument")
    assert answer.json["field"] == field
    refused(server.call("GET", url(name)), 404, "not_found")


@pytest.mark.parametrize("body, field", [
    ({"timeout": -1}, "timeout"), ({"timeout": "1"}, "timeout"), ({"parties": 1}, "parties")])
def test_a_wrong_wait_does_not_break_it(server, name, body, field):
    server.put(url(name), parties=2)
    answer = server.call("POST", url(name, "wait"), body)
    refused(answer, 400, "invalid_argument")
    assert answer.json["field"] == field
    assert server.get(url(name)) == view(name, 2)


def test_barriers_are_listed(start):
    server = start()
    for number in range(1, 11):
        server.put(url(f"b{number}"), parties=number)
    page = server.get("/v1/barriers")
    assert page["cursor"] is None
    assert sorted(barrier["parties"] for barrier in page["barriers"]) == list(range(1, 11))


# ---- rounds ----------------------------------------------------------------------------------

def test_one_party_never_waits(server, name):
    server.put(url(name), parties=1)
    for body in ({}, {"timeout": 0}, {"timeout": 5}):
        assert server.post(url(name, "wait"), **body) == {"name": name, "index": 0}


@pytest.mark.parametrize("parties", [2, 3, 10])
def test_all_go_on_together_again_and_again(server, name, parties):
    server.put(url(name), parties=parties)
    for timeout in (0, 5, 0):
        waiters = [park(server, name) for _ in range(parties - 1)]
        assert server.get(url(name)) == view(name, parties, parties - 1)
        assert all(waiter.is_quiet(0) for waiter in waiters)
        assert server.post(url(name, "wait"), timeout=timeout)["index"] == 0
        indices = [waiter.answer().json["index"] for waiter in waiters]
        assert sorted(indices) == list(range(1, parties))
        assert server.get(url(name)) == view(name, parties)


def test_more_waits_than_parties_make_more_rounds(server, name):
    server.put(url(name), parties=4)
    waiters = [server.send("POST", url(name, "wait")) for _ in range(40)]
    indices = [waiter.answer().json["index"] for waiter in waiters]
    assert sorted(indices) == sorted(list(range(4)) * 10)


# ---- what breaks it --------------------------------------------------------------------------

def assert_broken(server, name, waiters):
    """Who waits, and who comes, is told."""
    for waiter in waiters:
        answer = waiter.answer()
        refused(answer, 409, "broken")
        assert answer.json["detail"] == f'the barrier "{name}" is broken'
    for body in ({}, {"timeout": 0}):
        refused(server.call("POST", url(name, "wait"), body), 409, "broken")
    assert server.get(url(name))["broken"] is True
    assert server.post(url(name, "reset"))["broken"] is False


def test_a_timeout_breaks_it(server, name):
    server.put(url(name), parties=3)
    stayer = park(server, name)
    begin = time.monotonic()
    answer = server.call("POST", url(name, "wait"), {"timeout": 0.1})
    refused(answer, 409, "timeout")
    assert "broken now, within 0.1" in answer.json["detail"]
    assert 0.1 <= time.monotonic() - begin < 0.1 + 0.5 * SLOWNESS
    assert_broken(server, name, [stayer])


def test_not_waiting_breaks_it_unless_one_is_the_last(server, name):
    server.put(url(name), parties=3)
    stayer = park(server, name)
    answer = server.call("POST", url(name, "wait"), {"timeout": 0})
    refused(answer, 409, "timeout")
    assert answer.json["detail"] == f'the barrier "{name}" lacked others and is broken now'
    assert_broken(server, name, [stayer])


@pytest.mark.parametrize("way", ["close", "reset"])
def test_a_departure_breaks_it(server, name, way):
    server.put(url(name), parties=4)
    waiters = [park(server, name) for _ in range(3)]
    getattr(waiters.pop(1), way)()
    assert_broken(server, name, waiters)


def test_the_end_of_a_session_breaks_it(server, name):
    server.put(url(name), parties=4)
    session = server.call("POST", "/v1/sessions", {}).json["id"]
    stayers = [park(server, name) for _ in range(2)]
    leaver = park(server, name, session=session)
    assert server.call("DELETE", f"/v1/sessions/{session}").status == 204
    refused(leaver.answer(), 410, "session_ended")
    assert_broken(server, name, stayers)


def test_a_session_that_never_was(server, name):
    server.put(url(name), parties=2)
    stayer = park(server, name)
    answer = server.call("POST", url(name, "wait"), {"session": "1.2.3"})
    refused(answer, 410, "session_ended")
    assert server.post(url(name, "wait"))["index"] == 0  # nothing is broken
    assert stayer.answer().status == 200


def test_abort_breaks_it_and_reset_mends_it(server, name):
    server.put(url(name), parties=3)
    waiters = [park(server, name) for _ in range(2)]
    assert server.post(url(name, "abort"))["broken"] is True
    assert server.post(url(name, "abort"))["broken"] is True
    assert_broken(server, name, waiters)
    assert server.get(url(name)) == view(name, 3)
    waiters = [park(server, name) for _ in range(2)]
    assert server.post(url(name, "wait"))["index"] == 0
    assert sorted(waiter.answer().json["index"] for waiter in waiters) == [1, 2]


def test_reset_sends_away_who_waits_and_does_not_break_it(server, name):
    server.put(url(name), parties=3)
    waiters = [park(server, name) for _ in range(2)]
    server.post(url(name, "reset"))
    for waiter in waiters:
        refused(waiter.answer(), 409, "broken")
    wait_until(lambda: server.get(url(name)) == view(name, 3))


def test_delete_ends_every_wait(server, name):
    refused(server.call("DELETE", url(name)), 404, "not_found")
    server.put(url(name), parties=3)
    waiters = [park(server, name) for _ in range(2)]
    assert server.call("DELETE", url(name)).status == 204
    for waiter in waiters:
        refused(waiter.answer(), 410, "deleted")
    assert server.put(url(name), parties=5) == view(name, 5)


def test_a_stopping_server_answers_who_waits(start):
    server = start()
    server.put(url("x"), parties=3)
    waiters = [park(server, "x") for _ in range(2)]
    assert server.stop() == 0
    answers = [waiter.answer() for waiter in waiters]
    # the first to be sent away breaks it for the other
    assert {answer.code for answer in answers} <= {"shutting_down", "broken"}
    assert "shutting_down" in {answer.code for answer in answers}


# ---- repeats ---------------------------------------------------------------------------------

def test_a_repeated_wait_is_one_party(server, name):
    server.put(url(name), parties=2)
    key = [("Idempotency-Key", f"barrier-{next(_keys)}")]
    first = server.send("POST", url(name, "wait"), {}, key)
    server.wait_for(url(name), waiting=1)
    again = server.send("POST", url(name, "wait"), {}, key)
    assert again.is_quiet(0.05)
    assert server.post(url(name, "wait")) == {"name": name, "index": 0}
    assert first.answer().json == again.answer().json == {"name": name, "index": 1}
    late = server.call("POST", url(name, "wait"), {}, key)
    assert late.json["index"] == 1 and late.header("Idempotency-Replayed") == "true"
    assert server.get(url(name)) == view(name, 2)


@pytest.mark.parametrize("operation, other", [("reset", "abort"), ("abort", "reset")])
def test_a_repeated_change_changes_once(server, name, operation, other):
    server.put(url(name), parties=2)
    key = [("Idempotency-Key", f"barrier-{next(_keys)}")]
    broken = server.call("POST", url(name, operation), None, key).json["broken"]
    server.post(url(name, other))
    again = server.call("POST", url(name, operation), None, key)
    assert again.json["broken"] is broken and again.header("Idempotency-Replayed") == "true"
    assert server.get(url(name))["broken"] is not broken
