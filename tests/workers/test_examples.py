"""The examples' real functions: equal to sha256sum's and wc's results over real files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from server import Server  # noqa: E402 (the path comes first)

SOURCE = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["INTERLOCK_BUILD"])
os.environ["PYTHONPATH"] = str(SOURCE / "bindings" / "python" / "src")

WORKERS = {
    "c": [BUILD / "bin" / "interlock-worker", "--module", BUILD / "examples" / "module.so"],
    "python": [sys.executable, "-m", "interlock.worker", SOURCE / "examples" / "tasks.py"],
    "node": ["node", SOURCE / "bindings" / "node" / "interlock-worker.mjs",
             SOURCE / "examples" / "tasks.mjs"],
}


@pytest.fixture(params=WORKERS)
def worker(request):
    server = Server([str(part) for part in WORKERS[request.param]])
    yield server.start()
    server.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    (folder / "empty").write_bytes(b"")
    (folder / "no line end").write_bytes(b"one two")
    (folder / "spaces").write_bytes(b"  a\t\tb \v c \f d \r\n\n e  ")
    (folder / "large").write_bytes(b"some words on a line\n" * 20000)
    (folder / "across blocks").write_bytes(b"x" * 65536 + b"y z" + b"w" * 70000)
    texts = sorted(path for path in (SOURCE / "src").rglob("*.[ch]"))[::10]
    return [*folder.iterdir(), *texts]


def told_by(*command):
    got = subprocess.run(command, capture_output=True, text=True, check=True,
                         env={**os.environ, "LC_ALL": "C.UTF-8"})
    return got.stdout.split()


def test_sha256(worker, files):
    for path in files:
        assert worker.result("sha256", [str(path)]) == told_by("sha256sum", "--", path)[0], path


def test_wordcount(worker, files):
    for path in files:
        lines, words, size = map(int, told_by("wc", "-lwc", "--", path)[:3])
        got = worker.result("wordcount", [str(path)])
        assert got == {"lines": lines, "words": words, "bytes": size}, path


def test_a_file_that_cannot_be_read_is_an_error(worker, tmp_path):
    for function in ("sha256", "wordcount"):
        error = worker.error(function, [str(tmp_path / "none")], 1)
        assert "o such file" in error["message"]
        worker.error(function, [str(tmp_path)], 1)  # a folder


def test_the_shell_worker_is_short():
    text = (SOURCE / "examples" / "worker.sh").read_text().splitlines()
    assert text[0] == "#!/bin/sh"
    assert len(text) <= 120
