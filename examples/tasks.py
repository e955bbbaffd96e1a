"""Functions for a pool: those that tests/workers/conformance.py calls, and two real ones.

    python3 -m interlock.worker examples/tasks.py --check
"""

import hashlib
import sys
import time

import interlock


@interlock.task
def echo(value, *_others):
    return value


@interlock.task
def add(a, b):
    return a + b


@interlock.task
def fail(message="failed, as it was asked to"):
    raise RuntimeError(message)


@interlock.task(name="sleep")
def sleep_for(seconds):
    """Sleep; look every few milliseconds whether it is to stop."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if interlock.cancelled():
            raise interlock.Cancelled
        time.sleep(min(left, 0.005))


@interlock.task
def write(out, err):
    print(out, end="")
    print(err, end="", file=sys.stderr)


@interlock.task(name="exit")
def exit_now(code):
    sys.exit(code)


@interlock.task
def progress(value):
    interlock.progress(value)
    return value


@interlock.task
def kwargs(**named):
    return named


@interlock.task
def sha256(path):
    """The SHA-256 of a file, as sha256sum prints it."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 16):
            digest.update(chunk)
    return digest.hexdigest()


@interlock.task
def wordcount(path):
    """Lines, words (what stands between white space) and bytes of a file, as `wc`."""
    with open(path, "rb") as file:
        text = file.read()
    return {"lines": text.count(b"\n"), "words": len(text.split()), "bytes": len(text)}
