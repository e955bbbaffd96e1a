"""/v1/processes: Python's Process over HTTP; its output, its end, and what must not happen."""
import base64
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from client import PATIENCE, wait_until
from places import SLOWNESS
from pools import SHELL, descendants, is_alive
from test_bad_input import NOT_AN_OBJECT
from test_client_sessions_http import end, make as make_session

CAT = "/bin/cat"
CONFIG = {"programs": [SHELL, CAT, "/bin/sleep", sys.executable, "/nonexistent/program"],
          "environment": ["GREETING"]}
SLEEP = ["/bin/sleep", "1000"]


@pytest.fixture(scope="module", name="config")
def config_of_server():
    """Its programs may be started."""
    return CONFIG


def url(name, operation=None):
    """The path of the process NAME."""
    return f"/v1/processes/{name}" + (f"/{operation}" if operation else "")


def make(server, name, *command, **options):
    return server.put(url(name), command=list(command), **options)


def start(server, name, *command, **options):
    """The view of a process that was made and started."""
    make(server, name, *command, **options)
    return server.post(url(name, "start"))


def shell(server, name, script, **options):
    return start(server, name, SHELL, "-c", script, **options)


def run(server, name, script, **options):
    """The view of a shell that has ended."""
    shell(server, name, script, **options)
    return server.post(url(name, "join"))


def refused(answer, status, code, field=None):
    assert (answer.status, answer.code, answer.json.get("field")) == (status, code, field), answer
    return answer.json


def says(server, name, text):
    """Waits until the process has written TEXT."""
    return wait_until(lambda: text in (server.get(url(name))["stdout"] or ""), what=text)


# ---- its life --------------------------------------------------------------------------------

def test_its_life_is_that_of_pythons_process(server, name):
    answer = server.call("PUT", url(name), {"command": [CAT, "/dev/fd/0"], "input": "hello"})
    assert answer.status == 201
    view = answer.json
    assert (view["state"], view["is_alive"], view["pid"], view["exit_code"]) == (
        "created", False, None, None)
    for operation in ("join", "terminate", "kill"):
        refused(server.call("POST", url(name, operation)), 409, "not_started")
    view = server.post(url(name, "start"))
    assert view["state"] in ("started", "ended") and view["pid"] > 1
    refused(server.call("POST", url(name, "start")), 409, "already_started")
    view = server.post(url(name, "join"))
    assert (view["state"], view["is_alive"], view["exit_code"], view["signal"]) == (
        "ended", False, 0, None)
    assert (view["stdout"], view["stderr"]) == ("hello", "")
    assert view["cpu_time"] >= 0 and view["memory"] > 0
    assert view["started"] <= view["ended"]
    assert server.get(url(name)) == view == server.post(url(name, "join"), timeout=0)
    for operation in ("terminate", "kill"):  # as Python: nothing happens to one that has ended
        assert server.post(url(name, operation)) == view
    refused(server.call("POST", url(name, "start")), 409, "already_started")
    assert server.call("DELETE", url(name)).status == 204
    assert server.call("GET", url(name)).status == 404


def test_put_again(server, name):
    body = {"command": [SHELL, "-c", "true"], "environment": {"GREETING": "hi"}}
    assert server.call("PUT", url(name), body).status == 201
    assert server.call("PUT", url(name), body).status == 200
    assert server.call("PUT", url(name)).status == 200
    for change in ({"command": [SHELL, "-c", "false"]}, {"command": [SHELL, "-c"]},
                   {"environment": {}}, {"environment": {"GREETING": "ho"}},
                   {"directory": "/tmp"}, {"input": "x"},
                   {"output": 5}, {"memory": 1 << 30}, {"cpu_time": 5}, {"open_files": 20},
                   {"grace": 1}):
        problem = refused(server.call("PUT", url(name), {**body, **change}), 409, "conflict")
        assert next(iter(change)) in problem["detail"]
    server.post(url(name, "start"))
    server.post(url(name, "join"))
    assert server.call("PUT", url(name), body).json["state"] == "ended"


