"""Sessions made over HTTP: kept alive, ended, expired, and what becomes of what they hold."""
import time

import pytest

from client import PATIENCE, wait_until
from places import SLOWNESS


def make(server, **body):
    """The id of a new session."""
    answer = server.call("POST", "/v1/sessions", body)
    assert answer.status == 201, answer
    return answer.json["id"]


def end(server, session):
    assert server.call("DELETE", f"/v1/sessions/{session}").status == 204


def refused(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer
    return answer.json


def is_gone(server, session):
    return server.call("GET", f"/v1/sessions/{session}").status == 410


def test_session_is_shown_with_what_its_maker_said(server):
    session = make(server, ttl=45, label="nightly build", host="ci-17")
    view = server.get(f"/v1/sessions/{session}")
    assert (view["id"], view["ttl"], view["label"], view["host"]) == (
        session, 45, "nightly build", "ci-17")
    assert view["door"] == "http" and view["pid"] is None and view["command"] is None
    assert 0 < view["expires_in"] <= 45
    assert view["grants"] == view["waits"] == view["losses"] == []
    assert session in [one["id"] for one in server.get("/v1/sessions")["sessions"]]
    end(server, session)
    assert is_gone(server, session)
    assert session not in [one["id"] for one in server.get("/v1/sessions")["sessions"]]


@pytest.mark.parametrize("field, value", [
    ("ttl", 0), ("ttl", 0.5), ("ttl", 86401), ("ttl", "30"), ("label", "x" * 64), ("host", 7),
    ("colour", "red")])
def test_bad_fields_are_named(server, field, value):
    problem = refused(server.call("POST", "/v1/sessions", {field: value}), 400, "invalid_argument")
    assert problem["field"] == field


def test_ids_are_not_guessed_nor_used_again(server):
    ids = [make(server) for _ in range(20)]
    assert len({one.rpartition(".")[2] for one in ids}) == 20
    end(server, ids[0])
    again = make(server)
    assert again not in ids
    slot, generation, secret = again.split(".")
    for wrong in (ids[0], f"{slot}.{generation}", f"{slot}.{generation}.{int(secret, 16) ^ 1:016x}",
                  f"0{again}", "x", "1", "0.0", "99999999999999999999.1.2"):
        refused(server.call("GET", f"/v1/sessions/{wrong}"), 410, "session_ended")
        refused(server.call("POST", "/v1/locks/never/acquire", {"session": wrong}), 410,
                "session_ended")
    assert server.call("GET", "/v1/locks/never").status == 404
    for one in ids[1:] + [again]:
        end(server, one)


def test_grant_in_a_session_has_no_lease_unless_asked_for(server, name):
    session = make(server)
    grant = server.post(f"/v1/locks/{name}/acquire", session=session)
    assert grant["lease"] is None
    leased = server.post(f"/v1/locks/{name}.2/acquire", session=session, lease=20)
    assert leased["lease"] == 20
    view = server.get(f"/v1/sessions/{session}")
    held = {one["name"]: one for one in view["grants"]}
    assert held[name]["token"] == grant["token"] and held[name]["lease_remaining"] is None
    assert 0 < held[f"{name}.2"]["lease_remaining"] <= 20
    owner = server.get(f"/v1/locks/{name}")["holders"][0]["owner"]
    assert owner["session"] == session and owner["door"] == "http"
    end(server, session)


@pytest.mark.parametrize("kind", ["locks", "rlocks", "rwlocks", "semaphores"])
def test_end_gives_everything_to_the_next(server, name, kind):
    session = make(server)
    server.post(f"/v1/{kind}/{name}/acquire", session=session)
    waiter = server.send("POST", f"/v1/{kind}/{name}/acquire", {})
    server.wait_for(f"/v1/{kind}/{name}", waiters=1)
    end(server, session)
    grant = waiter.answer().json
    assert grant["owner_died"] is (kind != "semaphores")
    server.post(f"/v1/{kind}/{name}/release", token=grant["token"])
    if kind == "semaphores":
        assert server.get(f"/v1/{kind}/{name}")["value"] == 1


@pytest.mark.parametrize("kind", ["locks", "rlocks", "rwlocks", "semaphores"])
def test_end_takes_it_out_of_every_wait(server, name, kind):
    session = make(server)
    token = server.post(f"/v1/{kind}/{name}/acquire")["token"]
    waiters = [server.send("POST", f"/v1/{kind}/{name}/acquire",
                           {"session": session, "owner": f"w{number}"}) for number in range(5)]
    server.wait_for(f"/v1/{kind}/{name}", waiters=5)
    assert [one["name"] for one in server.get(f"/v1/sessions/{session}")["waits"]] == [name] * 5
    end(server, session)
    for waiter in waiters:
        refused(waiter.answer(), 410, "session_ended")
    assert server.get(f"/v1/{kind}/{name}")["waiters"] == 0
    server.post(f"/v1/{kind}/{name}/release", token=token)


def test_session_expires_when_nothing_names_it(server, name):
    session = make(server, ttl=1)
    server.post(f"/v1/locks/{name}/acquire", session=session)
    begin = time.monotonic()
    waiter = server.send("POST", f"/v1/locks/{name}/acquire", {})
    assert waiter.answer().json["owner_died"] is True
    assert 0.9 <= time.monotonic() - begin < 1.5 * SLOWNESS
    assert is_gone(server, session)


def test_any_request_that_names_it_keeps_it_alive(server, name):
    session = make(server, ttl=1)
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        token = server.post(f"/v1/locks/{name}/acquire", session=session)["token"]
        server.post(f"/v1/locks/{name}/release", token=token, session=session)
        time.sleep(0.2)
    server.post(f"/v1/sessions/{session}/renew")
    wait_until(lambda: is_gone(server, session))


def test_waiting_keeps_it_alive(server, name):
    session = make(server, ttl=1)
    token = server.acquire(name)
    waiter = server.send("POST", f"/v1/locks/{name}/acquire", {"session": session, "timeout": 2.5})
    refused(waiter.answer(), 409, "timeout")
    assert not is_gone(server, session)
    server.release(name, token)
    wait_until(lambda: is_gone(server, session))


def test_renew_begins_all_its_leases_anew(server, name):
    session = make(server, ttl=60)
    server.post(f"/v1/locks/{name}/acquire", session=session, lease=1)
    server.post(f"/v1/semaphores/{name}/acquire", session=session, lease=1)
    until = time.monotonic() + 2
    while time.monotonic() < until:
        assert server.post(f"/v1/sessions/{session}/renew") == {"id": session, "ttl": 60}
        assert len(server.get(f"/v1/sessions/{session}")["grants"]) == 2
        time.sleep(0.3)
    wait_until(lambda: server.get(f"/v1/sessions/{session}")["grants"] == [])
    losses = server.get(f"/v1/sessions/{session}")["losses"]
    assert {(one["kind"], one["code"]) for one in losses} == {
        ("lock", "lease_lost"), ("semaphore", "lease_lost")}
    end(server, session)


def test_losses_are_told_at_once_and_in_order(server, name):
    session = make(server)
    listener = server.send("POST", f"/v1/sessions/{session}/losses", {})
    token = server.post(f"/v1/locks/{name}/acquire", session=session)["token"]
    server.post(f"/v1/locks/{name}/break", reason="the machine is gone")
    told = listener.answer().json
    assert told["losses"] == [{"kind": "lock", "name": name, "token": token, "code": "revoked",
                               "reason": "the machine is gone"}]
    refused(server.call("POST", f"/v1/sessions/{session}/losses",
                        {"after": told["after"], "timeout": 0}), 409, "timeout")
    listener = server.send("POST", f"/v1/sessions/{session}/losses", {"after": told["after"]})
    server.post(f"/v1/locks/{name}/acquire", session=session, lease=0.05)
    second = listener.answer().json["losses"]
    assert [one["code"] for one in second] == ["lease_lost"]
    listener = server.send("POST", f"/v1/sessions/{session}/losses", {"after": "99999"})
    wait_until(lambda: server.get(f"/v1/sessions/{session}")["expires_in"] == 30)
    end(server, session)
    refused(listener.answer(), 410, "session_ended")


def test_a_thousand_sessions_hold_a_thousand_locks(start, name):
    server = start()
    sessions = [make(server, ttl=600) for _ in range(1000)]
    for number, session in enumerate(sessions):
        server.post(f"/v1/locks/{name}.{number}/acquire", session=session)
    assert len(server.get("/v1/sessions")["sessions"]) == 1000
    for session in sessions:
        end(server, session)
    for number in range(0, 1000, 100):
        assert server.get(f"/v1/locks/{name}.{number}")["locked"] is False
    assert server.get("/v1/sessions")["sessions"] == []


def test_sessions_end_with_the_server(start, name):
    server = start()
    session = make(server)
    server.post(f"/v1/locks/{name}/acquire", session=session)
    waiter = server.send("POST", f"/v1/locks/{name}/acquire", {"session": session})
    server.wait_for_waiters(name, 1)
    assert server.stop() == 0
    refused(waiter.answer(patience=PATIENCE), 503, "shutting_down")
