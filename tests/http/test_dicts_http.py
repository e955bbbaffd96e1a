"""Dicts over HTTP as a whole: limits, pages, updates of several entries, and a model of them."""
import random

import pytest


def of(name):
    return f"/v1/dicts/{name}"


def refused(answer, status, code, field=None):
    assert (answer.status, answer.code) == (status, code), answer
    assert answer.json.get("field") == field, answer
    return answer.json


def content(server, name, limit=100):
    """What the dict has: key to JSON value, in order, page by page."""
    found, cursor = {}, ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        page = server.get(f"{of(name)}/items?limit={limit}{more}")
        for item in page["items"]:
            assert item["key"] not in found
            found[item["key"]] = item["json"]
        cursor = page["cursor"]
    return found


def test_the_view(server, name):
    view = server.put(of(name))
    assert view["name"] == name and view["length"] == 0 and view["version"] is None
    assert view["max_entries"] == 16777216 and view["max_entry_bytes"] == 16 << 20
    server.post(of(name) + "/update", items={"a": 1, "b": 2})
    after = server.get(of(name))
    assert after["length"] == 2 and int(after["version"]) >= 1 and after["bytes"] > view["bytes"]
    assert after in server.get("/v1/dicts?limit=1000")["dicts"]
    assert server.call("DELETE", of(name)).status == 204
    refused(server.call("GET", of(name)), 404, "not_found")


def test_limits_are_options(server, name):
    made = server.call("PUT", of(name), {"max_entries": 3})
    assert made.status == 201
    assert server.call("PUT", of(name), {"max_entries": 3}).status == 200
    assert server.call("PUT", of(name), {}).json == made.json
    answer = server.call("PUT", of(name), {"max_entries": 4})
    refused(answer, 409, "conflict")
    assert "max_entries=3" in answer.json["detail"] and "max_entries=4" in answer.json["detail"]


@pytest.mark.parametrize("body, field", [
    ({"max_entries": -1}, "max_entries"), ({"max_entries": 16777217}, "max_entries"),
    ({"max_entries": "1"}, "max_entries"), ({"max_entry_bytes": (16 << 20) + 1}, "max_entry_bytes"),
    ({"max_bytes": 1.5}, "max_bytes"), ({"maxsize": 1}, "maxsize"), ([], "body")])
def test_wrong_limits(server, name, body, field):
    refused(server.call("PUT", of(name), body), 400, "invalid_argument", field)
    refused(server.call("GET", of(name)), 404, "not_found")


def test_too_many_entries(server, name):
    server.put(of(name), max_entries=2)
    server.post(of(name) + "/update", items={"a": 1, "b": 2})
    before = server.get(of(name))
    for call, body in (("set", {"key": "c", "json": 3}), ("setdefault", {"key": "c", "json": 3}),
                       ("update", {"items": {"a": 9, "c": 3}}),
                       ("update", {"changes": [{"set": "a", "json": 9}, {"set": "c", "json": 3}]})):
        problem = refused(server.call("POST", f"{of(name)}/{call}", body), 409, "overflow",
                          "max_entries")
        assert problem["limit"] == 2 and problem["expected"] == "at most 2"
        assert content(server, name) == {"a": 1, "b": 2} and server.get(of(name)) == before
    server.post(of(name) + "/update", changes=[{"remove": "a"}, {"set": "c", "json": 3}])
    assert content(server, name) == {"b": 2, "c": 3}


def test_too_long_and_too_much(server, name):
    server.put(of(name), max_entry_bytes=4)
    server.post(of(name) + "/set", key="a", text="four")
    problem = refused(server.call("POST", of(name) + "/set", {"key": "a", "text": "fifth"}), 409,
                      "overflow", "max_entry_bytes")
    assert problem["limit"] == 4
    other = name + "-2"
    server.put(of(other), max_bytes=65536)
    for number in range(1000):
        answer = server.call("POST", of(other) + "/set", {"key": str(number), "text": "x" * 1000})
        if answer.status != 200:
            break
    problem = refused(answer, 409, "overflow", "max_bytes")
    assert problem["limit"] == 65536 and 20 < number < 66
    assert server.get(of(other))["length"] == number


