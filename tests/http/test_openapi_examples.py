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
from pools import WORKER

NOT_ON_DEMAND = {"meanwhile",
                 "busy", "interrupted", "limit_reached", "corrupt", "system", "out_of_memory"}
ELSEWHERE = {"shutting_down"}  # test_lifecycle
# What differs from run to run: only its kind is compared.
CHANGING = {"name", "token", "since", "at", "lease_remaining", "pid", "uid", "label", "command",
            "id", "session", "layout", "version", "detail", "expected", "waiting", "expires_in",
            "thread", "after", "pool", "map", "task", "submitted", "started", "ended", "finished",
            "queued_for", "ran_for", "worker_list", "trouble", "command", "functions",
            "number", "cpu_time", "memory", "next", "max_bytes", "bytes"}
# What the document calls so, and what it is here.
PROGRAMS = {"/opt/app/worker": WORKER}
ALLOWED = {"programs": [WORKER[0], "/bin/echo", "/bin/sleep"]}

_keys = itertools.count(1)


class Stage:
    """A server, a name, and what is changed in the request of the example."""

    def __init__(self, server, name, path, body):
        self.server = server
        self.name = name
        self.path = path
        self.target = path.replace("{name}", name).replace("{key}", "colour")
        self.target = self.target.replace("{index}", "0")
        self.body = body
        self.headers = []
        self.lock = f"/v1/locks/{name}"
        self.object = f"/v1/{path.split('/')[2]}/{name}"
        self.queue = f"/v1/queues/{name}"
        self.event = f"/v1/events/{name}"
        self.latch = f"/v1/latches/{name}"
        self.barrier = f"/v1/barriers/{name}"
        self.cells = f"/v1/{path.split('/')[2]}/{name}"
        self.condition = f"/v1/conditions/{name}"
        self.pipe = f"/v1/pipes/{name}"
        self.pool = f"/v1/pools/{name}"
        self.late = None  # what happens once the request is waiting
        self.others = []  # connections that wait

    def acquire(self, **body):
        """The token of a grant of what the path names."""
        target = self.object if self.is_held_kind() else self.lock
        return self.server.post(target + "/acquire", **{"timeout": 0, **body})["token"]

    def is_held_kind(self):
        return self.object.split("/")[2] in ("locks", "rlocks", "rwlocks", "semaphores")

    def put(self, *items):
        for item in items:
            self.server.post(self.queue + "/put", **item)


# ---- what comes before an example -----------------------------------------------------------

def free_lock(stage):
    stage.server.put(stage.object)


def held_lock(stage):
    stage.acquire()


def held_by_me(stage):
    stage.body["token"] = stage.acquire()


def held_and_waited_for(stage):
    stage.acquire(owner="deploy of web-3")
    for _ in range(2):
        stage.others.append(stage.server.send("POST", stage.object + "/acquire", {}))
    stage.server.wait_for(stage.object, waiters=2)


def released_lock(stage):
    held_by_me(stage)
    stage.server.post(stage.object + "/release", token=stage.body["token"])


def held_and_deleted(stage):
    held_by_me(stage)
    if stage.target.endswith("/break"):
        del stage.body["token"]
    assert stage.server.call("DELETE", stage.object).status == 204


def granted_anew(stage):
    released_lock(stage)
    stage.acquire()


def lost_lease(stage):
    stage.body["token"] = stage.acquire(lease=0.001)
    stage.server.wait_for(stage.object, holders=[])


def broken(stage):
    held_by_me(stage)
    stage.server.post(stage.object + "/break", reason="the machine is gone")


def held_elsewhere(stage):
    stage.server.acquire(stage.body["targets"][0]["name"])


def one_way_elsewhere(stage):
    stage.server.put(f"/v1/pipes/{stage.body['targets'][0]['name']}", one_way=True)


def permit_elsewhere(stage):
    stage.server.put(f"/v1/semaphores/{stage.body['grants'][0]['name']}")


def lock_elsewhere(stage):
    grant = dict(stage.body["grants"][0])
    grant["token"] = stage.server.acquire(grant["name"])
    stage.server.release(grant["name"], grant["token"])
    stage.body["grants"] = [grant]


def nothing_before(stage):
    assert stage.body


def held_by_nobody(stage):
    held_by_me(stage)
    ended(stage)


