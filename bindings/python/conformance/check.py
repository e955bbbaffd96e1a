"""Runs CPython's own tests against Interlock's drop-in modules; compares with known_failures.txt.

    check.py [--tier N ...] [-j N]        tiers 1 and 2 unless told otherwise

A test that fails and is not listed is a failure, and so is one that is listed and passes: the list
says what is true. Its last line is "N passed, N failed".
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = {
    "threading": "interlock.threading",
    "multiprocessing-processes": "interlock.multiprocessing",
}


def known_failures(target):
    known = {}
    with open(os.path.join(HERE, "known_failures.txt")) as lines:
        for line in lines:
            words = line.split("#")[0].split(None, 2)
            if words and words[0] == target:
                known[words[1]] = words[2].strip()
    return known


def run(target, tier, jobs, only=()):
    """The outcomes of one tier, as run_cpython_suite.py writes them."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [sys.executable, os.path.join(HERE, "run_cpython_suite.py"),
                   "--target", target, "--module", MODULES[target], "--tier", str(tier),
                   "-j", str(jobs), "--json", report.name]
        for pattern in only:
            command += ["--only", pattern]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        return json.load(report)["tests"]


def judge(target, outcomes, known):
    """Prints what is not as expected; (as expected, not as expected)."""
    good = bad = 0
    for outcome in sorted(outcomes, key=lambda one: one["id"]):
        name, passed = outcome["id"], outcome["status"] == "PASS"
        if passed == (name not in known):
            good += 1
            continue
        bad += 1
        if passed:
            print(f"PASS    {target} {name}: it is in known_failures.txt")
        else:
            print(f"{outcome['status']:7} {target} {name}\n{outcome['text']}")
    passes = sum(outcome["status"] == "PASS" for outcome in outcomes)
    return good, bad, passes


def without_domain(jobs):
    """How many of the locks' and queues' tests pass if there is no domain: none may."""
    os.environ["INTERLOCK_PYTHON_DOMAIN"] = "unix:/nonexistent/interlock.sock"
    outcomes = run("threading", 1, jobs, ["LockTests.*acquire*"])
    outcomes += run("multiprocessing-processes", 1, jobs, ["TestQueue.*", "TestLock.*"])
    del os.environ["INTERLOCK_PYTHON_DOMAIN"]
    for outcome in outcomes:
        if outcome["status"] == "PASS":
            print(f"PASS    {outcome['id']}, without a domain")
    passes = sum(outcome["status"] == "PASS" for outcome in outcomes)
    print(f"without a domain: {passes} of {len(outcomes)} pass")
    return len(outcomes) - passes, passes + (not outcomes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tier", type=int, action="append", choices=(1, 2, 3))
    parser.add_argument("-j", type=int, default=os.cpu_count(), dest="jobs")
    options = parser.parse_args()
    good = bad = 0
    for target in MODULES:
        known = known_failures(target)
        for tier in options.tier or (1, 2):
            outcomes = run(target, tier, options.jobs)
            well, ill, passes = judge(target, outcomes, known)
            print(f"{target}, tier {tier}: {passes} of {len(outcomes)} pass")
            good += well
            bad += ill + (not outcomes)
    well, ill = without_domain(options.jobs)
    good += well
    bad += ill
    print(f"{good} passed, {bad} failed")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
