"""interlock.aio: the same for coroutines, and what becomes of waits that are cancelled."""

from __future__ import annotations

import asyncio
import gc
import queue
import time
from pathlib import Path
from typing import Any, Awaitable, Callable, Coroutine, Iterator

import pytest

import interlock
from interlock import aio, errors
from native_support import DOORS, PATIENCE, Server, address_of, fresh, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    yield from serving()


Test = Callable[[aio.Client], Coroutine[Any, Any, None]]


@pytest.fixture(params=DOORS)
def run(request: pytest.FixtureRequest, server: Server) -> Callable[[Test], None]:
    address = address_of(request.param, server)

    async def main(test: Test) -> None:
        async with aio.connect(address, label="tests") as client:
            await asyncio.wait_for(test(client), PATIENCE)
            left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            assert not left, left

    def go(test: Test) -> None:
        asyncio.run(main(test), debug=True)
        gc.collect()

    return go


async def cancelled(waiting: Awaitable[Any]) -> None:
    """Lets WAITING begin to wait, and cancels it."""
    task = asyncio.ensure_future(waiting)
    await asyncio.sleep(0.03)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_connect_is_awaited_or_entered(server: Server) -> None:
    async def main() -> None:
        for address in ("private:", server.unix, server.http):
            client = await aio.connect(address)
            assert client.address == address and not client.closed and address in repr(client)
            await client.close()
            await client.close()
            assert client.closed
        with pytest.raises(errors.InterlockError):
            await aio.connect("unix:/nonexistent/socket")
        async with aio.connect() as client:
            assert (await client.info())["clients"] == 1

    asyncio.run(main())


def test_lock(run: Callable[[Test], None]) -> None:
    async def test(client: aio.Client) -> None:
        lock = client.lock(fresh("lock"), fair=True)
        async with lock as token:
            assert await lock.locked()
            await lock.check(token)
            assert not await lock.acquire(0) and not await lock.acquire(0.02)
            waiting = asyncio.ensure_future(lock.acquire())
            await asyncio.sleep(0.01)
            assert not waiting.done()
        assert await waiting
        assert lock.token == token + 1
        await lock.renew(60.0, lock.token)
        await lock.release(lock.token)
        with pytest.raises(errors.NotHeld):
            await lock.release()
        async with lock.leased(60.0) as token:
            await lock.check(token)
            with pytest.raises(errors.Timeout):
                async with lock.leased(1.0, timeout=0.01):
                    pass
        assert not await lock.locked()

    run(test)


def test_a_cancelled_wait_for_a_lock_gets_nothing(run: Callable[[Test], None]) -> None:
    async def test(client: aio.Client) -> None:
        lock = client.lock(fresh("lock"))
        async with lock:
            await cancelled(lock.acquire())
        assert not await lock.locked()
        # at the moment of the grant
        for delay in (0.0, 0.0005, 0.001, 0.002, 0.004):
            await lock.acquire()
            waiting = asyncio.ensure_future(lock.acquire())
            await asyncio.sleep(0.005)
            await lock.release()
            await asyncio.sleep(delay)
            waiting.cancel()
            result = await asyncio.gather(waiting, return_exceptions=True)
            if result[0] is True:
                await lock.release()
            assert await lock.acquire(PATIENCE), "a grant was lost"
            await lock.release()

    run(test)


def test_semaphore_event_latch_barrier(run: Callable[[Test], None]) -> None:
    async def test(client: aio.Client) -> None:
        semaphore = client.semaphore(fresh("semaphore"), value=1)
        async with semaphore:
            await cancelled(semaphore.acquire())
            assert await semaphore.get_value() == 0
        assert await semaphore.get_value() == 1
        event = client.event(fresh("event"))
        assert not await event.wait(0.01)
        await cancelled(event.wait())
        waiting = [asyncio.ensure_future(event.wait()) for _ in range(5)]
        await event.set()
        assert await asyncio.gather(*waiting) == [True] * 5
        await event.clear()
        assert not await event.is_set()
        latch = client.latch(fresh("latch"), 2)
        opened = asyncio.ensure_future(latch.wait())
        assert await latch.count_down() == 1 and not await latch.wait(0.01)
        assert await latch.count_down() == 0 and await opened and await latch.count() == 0
        barrier = client.barrier(fresh("barrier"), 3)
        met = await asyncio.gather(*[barrier.wait(PATIENCE) for _ in range(3)])
        assert sorted(met) == [0, 1, 2]
        await cancelled(barrier.wait())
        assert await barrier.broken()
        await barrier.reset()
        await barrier.abort()
        with pytest.raises(errors.Broken):
            await barrier.wait()

    run(test)


