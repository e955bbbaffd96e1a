"""Pipes over HTTP: both directions, claims and sessions, end of file, room, waits, repeats."""
import itertools
import socket

import pytest

from client import wait_until

_keys = itertools.count(1)


def url(name, operation=None):
    """The path of the pipe NAME."""
    return f"/v1/pipes/{name}" + (f"/{operation}" if operation else "")


def session(server, ttl=60):
    """The id of a new session."""
    return server.call("POST", "/v1/sessions", {"ttl": ttl}).json["id"]


def refused(answer, status, code):
    """Asserts that ANSWER is this problem."""
    assert (answer.status, answer.code) == (status, code), answer


def end(which, claimed_by=0, closed=False, waiting=0):
    """How an end looks, with nobody waiting there."""
    return {"end": which, "claimed_by": claimed_by, "closed": closed, "waiting": waiting,
            "receivers": 0, "senders": 0}


def view(name, a, b, one_way=False, max_bytes=1048576):
    """How the pipe looks."""
    return {"name": name, "one_way": one_way, "max_bytes": max_bytes, "ends": [a, b]}


def waiters(server, name):
    """How many wait in the pipe."""
    return sum(one["receivers"] + one["senders"] for one in server.get(url(name))["ends"])


def parked(server, name, operation, count=1, **body):
    """A connection whose request waits, as the COUNTth."""
    connection = server.send("POST", url(name, operation), body)
    wait_until(lambda: waiters(server, name) == count)
    return connection


# ---- messages --------------------------------------------------------------------------------

def test_messages_go_both_ways_in_order(server, name):
    for number in range(3):
        answer = server.post(url(name, "send"), end="a", json=number)
        assert answer == {"name": name, "waiting": number + 1}
    server.post(url(name, "send"), end="b", text="back ☃")
    assert server.get(url(name)) == view(name, end("a", waiting=1), end("b", waiting=3))
    for number in range(3):
        answer = server.post(url(name, "receive"), end="b")
        assert answer == {"name": name, "type": "json", "json": number}
    assert server.post(url(name, "receive"), end="a")["text"] == "back ☃"
    refused(server.call("POST", url(name, "receive"), {"end": "a", "timeout": 0}), 409, "timeout")


@pytest.mark.parametrize("item", [{"json": {"a": [1, None]}}, {"text": ""}, {"base64": "AAEC/w=="}])
def test_message_comes_out_as_it_was_sent(server, name, item):
    server.post(url(name, "send"), end="b", **item)
    answer = server.post(url(name, "receive"), end="a")
    assert {key: answer[key] for key in item} == item


@pytest.mark.parametrize("body, field", [
    ({"json": 1}, "end"), ({"end": "c", "json": 1}, "end"), ({"end": 1, "json": 1}, "end"),
    ({"end": "A", "json": 1}, "end"), ({"end": "a"}, None),
    ({"end": "a", "json": 1, "text": ""}, None),
    ({"end": "a", "json": 1, "timeout": -1}, "timeout"), ({"end": "a", "json": 1, "x": 1}, "x")])
def test_bad_sends_are_refused_and_nothing_is_sent(server, name, body, field):
    answer = server.call("POST", url(name, "send"), body)
    refused(answer, 400, "invalid_argument")
    assert field is None or answer.json["field"] == field
    refused(server.call("GET", url(name)), 404, "not_found")


def test_16_mib_pass_and_one_byte_more_does_not(server, name):
    text = "x" * (16 << 20)
    refused(server.call("POST", url(name, "send"), {"end": "a", "text": text + "x"}),
            413, "too_large")
    server.post(url(name, "send"), end="a", text=text)
    refused(server.call("POST", url(name, "send"), {"end": "a", "text": "x", "timeout": 0}),
            409, "timeout")
    assert server.post(url(name, "receive"), end="b")["text"] == text


def test_one_way(server, name):
    assert server.put(url(name), one_way=True) == view(name, end("a"), end("b"), one_way=True)
    for operation, which, word in (("send", "a", "only receives"), ("receive", "b", "only sends"),
                                   ("poll", "b", "only sends")):
        body = {"end": which, **({"json": 1} if operation == "send" else {})}
        answer = server.call("POST", url(name, operation), body)
        refused(answer, 501, "unsupported")
        assert word in answer.json["detail"]
    server.post(url(name, "send"), end="b", json=1)
    assert server.post(url(name, "receive"), end="a")["json"] == 1
    refused(server.call("PUT", url(name), {"one_way": False}), 409, "conflict")


