"""Waits that would never end: refused with the cycle, or reported."""
import time

import pytest

from client import wait_until
from places import SLOWNESS


def make(server, **body):
    return server.call("POST", "/v1/sessions", body).json["id"]


def names(cycle):
    return [step["waits_for"]["name"] for step in cycle]


@pytest.mark.parametrize("kind", ["locks", "rlocks", "rwlocks", "semaphores"])
@pytest.mark.parametrize("length", [2, 5])
def test_the_wait_that_closes_a_cycle_is_refused(server, name, kind, length):
    sessions = [make(server, label=f"s{number}") for number in range(length)]
    for number, session in enumerate(sessions):
        server.post(f"/v1/{kind}/{name}.{number}/acquire", session=session)
    waiters = []
    for number, session in enumerate(sessions[:-1]):
        waiters.append(server.send("POST", f"/v1/{kind}/{name}.{number + 1}/acquire",
                                   {"session": session}))
        server.wait_for(f"/v1/{kind}/{name}.{number + 1}", waiters=1)
    begin = time.monotonic()
    answer = server.call("POST", f"/v1/{kind}/{name}.0/acquire", {"session": sessions[-1]})
    assert (answer.status, answer.code) == (409, "deadlock"), answer
    assert time.monotonic() - begin < 0.25 * SLOWNESS
    cycle = answer.json["cycle"]
    assert sorted(names(cycle)) == sorted(f"{name}.{number}" for number in range(length))
    for step in cycle:
        assert step["held_by"][0]["owner"]["session"] in sessions
        assert step["waits_for"]["kind"] == kind[:-1]
    assert server.get(f"/v1/{kind}/{name}.0")["waiters"] == 0
    for waiter in waiters:
        assert waiter.is_quiet(0.02)
    for session in reversed(sessions):
        assert server.call("DELETE", f"/v1/sessions/{session}").status == 204
    for waiter in waiters:
        waiter.answer()


def test_owners_of_one_session_are_told_apart(server, name):
    session = make(server)
    for owner in ("a", "b"):
        server.post(f"/v1/rlocks/{name}.{owner}/acquire", session=session, owner=owner)
    waiter = server.send("POST", f"/v1/rlocks/{name}.b/acquire", {"session": session, "owner": "a"})
    server.wait_for(f"/v1/rlocks/{name}.b", waiters=1)
    answer = server.call("POST", f"/v1/rlocks/{name}.a/acquire", {"session": session, "owner": "b"})
    assert answer.code == "deadlock"
    assert {step["owner"]["thread"] for step in answer.json["cycle"]} == {"a", "b"}
    assert server.call("DELETE", f"/v1/sessions/{session}").status == 204
    waiter.answer()


def test_what_is_to_be_reported_stands_and_is_listed(start, name):
    server = start()
    assert server.get("/v1/deadlocks") == {"deadlocks": [], "graph": []}
    sessions = [make(server) for _ in range(2)]
    for number, session in enumerate(sessions):
        server.put(f"/v1/locks/{name}.{number}", on_deadlock="report")
        server.post(f"/v1/locks/{name}.{number}/acquire", session=session)
    waiters = []
    for number, session in enumerate(sessions):
        waiters.append(server.send("POST", f"/v1/locks/{name}.{1 - number}/acquire",
                                   {"session": session}))
        server.wait_for(f"/v1/locks/{name}.{1 - number}", waiters=1)
    listed = wait_until(lambda: server.get("/v1/deadlocks")["deadlocks"])
    assert sorted(names(listed[0]["cycle"])) == [f"{name}.0", f"{name}.1"]
    graph = server.get("/v1/deadlocks")["graph"]
    assert len(graph) == 2 and all(one["waiting"] >= 0 for one in graph)
    assert server.call("DELETE", f"/v1/sessions/{sessions[0]}").status == 204
    assert waiters[0].answer().code == "session_ended"
    assert waiters[1].answer().json["owner_died"] is True
    assert server.get("/v1/deadlocks") == {"deadlocks": [], "graph": []}


