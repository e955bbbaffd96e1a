"""Pools that run a program for each task: arguments, stdin, what comes of it."""
import base64
import signal

import pytest

from client import wait_until
from pools import CONFIG, ECHO, SHELL, ended, is_alive, make, state, submit, url


@pytest.fixture(scope="module", name="config")
def config_of_server():
    """Its programs may be started."""
    return CONFIG


@pytest.fixture(name="shell")
def a_shell(server, name):
    """A pool that runs scripts: to allow a shell is to allow everything, as these tests want."""
    return make(server, name, kind="exec", command=[SHELL, "-c"], workers=2)


def test_arguments_follow_the_command(server, name):
    make(server, name, kind="exec", command=[ECHO, "one"])
    view = submit(server, name, None, "two three", "'four'; id", wait=True)
    assert view["state"] == "succeeded" and view["function"] is None
    assert view["result"] == {"exit_code": 0, "stdout": "one two three 'four'; id\n", "stderr": ""}
    assert server.call("POST", url(name, "tasks"), None, [("Prefer", "wait")]
                       ).json["result"]["stdout"] == "one\n"


def test_input_is_read_from_stdin(server, name):
    make(server, name, kind="exec", command=["/bin/cat"])
    assert submit(server, name, None, input="a\nß☃", wait=True)["result"]["stdout"] == "a\nß☃"
    large = "x" * (1 << 18)
    view = submit(server, name, None, input=large, wait=True)
    assert view["result"] is None or view["result"]["stdout"] == large
    data = base64.b64encode(b"bytes \x01").decode()
    view = submit(server, name, None, input_base64=data, wait=True)
    assert view["result"]["stdout"] == "bytes \x01"


def test_an_exit_code_is_part_of_the_result(server, shell):
    view = submit(server, shell, None, "echo out; echo err >&2; exit 3", wait=True)
    assert view["state"] == "succeeded"
    assert view["result"] == {"exit_code": 3, "stdout": "out\n", "stderr": "err\n"}


def test_a_signal_is_told(server, shell):
    view = submit(server, shell, None, "kill -SEGV $$", wait=True)
    assert view["state"] in ("failed", "lost")
    assert str(int(signal.SIGSEGV)) in str(view["error"]) or "SEGV" in str(view["error"])


def test_two_run_at_once(server, shell, directory):
    gate = directory / "gate"
    script = f"while ! test -e {gate}; do sleep 0.01; done"
    tasks = [submit(server, shell, None, script) for _ in range(3)]
    for one in tasks[:2]:
        state(server, one, "running")
    assert state(server, tasks[2], "queued")
    gate.touch()
    assert [ended(server, one)["state"] for one in tasks] == ["succeeded"] * 3


def test_cancel_ends_the_program_and_what_it_left(server, shell, directory):
    note = directory / "note"
    view = submit(server, shell, None, f"sleep 1000 & echo $$ $! > {note}.new; "
                                       f"mv {note}.new {note}; wait")
    state(server, view, "running")
    wait_until(note.exists)
    pids = [int(pid) for pid in note.read_text().split()]
    assert all(map(is_alive, pids))
    server.post(f"/v1/tasks/{view['id']}/cancel")
    assert ended(server, view)["state"] == "cancelled"
    wait_until(lambda: not any(map(is_alive, pids)), what="both are gone")


def test_a_map_of_programs(server, name):
    make(server, name, kind="exec", command=[ECHO], workers=2)
    answer = server.call("POST", url(name, "map"), {"items": ["a", "b", "c"]}, [("Prefer", "wait")])
    assert [one["stdout"] for one in answer.json["results"]] == ["a\n", "b\n", "c\n"]
    answer = server.call("POST", url(name, "map"), {"items": [["a", "b"], []], "star": True},
                         [("Prefer", "wait")])
    assert [one["stdout"] for one in answer.json["results"]] == ["a b\n", "\n"]


def test_the_environment_is_what_it_was_told(server, name):
    make(server, name, kind="exec", command=[SHELL, "-c", "env"],
         environment={"GREETING": "hello"})
    lines = submit(server, name, None, wait=True)["result"]["stdout"].split()
    names = {line.partition("=")[0] for line in lines}
    assert "GREETING=hello" in lines
    own = {"PATH", "HOME", "LANG", "TZ", "GREETING", "PWD", "SHLVL", "_", "OLDPWD"}
    assert {one for one in names if not one.startswith("INTERLOCK_")} <= own


@pytest.mark.parametrize("change, field", [
    ({"function": "echo"}, "function"), ({"kwargs": {}}, "kwargs"), ({"args": [1]}, "args[0]"),
    ({"args": ["x", None]}, "args[1]"), ({"args": ["a\0b"]}, "args[0]"), ({"input": 1}, "input"),
    ({"input_base64": "A"}, "input_base64"), ({"input_base64": 1}, "input_base64"),
    ({"input": "x", "input_base64": "AA=="}, "input_base64")], ids=str)
def test_wrong_field_of_a_program(server, shell, change, field):
    answer = server.call("POST", url(shell, "tasks"), change)
    assert (answer.status, answer.json["field"]) == (400, field), answer
    assert server.get(url(shell))["tasks"]["submitted"] == 0


@pytest.mark.parametrize("body, field", [
    ({"items": [1]}, "items[0]"), ({"items": ["a", "b\0"]}, "items[1]"),
    ({"items": [[1]], "star": True}, "items[0][0]"), ({"items": ["x"], "star": True}, "items[0]"),
    ({"items": [], "function": "echo"}, "function")], ids=str)
def test_wrong_item_of_a_map_of_programs(server, shell, body, field):
    answer = server.call("POST", url(shell, "map"), body)
    assert (answer.status, answer.json["field"]) == (400, field), answer


def test_a_program_that_does_not_exist(start, directory):
    path = str(directory / "nothing")
    server = start(config={"programs": [path]})
    make(server, "x", kind="exec", command=[path])
    view = submit(server, "x", None, wait=True)
    assert view["state"] in ("failed", "lost") and view["error"]["message"]
