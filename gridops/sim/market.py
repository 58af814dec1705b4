"""A light seeded market for long simulations: a jumping mid, three levels a side, trades that go through levels.

A MarketSource like the calibrated synthetic one, a hundred times cheaper and no claim to look like a real market: it
exists to move a grid through fills, partial fills, gaps and trends. Integers only.
"""

from collections import deque
from dataclasses import replace
from decimal import Decimal
from random import Random

from gridops.errors import ConfigError
from gridops.venue.market.events import (
    BookSnapshot,
    DepthDiff,
    Level,
    MarketEvent,
    MarketSource,
    MarketTrade,
    MarkPrice,
    SymbolSpec,
)
from gridops.venue.market.sources import open_market
from gridops.venue.market.specs import bundled

START_MS = 1_767_225_600_000
_SYMBOL = "BTCUSDT"
_START_TICKS = 650_000
_TICK = Decimal("0.1")
_LOW, _HIGH = 500_000, 800_000
_MARK_EVERY_MS = 1_000
_PACES = ((4, 0, 12), (25, 0, 40), (10, 4, 25), (60, 0, 70))
"""(deviation, drift in ticks per step, percent chance of a move) by mood: calm, lively, trend, wild."""
_BUSY_PACES = ((60, 0, 70), (40, 3, 85), (40, 3, 85), (25, 0, 60))
"""Moods of a market that gives a grid as much to do as a trading day holds: no hour of it is quiet."""


class LightMarket:
    """Endless; the same seed gives the same events."""

    paces = _PACES

    def __init__(self, seed: int, step_ms: int = 500, funding_every_ms: int = 900_000) -> None:
        self._chance = Random(f"market {seed}")
        self._step_ms, self._funding_every_ms = step_ms, funding_every_ms
        self._now_ms = START_MS
        self._bid, self._ask = _START_TICKS, _START_TICKS + 1
        self._pace = self.paces[1]
        self._sign = 1
        self._pace_ends_ms = 0
        self._frozen = False
        self._shown: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._queue: deque[MarketEvent] = deque()
        bids, asks = self._levels()
        self._shown = (dict(bids), dict(asks))
        self._queue.append(BookSnapshot(START_MS, _SYMBOL, bids, asks))
        self._queue.append(self._mark())

    def symbols(self) -> tuple[SymbolSpec, ...]:
        spec = bundled(_SYMBOL)
        assert spec is not None
        return (spec,)

    def start_ms(self) -> int:
        return START_MS

    def freeze(self) -> None:
        """From now on the price stands still and nothing is funded: the book and the mark only repeat themselves."""
        self._frozen = True
        self._funding_every_ms = 7 * 3_600_000

    def next_event(self) -> MarketEvent:
        while not self._queue:
            self._step()
        return self._queue.popleft()

    def _step(self) -> None:
        self._now_ms += self._step_ms
        if self._now_ms >= self._pace_ends_ms:
            self._pace = self._chance.choice(self.paces)
            self._sign = self._chance.choice((-1, 1))
            self._pace_ends_ms = self._now_ms + self._chance.randint(60, 600) * 1_000
        if not self._frozen:
            self._trade()
            self._move()
        self._show()
        if self._now_ms % _MARK_EVERY_MS == 0:
            self._queue.append(self._mark())

    def _trade(self) -> None:
        """Somebody takes a little at the touch."""
        if self._chance.random() < 0.5:
            seller = self._chance.random() < 0.5
            price = self._bid if seller else self._ask
            self._print(price, self._chance.randint(1, 8), seller)

    def _move(self) -> None:
        deviation, drift, percent = self._pace
        if self._chance.randrange(100) >= percent:
            return
        move = int(self._chance.gauss(drift * self._sign, deviation))
        gap = self._chance.randrange(400) == 0
        if gap:
            move += self._chance.choice((-1, 1)) * self._chance.randint(100, 500)
        bid = min(max(self._bid + move, _LOW), _HIGH)
        if not gap and move:
            # Takers walk the levels in between, some of them only part of the way and with little size.
            reach = bid + 1 if move > 0 else bid
            self._print(reach, self._chance.choice((2, 5, 30)), move < 0)
        self._bid, self._ask = bid, bid + self._chance.choice((1, 1, 1, 2, 5))

    def _print(self, price: int, lots: int, seller: bool) -> None:
        self._queue.append(MarketTrade(self._now_ms, _SYMBOL, price, lots, seller))

    def _levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        bid, ask, below = self._bid, self._ask, self._chance.randrange
        bids = ((bid, below(3, 61)), (bid - 9, below(3, 61)), (bid - 18, below(3, 61)))
        asks = ((ask, below(3, 61)), (ask + 9, below(3, 61)), (ask + 18, below(3, 61)))
        return bids, asks

    def _show(self) -> None:
        bids, asks = self._levels()
        now = (dict(bids), dict(asks))
        gone_bids, gone_asks = (
            [(price, 0) for price in shown if price not in levels]
            for shown, levels in zip(self._shown, now, strict=True)
        )
        self._shown = now
        self._queue.append(DepthDiff(self._now_ms, _SYMBOL, (*gone_bids, *bids), (*gone_asks, *asks)))

    def _mark(self) -> MarkPrice:
        mark = Decimal(self._bid + self._ask).scaleb(-1) / 2
        rate = Decimal(self._chance.randint(-30, 30)).scaleb(-5)
        since_ms = self._now_ms if self._frozen else self._now_ms - self._now_ms % self._funding_every_ms
        funding_ms = since_ms + self._funding_every_ms
        return MarkPrice(self._now_ms, _SYMBOL, mark, mark, rate, funding_ms)


