"""Proxies of objects that live in a manager's server: each call is a request to it."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Any, Callable

from ... import threading
from .. import process, util
from ..context import get_spawning_popen
from .life import LOOK_SECONDS
from .messages import GETVALUE, PROXY, RETURN, ManagerDied, Token, convert_to_error, dispatch
from .server import clients_of
from .state import State

__all__ = ["AutoProxy", "BaseProxy", "MakeProxyType", "ProcessLocalSet", "RebuildProxy"]


class ProcessLocalSet(set[Any]):
    """A set that is empty in a forked child."""

    def __init__(self) -> None:
        super().__init__()
        util.register_after_fork(self, lambda obj: obj.clear())

    def __reduce__(self) -> Any:
        return type(self), ()


class BaseProxy:
    """Stands for the object TOKEN of a server, and keeps it alive there.

    Subclasses call ``_callmethod(name, args, kwds)``. ManagerDied: the server has ended.
    """

    # server address -> (connections of this process's threads, the idents this process refers to)
    _address_to_local: dict[Any, tuple[Any, ProcessLocalSet]] = {}
    _mutex = util.ForkAwareThreadLock()

    def __init__(self, token: Token, serializer: str, manager: Any = None, authkey: bytes | None = None,
                 exposed: Any = None, incref: bool = True, manager_owned: bool = False) -> None:
        with BaseProxy._mutex:
            local = BaseProxy._address_to_local.get(token.address)
            if local is None:
                local = util.ForkAwareLocal(), ProcessLocalSet()
                BaseProxy._address_to_local[token.address] = local
        self._tls: Any = local[0]
        self._idset = local[1]
        self._token: Any = token
        self._id: Any = token.id
        self._manager = manager
        self._serializer = serializer
        self._Client = clients_of(serializer)[1]
        # in the server itself a proxy does not count: the server keeps the object anyhow
        self._owned_by_manager = manager_owned
        if authkey is None:
            authkey = manager._authkey if manager is not None else process.current_process().authkey
        self._authkey = process.AuthenticationString(authkey)
        if incref:
            self._incref()
        util.register_after_fork(self, BaseProxy._after_fork)

    # ---- calls

    def _connect(self) -> Any:
        name = process.current_process().name
        thread = threading.current_thread().name
        if thread != "MainThread":
            name += f"|{thread}"
        conn = self._Client(self._token.address, authkey=self._authkey)
        dispatch(conn, None, "accept_connection", (name,))
        self._tls.connection = conn
        return conn

    def _callmethod(self, methodname: str, args: Any = (), kwds: Any = {}) -> Any:
        """Calls a method of the object; returns a copy of its result, or a proxy where the manager's
        method_to_typeid says so."""
        try:
            conn = getattr(self._tls, "connection", None) or self._connect()
            conn.send((self._id, methodname, args, kwds))
            kind, result = self._receive(conn)
        except (EOFError, ConnectionError, FileNotFoundError) as error:
            raise self._died() from error
        if kind == RETURN:
            return result
        if kind == PROXY:
            return self._proxy_of(*result)
        raise convert_to_error(kind, result)

    def _receive(self, conn: Any) -> Any:
        """The answer. Looks whether the manager lives meanwhile: processes that it forked may hold its
        end of the connection open after its death."""
        life = getattr(self._manager, "_life", None)
        if life is not None:
            while not conn.poll(LOOK_SECONDS):
                if not life.alive() and not conn.poll(0):
                    raise EOFError
        return conn.recv()

    def _died(self) -> ManagerDied:
        conn = self._tls.__dict__.pop("connection", None)
        if conn is not None:
            conn.close()
        return ManagerDied(f"the manager at {self._token.address!r} has ended, and its "
                           f"{self._token.typeid!r} object with it")

    def _proxy_of(self, exposed: Any, token: Token) -> Any:
        if self._manager is None:
            raise TypeError(f"a {token.typeid!r} is returned only where the manager was made or connected")
        token.address = self._token.address
        proxytype = self._manager._registry[token.typeid][-1]
        proxy = proxytype(token, self._serializer, manager=self._manager, authkey=self._authkey,
                          exposed=exposed)
        _request(self._Client, token.address, self._authkey, "decref", (token.id,))
        return proxy

    def _getvalue(self) -> Any:
        """A copy of the object."""
        return self._callmethod(GETVALUE)

    # ---- the reference that it counts as

    def _incref(self) -> None:
        if self._owned_by_manager:
            return
        try:
            _request(self._Client, self._token.address, self._authkey, "incref", (self._id,))
        except (EOFError, ConnectionError, FileNotFoundError) as error:
            raise self._died() from error
        self._idset.add(self._id)
        state = self._manager and self._manager._state
        self._close = util.Finalize(
            self, BaseProxy._decref, exitpriority=10,
            args=(self._token, self._authkey, state, self._tls, self._idset, self._Client))

    @staticmethod
    def _decref(token: Token, authkey: bytes, state: Any, tls: Any, idset: set[Any], client: Any) -> None:
        idset.discard(token.id)
        if state is None or state.value == State.STARTED:
            try:
                _request(client, token.address, authkey, "decref", (token.id,))
            except Exception as error:
                util.debug("... decref failed %s", error)
        if not idset and hasattr(tls, "connection"):
            # this process has nothing of that manager any more
            tls.connection.close()
            del tls.connection

    def _after_fork(self) -> None:
        self._manager = None
        try:
            self._incref()
        except Exception as error:
            util.info("incref failed: %s", error)  # the manager may have been shut down

    # ---- as an object

    def __reduce__(self) -> Any:
        kwds: dict[str, Any] = {}
        if get_spawning_popen() is not None:
            kwds["authkey"] = self._authkey
        make: Any = type(self)
        if getattr(self, "_isauto", False):
            kwds["exposed"] = self._exposed_  # type: ignore[attr-defined]
            make = AutoProxy
        return RebuildProxy, (make, self._token, self._serializer, kwds)

    def __deepcopy__(self, memo: Any) -> Any:
        return self._getvalue()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object, typeid {self._token.typeid!r} at {id(self):#x}>"

    def __str__(self) -> str:
        """The object's own representation."""
        try:
            return str(self._callmethod("__repr__"))
        except Exception:
            return repr(self)[:-1] + "; '__str__()' failed>"