def session(**body):
    def make(stage):
        answer = stage.server.call("POST", "/v1/sessions", body)
        assert answer.status == 201
        return answer.json["id"]
    return make


def in_a_session(stage):
    stage.body["session"] = session()(stage)


def of_a_client(stage):
    session(label="nightly build", host="ci-17", ttl=30)(stage)


def of_a_session(holds=False, lost=False, ttl=120):
    """The path names a session."""
    def make(stage):
        name = session(label="nightly build", host="ci-17", ttl=ttl)(stage)
        stage.target = stage.target.replace(f"/{stage.name}", f"/{name}")
        if holds:
            stage.server.post(stage.lock + "/acquire", session=name)
        if lost:
            stage.server.post(stage.lock + "/break", reason="the machine is gone")
    return make


def lost_by_another(stage):
    lost_lease(stage)
    del stage.body["token"]


def made_with(**options):
    def make(stage):
        stage.server.put(stage.object, **options)
    return make


def queue(*items, maxsize=0, closed=False):
    def make(stage):
        stage.server.put(stage.queue, maxsize=maxsize)
        stage.put(*items)
        if closed:
            stage.server.post(stage.queue + "/close")
    return make


def pipe(*sent, claims="", closed="", **options):
    """A pipe with what was SENT from a; a session (the request has it) CLAIMS and CLOSED ends."""
    def make(stage):
        stage.server.put(stage.pipe, **options)
        for message in sent:
            stage.server.post(stage.pipe + "/send", end="a", **message)
        who = session()(stage)
        if "session" in (stage.body or {}):
            stage.body["session"] = who
        for operation, ends in (("/claim", claims), ("/close", closed)):
            for end in ends:
                stage.server.post(stage.pipe + operation, end=end, session=who)
    return make


def one_way_pipe(stage):
    """The end of the request is the one that does not do that."""
    pipe(one_way=True)(stage)


def pipe_deleted(stage):
    """What waits in it, does so until it is deleted."""
    pipe({"text": "x"}, max_bytes=1)(stage)
    if not stage.target.endswith("/send"):
        stage.body["end"] = "a"

    def late():
        stage.others.append(stage.server.send("POST", "/v1/wait", {"targets": [
            {"kind": "pipe", "name": stage.name, "end": "a"}]}))
        assert stage.server.call("DELETE", stage.pipe).status == 204
    stage.late = late


def event(is_set=False, waiters=0):
    def make(stage):
        stage.server.put(stage.event)
        if is_set:
            stage.server.post(stage.event + "/set")
        wait(stage, stage.event, waiters=waiters)
    return make


def latch(start=1, count=None, waiters=0):
    def make(stage):
        stage.server.put(stage.latch, count=start)
        if count is not None:
            stage.server.post(stage.latch + "/count_down", count=start - count)
        wait(stage, stage.latch, waiters=waiters)
    return make


def cells(value=None, **options):
    """The value, or the array of 4, of the path; what it holds, at index 1."""
    def make(stage):
        index = {}
        if stage.cells.startswith("/v1/arrays/"):
            options.setdefault("length", 4)
            index["index"] = 1
        stage.server.put(stage.cells, **{"type": "i64", **options})
        if value is not None:
            stage.server.post(stage.cells + "/store", value=value, **index)
    return make


def text_cells(value=None):
    return cells(value, type="text", room=20)


def barrier(parties=3, waiting=0, broken=False):
    def make(stage):
        stage.server.put(stage.barrier, parties=parties)
        if broken:
            stage.server.post(stage.barrier + "/abort")
        wait(stage, stage.barrier, waiting=waiting)
    return make


def condition(waiters=0, **options):
    def make(stage):
        stage.server.put(stage.condition, **options)
        for _ in range(waiters):
            one_waits(stage)
    return make


def one_waits(stage):
    before = stage.server.get(stage.condition)["waiters"]
    body = {"token": stage.server.post(stage.condition + "/acquire")["token"]}
    stage.others.append(stage.server.send("POST", stage.condition + "/wait", body))
    stage.server.wait_for(stage.condition, waiters=before + 1)


def condition_held(waiters=0, released=0, again=0):
    """Its lock is held by the token of the request, or was."""
    def make(stage):
        condition(waiters)(stage)
        stage.body["token"] = stage.server.post(stage.condition + "/acquire")["token"]
        if released:
            stage.server.post(stage.condition + "/release", token=stage.body["token"])
        if again:
            stage.server.post(stage.condition + "/acquire")
    return make


