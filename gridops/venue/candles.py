"""One-minute candles of prices that nobody trades at: mark, index and premium. Bounded, and empty after a restart.

Sits under the public views. It reads what it is told and knows no market.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from gridops.venue.tape import MINUTE_MS

_KEPT = 1500


@dataclass(slots=True)
class PriceMinute:
    """Open, high, low, close and how often the price was stated."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    count: int = 0


class PriceCandles:
    """The newest minutes of one price."""

    __slots__ = ("_minutes",)

    def __init__(self) -> None:
        self._minutes: deque[PriceMinute] = deque(maxlen=_KEPT)

    def add(self, at_ms: int, price: Decimal) -> None:
        """Fold one statement of the price."""
        open_ms = at_ms - at_ms % MINUTE_MS
        if not self._minutes or self._minutes[-1].open_ms < open_ms:
            self._minutes.append(PriceMinute(open_ms, price, price, price, price))
        minute = self._minutes[-1]
        if price > minute.high:
            minute.high = price
        if price < minute.low:
            minute.low = price
        minute.close = price
        minute.count += 1

    def grouped(self, width_ms: int) -> Iterator[PriceMinute]:
        """Candles of that width, ascending."""
        held: PriceMinute | None = None
        for minute in self._minutes:
            opened = minute.open_ms - minute.open_ms % width_ms
            if held is not None and held.open_ms == opened:
                held.high, held.low = max(held.high, minute.high), min(held.low, minute.low)
                held.close, held.count = minute.close, held.count + minute.count
                continue
            if held is not None:
                yield held
            held = PriceMinute(opened, minute.open, minute.high, minute.low, minute.close, minute.count)
        if held is not None:
            yield held
