"""Programs from the standard library's documentation do the same with this package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest
from where import SOURCE

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"


def output_of(program: Path) -> str:
    environment = dict(os.environ, PYTHONPATH=str(SOURCE), PYTHONDONTWRITEBYTECODE="1")
    ended = subprocess.run([sys.executable, str(program)], env=environment, capture_output=True, text=True,
                           timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout


def essence(output: str) -> List[str]:
    """Its lines without what chance decides: their order, who did the work, how often a wait timed out."""
    lines = re.sub(r"(ForkPool|Process)\w*-\d+", "worker", output).splitlines()
    return sorted(line.rstrip(". ") for line in lines)


@pytest.mark.parametrize("name", ["mp_workers", "mp_pool", "mp_newtype"])
def test_the_output_is_the_standard_modules(name: str, tmp_path: Path) -> None:
    if name == "mp_newtype":
        pytest.importorskip("interlock.multiprocessing.managers")
    ours = PROGRAMS / f"{name}.py"
    theirs = tmp_path / f"{name}.py"
    theirs.write_text(ours.read_text().replace("interlock.multiprocessing", "multiprocessing"))
    assert "interlock" not in theirs.read_text()
    assert essence(output_of(ours)) == essence(output_of(theirs))