def _request(client: Any, address: Any, authkey: Any, name: str, args: tuple[Any, ...] = ()) -> Any:
    """One request to the server itself, over a connection of its own."""
    with closing(client(address, authkey=authkey)) as conn:
        return dispatch(conn, None, name, args)


def RebuildProxy(func: Callable[..., Any], token: Token, serializer: str, kwds: dict[str, Any]) -> Any:
    """A proxy from its pickle."""
    here = process.current_process()
    server = getattr(here, "_manager_server", None)
    if server is not None and server.address == token.address:
        kwds["manager_owned"] = True
        server.id_to_local_proxy_obj.setdefault(token.id, server.id_to_obj.get(token.id))
    incref = kwds.pop("incref", True) and not getattr(here, "_inheriting", False)
    return func(token, serializer, incref=incref, **kwds)


def _forward(name: str) -> Callable[..., Any]:
    def method(self: Any, /, *args: Any, **kwds: Any) -> Any:
        return self._callmethod(name, args, kwds)

    method.__name__ = name
    return method


def MakeProxyType(name: str, exposed: Any, _cache: dict[Any, type] = {}) -> Any:
    """A subclass of BaseProxy with the methods EXPOSED; the same class for the same arguments.

    It belongs to the module that calls, where a process that is spawned will look for it."""
    exposed = tuple(exposed)
    made = _cache.get((name, exposed))
    if made is None:
        methods = {method: _forward(method) for method in exposed}
        module = sys._getframe(1).f_globals["__name__"]
        made = type(name, (BaseProxy,), {**methods, "_exposed_": exposed, "__module__": module})
        _cache[name, exposed] = made
    return made


def AutoProxy(token: Token, serializer: str, manager: Any = None, authkey: bytes | None = None,
              exposed: Any = None, incref: bool = True, manager_owned: bool = False) -> Any:
    """A proxy with all methods that the server exposes of the object TOKEN."""
    client = clients_of(serializer)[1]
    if exposed is None:
        exposed = _request(client, token.address, authkey, "get_methods", (token,))
    if authkey is None:
        authkey = manager._authkey if manager is not None else process.current_process().authkey
    proxy = MakeProxyType(f"AutoProxy[{token.typeid!s}]", exposed)(
        token, serializer, manager=manager, authkey=authkey, incref=incref, manager_owned=manager_owned)
    proxy._isauto = True
    return proxy
