"""Dicts and lists that an attached process changes all the time, read as they are at a moment."""
import os
import subprocess
import sys

import pytest

from client import wait_until
from places import BUILD, SANITIZED, SOURCE

pytestmark = pytest.mark.skipif(SANITIZED,
                                reason="an interpreter cannot load a library that is sanitized")


@pytest.fixture(name="writer")
def writer_of_name(server, name):
    """attached_writer.py, at work on what is called NAME."""
    process = subprocess.Popen(
        [sys.executable, str(SOURCE / "tests/http/attached_writer.py"), f"unix:{server.path}",
         name],
        stdout=subprocess.PIPE, env={**os.environ, "INTERLOCK_BUILD": str(BUILD)})
    assert process.stdout.readline() == b"begun\n"
    yield process
    assert process.poll() is None, "it ended by itself"
    process.kill()
    process.wait()
    process.stdout.close()


def read(server, target):
    """The answer to GET, asked again while the writer is faster to have the object each time."""
    def answered():
        answer = server.call("GET", target)
        assert answer.status == 200 or answer.code == "busy", answer
        return answer.json if answer.status == 200 else None
    return wait_until(answered)


def test_an_update_is_seen_whole(server, name, writer):
    versions = set()
    for _ in range(100):
        first, second = read(server, f"/v1/dicts/{name}/items")["items"]
        assert (first["json"], first["version"]) == (second["json"], second["version"])
        versions.add(first["version"])
    assert len(versions) > 10 and writer.poll() is None


def test_a_part_of_a_list_is_of_one_moment(server, name, writer):
    """Each item says how many there are, as the page does, which may be short."""
    versions = set()
    for number in range(100):
        start = -195 * (number % 2)
        page = read(server, f"/v1/lists/{name}/items?limit=1000&start={start}")
        assert {one["json"][0] for one in page["items"]} == {page["length"]}
        assert {one["version"] for one in page["items"]} == {page["version"]}
        end = (page["length"] + start if start else 0) + len(page["items"])
        assert page["next"] == (end if end < page["length"] else None)
        versions.add(page["version"])
    assert len(versions) > 10 and writer.poll() is None
