"""Several operations in one request: their order and answers, what is refused, repeats."""
import itertools
import json

import pytest

import contract
from client import Answer
from contract import DOCUMENT, operations

_keys = itertools.count(1)


def op(method, path, body=None):
    """One operation."""
    return {"method": method, "path": path, **({} if body is None else {"body": body})}


def run(server, *parts, headers=()):
    """The results of a batch; each is held against openapi.yaml as if it had come by itself."""
    answer = server.call("POST", "/v1/batch", {"operations": list(parts)}, headers)
    assert answer.status == 200, answer
    results = answer.json["results"]
    assert len(results) == len(parts)
    for part, result in zip(parts, results):
        assert set(result) == {"status", "body"}
        check_result(part, result)
    return results


def check_result(part, result):
    """As the answer of a request by itself."""
    if result["status"] == 413 and "batch" in result["body"]["detail"]:
        return  # this one only a batch can give
    kind = "application/json" if result["status"] < 300 else "application/problem+json"
    headers = [("Cache-Control", "no-store"), ("Content-Type", kind)]
    if result["status"] == 503:
        headers.append(("Retry-After", "1"))
    if result["status"] == 405:
        headers.append(("Allow", "GET"))
    body = b"" if result["body"] is None else json.dumps(result["body"]).encode()
    contract.check_answer(part["method"], part["path"], Answer(result["status"], headers, body))


def statuses(results):
    """The status of each, with the code of a problem."""
    return [(result["status"], result["body"]["code"]) if result["status"] >= 400
            else result["status"] for result in results]


def refused(server, body, field):
    """Asserts that the whole batch BODY is refused because of FIELD."""
    answer = server.call("POST", "/v1/batch", body)
    assert (answer.status, answer.code, answer.json["field"]) == (400, "invalid_argument", field)
    assert answer.json["expected"] and field in answer.json["detail"]


# ---- what is run -----------------------------------------------------------------------------

def test_operations_are_run_in_order(server, name):
    queue = f"/v1/queues/{name}"
    results = run(
        server, op("PUT", queue, {"maxsize": 2}),
        *[op("POST", queue + "/put", {"json": number, "timeout": 0}) for number in range(3)],
        *[op("POST", queue + "/get", {"timeout": 0}) for _ in range(3)], op("GET", queue))
    assert statuses(results) == [201, 200, 200, (409, "timeout"), 200, 200, (409, "timeout"), 200]
    assert [result["body"]["json"] for result in results[4:6]] == [0, 1]
    assert results[7]["body"]["size"] == 0


def test_grants_of_a_batch_are_grants(server, name):
    lock = f"/v1/locks/{name}"
    one, two = run(server, op("POST", lock + "/acquire", {"timeout": 0, "lease": 5}),
                   op("POST", lock + "/acquire", {"timeout": 0}))
    assert (one["status"], one["body"]["lease"]) == (200, 5)
    assert two["body"]["detail"] == f'the lock "{name}" is held'
    token = one["body"]["token"]
    assert server.get(lock)["token"] == token
    assert run(server, op("POST", lock + "/release", {"token": token}))[0]["body"]["released"]
    assert server.get(lock)["locked"] is False


def test_a_batch_lets_others_go_on(server, name):
    waiter = server.send("POST", f"/v1/queues/{name}/get", {})
    server.wait_for(f"/v1/queues/{name}", getters=1)
    run(server, op("POST", f"/v1/queues/{name}/put", {"text": "x", "timeout": 0}))
    assert waiter.answer().json["text"] == "x"


def test_each_operation_fails_by_itself(server, name):
    lock, queue = f"/v1/locks/{name}", f"/v1/queues/{name}"
    results = run(
        server, op("GET", lock), op("POST", "/v1/health"), op("GET", "/v1/nothing"),
        op("GET", "/v1/locks/%zz"), op("DELETE", lock), op("PUT", lock, {"fair": 1}),
        op("PUT", lock, {"fair": True}), op("PUT", lock), op("GET", lock, {}),
        op("PUT", queue, {"colour": 1}), op("PUT", queue, 5), op("PUT", queue, None),
        op("POST", lock + "/release", {}), op("DELETE", lock), op("GET", "/v1/locks//"),
        op("POST", queue + "/put", {"timeout": 0}), op("GET", "/v1/health"))
    assert statuses(results) == [
        (404, "not_found"), (405, "method_not_allowed"), (404, "no_such_route"),
        (400, "invalid_argument"), (404, "not_found"), (400, "invalid_argument"), 201,
        (409, "conflict"), (400, "invalid_argument"), (400, "invalid_argument"),
        (400, "invalid_argument"), 201, (400, "invalid_argument"), 204, (404, "no_such_route"),
        (400, "invalid_argument"), 200]
    fields = [result["body"].get("field") for result in results if result["status"] == 400]
    assert fields == ["name", "fair", "body", "colour", "body", "token", "body"]


