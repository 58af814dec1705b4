"""A reader of the public streams rebuilds the visible book, our own orders included, with an unbroken chain."""

from decimal import Decimal
from typing import Any

from gridops.venue.core import Fidelity
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples
from tests.venue.core_kit import Desk, desk_with_book

STEP = st.one_of(
    st.tuples(st.just("diff"), st.integers(0, 12), st.integers(0, 5)),
    st.tuples(st.just("place"), st.sampled_from(["BUY", "SELL"]), st.integers(-8, 8)),
    st.tuples(st.just("market"), st.sampled_from(["BUY", "SELL"]), st.integers(1, 1500)),
    st.tuples(st.just("cancel"), st.just(0), st.just(0)),
    st.tuples(st.just("book"), st.integers(-5, 5), st.integers(1, 9)),
)


class Reader:
    """The documented way to keep a local book: snapshot, then every depth event in chain."""

    def __init__(self, desk: Desk) -> None:
        desk.core.drain()
        snapshot = desk.call("GET", "v1/depth", limit="1000")
        self.last = snapshot["lastUpdateId"]
        self.sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
        self.ticker: dict[str, Any] | None = None

    def read(self, desk: Desk) -> None:
        """Fold everything that was sent."""
        for event in desk.core.drain():
            body = event.payload
            if event.stream.endswith("@depth@0ms"):
                assert (body["pu"], body["U"]) == (self.last, self.last + 1)
                assert body["u"] >= body["U"] and body["b"] + body["a"]
                self.last = body["u"]
                for side in ("b", "a"):
                    self.sides[side].update(body[side])
            elif event.stream.endswith("@bookTicker"):
                self.ticker = body

    def book(self) -> tuple[dict[str, str], dict[str, str]]:
        """Levels with a quantity."""
        shown = [{p: q for p, q in self.sides[side].items() if Decimal(q)} for side in ("b", "a")]
        return shown[0], shown[1]


def act(desk: Desk, name: str, first: Any, second: Any) -> None:
    """One random operation."""
    if name == "diff":
        desk.diff(bids=[(599994 - first, second)], asks=[(600008 + first, second)])
    elif name == "book":
        desk.book([(600000 + first, second)], [(600002 + first, second)])
    elif name == "place":
        desk.place(first, "0.005", str(Decimal(600000 + second) / 10))
    elif name == "market":
        side = desk.core.truth()["book"]["BTCUSDT"]["ask" if first == "BUY" else "bid"]
        if side is not None:
            desk.place(first, str(Decimal(second + 1) / 1000), account="b")
    else:
        desk.call("DELETE", "v1/allOpenOrders")


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(STEP, max_size=25))
def test_the_depth_stream_equals_the_snapshot_at_every_moment(steps: list[tuple[str, Any, Any]]) -> None:
    desk = desk_with_book(wallet="100000000")
    reader = Reader(desk)
    for step in steps:
        act(desk, *step)
        reader.read(desk)
        snapshot = desk.call("GET", "v1/depth", limit="1000")
        assert snapshot["lastUpdateId"] == reader.last
        assert reader.book() == (dict(snapshot["bids"]), dict(snapshot["asks"]))
        bids, asks = snapshot["bids"], snapshot["asks"]
        assert bids == sorted(bids, key=lambda level: -Decimal(level[0]))
        assert asks == sorted(asks, key=lambda level: Decimal(level[0]))
        assert not (bids and asks) or Decimal(bids[0][0]) < Decimal(asks[0][0])
        if reader.ticker is not None:
            best = [*(bids[0] if bids else ["0.00", "0.000"]), *(asks[0] if asks else ["0.00", "0.000"])]
            assert [reader.ticker[field] for field in "bBaA"] == best


def test_own_resting_orders_are_visible() -> None:
    desk = desk_with_book()
    desk.place("BUY", "0.250", "59999.9")
    (event,) = desk.stream("depth@0ms")
    assert event["b"] == [["59999.90", "1.250"]]


def test_nothing_is_sent_when_nothing_changed() -> None:
    desk = desk_with_book()
    desk.diff(bids=[(600000, 1000)], asks=[(700000, 0)])
    assert desk.core.drain() == []


def test_the_tape_conserves_history_and_shows_our_part() -> None:
    desk = Desk()
    desk.book([(600000, 50)], [(600009, 50)])
    desk.place("BUY", "0.010", "60000")
    desk.core.drain()
    desk.tape(600000, 55, seller=True)
    events = desk.core.drain()
    trades = [event.payload for event in events if event.stream.endswith("@trade")]
    assert [(trade["q"], trade["m"]) for trade in trades] == [("0.005", True), ("0.050", True)]
    (aggregate,) = [event.payload for event in events if event.stream.endswith("@aggTrade")]
    assert (aggregate["q"], aggregate["f"], aggregate["l"]) == ("0.055", 1, 2)
    assert desk.call("GET", "v1/userTrades")[0]["id"] == trades[0]["t"]
    (candle,) = desk.call("GET", "v1/klines", interval="1m")
    assert (candle[5], candle[8], candle[9]) == ("0.055", 2, "0.000")


def test_public_streams_can_be_switched_off() -> None:
    desk = Desk(fidelity=Fidelity(public_streams=False))
    desk.book([(600000, 50)], [(600009, 50)])
    desk.place("BUY", "0.010", "60000")
    assert {event.stream for event in desk.core.drain()} == {"private:a"}


def test_a_market_without_a_source_mark_tells_its_mid_every_second() -> None:
    desk = desk_with_book()
    for _ in range(30):
        desk.core.advance(desk.core.now_ms + 100)
    marks = desk.stream("markPrice@1s")
    assert len(marks) in (3, 4)
    assert marks[-1]["p"] == "60000.05000000"
