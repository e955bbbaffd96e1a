"""Lists over HTTP as a whole: limits, splices, sorting, updates, finding, and a model of them."""
import random

import pytest

from test_list_items_http import content, of, refused


def test_the_view(server, name):
    view = server.put(of(name))
    assert view["name"] == name and view["length"] == 0 and view["version"] is None
    server.post(of(name) + "/extend", values=[1, 2, 3])
    after = server.get(of(name))
    assert after["length"] == 3 and int(after["version"]) >= 1 and after["bytes"] > view["bytes"]
    assert after in server.get("/v1/lists?limit=1000")["lists"]
    assert server.post(of(name) + "/length") == {"length": 3, "version": after["version"]}
    assert server.call("DELETE", of(name)).status == 204
    refused(server.call("GET", of(name)), 404, "not_found")


def test_what_needs_a_list_that_exists(server, name):
    for call, body in (("pop", {}), ("remove", {"json": 1}), ("index", {"json": 1}),
                       ("count", {"json": 1}),
                       ("reverse", {}), ("sort", {}), ("clear", {}), ("length", {})):
        refused(server.call("POST", f"{of(name)}/{call}", body), 404, "not_found")
    refused(server.call("GET", of(name) + "/items"), 404, "not_found")
    refused(server.call("PUT", of(name, 0), {"json": 1}), 404, "not_found")
    refused(server.call("GET", of(name)), 404, "not_found")


def test_limits(server, name):
    server.put(of(name), max_entries=3, max_entry_bytes=4)
    refused(server.call("PUT", of(name), {"max_entries": 4}), 409, "conflict")
    server.post(of(name) + "/extend", values=[1, 2])
    before = server.get(of(name))
    for call, body in (("extend", {"values": [3, 4]}),
                       ("splice", {"start": 0, "stop": 1, "values": [1] * 3}),
                       ("update", {"changes": [{"append": {"json": 3}}, {"append": {"json": 4}}]})):
        problem = refused(server.call("POST", f"{of(name)}/{call}", body), 409, "overflow",
                          "max_entries")
        assert problem["limit"] == 3
    for call, body in (("append", {"text": "fives"}), ("insert", {"index": 0, "text": "fives"}),
                       ("extend", {"values": [3, 12345]})):
        problem = refused(server.call("POST", f"{of(name)}/{call}", body), 409, "overflow",
                          "max_entry_bytes")
        assert problem["limit"] == 4
    refused(server.call("PUT", of(name, 0), {"text": "fives"}), 409, "overflow", "max_entry_bytes")
    assert server.get(of(name)) == before and content(server, name) == [1, 2]


@pytest.mark.parametrize("call, body, field", [
    ("append", {}, "body"), ("append", {"json": 1, "text": ""}, "body"),
    ("append", {"value": 1}, "value"),
    ("append", {"json": 1, "index": 1}, "index"), ("insert", {"json": 1}, "index"),
    ("insert", {"index": "0", "json": 1}, "index"), ("insert", {"index": 0.5, "json": 1}, "index"),
    ("insert", {"index": 0}, "body"), ("extend", {}, "body"), ("extend", {"values": 1}, "values"),
    ("extend", {"values": [], "messages": []}, "body"), ("extend", {"messages": [{"json": 1}, 2]},
                                                         "messages[1]"),
    ("extend", {"messages": [{"json": 1, "x": 2}]}, "messages[0].x"),
    ("splice", {"values": [], "messages": []}, "body"), ("splice", {"start": "1"}, "start"),
    ("splice", {"stop": None}, "stop"), ("splice", {"version": 1}, "version"),
    ("splice", {"step": 1}, "step"),
    ("sort", {"descending": 1}, "descending"), ("sort", {"reverse": True}, "reverse"),
    ("pop", {"index": None}, "index"), ("update", {}, "changes"),
    ("update", {"changes": {}}, "changes"),
    ("update", {"changes": [1]}, "changes[0]"), ("update", {"changes": [{}]}, "changes[0]"),
    ("update", {"changes": [{"set": 0}]}, "changes[0]"),
    ("update", {"changes": [{"set": "0", "json": 1}]}, "changes[0].set"),
    ("update", {"changes": [{"append": 1}]}, "changes[0].append"),
    ("update", {"changes": [{"append": {"json": 1}, "json": 1}]}, "changes[0]"),
    ("update", {"changes": [{"append": {"json": 1}, "version": "1"}]}, "changes[0].version"),
    ("update", {"changes": [{"remove": 0, "set": 0, "json": 1}]}, "changes[0]"),
    ("update", {"changes": [{"insert": 0, "json": 1}, {"insert": 0, "text": 1}]},
     "changes[1].text"),
    ("update", {"changes": [{"remove": 0}], "version": 5}, "version"),
    ("count", {}, "body"), ("index", {"json": 1, "start": "a"}, "start"), ("clear", {"x": 1}, "x")],
    ids=lambda value: str(value)[:40])
def test_wrong_calls(server, name, call, body, field):
    refused(server.call("POST", f"{of(name)}/{call}", body), 400, "invalid_argument", field)
    refused(server.call("GET", of(name)), 404, "not_found")