def notified_later(stage):
    condition_held()(stage)

    def late():
        stage.server.wait_for(stage.condition, waiters=1)
        token = stage.server.post(stage.condition + "/acquire")["token"]
        stage.server.post(stage.condition + "/notify", token=token)
        stage.server.post(stage.condition + "/release", token=token)
    stage.late = late


def condition_deleted(stage):
    """The condition, or for an acquire, its lock."""
    condition(lock=stage.name)(stage)
    held = stage.server.post(stage.condition + "/acquire")["token"]
    if stage.body:
        stage.body["token"] = held
    target = stage.condition if stage.body else stage.lock

    def late():
        stage.server.wait_for(target, waiters=1)
        assert stage.server.call("DELETE", target).status == 204
    stage.late = late


def wait(stage, target, **count):
    """As many connections wait for TARGET as its view will say."""
    for _ in range(*count.values()):
        stage.others.append(stage.server.send("POST", target + "/wait", {}))
    stage.server.wait_for(target, **count)


def others_come(stage):
    barrier()(stage)

    def late():
        stage.server.wait_for(stage.barrier, waiting=1)
        for _ in range(2):
            stage.others.append(stage.server.send("POST", stage.barrier + "/wait", {}))
    stage.late = late


def changes_later(before, count, *change):
    """What the request waits for happens as soon as it does."""
    def make(stage):
        before(stage)

        def late():
            target = stage.target.removesuffix("/wait")
            stage.server.wait_for(target, **{count: 1})
            stage.server.post(target + change[0])
        stage.late = late
    return make


def deleted_while_waiting(stage):
    if "/conditions/" in stage.target:
        condition_deleted(stage)
        return
    if "/pipes/" in stage.target:
        pipe_deleted(stage)
        return
    simple = next((kind for kind in ("events", "latches", "barriers")
                   if f"/{kind}/" in stage.target), None)
    if simple:
        {"events": event(), "latches": latch(), "barriers": barrier()}[simple](stage)
        target, counts = f"/v1/{simple}/{stage.name}", ("waiting" if simple == "barriers"
                                                        else "waiters",)
    elif stage.is_held_kind():
        stage.acquire()
        target, counts = stage.object, ("waiters",)
    elif stage.target.endswith("/changes"):
        stage.server.put(stage.object)
        stage.body.pop("after", None)
        target, counts = stage.object, ("watchers",)
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


def pool(**options):
    """A pool of workers whose functions are known."""
    def make(stage):
        stage.server.put(stage.pool, command=WORKER, **{"workers": 2, **options})
        wait_until(lambda: [one for one in stage.server.get(stage.pool)["worker_list"]
                            if one["state"] == "idle"][1:])
    return make


def closed_pool(stage):
    pool()(stage)
    stage.server.post(stage.pool + "/close")


def held_task(stage):
    """The path names a task that runs."""
    pool()(stage)
    held = stage.server.post(stage.pool + "/tasks", function="hold",
                             args=["/nonexistent"])
    stage.target = stage.target.replace(f"/{stage.name}", f"/{held['id']}")


def held_map(stage):
    pool()(stage)
    held = stage.server.post(stage.pool + "/map", function="hold",
                             items=["/nonexistent"])
    stage.target = stage.target.replace(f"/{stage.name}", f"/{held['id']}")


def ended_task(stage):
    pool()(stage)
    done = stage.server.post(stage.pool + "/tasks", function="add", args=[1, 2])
    stage.server.post(f"/v1/tasks/{done['id']}/wait")
    stage.target = stage.target.replace(f"/{stage.name}", f"/{done['id']}")


def ended_map(function="echo", items=(1, 2, 3)):
    def make(stage):
        pool()(stage)
        done = stage.server.post(stage.pool + "/map", function=function,
                                 items=list(items), chunk=1)
        stage.server.post(f"/v1/maps/{done['id']}/wait")
        stage.target = stage.target.replace(f"/{stage.name}", f"/{done['id']}")
        stage.headers.append(("Accept", "application/json"))
    return make


def wishing(*header):
    def make(stage):
        pool()(stage)
        stage.headers.append(header)
    return make


def process(*command, **options):
    """A process that was only made."""
    def make(stage):
        stage.server.put(stage.object, command=list(command), **options)
    return make