def test_update_is_all_or_none(server, name):
    made = server.post(of(name) + "/update", items={"a": 1, "b": 2, "c": 3})
    version = server.post(of(name) + "/get", key="b")["version"]
    assert version == made["version"]
    wrong = [
        ([{"set": "a", "json": 9}, {"remove": "x"}], 404, "no_such_key", "changes[1].remove"),
        ([{"set": "a", "json": 9}, {"set": "b", "json": 9, "version": "99"}], 412, "changed",
         "changes[1].version"),
        ([{"remove": "a"}, {"expect": "c", "version": None}], 412, "changed", "changes[1].version"),
        ([{"set": "a", "json": 9, "version": None}], 412, "changed", "changes[0].version"),
        ([{"set": "a", "json": 9}, {"expect": "x", "version": version}], 412, "changed",
         "changes[1].version"),
    ]
    for changes, status, code, field in wrong:
        problem = refused(server.call("POST", of(name) + "/update", {"changes": changes}), status,
                          code,
                          field)
        if code == "changed":
            assert problem["version"] == (None if "'x'" in str(changes) else version)
        assert content(server, name) == {"a": 1, "b": 2, "c": 3}
    done = server.post(of(name) + "/update", changes=[
        {"set": "d", "text": "four", "version": None}, {"remove": "a", "version": version},
        {"expect": "c", "version": version}, {"expect": "x", "version": None},
        {"set": "b", "json": [2]}])
    assert done["changes"] == 5
    items = server.get(of(name) + "/items")["items"]
    assert [one["key"] for one in items] == ["b", "c", "d"]
    assert items[0]["version"] == items[2]["version"] == done["version"]
    assert items[1]["version"] == version


@pytest.mark.parametrize("body, field", [
    ({}, "body"), ({"changes": [], "items": {}}, "body"), ({"changes": {}}, "changes"),
    ({"items": []}, "items"), ({"changes": [1]}, "changes[0]"), ({"changes": [{}]}, "changes[0]"),
    ({"changes": [{"set": "a"}]}, "changes[0]"),
    ({"changes": [{"set": 1, "json": 1}]}, "changes[0].set"),
    ({"changes": [{"set": "a", "json": 1}, {"set": "b", "text": 1}]}, "changes[1].text"),
    ({"changes": [{"set": "a", "json": 1, "remove": "b"}]}, "changes[0]"),
    ({"changes": [{"remove": "a", "json": 1}]}, "changes[0]"),
    ({"changes": [{"expect": "a"}]}, "changes[0].version"),
    ({"changes": [{"set": "a", "json": 1, "version": 1}]}, "changes[0].version"),
    ({"changes": [{"set": "a", "value": 1}]}, "changes[0].value"),
    ({"changes": [{"set": "x" * 1025, "json": 1}]}, "changes[0].set"),
    ({"changes": [{"remove": "a"}] * 65537}, "changes"), ({"more": 1}, "more")],
    ids=lambda value: str(value)[:40])
def test_wrong_updates(server, name, body, field):
    refused(server.call("POST", of(name) + "/update", body), 400, "invalid_argument", field)
    refused(server.call("GET", of(name)), 404, "not_found")


def test_a_long_name_in_items(server, name):
    answer = server.call("POST", of(name) + "/update", {"items": {"x" * 1025: 1}})
    refused(answer, 400, "invalid_argument", "items." + "x" * 60)


def test_updates_with_nothing_in_them(server, name):
    assert server.post(of(name) + "/update", items={"": 1})["changes"] == 1
    before = server.get(of(name))["version"]
    assert server.post(of(name) + "/update", items={}) == {"changes": 0, "version": before}
    assert server.post(of(name) + "/update", changes=[]) == {"changes": 0, "version": before}
    assert content(server, name) == {"": 1}


