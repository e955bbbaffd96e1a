"""Conditions over HTTP: their locks, waiting, notifying, timeouts, leaving, deleting, repeats."""
import itertools
import time

import pytest

from client import wait_until
from freeze import frozen
from places import SLOWNESS

_keys = itertools.count(1)


def url(name, operation=None):
    """The path of the condition NAME."""
    return f"/v1/conditions/{name}" + (f"/{operation}" if operation else "")


def acquire(server, name, **body):
    """The token of the condition's lock, which can be had now."""
    return server.post(url(name, "acquire"), **{"timeout": 0, **body})["token"]


def release(server, name, token):
    """Releases the lock."""
    return server.post(url(name, "release"), token=token)


def park(server, name, token=None, **body):
    """A connection that waits for the condition."""
    token = token or acquire(server, name)
    before = server.get(url(name))["waiters"]
    connection = server.send("POST", url(name, "wait"), {"token": token, **body})
    server.wait_for(url(name), waiters=before + 1)
    return connection


def notify(server, name, operation="notify", **body):
    """Notifies, with the lock just for that; how many were told."""
    token = acquire(server, name, timeout=5)
    told = server.post(url(name, operation), token=token, **body)["notified"]
    release(server, name, token)
    return told


def refused(answer, status, code):
    """Asserts that ANSWER is this problem."""
    assert (answer.status, answer.code) == (status, code), answer


def is_free(server, name):
    """Whether the lock can be had now; it is given back."""
    answer = server.call("POST", url(name, "acquire"), {"timeout": 0})
    if answer.status == 200:
        release(server, name, answer.json["token"])
    return answer.status == 200


# ---- as an object ----------------------------------------------------------------------------

def test_one_has_an_rlock_of_its_own(server, name):
    refused(server.call("GET", url(name)), 404, "not_found")
    view = {"name": name, "lock": {"kind": "rlock", "name": name}, "waiters": 0, "queue": []}
    answer = server.call("PUT", url(name))
    assert (answer.status, answer.json) == (201, view)
    for body in ({}, {"rlock": name}):
        answer = server.call("PUT", url(name), body)
        assert (answer.status, answer.json) == (200, view)
    assert server.get(url(name)) == view


@pytest.mark.parametrize("kind", ["lock", "rlock"])
def test_one_is_bound_to_the_lock_it_is_made_with(server, name, kind):
    view = {"name": name, "lock": {"kind": kind, "name": f"{name}-☃"}, "waiters": 0, "queue": []}
    answer = server.call("PUT", url(name), {kind: f"{name}-☃"})
    assert (answer.status, answer.json) == (201, view)
    for body in ({}, {kind: f"{name}-☃"}):
        answer = server.call("PUT", url(name), body)
        assert (answer.status, answer.json) == (200, view)
    other = "lock" if kind == "rlock" else "rlock"
    for body in ({other: f"{name}-☃"}, {kind: name}):
        answer = server.call("PUT", url(name), body)
        refused(answer, 409, "conflict")
        assert f'exists with {kind}="{name}-☃"' in answer.json["detail"]


@pytest.mark.parametrize("body, field", [
    ({"lock": "a", "rlock": "a"}, "rlock"), ({"lock": ""}, "lock"), ({"rlock": ""}, "rlock"),
    ({"lock": "x" * 256}, "lock"), ({"lock": "a\0"}, "lock"), ({"lock": 1}, "lock"),
    ({"lock": None}, "lock"), ({"name": "a"}, "name")])
def test_wrong_options(server, name, body, field):
    answer = server.call("PUT", url(name), body)
    refused(answer, 400, "invalid_argument")
    assert answer.json["field"] == field
    refused(server.call("GET", url(name)), 404, "not_found")


