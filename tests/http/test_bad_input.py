"""What is wrong is refused with its code and the part to blame, and changes nothing."""
import json

import pytest

from status_table import ROWS

DEEP_65 = "[" * 65 + "]" * 65
KEYS = ["", " ", "a b", "\t", "x" * 256, "é"]


def call(server, method, target, body=None, headers=()):
    """As server.call, with a connection of its own: the server may close it."""
    with server.connect() as connection:
        return connection.call(method, target, body, headers)


def state(server, name):
    """All that a refused request could have changed."""
    return [server.call("GET", f"/v1/{kind}/{name}").body for kind in ("locks", "queues")]


def stage(server, name):
    """A held lock and a queue with one item."""
    server.put(f"/v1/locks/{name}", fair=True)
    token = server.acquire(name, lease=86400)
    server.put(f"/v1/queues/{name}", maxsize=5)
    server.post(f"/v1/queues/{name}/put", json="kept")
    return token


def without_clock(bodies):
    """The views without the seconds that run."""
    views = [json.loads(body) for body in bodies]
    for view in views:
        if view.get("owner"):
            del view["owner"]["lease_remaining"]
            for holder in view["holders"]:
                del holder["lease_remaining"]
    return views


def check(server, name, request, code, field):
    """Sends REQUEST, (method, target, body, headers), and expects CODE and FIELD."""
    before = without_clock(state(server, name))
    answer = call(server, *request)
    problem = answer.json
    assert (answer.status, problem["code"]) == (ROWS[code].status, code), answer
    assert problem.get("field") == field, problem
    if field is not None:
        assert problem["expected"], problem
    assert without_clock(state(server, name)) == before
    return answer


# (operation, body, field): bodies that are JSON, with one thing wrong in them
WRONG_FIELDS = [
    *[(("locks", "acquire"), f'{{"timeout":{value}}}', "timeout") for value in (
        '"1"', "true", "null", "[]", "{}", "-1", "-0.001", "300.001", "1e400", "-1e400", "1e308",
        "99999999999999999999", "123456789012345678901234567890123456789012345678901234567890"
        "123456789012345678901234567890")],
    *[(("locks", "acquire"), f'{{"lease":{value}}}', "lease") for value in (
        '"60"', "false", "null", "0", "0.0009", "-5", "86400.1", "1e400", "1e19")],
    *[(("locks", "acquire"), f'{{"owner":{value}}}', "owner") for value in (
        "1", "null", "true", "[]", json.dumps("x" * 64), json.dumps("é" * 32), '"a\\u0000b"')],
    (("locks", "acquire"), '{"colour":"red"}', "colour"),
    (("locks", "acquire"), '{"Timeout":1}', "Timeout"),
    (("locks", "acquire"), '{"":1}', None),
    (("locks", "acquire"), '{"timeout":1,"token":"1"}', "token"),
    (("locks", "acquire"), '{"x":' + DEEP_65 + "}", "x"),
    (("locks", "release"), "{}", "token"),
    *[(("locks", operation), f'{{"token":{value}}}', "token") for value in (
        "1", "null", "1.5", '""', '"0"', '"01"', '"-1"', '"+1"', '" 1"', '"1 "', '"x"', '"0x1"',
        '"1e3"', '"1.0"', '"18446744073709551616"', '"99999999999999999999999"', '["1"]')
      for operation in ("release", "renew")],
    (("locks", "release"), '{"token":"1","lease":5}', "lease"),
    (("locks", "renew"), '{"token":"1","lease":0}', "lease"),
    (("locks", "renew"), '{"lease":5}', "token"),
    *[(("locks", None), f'{{"fair":{value}}}', "fair") for value in (
        "0", "1", '"true"', "null", "[]")],
    (("locks", None), '{"maxsize":1}', "maxsize"),
    *[(("queues", None), f'{{"maxsize":{value}}}', "maxsize") for value in (
        "-1", "1.5", "1e2", '"1"', "true", "null", "18446744073709551616", "1e400",
        "99999999999999999999999999")],
    (("queues", None), '{"fair":true}', "fair"),
    *[(("queues", "put"), f'{{"text":{value}}}', "text") for value in (
        "1", "null", "[]", "true")],
    *[(("queues", "put"), f'{{"base64":{value}}}', "base64") for value in (
        "1", "null", '"A"', '"AA"', '"AAA"', '"AAA=="', '"A==="', '"AA=A"', '"AA A"', '"AA-_"',
        '"AAAA\\n"', '"AB=="', '"AAB="', '"é==="', '"====" ')],
    (("queues", "put"), '{"json":' + DEEP_65 + "}", "json"),
    (("queues", "put"), '{"json":1,"timeout":-1}', "timeout"),
    (("queues", "put"), '{"json":1,"type":"json"}', "type"),
    (("queues", "put"), '{"json":1,"max":1}', "max"),
    *[(("queues", "put_many"), f'{{"items":{value}}}', "items") for value in (
        "1", "null", "{}", '"x"', "[]", json.dumps([{"json": 1}] * 1001))],
    (("queues", "put_many"), "{}", "items"),
    *[(("queues", "put_many"), f'{{"items":[{{"json":1}},{value}]}}', field) for value, field in (
        ("1", "items[1]"), ("null", "items[1]"), ("[]", "items[1]"), ("{}", "items[1]"),
        ('{"json":1,"text":"x"}', "items[1]"), ('{"text":1}', "items[1].text"),
        ('{"base64":"A"}', "items[1].base64"), ('{"json":1,"timeout":1}', "items[1].timeout"),
        ('{"json":' + DEEP_65 + "}", "items[1].json"))],
    (("queues", "put_many"), '{"items":[{"json":1}],"max":2}', "max"),
    *[(("queues", "get_many"), f'{{"max":{value}}}', "max") for value in (
        "0", "-1", "1001", "1.5", '"1"', "true", "null", "1e400", "1e2")],
    *[(("queues", "get"), f'{{"timeout":{value}}}', "timeout") for value in ('"x"', "301", "-1")],
    (("queues", "get"), '{"max":1}', "max"),
    (("queues", "peek"), '{"timeout":1}', "timeout"),
    (("queues", "close"), '{"now":true}', "now"),
]


