"""The examples of docs/python.md and of the package's README, as they are typed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Iterator

import pytest

from native_support import PATIENCE, ROOT, SOURCE, Server, serving

PAGES = [ROOT / "docs" / "python.md", ROOT / "bindings" / "python" / "README.md"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    python = {
        "command": [sys.executable, "-m", "interlock.worker", "examples/tasks.py"],
        "directory": str(ROOT), "environment": {"PYTHONPATH": str(SOURCE)}, "workers": 2,
    }
    yield from serving({"pools": {"python": python}})


def programs(page: Path) -> Iterator[str]:
    """The indented blocks that say what they print."""
    block: list[str] = []
    for line in [*page.read_text().splitlines(), "end"]:
        if line.startswith("    ") or (block and not line):
            block.append(line)
            continue
        text = textwrap.dedent("\n".join(block)).strip()
        if "\n# -> " in text:
            yield text + "\n"
        block = []


EXAMPLES = [
    pytest.param(text, id=f"{page.stem}-{number}")
    for page in PAGES for number, text in enumerate(programs(page))
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_example_prints_what_it_says(text: str, server: Server) -> None:
    said = [line[5:] for line in text.splitlines() if line.startswith("# -> ")]
    program = text.replace("http://127.0.0.1:7717", server.http)
    program = program.replace("unix:/run/interlock.sock", server.unix)
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == said and run.stderr == ""


def test_every_page_has_examples() -> None:
    assert [len(list(programs(page))) for page in PAGES] == [9, 2]
