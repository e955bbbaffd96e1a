"""The server of a manager: the process in which objects of registered classes live."""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Callable

from ... import threading
from .. import connection, process, util
from .life import Beat
from .messages import ERROR, GETVALUE, PROXY, RETURN, UNSERIALIZABLE, Token, describe_failure

__all__ = ["Server", "all_methods", "public_methods"]

# typeid -> (callable, exposed, method_to_typeid, proxytype)
Registry = dict[str, tuple[Any, Any, Any, Any]]


def clients_of(serializer: str) -> tuple[Any, Any]:
    """(Listener, Client) for a serializer: "pickle" or "xmlrpclib"."""
    if serializer == "pickle":
        return connection.Listener, connection.Client
    if serializer == "xmlrpclib":
        return connection.XmlListener, connection.XmlClient
    raise KeyError(serializer)


def all_methods(obj: Any) -> list[str]:
    """The names of all that can be called of OBJ."""
    return [name for name in dir(obj) if callable(getattr(obj, name))]


def public_methods(obj: Any) -> list[str]:
    """all_methods() whose names do not begin with "_"."""
    return [name for name in all_methods(obj) if not name.startswith("_")]


class Server:
    """Listens at ADDRESS and serves the objects that clients create from REGISTRY.

    An object lives until its last proxy, in whatever process, is gone. ``serve_forever()`` ends after a
    client's shutdown request, by ending the process.
    """

    public = ["shutdown", "create", "accept_connection", "get_methods", "debug_info",
              "number_of_objects", "dummy", "incref", "decref", "life"]

    def __init__(self, registry: Registry, address: Any, authkey: bytes, serializer: str) -> None:
        if not isinstance(authkey, bytes):
            raise TypeError(f"Authkey {authkey!r} is type {type(authkey)!s}, not bytes")
        self.registry = registry
        self.authkey = process.AuthenticationString(authkey)
        listener, _ = clients_of(serializer)
        self.listener = listener(address=address, backlog=16)
        self.address = self.listener.address
        self.stop_event = threading.Event()
        self.mutex = threading.Lock()
        self.beat = Beat(self.address)
        # ident -> (object, exposed names, method_to_typeid); "0" is the server's own
        self.id_to_obj: dict[str, tuple[Any, Any, Any]] = {"0": (self.beat, {"keep"}, None)}
        self.id_to_refcount: dict[str, int] = {}
        # what this process's own objects refer to through proxies: lives as long as the server
        self.id_to_local_proxy_obj: dict[str, tuple[Any, Any, Any]] = {}

    # ---- connections

    def serve_forever(self) -> None:
        """Serves until a shutdown request, then exits this process."""
        here: Any = process.current_process()
        here._manager_server = self
        try:
            threading.Thread(target=self.accepter, daemon=True).start()
            with contextlib.suppress(KeyboardInterrupt, SystemExit):
                self.stop_event.wait()
        finally:
            self.beat.stop()
            if sys.stdout != sys.__stdout__:
                util.debug("resetting stdout, stderr")
                sys.stdout = sys.__stdout__
                sys.stderr = sys.__stderr__
            sys.exit(0)

    def accepter(self) -> None:
        while not self.stop_event.is_set():
            try:
                conn = self.listener.accept()
            except (OSError, EOFError):
                continue
            threading.Thread(target=self.handle_request, args=(conn,), daemon=True).start()

    def handle_request(self, conn: Any) -> None:
        """Serves one new connection, which asks for one thing; accept_connection() then asks for more."""
        try:
            self._handle_request(conn)
        except SystemExit:
            pass  # the client of accept_connection() has gone
        finally:
            conn.close()

    def _handle_request(self, conn: Any) -> None:
        request: Any = None
        answer: tuple[Any, Any]
        try:
            connection.deliver_challenge(conn, self.authkey)
            connection.answer_challenge(conn, self.authkey)
            request = conn.recv()
            _, name, args, kwds = request
            if name not in self.public:
                raise AssertionError(f"{name!r} unrecognized")
            answer = RETURN, getattr(self, name)(conn, *args, **kwds)
        except Exception:
            answer = describe_failure()
        try:
            conn.send(answer)
        except Exception as error:
            with contextlib.suppress(Exception):
                conn.send(describe_failure())
            util.info("an answer to %r could not be sent: %r (%r)", request, answer, error)

    def serve_client(self, conn: Any) -> None:
        """Answers the calls of one thread's proxies until its connection ends."""
        util.debug("starting server thread to service %r", threading.current_thread().name)
        while not self.stop_event.is_set():
            answer = self._answer(conn)
            try:
                try:
                    conn.send(answer)
                except Exception:
                    conn.send((UNSERIALIZABLE, describe_failure()[1]))
            except Exception as error:
                util.info("the connection of %r is closed: its answer %r could not be sent (%r)",
                          threading.current_thread().name, answer, error)
                conn.close()
                sys.exit(1)

    def _answer(self, conn: Any) -> tuple[str, Any]:
        try:
            ident, name, args, kwds = conn.recv()
        except EOFError:
            util.debug("got EOF -- exiting thread serving %r", threading.current_thread().name)
            sys.exit(0)
        except Exception:
            return describe_failure()
        obj = None
        try:
            obj, exposed, typeids = self._find(ident)
            if name not in exposed:
                raise AttributeError(f"method {name!r} of {type(obj)!r} object is not in exposed={exposed!r}")
            function = getattr(obj, name)
        except AttributeError:
            fallback = self.fallback_mapping.get(name)
            if fallback is None:
                return describe_failure()
            try:
                return RETURN, fallback(self, conn, ident, obj, *args, **kwds)
            except Exception:
                return describe_failure()
        except Exception:
            return describe_failure()
        return self._call(conn, function, args, kwds, typeids and typeids.get(name))

    def _call(self, conn: Any, function: Callable[..., Any], args: Any, kwds: Any,
              typeid: str | None) -> tuple[str, Any]:
        try:
            result = function(*args, **kwds)
        except Exception as error:
            return ERROR, error
        if not typeid:
            return RETURN, result
        try:
            ident, exposed = self.create(conn, typeid, result)
        except Exception:
            return describe_failure()
        return PROXY, (exposed, Token(typeid, self.address, ident))

    def _find(self, ident: str) -> tuple[Any, Any, Any]:
        found = self.id_to_obj.get(ident) or self.id_to_local_proxy_obj.get(ident)
        if found is None:
            raise KeyError(ident)
        return found

    def fallback_getvalue(self, conn: Any, ident: str, obj: Any) -> Any:
        return obj

    def fallback_str(self, conn: Any, ident: str, obj: Any) -> str:
        return str(obj)

    def fallback_repr(self, conn: Any, ident: str, obj: Any) -> str:
        return repr(obj)

    # what can be asked of every object, exposed or not
    fallback_mapping: dict[str, Any] = {
        "__str__": fallback_str,
        "__repr__": fallback_repr,
        GETVALUE: fallback_getvalue,
    }

    # ---- what can be asked of the server: each gets the connection first

    def dummy(self, c: Any) -> None:
        """An answer shows that somebody is there."""

    def life(self, c: Any) -> tuple[str, str]:
        """How to see that this process lives, for clients in its domain: an identity, a ticket in hex."""
        return self.beat.ident, self.beat.ticket.hex()

    def accept_connection(self, c: Any, name: str) -> None:
        """From now on the connection carries calls, for the thread NAME of some process."""
        threading.current_thread().name = name
        c.send((RETURN, None))
        self.serve_client(c)

    def shutdown(self, c: Any) -> None:
        util.debug("manager received shutdown message")
        self.beat.stop()
        try:
            c.send((RETURN, None))
        finally:
            self.stop_event.set()

    def debug_info(self, c: Any) -> str:
        """A line or two for each object: its reference count and how it begins."""
        with self.mutex:
            return "\n".join(f"  {ident}:       refcount={count}\n    {str(self.id_to_obj[ident][0])[:75]}"
                             for ident, count in sorted(self.id_to_refcount.items()) if ident != "0")

    def number_of_objects(self, c: Any) -> int:
        return len(self.id_to_refcount)

    def create(self, c: Any, typeid: str, /, *args: Any, **kwds: Any) -> tuple[str, tuple[str, ...]]:
        """Makes an object of a registered type; returns its ident, with one reference, and its methods."""
        with self.mutex:
            make, exposed, typeids, _ = self.registry[typeid]
            if make is not None:
                obj = make(*args, **kwds)
            elif kwds or len(args) != 1:
                raise ValueError("Without callable, must have one non-keyword argument")
            else:
                obj = args[0]
            if exposed is None:
                exposed = public_methods(obj)
            if typeids is not None:
                if not isinstance(typeids, dict):
                    raise TypeError(f"Method_to_typeid {typeids!r}: type {type(typeids)!s}, not dict")
                exposed = [*exposed, *typeids]
            ident = f"{id(obj):x}"  # text, because XML-RPC's integers have 32 bits
            util.debug("%r callable returned object with id %r", typeid, ident)
            self.id_to_obj[ident] = obj, set(exposed), typeids
            self.id_to_refcount.setdefault(ident, 0)
        self.incref(c, ident)
        return ident, tuple(exposed)

    def get_methods(self, c: Any, token: Token) -> tuple[str, ...]:
        return tuple(self.id_to_obj[str(token.id)][1])

    def incref(self, c: Any, ident: str) -> None:
        with self.mutex:
            if ident in self.id_to_refcount:
                self.id_to_refcount[ident] += 1
                return
            # no client knew it any more, but an object of this server refers to it
            self.id_to_obj[ident] = self.id_to_local_proxy_obj[ident]
            self.id_to_refcount[ident] = 1

    def decref(self, c: Any, ident: str) -> None:
        with self.mutex:
            if ident not in self.id_to_refcount and ident in self.id_to_local_proxy_obj:
                return
            count = self.id_to_refcount[ident]
            if count <= 0:
                raise AssertionError(f"Id {ident!s} ({self.id_to_obj[ident]!r}) has refcount {count}, not 1+")
            if count > 1:
                self.id_to_refcount[ident] = count - 1
                return
            del self.id_to_refcount[ident]
            gone = self.id_to_obj.pop(ident)
        # outside of the mutex: the object's end may give up proxies of this server's own objects
        del gone
        util.debug("disposing of obj with id %r", ident)