@pytest.mark.parametrize("script, code", [("exit 3", 3), ("exit 255", 255), ("kill -9 $$", -9),
                                          ("kill -TERM $$", -15), ("kill -SEGV $$", -11)])
def test_exit_code(server, name, script, code):
    view = run(server, name, script)
    assert view["exit_code"] == code
    assert view["signal"] == (signal.Signals(-code).name if code < 0 else None)


def test_terminate_reaches_the_group(server, name):
    shell(server, name, "trap 'echo bye; exit 7' TERM; sleep 1000 & echo ready; wait")
    says(server, name, "ready")
    view = server.post(url(name, "terminate"))
    assert view["pid"]
    view = server.post(url(name, "join"))
    assert (view["exit_code"], view["stdout"]) == (7, "ready\nbye\n")


def test_kill_reaches_whatever_it_started(server, name):
    shell(server, name, "setsid sleep 1000 & echo $!; trap '' TERM; echo ready; while :; do wait; "
          "sleep 1000; done")
    says(server, name, "ready")
    grandchild = int(server.get(url(name))["stdout"].split()[0])
    server.post(url(name, "terminate"))
    assert server.get(url(name))["is_alive"]
    server.post(url(name, "kill"))
    view = server.post(url(name, "join"))
    assert (view["exit_code"], view["signal"]) == (-9, "SIGKILL")
    assert not is_alive(grandchild)


def test_it_has_ended_when_its_descendants_are_gone(server, name):
    view = run(server, name, "setsid sleep 1000 & echo $!")
    assert view["exit_code"] == 0
    assert not is_alive(int(view["stdout"]))


def test_delete_of_one_that_is_alive(server, name):
    start(server, name, *SLEEP)
    refused(server.call("DELETE", url(name)), 409, "conflict")
    server.post(url(name, "kill"))
    server.post(url(name, "join"))
    assert server.call("DELETE", url(name)).status == 204
    assert make(server, name, *SLEEP)["state"] == "created"
    assert server.call("DELETE", url(name)).status == 204


def test_one_that_cannot_be_started(server, name):
    make(server, name, "/nonexistent/program")
    problem = refused(server.call("POST", url(name, "start")), 500, "system")
    assert "No such file" in problem["detail"]
    view = server.get(url(name))
    assert (view["state"], view["pid"]) == ("created", None) and "No such" in view["trouble"]
    refused(server.call("POST", url(name, "join")), 409, "not_started")
    refused(server.call("POST", url(name, "start")), 500, "system")
    make(server, name + ".d", SHELL, directory="/nonexistent")
    problem = refused(server.call("POST", url(name + ".d", "start")), 500, "system")
    assert "chdir" in problem["detail"]


def test_list(start_server):
    for one in "bca":
        make(start_server, one, *SLEEP)
    page = start_server.get("/v1/processes?limit=2")
    assert [view["name"] for view in page["processes"]] == ["a", "b"]
    assert "stdout" not in page["processes"][0]
    page = start_server.get(f"/v1/processes?limit=2&cursor={page['cursor']}")
    assert [view["name"] for view in page["processes"]] == ["c"] and page["cursor"] is None


@pytest.fixture
def start_server(start):  # pylint: disable=redefined-outer-name
    """A server of the test's own."""
    return start(config=CONFIG)


# ---- joining ---------------------------------------------------------------------------------

def test_join_waits_and_times_out(server, name):
    start(server, name, *SLEEP)
    problem = refused(server.call("POST", url(name, "join"), {"timeout": 0}), 409, "timeout")
    assert problem["detail"] == f'the process "{name}" has not ended'
    problem = refused(server.call("POST", url(name, "join"), {"timeout": 0.05}), 409, "timeout")
    assert "within 0.05 s" in problem["detail"]
    waiting = [server.send("POST", url(name, "join")) for _ in range(5)]
    gone = [server.send("POST", url(name, "join")) for _ in range(2)]
    gone[0].close()
    gone[1].reset()
    assert all(one.is_quiet(0.02) for one in waiting)
    server.post(url(name, "kill"))
    for one in waiting:
        with one:
            assert one.answer().json["exit_code"] == -9


