"""One item of a list over HTTP: indexes, values as they were put, conditions; parts of lists."""
import threading

import pytest


def of(name, index=None):
    """The path of the list, or of one of its items."""
    path = f"/v1/lists/{name}"
    return path if index is None else f"{path}/items/{index}"


def refused(answer, status, code, field=None):
    assert (answer.status, answer.code) == (status, code), answer
    assert answer.json.get("field") == field, answer
    return answer.json


def content(server, name):
    """What a list of JSON values has, page by page."""
    found, start = [], 0
    while start is not None:
        page = server.get(f"{of(name)}/items?start={start}&limit=1000")
        found += [item["json"] for item in page["items"]]
        start = page["next"]
    return found


def test_an_item(server, name):
    server.post(of(name) + "/extend", values=["a", "b", "c"])
    got = server.call("GET", of(name, 1))
    assert got.json["json"] == "b" and got.header("ETag") == f'"{got.json["version"]}"'
    assert server.get(of(name, -2)) == {**got.json, "index": -2}
    put = server.call("PUT", of(name, -1), {"text": "C"})
    assert put.json["index"] == -1 and put.header("ETag") == f'"{put.json["version"]}"'
    assert server.get(of(name, 2))["text"] == "C"
    assert server.call("DELETE", of(name, 0)).status == 204
    assert server.get(of(name) + "/items")["length"] == 2
    assert server.get(of(name, 0))["json"] == "b"


@pytest.mark.parametrize("index", ["3", "-4", "9007199254740991", "-9007199254740991"])
def test_no_such_index(server, name, index):
    server.post(of(name) + "/extend", values=[1, 2, 3])
    for method, body in (("GET", None), ("PUT", {"json": 1}), ("DELETE", None)):
        problem = refused(server.call(method, of(name, index), body), 404, "out_of_range", "index")
        assert problem["length"] == 3 and problem["expected"] == "an index from -3 to 2"
    refused(server.call("POST", of(name) + "/pop", {"index": int(index)}), 404, "out_of_range",
            "index")
    assert content(server, name) == [1, 2, 3]


@pytest.mark.parametrize("index", ["", "a", "1.0", "+1", "01", "-", "1e2", " 1", "9007199254740992",
                                   "99999999999999999999999999", "%", "%00", "1%00"])
def test_what_is_no_index(server, name, index):
    server.post(of(name) + "/append", json=1)
    for method, body in (("GET", None), ("PUT", {"json": 1}), ("DELETE", None)):
        target = of(name, index.replace(" ", "%20"))
        refused(server.call(method, target, body), 400, "invalid_argument", "index")


def test_an_empty_list_has_no_index(server, name):
    server.put(of(name))
    problem = refused(server.call("GET", of(name, 0)), 404, "out_of_range", "index")
    assert problem["length"] == 0 and problem["expected"] == "an index of a list that is not empty"
    refused(server.call("POST", of(name) + "/pop"), 404, "out_of_range", "index")
    page = server.get(of(name) + "/items")
    assert page == {"items": [], "length": 0, "version": None, "next": None}


def test_conditions(server, name):
    server.post(of(name) + "/extend", values=[1, 2])
    tag = server.call("GET", of(name, 1)).header("ETag")
    done = server.call("PUT", of(name, 1), {"json": 3}, [("If-Match", tag)])
    assert done.status == 200
    for method, body in (("PUT", {"json": 4}), ("DELETE", None)):
        problem = refused(server.call(method, of(name, 1), body, [("If-Match", tag)]), 412,
                          "changed",
                          "If-Match")
        assert problem["version"] == done.json["version"]
        problem = refused(server.call(method, of(name, 9), body, [("If-Match", "*")]), 412,
                          "changed",
                          "If-Match")
        assert problem["version"] is None
        refused(server.call(method, of(name, 1), body, [("If-None-Match", "*")]), 400,
                "invalid_argument", "If-None-Match")
        refused(server.call(method, of(name, 1), body, [("If-Match", "x")]), 400,
                "invalid_argument",
                "If-Match")
    assert server.call("PUT", of(name, 0), {"json": 0}, [("If-Match", "*")]).status == 200
    refused(server.call("POST", of(name) + "/pop", {"version": "99"}), 412, "changed", "version")
    last = done.header("ETag")
    assert server.call("DELETE", of(name, -1), None, [("If-Match", last)]).status == 204
    assert content(server, name) == [0]


@pytest.mark.parametrize("written", [b"123456789012345678901234567890", b"1.0", b"1e5", b"-0.0",
                                     b'{"b": 1,  "a": [1, 2.50]}', b'"\\ud834\\udd1e"', b"null"])
