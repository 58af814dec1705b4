"""The last stage of a recording: starts at the wanted moment with the book built, and supplies marks where none are.

Sits between the ordered events and the recorded source.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from gridops.venue.market.book import OutsideBook
from gridops.venue.market.events import BookSnapshot, DepthDiff, MarketEvent, MarketTrade, MarkPrice, SymbolSpec

FUNDING_MS = 8 * 3_600_000
DERIVED_FUNDING_RATE = Decimal("0.0001")
"""The venue's rate when interest alone counts: 0.01 % every eight hours."""
_MARK_EVERY_MS = 1_000


def next_funding_ms(at_ms: int) -> int:
    """The next of 00, 08 and 16 h UTC, strictly after `at_ms`."""
    return (at_ms // FUNDING_MS + 1) * FUNDING_MS


def derived_mark(spec: SymbolSpec, book: OutsideBook, at_ms: int) -> MarkPrice:
    """Mark and index from the middle of the book, exact, with the documented base funding rate."""
    middle = (book.best_bid + book.best_ask) * spec.tick_size / 2
    return MarkPrice(at_ms, spec.symbol, middle, middle, DERIVED_FUNDING_RATE, next_funding_ms(at_ms))


def served(
    events: Iterable[MarketEvent], specs: dict[str, SymbolSpec], *, marked: frozenset[str], from_ms: int
) -> Iterator[MarketEvent]:
    """Events from `from_ms` on, each symbol opening with its whole book and a mark.

    `marked` symbols have recorded marks; the others get one a second from the middle of their book.
    """
    desks = {symbol: _Desk(spec, symbol in marked, from_ms) for symbol, spec in specs.items()}
    for event in events:
        if event.at_ms >= from_ms:
            # Every desk hears of time: a quiet symbol still has a mark each second, and opens when the market does.
            for desk in desks.values():
                yield from desk.until(event.at_ms)
        yield from desks[event.symbol].take(event)


class _Desk:
    """One symbol: folds the book, knows whether its market is open, and when the next mark is due."""

    def __init__(self, spec: SymbolSpec, marked: bool, from_ms: int) -> None:
        self._spec = spec
        self._marked = marked
        self._from_ms = from_ms
        self._book = OutsideBook()
        self._ready = False
        self._open = False
        self._last_mark: MarkPrice | None = None
        self._due_ms = 0

    def until(self, at_ms: int) -> Iterator[MarketEvent]:
        """What is due before an event at `at_ms`."""
        if self._ready and not self._open:
            yield from self._opening(max(self._from_ms, 1))
        while self._open and not self._marked and self._due_ms <= at_ms:
            due_ms = self._due_ms
            self._due_ms += _MARK_EVERY_MS
            if self._book.two_sided:
                yield derived_mark(self._spec, self._book, due_ms)

    def take(self, event: MarketEvent) -> Iterator[MarketEvent]:
        if isinstance(event, BookSnapshot):
            self._book.clear()
        if isinstance(event, BookSnapshot | DepthDiff):
            self._book.apply(event.bids, event.asks)
        elif isinstance(event, MarkPrice):
            self._last_mark = event
        if self._open:
            yield event
        elif isinstance(event, BookSnapshot):
            self._ready = True
            if event.at_ms >= self._from_ms:
                yield from self._opening(event.at_ms)

    def _opening(self, at_ms: int) -> Iterator[MarketEvent]:
        self._open = True
        yield self._book.snapshot(at_ms, self._spec.symbol)
        yield self._first_mark(at_ms)
        self._due_ms = at_ms - at_ms % _MARK_EVERY_MS + _MARK_EVERY_MS

    def _first_mark(self, at_ms: int) -> MarkPrice:
        mark = self._last_mark
        if mark is None:
            return derived_mark(self._spec, self._book, at_ms)
        return MarkPrice(at_ms, mark.symbol, mark.mark, mark.index, mark.funding_rate, mark.next_funding_ms)


def shifted(event: MarketEvent, by_ms: int) -> MarketEvent:
    """The same event later; the funding time moves to the next boundary of the new time."""
    at_ms = event.at_ms + by_ms
    match event:
        case BookSnapshot():
            return BookSnapshot(at_ms, event.symbol, event.bids, event.asks)
        case DepthDiff():
            return DepthDiff(at_ms, event.symbol, event.bids, event.asks)
        case MarketTrade():
            return MarketTrade(at_ms, event.symbol, event.price_ticks, event.lots, event.buyer_is_maker)
        case MarkPrice():
            return MarkPrice(at_ms, event.symbol, event.mark, event.index, event.funding_rate, next_funding_ms(at_ms))
