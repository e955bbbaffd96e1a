"""What a problem says to people: which object, and what was the matter with it."""
from urllib.parse import quote

import pytest

NAME = 'web 3/"ä"'
LOCK, QUEUE = f"/v1/locks/{quote(NAME, '')}", f"/v1/queues/{quote(NAME, '')}"
THE_LOCK, THE_QUEUE = f'the lock "{NAME}"', f'the queue "{NAME}"'


@pytest.fixture(autouse=True)
def nothing_of_that_name(server):
    """Each test makes its own."""
    yield
    for target in (LOCK, QUEUE):
        server.call("DELETE", target)


def said(server, method, target, body=None, headers=()):
    """The detail of a problem."""
    answer = server.call(method, target, body, headers)
    assert answer.status >= 400, answer
    return answer.json["detail"]


def test_what_does_not_exist_is_named(server):
    assert said(server, "GET", LOCK) == f'there is no lock "{NAME}"'
    assert said(server, "DELETE", QUEUE) == f'there is no queue "{NAME}"'
    assert said(server, "POST", f"{LOCK}/release", {"token": "1"}) == f'there is no lock "{NAME}"'
    longest = "n" * 255
    assert said(server, "GET", f"/v1/locks/{longest}") == f'there is no lock "{longest}"'


def test_other_options_are_shown(server):
    server.put(LOCK, fair=True)
    server.put(QUEUE, maxsize=3)
    assert said(server, "PUT", LOCK, {}) == \
        f"{THE_LOCK} exists with fair=true, the request asks for fair=false"
    assert said(server, "PUT", QUEUE, {"maxsize": 4}) == \
        f"{THE_QUEUE} exists with maxsize=3, the request asks for maxsize=4"


def test_a_wait_says_what_for_and_how_long(server):
    server.post(f"{LOCK}/acquire")
    assert said(server, "POST", f"{LOCK}/acquire", {"timeout": 0}) == f"{THE_LOCK} is held"
    assert said(server, "POST", f"{LOCK}/acquire", {"timeout": 0.125}) == \
        f"nobody released {THE_LOCK} within 0.125 s"
    for operation in ("get", "get_many"):
        target = f"{QUEUE}/{operation}"
        assert said(server, "POST", target, {"timeout": 0}) == f"{THE_QUEUE} is empty"
        assert said(server, "POST", target, {"timeout": 0.2}) == \
            f"{THE_QUEUE} stayed empty for 0.2 s"
    assert said(server, "POST", f"{QUEUE}/peek") == f"{THE_QUEUE} is empty"


def test_a_full_and_a_closed_queue(server):
    server.put(QUEUE, maxsize=1)
    server.post(f"{QUEUE}/put", json=1)
    for operation, body in (("put", {"json": 2}), ("put_many", {"items": [{"json": 2}]})):
        target = f"{QUEUE}/{operation}"
        assert said(server, "POST", target, {**body, "timeout": 0}) == f"{THE_QUEUE} is full"
        assert said(server, "POST", target, {**body, "timeout": 0.1}) == \
            f"{THE_QUEUE} stayed full for 0.1 s"
    server.post(f"{QUEUE}/close")
    assert said(server, "POST", f"{QUEUE}/put", {"json": 2}) == f"{THE_QUEUE} is closed"


def test_deletion_during_a_wait(server):
    server.post(f"{LOCK}/acquire")
    waiter = server.send("POST", f"{LOCK}/acquire", {})
    server.wait_for(LOCK, waiters=1)
    server.call("DELETE", LOCK)
    assert waiter.answer().json["detail"] == f"{THE_LOCK} was deleted"


def test_tokens_that_are_not_the_newest_grants(server):
    old = server.post(f"{LOCK}/acquire")["token"]
    server.post(f"{LOCK}/release", token=old)
    newest = server.post(f"{LOCK}/acquire")["token"]
    never = str(int(newest) + 1)
    for operation in ("release", "renew"):
        target = f"{LOCK}/{operation}"
        assert said(server, "POST", target, {"token": old}) == \
            f"the token {old} is older than the newest grant of {THE_LOCK}, {newest}"
        assert said(server, "POST", target, {"token": never}) == \
            f"the token {never} was never granted; the newest of {THE_LOCK} is {newest}"
    server.post(f"{LOCK}/release", token=newest)
    assert said(server, "POST", f"{LOCK}/release", {"token": newest}) == \
        f"the grant {newest} of {THE_LOCK} has been released"
    lost = server.post(f"{LOCK}/acquire", lease=0.01)["token"]
    server.wait_for(LOCK, locked=False)
    assert said(server, "POST", f"{LOCK}/renew", {"token": lost}) == \
        f"the lease of the grant {lost} of {THE_LOCK} ran out"


def test_the_limit_of_a_body_is_told(server):
    answer = server.call("PUT", LOCK, b" " * 65537)
    assert answer.json["detail"] == "the body has more than 65536 bytes"
    assert answer.json["expected"] == "at most 65536 bytes"


def test_routes_and_senders(server):
    assert said(server, "POST", "/v1/health") == "/v1/health takes GET, HEAD, OPTIONS, not POST"
    assert said(server, "GET", "/v1/nothing") == "nothing is served at /v1/nothing"
    assert said(server, "GET", "/v1/health", None, [("Host", "example.org")]) == \
        'this server does not answer for the Host "example.org"'
    assert said(server, "GET", "/v1/health", None, [("Origin", "https://a.example")]) == \
        'web pages of the Origin "https://a.example" may not use this server'


def test_keys(server):
    key = [("Idempotency-Key", "once")]
    assert server.call("POST", f"{QUEUE}/put", {"json": 1}, key).status == 200
    assert said(server, "POST", f"{QUEUE}/put", {"json": 2}, key) == \
        'the Idempotency-Key "once" was used with another method, path or body'
