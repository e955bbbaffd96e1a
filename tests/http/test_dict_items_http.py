"""One entry of a dict over HTTP: keys of all sorts, values as they were put, and conditions."""
import threading
from base64 import b64encode
from urllib.parse import quote

import pytest

KEYS = ["a", "a/b", "a:b", "100%", "%41", "é☃𝄞", "with space", "?q=1&r=2#f", "..", ".", "items",
        "\x01",
        "nul\x00inside", "x" * 1024, "é" * 512, "'\"\\"]
VALUES = [b'{"json": 123456789012345678901234567890}', b'{"json": 1.0}', b'{"json": 1e5}',
          b'{"json": -0.0}', b'{"json": {"b": 1,  "a": [1, 2.50], "\\u00e9": "\\u2603"}}',
          b'{"json": "\\ud834\\udd1e and \\u0000"}', b'{"json": null}', b'{"json": []}',
          '{"json": "☃"}'.encode()]


def of(name, key=None):
    """The path of the dict, or of one of its entries."""
    path = f"/v1/dicts/{name}"
    return path if key is None else f"{path}/items/{quote(key, '')}"


def refused(answer, status, code, field=None):
    assert (answer.status, answer.code) == (status, code), answer
    assert answer.json.get("field") == field, answer
    return answer.json


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ascii(key)[:20])
def test_any_key_goes_by_path_and_by_body(server, name, key):
    made = server.call("PUT", of(name, key), {"json": 1})
    assert made.status == 200 and made.json["key"] == key
    assert made.header("ETag") == f'"{made.json["version"]}"'
    got = server.call("GET", of(name, key))
    assert got.json == {"key": key, "type": "json", "json": 1, "version": made.json["version"]}
    assert got.header("ETag") == made.header("ETag")
    assert server.post(of(name) + "/get", key=key) == got.json
    assert server.get(of(name) + "/keys")["keys"] == [key]
    assert server.call("DELETE", of(name, key)).status == 204
    assert server.post(of(name) + "/contains", key=key) == {"key": key, "contains": False}
    refused(server.call("GET", of(name, key)), 404, "no_such_key", "key")


def test_the_empty_key_goes_by_body_only(server, name):
    server.post(of(name) + "/set", key="", json=1)
    assert server.post(of(name) + "/get", key="")["json"] == 1
    for method, body in (("GET", None), ("PUT", {"json": 2}), ("DELETE", None)):
        refused(server.call(method, of(name) + "/items/", body), 400, "invalid_argument", "key")
    assert server.post(of(name) + "/pop", key="")["json"] == 1


@pytest.mark.parametrize("part", ["%", "%4", "%zz", "a%", "%ff", "%c0%80", "%ed%a0%80", "x" * 1025,
                                  "%C3%A9" * 513])
def test_what_is_no_key(server, name, part):
    for method, body in (("GET", None), ("PUT", {"json": 2}), ("DELETE", None)):
        answer = server.call(method, f"/v1/dicts/{name}/items/{part}", body)
        refused(answer, 400, "invalid_argument", "key")
    refused(server.call("GET", of(name)), 404, "not_found")


@pytest.mark.parametrize("key, field", [(None, "key"), (1, "key"), (["a"], "key"),
                                        ("x" * 1025, "key"),
                                        ("é" * 513, "key")], ids=lambda key: str(key)[:10])
def test_what_is_no_key_in_a_body(server, name, key, field):
    for call, more in (("get", {}), ("set", {"json": 1}), ("setdefault", {"json": 1}), ("pop", {}),
                       ("contains", {}), ("remove", {})):
        answer = server.call("POST", f"{of(name)}/{call}", {"key": key, **more})
        refused(answer, 400, "invalid_argument", field)
        refused(server.call("POST", f"{of(name)}/{call}", more), 400, "invalid_argument", "key")
    refused(server.call("GET", of(name)), 404, "not_found")


