"""Which functions a module offers."""

from __future__ import annotations

import math
from types import ModuleType

import pytest

import interlock
from interlock.tasks import functions_of


def module_with(**members: object) -> ModuleType:
    module = ModuleType("some")
    for name, member in members.items():
        if callable(member) and getattr(member, "__module__", None) == __name__:
            member.__module__ = "some"
        setattr(module, name, member)
    return module


def test_all_public_functions_are_offered_if_none_is_decorated() -> None:
    def one() -> None: ...

    def _hidden() -> None: ...

    module = module_with(one=one, _hidden=_hidden, floor=math.floor, number=1, kind=dict)
    assert functions_of(module) == {"one": one}


def test_what_was_imported_is_not_offered() -> None:
    module = module_with(load=functions_of, one=lambda: 1)
    assert list(functions_of(module)) == ["one"]


def test_only_decorated_functions_are_offered_if_there_is_one() -> None:
    @interlock.task
    def one() -> int:
        return 1

    @interlock.task(name="a/b")
    def two() -> int:
        return 2

    def three() -> None: ...

    assert one() == 1 and two() == 2
    assert functions_of(module_with(one=one, two=two, three=three)) == {"one": one, "a/b": two}


def test_a_function_under_two_names_is_offered_once() -> None:
    @interlock.task
    def one() -> None: ...

    assert functions_of(module_with(one=one, again=one)) == {"one": one}


def test_two_tasks_of_one_name_are_refused() -> None:
    @interlock.task
    def one() -> None: ...

    @interlock.task(name="one")
    def other() -> None: ...

    with pytest.raises(ValueError, match="two tasks named 'one'"):
        functions_of(module_with(one=one, other=other))


def test_a_choice_of_functions() -> None:
    module = module_with(one=lambda: 1, two=lambda: 2)
    assert list(functions_of(module, ["two"])) == ["two"]
    with pytest.raises(LookupError, match="offers no function three"):
        functions_of(module, ["one", "three"])


def test_a_module_without_functions_is_refused() -> None:
    with pytest.raises(LookupError, match="no function"):
        functions_of(module_with(number=1))


@pytest.mark.parametrize("name", ["", "n" * 256, "a\0b"])
def test_names_have_limits(name: str) -> None:
    with pytest.raises(ValueError, match="function's name"):
        interlock.task(name=name)(lambda: None)


def test_outside_a_pool_nothing_is_cancelled_or_reported() -> None:
    assert interlock.current_call() is None
    assert not interlock.cancelled()
    interlock.progress(0.5)
