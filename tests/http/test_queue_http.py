"""Queues over HTTP: items of every type and size, order, bounds, waiting, closing, deletion."""
import base64
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from places import SLOWNESS

LARGEST = 16 << 20


def url(name, operation=None):
    """The path of the queue NAME."""
    return f"/v1/queues/{name}" + (f"/{operation}" if operation else "")


def park(server, name, operation, who, **body):
    """A connection that waits for an item or for room; WHO: the count that tells."""
    before = server.get(url(name))[who]
    connection = server.send("POST", url(name, operation), body)
    server.wait_for(url(name), **{who: before + 1})
    return connection


def refused(answer, status, code):
    """Asserts that ANSWER is this problem."""
    assert (answer.status, answer.code) == (status, code), answer


def put(server, name, *values):
    """Puts JSON values one by one."""
    for value in values:
        server.post(url(name, "put"), json=value)


def take(server, name):
    """The next JSON value."""
    return server.post(url(name, "get"), timeout=0)["json"]


# ---- items -----------------------------------------------------------------------------------

JSON = [
    None, True, False, 0, -1, 1, 1.5, -0.001, 1e300, 5e-324, 2**53 + 1, 2**63 - 1, -2**63, "", "x",
    "☃ 😀 \u0000 \u001f \" \\ /", [], {}, [[]], [None, [1, [2, [3]]]], {"": 0}, {"b": 1, "a": [2]},
    {"json": 1, "text": "2", "base64": "3", "timeout": 4}, list(range(1000)),
]
TEXTS = ["", "x", "line\nline\r\n", "☃ 😀 日本語", "\x00", "a\x00b", "\ufeff", "\uffff", '"\\/',
         "x" * 70000]
BYTES = [b"", b"\0", b"\xff", b"ab", b"abc", bytes(range(256)), b"\xff\xfe\x00" * 1000]


@pytest.mark.parametrize("value", JSON, ids=lambda value: json.dumps(value)[:30])
def test_json_comes_out_as_it_went_in(server, name, value):
    assert server.post(url(name, "put"), json=value) == {"name": name, "size": 1}
    got = server.post(url(name, "get"))
    assert got == {"name": name, "type": "json", "json": value}
    assert json.dumps(got["json"]) == json.dumps(value)  # also the order of members, 1 and 1.0


@pytest.mark.parametrize("value", TEXTS, ids=lambda value: repr(value)[:30])
def test_text_comes_out_as_it_went_in(server, name, value):
    server.post(url(name, "put"), text=value)
    assert server.post(url(name, "get")) == {"name": name, "type": "text", "text": value}


@pytest.mark.parametrize("value", BYTES, ids=lambda value: repr(value)[:30])
def test_bytes_come_out_as_they_went_in(server, name, value):
    encoded = base64.b64encode(value).decode()
    server.post(url(name, "put"), base64=encoded)
    assert server.post(url(name, "get")) == {"name": name, "type": "bytes", "base64": encoded}


def test_json_may_be_64_deep(server, name):
    value = 1
    for depth in range(64):
        value = [value] if depth % 2 else {"a": value}
    put(server, name, value)
    server.post(url(name, "put_many"), items=[{"json": value}])
    assert [take(server, name), take(server, name)] == [value, value]


@pytest.mark.parametrize("written", [
    b"1.0", b"1", b"1e2", b"-0", b"0.10", b"123456789012345678901234567890", b"1e400", b"1E+5",
    b'{"b":1,"a":{"d":2,"c":3}}', b'"\\u00e9"', b"3.141592653589793238462643383279"])
def test_json_is_kept_as_it_was_written(server, name, written):
    answer = server.call("POST", url(name, "put"), b'{"json":' + written + b"}")
    assert answer.status == 200
    answer = server.call("POST", url(name, "get"))
    assert b'"json":' + written + b"}" in answer.body.replace(b'"json": ', b'"json":')


