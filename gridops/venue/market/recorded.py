"""A recorded market: raw Binance USDT-M websocket recordings served as events, after the whole of them was checked.

Sits behind `open_market`. It refuses a damaged recording before its first event, and never serves a row it dropped.
Files are read twice, once to judge and once to serve, so that a long recording needs no memory for its length.
"""

import heapq
from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path

from gridops.errors import RecordingError
from gridops.venue.market.events import MarketEvent, SymbolSpec
from gridops.venue.market.joining import Reel, reels
from gridops.venue.market.quarantine import Quarantine
from gridops.venue.market.reading import ordered
from gridops.venue.market.serving import served, shifted
from gridops.venue.market.specs import rules_for

LOOP_PAUSE_MS = 1_000
"""Market time between the end of a recording and its next round."""


class RecordedMarket:
    """A MarketSource over files; raises RecordingError when built if the recording cannot be trusted."""

    def __init__(self, paths: Sequence[Path], *, from_ms: int | None = None, loop: bool = False) -> None:
        self._quarantine = Quarantine()
        self._reels = reels(paths, self._quarantine)
        self._specs = _specs(self._reels, self._quarantine)
        self._from_ms = from_ms or 0
        self._loop = loop
        self._shift_ms = 0
        self._start_ms, self._end_ms = self._validate()
        self._events = self._pass(Quarantine())

    @property
    def partial(self) -> bool:
        """Whether a book had to be warmed up without snapshot: deep levels may be missing."""
        return any(reel.partial for reel in self._reels)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of results should know, each with file and line where there is one."""
        return self._quarantine.warnings()

    @property
    def quarantined(self) -> int:
        """Rows dropped."""
        return self._quarantine.dropped

    @property
    def span_ms(self) -> int:
        """Market time from the first to the last event of one round."""
        return self._end_ms - self._start_ms

    def symbols(self) -> tuple[SymbolSpec, ...]:
        return tuple(self._specs.values())

    def start_ms(self) -> int:
        return self._start_ms

    def next_event(self) -> MarketEvent | None:
        event = next(self._events, None)
        if event is None and self._loop:
            self._shift_ms += self.span_ms + LOOP_PAUSE_MS
            self._events = self._pass(Quarantine())
            event = next(self._events, None)
        if event is None or not self._shift_ms:
            return event
        return shifted(event, self._shift_ms)

    def _validate(self) -> tuple[int, int]:
        """Read everything once. Answers the times of the first and last event."""
        first: MarketEvent | None = None
        last: MarketEvent | None = None
        for event in self._pass(self._quarantine, judge_all=True):
            first, last = first or event, event
        if first is None or last is None:
            raise RecordingError(
                f"{self._reels[0].profiles[-1].path}: no event at or after {self._from_ms} ms",
                hint="start earlier: the recording ends before that",
            )
        return first.at_ms, last.at_ms

    def _pass(self, quarantine: Quarantine, *, judge_all: bool = False) -> Iterator[MarketEvent]:
        rounds = [self._one_reel(reel, quarantine, judge_all) for reel in self._reels]
        return rounds[0] if len(rounds) == 1 else heapq.merge(*rounds, key=attrgetter("at_ms"))

    def _one_reel(self, reel: Reel, quarantine: Quarantine, judge_all: bool) -> Iterator[MarketEvent]:
        specs = {symbol: self._specs[symbol] for symbol in reel.profiles[0].symbols}
        marked: frozenset[str] = frozenset().union(*(file.with_marks for file in reel.profiles))
        from_ms = max(self._from_ms, reel.from_ms)
        events = ordered(reel, specs, quarantine, judge_all=judge_all)
        return served(events, specs, marked=marked, from_ms=from_ms)


def _specs(found: list[Reel], quarantine: Quarantine) -> dict[str, SymbolSpec]:
    specs: dict[str, SymbolSpec] = {}
    for reel in found:
        for symbol in reel.profiles[0].symbols:
            prices = (text for file in reel.profiles for text in file.prices[symbol])
            quantities = (text for file in reel.profiles for text in file.quantities[symbol])
            specs[symbol], warning = rules_for(symbol, prices, quantities)
            if warning:
                quarantine.note(warning)
    return specs
