"""Arrays over HTTP: elements, indexes, many in one call, and what is refused."""
import itertools

import pytest

_keys = itertools.count(1)


def url(name, operation=None):
    """The path of the array NAME."""
    return f"/v1/arrays/{name}" + (f"/{operation}" if operation else "")


def refused(answer, status, code, *words):
    """Asserts that ANSWER is this problem, and says WORDS."""
    assert (answer.status, answer.code) == (status, code), answer
    for word in words:
        assert word in answer.json["detail"], answer


def items(server, name, query=""):
    return server.get(url(name, "items") + query)["items"]


@pytest.fixture(name="four")
def array_of_four(server, name):
    """An array of four i32."""
    view = server.put(url(name), type="i32", length=4)
    assert view == {"name": name, "type": "i32", "length": 4}
    return name


# ---- elements --------------------------------------------------------------------------------

def test_elements_are_each_their_own(server, four):
    assert server.post(url(four, "store"), index=1, value=-5) == {
        "name": four, "index": 1, "value": -5}
    assert server.post(url(four, "add"), index=-3, value=7) == {
        "name": four, "index": 1, "before": -5, "value": 2}
    assert server.post(url(four, "exchange"), index=1, value=9)["before"] == 2
    swap = url(four, "compare_exchange")
    assert server.post(swap, index=1, expected=2, value=3) == {
        "name": four, "index": 1, "swapped": False, "value": 9}
    assert server.post(swap, index=1, expected=9, value=3)["swapped"] is True
    assert server.post(url(four, "load"), index=1) == {
        "name": four, "index": 1, "type": "i32", "value": 3}
    assert items(server, four) == [0, 3, 0, 0]


@pytest.mark.parametrize("index", [4, -5, 2**63 - 1, -2**63 + 1])
def test_no_such_index_says_the_length(server, four, index):
    for operation, body in (("load", {}), ("store", {"value": 1}), ("add", {"value": 1}),
                            ("exchange", {"value": 1}),
                            ("compare_exchange", {"value": 1, "expected": 0})):
        answer = server.call("POST", url(four, operation), {"index": index, **body})
        refused(answer, 404, "out_of_range", "length is 4", str(index))
        assert answer.json["field"] == "index"
    assert items(server, four) == [0] * 4


def test_index_is_needed_and_whole(server, four):
    for index in (1.5, "1", None, 10**20):
        answer = server.call("POST", url(four, "load"), {"index": index})
        refused(answer, 400, "invalid_argument", "index")
    refused(server.call("POST", url(four, "load"), {}), 400, "invalid_argument", "index")


def test_range_of_the_type(server, four):
    refused(server.call("POST", url(four, "store"), {"index": 0, "value": 2**31}), 400,
            "invalid_argument", "value", "2147483647")
    refused(server.call("POST", url(four, "store"), {"index": 0, "value": "1"}), 409,
            "type_mismatch", "i32", "string")


# ---- many ------------------------------------------------------------------------------------

def test_write_and_read_many(server, four):
    assert server.post(url(four, "write"), start=1, values=[1, 2]) == {
        "name": four, "start": 1, "written": 2}
    assert server.get(url(four, "items")) == {
        "name": four, "type": "i32", "start": 0, "length": 4, "items": [0, 1, 2, 0]}
    assert server.post(url(four, "write"), start=-1, values=[3])["start"] == 3
    assert server.post(url(four, "write"), values=[8])["start"] == 0
    assert items(server, four, "?start=-2") == [2, 3]
    assert items(server, four, "?start=1&count=2") == [1, 2]
    assert items(server, four, "?start=3&count=100") == [3]
    assert items(server, four, "?start=4") == []


def test_write_writes_all_or_none(server, four):
    write = url(four, "write")
    refused(server.call("POST", write, {"start": 2, "values": [1, 2, 3]}), 404, "out_of_range",
            "length is 4", "3 values")
    refused(server.call("POST", write, {"start": 5, "values": [1]}), 404, "out_of_range")
    answer = server.call("POST", write, {"values": [1, 2, 2**31]})
    refused(answer, 400, "invalid_argument", "values[2]", "2147483647")
    assert answer.json["field"] == "values[2]"
    refused(server.call("POST", write, {"values": [1, None]}), 409, "type_mismatch", "values[1]",
            "i32", "null")
    for values in ([], 5, "x", [0] * 10001):
        refused(server.call("POST", write, {"values": values}), 400, "invalid_argument", "values")
    refused(server.call("POST", write, {}), 400, "invalid_argument", "values")
    assert items(server, four) == [0] * 4


