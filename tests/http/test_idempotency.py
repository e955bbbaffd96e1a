"""Idempotency-Key, and items whose answer could not be written."""
import itertools
import random

import pytest

from client import Connection, encode
from freeze import frozen

_keys = itertools.count(1)
LARGE = 16 << 20


def key():
    """A header with a key that was not used before."""
    return [("Idempotency-Key", f"key-{next(_keys)}")]


def url(kind, name, operation=None):
    """The path of an object or of an operation on it."""
    return f"/v1/{kind}/{name}" + (f"/{operation}" if operation else "")


def replayed(answer):
    """Whether this is a kept answer."""
    return answer.header("Idempotency-Replayed") == "true"


def twice(server, target, body, headers):
    """Both answers of a repeated request, which have to be the same."""
    first = server.call("POST", target, body, headers)
    second = server.call("POST", target, body, headers)
    assert not replayed(first) and replayed(second), second
    assert (first.status, first.body) == (second.status, second.body)
    assert first.header("Content-Type") == second.header("Content-Type")
    return first


# ---- repeats ---------------------------------------------------------------------------------

def test_repeated_acquire_has_the_same_token(server, name):
    first = twice(server, url("locks", name, "acquire"), {"timeout": 5}, key())
    assert first.status == 200
    assert server.get(url("locks", name))["token"] == first.json["token"]


def test_repeated_acquire_after_the_release_does_not_acquire(server, name):
    headers = key()
    target = url("locks", name, "acquire")
    token = server.call("POST", target, {}, headers).json["token"]
    server.release(name, token)
    answer = server.call("POST", target, {}, headers)
    assert replayed(answer) and answer.json["token"] == token
    assert server.get(url("locks", name))["locked"] is False


def test_repeated_put_puts_once(server, name):
    assert twice(server, url("queues", name, "put"), {"json": 1}, key()).json["size"] == 1
    twice(server, url("queues", name, "put_many"), {"items": [{"json": 2}, {"text": "3"}]}, key())
    assert server.get(url("queues", name))["size"] == 3


@pytest.mark.parametrize("operation", ["get", "get_many"])
def test_repeated_get_takes_once(server, name, operation):
    server.post(url("queues", name, "put_many"), items=[{"json": 1}, {"json": 2}])
    body = {"timeout": 1} if operation == "get" else {"max": 1}
    first = twice(server, url("queues", name, operation), body, key())
    item = first.json if operation == "get" else first.json["items"][0]
    assert item["json"] == 1
    assert server.get(url("queues", name))["size"] == 1
    assert server.post(url("queues", name, "get"))["json"] == 2


def test_refusals_that_would_stay_are_kept(server, name):
    server.put(url("queues", name))
    server.post(url("queues", name, "close"))
    assert twice(server, url("queues", name, "put"), {"json": 1}, key()).code == "closed"
    assert twice(server, url("queues", name, "get"), {}, key()).code == "closed"


def test_different_keys_are_different_requests(server, name):
    for size in range(1, 6):
        answer = server.call("POST", url("queues", name, "put"), {"json": 1}, key())
        assert answer.json["size"] == size and not replayed(answer)


def test_the_key_counts_on_every_door(server, name):
    headers = key()
    target = url("queues", name, "put")
    first = server.call("POST", target, {"json": 1}, headers)
    with server.connect(unix=True) as connection:
        second = connection.call("POST", target, {"json": 1}, headers)
    assert replayed(second) and second.body == first.body


@pytest.mark.parametrize("text", ["!", "~" * 255, 'a,b;c="d"', "3f2a0c1e-9d7b-4c55-8a80"])
def test_any_visible_characters_are_a_key(server, name, text):
    twice(server, url("queues", name, "put"), {"json": 1}, [("Idempotency-Key", text)])


@pytest.mark.parametrize("body", [{"json": 2}, {"json": 1, "timeout": 5}, {"text": "1"}])
def test_another_body_with_the_same_key_is_refused(server, name, body):
    headers = key()
    server.call("POST", url("queues", name, "put"), {"json": 1}, headers)
    answer = server.call("POST", url("queues", name, "put"), body, headers)
    assert (answer.status, answer.code) == (422, "idempotency_mismatch")
    assert answer.json["field"] == "Idempotency-Key"
    assert server.get(url("queues", name))["size"] == 1


