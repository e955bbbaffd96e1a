"""What the proxies of the domain's own objects have in common.

Such an object is nobody's: every process of the domain works on it directly, and it goes with its last
proxy. It belongs to a manager all the same: its calls raise ManagerDied once that has ended.
"""

from __future__ import annotations

import sys
import time
import traceback
from typing import Any, Callable, TypeVar

from ... import _core, errors
from .. import _lending, reduction
from .life import LOOK_SECONDS, Life
from .messages import GETVALUE, RemoteError, Token

__all__ = ["Shared", "end_of", "in_slices"]

T = TypeVar("T")

_CODEC = reduction._dumps.__code__  # what the domain's objects make pickles with
_PACKAGE = __name__.partition("managers")[0]


class Shared:
    """A proxy whose object is made of handles of the domain.

    Subclasses have ``_exposed_``; ``_handles()``, what it is made of, each guarded by the manager's life;
    ``_state()``, what else its pickle must know; and ``_reopen(handles, state)``.
    """

    _exposed_: tuple[str, ...] = ()
    _shown = ""  # the class's name in the standard module
    _life: Life
    _typeid: str
    _manager: Any = None
    _adopted: Any = None  # the class of _handles(), where that is not _core's own

    def __init__(self, *args: Any, **kwds: Any) -> None:
        """Nothing: see _join()."""

    def _join(self, life: Life, typeid: str, manager: Any = None) -> None:
        """From now on it belongs to a manager."""
        object.__setattr__(self, "_life", life)
        object.__setattr__(self, "_typeid", typeid)
        object.__setattr__(self, "_manager", manager)
        for handle in self._handles():
            handle._guard(life.lock, life.fail)
        life.add(self)

    def _handles(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def _state(self) -> Any:
        return None

    @classmethod
    def _reopen(cls, handles: tuple[Any, ...], state: Any) -> Any:
        raise NotImplementedError

    # ---- pickles

    def __reduce__(self) -> Any:
        if _is_stored():
            tickets = [_core.share(handle) for handle in self._handles()]
            for ticket in tickets:
                self._life.keep(ticket)
            loans: tuple[Any, ...] = tuple((ticket, None) for ticket in tickets)
        else:
            loans = tuple(_lending.lend(handle) for handle in self._handles())
        return _reopen, (type(self), loans, self._life, self._typeid, self._state())

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__reduce__()

    def __deepcopy__(self, memo: Any) -> Any:
        return self._getvalue()

    # ---- as the standard's proxies

    def _get_id(self) -> str:
        return _core.share(self._handles()[0]).hex()

    def _get_token(self) -> Token:
        return Token(self._typeid, self._life.address, self._get_id())

    _id: Any = property(_get_id)
    _token: Any = property(_get_token)

    def _getvalue(self) -> Any:
        """A copy of the object."""
        raise TypeError(f"cannot copy a shared {self._typeid!r} object")

    def _callmethod(self, methodname: str, args: Any = (), kwds: Any = {}) -> Any:
        """Calls an exposed method by its name."""
        if methodname == GETVALUE:
            return self._getvalue()
        if methodname in ("__repr__", "__str__"):
            return self._text()
        if methodname in self._exposed_:
            return getattr(self, methodname)(*args, **kwds)
        try:
            raise AttributeError(f"method {methodname!r} of {self._typeid!r} object is not in "
                                 f"exposed={self._exposed_!r}")
        except AttributeError:
            raise RemoteError(traceback.format_exc()) from None

    def _text(self) -> str:
        return repr(self._getvalue())

    def __repr__(self) -> str:
        return f"<{self._shown} object, typeid {self._typeid!r} at {id(self):#x}>"

    def __str__(self) -> str:
        try:
            return self._text()
        except Exception:
            return repr(self)[:-1] + "; '__str__()' failed>"


def _is_stored() -> bool:
    """Whether the pickle that is being made goes into a container or queue of a manager, which may outlive
    this process. All else is a message that somebody takes: see _lending."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code is not _CODEC:
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None or frame.f_back is None:
        return False
    module = str(frame.f_back.f_globals.get("__name__"))
    return not module.startswith(_PACKAGE) or module.startswith(_PACKAGE + "managers.")


def _reopen(cls: type[Shared], loans: tuple[Any, ...], life: Life, typeid: str, state: Any) -> Any:
    """A proxy from its pickle."""
    life.check()
    try:
        handles = tuple(_core.adopt(ticket, cls=cls._adopted) for ticket, _ in loans)
    except errors.NotFound:
        raise errors.NotFound(f"the shared {typeid!r} object has gone with its last proxy") from None
    for loan in loans:
        if loan[1] is not None:
            _lending.take(loan).close()
    proxy = cls._reopen(handles, state)
    proxy._join(life, typeid)
    return proxy


# ---- waits


def end_of(timeout: float | None) -> float | None:
    """When TIMEOUT seconds will have passed; None: never."""
    return None if timeout is None else time.monotonic() + timeout


def in_slices(life: Life, call: Callable[[float], T], missed: Callable[[T], bool],
              timeout: float | None) -> T:
    """CALL(seconds) until it is not MISSED or TIMEOUT seconds have passed. Looks between whether the manager
    lives, so that nobody waits for a dead one: ManagerDied."""
    end = end_of(timeout)
    while True:
        left = LOOK_SECONDS if end is None else min(LOOK_SECONDS, end - time.monotonic())
        result = call(max(left, 0.0))
        if not missed(result):
            return result
        life.check()
        if end is not None and time.monotonic() >= end:
            return result