def test_strangers_make_no_cycle(server, name):
    tokens = [server.acquire(f"{name}.{number}") for number in range(2)]
    waiters = [server.send("POST", f"/v1/locks/{name}.{number}/acquire", {}) for number in range(2)]
    for number in range(2):
        server.wait_for(f"/v1/locks/{name}.{number}", waiters=1)
    time.sleep(0.1)
    assert server.get("/v1/deadlocks")["deadlocks"] == []
    for number in range(2):
        server.release(f"{name}.{number}", tokens[number])
        assert waiters[number].answer().status == 200


def test_a_wait_with_a_way_out_is_no_deadlock(server, name):
    """One of two permits is held by somebody who does not wait."""
    one, two, three = (make(server) for _ in range(3))
    server.put(f"/v1/semaphores/{name}", value=2)
    server.post(f"/v1/semaphores/{name}/acquire", session=one)
    free = server.post(f"/v1/semaphores/{name}/acquire", session=three)["token"]
    server.post(f"/v1/locks/{name}/acquire", session=two)
    blocked = server.send("POST", f"/v1/locks/{name}/acquire", {"session": one})
    server.wait_for(f"/v1/locks/{name}", waiters=1)
    waiter = server.send("POST", f"/v1/semaphores/{name}/acquire", {"session": two})
    server.wait_for(f"/v1/semaphores/{name}", waiters=1)
    assert waiter.is_quiet(0.15)
    server.post(f"/v1/semaphores/{name}/release", token=free)
    assert waiter.answer().status == 200
    assert server.call("DELETE", f"/v1/sessions/{two}").status == 204
    assert blocked.answer().status == 200


def test_a_cycle_through_several_at_once_is_found(server, name):
    one, two = make(server), make(server)
    server.post(f"/v1/locks/{name}.0/acquire", session=one)
    server.post(f"/v1/locks/{name}.1/acquire", session=two)
    server.post(f"/v1/locks/{name}.2/acquire", session=two)
    first = server.send("POST", "/v1/wait", {"session": one, "targets": [
        {"kind": "lock", "name": f"{name}.1"}, {"kind": "lock", "name": f"{name}.2"}]})
    server.wait_for(f"/v1/locks/{name}.2", waiters=1)
    answer = server.call("POST", f"/v1/locks/{name}.0/acquire", {"session": two})
    assert answer.code == "deadlock", answer
    assert server.call("DELETE", f"/v1/sessions/{two}").status == 204
    assert first.answer().status == 200


def test_a_way_out_that_ends_leaves_a_deadlock_that_is_found(server, name):
    """The owner of two waits is stuck in one; the other, which somebody could end, times out."""
    one, two = make(server), make(server)
    server.post(f"/v1/locks/{name}.0/acquire", session=one)
    server.post(f"/v1/locks/{name}.1/acquire", session=two)
    server.post(f"/v1/locks/{name}.2/acquire")
    stuck = server.send("POST", f"/v1/locks/{name}.1/acquire", {"session": one})
    server.wait_for(f"/v1/locks/{name}.1", waiters=1)
    open_way = server.send("POST", f"/v1/locks/{name}.2/acquire", {"session": one, "timeout": 0.4})
    server.wait_for(f"/v1/locks/{name}.2", waiters=1)
    other = server.send("POST", f"/v1/locks/{name}.0/acquire", {"session": two})
    server.wait_for(f"/v1/locks/{name}.0", waiters=1)
    assert other.is_quiet(0.1) and stuck.is_quiet(0)
    assert open_way.answer().code == "timeout"
    ended = time.monotonic()
    assert other.answer().code == "deadlock"
    assert time.monotonic() - ended < 1, "it is looked at once, not at the next look"
    assert server.call("DELETE", f"/v1/sessions/{two}").status == 204
    assert stuck.answer().status == 200
