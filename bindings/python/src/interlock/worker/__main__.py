"""``python -m interlock.worker MODULE``: the functions of a module, for a pool."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from typing import List, Optional

from ..tasks import functions_of
from .channel import Channel, Gone
from .load import load
from .runner import Runner

SLOTS_MOST = 1024


def number_of(name: str, default: int, most: int) -> int:
    """A number of the environment."""
    text = os.environ.get(name, "")
    number = int(text) if text.isascii() and text.isdigit() else default
    return number if 1 <= number <= most else default


def parse(arguments: Optional[List[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m interlock.worker",
        description="Runs the functions of a Python module for a pool; interlockd starts it.",
    )
    parser.add_argument("module", help="a module's dotted name, or the path of a .py file")
    parser.add_argument(
        "--function",
        action="append",
        metavar="NAME",
        help="offer only this function; may be given several times",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="import the module, print the names of its functions, and end",
    )
    return parser.parse_args(arguments)


def main(arguments: Optional[List[str]] = None) -> int:
    options = parse(arguments)
    try:
        functions = functions_of(load(options.module), options.function)
    except Exception as error:
        if not isinstance(error, LookupError):
            traceback.print_exc()
        print(f"interlock.worker: cannot use {options.module}: {error}", file=sys.stderr)
        return 1
    if options.check:
        print("\n".join(sorted(functions)))
        return 0
    # Ctrl-C is for whoever started the server: it ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    slots = number_of("INTERLOCK_SLOTS", 1, SLOTS_MOST)
    try:
        channel = Channel(number_of("INTERLOCK_WORKER_FD", 3, 1 << 20))
    except OSError:
        print(
            "interlock.worker: there is no socket at INTERLOCK_WORKER_FD: "
            "interlockd starts workers, people --check them",
            file=sys.stderr,
        )
        return 2
    try:
        channel.hello(os.path.basename(options.module), sorted(functions), slots)
    except Gone:
        return 0
    return Runner(channel, functions, slots).run()


if __name__ == "__main__":
    sys.exit(main())
