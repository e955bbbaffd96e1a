"""Several objects in one request: all or none, and the first of several."""
import threading
import time

import pytest

from client import wait_until


def refused(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer
    return answer.json


def lock(name):
    return {"kind": "lock", "name": name}


def targets(name, count):
    return [lock(f"{name}.{number}") for number in range(count)]


def give_back(server, grants):
    assert server.post("/v1/release", grants=[
        {key: one[key] for key in ("kind", "name", "token")} for one in grants]) == {
            "released": len(grants)}


def test_all_kinds_at_once(server, name):
    wanted = [lock(name), {"kind": "rlock", "name": name},
              {"kind": "rwlock", "name": name, "mode": "shared"},
              {"kind": "semaphore", "name": name, "count": 1}]
    grants = server.post("/v1/acquire", targets=wanted, lease=20)["grants"]
    assert [one["kind"] for one in grants] == ["lock", "rlock", "rwlock", "semaphore"]
    assert all(one["lease"] == 20 and one["name"] == name for one in grants)
    assert grants[1]["depth"] == 1 and grants[2]["mode"] == "shared" and grants[3]["count"] == 1
    give_back(server, grants)
    for kind in ("locks", "rlocks", "rwlocks", "semaphores"):
        assert server.get(f"/v1/{kind}/{name}")["holders"] == []


def test_nothing_is_held_while_it_waits(server, name):
    token = server.acquire(f"{name}.2")
    waiter = server.send("POST", "/v1/acquire", {"targets": targets(name, 4)})
    server.wait_for(f"/v1/locks/{name}.2", waiters=1)
    for number in (0, 1, 3):
        server.release(f"{name}.{number}", server.acquire(f"{name}.{number}"))
    server.release(f"{name}.2", token)
    give_back(server, waiter.answer().json["grants"])


def test_none_is_held_after_a_timeout(server, name):
    server.acquire(f"{name}.1")
    for timeout in (0, 0.1):
        refused(server.call("POST", "/v1/acquire",
                            {"targets": targets(name, 3), "timeout": timeout}), 409, "timeout")
    assert server.get(f"/v1/locks/{name}.0")["locked"] is False
    assert server.get(f"/v1/locks/{name}.1")["waiters"] == 0


def test_every_order_gets_through(server, name):
    done = []

    def work(order):
        for _ in range(30):
            wanted = targets(name, 4)
            if order:
                wanted.reverse()
            give_back(server, server.post("/v1/acquire", targets=wanted)["grants"])
        done.append(order)
    threads = [threading.Thread(target=work, args=(number % 2,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 6


def test_a_client_that_leaves_holds_nothing(server, name):
    token = server.acquire(f"{name}.1")
    waiter = server.send("POST", "/v1/acquire", {"targets": targets(name, 2)})
    server.wait_for(f"/v1/locks/{name}.1", waiters=1)
    waiter.close()
    server.wait_for(f"/v1/locks/{name}.1", waiters=0)
    server.release(f"{name}.1", token)
    assert server.get(f"/v1/locks/{name}.0")["locked"] is False


@pytest.mark.parametrize("wanted, field", [
    ([], "targets"), ("x", "targets"), ([7], "targets[0]"), ([{"kind": "lock"}], "targets[0].name"),
    ([{"name": "a"}], "targets[0].kind"), ([{"kind": "event", "name": "a"}], "targets[0].kind"),
    ([lock("a"), lock("a")], "targets[1]"), ([{**lock("a"), "mode": "shared"}], "targets[0].mode"),
    ([{**lock("a"), "count": 2}], "targets[0].count"), ([{**lock("a"), "x": 2}], "targets[0].x"),
    ([{"kind": "rwlock", "name": "a", "mode": "both"}], "targets[0].mode"),
    ([lock("")], "targets[0].name"), (targets("a", 65), "targets")])
def test_bad_targets_are_named(server, wanted, field):
    problem = refused(server.call("POST", "/v1/acquire", {"targets": wanted}), 400,
                      "invalid_argument")
    assert problem["field"] == field


def test_release_goes_on_after_a_failure(server, name):
    grants = server.post("/v1/acquire", targets=targets(name, 3))["grants"]
    server.release(grants[1]["name"], grants[1]["token"])
    problem = refused(server.call("POST", "/v1/release", {"grants": [
        {key: one[key] for key in ("kind", "name", "token")} for one in grants]}), 409, "not_held")
    assert problem["released"] == 2


# ---- the first of several ----------------------------------------------------------------------

def test_the_first_that_is_ready_wins(server, name):
    server.acquire(f"{name}.0")
    answer = server.post("/v1/wait", targets=targets(name, 3))
    assert (answer["index"], answer["name"]) == (1, f"{name}.1")
    assert server.get(f"/v1/locks/{name}.2")["locked"] is False
    server.release(answer["name"], answer["token"])


@pytest.mark.parametrize("winner", range(5))
def test_whichever_becomes_ready_ends_the_wait(server, name, winner):
    held = server.acquire(name)
    permit = server.post(f"/v1/semaphores/{name}/acquire")["token"]
    server.put(f"/v1/latches/{name}", count=1)
    server.put(f"/v1/events/{name}")
    server.put(f"/v1/queues/{name}")
    kinds = ["lock", "semaphore", "latch", "event", "queue"]
    waiter = server.send("POST", "/v1/wait", {
        "targets": [{"kind": kind, "name": name} for kind in kinds]})
    server.wait_for(f"/v1/queues/{name}", getters=1)
    make_ready = [
        lambda: server.release(name, held),
        lambda: server.post(f"/v1/semaphores/{name}/release", token=permit),
        lambda: server.post(f"/v1/latches/{name}/count_down"),
        lambda: server.post(f"/v1/events/{name}/set"),
        lambda: server.post(f"/v1/queues/{name}/put", json=1)]
    make_ready[winner]()
    answer = waiter.answer().json
    assert (answer["index"], answer["kind"]) == (winner, kinds[winner])
    assert ("token" in answer) is (winner < 2)
    assert server.get(f"/v1/locks/{name}")["waiters"] == 0
    assert server.get(f"/v1/queues/{name}")["getters"] == 0
    if winner != 0:
        server.release(name, held)
        assert server.get(f"/v1/locks/{name}")["locked"] is False
    if winner == 4:
        assert server.get(f"/v1/queues/{name}")["size"] == 1


def test_what_two_grant_at_once_is_had_once(server, name):
    for _ in range(30):
        tokens = [server.acquire(f"{name}.{number}") for number in range(3)]
        waiter = server.send("POST", "/v1/wait", {"targets": targets(name, 3)})
        server.wait_for(f"/v1/locks/{name}.2", waiters=1)
        for number in (2, 1, 0):
            server.send("POST", f"/v1/locks/{name}.{number}/release", {"token": tokens[number]})
        answer = waiter.answer().json
        others = {0, 1, 2} - {answer["index"]}
        for other in others:
            server.wait_for(f"/v1/locks/{name}.{other}", locked=False)
        server.release(answer["name"], answer["token"])


def test_wait_times_out_and_is_left(server, name):
    server.acquire(f"{name}.0")
    server.acquire(f"{name}.1")
    begin = time.monotonic()
    refused(server.call("POST", "/v1/wait", {"targets": targets(name, 2), "timeout": 0.2}),
            409, "timeout")
    assert time.monotonic() - begin >= 0.2
    waiter = server.send("POST", "/v1/wait", {"targets": targets(name, 2)})
    server.wait_for(f"/v1/locks/{name}.1", waiters=1)
    waiter.reset()
    server.wait_for(f"/v1/locks/{name}.1", waiters=0)
    assert server.get(f"/v1/locks/{name}.0")["waiters"] == 0


def test_deletion_of_one_ends_the_wait(server, name):
    server.acquire(f"{name}.0")
    server.put(f"/v1/events/{name}")
    waiter = server.send("POST", "/v1/wait", {"targets": [
        lock(f"{name}.0"), {"kind": "event", "name": name}]})
    server.wait_for(f"/v1/locks/{name}.0", waiters=1)
    wait_until(lambda: server.get(f"/v1/events/{name}")["waiters"] == 1)
    assert server.call("DELETE", f"/v1/events/{name}").status == 204
    refused(waiter.answer(), 410, "deleted")
    assert server.get(f"/v1/locks/{name}.0")["waiters"] == 0


def test_end_of_the_session_ends_both_kinds_of_wait(server, name):
    session = server.call("POST", "/v1/sessions", {}).json["id"]
    server.acquire(f"{name}.0")
    server.acquire(f"{name}.1")
    waiters = [server.send("POST", target, {"targets": targets(name, 2), "session": session})
               for target in ("/v1/wait", "/v1/acquire")]
    server.wait_for(f"/v1/locks/{name}.0", waiters=2)
    assert server.call("DELETE", f"/v1/sessions/{session}").status == 204
    for waiter in waiters:
        refused(waiter.answer(), 410, "session_ended")
    server.wait_for(f"/v1/locks/{name}.1", waiters=0)
