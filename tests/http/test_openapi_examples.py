"""Every example of openapi.yaml is sent to the server, and the answer is as the document shows it.

A request's example and the answer's have the same name. Where an example needs something before (a
lock that is held, an item in a queue), the table BEFORE makes it.
"""
import itertools
import os
import signal
import subprocess

import pytest

from client import wait_until
from contract import operations
from places import COMMAND

NOT_ON_DEMAND = {"busy", "interrupted", "limit_reached", "corrupt", "system", "out_of_memory"}
ELSEWHERE = {"shutting_down"}  # test_lifecycle
# What differs from run to run: only its kind is compared.
CHANGING = {"name", "token", "since", "at", "lease_remaining", "pid", "uid", "label", "command",
            "id", "session", "layout", "version", "detail", "expected"}

_keys = itertools.count(1)


class Stage:
    """A server, a name, and what is changed in the request of the example."""

    def __init__(self, server, name, path, body):
        self.server = server
        self.name = name
        self.target = path.replace("{name}", name)
        self.body = body
        self.headers = []
        self.lock = f"/v1/locks/{name}"
        self.queue = f"/v1/queues/{name}"
        self.late = None  # what happens once the request is waiting
        self.others = []  # connections that wait

    def acquire(self, **body):
        return self.server.acquire(self.name, **body)

    def put(self, *items):
        for item in items:
            self.server.post(self.queue + "/put", **item)


# ---- what comes before an example -----------------------------------------------------------

def free_lock(stage):
    stage.server.put(stage.lock)


def held_lock(stage):
    stage.acquire()


def held_by_me(stage):
    stage.body["token"] = stage.acquire()


def held_and_waited_for(stage):
    stage.acquire(owner="deploy of web-3")
    for _ in range(2):
        stage.others.append(stage.server.send("POST", stage.lock + "/acquire", {}))
    stage.server.wait_for_waiters(stage.name, 2)


def released_lock(stage):
    held_by_me(stage)
    stage.server.release(stage.name, stage.body["token"])


def held_and_deleted(stage):
    held_by_me(stage)
    assert stage.server.call("DELETE", stage.lock).status == 204


def granted_anew(stage):
    released_lock(stage)
    stage.acquire()


def lost_lease(stage):
    stage.body["token"] = stage.acquire(lease=0.001)
    stage.server.wait_for(stage.lock, locked=False)


def lost_by_another(stage):
    lost_lease(stage)
    del stage.body["token"]


def fair_lock(stage):
    stage.server.put(stage.lock, fair=True)


def queue(*items, maxsize=0, closed=False):
    def make(stage):
        stage.server.put(stage.queue, maxsize=maxsize)
        stage.put(*items)
        if closed:
            stage.server.post(stage.queue + "/close")
    return make


def deleted_while_waiting(stage):
    if "/locks/" in stage.target:
        stage.acquire()
        target, counts = stage.lock, ("waiters",)
    else:
        stage.server.put(stage.queue, maxsize=1)
        if "/put" in stage.target:
            stage.put({"json": 0})
        target, counts = stage.queue, ("getters", "putters")

    def late():
        wait_until(lambda: any(stage.server.get(target)[count] for count in counts))
        assert stage.server.call("DELETE", target).status == 204
    stage.late = late


def attached(stage):
    holder = subprocess.Popen([str(COMMAND), "--domain", f"unix:{stage.server.path}", "lock",
                               stage.name, "--", "sleep", "1000"], start_new_session=True)
    stage.server.holders.append(holder)
    wait_until(lambda: stage.server.get("/v1/sessions")["sessions"])
    stage.server.wait_for(stage.lock, locked=True)


def died(stage):
    attached(stage)
    stage.server.holders[-1].kill()
    wait_until(lambda: stage.server.get("/v1/deaths")["deaths"])


BOTH_JSON_TEXT_BYTES = {
    "json": queue({"json": {"resize": "cat.png", "width": 640}}),
    "text": queue({"text": "a line, with any character: ☃"}),
    "bytes": queue({"base64": "AAEC/w=="}),
}
THREE = ({"json": [1, 2]}, {"text": "two"}, {"base64": ""})

