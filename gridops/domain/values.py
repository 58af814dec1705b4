"""How domain values are declared: frozen for the type checker, plain slots at run time.

A frozen dataclass costs five times a plain one to build, and the decision path builds thousands a second. The checker
refuses every assignment, so nothing is lost but the cost. A value's methods are written when the first of them is
called: writing them takes a millisecond a class, and a short command declares two hundred and builds fifty.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, make_dataclass
from typing import Any, TypeVar, dataclass_transform

_T = TypeVar("_T")
_METHODS = ("__init__", "__repr__", "__eq__", "__hash__")


@dataclass_transform(frozen_default=True, kw_only_default=False)
def value(cls: type[_T]) -> type[_T]:
    """Declare an immutable value with slots. Given by position it costs half of what it does by name."""
    return _declared(cls, by_name=False)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def record(cls: type[_T]) -> type[_T]:
    """Declare an immutable value whose fields are given by name."""
    return _declared(cls, by_name=True)


def _declared(cls: type[_T], *, by_name: bool) -> type[_T]:
    # Without words of its own a class is given its signature as such, which has to be looked up.
    cls.__doc__ = cls.__doc__ or cls.__name__
    missing = [name for name in _METHODS if cls.__dict__.get(name) is None]
    made = dataclass(init=False, repr=False, eq=False, slots=True, kw_only=by_name)(cls)
    for name in missing:
        setattr(made, name, _on_first_call(made, name))
    return made


def _on_first_call(made: type, name: str) -> Callable[..., Any]:
    def first(self: Any, *args: Any, **kwargs: Any) -> Any:
        written = _written(made, name)
        setattr(made, name, written)
        return written(self, *args, **kwargs)

    return first


def _written(made: type[Any], name: str) -> Callable[..., Any]:
    """The method that an ordinary dataclass with these fields has."""
    namespace: dict[str, Any] = {"__doc__": made.__name__}
    if hasattr(made, "__post_init__"):
        namespace["__post_init__"] = made.__post_init__
    like = make_dataclass(
        made.__qualname__, [(each.name, each.type, each) for each in fields(made)], namespace=namespace,
        init=name == "__init__", repr=name == "__repr__", eq=name == "__eq__", unsafe_hash=name == "__hash__",
        match_args=False,
    )  # fmt: skip
    method: Callable[..., Any] = getattr(like, name)
    return method
