"""The integer fold equals a naive Decimal fold, refuses impossible frames, and paces its views."""

import gzip
import json
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gridops.adapters.market_fold import (
    EMIT_NOW,
    WAIT_FOR_NEXT,
    BookFrame,
    MarketFold,
    MarketFrame,
    MarkFrame,
    TradeFrame,
    ViewPacer,
)
from gridops.adapters.venue_parse import Grid
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.venue_kit import btc, payloads

TICK, STEP = Decimal("0.10"), Decimal("0.001")
DECODER = msgspec.json.Decoder(MarketFrame)


def fold(**changes: Any) -> MarketFold:
    return MarketFold(Grid(btc(**changes)))


def book(bid: int, ask: int, u: int = 1, lots: tuple[int, int] = (1, 1), at_ms: int = 0) -> BookFrame:
    return BookFrame(
        s="BTCUSDT", b=str(TICK * bid), B=str(STEP * lots[0]), a=str(TICK * ask), A=str(STEP * lots[1]), u=u, E=at_ms
    )


BOOKS = st.builds(
    lambda bid, spread, lots, more: book(bid, bid + spread, u=0, lots=(lots, more)),
    st.integers(1, 10**6), st.integers(1, 50), st.integers(1, 10**6), st.integers(1, 10**6),
)  # fmt: skip
TRADES = st.builds(
    lambda p, q, m: TradeFrame(s="BTCUSDT", a=0, p=str(TICK * p), q=str(STEP * q), E=0, m=m),
    st.integers(1, 10**6), st.integers(1, 10**6), st.booleans(),
)  # fmt: skip
MARKS = st.builds(
    lambda p: MarkFrame(s="BTCUSDT", p=str(p), E=0),
    st.decimals(min_value=1, max_value=10**6, places=8, allow_nan=False),
)


@given(st.lists(st.tuples(BOOKS | TRADES | MARKS, st.booleans()), max_size=40))
def test_the_fold_equals_a_naive_decimal_fold(steps: list[tuple[MarketFrame, bool]]) -> None:
    folded = fold()
    top, mark, last, bought, sold = (Decimal(0),) * 4, 0, Decimal(0), Decimal(0), Decimal(0)
    for number, (frame, take) in enumerate(steps, 1):
        frame.E = number
        if isinstance(frame, BookFrame):
            frame.u = number
            now = (Decimal(frame.b), Decimal(frame.B), Decimal(frame.a), Decimal(frame.A))
            changed, top = now != top, now
        elif isinstance(frame, TradeFrame):
            frame.a = number
            changed, last = False, Decimal(frame.p)
            bought, sold = (bought, sold + Decimal(frame.q)) if frame.m else (bought + Decimal(frame.q), sold)
        else:
            ticks = int((Decimal(frame.p) / TICK).to_integral_value(ROUND_HALF_EVEN))
            changed, mark = ticks != mark, ticks
        assert folded.apply(frame, number * 10) is changed
        if take:
            view = folded.take()
            assert (view.bid_ticks * TICK, view.bid_lots * STEP, view.ask_ticks * TICK, view.ask_lots * STEP) == top
            assert (view.mark_ticks, view.last_ticks * TICK) == (mark, last)
            assert (view.bought_lots * STEP, view.sold_lots * STEP) == (bought, sold)
            assert max(view.book_seen_ms, view.mark_seen_ms, view.trade_seen_ms) == number * 10
            bought = sold = Decimal(0)