@pytest.mark.parametrize("operation, body, field", [
    ("acquire", {"timeout": -1}, "timeout"), ("acquire", {"lease": 0}, "lease"),
    ("acquire", {"token": "1"}, "token"), ("release", {}, "token"),
    ("release", {"token": 1}, "token"), ("wait", {}, "token"), ("wait", {"token": "0"}, "token"),
    ("wait", {"token": "1", "timeout": 301}, "timeout"),
    ("wait", {"token": "1", "lease": 0}, "lease"), ("wait", {"token": "1", "count": 1}, "count"),
    ("notify", {}, "token"), ("notify", {"token": "1", "count": 0}, "count"),
    ("notify", {"token": "1", "count": 1.5}, "count"), ("notify_all", {}, "token"),
    ("notify_all", {"token": "1", "count": 1}, "count")])
def test_wrong_fields(server, name, operation, body, field):
    answer = server.call("POST", url(name, operation), body)
    refused(answer, 400, "invalid_argument")
    assert answer.json["field"] == field
    refused(server.call("GET", url(name)), 404, "not_found")


def test_conditions_are_listed(start):
    server = start()
    for number in range(10):
        server.put(url(f"c{number}"), lock=f"l{number}")
    page = server.get("/v1/conditions")
    assert page["cursor"] is None
    assert sorted(one["lock"]["name"] for one in page["conditions"]) == [f"l{n}" for n in range(10)]


# ---- the lock --------------------------------------------------------------------------------

def test_acquire_makes_the_condition_and_excludes(server, name):
    answer = server.call("POST", url(name, "acquire"), {"lease": 5})
    grant = answer.json
    assert grant.pop("token") and grant == {
        "name": name, "lease": 5, "owner_died": False, "depth": 1}
    answer = server.call("POST", url(name, "acquire"), {"timeout": 0})
    refused(answer, 409, "timeout")
    assert answer.json["detail"] == f'the condition "{name}" has a lock that is held'


def test_release_lets_the_next_acquire_in(server, name):
    tokens = [acquire(server, name)]
    waiters = [server.send("POST", url(name, "acquire")) for _ in range(3)]
    assert all(waiter.is_quiet(0.02) for waiter in waiters)
    for _ in waiters:
        assert release(server, name, tokens[-1]) == {"name": name, "released": True, "depth": 0}
        index = wait_until(lambda: next(
            (i + 1 for i, waiter in enumerate(waiters) if not waiter.is_quiet(0)), None)) - 1
        tokens.append(waiters.pop(index).answer().json["token"])
    assert [int(token) for token in tokens] == sorted(map(int, tokens))


def test_a_plain_lock_has_no_depth(server, name):
    server.put(url(name), lock=name)
    grant = server.post(url(name, "acquire"))
    assert "depth" not in grant
    assert release(server, name, grant["token"]) == {"name": name, "released": True}


def test_a_lock_that_others_hold(server, name):
    server.put(url(name), lock=name)
    token = server.acquire(name)
    refused(server.call("POST", url(name, "acquire"), {"timeout": 0}), 409, "timeout")
    assert server.post(url(name, "notify"), token=token) == {"name": name, "notified": 0}


def test_a_lost_lease_frees_the_lock(server, name):
    token = acquire(server, name, lease=0.05)
    grant = server.post(url(name, "acquire"), timeout=5)
    assert grant["owner_died"] is True
    for operation in ("release", "wait", "notify", "notify_all"):
        answer = server.call("POST", url(name, operation), {"token": token})
        assert answer.status == 409 and answer.code in ("lease_lost", "stale_token"), answer


@pytest.mark.parametrize("operation", ["release", "wait", "notify", "notify_all"])
def test_only_the_token_of_a_grant_that_stands_counts(server, name, operation):
    refused(server.call("POST", url(name, operation), {"token": "1"}), 404, "not_found")
    old = acquire(server, name)
    release(server, name, old)
    refused(server.call("POST", url(name, operation), {"token": old}), 409, "not_held")
    new = acquire(server, name)
    answer = server.call("POST", url(name, operation), {"token": old})
    refused(answer, 409, "stale_token")
    assert old in answer.json["detail"] and name in answer.json["detail"]
    answer = server.call("POST", url(name, operation), {"token": str(int(new) + 5)})
    assert answer.status == 409 and answer.code in ("not_held", "stale_token")
    release(server, name, new)


