"""Integer ticks and lots to venue strings and back, for one symbol. Sits under everything that prints or parses.

It rounds nothing: a text off the grid is somebody else's refusal (`filters`), here it is only recognised.
"""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache

_CACHE_LIMIT = 200_000

MONEY = Decimal("0.00000001")
"""The venue books money to eight decimals."""


class Scale:
    """One grid: `size` is the tick or the step, `decimals` how many the venue prints."""

    __slots__ = ("_cache", "_divisor", "_units", "decimals", "size")

    def __init__(self, size: Decimal) -> None:
        exponent = size.as_tuple().exponent
        assert isinstance(exponent, int)
        self.size = size
        self.decimals = max(0, -exponent)
        self._units = int(size.scaleb(self.decimals))
        self._divisor = 10**self.decimals
        self._cache: dict[int, str] = {}

    def text(self, count: int) -> str:
        """The venue's fixed-point text of that many ticks or lots."""
        known = self._cache.get(count)
        if known is not None:
            return known
        whole, part = divmod(abs(count) * self._units, self._divisor)
        sign = "-" if count < 0 else ""
        written = f"{sign}{whole}.{part:0{self.decimals}d}" if self.decimals else f"{sign}{whole}"
        if len(self._cache) >= _CACHE_LIMIT:
            self._cache.clear()
        self._cache[count] = written
        return written

    def value(self, count: int) -> Decimal:
        """The exact decimal of that many ticks or lots."""
        return self.size * count

    def count(self, amount: Decimal) -> int | None:
        """How many whole ticks or lots; None when the amount is off the grid."""
        ratio = amount / self.size
        whole = int(ratio)
        return whole if whole == ratio else None


class Units:
    """Price grid and quantity grid of a symbol."""

    __slots__ = ("lot_value", "price", "qty", "step_size", "tick_size")

    def __init__(self, tick_size: Decimal, step_size: Decimal) -> None:
        self.tick_size, self.step_size = tick_size, step_size
        self.price = Scale(tick_size)
        self.qty = Scale(step_size)
        self.lot_value = tick_size * step_size
        """Quote value of one lot at a price of one tick."""

    def notional(self, ticks: int, lots: int) -> Decimal:
        """Exact quote value of `lots` at `ticks`."""
        return self.lot_value * (ticks * lots)


@lru_cache(maxsize=16_384)
def decimal_of(text: str) -> Decimal | None:
    """A finite plain decimal, or None. Underscores, blanks and special values are not numbers on the wire."""
    if not text.isascii() or len(text) > 40 or "_" in text or text != text.strip():
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 30 else None


def money(amount: Decimal) -> Decimal:
    """Rounded half-even to the eight decimals the ledger keeps.

    The rounding is named: a library in the same process may have changed the thread's default.
    """
    return amount.quantize(MONEY, ROUND_HALF_EVEN)


def money_text(amount: Decimal) -> str:
    """Eight decimals, never an exponent, never a negative zero."""
    rounded = amount.quantize(MONEY, ROUND_HALF_EVEN)
    return f"{rounded:f}" if rounded else "0.00000000"


def plain(amount: Decimal) -> str:
    """As few digits as say it exactly, never an exponent."""
    if not amount:
        return "0"
    return f"{amount.normalize():f}"