def test_queue(run: Callable[[Test], None]) -> None:
    async def test(client: aio.Client) -> None:
        messages = client.queue(fresh("queue"), maxsize=2)
        with pytest.raises(queue.Empty):
            await messages.get(0)
        with pytest.raises(queue.Empty):
            await messages.get(0.02)
        getting = asyncio.ensure_future(messages.get())
        await asyncio.sleep(0.01)
        await messages.put({"n": 1})
        assert await getting == {"n": 1}
        await messages.put(1)
        await messages.put(2)
        with pytest.raises(queue.Full):
            await messages.put(3, 0.02)
        putting = asyncio.ensure_future(messages.put(3))
        await asyncio.sleep(0.02)
        assert not putting.done() and await messages.qsize() == 2
        assert [await messages.get() for _ in range(3)] == [1, 2, 3]
        await putting
        await messages.shut()
        with pytest.raises(errors.Closed):
            await messages.get()
        pickled = client.queue(fresh("queue"), codec="pickle")
        await pickled.put({1})
        assert await pickled.get() == {1}

    run(test)


def test_no_message_is_lost_by_cancelled_gets(run: Callable[[Test], None]) -> None:
    count = 60

    async def test(client: aio.Client) -> None:
        messages = client.queue(fresh("queue"))
        got: list[int] = []

        async def hasty() -> None:
            while len(got) < count:
                waiting = asyncio.ensure_future(messages.get(PATIENCE))
                await asyncio.wait([waiting], timeout=0.0005 * (len(got) % 4))
                waiting.cancel()
                result = (await asyncio.gather(waiting, return_exceptions=True))[0]
                if isinstance(result, int):
                    got.append(result)
                else:
                    assert isinstance(result, asyncio.CancelledError), result
                await asyncio.sleep(0.0002)

        taking = asyncio.ensure_future(hasty())
        for n in range(count):
            await messages.put(n)
            await asyncio.sleep(0.001)
        await taking
        assert sorted(got) == list(range(count))

    run(test)


def test_messages_of_cancelled_gets_return_at_the_close() -> None:
    async def main() -> None:
        async with aio.connect() as client:
            messages = client.queue("it")
            messages._kept.append("taken")  # as a cancelled get() over HTTP leaves it
            assert await messages.qsize() == 1
            await messages.close()
            assert await client.queue("it").get(PATIENCE) == "taken"

    asyncio.run(main())


def test_pipe(run: Callable[[Test], None]) -> None:
    async def test(client: aio.Client) -> None:
        name = fresh("pipe")
        async with client.pipe(name, "a") as a:
            b = client.pipe(name, "b", max_bytes=0)
            receiving = asyncio.ensure_future(b.recv())
            await asyncio.sleep(0.01)
            await a.send([1, 2])
            assert await receiving == [1, 2]
            assert not await b.poll() and not await b.poll(0.01)
            await cancelled(b.recv())
            await b.send("back")
            assert await a.poll(PATIENCE) and await a.recv(PATIENCE) == "back"
            with pytest.raises(errors.Timeout):
                await a.recv(0.01)
        with pytest.raises(EOFError):
            await b.recv(PATIENCE)
        await b.close()

    run(test)


def test_data(run: Callable[[Test], None]) -> None:
    async def test(client: aio.Client) -> None:
        value = client.value(fresh("value"), "i64")
        assert await value.add(2) == 0 and await value.load() == 2
        assert await value.compare_exchange(2, 3) and await value.exchange(4) == 3
        await value.store(9)
        assert await value.type() == "i64" and await value.load() == 9
        array = client.array(fresh("array"), "u8", 3)
        await array.set(0, 7)
        assert await array.add(0, 1) == 7 and await array.length() == 3
        assert list(await array.get(slice(None))) == [8, 0, 0]
        entries = client.dict(fresh("dict"))
        await entries.set("a", 1)
        await entries.update(b=2)
        assert await entries.contains("a") and await entries.length() == 2
        assert sorted(await entries.items()) == [("a", 1), ("b", 2)]
        _, version = await entries.get_version("a")
        with pytest.raises(errors.Changed):
            await entries.set_version("a", 5, version + 1)
        assert await entries.pop("a") == 1 and await entries.pop("a", None) is None
        with pytest.raises(KeyError):
            await entries.pop("a")
        with pytest.raises(KeyError):
            await entries.delete_key("a")
        assert await entries.get("a", "no") == "no" and await entries.setdefault("c", 3) == 3
        await entries.clear()
        assert await entries.keys() == []
        items = client.list(fresh("list"))
        await items.extend([1, 2, 3])
        await items.append(4)
        await items.insert(0, 0)
        await items.set(1, "one")
        await items.delete_at(0)
        assert await items.copy() == ["one", 2, 3, 4] and await items.index(3) == 2
        assert await items.pop() == 4 and await items.contains(3) and await items.get(0) == "one"
        await items.remove(2)
        assert await items.length() == 2

    run(test)


