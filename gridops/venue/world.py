"""The state of the whole venue in one place: clock, markets, accounts, orders, timers, what waits to be sent.

Sits under every rule of the core. It holds; it decides nothing.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gridops.venue.account import Account
from gridops.venue.algos import Algo
from gridops.venue.book import Book
from gridops.venue.candles import PriceCandles
from gridops.venue.errors import VenueError
from gridops.venue.events import Fidelity, StreamEvent
from gridops.venue.market.events import SymbolSpec
from gridops.venue.orders import Order
from gridops.venue.tape import Print, Tape
from gridops.venue.units import Units, money

FUNDING_INTERVAL_MS = 8 * 3600 * 1000
DEFAULT_FUNDING_RATE = Decimal("0.0001")
"""In force until the market source states one."""


@dataclass(slots=True)
class Funding:
    """One settled funding time of a symbol."""

    at_ms: int
    rate: Decimal
    mark: Decimal


@dataclass(slots=True)
class HeldBook:
    """What the source says of the outside book while another one is shown: lots by price in ticks."""

    bids: dict[int, int]
    asks: dict[int, int]


@dataclass(slots=True)
class Market:
    """One symbol: rules, book, tape, prices, counters."""

    spec: SymbolSpec
    next_funding_ms: int
    status: str = "TRADING"
    mark: Decimal | None = None
    index: Decimal | None = None
    funding_rate: Decimal = DEFAULT_FUNDING_RATE
    fundings: list[Funding] = field(default_factory=list)
    tape: Tape = field(default_factory=Tape)
    next_order_id: int = 4_000_000_001
    update_id: int = 1_000
    sent_update_id: int = 1_000
    mark_sent_ms: int = 0
    mark_held: bool = False
    """The mark is forced; the source's statements are not taken."""
    held_book: HeldBook | None = None
    grid: list[Decimal] = field(default_factory=list)
    """Tick and step that prices and quantities are counted in; the rules may have become coarser."""
    top_sent: list[int] = field(default_factory=list)
    book: Book = field(default_factory=Book, metadata={"transient": True})
    units: Units = field(init=False, metadata={"transient": True})
    touched_bids: set[int] = field(default_factory=set, metadata={"transient": True})
    touched_asks: set[int] = field(default_factory=set, metadata={"transient": True})
    stated: dict[str, PriceCandles] = field(default_factory=dict, metadata={"transient": True})
    """Candles of mark, index and premium."""
    printed: list[Print] = field(default_factory=list, metadata={"transient": True})

    def __post_init__(self) -> None:
        if not self.grid:
            self.grid = [self.spec.tick_size, self.spec.step_size]
        self.units = Units(*self.grid)

    def mark_price(self) -> Decimal | None:
        """The source's mark; without one the visible mid, else the last trade."""
        if self.mark is not None:
            return self.mark
        bid, ask = self.book.bids.best(), self.book.asks.best()
        if bid is not None and ask is not None:
            return money(self.units.price.value(bid + ask) / 2)
        if self.tape.prints:
            return self.units.price.value(self.tape.prints[-1].price_ticks)
        return None

    def touch(self, side: str, price: int) -> None:
        """A visible level changed; it goes out with the next depth event."""
        (self.touched_bids if side == "BUY" else self.touched_asks).add(price)


@dataclass(slots=True)
class Countdown:
    """A dead-man timer of one account on one symbol."""

    deadline_ms: int
    countdown_ms: int


@dataclass(slots=True)
class World:
    """Everything. `transient` fields are rebuilt or empty after a restart."""

    now_ms: int
    seed: int
    fidelity: Fidelity
    markets: dict[str, Market]
    accounts: dict[str, Account] = field(default_factory=dict)
    orders: dict[str, dict[int, Order]] = field(default_factory=dict)
    countdowns: dict[str, dict[str, Countdown]] = field(default_factory=dict)
    asset_prices: dict[str, Decimal] = field(default_factory=lambda: {"BNB": Decimal(600)})
    violations: list[str] = field(default_factory=list)
    next_priority: int = 1
    next_amendment_id: int = 1
    pending_amends: list[int] = field(default_factory=list)
    swept_ms: int = 0
    """When the memory was cleared last."""
    algos: dict[int, Algo] = field(default_factory=dict)
    next_algo_id: int = 2_000_000_000_000_001
    waiting: dict[str, dict[int, Algo | Order]] = field(default_factory=dict, metadata={"transient": True})
    """What prices may still set off, by symbol."""
    ended_strategies: list[Order] = field(default_factory=list, metadata={"transient": True})
    gtd: dict[tuple[str, int], Order] = field(default_factory=dict, metadata={"transient": True})
    quiet_until_ms: int = field(default=0, metadata={"transient": True})
    """Before this time nothing falls due; whoever sets a timer puts it back to 0."""
    frozen: dict[int, Any] = field(default_factory=dict, metadata={"transient": True})
    outbox: list[StreamEvent] = field(default_factory=list, metadata={"transient": True})

    def market(self, symbol: str | None) -> Market:
        """The market of a symbol, or -1121."""
        market = self.markets.get(symbol or "")
        if market is None:
            raise VenueError(-1121, "Invalid symbol.")
        return market

    def send(self, account_id: str, payload: dict[str, Any]) -> None:
        """Queue a private event."""
        self.outbox.append(StreamEvent(f"private:{account_id}", payload))

    def publish(self, stream: str, payload: dict[str, Any]) -> None:
        """Queue a public event."""
        self.outbox.append(StreamEvent(stream, payload))