def running(stage):
    process("/bin/sleep", "1000")(stage)
    stage.server.post(stage.object + "/start")


def ended_process(stage):
    process("/bin/echo", "hello")(stage)
    stage.server.post(stage.object + "/start")
    stage.server.wait_for(stage.object, state="ended")


def thread(function="add", args=(1, 2), started=False, **options):
    """A thread of a pool that is there."""
    def make(stage):
        pool()(stage)
        stage.server.put(stage.object, pool=stage.name, function=function, args=list(args),
                         **options)
        if started:
            stage.server.post(stage.object + "/start")
    return make


def thread_without_pool(stage):
    stage.server.put(stage.object, pool="thumbs", function="add")


def as_shown(stage):
    """Made as the request asks; an example's pool need not be there."""
    stage.server.put(stage.object, pool="thumbs", function="add", args=[1, 2])


def timer(state="created"):
    """A timer in that state."""
    def make(stage):
        stage.server.put(stage.object, pool="thumbs", function="add", args=[1, 2], every=60)
        word = {"waiting": "/start", "cancelled": "/cancel"}.get(state)
        if word:
            stage.server.post(stage.object + word)
    return make


def entries(stage):
    """A dict or list as the document's examples know it."""
    if "/dicts/" in stage.object:
        stage.server.post(stage.object + "/set", key="colour", json="blue")
        stage.server.post(stage.object + "/set", key="note", text="a line")
        stage.server.post(stage.object + "/set", key="colour", json="green")
    else:
        stage.server.post(stage.object + "/extend", values=[3, 1, 2])


def noted_entries(stage):
    """The same, with its changes kept from the first on."""
    stage.server.put(stage.object)
    stage.server.post(stage.object + "/changes", timeout=0)
    entries(stage)


def mixed_list(stage):
    stage.server.post(stage.object + "/extend", values=[1, "a"])


def other_dict_is_small(stage):
    entries(stage)
    stage.server.put("/v1/dicts/" + stage.body["to"], max_entry_bytes=1)


BOTH_JSON_TEXT_BYTES = {
    "json": queue({"json": {"resize": "cat.png", "width": 640}}),
    "text": queue({"text": "a line, with any character: ☃"}),
    "bytes": queue({"base64": "AAEC/w=="}),
}
THREE = ({"json": [1, 2]}, {"text": "two"}, {"base64": ""})

