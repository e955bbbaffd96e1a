"""Attached processes as HTTP shows them: who is there, what they hold, and how they ended."""
import datetime
import os
import signal
import socket
import subprocess

import pytest

from client import Disconnected, PATIENCE, wait_until
from places import COMMAND, SLOWNESS

needs_command = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")


class Holder:
    """A process that holds a lock by `interlock lock NAME -- cat`, until `cat` ends."""

    def __init__(self, server, name):
        self.process = subprocess.Popen(
            [str(COMMAND), "--domain", f"unix:{server.path}", "lock", name, "--", "cat"],
            stdin=subprocess.PIPE, start_new_session=True)

    @property
    def pid(self):
        """Of the command."""
        return self.process.pid

    def finish(self):
        """Lets `cat` end, and so the lock go."""
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    def kill(self):
        """Kills the command only: what it runs goes on."""
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def clean_up(self):
        """Ends what is left."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(PATIENCE)


@pytest.fixture
def hold(server):
    """hold(name): a process that tries to hold the lock."""
    holders = []

    def one(name):
        holders.append(Holder(server, name))
        return holders[-1]
    yield one
    for holder in holders:
        holder.clean_up()
    wait_until(lambda: server.get("/v1/sessions")["sessions"] == [])


def session_of(server, pid):
    """The session of a process, or None."""
    sessions = server.get("/v1/sessions")["sessions"]
    return next((one for one in sessions if one["pid"] == pid), None)


def test_nobody_is_attached_at_first(start):
    server = start()
    assert server.get("/v1/sessions") == {"sessions": []}
    assert server.get("/v1/deaths") == {"deaths": []}


@needs_command
def test_attached_process_is_listed_until_it_ends(server, hold, name):
    holder = hold(name)
    server.wait_for(f"/v1/locks/{name}", locked=True)
    session = session_of(server, holder.pid)
    assert session["uid"] == os.getuid()
    assert session["door"] == "host"
    assert "interlock" in session["label"]
    assert session["command"].split()[0].endswith("interlock")  # the rest may be cut short
    since = datetime.datetime.fromisoformat(session["since"].replace("Z", "+00:00"))
    now = datetime.datetime.now(datetime.timezone.utc)
    assert abs((now - since).total_seconds()) < 2 * PATIENCE
    assert holder.finish() == 0
    wait_until(lambda: session_of(server, holder.pid) is None)


@needs_command
def test_lock_held_by_a_process_is_seen_and_waited_for_over_http(server, hold, name):
    holder = hold(name)
    server.wait_for(f"/v1/locks/{name}", locked=True)
    view = server.get(f"/v1/locks/{name}")
    assert view["owner"]["door"] == "host"
    assert view["owner"]["pid"] == holder.pid
    assert view["owner"]["lease_remaining"] is None
    assert view["owner"]["label"] == session_of(server, holder.pid)["label"]
    answer = server.call("POST", f"/v1/locks/{name}/release", {"token": view["token"]})
    assert (answer.status, answer.code) == (409, "not_held")
    answer = server.call("POST", f"/v1/locks/{name}/renew", {"token": view["token"]})
    assert (answer.status, answer.code) == (409, "not_held")
    waiter = server.send("POST", f"/v1/locks/{name}/acquire", {})
    server.wait_for_waiters(name, 1)
    assert holder.finish() == 0
    granted = waiter.answer().json
    assert granted["owner_died"] is False
    assert int(granted["token"]) > int(view["token"])


@needs_command
def test_process_waits_for_a_lock_held_over_http(server, hold, name):
    token = server.acquire(name)
    holder = hold(name)
    server.wait_for_waiters(name, 1)
    server.release(name, token)
    view = server.wait_for(f"/v1/locks/{name}", locked=True, waiters=0)
    assert view["owner"]["pid"] == holder.pid
    assert int(view["token"]) > int(token)


@needs_command
def test_http_and_processes_take_turns_on_a_fair_lock(server, hold, name):
    server.put(f"/v1/locks/{name}", fair=True)
    token = server.acquire(name)
    holder = hold(name)
    server.wait_for_waiters(name, 1)
    waiter = server.send("POST", f"/v1/locks/{name}/acquire", {})
    server.wait_for_waiters(name, 2)
    server.release(name, token)
    server.wait_for(f"/v1/locks/{name}", locked=True, waiters=1)
    assert server.get(f"/v1/locks/{name}")["owner"]["pid"] == holder.pid
    assert waiter.is_quiet(0)
    holder.finish()
    assert waiter.answer().status == 200


@needs_command
def test_death_of_the_holder_grants_the_next_and_is_told(server, hold, name):
    holder = hold(name)
    held = server.wait_for(f"/v1/locks/{name}", locked=True)
    session = session_of(server, holder.pid)
    waiter = server.send("POST", f"/v1/locks/{name}/acquire", {})
    server.wait_for_waiters(name, 1)
    holder.kill()
    granted = waiter.answer(patience=2 * SLOWNESS).json
    assert granted["owner_died"] is True
    assert int(granted["token"]) > int(held["token"])
    wait_until(lambda: session_of(server, holder.pid) is None)

    def told():
        deaths = server.get("/v1/deaths")["deaths"]
        return next((one for one in deaths if one["pid"] == holder.pid), None)
    death = wait_until(told)
    assert death["session"] == session["id"] and death["label"] == session["label"]
    assert death["held"] == [{"kind": "lock", "name": name, "token": held["token"]}]
    assert str(holder.pid) in server.log and name in server.log


@needs_command
def test_orderly_end_is_no_death(server, hold, name):
    holder = hold(name)
    server.wait_for(f"/v1/locks/{name}", locked=True)
    holder.finish()
    wait_until(lambda: session_of(server, holder.pid) is None)
    assert all(one["pid"] != holder.pid for one in server.get("/v1/deaths")["deaths"])


@needs_command
def test_many_processes_are_all_listed(server, hold, name):
    holders = [hold(f"{name}.{number}") for number in range(10)]
    for number in range(10):
        server.wait_for(f"/v1/locks/{name}.{number}", locked=True)
    sessions = server.get("/v1/sessions")["sessions"]
    assert {one["pid"] for one in sessions} == {holder.pid for holder in holders}
    assert len({one["id"] for one in sessions}) == 10


@pytest.mark.parametrize("words", [
    b"ILATTACH", b"ILATTAC", b"ILATTACH" + b"\xff" * 200, b"ILATTACH\0\0\0\0", b"I",
    b"ILATTACX /v1/health HTTP/1.1\r\n\r\n"])
def test_nonsense_handshakes_do_no_harm(server, words):
    connections = []
    for _ in range(20):
        one = socket.socket(socket.AF_UNIX)
        one.connect(server.path)
        one.sendall(words)
        connections.append(one)
    with server.connect(unix=True) as connection:
        assert connection.call("GET", "/v1/health").status == 200
    for one in connections:
        one.close()
    wait_until(lambda: server.get("/v1/sessions")["sessions"] == [])


def test_handshake_is_for_the_unix_socket_only(server):
    with server.connect() as connection:
        connection.send_bytes(b"ILATTACH" + bytes(64) + b"\r\n\r\n")
        try:
            assert connection.answer(check=False).status == 400
        except (Disconnected, ConnectionResetError):
            pass