def test_copy(server, name):
    server.put(of(name), max_entries=5)
    server.post(of(name) + "/update", items={"a": 1, "b": 2})
    done = server.post(of(name) + "/copy", to=name + "-2")
    assert done["to"] == name + "-2" and done["length"] == 2
    assert server.get(of(name + "-2"))["max_entries"] == 5
    server.post(of(name + "-2") + "/update", items={"a": 7, "z": 8})
    server.post(of(name) + "/copy", to=name + "-2")
    assert content(server, name + "-2") == {"a": 1, "b": 2, "z": 8}
    refused(server.call("POST", of(name) + "/copy", {"to": name}), 400, "invalid_argument", "to")
    refused(server.call("POST", of(name) + "/copy", {}), 400, "invalid_argument", "to")
    server.put(of(name + "-3"), max_entries=1)
    refused(server.call("POST", of(name) + "/copy", {"to": name + "-3"}), 409, "overflow",
            "max_entries")
    assert content(server, name + "-3") == {}


def test_clear(server, name):
    server.post(of(name) + "/update", items={str(number): number for number in range(100)})
    view = server.post(of(name) + "/clear")
    assert view["length"] == 0 and content(server, name) == {}


# ---- pages -----------------------------------------------------------------------------------

def test_pages(server, name):
    expected = {f"k{number}": number for number in range(257)}
    server.post(of(name) + "/update", items=expected)
    for limit in (1, 7, 100, 257, 1000):
        found = content(server, name, limit)
        assert found == expected and list(found) == list(expected)
    first = server.get(of(name) + "/keys?limit=10")
    assert first["keys"] == list(expected)[:10] and first["cursor"]
    values = server.get(of(name) + "/values?limit=1000")
    assert [one["json"] for one in values["values"]] == list(expected.values())
    assert set(values["values"][0]) == {"type", "json", "version"} and values["cursor"] is None


def test_large_pages_end_early(server, name):
    for number in range(40):
        server.put(f"{of(name)}/items/{number}", text="x" * (1 << 20))
    page = server.get(of(name) + "/items?limit=1000")
    assert 16 <= len(page["items"]) <= 17 and page["cursor"]
    seen = [one["key"] for one in page["items"]]
    while page["cursor"]:
        page = server.get(f"{of(name)}/items?limit=1000&cursor={page['cursor']}")
        seen += [one["key"] for one in page["items"]]
    assert seen == [str(number) for number in range(40)]
    server.call("DELETE", of(name))


def test_wrong_pages(server, name):
    server.post(of(name) + "/update", items={"a": 1, "b": 2})
    server.post(of(name + "-2") + "/update", items={"a": 1, "b": 2})
    cursor = server.get(of(name) + "/items?limit=1")["cursor"]
    assert server.get(f"{of(name)}/items?cursor={cursor}")["items"][0]["key"] == "b"
    changed = ("0" if cursor[0] != "0" else "1") + cursor[1:]
    wrong = ["1", "0-0-0", "-", "x", "%00", cursor[:-1], cursor + "0", changed,
             cursor.upper() + "A"]
    for text in wrong:
        answer = server.call("GET", f"{of(name)}/items?cursor={text}")
        refused(answer, 400, "invalid_argument", "cursor")
    answer = server.call("GET", f"{of(name + '-2')}/items?cursor={cursor}")
    refused(answer, 400, "invalid_argument", "cursor")
    for text in ("0", "1001", "a", "-1"):
        answer = server.call("GET", f"{of(name)}/items?limit={text}")
        refused(answer, 400, "invalid_argument", "limit")


