"""Functions that a pool of Interlock runs: see ``python -m interlock.worker --help``."""

from .calls import Call, Cancelled, Fatal, cancelled, current_call, progress
from .tasks import task

__all__ = [
    "Call",
    "Cancelled",
    "Fatal",
    "cancelled",
    "current_call",
    "progress",
    "task",
]
