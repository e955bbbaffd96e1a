"""Memory under a name, which any program of the machine can map. The standard module opens the same names."""

from __future__ import annotations

import mmap
import os
import secrets
import struct
import types
from functools import partial
from typing import Any, Iterable, Iterator, List, Optional

import _posixshmem  # type: ignore[import-not-found]

from . import resource_tracker

__all__ = ["SharedMemory", "ShareableList"]

_SHM_NAME_PREFIX = "/psm_"


class SharedMemory:
    """A block of shared memory. close() when this process, unlink() when nobody needs it any more. What was
    not unlinked when the family of processes is gone is unlinked then."""

    _name: Any = None
    _fd = -1
    _mmap: Optional[mmap.mmap] = None
    _buf: Optional[memoryview] = None
    _mode = 0o600
    _prepend_leading_slash = True

    def __init__(self, name: Optional[str] = None, create: bool = False, size: int = 0) -> None:
        """CREATE: a new one of SIZE bytes; NAME None: it gets a name that is free. Otherwise the one that is
        called NAME."""
        if not size >= 0:
            raise ValueError("'size' must be a positive integer")
        if create and size == 0:
            raise ValueError("'size' must be a positive number different from zero")
        if name is None and not create:
            raise ValueError("'name' can only be None if create=True")
        self._open(name, os.O_RDWR | (os.O_CREAT | os.O_EXCL if create else 0))
        try:
            if create:
                os.ftruncate(self._fd, size)
            self._size = os.fstat(self._fd).st_size
            self._mmap = mmap.mmap(self._fd, self._size)
        except OSError:
            if create:
                _posixshmem.shm_unlink(self._name)
            self.close()
            raise
        self._buf = memoryview(self._mmap)
        resource_tracker.register(self._name, "shared_memory")

    def _open(self, name: Optional[str], flags: int) -> None:
        if name is not None:
            self._name = "/" + name if self._prepend_leading_slash else name
            self._fd = _posixshmem.shm_open(self._name, flags, mode=self._mode)
            return
        while self._fd < 0:
            self._name = _make_filename()
            try:
                self._fd = _posixshmem.shm_open(self._name, flags, mode=self._mode)
            except FileExistsError:
                pass

    def __del__(self) -> None:
        try:
            self.close()
        except (BufferError, OSError):
            pass

    def __reduce__(self) -> Any:
        return type(self), (self.name, False, self.size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, size={self.size})"

    @property
    def buf(self) -> memoryview:
        """Its bytes. None after close()."""
        return self._buf  # type: ignore[return-value]

    @property
    def name(self) -> str:
        name: str = self._name
        return name[1:] if self._prepend_leading_slash and name.startswith("/") else name

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size

    def close(self) -> None:
        """This object's access ends; the block stays."""
        if self._buf is not None:
            self._buf.release()
            self._buf = None
        if self._mmap is not None:
            self._mmap.close()
            self._mmap = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def unlink(self) -> None:
        """The name goes at once, the memory with the last process that has it open. Once per block."""
        if self._name:
            _posixshmem.shm_unlink(self._name)
            resource_tracker.unregister(self._name, "shared_memory")


def _make_filename() -> str:
    return _SHM_NAME_PREFIX + secrets.token_hex(4)


_WORD = 8  # bytes; the unit of the layout below
_SCALARS = {int: "q", float: "d", bool: "xxxxxxx?", type(None): "xxxxxx?x"}
_NUMBER, _STR, _BYTES, _NONE = range(4)


def _kind_of(value: Any) -> int:
    if isinstance(value, str):
        return _STR
    if isinstance(value, bytes):
        return _BYTES
    return _NONE if value is None else _NUMBER


def _encode(value: Any) -> Any:
    return value.encode("utf8") if isinstance(value, str) else value