def target_of(name, operation):
    """(method, target) of an operation's pair."""
    kind, verb = operation
    return ("POST", f"/v1/{kind}/{name}/{verb}") if verb else ("PUT", f"/v1/{kind}/{name}")


@pytest.mark.parametrize("operation, body, field", WRONG_FIELDS,
                         ids=lambda value: str(value)[:50])
def test_wrong_field(server, name, operation, body, field):
    stage(server, name)
    check(server, name, (*target_of(name, operation), body.encode()), "invalid_argument", field)


@pytest.mark.parametrize("body", ["{}", '{"json":1,"text":"x"}', '{"text":"x","base64":""}',
                                  '{"timeout":0}'])
def test_an_item_has_exactly_one_type(server, name, body):
    stage(server, name)
    answer = call(server, "POST", f"/v1/queues/{name}/put", body.encode())
    assert (answer.status, answer.code) == (400, "invalid_argument")
    assert all(word in answer.json["detail"] + answer.json.get("expected", "")
               for word in ("json", "text", "base64"))
    assert server.get(f"/v1/queues/{name}")["size"] == 1


# bodies that are not one JSON object in UTF-8
NOT_AN_OBJECT = [
    b"[]", b"1", b'"x"', b"null", b"true", b" ", b"{", b"}", b"{}}", b"{} {}", b"{}x", b"{},",
    b'{"timeout":1', b'{"timeout"}', b'{"timeout":}', b"{'timeout':1}", b"{timeout:1}",
    b'{"timeout":1,}', b'{,"timeout":1}', b'{"timeout":NaN}', b'{"timeout":Infinity}',
    b'{"timeout":-Infinity}', b'{"timeout":nan}', b'{"timeout":01}', b'{"timeout":.5}',
    b'{"timeout":5.}', b'{"timeout":+1}', b'{"timeout":0x1}', b'{"timeout":1e}', b'{"timeout":-}',
    b'{"timeout":tru}', b'{"timeout":0}\x00', b"\x00", b'{"owner":"a\x00b"}', b'{"owner":"a\nb"}',
    b'{"owner":"\\x41"}', b'{"owner":"\\u12"}', b'{"owner":"\\ud800"}', b'{"owner":"\\udc00x"}',
    b'{"owner":"\\ud800\\ud800"}', b'{"owner":"abc}', b'// {}', b'{/**/}', b"\xef\xbb\xbf{}",
    '{"timeout":0}'.encode("utf-16"), b'{"owner":"\xff"}', b'{"owner":"\xc0\x80"}',
    b'{"owner":"\xed\xa0\x80"}', b'{"owner":"\xf4\x90\x80\x80"}', b'{"owner":"\xe2\x82"}',
    b'{"owner":"\x80"}', b'{"\xff":1}', b'{"timeout":0,"timeout":0}',
    b'{"timeout":0,"\\u0074imeout":0}', b"[" * 30000, b'{"a":' * 10000,
    b'{"timeout":' + b"[" * 60000,
]


