"""Real recordings become the market they were: complete, in order of event time, with the book the exchange showed."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from gridops.errors import RecordingError
from gridops.venue.market.events import BookSnapshot, DepthDiff, MarketEvent, MarketTrade, MarkPrice
from gridops.venue.market.sources import OpenMarket, open_market

pytestmark = pytest.mark.simulation

_MIDNIGHT_MS = 1_721_347_200_000
"""2024-07-19T00:00:00Z."""


@pytest.fixture(scope="module")
def raw(shared_data: Path) -> Path:
    return shared_data / "market" / "binance_usdm" / "raw_ws"


def _events(market: OpenMarket) -> Iterator[MarketEvent]:
    while (event := market.next_event()) is not None:
        yield event


def _rows(path: Path) -> Iterator[dict[str, object]]:
    """Every `data` object of a recording, by the plainest reading there is."""
    with gzip.open(path) as lines:
        for line in lines:
            message = json.loads(line.partition(b" ")[2])
            if "data" in message:
                yield message["data"]


def _book_after(events: Iterator[MarketEvent], until_ms: int) -> tuple[dict[int, int], dict[int, int]]:
    """A book folded by hand up to and including `until_ms`."""
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    for event in events:
        if event.at_ms > until_ms:
            break
        if isinstance(event, BookSnapshot):
            bids, asks = dict(event.bids), dict(event.asks)
        elif isinstance(event, DepthDiff):
            for book, levels in ((bids, event.bids), (asks, event.asks)):
                book.update(levels)
                for price in [price for price, lots in levels if not lots]:
                    book.pop(price, None)
    return bids, asks


@pytest.mark.parametrize(
    ("name", "trades", "diffs"),
    [("btcusdt_20230404", 2_197, 4_322), ("btcusdt_20240718", 974, 3_326), ("ethusdt_20240718", 1_640, 3_273)],
)
def test_every_row_after_the_book_exists_is_served_in_order(raw: Path, name: str, trades: int, diffs: int) -> None:
    path = raw / f"{name}.jsonl_ts.gz"
    market = open_market(f"recorded:{path}")
    events = list(_events(market))
    first = events[0]
    assert isinstance(first, BookSnapshot)
    assert min(len(first.bids), len(first.asks)) > 900, "the REST snapshot has a thousand levels a side"
    assert [event.at_ms for event in events] == sorted(event.at_ms for event in events)
    rows = list(_rows(path))
    trade_times = [int(str(row["T"])) for row in rows if row["e"] == "trade"]
    diff_times = [int(str(row["T"])) for row in rows if row["e"] == "depthUpdate"]
    assert (len(trade_times), len(diff_times)) == (trades, diffs)
    served = Counter(type(event) for event in events)
    before = sum(at_ms < first.at_ms for at_ms in trade_times)
    assert served[MarketTrade] == pytest.approx(trades - before, abs=3), "only trades before the book are missing"
    assert served[DepthDiff] >= sum(at_ms > first.at_ms for at_ms in diff_times)
    assert (market.partial, market.quarantined, market.warnings) == (False, 0, ())
    assert market.start_ms() == first.at_ms
    assert market.span_ms == events[-1].at_ms - first.at_ms


@pytest.mark.parametrize("name", ["btcusdt_20240718", "btcusdt_20230404"])
def test_the_rebuilt_top_is_the_book_ticker_with_the_same_update_id(raw: Path, name: str) -> None:
    path = raw / f"{name}.jsonl_ts.gz"
    rows = list(_rows(path))
    tickers = {row["u"]: row for row in rows if row["e"] == "bookTicker"}
    market = open_market(f"recorded:{path}")
    tick = market.symbols()[0].tick_size
    ids = [row["u"] for row in rows if row["e"] == "depthUpdate"]
    served = [event for event in _events(market) if isinstance(event, BookSnapshot | DepthDiff)]
    ids = ids[-(len(served) - 1) :]
    book: tuple[dict[int, int], dict[int, int]] = ({}, {})
    compared = equal = 0
    for position, event in enumerate(served):
        for side, levels in zip(book, (event.bids, event.asks), strict=True):
            side.update(levels)
            for price in [price for price, lots in levels if not lots]:
                side.pop(price, None)
        best = (max(book[0]) * tick, min(book[1]) * tick)
        assert best[0] < best[1]
        shown = tickers.get(ids[position - 1]) if position else None
        if shown is not None:
            compared += 1
            equal += best == (Decimal(str(shown["b"])), Decimal(str(shown["a"])))
    assert compared > 100
    assert equal == compared


def test_a_file_without_snapshot_joins_its_predecessor_in_the_folder(raw: Path) -> None:
    alone = open_market(f"recorded:{raw / 'btcusdt_20240719.jsonl_ts.gz'}")
    opening = alone.next_event()
    assert isinstance(opening, BookSnapshot)
    assert not alone.partial
    assert alone.start_ms() >= _MIDNIGHT_MS
    both = f"recorded:{raw / 'btcusdt_20240718.jsonl_ts.gz'},{raw / 'btcusdt_20240719.jsonl_ts.gz'}"
    bids, asks = _book_after(_events(open_market(both)), opening.at_ms - 1)
    assert dict(opening.bids) == bids
    assert dict(opening.asks) == asks
    assert Counter(type(event) for event in _events(alone))[MarketTrade] == 9_727


def test_a_later_start_opens_with_the_book_of_that_moment(raw: Path) -> None:
    spec = f"recorded:{raw / 'ethusdt_20240718.jsonl_ts.gz'}"
    from_ms = 1_721_347_100_000
    market = open_market(spec, from_ms=from_ms)
    opening, mark = market.next_event(), market.next_event()
    assert isinstance(opening, BookSnapshot)
    assert isinstance(mark, MarkPrice)
    assert market.start_ms() == opening.at_ms == mark.at_ms == from_ms
    bids, asks = _book_after(_events(open_market(spec)), from_ms - 1)
    assert (dict(opening.bids), dict(opening.asks)) == (bids, asks)
    with pytest.raises(RecordingError, match="no event at or after"):
        open_market(spec, from_ms=from_ms + 3_600_000)


def test_marks_are_the_recorded_ones_where_there_are_any(raw: Path) -> None:
    path = raw / "btcusdt_20230404.jsonl_ts.gz"
    recorded = [row for row in _rows(path) if row["e"] == "markPriceUpdate"]
    marks = [event for event in _events(open_market(f"recorded:{path}")) if isinstance(event, MarkPrice)]
    assert len(marks) == len(recorded) + 1, "one more, with which the market opens"
    for event, row in zip(marks[1:], recorded, strict=True):
        assert (str(event.mark), str(event.index), str(event.funding_rate)) == (row["p"], row["i"], row["r"])
        assert (event.at_ms, event.next_funding_ms) == (row["E"], row["T"]), "T is the next funding time"


def test_marks_come_from_the_middle_once_a_second_elsewhere(raw: Path) -> None:
    events = list(_events(open_market(f"recorded:{raw / 'btcusdt_20240718.jsonl_ts.gz'}")))
    marks = [event for event in events if isinstance(event, MarkPrice)][1:]
    assert {b.at_ms - a.at_ms for a, b in pairwise(marks)} == {1_000}
    assert all(mark.next_funding_ms == _MIDNIGHT_MS for mark in marks if mark.at_ms < _MIDNIGHT_MS)
    probe = marks[77]
    bids, asks = _book_after(iter(events), probe.at_ms - 1)
    assert probe.mark == probe.index == (max(bids) + min(asks)) * Decimal("0.1") / 2


def test_two_symbols_recorded_together_are_one_market(raw: Path) -> None:
    market = open_market(f"recorded:{raw / 'btcusdt_20240718.jsonl_ts.gz'},{raw / 'ethusdt_20240718.jsonl_ts.gz'}")
    assert [spec.symbol for spec in market.symbols()] == ["BTCUSDT", "ETHUSDT"]
    times = [event.at_ms for event in _events(market)]
    assert times == sorted(times)


def test_a_capture_of_four_symbols_with_their_snapshots_is_read(shared_data: Path) -> None:
    path = shared_data / "market" / "binance_usdm" / "recordings" / "cryptofeed_usdm_20210722.jsonl.gz"
    market = open_market(f"recorded:{path}")
    events = list(_events(market))
    snapshots = [event for event in events if isinstance(event, BookSnapshot)]
    assert [spec.symbol for spec in market.symbols()] == ["AKROUSDT", "CTKUSDT", "KEEPUSDT", "SUSHIUSDT"]
    assert len(snapshots) == 4
    assert not market.partial
    # The exchange's own rules of that week, from its exchangeInfo.
    ticks = {spec.symbol: str(spec.tick_size) for spec in market.symbols()}
    assert ticks["SUSHIUSDT"] == "0.001"
    assert all("inferred" in warning for warning in market.warnings)
    assert 80 < sum(isinstance(event, MarketTrade) for event in events) <= 91


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("market/binance_coinm/raw_ws/btcusd_perp_20240808.jsonl_ts.gz", "coin-margined"),
        ("market/binance_spot/raw_ws/btcusdt_20240808.jsonl_ts.gz", "spot"),
        ("market/binance_usdm/trxusdt_20250304/trades.csv.gz", "no depth row"),
    ],
)
def test_other_kinds_of_files_are_refused_with_the_reason(shared_data: Path, path: str, why: str) -> None:
    with pytest.raises(RecordingError, match=why):
        open_market(f"recorded:{shared_data / path}")


def test_names_out_of_order_or_from_different_years_are_refused(raw: Path) -> None:
    day = [raw / f"btcusdt_{name}.jsonl_ts.gz" for name in ("20230404", "20240718", "20240719")]
    with pytest.raises(RecordingError, match=r"starts \d+ ms before"):
        open_market(f"recorded:{day[2]},{day[1]}")
    with pytest.raises(RecordingError, match="not one market"):
        open_market(f"recorded:{day[0]},{day[1]}")


def test_without_its_predecessor_a_real_file_warms_up_to_the_same_top(raw: Path, tmp_path: Path) -> None:
    copied = tmp_path / "btcusdt_20240719.jsonl_ts.gz"
    # The first ten seconds are enough, and quick.
    with gzip.open(raw / copied.name) as whole, gzip.open(copied, "wb", compresslevel=1) as part:
        part.writelines(line for _, line in zip(range(3_000), whole, strict=False))
    market = open_market(f"recorded:{copied}")
    assert market.partial
    assert any("partial" in warning for warning in market.warnings)
    opening = market.next_event()
    assert isinstance(opening, BookSnapshot)
    last_ms = opening.at_ms + (market.span_ms or 0)
    true_bids, true_asks = _book_after(_events(open_market(f"recorded:{raw / copied.name}")), last_ms)
    partial = open_market(f"recorded:{copied}")
    bids, asks = _book_after(_events(partial), last_ms)
    assert (max(bids), min(asks)) == (max(true_bids), min(true_asks))
    assert (bids[max(bids)], asks[min(asks)]) == (true_bids[max(true_bids)], true_asks[min(true_asks)])
    assert bids.items() <= true_bids.items(), "a partial book may miss levels, it never invents one"
    assert asks.items() <= true_asks.items()
