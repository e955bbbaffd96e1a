"""interlock.connect(): objects by their names, behind the three doors."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from typing import Any, Iterator

import pytest

import interlock
from interlock import errors
from native_support import DOORS, PATIENCE, SOURCE, Aside, Server, address_of, fresh, serving, until


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    yield from serving()


@pytest.fixture(params=DOORS)
def client(request: pytest.FixtureRequest, server: Server) -> Iterator[interlock.Client]:
    with interlock.connect(address_of(request.param, server), label="tests") as made:
        yield made
        gc.collect()


def is_http(client: interlock.Client) -> bool:
    return client.address.startswith("http")


# ---- the client --------------------------------------------------------------------------------


def test_a_client_ends_its_session_and_what_it_holds(server: Server) -> None:
    for address in (server.unix, server.http):
        name = fresh("lock")
        client = interlock.connect(address)
        client.lock(name).acquire()
        assert not client.closed and address in repr(client)
        client.close()
        client.close()
        assert client.closed and "closed" in repr(client)
        with interlock.connect(address) as other:
            assert other.lock(name).acquire(timeout=PATIENCE)
        with pytest.raises(errors.Closed):
            client.lock(name)


@pytest.mark.parametrize("address", ["nowhere:", "unix:/nonexistent/socket", "http://127.0.0.1:1"])
def test_an_address_where_nothing_is(address: str) -> None:
    with pytest.raises(errors.InterlockError) as caught:
        interlock.connect(address).lock("it")
    assert str(caught.value)


def test_info_counts_objects() -> None:
    with interlock.connect(arena_bytes=16 << 20) as client:
        before = client.info()
        lock = client.lock("it")
        assert client.info()["objects"] == before["objects"] + 1
        assert client.info()["arena_bytes"] == 16 << 20
        lock.delete()
        lock.close()
        assert client.info()["objects"] == before["objects"]


def test_info_is_the_arenas(server: Server) -> None:
    with interlock.connect(server.http) as client, pytest.raises(errors.Unsupported):
        client.info()


def test_lazy_names_are_what_they_say() -> None:
    assert set(interlock.__all__) <= set(dir(interlock))
    for name in interlock.__all__:
        assert getattr(interlock, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        getattr(interlock, "nonsense")


def test_a_worker_does_without_the_extension() -> None:
    program = "import interlock, sys; interlock.task; sys.exit('interlock._core' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True,
                   env={**os.environ, "PYTHONPATH": str(SOURCE)})


# ---- locks ---------------------------------------------------------------------------------------


def test_lock_is_exclusive_and_its_token_grows(client: interlock.Client) -> None:
    name = fresh("lock")
    lock = client.lock(name)
    with lock as first:
        assert lock.locked()
        assert not lock.acquire(False)
        assert not lock.acquire(timeout=0.01)
        lock.check(first)
        owner = lock.owner()
        assert owner and owner["token"] == first
    assert not lock.locked() and lock.owner() is None
    with lock as second:
        assert second > first
        with pytest.raises(errors.StaleToken):
            lock.check(first)
    with pytest.raises(errors.NotHeld):
        lock.release()


def test_options_that_differ_are_a_conflict(client: interlock.Client) -> None:
    name = fresh("lock")
    first = client.lock(name, fair=True)
    assert client.lock(name).name == name
    with pytest.raises(errors.Conflict):
        client.lock(name, lock_delay=1.0)
    first.close()


def test_a_lease_runs_out(client: interlock.Client) -> None:
    lock = client.lock(fresh("lock"))
    with lock.leased(60.0) as token:
        lock.renew(30.0, token)
    with pytest.raises(errors.LeaseLost):
        with lock.leased(0.02):
            with lock:  # granted once the lease has ended
                pass
    with pytest.raises(KeyError):  # what went wrong inside is told, not what became of the lease
        with lock.leased(0.02) as token:
            until(lambda: not lock.locked())
            raise KeyError("inside")
    with lock, pytest.raises(errors.Timeout):
        with lock.leased(1.0, timeout=0.01):
            pass


def test_losses_are_told(client: interlock.Client) -> None:
    name = fresh("lock")
    lock = client.lock(name)
    told = client.losses(timeout=PATIENCE)
    token = lock.acquire_leased(60.0)
    lock.break_("for the test")
    loss = next(told)
    assert loss == interlock.Loss("lock", name, token, "revoked", "for the test")
    lock.acquire_leased(0.01)
    assert next(told).code == "lease_lost"
    assert list(client.losses(timeout=0.01)) == []


def test_rlock_counts(client: interlock.Client) -> None:
    lock = client.rlock(fresh("rlock"))
    with lock as token:
        with lock as again:
            assert again == token and lock.depth() == 2
        assert Aside(lambda: lock.acquire(False)).end() is False
    with lock.leased(60.0):
        assert lock.depth() == 1
    assert lock.depth() == 0


def test_rwlock_is_shared_or_exclusive(client: interlock.Client) -> None:
    lock = client.rwlock(fresh("rwlock"))
    with lock.shared():
        assert Aside(lambda: lock.acquire_shared(PATIENCE) and lock.info()["shared"]).end() == 2
    until(lambda: lock.info()["shared"] == 0)  # the thread that shared it has ended

    def exclusive() -> Any:
        with lock.exclusive(timeout=0.02):
            return True

    with lock.shared(), pytest.raises(errors.Timeout):
        Aside(exclusive).end()
    with lock.exclusive(lease=60.0):
        assert lock.info()["exclusive"] == 1
    assert Aside(exclusive).end()


def test_semaphore_event_latch(client: interlock.Client) -> None:
    semaphore = client.semaphore(fresh("semaphore"), value=2, bounded=True)
    with semaphore:
        assert semaphore.acquire(timeout=PATIENCE)
        assert not semaphore.acquire(False)
        semaphore.release()
    assert semaphore.get_value() == 2
    with pytest.raises(errors.Overflow):
        semaphore.release()
    event = client.event(fresh("event"))
    assert not event.is_set() and not event.wait(0.01)
    waiting = Aside(lambda: event.wait(PATIENCE))
    event.set()
    assert waiting.end() is True
    latch = client.latch(fresh("latch"), 2)
    assert not latch.wait(0.01)
    waiting = Aside(lambda: latch.wait(PATIENCE))
    assert latch.count_down() == 1 and latch.count_down() == 0
    assert waiting.end() is True and latch.count() == 0


def test_barrier_and_condition(client: interlock.Client) -> None:
    barrier = client.barrier(fresh("barrier"), 2)
    other = Aside(lambda: barrier.wait(PATIENCE))
    assert {barrier.wait(PATIENCE), other.end()} == {0, 1}
    barrier.abort()
    with pytest.raises(errors.Broken):
        barrier.wait(PATIENCE)
    condition = client.condition(fresh("condition"))
    seen: list[int] = []

    def consume() -> bool:
        with condition:
            return bool(condition.wait_for(lambda: seen, PATIENCE))

    consumer = Aside(consume)
    until(lambda: condition.waiters() == 1)
    with condition:
        seen.append(1)
        condition.notify()
    assert consumer.end()
    with condition:
        assert condition.wait_for(lambda: 0, 0.02) == 0


def test_several_at_once(client: interlock.Client) -> None:
    locks = [client.lock(fresh("lock")) for _ in range(3)]
    with client.acquire_all(locks) as tokens:
        assert len(tokens) == 3 and all(lock.locked() for lock in locks)
        with pytest.raises(errors.Timeout):
            client.acquire_all(locks, timeout=0.01)
    assert not any(lock.locked() for lock in locks)
    queue, event = client.queue(fresh("queue")), client.event(fresh("event"))
    with pytest.raises(errors.Timeout):
        client.wait_any([queue, event], timeout=0.01)
    event.set()
    assert client.wait_any([queue, event], PATIENCE) == 1
    queue.put(1)
    assert client.wait_any([queue, event], PATIENCE) == 0


# ---- messages and data ---------------------------------------------------------------------------


def test_queue_carries_json_and_pickles(client: interlock.Client) -> None:
    queue = client.queue(fresh("queue"), maxsize=2)
    for message in ({"a": [1, None]}, b"bytes", "text", 2.5):
        queue.put(message)
        assert queue.get(timeout=PATIENCE) == message
    pickled = client.queue(fresh("queue"), codec="pickle")
    pickled.put({1, 2})
    assert pickled.get() == {1, 2}
    with pytest.raises(ValueError, match="codec"):
        client.queue(fresh("queue"), codec="xml")  # type: ignore[arg-type]
    queue.shut()
    with pytest.raises(errors.Closed):
        queue.put(1)


def test_pipe_has_two_ends(client: interlock.Client) -> None:
    name = fresh("pipe")
    a, b = client.pipe(name, "a"), client.pipe(name, "b")
    a.send([1])
    assert b.poll(PATIENCE) and b.recv(PATIENCE) == [1]
    a.close()
    with pytest.raises(EOFError):
        b.recv(PATIENCE)
    if not is_http(client):
        one, two = client.pipe_pair(codec="pickle")
        one.send((1, 2))
        assert two.recv() == (1, 2)


def test_shared_data(client: interlock.Client) -> None:
    value = client.value(fresh("value"), "i32")
    assert value.add(5) == 0 and value.load() == 5 and value.compare_exchange(5, 6)
    array = client.array(fresh("array"), "f64", 3)
    array[0:2] = [1.5, 2.5]
    assert list(array[:]) == [1.5, 2.5, 0.0]
    entries = client.dict(fresh("dict"))
    entries["a"] = 1
    entries.update(b=2)
    assert entries.copy() == {"a": 1, "b": 2}
    _, version = entries.get_version("a")
    entries.set_version("a", 3, version)
    with pytest.raises(errors.Changed):
        entries.set_version("a", 4, version)
    with pytest.raises(KeyError):
        entries["missing"]
    items = client.list(fresh("list"))
    items.extend([3, 1, 2])
    assert items.copy() == [3, 1, 2] and items.pop() == 2


def test_namespace_has_attributes(client: interlock.Client) -> None:
    name = fresh("namespace")
    space, again = client.namespace(name), client.namespace(name)
    space.colour = "red"
    assert again.colour == "red" and "colour" in again and dir(again) == ["colour"]
    assert repr(again) == "Namespace(colour='red')"
    del again.colour
    with pytest.raises(AttributeError, match="colour"):
        space.colour
    with pytest.raises(AttributeError, match="colour"):
        del space.colour
    with pytest.raises(AttributeError, match="does not begin with _"):
        space._hidden = 1


def test_watch_tells_changes_in_order(client: interlock.Client) -> None:
    entries = client.dict(fresh("dict"))
    entries["seen"] = 0
    with client.watch(entries) as changes:
        entries["a"] = 1
        del entries["a"]
        made, removed = next(changes), changes.next(PATIENCE)
        assert made["key"] == removed["key"] == "a"
        assert removed["id"] == made["id"] + 1
        with pytest.raises(errors.Timeout):
            changes.next(0.01)


# ---- other processes -----------------------------------------------------------------------------

HOLDER = """
import sys, time, interlock
client = interlock.connect("inherited:")
client.lock(sys.argv[1]).acquire()
client.queue(sys.argv[1]).put("held")
time.sleep(60)
"""


def test_a_killed_process_gives_up_what_it_held(client: interlock.Client) -> None:
    name = fresh("lock")
    lock, queue = client.lock(name), client.queue(name)
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    if is_http(client):  # 30 s, until the server has given it up: tested elsewhere
        return
    process = client.process([sys.executable, "-c", HOLDER, name], environment=environment)
    assert queue.get(timeout=PATIENCE) == "held"
    assert not lock.acquire(False)
    process.kill()
    assert process.join(PATIENCE) == -signal.SIGKILL
    assert lock.acquire(timeout=PATIENCE) and lock.owner_died
    lock.release()
    process.close()


# ---- forks ---------------------------------------------------------------------------------------


def test_a_forked_child_shares_a_private_domain_and_holds_nothing() -> None:
    with interlock.connect() as client:
        lock, answers = client.lock("it"), client.queue("answers")
        with lock:
            child = os.fork()
            if child == 0:
                try:
                    answers.put([lock.acquire(False), lock.acquire(timeout=PATIENCE)])
                finally:
                    os._exit(0)
            until(lambda: (lock.owner() or {}).get("waiters", 0) == 1)
        assert answers.get(timeout=PATIENCE) == [False, True]
        assert os.waitpid(child, 0)[1] == 0
        assert lock.acquire(timeout=PATIENCE) and lock.owner_died


def test_a_forked_child_of_a_client_connects_anew(server: Server) -> None:
    for address in (server.unix, server.http):
        with interlock.connect(address) as client:
            queue = client.queue(fresh("queue"))
            queue.put("before")
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    try:
                        queue.get(timeout=PATIENCE)
                    except errors.Forked:
                        with interlock.connect(address) as own:
                            own.queue(queue.name).put("from the child")
                            code = 0
                finally:
                    os._exit(code)
            assert os.waitpid(child, 0)[1] == 0
            assert [queue.get(timeout=PATIENCE) for _ in range(2)] == ["before", "from the child"]