class BusyMarket(LightMarket):
    """The light market without its quiet moods."""

    paces = _BUSY_PACES


class ScriptMarket(LightMarket):
    """Moves only when told to, in a book of its own width. Equal seeds and equal words give equal events."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, step_ms=250, funding_every_ms=8 * 3_600_000)
        self._goal, self._goal_ms = _START_TICKS, 0
        self._width = 1
        self.tick = _TICK
        """What a tick is worth: the mark is told as a price."""

    @property
    def mid_ticks(self) -> int:
        return self._bid

    def _mark(self) -> MarkPrice:
        told = super()._mark()
        tick = getattr(self, "tick", _TICK)
        if tick == _TICK:
            return told
        price = told.mark * 10 * tick
        return replace(told, mark=price, index=price)

    def glide(self, move_cbps: int, over_ms: int) -> None:
        """Move the bid by hundredths of bps from where it is, in equal steps over that time; 0 = at once."""
        self._goal = max(self._bid + self._bid * move_cbps // 1_000_000, 1_000)
        self._goal_ms = self._now_ms + over_ms

    def open_spread(self, cbps: int) -> None:
        """Distance of ask from bid from the next step on; at least one tick."""
        self._width = max(1, self._bid * cbps // 1_000_000)

    def _levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Deep enough that another hand's order leaves a book behind."""
        deep = self._chance.randint
        bids = tuple((self._bid - 9 * i, deep(300, 500)) for i in range(3))
        return bids, tuple((self._ask + 9 * i, deep(300, 500)) for i in range(3))

    def _move(self) -> None:
        left_ms = self._goal_ms - self._now_ms
        steps = max(1, left_ms // self._step_ms + 1)
        move = (self._goal - self._bid) // steps if left_ms > 0 else self._goal - self._bid
        bid = self._bid + move
        if move:
            # Takers walk through everything that rests in between.
            self._print(bid + 1 if move > 0 else bid, 400, move < 0)
        self._bid, self._ask = bid, bid + self._width


_KINDS: dict[str, type[LightMarket]] = {"light": LightMarket, "busy": BusyMarket, "script": ScriptMarket}


def open_sim_market(spec: str) -> MarketSource:
    """`light:SEED`, `busy:SEED`, `script:SEED`, or a market the venue can open. ConfigError for what names none."""
    kind, _, rest = spec.partition(":")
    if kind not in _KINDS:
        return open_market(spec)
    if not rest.isdecimal():
        raise ConfigError(f"market {spec!r}: the seed is a whole number")
    return _KINDS[kind](int(rest))
