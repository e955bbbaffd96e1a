"""Start, stop, configuration, sockets and the log."""
import os
import re
import select
import signal
import socket
import stat
import subprocess
import time

import pytest

from client import PATIENCE, Connection, Disconnected, wait_until
from places import SERVER, SLOWNESS
from server import read_ready_line, spawn

LOG_LINE = re.compile(
    r'ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(debug|info|warn|error) event=[a-z._]+'
    r'( [a-z_]+=([^\s"=\\]+|"([^"\\]|\\.)*"))*')


def fails(directory, *arguments, config=None):
    """Starts a server that cannot start; what it says to stderr."""
    process = spawn(directory, *arguments, config=config)
    try:
        assert read_ready_line(process) is None, "it started"
        assert process.wait(PATIENCE) != 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    said = (directory / "log").read_text()
    (directory / "log").unlink()
    assert said.strip(), "it says nothing"
    return said


# ---- addresses -------------------------------------------------------------------------------

def test_port_0_takes_a_free_one(start):
    ports = {start().port for _ in range(3)}
    assert len(ports) == 3 and 0 not in ports


def test_the_port_that_is_asked_for_is_used(start):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = start(http=f"localhost:{port}")
    assert server.port == port
    assert server.get("/v1/health") == {"status": "ok"}


def test_a_port_can_be_used_again_at_once(start):
    server = start()
    server.get("/v1/health")
    held = server.connect()
    assert held.call("GET", "/v1/health").status == 200
    assert server.stop() == 0
    assert start(http=f"127.0.0.1:{server.port}").get("/v1/health") == {"status": "ok"}


def test_second_server_on_the_port_is_refused(start, directory):
    server = start()
    said = fails(directory, "--http", f"127.0.0.1:{server.port}", "--socket", f"{directory}/t")
    assert f"127.0.0.1:{server.port}" in said and "another program" in said
    assert not (directory / "t").exists()
    assert server.get("/v1/health") == {"status": "ok"}


def test_second_server_on_the_socket_is_refused(start, directory):
    server = start()
    said = fails(directory, "--http", "127.0.0.1:0", "--socket", server.path)
    assert server.path in said
    with server.connect(unix=True) as connection:
        assert connection.call("GET", "/v1/health").status == 200


def test_stale_socket_file_is_taken_over(start, directory):
    path = directory / "same"
    first = start(socket_path=path)
    os.kill(first.pid, signal.SIGKILL)
    first.process.wait()
    assert stat.S_ISSOCK(path.stat().st_mode)
    second = start(socket_path=path)
    with second.connect(unix=True) as connection:
        assert connection.call("GET", "/v1/health").status == 200
    first.process.returncode = 0  # it was meant to


def test_file_that_is_no_socket_is_not_touched(directory):
    path = directory / "precious"
    path.write_text("data")
    said = fails(directory, "--http", "127.0.0.1:0", "--socket", str(path))
    assert str(path) in said
    assert path.read_text() == "data"


def test_many_servers_at_once_on_one_socket_leave_one(directory):
    processes = []
    for number in range(6):
        home = directory / f"home{number}"
        home.mkdir()
        processes.append(spawn(home, "--http", "127.0.0.1:0", "--socket", f"{directory}/s"))
    ready = [read_ready_line(process) is not None for process in processes]
    assert ready.count(True) == 1
    with Connection(f"{directory}/s") as connection:
        assert connection.call("GET", "/v1/health").status == 200
    for process, runs in zip(processes, ready):
        if runs:
            process.terminate()
        assert (process.wait(PATIENCE) == 0) is runs
        process.stdout.close()
    assert not (directory / "s").exists()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "10.0.0.1:0", "192.168.1.1:7717",
                                     "example.org:0", ":0", "*:0"])
def test_only_loopback_is_listened_on(directory, address):
    said = fails(directory, "--http", address, "--socket", f"{directory}/s")
    assert "loopback" in said or "address" in said or "HOST:PORT" in said
    assert not (directory / "s").exists()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                                     "127.0.0.1:-1", "", "7717", "127.0.0.1:1:2"])
def test_address_that_makes_no_sense(directory, address):
    assert fails(directory, "--http", address, "--socket", f"{directory}/s")


def test_socket_path_that_is_too_long(directory):
    path = f"{directory}/" + "x" * 110
    assert "--socket" in fails(directory, "--http", "127.0.0.1:0", "--socket", path)


