"""What interlock._core carries: codecs, queues, pipes, values, arrays, dicts, lists, tickets."""

from __future__ import annotations

import array
import datetime
import gc
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from core_server import Server

from interlock import _core, errors
from interlock._core import JSON, PICKLE, PROCESS
from interlock.multiprocessing import reduction
from where import SOURCE

PATIENCE_S = 20.0
MIB = 1 << 20
Point = namedtuple("Point", "x y")


@pytest.fixture
def domain() -> Iterator[_core.Domain]:
    with _core.Domain() as made:
        yield made
        gc.collect()
        assert made.info()["objects"] == 0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(params=["private", "unix", "http"])
def door(request: pytest.FixtureRequest) -> Iterator[_core.Domain]:
    address = "private:"
    if request.param != "private":
        made = request.getfixturevalue("server")
        address = made.unix if request.param == "unix" else made.http
    with _core.Domain(address) as opened:
        yield opened
        gc.collect()


def fresh(name: str) -> str:
    fresh.count = getattr(fresh, "count", 0) + 1  # type: ignore[attr-defined]
    return f"{name}-{os.getpid()}-{fresh.count}"  # type: ignore[attr-defined]


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.001)


def fork(function: Callable[[], Any]) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    return pid


def calls(*functions: Callable[[], Any]) -> Tuple[Callable[[], Any], ...]:
    return functions