def test_deep_values(server, name):
    deep = b"[" * 64 + b"]" * 64
    assert server.call("POST", of(name) + "/extend", b'{"values": [' + deep + b"]}").status == 200
    refused(server.call("POST", of(name) + "/extend", b'{"values": [1, [' + deep + b"]]}"), 400,
            "invalid_argument", "values[1]")


def test_what_calls_answer(server, name):
    first = server.post(of(name) + "/append", json="a")
    second = server.post(of(name) + "/extend", messages=[{"text": "b"}, {"base64": "AA=="}])
    assert first["length"] == 1 and second["length"] == 3
    assert int(second["version"]) > int(first["version"])
    third = server.post(of(name) + "/splice", version=second["version"], start=1, stop=3)
    assert third["length"] == 1
    problem = refused(server.call("POST", of(name) + "/splice",
                                  {"version": second["version"], "start": 0}),
                      412, "changed", "version")
    assert problem["version"] == third["version"] and content(server, name) == ["a"]
    assert server.post(of(name) + "/splice", start=5) == third


def test_finding(server, name):
    server.call("POST", of(name) + "/extend",
                b'{"values": [1, "a", 1.0, true, {"b": 1, "a": 2}, null, 1e0]}')
    server.post(of(name) + "/append", text="a")
    assert server.post(of(name) + "/count", json=1)["count"] == 3
    assert server.post(of(name) + "/count", json=True)["count"] == 1
    assert server.post(of(name) + "/count", json={"a": 2, "b": 1.0})["count"] == 1
    assert server.post(of(name) + "/index", json="a")["index"] == 1
    assert server.post(of(name) + "/index", text="a")["index"] == 7
    assert server.post(of(name) + "/index", json=1, start=1)["index"] == 2
    assert server.post(of(name) + "/index", json=1, start=-2)["index"] == 6
    refused(server.call("POST", of(name) + "/index", {"json": 1, "start": 3, "stop": 6}), 404,
            "no_such_key")
    assert server.post(of(name) + "/remove", json=1)["index"] == 0
    assert server.post(of(name) + "/remove", json=1)["index"] == 1
    refused(server.call("POST", of(name) + "/remove", {"json": 2}), 404, "no_such_key")
    assert server.get(of(name))["length"] == 6


def test_sorting(server, name):
    server.call("POST", of(name) + "/extend",
                b'{"values": [3, 1.5, 123456789012345678901234567890, -2, 1e3, 1.50]}')
    view = server.post(of(name) + "/sort")
    assert view["length"] == 6
    assert content(server, name) == [-2, 1.5, 1.5, 3, 1e3, 123456789012345678901234567890]
    assert b"1.5," in server.call("GET", of(name, 1)).body  # stable
    server.post(of(name) + "/sort", descending=True)
    assert content(server, name)[0] == 123456789012345678901234567890
    server.post(of(name) + "/append", json="a")
    before = server.get(of(name))
    problem = refused(server.call("POST", of(name) + "/sort"), 409, "type_mismatch")
    assert {problem["has"], problem["asked"]} == {"number", "string"}
    assert server.get(of(name)) == before
    server.post(of(name) + "/reverse")
    assert content(server, name)[0] == "a"


def test_update_is_all_or_none(server, name):
    made = server.post(of(name) + "/extend", values=[1, 2, 3])
    wrong = [
        ([{"append": {"json": 4}}, {"remove": 4}], {}, 404, "out_of_range", "changes[1].remove"),
        ([{"remove": 0}, {"set": 2, "json": 9}], {}, 404, "out_of_range", "changes[1].set"),
        ([{"set": 0, "json": 9}, {"set": 1, "json": 9, "version": "99"}], {}, 412, "changed",
         "changes[1].version"),
        ([{"set": 0, "json": 9}], {"version": "99"}, 412, "changed", "version"),
    ]
    for changes, more, status, code, field in wrong:
        answer = server.call("POST", of(name) + "/update", {"changes": changes, **more})
        refused(answer, status, code, field)
        assert content(server, name) == [1, 2, 3]
    done = server.post(of(name) + "/update", version=made["version"], changes=[
        {"set": -1, "json": 30, "version": server.get(of(name, 2))["version"]},
        {"insert": 0, "text": "x"},
        {"remove": 1}, {"append": {"json": {"a": 1}}}, {"insert": 99, "json": 5}])
    assert done["length"] == 5
    items = server.get(of(name) + "/items")["items"]
    assert [one.get("json", one.get("text")) for one in items] == ["x", 2, 30, {"a": 1}, 5]
    assert items[0]["version"] == items[4]["version"] == done["version"]
    assert items[1]["version"] == made["version"]


def test_a_repeat_is_answered_as_the_first_was(server, name):
    for number, (call, body) in enumerate((("append", {"json": 1}), ("extend", {"values": [2]}),
                                           ("pop", {}), ("reverse", {}), ("clear", {}))):
        key = [("Idempotency-Key", f"list-{name}-{number}")]
        first = server.call("POST", f"{of(name)}/{call}", body, key)
        again = server.call("POST", f"{of(name)}/{call}", body, key)
        assert first.status == 200 and again.body == first.body, call
        assert again.header("Idempotency-Replayed") == "true"
    assert content(server, name) == []


