"""One symbol's rows of a recording turned into events with whole ticks and lots: chain, snapshot, warm-up.

Sits between the screening of rows and the ordering of events. It refuses a hole in the update chain, a snapshot that
does not meet the chain, a damaged level, and a crossed book: each would leave a book that never existed.
"""

import re
from collections import deque
from decimal import Decimal

from gridops.errors import RecordingError
from gridops.venue.market.book import OutsideBook
from gridops.venue.market.events import (
    BookSnapshot,
    DepthDiff,
    Level,
    MarketEvent,
    MarketTrade,
    MarkPrice,
    SymbolSpec,
)
from gridops.venue.market.raw_lines import AggTrade, Depth, Mark, RawLevels, Snapshot, Ticker, Trade
from gridops.venue.market.specs import BadNumber, Scale

WARM_LEVELS = 5
"""Levels a side before a book warmed up without snapshot counts as a market."""
_TICKERS_KEPT = 4_096
_SIGNED = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,18})?", re.ASCII)


class SymbolFeed:
    """Folds one symbol. `where` arguments are `file:line` for the messages."""

    def __init__(self, spec: SymbolSpec, *, partial: bool) -> None:
        self.spec = spec
        self.partial = partial
        self.built = False
        self._book = OutsideBook()
        self._prices = Scale(spec.tick_size, zero_allowed=False)
        self._lots = Scale(spec.step_size, zero_allowed=False)
        self._levels = Scale(spec.step_size, zero_allowed=True)
        self._last_u: int | None = None
        self._restart_allowed = False
        self._bridge_id: int | None = None
        self._opened_ms = 0
        self._waiting: list[tuple[Depth, str]] = []
        self._tickers: deque[Ticker] = deque(maxlen=_TICKERS_KEPT)

    def begin_file(self, *, has_snapshot: bool) -> None:
        """A new file may start a new chain, if it brings its own snapshot."""
        self._restart_allowed = has_snapshot

    def depth(self, row: Depth, where: str) -> MarketEvent | None:
        """Fold a diff. Answers the event to serve, None while the book is not built or the row repeats an older one."""
        if not self._chained(row, where):
            return None
        if not self.built and not self.partial:
            self._waiting.append((row, where))
            return None
        if not self._meets_snapshot(row, where):
            return None
        bids, asks = self._fold(row, where)
        if self.built:
            # A diff that reaches past the snapshot may not be sorted before it.
            return DepthDiff(max(row.T or row.E, self._opened_ms), row.s, bids, asks)
        return self._warmed_up(row.T or row.E)

    def is_repeat(self, row: Depth) -> bool:
        """The chain is past this row already: serving it again would set old quantities."""
        return self._last_u is not None and row.u <= self._last_u and not self._opens_new_chain(row)

    def _opens_new_chain(self, row: Depth) -> bool:
        return self._restart_allowed and row.pu != self._last_u

    def _chained(self, row: Depth, where: str) -> bool:
        if self.is_repeat(row):
            return False
        if self._last_u is not None and row.pu != self._last_u:
            if not self._restart_allowed:
                raise RecordingError(
                    f"{where}: gap in the depth chain of {row.s}: pu {row.pu} does not follow u {self._last_u}",
                    hint="rows are missing; record again or cut the recording before the gap",
                )
            self._forget()
        self._restart_allowed = False
        self._last_u = row.u
        return True

    def _forget(self) -> None:
        self.built = False
        self.partial = False
        self._book.clear()
        self._waiting.clear()

    def snapshot(self, row: Snapshot, where: str) -> BookSnapshot | None:
        """Start the book: the snapshot plus every waiting diff after it. A later snapshot in one chain adds nothing."""
        if self.built or self.partial:
            return None
        self._book.apply(self._side(row.bids, where), self._side(row.asks, where))
        self._check(where)
        self._bridge_id = row.last_id
        at_ms = row.at_ms
        for diff, at in self._waiting:
            if self._meets_snapshot(diff, at):
                self._fold(diff, at)
                at_ms = max(at_ms, diff.T or diff.E)
        self._waiting.clear()
        self.built = True
        self._opened_ms = at_ms
        return self._book.snapshot(at_ms, self.spec.symbol)

    def _meets_snapshot(self, row: Depth, where: str) -> bool:
        """The venue's rule for joining: drop diffs with u below the snapshot's id; the first kept one must span it."""
        if self._bridge_id is None:
            return True
        if row.u < self._bridge_id:
            return False
        if (row.pu or 0) > self._bridge_id:
            raise RecordingError(
                f"{where}: the depth snapshot ({self._bridge_id}) is older than the recorded chain of {row.s}"
            )
        self._bridge_id = None
        return True

    def ticker(self, row: Ticker) -> None:
        """Keep a best bid and ask for a partial book; others do not need it."""
        if self.partial:
            self._tickers.append(row)

    def _fold(self, row: Depth, where: str) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        bids, asks = self._side(row.b, where), self._side(row.a, where)
        if self.partial and (known := self._ticker_before(row.u)) is not None:
            bids, asks = self._revealed(known, bids, asks, where)
        self._book.apply(bids, asks)
        self._check(where)
        return bids, asks

    def _check(self, where: str) -> None:
        if self._book.crossed:
            raise RecordingError(
                f"{where}: the book of {self.spec.symbol} is crossed after this row:"
                f" bid {self._price(self._book.best_bid)}, ask {self._price(self._book.best_ask)}"
            )

    def _ticker_before(self, update_id: int) -> Ticker | None:
        found = None
        while self._tickers and self._tickers[0].u <= update_id:
            found = self._tickers.popleft()
        return found

    def _revealed(
        self, known: Ticker, bids: tuple[Level, ...], asks: tuple[Level, ...], where: str
    ) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """A bookTicker not newer than the diff shows a best level that no diff may have touched yet; the diff has the
        last word on the levels it names. Better levels cannot be left over: their removal is in this diff."""
        seen_bids = dict(self._side([(known.b, known.B)], where))
        seen_asks = dict(self._side([(known.a, known.A)], where))
        seen_bids.update(bids)
        seen_asks.update(asks)
        return tuple(seen_bids.items()), tuple(seen_asks.items())

    def _warmed_up(self, at_ms: int) -> BookSnapshot | None:
        if min(len(self._book.bids), len(self._book.asks)) < WARM_LEVELS:
            return None
        self.built = True
        return self._book.snapshot(at_ms, self.spec.symbol)

    def _side(self, levels: RawLevels, where: str) -> tuple[Level, ...]:
        prices, lots = self._prices, self._levels
        try:
            return tuple([(prices[price], lots[quantity]) for price, quantity in levels])
        except BadNumber as error:
            raise RecordingError(f"{where}: a depth level {error}; the book cannot be trusted after it") from error

    def trade(self, row: Trade | AggTrade) -> MarketTrade:
        """Raises BadNumber for a price or quantity that is not a positive multiple of its unit."""
        price, lots = self._number("price", self._prices, row.p), self._number("quantity", self._lots, row.q)
        if self._far_away(price):
            raise BadNumber(f"price is more than a tenth away from the book of {self.spec.symbol}")
        return MarketTrade(row.T, row.s, price, lots, row.m)

    @staticmethod
    def _number(what: str, scale: Scale, text: str) -> int:
        try:
            return scale[text]
        except BadNumber as error:
            raise BadNumber(f"{what} {error}") from error

    def _far_away(self, price: int) -> bool:
        book = self._book
        return self.built and book.two_sided and (price * 10 < book.best_bid * 9 or price * 10 > book.best_ask * 11)

    def mark(self, row: Mark) -> MarkPrice:
        """Raises BadNumber for what is no positive price. The venue sends the funding rate blank where it has none."""
        texts = (row.p, row.i, row.r or "0")
        if not all(_SIGNED.fullmatch(text) for text in texts):
            raise BadNumber("mark price, index or funding rate is not a plain decimal number")
        mark, index, rate = map(Decimal, texts)
        if mark <= 0 or index <= 0:
            raise BadNumber("mark price or index is not positive")
        return MarkPrice(row.E, row.s, mark, index, rate, row.T)

    def _price(self, ticks: int) -> Decimal:
        return ticks * self.spec.tick_size
