"""Managers: objects that any number of processes share, as in multiprocessing.managers.

What a SyncManager makes is in the arena of the processes' domain, and a call of it is a function call;
objects of classes that programs register live in the manager's process and are asked over connections.
"""

# flake8: noqa: F401

from __future__ import annotations

import array
from typing import Any

from .. import pool as pool
from .. import reduction as reduction
from .. import shared_memory as shared_memory
from .base import BaseManager as BaseManager
from .life import Life as Life
from .memory import SharedMemoryManager as SharedMemoryManager
from .memory import SharedMemoryServer as SharedMemoryServer
from .messages import ManagerDied as ManagerDied
from .messages import RemoteError as RemoteError
from .messages import Token as Token
from .messages import convert_to_error as convert_to_error
from .messages import dispatch as dispatch
from .proxy import AutoProxy as AutoProxy
from .proxy import BaseProxy as BaseProxy
from .proxy import MakeProxyType as MakeProxyType
from .proxy import ProcessLocalSet as ProcessLocalSet
from .proxy import RebuildProxy as RebuildProxy
from .remote import AcquirerProxy as AcquirerProxy
from .remote import ArrayProxy as ArrayProxy
from .remote import BarrierProxy as BarrierProxy
from .remote import BaseListProxy as BaseListProxy
from .remote import BasePoolProxy as BasePoolProxy
from .remote import ConditionProxy as ConditionProxy
from .remote import DictProxy as DictProxy
from .remote import EventProxy as EventProxy
from .remote import IteratorProxy as IteratorProxy
from .remote import ListProxy as ListProxy
from .remote import Namespace as Namespace
from .remote import NamespaceProxy as NamespaceProxy
from .remote import PoolProxy as PoolProxy
from .remote import Value as Value
from .remote import ValueProxy as ValueProxy
from .remote import make_array as Array
from .server import Server as Server
from .server import all_methods as all_methods
from .server import public_methods as public_methods
from .state import State as State
from .sync_manager import SyncManager as SyncManager

__all__ = ["BaseManager", "SyncManager", "BaseProxy", "Token", "SharedMemoryManager"]


def reduce_array(a: array.array[Any]) -> Any:
    return array.array, (a.typecode, a.tobytes())


def rebuild_as_list(obj: Any) -> Any:
    return list, (list(obj),)


reduction.register(array.array, reduce_array)
_empty: dict[Any, Any] = {}
for _view in (type(_empty.keys()), type(_empty.values()), type(_empty.items())):
    reduction.register(_view, rebuild_as_list)
