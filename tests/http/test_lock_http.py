"""Locks over HTTP: grants and their tokens, waiting, leases, options, deletion, listing."""
import datetime
import time
from urllib.parse import quote

import pytest

from client import PATIENCE, wait_until
from places import SLOWNESS


def url(name, operation=None):
    """The path of the lock NAME."""
    return f"/v1/locks/{quote(name, safe='')}" + (f"/{operation}" if operation else "")


def park(server, name, **body):
    """A connection that waits for the lock."""
    before = server.get(url(name))["waiters"]
    connection = server.send("POST", url(name, "acquire"), body)
    server.wait_for_waiters(name, before + 1)
    return connection


def refused(answer, status, code):
    """Asserts that ANSWER is this problem."""
    assert (answer.status, answer.code) == (status, code), answer


# ---- acquire and release ---------------------------------------------------------------------

def test_acquire_without_a_body_on_a_fresh_server(start):
    server = start()
    answer = server.call("POST", "/v1/locks/deploy/acquire")
    assert answer.status == 200
    assert answer.json["name"] == "deploy"
    assert answer.json["lease"] == 60
    assert answer.json["owner_died"] is False
    assert int(answer.json["token"]) > 0


def test_view_follows_the_lock(server, name):
    assert server.call("GET", url(name)).status == 404
    begin = datetime.datetime.now(datetime.timezone.utc)
    token = server.acquire(name, lease=30, owner="Zoë at web-3")
    view = server.get(url(name))
    owner, (holder,) = view.pop("owner"), view.pop("holders")
    free = {"name": name, "fair": False, "lock_delay": 0, "on_deadlock": "fail", "waiters": 0,
            "queue": []}
    assert view == {**free, "locked": True, "token": token}
    assert holder["token"] == token and 0 < holder["lease_remaining"] <= 30
    assert holder["owner"] == {"door": "http", "session": None, "label": "Zoë at web-3",
                               "pid": None, "thread": "Zoë at web-3"}
    assert 0 < owner.pop("lease_remaining") <= 30
    since = datetime.datetime.fromisoformat(owner.pop("since").replace("Z", "+00:00"))
    assert abs((since - begin).total_seconds()) < 2 * PATIENCE
    assert owner == {"door": "http", "label": "Zoë at web-3", "pid": None}
    server.release(name, token)
    assert server.get(url(name)) == {**free, "locked": False, "token": None, "owner": None,
                                     "holders": []}


def test_owner_without_a_word_still_has_a_label(server, name):
    server.acquire(name)
    assert isinstance(server.get(url(name))["owner"]["label"], str)


def test_release_lets_the_next_acquire_in(server, name):
    tokens = []
    for _ in range(5):
        tokens.append(int(server.acquire(name)))
        server.release(name, str(tokens[-1]))
    assert tokens == sorted(set(tokens))


def test_release_of_what_is_free_is_not_held(server, name):
    token = server.acquire(name)
    server.release(name, token)
    for operation in ("release", "renew"):
        refused(server.call("POST", url(name, operation), {"token": token}), 409, "not_held")


def test_token_before_the_newest_grant_is_stale(server, name):
    old = server.acquire(name)
    server.release(name, old)
    new = server.acquire(name)
    for operation in ("release", "renew"):
        refused(server.call("POST", url(name, operation), {"token": old}), 409, "stale_token")
    assert server.get(url(name))["token"] == new
    server.release(name, new)


@pytest.mark.parametrize("distance", [1, -1, 1 << 32, -(1 << 32), (1 << 63)])
def test_wrong_token_does_not_release(server, name, distance):
    token = server.acquire(name)
    wrong = str((int(token) + distance) % (1 << 64) or 1)
    for operation in ("release", "renew"):
        answer = server.call("POST", url(name, operation), {"token": wrong})
        assert answer.status == 409 and answer.code in ("stale_token", "not_held"), answer
    assert server.get(url(name))["token"] == token


def test_release_of_a_lock_that_does_not_exist(server, name):
    for operation in ("release", "renew"):
        refused(server.call("POST", url(name, operation), {"token": "1"}), 404, "not_found")
    assert server.call("GET", url(name)).status == 404


# ---- waiting ---------------------------------------------------------------------------------