@pytest.mark.parametrize("body", NOT_AN_OBJECT, ids=lambda value: repr(value)[:40])
def test_body_that_is_not_an_object(server, name, body):
    stage(server, name)
    check(server, name, ("POST", f"/v1/locks/{name}/acquire", body), "invalid_argument", "body")


@pytest.mark.parametrize("value", [b'{"a":1,"a":2}', b'[{"x":{"y":1,"y":1}}]',
                                   b'{"\\u00e9":1,"\xc3\xa9":2}', b'"\xff"', b'"\\ud800"', b"NaN"])
def test_json_items_are_checked_as_deep_as_they_go(server, name, value):
    stage(server, name)
    check(server, name, ("POST", f"/v1/queues/{name}/put", b'{"json":' + value + b"}"),
          "invalid_argument", "body")


def test_equal_keys_in_different_objects_are_fine(server, name):
    server.post(f"/v1/queues/{name}/put", json={"a": {"a": [{"a": 1}, {"a": 2}]}, "b": {"a": 1}})


# ---- the path and the query ------------------------------------------------------------------

BAD_NAMES = ["", "%", "%2", "%zz", "%2g", "a%", "a%%20", "%u0041", "%ff", "%c0%80", "%ed%a0%80",
             "%80", "%f4%90%80%80", "%00", "a%00b", "a" * 256, "%41" * 256, "%c3%a9" * 128,
             "a" * 3000]


@pytest.mark.parametrize("bad", BAD_NAMES, ids=lambda value: value[:20])
def test_bad_name(server, name, bad):
    stage(server, name)
    for kind in ("locks", "queues"):
        verb = "acquire" if kind == "locks" else "get"
        for request in (("GET", f"/v1/{kind}/{bad}"), ("PUT", f"/v1/{kind}/{bad}"),
                        ("DELETE", f"/v1/{kind}/{bad}"), ("POST", f"/v1/{kind}/{bad}/{verb}")):
            check(server, name, request, "invalid_argument", "name")


