"""Exceptions that are also those of the standard modules, so that programs catch them as they did."""

from __future__ import annotations

import threading as _standard
from typing import Any

from .. import threading as _ours


def _both(name: str, standard: Any, ours: Any) -> Any:
    """The one that is the other too, else a class that is both."""
    if issubclass(ours, standard):
        return ours
    return type(name, (ours, standard), {"__module__": __package__})


BrokenBarrierError: Any = _both("BrokenBarrierError", _standard.BrokenBarrierError, _ours.BrokenBarrierError)