def test_timeout_zero_answers_at_once(server, name):
    server.acquire(name)
    begin = time.monotonic()
    refused(server.call("POST", url(name, "acquire"), {"timeout": 0}), 409, "timeout")
    assert time.monotonic() - begin < 0.5 * SLOWNESS


def test_short_timeout_is_kept(server, name):
    server.acquire(name)
    begin = time.monotonic()
    refused(server.call("POST", url(name, "acquire"), {"timeout": 0.15}), 409, "timeout")
    assert 0.15 <= time.monotonic() - begin < 0.65 * SLOWNESS
    assert server.get(url(name))["waiters"] == 0


def test_absent_timeout_is_the_limit_of_the_server(start):
    server = start(config={"http": {"long_poll": 0.2}})
    server.acquire("x")
    begin = time.monotonic()
    refused(server.call("POST", url("x", "acquire")), 409, "timeout")
    assert 0.2 <= time.monotonic() - begin < 0.7 * SLOWNESS
    answer = server.call("POST", url("x", "acquire"), {"timeout": 0.3})
    refused(answer, 400, "invalid_argument")
    assert answer.json["field"] == "timeout"
    assert "0.2" in answer.json["expected"] + answer.json["detail"]


def test_many_deadlines_end_in_their_order(server, name):
    server.acquire(name)
    waits = {number: server.send("POST", url(name, "acquire"), {"timeout": number / 1000})
             for number in (300, 100, 200, 150, 250)}
    begin = time.monotonic()
    for number in sorted(waits):
        refused(waits[number].answer(), 409, "timeout")
    assert time.monotonic() - begin < 0.3 + 0.5 * SLOWNESS


def test_waiter_is_granted_by_the_release(server, name):
    token = server.acquire(name)
    waiter = park(server, name, lease=5)
    server.release(name, token)
    granted = waiter.answer().json
    assert int(granted["token"]) > int(token)
    assert granted["owner_died"] is False
    assert granted["lease"] == 5
    view = server.get(url(name))
    assert view["token"] == granted["token"] and view["waiters"] == 0
    assert view["owner"]["lease_remaining"] > 3


@pytest.mark.parametrize("fair", [True, False])
def test_waiters_over_http_are_granted_in_order_of_arrival(server, name, fair):
    server.put(url(name), fair=fair)
    token = server.acquire(name)
    waiters = [park(server, name) for _ in range(8)]
    for index, waiter in enumerate(waiters):
        server.release(name, token)
        token = waiter.answer().json["token"]
        assert server.get(url(name))["waiters"] == len(waiters) - index - 1
        assert all(other.is_quiet(0) for other in waiters[index + 1:])
    server.release(name, token)


def test_waiters_on_one_name_do_not_wake_those_of_another(server, name):
    one, two = name + "a", name + "b"
    token, other = server.acquire(one), server.acquire(two)
    waiters = [park(server, one), park(server, two)]
    server.release(one, token)
    waiters[0].answer()
    assert waiters[1].is_quiet(0.05)
    server.release(two, other)
    assert waiters[1].answer().status == 200


# ---- leases ----------------------------------------------------------------------------------

def test_lost_lease_frees_the_lock_and_is_told_to_the_old_owner(server, name):
    token = server.acquire(name, lease=0.05)
    server.wait_for(url(name), locked=False)
    for operation in ("release", "renew"):
        refused(server.call("POST", url(name, operation), {"token": token}), 409, "lease_lost")


def test_lost_lease_goes_to_the_waiter(server, name):
    begin = time.monotonic()
    old = server.acquire(name, lease=0.2)
    waiter = park(server, name)
    granted = waiter.answer().json
    assert 0.2 <= time.monotonic() - begin < 0.7 * SLOWNESS
    assert granted["owner_died"] is True
    assert int(granted["token"]) > int(old)
    for operation in ("release", "renew"):
        refused(server.call("POST", url(name, operation), {"token": old}), 409, "lease_lost")
    server.release(name, granted["token"])


def test_lost_lease_is_told_to_the_next_grant_only(server, name):
    server.acquire(name, lease=0.01)
    server.wait_for(url(name), locked=False)
    died = server.post(url(name, "acquire"))
    assert died["owner_died"] is True
    server.release(name, died["token"])
    assert server.post(url(name, "acquire"))["owner_died"] is False


