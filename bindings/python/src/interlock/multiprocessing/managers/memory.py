"""SharedMemoryManager: blocks of shared memory that go with the manager."""

from __future__ import annotations

import os
from typing import Any, Iterable

from .. import shared_memory, util
from .base import BaseManager
from .server import Server

__all__ = ["SharedMemoryManager", "SharedMemoryServer"]


class _SharedMemoryTracker:
    """The names of blocks that are to be removed in the end."""

    def __init__(self, name: str, segment_names: Iterable[str] = ()) -> None:
        self.shared_memory_context_name = name
        self.segment_names = list(segment_names)

    def register_segment(self, segment_name: str) -> None:
        util.debug("Register segment %r in pid %s", segment_name, os.getpid())
        self.segment_names.append(segment_name)

    def destroy_segment(self, segment_name: str) -> None:
        """Removes the block: it goes with its last user."""
        util.debug("Destroy segment %r in pid %s", segment_name, os.getpid())
        self.segment_names.remove(segment_name)
        try:
            segment = shared_memory.SharedMemory(segment_name)
        except FileNotFoundError:
            return  # a user has removed it
        segment.close()
        segment.unlink()

    def unlink(self) -> None:
        for name in list(self.segment_names):
            self.destroy_segment(name)

    def __getstate__(self) -> tuple[Any, ...]:
        return self.shared_memory_context_name, self.segment_names

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.shared_memory_context_name, self.segment_names = state


class SharedMemoryServer(Server):
    """A server that also removes blocks of shared memory at its end."""

    public = [*Server.public, "track_segment", "release_segment", "list_segments"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        address = os.fsdecode(self.address) if isinstance(self.address, bytes) else self.address
        self.shared_memory_context = _SharedMemoryTracker(f"shm_{address}_{os.getpid()}")

    def create(self, c: Any, typeid: str, /, *args: Any, **kwargs: Any) -> Any:
        # a proxy class with _shared_memory_proxy wants to know where blocks are noted
        if hasattr(self.registry[typeid][-1], "_shared_memory_proxy"):
            kwargs["shared_memory_context"] = self.shared_memory_context
        return super().create(c, typeid, *args, **kwargs)

    def shutdown(self, c: Any) -> None:
        self.shared_memory_context.unlink()
        super().shutdown(c)

    def track_segment(self, c: Any, segment_name: str) -> None:
        self.shared_memory_context.register_segment(segment_name)

    def release_segment(self, c: Any, segment_name: str) -> None:
        self.shared_memory_context.destroy_segment(segment_name)

    def list_segments(self, c: Any) -> list[str]:
        return self.shared_memory_context.segment_names


class SharedMemoryManager(BaseManager):
    """Makes blocks of shared memory, and lists in them, that are removed when it is shut down."""

    _Server = SharedMemoryServer

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if os.name == "posix":
            # before the server is forked, so that both processes tell the same tracker
            from .. import resource_tracker
            resource_tracker.ensure_running()
        super().__init__(*args, **kwargs)

    def SharedMemory(self, size: int) -> Any:
        """A block of SIZE bytes."""
        block = shared_memory.SharedMemory(None, create=True, size=size)
        self._track(block, block.name)
        return block

    def ShareableList(self, sequence: Iterable[Any]) -> Any:
        """A list of numbers, texts, bytes and None in a block of its own."""
        made = shared_memory.ShareableList(sequence)
        self._track(made.shm, made.shm.name)
        return made

    def _track(self, block: Any, name: str) -> None:
        try:
            self._request("track_segment", name)
        except BaseException:
            block.unlink()
            raise
