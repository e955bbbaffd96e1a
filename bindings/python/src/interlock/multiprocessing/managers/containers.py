"""dict, list, Namespace, Value and Array of a manager: the domain's own."""

from __future__ import annotations

import array
import types
from typing import Any, Iterator

from ... import _core
from . import remote
from .shared import Shared

__all__ = ["SharedArray", "SharedDict", "SharedList", "SharedNamespace", "SharedValue"]


class SharedDict(Shared, _core.Dict, remote.DictProxy):  # type: ignore[misc]
    """A dict. What is read is a copy, so a change of a mutable value must be stored again; a proxy that is
    stored comes back as a proxy of the same object."""

    _exposed_ = (*remote.DictProxy._exposed_, "__ior__", "__or__", "__ror__", "__reversed__", "change")
    _shown = "DictProxy"
    __getitem__ = _core.Dict.__getitem__
    __setitem__ = _core.Dict.__setitem__
    __delitem__ = _core.Dict.__delitem__
    __contains__ = _core.Dict.__contains__
    __len__ = _core.Dict.__len__

    @classmethod
    def _make(cls, *args: Any, **kwds: Any) -> SharedDict:
        made = cls(_core.default_domain(), codec=_core.PICKLE)
        first = dict(*args, **kwds)
        if first:
            _core.Dict.update(made, first)
        return made

    def _handles(self) -> tuple[Any, ...]:
        return (self,)

    @classmethod
    def _reopen(cls, handles: tuple[Any, ...], state: Any) -> Any:
        return handles[0]

    def _getvalue(self) -> dict[Any, Any]:
        return self.copy()

    def __iter__(self) -> Iterator[Any]:
        return self._each(self.keys())

    def _each(self, keys: list[Any]) -> Iterator[Any]:
        for key in keys:
            if len(self) != len(keys):
                raise RuntimeError("dictionary changed size during iteration")
            yield key

    def __reversed__(self) -> Iterator[Any]:
        return reversed(self.keys())

    def update(self, other: Any = (), /, **kwds: Any) -> None:
        """Sets all of it in one step."""
        _core.Dict.update(self, _plain(other), **kwds)

    def __or__(self, other: Any) -> Any:
        other = _plain(other)
        return self.copy() | other if isinstance(other, dict) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        return other | self.copy() if isinstance(other, dict) else NotImplemented

    def __ior__(self, other: Any) -> SharedDict:
        self.update(other)
        return self


class SharedList(Shared, _core.List, remote.ListProxy):
    """A list; as for SharedDict, what is read is a copy."""

    _exposed_ = (*remote.ListProxy._exposed_, "__iadd__", "clear", "copy")
    _shown = "ListProxy"
    __getitem__ = _core.List.__getitem__
    __setitem__ = _core.List.__setitem__
    __delitem__ = _core.List.__delitem__
    __contains__ = _core.List.__contains__
    __len__ = _core.List.__len__

    @classmethod
    def _make(cls, sequence: Any = (), /) -> SharedList:
        made = cls(_core.default_domain(), codec=_core.PICKLE)
        _core.List.extend(made, list(sequence))
        return made

    def _handles(self) -> tuple[Any, ...]:
        return (self,)

    @classmethod
    def _reopen(cls, handles: tuple[Any, ...], state: Any) -> Any:
        return handles[0]

    def _getvalue(self) -> list[Any]:
        return self.copy()

    def __iter__(self) -> Iterator[Any]:
        index = 0
        while True:
            try:
                item = self[index]
            except IndexError:
                return
            yield item
            index += 1

    def __reversed__(self) -> Iterator[Any]:
        return reversed(self.copy())

    def __add__(self, other: Any) -> Any:
        other = _plain(other)
        return self.copy() + other if isinstance(other, list) else NotImplemented

    def __radd__(self, other: Any) -> Any:
        return other + self.copy() if isinstance(other, list) else NotImplemented

    def __iadd__(self, other: Any) -> SharedList:
        self.extend(_plain(other))
        return self

    def __mul__(self, times: int) -> list[Any]:
        return self.copy() * times

    __rmul__ = __mul__

    def __imul__(self, times: int) -> SharedList:
        if times > 1:
            self.extend(self.copy() * (times - 1))
        elif times < 1:
            self.clear()
        return self


def _plain(other: Any) -> Any:
    """A copy of what a proxy of a container stands for; anything else as it is."""
    return other.copy() if isinstance(other, (SharedDict, SharedList)) else other


SharedDict._adopted = SharedDict
SharedList._adopted = SharedList