@pytest.mark.parametrize("body", VALUES, ids=lambda body: ascii(body)[:40])
def test_json_comes_out_as_it_was_written(server, name, body):
    written = body[len(b'{"json": '):-1]
    assert server.call("PUT", of(name, "k"), body).status == 200
    assert b'"json":' + written + b"," in server.call("GET", of(name, "k")).body
    assert b'"json":' + written + b"," in server.call("GET", of(name) + "/items").body


def test_text_and_bytes(server, name):
    server.put(of(name, "t"), text="a\u0000☃")
    server.put(of(name, "b"), base64=b64encode(bytes(range(256))).decode())
    assert server.get(of(name, "t"))["text"] == "a\u0000☃"
    assert server.get(of(name, "b"))["base64"] == b64encode(bytes(range(256))).decode()
    assert server.get(of(name, "b"))["type"] == "bytes"


@pytest.mark.parametrize("body, field", [
    ({}, "body"), ({"json": 1, "text": "a"}, "body"), ({"text": 1}, "text"),
    ({"base64": "a"}, "base64"),
    ({"value": 1}, "value"), ({"json": 1, "version": "1"}, "version"), ([], "body")])
def test_wrong_messages(server, name, body, field):
    refused(server.call("PUT", of(name, "k"), body), 400, "invalid_argument", field)
    refused(server.call("GET", of(name)), 404, "not_found")


def test_the_longest_value(server, name):
    longest = "x" * (16 << 20)
    assert server.call("PUT", of(name, "k"), {"text": longest}).status == 200
    got = server.get(of(name, "k"))
    assert got["text"] == longest
    page = server.get(of(name) + "/items")
    assert page["items"][0]["text"] == longest and page["cursor"] is None
    refused(server.call("PUT", of(name, "k"), {"text": longest + "x"}), 413, "too_large", "text")
    assert server.get(of(name, "k"))["version"] == got["version"]
    assert server.call("DELETE", of(name)).status == 204


def test_conditions_of_a_put(server, name):
    absent = [("If-None-Match", "*")]
    first = server.call("PUT", of(name, "k"), {"json": 1}, absent)
    assert first.status == 200
    problem = refused(server.call("PUT", of(name, "k"), {"json": 2}, absent), 412, "changed",
                      "If-None-Match")
    assert problem["version"] == first.json["version"]
    match = [("If-Match", first.header("ETag"))]
    second = server.call("PUT", of(name, "k"), {"json": 2}, match)
    assert second.status == 200 and int(second.json["version"]) > int(first.json["version"])
    problem = refused(server.call("PUT", of(name, "k"), {"json": 3}, match), 412, "changed",
                      "If-Match")
    assert problem["version"] == second.json["version"]
    assert server.call("PUT", of(name, "k"), {"json": 3}, [("If-Match", "*")]).status == 200
    for header in ("*", '"1"'):
        problem = refused(server.call("PUT", of(name, "new"), {"json": 1}, [("If-Match", header)]),
                          412,
                          "changed", "If-Match")
        assert problem["version"] is None
    assert server.get(of(name) + "/keys")["keys"] == ["k"]


def test_conditions_of_a_delete(server, name):
    tag = server.call("PUT", of(name, "k"), {"json": 1}).header("ETag")
    problem = refused(server.call("DELETE", of(name, "k"), None, [("If-Match", '"99"')]), 412,
                      "changed",
                      "If-Match")
    assert f'"{problem["version"]}"' == tag
    refused(server.call("DELETE", of(name, "k"), None, [("If-None-Match", "*")]), 400,
            "invalid_argument", "If-None-Match")
    assert server.call("DELETE", of(name, "k"), None, [("If-Match", tag)]).status == 204
    for header in ("*", tag):
        problem = refused(server.call("DELETE", of(name, "k"), None, [("If-Match", header)]), 412,
                          "changed", "If-Match")
        assert problem["version"] is None
    refused(server.call("DELETE", of(name, "k")), 404, "no_such_key", "key")


