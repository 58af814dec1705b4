"""A declared value behaves as the dataclass it stands for, whichever of its methods is called first."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import pytest
from gridops.domain.values import record, value


@value
class Pair:
    left: int
    right: tuple[str, ...] = ()
    more: dict[str, int] = field(default_factory=dict, compare=False, repr=False, hash=False)


@record
class Named:
    """Has words of its own."""

    left: int
    right: int = 0

    def __post_init__(self) -> None:
        if self.left > 9:
            raise ValueError("too large")


@value
class Longer(Pair):
    last: str = "z"


def _declare(how: Callable[[type], type]) -> Any:
    class Fresh:
        left: int
        right: str = "b"

        def total(self) -> int:
            return self.left + len(self.right)

    return how(Fresh)


FIRST: dict[str, Callable[[Any], object]] = {
    "repr": lambda made: repr(made(1)),
    "equal": lambda made: (made(1) == made(1), made(1) == made(2), made(1) != made(1, "c"), made(1) == 1),
    "hash": lambda made: (hash(made(1)), hash(made(2, "c"))),
    "key": lambda made: {made(1): "x"}[made(1)],
    "fields": lambda made: [(each.name, each.type, each.default) for each in fields(made)],
    "replace": lambda made: repr(replace(made(1), right="q")),
    "words": lambda made: (is_dataclass(made), made.__match_args__, made.__slots__, made(1).total()),
}


@pytest.mark.parametrize("first", FIRST)
def test_it_does_what_an_ordinary_dataclass_does(first: str) -> None:
    ordinary, ours = _declare(dataclass(slots=True, unsafe_hash=True)), _declare(value)
    asked = FIRST[first]
    assert asked(ours) == asked(ordinary)
    assert asked(ours) == asked(ordinary), "and again, written by now"


def test_defaults_are_made_anew_and_compare_as_declared() -> None:
    one, other = Pair(1), Pair(1, more={"a": 1})
    assert one.more == {} and one.more is not Pair(1).more
    assert one == other and hash(one) == hash(other) and repr(other) == "Pair(left=1, right=())"


def test_it_has_slots_only_and_refuses_what_it_was_not_declared_with() -> None:
    with pytest.raises(AttributeError):
        Pair(1).other = 2  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match=r"Named.__init__\(\) takes 1 positional argument"):
        Named(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'left'"):
        Pair()  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="too large"):
        Named(left=10)


def test_a_longer_value_takes_its_bases_fields_first() -> None:
    longer = Longer(1, ("a",), last="y")
    assert [each.name for each in fields(longer)] == ["left", "right", "more", "last"]
    assert longer == Longer(1, ("a",), {}, "y") and longer != Pair(1, ("a",))
    assert pickle.loads(pickle.dumps(longer)) == longer