def test_an_explicit_null_is_not_an_object(server, name):
    body = b'{"operations":[{"method":"PUT","path":"/v1/queues/%s","body":null}]}' % name.encode()
    result = server.call("POST", "/v1/batch", body).json["results"][0]
    assert (result["status"], result["body"]["field"]) == (400, "body")


def test_lists_and_the_server_itself(server, name):
    server.put(f"/v1/locks/{name}")
    results = run(server, op("GET", "/v1/locks"), op("GET", "/v1/queues"), op("GET", "/v1/version"),
                  op("GET", "/v1/deaths"))
    assert statuses(results) == [200] * 4
    assert any(lock["name"] == name for lock in results[0]["body"]["locks"])


def test_names_are_decoded_as_in_any_path(server, name):
    results = run(server, op("PUT", f"/v1/locks/{name}%2Fa%20%E2%98%83"))
    assert results[0]["body"]["name"] == f"{name}/a ☃"


def test_items_of_every_type_pass_unchanged(server, name):
    queue = f"/v1/queues/{name}"
    texts = ['"\\/☃\n\u0000', "x" * 70000]
    results = run(
        server, *[op("POST", queue + "/put", {"text": text, "timeout": 0}) for text in texts],
        op("POST", queue + "/put_many", {"items": [{"json": {"b": [1.0, 1]}}, {"base64": "AAE="}],
                                         "timeout": 0}),
        op("POST", queue + "/get_many", {"timeout": 0}))
    items = results[-1]["body"]["items"]
    assert [item[key] for item, key in zip(items, ("text", "text", "json", "base64"))] == [
        *texts, {"b": [1.0, 1]}, "AAE="]


def test_a_hundred_operations(server, name):
    queue = f"/v1/queues/{name}"
    parts = [op("POST", queue + "/put", {"json": number, "timeout": 0}) for number in range(100)]
    assert [result["body"]["size"] for result in run(server, *parts)] == list(range(1, 101))
    refused(server, {"operations": parts + parts[:1]}, "operations")
    assert server.get(queue)["size"] == 100


def test_what_no_longer_fits_into_the_answer_is_not_run(server, name):
    queue = f"/v1/queues/{name}"
    for _ in range(3):
        server.post(queue + "/put", text="x" * (15 << 20))
    get = op("POST", queue + "/get", {"timeout": 0})
    results = run(server, get, get, get, op("GET", queue))
    assert statuses(results) == [200, 200, (413, "too_large"), (413, "too_large")]
    assert server.get(queue)["size"] == 1
    server.post(queue + "/get")


def test_the_size_of_a_body_is_limited_as_elsewhere(server, name):
    long = {"timeout": 0, "owner": "x" * 65536}
    answer = server.call("POST", "/v1/batch", {"operations": [
        op("POST", f"/v1/locks/{name}/acquire", long),
        op("POST", f"/v1/queues/{name}/put", {"text": "x" * 100000, "timeout": 0})]})
    assert statuses(answer.json["results"]) == [(413, "too_large"), 200]


# ---- what is refused before anything is run --------------------------------------------------

WRONG = [
    (b"{}", "operations"), (b'{"operations":[],"x":1}', "x"),
    *[(b'{"operations":%s}' % value, "operations")
      for value in (b"[]", b"{}", b"1", b"null", b'"x"')],
    *[(b'{"operations":[{"method":"PUT","path":"/v1/locks/NAME"},%s]}' % value, field)
      for value, field in (
          (b"1", "operations[1]"), (b"null", "operations[1]"), (b"[]", "operations[1]"),
          (b"{}", "operations[1].method"), (b'{"method":"GET"}', "operations[1].path"),
          (b'{"path":"/v1/health"}', "operations[1].method"),
          (b'{"method":"HEAD","path":"/v1/health"}', "operations[1].method"),
          (b'{"method":"OPTIONS","path":"/v1/health"}', "operations[1].method"),
          (b'{"method":"get","path":"/v1/health"}', "operations[1].method"),
          (b'{"method":"BREW","path":"/v1/health"}', "operations[1].method"),
          (b'{"method":1,"path":"/v1/health"}', "operations[1].method"),
          (b'{"method":"GET\\u0000","path":"/v1/health"}', "operations[1].method"),
          (b'{"method":"GET","path":1}', "operations[1].path"),
          (b'{"method":"GET","path":""}', "operations[1].path"),
          (b'{"method":"GET","path":"v1/health"}', "operations[1].path"),
          (b'{"method":"GET","path":"/v1/health\\u0000"}', "operations[1].path"),
          (b'{"method":"GET","path":"/v1/locks?limit=1"}', "operations[1].path"),
          (b'{"method":"GET","path":"http://localhost/v1/health"}', "operations[1].path"),
          (b'{"method":"POST","path":"/v1/batch","body":{"operations":[]}}', "operations[1].path"),
          (b'{"method":"GET","path":"/v1/health","headers":{}}', "operations[1].headers"))]]