BEFORE = {
    ("listSessions", "attached"): attached,
    ("listDeaths", "died"): died,
    ("listSessions", "of_a_client"): of_a_client,
    ("acquireSeveral", "held"): held_elsewhere,
    ("releaseSeveral", "default"): permit_elsewhere,
    ("releaseSeveral", "no_session"): permit_elsewhere,
    ("releaseSeveral", "not_held"): lock_elsewhere,
    ("waitForFirst", "held"): nothing_before,
    ("getSession", "default"): of_a_session(holds=True),
    ("endSession", "default"): of_a_session(),
    ("renewSession", "default"): of_a_session(ttl=30),
    ("awaitLosses", "default"): of_a_session(holds=True, lost=True),
    ("awaitLosses", "nothing_lost"): of_a_session(),
    **{key: before for kind, options in {
        "Lock": {"fair": True}, "Rlock": {"fair": True}, "Rwlock": {"on_deadlock": "report"},
        "Semaphore": {"value": 3}}.items() for key, before in {
            (f"list{kind}s", "one"): free_lock,
            (f"get{kind}", "free"): free_lock,
            (f"get{kind}", "held"): held_and_waited_for,
            (f"put{kind}", "again"): made_with(**options),
            (f"put{kind}", "conflict"): free_lock,
            (f"delete{kind}", "deleted"): free_lock,
            (f"acquire{kind}", "held"): held_lock,
            (f"acquire{kind}", "in_a_session"): in_a_session,
            (f"acquire{kind}", "after_a_lost_lease"): lost_by_another,
            (f"break{kind}", "held"): held_lock,
            (f"break{kind}", "by_token"): held_by_me,
            (f"break{kind}", "nobody"): free_lock,
            **{(f"{operation}{kind}", name): stands for operation in ("release", "renew", "check")
               for name, stands in {
                   "held": held_by_me, "free": released_lock, "granted_anew": granted_anew,
                   "too_late": lost_lease, "broken": broken, "deleted": held_and_deleted,
                   "ended": held_by_nobody}.items()},
            (f"break{kind}", "deleted"): held_and_deleted,
        }.items()},
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
    ("listPools", "one"): pool(),
    ("getPool", "default"): pool(),
    ("putPool", "again"): pool(),
    ("putPool", "conflict"): pool(),
    ("submitTask", "default"): pool(),
    ("submitTask", "many"): pool(),
    ("submitMap", "default"): pool(),
    ("submitMap", "stream"): wishing("Accept", "application/x-ndjson"),
    **{(operation, name): wishing("Prefer", "wait") for operation in ("submitTask", "submitMap")
       for name in ("waited_for", "failed")},
    **{(operation, name): before for operation in ("submitTask", "submitMap")
       for name, before in {"no_function": pool(), "closed": closed_pool}.items()},
    ("closePool", "default"): pool(),
    ("terminatePool", "default"): pool(),
    ("joinPool", "default"): closed_pool,
    ("joinPool", "too_early"): pool(),
    ("listTasks", "one"): ended_task,
    ("getTask", "default"): ended_task,
    ("waitForTask", "default"): ended_task,
    ("waitForTask", "too_early"): held_task,
    ("cancelTask", "default"): ended_task,
    ("cancelMap", "default"): ended_map(),
    ("getMap", "default"): ended_map(),
    ("getMapResults", "default"): ended_map(),
    ("getMapResults", "failed"): ended_map("fail", ["no such picture"]),
    ("waitForMap", "default"): ended_map(),
    ("waitForMap", "too_early"): held_map,
    ("listPipes", "one"): pipe({"json": 1}, {"json": 2}, claims="a"),
    ("getPipe", "default"): pipe({"json": 1}, {"json": 2}, claims="a"),
    ("getPipe", "closed"): pipe({"json": 1}, {"json": 2}, claims="a", closed="a"),
    ("putPipe", "again"): pipe(),
    ("putPipe", "conflict"): pipe(),
    ("claimPipe", "default"): pipe(),
    ("claimPipe", "again"): pipe(claims="b"),
    ("claimPipe", "closed"): pipe(claims="a", closed="a"),
    ("closePipe", "default"): pipe(claims="a"),
    **{(operation, "not_claimed"): pipe(claims="b") for operation in (
        "closePipe", "sendThroughPipe", "receiveFromPipe", "pollPipe")},
    **{(operation, "one_way"): one_way_pipe for operation in (
        "sendThroughPipe", "receiveFromPipe", "pollPipe")},
    ("waitForFirst", "one_way"): one_way_elsewhere,
    ("sendThroughPipe", "text"): pipe(claims="a"),
    ("sendThroughPipe", "full"): pipe({"text": "hello"}, max_bytes=5),
    ("sendThroughPipe", "broken"): pipe(claims="b", closed="b"),
    ("receiveFromPipe", "json"): pipe({"json": {"resize": "cat.png", "width": 640}}),
    ("receiveFromPipe", "text"): pipe({"text": "hello"}, claims="b"),
    ("receiveFromPipe", "empty"): pipe(),
    ("receiveFromPipe", "end_of_file"): pipe(claims="a", closed="a"),
    ("receiveFromPipe", "too_large"): pipe({"text": "longer than four bytes is it"}),
    ("pollPipe", "message"): pipe({"json": 1}),
    ("pollPipe", "end_of_file"): pipe(claims="a", closed="a"),
    ("pollPipe", "nothing"): pipe(),
    ("listEvents", "one"): event(),
    ("getEvent", "default"): event(),
    ("getEvent", "set"): event(True),
    ("getEvent", "waited_for"): event(waiters=2),
    ("putEvent", "again"): event(True),
    ("waitForEvent", "default"): changes_later(event(), "waiters", "/set"),
    ("waitForEvent", "set_already"): event(True),
    ("listLatches", "one"): latch(),
    ("getLatch", "default"): latch(),
    ("getLatch", "going"): latch(3, 2, 1),
    ("putLatch", "again"): latch(3, 2),
    ("putLatch", "conflict"): latch(1),
    ("countDownLatch", "more"): latch(3),
    ("countDownLatch", "beyond"): latch(3),
    ("waitForLatch", "default"): changes_later(latch(), "waiters", "/count_down"),
    ("waitForLatch", "open_already"): latch(1, 0),
    ("listValues", "one"): cells(),
    ("getValue", "default"): cells(5),
    ("getValue", "text"): text_cells("ready"),
    ("putValue", "again"): cells(5),
    ("putValue", "conflict"): cells(),
    ("loadValue", "default"): cells(5),
    ("addValue", "default"): cells(5),
    ("exchangeValue", "default"): cells(5),
    ("compareExchangeValue", "default"): cells(5),
    ("compareExchangeValue", "other"): cells(5),
    ("listArrays", "one"): cells(),
    ("getArray", "default"): cells(),
    ("getArray", "text"): text_cells(),
    ("putArray", "again"): cells(),
    ("putArray", "whatever_it_has"): cells(),
    ("putArray", "conflict"): cells(),
    ("getArrayItems", "default"): cells(5),
    **{(f"{verb}Array", example): cells(5)
       for verb in ("load", "store", "add", "exchange", "compareExchange", "write")
       for example in ("default", "large", "other", "out_of_range", "mismatch")},
    ("listBarriers", "one"): barrier(),
    ("getBarrier", "default"): barrier(),
    ("getBarrier", "waited_for"): barrier(waiting=2),
    ("getBarrier", "broken"): barrier(broken=True),
    ("putBarrier", "again"): barrier(),
    ("putBarrier", "whatever_it_has"): barrier(),
    ("putBarrier", "conflict"): barrier(),
    ("waitAtBarrier", "last"): barrier(waiting=2),
    ("waitAtBarrier", "waits"): others_come,
    ("waitAtBarrier", "alone"): barrier(),
    ("waitAtBarrier", "broken"): barrier(broken=True),
    ("resetBarrier", "default"): barrier(broken=True),
    ("abortBarrier", "default"): barrier(),
    ("listConditions", "one"): condition(),
    ("getCondition", "default"): condition(),
    ("getCondition", "waited_for"): condition(2, lock="table"),
    ("putCondition", "again"): condition(lock="table"),
    ("putCondition", "whatever_it_has"): condition(lock="table"),
    ("putCondition", "conflict"): condition(lock="table"),
    ("acquireCondition", "with_a_plain_lock"): condition(lock="another table"),
    ("acquireCondition", "held"): lambda stage: stage.server.post(stage.condition + "/acquire"),
    **{(operation, "held"): condition_held(3) for operation in (
        "releaseCondition", "notifyCondition", "notifyAllCondition")},
    **{(operation, "free"): condition_held(released=1) for operation in (
        "releaseCondition", "waitForCondition", "notifyCondition", "notifyAllCondition")},
    **{(operation, "granted_anew"): condition_held(released=1, again=1) for operation in (
        "releaseCondition", "waitForCondition", "notifyCondition", "notifyAllCondition")},
    ("notifyCondition", "two"): condition_held(3),
    ("waitForCondition", "notified"): notified_later,
    ("waitForCondition", "unnotified"): condition_held(),
    **{(operation, name): process("/bin/echo", "hello") for operation, name in (
        ("listProcesses", "one"), ("getProcess", "default"), ("putProcess", "again"),
        ("putProcess", "conflict"), ("deleteProcess", "deleted"))},
    **{(operation + "Process", "not_started"): process("/bin/echo", "hello")
       for operation in ("join", "terminate", "kill")},
    ("getProcess", "ended"): ended_process,
    ("joinProcess", "default"): ended_process,
    ("joinProcess", "alive"): running,
    ("deleteProcess", "alive"): running,
    ("startProcess", "default"): process("/bin/sleep", "1000"),
    ("startProcess", "started"): running,
    ("terminateProcess", "default"): running,
    ("killProcess", "default"): running,
    **{(operation, name): as_shown for operation, name in (
        ("listThreads", "one"), ("getThread", "default"), ("putThread", "again"),
        ("putThread", "conflict"), ("joinThread", "not_started"))},
    ("startThread", "default"): thread(),
    ("startThread", "started"): thread(started=True),
    ("startThread", "no_pool"): thread_without_pool,
    ("joinThread", "default"): thread(started=True),
    ("joinThread", "alive"): thread("hold", ["/nonexistent"], started=True),
    ("deleteThread", "alive"): thread("hold", ["/nonexistent"], started=True),
    **{(operation, name): timer() for operation, name in (
        ("listTimers", "one"), ("getTimer", "default"), ("putTimer", "again"),
        ("putTimer", "conflict"), ("startTimer", "default"), ("cancelTimer", "default"))},
    ("getTimer", "waiting"): timer("waiting"),
    ("startTimer", "started"): timer("waiting"),
    ("startTimer", "cancelled"): timer("cancelled"),
    **{(f"{operation}{kind}", example): before for kind in ("Dict", "List")
       for operation, example, before in (
           ("get", "default", entries),
           ("put", "again", made_with(max_entries=100)), ("put", "conflict", made_with()),
           ("clear", "default", entries))},
    **{(operation, example): entries for operation, examples_of in {
        "getEntry": ["default"], "getEntryByKey": ["default"],
        "popEntry": ["default", "fallback", "too_large"],
        "setDefaultEntry": ["there", "too_large"], "popLastEntry": ["default", "too_large"],
        "removeEntry": ["default"], "containsKey": ["default", "not_there"],
        "copyDict": ["default"], "lengthOfDict": ["default"],
        "updateDict": ["items"], "listEntries": ["default"], "listEntryKeys": ["default"],
        "listEntryValues": ["default"], "getListItem": ["default"], "putListItem": ["default"],
        "listItems": ["default"], "appendToList": ["default", "text"],
        "extendList": ["default", "messages"], "insertIntoList": ["default", "at_the_end"],
        "spliceList": ["default", "removal"], "popFromList": ["default", "first", "too_large"],
        "removeFromList": ["default", "no_value"],
        "indexInList": ["default", "from", "no_value"], "countInList": ["default"],
        "updateList": ["default"], "reverseList": ["default"], "lengthOfList": ["default"],
        "sortList": ["default", "descending"]}.items() for example in examples_of},
    **{(f"poll{kind}", example): noted_entries for kind in ("Dict", "List")
       for example in ("default", "nothing")},
    ("listDicts", "one"): entries,
    ("listLists", "one"): entries,
    ("sortList", "mixed"): mixed_list,
    ("copyDict", "overflow"): other_dict_is_small,
    ("popLastEntry", "no_key"): made_with(),
}


