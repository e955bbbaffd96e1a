"""The resource tracker's program: `python _tracker_main.py DESCRIPTOR`. It needs nothing of the package."""

import signal
import sys
import warnings
from typing import Callable, Dict, Set

import _posixshmem  # type: ignore[import-not-found]

CLEANUP: Dict[str, Callable[[str], object]] = {
    "noop": lambda name: None,
    "shared_memory": _posixshmem.shm_unlink,
}


def obey(line: bytes, names: Dict[str, Set[str]]) -> None:
    command, name, kind = line.strip().decode("ascii").split(":")
    if kind not in names:
        raise ValueError(f"Cannot register {name} for automatic cleanup: unknown resource type {kind}")
    if command == "REGISTER":
        names[kind].add(name)
    elif command == "UNREGISTER":
        names[kind].remove(name)
    elif command != "PROBE":
        raise RuntimeError(f"unrecognized command {command!r}")


def clean_up(names: Dict[str, Set[str]]) -> None:
    for kind, left in names.items():
        if left:
            warnings.warn(f"resource_tracker: There appear to be {len(left)} leaked {kind} objects "
                          "to clean up at shutdown")
        for name in left:
            try:
                CLEANUP[kind](name)
            except OSError as error:
                warnings.warn(f"resource_tracker: {name!r}: {error}")


def main(fd: int) -> None:
    """Reads from FD until no process has the other end, then unlinks what is left."""
    ignored = (signal.SIGINT, signal.SIGTERM)
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ignored)
    for stream in (sys.stdin, sys.stdout):
        stream.close()
    names: Dict[str, Set[str]] = {kind: set() for kind in CLEANUP}
    with open(fd, "rb") as pipe:
        for line in pipe:
            try:
                obey(line, names)
            except Exception:
                sys.excepthook(*sys.exc_info())
    clean_up(names)


if __name__ == "__main__":
    sys.path.pop(0)  # this package's directory, whose modules have names of standard ones
    main(int(sys.argv[1]))
