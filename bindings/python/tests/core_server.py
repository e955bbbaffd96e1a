"""An interlockd for tests: of this tree's build, on free ports, gone at the end."""

from __future__ import annotations

import os
import re
import select
import subprocess
import tempfile
from pathlib import Path
from typing import Optional

import pytest

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 10


def program() -> Path:
    return Path(os.environ.get("INTERLOCK_BUILD", str(ROOT / "build"))) / "bin" / "interlockd"


class Server:
    """unix and http are its addresses."""

    def __init__(self, config: Optional[str] = None) -> None:
        if not program().exists():
            pytest.skip(f"{program()} is not built")
        self.folder = tempfile.TemporaryDirectory(prefix="interlock-python-")
        path = Path(self.folder.name) / "socket"
        arguments = [str(program()), "--http", "127.0.0.1:0", "--socket", str(path)]
        if config is not None:
            file = Path(self.folder.name) / "config.json"
            file.write_text(config, encoding="utf-8")
            arguments += ["--config", str(file)]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline().decode() if ready else ""
        at = re.search(r"http=(\S+)", line)
        assert at, f"interlockd did not start: {line!r}"
        self.unix = f"unix:{path}"
        self.http = f"http://{at.group(1)}"

    def close(self) -> None:
        self.process.terminate()
        status = self.process.wait(START_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.folder.cleanup()
        assert status == 0
