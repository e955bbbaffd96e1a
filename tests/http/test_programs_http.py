"""What may be started over HTTP: what the configuration allows. And the pools of the file."""
import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from client import PATIENCE, Connection
from places import SOURCE
from pools import CONFIG, ECHO, WORKER, make, submit, url
from server import Server, read_ready_line, spawn
from test_lifecycle import fails


def refused(server, name, body, code, field):
    """PUT of a pool is refused, and no pool is there."""
    answer = server.call("PUT", url(name), body)
    assert (answer.status, answer.code) == (403, code), answer
    assert answer.json.get("field") == field
    assert server.call("GET", url(name)).status == 404
    return answer


# ---- programs ----------------------------------------------------------------------------------

@pytest.mark.parametrize("body", [
    {"command": [ECHO]}, {"command": WORKER}, {"kind": "exec", "command": ["/bin/sh", "-c", "id"]},
    {"command": ["/proc/self/exe"]}], ids=str)
def test_a_fresh_server_starts_nothing(server, name, body):
    refused(server, name, body, "program_not_allowed", "command[0]")


def test_a_module_is_a_program(server, name):
    refused(server, name, {"module": "/opt/libwork.so"}, "program_not_allowed", "module")


@pytest.fixture(scope="module", name="strict")
def strict_server():
    """A server that allows one program."""
    home = Path(tempfile.mkdtemp(prefix="il-"))
    (home / "link").symlink_to(ECHO)
    server = Server(home, config={"programs": [ECHO], "environment": ["GREETING"]})
    yield server
    assert server.stop() == 0
    shutil.rmtree(home)


@pytest.mark.parametrize("path", [
    "/bin/echo2", "/bin/ech", "/bin//echo", "/bin/echo/", "//bin/echo", "/usr/bin/echo",
    "/BIN/ECHO", "/bin/echo ", " /bin/echo", "/bin/sh", "/bin/echo\n", "/proc/1/root/bin/echo"])
def test_the_path_is_compared_byte_by_byte(strict, name, path):
    body = {"kind": "exec", "command": [path]}
    if path.startswith("/"):
        refused(strict, name, body, "program_not_allowed", "command[0]")
    else:
        assert strict.call("PUT", url(name), body).status == 400


@pytest.mark.parametrize("path", ["/bin/../bin/echo", "/bin/./echo", "/./bin/echo", "/..",
                                  "bin/echo", "echo", "./echo", "../bin/echo", "~/echo", "$ECHO"])
def test_no_way_around(strict, name, path):
    answer = strict.call("PUT", url(name), {"kind": "exec", "command": [path]})
    assert (answer.status, answer.json["field"]) == (400, "command[0]")


def test_a_link_is_another_path(strict, name):
    refused(strict, name, {"kind": "exec", "command": [str(strict.directory / "link")]},
            "program_not_allowed", "command[0]")


@pytest.mark.parametrize("command", ["/bin/echo", "/bin/echo x; id", {"0": ECHO}, [[ECHO]], None])
def test_a_command_is_an_array_and_never_a_line(strict, name, command):
    answer = strict.call("PUT", url(name), {"kind": "exec", "command": command})
    assert answer.status == 400 and answer.json["field"].startswith("command")


def test_arguments_are_not_expanded(strict, name):
    make(strict, name, kind="exec", command=[ECHO])
    words = ["$HOME", "`id`", "$(id)", "*", "~", "; id", "a b", "", "\\n"]
    assert submit(strict, name, None, *words, wait=True)["result"]["stdout"] \
        == " ".join(words) + "\n"


def test_a_refused_change_leaves_the_pool_as_it_was(strict, name):
    make(strict, name, kind="exec", command=[ECHO, "mine"])
    for body, status in (({"kind": "exec", "command": ["/bin/sh"]}, 403),
                         ({"kind": "exec", "command": [ECHO, "yours"]}, 409)):
        assert strict.call("PUT", url(name), body).status == status
    assert submit(strict, name, None, wait=True)["result"]["stdout"] == "mine\n"


def test_a_batch_is_no_way_around(strict, name):
    operation = {"method": "PUT", "path": url(name),
                 "body": {"kind": "exec", "command": ["/bin/sh"]}}
    results = strict.post("/v1/batch", operations=[operation])["results"]
    assert (results[0]["status"], results[0]["body"]["code"]) == (403, "program_not_allowed")


# ---- environment -------------------------------------------------------------------------------

@pytest.mark.parametrize("variable", ["PATH", "LD_PRELOAD", "PYTHONPATH", "greeting", "GREETING2",
                                      "HOME", "BASH_ENV"])
def test_a_variable_that_is_not_allowed(strict, name, variable):
    body = {"kind": "exec", "command": [ECHO], "environment": {variable: "x"}}
    refused(strict, name, body, "forbidden", f"environment.{variable}")