# ---- what all operations share --------------------------------------------------------------

def unknown_argument(stage):
    stage.target += "?colour=red"


def foreign_host(stage):
    stage.headers.append(("Host", "example.org"))


def absent(stage):
    if stage.target == "/v1/tasks":
        stage.target += f"?pool={stage.name}"
    if "/pipes/" in stage.target and stage.body:
        in_a_session(stage)
    if "token" in (stage.body or {}):
        stage.body["token"] = "1"


def long_body(stage):
    large = stage.target.endswith((
        "/put", "/put_many", "/send", "/batch", "/tasks", "/map", "/store", "/exchange",
        "/compare_exchange", "/write"))
    if stage.object.split("/")[2] in ("processes", "threads", "timers"):
        large = stage.target == stage.object  # a PUT
    if stage.object.split("/")[2] in ("dicts", "lists"):
        large = stage.target.endswith((
            "/set", "/setdefault", "/update", "/append", "/extend", "/insert", "/splice", "/index",
            "/count", "/items/colour", "/items/0"))
        large |= stage.target.endswith("/pop" if "/dicts/" in stage.target else "/remove")
    stage.body = b" " * (25 << 20 if large else 65537)


def not_json(stage):
    stage.headers.append(("Content-Type", "text/plain"))
    stage.body = stage.body or b"x"


