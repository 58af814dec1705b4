"""Reads one reel of recording files into events: screens rows, folds books, puts events in order of their event time.

Sits under the recorded source, which runs it once to validate and again to serve; both runs judge alike.
"""

import heapq
from collections.abc import Iterator

from gridops.errors import RecordingError
from gridops.venue.market.events import BookSnapshot, DepthDiff, MarketEvent, MarketTrade, SymbolSpec
from gridops.venue.market.feed import SymbolFeed
from gridops.venue.market.joining import Reel
from gridops.venue.market.profile import Profile
from gridops.venue.market.quarantine import Quarantine
from gridops.venue.market.raw_lines import AggTrade, Damage, Depth, Line, Mark, Snapshot, Ticker, Trade, read
from gridops.venue.market.screen import LATE_MS, Screen
from gridops.venue.market.specs import BadNumber


def ordered(
    reel: Reel, specs: dict[str, SymbolSpec], quarantine: Quarantine, *, judge_all: bool
) -> Iterator[MarketEvent]:
    """Events sorted by event time. In one millisecond: snapshot, trades, diffs, marks, each in file order.

    Trades go before the diff of the same millisecond, because the diff already shows what they took: a queue has to be
    consumed before its level shrinks. A diff is timed by its transaction time T, the time of the last trade it shows.
    `judge_all` also looks at the rows that no event comes from.
    """
    waiting: list[tuple[int, int, int, MarketEvent]] = []
    reader = _Reader(reel, specs, quarantine, tickers=judge_all or bool(reel.partial))
    served_ms = 0
    for sequence, event in enumerate(reader.events()):
        # Rows later than LATE_MS are dropped by the screen, so nothing can still come before this bound.
        while waiting and waiting[0][0] < reader.newest_ms - LATE_MS:
            served_ms = waiting[0][0]
            yield heapq.heappop(waiting)[3]
        if event.at_ms >= served_ms:
            heapq.heappush(waiting, (event.at_ms, _rank(event), sequence, event))
    while waiting:
        yield heapq.heappop(waiting)[3]


def _rank(event: MarketEvent) -> int:
    if isinstance(event, MarketTrade):
        return 1
    if isinstance(event, DepthDiff):
        return 2
    return 0 if isinstance(event, BookSnapshot) else 3


class _Reader:
    """Rows to events, in file order."""

    def __init__(self, reel: Reel, specs: dict[str, SymbolSpec], quarantine: Quarantine, *, tickers: bool) -> None:
        self._reel = reel
        self._quarantine = quarantine
        self._screen = Screen(quarantine)
        symbols = reel.profiles[0].symbols
        self._feeds = {symbol: SymbolFeed(specs[symbol], partial=symbol in reel.partial) for symbol in symbols}
        self._alone = symbols[0]
        self._with_trades = frozenset().union(*(file.with_trades for file in reel.profiles))
        self._odd_trades = 0
        self._tickers = tickers

    @property
    def newest_ms(self) -> int:
        return self._screen.newest_ms

    def events(self) -> Iterator[MarketEvent]:
        for file in self._reel.profiles:
            self._begin(file)
            for line in read(file.path, tickers=self._tickers):
                event = self._event(file, line)
                if event is not None:
                    yield event
        unbuilt = sorted(symbol for symbol, feed in self._feeds.items() if not feed.built)
        if unbuilt:
            raise RecordingError(f"{self._reel.profiles[-1].path}: ended before the book of {unbuilt[0]} was built")
        if self._odd_trades:
            self._quarantine.note(f"{self._odd_trades} trades outside the public book (insurance fund, ADL) left out")

    def _begin(self, file: Profile) -> None:
        self._screen.begin(file.path, file.skew_ms)
        for symbol, feed in self._feeds.items():
            feed.begin_file(has_snapshot=symbol in file.with_snapshot)

    def _event(self, file: Profile, line: Line) -> MarketEvent | None:
        payload = line.payload
        match payload:
            case Ticker():
                if (feed := self._feeds.get(payload.s)) is not None:
                    feed.ticker(payload)
            case Depth():
                return self._depth(file, line, payload)
            case Trade() | AggTrade() | Mark():
                return self._single(line, payload)
            case Snapshot():
                feed = self._feeds.get(payload.s or self._alone)
                return feed.snapshot(payload, f"{file.path}:{line.number}") if feed else None
            case Damage():
                self._screen.damaged(line.number, payload)
        return None

    def _depth(self, file: Profile, line: Line, row: Depth) -> MarketEvent | None:
        where = f"{file.path}:{line.number}"
        feed = self._feeds[row.s]
        if feed.is_repeat(row):
            self._screen.drop(line.number, "repeats or precedes an earlier depth row")
            return None
        if (why := self._screen.misplaced(row.T or row.E, line.received_ms)) is not None:
            raise RecordingError(f"{where}: depth row is {why}")
        return feed.depth(row, where)

    def _single(self, line: Line, row: Trade | AggTrade | Mark) -> MarketEvent | None:
        feed = self._feeds.get(row.s)
        if feed is None:
            self._screen.drop(line.number, "belongs to a symbol without depth")
            return None
        if self._left_out(row):
            return None
        try:
            event = feed.mark(row) if isinstance(row, Mark) else feed.trade(row)
        except BadNumber as error:
            self._screen.drop(line.number, str(error))
            return None
        if (why := self._screen.misplaced(event.at_ms, line.received_ms)) is not None:
            self._screen.drop(line.number, why)
            return None
        if not isinstance(row, Mark) and self._screen.repeated(row):
            self._screen.drop(line.number, "repeats a trade id")
            return None
        return event if feed.built else None

    def _left_out(self, row: Trade | AggTrade | Mark) -> bool:
        """Aggregates of trades we also have, and trades that never met the book."""
        if isinstance(row, AggTrade):
            return row.s in self._with_trades
        if isinstance(row, Trade) and row.X != "MARKET":
            self._odd_trades += 1
            return True
        return False
