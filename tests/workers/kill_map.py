"""Kills a random worker every 50 ms during maps: every result must come exactly once, and be right.

kill_map.py [--build DIR] [--seed N] [--rounds N] [--tasks N] [--only http-c|http-python|lane-c]

Maps over HTTP with workers in C and in Python, and through the lane with workers in C; and at the
end the client of a lane is killed, whereupon its workers must let go. Ends with 0 if all is well.
"""
import argparse
import collections
import http.client
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from lane import Lane

ROOT = Path(__file__).parent.parent.parent
WORKERS = 4
KILL_EVERY_S = 0.05
WORK_US = 300
RETRIES = 1000
PATIENCE_S = 30


class Wrong(Exception):
    pass


class Server:
    def __init__(self, build: Path, where: Path) -> None:
        self.build, self.where = build, where
        python = [sys.executable, "-m", "interlock.worker",
                  str(ROOT / "tests/workers/functions.py")]
        common = {"workers": WORKERS, "set_aside_after": 1000, "retries": RETRIES}
        config = where / "config.json"
        config.write_text(json.dumps({
            "log": {"level": "error"},
            "environment": ["PYTHONPATH"],
            "pools": {
                "c": {"module": str(build / "module/functions.so"), **common},
                "python": {"command": python, **common,
                           "environment": {"PYTHONPATH": str(ROOT / "bindings/python/src")}}}}))
        self.log = where / "log"
        with self.log.open("w") as log:
            self.child = subprocess.Popen(
                [build / "bin/interlockd", "--http", "127.0.0.1:0", "--socket", where / "socket",
                 "--config", config], stdout=subprocess.PIPE, stderr=log, text=True)
        found = re.search(r"http=127\.0\.0\.1:(\d+)", self.child.stdout.readline())
        if not found:
            raise Wrong(f"interlockd does not start: {self.log.read_text()}")
        self.port = int(found[1])

    def request(self, connection, method, path, body=None, **headers):
        data = None if body is None else json.dumps(body)
        if data is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, f"/v1{path}", data, headers)
        return connection.getresponse()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)

    def ask(self, method, path, body=None):
        connection = self.connect()
        response = self.request(connection, method, path, body)
        answer = json.loads(response.read() or b"{}")
        connection.close()
        if response.status >= 400:
            raise Wrong(f"{method} {path}: {answer}")
        return answer

    def await_workers(self, pool):
        answer = self.ask("POST", f"/pools/{pool}/map",
                          {"function": "twice", "star": True, "items": [[1, 1]] * WORKERS})
        wait_for(lambda: self.ask("GET", f"/maps/{answer['id']}")["ended"] == WORKERS,
                 f"the pool {pool} does nothing")

    def stop(self):
        self.child.terminate()
        if self.child.wait(PATIENCE_S) != 0:
            raise Wrong(f"interlockd ended with {self.child.returncode}: {self.log.read_text()}")


def wait_for(state, what):
    end = time.monotonic() + PATIENCE_S
    while not state():
        if time.monotonic() > end:
            raise Wrong(what)
        time.sleep(0.005)


class Killer(threading.Thread):
    """Kills one of the pool's workers that are up, again and again."""

    def __init__(self, server, pool, rng):
        super().__init__(daemon=True)
        self.server, self.pool, self.rng = server, pool, rng
        self.kills = 0
        self.enough = threading.Event()

    def run(self):
        connection = self.server.connect()
        while not self.enough.wait(KILL_EVERY_S):
            view = json.loads(self.server.request(connection, "GET", f"/pools/{self.pool}").read())
            up = [worker["pid"] for worker in view["worker_list"]
                  if worker["pid"] and worker["state"] in ("idle", "busy")]
            if not up:
                continue
            try:
                os.kill(self.rng.choice(up), signal.SIGKILL)
                self.kills += 1
            except ProcessLookupError:
                pass
        connection.close()

    def stop(self):
        self.enough.set()
        self.join()


class Results:
    def __init__(self, numbers):
        self.numbers = numbers
        self.told = collections.Counter()

    def take(self, index, state, result):
        self.told[index] += 1
        if state not in (0, "succeeded") or result != 2 * self.numbers[index]:
            raise Wrong(f"item {index}, {self.numbers[index]}: {state}, {result}")

    def check(self):
        wrong = [i for i in range(len(self.numbers)) if self.told[i] != 1]
        if wrong or len(self.told) != len(self.numbers):
            raise Wrong(f"{len(wrong)} items were not told once, such as {wrong[:5]}")


