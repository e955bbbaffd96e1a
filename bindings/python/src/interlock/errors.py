"""The exceptions of Interlock: one class for each status, which is the one of the C ABI and of HTTP.

Where Python has an exception for the same thing, the class is one of these too: Timeout is a TimeoutError.
"""

from __future__ import annotations

from typing import Dict, Type


class InterlockError(Exception):
    """A call failed. What it says names the argument and what was expected."""

    status: int = 0  # as in interlock.h; 0: known to Python only
    code: str = ""  # as in an HTTP problem: "timeout"

    def __str__(self) -> str:
        return Exception.__str__(self) if len(self.args) != 1 else str(self.args[0])


class OwnerDied(RuntimeWarning):
    """A lock was granted whose owner before died holding it: what it protects may be half changed."""


class InvalidArgument(InterlockError, ValueError):
    status, code = -1, "invalid_argument"


class OutOfMemory(InterlockError, MemoryError):
    status, code = -2, "out_of_memory"


class Timeout(InterlockError, TimeoutError):
    status, code = -3, "timeout"


class Busy(InterlockError):
    status, code = -4, "busy"


class Interrupted(InterlockError, InterruptedError):
    """interrupt() ended the wait."""

    status, code = -5, "interrupted"


class NotHeld(InterlockError, RuntimeError):
    status, code = -6, "not_held"


class StaleToken(InterlockError):
    """There was a newer grant."""

    status, code = -7, "stale_token"


class OwnerDead(InterlockError):
    """Never raised by a lock, which is granted and warns: OwnerDied."""

    status, code = -8, "owner_died"


class LeaseLost(InterlockError):
    status, code = -9, "lease_lost"


class Conflict(InterlockError):
    """The object exists with other options."""

    status, code = -10, "conflict"


class NotFound(InterlockError, LookupError):
    status, code = -11, "not_found"


class Deleted(InterlockError):
    status, code = -12, "deleted"


class Closed(InterlockError):
    """The handle, the queue or the domain is closed."""

    status, code = -13, "closed"


class TooLarge(InterlockError, ValueError):
    status, code = -14, "too_large"


class LimitReached(InterlockError):
    status, code = -15, "limit_reached"


class Gone(InterlockError, ConnectionError):
    """The server went away: connect anew."""

    status, code = -16, "gone"


class Forked(InterlockError, RuntimeError):
    """A forked child used what its parent has attached to a server: connect anew."""

    status, code = -17, "forked"


class Unsupported(InterlockError, NotImplementedError):
    status, code = -18, "unsupported"


class Corrupt(InterlockError):
    status, code = -19, "corrupt"


class Forbidden(InterlockError, PermissionError):
    status, code = -20, "forbidden"


class Unreachable(InterlockError, ConnectionError):
    status, code = -21, "unreachable"


class ProtocolMismatch(InterlockError, ConnectionError):
    status, code = -22, "protocol"


class SystemFailure(InterlockError, OSError):
    status, code = -23, "system"


class NoSuchRoute(InterlockError):
    status, code = -24, "no_such_route"


class MethodNotAllowed(InterlockError):
    status, code = -25, "method_not_allowed"


class UnsupportedMediaType(InterlockError):
    status, code = -26, "unsupported_media_type"


class IdempotencyMismatch(InterlockError):
    status, code = -27, "idempotency_mismatch"


class IdempotencyRunning(InterlockError):
    status, code = -28, "idempotency_running"


class ShuttingDown(InterlockError):
    status, code = -29, "shutting_down"


class Deadlock(InterlockError, RuntimeError):
    """The wait would close a cycle of owners, which the message names."""

    status, code = -30, "deadlock"


class Broken(InterlockError, RuntimeError):
    """The barrier is broken."""

    status, code = -31, "broken"


class Overflow(InterlockError, ValueError):
    """A release beyond the bound."""

    status, code = -32, "overflow"


class Revoked(InterlockError):
    """An operator broke the grant; the message has the reason."""

    status, code = -33, "revoked"


class UpgradeRefused(InterlockError, RuntimeError):
    status, code = -34, "upgrade_refused"


class SessionEnded(InterlockError):
    status, code = -35, "session_ended"


class Cancelled(InterlockError):
    """This thread or task was asked to stop. A function that was asked to, and does, raises it too."""

    status, code = -36, "cancelled"


class AlreadyStarted(InterlockError, RuntimeError):
    status, code = -37, "already_started"


class NotStarted(InterlockError, RuntimeError):
    status, code = -38, "not_started"


class JoinsItself(InterlockError, RuntimeError):
    status, code = -39, "joins_itself"


class TaskFailed(InterlockError):
    status, code = -40, "task_failed"


class TaskLost(InterlockError):
    """The worker died while it ran the task."""

    status, code = -41, "task_lost"


class ProgramNotAllowed(InterlockError, PermissionError):
    status, code = -42, "program_not_allowed"


class NoSuchFunction(InterlockError, LookupError):
    status, code = -43, "no_such_function"


class EndOfFile(InterlockError, EOFError):
    """The pipe's other end is closed, and nothing is left."""

    status, code = -44, "end_of_file"


class BrokenPipe(InterlockError, BrokenPipeError):
    """The pipe's other end is closed."""

    status, code = -45, "broken_pipe"


class TypeMismatch(InterlockError, TypeError):
    status, code = -46, "type_mismatch"


class OutOfRange(InterlockError, IndexError):
    status, code = -47, "out_of_range"


class NoSuchKey(InterlockError, KeyError):
    status, code = -48, "no_such_key"


class Changed(InterlockError):
    """It has another version than was expected."""

    status, code = -49, "changed"


STATUS: Dict[int, Type[InterlockError]] = {
    kind.status: kind for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, InterlockError) and kind.status
}