def reap(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# ---- codecs ---------------------------------------------------------------------------------

FORMS: List[Any] = [
    None, True, False, 0, -1, 2**63 - 1, -(2**63), 2**63, 10**40, 0.5, -0.0, float("inf"), "", "a", "é\0ü",
    "\ud800", "x" * 5000, b"", b"\xff\0", b"x" * 5000, (), (1, "a", (None, (2.5, (b"q", (7, (8,)))))),
    [1, [2]], {"a": [1]}, {1, 2}, Point(1, 2), datetime.date(2020, 2, 29), tuple(range(300)),
]  # fmt: skip


@pytest.mark.parametrize("value", FORMS, ids=range(len(FORMS)))
def test_forms_keep_value_and_type(value: Any) -> None:
    got = _core.loads(_core.dumps(value))
    assert got == value and type(got) is type(value) and repr(got) == repr(value)


def test_small_forms_are_no_pickles() -> None:
    for value in (None, True, 5, 1.5, "text", b"bytes", (1, ("a",))):
        assert _core.dumps(value)[0] != 0x80 and len(_core.dumps(value)) < 32
    for other in ([1], Point(1, 2), "x" * 5000):
        assert _core.dumps(other)[0] == 0x80


def test_torn_and_foreign_messages_are_errors() -> None:
    for value in FORMS:
        data = _core.dumps(value)
        for torn in (data[:-1], data + b"\0"):
            with pytest.raises(errors.InvalidArgument, match="torn"):
                _core.loads(torn)
    for foreign in (b"", b"hello", b'{"a":1}', b"\xf8", b"\xfc\xff" * 100):
        with pytest.raises(errors.InvalidArgument, match="torn"):
            _core.loads(foreign)


def test_the_pickler_can_be_another() -> None:
    seen = []

    def dumps(value: Any) -> bytes:
        seen.append(value)
        return b"mine" + repr(value).encode()

    _core.set_pickler(dumps, lambda data: eval(bytes(data)[4:]))
    try:
        assert _core.loads(_core.dumps([1, 2])) == [1, 2] and seen == [[1, 2]]
        assert _core.loads(_core.dumps(3)) == 3 and len(seen) == 1
    finally:
        _core.set_pickler(reduction._dumps, pickle.loads)
    as_a_view: Any = lambda value: memoryview(pickle.dumps(value))  # noqa: E731 (as ForkingPickler's)
    _core.set_pickler(as_a_view, pickle.loads)
    try:
        assert _core.loads(_core.dumps([1, "x" * 9000])) == [1, "x" * 9000]
    finally:
        _core.set_pickler(reduction._dumps, pickle.loads)
    with pytest.raises(TypeError, match="loads"):
        _core.set_pickler(pickle.dumps, None)  # type: ignore[arg-type]


# ---- queue ----------------------------------------------------------------------------------

JSON_VALUES: List[Any] = [
    None, True, 0, -7, 10**18, 10**30, 1.5, "text é", "", b"\0bytes", [1, [2, {"a": None}]], {"é": "\0"},
    "z" * 100_000, list(range(3000)),
]  # fmt: skip


def test_a_queue_of_json(door: _core.Domain) -> None:
    made = _core.Queue(door, fresh("queue"))
    for value in JSON_VALUES:
        made.put(value)
        assert made.peek() == value
        assert made.get() == value
    made.put(bytearray(b"ab"))
    made.put(memoryview(b"cd"))
    assert made.get_many(5) == [b"ab", b"cd"]
    assert made.put_many(iter([1, "a", [2]])) == 3 and made.qsize() == 3
    assert made.get_bytes() == b"1" and made.get_bytes() == b"a" and made.get_bytes() == b"[2]"
    made.delete()
    if not door.address.startswith("http"):  # there a handle is a name, and makes it anew
        with pytest.raises(errors.Deleted):
            made.put(1)


@pytest.mark.parametrize(
    "value", ["a\0b", "\ud800", {"a": "\ud800"}, float("nan"), [float("inf")], {1, 2}, object()]
)
def test_what_is_no_json(domain: _core.Domain, value: Any) -> None:
    made = _core.Queue(domain)
    with pytest.raises((ValueError, TypeError)):
        made.put(value)
    assert made.empty()


def test_a_queue_of_objects(door: _core.Domain) -> None:
    made = _core.Queue(door, fresh("queue"), codec=PICKLE)
    for value in FORMS:
        made.put(value)
        assert made.get(timeout=5) == value
    made.put_bytes(array.array("i", [1, 2]))
    assert made.get_bytes() == array.array("i", [1, 2]).tobytes()
    made.put("x" * (17 * MIB) + "y")
    assert made.peek()[-1] == "y" and made.get()[-1] == "y" and made.empty()
    made.put_bytes(b"q" * (17 * MIB))
    assert made.get_bytes() == b"q" * (17 * MIB)
    made.delete()
    with pytest.raises(errors.TooLarge):
        _core.Queue(door, fresh("queue")).put(b"x" * (17 * MIB))


def test_a_foreign_message_is_an_error(domain: _core.Domain) -> None:
    name = fresh("queue")
    theirs, ours = _core.Queue(domain, name), _core.Queue(domain, name, codec=PICKLE)
    for value in ("a text", {"a": 1}, b"bytes", "interlock-parts:" + "0" * 32 + ":5"):
        theirs.put(value)
        with pytest.raises(errors.InterlockError):
            ours.get()
    assert ours.empty()
    ours.delete()


def test_full_empty_and_closed(domain: _core.Domain) -> None:
    made = _core.Queue(domain, maxsize=2)
    assert made.maxsize == 2 and made.empty() and not made.full()
    for call in (made.peek, *calls(lambda: made.get(False), lambda: made.get(timeout=0.01))):
        with pytest.raises(queue.Empty):
            call()
    assert made.put_many(range(5), timeout=0.01) == 2 and made.full()
    for put in calls(lambda: made.put(1, False), lambda: made.put(1, True, 0.01)):
        with pytest.raises(queue.Full):
            put()
    for wrong in calls(lambda: made.put(1, timeout=-1), lambda: made.get(timeout=-1)):
        with pytest.raises(ValueError):
            wrong()
    with pytest.raises(ValueError, match="count"):
        made.get_many(0)
    with pytest.raises(TypeError, match="blok"):
        made.put(1, blok=True)  # type: ignore[call-arg]
    made.shut()
    with pytest.raises(errors.Closed):
        made.put(1)
    assert [made.get(), made.get()] == [0, 1]
    with pytest.raises(errors.Closed):
        made.get()
    made.close()
    with pytest.raises(errors.Closed, match="handle"):
        made.get()
    with pytest.raises(ValueError, match="codec"):
        _core.Queue(domain, codec=2)


def test_processes_share_a_queue(domain: _core.Domain) -> None:
    work, results = _core.Queue(domain, codec=PICKLE), _core.Queue(domain, maxsize=10, codec=PICKLE)

    def child() -> None:
        number: Any
        for number in iter(work.get, None):
            results.put((os.getpid(), number))

    children = [fork(child) for _ in range(3)]
    thread = threading.Thread(target=work.put_many, args=([*range(3000), None, None, None],))
    thread.start()
    got = [results.get(timeout=PATIENCE_S)[1] for _ in range(3000)]
    thread.join()
    assert sorted(got) == list(range(3000))
    assert [reap(pid) for pid in children] == [0, 0, 0]


def test_a_killed_producer_leaves_whole_messages(domain: _core.Domain) -> None:
    made = _core.Queue(domain, codec=PICKLE, maxsize=50)
    table = _core.Dict(domain, codec=PICKLE)

    def child() -> None:
        number = 0
        while True:
            made.put((number, "x" * (number % 9000)))
            table[number % 10] = [number, "y" * (number % 9000)]
            number += 1

    for _ in range(5):
        pid = fork(child)
        for _ in range(200):
            number, text = made.get(timeout=PATIENCE_S)
            assert len(text) == number % 9000
        os.kill(pid, signal.SIGKILL)
        assert reap(pid) == -signal.SIGKILL
        while not made.empty():
            number, text = made.get(timeout=PATIENCE_S)
            assert len(text) == number % 9000
        assert all(len(text) == number % 9000 for number, text in table.values())
    made.put(1)
    assert made.get() == 1


def test_a_killed_consumer_takes_at_most_what_it_had(domain: _core.Domain) -> None:
    made, seen = _core.Queue(domain, codec=PICKLE), _core.Value(domain, None, "i64")

    def child() -> None:
        while True:
            made.get()
            seen.add(1)

    made.put_many(range(20000))
    pid = fork(child)
    until(lambda: seen.load() > 100)
    os.kill(pid, signal.SIGKILL)
    reap(pid)
    rest = made.get_many(20000)
    assert seen.load() <= 20000 - len(rest) <= seen.load() + 1
    assert rest == list(range(20000 - len(rest), 20000))


def test_a_signal_ends_a_get(domain: _core.Domain) -> None:
    made = _core.Queue(domain)
    main = threading.main_thread().ident
    waiting = threading.Event()

    def interrupt() -> None:
        waiting.wait()
        time.sleep(0.05)  # lets the main thread get to its wait; either way the call must end
        signal.pthread_kill(main or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        waiting.set()
        made.get(timeout=PATIENCE_S)
    assert time.monotonic() - begun < PATIENCE_S / 2
    thread.join()
    made.put(1)
    assert made.get() == 1


def test_messages_leave_nothing_behind(domain: _core.Domain) -> None:
    made, table = _core.Queue(domain, codec=PICKLE), _core.Dict(domain, codec=PICKLE)
    a, b = _core.pipe_pair(domain, codec=PICKLE)

    def round_of(count: int) -> None:
        for number in range(count):
            made.put((number, "text"))
            made.get()
            a.send([number])
            b.recv()
            table[1.5, number % 10] = number
            table.get((1.5, number % 10))
            if number % 100 == 0:  # what does not fit into the buffer on the stack
                made.put(b"x" * 20_000)
                table["long"] = [made.get()]
                table.get("long")

    def bytes_of() -> int:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096

    round_of(3000)
    before, room = bytes_of(), domain.info()["free_bytes"]
    round_of(100_000)
    assert bytes_of() - before < 2 * MIB
    assert domain.info()["free_bytes"] > room - MIB


# ---- pipe -----------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", [JSON, PICKLE])
def test_a_pipe(domain: _core.Domain, codec: int) -> None:
    a, b = _core.pipe_pair(domain, codec=codec)
    assert (a.end, b.end) == ("a", "b") and not a.poll() and not a.poll(0.01)
    for value in (None, 1, "text", b"bytes", [1, {"a": "b"}], "x" * 100_000):
        a.send(value)
        assert b.poll() and b.poll(5) and b.recv() == value
        b.send(value)
        assert a.recv(timeout=5) == value
    b.send_bytes(bytearray(b"raw"))
    assert a.recv_bytes() == b"raw"
    with pytest.raises(errors.Timeout):
        a.recv(timeout=0.01)
    b.send(1)
    b.close()
    assert a.recv() == 1
    with pytest.raises(EOFError):
        a.recv()
    with pytest.raises(BrokenPipeError):
        a.send(2)


def test_a_one_way_pipe(domain: _core.Domain) -> None:
    with pytest.raises(ValueError, match="end"):
        _core.Pipe(domain, "p", "c")  # type: ignore[arg-type]
    receiver, sender = _core.pipe_pair(domain, duplex=False)
    sender.send("a")
    assert receiver.recv() == "a"
    for call in calls(lambda: receiver.send(1), lambda: sender.recv(timeout=0)):
        with pytest.raises(errors.Unsupported):
            call()


def test_a_pipe_with_a_name(door: _core.Domain) -> None:
    name = fresh("pipe")
    with _core.Pipe(door, name, "a", codec=PICKLE) as a, _core.Pipe(door, name, "b", codec=PICKLE) as b:
        for value in FORMS:
            a.send(value)
            assert b.recv(timeout=5) == value
        b.send_bytes(b"x" * (17 * MIB))
        assert a.recv_bytes() == b"x" * (17 * MIB)
        a.delete()


def test_a_send_waits_for_room(domain: _core.Domain) -> None:
    a, b = _core.pipe_pair(domain, max_bytes=1000)
    a.send_bytes(b"x" * 900)
    with pytest.raises(errors.Timeout):
        a.send_bytes(b"x" * 900, timeout=0.01)
    thread = threading.Thread(target=a.send_bytes, args=(b"y" * 900,))
    thread.start()
    assert b.recv_bytes()[:1] == b"x" and b.recv_bytes(PATIENCE_S)[:1] == b"y"
    thread.join()


def test_a_dead_process_closes_its_end(domain: _core.Domain) -> None:
    a, b = _core.pipe_pair(domain, codec=PICKLE)

    def child() -> None:
        a.close()
        b.send("hello")
        b.recv()

    pid = fork(child)
    b.close()
    assert a.recv(PATIENCE_S) == "hello"
    os.kill(pid, signal.SIGKILL)
    reap(pid)
    with pytest.raises(EOFError):
        a.recv(PATIENCE_S)


# ---- tickets --------------------------------------------------------------------------------

CHILD = """
import sys
from interlock import _core
things = [_core.adopt(bytes.fromhex(ticket)) for ticket in sys.argv[1:]]
queue, pipe, table, items, numbers, lock, event, value = things
assert lock.flavour == _core.PROCESS and lock.locked()
table["child"] = queue.get()
items.append(("child", 1))
numbers[3] = 42
value.add(5)
pipe.send({"kinds": [thing.kind for thing in things]})
lock.release()
event.set()
assert pipe.recv() == "end"
"""


def test_another_program_adopts() -> None:
    domain = _core.default_domain()
    ours, theirs = _core.pipe_pair(domain, codec=PICKLE)
    made, table = _core.Queue(domain, codec=PICKLE), _core.Dict(domain, codec=PICKLE)
    items, numbers = _core.List(domain, codec=PICKLE), _core.Array(domain, None, "i32", 10)
    lock, event = _core.Lock(domain, flavour=PROCESS), _core.Event(domain)
    value = _core.Value(domain, None, "f64")
    made.put(("from", "parent"))
    lock.acquire()
    shared = [made, theirs, table, items, numbers, lock, event, value]
    arguments = [_core.share(one).hex() for one in shared]
    environment = dict(os.environ, PYTHONPATH=str(SOURCE))
    with_domain = _core.Process(
        [sys.executable, "-c", CHILD, *arguments], domain=domain, environment=environment
    )
    theirs_open = ours.recv(timeout=PATIENCE_S)
    assert theirs_open["kinds"] == [one.kind for one in shared]
    assert event.wait(PATIENCE_S) and not lock.locked()
    assert table["child"] == ("from", "parent") and items[0] == ("child", 1)
    assert numbers[3] == 42 and value.load() == 5.0
    theirs.close()
    ours.send("end")
    assert with_domain.join(PATIENCE_S) == 0
    with_domain.close()


def test_wrong_tickets(domain: _core.Domain) -> None:
    made = _core.Queue(domain)
    ticket = _core.share(made)
    for wrong in (b"", ticket[:-1], ticket + b"x", bytes(len(ticket)), b"\xff" * len(ticket)):
        with pytest.raises(errors.InterlockError):
            _core.adopt(wrong, domain)
    with _core.Domain() as other, pytest.raises(errors.InvalidArgument, match="domain"):
        _core.adopt(ticket, other)
    again = _core.adopt(ticket, domain)
    again.put(1)
    assert made.get() == 1 and type(again) is _core.Queue
    made.close()
    again.close()
    with pytest.raises(errors.NotFound):
        _core.adopt(ticket, domain)
    with pytest.raises(TypeError):
        _core.share(domain)


# ---- value, array ---------------------------------------------------------------------------

NUMBERS = {
    "i8": (-128, 127), "i16": (-(2**15), 2**15 - 1), "i32": (-(2**31), 2**31 - 1),
    "i64": (-(2**63), 2**63 - 1),
    "u8": (0, 255), "u16": (0, 65535), "u32": (0, 2**32 - 1), "u64": (0, 2**64 - 1),
}  # fmt: skip


@pytest.mark.parametrize("kind", NUMBERS)
def test_whole_numbers(domain: _core.Domain, kind: str) -> None:
    low, high = NUMBERS[kind]
    value, numbers = _core.Value(domain, None, kind), _core.Array(domain, None, kind, 3)
    for number in (low, high, 0, 1):
        value.store(number)
        numbers[1] = number
        assert value.load() == number and numbers[1] == number and numbers[:] == [0, number, 0]
    for number in (low - 1, high + 1):
        for store in calls(lambda: value.store(number), lambda: numbers.__setitem__(0, number)):
            with pytest.raises(OverflowError, match=kind):
                store()
    with pytest.raises(TypeError):
        value.store(1.5)
    assert value.add(high) == 1 and value.load() == low  # it wraps around
    assert value.add(-1) == low and value.load() == high
    assert value.exchange(5) == high and value.compare_exchange(5, 6) and not value.compare_exchange(5, 7)
    assert numbers.exchange(-1, 3) == 0 and numbers.add(2, 2) == 3 and numbers.compare_exchange(2, 5, 6)
    assert numbers[2] == 6 and value.type == kind == numbers.type
    one: Any = value.memory()
    assert numbers.memory().tolist() == numbers[:] and one[()] == 6


def test_other_elements(door: _core.Domain) -> None:
    text = _core.Value(door, fresh("v"), "text", room=10)
    text.store("é" * 5)
    assert text.load() == "é" * 5 and text.compare_exchange("é" * 5, "a") and text.load() == "a"
    with pytest.raises(errors.TooLarge):
        text.store("é" * 6)
    with pytest.raises(errors.TypeMismatch):
        text.add(1)
    data = _core.Array(door, fresh("a"), "bytes", 3, room=4)
    data[0:2] = [b"abcd", bytearray(b"e")]
    assert data[:] == [b"abcd", b"e", b""] and data[::-2] == [b"", b"abcd"]
    number = _core.Value(door, fresh("v"), "f32")
    number.store(0.5)
    assert number.add(1) == 0.5 and number.load() == 1.5
    with number.lock() as held:
        assert held and number.lock()._is_owned()
    for made in (text, data, number):
        made.delete()


def test_an_array_is_a_sequence(door: _core.Domain) -> None:
    numbers = _core.Array(door, fresh("a"), "i32", 10)
    model = [0] * 10
    assert len(numbers) == 10 and list(numbers) == model
    for start in (None, 0, 3, -4, 12, -20):
        for stop in (None, 0, 7, -1, 50):
            for step in (None, 1, 2, -1, -3):
                key = slice(start, stop, step)
                model[key] = numbers[key] = [7 * i + len(model[key]) for i in range(len(model[key]))]
                assert numbers[key] == model[key] and numbers[:] == model
    for index in (10, -11, 10**30):
        with pytest.raises(IndexError):
            numbers[index]
    with pytest.raises(IndexError, match="10"):
        numbers[10] = 1
    with pytest.raises(ValueError, match="length"):
        numbers[0:2] = [1]
    with pytest.raises(TypeError):
        del numbers[0]  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        numbers[0:3] = [1, 2, "x"]
    assert numbers[:] == model  # nothing of it was written
    numbers.delete()


def test_memory_is_live_and_keeps_the_array(domain: _core.Domain) -> None:
    numbers = _core.Array(domain, None, "f64", 4)
    view: Any = numbers.memory()
    assert (view.format, view.shape, view.readonly, view.nbytes) == ("d", (4,), False, 32)
    view[2] = 1.5
    assert numbers[2] == 1.5
    pid = fork(lambda: numbers.__setitem__(3, 2.5))
    assert reap(pid) == 0 and view[3] == 2.5
    other = _core.adopt(_core.share(numbers), domain)
    numbers.close()
    view[0] = 9.0
    assert other[0] == 9.0 and domain.info()["handles"] == 2
    view.release()
    assert domain.info()["handles"] == 1
    with pytest.raises(errors.Closed):
        numbers.memory()
    with pytest.raises(errors.TypeMismatch):
        _core.Array(domain, None, "bytes", 2, room=2).memory()


def test_no_memory_over_http(server: Server) -> None:
    with _core.Domain(server.http) as domain:
        numbers = _core.Array(domain, fresh("a"), "i8", 2)
        with pytest.raises(errors.Unsupported):
            numbers.memory()
        with pytest.raises(errors.Unsupported):
            _core.share(numbers)
        numbers.delete()


# ---- dict -----------------------------------------------------------------------------------

KEYS: List[Any] = [
    "a", "", "é" * 600, "n", "i1", "x" * 2000, "\ud800", "nul\0", 1, 0, -5, 2**80, 1.5, float("inf"), None,
    b"abc", b"z" * 3000, (), (1, "a", None), ("t", (1, 2)), ("1", 2), frozenset([3, 1]),
    datetime.date(2020, 1, 1), object, Point(1, 2),
]  # fmt: skip


def test_keys_are_as_in_python(door: _core.Domain) -> None:
    table, model = _core.Dict(door, fresh("d"), codec=PICKLE), {}
    for number, key in enumerate(KEYS):
        table[key] = [number]
        model[key] = [number]
    assert table.items() == list(model.items()) and list(table) == list(model) and table.copy() == model
    assert [type(key) for key in table] == [type(key) for key in model]
    assert table.values() == list(model.values())
    for key in model:
        assert key in table and table[key] == model[key] and table.get(key, 7) == model[key]
    for equal in (True, 1.0, 1):
        assert table[equal] == table[1]
    assert table[0.0] == table[False] == table[-0.0] and table[(1, 2)] == table[Point(1, 2)]
    assert (1.0, "a", None) in table and (2, "a", None) not in table and float(2**80) in table
    for key in model:
        del table[key]
    assert len(table) == 0 and not table.keys()
    unhashable: Any
    for unhashable in ([1], {}, (1, [2])):
        with pytest.raises(TypeError):
            table[unhashable] = 1
    table.delete()


def test_a_dict(door: _core.Domain) -> None:
    table = _core.Dict(door, fresh("d"))
    table["a"], table["b"], table["ü"] = 1, [1, {"x": None}], b"bytes"
    assert table.copy() == {"a": 1, "b": [1, {"x": None}], "ü": b"bytes"} and len(table) == 3
    for call in calls(lambda: table["z"], lambda: table.__delitem__("z"), lambda: table.pop("z")):
        with pytest.raises(KeyError) as caught:
            call()
        assert caught.value.args == ("z",)
    assert table.get("z") is None and table.get("z", 5) == 5
    assert table.pop("z", 6) == 6 and table.pop("a") == 1
    assert table.setdefault("s", 1) == 1 and table.setdefault("s", 2) == 1
    assert table.setdefault("none") is None
    assert table.popitem() == ("none", None)
    for wrong in (1, None, ("a",)):
        with pytest.raises(TypeError, match="key"):
            table[wrong] = 1
    with pytest.raises(errors.InvalidArgument, match="1024"):
        table["x" * 1025] = 1
    value, version = table.get_version("s")
    newer = table.set_version("s", value + 1, version)
    with pytest.raises(errors.Changed):
        table.set_version("s", 9, version)
    with pytest.raises(errors.Changed):
        table.set_version("s", 9, 0)
    with pytest.raises(errors.Changed):
        table.change({"q": 1}, ["b"], {"s": version})
    assert "q" not in table and "b" in table
    assert table.change({"q": 1}, ["b"], {"s": newer}) > newer and table["q"] == 1 and "b" not in table
    table.update({"k": 1}, one=2)
    table.update([("k", 3), ["two", 4]])
    assert (table["k"], table["one"], table["two"]) == (3, 2, 4)
    with pytest.raises(ValueError):
        table.update([(1, 2, 3)])
    table.clear()
    assert len(table) == 0
    with pytest.raises(KeyError):
        table.popitem()
    table.delete()


def test_a_big_dict_is_read_in_pages(domain: _core.Domain) -> None:
    table = _core.Dict(domain, codec=PICKLE)
    table.update((number, "v" * (number % 300)) for number in range(70_000))
    assert len(table) == 70_000 and table.keys() == list(range(70_000))
    table["big"] = b"x" * (3 * MIB)
    assert table["big"] == b"x" * (3 * MIB) and table.items()[-1] == ("big", b"x" * (3 * MIB))
    assert table.popitem()[0] == "big"


def test_limits_of_a_dict(domain: _core.Domain) -> None:
    table = _core.Dict(domain, max_entries=2, max_entry_bytes=100)
    table.update(a=1, b=2)
    with pytest.raises(errors.Overflow):
        table["c"] = 3
    with pytest.raises(errors.InterlockError):
        table["a"] = "x" * 101
    assert table.copy() == {"a": 1, "b": 2}


def test_processes_count_in_a_dict(domain: _core.Domain) -> None:
    table = _core.Dict(domain, codec=PICKLE)
    table["n"] = 0

    def child() -> None:
        for _ in range(300):
            while True:
                value, version = table.get_version("n")
                try:
                    table.set_version("n", value + 1, version)
                    break
                except errors.Changed:
                    pass

    children = [fork(child) for _ in range(3)]
    assert [reap(pid) for pid in children] == [0, 0, 0] and table["n"] == 900


# ---- list -----------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", [JSON, PICKLE])
def test_a_list(door: _core.Domain, codec: int) -> None:
    items, model = _core.List(door, fresh("l"), codec=codec), []  # type: ignore[var-annotated]
    items.extend(range(20))
    model.extend(range(20))
    for change in range(60):
        start, stop = (change * 7) % 31 - 15, (change * 11) % 37 - 18
        step = (1, 1, 2, -1, 3)[change % 5]
        assert items[start:stop:step] == model[start:stop:step]
        if change % 4 == 0:
            items[start:stop] = model[start:stop] = ["a", None]
        elif change % 4 == 1:
            new = [[number] for number in range(len(model[start:stop:step]))]
            items[start:stop:step] = new
            model[start:stop:step] = new
        elif change % 4 == 2:
            items.insert(start, change)
            model.insert(start, change)
        else:
            del items[start:start + 1]
            del model[start:start + 1]
        assert items.copy() == model and len(items) == len(model)
    for wrong in calls(lambda: items[100], lambda: items.pop(100), lambda: items.__setitem__(-99, 1)):
        with pytest.raises(IndexError):
            wrong()
    items[:] = [3, 1, 2, 1]
    assert (items.index(1), items.index(1, 2), items.count(1), items.pop(), items[-1]) == (1, 3, 2, 1, 2)
    assert 3 in items and 9 not in items and list(items) == [3, 1, 2]
    items.sort()
    assert items[:] == [1, 2, 3]
    items.sort(key=lambda number: -number % 3)
    assert items[:] == [3, 2, 1]
    items.sort(reverse=True)
    items.reverse()
    items.remove(2)
    assert items[:] == [1, 3]
    for call in calls(lambda: items.remove(9), lambda: items.index(9)):
        with pytest.raises(ValueError):
            call()
    items.append("text")
    with pytest.raises(TypeError):
        items.sort()
    assert items[:] == [1, 3, "text"]
    items.clear()
    assert len(items) == 0
    items.delete()


def test_processes_append(domain: _core.Domain) -> None:
    items = _core.List(domain, codec=PICKLE)

    def child(number: int) -> None:
        for i in range(500):
            items.append((number, i))

    children = [fork(lambda: child(number)) for number in range(3)]
    assert [reap(pid) for pid in children] == [0, 0, 0] and len(items) == 1500
    for n in range(3):
        assert [i for who, i in items if who == n] == list(range(500))


# ---- watch, workers -------------------------------------------------------------------------


def test_a_watch(door: _core.Domain) -> None:
    table = _core.Dict(door, fresh("d"))
    watch = _core.Watch(table)
    with pytest.raises(errors.Timeout):
        watch.next(0.01)
    table["key"] = 1
    del table["key"]
    seen: List[Dict[str, Any]] = [watch.next(PATIENCE_S), watch.next(PATIENCE_S)]
    assert [(change["what"], change["key"]) for change in seen] == [("set", "key"), ("removed", "key")]
    watch.close()
    with pytest.raises(errors.Closed):
        watch.next()
    again = _core.Watch(table, after=seen[0]["id"])
    assert again.next(PATIENCE_S)["what"] == "removed"
    ended: List[BaseException] = []

    def wait() -> None:
        try:
            again.next(PATIENCE_S)
        except errors.InterlockError as error:
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    while thread.is_alive():
        again.close()
        thread.join(0.01)
    assert isinstance(ended[0], errors.Closed)
    table.delete()
    with pytest.raises(TypeError, match="target"):
        _core.Watch(5)


def test_private_domains_have_no_workers(domain: _core.Domain) -> None:
    with pytest.raises(errors.Unsupported):
        _core.Workers(domain, "pool")


def test_handles_are_freed(domain: _core.Domain) -> None:
    for _ in range(50):
        made = _core.Queue(domain)
        _core.pipe_pair(domain)
        _core.Dict(domain)
        _core.List(domain)
        _core.Array(domain, None, "i8", 5).memory()[0] = 1
        _core.Watch(_core.Value(domain))
        made.close()
    gc.collect()
    assert domain.info()["handles"] == 0


def test_the_interpreter_ends_with_open_objects() -> None:
    text = (
        "from interlock import _core; d = _core.default_domain(); q = _core.Queue(d); q.put(1)\n"
        "a = _core.Array(d, None, 'i8', 3); m = memoryview(a); p = _core.pipe_pair(d); w = _core.Watch(q)"
    )
    environment = dict(os.environ, PYTHONPATH=str(SOURCE))
    command = [sys.executable, "-c", text]
    got = subprocess.run(command, env=environment, capture_output=True, timeout=PATIENCE_S)
    assert (got.returncode, got.stderr) == (0, b"")


# ---- values longer than a message ----------------------------------------------------------------


def test_big_values_of_a_dict_leave_nothing(domain: _core.Domain) -> None:
    table, big = _core.Dict(domain, codec=PICKLE), b"x" * (17 * MIB)

    def parts() -> int:
        return domain.info()["objects"]

    table["a"] = big
    assert table["a"] == big and parts() == 1
    table["a"] = big + b"y"
    assert table["a"][-1:] == b"y" and parts() == 1
    table["a"] = 1
    assert parts() == 0
    table[1.5] = big
    assert list(table) == ["a", 1.5] and table.popitem() == (1.5, big) and parts() == 0
    table.update(a=big, b=2, c=big)
    assert parts() == 2 and table.pop("a") == big and parts() == 1
    with pytest.raises(Exception, match="lambda"):
        table.update([("q", big), ("r", lambda: 1)])
    assert table.setdefault("c", big + big) == big and parts() == 1
    del table["c"]
    assert parts() == 0 and table.setdefault("c", big) == big and parts() == 1
    table.clear()
    assert parts() == 0 and len(table) == 0


def test_big_items_of_a_list_leave_nothing(domain: _core.Domain) -> None:
    items, big = _core.List(domain, codec=PICKLE), b"x" * (17 * MIB)

    def parts() -> int:
        return domain.info()["objects"]

    items.append(big)
    items.extend([1, big])
    assert items[:] == [big, 1, big] and parts() == 2
    items[0] = 2
    del items[2]
    assert items[:] == [2, 1] and parts() == 0
    items[1:] = [big]
    items.insert(0, big)
    assert parts() == 2 and items.pop() == big and parts() == 1
    items.sort(key=lambda item: item == big)
    assert items[:] == [2, big] and parts() == 1
    items.clear()
    assert parts() == 0


def test_big_messages_wait_for_room() -> None:
    with _core.Domain(arena_bytes=128 * MIB) as domain:
        a, b = _core.pipe_pair(domain, codec=PICKLE)
        sent = 0
        with pytest.raises(errors.Timeout):
            while True:
                a.send_bytes(b"x" * (20 * MIB), timeout=0.05)
                sent += 1
        assert 1 <= sent <= 6

        def send() -> None:
            for _ in range(5):
                a.send_bytes(b"y" * (20 * MIB))

        thread = threading.Thread(target=send)
        thread.start()
        got = [b.recv_bytes(PATIENCE_S)[:1] for _ in range(sent + 5)]
        thread.join()
        assert got == [b"x"] * sent + [b"y"] * 5 and domain.info()["objects"] == 0
        with pytest.raises(errors.InterlockError):
            a.send_bytes(b"x" * (100 * MIB), timeout=5)