# ---- waiting and notifying -------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["lock", "rlock"])
def test_a_wait_gives_the_lock_up_and_returns_with_it(server, name, kind):
    server.put(url(name), **{kind: name})
    token = acquire(server, name)
    waiter = park(server, name, token, lease=5)
    notifier = acquire(server, name)  # it is free
    assert server.post(url(name, "notify"), token=notifier) == {"name": name, "notified": 1}
    assert waiter.is_quiet(0.02)  # not before the lock can be had
    release(server, name, notifier)
    grant = waiter.answer().json
    assert int(grant["token"]) > int(notifier) > int(token)
    assert (grant["notified"], grant["lease"], grant["owner_died"]) == (True, 5, False)
    assert ("depth" in grant) == (kind == "rlock")
    assert not is_free(server, name)
    release(server, name, grant["token"])
    assert is_free(server, name)


def test_notify_is_for_those_who_wait_the_longest(server, name):
    waiters = [park(server, name) for _ in range(6)]
    for count, body in ((1, {}), (2, {"count": 2}), (3, {"count": 100})):
        assert notify(server, name, **body) == count
        for waiter in waiters[:count]:
            release(server, name, waiter.answer().json["token"])
        del waiters[:count]
        assert all(waiter.is_quiet(0.01) for waiter in waiters)
    assert notify(server, name) == 0


def test_notify_all_lets_everyone_go_on_one_after_the_other(server, name):
    waiters = [park(server, name) for _ in range(10)]
    assert notify(server, name, "notify_all") == 10
    for waiter in waiters:
        release(server, name, waiter.answer().json["token"])
    assert server.get(url(name))["waiters"] == 0
    assert is_free(server, name)


def test_a_notify_before_the_wait_is_not_kept(server, name):
    assert notify(server, name) == 0
    waiter = park(server, name)
    assert waiter.is_quiet(0.05)
    notify(server, name)
    assert waiter.answer().json["notified"] is True


def test_the_owner_before_died(server, name):
    waiter = park(server, name)
    token = acquire(server, name, lease=0.2)
    server.post(url(name, "notify"), token=token)
    assert waiter.answer().json["owner_died"] is True


@pytest.mark.parametrize("timeout", [0, 0.1])
def test_a_timeout_comes_with_the_lock(server, name, timeout):
    token = acquire(server, name)
    begin = time.monotonic()
    body = {"token": token, "timeout": timeout, "lease": 7}
    answer = server.call("POST", url(name, "wait"), body)
    refused(answer, 409, "timeout")
    assert timeout <= time.monotonic() - begin < timeout + 0.5 * SLOWNESS
    problem = answer.json
    assert int(problem["token"]) > int(token)
    assert (problem["lease"], problem["owner_died"], problem["depth"]) == (7, False, 1)
    assert name in problem["detail"] and "notified" in problem["detail"]
    assert not is_free(server, name)
    release(server, name, problem["token"])
    assert server.get(url(name))["waiters"] == 0


def test_a_timeout_waits_for_the_lock(server, name):
    waiter = park(server, name, timeout=0.05)
    token = acquire(server, name)
    server.wait_for(url(name), waiters=0)
    assert waiter.is_quiet(0.05)
    release(server, name, token)
    answer = waiter.answer()
    refused(answer, 409, "timeout")
    release(server, name, answer.json["token"])


def test_a_wait_that_was_polled_lets_others_in(server, name):
    token = acquire(server, name)
    other = server.send("POST", url(name, "acquire"))
    assert other.is_quiet(0.05)
    waiter = server.send("POST", url(name, "wait"), {"token": token, "timeout": 0})
    release(server, name, other.answer().json["token"])
    refused(waiter.answer(), 409, "timeout")


# ---- what ends a wait otherwise --------------------------------------------------------------