def map_over_http(server, pool, numbers):
    results = Results(numbers)
    connection = server.connect()
    response = server.request(connection, "POST", f"/pools/{pool}/map", {
        "function": "twice", "star": True, "items": [[WORK_US, n] for n in numbers]},
        Accept="application/x-ndjson")
    if response.status != 200:
        raise Wrong(response.read())
    for line in response:
        element = json.loads(line)
        results.take(element["index"], element["state"], element.get("result"))
    connection.close()
    results.check()


def map_by_lane(server, pool, numbers):
    results = Results(numbers)
    trouble = []

    def each(index, status, text):
        try:
            results.take(index, status, json.loads(text))
        except Wrong as wrong:
            trouble.append(wrong)

    lane = Lane(server.build, str(server.where / "socket"), pool)
    lane.check(lane.map("twice", [f"[{WORK_US},{n}]" for n in numbers], RETRIES, each))
    lane.close()
    if trouble:
        raise trouble[0]
    results.check()
    queues = server.ask("GET", "/queues")["queues"]
    if queues:
        raise Wrong(f"queues are left: {queues}")


WAYS = (("http", "c", map_over_http), ("http", "python", map_over_http), ("lane", "c", map_by_lane))


def campaign(server, rounds, tasks, only, rng):
    for number in range(rounds):
        for way, pool, do in WAYS:
            if only not in (None, f"{way}-{pool}"):
                continue
            server.await_workers(pool)
            numbers = [rng.randrange(1 << 40) for _ in range(tasks[pool])]
            killer = Killer(server, pool, random.Random(rng.random()))
            killer.start()
            start = time.monotonic()
            try:
                do(server, pool, numbers)
            finally:
                killer.stop()
            print(f"round {number}: {len(numbers)} tasks by {way}, workers in {pool}: "
                  f"{killer.kills} were killed in {time.monotonic() - start:.1f} s", flush=True)
            if killer.kills == 0:
                raise Wrong("nobody was killed")


def kill_client(server):
    """A client in the midst of its lane."""
    server.await_workers("c")
    client = subprocess.Popen([sys.executable, __file__, "--client", str(server.build),
                               str(server.where / "socket")], stdout=subprocess.PIPE, text=True)
    if client.stdout.readline() != "begun\n":
        raise Wrong("the client does not begin")
    client.kill()
    client.wait()
    wait_for(lambda: not server.ask("GET", "/tasks?pool=c&state=running")["tasks"],
             "the workers do not let go of a dead client's lane")
    wait_for(lambda: not server.ask("GET", "/queues")["queues"], "its queues are left")
    wait_for(lambda: not server.ask("GET", "/locks")["locks"], "its lock is left")
    server.await_workers("c")
    print("a client of the lane was killed, and its workers let go", flush=True)


def be_client(build, socket):
    lane = Lane(Path(build), socket, "c")
    said = []

    def each(*_):
        if not said:
            said.append(print("begun", flush=True))

    lane.map("twice", [f"[10000,{n}]" for n in range(100000)], 0, each)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path,
                        default=os.environ.get("INTERLOCK_BUILD", ROOT / "build"))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("INTERLOCK_SEED", "1")))
    torture = bool(os.environ.get("INTERLOCK_TORTURE"))
    parser.add_argument("--rounds", type=int, default=100 if torture else 1)
    parser.add_argument("--tasks", type=int)
    parser.add_argument("--only", help="one of the ways")
    parser.add_argument("--client", nargs=2, metavar=("BUILD", "SOCKET"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        be_client(*arguments.client)
        return 0
    where = Path(tempfile.mkdtemp(prefix="interlock-kill-map-"))
    server = None
    try:
        server = Server(Path(arguments.build).resolve(), where)
        many = arguments.tasks or 10000
        # a new interpreter takes as long as some hundred tasks
        tasks = {"c": many, "python": arguments.tasks or (many if torture else many // 4)}
        campaign(server, arguments.rounds, tasks, arguments.only, random.Random(arguments.seed))
        kill_client(server)
        server.stop()
        return 0
    except Wrong as wrong:
        print(f"seed {arguments.seed}: {wrong}", file=sys.stderr)
        return 1
    finally:
        if server and server.child.poll() is None:
            server.child.kill()
            server.child.wait()
        shutil.rmtree(where)


if __name__ == "__main__":
    sys.exit(main())
