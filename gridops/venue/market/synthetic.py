"""A seeded BTCUSDT-like market without end, calibrated on recordings: the embedded venue's default.

Sits behind `open_market`. A hidden fair price jumps about; the book follows it by trades that eat levels and by
cancellations, never otherwise. It knows no clock and no floats, and refuses nothing: its spec was checked before.
"""

from collections import deque
from decimal import Decimal
from itertools import cycle

from gridops.venue.market.chance import Chance
from gridops.venue.market.events import (
    BookSnapshot,
    DepthDiff,
    MarketEvent,
    MarketTrade,
    MarkPrice,
    SymbolSpec,
)
from gridops.venue.market.ladder import Ladder
from gridops.venue.market.regimes import REGIMES
from gridops.venue.market.serving import DERIVED_FUNDING_RATE, next_funding_ms
from gridops.venue.market.specs import bundled

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
START_TICKS = 650_000
STEP_MS = 50
_SYMBOL = "BTCUSDT"
_MILLI = 1_000
_LOWEST_TICKS = 10_000
_MARK_EVERY_MS = 1_000


class SyntheticMarket:
    """A MarketSource that never ends. The same seed and regime give the same events, on any platform."""

    partial = False
    warnings: tuple[str, ...] = ()
    quarantined = 0
    span_ms: int | None = None

    def __init__(self, seed: int, regime: str) -> None:
        self._chance = Chance(seed)
        # Half of all seeds see the mirror image, or every trend would go up.
        self._mirror = -1 if regime == "trend" and self._chance.hit(512) else 1
        self._paces = cycle(REGIMES[regime])
        self._pace = next(self._paces)
        self._pace_ends_ms = START_MS + self._pace.duration_ms
        self._now_ms = START_MS
        self._fair = self._anchor = START_TICKS * _MILLI
        self._smooth = START_TICKS * _MILLI
        self._direction = 1
        self._bids = Ladder(-1, self._chance)
        self._asks = Ladder(1, self._chance)
        self._bids.start(START_TICKS, self._wall(), self._pace.hole_chance)
        self._asks.start(START_TICKS + 1, self._wall(), self._pace.hole_chance)
        snapshot = BookSnapshot(START_MS, _SYMBOL, self._bids.whole(), self._asks.whole())
        self._queue: deque[MarketEvent] = deque((snapshot, self._mark()))

    def symbols(self) -> tuple[SymbolSpec, ...]:
        spec = bundled(_SYMBOL)
        assert spec is not None
        return (spec,)

    def start_ms(self) -> int:
        return START_MS

    def next_event(self) -> MarketEvent:
        while not self._queue:
            self._step()
        return self._queue.popleft()

    def _step(self) -> None:
        """Fifty milliseconds of market: trades, and after them the diffs that show what they left."""
        if self._now_ms >= self._pace_ends_ms:
            self._pace = next(self._paces)
            self._pace_ends_ms += self._pace.duration_ms
        if not self._pace.silent:
            self._noise()
            self._move_fair()
            self._follow()
            self._flicker()
            self._now_ms += STEP_MS
            self._publish(self._now_ms)
        else:
            self._now_ms += STEP_MS
        if self._now_ms % _MARK_EVERY_MS == 0:
            self._queue.append(self._mark())

    def _publish(self, at_ms: int) -> None:
        bids, asks = self._bids.changes(), self._asks.changes()
        if bids or asks:
            self._queue.append(DepthDiff(at_ms, _SYMBOL, bids, asks))

    def _mark(self) -> MarkPrice:
        middle = (self._bids.best + self._asks.best) * _MILLI // 2
        self._smooth += (middle - self._smooth) // 4
        index = Decimal(self._smooth).scaleb(-4)
        mark = Decimal((self._smooth + middle) // 2).scaleb(-4)
        return MarkPrice(self._now_ms, _SYMBOL, mark, index, DERIVED_FUNDING_RATE, next_funding_ms(self._now_ms))

    def _wall(self) -> int:
        return self._chance.between(*self._pace.wall_lots)

    def _print(self, side: Ladder, price: int, lots: int, offset_ms: int) -> None:
        """One public trade that takes what is resting at `price` on `side`."""
        taken = side.take(price, lots)
        if taken:
            self._queue.append(MarketTrade(self._now_ms + offset_ms, _SYMBOL, price, taken, side is self._bids))

    def _noise(self) -> None:
        """Uninformed traders take a little of the touch, in bursts on one side."""
        if not self._chance.hit(self._pace.noise_chance):
            return
        side = self._bids if self._chance.hit(512) else self._asks
        offset_ms = self._chance.below(STEP_MS // 2)
        for _ in range(self._chance.spread_out(2)):
            lots = min(self._chance.trade_lots(), side.levels[side.best] - 1)
            self._print(side, side.best, lots, offset_ms)

    def _move_fair(self) -> None:
        pace, chance = self._pace, self._chance
        if pace.anchor_ticks:
            self._anchor += chance.between(-pace.anchor_ticks, pace.anchor_ticks) * _MILLI
        drift = pace.drift_milliticks * self._mirror
        self._anchor = max(self._anchor + drift, _LOWEST_TICKS * _MILLI)
        self._fair += drift + (self._anchor - self._fair) * pace.pull // 1024
        if chance.hit(pace.kick_chance):
            if not chance.hit(pace.momentum):
                self._direction = -self._direction
            self._fair += self._direction * chance.spread_out(pace.kick_ticks) * _MILLI
        self._fair = max(self._fair, _LOWEST_TICKS * _MILLI)
        if not pace.pull:
            self._anchor = self._fair

    def _follow(self) -> None:
        """Bring the touch to the fair price, by trades or, in a leap, by cancellations alone."""
        pace, chance = self._pace, self._chance
        leaping = chance.hit(pace.leap_chance)
        if leaping:
            leap = chance.spread_out(pace.leap_ticks) * _MILLI
            self._fair += leap if chance.hit(512) else -leap
            self._anchor = self._fair
        fair = self._fair // _MILLI
        gap = pace.spread_ticks if pace.spread_ticks == 1 else chance.between(1, pace.spread_ticks)
        if fair > self._asks.best + pace.slack_ticks:
            self._shift(self._asks, self._bids, fair, gap, leaping)
        elif fair < self._bids.best - pace.slack_ticks:
            self._shift(self._bids, self._asks, fair, gap, leaping)

    def _shift(self, ahead: Ladder, behind: Ladder, fair: int, gap: int, leaping: bool) -> None:
        """`ahead` gives way to `fair`; the other side follows, `gap` ticks behind."""
        pace, chance = self._pace, self._chance
        offset_ms = STEP_MS // 2 + chance.below(STEP_MS // 2)
        if not leaping:
            self._sweep(ahead, fair, offset_ms)
        ahead.retreat(fair, self._wall(), pace.hole_chance)
        touch = fair - ahead.outward * gap
        if (touch - behind.best) * -behind.outward > 0:
            behind.advance(touch, self._wall(), pace.hole_chance)
        self._publish(self._now_ms + offset_ms)
        if not leaping:
            # A print at the new touch, so that an order resting anywhere in between was traded through.
            self._print(ahead, fair, min(chance.trade_lots(), ahead.levels[fair] - 1), offset_ms)

    def _sweep(self, ahead: Ladder, fair: int, offset_ms: int) -> None:
        """Most of the wall is pulled, some of the levels behind it too; takers get the rest."""
        for price in ahead.between_touch_and(fair):
            if price == ahead.best:
                remnant = min(ahead.levels[price], self._chance.trade_lots())
                self._print(ahead, price, remnant, offset_ms)
            elif self._chance.hit(self._pace.traded_share):
                self._print(ahead, price, ahead.levels[price], offset_ms)

    def _flicker(self) -> None:
        for side in (self._bids, self._asks):
            for _ in range(self._chance.below(4)):
                side.flicker(self._pace.hole_chance)
            if self._chance.hit(200):
                side.refill(self._wall())
