"""Blocks of shared memory, each of them an object in the arena of the family's domain.

A block is zeroed, and lives as long as any process uses it. The domain finds the room; what is kept here is
which blocks this process has.
"""

from __future__ import annotations

import sys
from typing import Any, Dict, Final, List, Set, Tuple

from .. import _core
from . import util
from ._lending import ticket_for_child

__all__ = ["BufferWrapper"]

Block = Tuple["Arena", int, int]


class Arena:
    """SIZE bytes; `buffer` is their live memory."""

    def __init__(self, size: int) -> None:
        self._open(size, _core.Array(_core.default_domain(), None, "u8", size))

    def _open(self, size: int, memory: _core.Array) -> None:
        self.size = size
        self._array = memory
        self.buffer = memory.memory()

    def __getstate__(self) -> Tuple[int, bytes]:
        return self.size, ticket_for_child(self, self._array)

    def __setstate__(self, state: Tuple[int, bytes]) -> None:
        size, ticket = state
        self._open(size, _core.adopt(ticket))


class Heap:
    """The blocks that this process has made. A block is an arena of its own, so none is ever in parts."""

    _alignment: Final = 8
    _DISCARD_FREE_SPACE_LARGER_THAN = 0

    def __init__(self, size: int = 0) -> None:
        self._allocated_blocks: Dict[Arena, Set[Tuple[int, int]]] = {}
        self._len_to_seq: Dict[int, List[Block]] = {}
        self._pending_free_blocks: List[Block] = []
        self._n_mallocs = self._n_frees = 0
        util.register_after_fork(self, Heap._forget)

    def _forget(self) -> None:
        """In a forked child: what its parent made stays as long as there is an object in it."""
        self._allocated_blocks = {}
        self._n_mallocs = self._n_frees = 0

    @property
    def _arenas(self) -> List[Arena]:
        return list(self._allocated_blocks)

    @property
    def _lock(self) -> _core.RLock:
        """Made when it is first needed. Recursive: the garbage collector may free a block at any moment."""
        lock: Any = self.__dict__.get("_made_lock")
        if lock is None:
            made = _core.RLock(_core.default_domain(), flavour=_core.THREAD)
            lock = self.__dict__.setdefault("_made_lock", made)
        return lock  # type: ignore[no-any-return]

    def malloc(self, size: int) -> Block:
        """SIZE bytes or a few more."""
        _check(size)
        rounded = max(-(-size // self._alignment), 1) * self._alignment
        arena = Arena(rounded)
        with self._lock:
            self._n_mallocs += 1
            self._allocated_blocks[arena] = {(0, rounded)}
        return arena, 0, rounded

    def free(self, block: Block) -> None:
        """The memory goes when no process has a view of it any more."""
        with self._lock:
            if self._allocated_blocks.pop(block[0], None) is not None:
                self._n_frees += 1


def _check(size: int) -> None:
    if size < 0:
        raise ValueError(f"size: expected 0 or more, got {size}")
    if size >= sys.maxsize:
        raise OverflowError(f"size: {size} bytes are more than there can be")


class BufferWrapper:
    """A block of SIZE bytes, zeroed, that can be given to other processes."""

    _heap = Heap()

    def __init__(self, size: int) -> None:
        _check(size)
        heap = BufferWrapper._heap
        block = heap.malloc(size)
        self._state = (block, size)
        util.Finalize(self, heap.free, args=(block,))

    def create_memoryview(self) -> memoryview:
        """The live memory: what is written there is seen by every process."""
        (arena, start, _), size = self._state
        return arena.buffer[start:start + size]
