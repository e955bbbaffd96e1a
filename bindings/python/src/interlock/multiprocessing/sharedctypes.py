"""ctypes objects in shared memory, with and without a lock: Value, Array, RawValue, RawArray.

Their memory is zeroed, and lives as long as any process uses it. Without a lock, only what the processor
reads and writes at once is whole for other processes. Adding is reading and writing, so also what has a lock
needs it: `with value.get_lock(): value.value += 1`.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import Any, Dict, Optional, Tuple, Type

from . import get_context, heap, reduction
from .context import assert_spawning

__all__ = ["RawValue", "RawArray", "Value", "Array", "copy", "synchronized"]

_ForkingPickler = reduction.ForkingPickler

typecode_to_type: Dict[str, Any] = {
    "c": ctypes.c_char, "u": ctypes.c_wchar, "b": ctypes.c_byte, "B": ctypes.c_ubyte, "h": ctypes.c_short,
    "H": ctypes.c_ushort, "i": ctypes.c_int, "I": ctypes.c_uint, "l": ctypes.c_long, "L": ctypes.c_ulong,
    "q": ctypes.c_longlong, "Q": ctypes.c_ulonglong, "f": ctypes.c_float, "d": ctypes.c_double,
}


def _type_of(typecode_or_type: Any) -> Any:
    if isinstance(typecode_or_type, str):
        try:
            return typecode_to_type[typecode_or_type]
        except KeyError:
            known = "".join(typecode_to_type)
            raise TypeError(f"typecode: expected one of {known!r}, got {typecode_or_type!r}") from None
    return typecode_or_type


def _new_value(type_: Any) -> Any:
    return rebuild_ctype(type_, heap.BufferWrapper(ctypes.sizeof(type_)), None)


def RawValue(typecode_or_type: Any, *args: Any) -> Any:
    """A ctypes object of that type in shared memory, without a lock. ARGS are its constructor's."""
    value = _new_value(_type_of(typecode_or_type))
    value.__init__(*args)
    return value


def RawArray(typecode_or_type: Any, size_or_initializer: Any) -> Any:
    """A ctypes array in shared memory, without a lock: zeros, or the items of a sequence."""
    type_ = _type_of(typecode_or_type)
    if isinstance(size_or_initializer, int):
        return _new_value(type_ * size_or_initializer)
    array = _new_value(type_ * len(size_or_initializer))
    array.__init__(*size_or_initializer)
    return array


def Value(typecode_or_type: Any, *args: Any, lock: Any = True, ctx: Any = None) -> Any:
    """A RawValue with LOCK: True or None: an RLock of its own; False: none; else that lock."""
    return _locked(RawValue(typecode_or_type, *args), lock, ctx)


def Array(typecode_or_type: Any, size_or_initializer: Any, *, lock: Any = True, ctx: Any = None) -> Any:
    """A RawArray with a lock: see Value."""
    return _locked(RawArray(typecode_or_type, size_or_initializer), lock, ctx)


def _locked(obj: Any, lock: Any, ctx: Any) -> Any:
    if lock is False:
        return obj
    if lock is True or lock is None:
        lock = (ctx or get_context()).RLock()
    if not hasattr(lock, "acquire"):
        raise AttributeError(f"lock: expected a lock, True, False or None, got {lock!r}")
    return synchronized(obj, lock, ctx=ctx)


def copy(obj: Any) -> Any:
    """A RawValue or RawArray with what OBJ, a ctypes object, has."""
    new = _new_value(type(obj))
    ctypes.memmove(ctypes.addressof(new), ctypes.addressof(obj), ctypes.sizeof(obj))
    return new


def synchronized(obj: Any, lock: Any = None, ctx: Any = None) -> Any:
    """OBJ, a ctypes object in shared memory, with LOCK, or an RLock of its own, around every use of it."""
    assert not isinstance(obj, SynchronizedBase), "object already synchronized"
    ctx = ctx or get_context()
    if isinstance(obj, ctypes._SimpleCData):
        return Synchronized(obj, lock, ctx)
    if isinstance(obj, ctypes.Array):
        kind = SynchronizedString if obj._type_ is ctypes.c_char else SynchronizedArray
        return kind(obj, lock, ctx)
    return _structure_class(type(obj))(obj, lock, ctx)


class_cache: weakref.WeakKeyDictionary[Any, Type[SynchronizedBase]] = weakref.WeakKeyDictionary()


def _structure_class(kind: Any) -> Type[SynchronizedBase]:
    """Synchronized, with a property for each field of a structure or union, those of its bases too."""
    made = class_cache.get(kind)
    if made is None:
        bases = reversed(kind.__mro__)
        names = [field[0] for base in bases for field in base.__dict__.get("_fields_", ())]
        properties = {name: make_property(name) for name in names}
        made = class_cache[kind] = type("Synchronized" + kind.__name__, (SynchronizedBase,), properties)
    return made


# ---- pickling, while a process is spawned


def reduce_ctype(obj: Any) -> Tuple[Any, ...]:
    assert_spawning(obj)
    wrapper = obj._wrapper
    if isinstance(obj, ctypes.Array):
        return rebuild_ctype, (obj._type_, wrapper, obj._length_)
    return rebuild_ctype, (type(obj), wrapper, None)


def rebuild_ctype(type_: Any, wrapper: heap.BufferWrapper, length: Optional[int]) -> Any:
    """The object of TYPE_, or the array of LENGTH of them, in WRAPPER's memory."""
    if length is not None:
        type_ *= length
    _ForkingPickler.register(type_, reduce_ctype)
    obj: Any = type_.from_buffer(wrapper.create_memoryview())
    obj._wrapper = wrapper
    return obj


# ---- with a lock


prop_cache: Dict[str, property] = {}


def make_property(name: str) -> property:
    """The wrapped object's attribute NAME, read and written with the lock held."""
    def get(self: SynchronizedBase) -> Any:
        with self._lock:
            return getattr(self._obj, name)

    def put(self: SynchronizedBase, value: Any) -> None:
        with self._lock:
            setattr(self._obj, name, value)

    return prop_cache.setdefault(name, property(get, put))


class SynchronizedBase:
    """A ctypes object and its lock."""

    def __init__(self, obj: Any, lock: Any = None, ctx: Any = None) -> None:
        self._obj = obj
        self._lock = lock or (ctx or get_context()).RLock()
        self.acquire = self._lock.acquire
        self.release = self._lock.release

    def __enter__(self) -> Any:
        return self._lock.__enter__()

    def __exit__(self, *exc: Any) -> Any:
        return self._lock.__exit__(*exc)

    def __reduce__(self) -> Tuple[Any, ...]:
        assert_spawning(self)
        return synchronized, (self._obj, self._lock)

    def get_obj(self) -> Any:
        """The ctypes object."""
        return self._obj

    def get_lock(self) -> Any:
        return self._lock

    def __repr__(self) -> str:
        return f"<{type(self).__name__} wrapper for {self._obj}>"


class Synchronized(SynchronizedBase):
    """A number or character: `value`."""

    value = make_property("value")


class SynchronizedArray(SynchronizedBase):
    """An array; what is done with one item or slice is done with the lock held."""

    def __len__(self) -> int:
        return len(self._obj)

    def __getitem__(self, index: Any) -> Any:
        with self._lock:
            return self._obj[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        with self._lock:
            self._obj[index] = value


class SynchronizedString(SynchronizedArray):
    """An array of characters: also `value`, up to the first NUL, and `raw`."""

    value = make_property("value")
    raw = make_property("raw")
