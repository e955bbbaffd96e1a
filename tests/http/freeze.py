"""Stops a process for a moment, so that what is done meanwhile reaches it all at once."""
import os
import signal
from contextlib import contextmanager

from client import wait_until


def state_of(pid):
    """The letter of the process's state; T: stopped."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0]


@contextmanager
def frozen(pid):
    """With this, PID stands still."""
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: state_of(pid) == "T", what="the process stands still")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