@pytest.mark.parametrize("way", ["close", "reset"])
def test_who_leaves_waits_no_longer_and_holds_nothing(server, name, way):
    leaver, stayer = park(server, name), park(server, name)
    getattr(leaver, way)()
    server.wait_for(url(name), waiters=1)
    assert is_free(server, name)
    assert notify(server, name) == 1
    assert stayer.answer().status == 200


@pytest.mark.parametrize("way", ["close", "reset"])
def test_who_leaves_while_it_waits_for_the_lock(server, name, way):
    leaver, stayer = park(server, name), park(server, name)
    token = acquire(server, name)
    assert server.post(url(name, "notify_all"), token=token)["notified"] == 2
    getattr(leaver, way)()
    release(server, name, token)
    release(server, name, stayer.answer().json["token"])
    wait_until(lambda: is_free(server, name))


@pytest.mark.parametrize("way", ["close", "reset"])
def test_a_lock_on_its_way_to_who_left_goes_to_the_next(server, name, way):
    for _ in range(5):
        leaver, stayer = park(server, name), park(server, name)
        token = acquire(server, name)
        server.post(url(name, "notify_all"), token=token)
        releaser = server.connect()
        with frozen(server.pid):
            releaser.send("POST", url(name, "release"), {"token": token})
            getattr(leaver, way)()
        release(server, name, stayer.answer().json["token"])
        assert releaser.answer().status == 200
        wait_until(lambda: is_free(server, name))


def test_delete_ends_every_wait_without_the_lock(server, name):
    refused(server.call("DELETE", url(name)), 404, "not_found")
    waiters = [park(server, name) for _ in range(3)]
    assert server.call("DELETE", url(name)).status == 204
    for waiter in waiters:
        refused(waiter.answer(), 410, "deleted")
    server.put(url(name))
    assert is_free(server, name)


def test_the_lock_is_deleted(server, name):
    server.put(url(name), lock=name)
    waiter = park(server, name)
    token = acquire(server, name)
    server.post(url(name, "notify"), token=token)
    assert server.call("DELETE", f"/v1/locks/{name}").status == 204
    refused(waiter.answer(), 410, "deleted")


def test_a_stopping_server_answers_who_waits(start):
    server = start()
    waiters = [park(server, "x") for _ in range(2)]
    token = acquire(server, "x")
    server.post(url("x", "notify"), token=token)
    assert server.stop() == 0
    for waiter in waiters:
        refused(waiter.answer(), 503, "shutting_down")


# ---- sessions and owners ---------------------------------------------------------------------

def session(server):
    """The id of a new session."""
    answer = server.call("POST", "/v1/sessions", {"label": "crew"})
    assert answer.status == 201, answer
    return answer.json["id"]


def test_an_rlock_is_as_deep_as_before(server, name):
    who = {"session": session(server), "owner": "worker 1"}
    token = acquire(server, name, **who)
    grant = server.post(url(name, "acquire"), **who)
    assert (grant["token"], grant["depth"], grant["lease"]) == (token, 2, None)
    waiter = park(server, name, token, **who)
    other = acquire(server, name)
    server.post(url(name, "notify"), token=other)
    release(server, name, other)
    grant = waiter.answer().json
    assert (grant["depth"], grant["lease"]) == (2, None)
    assert release(server, name, grant["token"])["depth"] == 1
    assert not is_free(server, name)
    assert release(server, name, grant["token"])["depth"] == 0
    assert is_free(server, name)


@pytest.mark.parametrize("who", [{}, {"owner": "worker 1"}, {"session": True, "owner": "w"}])
def test_the_token_says_for_whom_the_wait_is(server, name, who):
    if "session" in who:
        who = {**who, "session": session(server)}
    waiter = park(server, name, acquire(server, name, **who))
    queue = server.get(url(name))["queue"]
    assert [one["owner"]["thread"] for one in queue] == [who.get("owner")]
    assert [one["owner"]["session"] for one in queue] == [who.get("session")]
    assert notify(server, name) == 1
    grant = waiter.answer().json
    holder = server.get(f"/v1/rlocks/{name}")["holders"][0]
    assert (holder["token"], holder["owner"]["thread"]) == (grant["token"], who.get("owner"))
    release(server, name, grant["token"])


