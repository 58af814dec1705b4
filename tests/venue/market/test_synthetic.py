"""The synthetic market looks like the recordings it was calibrated on, obeys its own book, and repeats by seed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from statistics import median

import pytest
from gridops.errors import ConfigError
from gridops.venue.market.events import BookSnapshot, DepthDiff, MarketEvent, MarketTrade, MarkPrice
from gridops.venue.market.regimes import REGIMES
from gridops.venue.market.sources import open_market

_START_MS = 1_767_225_600_000
_DIGEST = """
import hashlib, sys
from gridops.venue.market.sources import open_market
market = open_market(sys.argv[1])
digest = hashlib.sha256()
for _ in range(5000):
    digest.update(repr(market.next_event()).encode())
print(digest.hexdigest())
"""


def _events(spec: str, seconds: int) -> Iterator[MarketEvent]:
    market = open_market(spec)
    while (event := market.next_event()) is not None and event.at_ms <= _START_MS + 1_000 * seconds:
        yield event


class _Book:
    """A book folded by hand, the plainest way."""

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}

    def fold(self, event: BookSnapshot | DepthDiff) -> None:
        for book, levels in ((self.bids, event.bids), (self.asks, event.asks)):
            book.update(levels)
            for price in [price for price, lots in levels if not lots]:
                book.pop(price)

    @property
    def touch(self) -> tuple[int, int]:
        return max(self.bids), min(self.asks)


def _digest(spec: str, hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    ran = subprocess.run(
        [sys.executable, "-c", _DIGEST, spec], env=environment, capture_output=True, text=True, check=True
    )
    return ran.stdout


def test_a_seed_gives_the_same_market_in_every_interpreter() -> None:
    assert _digest("synthetic:7", "1") == _digest("synthetic:7", "2")
    assert _digest("synthetic:7", "1") != _digest("synthetic:8", "1")


@pytest.mark.parametrize("regime", sorted(REGIMES))
def test_trades_take_what_rests_and_the_next_diff_shows_it(regime: str) -> None:
    book = _Book()
    taken: dict[tuple[bool, int], int] = {}
    last_ms = _START_MS
    for event in _events(f"synthetic:3:{regime}", 120):
        assert event.at_ms >= last_ms
        last_ms = event.at_ms
        if isinstance(event, MarketTrade):
            level = (event.buyer_is_maker, event.price_ticks)
            taken[level] = taken.get(level, 0) + event.lots
            side = book.bids if event.buyer_is_maker else book.asks
            assert 0 < event.lots <= taken[level] <= side[event.price_ticks]
        elif isinstance(event, BookSnapshot | DepthDiff):
            for (hits_bids, price), lots in taken.items():
                side, shown = (book.bids, event.bids) if hits_bids else (book.asks, event.asks)
                assert dict(shown)[price] <= side[price] - lots
            taken.clear()
            book.fold(event)
            assert book.touch[0] < book.touch[1]
    assert min(len(book.bids), len(book.asks)) > 60


def test_the_market_opens_with_its_book_and_marks_every_second() -> None:
    events = list(_events("synthetic:1", 60))
    assert isinstance(events[0], BookSnapshot)
    assert events[0].at_ms == open_market("synthetic:1").start_ms() == _START_MS
    marks = [event for event in events if isinstance(event, MarkPrice)]
    assert [mark.at_ms for mark in marks] == [_START_MS + 1_000 * second for second in range(61)]
    assert all(mark.next_funding_ms == _START_MS + 8 * 3_600_000 for mark in marks)
    assert all(abs(mark.mark - 65_000) < 400 for mark in marks)


def _minutes(spec: str, count: int) -> list[list[MarketTrade]]:
    minutes: list[list[MarketTrade]] = [[] for _ in range(count)]
    for event in _events(spec, 60 * count):
        if isinstance(event, MarketTrade):
            minutes[min(count - 1, (event.at_ms - _START_MS) // 60_000)].append(event)
    return minutes


def _range_bps(trades: list[MarketTrade]) -> float:
    prices = [trade.price_ticks for trade in trades]
    return (max(prices) - min(prices)) / prices[0] * 10_000


def _grid_fills(trades: list[MarketTrade], spacing_bps: int) -> int:
    """Fills of a fixed ladder, first levels half a spacing away; a filled level re-arms the other side of it."""
    spacing = trades[0].price_ticks * spacing_bps // 10_000
    lowest_sell = trades[0].price_ticks + spacing // 2
    highest_buy = lowest_sell - spacing
    fills = 0
    for trade in trades:
        while trade.price_ticks > lowest_sell:
            fills, highest_buy, lowest_sell = fills + 1, lowest_sell - spacing, lowest_sell + spacing
        while trade.price_ticks < highest_buy:
            fills, highest_buy, lowest_sell = fills + 1, highest_buy - spacing, highest_buy + spacing
    return fills


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_lively_is_as_lively_as_the_calibration_asks(seed: int) -> None:
    minutes = _minutes(f"synthetic:{seed}", 10)
    assert 5 <= median(_range_bps(trades) for trades in minutes) <= 10
    assert 15 <= median(_grid_fills(trades, 2) for trades in minutes) <= 37
    trades = [trade for minute in minutes for trade in minute]
    assert 20 <= len(trades) / 600 <= 45
    lots = sorted(trade.lots for trade in trades)
    assert 1 <= lots[len(lots) // 10] <= 5
    assert 5 <= lots[len(lots) // 2] <= 30
    assert 100 <= lots[len(lots) * 9 // 10] <= 500
    assert 700 <= lots[len(lots) * 99 // 100] <= 3_000


def test_lively_touch_is_a_wall_one_tick_wide_with_holes_behind() -> None:
    book = _Book()
    spreads: list[int] = []
    walls: list[int] = []
    spans: list[int] = []
    for event in _events("synthetic:4", 120):
        if isinstance(event, BookSnapshot | DepthDiff):
            book.fold(event)
            bid, ask = book.touch
            spreads.append(ask - bid)
            walls.append(book.bids[bid])
            spans.append(bid - sorted(book.bids, reverse=True)[4])
    assert spreads.count(1) >= 0.99 * len(spreads)
    assert 5_000 <= median(walls) <= 20_000
    assert 5 <= median(spans) <= 12
    assert len(spreads) >= 10 * 120, "at least ten diffs a second"


def test_trades_come_in_runs_of_one_side() -> None:
    sides = [trade.buyer_is_maker for minute in _minutes("synthetic:1", 3) for trade in minute]
    same = sum(a == b for a, b in pairwise(sides))
    assert same / len(sides) > 0.6


def test_calm_stays_within_two_bps_a_minute() -> None:
    assert median(_range_bps(trades) for trades in _minutes("synthetic:1:calm", 5)) <= 2


def test_trend_goes_one_way_and_not_always_the_same() -> None:
    moves = set()
    for seed in range(6):
        trades = [trade for minute in _minutes(f"synthetic:{seed}:trend", 2) for trade in minute]
        move_bps = (trades[-1].price_ticks - trades[0].price_ticks) / trades[0].price_ticks * 10_000
        assert abs(move_bps) > 15
        moves.add(move_bps > 0)
    assert moves == {True, False}


def test_gap_leaves_prices_nobody_traded() -> None:
    prices = [trade.price_ticks for minute in _minutes("synthetic:2:gap", 3) for trade in minute]
    assert max(abs(b - a) for a, b in pairwise(prices)) > 300


def test_crash_falls_through_a_grid_and_partly_recovers() -> None:
    first, second = _minutes("synthetic:1:crash", 2)
    before, low, after = first[0].price_ticks, min(t.price_ticks for t in first), second[-1].price_ticks
    assert (before - low) / before > 0.02
    assert low + (before - low) // 4 < after < before


def test_halt_is_silent_but_for_the_mark() -> None:
    halted = [e for e in _events("synthetic:1:halt", 50) if e.at_ms > _START_MS + 30_000]
    assert len(halted) == 20
    assert all(isinstance(event, MarkPrice) for event in halted)
    assert any(isinstance(e, MarketTrade) for e in _events("synthetic:1:halt", 55) if e.at_ms > _START_MS + 50_000)


def test_thin_has_little_at_the_touch_and_a_wider_spread() -> None:
    book = _Book()
    walls, spreads = [], []
    for event in _events("synthetic:1:thin", 60):
        if isinstance(event, BookSnapshot | DepthDiff):
            book.fold(event)
            walls.append(book.bids[book.touch[0]])
            spreads.append(book.touch[1] - book.touch[0])
    assert median(walls) <= 500
    assert median(spreads) >= 2


@pytest.mark.parametrize(
    "spec", ["", "synthetic", "synthetic:", "synthetic:x", "synthetic:-1", "synthetic:1:wild", "recorded:", "live:1"]
)
def test_a_spec_that_names_no_market_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError):
        open_market(spec)


def test_a_start_time_is_refused_where_it_means_nothing() -> None:
    with pytest.raises(ConfigError, match="belongs to a recording"):
        open_market("synthetic:1", from_ms=1)
