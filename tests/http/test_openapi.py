"""openapi.yaml is sound, and the server serves what it says and nothing else."""
import re

import jsonschema
import pytest
import yaml

import contract
from contract import DOCUMENT, RAW, operations
from places import SOURCE
from pools import CONFIG, ECHO
from status_table import NEVER_OVER_HTTP, ROWS

# What making an object takes.
NEEDED = {"arrays": {"length": 4}, "barriers": {"parties": 2},
          "pools": {"kind": "exec", "command": [ECHO]},
          "processes": {"command": [ECHO]}, "threads": {"pool": "p", "function": "f"},
          "timers": {"pool": "p", "function": "f", "after": 60}}
NEEDED_OF_PART = {"json": 1}
METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE")


@pytest.fixture(scope="module", name="config")
def config_of_server():
    """Its programs may be started."""
    return CONFIG


def nodes(node, path=()):
    """Every node of the document, with the keys that lead to it."""
    yield path, node
    children = node.items() if isinstance(node, dict) else (
        enumerate(node) if isinstance(node, list) else ())
    for key, child in children:
        yield from nodes(child, path + (key,))


def test_document_is_openapi_3_1():
    shape = yaml.safe_load((SOURCE / "tests/http/openapi-3.1.schema.yaml").read_text())
    dialect = jsonschema.Draft202012Validator(shape)
    errors = [f"{error.json_path}: {error.message[:300]}" for error in dialect.iter_errors(RAW)]
    assert errors == []


def test_every_schema_is_json_schema():
    schemas = [node["schema"] for _, node in nodes(RAW)
               if isinstance(node, dict) and isinstance(node.get("schema"), dict)]
    schemas += RAW["components"]["schemas"].values()
    assert len(schemas) > 30
    for schema in schemas:
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_example_fits_its_schema():
    examples = 0
    for path, node in nodes(DOCUMENT):
        if not isinstance(node, dict) or "examples" not in node or "schema" not in node:
            continue
        for name, example in node["examples"].items():
            validator = jsonschema.Draft202012Validator(contract.strict(node["schema"]))
            errors = [error.message for error in validator.iter_errors(example["value"])]
            assert errors == [], (path, name)
            examples += 1
    assert examples > 100


def test_examples_of_problems_agree_with_the_table_of_codes():
    for path, node in nodes(DOCUMENT):
        if isinstance(node, dict) and isinstance(node.get("code"), str) and "title" in node:
            row = ROWS[node["code"]]
            assert (node["title"], node["status"]) == (row.title, row.status), path
            assert node["type"] == f"urn:interlock:problem:{row.code}", path


def test_every_code_that_http_can_give_is_documented():
    documented = set(RAW["components"]["schemas"]["Code"]["enum"])
    assert documented == set(ROWS) - NEVER_OVER_HTTP
    answered = set()
    for path, node in nodes([DOCUMENT["paths"], DOCUMENT["components"]["responses"]]):
        if path[-2:] == ("properties", "code"):
            codes = {node["const"]} if "const" in node else set(node["enum"])
            if codes != documented:  # that would be the Problem that all of them are
                answered |= codes
    assert answered == documented


def test_operation_ids_and_path_parameters_are_complete():
    ids = [operation["operationId"] for _, method, operation in operations()
           if method not in ("HEAD", "OPTIONS")]
    assert len(ids) == len(set(ids))
    for path, item in DOCUMENT["paths"].items():
        declared = {parameter["name"] for parameter in item.get("parameters", [])}
        assert declared == set(re.findall(r"\{(\w+)\}", path))
        assert "options" in item and ("head" in item) == ("get" in item)


def fill(path, name):
    return path.replace("{name}", name).replace("{key}", "colour").replace("{index}", "0")


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_every_method_of_a_path_is_documented_or_refused(server, path, name):
    allowed = contract.allowed_methods(path)
    for method in METHODS:
        # An argument that no route knows: whatever the route is, nothing is done and nobody waits.
        answer = server.call(method, fill(path, name) + "?nothing=1")
        if method not in allowed:
            assert answer.status == 405
            assert set(answer.header("Allow").split(", ")) == allowed
        elif method == "OPTIONS":
            assert answer.status == 400 or set(answer.header("Allow").split(", ")) == allowed
        else:
            assert answer.status == 400, answer
    answer = server.call("OPTIONS", fill(path, name))
    assert answer.status == 204
    assert set(answer.header("Allow").split(", ")) == allowed
    for method in sorted(set(METHODS) - allowed):
        assert server.call(method, fill(path, name)).status == 405


def test_an_unknown_method_is_refused_with_allow(server, name):
    for method in ("BREW", "get", "PROPFIND", "ACQUIRE"):
        answer = server.call(method, f"/v1/locks/{name}")
        assert (answer.status, answer.code) == (405, "method_not_allowed")


def undocumented_paths():
    """Paths near those that exist, and those that servers are often asked for."""
    known = set(DOCUMENT["paths"])
    words = {part for path in known for part in path.split("/") if part and "{" not in part}
    words |= {"v2", "V1", "lock", "queue", "metrics", "debug", "task_done", "size", "empty", "full",
              "semaphores", "join", "threads", "processes", "timers", "ready"}
    for first in sorted(words - {"v1"}):
        yield f"/{first}"
        yield f"/v1/{first}"
        for second in ("locks", "queues"):
            yield f"/v1/{second}/x/{first}"
        yield f"/v1/health/{first}"
    yield from ("/", "//v1/health", "/v1", "/v1/", "/v1/health/", "/v1/locks/x/", "/favicon.ico",
                "/v1/locks/x/acquire/", "/v1/locks/x/acquire/y", "/v2/health", "/index.html",
                "/.well-known/x", "/v1/LOCKS", "/v1/locks/../health", "/%76%31/health",
                "/v1%2fhealth", "/v1/./health")


def test_nothing_else_is_served(server):
    walked = 0
    for path in undocumented_paths():
        if contract.find_path(path) is not None:
            continue
        for method in METHODS:
            answer = server.call(method, path)
            assert answer.status == 404, (method, path, answer)
            if method != "HEAD":
                assert answer.code == "no_such_route"
        walked += 1
    assert walked > 100


@pytest.mark.parametrize(
    "path", [path for path, item in DOCUMENT["paths"].items() if "get" in item])
def test_head_is_get_without_the_body(server, path, name):
    target = fill(path, name)
    for made in (False, True):
        if made and "put" in DOCUMENT["paths"][path]:
            if "{index}" in path:
                server.post(target.rpartition("/items")[0] + "/append", json=1)
            server.put(target, **NEEDED_OF_PART if "/items" in path else
                       NEEDED.get(path.split("/")[2], {}))
        got = server.call("GET", target)
        head = server.call("HEAD", target)
        assert head.status == got.status
        assert head.body == b""
        assert head.header("Content-Type") == got.header("Content-Type")
        assert head.header("Content-Length") in (None, str(len(got.body)))
