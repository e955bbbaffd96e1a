"""SyncManager: the objects of threading and queue, containers, and pools."""

from __future__ import annotations

from typing import Any, Callable

from ... import queue, threading
from . import containers, queues, remote, sync
from .base import BaseManager
from .life import Life
from .state import State

__all__ = ["SyncManager"]


class SyncManager(BaseManager):
    """``dict()``, ``list()``, ``Lock()`` ... are objects of the domain that this process shares with the
    manager's, so their calls need no request. Where it shares none (the manager runs on another machine,
    or was started by a program of its own), and for ``Pool()``, they live in the manager's process.
    """

    def _shared_life(self) -> Life | None:
        """The manager's life, if the domain's objects can be used."""
        assert self._state.value == State.STARTED, "server not yet started"
        if self._life is not None:
            self._life.check()
        return self._life

    def _number_of_objects(self) -> int:
        """How many objects of the manager live, as far as its process and this one know."""
        return super()._number_of_objects() + len(self._mine())

    def _debug_info(self) -> Any:
        """Text about them."""
        mine = (f"  {proxy._id}:       shared\n    {str(proxy)[:75]}" for proxy in self._mine())
        return "\n".join(filter(None, [super()._debug_info(), *mine]))

    def _mine(self) -> list[Any]:
        return [] if self._life is None else self._life.proxies()


def _register(typeid: str, make_remote: Callable[..., Any], proxytype: Any,
              make_shared: Callable[..., Any]) -> None:
    """A type whose objects are the domain's where the domain is shared."""
    SyncManager.register(typeid, make_remote, proxytype)
    request: Any = getattr(SyncManager, typeid)

    def make(self: SyncManager, /, *args: Any, **kwds: Any) -> Any:
        life = self._shared_life()
        if life is None:
            return request(self, *args, **kwds)
        proxy = make_shared(*args, **kwds)
        proxy._join(life, typeid, self)
        return proxy

    make.__name__ = typeid
    setattr(SyncManager, typeid, make)


def _make_pool(*args: Any, **kwds: Any) -> Any:
    from .. import pool
    return pool.Pool(*args, **kwds)


_register("Queue", queue.Queue, None, queues.SharedQueue._make)
_register("JoinableQueue", queue.Queue, None, queues.SharedQueue._make)
_register("Event", threading.Event, remote.EventProxy, sync.SharedEvent._make)
_register("Lock", threading.Lock, remote.AcquirerProxy, sync.SharedLock._make)
_register("RLock", threading.RLock, remote.AcquirerProxy, sync.SharedRLock._make)
_register("Semaphore", threading.Semaphore, remote.AcquirerProxy, sync.SharedSemaphore._make)
_register("BoundedSemaphore", threading.BoundedSemaphore, remote.AcquirerProxy,
          sync.SharedSemaphore._make_bounded)
_register("Condition", threading.Condition, remote.ConditionProxy, sync.SharedCondition._make)
_register("Barrier", threading.Barrier, remote.BarrierProxy, sync.SharedBarrier._make)
_register("list", list, remote.ListProxy, containers.SharedList._make)
_register("dict", dict, remote.DictProxy, containers.SharedDict._make)
_register("Value", remote.Value, remote.ValueProxy, containers.SharedValue._make)
_register("Array", remote.make_array, remote.ArrayProxy, containers.SharedArray._make)
_register("Namespace", remote.Namespace, remote.NamespaceProxy, containers.SharedNamespace._make)
SyncManager.register("Pool", _make_pool, remote.PoolProxy)
# what methods of a pool's or a dict's proxy return
SyncManager.register("Iterator", proxytype=remote.IteratorProxy, create_method=False)
SyncManager.register("AsyncResult", create_method=False)
