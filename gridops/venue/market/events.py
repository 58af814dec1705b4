"""What a market source tells the matching core: history or synthesis, in integer ticks and lots.

A source yields events in non-decreasing `at_ms` (venue clock). Nothing here knows about accounts.
"""

from decimal import Decimal
from typing import Protocol

from gridops.domain.values import value

Level = tuple[int, int]
"""(price in ticks, quantity in lots); in a diff, zero lots delete the level."""


@value
class SymbolSpec:
    """Trading rules of one symbol, enough to serve exchangeInfo and to apply its filters."""

    symbol: str
    base_asset: str
    quote_asset: str
    tick_size: Decimal
    step_size: Decimal
    min_price: Decimal
    max_price: Decimal
    min_qty: Decimal
    max_qty: Decimal
    market_max_qty: Decimal
    min_notional: Decimal
    multiplier_up: Decimal
    multiplier_down: Decimal
    price_precision: int
    quantity_precision: int
    max_num_orders: int = 200
    move_order_limit: int = 10000
    maint_margin_percent: Decimal = Decimal("2.5")
    required_margin_percent: Decimal = Decimal("5")


@value
class BookSnapshot:
    """The whole book at once; replaces what was there."""

    at_ms: int
    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@value
class DepthDiff:
    """Changed levels (absolute quantities), applied atomically."""

    at_ms: int
    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@value
class MarketTrade:
    """One public trade of the outside world; `buyer_is_maker` means a seller was the aggressor."""

    at_ms: int
    symbol: str
    price_ticks: int
    lots: int
    buyer_is_maker: bool


@value
class MarkPrice:
    """Mark and index price with the funding rate in force. Prices are exact, not rounded to ticks."""

    at_ms: int
    symbol: str
    mark: Decimal
    index: Decimal
    funding_rate: Decimal
    next_funding_ms: int


MarketEvent = BookSnapshot | DepthDiff | MarketTrade | MarkPrice


class MarketSource(Protocol):
    """Seeded synthesis or a recording. Deterministic: the same construction yields the same events."""

    def symbols(self) -> tuple[SymbolSpec, ...]:
        """Rules of every symbol this source drives."""

    def start_ms(self) -> int:
        """Market time of the first event; the venue re-bases it on its own clock."""

    def next_event(self) -> MarketEvent | None:
        """The next event in market time, or None when the recording ended."""
