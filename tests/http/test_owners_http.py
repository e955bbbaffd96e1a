"""For whom a request acts: owners of a session, owners without one, and the anonymous."""
import pytest


def refused(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer


def make(server, **body):
    return server.call("POST", "/v1/sessions", body).json["id"]


def test_the_same_key_without_a_session_is_the_same_owner(server, name):
    first = server.post(f"/v1/rlocks/{name}/acquire", owner="ann")
    again = server.post(f"/v1/rlocks/{name}/acquire", owner="ann")
    assert again["token"] == first["token"]
    assert (first["depth"], again["depth"]) == (1, 2)
    refused(server.call("POST", f"/v1/rlocks/{name}/acquire", {"owner": "bob", "timeout": 0}),
            409, "timeout")
    refused(server.call("POST", f"/v1/rlocks/{name}/release",
                        {"token": first["token"], "owner": "bob"}), 409, "not_held")


def test_one_key_in_two_sessions_is_two_owners(server, name):
    one, two = make(server), make(server)
    server.post(f"/v1/rlocks/{name}/acquire", session=one, owner="ann")
    for body in ({"session": two, "owner": "ann"}, {"owner": "ann"}, {"session": one}, {}):
        refused(server.call("POST", f"/v1/rlocks/{name}/acquire", {**body, "timeout": 0}),
                409, "timeout")
    assert server.post(f"/v1/rlocks/{name}/acquire", session=one, owner="ann")["depth"] == 2


@pytest.mark.parametrize("kind", ["locks", "rlocks", "rwlocks"])
def test_the_anonymous_are_strangers_to_each_other(server, name, kind):
    token = server.post(f"/v1/{kind}/{name}/acquire")["token"]
    refused(server.call("POST", f"/v1/{kind}/{name}/acquire", {"timeout": 0}), 409, "timeout")
    server.post(f"/v1/{kind}/{name}/release", token=token)


def test_strangers_share_an_rwlock_by_tokens_of_their_own(server, name):
    tokens = [server.post(f"/v1/rwlocks/{name}/acquire", mode="shared")["token"] for _ in range(5)]
    assert len(set(tokens)) == 5
    for token in tokens:
        server.post(f"/v1/rwlocks/{name}/release", token=token)
    assert server.get(f"/v1/rwlocks/{name}")["mode"] == "free"


def test_any_owner_of_the_session_may_release_its_lock(server, name):
    session, other = make(server), make(server)
    token = server.post(f"/v1/locks/{name}/acquire", session=session, owner="ann")["token"]
    for body in ({"session": other}, {"owner": "bob"}):
        refused(server.call("POST", f"/v1/locks/{name}/release", {"token": token, **body}),
                409, "not_held")
    server.post(f"/v1/locks/{name}/release", token=token, session=session, owner="bob")


def test_the_token_alone_says_who(server, name):
    session = make(server)
    for kind in ("locks", "rlocks", "rwlocks", "semaphores"):
        token = server.post(f"/v1/{kind}/{name}/acquire", session=session, owner="ann")["token"]
        server.post(f"/v1/{kind}/{name}/renew", token=token, lease=30)
        server.post(f"/v1/{kind}/{name}/release", token=token)
        assert server.get(f"/v1/{kind}/{name}")["holders"] == []


def test_owners_are_shown(server, name):
    session = make(server, label="nightly build")
    token = server.post(f"/v1/locks/{name}/acquire", session=session, owner="worker 1")["token"]
    waiter = server.send("POST", f"/v1/locks/{name}/acquire", {"owner": "ann"})
    server.wait_for(f"/v1/locks/{name}", waiters=1)
    view = server.get(f"/v1/locks/{name}")
    assert view["holders"][0]["owner"] == {
        "door": "http", "session": session, "label": "nightly build", "pid": None,
        "thread": "worker 1"}
    assert view["queue"][0]["owner"] == {
        "door": "http", "session": None, "label": "ann", "pid": None, "thread": "ann"}
    assert view["queue"][0]["waiting"] >= 0
    server.release(name, token)
    assert waiter.answer().status == 200


def test_a_session_has_a_limit_of_owners_that_hold_something(server, name):
    session = make(server)
    for number in range(3000):  # more than the limit, but idle ones are forgotten
        grant = server.post(f"/v1/rlocks/{name}/acquire", session=session, owner=f"o{number}")
        server.post(f"/v1/rlocks/{name}/release", token=grant["token"])
    for number in range(1024):
        server.post(f"/v1/rwlocks/{name}/acquire", session=session, owner=f"o{number}",
                    mode="shared")
    answer = server.call("POST", f"/v1/rwlocks/{name}/acquire",
                         {"session": session, "owner": "one more", "mode": "shared"})
    refused(answer, 503, "limit_reached")
    assert server.get(f"/v1/rwlocks/{name}")["shared"] == 1024
    assert server.call("DELETE", f"/v1/sessions/{session}").status == 204
    assert server.get(f"/v1/rwlocks/{name}")["mode"] == "free"


@pytest.mark.parametrize("field", ["session", "owner"])
@pytest.mark.parametrize("value", [7, None, "x" * 64, "a\0b", ["x"]])
def test_bad_words_are_named(server, name, field, value):
    answer = server.call("POST", f"/v1/locks/{name}/acquire", {field: value})
    refused(answer, 400, "invalid_argument")
    assert answer.json["field"] == field
