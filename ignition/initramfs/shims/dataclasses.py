# SPDX-License-Identifier: Apache-2.0
"""Replacement for `dataclasses` in the packed Python: the features that the engine uses, without compiling.

The standard library writes the methods of each class as text and compiles that text when the class is made. A
stage starts with about seventy classes, and this took half of its import time. Here the methods are closures
over the names of the fields.

Supported features behave as in the standard library, except that `slots` is accepted and has no effect. Other
features raise an error when the class is made: then packing fails, not a boot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from operator import attrgetter
from typing import Any, Final

__all__ = ["MISSING", "Field", "FrozenInstanceError", "dataclass", "field", "replace"]

FIELDS: Final = "__dataclass_fields__"
MISSING: Final = object()
"""Value of a default that is not given."""

UNKNOWN: Final = ("InitVar", "KW_ONLY")
"""Annotations that the standard library treats specially and this module does not support."""


class FrozenInstanceError(AttributeError):
    """An attribute of a frozen instance cannot be set or deleted."""


class Field:
    """Options of a field."""

    def __init__(
        self,
        *,
        default: Any = MISSING,
        default_factory: Any = MISSING,
        init: bool = True,
        repr: bool = True,  # noqa: A002  the standard library's name
        compare: bool = True,
    ) -> None:
        self.default = default
        self.factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare


field: Final = Field


def dataclass(cls: Any = None, /, *, eq: bool = True, frozen: bool = False, slots: bool = False) -> Any:
    """Add to a class the methods that follow from its fields."""
    del slots
    made = partial(_made, eq=eq, frozen=frozen)
    return made if cls is None else made(cls)


def replace(instance: Any, /, **changes: Any) -> Any:
    """Return a copy of an instance with changed fields."""
    for name, each in getattr(instance, FIELDS).items():
        if each.init:
            changes.setdefault(name, getattr(instance, name))
        elif name in changes:
            raise ValueError(f"field {name} is declared with init=False")
    return type(instance)(**changes)


def _made(cls: Any, *, eq: bool, frozen: bool) -> Any:
    fields: dict[str, Field] = {}
    for base in reversed(cls.__mro__[1:]):
        fields |= base.__dict__.get(FIELDS, {})
    own = {name: str(kind) for name, kind in cls.__annotations__.items()}
    fields |= {name: _own(cls, name, kind) for name, kind in own.items() if "ClassVar" not in kind}
    setattr(cls, FIELDS, fields)
    cls.__init__ = _init(cls, fields)
    _add(cls, "__match_args__", tuple(name for name, each in fields.items() if each.init))
    _add(cls, "__repr__", _repr(tuple(name for name, each in fields.items() if each.repr)))
    if eq:
        values = _values(name for name, each in fields.items() if each.compare)
        hashed = cls.__dict__.get("__hash__") is not None
        _add(cls, "__eq__", _eq(values))
        if not hashed:
            cls.__hash__ = _hash(values) if frozen else None
    if frozen:
        cls.__setattr__, cls.__delattr__ = _frozen(cls, fields)
    return cls


def _add(cls: Any, name: str, value: Any) -> None:
    """Set an attribute of a class, unless the class defines it itself."""
    if name not in cls.__dict__:
        setattr(cls, name, value)


def _own(cls: Any, name: str, kind: str) -> Field:
    """Return a field that the class declares. The default becomes an attribute of the class."""
    if any(word in kind for word in UNKNOWN):
        raise TypeError(f"{cls.__qualname__}.{name}: {kind} is not supported by the packed dataclasses")
    default = cls.__dict__.get(name, MISSING)
    if not isinstance(default, Field):
        return Field(default=default)
    if default.default is MISSING:
        delattr(cls, name)
    else:
        setattr(cls, name, default.default)
    return default


def _init(cls: Any, fields: dict[str, Field]) -> Callable[..., None]:
    names = tuple(name for name, each in fields.items() if each.init)
    all_given = len(names) if len(names) == len(fields) else -1
    completed = _completed(cls, names, fields)
    finish = hasattr(cls, "__post_init__")

    def init(self: Any, *values: Any, **named: Any) -> None:
        quick = not named and len(values) == all_given
        self.__dict__.update(zip(names, values) if quick else completed(values, named))  # noqa: B905
        if finish:
            self.__post_init__()

    return init


def _completed(
    cls: Any, names: tuple[str, ...], fields: dict[str, Field]
) -> Callable[[tuple[Any, ...], dict[str, Any]], dict[str, Any]]:
    """Make a function from positional and keyword arguments to the attributes of a new instance."""
    defaults = {name: each.default for name, each in fields.items() if each.default is not MISSING}
    factories = {name: each.factory for name, each in fields.items() if each.factory is not MISSING}
    left = [frozenset(names[number:]) for number in range(len(names) + 1)]
    size = len(left[0] | defaults.keys())

    def complete(values: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        if len(values) > len(names) or not named.keys() <= left[len(values)]:
            raise TypeError(f"{cls.__qualname__} takes {', '.join(names)}, each once")
        given = {**defaults, **dict(zip(names, values)), **named}  # noqa: B905  fewer values are fine
        if len(given) != size:
            given |= {name: make() for name, make in factories.items() if name not in given}
        if len(given) != size:
            raise TypeError(f"{cls.__qualname__} needs {', '.join(sorted(left[0] - given.keys()))}")
        return given

    return complete


def _values(names: Iterable[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Make a function from an instance to a tuple of these attributes."""
    found = tuple(names)
    if len(found) > 1:
        return attrgetter(*found)
    return lambda self: tuple(getattr(self, name) for name in found)


def _repr(names: tuple[str, ...]) -> Callable[[Any], str]:
    def shown(self: Any) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({fields})"

    return shown


def _eq(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any, object], bool]:
    def equal(self: Any, other: object) -> bool:
        return values(self) == values(other) if type(other) is type(self) else NotImplemented

    return equal


def _hash(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any], int]:
    return lambda self: hash(values(self))


def _frozen(cls: Any, fields: dict[str, Field]) -> tuple[Callable[..., None], Callable[..., None]]:
    """Make `__setattr__` and `__delattr__`. A subclass that is no dataclass may set its own attributes."""

    def assign(self: Any, name: str, value: object) -> None:
        if type(self) is cls or name in fields:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def delete(self: Any, name: str) -> None:
        if type(self) is cls or name in fields:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return assign, delete