def test_renew_prolongs_and_shortens_the_lease(server, name):
    token = server.acquire(name, lease=0.3)
    assert server.post(url(name, "renew"), token=token, lease=50) == {
        "name": name, "token": token, "lease": 50}
    assert 48 < server.get(url(name))["owner"]["lease_remaining"] <= 50
    waiter = park(server, name)
    assert waiter.is_quiet(0.4)
    server.post(url(name, "renew"), token=token, lease=0.01)
    assert waiter.answer().json["owner_died"] is True


def test_renew_without_a_lease_uses_the_default(start):
    server = start(config={"locks": {"default_lease": 7}})
    answer = server.post(url("x", "acquire"))
    assert answer["lease"] == 7
    assert server.post(url("x", "renew"), token=answer["token"])["lease"] == 7


def test_lease_of_a_waiter_begins_with_its_grant(server, name):
    token = server.acquire(name)
    waiter = park(server, name, lease=0.4)
    assert waiter.is_quiet(0.5)
    server.release(name, token)
    waiter.answer()
    assert server.get(url(name))["locked"] is True


def test_many_leases_end_independently(server, name):
    names = [f"{name}.{index}" for index in range(50)]
    for index, one in enumerate(names):
        server.acquire(one, lease=0.05 if index % 2 else 60)
    for one in names[1::2]:
        server.wait_for(url(one), locked=False)
    assert all(server.get(url(one))["locked"] for one in names[::2])


# ---- options and deletion --------------------------------------------------------------------

@pytest.mark.parametrize("fair", [True, False])
def test_put_makes_once_and_conflicts_with_other_options(server, name, fair):
    first = server.call("PUT", url(name), {"fair": fair})
    assert first.status == 201 and first.json["fair"] is fair
    again = server.call("PUT", url(name), {"fair": fair})
    assert again.status == 200 and again.json == first.json
    refused(server.call("PUT", url(name), {"fair": not fair}), 409, "conflict")
    assert server.get(url(name)) == first.json


def test_put_without_a_body_makes_a_plain_lock(server, name):
    answer = server.call("PUT", url(name))
    assert answer.status == 201 and answer.json["fair"] is False
    assert server.call("PUT", url(name), {}).status == 200


def test_acquire_makes_a_plain_lock(server, name):
    server.acquire(name)
    assert server.call("PUT", url(name), {"fair": False}).status == 200


def test_lock_and_queue_may_have_the_same_name(server, name):
    server.put(url(name))
    server.put(f"/v1/queues/{name}")
    assert server.call("DELETE", url(name)).status == 204
    assert server.call("GET", f"/v1/queues/{name}").status == 200


def test_delete_removes_the_lock(server, name):
    refused(server.call("DELETE", url(name)), 404, "not_found")
    server.put(url(name))
    assert server.call("DELETE", url(name)).status == 204
    refused(server.call("GET", url(name)), 404, "not_found")
    refused(server.call("DELETE", url(name)), 404, "not_found")


def test_delete_ends_every_wait(server, name):
    token = server.acquire(name)
    waiters = [park(server, name) for _ in range(3)]
    assert server.call("DELETE", url(name)).status == 204
    for waiter in waiters:
        refused(waiter.answer(), 410, "deleted")
    for operation in ("release", "renew"):
        refused(server.call("POST", url(name, operation), {"token": token}), 410, "deleted")


def test_tokens_grow_also_after_a_delete(server, name):
    last = 0
    for _ in range(4):
        for _ in range(3):
            token = server.acquire(name)
            assert int(token) > last
            last = int(token)
            server.release(name, token)
        server.call("DELETE", url(name))


def test_deleted_lock_does_not_let_its_old_token_release_the_new_one(server, name):
    old = server.acquire(name)
    server.call("DELETE", url(name))
    new = server.acquire(name)
    answer = server.call("POST", url(name, "release"), {"token": old})
    assert answer.status in (409, 410), answer
    assert server.get(url(name))["token"] == new


def test_tokens_grow_across_restarts(start, directory):
    path = directory / "same"
    last = 0
    for _ in range(3):
        server = start(socket_path=path)
        for _ in range(3):
            token = server.acquire("x")
            assert int(token) > last
            last = int(token)
            server.release("x", token)
        assert server.stop() == 0


# ---- listing ---------------------------------------------------------------------------------

