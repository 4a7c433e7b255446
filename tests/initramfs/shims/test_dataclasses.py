"""The packed `dataclasses` does what the standard library's does, for all that the engine asks of it."""

from __future__ import annotations

import dataclasses as standard
import json
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ignition.initramfs import imports
from ignition.initramfs.shims import dataclasses as packed
from ignition.initramfs.shims import substitutes


@pytest.fixture(params=[standard, packed], ids=["standard", "packed"])
def library(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def point(library: Any) -> Any:
    @library.dataclass(frozen=True)
    class Point:
        axes: ClassVar[int] = 2
        x: int
        y: int = 5
        name: str = library.field(default="here", repr=False, compare=False)
        seen: list[int] = library.field(default_factory=list)

        @cached_property
        def sum(self) -> int:
            return self.x + self.y

    return Point


class TestMaking:
    def test_by_place_by_name_and_by_default(self, point: Any) -> None:
        made = point(1, name="there")
        assert (made.x, made.y, made.name, made.seen) == (1, 5, "there", [])
        assert (point(1, 2, "a", [3]).seen, point(seen=[3], x=1).seen) == ([3], [3])

    def test_each_instance_has_a_list_of_its_own(self, point: Any) -> None:
        assert point(1).seen is not point(1).seen

    @pytest.mark.parametrize(
        ("values", "named"),
        [((), {}), ((1, 2, "a", [], 5), {}), ((1,), {"x": 2}), ((1,), {"z": 2}), ((), {"y": 1})],
    )
    def test_what_does_not_fit_is_refused(self, point: Any, values: Any, named: Any) -> None:
        with pytest.raises(TypeError):
            point(*values, **named)

    def test_what_is_not_given_can_follow_from_the_rest(self, library: Any) -> None:
        @library.dataclass(frozen=True, slots=True)
        class Square:
            side: int
            area: int = library.field(init=False)

            def __post_init__(self) -> None:
                object.__setattr__(self, "area", self.side**2)

        make: Any = Square
        assert make(3).area == 9
        with pytest.raises(TypeError):
            make(3, 9)
        with pytest.raises(ValueError, match="area"):
            library.replace(make(3), area=9)

    def test_fields_are_inherited(self, library: Any, point: Any) -> None:
        @library.dataclass(frozen=True)
        class Solid(point):  # type: ignore[misc]
            z: int = 7

        assert (Solid(1, 2, "a", [], 3).z, Solid(1).z, Solid(1).y) == (3, 7, 5)

    def test_no_class_without_fields_is_a_special_case(self, library: Any) -> None:
        @library.dataclass(frozen=True)
        class Nothing:
            pass

        assert Nothing() == Nothing()
        assert hash(Nothing()) == hash(Nothing())
        assert repr(Nothing()).endswith("Nothing()")

    def test_a_class_attribute_is_the_default_only_where_there_is_one(self, point: Any) -> None:
        assert point.y == 5
        assert not hasattr(point, "seen")


class TestComparing:
    def test_by_the_fields_that_count(self, point: Any) -> None:
        assert point(1, name="a") == point(1, name="b")
        assert point(1) != point(2)
        assert point(1) != (1, 5, [])

    def test_another_class_is_another_thing(self, library: Any, point: Any) -> None:
        @library.dataclass(frozen=True)
        class Other(point):  # type: ignore[misc]
            pass

        assert Other(1) != point(1)

    def test_frozen_ones_have_a_hash_and_others_none(self, library: Any) -> None:
        @library.dataclass(frozen=True)
        class Frozen:
            x: int

        @library.dataclass
        class Open:
            x: int

        frozen: Any = Frozen
        make: Any = Open
        assert len({frozen(1), frozen(1), frozen(2)}) == 2
        with pytest.raises(TypeError, match="unhashable"):
            hash(make(1))

    def test_by_identity_if_asked_for(self, library: Any) -> None:
        @library.dataclass(eq=False)
        class Thing:
            x: int

        make: Any = Thing
        one = make(1)
        assert one != make(1)
        assert hash(one) == object.__hash__(one)

    def test_methods_of_the_class_itself_stay(self, library: Any) -> None:
        @library.dataclass(frozen=True)
        class Secret:
            text: str

            def __repr__(self) -> str:
                return "***"

            def __eq__(self, other: object) -> bool:
                return True

            def __hash__(self) -> int:
                return 5

        make: Any = Secret
        assert (repr(make("a")), make("a") == make("b"), hash(make("a"))) == ("***", True, 5)


class TestFrozen:
    def test_nothing_can_be_set_or_deleted(self, library: Any, point: Any) -> None:
        one = point(1)
        for name in ("x", "q"):
            with pytest.raises(library.FrozenInstanceError):
                setattr(one, name, 2)
        with pytest.raises(library.FrozenInstanceError):
            del one.x
        assert one.x == 1

    def test_what_is_computed_once_is_kept(self, point: Any) -> None:
        one = point(1)
        assert one.sum == 6
        assert vars(one)["sum"] == 6

    def test_a_subclass_of_another_kind_has_attributes_of_its_own(self, library: Any, point: Any) -> None:
        class Loose(point):  # type: ignore[misc]
            pass

        one = Loose(1)
        one.q = 2
        assert one.q == 2
        with pytest.raises(library.FrozenInstanceError):
            one.x = 2

    def test_others_can_be_changed(self, library: Any) -> None:
        @library.dataclass
        class Open:
            x: int = 1

        make: Any = Open
        one = make()
        one.x = 2
        assert one == make(2)
        assert make() == make(1)


def test_shown_as_it_is_made_without_what_is_hidden(point: Any) -> None:
    assert repr(point(1)).endswith("Point(x=1, y=5, seen=[])")


def test_replaced(library: Any, point: Any) -> None:
    changed = library.replace(point(1, name="a"), y=6)
    assert (changed.x, changed.y, changed.name) == (1, 6, "a")
    with pytest.raises(TypeError):
        library.replace(point(1), q=2)


def test_matched_by_place(point: Any) -> None:
    match point(1):
        case point(x, y):
            assert (x, y) == (1, 5)


@pytest.mark.parametrize("options", [{"order": True}, {"kw_only": True}, {"init": False}])
def test_what_is_not_there_is_refused_when_the_class_is_made(options: Any) -> None:
    with pytest.raises(TypeError):

        @packed.dataclass(**options)
        class Thing:
            x: int


@pytest.mark.parametrize("kind", ["InitVar[int]", "dataclasses.InitVar[int]", "KW_ONLY"])
def test_kinds_of_fields_that_are_not_known_are_refused(kind: str) -> None:
    with pytest.raises(TypeError, match="not known"):
        packed.dataclass(type("Thing", (), {"__annotations__": {"x": kind}}))


CLASSES = """
import importlib, json, sys

def described(cls):
    for name, field in cls.__dataclass_fields__.items():
        if "ClassVar" not in str(getattr(field, "type", "")):
            default = repr(field.default) if isinstance(field.default, (str, int, tuple)) else ""
            yield name, field.init, field.repr, field.compare, default

found = {}
for module in json.load(sys.stdin):
    for cls in vars(importlib.import_module(module)).values():
        if isinstance(cls, type) and "__dataclass_fields__" in vars(cls):
            own = [name for name in ("__repr__", "__eq__", "__setattr__", "__delattr__") if name in vars(cls)]
            place = f"{cls.__module__}.{cls.__qualname__}"
            found[place] = *described(cls), *own, cls.__hash__ is None, cls.__match_args__
json.dump(found, sys.stdout)
"""
"""What becomes of the engine's own classes."""


@pytest.mark.real_commands
def test_the_engine_s_own_classes_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "dataclasses.py").write_text(substitutes.dataclasses())
    modules = json.dumps(sorted(imports.reach().modules)).encode()

    def classes(*path: str) -> dict[str, Any]:
        front = f"import sys; sys.path[:0] = {[*path, *sys.path]}\n"
        ran = subprocess.run(
            [sys.executable, "-IS", "-c", front + CLASSES], input=modules, capture_output=True, check=True
        )
        return json.loads(ran.stdout)  # type: ignore[no-any-return]

    theirs, ours = classes(), classes(str(tmp_path))
    assert len(ours) > 100
    assert ours == theirs