def test_walking_while_entries_come_and_go(server, name):
    """What is there during the whole walk is listed once; what comes and goes, at most once."""
    stay = [f"stay{number}" for number in range(100)]
    order = [key for number in range(100) for key in (f"go{number}", stay[number])]
    server.post(of(name) + "/update", items=dict.fromkeys(order, 1))
    seen, cursor, number = [], "", 0
    while cursor is not None:
        page = server.get(f"{of(name)}/keys?limit=7" + (f"&cursor={cursor}" if cursor else ""))
        seen += page["keys"]
        cursor = page["cursor"]
        for _ in range(5):
            if number < 100:  # behind the walk and before it, also the very last that was listed
                server.post(of(name) + "/pop", key=f"go{number}", default=None)
                server.post(of(name) + "/pop", key=f"go{99 - number}", default=None)
                server.post(of(name) + "/set", key=f"come{number}", json=1)
                number += 1
    assert len(seen) == len(set(seen))
    assert [key for key in seen if key.startswith("stay")] == stay


# ---- a model ---------------------------------------------------------------------------------

def value_of(chance):
    return chance.choice([chance.randrange(1000), chance.random(), "text", None, True,
                          [1, {"a": 2}],
                          {"x": chance.randrange(5)}, "☃" * chance.randrange(20)])


def one_change(server, name, chance, model):
    """Makes a random call, and the same to MODEL; both must agree."""
    key = f"k{chance.randrange(40)}"
    what = chance.choice(["set", "put", "get", "pop", "pop_default", "setdefault", "popitem",
                          "contains",
                          "update", "changes", "remove", "delete", "length", "clear"])
    if what in ("set", "put"):
        value = model[key] = value_of(chance)
        if what == "set":
            server.post(of(name) + "/set", key=key, json=value)
        else:
            server.put(f"{of(name)}/items/{key}", json=value)
    elif what in ("get", "pop"):
        answer = server.call("POST", f"{of(name)}/{what}", {"key": key})
        assert answer.status == (200 if key in model else 404)
        if key in model:
            assert answer.json["json"] == (model[key] if what == "get" else model.pop(key))
    elif what == "pop_default":
        assert server.post(of(name) + "/pop", key=key, default=7)["json"] == model.pop(key, 7)
    elif what == "setdefault":
        value = value_of(chance)
        assert server.post(of(name) + "/setdefault", key=key,
                           json=value)["json"] == model.setdefault(
            key, value)
    elif what == "popitem":
        answer = server.call("POST", of(name) + "/popitem")
        assert answer.status == (200 if model else 404)
        if model:
            assert (answer.json["key"], answer.json["json"]) == model.popitem()
    elif what == "contains":
        assert server.post(of(name) + "/contains", key=key)["contains"] is (key in model)
    elif what == "update":
        items = {f"k{chance.randrange(40)}": value_of(chance) for _ in range(chance.randrange(6))}
        server.post(of(name) + "/update", items=items)
        model.update(items)
    elif what == "changes":
        wanted, changes = dict(model), []
        for _ in range(chance.randrange(1, 8)):
            key = f"k{chance.randrange(40)}"
            if key in wanted and chance.random() < 0.5:
                changes.append({"remove": key})
                del wanted[key]
            else:
                wanted[key] = value_of(chance)
                changes.append({"set": key, "json": wanted[key]})
        server.post(of(name) + "/update", changes=changes)
        model.clear()
        model.update(wanted)
    elif what in ("remove", "delete"):
        answer = (server.call("POST", of(name) + "/remove", {"key": key}) if what == "remove" else
                  server.call("DELETE", f"{of(name)}/items/{key}"))
        assert answer.status == ((200 if what == "remove" else 204) if key in model else 404)
        model.pop(key, None)
    elif what == "length":
        assert server.post(of(name) + "/length")["length"] == len(model)
    elif what == "clear" and chance.random() < 0.2:
        server.post(of(name) + "/clear")
        model.clear()


def test_it_is_a_dict_of_python(server, name):
    chance = random.Random(5)
    model = {}
    server.put(of(name))
    for number in range(2000):
        one_change(server, name, chance, model)
        if number % 20 == 0:
            found = content(server, name)
            assert found == model and list(found) == list(model), number
    assert content(server, name) == model
