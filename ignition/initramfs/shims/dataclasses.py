"""The `dataclasses` of the packed Python: as much of it as the engine uses, and nothing compiled.

The standard library writes the methods of each class as text and compiles that when the class is made. A
stage begins with some seventy classes, which took half of the time of its imports. Here the methods are
closures over the names of the fields.

What a class may ask for here it gets as from the standard library, but that `slots`, which save memory
only, are not made. Anything else is refused when the class is made, so packing fails, not a boot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from operator import attrgetter
from typing import Any, Final

__all__ = ["MISSING", "Field", "FrozenInstanceError", "dataclass", "field", "replace"]

FIELDS: Final = "__dataclass_fields__"
MISSING: Final = object()
"""Stands where no default was given."""

UNKNOWN: Final = ("InitVar", "KW_ONLY")
"""What the standard library looks for in annotations, beside `ClassVar`."""


class FrozenInstanceError(AttributeError):
    """An attribute of a frozen instance was to be set or deleted."""


class Field:
    """What is said of a field beside its type."""

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
    """Give a class the methods that follow from its fields."""
    del slots
    made = partial(_made, eq=eq, frozen=frozen)
    return made if cls is None else made(cls)


def replace(instance: Any, /, **changes: Any) -> Any:
    """The same with other values for some fields."""
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
    """What the class defines itself stays."""
    if name not in cls.__dict__:
        setattr(cls, name, value)


def _own(cls: Any, name: str, kind: str) -> Field:
    """A field that the class itself declares; its default, if it has one, becomes the class's attribute."""
    if any(word in kind for word in UNKNOWN):
        raise TypeError(f"{cls.__qualname__}.{name}: {kind} is not known here")
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
    """What makes the attributes of a new instance from what is given by place and by name."""
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
    """What gets these attributes of an instance as a tuple."""
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
    """Attributes stay as they are; a subclass that is no dataclass may have some of its own."""

    def assign(self: Any, name: str, value: object) -> None:
        if type(self) is cls or name in fields:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def delete(self: Any, name: str) -> None:
        if type(self) is cls or name in fields:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return assign, delete
