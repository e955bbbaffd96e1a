"""What the tests of pools share: a server that may start the tests' own worker, and pools of it."""
import os
import sys
from pathlib import Path

from client import wait_until

WORKER = [sys.executable, str(Path(__file__).resolve().parent / "worker.py")]
SHELL = "/bin/sh"
ECHO = "/bin/echo"
CONFIG = {"programs": [sys.executable, SHELL, ECHO, "/bin/cat"], "environment": ["GREETING"]}
ENDED = {"succeeded", "failed", "cancelled", "timed_out", "lost"}


def url(name, operation=None):
    """The path of the pool NAME."""
    return f"/v1/pools/{name}" + (f"/{operation}" if operation else "")


def make(server, name, **options):
    """Makes a pool, by default of the tests' worker, and waits for its workers."""
    options = {"command": WORKER, "workers": 1, "grace": 0.1, "backoff": 0.01, **options}
    server.put(url(name), **options)
    if options.get("kind") != "exec":
        wait_until(lambda: server.get(url(name))["functions"], what="a worker is up")
    return name


def submit(server, name, function, *args, wait=None, **options):
    """The view of a task that was submitted; WAIT: until it has ended, or so many seconds."""
    headers = [] if wait is None else [("Prefer", f"wait={wait}" if wait is not True else "wait")]
    body = {"args": list(args), **options}
    if function:
        body["function"] = function
    answer = server.call("POST", url(name, "tasks"), body, headers)
    assert answer.status in (200, 202), answer
    return answer.json


def task(server, view):
    """How the task of VIEW stands now."""
    return server.get(f"/v1/tasks/{view['id']}")


def ended(server, view):
    """The task of VIEW, once it has ended."""
    return server.post(f"/v1/tasks/{view['id']}/wait")


def state(server, view, *states):
    """Waits until the task of VIEW is in one of STATES."""
    def seen():
        now = task(server, view)
        return now if now["state"] in states else None
    return wait_until(seen, what=f"a task {states}")


def is_alive(pid):
    """Whether the process runs; a zombie does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def descendants(pid):
    """All processes below PID, by their parents."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                text = Path(f"/proc/{entry}/stat").read_text(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            parent = int(text.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry))
    found, look = [], [pid]
    while look:
        below = children.get(look.pop(), [])
        found += below
        look += below
    return found