@pytest.mark.parametrize("headers, field", [
    ([("If-Match", "1")], "If-Match"), ([("If-Match", 'W/"1"')], "If-Match"),
    ([("If-Match", '"a"')], "If-Match"), ([("If-Match", '"0"')], "If-Match"),
    ([("If-Match", '"01"')], "If-Match"), ([("If-Match", '"1", "2"')], "If-Match"),
    ([("If-Match", '"18446744073709551616"')], "If-Match"), ([("If-Match", "")], "If-Match"),
    ([("If-None-Match", '"1"')], "If-None-Match"),
    ([("If-Match", "*"), ("If-None-Match", "*")], "If-None-Match"),
    ([("If-Match", '"1"'), ("If-Match", '"2"')], "If-Match")])
def test_conditions_that_are_none(server, name, headers, field):
    refused(server.call("PUT", of(name, "k"), {"json": 1}, headers), 400, "invalid_argument", field)
    refused(server.call("GET", of(name)), 404, "not_found")


def test_versions_in_bodies(server, name):
    made = server.post(of(name) + "/set", key="k", json=1, version=None)
    problem = refused(server.call("POST", of(name) + "/set",
                                  {"key": "k", "json": 2, "version": None}),
                      412, "changed", "version")
    assert problem["version"] == made["version"]
    again = server.post(of(name) + "/set", key="k", json=2, version=made["version"])
    refused(server.call("POST", of(name) + "/remove", {"key": "k", "version": made["version"]}),
            412,
            "changed", "version")
    for wrong in ("0", "", "a", "-1", "01", 1, True, "18446744073709551615"):
        refused(server.call("POST", of(name) + "/set", {"key": "k", "json": 2, "version": wrong}),
                400,
                "invalid_argument", "version")
    removed = server.post(of(name) + "/remove", key="k", version=again["version"])
    assert int(removed["version"]) > int(again["version"])
    assert server.post(of(name) + "/length") == {"length": 0, "version": removed["version"]}


def test_setdefault_pop_and_popitem(server, name):
    first = server.post(of(name) + "/setdefault", key="a", json=1)
    assert first["created"] is True and first["json"] == 1
    second = server.post(of(name) + "/setdefault", key="a", json=2)
    assert second == {**first, "created": False}
    server.post(of(name) + "/set", key="b", text="two")
    server.post(of(name) + "/set", key="a", json=3)  # its place stays
    assert server.post(of(name) + "/popitem")["key"] == "b"
    assert server.post(of(name) + "/pop", key="a")["json"] == 3
    refused(server.call("POST", of(name) + "/pop", {"key": "a"}), 404, "no_such_key", "key")
    refused(server.call("POST", of(name) + "/popitem"), 404, "no_such_key")
    body = b'{"key": "a", "default": {"z": 1.00, "a": 12345678901234567890123}}'
    answer = server.call("POST", of(name) + "/pop", body)
    assert b'"json":{"z": 1.00, "a": 12345678901234567890123},"version":null' in answer.body
    popped = server.post(of(name) + "/pop", key="a", default=None)
    assert popped == {"key": "a", "type": "json", "json": None, "version": None}


def test_what_needs_a_dict_that_exists(server, name):
    for call, body in (("get", {"key": "a"}), ("pop", {"key": "a"}), ("popitem", {}), ("clear", {}),
                       ("contains", {"key": "a"}), ("remove", {"key": "a"}), ("length", {}),
                       ("copy", {"to": name + "-2"})):
        refused(server.call("POST", f"{of(name)}/{call}", body), 404, "not_found")
    for path in ("items", "keys", "values", "items/a"):
        refused(server.call("GET", f"{of(name)}/{path}"), 404, "not_found")
    refused(server.call("DELETE", of(name, "a")), 404, "not_found")
    refused(server.call("GET", of(name + "-2")), 404, "not_found")


