"""A hostile client ruins the arena of a server; that server, and another one, go on.

campaign.py [--seconds N] [--seed N] [--only TITLE] [--keep]: some rounds. In each, one server's
arena is written to at random (writer.c) while HTTP clients and attached processes (caller.c) call
everything that openapi.yaml has; a second server with an arena of its own serves clients that check
what they get (bystander.c).

Checked: every HTTP request is answered within a bound, whatever the answer is; GET /v1/health
within a second throughout; no sanitizer has a word to say; SIGTERM ends the server with 0 although
requests wait; attached processes end with it; the second server never errs.
Prints the seed. INTERLOCK_BUILD names the build tree, best that of the address sanitizer.
"""
import argparse
import json
import mmap
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "http"))

from client import Disconnected  # noqa: E402
from contract import operations  # noqa: E402
from places import BUILD, SANITIZED  # noqa: E402
from server import Server  # noqa: E402

PROGRAMS = BUILD / "tests/hostile"
ROUND_SECONDS = 7.5
HTTP_CLIENTS = 6
WAIT_SECONDS = 0.1        # what a request asks to wait
ANSWER_SECONDS = 10.0     # until it has to be answered
GIVE_UP_SECONDS = 1.0     # on what may take long
HEALTH_SECONDS = 1.0
WRITER_SECONDS = 1.5      # then it is killed, and the next one attaches
END_SECONDS = 20.0
# What the writers of a round write to. All of it at once ruins an arena too soon to get far.
ROUNDS = [
    ("everything", []),
    ("objects and messages", ["objects", "objects", "messages"]),
    ("who waits", ["agents", "objects"]),
    ("names and slots", ["names", "slots", "leases", "losses"]),
    ("messages", ["messages"]),
    ("memory", ["chunks", "header"]),
    ("bells and sessions", ["bells", "slots", "leases", "losses", "agents"]),
    ("objects and anywhere", ["objects", "data"]),
]


class Failures:
    """What went wrong, from all threads."""

    def __init__(self):
        self.lines = []
        self.guard = threading.Lock()

    def add(self, text):
        with self.guard:
            if len(self.lines) < 50:
                self.lines.append(text)
                print(f"FAILED: {text}", flush=True)


class Requests:
    """Requests made of the examples in openapi.yaml: a new route is called without more ado."""

    def __init__(self):
        self.operations = []
        for path, method, operation in operations():
            content = operation.get("requestBody", {}).get("content", {})
            media = content.get("application/json", {})
            bodies = [example["value"] for example in media.get("examples", {}).values()]
            properties = self._properties(media.get("schema", {}))
            self.operations.append((path, method, bodies or [None], "timeout" in properties))
        self.seen = {}  # what answers showed: tokens, ids …

    def _properties(self, schema):
        found = dict(schema.get("properties", {}))
        for part in schema.get("allOf", []) + schema.get("oneOf", []) + schema.get("anyOf", []):
            found.update(self._properties(part))
        return found

    def some(self, chance, wait):
        """(method, target, body) of a random request that waits up to WAIT seconds."""
        path, method, bodies, waits = chance.choice(self.operations)
        target = path
        while "{" in target:
            before, _, rest = target.partition("{")
            key, _, after = rest.partition("}")
            target = before + self._some_value(chance, key) + after
        body = chance.choice(bodies)
        if isinstance(body, dict):
            body = {key: self._known(chance, key, value) for key, value in body.items()}
        if waits and method == "POST":
            body = {**(body or {}), "timeout": wait}
        if body == {}:
            body = None
        return method, target, body

    def _some_value(self, chance, key):
        if key == "name":
            return f"n{chance.randrange(6)}" if chance.random() < 0.8 \
                else f"h{chance.randrange(1000)}"
        if key == "key":
            return chance.choice(("colour", "note", "taste"))
        if key == "index":
            return str(chance.randrange(-4, 5))
        return self._known(chance, key, "0.0")

    def _known(self, chance, key, value):
        known = self.seen.get(key)
        return chance.choice(known) if known and chance.random() < 0.8 else value

    def learn(self, node):
        """Remembers the tokens and ids of an answer."""
        if isinstance(node, dict):
            for key, value in node.items():
                if key in ("token", "id", "session") and isinstance(value, str):
                    known = self.seen.setdefault(key, [])
                    known.append(value)
                    del known[:-20]
                else:
                    self.learn(value)
        elif isinstance(node, list):
            for part in node[:20]:
                self.learn(part)