def test_join_ends_with_the_session_that_waits(server, name):
    start(server, name, *SLEEP)
    session = make_session(server)
    waiting = server.send("POST", url(name, "join"), {"session": session})
    server.wait_for(f"/v1/sessions/{session}", id=session)
    assert waiting.is_quiet(0.02)
    end(server, session)
    with waiting:
        refused(waiting.answer(), 410, "session_ended")
    refused(server.call("POST", url(name, "join"), {"session": session}), 410, "session_ended",
            "session")
    server.post(url(name, "kill"))


@pytest.mark.parametrize("body, field", [
    ({"timeout": -1}, "timeout"), ({"timeout": "1"}, "timeout"), ({"timeout": 301}, "timeout"),
    ({"session": 1}, "session"), ({"colour": "red"}, "colour")])
def test_bad_join(server, name, body, field):
    make(server, name, *SLEEP)
    refused(server.call("POST", url(name, "join"), body), 400, "invalid_argument", field)


@pytest.mark.parametrize("operation", ["start", "join", "terminate", "kill"])
def test_of_one_that_is_not_there(server, name, operation):
    refused(server.call("POST", url(name, operation)), 404, "not_found")
    assert "there is no process" in server.call("GET", url(name)).json["detail"]


def test_in_a_batch(server, name):
    start(server, name, *SLEEP)

    def batch(*operations):
        return server.call("POST", "/v1/batch", {"operations": [
            {"method": "POST", "path": url(name, operation), "body": body}
            for operation, body in operations]})
    results = batch(("join", {"timeout": 0}), ("kill", {})).json["results"]
    assert [one["status"] for one in results] == [409, 200]
    assert batch(("start", {})).status == 400
    server.post(url(name, "join"))


def test_start_with_an_idempotency_key(server, name):
    make(server, name, SHELL, "-c", "true")
    first, again = (server.call("POST", url(name, "start"), {}, [("Idempotency-Key", name)])
                    for _ in range(2))
    assert first.status == again.status == 200 and first.json == again.json
    assert again.header("Idempotency-Replayed") == "true"
    refused(server.call("POST", url(name, "start")), 409, "already_started")


# ---- input, output, surroundings -------------------------------------------------------------

def test_bytes_in_and_out(server, name):
    data = bytes(range(256)) * 40
    start(server, name, CAT, input_base64=base64.b64encode(data).decode())
    view = server.post(url(name, "join"))
    assert view["stdout"] is None and base64.b64decode(view["stdout_base64"]) == data
    assert view["stderr"] == "" and "stderr_base64" not in view


def test_input_larger_than_a_pipe(server, name):
    text = "0123456789abcdef" * (1 << 16)
    start(server, name, CAT, input=text, output=1 << 20)
    view = server.post(url(name, "join"))
    assert view["stdout"] == text and view["stdout_truncated"] is False


def test_input_that_nobody_reads(server, name):
    view = run(server, name, "exec <&-; sleep 0.01; exit 0", input="x" * (1 << 20))
    assert view["exit_code"] == 0
    server.get("/v1/health")


@pytest.mark.parametrize("most", [0, 1, 1000, 65536])
def test_only_the_last_output_is_kept(server, name, most):
    script = "seq 1 30000; seq 30001 30100 >&2"
    view = run(server, name, script, output=most)
    whole = "".join(f"{i}\n" for i in range(1, 30001))
    assert view["stdout"] == (whole[-most:] if most else "") and view["stdout_truncated"] is True
    errors = "".join(f"{i}\n" for i in range(30001, 30101))
    assert view["stderr"] == (errors[-most:] if most else "")
    assert view["stderr_truncated"] is (most < len(errors))


