# SPDX-License-Identifier: Apache-2.0
"""The packed `dataclasses` behaves as the standard library's, for all features that the engine uses."""

from __future__ import annotations

import dataclasses as standard
import json
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ignition.initramfs import imports, substitutes
from ignition.initramfs.shims import dataclasses as packed

CHECKOUT = Path(__file__).parents[3]


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
    def test_init_takes_positional_keyword_and_default_values(self, point: Any) -> None:
        made = point(1, name="there")
        assert (made.x, made.y, made.name, made.seen) == (1, 5, "there", [])
        assert (point(1, 2, "a", [3]).seen, point(seen=[3], x=1).seen) == ([3], [3])

    def test_init_default_factory_makes_one_list_per_instance(self, point: Any) -> None:
        assert point(1).seen is not point(1).seen

    @pytest.mark.parametrize(
        ("values", "named"),
        [((), {}), ((1, 2, "a", [], 5), {}), ((1,), {"x": 2}), ((1,), {"z": 2}), ((), {"y": 1})],
    )
    def test_init_wrong_arguments_are_type_error(self, point: Any, values: Any, named: Any) -> None:
        with pytest.raises(TypeError):
            point(*values, **named)

    def test_post_init_computes_field_without_init(self, library: Any) -> None:
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

    def test_subclass_inherits_fields(self, library: Any, point: Any) -> None:
        @library.dataclass(frozen=True)
        class Solid(point):  # type: ignore[misc]
            z: int = 7

        assert (Solid(1, 2, "a", [], 3).z, Solid(1).z, Solid(1).y) == (3, 7, 5)

    def test_class_without_fields_has_all_methods(self, library: Any) -> None:
        @library.dataclass(frozen=True)
        class Nothing:
            pass

        assert Nothing() == Nothing()
        assert hash(Nothing()) == hash(Nothing())
        assert repr(Nothing()).endswith("Nothing()")

    def test_default_becomes_class_attribute(self, point: Any) -> None:
        assert point.y == 5
        assert not hasattr(point, "seen")


class TestComparing:
    def test_eq_ignores_fields_without_compare(self, point: Any) -> None:
        assert point(1, name="a") == point(1, name="b")
        assert point(1) != point(2)
        assert point(1) != (1, 5, [])

    def test_eq_of_subclass_is_false(self, library: Any, point: Any) -> None:
        @library.dataclass(frozen=True)
        class Other(point):  # type: ignore[misc]
            pass

        assert Other(1) != point(1)

    def test_hash_exists_for_frozen_classes_only(self, library: Any) -> None:
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

    def test_eq_false_compares_by_identity(self, library: Any) -> None:
        @library.dataclass(eq=False)
        class Thing:
            x: int

        make: Any = Thing
        one = make(1)
        assert one != make(1)
        assert hash(one) == object.__hash__(one)

    def test_methods_defined_by_class_are_not_replaced(self, library: Any) -> None:
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
    def test_frozen_instance_refuses_set_and_delete(self, library: Any, point: Any) -> None:
        one = point(1)
        for name in ("x", "q"):
            with pytest.raises(library.FrozenInstanceError):
                setattr(one, name, 2)
        with pytest.raises(library.FrozenInstanceError):
            del one.x
        assert one.x == 1

    def test_frozen_instance_keeps_cached_property(self, point: Any) -> None:
        one = point(1)
        assert one.sum == 6
        assert vars(one)["sum"] == 6

    def test_plain_subclass_of_frozen_class_sets_its_own_attributes(self, library: Any, point: Any) -> None:
        class Loose(point):  # type: ignore[misc]
            pass

        one = Loose(1)
        one.q = 2
        assert one.q == 2
        with pytest.raises(library.FrozenInstanceError):
            one.x = 2

    def test_unfrozen_instance_can_be_changed(self, library: Any) -> None:
        @library.dataclass
        class Open:
            x: int = 1

        make: Any = Open
        one = make()
        one.x = 2
        assert one == make(2)
        assert make() == make(1)


def test_repr_omits_fields_without_repr(point: Any) -> None:
    assert repr(point(1)).endswith("Point(x=1, y=5, seen=[])")


def test_replace_returns_changed_copy(library: Any, point: Any) -> None:
    changed = library.replace(point(1, name="a"), y=6)
    assert (changed.x, changed.y, changed.name) == (1, 6, "a")
    with pytest.raises(TypeError):
        library.replace(point(1), q=2)


def test_match_statement_takes_positional_fields(point: Any) -> None:
    match point(1):
        case point(x, y):
            assert (x, y) == (1, 5)


@pytest.mark.parametrize("options", [{"order": True}, {"kw_only": True}, {"init": False}])
def test_unsupported_option_is_type_error(options: Any) -> None:
    with pytest.raises(TypeError):

        @packed.dataclass(**options)
        class Thing:
            x: int


@pytest.mark.parametrize("kind", ["InitVar[int]", "dataclasses.InitVar[int]", "KW_ONLY"])
def test_unsupported_annotation_is_type_error(kind: str) -> None:
    with pytest.raises(TypeError, match="not supported"):
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
"""Describe the methods and fields of each dataclass of the engine."""


@pytest.mark.real_commands
def test_engine_classes_are_equal_under_both_modules(tmp_path: Path) -> None:
    (tmp_path / "dataclasses.py").write_text(substitutes.dataclasses())
    modules = json.dumps(sorted(imports.reach().modules)).encode()

    def classes(*path: str) -> dict[str, Any]:
        front = f"import sys; sys.path[:0] = {[*path, str(CHECKOUT), *sys.path]}\n"
        ran = subprocess.run(
            [sys.executable, "-IS", "-c", front + CLASSES], input=modules, capture_output=True, check=True
        )
        return json.loads(ran.stdout)  # type: ignore[no-any-return]

    theirs, ours = classes(), classes(str(tmp_path))
    assert len(ours) > 100
    assert ours == theirs
