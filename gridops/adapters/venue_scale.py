"""Exact conversion between the venue's decimal strings and whole ticks or lots, without Decimal.

The fast twin of `Instrument.exact_ticks`: the market fold uses it per frame, the order builder per order. It never
rounds except where it is asked for the nearest tick, and refuses everything that is not a plain decimal.
"""

from decimal import Decimal

_KEPT, _KEPT_LENGTH = 512, 24
"""Strings a grid remembers, and how long one may be to be remembered.

Recorded markets hit no more often with eight times as many (99 % of prices, 53 to 57 % of sizes), and those take hours
to gather in a quiet market: memory that looks like a leak.
"""


class Scale:
    """The grid of one tick or step size."""

    __slots__ = ("_known", "_places", "_power", "_units")

    def __init__(self, size: Decimal) -> None:
        if not size.is_finite() or size <= 0:
            raise ValueError(f"a grid size of {size} is not positive")
        sign, digits, exponent = size.normalize().as_tuple()
        assert sign == 0 and isinstance(exponent, int)
        number = int("".join(map(str, digits)))
        self._places = max(-exponent, 0)
        self._power: int = 10**self._places
        self._units: int = number * int(10 ** max(exponent, 0))
        self._known: dict[str, int] = {}

    def exact(self, text: str) -> int:
        """How many sizes the decimal string is. ValueError when it is not a whole number of them."""
        known = self._known.get(text)
        return known if known is not None else self._read(text)

    def _read(self, text: str) -> int:
        """The same of a string not read lately: a market names the same prices and sizes again and again."""
        whole, fraction = _parts(text)
        places = self._places
        if len(fraction) != places:
            if fraction[places:].strip("0"):
                raise ValueError(f"{_shown(text)} is finer than the grid")
            fraction = fraction[:places].ljust(places, "0")
        count, rest = divmod(int(whole + fraction), self._units)
        if rest:
            raise ValueError(f"{_shown(text)} is not on the grid")
        if len(text) <= _KEPT_LENGTH:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[text] = count
        return count

    def nearest(self, text: str) -> int:
        """The closest whole number of sizes, ties to even: for marks and averages."""
        whole, fraction = _parts(text)
        size = self._units * int(10 ** len(fraction))
        count, rest = divmod(int(whole + fraction) * self._power, size)
        if 2 * rest > size or (2 * rest == size and count % 2):
            count += 1
        return count

    def text(self, count: int) -> str:
        """The decimal string of so many sizes, as the venue expects it: no exponent, no superfluous places."""
        number = count * self._units
        if not self._places:
            return str(number)
        digits = str(abs(number)).rjust(self._places + 1, "0")
        sign = "-" if number < 0 else ""
        return f"{sign}{digits[: -self._places]}.{digits[-self._places :]}"


def _parts(text: str) -> tuple[str, str]:
    """What stands before (with its sign) and after the point. ValueError for anything but a plain decimal."""
    whole, _, fraction = text.partition(".")
    digits = whole.removeprefix("-") + fraction
    if not (digits.isascii() and digits.isdecimal()):
        raise ValueError(f"{_shown(text)} is not a decimal")
    return whole, fraction


def _shown(text: str) -> str:
    return repr(text[:32])