@pytest.mark.parametrize("operation", ["wait", "notify", "release"])
def test_another_owner_cannot_use_the_token(server, name, operation):
    token = acquire(server, name, owner="worker 1")
    body = {"token": token, "owner": "worker 2"}
    refused(server.call("POST", url(name, operation), body), 409, "not_held")
    release(server, name, token)


@pytest.mark.parametrize("stage", ["condition", "lock", "lock after a timeout"])
@pytest.mark.parametrize("named", [True, False])
def test_the_end_of_its_session_ends_a_wait(server, name, stage, named):
    one = session(server)
    token = acquire(server, name, session=one)
    timeout = 0.1 if stage == "lock after a timeout" else 30
    waiter = park(server, name, token, timeout=timeout, **({"session": one} if named else {}))
    held = acquire(server, name)
    if stage == "lock":
        server.post(url(name, "notify"), token=held)
    if stage != "condition":
        server.wait_for(url(name), waiters=0)
    assert server.call("DELETE", f"/v1/sessions/{one}").status == 204
    refused(waiter.answer(), 410, "session_ended")
    assert server.get(url(name))["waiters"] == 0
    release(server, name, held)
    assert is_free(server, name)


@pytest.mark.parametrize("operation", ["acquire", "release", "wait", "notify", "notify_all"])
def test_a_session_that_never_was(server, name, operation):
    body = {"session": "1.2.3"} if operation == "acquire" else {"session": "1.2.3", "token": "1"}
    answer = server.call("POST", url(name, operation), body)
    refused(answer, 410, "session_ended")
    assert answer.json["field"] == "session"
    refused(server.call("GET", url(name)), 404, "not_found")


def test_a_broken_grant(server, name):
    token = acquire(server, name)
    server.post(f"/v1/rlocks/{name}/break", reason="stuck")
    for operation in ("wait", "notify", "release"):
        answer = server.call("POST", url(name, operation), {"token": token})
        refused(answer, 409, "revoked")
        assert "stuck" in answer.json["detail"]


# ---- repeats ---------------------------------------------------------------------------------

def test_a_repeated_wait_has_the_same_grant(server, name):
    key = [("Idempotency-Key", f"condition-{next(_keys)}")]
    body = {"token": acquire(server, name), "timeout": 5}
    first = server.send("POST", url(name, "wait"), body, key)
    server.wait_for(url(name), waiters=1)
    again = server.send("POST", url(name, "wait"), body, key)
    assert again.is_quiet(0.02)
    assert notify(server, name) == 1
    assert first.answer().json == again.answer().json


def test_a_repeat_of_a_timeout_has_the_same_grant(server, name):
    key = [("Idempotency-Key", f"condition-{next(_keys)}")]
    body = {"token": acquire(server, name), "timeout": 0}
    first = server.call("POST", url(name, "wait"), body, key)
    again = server.call("POST", url(name, "wait"), body, key)
    refused(first, 409, "timeout")
    assert first.json == again.json and again.header("Idempotency-Replayed") == "true"
    release(server, name, again.json["token"])


def test_a_repeated_notify_notifies_once(server, name):
    key = [("Idempotency-Key", f"condition-{next(_keys)}")]
    waiters = [park(server, name) for _ in range(2)]
    token = acquire(server, name)
    for replayed in (None, "true"):
        answer = server.call("POST", url(name, "notify"), {"token": token}, key)
        assert answer.json["notified"] == 1
        assert answer.header("Idempotency-Replayed") == replayed
    assert server.get(url(name))["waiters"] == 1
    assert all(waiter.is_quiet(0.01) for waiter in waiters)  # the lock is still held