def test_directory_of_the_socket_is_made_for_its_user_only(start, directory):
    start(socket_path=directory / "new/s")
    assert stat.S_IMODE(os.stat(directory / "new").st_mode) == 0o700
    path = f"{directory}/no/such/s"
    assert path in fails(directory, "--http", "127.0.0.1:0", "--socket", path)


def test_socket_is_for_its_user_only(start):
    server = start()
    mode = os.stat(server.path).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600


def test_socket_is_private_whatever_the_umask(directory):
    old = os.umask(0)
    try:
        process = spawn(directory, "--http", "127.0.0.1:0", "--socket", f"{directory}/s")
    finally:
        os.umask(old)
    assert read_ready_line(process)
    assert stat.S_IMODE(os.stat(f"{directory}/s").st_mode) == 0o600
    process.terminate()
    assert process.wait(PATIENCE) == 0
    process.stdout.close()


def test_http_over_the_unix_socket(start):
    server = start()
    with server.connect(unix=True) as one, server.connect() as two:
        token = one.call("POST", "/v1/locks/x/acquire", {}, [("Host", "anything")]).json["token"]
        assert two.call("GET", "/v1/locks/x").json["token"] == token
        two.send("POST", "/v1/locks/x/acquire", {})
        server.wait_for_waiters("x", 1)
        assert one.call("POST", "/v1/locks/x/release", {"token": token}).status == 200
        assert two.answer().status == 200


# ---- configuration ---------------------------------------------------------------------------

@pytest.mark.parametrize("config, words", [
    ("{", ["line 1"]),
    ("[]", ["object"]),
    ('{"http":{"long_poll":1,"long_poll":2}}', ["long_poll"]),
    ({"colour": "red"}, ["colour"]),
    ({"http": {"colour": "red"}}, ["http.colour"]),
    ({"http": 5}, ["http"]),
    ({"http": {"long_poll": "300"}}, ["http.long_poll", "number"]),
    ({"http": {"long_poll": 0}}, ["http.long_poll"]),
    ({"http": {"long_poll": -1}}, ["http.long_poll"]),
    ({"http": {"allowed_origins": "x"}}, ["http.allowed_origins", "array"]),
    ({"http": {"allowed_origins": [1]}}, ["http.allowed_origins"]),
    ({"http": {"listen": "0.0.0.0:0"}}, ["0.0.0.0"]),
    ({"locks": {"default_lease": 0}}, ["locks.default_lease"]),
    ({"locks": {"default_lease": 86401}}, ["locks.default_lease"]),
    ({"log": {"level": "loud"}}, ["log.level", "info"]),
    ({"arena_bytes": 5}, ["arena_bytes"]),
    ({"arena_bytes": 1.5}, ["arena_bytes"]),
], ids=str)
def test_bad_configuration_is_refused_by_name(directory, config, words):
    arguments = ["--socket", f"{directory}/s"]
    if "listen" not in str(config):
        arguments += ["--http", "127.0.0.1:0"]
    said = fails(directory, *arguments, config=config)
    assert all(word in said for word in words), said
    assert not (directory / "s").exists()


def test_configuration_file_that_does_not_exist(directory):
    said = fails(directory, "--http", "127.0.0.1:0", "--config", f"{directory}/none")
    assert f"{directory}/none" in said


@pytest.mark.parametrize("arguments", [
    ["--colour"], ["--http"], ["extra"], ["-x"], ["--http=127.0.0.1:0", "extra"]], ids=str)
def test_unknown_argument(directory, arguments):
    said = fails(directory, "--socket", f"{directory}/s", *arguments)
    assert arguments[-1] in said and "--help" in said


def test_addresses_may_come_from_the_file(directory):
    config = {"http": {"listen": "127.0.0.1:0"}, "socket": f"{directory}/s"}
    process = spawn(directory, config=config)
    assert read_ready_line(process)[2] == f"{directory}/s"
    process.terminate()
    assert process.wait(PATIENCE) == 0
    process.stdout.close()


def test_the_command_line_goes_before_the_file(directory):
    process = spawn(directory, "--socket", f"{directory}/right", "--http", "127.0.0.1:0",
                    config={"http": {"listen": "127.0.0.1:1"}, "socket": f"{directory}/wrong"})
    assert read_ready_line(process)[2] == f"{directory}/right"
    process.terminate()
    assert process.wait(PATIENCE) == 0
    process.stdout.close()


def test_help_and_version():
    for argument, word in (("--help", "--socket"), ("--version", "0.1.0")):
        done = subprocess.run([str(SERVER), argument], capture_output=True, text=True,
                              timeout=PATIENCE, check=True)
        assert word in done.stdout and done.stderr == ""