def other_request(stage):
    key = ("Idempotency-Key", f"example-{next(_keys)}")
    stage.headers.append(key)
    if "/dicts/" in stage.target or "/lists/" in stage.target:
        stage.server.call("POST", f"/v1/dicts/{stage.name}-other/clear", {}, [key])
        return
    if "/pools/" in stage.target:
        pool()(stage)
        first = {"function": "echo", **({"items": [1]} if "/map" in stage.target else {})}
        stage.server.call("POST", stage.target, first, [key])
        return
    if stage.target.endswith(("/set", "/clear", "/reset", "/abort", "/start", "/terminate", "/kill",
                              "/cancel")):
        barrier()(stage)
        stage.server.call("POST", stage.target, {}, [key])
        stage.target = stage.target.replace(stage.name, stage.name + "-other")
        return
    if stage.cells.startswith(("/v1/values/", "/v1/arrays/")):
        cells()(stage)
        first = {key: 1 for key in stage.body}
        if "values" in first:
            first["values"] = [1]
        assert stage.server.call("POST", stage.target, first, [key]).status == 200
        return
    if "/conditions/" in stage.target and "/acquire" not in stage.target:
        condition_held()(stage)
        first = {"token": stage.body["token"]}
        if "/wait" in stage.target:
            first["timeout"] = 0
        if "/notify_all" in stage.target:
            stage.body = {"token": "1"}
        stage.server.call("POST", stage.target, first, [key])
        return
    if stage.is_held_kind() and stage.target.endswith(("/release", "/break")):
        held_lock(stage)
        stage.server.call("POST", stage.target, {"token": "1"}, [key])
        return
    if "/pipes/" in stage.target:
        pipe({"text": "hello"}, {"text": "hello"}, claims="ab")(stage)
        first = {**stage.body, "end": "a" if "/c" in stage.target else "b"}
        if "/send" in stage.target:
            first["json"] = 1
        assert stage.server.call("POST", stage.target, first, [key]).status == 200
        stage.body = {**first, "end": "b" if "/c" in stage.target else "a"}
        return
    event(True)(stage)
    latch(1, 0)(stage)
    barrier(1)(stage)
    first = {"acquire": {"timeout": 1}, "put": {"json": 1}, "put_many": {"items": [{"json": 1}]},
             "count_down": {"count": 1}}
    first["acquire"] = first["acquire"] if "/v1/acquire" not in stage.target else {
        "targets": [{"kind": "semaphore", "name": f"{stage.name}.s"}]}
    if stage.target == "/v1/wait":
        first["wait"] = {"targets": [{"kind": "semaphore", "name": f"{stage.name}.s"}]}
    first["sessions"] = {"ttl": 45}
    first["batch"] = {"operations": [{"method": "GET", "path": "/v1/version"}]}
    if "/get" in stage.target:
        stage.put({"json": 1}, {"json": 2})
    word = stage.target.rpartition("/")[2]
    answer = stage.server.call("POST", stage.target, first.get(word, {"timeout": 2}), [key])
    assert answer.status in (200, 201)


