"""What the worker does beyond the protocol's rules, which tests/workers/conformance.py has."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import SOURCE, Start, request


def test_hello_names_what_is_offered(start: Start) -> None:
    session = start("def one(): pass\ndef two(): pass\n", "--function", "two", slots=3)
    assert session.hello == {
        "protocol": 1,
        "name": "functions.py",
        "functions": ["two"],
        "slots": 3,
        "batch": True,
    }


def test_an_exception_comes_with_its_traceback_in_the_module(start: Start) -> None:
    session = start("def divide(a, b):\n    return a / b\n")
    error = session.call("divide", 1, 0)["error"]
    assert (error["code"], error["message"]) == (1, "division by zero")
    assert error["data"]["type"] == "ZeroDivisionError"
    assert "functions.py\", line 2, in divide" in error["data"]["traceback"]
    assert "runner.py" not in error["data"]["traceback"]


@pytest.mark.parametrize(
    "args, kwargs, words",
    [
        ([], {}, "missing 2 required positional arguments"),
        ([1, 2, 3], {}, "takes 2 positional arguments but 3 were given"),
        ([1, 2], {"c": 3}, "unexpected keyword argument 'c'"),
        ([1, 2], {"a": 3}, "multiple values for argument 'a'"),
    ],
)
def test_arguments_that_do_not_fit(start: Start, args: object, kwargs: object, words: str) -> None:
    session = start("def add(a, b):\n    return a + b\n")
    session.say(request("1", "add", args, kwargs))
    error = session.hear()["error"]
    assert error["code"] == -32602
    assert words in error["message"]


def test_a_type_error_within_a_function_is_an_error_of_the_function(start: Start) -> None:
    session = start("def add(a, b):\n    return a + b\n\ndef f(a):\n    return add(a)\n")
    assert session.call("add", 1, "x")["error"]["code"] == 1
    assert session.call("f", 1)["error"]["code"] == 1


@pytest.mark.parametrize(
    "expression, words",
    [
        ("object()", "Object of type object is not JSON serializable"),
        ("float('nan')", "Out of range float values"),
        ("'\\ud800'", "surrogate"),
        ("recursive()", "Circular reference"),
        ("nested()", "nested too deeply"),
        ("b'x'", "Object of type bytes is not JSON serializable"),
    ],
)
def test_a_result_that_is_no_json_is_refused_in_words(
    start: Start, expression: str, words: str
) -> None:
    session = start(
        "def recursive():\n    a = []\n    a.append(a)\n    return a\n"
        "def nested():\n    a = []\n    for _ in range(100000):\n        a = [a]\n    return a\n"
        f"def give():\n    return {expression}\n"
    )
    error = session.call("give")["error"]
    assert error["code"] == 1
    assert error["message"].startswith("the result cannot be written as JSON: ")
    assert words in error["message"]
    assert error["data"]["retry"] is False
    assert session.call("recursive")["error"]["code"] == 1


def test_fatal_is_not_to_be_tried_again(start: Start) -> None:
    session = start("import interlock\ndef f():\n    raise interlock.Fatal('no disk')\n")
    error = session.call("f")["error"]
    assert (error["message"], error["data"]["retry"]) == ("no disk", False)


def test_messages_that_are_no_text_are_escaped(start: Start) -> None:
    session = start(
        "class Odd(Exception):\n    def __str__(self):\n        return 1\n"
        "def surrogate():\n    raise ValueError('\\udc80')\n"
        "def odd():\n    raise Odd\n"
        "def base():\n    raise BaseException('base')\n"
    )
    assert session.call("surrogate")["error"]["message"] == "\\udc80"
    assert session.call("odd")["error"]["message"] == "Odd"
    assert session.call("base")["error"]["message"] == "base"


def test_the_call_is_known_to_the_function(start: Start) -> None:
    session = start(
        "import interlock\n"
        "def f():\n    c = interlock.current_call()\n    return [c.function, c.task, c.attempt]\n"
    )
    assert session.call("f")["result"] == ["f", "4611686018427387904", 2]


def test_coroutines_are_run(start: Start) -> None:
    session = start(
        "import asyncio, interlock\n"
        "async def f(a):\n    await asyncio.sleep(0)\n    interlock.progress(a)\n    return a\n"
    )
    session.say(request("1", "f", [5]))
    assert session.hear()["params"] == {"id": "1", "value": 5}
    assert session.hear()["result"] == 5


def test_progress_that_is_too_large_is_an_error_of_the_function(start: Start) -> None:
    session = start("import interlock\ndef f(n):\n    interlock.progress('x' * n)\n")
    session.say(request("1", "f", [65534]))
    assert len(session.hear()["params"]["value"]) == 65534
    assert session.hear()["result"] is None
    assert "at most 65536 bytes" in session.call("f", 65535)["error"]["message"]


def test_a_number_of_too_many_digits_spoils_its_own_call_only(start: Start) -> None:
    session = start("def f(a):\n    return 'fine'\n")
    parts = [
        f'{{"jsonrpc":"2.0","id":"{i}","method":"call","params":{{"function":"f","args":[{a}],'
        f'"kwargs":{{}},"task":"1","attempt":1}}}}'
        for i, a in enumerate(("1", "9" * 5000, "2"))
    ]
    session.say_text("[" + ",".join(parts) + "]")
    answers = [session.hear() for _ in parts]
    assert [answer.get("result") for answer in answers[::2]] == ["fine", "fine"]
    if hasattr(sys, "get_int_max_str_digits"):
        assert answers[1]["error"]["code"] == -32602
        assert "digits" in answers[1]["error"]["message"]


def test_sys_exit_ends_the_process_in_any_slot(start: Start) -> None:
    for slots in (1, 3):
        session = start(
            "import sys, threading\n"
            "barrier = threading.Barrier(3)\n"
            "def f(slots, *code):\n"
            "    if slots > 1 and barrier.wait() and threading.current_thread() is "
            "threading.main_thread():\n        return\n    sys.exit(*code)\n",
            slots=slots,
        )
        for i in range(slots):
            session.say(request(str(i), "f", [slots, 7]))
        assert session.process.wait(30) == 7


def test_calls_of_a_slot_do_not_hear_each_others_cancel(start: Start) -> None:
    session = start(
        "import interlock, time\n"
        "def wait():\n    while not interlock.cancelled():\n        time.sleep(0.001)\n"
        "    raise interlock.Cancelled('stopped')\n"
        "def ask():\n    return interlock.cancelled()\n",
        slots=2,
    )
    session.say(request("1", "wait", []))
    session.say(request("2", "ask", []))
    assert session.hear()["result"] is False
    session.say({"jsonrpc": "2.0", "method": "cancel", "params": {"id": "1"}})
    assert session.hear()["error"] == {
        "code": 2,
        "message": "stopped",
        "data": {"type": "Cancelled"},
    }
    assert session.call("ask")["result"] is False


def test_nonsense_of_the_server_ends_it_with_a_word(start: Start) -> None:
    for nonsense in ("{", "[1]", "7", '[{"method":"call"}]'):
        session = start("def f(): pass\n")
        session.say_text(nonsense)
        code, _, err = session.end()
        assert code == 1
        assert "interlock.worker: the server sent" in err


def test_a_closed_stdout_is_no_trouble(start: Start) -> None:
    session = start("import sys\ndef f():\n    sys.stdout.close()\n    return 1\n")
    assert session.call("f")["result"] == 1
    assert session.call("f")["result"] == 1


def test_children_do_not_get_the_socket(start: Start) -> None:
    session = start(
        "import os\ndef f():\n    fd = int(os.environ['INTERLOCK_WORKER_FD'])\n"
        "    return os.get_inheritable(fd)\n"
    )
    assert session.call("f")["result"] is False


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PYTHONPATH": str(SOURCE), "INTERLOCK_WORKER_FD": "999"}
    return subprocess.run(
        [sys.executable, "-m", "interlock.worker", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def test_what_cannot_be_imported_is_told() -> None:
    for name, words in (
        ("no_such_module", "No module named 'no_such_module'"),
        ("./no_such_file.py", "no Python file"),
        ("json", "json offers no function nothing"),
    ):
        got = run(name, "--function", "nothing")
        assert got.returncode == 1
        assert f"cannot use {name}: " in got.stderr and words in got.stderr


def test_check_lists_the_functions() -> None:
    got = run("textwrap", "--check")
    assert got.returncode == 0
    assert got.stdout.split() == ["dedent", "fill", "indent", "shorten", "wrap"]


def test_without_a_socket_it_says_who_starts_workers() -> None:
    got = run("textwrap")
    assert got.returncode == 2
    assert "interlockd starts workers" in got.stderr