BEFORE = {
    ("listSessions", "attached"): attached,
    ("listDeaths", "died"): died,
    ("listLocks", "one"): free_lock,
    ("getLock", "free"): free_lock,
    ("getLock", "held"): held_and_waited_for,
    ("putLock", "again"): fair_lock,
    ("putLock", "conflict"): free_lock,
    ("deleteLock", "deleted"): free_lock,
    ("acquireLock", "held"): held_lock,
    ("acquireLock", "after_a_lost_lease"): lost_by_another,
    ("releaseLock", "held"): held_by_me,
    ("releaseLock", "free"): released_lock,
    ("releaseLock", "granted_anew"): granted_anew,
    ("releaseLock", "too_late"): lost_lease,
    ("releaseLock", "deleted"): held_and_deleted,
    ("renewLock", "held"): held_by_me,
    ("renewLock", "free"): released_lock,
    ("renewLock", "granted_anew"): granted_anew,
    ("renewLock", "too_late"): lost_lease,
    ("renewLock", "deleted"): held_and_deleted,
    ("listQueues", "one"): queue(*THREE),
    ("getQueue", "default"): queue(*THREE),
    ("putQueue", "again"): queue(maxsize=100),
    ("putQueue", "conflict"): queue(),
    ("putItem", "full"): queue({"json": 0}, maxsize=1),
    ("putItem", "closed"): queue(closed=True),
    ("putItems", "partly"): queue(maxsize=2),
    ("putItems", "closed"): queue(closed=True),
    **{("getItem", kind): before for kind, before in BOTH_JSON_TEXT_BYTES.items()},
    ("getItem", "closed"): queue(closed=True),
    ("getItem", "too_large"): queue({"text": "longer than four bytes is it"}),
    ("getItems", "default"): queue(*THREE),
    ("getItems", "at_most_two"): queue(*THREE),
    ("getItems", "closed"): queue(closed=True),
    ("getItems", "too_large"): queue({"text": "longer than four bytes is it"}),
    ("peekItem", "default"): BOTH_JSON_TEXT_BYTES["json"],
    ("peekItem", "empty"): queue(),
    ("peekItem", "closed"): queue(closed=True),
    ("closeQueue", "default"): queue(*THREE),
}


# ---- what all operations share --------------------------------------------------------------

def unknown_argument(stage):
    stage.target += "?colour=red"


def foreign_host(stage):
    stage.headers.append(("Host", "example.org"))


def absent(stage):
    if "token" in (stage.body or {}):
        stage.body["token"] = "1"


def long_body(stage):
    stage.body = b" " * (25 << 20 if stage.target.endswith(("/put", "/put_many")) else 65537)


def not_json(stage):
    stage.headers.append(("Content-Type", "text/plain"))
    stage.body = stage.body or b"x"


def other_request(stage):
    key = ("Idempotency-Key", f"example-{next(_keys)}")
    stage.headers.append(key)
    first = {"acquire": {"timeout": 1}, "put": {"json": 1}, "put_many": {"items": [{"json": 1}]}}
    if "/get" in stage.target:
        stage.put({"json": 1}, {"json": 2})
    word = stage.target.rpartition("/")[2]
    answer = stage.server.call("POST", stage.target, first.get(word, {"timeout": 2}), [key])
    assert answer.status == 200


SHARED = {function.__name__: function for function in (
    unknown_argument, foreign_host, absent, long_body, not_json, other_request)}
SHARED["deleted"] = deleted_while_waiting


def examples():
    """(id, path, method, status, name, example, body) of all examples that can be had."""
    for path, method, operation in operations():
        requests = {}
        if "requestBody" in operation:
            media = operation["requestBody"]["content"]["application/json"]
            requests = {name: one["value"] for name, one in media["examples"].items()}
        answered = set()
        for status, response in operation["responses"].items():
            for media in response.get("content", {}).values():
                for name, example in media.get("examples", {}).items():
                    answered.add(name)
                    if name in NOT_ON_DEMAND | ELSEWHERE:
                        continue
                    identity = operation.get("operationId", method + path.replace("/", "."))
                    body = requests.get(name)
                    if body is None and requests:
                        body = dict(next(iter(requests.values())))
                    yield pytest.param(
                        identity, path, method, int(status), name, example["value"], body,
                        id=f"{identity}-{name}")
        assert set(requests) <= answered, f"{method} {path}: a request without its answer"


def alike(shown, real, where=""):
    """Asserts that REAL is what the document shows, up to what changes from run to run."""
    if isinstance(shown, dict) and isinstance(real, dict):
        assert set(shown) == set(real), where
        for key, value in shown.items():
            if key in CHANGING:
                assert isinstance(real[key], type(value)), f"{where}.{key}"
            else:
                alike(value, real[key], f"{where}.{key}")
    elif isinstance(shown, list) and isinstance(real, list):
        assert len(shown) == len(real), where
        for index, (one, other) in enumerate(zip(shown, real)):
            alike(one, other, f"{where}[{index}]")
    else:
        assert shown == real, where


@pytest.fixture
def stage_server(request, start):
    """A server of its own for what lists everything; else the one of the file."""
    identity = request.node.callspec.params["identity"]
    if identity.startswith("list"):
        server = start()
    else:
        server = request.getfixturevalue("server")
    server.holders = []
    yield server
    for holder in server.holders:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait()


@pytest.mark.parametrize("identity, path, method, status, example, shown, body", examples())
def test_example(stage_server, name, identity, path, method, status, example, shown, body):
    if example in ("attached", "died") and not COMMAND.exists():
        pytest.skip("the interlock command is not built")
    stage = Stage(stage_server, name, path, body if body is None else dict(body))
    before = BEFORE.get((identity, example)) or SHARED.get(example)
    if before:
        before(stage)
    with stage_server.connect() as connection:
        connection.send(method, stage.target, stage.body, stage.headers)
        if stage.late:
            stage.late()
        answer = connection.answer()
    assert answer.status == status, answer
    alike(shown, answer.json)
