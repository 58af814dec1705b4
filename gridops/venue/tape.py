"""The public trade tape of one symbol: recent trades, their aggregates, one-minute candles, a day's statistics.

Sits under the matcher. It keeps a bounded past and knows nothing of accounts.
"""

from collections import deque
from dataclasses import dataclass, field

# The largest page the trade calls serve.
_KEPT_TRADES = 1000
_KEPT_MINUTES = 1500
MINUTE_MS = 60_000


@dataclass(slots=True)
class Print:
    """One public trade, price in ticks, quantity in lots."""

    trade_id: int
    at_ms: int
    price_ticks: int
    lots: int
    buyer_is_maker: bool


@dataclass(slots=True)
class Aggregate:
    """Consecutive trades of one aggressor order at one price."""

    agg_id: int
    first_id: int
    last_id: int
    at_ms: int
    price_ticks: int
    lots: int
    buyer_is_maker: bool


@dataclass(slots=True)
class Minute:
    """One candle; `value` and `taker_value` in ticks x lots."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    lots: int = 0
    value: int = 0
    count: int = 0
    taker_lots: int = 0
    taker_value: int = 0
    first_id: int = 0
    last_id: int = 0


@dataclass(slots=True)
class Tape:
    """Everything public that traded."""

    next_trade_id: int = 1
    next_agg_id: int = 1
    prints: deque[Print] = field(default_factory=lambda: deque(maxlen=_KEPT_TRADES))
    aggregates: deque[Aggregate] = field(default_factory=lambda: deque(maxlen=_KEPT_TRADES))
    minutes: deque[Minute] = field(default_factory=lambda: deque(maxlen=_KEPT_MINUTES))

    def add(self, at_ms: int, price_ticks: int, lots: int, buyer_is_maker: bool) -> Print:
        """Print a trade under the next id and fold it into its minute."""
        trade = Print(self.next_trade_id, at_ms, price_ticks, lots, buyer_is_maker)
        self.next_trade_id += 1
        self.prints.append(trade)
        self._fold(trade)
        return trade

    def _fold(self, trade: Print) -> None:
        price, lots, minutes = trade.price_ticks, trade.lots, self.minutes
        if not minutes or trade.at_ms - minutes[-1].open_ms >= MINUTE_MS:
            open_ms = trade.at_ms - trade.at_ms % MINUTE_MS
            minutes.append(Minute(open_ms, price, price, price, price, first_id=trade.trade_id))
        minute = minutes[-1]
        if price > minute.high:
            minute.high = price
        elif price < minute.low:
            minute.low = price
        value = price * lots
        minute.close = price
        minute.lots += lots
        minute.value += value
        minute.count += 1
        minute.last_id = trade.trade_id
        if not trade.buyer_is_maker:
            minute.taker_lots += lots
            minute.taker_value += value

    def aggregate(self, prints: list[Print]) -> list[Aggregate]:
        """Aggregate the prints of one aggressor, in order."""
        made: list[Aggregate] = []
        if len(prints) == 1:
            made.append(self._alone(prints[0]))
            self.aggregates.append(made[0])
            return made
        for trade in prints:
            last = made[-1] if made else None
            if last and last.price_ticks == trade.price_ticks and last.buyer_is_maker == trade.buyer_is_maker:
                last.last_id, last.lots = trade.trade_id, last.lots + trade.lots
            else:
                made.append(self._alone(trade))
        self.aggregates.extend(made)
        return made

    def _alone(self, trade: Print) -> Aggregate:
        number, first = self.next_agg_id, trade.trade_id
        self.next_agg_id = number + 1
        return Aggregate(number, first, first, trade.at_ms, trade.price_ticks, trade.lots, trade.buyer_is_maker)