@pytest.mark.parametrize("query, field", [
    ("limit=0", "limit"), ("limit=-1", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"),
    ("limit=", "limit"), ("limit", "limit"), ("limit=1.5", "limit"), ("limit=1e2", "limit"),
    ("limit=%31%", "limit"), ("limit=99999999999999999999", "limit"), ("limit=1&limit=1", "limit"),
    ("limit=+1", "limit"), ("cursor=nonsense", "cursor"), ("cursor=", "cursor"),
    ("cursor=%ff", "cursor"), ("cursor=" + "9" * 300, "cursor"), ("colour=red", "colour"),
    ("Limit=1", "Limit"), ("limit=1&colour", "colour"),
])
@pytest.mark.parametrize("kind", ["locks", "queues"])
def test_bad_query_argument(server, name, kind, query, field):
    stage(server, name)
    check(server, name, ("GET", f"/v1/{kind}?{query}"), "invalid_argument", field)


@pytest.mark.parametrize("method, tail", [
    ("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/acquire"), ("OPTIONS", "")])
def test_arguments_where_none_are_known(server, name, method, tail):
    stage(server, name)
    check(server, name, (method, f"/v1/locks/{name}{tail}?timeout=0"), "invalid_argument",
          "timeout")


def test_unknown_route_and_wrong_method(server, name):
    stage(server, name)
    check(server, name, ("GET", "/v1/nothing"), "no_such_route", None)
    check(server, name, ("POST", f"/v1/locks/{name}/size"), "no_such_route", None)
    answer = check(server, name, ("DELETE", "/v1/health"), "method_not_allowed", None)
    assert set(answer.header("Allow").split(", ")) == {"GET", "HEAD", "OPTIONS"}
    answer = check(server, name, ("GET", f"/v1/locks/{name}/acquire"), "method_not_allowed", None)
    assert set(answer.header("Allow").split(", ")) == {"OPTIONS", "POST"}


# ---- sizes and types of bodies ---------------------------------------------------------------

@pytest.mark.parametrize("chunked", [False, True])
def test_oversized_body(server, name, chunked):
    stage(server, name)
    largest = b'{"timeout":0}' + b" " * (65536 - 13)
    headers = [("Transfer-Encoding", "chunked")] if chunked else []

    def wrap(body):
        return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    answer = call(server, "POST", f"/v1/locks/{name}/acquire", wrap(largest), headers)
    assert answer.code == "timeout"
    request = ("POST", f"/v1/locks/{name}/acquire", wrap(largest + b" "), headers)
    check(server, name, request, "too_large", "body")


def test_oversized_body_is_refused_before_it_is_sent(server, name):
    stage(server, name)
    for operation, length in (("locks", 65537), ("locks", 1 << 40), ("queues", 1 << 63),
                              ("queues", (24 << 20) + 1)):
        verb = "acquire" if operation == "locks" else "put"
        headers = [("Content-Length", str(length)), ("Expect", "100-continue"),
                   ("Content-Type", "application/json")]
        check(server, name, ("POST", f"/v1/{operation}/{name}/{verb}", None, headers),
              "too_large", "body")


@pytest.mark.parametrize("content_type", [
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/jsonx", "application/json-patch+json", "text/json", "application/problem+json",
    "application/json; charset=latin-1", "application/json; charset=utf-16",
    "application/json; charset=", "application/json, text/plain", "application/json text/plain",
    "", "*/*"])
def test_content_type_that_is_refused(server, name, content_type):
    stage(server, name)
    headers = [("Content-Type", content_type)]
    check(server, name, ("POST", f"/v1/locks/{name}/acquire", b'{"timeout":0}', headers),
          "unsupported_media_type", "Content-Type")


def test_content_type_that_is_absent(server, name):
    stage(server, name)
    with server.connect() as connection:
        connection.send_bytes(
            f"POST /v1/locks/{name}/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
            "\r\n{}".encode(), "POST", f"/v1/locks/{name}/acquire")
        answer = connection.answer()
    assert (answer.status, answer.json["field"]) == (415, "Content-Type")


@pytest.mark.parametrize("content_type", [
    "application/json", "Application/JSON", "application/json;charset=utf-8",
    "application/json; charset=UTF-8", 'application/json; charset="utf-8"',
    "application/json ; charset=utf-8 ; x=y"])
def test_content_type_that_is_taken(server, name, content_type):
    headers = [("Content-Type", content_type)]
    answer = call(server, "POST", f"/v1/locks/{name}/acquire", b'{"timeout":0}', headers)
    assert answer.status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
def test_body_where_none_belongs(server, name, method):
    stage(server, name)
    before = without_clock(state(server, name))
    answer = call(server, method, f"/v1/locks/{name}", {})
    assert answer.status == 400
    assert method == "HEAD" or answer.json["field"] == "body"
    assert without_clock(state(server, name)) == before


def test_content_type_does_not_matter_without_a_body(server, name):
    headers = [("Content-Type", "text/plain")]
    assert call(server, "POST", f"/v1/locks/{name}/acquire", None, headers).status == 200


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_bad_idempotency_key(server, name, key):
    stage(server, name)
    request = ("POST", f"/v1/queues/{name}/put", b'{"json":1}', [("Idempotency-Key", key)])
    check(server, name, request, "invalid_argument", "Idempotency-Key")


def test_two_idempotency_keys(server, name):
    stage(server, name)
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    check(server, name, ("POST", f"/v1/queues/{name}/put", b'{"json":1}', headers),
          "invalid_argument", "Idempotency-Key")


def test_the_server_is_as_well_as_before(server, name):
    token = server.acquire(name)
    server.release(name, token)
    assert server.get("/v1/health") == {"status": "ok"}