def test_another_path_with_the_same_key_is_refused(server, name):
    headers = key()
    server.call("POST", url("locks", name, "acquire"), {}, headers)
    for target in (url("locks", name + "x", "acquire"), url("queues", name, "get")):
        answer = server.call("POST", target, {}, headers)
        assert (answer.status, answer.code) == (422, "idempotency_mismatch")
    assert server.call("GET", url("locks", name + "x")).status == 404


def test_the_key_means_nothing_elsewhere(server, name):
    headers = key()
    token = server.call("POST", url("locks", name, "acquire"), {}, headers).json["token"]
    answer = server.call("POST", url("locks", name, "renew"), {"token": token}, headers)
    assert answer.status == 200 and not replayed(answer)


def test_a_repeated_release_gives_back_once(server, name):
    token = server.post(url("rlocks", name, "acquire"), owner="ann")["token"]
    server.post(url("rlocks", name, "acquire"), owner="ann")
    headers, body = key(), {"token": token, "owner": "ann"}
    first = server.call("POST", url("rlocks", name, "release"), body, headers)
    second = server.call("POST", url("rlocks", name, "release"), body, headers)
    assert first.json == second.json == {"name": name, "released": True, "depth": 1}
    assert replayed(second) and not replayed(first)


# ---- repeats of what still runs, or failed ---------------------------------------------------

@pytest.mark.parametrize("repeats", [1, 5])
def test_repeat_of_a_waiting_acquire_gets_its_grant(server, name, repeats):
    headers = key()
    held = server.acquire(name)
    target = url("locks", name, "acquire")
    first = server.send("POST", target, {}, headers)
    server.wait_for_waiters(name, 1)
    others = [server.send("POST", target, {}, headers) for _ in range(repeats)]
    assert all(other.is_quiet(0.05) for other in others)
    assert server.get(url("locks", name))["waiters"] == 1
    server.release(name, held)
    answer = first.answer()
    assert answer.status == 200
    for other in others:
        again = other.answer()
        assert replayed(again) and again.body == answer.body


def test_repeat_with_another_body_is_refused_while_the_first_waits(server, name):
    headers = key()
    server.put(url("queues", name))
    first = server.send("POST", url("queues", name, "get"), {}, headers)
    server.wait_for(url("queues", name), getters=1)
    answer = server.call("POST", url("queues", name, "get"), {"timeout": 1}, headers)
    assert (answer.status, answer.code) == (422, "idempotency_mismatch")
    server.post(url("queues", name, "put"), json=1)
    assert first.answer().json["json"] == 1


def test_repeat_takes_over_when_the_first_client_leaves(server, name):
    headers = key()
    held = server.acquire(name)
    target = url("locks", name, "acquire")
    first = server.send("POST", target, {}, headers)
    server.wait_for_waiters(name, 1)
    second = server.send("POST", target, {}, headers)
    first.reset()
    server.wait_for_waiters(name, 1)
    server.release(name, held)
    answer = second.answer()
    if answer.status == 409:
        assert answer.code == "idempotency_running"
    else:
        assert server.get(url("locks", name))["token"] == answer.json["token"]


def test_timeout_is_not_kept(server, name):
    headers = key()
    held = server.acquire(name)
    target = url("locks", name, "acquire")
    for _ in range(2):
        answer = server.call("POST", target, {"timeout": 0}, headers)
        assert answer.code == "timeout" and not replayed(answer)
    server.release(name, held)
    answer = server.call("POST", target, {"timeout": 0}, headers)
    assert answer.status == 200 and not replayed(answer)
    again = server.call("POST", target, {"timeout": 0}, headers)
    assert replayed(again) and again.body == answer.body


def test_timeout_after_a_part_was_put_is_kept(server, name):
    server.put(url("queues", name), maxsize=2)
    body = {"items": [{"json": 1}, {"json": 2}, {"json": 3}], "timeout": 0}
    first = twice(server, url("queues", name, "put_many"), body, key())
    assert first.code == "timeout" and first.json["put"] == 2
    assert server.get(url("queues", name))["size"] == 2


