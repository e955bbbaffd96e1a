"""interlock.multiprocessing.connection: listeners and clients, and what is sent to other processes."""

from __future__ import annotations

import multiprocessing.connection as standard
import socket
from typing import Any

import pytest
from mp_children import Child

import interlock.multiprocessing as mp
from interlock.multiprocessing import connection, resource_sharer

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")


@pytest.mark.parametrize("family", connection.families)
def test_listener_and_client(family: str) -> None:
    with connection.Listener(family=family, authkey=b"key") as listener:
        def connect(child: Child) -> None:
            with connection.Client(listener.address, authkey=b"key") as client:
                client.send([1, "two"])
                client.send_bytes(bytes(100000))
                assert client.recv_bytes() == bytes(20_000_000)

        child = Child(connect)
        with listener.accept() as accepted:
            assert accepted.poll(20) and accepted.recv() == [1, "two"]
            assert accepted.recv_bytes() == bytes(100000)
            accepted.send_bytes(bytes(20_000_000))
            child.join()
            with pytest.raises(EOFError):
                accepted.recv()
    with pytest.raises(OSError, match="closed"):
        listener.accept()


def test_the_wrong_key_is_refused() -> None:
    with connection.Listener(authkey=b"key") as listener:
        def connect(child: Child) -> None:
            with pytest.raises(mp.AuthenticationError):
                connection.Client(listener.address, authkey=b"another")

        child = Child(connect)
        with pytest.raises(mp.AuthenticationError):
            listener.accept()
        child.join()


def test_the_standard_librarys_client_and_listener() -> None:
    with connection.Listener(authkey=b"key") as listener:
        def connect(child: Child) -> None:
            with standard.Client(listener.address, authkey=b"key") as client:
                client.send({"from": "standard"})
                assert client.recv() == "answer"

        child = Child(connect)
        with listener.accept() as accepted:
            assert accepted.recv() == {"from": "standard"}
            accepted.send("answer")
        child.join()
    with standard.Listener(authkey=b"key") as other:
        def connect_ours(child: Child) -> None:
            with connection.Client(other.address, authkey=b"key") as client:
                client.send(1)

        child = Child(connect_ours)
        with other.accept() as accepted:
            assert accepted.recv() == 1
        child.join()


def test_addresses() -> None:
    assert connection.address_type(("host", 1)) == "AF_INET"
    assert connection.address_type("/path") == connection.address_type("\0name") == "AF_UNIX"
    for wrong in (3, None):
        with pytest.raises((ValueError, TypeError)):
            connection.address_type(wrong)
    with pytest.raises(ValueError):
        connection.Listener(r"\\.\pipe")
    with pytest.raises(TypeError):
        wrong_key: Any = "text"
        connection.Listener(authkey=wrong_key)
    with pytest.raises(ValueError, match="handle"):
        connection.Connection(-1)


def test_socket_connections_and_sockets_are_sent_in_messages() -> None:
    one, other = mp.Pipe()

    def use(child: Child) -> None:
        one.close()
        taken, plain = other.recv()
        taken.send(plain.recv(10))
        plain.close()
        taken.close()

    child = Child(use)
    with connection.Listener() as listener, connection.Client(listener.address) as client:
        mine, theirs = socket.socketpair()
        with listener.accept() as accepted, mine, theirs:
            one.send((accepted, theirs))
            mine.send(b"hello")
            assert client.recv() == b"hello"
            child.join()
    resource_sharer.stop(20)
    resource_sharer.stop(20)
