"""Whole numbers of the state side by side: a number more takes eight bytes and no object of its own.

What fills up over hours would otherwise make a process that is young look like one that leaks.
"""

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self, cast

if TYPE_CHECKING:
    _Array = array[int]
else:
    _Array = array


class Integers(_Array):
    """A list of signed integers of 64 bits; OverflowError for a larger one. A slice or copy of it is a plain array."""

    __slots__ = ()

    def __new__(cls, held: Iterable[int] = ()) -> Self:
        return cast("Self", super().__new__(cls, "q", held))