def test_watch_and_wait_any(run: Callable[[Test], None]) -> None:
    async def test(client: aio.Client) -> None:
        entries = client.dict(fresh("dict"))
        await entries.set("seen", 0)
        async with client.watch(entries) as changes:
            with pytest.raises(errors.Timeout):
                await changes.next(0.05)
            await cancelled(changes.next())
            await entries.set("a", 1)
            async for change in changes:
                assert change["key"] == "a"
                break
        lock, messages = client.lock(fresh("lock")), client.queue(fresh("queue"))
        await lock.acquire()
        with pytest.raises(errors.Timeout):
            await client.wait_any([lock, messages], 0.01)
        waiting = asyncio.ensure_future(client.wait_any([lock, messages]))
        await messages.put(1)
        assert await waiting == 1
        assert await messages.get() == 1
        waiting = asyncio.ensure_future(client.wait_any([lock, messages]))
        await asyncio.sleep(0.01)
        before = lock.token
        await lock.release()
        assert await waiting == 0 and lock.token > before
        await lock.release(lock.token)

    run(test)


def test_losses(run: Callable[[Test], None]) -> None:
    async def test(client: aio.Client) -> None:
        lock = client.lock(fresh("lock"))
        await lock.acquire()
        await lock.renew(0.01, lock.token)
        async for loss in client.losses(PATIENCE):
            assert loss == interlock.Loss("lock", lock.name, lock.token, "lease_lost", "")
            break
        assert [loss async for loss in client.losses(0.01)] == []

    run(test)


def test_the_loop_is_never_held_up(run: Callable[[Test], None]) -> None:
    async def test(client: aio.Client) -> None:
        lock, messages = client.lock(fresh("lock")), client.queue(fresh("queue"), maxsize=1)
        barrier = client.barrier(fresh("barrier"), 2)
        await lock.acquire()
        await messages.put(1)
        waits = [lock.acquire(0.3), messages.put(2, 0.3), client.event(fresh("event")).wait(0.3),
                 client.queue(fresh("queue")).get(0.3), barrier.wait(0.3)]
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        longest, turns = 0.0, 0
        while not all(task.done() for task in tasks):
            began = time.monotonic()
            await asyncio.sleep(0.005)
            longest, turns = max(longest, time.monotonic() - began), turns + 1
        assert turns > 10 and longest < 0.25
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert results[0] is False and results[2] is False
        assert isinstance(results[1], queue.Full) and isinstance(results[3], queue.Empty)
        assert isinstance(results[4], errors.Broken)
        await lock.release()

    run(test)


def test_many_wait_at_once(run: Callable[[Test], None]) -> None:
    async def test(client: aio.Client) -> None:
        event = client.event(fresh("event"))
        waits = [asyncio.ensure_future(event.wait()) for _ in range(60)]
        await asyncio.sleep(0.01)
        await event.set()
        assert all(await asyncio.gather(*waits))

    run(test)


def test_waits_leave_neither_descriptors_nor_objects(server: Server) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def some(client: aio.Client) -> None:
        lock, messages = client.lock("it"), client.queue("it", maxsize=1)
        async with lock:
            await cancelled(lock.acquire())
            assert not await lock.acquire(0.001)
        await cancelled(messages.get())
        await messages.put(1)
        await cancelled(messages.put(2))
        assert await messages.get() == 1
        await lock.close()
        await messages.close()

    async def main(address: str) -> None:
        async with aio.connect(address) as client:
            await some(client)
            gc.collect()
            info = (await client.info())["handles"] if address != server.http else 0
            before = descriptors()
            for _ in range(5):
                await some(client)
            gc.collect()
            assert descriptors() <= before + (5 if address == server.http else 0)  # kept connections
            if address != server.http:
                assert (await client.info())["handles"] == info

    for address in ("private:", server.unix, server.http):
        asyncio.run(main(address))