# ---- room ------------------------------------------------------------------------------------

def test_send_beyond_max_bytes_waits_for_room(server, name):
    server.put(url(name), max_bytes=10)
    server.post(url(name, "send"), end="a", text="0123456789")
    refused(server.call("POST", url(name, "send"), {"end": "a", "text": "", "timeout": 0}),
            409, "timeout")
    with parked(server, name, "send", end="a", text="x" * 100) as large:
        with parked(server, name, "send", 2, end="a", text="y") as small:
            assert server.post(url(name, "receive"), end="b")["text"] == "0123456789"
            assert large.answer().json == {"name": name, "waiting": 1}
            assert server.post(url(name, "receive"), end="b")["text"] == "x" * 100
            assert small.answer().status == 200
    assert server.post(url(name, "receive"), end="b")["text"] == "y"


# ---- claims ----------------------------------------------------------------------------------

def test_claims_are_counted_and_the_last_one_closes_the_end(server, name):
    mine, other = session(server), session(server)
    answer = server.post(url(name, "claim"), end="a", session=mine)
    assert answer == {"name": name, **end("a", 1), "claims": 1}
    assert server.post(url(name, "claim"), end="a", session=mine)["claims"] == 2
    assert server.post(url(name, "claim"), end="a", session=other)["claimed_by"] == 2
    server.post(url(name, "claim"), end="b", session=other)
    server.post(url(name, "send"), end="a", session=mine, text="last")
    assert server.post(url(name, "close"), end="a", session=mine)["claims"] == 1
    server.post(url(name, "close"), end="a", session=mine)
    refused(server.call("POST", url(name, "close"), {"end": "a", "session": mine}), 409, "not_held")
    assert server.get(url(name)) == view(name, end("a", 1), end("b", 1, waiting=1))
    answer = server.post(url(name, "close"), end="a", session=other)
    assert answer == {"name": name, **end("a", 0, True), "claims": 0}
    refused(server.call("POST", url(name, "send"), {"end": "b", "session": other, "json": 1}),
            409, "broken_pipe")
    assert server.post(url(name, "receive"), end="b", session=other)["text"] == "last"
    refused(server.call("POST", url(name, "receive"), {"end": "b", "session": other}),
            409, "end_of_file")
    refused(server.call("POST", url(name, "claim"), {"end": "a", "session": mine}),
            409, "broken_pipe")


@pytest.mark.parametrize("operation", ["send", "receive", "poll", "close"])
def test_a_session_acts_only_at_ends_that_it_has_claimed(server, name, operation):
    mine = session(server)
    body = {"end": "b", "session": mine, **({"json": 1} if operation == "send" else {})}
    refused(server.call("POST", url(name, operation), body), 404, "not_found")
    server.post(url(name, "claim"), end="a", session=mine)
    refused(server.call("POST", url(name, operation), body), 409, "not_held")
    answer = server.call("POST", url(name, operation), {**body, "session": "1.1.0000000000000000"})
    refused(answer, 410, "session_ended")


@pytest.mark.parametrize("operation", ["claim", "close"])
def test_claims_need_a_session(server, name, operation):
    answer = server.call("POST", url(name, operation), {"end": "a"})
    refused(answer, 400, "invalid_argument")
    assert answer.json["field"] == "session"


def test_end_of_a_session_ends_its_claims_and_tells_who_waits(server, name):
    mine, other = session(server), session(server)
    server.put(url(name), max_bytes=1)
    for _ in range(3):
        server.post(url(name, "claim"), end="a", session=mine)
    server.post(url(name, "claim"), end="b", session=other)
    server.post(url(name, "send"), end="b", session=other, text="x")
    with parked(server, name, "receive", end="b", session=other) as receive, \
            parked(server, name, "send", 2, end="b", session=other, text="y") as send, \
            parked(server, name, "poll", 3, end="b", session=other) as poll:
        assert server.call("DELETE", f"/v1/sessions/{mine}").status == 204
        refused(receive.answer(), 409, "end_of_file")
        refused(send.answer(), 409, "broken_pipe")
        assert poll.answer().json == {"name": name, "ready": True}
    assert server.get(url(name))["ends"] == [end("a", 0, True, 1), end("b", 1)]