def test_a_character_that_is_cut_off_does_not_make_bytes_of_a_text(server, name):
    for most in (10, 11, 12):
        view = run(server, f"{name}.{most}", "printf 'a☃☃☃☃☃'", output=most)
        assert view["stdout"] == "☃" * (most // 3) and view["stdout_truncated"]


def test_a_flood_of_output_disturbs_nobody(server, name):
    shell(server, name, "yes")
    server.wait_for(url(name), stdout_truncated=True)
    longest = 0
    for _ in range(20):
        begin = time.monotonic()
        server.get("/v1/health")
        longest = max(longest, time.monotonic() - begin)
    assert longest < 5 * SLOWNESS
    server.post(url(name, "kill"))
    view = server.post(url(name, "join"))
    assert view["stdout_truncated"] and len(view["stdout"]) <= 65536


def test_surroundings(server, name, directory):
    script = ("pwd; echo $GREETING; echo $INTERLOCK_DOMAIN; env | cut -d= -f1 | tr '\\n' ' '; "
              "ls -l /proc/self/fd | wc -l; readlink /proc/self/fd/0; umask >/dev/null")
    view = run(server, name, script, directory=str(directory), environment={"GREETING": "hi you"})
    lines = view["stdout"].splitlines()
    assert lines[:3] == [str(directory), "hi you", f"unix:{server.path}"]
    names, _, count = lines[3].rpartition(" ")
    assert set(names.split()) <= {"PATH", "HOME", "LANG", "TZ", "GREETING", "INTERLOCK_DOMAIN",
                                  "INTERLOCK_PROCESS", "PWD", "OLDPWD", "SHLVL", "_"}
    assert int(count) == 5 and lines[4] == "/dev/null"  # "total", 0, 1, 2, and that of ls


def test_it_leads_a_group_of_its_own(server, name):
    view = start(server, name, *SLEEP)
    assert os.getpgid(view["pid"]) == view["pid"]
    assert os.getpgid(view["pid"]) != os.getpgid(server.pid)
    server.post(url(name, "kill"))


def test_limits(server, name):
    view = run(server, name, "ulimit -n; ulimit -t; ulimit -d", open_files=33, cpu_time=44,
               memory=64 << 20)
    assert view["stdout"].split() == ["33", "44", str(64 << 10)]


# ---- what is refused -------------------------------------------------------------------------

@pytest.mark.parametrize("command", [
    ["/bin/ls"], ["sh"], ["/bin/../bin/sh"], ["/bin/./sh"], ["//bin/sh"], ["/bin/sh/"],
    ["/BIN/sh"], ["/bin/sh "], ["/usr/bin/sh"], ["./sh"], [""]])
def test_programs_that_are_not_allowed(server, name, command):
    answer = server.call("PUT", url(name), {"command": command})
    assert (answer.status, answer.code) in ((403, "program_not_allowed"),
                                            (400, "invalid_argument")), answer
    assert answer.json["field"] == "command[0]"
    assert server.call("GET", url(name)).status == 404


@pytest.mark.parametrize("variable", ["LD_PRELOAD", "PATH", "greeting", "HOME"])
def test_variables_that_are_not_allowed(server, name, variable):
    answer = server.call("PUT", url(name), {"command": SLEEP, "environment": {variable: "x"}})
    refused(answer, 403, "forbidden", f"environment.{variable}")
    assert server.call("GET", url(name)).status == 404


def test_nothing_may_be_started_unless_the_configuration_says_so(start, name):
    server = start()
    answer = server.call("PUT", url(name), {"command": SLEEP})
    refused(answer, 403, "program_not_allowed", "command[0]")
    assert server.call("POST", url(name, "start")).status == 404


BAD = [
    *[("command", value) for value in ("/bin/sh", None, {}, [], 1)],
    ("command[1]", [SHELL, 1]), ("command[1]", [SHELL, "a\0b"]), ("command[0]", [1]),
    ("environment", []), ("environment", "GREETING=x"), ("environment.GREETING", {"GREETING": 1}),
    ("environment.GREETING", {"GREETING": "a\0b"}), ("environment.A B", {"A B": "x"}),
    ("environment.INTERLOCK_DOMAIN", {"INTERLOCK_DOMAIN": "x"}),
    *[("directory", value) for value in ("", "tmp", "/tmp/..", "/tmp/./x", 1, "/" + "a" * 5000)],
    ("input", 1), ("input", ["x"]), ("input_base64", "x"), ("input_base64", 1),
    ("daemon", 1), ("daemon", "true"), ("session", ""), ("session", 5), ("session", "x" * 64),
    *[("grace", value) for value in (-1, "1", 3601, None)],
    *[("memory", value) for value in (0, 1000, -1, 1.5, "1")],
    *[("cpu_time", value) for value in (0, -1, 1 << 40)],
    *[("open_files", value) for value in (0, 7, 1 << 30)],
    *[("output", value) for value in (-1, (16 << 20) + 1, "1", 1.5)],
    ("colour", "red"), ("stdin", "x"),
]


@pytest.mark.parametrize("field, value", BAD, ids=lambda value: str(value)[:30])
def test_bad_fields_are_named(server, name, field, value):
    key = field.split(".")[0].split("[")[0]
    body = {"command": SLEEP, key: value}
    problem = refused(server.call("PUT", url(name), body), 400, "invalid_argument", field)
    assert problem["expected"] and server.call("GET", url(name)).status == 404


def test_fields_that_do_not_go_together(server, name):
    for body, field in (({}, "command"), ({"input": "x"}, "command"),
                        ({"command": SLEEP, "input": "", "input_base64": ""}, "input_base64"),
                        ({"command": SLEEP, "daemon": True}, "session"),
                        ({"command": SLEEP, "session": "1.2.3"}, "session")):
        refused(server.call("PUT", url(name), body), 400, "invalid_argument", field)
    body = {"command": SLEEP, "daemon": True, "session": "1.2.3"}
    refused(server.call("PUT", url(name), body), 410, "session_ended", "session")
    long = [SHELL, *["x" * 1000] * 300]
    refused(server.call("PUT", url(name), {"command": long}), 413, "too_large", "command")


@pytest.mark.parametrize("operation", ["start", "terminate", "kill"])
def test_operations_take_no_fields(server, name, operation):
    make(server, name, *SLEEP)
    refused(server.call("POST", url(name, operation), {"signal": 9}), 400, "invalid_argument",
            "signal")


# ---- ends ------------------------------------------------------------------------------------

def test_a_daemon_ends_with_its_session(server, name):
    session = make_session(server)
    shell(server, name, "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.01; done",
          daemon=True, session=session)
    start(server, name + ".other", *SLEEP)
    says(server, name, "ready")
    waiting = server.send("POST", url(name, "join"))
    end(server, session)
    with waiting:
        view = waiting.answer().json
    assert (view["exit_code"], view["stdout"]) == (5, "ready\nbye\n")
    assert server.get(url(name + ".other"))["is_alive"]
    server.post(url(name + ".other", "kill"))


def test_a_stubborn_daemon_is_killed_after_its_grace(server, name):
    session = make_session(server)
    shell(server, name, "trap '' TERM; echo ready; while :; do sleep 0.01; done", daemon=True,
          session=session, grace=0.1)
    says(server, name, "ready")
    end(server, session)
    assert server.post(url(name, "join"))["exit_code"] == -9


def test_a_daemon_ends_with_a_session_that_is_not_heard_of(server, name):
    session = make_session(server, ttl=1)
    start(server, name, *SLEEP, daemon=True, session=session)
    assert server.post(url(name, "join"))["exit_code"] == -15


def test_a_daemon_of_a_session_that_has_ended_is_not_started(server, name):
    session = make_session(server)
    make(server, name, *SLEEP, daemon=True, session=session)
    make(server, name + ".gone", *SLEEP, daemon=True, session=session)
    assert server.call("DELETE", url(name + ".gone")).status == 204
    end(server, session)
    refused(server.call("POST", url(name, "start")), 410, "session_ended")
    assert server.get(url(name))["session"] == session
    assert server.call("DELETE", url(name)).status == 204


def test_the_end_of_the_server_kills_them(start):
    server = start(config=CONFIG)
    shell(server, "stubborn", "trap '' TERM; setsid sleep 1000 & echo ready; while :; do sleep 1; "
          "done")
    start_one = server.put(url("sleeper"), command=SLEEP)
    assert start_one["state"] == "created"
    server.post(url("sleeper", "start"))
    says(server, "stubborn", "ready")
    waiting = server.send("POST", url("sleeper", "join"))
    family = descendants(server.pid)
    assert len(family) >= 4
    assert server.stop() == 0
    with waiting:
        refused(waiting.answer(), 503, "shutting_down")
    assert not any(map(is_alive, family))


def test_a_killed_server_leaves_nothing_alive(start):
    server = start(config=CONFIG)
    for i in range(5):
        shell(server, f"p{i}", "trap '' TERM; setsid sleep 1000 & echo ready; sleep 1000")
        says(server, f"p{i}", "ready")
    family = descendants(server.pid)
    assert len(family) >= 15
    server.drop_connections()
    server.process.kill()
    server.process.wait()
    begin = time.monotonic()
    wait_until(lambda: not any(map(is_alive, family)), what="nothing is left")
    assert time.monotonic() - begin < 1 * SLOWNESS
    server.process.returncode = 0  # it was meant to


def test_a_spawner_that_dies_takes_them_along_and_is_replaced(start):
    server = start(config=CONFIG)
    pids = [globals()["start"](server, f"p{i}", *SLEEP)["pid"] for i in range(3)]
    parents = {int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
               for pid in pids}
    assert len(parents) == 1 and server.pid not in parents
    os.kill(parents.pop(), signal.SIGKILL)
    for i in range(3):
        assert server.post(url(f"p{i}", "join"))["exit_code"] == -9
    wait_until(lambda: not any(map(is_alive, pids)), what="they are gone")
    assert run(server, "after", "echo again")["stdout"] == "again\n"


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_hundreds_of_processes_leave_nothing_behind(start):
    server = start(config=CONFIG)
    run(server, "first", "true")
    before = descriptors(server.pid)
    spawner = [pid for pid in descendants(server.pid)]
    for i in range(150):
        run(server, f"p{i}", "echo out; echo err >&2; cat", input="x" * 100)
    for i in range(100):  # many at once
        shell(server, f"q{i}", "sleep 1000")
    for i in range(100):
        server.post(url(f"q{i}", "kill"))
    for i in range(100):
        server.post(url(f"q{i}", "join"))
    for i in range(50):
        make(server, f"r{i}", "/nonexistent/program")
        assert server.call("POST", url(f"r{i}", "start")).status == 500
    assert sorted(descendants(server.pid)) == sorted(spawner)
    zombies = [pid for pid in filter(str.isdigit, os.listdir("/proc"))
               if is_child_zombie(pid, spawner)]
    assert zombies == []
    wait_until(lambda: descriptors(server.pid) <= before, patience=PATIENCE,
               what="no descriptor is left open")
    for name in [*(f"p{i}" for i in range(150)), *(f"q{i}" for i in range(100))]:
        assert server.call("DELETE", url(name)).status == 204


def is_child_zombie(pid, parents):
    """Whether the process is a zombie that one of PARENTS has not reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return fields[0] == "Z" and int(fields[1]) in parents


@pytest.mark.parametrize("body", NOT_AN_OBJECT, ids=lambda value: repr(value)[:40])
def test_bodies_that_are_no_object(server, name, body):
    with server.connect() as connection:
        answer = connection.call("PUT", url(name), body)
    assert (answer.status, answer.code) == (400, "invalid_argument"), answer
    assert server.call("GET", url(name)).status == 404