def walk(server, kind, limit):
    """The names of all objects, page by page, and how many pages it took."""
    names, cursor, pages = [], "", 0
    while cursor is not None:
        more = f"&cursor={quote(cursor, safe='')}" if cursor else ""
        page = server.get(f"/v1/{kind}?limit={limit}{more}")
        assert len(page[kind]) <= limit
        names += [view["name"] for view in page[kind]]
        cursor = page["cursor"]
        pages += 1
        assert pages < 100000
    return names, pages


@pytest.mark.parametrize("kind", ["locks", "queues"])
def test_listing_has_each_exactly_once(start, kind):
    server = start()
    expected = [f"entry {number}" for number in range(2500)]
    for one in expected:
        server.put(f"/v1/{kind}/{quote(one)}")
    for limit in (7, 100, 1000):
        names, pages = walk(server, kind, limit)
        assert sorted(names) == sorted(expected), limit
        assert pages >= 2500 / limit
    other = "queues" if kind == "locks" else "locks"
    assert walk(server, other, 1000)[0] == []


def test_listing_defaults_to_a_hundred(start):
    server = start()
    for number in range(150):
        server.put(url(f"n{number}"))
    assert len(server.get("/v1/locks")["locks"]) <= 100


def test_listing_while_others_come_and_go(start):
    server = start()
    stay = {f"stay{number}" for number in range(300)}
    for one in stay:
        server.put(url(one))
    names, cursor, round_ = [], "", 0
    while cursor is not None:
        more = f"&cursor={quote(cursor, safe='')}" if cursor else ""
        page = server.get(f"/v1/locks?limit=20{more}")
        names += [view["name"] for view in page["locks"]]
        cursor = page["cursor"]
        for number in range(20):
            server.put(url(f"come{round_}.{number}"))
            server.call("DELETE", url(f"come{round_ - 1}.{number}"))
        round_ += 1
        assert round_ < 10000
    assert sorted(one for one in names if one in stay) == sorted(stay)


# ---- names -----------------------------------------------------------------------------------

NAMES = [
    "a", "a" * 255, "a/b", "/", "//", "a:b", ":", "acquire", "release", ".", "..", "../..", " ",
    "%", "%2F", "%00", "a%b", "?", "#", "a?b=c&d", "+", "a+b", "a b", ";", "a;b=c", "*", '"', "\\",
    "'", "<script>", "\n", "\r\n", "\x01", "\x7f", "\t", "é", "e\u0301", "ß", "İ", "日本語", "☃",
    "😀", "🏴\u200d☠\ufe0f", "\u202eabc", "\ufeff", "\ufffd", "\uffff", "\U0010ffff", "ü" * 127,
    "😀" * 63, "null", "{}", "[1]",
]


@pytest.mark.parametrize("one", NAMES, ids=lambda one: quote(one, safe="")[:40])
def test_any_name_can_be_used(server, one):
    token = server.acquire(one)
    assert server.post(url(one, "renew"), token=token)["name"] == one
    assert server.get(url(one))["name"] == one
    server.release(one, token)
    assert server.call("DELETE", url(one)).status == 204


def test_names_are_told_apart_byte_by_byte(server):
    tokens = {one: server.acquire(one) for one in NAMES}
    assert len(tokens) == len(NAMES)
    names = walk(server, "locks", 1000)[0]
    assert set(NAMES) <= set(names) and len(names) == len(set(names))
    for one, token in tokens.items():
        server.release(one, token)
        server.call("DELETE", url(one))


def test_percent_encoding_does_not_change_a_name(server, name):
    encoded = "".join(f"%{byte:02x}" for byte in name.encode())
    token = server.post(f"/v1/locks/{encoded}/acquire")["token"]
    server.release(name, token)
    upper = encoded.upper()
    assert server.get(f"/v1/locks/{upper}")["name"] == name


def test_plus_is_a_plus(server, name):
    server.acquire(name + "+x")
    assert server.call("GET", f"/v1/locks/{name}+x").status == 200
    assert server.call("GET", f"/v1/locks/{name}%20x").status == 404


def test_absent_waits_do_not_pile_up(server, name):
    server.acquire(name)
    for _ in range(200):
        refused(server.call("POST", url(name, "acquire"), {"timeout": 0.001}), 409, "timeout")
    wait_until(lambda: server.get(url(name))["waiters"] == 0)
