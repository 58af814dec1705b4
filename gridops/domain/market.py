"""What the engine sees of the market: one integer-only, versioned value per symbol, folded at the edge.

The view is journaled as it was seen, so a replay decides on exactly the same numbers.
"""

from gridops.domain.values import record, value

VIEW_VERSION = 1


@record
class MarketView:
    """Top of book, mark and flow of one symbol. Prices in ticks, quantities in lots, times in ms.

    `*_event_ms` is the venue's event time, `*_seen_ms` our boot-time clock at receipt; 0 = never received.
    """

    symbol: str
    version: int = VIEW_VERSION
    bid_ticks: int = 0
    bid_lots: int = 0
    ask_ticks: int = 0
    ask_lots: int = 0
    mark_ticks: int = 0
    last_ticks: int = 0
    bought_lots: int = 0
    """Taker buys since the previous view."""
    sold_lots: int = 0
    book_event_ms: int = 0
    book_seen_ms: int = 0
    mark_event_ms: int = 0
    mark_seen_ms: int = 0
    trade_event_ms: int = 0
    trade_seen_ms: int = 0

    @property
    def mid2_ticks(self) -> int:
        """Twice the mid price, so that it stays an integer."""
        return self.bid_ticks + self.ask_ticks

    @property
    def has_book(self) -> bool:
        return 0 < self.bid_ticks < self.ask_ticks and self.bid_lots > 0 and self.ask_lots > 0


@value
class Signal:
    """An outside opinion with an expiry; expired is absent. `scaled` is in the unit the name states."""

    name: str
    scaled: int
    as_of_ms: int
    ttl_ms: int
    source: str
    digest: str
