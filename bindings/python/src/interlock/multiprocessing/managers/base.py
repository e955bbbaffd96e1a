"""BaseManager: starts or finds a server, and makes objects in it."""

from __future__ import annotations

import signal
from contextlib import closing
from typing import TYPE_CHECKING, Any, Callable

from ... import errors
from .. import connection, process, util
from ..context import ProcessError
from .life import Life
from .messages import ManagerDied, RemoteError, Token, dispatch
from .proxy import AutoProxy, BaseProxy
from .server import Server, clients_of
from .state import State

__all__ = ["BaseManager"]


def _use_default_context() -> Any:
    from .. import get_context
    return get_context()


class BaseManager:
    """Subclasses say with register() what can be made; an instance is of use once it was start()ed, or
    connect()ed to a server elsewhere.

    ``address``: a path, (host, port), or None for one that is chosen; ``authkey``: bytes that both sides
    must know, by default this process's; ``shutdown_timeout``: seconds that the server has to end by itself.
    """

    _registry: dict[str, tuple[Any, Any, Any, Any]] = {}
    _Server = Server
    shutdown: Any  # () -> None; from start() on

    def __init__(self, address: Any = None, authkey: bytes | None = None, serializer: str = "pickle",
                 ctx: Any = None, *, shutdown_timeout: float = 1.0) -> None:
        self._address = address
        if authkey is None:
            authkey = process.current_process().authkey
        self._authkey = process.AuthenticationString(authkey)
        self._state = State()
        self._serializer = serializer
        self._Listener, self._Client = clients_of(serializer)
        self._ctx = ctx or _use_default_context()
        self._shutdown_timeout = shutdown_timeout
        self._process: Any = None
        self._life: Life | None = None  # None: not started, or not in this process's domain

    if TYPE_CHECKING:
        def __getattr__(self, name: str) -> Any:
            """What was registered."""

    @property
    def address(self) -> Any:
        return self._address

    # ---- a server

    def _demand_initial(self) -> None:
        if self._state.value == State.STARTED:
            raise ProcessError("Already started server")
        if self._state.value == State.SHUTDOWN:
            raise ProcessError("Manager has shut down")
        if self._state.value != State.INITIAL:
            raise ProcessError(f"Unknown state {self._state.value!r}")

    def get_server(self) -> Server:
        """A server in this process; its serve_forever() does not return."""
        self._demand_initial()
        return self._Server(self._registry, self._address, self._authkey, self._serializer)

    def connect(self) -> None:
        """Uses the server that listens at the address already."""
        with closing(self._Client(self._address, authkey=self._authkey)) as conn:
            dispatch(conn, None, "dummy")
        self._life = self._find_life()
        self._state.value = State.STARTED

    def _find_life(self) -> Life | None:
        """The life of the server, if that shares a domain with this process."""
        try:
            with closing(self._Client(self._address, authkey=self._authkey)) as conn:
                ident, ticket = dispatch(conn, None, "life")
            life = Life.at(ident, bytes.fromhex(ticket), self._address)
        except (errors.InterlockError, RemoteError):
            return None  # another machine, another domain, another program
        life.authkey = self._authkey
        return life

    def start(self, initializer: Callable[..., Any] | None = None, initargs: Any = ()) -> None:
        """Starts a process that serves; INITIALIZER(*INITARGS) is called in it first."""
        self._demand_initial()
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        reader, writer = connection.Pipe(duplex=False)
        self._process = self._ctx.Process(
            target=type(self)._run_server,
            args=(self._registry, self._address, self._authkey, self._serializer, writer, initializer,
                  initargs))
        numbers = ":".join(str(number) for number in self._process._identity)
        self._process.name = f"{type(self).__name__}-{numbers}"
        self._process.start()
        writer.close()
        try:
            self._address, ident, ticket = reader.recv()
        except EOFError:
            self._process.join()
            raise EOFError(f"the manager's process ended with exit code {self._process.exitcode} before it "
                           "served") from None
        finally:
            reader.close()
        self._life = Life.at(ident, ticket, self._address)
        self._life.authkey = self._authkey
        self._state.value = State.STARTED
        self.shutdown = util.Finalize(
            self, type(self)._finalize_manager, exitpriority=0,
            args=(self._process, self._address, self._authkey, self._state, self._Client,
                  self._shutdown_timeout, self._life))

    @classmethod
    def _run_server(cls, registry: Any, address: Any, authkey: bytes, serializer: str, writer: Any,
                    initializer: Callable[..., Any] | None = None, initargs: Any = ()) -> None:
        """The server's process: tells WRITER where it is, and serves."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the programs that use it
        if initializer is not None:
            initializer(*initargs)
        server = cls._Server(registry, address, authkey, serializer)
        writer.send((server.address, server.beat.ident, server.beat.ticket))
        writer.close()
        util.info("manager serving at %r", server.address)
        server.serve_forever()

    @staticmethod
    def _finalize_manager(server: Any, address: Any, authkey: bytes, state: State, client: Any,
                          shutdown_timeout: float, life: Life) -> None:
        """Ends the server's process: by a request, SIGTERM, SIGKILL, with time between them."""
        life.end()
        if server.is_alive():
            try:
                with closing(client(address, authkey=authkey)) as conn:
                    dispatch(conn, None, "shutdown")
            except Exception as error:
                util.info("the manager does not take the shutdown message: %r", error)
            server.join(timeout=shutdown_timeout)
            for harder in (server.terminate, server.kill):
                if server.is_alive():
                    util.info("manager still alive: %s()", harder.__name__)
                    harder()
                    server.join(timeout=shutdown_timeout)
            if server.is_alive():
                server.join()
        state.value = State.SHUTDOWN
        BaseProxy._address_to_local.pop(address, None)

    def join(self, timeout: float | None = None) -> None:
        """Waits until the server's process, if this manager started it, has ended."""
        if self._process is not None:
            self._process.join(timeout)
            if not self._process.is_alive():
                self._process = None

    def __enter__(self) -> Any:
        if self._state.value == State.INITIAL:
            self.start()
        if self._state.value == State.SHUTDOWN:
            raise ProcessError("Manager has shut down")
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()

    # ---- objects

    def _request(self, name: str, *args: Any, **kwds: Any) -> Any:
        """What the server answers to a request of its own; see Server.public."""
        try:
            with closing(self._Client(self._address, authkey=self._authkey)) as conn:
                return dispatch(conn, None, name, args, kwds)
        except (EOFError, ConnectionError, FileNotFoundError) as error:
            raise ManagerDied(f"the manager at {self._address!r} has ended, or was never there") from error

    def _create(self, typeid: str, /, *args: Any, **kwds: Any) -> tuple[Token, Any]:
        """Makes an object in the server; returns its token, with one reference, and its methods."""
        assert self._state.value == State.STARTED, "server not yet started"
        ident, exposed = self._request("create", typeid, *args, **kwds)
        return Token(typeid, self._address, ident), exposed

    def _debug_info(self) -> Any:
        """Text about the server's objects."""
        return self._request("debug_info")

    def _number_of_objects(self) -> int:
        """How many objects there are in the server."""
        return int(self._request("number_of_objects"))

    @classmethod
    def register(cls, typeid: str, callable: Callable[..., Any] | None = None, proxytype: Any = None,
                 exposed: Any = None, method_to_typeid: dict[str, str] | None = None,
                 create_method: bool = True) -> None:
        """A type of objects of this class of managers.

        TYPEID names it, and the method of the manager that makes one, unless CREATE_METHOD is false.
        CALLABLE makes it in the server. EXPOSED: the methods that proxies may call; by default those of
        PROXYTYPE, else all public ones. METHOD_TO_TYPEID: methods that return a proxy of that type.
        """
        if "_registry" not in cls.__dict__:
            cls._registry = cls._registry.copy()
        if proxytype is None:
            proxytype = AutoProxy
        exposed = exposed or getattr(proxytype, "_exposed_", None)
        method_to_typeid = method_to_typeid or getattr(proxytype, "_method_to_typeid_", None)
        for key, value in (method_to_typeid or {}).items():
            assert type(key) is str, f"{key!r} is not a string"
            assert type(value) is str, f"{value!r} is not a string"
        cls._registry[typeid] = callable, exposed, method_to_typeid, proxytype
        if not create_method:
            return

        def make(self: BaseManager, /, *args: Any, **kwds: Any) -> Any:
            util.debug("requesting creation of a shared %r object", typeid)
            token, methods = self._create(typeid, *args, **kwds)
            proxy = proxytype(token, self._serializer, manager=self, authkey=self._authkey, exposed=methods)
            self._request("decref", token.id)
            return proxy

        make.__name__ = typeid
        setattr(cls, typeid, make)