# ---- the log ---------------------------------------------------------------------------------

def test_log_has_a_time_a_level_and_an_event(start):
    server = start(config={"log": {"level": "debug"}})
    server.acquire("x", owner='a "b" \\ level=error')
    server.get("/v1/health")
    assert server.stop() == 0
    lines = server.log.splitlines()
    assert lines
    for line in lines:
        assert LOG_LINE.fullmatch(line), line


def test_log_level_leaves_the_lower_out(start):
    quiet = start(config={"log": {"level": "error"}})
    quiet.get("/v1/health")
    assert quiet.stop() == 0
    assert quiet.log == ""


# ---- the end ---------------------------------------------------------------------------------

@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_well(start, sign):
    server = start()
    os.kill(server.pid, sign)
    assert server.process.wait(PATIENCE) == 0
    assert not os.path.exists(server.path)


def test_parked_requests_are_answered_at_the_end(start):
    server = start()
    server.acquire("x")
    server.put("/v1/queues/q", maxsize=1)
    server.post("/v1/queues/q/put", json=1)
    server.put("/v1/queues/e")
    parked = [server.send("POST", "/v1/locks/x/acquire", {}) for _ in range(20)]
    parked.append(server.send("POST", "/v1/queues/q/put", {"json": 2}))
    parked.append(server.send("POST", "/v1/queues/q/put_many", {"items": [{"json": 2}]}))
    parked.append(server.send("POST", "/v1/queues/e/get"))
    parked.append(server.send("POST", "/v1/queues/e/get_many"))
    server.wait_for_waiters("x", 20)
    server.wait_for("/v1/queues/q", putters=2)
    server.wait_for("/v1/queues/e", getters=2)
    begin = time.monotonic()
    os.kill(server.pid, signal.SIGTERM)
    for one in parked:
        answer = one.answer()
        assert (answer.status, answer.code) == (503, "shutting_down")
    assert server.process.wait(PATIENCE) == 0
    assert time.monotonic() - begin < 2 * SLOWNESS
    assert not os.path.exists(server.path)


def test_new_requests_are_refused_while_it_stops(start):
    server = start()
    server.post("/v1/queues/q/put", text="x" * (16 << 20))
    slow = server.send("POST", "/v1/queues/q/get")  # an answer that it still has to write
    server.wait_for("/v1/queues/q", size=0)
    kept = server.connect()
    assert kept.call("GET", "/v1/health").status == 200
    os.kill(server.pid, signal.SIGTERM)
    wait_until(lambda: not accepts(server), what="it stops listening")
    for method, target in (("GET", "/v1/health"), ("POST", "/v1/locks/x/acquire")):
        try:
            answer = kept.call(method, target)
            assert (answer.status, answer.code) == (503, "shutting_down")
        except (Disconnected, BrokenPipeError):
            break
    assert slow.answer().json["text"] == "x" * (16 << 20)
    assert server.process.wait(PATIENCE) == 0


def accepts(server):
    """Whether the port takes connections."""
    try:
        server.connect().close()
        return True
    except (ConnectionRefusedError, ConnectionResetError):
        return False


def test_client_that_never_reads_does_not_keep_it_alive_for_ever(start):
    server = start()
    server.post("/v1/queues/q/put", text="x" * (16 << 20))
    slow = server.send("POST", "/v1/queues/q/get")
    server.wait_for("/v1/queues/q", size=0)
    os.kill(server.pid, signal.SIGTERM)
    assert server.process.wait(10 * SLOWNESS) == 0
    slow.close()


def test_signal_during_the_start_leaves_nothing(directory):
    for number in range(10):
        process = spawn(directory, "--http", "127.0.0.1:0", "--socket", f"{directory}/s")
        if number % 2:
            select.select([process.stdout], [], [], 0.002 * number)
        process.terminate()
        assert process.wait(PATIENCE) in (0, -signal.SIGTERM)
        process.stdout.close()
    process = spawn(directory, "--http", "127.0.0.1:0", "--socket", f"{directory}/s")
    assert read_ready_line(process)
    process.terminate()
    assert process.wait(PATIENCE) == 0
    process.stdout.close()
    assert not (directory / "s").exists()


def test_ready_line_is_all_of_stdout(directory):
    process = spawn(directory, "--http", "127.0.0.1:0", "--socket", f"{directory}/s")
    assert read_ready_line(process)
    process.terminate()
    assert process.communicate(timeout=PATIENCE)[0] == b""