class Ruin:
    """One round: a server whose arena is written to."""

    def __init__(self, campaign, directory, title, places, seed):
        self.campaign, self.title, self.places = campaign, title, places
        self.failures = campaign.failures
        self.chance = random.Random(seed)
        self.stop = threading.Event()
        self.server = Server(directory)
        self.answers = {}
        self.slowest = 0.0
        self.writers = self.writes = self.refused = 0
        self.callers = []

    def fail(self, text):
        self.failures.add(f"{self.title}: {text}")

    @staticmethod
    def may_take_long(target):
        """Who waited for a condition gets its lock again, however long others have that."""
        return target.startswith("/v1/conditions/") and target.endswith("/wait")

    def call_all(self, seed):
        """A client over HTTP."""
        chance = random.Random(seed)
        requests = self.campaign.requests
        connection = None
        while not self.stop.is_set():
            method, target, body = requests.some(chance, WAIT_SECONDS)
            try:
                if connection is None:
                    connection = self.server.connect(unix=chance.random() < 0.3)
                began = time.monotonic()
                headers = (("Idempotency-Key", f"k{chance.randrange(50)}"),) \
                    if chance.random() < 0.05 else ()
                connection.send(method, target, body, headers)
                if chance.random() < 0.02:  # leaves without waiting for the answer
                    connection.reset()
                    connection = None
                    continue
                if target.partition("?")[0].endswith("/watch"):  # has no end: leaves once it begins
                    if connection.is_quiet(ANSWER_SECONDS):
                        self.fail(f"no answer in {ANSWER_SECONDS} s: {method} {target}")
                    connection.reset()
                    connection = None
                    continue
                answer = connection.answer(
                    GIVE_UP_SECONDS if self.may_take_long(target) else ANSWER_SECONDS, check=False)
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.answers[answer.status] = self.answers.get(answer.status, 0) + 1
                if answer.status == 200:
                    requests.learn(json.loads(answer.body) if answer.body else None)
            except (Disconnected, ConnectionError):
                connection = None
                if self.server.process.poll() is not None:
                    return
            except TimeoutError:
                if not self.may_take_long(target):
                    self.fail(f"no answer in {ANSWER_SECONDS} s: {method} {target} {body}")
                connection.close()
                connection = None
            except (ValueError, AssertionError) as error:
                self.fail(f"{method} {target} {body}: {error!r}")
                connection = None

    def ask_health(self, server):
        """How long GET /v1/health took; None: no answer."""
        began = time.monotonic()
        try:
            with server.connect() as connection:
                connection.send("GET", "/v1/health").answer(ANSWER_SECONDS, check=False)
        except (OSError, Disconnected):
            return None
        return time.monotonic() - began

    def watch_health(self):
        """The other server tells how slow the machine is just now."""
        while not self.stop.wait(0.05):
            other = self.ask_health(self.campaign.other)
            took = self.ask_health(self.server)
            again = self.ask_health(self.campaign.other)
            if took is None:
                if self.server.process.poll() is not None:
                    self.fail(f"the server ended with {self.server.process.returncode}")
                    return
                self.fail(f"no answer about its health in {ANSWER_SECONDS} s")
            elif other is None or again is None:
                self.fail("the other server did not answer about its health")
            else:
                self.health = max(getattr(self, "health", 0.0), took)
                if took > HEALTH_SECONDS + 2 * max(other, again):
                    self.fail(f"health took {took:.2f} s (the other's {other:.2f}, {again:.2f})")

    def keep_writing(self):
        """Writers, one after the other: each dies in the middle of it."""
        while not self.stop.is_set():
            process = subprocess.Popen(
                [PROGRAMS / "writer", self.server.path, "60", str(self.chance.getrandbits(63)),
                 *self.places], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            self.writers += 1
            end = time.monotonic() + WRITER_SECONDS
            while process.poll() is None and time.monotonic() < end and not self.stop.is_set():
                time.sleep(0.02)
            process.kill()
            said = process.stderr.read().decode(errors="replace")
            if process.wait() == 3:
                self.refused += 1
                time.sleep(0.05)
            elif process.returncode != -signal.SIGKILL:
                self.fail(f"a writer ended with {process.returncode}: {said[:3000]}")

    def start_caller(self):
        self.callers.append(subprocess.Popen(
            [PROGRAMS / "caller", self.server.path, str(self.chance.getrandbits(63))],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))

    def look_after_callers(self):
        """Some are killed, so that there is something to repair; the number stays."""
        while not self.stop.wait(0.3):
            if self.chance.random() < 0.3:
                self.callers[-1].kill()
            if self.callers[-1].poll() is not None and len(self.callers) < 40:
                self.start_caller()

    def wait_forever(self):
        """Requests that still wait when the server is told to end."""
        waiting = []
        for _ in range(8):
            method, target, body = self.campaign.requests.some(self.chance, 60)
            try:
                waiting.append(self.server.connect().send(method, target, body))
            except OSError:
                return waiting
        return waiting

    def run(self, seconds):
        """The round."""
        for _ in range(2):
            self.start_caller()
        work = [self.watch_health, self.keep_writing, self.look_after_callers]
        threads = [threading.Thread(target=one) for one in work]
        threads += [threading.Thread(target=self.call_all, args=(self.chance.getrandbits(32),))
                    for _ in range(HTTP_CLIENTS)]
        for thread in threads:
            thread.start()
        time.sleep(seconds * 0.9)
        waiting = self.wait_forever()
        time.sleep(seconds * 0.1)
        self.stop.set()
        for thread in threads:
            thread.join()
        self.end()
        for connection in waiting:
            connection.close()

    def say_where_it_is(self):
        """What a server is at that does not end."""
        if shutil.which("gdb") is None:
            return
        said = subprocess.run(["gdb", "-p", str(self.server.pid), "-batch", "-ex",
                               "thread apply all bt 16"], capture_output=True, check=False).stdout
        print(said.decode(errors="replace")[-6000:], flush=True)

    def end(self):
        if self.server.process.poll() is None:
            took = self.ask_health(self.server)
            if took is None:
                self.fail("the server does not answer any more")
        began = time.monotonic()
        watcher = threading.Timer(END_SECONDS - 5, self.say_where_it_is)
        watcher.start()
        try:
            status = self.server.stop(END_SECONDS)
        except subprocess.TimeoutExpired:
            status = "nothing: it did not end"
        watcher.cancel()
        ended = time.monotonic() - began
        if status != 0:
            self.fail(f"the server ended with {status}; its log ends with\n"
                      + "\n".join(self.server.log.splitlines()[-5:]))
        for caller in self.callers:
            try:
                _, said = caller.communicate(timeout=END_SECONDS)
            except subprocess.TimeoutExpired:
                caller.kill()
                _, said = caller.communicate()
                self.fail("an attached process did not end with its server")
                continue
            if caller.returncode not in (0, 3, -signal.SIGKILL):
                self.fail(f"an attached process ended with {caller.returncode}: "
                          + said.decode(errors="replace")[:3000])
        print(f"  {self.title}: {self.writers} writers ({self.refused} refused), "
              f"{len(self.callers)} callers, answers {dict(sorted(self.answers.items()))}, "
              f"slowest {self.slowest:.2f} s, health {getattr(self, 'health', 0.0):.2f} s, "
              f"ended in {ended:.2f} s", flush=True)


class Bystanders:
    """Clients of the server that nobody ruins, who check what they get."""

    def __init__(self, server, directory, failures):
        self.server, self.failures = server, failures
        self.path = directory / "shared"
        self.path.write_bytes(bytes(24))
        with open(self.path, "r+b") as file:
            self.shared = mmap.mmap(file.fileno(), 24)
        self.processes = [subprocess.Popen(
            [PROGRAMS / "bystander", server.path, self.path, str(number)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE) for number in range(2)]
        self.over_http = 0
        self.got = {}
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._guarded, args=(work,))
                        for work in (self._count, self._take)]
        for thread in self.threads:
            thread.start()

    def _guarded(self, work):
        try:
            work()
        except Exception as error:  # whatever it is, it is a failure of the other server
            self.failures.add(f"the other server: {error!r}")

    def _count(self):
        while not self.stopping.is_set():
            token = self.server.post("/v1/locks/count/acquire", timeout=30)["token"]
            first, second = struct.unpack_from("QQ", self.shared)
            if first != second:
                self.failures.add("the other server: two owners at once")
            struct.pack_into("Q", self.shared, 0, first + 1)
            struct.pack_into("Q", self.shared, 8, second + 1)
            self.server.release("count", token)
            self.over_http += 1
            time.sleep(0.002)

    def _take(self):
        while True:
            answer = self.server.call("POST", "/v1/queues/order/get", {"timeout": 0.5})
            if answer.status == 409 and answer.code == "timeout":
                if self.stopping.is_set() and all(p.poll() is not None for p in self.processes):
                    return
                continue
            assert answer.status == 200, answer
            number, turn = map(int, answer.json["text"].split())
            if turn != self.got.get(number, 0) + 1:
                self.failures.add(f"the other server: {turn} came after {self.got.get(number)}")
            self.got[number] = turn

    def end(self):
        self.stopping.set()
        struct.pack_into("Q", self.shared, 16, 1)
        turns = {}
        for number, process in enumerate(self.processes):
            try:
                said, wrong = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                said, wrong = process.communicate()
            if process.returncode != 0:
                self.failures.add(f"a bystander ended with {process.returncode}: "
                                  + wrong.decode(errors="replace")[:2000])
                continue
            turns[number] = int(said)
        for thread in self.threads:
            thread.join()
        first = struct.unpack_from("Q", self.shared)[0]
        if first != sum(turns.values()) + self.over_http:
            self.failures.add(f"the other server: {first} turns counted, "
                              f"{turns} and {self.over_http} had")
        if self.got != turns:
            self.failures.add(f"the other server: {turns} messages put, {self.got} taken")
        print(f"  the other arena: {first} turns, {sum(self.got.values())} messages", flush=True)


