"""Fixtures: servers, and names that no other test uses."""
import itertools
import resource
import shutil
import tempfile
from pathlib import Path

import pytest

from places import SERVER
from server import Server, spawned

_numbers = itertools.count(1)


def pytest_configure():
    """Some tests hold ten thousand sockets open."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pytest_sessionstart():
    """There must be something to test."""
    if not SERVER.exists():
        pytest.exit(f"{SERVER} is not built; INTERLOCK_BUILD names the build tree", 2)


def pytest_sessionfinish():
    """Nothing outlives the run."""
    for process in spawned:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def directory():
    """A directory with a short path, since a socket's path has to be short."""
    path = Path(tempfile.mkdtemp(prefix="il-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def start(directory):
    """start(...) starts a server of the test's own."""
    servers = []

    def start_one(*arguments, **options):
        home = directory / str(len(servers))
        home.mkdir()
        server = Server(home, *arguments, **options)
        servers.append(server)
        return server

    yield start_one
    for server in servers:
        status = server.stop()
        assert status == 0, f"the server ended with {status}: {server.log}"


@pytest.fixture(scope="module")
def config():
    """The configuration of `server`; a file may have its own."""
    return None


@pytest.fixture(scope="module")
def server(config):
    """A server with default settings, or the file's, for all tests of a file."""
    path = Path(tempfile.mkdtemp(prefix="il-"))
    instance = Server(path, config=config)
    yield instance
    status = instance.stop()
    assert status == 0, f"the server ended with {status}: {instance.log}"
    shutil.rmtree(path)


@pytest.fixture
def name():
    """A name that no other test uses."""
    return f"n{next(_numbers)}"