class SharedNamespace(Shared, remote.NamespaceProxy):
    """Attributes; those that begin with "_" are this proxy's own."""

    _exposed_ = remote.NamespaceProxy._exposed_
    _shown = "NamespaceProxy"
    _data: _core.Dict

    @classmethod
    def _make(cls, /, **kwds: Any) -> SharedNamespace:
        data = _core.Dict(_core.default_domain(), codec=_core.PICKLE)
        if kwds:
            data.update(kwds)
        return cls._reopen((data,), None)

    def _handles(self) -> tuple[Any, ...]:
        return (self._data,)

    @classmethod
    def _reopen(cls, handles: tuple[Any, ...], state: Any) -> SharedNamespace:
        made = cls()
        object.__setattr__(made, "_data", handles[0])
        return made

    def _getvalue(self) -> remote.Namespace:
        return remote.Namespace(**self._data.copy())

    def __getattr__(self, key: str) -> Any:
        if not key.startswith("_"):
            try:
                return self._data[key]
            except KeyError:
                pass
        raise AttributeError(f"'Namespace' object has no attribute {key!r}")

    def __setattr__(self, key: str, value: Any) -> None:
        if key.startswith("_"):
            object.__setattr__(self, key, value)
        else:
            self._data[key] = value

    def __delattr__(self, key: str) -> None:
        if key.startswith("_"):
            object.__delattr__(self, key)
            return
        try:
            del self._data[key]
        except KeyError:
            raise AttributeError(f"'Namespace' object has no attribute {key!r}") from None

    def _callmethod(self, methodname: str, args: Any = (), kwds: Any = {}) -> Any:
        if methodname == "__getattribute__":
            return self.__getattr__(*args)
        return super()._callmethod(methodname, args, kwds)


class SharedValue(Shared, remote.ValueProxy):
    """One object, of any type."""

    _exposed_ = ("get", "set")
    _shown = "ValueProxy"
    __class_getitem__: Any = classmethod(types.GenericAlias)

    def __init__(self, item: _core.List, typecode: Any) -> None:
        self._item = item
        self._typecode = typecode

    @classmethod
    def _make(cls, typecode: Any, value: Any, lock: Any = True) -> SharedValue:
        item = _core.List(_core.default_domain(), codec=_core.PICKLE)
        item.append(value)
        return cls(item, typecode)

    def _handles(self) -> tuple[Any, ...]:
        return (self._item,)

    def _state(self) -> Any:
        return self._typecode

    @classmethod
    def _reopen(cls, handles: tuple[Any, ...], state: Any) -> SharedValue:
        return cls(handles[0], state)

    def _getvalue(self) -> remote.Value:
        return remote.Value(self._typecode, self.get())

    def get(self) -> Any:
        return self._item[0]

    def set(self, value: Any) -> None:
        self._item[0] = value

    value = property(get, set)


_INTEGERS = {True: {1: "i8", 2: "i16", 4: "i32", 8: "i64"}, False: {1: "u8", 2: "u16", 4: "u32", 8: "u64"}}


def _type_of(typecode: str) -> str:
    """The domain's name for a typecode of Python's arrays."""
    if typecode in ("f", "d"):
        return "f32" if typecode == "f" else "f64"
    size = array.array(typecode).itemsize
    return "u32" if typecode == "u" else _INTEGERS[typecode.islower()][size]


class SharedArray(Shared, remote.ArrayProxy):  # type: ignore[misc]
    """Numbers of one type; slices are arrays of Python. Its length is fixed."""

    _exposed_ = remote.ArrayProxy._exposed_
    _shown = "ArrayProxy"

    def __init__(self, numbers: _core.Array, typecode: str) -> None:
        self._numbers = numbers
        self._typecode = typecode

    @classmethod
    def _make(cls, typecode: str, sequence: Any, lock: Any = True) -> SharedArray:
        first = array.array(typecode, sequence)
        numbers = _core.Array(_core.default_domain(), None, _type_of(typecode), len(first))
        made = cls(numbers, typecode)
        if first:
            made[:] = first
        return made

    def _handles(self) -> tuple[Any, ...]:
        return (self._numbers,)

    def _state(self) -> Any:
        return self._typecode

    @classmethod
    def _reopen(cls, handles: tuple[Any, ...], state: Any) -> SharedArray:
        return cls(handles[0], state)

    def _getvalue(self) -> array.array[Any]:
        return self[:]  # type: ignore[no-any-return]

    def _out(self, number: Any) -> Any:
        return chr(number) if self._typecode == "u" else number

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        found = self._numbers[index]
        if isinstance(index, slice):
            return array.array(self._typecode, [self._out(number) for number in found])
        return self._out(found)

    def __setitem__(self, index: Any, value: Any) -> None:
        if not isinstance(index, slice):
            # an array of Python says what is wrong with the value
            self._numbers[index] = _numbers(array.array(self._typecode, [value]))[0]
            return
        if not isinstance(value, array.array):
            raise TypeError(f'can only assign array (not "{type(value).__name__}") to array slice')
        if value.typecode != self._typecode:
            raise TypeError("bad argument type for built-in operation")
        self._numbers[index] = _numbers(value)

    def __iter__(self) -> Iterator[Any]:
        return iter(self[:])


def _numbers(values: array.array[Any]) -> list[Any]:
    return [ord(value) for value in values] if values.typecode == "u" else values.tolist()