def test_timeout_of_the_first_ends_the_repeat_too(server, name):
    headers = key()
    server.acquire(name)
    target = url("locks", name, "acquire")
    first = server.send("POST", target, {"timeout": 0.2}, headers)
    server.wait_for_waiters(name, 1)
    second = server.send("POST", target, {"timeout": 0.2}, headers)
    assert first.answer().code == "timeout"
    assert second.answer().code in ("timeout", "idempotency_running")
    server.wait_for_waiters(name, 0)


def test_grant_that_could_not_be_told_is_told_by_the_repeat(server, name):
    for _ in range(5):
        headers = key()
        target = url("locks", name, "acquire")
        with frozen(server.pid):
            server.send("POST", target, {"timeout": 5}, headers).reset()
        answer = server.call("POST", target, {"timeout": 5}, headers)
        assert answer.status == 200
        assert server.get(url("locks", name))["token"] == answer.json["token"]
        server.release(name, answer.json["token"])


def test_item_that_could_not_be_delivered_comes_with_the_repeat(server, name):
    for number in range(5):
        headers = key()
        target = url("queues", name, "get")
        server.post(url("queues", name, "put"), json=number)
        with frozen(server.pid):
            server.send("POST", target, {"timeout": 5}, headers).reset()
        assert server.call("POST", target, {"timeout": 5}, headers).json["json"] == number
        assert server.get(url("queues", name))["size"] == 0


def test_oldest_of_more_than_ten_thousand_are_forgotten(start):
    server = start()
    count, target = 10050, url("queues", "x", "put")
    with server.connect() as connection:
        for begin in range(0, count, 150):
            part = range(begin, begin + 150)
            connection.send_bytes(b"".join(encode(
                "POST", target, b'{"json":1}', [("Idempotency-Key", f"n{number}")])
                for number in part))
            for _ in part:
                assert connection.answer(check=False).status == 200
    last = server.call("POST", target, {"json": 1}, [("Idempotency-Key", f"n{count - 1}")])
    assert last.status == 422 or replayed(last)  # 422: the bytes of the body differ by a space
    last = server.call("POST", target, b'{"json":1}', [("Idempotency-Key", f"n{count - 1}")])
    assert replayed(last) and last.json["size"] == count
    first = server.call("POST", target, b'{"json":1}', [("Idempotency-Key", "n0")])
    assert not replayed(first) and first.json["size"] == count + 1


def test_large_answers_are_kept_only_as_far_as_there_is_room(start):
    server = start()
    target = url("queues", "x", "get")
    keys = [key() for _ in range(6)]
    for number, headers in enumerate(keys):
        server.post(url("queues", "x", "put"), text=str(number) * LARGE)
        assert server.call("POST", target, {"timeout": 0}, headers).status == 200
    newest = server.call("POST", target, {"timeout": 0}, keys[-1])
    assert replayed(newest) and newest.json["text"] == "5" * LARGE
    oldest = server.call("POST", target, {"timeout": 0}, keys[0])
    assert not replayed(oldest) and oldest.code == "timeout"


# ---- items whose answer could not be written -------------------------------------------------

def queue_with(server, name, *items):
    """Puts texts, in this order."""
    for item in items:
        server.post(url("queues", name, "put"), text=item)


def drain(server, name):
    """All texts that are in the queue."""
    texts = []
    while server.get(url("queues", name))["size"]:
        texts.append(server.post(url("queues", name, "get"), timeout=0)["text"])
    return texts