def test_bytes_of_16_mib(server, name):
    data = random.Random(1).randbytes(LARGEST)
    encoded = base64.b64encode(data).decode()
    assert server.post(url(name, "put"), base64=encoded)["size"] == 1
    assert server.post(url(name, "peek"))["base64"] == encoded
    assert server.post(url(name, "get"))["base64"] == encoded


def test_text_of_16_mib(server, name):
    text = "0123456789abcde\n" * (LARGEST // 16)
    server.post(url(name, "put"), text=text)
    assert server.post(url(name, "get_many"))["items"] == [{"type": "text", "text": text}]


@pytest.mark.parametrize("field", ["text", "base64", "json"])
def test_one_byte_more_than_16_mib_is_refused(server, name, field):
    body = {
        "text": {"text": "x" * (LARGEST + 1)},
        "base64": {"base64": base64.b64encode(bytes(LARGEST + 1)).decode()},
        "json": {"json": "x" * (LARGEST - 1)},  # with its quotes
    }[field]
    answer = server.call("POST", url(name, "put"), body)
    refused(answer, 413, "too_large")
    answer = server.call("GET", url(name))
    assert answer.status == 404 or answer.json["size"] == 0


def test_sizes_around_the_borders_of_blocks(server, name):
    sizes = sorted({size + by for power in range(4, 21, 2) for size in (1 << power,)
                    for by in (-17, -1, 0, 1) if size + by >= 0})
    for size in sizes:
        server.post(url(name, "put"), text=f"{size:x}" + "y" * size)
    for size in sizes:
        assert server.post(url(name, "get"))["text"] == f"{size:x}" + "y" * size


# ---- order and bounds ------------------------------------------------------------------------

def test_first_in_first_out(server, name):
    put(server, name, *range(300))
    assert server.get(url(name))["size"] == 300
    assert [take(server, name) for _ in range(300)] == list(range(300))


def test_many_in_one_request_keep_their_order(server, name):
    items = [{"json": number} if number % 3 else {"text": str(number)} for number in range(1000)]
    assert server.post(url(name, "put_many"), items=items) == {"name": name, "put": 1000}
    got = server.post(url(name, "get_many"), max=1000)["items"]
    assert got == [{"type": "json", **item} if "json" in item else {"type": "text", **item}
                   for item in items]


def test_get_many_takes_at_most_max_and_100_by_default(server, name):
    server.post(url(name, "put_many"), items=[{"json": number} for number in range(250)])
    sizes = [len(server.post(url(name, "get_many"), **body)["items"])
             for body in ({"max": 1}, {"max": 40}, {}, {"max": 1000})]
    assert sizes == [1, 40, 100, 109]


def test_large_answers_of_get_many(server, name):
    text = "z" * (3 << 20)
    for _ in range(8):
        server.post(url(name, "put"), text=text)
    taken = 0
    while taken < 8:
        items = server.post(url(name, "get_many"), timeout=0)["items"]
        assert all(item == {"type": "text", "text": text} for item in items)
        taken += len(items)
    assert server.get(url(name))["empty"] is True


def test_view_counts(server, name):
    answer = server.call("PUT", url(name), {"maxsize": 2})
    empty = {"name": name, "maxsize": 2, "size": 0, "empty": True, "full": False, "closed": False,
             "getters": 0, "putters": 0}
    assert answer.status == 201 and answer.json == empty
    put(server, name, 1)
    assert server.get(url(name)) == {**empty, "size": 1, "empty": False}
    put(server, name, 2)
    assert server.get(url(name)) == {**empty, "size": 2, "empty": False, "full": True}


def test_full_queue_refuses_without_waiting(server, name):
    server.put(url(name), maxsize=1)
    put(server, name, "first")
    begin = time.monotonic()
    refused(server.call("POST", url(name, "put"), {"json": 2, "timeout": 0}), 409, "timeout")
    assert time.monotonic() - begin < 0.5 * SLOWNESS
    begin = time.monotonic()
    refused(server.call("POST", url(name, "put"), {"json": 2, "timeout": 0.1}), 409, "timeout")
    assert 0.1 <= time.monotonic() - begin < 0.6 * SLOWNESS
    assert take(server, name) == "first"
    refused(server.call("POST", url(name, "get"), {"timeout": 0}), 409, "timeout")


def test_parked_putters_go_on_in_order(server, name):
    server.put(url(name), maxsize=1)
    put(server, name, 0)
    putters = [park(server, name, "put", "putters", json=number) for number in range(1, 6)]
    for number in range(6):
        assert server.post(url(name, "get"))["json"] == number
    for putter in putters:
        assert putter.answer().status == 200


def test_put_many_waits_for_room_as_often_as_needed(server, name):
    server.put(url(name), maxsize=3)
    items = [{"json": number} for number in range(20)]
    putter = park(server, name, "put_many", "putters", items=items)
    assert [server.post(url(name, "get"))["json"] for _ in range(20)] == list(range(20))
    assert putter.answer().json["put"] == 20


def test_put_many_tells_how_many_were_put_before_its_timeout(server, name):
    server.put(url(name), maxsize=3)
    items = [{"json": number} for number in range(5)]
    for timeout in (0, 0.05):
        answer = server.call("POST", url(name, "put_many"), {"items": items, "timeout": timeout})
        refused(answer, 409, "timeout")
        assert answer.json["put"] == 3
        assert [take(server, name) for _ in range(3)] == [0, 1, 2]


# ---- waiting ---------------------------------------------------------------------------------

def test_get_waits_for_a_put(server, name):
    server.put(url(name))
    getter = park(server, name, "get", "getters")
    put(server, name, "late")
    assert getter.answer().json["json"] == "late"
    assert server.get(url(name))["getters"] == 0


def test_get_many_waits_for_the_first_item_only(server, name):
    server.put(url(name))
    getter = park(server, name, "get_many", "getters")
    put(server, name, "late")
    assert getter.answer().json["items"] == [{"type": "json", "json": "late"}]


def test_short_timeout_of_get(server, name):
    begin = time.monotonic()
    refused(server.call("POST", url(name, "get"), {"timeout": 0.1}), 409, "timeout")
    refused(server.call("POST", url(name, "get_many"), {"timeout": 0.1}), 409, "timeout")
    assert 0.2 <= time.monotonic() - begin < 0.2 + 0.5 * SLOWNESS
    assert server.get(url(name))["getters"] == 0


def test_each_item_wakes_one_getter_and_none_is_lost(server, name):
    server.put(url(name))
    getters = [park(server, name, "get", "getters") for _ in range(10)]
    for number in range(10):
        put(server, name, number)
    assert sorted(getter.answer().json["json"] for getter in getters) == list(range(10))
    assert server.get(url(name))["size"] == 0


def test_getters_take_what_comes_at_once_in_order_of_arrival(server, name):
    server.put(url(name))
    for count in (30, 10, 40):  # in later rounds they wait with agents in any order
        getters = [park(server, name, "get", "getters") for _ in range(count)]
        server.post(url(name, "put_many"), items=[{"json": number} for number in range(count)])
        assert [getter.answer().json["json"] for getter in getters] == list(range(count))
    assert server.get(url(name))["size"] == 0


def test_producers_and_consumers_lose_nothing(server, name):
    server.put(url(name), maxsize=5)
    producers, each = 4, 100

    def produce(number):
        with server.connect() as connection:
            for index in range(each):
                body = {"json": [number, index]}
                assert connection.call("POST", url(name, "put"), body).status == 200

    def consume(_):
        got = []
        with server.connect() as connection:
            while True:
                answer = connection.call("POST", url(name, "get"), {})
                if answer.status == 409:
                    assert answer.code == "closed"
                    return got
                got.append(answer.json["json"])

    with ThreadPoolExecutor(8) as pool:
        consumers = [pool.submit(consume, number) for number in range(4)]
        list(pool.map(produce, range(producers)))
        server.post(url(name, "close"))
        results = [consumer.result() for consumer in consumers]
    everything = sorted(tuple(item) for got in results for item in got)
    assert everything == [(number, index) for number in range(producers) for index in range(each)]
    for got in results:
        for number in range(producers):
            mine = [index for producer, index in got if producer == number]
            assert mine == sorted(mine)


# ---- peek, close, delete ---------------------------------------------------------------------

def test_peek_leaves_the_item_there(server, name):
    refused(server.call("POST", url(name, "peek")), 409, "timeout")
    put(server, name, 1, 2)
    for _ in range(3):
        assert server.post(url(name, "peek")) == {"name": name, "type": "json", "json": 1}
    assert server.get(url(name))["size"] == 2
    assert [take(server, name), take(server, name)] == [1, 2]


def test_closed_queue_is_drained_and_then_closed(server, name):
    refused(server.call("POST", url(name, "close")), 404, "not_found")
    put(server, name, 1, 2)
    for _ in range(2):
        view = server.post(url(name, "close"))
        assert view["closed"] is True and view["size"] == 2
    for body in ({"json": 3}, {"json": 3, "timeout": 0}):
        refused(server.call("POST", url(name, "put"), body), 409, "closed")
    refused(server.call("POST", url(name, "put_many"), {"items": [{"json": 3}]}), 409, "closed")
    assert [take(server, name), take(server, name)] == [1, 2]
    for operation in ("get", "get_many", "peek"):
        refused(server.call("POST", url(name, operation)), 409, "closed")
    assert server.get(url(name))["closed"] is True


def test_close_ends_every_wait(server, name):
    server.put(url(name), maxsize=1)
    getters = [park(server, name, operation, "getters") for operation in ("get", "get_many")]
    server.post(url(name, "close"))
    for getter in getters:
        refused(getter.answer(), 409, "closed")
    full = name + "full"
    server.put(url(full), maxsize=1)
    put(server, full, 0)
    putters = [park(server, full, "put", "putters", json=1),
               park(server, full, "put_many", "putters", items=[{"json": 1}])]
    server.post(url(full, "close"))
    for putter in putters:
        refused(putter.answer(), 409, "closed")
    assert take(server, full) == 0


def test_delete_ends_every_wait_and_forgets_the_items(server, name):
    refused(server.call("DELETE", url(name)), 404, "not_found")
    server.put(url(name), maxsize=1)
    getter = park(server, name, "get", "getters")
    assert server.call("DELETE", url(name)).status == 204
    refused(getter.answer(), 410, "deleted")
    server.put(url(name), maxsize=1)
    put(server, name, 0)
    putter = park(server, name, "put", "putters", json=1)
    assert server.call("DELETE", url(name)).status == 204
    refused(putter.answer(), 410, "deleted")
    put(server, name, "anew")
    assert server.get(url(name))["maxsize"] == 0
    assert take(server, name) == "anew"


def test_put_makes_once_and_conflicts_with_other_options(server, name):
    first = server.call("PUT", url(name), {"maxsize": 3})
    assert first.status == 201
    assert server.call("PUT", url(name), {"maxsize": 3}).status == 200
    for other in ({"maxsize": 4}, {"maxsize": 0}, {}):
        refused(server.call("PUT", url(name), other), 409, "conflict")
    assert server.get(url(name)) == first.json


def test_memory_that_is_used_up_is_an_error_and_comes_back(start):
    server = start(config={"arena_bytes": 32 << 20})
    text = "m" * (1 << 20)
    put_texts = 0
    while True:
        answer = server.call("POST", url("x", "put"), {"text": text, "timeout": 0})
        if answer.status != 200:
            break
        put_texts += 1
        assert put_texts < 33
    assert (answer.status, answer.code) in ((409, "timeout"), (507, "out_of_memory"))
    assert put_texts >= 8
    for _ in range(100):
        assert server.post(url("x", "get"))["text"] == text
        server.post(url("x", "put"), text=text, timeout=0)
    assert server.get(url("x"))["size"] == put_texts
