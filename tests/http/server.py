"""Starts and stops interlockd."""
import json
import re
import select
import signal
import subprocess
import threading
import time
from urllib.parse import quote

from client import PATIENCE, Connection, Disconnected, wait_until
from places import SERVER

spawned = []  # every server of this run; what a failed test left is ended with it
READY = re.compile(rb"interlockd ready http=([0-9.]+):(\d+) socket=(.+)\n")


def spawn(directory, *arguments, config=None, **options):
    """A server as a process, with its log in DIRECTORY/log; CONFIG becomes its configuration."""
    if config is not None:
        file = directory / "config.json"
        file.write_text(config if isinstance(config, str) else json.dumps(config))
        arguments += ("--config", str(file))
    with open(directory / "log", "ab") as log:
        process = subprocess.Popen([str(SERVER), *arguments], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=log, bufsize=0, **options)
    spawned.append(process)
    return process


def read_ready_line(process, patience=PATIENCE):
    """(host, port, socket path) that the server announces, or None if it ends before."""
    line = b""
    deadline = time.monotonic() + patience
    while not line.endswith(b"\n"):
        ready = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))[0]
        assert ready, f"the server did not become ready; it said {line!r}"
        byte = process.stdout.read(1)
        if not byte:
            return None
        line += byte
    match = READY.fullmatch(line)
    assert match, f"unexpected line: {line!r}"
    return match[1].decode(), int(match[2]), match[3].decode()


class Server:
    """A running interlockd; the calls go through connections that are kept and used again."""

    def __init__(self, directory, *arguments, config=None, socket_path=None, http="127.0.0.1:0"):
        self.directory = directory
        self.path = str(socket_path or directory / "s")
        self.process = spawn(directory, "--http", http, "--socket", self.path, *arguments,
                             config=config)
        ready = read_ready_line(self.process)
        assert ready, f"no server: {self.log}"
        self.host, self.port, announced = ready
        assert announced == self.path
        self._spare = []
        self._guard = threading.Lock()

    @property
    def pid(self):
        """Of the server."""
        return self.process.pid

    @property
    def log(self):
        """What it wrote to stderr so far."""
        return (self.directory / "log").read_text(errors="replace")

    def connect(self, unix=False):
        """A new connection."""
        return Connection(self.path if unix else (self.host, self.port))

    def send(self, method, target, body=None, headers=()):
        """A new connection on which a request was sent, and is waiting."""
        return self.connect().send(method, target, body, headers)

    def call(self, method, target, body=None, headers=(), patience=PATIENCE):
        """One request and its answer."""
        with self._guard:
            connection = self._spare.pop() if self._spare else None
        if connection is not None:
            try:
                return self._call(connection, method, target, body, headers, patience)
            except (Disconnected, BrokenPipeError):
                connection.close()  # it had been closed while it was idle
        return self._call(self.connect(), method, target, body, headers, patience)

    def _call(self, connection, method, target, body, headers, patience):
        answer = connection.call(method, target, body, headers, patience)
        if (answer.header("Connection") or "").lower() == "close":
            connection.close()
        else:
            with self._guard:
                self._spare.append(connection)
        return answer

    def get(self, target):
        """GET that has to succeed: the body."""
        answer = self.call("GET", target)
        assert answer.status == 200, answer
        return answer.json

    def post(self, target, **body):
        """POST that has to succeed: the body."""
        answer = self.call("POST", target, body)
        assert answer.status in (200, 202), answer
        return answer.json

    def put(self, target, **body):
        """PUT that has to succeed: the body."""
        answer = self.call("PUT", target, body)
        assert answer.status in (200, 201), answer
        return answer.json

    def acquire(self, name, **body):
        """The token of a lock that can be had now."""
        return self.post(f"/v1/locks/{quote(name, '')}/acquire", **{"timeout": 0, **body})["token"]

    def release(self, name, token):
        """Releases it."""
        self.post(f"/v1/locks/{quote(name, '')}/release", token=token)

    def wait_for(self, target, **fields):
        """Waits until the object at TARGET looks so; returns it."""
        def looks_so():
            answer = self.call("GET", target)
            if answer.status != 200:  # an attached process may be about to make it
                return None
            view = answer.json
            return view if all(view[key] == value for key, value in fields.items()) else None
        return wait_until(looks_so, what=f"{target} {fields}")

    def wait_for_waiters(self, name, count):
        """Waits until COUNT wait for the lock NAME."""
        return self.wait_for(f"/v1/locks/{quote(name, '')}", waiters=count)

    def stop(self, patience=PATIENCE):
        """Stops it with SIGTERM and returns its exit status."""
        self.drop_connections()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()

    def drop_connections(self):
        """Closes the kept connections."""
        with self._guard:
            for connection in self._spare:
                connection.close()
            self._spare.clear()