WAYS = {"close": Connection.close, "reset": Connection.reset}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("operation", ["get", "get_many"])
@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "socket"])
def test_client_that_asks_and_leaves_takes_nothing(server, name, operation, way, unix):
    queue_with(server, name, "a", "b", "c")
    for _ in range(10):
        with frozen(server.pid):
            getter = server.connect(unix).send("POST", url("queues", name, operation))
            WAYS[way](getter)
        server.wait_for(url("queues", name), size=3)
    assert drain(server, name) == ["a", "b", "c"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("operation", ["get", "get_many"])
def test_parked_client_that_leaves_as_the_item_comes_takes_nothing(server, name, operation, way):
    server.put(url("queues", name))
    for _ in range(10):
        getter = server.send("POST", url("queues", name, operation))
        server.wait_for(url("queues", name), getters=1)
        putter = server.connect()
        with frozen(server.pid):
            putter.send("POST", url("queues", name, "put"), {"text": "a"})
            WAYS[way](getter)
        assert putter.answer().status == 200
        putter.close()
        server.wait_for(url("queues", name), getters=0, size=1)
        assert drain(server, name) == ["a"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("read", [0, 1, 100000])
@pytest.mark.parametrize("operation", ["get", "get_many"])
def test_large_item_comes_back_from_a_client_that_stops_reading(server, name, operation, read, way):
    large = random.Random(read).randbytes(LARGE // 2).hex()
    queue_with(server, name, large, "next")
    body = {"max": 1} if operation == "get_many" else {}
    getter = server.send("POST", url("queues", name, operation), body)
    size = 0
    while size < read:
        size += len(getter.socket.recv(min(65536, read - size)))
    server.wait_for(url("queues", name), size=1)
    WAYS[way](getter)
    server.wait_for(url("queues", name), size=2)
    assert drain(server, name) == [large, "next"]


def test_item_that_the_repeat_was_told_does_not_come_back(server, name):
    headers, large = key(), "7" * LARGE
    queue_with(server, name, large)
    lost = server.send("POST", url("queues", name, "get"), {}, headers)
    server.wait_for(url("queues", name), size=0)
    again = server.call("POST", url("queues", name, "get"), {}, headers)
    assert replayed(again) and again.json["text"] == large
    with frozen(server.pid):
        lost.reset()
        waiter = server.send("POST", url("queues", name, "get"), {"timeout": 0.1})
    assert waiter.answer().code == "timeout"
    assert server.get(url("queues", name))["size"] == 0


def test_items_come_back_in_their_old_order(server, name):
    large = ["1" * LARGE, "2" * LARGE, "3" * LARGE]  # shorter ones may all lie in the kernel's buffers
    queue_with(server, name, *large, "last")
    getters = []
    for left in (3, 2, 1):
        getters.append(server.send("POST", url("queues", name, "get")))
        server.wait_for(url("queues", name), size=left)
    for getter in getters[1:] + getters[:1]:
        getter.reset()
    server.wait_for(url("queues", name), size=4)
    assert drain(server, name) == [*large, "last"]


def test_item_that_comes_back_goes_to_who_waits(server, name):
    large = "4" * LARGE
    queue_with(server, name, large)
    lost = server.send("POST", url("queues", name, "get"))
    server.wait_for(url("queues", name), size=0)
    waiter = server.send("POST", url("queues", name, "get"))
    server.wait_for(url("queues", name), getters=1)
    lost.reset()
    assert waiter.answer().json["text"] == large


def test_item_comes_back_into_a_full_and_closed_queue(server, name):
    server.put(url("queues", name), maxsize=1)
    large = "5" * LARGE
    queue_with(server, name, large)
    getter = server.send("POST", url("queues", name, "get"))
    server.wait_for(url("queues", name), size=0)
    queue_with(server, name, "next")
    server.post(url("queues", name, "close"))
    getter.reset()
    server.wait_for(url("queues", name), size=2)
    assert drain(server, name) == [large, "next"]


def test_item_of_a_deleted_queue_is_forgotten(server, name):
    queue_with(server, name, "6" * LARGE)
    getter = server.send("POST", url("queues", name, "get"))
    server.wait_for(url("queues", name), size=0)
    assert server.call("DELETE", url("queues", name)).status == 204
    queue_with(server, name, "new")
    getter.reset()
    assert server.get("/v1/health") == {"status": "ok"}
    assert drain(server, name) == ["new"]


def test_item_that_was_delivered_does_not_come_back(server, name):
    for number in range(50):
        server.post(url("queues", name, "put"), json=number)
        with server.connect(unix=number % 2 == 0) as connection:
            assert connection.call("POST", url("queues", name, "get")).json["json"] == number
    assert server.get(url("queues", name))["size"] == 0
