"""Which functions of a module are offered to a pool."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any, Callable, Dict, List, Optional, Protocol, TypeVar, Union, cast, overload

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)

NAME_MAX_BYTES = 255
_MARK = "__interlock_task__"


class _Decorator(Protocol):
    def __call__(self, function: F, /) -> F: ...


@overload
def task(function: F, /) -> F: ...


@overload
def task(*, name: Optional[str] = None) -> _Decorator: ...


def task(function: Optional[F] = None, /, *, name: Optional[str] = None) -> Union[F, _Decorator]:
    """Offer a function to the pool: ``@task``, or ``@task(name="other")``.

    The function stays what it was.
    """

    def mark(marked: F) -> F:
        chosen = marked.__name__ if name is None else name
        _check_name(chosen)
        setattr(marked, _MARK, chosen)
        return marked

    return cast(_Decorator, mark) if function is None else mark(function)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not 0 < len(name.encode()) <= NAME_MAX_BYTES:
        raise ValueError(f"a function's name is to be 1 to {NAME_MAX_BYTES} bytes: {name!r}")
    if "\0" in name:
        raise ValueError(f"a function's name must not hold NUL: {name!r}")


def functions_of(module: ModuleType, only: Optional[List[str]] = None) -> Dict[str, Function]:
    """The functions that MODULE offers, by name; with ONLY, just those of them.

    Those that are decorated; if none is, all public functions that it defines itself.
    """
    members = [member for member in vars(module).values() if callable(member)]
    found: Dict[str, Function] = {}
    for member in members:
        name = getattr(member, _MARK, None)
        if not isinstance(name, str):
            continue
        if found.setdefault(name, member) is not member:
            raise ValueError(f"{module.__name__} has two tasks named {name!r}")
    if not found:
        found = {
            name: cast(Function, member)
            for name, member in vars(module).items()
            if inspect.isfunction(member)
            and member.__module__ == module.__name__
            and not name.startswith("_")
        }
    if only:
        missing = [name for name in only if name not in found]
        if missing:
            raise LookupError(f"{module.__name__} offers no function {', '.join(missing)}")
        found = {name: found[name] for name in only}
    if not found:
        raise LookupError(f"{module.__name__} has no function to offer")
    return found
