#!/usr/bin/env python3
"""conformance.py [options] COMMAND...: puts a worker through docs/worker-protocol.md.

Each rule starts the worker anew, with a socket as its descriptor 3, and plays the server. The last
line is "N passed, N failed"; the exit status is 0 if none failed. What a worker does not offer
(batches, several slots, optional functions) is skipped.
"""

import argparse
import sys
import traceback

from rules import RULES, Skipped
from server import PATIENCE, Broken, Server


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rule", action="append", metavar="NAME", help="only this one")
    parser.add_argument("--list", action="store_true", help="print the rules, and end")
    parser.add_argument("--slots", type=int, default=1, help="INTERLOCK_SLOTS (default: 1)")
    parser.add_argument(
        "--heeds-cancel",
        action="store_true",
        help="the function sleep ends as soon as it is cancelled, which a worker need not do",
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        metavar="SECONDS",
        help="until an answer is missed (default: %(default)g)",
    )
    parser.add_argument("--verbose", action="store_true", help="show all that is said")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the worker, with its arguments")
    options = parser.parse_args()
    unknown = [name for name in options.rule or [] if name not in RULES]
    if unknown:
        parser.error(f"there is no rule {unknown[0]}; see --list")
    if not options.command and not options.list:
        parser.error("which worker? A command is missing")
    return options


def run(rule, options):
    """Why RULE does not hold; empty: it does. Skipped passes through."""
    server = Server(options.command, options.slots, options.verbose, options.patience)
    try:
        rule(server, options)
        return ""
    except Broken as broken:
        return str(broken)
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    finally:
        server.close()


def main():
    options = parse()
    if options.list:
        for name, rule in RULES.items():
            print(f"{name:<32} {rule.__doc__.strip().splitlines()[0]}")
        return 0
    passed = failed = skipped = 0
    for name in options.rule or RULES:
        try:
            why = run(RULES[name], options)
        except Skipped as reason:
            print(f"skip  {name}: {reason}")
            skipped += 1
            continue
        except Exception:
            why = "the test itself: " + traceback.format_exc()
        print(f"FAIL  {name}: {why}" if why else f"ok    {name}", flush=True)
        passed += not why
        failed += bool(why)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