class Campaign:
    """All rounds."""

    def __init__(self, directory, seed):
        self.directory, self.seed = directory, seed
        self.failures = Failures()
        self.requests = Requests()
        home = directory / "other"
        home.mkdir()
        self.other = Server(home)

    def run(self, seconds, only):
        rounds = [one for one in ROUNDS if not only or only in one[0]]
        bystanders = Bystanders(self.other, self.directory, self.failures)
        chance = random.Random(self.seed)
        count = max(len(rounds), round(seconds / ROUND_SECONDS))
        for number in range(count):
            title, places = rounds[number % len(rounds)]
            home = self.directory / str(number)
            home.mkdir()
            Ruin(self, home, title, places, chance.getrandbits(63)).run(seconds / count)
        bystanders.end()
        status = self.other.stop()
        if status != 0:
            self.failures.add(f"the other server ended with {status}: {self.other.log}")
        for report in sorted(self.directory.glob("san.*")):
            self.failures.add(f"a sanitizer: {report.read_text(errors='replace')[:6000]}")


def main():
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time() * 1000) % 2**32)
    parser.add_argument("--only", help="rounds whose title has this")
    parser.add_argument("--keep", action="store_true", help="the servers' logs")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="il-hostile-"))
    reports = f"log_path={directory}/san"
    os.environ["ASAN_OPTIONS"] = reports + ":detect_leaks=0"
    os.environ["UBSAN_OPTIONS"] = reports + ":print_stacktrace=1"
    print(f"hostile: seed {options.seed}, {options.seconds:g} s"
          + ("" if SANITIZED else ", without a sanitizer"), flush=True)
    campaign = Campaign(directory, options.seed)
    campaign.run(options.seconds, options.only)
    if options.keep or campaign.failures.lines:
        print(f"logs: {directory}")
    else:
        shutil.rmtree(directory)
    print(f"{len(campaign.failures.lines)} failures")
    return 1 if campaign.failures.lines else 0


if __name__ == "__main__":
    sys.exit(main())