def overflow(stage):
    """A value of more than one byte is too long."""
    stage.server.put(stage.object, max_entry_bytes=1)
    if "{index}" in stage.path:
        stage.server.post(stage.object + "/append", json=1)


def changed(stage):
    """Nothing has the version that the example asks for."""
    entries(stage)
    if "/items/" in stage.target:
        stage.headers.append(("If-Match", '"1234567"'))


def no_key(stage):
    entries(stage)
    if "colour" in stage.target:
        stage.target = stage.target.replace("colour", "taste")
    if stage.body is not None and "key" in stage.body:
        stage.body["key"] = "taste"


def out_of_range(stage):
    entries(stage)
    if "/items/0" in stage.target:
        stage.target = stage.target.replace("/items/0", "/items/7")


def too_large_page(stage):
    entries(stage)
    stage.target += "?max_bytes=0"


SHARED = {function.__name__: function for function in (
    unknown_argument, foreign_host, absent, long_body, not_json, other_request, overflow, changed,
    no_key, out_of_range, too_large_page)}
SHARED["deleted"] = deleted_while_waiting


def ended(stage):
    stage.body["session"] = session()(stage)
    assert stage.server.call("DELETE", "/v1/sessions/" + stage.body["session"]).status == 204


SHARED["ended"] = ended


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
            if key in CHANGING or (key == "waiting" and isinstance(value, float)):
                assert isinstance(real[key], type(value)), f"{where}.{key}"
            else:
                alike(value, real[key], f"{where}.{key}")
    elif isinstance(shown, list) and isinstance(real, list):
        assert len(shown) == len(real), where
        for index, (one, other) in enumerate(zip(shown, real)):
            alike(one, other, f"{where}[{index}]")
    else:
        assert shown == real, where


@pytest.fixture(scope="module", name="config")
def config_of_server():
    """The tests' worker and what the examples run may be started, and nothing else."""
    return ALLOWED


@pytest.fixture
def stage_server(request, start):
    """A server of its own for what lists everything; else the one of the file."""
    identity = request.node.callspec.params["identity"]
    if identity.startswith("list"):
        server = start(config=ALLOWED)
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
    if body and "command" in body and body["command"][0] in PROGRAMS:
        stage.body["command"] = PROGRAMS[body["command"][0]]
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