def test_json_comes_out_as_it_was_written(server, name, written):
    server.call("POST", of(name) + "/append", b'{"json": ' + written + b"}")
    server.call("POST", of(name) + "/extend", b'{"values": [ ' + written + b" ]}")
    server.call("POST", of(name) + "/extend", b'{"messages": [{"json":' + written + b"}]}")
    server.call("POST", of(name) + "/splice", b'{"start": 9, "values": [' + written + b"]}")
    page = server.call("GET", of(name) + "/items").body
    assert page.count(b'"json":' + written + b",") == 4
    assert b'"json":' + written + b"," in server.call("GET", of(name, 0)).body


def test_the_longest_value(server, name):
    longest = "x" * (16 << 20)
    server.post(of(name) + "/append", text=longest)
    assert server.get(of(name, 0))["text"] == longest
    assert server.get(of(name) + "/items")["items"][0]["text"] == longest
    refused(server.call("POST", of(name) + "/append", {"text": longest + "x"}), 413, "too_large",
            "text")
    refused(server.call("POST", of(name) + "/extend", {"values": [1, longest]}), 413, "too_large",
            "values[1]")
    assert server.call("DELETE", of(name)).status == 204


# ---- parts -----------------------------------------------------------------------------------

BOUNDS = [None, 0, 1, 3, 9, 10, 11, 99, -1, -3, -10, -11, -99, 9007199254740991, -9007199254740991]


def test_slices_are_those_of_python(server, name):
    values = list(range(10))
    server.post(of(name) + "/extend", values=values)
    for start in BOUNDS:
        for stop in BOUNDS:
            query = "&".join(f"{word}={value}" for word, value in (("start", start), ("stop", stop))
                             if value is not None)
            page = server.get(of(name) + "/items" + (f"?{query}" if query else ""))
            assert [one["json"] for one in page["items"]] == values[start:stop], query
            assert page["length"] == 10 and page["next"] is None


def test_pages(server, name):
    server.post(of(name) + "/extend", values=list(range(1025)))
    first = server.get(of(name) + "/items")
    assert len(first["items"]) == 100 and first["next"] == 100
    page = server.get(of(name) + "/items?start=-5&limit=3")
    assert [one["json"] for one in page["items"]] == [1020, 1021, 1022] and page["next"] == 1023
    page = server.get(of(name) + "/items?start=5&stop=8&limit=3")
    assert [one["json"] for one in page["items"]] == [5, 6, 7] and page["next"] is None
    page = server.get(of(name) + "/items?limit=1000")
    assert len(page["items"]) == 1000 and page["next"] == 1000
    assert content(server, name) == list(range(1025))


@pytest.mark.parametrize("query, field", [
    ("start=a", "start"), ("start=", "start"), ("stop=1.5", "stop"), ("limit=0", "limit"),
    ("limit=1001", "limit"), ("step=1", "step"), ("start=1&start=2", "start"),
    ("start=9007199254740992", "start")])
def test_wrong_parts(server, name, query, field):
    server.post(of(name) + "/append", json=1)
    refused(server.call("GET", f"{of(name)}/items?{query}"), 400, "invalid_argument", field)


def test_large_pages_end_early(server, name):
    for number in range(20):
        server.post(of(name) + "/append", text=str(number) + "x" * (1 << 20))
    page = server.get(of(name) + "/items?limit=1000")
    assert len(page["items"]) == page["next"] == 16
    rest = server.get(f"{of(name)}/items?start={page['next']}")
    assert [one["text"].rstrip("x") for one in rest["items"]] == ["16", "17", "18", "19"]
    server.call("DELETE", of(name))


# ---- many at once ----------------------------------------------------------------------------

def run(count, work):
    """Runs WORK(number) in COUNT threads to their end."""
    crew = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for each in crew:
        each.start()
    for each in crew:
        each.join()


def test_no_update_is_lost(server, name):
    rounds, threads = 50, 8
    server.post(of(name) + "/append", json=0)
    refusals = []

    def count(_):
        with server.connect() as connection:
            for _ in range(rounds):
                while True:
                    got = connection.call("GET", of(name, 0))
                    put = connection.call("PUT", of(name, 0), {"json": got.json["json"] + 1},
                                          [("If-Match", got.header("ETag"))])
                    if put.status == 200:
                        break
                    assert put.code == "changed", put
                    refusals.append(put)

    run(threads, count)
    assert server.get(of(name, 0))["json"] == rounds * threads
    assert refusals, "they never met"


def test_every_append_is_there_once(server, name):
    def append(number):
        with server.connect() as connection:
            for each in range(100):
                assert connection.call("POST", of(name) + "/append",
                                       {"json": [number, each]}).status == 200

    run(8, append)
    found = content(server, name)
    assert sorted(found) == [[number, each] for number in range(8) for each in range(100)]
    for number in range(8):
        assert [each for who, each in found if who == number] == list(range(100))
