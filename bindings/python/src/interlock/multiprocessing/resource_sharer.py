"""Descriptors for other processes of the family: who unpickles a DupFd fetches it from the sender.

A thread of the sender, started with the first one, hands each out once, over a Unix socket and to those that
know the family's key. What is not fetched is closed when the process ends; stop() ends the thread before.
"""

from __future__ import annotations

import os
import signal
from itertools import count
from typing import Any, Dict, Optional, Tuple

from .. import threading
from . import process, reduction, util

__all__ = ["stop", "DupFd"]

Ticket = Tuple[Any, int]  # the sender's address, and which of its descriptors


def _connect(address: Any) -> Any:
    from .connection import Client
    return Client(address, authkey=bytes(process.current_process().authkey))


class _ResourceSharer:
    """What this process has on offer."""

    def __init__(self) -> None:
        self._begin()
        util.register_after_fork(self, _ResourceSharer._forget)

    def _begin(self) -> None:
        self._offers: Dict[int, int] = {}
        self._keys = count(1)
        self._lock = threading.Lock()
        self._listener: Any = None
        self._thread: Optional[threading.Thread] = None

    def _forget(self) -> None:
        """In a forked child: the offers are its parent's."""
        offers, listener = self._offers, self._listener
        self._begin()
        for descriptor in offers.values():
            os.close(descriptor)
        if listener is not None:
            listener.close()

    def register(self, descriptor: int) -> Ticket:
        """Offers DESCRIPTOR, which belongs to the sharer from now on."""
        with self._lock:
            address = self._start() if self._listener is None else self._listener.address
            key = next(self._keys)
            self._offers[key] = descriptor
            return address, key

    def _start(self) -> Any:
        from .connection import Listener
        self._listener = Listener(authkey=bytes(process.current_process().authkey), backlog=128)
        self._thread = threading.Thread(target=self._serve, args=(self._listener,), daemon=True)
        self._thread.start()
        return self._listener.address

    def _serve(self, listener: Any) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            try:
                with listener.accept() as client:
                    key, pid = client.recv()
                    if key is None:
                        return
                    self._hand_out(client, key, pid)
            except Exception as error:
                if listener is not self._listener:
                    return
                util.sub_warning("a descriptor was not handed out: %s", error)

    def _hand_out(self, client: Any, key: int, pid: int) -> None:
        descriptor = self._offers.pop(key)
        try:
            reduction.send_handle(client, descriptor, pid)
        finally:
            os.close(descriptor)

    def stop(self, timeout: Optional[float] = None) -> None:
        """Ends the thread, waiting TIMEOUT seconds at most, and takes back what was not fetched."""
        with self._lock:
            if self._thread is None:
                return
            with _connect(self._listener.address) as client:
                client.send((None, None))
            self._thread.join(timeout)
            if self._thread.is_alive():
                util.sub_warning("the thread that hands out descriptors did not end in time")
            listener, self._listener, self._thread = self._listener, None, None
            listener.close()
            while self._offers:
                os.close(self._offers.popitem()[1])


_resource_sharer = _ResourceSharer()
stop = _resource_sharer.stop


class DupFd:
    """A copy of FD that can be pickled once, and unpickled once in another process."""

    def __init__(self, fd: int) -> None:
        self._ticket = _resource_sharer.register(os.dup(fd))

    def detach(self) -> int:
        """The descriptor, which belongs to the caller then."""
        address, key = self._ticket
        with _connect(address) as client:
            client.send((key, os.getpid()))
            return reduction.recv_handle(client)