def test_no_update_is_lost(server, name):
    """Eight threads count with If-Match."""
    rounds, threads = 50, 8
    server.put(of(name, "n"), json=0)
    refusals = []

    def count():
        with server.connect() as connection:
            for _ in range(rounds):
                while True:
                    got = connection.call("GET", of(name, "n"))
                    put = connection.call("PUT", of(name, "n"), {"json": got.json["json"] + 1},
                                          [("If-Match", got.header("ETag"))])
                    if put.status == 200:
                        break
                    assert put.code == "changed", put
                    refusals.append(put)

    crew = [threading.Thread(target=count) for _ in range(threads)]
    for each in crew:
        each.start()
    for each in crew:
        each.join()
    assert server.get(of(name, "n"))["json"] == rounds * threads
    assert refusals, "they never met"


def test_a_key_is_made_once(server, name):
    """Of eight who want to make it, one does."""
    answers = []
    barrier = threading.Barrier(8)

    def make(number):
        with server.connect() as connection:
            barrier.wait()
            answers.append((connection.call("PUT", of(name, "k"), {"json": number},
                                            [("If-None-Match", "*")]).status, number))

    crew = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for each in crew:
        each.start()
    for each in crew:
        each.join()
    winner, = [number for status, number in answers if status == 200]
    assert sorted(status for status, _ in answers) == [200] + [412] * 7
    assert server.get(of(name, "k"))["json"] == winner


def test_a_repeat_is_answered_as_the_first_was(server, name):
    key = [("Idempotency-Key", f"dict-{name}")]
    server.put(of(name, "k"), json=1)
    first = server.call("POST", of(name) + "/pop", {"key": "k"}, key)
    again = server.call("POST", of(name) + "/pop", {"key": "k"}, key)
    assert first.status == 200 and again.body == first.body
    assert again.header("Idempotency-Replayed") == "true"
    other = [("Idempotency-Key", f"dict-{name}-2")]
    first = server.call("PUT", of(name, "k"), {"json": 2}, other)
    server.put(of(name, "k"), json=3)
    assert server.call("PUT", of(name, "k"), {"json": 2}, other).body == first.body
    assert server.get(of(name, "k"))["json"] == 3


def test_in_a_batch(server, name):
    results = server.post("/v1/batch", operations=[
        {"method": "PUT", "path": of(name, "a/b"), "body": {"json": 1}},
        {"method": "POST", "path": of(name) + "/set", "body": {"key": "c", "text": "d"}},
        {"method": "GET", "path": of(name, "a/b")},
        {"method": "POST", "path": of(name) + "/set",
         "body": {"key": "c", "json": 1, "version": "99"}},
        {"method": "GET", "path": of(name) + "/keys"},
        {"method": "DELETE", "path": of(name, "a/b")},
    ])["results"]
    assert [one["status"] for one in results] == [200, 200, 200, 412, 200, 204]
    assert results[2]["body"]["json"] == 1
    assert results[3]["body"]["version"] == results[1]["body"]["version"]
    assert results[4]["body"] == {"keys": ["a/b", "c"], "cursor": None}


def test_head_of_an_entry(server, name):
    made = server.call("PUT", of(name, "k"), {"json": 1})
    head = server.call("HEAD", of(name, "k"))
    assert (head.status, head.body, head.header("ETag")) == (200, b"", made.header("ETag"))


def test_nothing_else_is_served_below(server, name):
    for path in ("items/a/b", "keys/a", "values/a", "items/a/", "set/a"):
        refused(server.call("GET", f"{of(name)}/{path}"), 404, "no_such_route")
    answer = server.call("POST", of(name, "a"), {"json": 1})
    refused(answer, 405, "method_not_allowed")
    assert answer.header("Allow") == "GET, HEAD, PUT, DELETE, OPTIONS"
