"""Values over HTTP: numbers exactly, their ranges, text and bytes, and what is refused."""
import base64
import itertools
import json
import threading

import pytest

RANGES = {"i8": (-128, 127), "i16": (-32768, 32767), "i32": (-2**31, 2**31 - 1),
          "i64": (-2**63, 2**63 - 1), "u8": (0, 255), "u16": (0, 65535), "u32": (0, 2**32 - 1),
          "u64": (0, 2**64 - 1)}
_keys = itertools.count(1)


def url(name, operation=None):
    """The path of the value NAME."""
    return f"/v1/values/{name}" + (f"/{operation}" if operation else "")


def refused(answer, status, code, *words):
    """Asserts that ANSWER is this problem, and says WORDS."""
    assert (answer.status, answer.code) == (status, code), answer
    for word in words:
        assert word in answer.json["detail"], answer


def store(server, name, value):
    return server.call("POST", url(name, "store"), {"value": value})


def load(server, name):
    return server.post(url(name, "load"))["value"]


# ---- numbers ---------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", RANGES)
def test_integers_are_exact_at_their_edges(server, name, kind):
    least, most = RANGES[kind]
    assert server.call("PUT", url(name), {"type": kind}).json == {
        "name": name, "type": kind, "value": 0, "watchers": 0}
    for number in (least, most, 0, 1):
        assert store(server, name, number).json == {"name": name, "value": number}
        answer = server.post(url(name, "load"))
        assert answer == {"name": name, "type": kind, "value": number}
        assert type(answer["value"]) is int
    for number in (least - 1, most + 1, 10**30):
        refused(store(server, name, number), 400, "invalid_argument", "value", str(least),
                str(most))
    refused(store(server, name, 0.5), 400, "invalid_argument", "value")
    assert load(server, name) == 1
    store(server, name, most)
    assert server.post(url(name, "add"), value=1) == {"name": name, "before": most, "value": least}


@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_floats_come_back(server, name, kind):
    server.put(url(name), type=kind)
    for number in (0.5, -1e10, 1, 3):
        store(server, name, number)
        assert load(server, name) == number
    for word in ("nan", "inf", "-inf"):
        assert store(server, name, word).json["value"] == word
        assert load(server, name) == word
    refused(store(server, name, 1e39 if kind == "f32" else 10**400), 400, "invalid_argument",
            "value", "float" if kind == "f32" else "double")
    refused(store(server, name, "Infinity"), 409, "type_mismatch", kind, "string")


def test_double_digits_are_all_there(server, name):
    server.put(url(name), type="f64")
    for number in (0.1 + 0.2, 1 / 3, 5e-324, 1.7976931348623157e308, 2.0**53 + 2):
        store(server, name, number)
        assert load(server, name) == number


def test_operations_answer_with_what_was_and_is(server, name):
    assert server.post(url(name, "add"), value=5) == {"name": name, "before": 0, "value": 5}
    assert server.post(url(name, "exchange"), value=-7) == {"name": name, "before": 5, "value": -7}
    swap = url(name, "compare_exchange")
    assert server.post(swap, expected=5, value=1) == {"name": name, "swapped": False, "value": -7}
    assert server.post(swap, expected=-7, value=1) == {"name": name, "swapped": True, "value": 1}
    assert server.get(url(name)) == {"name": name, "type": "i64", "value": 1, "watchers": 0}


def test_additions_of_many_clients_add_up(server, name):
    def add():
        for _ in range(50):
            server.post(url(name, "add"), value=3)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert load(server, name) == 600


def test_repeat_with_its_key_adds_once(server, name):
    key = [("Idempotency-Key", f"value-{next(_keys)}")]
    for _ in range(3):
        answer = server.call("POST", url(name, "add"), {"value": 2}, key)
        assert answer.json == {"name": name, "before": 0, "value": 2}
    assert load(server, name) == 2


# ---- text and bytes --------------------------------------------------------------------------