class ShareableList:
    """A list of a fixed length in shared memory: of int (64 bits), float, bool, None, str and bytes, whose
    room is what they had at first, in units of 8 bytes. Zero bytes at the end of a str or bytes are lost.

    In the memory, as the standard module has it: the length, the length + 1 offsets of the items (64 bits
    each), the items, then for each its struct format (8 bytes) and its kind (1 byte).
    """

    shm: SharedMemory

    def __init__(self, sequence: Optional[Iterable[Any]] = None, *, name: Optional[str] = None) -> None:
        """A new one with the items of SEQUENCE; without SEQUENCE, the one that is called NAME."""
        if name is not None and sequence is None:
            self.shm = SharedMemory(name)
            self._list_len = len(self)
            offsets = struct.unpack_from(f"{self._list_len + 1}q", self.shm.buf, _WORD)
            self._offsets: List[int] = list(offsets)
            return
        items = list(sequence or ())
        formats = [self._new_format(item) for item in items]
        self._list_len = len(items)
        self._offsets = [0]
        for form in formats:
            self._offsets.append(self._offsets[-1] + struct.calcsize(form))
        size = self._kinds_at + self._list_len
        self.shm = SharedMemory(name, create=True, size=size)
        struct.pack_into(f"{self._list_len + 2}q", self.shm.buf, 0, self._list_len, *self._offsets)
        for position, (item, form) in enumerate(zip(items, formats)):
            self._store(position, form, item)

    @staticmethod
    def _new_format(item: Any) -> str:
        if isinstance(item, (str, bytes)):
            words = max(len(item) // _WORD + 1, -(-len(_encode(item)) // _WORD))
            return f"{_WORD * words}s"
        return _SCALARS[type(item)]

    @property
    def _items_at(self) -> int:
        return (self._list_len + 2) * _WORD

    @property
    def _formats_at(self) -> int:
        return self._items_at + self._offsets[-1]

    @property
    def _kinds_at(self) -> int:
        return self._formats_at + self._list_len * _WORD

    def _position(self, position: int, message: str) -> int:
        index = position + self._list_len if position < 0 else position
        if not 0 <= index < self._list_len:
            raise IndexError(message)
        return index

    def _get_packing_format(self, position: int) -> str:
        index = self._position(position, "Requested position out of range.")
        form: bytes = struct.unpack_from("8s", self.shm.buf, self._formats_at + index * _WORD)[0]
        return form.rstrip(b"\0").decode("utf8")

    def _store(self, index: int, form: str, value: Any) -> None:
        struct.pack_into(form, self.shm.buf, self._items_at + self._offsets[index], _encode(value))
        struct.pack_into("8s", self.shm.buf, self._formats_at + index * _WORD, form.encode("utf8"))
        struct.pack_into("b", self.shm.buf, self._kinds_at + index, _kind_of(value))

    def __getitem__(self, position: int) -> Any:
        index = self._position(position, "index out of range")
        at = self._items_at + self._offsets[index]
        value = struct.unpack_from(self._get_packing_format(index), self.shm.buf, at)[0]
        kind = struct.unpack_from("b", self.shm.buf, self._kinds_at + index)[0]
        if kind == _NUMBER:
            return value
        if kind == _NONE:
            return None
        value = value.rstrip(b"\0")
        return value.decode("utf8") if kind == _STR else value

    def __setitem__(self, position: int, value: Any) -> None:
        index = self._position(position, "assignment index out of range")
        if isinstance(value, (str, bytes)):
            room = self._offsets[index + 1] - self._offsets[index]
            if len(_encode(value)) > room:
                raise ValueError("bytes/str item exceeds available storage")
            form = f"{room}s"
        else:
            form = _SCALARS[type(value)]
        self._store(index, form, value)

    def __reduce__(self) -> Any:
        return partial(type(self), name=self.shm.name), ()

    def __len__(self) -> int:
        return int(struct.unpack_from("q", self.shm.buf, 0)[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(self._list_len))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)}, name={self.shm.name!r})"

    @property
    def format(self) -> str:
        """The struct formats of the items."""
        return "".join(self._get_packing_format(index) for index in range(self._list_len))

    @property
    def _format_size_metainfo(self) -> str:
        return "q" * (self._list_len + 1)

    @property
    def _format_packing_metainfo(self) -> str:
        return "8s" * self._list_len

    @property
    def _format_back_transform_codes(self) -> str:
        return "b" * self._list_len

    def count(self, value: Any) -> int:
        """How many items equal VALUE."""
        return list(self).count(value)

    def index(self, value: Any) -> int:
        """The first one that equals VALUE; ValueError: none."""
        for position, item in enumerate(self):
            if value == item:
                return position
        raise ValueError(f"{value!r} not in this container")

    __class_getitem__: Any = classmethod(types.GenericAlias)
