"""The file that all workers add their counts to: worker.c says how, and why."""
import mmap
import struct
from pathlib import Path

# token; lines, words, bytes; twice; pending; next lines, words, bytes; planned token
HEAD = struct.Struct('<10Q')
PENDING_AT, NEXT_AT, PLANNED_AT = 40, 48, 128
PLANNED_MOST = 1024
BITS_AT = PLANNED_AT + 8 * PLANNED_MOST


def create(path: Path, lines: int) -> None:
    path.write_bytes(bytes(BITS_AT + (lines + 7) // 8))


class Tally:
    def __init__(self, path: Path) -> None:
        with path.open('r+b') as file:
            self.map = mmap.mmap(file.fileno(), 0)

    def _head(self) -> tuple[int, ...]:
        return HEAD.unpack_from(self.map)

    @property
    def sums(self) -> tuple[int, ...]:
        """Lines, words, bytes."""
        return self._head()[1:4]

    @property
    def twice(self) -> int:
        """How many lines came although they were counted already."""
        return self._head()[4]

    @property
    def is_pending(self) -> bool:
        """Whether somebody died while adding."""
        return self._head()[5] != 0

    def is_counted(self, line: int) -> bool:
        return bool(self.map[BITS_AT + line // 8] >> line % 8 & 1)

    def missing(self, lines: int) -> list[int]:
        return [line for line in range(lines) if not self.is_counted(line)]

    def apply(self) -> int:
        """Does what was planned, again if a dead worker was in the middle of it."""
        head = self._head()
        pending = head[5]
        for line in struct.unpack_from(f'<{pending}Q', self.map, PLANNED_AT):
            self.map[BITS_AT + line // 8] |= 1 << line % 8
        struct.pack_into('<4Q', self.map, 0, head[9], *head[6:9])
        struct.pack_into('<Q', self.map, PENDING_AT, 0)
        return pending

    def add(self, token: int, batch: list[tuple[int, int, int, int]]) -> None:
        """Under the lock. BATCH: line number, lines, words, bytes."""
        head = self._head()
        if token <= head[0]:
            raise RuntimeError('the tally has seen a newer token')
        fresh = [entry for entry in batch if not self.is_counted(entry[0])]
        following = [head[1 + i] + sum(entry[1 + i] for entry in fresh) for i in range(3)]
        struct.pack_into('<Q', self.map, 32, head[4] + len(batch) - len(fresh))
        struct.pack_into(f'<{len(fresh)}Q', self.map, PLANNED_AT, *(entry[0] for entry in fresh))
        struct.pack_into('<4Q', self.map, NEXT_AT, *following, token)
        struct.pack_into('<Q', self.map, PENDING_AT, len(fresh))
        self.apply()