def test_a_session_that_is_not_heard_of_any_more_loses_its_claims(server, name):
    mine = session(server, ttl=1)
    server.post(url(name, "claim"), end="a", session=mine)
    with parked(server, name, "receive", end="b") as receive:
        refused(receive.answer(), 409, "end_of_file")


def test_claims_outlive_the_sweep_of_what_is_not_held(server, name):
    mine = session(server, ttl=4)
    server.post(url(name, "claim"), end="a", session=mine)
    with parked(server, name, "receive", end="b") as receive:
        # ended by the session's end, and not before: so its claim was known until then
        refused(receive.answer(), 409, "end_of_file")
    refused(server.call("POST", f"/v1/sessions/{mine}/renew"), 410, "session_ended")
    assert server.get(url(name))["ends"][0] == end("a", 0, True)


def test_end_of_its_session_ends_a_wait(server, name):
    mine = session(server)
    server.post(url(name, "claim"), end="a", session=mine)
    with parked(server, name, "receive", end="a", session=mine) as receive:
        assert server.call("DELETE", f"/v1/sessions/{mine}").status == 204
        refused(receive.answer(), 410, "session_ended")


# ---- waits -----------------------------------------------------------------------------------

def test_receive_and_poll_wait_and_only_one_takes(server, name):
    server.put(url(name))
    with parked(server, name, "poll", end="a") as poll, \
            parked(server, name, "receive", 2, end="a") as receive:
        server.post(url(name, "send"), end="b", json=1)
        assert receive.answer().json["json"] == 1
        server.post(url(name, "send"), end="b", json=2)
        assert poll.answer().json == {"name": name, "ready": True}
    assert server.post(url(name, "poll"), end="a") == {"name": name, "ready": True}
    assert server.post(url(name, "receive"), end="a")["json"] == 2
    assert server.post(url(name, "poll"), end="a", timeout=0.05) == {"name": name, "ready": False}


def test_message_of_a_client_that_left_goes_to_the_next(server, name):
    server.put(url(name))
    first = parked(server, name, "receive", end="a")
    with parked(server, name, "receive", 2, end="a") as second:
        first.socket.shutdown(socket.SHUT_RDWR)
        first.close()
        wait_until(lambda: waiters(server, name) == 1)
        server.post(url(name, "send"), end="b", json=7)
        assert second.answer().json["json"] == 7


def test_pipe_can_be_waited_for_with_others(server, name):
    targets = [{"kind": "pipe", "name": name, "end": which} for which in "ab"]
    targets.append({"kind": "queue", "name": name})
    server.post(url(name, "send"), end="a", json=1)
    answer = server.post("/v1/wait", targets=targets)
    assert answer == {"index": 1, "kind": "pipe", "name": name, "end": "b"}
    for wrong in ({"kind": "pipe", "name": name}, {"kind": "pipe", "name": name, "end": "c"},
                  {"kind": "queue", "name": name, "end": "a"}):
        answer = server.call("POST", "/v1/wait", {"targets": [wrong]})
        refused(answer, 400, "invalid_argument")
        assert answer.json["field"] == "targets[0].end"
    answer = server.call("POST", "/v1/wait", {"targets": [targets[0], targets[0]]})
    refused(answer, 400, "invalid_argument")


def test_delete_ends_all_waits(server, name):
    server.put(url(name))
    with parked(server, name, "receive", end="a") as receive, \
            parked(server, name, "poll", 2, end="b") as poll:
        assert server.call("DELETE", url(name)).status == 204
        refused(receive.answer(), 410, "deleted")
        refused(poll.answer(), 410, "deleted")


# ---- repeats ---------------------------------------------------------------------------------

def test_repeats_answer_as_before_and_do_nothing(server, name):
    mine = session(server)

    def twice(operation, **body):
        key = [("Idempotency-Key", f"pipe-{next(_keys)}")]
        first = server.call("POST", url(name, operation), body, key)
        second = server.call("POST", url(name, operation), body, key)
        assert second.header("Idempotency-Replayed") == "true"
        assert (first.status, first.json) == (second.status, second.json)
        return first.json

    assert twice("claim", end="a", session=mine)["claims"] == 1
    assert server.post(url(name, "claim"), end="a", session=mine)["claims"] == 2
    assert twice("close", end="a", session=mine)["claims"] == 1
    assert twice("send", end="a", session=mine, json=5)["waiting"] == 1
    server.post(url(name, "send"), end="a", json=6)
    assert twice("receive", end="b")["json"] == 5
    assert server.post(url(name, "receive"), end="b")["json"] == 6
