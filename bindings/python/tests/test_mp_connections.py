"""interlock.multiprocessing.connection: pipes, and waiting for them."""

from __future__ import annotations

import array
import asyncio
import os
import pickle
import select
import selectors
import socket
import time
from typing import Any

import pytest
from mp_children import Child

import interlock.multiprocessing as mp
from interlock import _core
from interlock.multiprocessing import connection

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")

LARGE = 16 * 1024 * 1024 + 100


def test_pipe_one_way_and_both() -> None:
    reader, writer = mp.Pipe(False)
    writer.send({"a": 1})
    assert reader.poll() and reader.recv() == {"a": 1}
    assert not reader.poll() and not reader.poll(0.01) and not reader.poll(-1)
    assert (reader.readable, reader.writable, writer.readable, writer.writable) == (True, False, False, True)
    for call in (reader.send, reader.send_bytes, writer.recv_bytes_into):
        with pytest.raises(OSError, match="connection is"):
            call(b"x")
    for receive in (writer.recv, writer.recv_bytes, writer.poll):
        with pytest.raises(OSError, match="write-only"):
            receive()
    one, other = mp.Pipe()
    other.send(1)
    one.send(2)
    assert (one.recv(), other.recv()) == (1, 2)


def test_messages_are_bytes_whichever_call_sent_them() -> None:
    one, other = mp.Pipe()
    numbers = array.array("i", [1, 2])
    for sent in (b"", b"x", bytes(range(256)), bytearray(b"abc"), memoryview(b"def"), numbers):
        one.send_bytes(sent)
        assert other.recv_bytes() == bytes(sent)
    one.send_bytes(b"abcdefg", 2, 3)
    assert other.recv_bytes() == b"cde"
    for arguments in ((8,), (-1,), (2, 6), (2, -1)):
        with pytest.raises(ValueError):
            one.send_bytes(b"abcdefg", *arguments)
    one.send_bytes(pickle.dumps([1, "two"]))
    assert other.recv() == [1, "two"]
    for obj in (7, "text", [1], b"raw", None, 2.5):
        one.send(obj)
        assert _core.loads(other.recv_bytes()) == obj


def test_receive_into_a_buffer() -> None:
    one, other = mp.Pipe()
    buffer = array.array("i", [0] * 5)
    one.send_bytes(array.array("i", [1, 2]))
    assert other.recv_bytes_into(buffer, 2 * buffer.itemsize) == 2 * buffer.itemsize
    assert list(buffer) == [0, 0, 1, 2, 0]
    one.send_bytes(b"too long for it" * 10)
    with pytest.raises(mp.BufferTooShort) as caught:
        other.recv_bytes_into(bytearray(3))
    assert caught.value.args == (b"too long for it" * 10,)
    one.send_bytes(b"12345")
    with pytest.raises(OSError, match="length"):
        other.recv_bytes(4)
    assert not other.readable


def test_messages_longer_than_the_limit() -> None:
    one, other = mp.Pipe()
    child = Child(lambda child: other.send([other.recv_bytes(), other.recv()]))
    one.send_bytes(b"\x01" * LARGE)
    one.send(["x" * LARGE])
    answer = one.recv()
    assert answer[0] == b"\x01" * LARGE and answer[1] == ["x" * LARGE]
    child.join()


def test_end_of_file_when_every_process_has_closed_an_end() -> None:
    one, other = mp.Pipe()

    def wait(child: Child) -> None:
        one.close()
        assert other.recv() == "end"

    child = Child(wait)
    other.close()
    assert other.closed and not one.closed
    assert not one.poll(0.02)
    one.send("end")
    child.join()
    assert one.poll(20)
    with pytest.raises(EOFError):
        one.recv()
    with pytest.raises(BrokenPipeError) as caught:
        one.send(1)
    assert caught.value.errno == 32
    with one:
        pass
    for call in (one.recv, one.poll, one.fileno):
        with pytest.raises(OSError, match="handle is closed"):
            call()
    with pytest.raises(OSError, match="handle is closed"):
        one.send(1)
    one.close()


def test_end_of_file_when_the_other_process_is_killed() -> None:
    one, other = mp.Pipe()

    def stay(child: Child) -> None:
        one.close()
        child.say()
        time.sleep(60)

    child = Child(stay)
    child.said()
    other.close()
    child.kill()
    with pytest.raises(EOFError):
        one.recv_bytes()


def test_connection_in_a_message_stays_open_until_it_was_taken() -> None:
    one, other = mp.Pipe()

    def use(child: Child) -> None:
        one.close()
        taken = other.recv()
        taken.send("through it")

    child = Child(use)
    other.close()
    reader, writer = mp.Pipe(False)
    one.send(writer)
    writer.close()
    assert reader.recv() == "through it"
    child.join()
    with pytest.raises(EOFError):
        reader.recv()
    reader.close()
    one.close()


def test_descriptor_of_a_pipe_shows_when_there_is_something() -> None:
    one, other = mp.Pipe()
    assert select.select([one], [], [], 0)[0] == []
    other.send(1)
    other.send(2)
    with selectors.EpollSelector() as selector:
        selector.register(one, selectors.EVENT_READ)
        for expected in (1, 2):
            assert selector.select(20)
            assert one.recv() == expected
        assert not selector.select(0.02)
        other.send_bytes(b"3")
        assert selector.select(20)
        assert one.recv_bytes() == b"3"
        assert not selector.select(0.02)
        other.close()
        assert selector.select(20)

    def use(child: Child) -> None:
        mine, theirs = mp.Pipe()
        theirs.send(1)
        assert select.select([mine, one], [], [], 20)[0] == [mine, one]

    Child(use).join()


def test_event_loop_reads_from_a_pipe() -> None:
    one, other = mp.Pipe()

    async def collect() -> Any:
        loop = asyncio.get_running_loop()
        got: Any = []
        done = loop.create_future()

        def receive() -> None:
            got.append(one.recv())
            if len(got) == 3:
                done.set_result(got)

        loop.add_reader(one.fileno(), receive)
        for item in range(3):
            other.send(item)
            await asyncio.sleep(0)
        return await asyncio.wait_for(done, 20)

    assert asyncio.run(collect()) == [0, 1, 2]


def test_wait_for_pipes_queues_sockets_and_descriptors() -> None:
    one, other = mp.Pipe()
    items = mp.SimpleQueue()
    mine, theirs = socket.socketpair()
    read, write = os.pipe()
    everything: Any = [one, items._reader, mine, read]
    with mine, theirs:
        assert connection.wait(everything, 0.02) == []
        assert connection.wait(everything, -1) == []
        assert connection.wait([one], 0.02) == []
        child = Child(lambda child: (other.send(1), None)[1])
        assert connection.wait(everything, 20) == [one]
        child.join()
        Child(lambda child: (os.write(write, b"x"), None)[1]).join()
        assert connection.wait(everything, 20) == [one, read]
        theirs.send(b"x")
        items.put(1)
        assert connection.wait(everything) == everything
        assert connection.wait([one, items._reader]) == [one, items._reader]
    os.close(read)
    os.close(write)
    one.close()
    with pytest.raises(OSError, match="handle is closed"):
        connection.wait([one])


def test_wait_for_more_pipes_than_one_wait_takes() -> None:
    pipes = [mp.Pipe(False) for _ in range(70)]
    readers = [reader for reader, _ in pipes]
    child = Child(lambda child: pipes[69][1].send(1))
    assert connection.wait(readers, 20) == [readers[69]]
    child.join()