@pytest.mark.parametrize(
    "frame",
    [
        book(100, 100), book(101, 100), book(0, 100), book(-5, 100), book(99, 100, lots=(0, 1)),
        book(99, 100, lots=(1, -1)), book(99, 100, u=0),
        BookFrame(s="BTCUSDT", b="9.95", B="1", a="10.00", A="1", u=9),
        BookFrame(s="BTCUSDT", b="NaN", B="1", a="10.00", A="1", u=9),
        TradeFrame(s="BTCUSDT", a=1, p="10.0", q="1", E=9, m=True),
        TradeFrame(s="BTCUSDT", a=9, p="-1", q="1", E=9, m=True),
        TradeFrame(s="BTCUSDT", a=9, p="10.0", q="0", E=9, m=True),
        MarkFrame(s="BTCUSDT", p="0", E=9), MarkFrame(s="BTCUSDT", p="10", E=0), MarkFrame(s="BTCUSDT", p="x", E=9),
    ],
)  # fmt: skip
def test_an_impossible_frame_changes_nothing(frame: MarketFrame) -> None:
    folded = fold()
    folded.apply(book(99, 100, u=1), 1)
    folded.apply(TradeFrame(s="BTCUSDT", a=1, p="9.9", q="0.002", E=1, m=False), 1)
    folded.apply(MarkFrame(s="BTCUSDT", p="9.94", E=1), 1)
    with pytest.raises(ValueError):
        folded.apply(frame, 2)
    view = folded.take()
    assert (view.bid_ticks, view.ask_ticks, view.mark_ticks, view.last_ticks) == (99, 100, 99, 99)
    assert (view.bought_lots, view.sold_lots) == (2, 0)
    assert (view.book_seen_ms, view.trade_seen_ms, view.mark_seen_ms) == (1, 1, 1)


def test_a_new_connection_may_begin_with_lower_numbers() -> None:
    folded = fold()
    folded.apply(book(99, 100, u=50), 1)
    folded.forget_order()
    assert folded.apply(book(98, 99, u=3), 2)


def test_recorded_public_frames_are_decoded(shared_data: Path) -> None:
    folder = shared_data / "protocol/binance_usdm/ws_market"
    kinds = {"bookTicker": BookFrame, "aggTrade": TradeFrame, "markPriceUpdate": MarkFrame}
    for kind, wanted in kinds.items():
        for _, payload in payloads(folder, f"{kind}__*.json"):
            inner = payload["data"] if isinstance(payload, dict) and "data" in payload else payload
            for each in inner if isinstance(inner, list) else [inner]:
                frame = DECODER.decode(json.dumps(each).encode())
                assert isinstance(frame, wanted)
                fine = MarketFold(Grid(btc(frame.s, tick="0.00000001", step="0.00000001")))
                fine.apply(frame, 1)


def test_a_recorded_minute_and_a_half_folds_without_a_refusal(shared_data: Path) -> None:
    path = shared_data / "market/binance_usdm/raw_ws/btcusdt_20230404.jsonl_ts.gz"
    folded, last, frames = fold(), {}, 0
    with gzip.open(path, "rt") as lines:
        for line in lines:
            message = json.loads(line.partition(" ")[2])
            data = message.get("data", {})
            if data.get("e") not in ("bookTicker", "markPriceUpdate"):
                continue
            folded.apply(DECODER.decode(json.dumps(data).encode()), 1)
            last[data["e"]] = data
            frames += 1
    view = folded.take()
    assert frames == 6_765 + 99
    ticker, mark = last["bookTicker"], last["markPriceUpdate"]
    assert (view.bid_ticks * TICK, view.ask_lots * STEP) == (Decimal(ticker["b"]), Decimal(ticker["A"]))
    assert abs(view.mark_ticks * TICK - Decimal(mark["p"])) <= TICK / 2
    assert (view.book_event_ms, view.mark_event_ms) == (ticker["E"], mark["E"])


def test_views_leave_at_once_then_at_the_interval_and_slowly_without_change() -> None:
    pacer = ViewPacer(interval_ns=20, beat_ns=500)
    assert pacer.due(1_000, changed=False) == EMIT_NOW
    pacer.emitted(1_000)
    assert pacer.due(1_005, changed=True) == 15
    assert pacer.due(1_020, changed=True) == EMIT_NOW
    assert pacer.due(1_100, changed=False) == WAIT_FOR_NEXT
    assert pacer.due(1_500, changed=False) == EMIT_NOW
