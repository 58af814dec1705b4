"""What a word of a drill is: its sentence and its arguments, with kinds and limits.

Below every catalogue of words. It holds shapes; the checks are in `drill_words`.
"""

from collections.abc import Mapping
from decimal import Decimal

from gridops.domain.values import value

Value = int | Decimal | str | bool | tuple[str, ...] | dict[str, str]


@value
class Arg:
    """One argument. `kind` is seconds, integer, number, word, words, text, flag or table.

    A pair of numbers where one is expected is a range: each seed draws its own value from it.
    """

    kind: str
    says: str
    default: Value | None = None
    required: bool = False
    words: tuple[str, ...] = ()
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(10) ** 12


@value
class Word:
    """A verb or an expectation."""

    says: str
    args: Mapping[str, Arg]
