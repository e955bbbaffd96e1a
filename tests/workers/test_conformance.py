"""The conformance test itself: a good worker passes, each rule catches one that breaks it."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "broken")]

from rules import RULES  # noqa: E402 (the path comes first)
from worker import BROKEN  # noqa: E402


def conformance(worker, *options):
    return subprocess.run(
        [sys.executable, HERE / "conformance.py", "--heeds-cancel", *options,
         sys.executable, HERE / "broken" / "worker.py", worker],
        capture_output=True, text=True, timeout=300)


def test_a_good_worker_passes():
    got = conformance("good")
    assert got.returncode == 0, got.stdout + got.stderr
    assert got.stdout.endswith(f"\n{len(RULES)} passed, 0 failed\n")


@pytest.mark.parametrize("name", [name for name in BROKEN if name != "good"])
def test_a_broken_worker_is_caught(name):
    rule = BROKEN[name].breaks
    got = conformance(name, "--rule", rule, "--patience", "1.5")
    assert got.returncode == 1, got.stdout + got.stderr
    assert got.stdout.startswith(f"FAIL  {rule}: "), got.stdout
    assert "the test itself" not in got.stdout, got.stdout
    assert got.stdout.endswith("\n0 passed, 1 failed\n")


def test_every_rule_catches_somebody():
    assert {kind.breaks for name, kind in BROKEN.items() if name != "good"} == set(RULES)


def test_a_program_that_is_no_worker_fails():
    got = subprocess.run([sys.executable, HERE / "conformance.py", "--patience", "1", "true"],
                         capture_output=True, text=True, timeout=300)
    assert got.returncode == 1
    assert f"0 passed, {len(RULES)} failed\n" in got.stdout


def test_wrong_use_is_told():
    for arguments in ([], ["--rule", "no_such_rule", "true"]):
        got = subprocess.run([sys.executable, HERE / "conformance.py", *arguments],
                             capture_output=True, text=True, timeout=60)
        assert got.returncode == 2
        assert "error: " in got.stderr
