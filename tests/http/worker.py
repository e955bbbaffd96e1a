"""A worker for the tests: speaks docs/worker-protocol.md by itself, each call in a thread."""
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

CHANNEL = socket.socket(fileno=int(os.environ["INTERLOCK_WORKER_FD"]))
WRITING = threading.Lock()
cancelled = {}  # id of a call -> the event of its cancellation


class Cancelled(Exception):
    """The call ended since it was cancelled."""


def send(**message):
    """Writes one message."""
    line = json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"
    with WRITING:
        CHANNEL.sendall(line)


def echo(_, value=None, **named):
    return {"value": value, **named} if named else value


def add(_, one, other):
    return one + other


def fail(_, message="failed", kind="RuntimeError"):
    raise type(kind, (Exception,), {})(message)


def hold(call, path):
    """Runs until the file PATH is there, or the call is cancelled."""
    while not os.path.exists(path):
        if call["cancel"].wait(0.002):
            raise Cancelled("cancelled")
    return path


def stubborn(_, path):
    """Runs until the file PATH is there, whatever is asked."""
    while not os.path.exists(path):
        time.sleep(0.002)


def append(call, path, word, until=None):
    """Adds a line to a file, and then holds."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{word}\n")
    return hold(call, until) if until else word


def die(_, number=signal.SIGKILL):
    os.kill(os.getpid(), number)
    time.sleep(60)


def leave(_, status=0):
    os._exit(status)


def write(_, out, err=""):
    sys.stdout.write(out)
    sys.stdout.flush()
    sys.stderr.write(err)
    sys.stderr.flush()


def attempt(call, succeeds_at, dies=False):
    """Fails, or kills the worker, until the attempt of that number."""
    if call["attempt"] < succeeds_at:
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)
        raise RuntimeError(f"attempt {call['attempt']}")
    return call["attempt"]


def progress(call, *values):
    """Reports VALUES, and then holds until it is cancelled."""
    for value in values:
        send(method="progress", params={"id": call["id"], "value": value})
    call["cancel"].wait()
    raise Cancelled("cancelled")


def environment(_, *names):
    return {name: os.environ.get(name) for name in names or os.environ}


def whereabouts(_):
    return {"pid": os.getpid(), "directory": os.getcwd(), "initialized": initialized}


def spawn(_):
    """A child that leaves its process group and session, and outlives this call."""
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    return child.pid


def setup(_, *args):
    initialized.extend(args)


initialized = []
FUNCTIONS = {function.__name__: function for function in (
    add, append, attempt, die, echo, environment, fail, hold, leave, progress, spawn, stubborn,
    whereabouts, write)}


def run(call, function, args, kwargs):
    """Runs one call and answers it."""
    try:
        answer = {"result": function(call, *args, **kwargs)}
    except Cancelled as error:
        answer = {"error": {"code": 2, "message": str(error)}}
    except TypeError as error:
        answer = {"error": {"code": -32602, "message": str(error)}}
    except Exception as error:  # whatever the function raises is its answer
        answer = {"error": {"code": 1, "message": str(error),
                            "data": {"type": type(error).__name__}}}
    cancelled.pop(call["id"], None)
    send(id=call["id"], **answer)


def take(message):
    """Does what one message asks for."""
    params = message.get("params", {})
    if message["method"] == "call":
        function = FUNCTIONS.get(params["function"])
        if function is None:
            send(id=message["id"], error={"code": -32601, "message": "no such function"})
            return
        call = {"id": message["id"], "attempt": params["attempt"], "cancel": threading.Event()}
        cancelled[message["id"]] = call["cancel"]
        threading.Thread(target=run, daemon=True, args=(
            call, function, params["args"], params["kwargs"])).start()
    elif message["method"] == "initialize":
        run({"id": message["id"]}, setup, params["args"], {})
    elif message["method"] == "cancel" and params["id"] in cancelled:
        cancelled[params["id"]].set()


def main():
    """Says hello, and reads until the end."""
    if "--silent" in sys.argv:  # never comes up
        sys.exit(3)
    send(method="hello", params={
        "protocol": 1, "name": "worker.py", "slots": int(os.environ.get("INTERLOCK_SLOTS", 1)),
        "functions": sorted(FUNCTIONS)})
    for line in CHANNEL.makefile("rb"):
        messages = json.loads(line)
        for message in messages if isinstance(messages, list) else [messages]:
            take(message)
    while cancelled:  # finishes what it runs
        time.sleep(0.002)


main()