def test_text_of_a_fixed_room(server, name):
    view = server.put(url(name), type="text", room=12)
    assert view == {"name": name, "type": "text", "room": 12, "value": "", "watchers": 0}
    for text in ("", "twelve bytes", "\u00e4\u20ac\U0001f600", "a\u0000b", '"\\\n'):
        assert store(server, name, text).json == {"name": name, "value": text}
        assert load(server, name) == text
        assert server.get(url(name))["value"] == text
    refused(store(server, name, "thirteen byte"), 413, "too_large", "12", "13")
    swap = url(name, "compare_exchange")
    assert server.post(swap, expected="x", value="y")["swapped"] is False
    assert server.post(swap, expected='"\\\n', value="y") == {
        "name": name, "swapped": True, "value": "y"}
    assert server.post(url(name, "exchange"), value="z")["before"] == "y"
    refused(server.call("POST", url(name, "add"), {"value": "a"}), 409, "type_mismatch", "text")


def test_largest_text(server, name):
    server.put(url(name), type="text", room=65536)
    text = "\u0001" * 65536
    assert store(server, name, text).status == 200
    assert load(server, name) == text


def test_bytes_are_base64(server, name):
    server.put(url(name), type="bytes", room=300)
    data = base64.b64encode(bytes(range(256))).decode()
    store(server, name, data)
    assert load(server, name) == data
    refused(store(server, name, "no base64!"), 400, "invalid_argument", "value", "base64")
    refused(store(server, name, base64.b64encode(bytes(301)).decode()), 413, "too_large", "301")
    assert load(server, name) == data


def test_a_wrong_json_type_names_both(server, name):
    server.put(url(name), type="u16")
    for value, word in (("7", "a string"), (None, "null"), (True, "a boolean"), ([], "an array"),
                        ({}, "an object")):
        refused(store(server, name, value), 409, "type_mismatch", "u16", word)
    server.put(url(name + "t"), type="text", room=9)
    refused(store(server, name + "t", 5), 409, "type_mismatch", "text", "a number")
    refused(server.call("POST", url(name, "compare_exchange"), {"value": 1, "expected": "1"}), 409,
            "type_mismatch", "expected", "u16")


# ---- as an object ----------------------------------------------------------------------------

@pytest.mark.parametrize("body, field", [
    ({"type": "i65"}, "type"), ({"type": ""}, "type"), ({"room": 4}, "room"),
    ({"type": "i8", "room": 4}, "room"), ({"type": "text"}, "room"),
    ({"type": "text", "room": 0}, "room"), ({"type": "text", "room": 65537}, "room"),
    ({"length": 3}, "length"), ({"type": 4}, "type")])
def test_bad_options(server, name, body, field):
    answer = server.call("PUT", url(name), body)
    refused(answer, 400, "invalid_argument")
    assert answer.json["field"] == field
    assert server.call("GET", url(name)).status == 404


@pytest.mark.parametrize("body, field", [
    ({}, "value"), ({"value": 1, "by": 2}, "by"), ({"value": 1, "index": 0}, "index")])
def test_bad_fields(server, name, body, field):
    answer = server.call("POST", url(name, "store"), body)
    refused(answer, 400, "invalid_argument")
    assert answer.json["field"] == field


def test_other_options_conflict(server, name):
    server.put(url(name), type="text", room=9)
    refused(server.call("PUT", url(name), {"type": "text", "room": 8}), 409, "conflict", "room=9",
            "room=8")
    assert server.put(url(name))["room"] == 9


def test_delete_takes_its_lock_along(server, name):
    server.put(url(name))
    token = server.post(f"/v1/rlocks/value%3A{name}/acquire", timeout=0)["token"]
    assert token
    assert server.call("DELETE", url(name)).status == 204
    assert server.call("GET", f"/v1/rlocks/value%3A{name}").status == 404
    assert server.call("DELETE", url(name)).status == 404
    server.put(url("n" * 255))
    assert server.call("DELETE", url("n" * 255)).status == 204


def test_values_are_listed(start):
    server = start()
    for number in range(5):
        server.post(url(f"v{number}", "add"), value=number)
    server.put(url("text"), type="text", room=4)
    page = server.get("/v1/values")
    assert sorted(v.get("value", -1) for v in page["values"]) == [-1, 0, 1, 2, 3, 4]
    assert page["cursor"] is None


def test_integers_are_written_as_integers(server, name):
    """Not as 1.8446744073709552e+19, nor as a string."""
    server.put(url(name), type="u64")
    answer = server.call("POST", url(name, "store"), {"value": 2**64 - 1})
    assert json.dumps(answer.json["value"]) == "18446744073709551615"