@pytest.mark.parametrize("query, field", [
    ("start=x", "start"), ("count=0", "count"), ("count=10001", "count"), ("start=1.5", "start"),
    ("start=99999999999999999999", "start"), ("colour=red", "colour"), ("count=-1", "count")])
def test_bad_queries(server, four, query, field):
    answer = server.call("GET", url(four, "items") + "?" + query)
    refused(answer, 400, "invalid_argument")
    assert answer.json["field"] == field


@pytest.mark.parametrize("start", ["5", "-5"])
def test_start_beyond_the_end(server, four, start):
    refused(server.call("GET", url(four, "items") + f"?start={start}"), 404, "out_of_range",
            "length is 4", start)


def test_ten_thousand_doubles(server, name):
    server.put(url(name), type="f64", length=10000)
    values = [i / 7 for i in range(10000)]
    values[5] = "inf"
    assert server.post(url(name, "write"), values=values)["written"] == 10000
    assert items(server, name) == values


def test_texts(server, name):
    assert server.put(url(name), type="text", room=5, length=3)["room"] == 5
    server.post(url(name, "store"), index=-1, value="f\u00e4nf")
    assert items(server, name) == ["", "", "f\u00e4nf"]
    refused(server.call("POST", url(name, "store"), {"index": 0, "value": "sixsix"}), 413,
            "too_large")
    refused(server.call("POST", url(name, "write"), {"values": ["a"]}), 409, "type_mismatch",
            "text")


def test_long_answers_are_cut_and_go_on(server, name):
    server.put(url(name), type="text", room=65536, length=100)
    for index in range(100):
        server.post(url(name, "store"), index=index, value=str(index % 10) * 65536)
    got = []
    while len(got) < 100:
        more = items(server, name, f"?start={len(got)}")
        assert 0 < len(more) < 100
        got += more
    assert [text[0] for text in got] == [str(index % 10) for index in range(100)]


# ---- as an object ----------------------------------------------------------------------------

@pytest.mark.parametrize("body, field", [
    ({"type": "i64"}, "length"), ({"length": 0}, "length"), ({"length": -1}, "length"),
    ({"type": "i8", "length": 2, "room": 3}, "room"), ({"type": "bytes", "length": 2}, "room"),
    ({"type": "i7", "length": 2}, "type"), ({}, "length")])
def test_bad_options(server, name, body, field):
    answer = server.call("PUT", url(name), body)
    refused(answer, 400, "invalid_argument", field)
    assert answer.json["field"] == field
    assert server.call("GET", url(name)).status == 404


def test_one_that_does_not_fit_is_not_made(server, name):
    for length in (2**40, 2**53 - 1):
        answer = server.call("PUT", url(name), {"type": "u64", "length": length})
        refused(answer, 507, "out_of_memory", "half of the arena")
    assert server.call("GET", url(name)).status == 404
    assert server.call("PUT", url(name), {"type": "u64", "length": 5}).status == 201


def test_memory_comes_back(server, name):
    """Half of the arena again and again: there would be no room for it twice."""
    for _ in range(5):
        answer = server.call("PUT", url(name), {"type": "u8", "length": 400 << 20})
        assert answer.status == 201, answer
        assert items(server, name, "?start=-1") == [0]
        server.post(url(name, "store"), index=-1, value=1)
        assert server.call("DELETE", url(name)).status == 204


def test_other_options_conflict(server, four):
    refused(server.call("PUT", url(four), {"type": "i32", "length": 5}), 409, "conflict",
            "length=4", "length=5")
    assert server.put(url(four))["length"] == 4


def test_absent(server, name):
    for operation, body in (("load", {"index": 0}), ("store", {"index": 0, "value": 1}),
                            ("write", {"values": [1]})):
        refused(server.call("POST", url(name, operation), body), 404, "not_found")
    refused(server.call("GET", url(name, "items")), 404, "not_found")


def test_delete_takes_its_lock_along(server, four):
    server.post(f"/v1/rlocks/array%3A{four}/acquire", timeout=0)
    assert server.call("DELETE", url(four)).status == 204
    assert server.call("GET", f"/v1/rlocks/array%3A{four}").status == 404
    refused(server.call("GET", url(four)), 404, "not_found")


def test_arrays_are_listed(start):
    server = start()
    for length in range(1, 6):
        server.put(url(f"a{length}"), length=length)
    page = server.get("/v1/arrays")
    assert sorted(a["length"] for a in page["arrays"]) == [1, 2, 3, 4, 5]


def test_repeat_with_its_key_writes_once(server, four):
    key = [("Idempotency-Key", f"array-{next(_keys)}")]
    body = {"index": 0, "value": 2}
    for _ in range(2):
        assert server.call("POST", url(four, "add"), body, key).json["value"] == 2
    assert items(server, four)[0] == 2
