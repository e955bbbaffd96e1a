"""openapi.yaml as a judge: whether an answer, and the request before it, are as it says.

Answers are held against the schemas strictly: a field that the document lacks is an error, although
clients have to accept such fields.
"""
import json
import re
from functools import lru_cache

import jsonschema
import yaml

from places import SOURCE
from status_table import ROWS

METHODS = ("get", "head", "put", "post", "delete", "options", "patch", "trace")
OF_EVERY_MESSAGE = {"content-type", "content-length", "date", "connection", "transfer-encoding"}
TO_ALLOWED_ORIGINS = {"access-control-allow-origin", "access-control-expose-headers", "vary"}


class Violation(AssertionError):
    """An answer that the document does not allow."""


def load(text):
    """JSON as RFC 8259 has it: no NaN, no duplicate keys."""
    def constant(word):
        raise Violation(f"{word} is not JSON")

    def members(pairs):
        if len(dict(pairs)) != len(pairs):
            raise Violation("duplicate keys in an answer")
        return dict(pairs)

    return json.loads(text, parse_constant=constant, object_pairs_hook=members)


def _expand(node, root):
    """NODE with every $ref replaced by what it points at."""
    if isinstance(node, list):
        return [_expand(part, root) for part in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        target = root
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return _expand(target, root)
    return {key: _expand(value, root) for key, value in node.items()}


RAW = yaml.safe_load((SOURCE / "openapi.yaml").read_text())
DOCUMENT = _expand(RAW, RAW)
REFUSALS = {
    status: DOCUMENT["components"]["responses"][name]
    for status, name in (("400", "InvalidArgument"), ("403", "Forbidden"), ("503", "Unavailable"))
}


def strict(schema, whole=True):
    """SCHEMA without room for members that it does not name."""
    if isinstance(schema, list):
        return [strict(part, whole) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {}
    for key, value in schema.items():
        if key == "properties":
            result[key] = {name: strict(part) for name, part in value.items()}
        elif key == "items":
            result[key] = strict(value)
        elif key in ("allOf", "oneOf", "anyOf"):
            result[key] = strict(value, whole=False)
        else:
            result[key] = value
    if whole and ("properties" in schema or "allOf" in schema):
        result["unevaluatedProperties"] = False
    return result


def operations():
    """(path, METHOD, operation) of all that the document has."""
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method.upper(), item[method]


def allowed_methods(path):
    """The methods that PATH of the document takes."""
    return {method.upper() for method in METHODS if method in DOCUMENT["paths"][path]}


def find_path(target):
    """The path of the document that a request's target belongs to, or None."""
    path = target.partition("?")[0]
    if path in DOCUMENT["paths"]:
        return path
    for candidate in DOCUMENT["paths"]:
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]*", re.escape(candidate))
        if re.fullmatch(pattern, path):
            return candidate
    return None


@lru_cache(maxsize=None)
def _validator(path, method, status, media_type):
    schema = _responses(path, method)[status]["content"][media_type]["schema"]
    return jsonschema.Draft202012Validator(
        strict(schema), format_checker=jsonschema.FormatChecker())


def _responses(path, method):
    if path is None:
        return {**REFUSALS, "404": DOCUMENT["components"]["responses"]["NoSuchRoute"]}
    operation = DOCUMENT["paths"][path].get(method.lower()) if method.isupper() else None
    if operation is None:
        return {**REFUSALS, "405": DOCUMENT["components"]["responses"]["MethodNotAllowed"]}
    return operation["responses"]


def check_answer(method, target, answer):
    """Raises Violation unless the document has this answer to METHOD TARGET."""
    path = find_path(target)
    status = str(answer.status)
    where = f"{method} {target[:200]} -> {status} {answer.body[:500]!r}"
    responses = _responses(path, method)
    if status not in responses:
        raise Violation(f"{where}: this status is not documented")
    response = responses[status]
    _check_headers(where, response, answer)
    if method == "HEAD" or "content" not in response:
        if answer.body:
            raise Violation(f"{where}: a body where none belongs")
        return
    media_type = answer.header("Content-Type")
    if media_type not in response["content"]:
        raise Violation(f"{where}: Content-Type {media_type}")
    bodies = [answer.body]
    if media_type == "application/x-ndjson":  # the schema is that of a line
        bodies = answer.body.splitlines()
        if answer.body and not answer.body.endswith(b"\n"):
            raise Violation(f"{where}: the last line has no end")
    for body in map(load, bodies):
        try:
            _validator(path, method, status, media_type).validate(body)
        except jsonschema.ValidationError as error:
            reason = error.message[:500]
            raise Violation(f"{where}: {error.json_path}: {reason}") from None
    if answer.status >= 400:
        row = ROWS[body["code"]]
        for member, value in (("type", f"urn:interlock:problem:{row.code}"),
                              ("title", row.title), ("status", row.status)):
            if body[member] != value:
                raise Violation(f"{where}: {member} should be {value!r}")
        if body["status"] != answer.status:
            raise Violation(f"{where}: the status inside is {body['status']}")


def _check_headers(where, response, answer):
    documented = {name.lower(): header for name, header in response.get("headers", {}).items()}
    for name, header in documented.items():
        values = answer.headers_of(name)
        if len(values) > 1 or (header.get("required") and not values):
            raise Violation(f"{where}: header {name}: {values}")
        for value in values:
            try:
                jsonschema.Draft202012Validator(header["schema"]).validate(value)
            except jsonschema.ValidationError as error:
                raise Violation(f"{where}: header {name}: {error.message}") from None
    for name, value in answer.headers:
        if name.lower() not in OF_EVERY_MESSAGE | TO_ALLOWED_ORIGINS | set(documented):
            raise Violation(f"{where}: undocumented header {name}: {value}")


def request_schema(path, method):
    """The schema of the body that the operation takes, or None."""
    operation = DOCUMENT["paths"][path].get(method.lower(), {})
    if "requestBody" not in operation:
        return None
    return operation["requestBody"]["content"]["application/json"]["schema"]


@lru_cache(maxsize=None)
def _request_validator(path, method):
    return jsonschema.Draft202012Validator(request_schema(path, method))


def check_request(method, target, body, answer):
    """Raises Violation if a request succeeded that the document calls wrong."""
    path = find_path(target)
    if path is None or answer.status >= 300 or request_schema(path, method) is None:
        return
    try:
        _request_validator(path, method).validate(load(body) if body else {})
    except jsonschema.ValidationError as error:
        raise Violation(
            f"{method} {target} succeeded, against the document: {error.message[:500]}") from None