def test_the_servers_own_environment_is_not_passed_on(directory):
    process = spawn(directory, "--http", "127.0.0.1:0", "--socket", f"{directory}/s",
                    config={"programs": ["/usr/bin/env"], "environment": ["GREETING"]},
                    env={"PATH": "/usr/bin:/bin", "SECRET": "x", "GREETING": "hello", "TZ": "UTC",
                         "LD_DEBUG": ""})
    host, port, _ = read_ready_line(process)
    with Connection((host, port)) as connection:
        connection.call("PUT", url("env"), {"kind": "exec", "command": ["/usr/bin/env"]})
        answer = connection.call("POST", url("env", "tasks"), {}, [("Prefer", "wait")])
    lines = answer.json["result"]["stdout"].split()
    assert {"PATH=/usr/bin:/bin", "GREETING=hello", "TZ=UTC"} <= set(lines)
    assert not [line for line in lines if line.startswith(("SECRET", "LD_"))]
    process.terminate()
    assert process.wait(PATIENCE) == 0
    process.stdout.close()


# ---- the configuration file --------------------------------------------------------------

POOLS = {"pools": {"mine": {"command": WORKER, "workers": 1},
                   "programs": {"kind": "exec", "command": [ECHO, "hello"],
                                "environment": {"ANY": "x"}, "retries": 1}}}


def test_pools_of_the_file_are_there_from_the_start(start):
    server = start(config=POOLS)
    assert [pool["name"] for pool in server.get("/v1/pools")["pools"]] == ["mine", "programs"]
    assert submit(server, "mine", "add", 1, 2, wait=True)["result"] == 3
    assert submit(server, "programs", None, wait=True)["result"]["stdout"] == "hello\n"


def test_pools_of_the_file_are_neither_changed_nor_deleted(start):
    server = start(config={**POOLS, **CONFIG})
    for method, body in (("PUT", {"command": [sys.executable, "x.py"]}),
                         ("PUT", {"kind": "exec", "command": [ECHO, "hello"]}), ("DELETE", None)):
        answer = server.call(method, url("programs"), body)
        assert (answer.status, answer.code) == (403, "forbidden"), answer
        assert "configuration" in answer.json["detail"]
    assert server.call("PUT", url("programs")).status == 200
    assert submit(server, "programs", None, wait=True)["result"]["stdout"] == "hello\n"


def test_the_example_is_a_configuration(start):
    text = (SOURCE / "examples/pools.json").read_text().replace("HERE", str(SOURCE))
    server = start(config=text)
    path = str(SOURCE / "README.md")
    view = submit(server, "sums", None, path, wait=True)
    digest = hashlib.sha256((SOURCE / "README.md").read_bytes()).hexdigest()
    assert view["result"]["stdout"] == f"{digest}  {path}\n"
    assert submit(server, "python", "add", 1, 2, wait=True)["result"] == 3
    assert digest in str(submit(server, "python", "sha256", path, wait=True)["result"])


@pytest.mark.parametrize("config, words", [
    ({"programs": "x"}, ["programs", "array"]),
    ({"programs": ["echo"]}, ["programs[0]", "absolute"]),
    ({"programs": ["/bin/echo", "/bin/../bin/sh"]}, ["programs[1]"]),
    ({"programs": [1]}, ["programs[0]"]),
    ({"environment": {}}, ["environment", "array"]),
    ({"environment": ["A", "B=C"]}, ["environment[1]"]),
    ({"environment": ["INTERLOCK_DOMAIN"]}, ["environment[0]", "INTERLOCK"]),
    ({"pools": []}, ["pools", "object"]),
    ({"pools": {"x": 1}}, ['"x"', "command"]),
    ({"pools": {"x": {}}}, ['"x"', "command"]),
    ({"pools": {"": {"command": [ECHO]}}}, ["pool", "name"]),
    ({"pools": {"x": {"command": ["echo"]}}}, ['"x"', "command[0]"]),
    ({"pools": {"x": {"command": [ECHO], "workers": 0}}}, ['"x"', "workers"]),
    ({"pools": {"x": {"command": [ECHO], "colour": 1}}}, ['"x"', "unknown"]),
    ({"pools": {"x": {"command": [ECHO], "kind": "fork"}}}, ['"x"', "kind"]),
], ids=str)
def test_a_wrong_entry_is_told_and_nothing_starts(directory, config, words):
    said = fails(directory, "--http", "127.0.0.1:0", "--socket", f"{directory}/s", config=config)
    assert all(word in said for word in words), said
    assert not (directory / "s").exists()


def test_the_file_is_json_as_everywhere(directory):
    text = json.dumps(POOLS)[:-1] + ',"pools":{}}'
    assert "pools" in fails(directory, "--http", "127.0.0.1:0", "--socket", f"{directory}/s",
                            config=text)