@pytest.mark.parametrize("body, field", WRONG, ids=lambda value: str(value)[-50:])
def test_wrong_form(server, name, body, field):
    refused(server, body.replace(b"NAME", name.encode()), field)
    assert server.call("GET", f"/v1/locks/{name}").status == 404


def waiting_operations():
    """(method, path) of all that can wait."""
    for path, method, operation in operations():
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        if "timeout" in schema.get("properties", {}):
            yield method, path


@pytest.mark.parametrize("method, path", waiting_operations(), ids=lambda value: value)
def test_nothing_waits_in_a_batch(server, name, method, path):
    first = op("PUT", f"/v1/locks/{name}")
    path = path.replace("{name}", name).replace("{id}", "1.1")
    for body in (None, {}, {"timeout": 1}, {"timeout": 0.001}, {"timeout": "0"}, {"timeout": None},
                 {"timeout": False}, []):
        alone = path.endswith("/wait") and "/conditions/" in path
        refused(server, {"operations": [first, op(method, path, body)]},
                "operations[1].path" if alone else "operations[1].body.timeout")
    assert server.call("GET", f"/v1/locks/{name}").status == 404


def test_waiting_operations_are_known():
    assert len(list(waiting_operations())) >= 5
    assert "/v1/batch" in DOCUMENT["paths"]


# ---- repeats and lost answers ----------------------------------------------------------------

def test_a_repeat_is_answered_as_the_first_was(server, name):
    key = [("Idempotency-Key", f"batch-{next(_keys)}")]
    queue = f"/v1/queues/{name}"
    body = {"operations": [op("POST", queue + "/put", {"json": 1, "timeout": 0}),
                           op("POST", f"/v1/locks/{name}/acquire", {"timeout": 0})]}
    first = server.call("POST", "/v1/batch", body, key)
    again = server.call("POST", "/v1/batch", body, key)
    assert again.header("Idempotency-Replayed") == "true" and again.body == first.body
    assert server.get(queue)["size"] == 1
    body["operations"].pop()
    assert server.call("POST", "/v1/batch", body, key).code == "idempotency_mismatch"


def lose_the_answer(server, body, key=()):
    """Sends a batch and vanishes before its answer, larger than any buffer, can be read."""
    with server.connect() as connection:
        connection.socket.setsockopt(1, 8, 4096)  # SO_RCVBUF
        connection.send("POST", "/v1/batch", body, key)
        connection.is_quiet(0.05)
        connection.reset()


def large_batch(server, name, *more):
    """A batch that takes a lock and an item, and whose answer does not fit into a socket."""
    queue = f"/v1/queues/{name}"
    server.post(queue + "/put", text="x" * (14 << 20))
    return {"operations": [op("POST", f"/v1/locks/{name}/acquire", {"timeout": 0}),
                           op("POST", queue + "/get", {"timeout": 0}), *more]}


@pytest.mark.parametrize("keyed", [False, True])
def test_what_a_lost_answer_granted_is_taken_back(server, name, keyed):
    key = [("Idempotency-Key", f"batch-{next(_keys)}")] if keyed else []
    body = large_batch(server, name)
    lose_the_answer(server, body, key)
    server.wait_for(f"/v1/locks/{name}", locked=False)
    server.wait_for(f"/v1/queues/{name}", size=1)
    answer = server.call("POST", "/v1/batch", body, key)
    assert statuses(answer.json["results"]) == [200, 200]
    assert answer.header("Idempotency-Replayed") is None


def test_a_lost_answer_of_more_than_grants_is_kept_for_its_key(server, name):
    key = [("Idempotency-Key", f"batch-{next(_keys)}")]
    other = f"/v1/queues/{name}-other"
    body = large_batch(server, name, op("POST", other + "/put", {"json": 1, "timeout": 0}))
    lose_the_answer(server, body, key)
    server.wait_for(other, size=1)
    answer = server.call("POST", "/v1/batch", body, key)
    assert statuses(answer.json["results"]) == [200, 200, 200]
    assert answer.header("Idempotency-Replayed") == "true"
    assert server.get(other)["size"] == 1