def test_in_a_batch(server, name):
    results = server.post("/v1/batch", operations=[
        {"method": "POST", "path": of(name) + "/extend", "body": {"values": [1, 2]}},
        {"method": "GET", "path": of(name, -1)},
        {"method": "PUT", "path": of(name, 0), "body": {"json": [0]}},
        {"method": "GET", "path": of(name) + "/items"},
        {"method": "DELETE", "path": of(name, 5)}])["results"]
    assert [one["status"] for one in results] == [200, 200, 200, 200, 404]
    assert results[1]["body"]["json"] == 2
    assert [one["json"] for one in results[3]["body"]["items"]] == [[0], 2]


# ---- a model ---------------------------------------------------------------------------------

def value_of(chance):
    return chance.choice([chance.randrange(10), chance.random(), "text", [1, {"a": 2}],
                          {"x": chance.randrange(5)}, "☃" * chance.randrange(20)])


def bound(chance, model):
    return chance.choice([chance.randrange(-len(model) - 3, len(model) + 4), 10 ** 6, -10 ** 6])


def is_index(index, model):
    return -len(model) <= index < len(model)


def one_change(server, name, chance, model):
    """Makes a random call, and the same to MODEL; both must agree."""
    what = chance.choice(["append", "extend", "insert", "pop", "pop_at", "put", "get", "delete",
                          "remove",
                          "index", "count", "reverse", "sort", "splice", "cut", "update", "clear"])
    value, at = value_of(chance), bound(chance, model)
    if what == "append":
        server.post(of(name) + "/append", json=value)
        model.append(value)
    elif what == "extend":
        values = [value_of(chance) for _ in range(chance.randrange(5))]
        server.post(of(name) + "/extend", values=values)
        model.extend(values)
    elif what == "insert":
        server.post(of(name) + "/insert", index=at, json=value)
        model.insert(at, value)
    elif what in ("pop", "pop_at", "get", "delete"):
        at = -1 if what == "pop" else at
        answer = {"get": lambda: server.call("GET", of(name, at)),
                  "delete": lambda: server.call("DELETE", of(name, at))}.get(
            what, lambda: server.call("POST", of(name) + "/pop", {"index": at}))()
        assert (answer.status < 300) is is_index(at, model)
        if answer.status < 300:
            expected = model[at] if what == "get" else model.pop(at)
            assert what == "delete" or answer.json["json"] == expected
    elif what == "put":
        answer = server.call("PUT", of(name, at), {"json": value})
        assert (answer.status == 200) is is_index(at, model)
        if answer.status == 200:
            model[at] = value
    elif what in ("remove", "index"):
        answer = server.call("POST", f"{of(name)}/{what}", {"json": value})
        assert (answer.status == 200) is (value in model)
        if answer.status == 200:
            assert answer.json["index"] == model.index(value)
            if what == "remove":
                model.remove(value)
    elif what == "count":
        assert server.post(of(name) + "/count", json=value)["count"] == model.count(value)
    elif what == "reverse":
        server.post(of(name) + "/reverse")
        model.reverse()
    elif what == "sort":
        descending = chance.random() < 0.5
        answer = server.call("POST", of(name) + "/sort", {"descending": descending})
        if all(isinstance(each, str) for each in model) or not any(
                isinstance(each, (str, dict, list)) for each in model):
            assert answer.status == 200
            model.sort(reverse=descending)
        else:  # what has no order stays; a single one, or some that are equal, stay too
            assert answer.status == 409 or len({str(each) for each in model}) == 1 or all(
                isinstance(each, list) for each in model)
    elif what in ("splice", "cut"):
        stop = bound(chance, model)
        values = [value_of(chance) for _ in range(chance.randrange(4))] if what == "splice" else []
        server.post(of(name) + "/splice", start=at, stop=stop, values=values)
        model[at:stop] = values
    elif what == "update":
        server.post(of(name) + "/update", changes=[{"append": {"json": value}},
                                                   {"set": 0, "json": value},
                                                   {"insert": at, "json": 1}, {"remove": -1}])
        model.append(value)
        model[0] = value
        model.insert(at, 1)
        del model[-1]
    elif what == "clear" and chance.random() < 0.3:
        server.post(of(name) + "/clear")
        model.clear()


def test_it_is_a_list_of_python(server, name):
    chance = random.Random(5)
    model = []
    server.put(of(name))
    for number in range(2000):
        one_change(server, name, chance, model)
        if number % 20 == 0:
            assert content(server, name) == model, number
    assert content(server, name) == model


def test_numbers_are_sorted_as_in_python(server, name):
    chance = random.Random(6)
    values = [chance.choice([chance.randrange(-50, 50),
                             chance.uniform(-50, 50)]) for _ in range(500)]
    server.post(of(name) + "/extend", values=values)
    for descending in (False, True):
        server.post(of(name) + "/sort", descending=descending)
        values.sort(reverse=descending)
        assert content(server, name) == values
